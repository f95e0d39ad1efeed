"""The whole system in this process, for benches that send a request of every route.

moto is AWS, the handlers are the real ones, and the people of `tests/integration/route_world` make
the requests. A bench puts itself around every call of AWS and around every function's invocation.
"""

import contextlib
import io
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

sys.path.insert(0, str(Path(__file__).parent.parent / "functions"))

GoOn = Callable[[], Any]


class Around:
    """What a bench does with calls and invocations; this one lets them pass."""

    def aws(self, event_name: str, request: AWSPreparedRequest, go_on: GoOn) -> Any:
        """One call on its way to moto: `before-send.<service>.<Operation>`."""
        return go_on()

    def function(self, handler: str, event: Any, go_on: GoOn) -> Any:
        """One invocation of the function with this handler."""
        return go_on()


class Log(io.TextIOBase):
    """Takes the functions' lines, and counts them."""

    written = 0  # bytes

    def write(self, text: str) -> int:
        self.written += len(text.encode())
        return len(text)


class Memory:
    """What warm processes remember; `drop` makes the next request one that meets none of it."""

    def __init__(self) -> None:
        self.log = Log()
        self._dropped = 0
        self._seen: dict[int, int] = {}

    def drop_data_keys(self) -> None:
        """Forget the unwrapped data keys, which a process keeps for five minutes."""
        self._dropped += 1

    def drop(self) -> None:
        """Forget the keys of the process as well."""
        from auth import authorizer
        from kernel import hashing

        self.drop_data_keys()
        hashing.process_key.cache_clear()
        authorizer._keys._keys.clear()

    def install(self, patch: pytest.MonkeyPatch) -> None:
        from kernel.sealing import DataKey, Keyring

        remembered = Keyring._cached

        def cached(keyring: Keyring, owner: str) -> DataKey | None:
            if self._seen.get(id(keyring)) != self._dropped:
                self._seen[id(keyring)] = self._dropped
                keyring._cache.clear()
            return remembered(keyring, owner)

        patch.setattr(Keyring, "_cached", cached)


@contextlib.contextmanager
def running(around: Around) -> Iterator[Memory]:
    """AWS with the template's resources, and an outside identity provider. Nothing is printed."""
    from tests import conftest, gateway, privileges, quick_moto, template

    lock = threading.RLock()
    stub, find = BotocoreStubber.__call__, gateway.function

    def one_at_a_time(
        self: BotocoreStubber, event_name: str, request: AWSPreparedRequest, **kwargs: Any
    ) -> Any:
        def go_on() -> Any:
            return stub(self, event_name=event_name, request=request, **kwargs)

        with lock:
            return around.aws(event_name, request, go_on)

    def watched(handler: str) -> Callable[..., Any]:
        real = find(handler)
        return lambda event, context: around.function(handler, event, lambda: real(event, context))

    memory = Memory()
    with contextlib.ExitStack() as cleanup:
        cleanup.enter_context(contextlib.redirect_stdout(memory.log))
        patch = cleanup.enter_context(pytest.MonkeyPatch.context())
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", conftest.REGION)
        patch.setattr(BotocoreStubber, "__call__", one_at_a_time)
        patch.setattr(ThreadPoolExecutor, "submit", privileges.FollowingExecutor.follow)
        patch.setattr(gateway, "function", watched)
        quick_moto.apply(patch)
        memory.install(patch)
        cleanup.enter_context(mock_aws())
        boto3.setup_default_session(region_name=conftest.REGION)
        references = conftest._create()
        for name, value in template.environment().items():
            patch.setenv(name, str(conftest._resolve(value, references)))
        cleanup.enter_context(_provider(patch))
        yield memory


@contextlib.contextmanager
def _provider(patch: pytest.MonkeyPatch) -> Iterator[None]:
    from tests import provider as outside
    from tests.gateway import Api
    from tests.integration.test_auth_oidc import configure

    os.environ.setdefault("AUTHLIB_INSECURE_TRANSPORT", "1")
    with outside.running(lambda: dict(Api().get("/.well-known/jwks.json").json)) as provider:
        provider.person = outside.esia_person()
        configure(patch, {"esia": provider.configuration()})
        yield


def routes() -> list[str]:
    """Every route of docs/openapi.json, as `GET /v1/cards/{card_id}/visits`."""
    path = Path(__file__).parent.parent / "docs" / "openapi.json"
    paths = json.loads(path.read_text("utf-8"))["paths"]
    methods = ("get", "post", "put", "delete")
    return [f"{m.upper()} {path}" for path, item in paths.items() for m in methods if m in item]
