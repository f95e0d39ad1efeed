"""What a page costs: round trips in a row, calls, and items read, at any size of card."""

import contextvars
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from kernel import aws
from tests.integration import desk_world
from tests.integration.records_world import OpenCard, laboratory, visit

_task: contextvars.ContextVar[int] = contextvars.ContextVar("task", default=0)


@pytest.fixture(scope="module")
def card(aws: None) -> OpenCard:
    card = OpenCard(desk_world.clinic())
    many = [f"2025-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)]
    card.send(*(laboratory(5, day=day) for day in many), laboratory(9, day=many[7], code="2-2"))
    card.send(*(visit(day) for day in many[:30]))
    card.get("results")  # the card's key is unwrapped once in five minutes
    return card


class Calls:
    """The DynamoDB calls of one request, each with the thread of work that made it."""

    def __init__(self) -> None:
        self.made: list[tuple[int, str, dict[str, Any]]] = []
        self.read = 0

    @property
    def in_a_row(self) -> int:
        """The longest row of calls of which each waited for the one before.

        The gate reads the card first; then its tasks and the route's own work go side by side.
        """
        tasks = [task for task, *_ in self.made]
        return max(tasks.count(0), *(1 + tasks.count(task) for task in set(tasks) - {0}))

    def names(self) -> list[str]:
        return sorted(name for _, name, _ in self.made)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    calls = Calls()
    numbers = itertools.count(1)
    lock = threading.Lock()
    submit = ThreadPoolExecutor.submit

    def numbered(self: ThreadPoolExecutor, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        number = next(numbers)

        def run() -> Any:
            _task.set(number)
            return work(*args, **kwargs)

        return submit(self, contextvars.copy_context().run, run)

    def before(params: dict[str, Any], model: Any, **_: Any) -> None:
        with lock:
            calls.made.append((_task.get(), model.name, params))

    def after(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        calls.read += parsed.get("ScannedCount", 0) if model.name == "Query" else 0

    events = aws.dynamodb().meta.events
    events.register("before-call.dynamodb", before)
    events.register("after-call.dynamodb", after)
    with monkeypatch.context() as patch:
        patch.setattr(ThreadPoolExecutor, "submit", numbered)
        try:
            yield calls
        finally:
            events.unregister("before-call.dynamodb", before)
            events.unregister("after-call.dynamodb", after)


@pytest.mark.parametrize(
    "path",
    [
        "results",
        "visits?limit=20",
        "results?code=2-2",
        "results?kind=laboratory&code=14771-0",
        "visits?doctor=nobody",
        "results?from=2025-03-01&to=2025-03-31",
    ],
)
def test_a_page_is_two_round_trips_one_after_the_other(
    card: OpenCard, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    with counted(monkeypatch) as calls:
        assert card.get(path).status == 200
    assert calls.in_a_row <= 2, calls.made
    # The card; the facts, the journal and the page.
    assert calls.names() == ["BatchGetItem", "BatchGetItem", "PutItem", "Query"]


def test_one_record_is_two_round_trips_too(card: OpenCard, monkeypatch: pytest.MonkeyPatch) -> None:
    record_id = card.items("results?limit=1")[0]["record_id"]
    with counted(monkeypatch) as calls:
        assert card.get(f"results/{record_id}").status == 200
    assert calls.in_a_row <= 2, calls.made


def test_a_page_where_something_is_left_out_is_two_round_trips_too(
    card: OpenCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    card.send(laboratory(5, day="2026-01-01", status="preliminary"))
    with counted(monkeypatch) as calls:
        page = card.get("results").json
    assert (len(page["items"]), page["pending"]) == (20, 1)
    assert calls.in_a_row <= 2, calls.made


def test_a_large_card_reads_no_more_items_for_a_page_than_a_small_one(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic = desk_world.clinic()
    read = []
    for months in (1, 12):
        card = OpenCard(clinic)
        days = [f"2025-{m:02}-{d:02}" for m in range(1, months + 1) for d in range(1, 29)]
        card.send(*(laboratory(5, day=day) for day in days), laboratory(9, day=days[3], code="2-2"))
        for path in ("results", "results?code=14771-0", "results?code=2-2"):
            with counted(monkeypatch) as calls:
                assert card.get(path).status == 200
            read.append(calls.read)
    assert read[:3] == read[3:] == [21, 21, 1]


def test_what_a_card_leaves_out_is_counted_beside_the_rest(
    card: OpenCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(monkeypatch) as calls:
        assert card.patient.get("/v1/cards").status == 200
    # The account; its relations; the facts, and side by side with them what is left out.
    assert calls.in_a_row == 3, calls.made
    assert calls.names() == ["BatchGetItem", "BatchGetItem", "Query", "Query"]
