"""What a person reads of a FHIR datatype: texts, codes, names, dates. Pure, never raises."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC
from html.parser import HTMLParser
from typing import Any, NamedTuple

from clinic.fhir.resource_types import words
from clinic.fhir.validation import moment

Element = dict[str, Any]
# Zero-width and other invisible characters that occur in displays (Synthea: U+200B).
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
MAX_NARRATIVE = 20_000  # characters: html.parser is quadratic on hostile input
_CYRILLIC = re.compile("[А-Яа-яЁё]")

ICD10_RU = "urn:oid:1.2.643.5.1.13.13.11.1005"
DIAGNOSES = (ICD10_RU, "http://hl7.org/fhir/sid/icd-10", "urn:oid:1.2.643.5.1.13.2.1.1.718")
LOINC = "http://loinc.org"
LABORATORY_TESTS_RU = "urn:oid:1.2.643.5.1.13.13.11.1080"
SNOMED = "http://snomed.info/sct"


class Coded(NamedTuple):
    text: str | None
    code: str | None
    system: str | None


def clean(text: object) -> str | None:
    """The text without invisible characters and outer blanks; None for an empty one."""
    if not isinstance(text, str):
        return None
    return _INVISIBLE.sub("", text).strip() or None


def is_russian(*texts: str | None) -> bool:
    return any(text and _CYRILLIC.search(text) for text in texts)


def joined(parts: Iterable[str | None], separator: str = ", ") -> str | None:
    return separator.join(dict.fromkeys(part for part in parts if part)) or None


def codings(concept: object) -> list[Element]:
    given = concept.get("coding") if isinstance(concept, dict) else None
    return [c for c in given if isinstance(c, dict)] if isinstance(given, list) else []


def codes(concept: object) -> set[tuple[str | None, str | None]]:
    """(system, code) of every coding."""
    return {(c.get("system"), c.get("code")) for c in codings(concept)}


def coded(concept: object, preferred: Iterable[str] = ()) -> Coded:
    """Text (as written, else the display, else the code) and the coding that stands for it."""
    if not isinstance(concept, dict):
        return Coded(None, None, None)
    given = codings(concept)
    with_code = [c for c in given if clean(c.get("code"))]
    chosen: Element = next(
        (c for system in preferred for c in with_code if c.get("system") == system),
        next((c for c in with_code if c.get("userSelected")), with_code[0] if with_code else {}),
    )
    code, system = clean(chosen.get("code")), clean(chosen.get("system"))
    displays = [clean(chosen.get("display")), *(clean(c.get("display")) for c in given)]
    text = clean(concept.get("text")) or next((d for d in displays if d), code)
    return Coded(text, code, system)


def text_of(concept: object) -> str | None:
    return coded(concept).text


def texts_of(concepts: object) -> str | None:
    return joined(text_of(concept) for concept in concepts) if isinstance(concepts, list) else None


def coding_text(coding: object) -> str | None:
    if not isinstance(coding, dict):
        return None
    return clean(coding.get("display")) or clean(coding.get("code"))


def notes(resource: Element) -> str | None:
    given = resource.get("note")
    return joined((clean(n.get("text")) for n in given), "\n") if isinstance(given, list) else None


def person_name(names: object) -> str | None:
    """The official or first name: Cyrillic as family, given, patronymic; else given family."""
    given = [n for n in names if isinstance(n, dict)] if isinstance(names, list) else []
    order = {"official": 0, "usual": 1, None: 2}
    given.sort(key=lambda name: order.get(name.get("use"), 3))
    for name in given:
        text = clean(name.get("text"))
        family = clean(name.get("family"))
        first = [clean(part) for part in name.get("given") or ()]
        prefix = [clean(part) for part in name.get("prefix") or ()]
        if is_russian(family, *first):
            return joined([family, *first], " ")
        whole = text or joined([*prefix, *first, family], " ")
        if whole:
            return whole
    return None


# Dates. A FHIR dateTime is a year, a month, a day or an instant with an offset.


def instant(value: object) -> str | None:
    """An instant in UTC, `2026-03-01T09:30:00Z`; None for a date without a time."""
    if not isinstance(value, str) or "T" not in value:
        return None
    try:
        return moment(value).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    except (ValueError, OverflowError):
        return None


def day(value: object) -> str | None:
    """The day where it happened; of a bare year or month the first one (see `precision`)."""
    if not isinstance(value, str):
        return None
    return (value[:10] + "-01-01"[len(value) - 4 :]) if len(value) < 10 else value[:10]


def precision(value: object) -> str | None:
    """ "year" or "month" where `day` had to fill up, else None."""
    return {4: "year", 7: "month"}.get(len(value)) if isinstance(value, str) else None


def sort_key(value: object) -> str:
    """An instant to order by; what has no date at all comes as the oldest."""
    if not isinstance(value, str):
        return "0001-01-01T00:00:00Z"
    return instant(value) or f"{day(value)}T00:00:00Z"


def timing_start(resource: Element, *names: str) -> str | None:
    """The first date found in elements that are a dateTime, a Period or a Timing with events."""
    for name in names:
        value = resource.get(name)
        if isinstance(value, str):
            return value
        if isinstance(value, dict):
            events = value.get("event")
            bounds = (value.get("repeat") or {}).get("boundsPeriod") or value
            inner = bounds.get("start") or (events[0] if isinstance(events, list) else None)
            inner = inner or bounds.get("end")
            if isinstance(inner, str):
                return inner
    return None


class _Text(HTMLParser):
    """Collects the text of a narrative; blocks and breaks become lines."""

    BLOCKS = words("p div br tr li h1 h2 h3 h4 h5 h6 table ul ol caption")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self.hidden += 1
        elif tag in self.BLOCKS:
            self.parts.append("\n")
        elif tag in ("td", "th"):
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self.hidden = max(0, self.hidden - 1)
        elif tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def narrative(text: object) -> str | None:
    """The words of a Narrative's XHTML, without any markup."""
    div = text.get("div") if isinstance(text, dict) else None
    if not isinstance(div, str):
        return None
    reader = _Text()
    reader.feed(div[:MAX_NARRATIVE])
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.parts).split("\n"))
    return clean("\n".join(line for line in lines if line))
