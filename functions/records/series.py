"""One quantity over time: values of a code as series, one for each unit that stands apart."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from kernel.records import normal
from records import units


class _Series(NamedTuple):
    code: str
    system: str | None
    name: str
    unit: str | None
    ucum: str | None
    points: list[dict[str, Any]]


def series_of(
    results: Sequence[Mapping[str, Any]], code: str, system: str | None = None
) -> tuple[list[dict[str, Any]], int]:
    """The series of a code in results (newest first), and how many values are no numbers.

    Each series has the unit of its newest value. Older ones that convert are converted, say so
    and keep what was given; the others are series of their own. Points are oldest first.
    """
    made: list[_Series] = []
    no_numbers = 0
    for result in results:
        for row in _rows(result, code, system):
            if isinstance(row["value"], bool) or not isinstance(row["value"], int | Decimal):
                no_numbers += row["value"] is not None
                continue
            _add(made, row, result)
    return [
        {
            "code": each.code,
            "system": each.system,
            "name": each.name,
            "unit": each.unit,
            "points": each.points[::-1],
        }
        for each in made
    ], no_numbers


def _rows(result: Mapping[str, Any], code: str, system: str | None) -> Iterable[Mapping[str, Any]]:
    """The observations of a result with this code, the last one first."""
    return (
        row
        for row in reversed(result["observations"])
        if row.get("code")
        and normal(row["code"]) == normal(code)
        and (system is None or row.get("system") == system)
    )


def _add(made: list[_Series], row: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    ucum = units.ucum(row.get("unit_code"), row.get("unit"))
    limits = row.get("reference_range") or {}
    numbers = {"value": row["value"], "low": limits.get("low"), "high": limits.get("high")}
    point: dict[str, Any] = {
        "date": result.get("date"),
        **numbers,
        "interpretation": row.get("interpretation"),
        "record_id": result["record_id"],
    }
    mine = [s for s in made if (s.code, s.system) == (row["code"], row.get("system"))]
    for each in mine:
        if each.ucum == ucum and (ucum is not None or each.unit == row.get("unit")):
            each.points.append(point)
            return
    for each in mine:
        convert = units.converter(ucum, each.ucum)
        if convert is not None:
            point |= {k: None if v is None else convert(v) for k, v in numbers.items()}
            point["given"] = {"value": row["value"], "unit": row.get("unit")}
            each.points.append(point)
            return
    name = str(row.get("name") or row["code"])
    made.append(_Series(row["code"], row.get("system"), name, row.get("unit"), ucum, [point]))
