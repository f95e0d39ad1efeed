"""The handlers of sign-in on the local platform's DynamoDB, whose conditional writes are atomic.

moto's are not under threads, so races are run here: the real handlers in this process, threads as
clients, and the platform of `make run` as a process of its own, with the template's tables.
"""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from kernel import aws as clients
from local import stack
from local.deploy import CREDENTIALS, REGION
from tests import conftest, template

# They read their settings when they are imported.
_HANDLERS = ("auth.handler", "auth.authorizer")


class Platform:
    """A platform that runs; `messages` are the text messages that were queued."""

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url
        self._sqs: Any = boto3.client("sqs")
        self._newest: dict[str, str] = {}
        self._count: dict[str, int] = {}

    def newest(self, phone: str) -> str:
        """The newest text message to a phone."""
        self._take()
        return self._newest[phone]

    def count(self, phone: str) -> int:
        """How many text messages a phone got."""
        self._take()
        return self._count.get(phone, 0)

    def _take(self) -> None:
        while messages := self._sqs.receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in messages:
                body = json.loads(message["Body"])
                self._newest[body["to"]] = body["text"]
                self._count[body["to"]] = self._count.get(body["to"], 0) + 1
                self._sqs.delete_message(
                    QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"]
                )


@contextlib.contextmanager
def running() -> Iterator[Platform]:
    """The platform with the template's tables, keys and queues, and the handlers on it."""
    with contextlib.ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="medkarta-")))
        endpoint = cleanup.enter_context(stack._platform(folder, keep=False))
        patch = cleanup.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS[0])
        patch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS[1])
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        _forget()
        cleanup.callback(_forget)
        references = conftest._create()
        for name, value in template.environment().items():
            patch.setenv(name, str(conftest._resolve(value, references)))
        for name in _HANDLERS:
            package, _, module = name.rpartition(".")
            if known := sys.modules.get(name):
                # Its package names it too, and must name the same again afterwards.
                patch.setattr(sys.modules[package], module, known)
            patch.delitem(sys.modules, name, raising=False)
        yield Platform(references["MessagesQueue"])
        for name in _HANDLERS:
            sys.modules.pop(name, None)


def _forget() -> None:
    clients.forget_clients()
    boto3.setup_default_session()
