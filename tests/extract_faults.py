"""AWS as it is on a bad day: the n-th call fails, its answer is lost, or the process ends there.

Wraps moto's stubber, so that botocore's own parsing and retries run as they do in earnest.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from botocore.retries.standard import ExponentialBackoff
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse

How = Literal[
    "killed before", "killed after", "throttle", "error", "timeout", "lost", "refused", "disabled"
]
FAULTS: tuple[How, ...] = ("throttle", "error", "timeout", "lost")
KILLS: tuple[How, ...] = ("killed before", "killed after")


# How each service says that the key behind its data cannot be used; KMS itself says the default.
_DISABLED = {"https://dynamodb": "AccessDeniedException", "https://sqs": "KmsDisabled"}


class Killed(BaseException):
    """The process ends here: nothing catches it."""


@dataclass
class Calls:
    """The calls that were made while this was on, e.g. `dynamodb.PutItem`."""

    names: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)


@contextmanager
def fault(at: int, how: How, *, tries: int = 1) -> Iterator[Calls]:
    """Let the call number `at` (from 0) go wrong; botocore makes `tries` of each call.

    With more than one try only the first fails: it is botocore that repeats it.
    """

    def act(number: int, request: AWSPreparedRequest, call: Callable[[], Any]) -> Any:
        if number != at:
            return call()
        if how in ("killed after", "lost"):
            call()
        if how in KILLS:
            raise Killed(how)
        if how in ("timeout", "lost"):
            raise ReadTimeoutError(endpoint_url=request.url)
        return refusal(request, how)

    with _wrapped(act, tries) as calls:
        yield calls


@contextmanager
def meanwhile(at: int, when: Literal["before", "after"], do: Callable[[], None]) -> Iterator[Calls]:
    """Let somebody else `do` something right before or after the call number `at`."""

    def act(number: int, request: AWSPreparedRequest, call: Callable[[], Any]) -> Any:
        if number == at and when == "before":
            do()
        answer = call()
        if number == at and when == "after":
            do()
        return answer

    with _wrapped(act, 3) as calls:
        yield calls


@contextmanager
def counted() -> Iterator[Calls]:
    """Count the calls; nothing goes wrong."""
    with _wrapped(lambda number, request, call: call(), 3) as calls:
        yield calls


@contextmanager
def _wrapped(act: Callable[..., Any], tries: int) -> Iterator[Calls]:
    from kernel import aws

    calls, stub = Calls(), BotocoreStubber.__call__
    inside = False

    def wrapper(self: BotocoreStubber, event_name: str, request: Any, **kwargs: Any) -> Any:
        nonlocal inside
        if inside or not self.enabled:
            return stub(self, event_name=event_name, request=request, **kwargs)
        inside = True
        try:
            number = len(calls)
            calls.names.append(event_name.removeprefix("before-send."))
            return act(
                number,
                request,
                lambda: stub(self, event_name=event_name, request=request, **kwargs),
            )
        finally:
            inside = False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws, "_client", clients(tries))
        patch.setattr(BotocoreStubber, "__call__", wrapper)
        # botocore repeats a call at once instead of after up to a second.
        patch.setattr(ExponentialBackoff, "delay_amount", lambda self, context: 0)
        yield calls


@cache
def clients(tries: int) -> Any:
    """Makes clients that try so often, each once: to make them anew takes longer than a test."""
    from kernel import aws

    make = aws._client.__wrapped__
    retries = Config(retries={"total_max_attempts": tries, "mode": "standard"})

    @cache
    def client(service: str) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(aws, "_CONFIG", aws._CONFIG.merge(retries))
            return make(service)

    return client


def refusal(request: AWSPreparedRequest, how: How) -> AWSResponse:
    """What AWS says in place of an answer: a throttle, an error of its own, a disabled key."""
    throttled = how == "throttle"
    if ".s3." in request.url or "s3." in request.url.partition("//")[2]:
        status, code = (503, "SlowDown") if throttled else (500, "InternalError")
        if how == "disabled":
            status, code = 400, "KMS.DisabledException"
        body = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    else:
        status, code = (400, "ThrottlingException") if throttled else (500, "InternalServerError")
        if how == "disabled":
            status, code = 400, _DISABLED.get(request.url.split(".")[0], "DisabledException")
        body = f'{{"__type": "{code}", "message": "no"}}'
    headers = HTTPHeaders.from_dict({"x-amzn-requestid": "0", "x-amzn-errortype": code})
    return AWSResponse(request.url, status, headers, MockRawResponse(body))
