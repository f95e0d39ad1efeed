"""FHIR Dosage -> a line that a patient reads, in Russian or English (R4, dosage.html)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from clinic.fhir.readable import clean, day, joined, text_of, texts_of

Element = dict[str, Any]

_UNITS_RU = {
    "s": ("секунду", "секунды", "секунд"),
    "min": ("минуту", "минуты", "минут"),
    "h": ("час", "часа", "часов"),
    "d": ("день", "дня", "дней"),
    "wk": ("неделю", "недели", "недель"),
    "mo": ("месяц", "месяца", "месяцев"),
    "a": ("год", "года", "лет"),
}
_UNITS_EN = {
    "s": "second",
    "min": "minute",
    "h": "hour",
    "d": "day",
    "wk": "week",
    "mo": "month",
    "a": "year",
}
# R4 value set event-timing: (Russian, English).
_WHEN = {
    "MORN": ("утром", "in the morning"),
    "MORN.early": ("рано утром", "early in the morning"),
    "MORN.late": ("поздно утром", "late in the morning"),
    "NOON": ("в полдень", "at noon"),
    "AFT": ("днём", "in the afternoon"),
    "AFT.early": ("в начале дня", "early in the afternoon"),
    "AFT.late": ("в конце дня", "late in the afternoon"),
    "EVE": ("вечером", "in the evening"),
    "EVE.early": ("ранним вечером", "early in the evening"),
    "EVE.late": ("поздним вечером", "late in the evening"),
    "NIGHT": ("ночью", "at night"),
    "PHS": ("после засыпания", "after falling asleep"),
    "HS": ("перед сном", "before sleep"),
    "WAKE": ("после пробуждения", "after waking"),
    "C": ("во время еды", "with meals"),
    "CM": ("во время завтрака", "with breakfast"),
    "CD": ("во время обеда", "with lunch"),
    "CV": ("во время ужина", "with dinner"),
    "AC": ("до еды", "before meals"),
    "ACM": ("до завтрака", "before breakfast"),
    "ACD": ("до обеда", "before lunch"),
    "ACV": ("до ужина", "before dinner"),
    "PC": ("после еды", "after meals"),
    "PCM": ("после завтрака", "after breakfast"),
    "PCD": ("после обеда", "after lunch"),
    "PCV": ("после ужина", "after dinner"),
}
_DAYS = {
    "mon": ("понедельник", "Monday"),
    "tue": ("вторник", "Tuesday"),
    "wed": ("среда", "Wednesday"),
    "thu": ("четверг", "Thursday"),
    "fri": ("пятница", "Friday"),
    "sat": ("суббота", "Saturday"),
    "sun": ("воскресенье", "Sunday"),
}


def number(value: object) -> str | None:
    """A number as a person writes it: 0.5, 10, without a needless exponent."""
    if isinstance(value, Decimal):
        return f"{value:f}" if -20 < value.adjusted() < 20 else str(value)
    return str(value) if type(value) is int else None


def quantity(value: object) -> str | None:
    """`< 5 mg`; None without a number."""
    if not isinstance(value, dict) or (shown := number(value.get("value"))) is None:
        return None
    unit = clean(value.get("unit")) or clean(value.get("code"))
    return joined([value.get("comparator"), shown, None if unit == "1" else unit], " ")


def span(value: object) -> str | None:
    """A Range: `1–2 mg`, `≥ 1 mg`, `≤ 2 mg`."""
    if not isinstance(value, dict):
        return None
    low, high = value.get("low"), value.get("high")
    if low and high:
        return f"{number(low.get('value'))}–{quantity(high)}"
    return f"≥ {quantity(low)}" if low else f"≤ {quantity(high)}" if high else None


def ratio(value: object) -> str | None:
    """A Ratio: `1:128`, `5 mg / 1 mL`."""
    if not isinstance(value, dict):
        return None
    above, below = quantity(value.get("numerator")), quantity(value.get("denominator"))
    if above is None or below is None:
        return above or below
    plain = above.replace(".", "").isdigit() and below.replace(".", "").isdigit()
    return f"{above}:{below}" if plain else f"{above} / {below}"


def dosages(given: object, *, russian: bool) -> str | None:
    """All instructions, one a line; None where nothing is said."""
    if not isinstance(given, list):
        return None
    ordered = sorted(given, key=lambda one: one.get("sequence") or 0)
    return joined((dosage(one, russian=russian) for one in ordered), "\n")


def dosage(one: Element, *, russian: bool) -> str | None:
    """The sender's own words where there are some, else words for the structure."""
    own = clean(one.get("text"))
    advice = clean(one.get("patientInstruction"))
    if own:
        return joined([own, advice], "; ")
    parts = [
        *_doses(one.get("doseAndRate")),
        _timing(one.get("timing"), russian),
        text_of(one.get("route")),
        text_of(one.get("site")),
        text_of(one.get("method")),
        _as_needed(one, russian),
        texts_of(one.get("additionalInstruction")),
        _maximum(one, russian),
        advice,
    ]
    return joined(parts)


def _doses(given: object) -> list[str | None]:
    parts = []
    for one in given if isinstance(given, list) else ():
        parts.append(quantity(one.get("doseQuantity")) or span(one.get("doseRange")))
        parts.append(
            quantity(one.get("rateQuantity"))
            or span(one.get("rateRange"))
            or ratio(one.get("rateRatio"))
        )
    return parts


def _as_needed(one: Element, russian: bool) -> str | None:
    reason = text_of(one.get("asNeededCodeableConcept"))
    if reason is None and one.get("asNeededBoolean") is not True:
        return None
    return joined(["при необходимости" if russian else "as needed", reason and f"({reason})"], " ")


def _maximum(one: Element, russian: bool) -> str | None:
    most = ratio(one.get("maxDosePerPeriod")) or quantity(one.get("maxDosePerAdministration"))
    return most and f"{'не более' if russian else 'at most'} {most}"


def _timing(timing: object, russian: bool) -> str | None:
    if not isinstance(timing, dict):
        return None
    repeat = timing.get("repeat")
    if not isinstance(repeat, dict):
        return text_of(timing.get("code"))
    at = 0 if russian else 1
    clock = joined(str(time)[:5] for time in repeat.get("timeOfDay") or ())
    days = joined(_DAYS[day][at] for day in repeat.get("dayOfWeek") or () if day in _DAYS)
    when = joined(_WHEN[code][at] for code in repeat.get("when") or () if code in _WHEN)
    return joined(
        [
            _frequency(repeat, russian) or text_of(timing.get("code")),
            when and _offset(repeat, russian) + when,
            days,
            clock and f"{'в' if russian else 'at'} {clock}",
            _bounds(repeat, russian),
        ]
    )


def _frequency(repeat: Element, russian: bool) -> str | None:
    period, unit = number(repeat.get("period")), repeat.get("periodUnit")
    times = number(repeat.get("frequency")) or number(repeat.get("count"))
    most = number(repeat.get("frequencyMax"))
    if period and repeat.get("periodMax"):
        period = f"{period}–{number(repeat['periodMax'])}"
    if times is None and period is None:
        return None
    if times and most:
        times = f"{times}–{most}"
    if period is None or unit not in _UNITS_EN:
        if times is None:
            return None
        return f"{times} {_plural_ru(times, _TIMES_RU) if russian else _TIMES_EN[times != '1']}"
    if russian:
        often = f"{times or 1} {_plural_ru(times or '1', _TIMES_RU)}"
        if period == "1":
            return f"{often} в {_UNITS_RU[unit][0]}"
        return f"{often} в {period} {_plural_ru(period, _UNITS_RU[unit])}"
    often = "once" if times in (None, "1") else f"{times} times"
    name = _UNITS_EN[unit]
    return f"{often} per {name}" if period == "1" else f"{often} every {period} {name}s"


_TIMES_EN = ("time", "times")
_TIMES_RU = ("раз", "раза", "раз")


def _offset(repeat: Element, russian: bool) -> str:
    minutes = number(repeat.get("offset"))
    return (
        f"{'за/через' if russian else 'by'} {minutes} {'мин' if russian else 'min'} "
        if (minutes and minutes != "0")
        else ""
    )


def _bounds(repeat: Element, russian: bool) -> str | None:
    duration = repeat.get("boundsDuration")
    if isinstance(duration, dict) and (count := number(duration.get("value"))):
        unit = duration.get("code") or duration.get("unit")
        if russian and unit in _UNITS_RU:
            shown = f"{count} {_plural_ru(count, _UNITS_RU[unit])}"
        elif unit in _UNITS_EN:
            shown = f"{count} {_UNITS_EN[unit]}{'' if count == '1' else 's'}"
        else:
            shown = quantity(duration) or count
        return f"{'в течение' if russian else 'for'} {shown}"
    if within := span(repeat.get("boundsRange")):
        return f"{'в течение' if russian else 'for'} {within}"
    period = repeat.get("boundsPeriod")
    if isinstance(period, dict):
        start, end = day(period.get("start")), day(period.get("end"))
        since, until = ("с", "по") if russian else ("from", "until")
        return joined([start and f"{since} {start}", end and f"{until} {end}"], " ")
    return None


def _plural_ru(count: str, forms: tuple[str, str, str]) -> str:
    """The form of a Russian noun after a number; after a fraction or a span the second or last."""
    last = count.rpartition("–")[2]
    if not last.isdigit():
        return forms[1]
    ones, tens = int(last) % 10, int(last) % 100
    if ones == 1 and tens != 11:
        return forms[0]
    return forms[1] if 2 <= ones <= 4 and not 12 <= tens <= 14 else forms[2]
