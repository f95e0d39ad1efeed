"""Faults of AWS on demand: calls that fail, and a process that dies between two calls."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from moto.core.botocore_stubber import BotocoreStubber


class Killed(BaseException):
    """The process is gone: no handler runs, no lock is given back."""


@dataclass
class Calls:
    """The calls that were made, by their operation."""

    names: list[str] = field(default_factory=list)


@contextmanager
def counted() -> Iterator[Calls]:
    """Count the calls of a block."""
    calls = Calls()

    def count(name: str, go_on: Callable[[], Any]) -> Any:
        calls.names.append(name)
        return go_on()

    with _around(count):
        yield calls


@contextmanager
def killed(at: int, *, after: bool) -> Iterator[None]:
    """Die before or after the call number `at` (from 0); the dead make no further calls."""
    made = 0
    dead = False

    def die(_: str, go_on: Callable[[], Any]) -> Any:
        nonlocal made, dead
        if dead or (made == at and not after):
            dead = True
            raise Killed
        answer = go_on()
        if made == at:
            dead = True
            raise Killed
        made += 1
        return answer

    with _around(die):
        yield


@contextmanager
def failing(at: int, *, after: bool) -> Iterator[None]:
    """The connection breaks at the call number `at`, before or after AWS has done it, for good."""
    made = -1
    broken: set[int] = set()

    def fail(_: str, go_on: Callable[[], Any]) -> Any:
        nonlocal made
        made += 1
        # botocore repeats what broke: its repeats break too, so that the caller learns of it.
        if made == at or (broken and made - 1 in broken and len(broken) < 3):
            broken.add(made)
            if after:
                go_on()
            raise ConnectionClosedError(endpoint_url="https://aws.test")
        return go_on()

    with _around(fail):
        yield


@contextmanager
def _around(meet: Callable[[str, Callable[[], Any]], Any]) -> Iterator[None]:
    call = BotocoreStubber.__call__

    def faulty(self: BotocoreStubber, *args: Any, **kwargs: Any) -> Any:
        event = str(args[0] if args else kwargs.get("event_name"))
        return meet(event.rpartition(".")[2], lambda: call(self, *args, **kwargs))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BotocoreStubber, "__call__", faulty)
        yield
