"""The bench that counts what AWS would bill counts by AWS's rules."""

import tomllib
from pathlib import Path

import pytest

from bench import cost, metering, world
from bench.metering import Bill, Meter, parts, size

KEY = {"pk": {"S": "CARD#1"}, "sk": {"S": "HEAD"}}
EMPTY = size(KEY)


def item(number: int, **more: dict[str, str]) -> dict[str, dict[str, str]]:
    """An item of so many bytes."""
    return {**KEY, **more, "x": {"S": "-" * (number - EMPTY - size(more) - 1)}}


def written(table: str, old: metering.Wire | None, new: metering.Wire | None, times: int) -> Bill:
    meter = Meter()
    meter._write((table, "CARD#1", "HEAD"), old, new, times)
    return meter.bill


def test_names_and_values_have_the_sizes_of_the_developer_guide() -> None:
    assert size({"shirt-color": {"S": "R"}, "shirt-size": {"S": "M"}}) == 23
    assert size({"имя": {"S": "я"}}) == 6 + 2
    assert size({"n": {"N": "-12345"}}) == 1 + 4
    assert size({"b": {"B": "AAECAw=="}}) == 1 + 6
    assert size({"l": {"L": [{"S": "ab"}]}, "t": {"BOOL": "true"}}) == (1 + 3 + 2 + 1) + 2


@pytest.mark.parametrize(
    ("old", "new", "times", "units"),
    [
        (0, 1024, 1, 1),
        (0, 1025, 1, 2),
        (3000, 100, 1, 3),  # the larger of the two
        (100, 0, 1, 1),
        (0, 0, 1, 1),  # nothing was there, and is not now: a condition that failed
        (0, 1500, 2, 4),  # in a transaction
    ],
)
def test_a_write_takes_each_begun_kilobyte(old: int, new: int, times: int, units: int) -> None:
    bill = written("AccountsTable", item(old) if old else None, item(new) if new else None, times)
    assert bill.counts["writes"] == units
    assert bill.partitions["writes", "AccountsTable", "CARD#1"] == units
    assert bill.stored == new - old


def test_an_index_is_written_when_its_item_comes_changes_moves_or_goes() -> None:
    one = {"due_pk": {"S": "DUE#1"}, "due_sk": {"S": "2026"}}
    two = {"due_pk": {"S": "DUE#2"}, "due_sk": {"S": "2026"}}
    table = "ExtractsTable"  # its index holds keys alone
    assert written(table, None, item(100), 1).counts["writes"] == 1
    assert written(table, None, item(2000, **one), 1).counts["writes"] == 2 + 1
    assert written(table, item(200, **one), item(300, **one), 1).counts["writes"] == 1
    moved = written(table, item(200, **one), item(200, **two), 1)
    assert moved.counts["writes"] == 1 + 2
    assert moved.partitions["writes", "ExtractsTable/due", "DUE#1"] == 1
    assert moved.partitions["writes", "ExtractsTable/due", "DUE#2"] == 1
    assert written(table, item(200, **one), item(200), 2).counts["writes"] == 2 + 2


@pytest.mark.parametrize(
    ("number", "consistent", "units"),
    [(0, True, 1), (0, False, 0.5), (4096, True, 1), (4097, True, 2), (9000, False, 1.5)],
)
def test_a_read_takes_each_begun_four_kilobytes(
    number: int, consistent: bool, units: float
) -> None:
    assert metering._read_units(number, {"ConsistentRead": consistent}) == units


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 135, 3),
        ("a" * 70 + "я", 2),
    ],
)
def test_text_messages_are_counted_by_their_parts(text: str, number: int) -> None:
    assert parts(text) == number


def test_what_is_assumed_names_routes_that_there_are() -> None:
    known = set(world.routes())
    named = {route.removesuffix(f" {cost.NEW_DEVICE}") for use in cost.USES for route in use.routes}
    assert named <= known


def test_every_price_and_limit_says_where_it_comes_from() -> None:
    prices = tomllib.loads(Path(cost.__file__).with_name("prices.toml").read_text("utf-8"))
    entries = [entry for part in prices.values() for entry in part.values()]
    assert all(
        entry.get("source", "").startswith("https://") or entry["memory"] for entry in entries
    )
