"""The bench that counts what AWS would bill, over real calls."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from moto.core.botocore_stubber import BotocoreStubber

from bench import world
from bench.metering import Bill, Meter
from kernel import dynamo, ids
from kernel.clock import now


@pytest.fixture
def billed(aws: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], Bill]:
    """The bill of some work, done as a function."""
    meter, stub = Meter(), BotocoreStubber.__call__
    meter.memory = world.Memory()

    def metered(self: BotocoreStubber, event_name: str, request: Any, **kwargs: Any) -> Any:
        return meter.aws(
            event_name,
            request,
            lambda: stub(self, event_name=event_name, request=request, **kwargs),
        )

    monkeypatch.setattr(BotocoreStubber, "__call__", metered)

    def bill(work: Callable[[], Any]) -> Bill:
        with meter.billing() as found:
            meter.function("bench", {}, work)
        return found

    return bill


def test_units_are_those_of_the_items_whatever_the_answer_holds(
    billed: Callable[[Callable[[], Any]], Bill],
) -> None:
    table, pk = os.environ["NOTICES_TABLE"], f"BENCH#{ids.time_ordered(now())}"
    items = [{"pk": pk, "sk": str(n), "text": "-" * 3000, "b": bytes(100)} for n in range(3)]

    def write() -> None:
        for item in items:
            dynamo.put(table, item)

    put = billed(write)
    assert put.counts["writes"] == 3 * 4
    assert put.partitions["writes", table, pk] == 12
    (invocation,) = put.invocations
    assert invocation.waits({"dynamodb": 5.0}) == 15

    def read(**options: Any) -> float:
        asked = {":pk": pk}
        work = lambda: dynamo.query(table, "pk = :pk", asked, **options)  # noqa: E731
        return billed(work).counts["reads"]

    assert read() == 3  # of 9.4 KB
    assert read(projection="sk") == 3
    assert read(limit=1) == 1
    assert read(consistent=False) == 1.5
    assert billed(lambda: dynamo.get(table, {"pk": pk, "sk": "none"})).counts["reads"] == 1

    changed = billed(
        lambda: dynamo.update(
            table, {"pk": pk, "sk": "0"}, "SET n = :n", {":n": 1}, condition="attribute_exists(pk)"
        )
    )
    assert changed.counts["writes"] == 4  # of the whole item

    def move() -> None:
        for action in (
            {"Delete": dynamo.delete_request(table, {"pk": pk, "sk": "1"})},
            {"Put": dynamo.put_request(table, {"pk": pk, "sk": "9"})},
        ):
            dynamo.transact(action)

    moved = billed(move)
    assert moved.counts["writes"] == 2 * 4 + 2
    assert moved.stored < -3000
