"""The same quantity over time: which charts a results extract gets, and their geometry."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from extracts.words import Words

FEWEST_POINTS = 3
MOST_CHARTS = 12

_OUTSIDE = {"low": "low", "critical_low": "low", "high": "high", "critical_high": "high"}


class Point(NamedTuple):
    on: date
    value: float
    low: float | None
    high: float | None
    interpretation: str | None


class Series(NamedTuple):
    """Three or more values of one code in one unit, oldest first."""

    name: str
    unit: str
    points: Sequence[Point]


def collect(results: Iterable[Mapping[str, Any]]) -> list[Series]:
    """Gather the numeric values of `results` into series, in the order of first appearance."""
    names: dict[tuple[str, str, str], str] = {}
    points: dict[tuple[str, str, str], list[Point]] = {}
    for result in results:
        on = _day(result.get("date"))
        if on is None:
            continue
        for observation in result.get("observations") or ():
            value = observation.get("value")
            code = str(observation.get("code") or observation.get("name") or "")
            if not _is_number(value) or not code:
                continue
            key = (str(observation.get("system") or ""), code, str(observation.get("unit") or ""))
            names.setdefault(key, str(observation.get("name") or code))
            bounds = observation.get("reference_range") or {}
            point = Point(
                on,
                float(value),
                float(bounds["low"]) if _is_number(bounds.get("low")) else None,
                float(bounds["high"]) if _is_number(bounds.get("high")) else None,
                observation.get("interpretation"),
            )
            points.setdefault(key, []).append(point)
    return [
        Series(names[key], key[2], sorted(found, key=lambda point: point.on))
        for key, found in points.items()
        if len(found) >= FEWEST_POINTS and found[0].on != found[-1].on
    ]


def chart(series: Series, words: Words) -> dict[str, Any]:
    """Return what `templates/chart.typ` draws; x and y are fractions of the plot, y upwards."""
    points = series.points
    latest = points[-1]
    shown = [point.value for point in points]
    shown += [bound for bound in (latest.low, latest.high) if bound is not None]
    ticks = _ticks(min(shown), max(shown))
    bottom, top = ticks[0], ticks[-1]
    first_day, days = points[0].on, (latest.on - points[0].on).days

    def up(value: float) -> float:
        return (value - bottom) / (top - bottom)

    unit = words.term("units", series.unit)
    first, last = words.date(points[0].on.isoformat()), words.date(latest.on.isoformat())
    values = "; ".join(
        f"{words.date(point.on.isoformat())}: {words.number(point.value)}" for point in points[-12:]
    )
    band = None
    if latest.low is not None or latest.high is not None:
        low = bottom if latest.low is None else latest.low
        high = top if latest.high is None else latest.high
        band = [up(low), up(high)] if low < high else None
    return {
        "name": series.name,
        "unit": unit,
        "first": first,
        "last": last,
        "latest": words.number(latest.value),
        "alt": (
            f"{words.label('chart_alt')}: {series.name}, {unit}. "
            f"{words.label('period')}: {first} – {last}. {words.label('chart_values')}: {values}."
        ),
        "band": band,
        "ticks": [{"y": up(tick), "label": words.number(tick)} for tick in ticks],
        "points": [
            {
                "x": (point.on - first_day).days / days,
                "y": up(point.value),
                "outside": _OUTSIDE.get(point.interpretation or ""),
            }
            for point in points
        ],
    }


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round values that enclose `low` and `high`."""
    span = high - low or abs(high) or 1.0
    rough = span / 3
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    if first == last:
        last += 1
    decimals = max(0, 1 - math.floor(math.log10(step)))
    return [round(n * step, decimals) for n in range(first, last + 1)]


def _day(given: object) -> date | None:
    try:
        return date.fromisoformat(str(given)[:10])
    except ValueError:
        return None


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return math.isfinite(value)
