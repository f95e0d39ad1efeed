"""The words, dates and numbers of an extract in its language, from `templates/texts/*.json`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from extracts.document import Language

TEMPLATES = Path(__file__).parent / "templates"
NO_BREAK = "\u00a0"

_PARTIAL_DATE = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")


class Words:
    """One language. Codes that it does not know are given back as they came."""

    def __init__(self, language: Language, texts: Mapping[str, Any]) -> None:
        self.language = language
        self._texts = texts

    def label(self, name: str) -> str:
        return str(self._texts["labels"][name])

    def title(self, kind: str) -> str:
        return str(self._texts["titles"][kind])

    def subtitle(self, kind: str) -> str:
        return str(self._texts["subtitles"][kind])

    def omitted(self, why: str) -> str:
        return str(self._texts["omitted"][why])

    def check(self, name: str) -> str:
        """A text of the check page."""
        return str(self._texts["check"][name])

    def term(self, table: str, code: object) -> str:
        """The plain word for a code of `table` (sex, flags, criticality, systems, units)."""
        given = "" if code is None else str(code)
        return str(self._texts[table].get(given, given))

    def status(self, section: str, code: object) -> str:
        given = "" if code is None else str(code)
        return str(self._texts["status"][section].get(given, given))

    def system(self, uri: object) -> str:
        """The short name of a code system; nothing where it is unknown, for URIs say nothing."""
        return str(self._texts["systems"].get(uri, ""))

    def absence(self, code: str) -> str:
        """What a code for a known absence of allergies says; nothing where it is unknown.

        Source: SNOMED CT and HL7's absent-unknown codes of the International Patient Summary.
        """
        return str(self._texts["absences"].get(code, ""))

    def date(self, given: object) -> str:
        """A date, or a FHIR date of year or month only; anything else is given back as it came."""
        text = "" if given is None else str(given)
        match = _PARTIAL_DATE.match(text)
        if match is None:
            return text
        year, month, day = match.groups()
        if self.language == "ru":
            return ".".join(part for part in (day, month, year) if part)
        if month is None or not 1 <= int(month) <= 12:
            return year
        name = str(self._texts["months"][int(month) - 1])
        shown = [str(int(day))] if day else []
        return NO_BREAK.join([*shown, name, year])

    def time(self, moment: datetime, zone: tzinfo) -> str:
        """The time of day of an aware `moment` in `zone`."""
        return moment.astimezone(zone).strftime("%H:%M")

    def moment(self, moment: datetime, zone: tzinfo, zone_name: str) -> str:
        """A date and time with its zone said: 03.11.2026, 14:05 (московское время, UTC+3)."""
        local = moment.astimezone(zone)
        said = str(self._texts["zones"].get(zone_name, ""))
        named = ", ".join(part for part in (said, _offset(local)) if part)
        return f"{self.date(local.date().isoformat())}, {local:%H:%M} ({named})"

    def period(self, start: object, end: object) -> str:
        return f"{self.date(start)}{NO_BREAK}– {self.date(end)}"

    def number(self, value: float | Decimal) -> str:
        """A number as a person writes it: at most four decimals, a comma in Russian.

        A Decimal keeps the zeros that the laboratory wrote: 5.60 says more than 5.6.
        """
        if isinstance(value, int):
            return str(value).replace("-", "−")
        if isinstance(value, Decimal) and -4 <= value.as_tuple().exponent <= 0:  # type: ignore[operator]
            given = f"{value:f}".replace("-", "−")
            return given.replace(".", ",") if self.language == "ru" else given
        if not math.isfinite(value):
            return "—"
        exact = value if isinstance(value, Decimal) else Decimal(repr(value))
        if 0 < abs(exact) < Decimal("0.001"):
            shown = f"{float(f'{exact:.3g}'):.12f}"
        else:
            shown = f"{exact:.4f}"
        shown = shown.rstrip("0").rstrip(".").replace("-", "−")
        return shown.replace(".", ",") if self.language == "ru" else shown

    def value(self, value: object) -> str:
        """An observation's value: a number, a text as it came, or a dash."""
        if isinstance(value, bool):
            return {"ru": ("нет", "да"), "en": ("no", "yes")}[self.language][value]
        if isinstance(value, int | float | Decimal):
            return self.number(value)
        text = "" if value is None else str(value).strip()
        return text or self.label("none")

    def reference_range(self, given: Mapping[str, Any] | None) -> str:
        """Reference bounds as `low–high`, `≥ low`, `≤ high`, or the laboratory's own text."""
        if not given:
            return self.label("none")
        low, high = given.get("low"), given.get("high")
        if low is not None and high is not None:
            return f"{self.value(low)}–{self.value(high)}"
        if low is not None:
            return f"≥{NO_BREAK}{self.value(low)}"
        if high is not None:
            return f"≤{NO_BREAK}{self.value(high)}"
        return str(given.get("text") or self.label("none"))


@cache
def words(language: Language) -> Words:
    texts = (TEMPLATES / "texts" / f"{language}.json").read_text(encoding="utf-8")
    return Words(language, json.loads(texts))


def _offset(local: datetime) -> str:
    minutes = int((local.utcoffset() or local - local).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    sign = "−" if minutes < 0 else "+"
    return f"UTC{sign}{hours}:{rest:02d}" if rest else f"UTC{sign}{hours}"
