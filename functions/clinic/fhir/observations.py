"""Observation -> rows of a result: value, unit, reference range, interpretation; blood groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from clinic.fhir.dosage import number, ratio, span
from clinic.fhir.readable import (
    LABORATORY_TESTS_RU,
    LOINC,
    SNOMED,
    clean,
    coded,
    codes,
    codings,
    day,
    instant,
    joined,
    notes,
    text_of,
)
from clinic.fhir.resource_types import words

Element = dict[str, Any]
UCUM = "http://unitsofmeasure.org"

# HL7 v3 ObservationInterpretation (and its older v2-0078) -> the contract's words.
INTERPRETATIONS = {
    "N": "normal",
    "L": "low",
    "LU": "low",
    "<": "low",
    "LL": "critical_low",
    "H": "high",
    "HU": "high",
    ">": "high",
    "HH": "critical_high",
    "A": "abnormal",
    "AA": "abnormal",
}


def rows(observation: Element) -> list[Element]:
    """The observation and its components as rows; one without a value that only groups is none."""
    parts = [_row(part) for part in observation.get("component", ())]
    own = _row(observation)
    if note := notes(observation):
        own["note"] = note
    empty = own["value"] is None and not observation.get("interpretation")
    if empty and (parts or observation.get("hasMember")):
        return parts
    return [own, *parts]


def _row(part: Element) -> Element:
    name = coded(part.get("code"), (LOINC, LABORATORY_TESTS_RU))
    amount = part.get("valueQuantity")
    value = value_of(part)
    limits = reference_range(part.get("referenceRange"))
    word, text = interpretation(part.get("interpretation"))
    derived = False
    if word is None and text is None and limits is not None and isinstance(amount, dict):
        word = _compare(amount, part.get("referenceRange"), limits)
        derived = word is not None
    row: Element = {
        "code": name.code,
        "system": name.system,
        "name": name.text,
        "value": value,
        "unit": None,
        "reference_range": limits,
        "interpretation": word,
        "interpretation_derived": derived,
    }
    if isinstance(amount, dict):
        row["unit"] = clean(amount.get("unit")) or clean(amount.get("code"))
        if amount.get("system") == UCUM and amount.get("code"):
            row["unit_code"] = amount["code"]
    if text is not None:
        row["interpretation_text"] = text
    if value is None:
        absent = text_of(part.get("dataAbsentReason"))
        if absent is not None:
            row["absent_reason"] = absent
        if "valueSampledData" in part:
            row["note"] = "SampledData"
    return row


def value_of(part: Element) -> int | Decimal | str | bool | None:
    """A number where it is one, else words; None for sampled data and for what is not there."""
    amount = part.get("valueQuantity")
    if isinstance(amount, dict):
        plain = amount.get("value")
        # "< 0.01" is no 0.01: with a comparator the number alone would be wrong.
        if amount.get("comparator") and plain is not None:
            return f"{amount['comparator']} {number(plain)}"
        return plain if plain is None or type(plain) is int or isinstance(plain, Decimal) else None
    for name in ("valueInteger", "valueBoolean"):
        if isinstance(part.get(name), int):
            found: int = part[name]
            return found
    moment = part.get("valueDateTime")
    period = part.get("valuePeriod")
    return (
        text_of(part.get("valueCodeableConcept"))
        or clean(part.get("valueString"))
        or instant(moment)
        or clean(moment)
        or clean(part.get("valueTime"))
        or span(part.get("valueRange"))
        or ratio(part.get("valueRatio"))
        or (
            joined([day(period.get("start")), day(period.get("end"))], " – ")
            if isinstance(period, dict)
            else None
        )
    )


def reference_range(given: object) -> Element | None:
    """The one normal range; of several (by age, sex) only their words, for none can be chosen."""
    ranges = _normal(given)
    if not ranges:
        return None
    if len(ranges) > 1:
        return {"low": None, "high": None, "text": joined(map(_range_words, ranges), "; ")}
    (one,) = ranges
    return {
        "low": (one.get("low") or {}).get("value"),
        "high": (one.get("high") or {}).get("value"),
        "text": clean(one.get("text")),
    }


def _normal(given: object) -> list[Element]:
    ranges = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return [
        one
        for one in ranges
        if "type" not in one or {code for _, code in codes(one["type"])} & {"normal", None}
    ] or ranges[:0]


def _range_words(one: Element) -> str | None:
    whom = joined([*(text_of(c) for c in one.get("appliesTo") or ()), span(one.get("age"))])
    words = clean(one.get("text")) or span(one)
    return f"{whom}: {words}" if whom and words else words


def interpretation(given: object) -> tuple[str | None, str | None]:
    """The contract's word, or the sender's text where there is no such word for it."""
    concepts = given if isinstance(given, list) else []
    for concept in concepts:
        for _, code in codes(concept):
            if code in INTERPRETATIONS:
                return INTERPRETATIONS[code], None
    return None, joined(text_of(concept) for concept in concepts)


def _compare(amount: Element, given: object, limits: Element) -> str | None:
    value, low, high = amount.get("value"), limits["low"], limits["high"]
    if value is None or amount.get("comparator") or (low is None and high is None):
        return None
    (one,) = _normal(given)
    for side in ("low", "high"):
        limit = one.get(side) or {}
        if limit.get("comparator") or not _same_unit(amount, limit):
            return None
    if low is not None and value < low:
        return "low"
    return "high" if high is not None and value > high else "normal"


def _same_unit(amount: Element, limit: Element) -> bool:
    if amount.get("code") and limit.get("code"):
        return bool(amount["code"] == limit["code"])
    units = {clean(amount.get("unit")), clean(limit.get("unit"))} - {None}
    return len(units) <= 1


# Laboratory or not

_LABORATORY = words("laboratory LAB CH HM MB SP IMM BLB CG GE VR TX PAT CP MCB PHR SR")
_NOT = words(
    "vital-signs social-history survey imaging procedure exam therapy activity "
    "RAD RUS CUS CT NMR NMS US EC CTH NRS OUS PF OTH EN OSL RX RT"
)
_LABORATORY_UNIT = re.compile(
    r"mol/|mol$|(g|mg|ug|ng|pg|eq|IU|U|\{?copies\}?)/(d|m|u|f)?L\b|/uL|10\*|IU/|\[iU\]|U/L|/L\b"
)
_LABORATORY_WORDS = ("лаборатор", "laborator")


def is_laboratory(resource: Element) -> bool:
    """By category, else by specimen, code system or unit."""
    given = resource.get("category")
    categories = given if isinstance(given, list) else [given]
    named = {code for category in categories for _, code in codes(category)}
    if named & _LABORATORY:
        return True
    words = " ".join(filter(None, map(text_of, categories))).lower()
    if any(word in words for word in _LABORATORY_WORDS):
        return True
    if named & _NOT:
        return False
    systems = {coding.get("system") for coding in codings(resource.get("code"))}
    if resource.get("specimen") or LABORATORY_TESTS_RU in systems:
        return True
    amounts = [resource, *resource.get("component", ())]
    units = (str((a.get("valueQuantity") or {}).get("code", "")) for a in amounts)
    return any(_LABORATORY_UNIT.search(unit) for unit in units)


# Chief complaint

COMPLAINT_CODES = frozenset({"10154-3", "8661-1", "46239-0", "29299-5"})


def is_complaint(resource: Element) -> bool:
    """Said to be the chief complaint, by its code (LOINC) or its category (Condition)."""
    given = resource.get("category")
    concepts = [resource.get("code"), *(given if isinstance(given, list) else ())]
    return any(
        (system == LOINC and code in COMPLAINT_CODES)
        or (system == SNOMED and code == "33962009")
        or code == "chief-complaint"
        for concept in concepts
        for system, code in codes(concept)
    )


# Blood group and rhesus

_GROUP_CODES = {
    (LOINC, "883-9"),
    (LOINC, "882-1"),
    (LOINC, "884-7"),
    (LOINC, "10331-7"),
    (LOINC, "1305-2"),
    (LOINC, "34530-6"),
    (LOINC, "77397-8"),
    (SNOMED, "365636006"),
    (SNOMED, "365637002"),
    (SNOMED, "112143006"),
    (SNOMED, "44608003"),
    (SNOMED, "115758001"),
    (SNOMED, "278146004"),
    (SNOMED, "169678007"),
}
_GROUP_NAME = re.compile(
    r"групп\w*\s+крови|резус|rh[- ]?фактор|\bblood (group|type)\b|\brhesus\b"
    r"|\b(abo|rh)\b.*\b(group|type|factor)\b",
    re.IGNORECASE,
)
_NOT_GROUP = re.compile(r"антител|antibod|antigen|фенотип|phenotype|донор|donor", re.IGNORECASE)
# SNOMED CT findings: code -> (abo, rhesus)
_GROUP_FINDINGS: dict[str, tuple[str | None, str | None]] = {
    "112144000": ("A", None),
    "112149005": ("B", None),
    "165743006": ("AB", None),
    "58460004": ("O", None),
    "165747007": (None, "+"),
    "165746003": (None, "-"),
    "278147001": ("O", "+"),
    "278148006": ("O", "-"),
    "278149003": ("A", "+"),
    "278152006": ("A", "-"),
    "278150003": ("B", "+"),
    "278153001": ("B", "-"),
    "278151004": ("AB", "+"),
    "278154007": ("AB", "-"),
}
# Texts are read only if every word of them is known: a wrong blood group is worse than none.
# Cyrillic А, В, О and zero stand for the Latin letters.
_LATIN = str.maketrans("АВО0", "ABOO")
_GROUP_WORDS: dict[str, str] = {
    **{"A": "A", "A1": "A", "A2": "A", "B": "B", "O": "O", "AB": "AB", "A1B": "AB", "A2B": "AB"},
    **{"I": "O", "II": "A", "III": "B", "IV": "AB", "1": "O", "2": "A", "3": "B", "4": "AB"},
    **{"ПЕРВАЯ": "O", "ВТОРАЯ": "A", "ТРЕТЬЯ": "B", "ЧЕТВЕРТАЯ": "AB", "ЧЕТВЁРТАЯ": "AB"},
}
_SIGN_WORDS = {"+": "+", "ПОЛ": "+", "POS": "+", "-": "-", "ОТР": "-", "NEG": "-"}
_SIGN_STEMS = {"ПОЛОЖ": "+", "POSITIVE": "+", "ОТРИЦ": "-", "NEGATIVE": "-"}
_FILLING = words(
    "RH RHD RHESUS RHFACTOR D FACTOR GROUP TYPE BLOOD FINDING ABO РЕЗУС ФАКТОР ГРУППА "
    "КРОВИ ГР КР Я АЯ ПРИНАДЛЕЖНОСТЬ"
)
_WORDS = re.compile(r"\w+|\+|[-−–](?=\s*(?:[),;(.]|$))")
_LABELS = {"O": "O(I)", "A": "A(II)", "B": "B(III)", "AB": "AB(IV)"}


def is_blood_group(part: Element) -> bool:
    """Does this code ask for the ABO group or the rhesus factor?"""
    code = part.get("code")
    if codes(code) & _GROUP_CODES:
        return True
    name = (text_of(code) or "")[:200]
    return bool(_GROUP_NAME.search(name)) and not _NOT_GROUP.search(name)


def blood_group(observation: Element) -> Element | None:
    """{abo, rhesus, label} of an Observation or its components; None where it says neither."""
    abo = rhesus = None
    for part in _group_parts(observation):
        found = _read_group(part)
        abo, rhesus = abo or found[0], rhesus or found[1]
    if abo is None and rhesus is None:
        return None
    label = joined([_LABELS.get(abo or ""), rhesus and f"Rh{rhesus}"], " ")
    return {"abo": abo, "rhesus": rhesus, "label": label}


def _group_parts(observation: Element) -> Iterator[Element]:
    if is_blood_group(observation):
        yield observation
        yield from observation.get("component", ())
    else:
        yield from (c for c in observation.get("component", ()) if is_blood_group(c))


def _read_group(part: Element) -> tuple[str | None, str | None]:
    concept = part.get("valueCodeableConcept")
    for system, code in codes(concept):
        if system == SNOMED and code in _GROUP_FINDINGS:
            return _GROUP_FINDINGS[code]
    words = [text_of(concept), clean(part.get("valueString"))]
    words += [clean(coding.get("display")) for coding in codings(concept)]
    asked = (text_of(part.get("code")) or "").lower()
    only_rhesus = bool(re.search(r"резус|rhesus|\brh\b", asked)) and not re.search(
        r"групп|abo|group and", asked
    )
    for text in filter(None, words):
        found = read_group_text(text, only_rhesus=only_rhesus)
        if found != (None, None):
            return found
    return None, None


def read_group_text(text: str, *, only_rhesus: bool = False) -> tuple[str | None, str | None]:
    """(abo, rhesus) of texts such as `A(II) Rh+`, `Вторая, резус отрицательный`, `0(I)`."""
    groups: set[str] = set()
    signs: set[str] = set()
    # Greek letters name the antibodies, 0αβ(I): they add nothing.
    for word in _WORDS.findall(re.sub("[ΑΒαβ]", "", text).upper()):
        plain = "-" if word in "−–" else word
        latin = plain.translate(_LATIN)
        stem = next((s for s in _SIGN_STEMS if plain.startswith(s)), None)
        if latin in _GROUP_WORDS or plain in _GROUP_WORDS:
            groups.add(_GROUP_WORDS.get(latin) or _GROUP_WORDS[plain])
        elif plain in _SIGN_WORDS or stem:
            signs.add(_SIGN_WORDS.get(plain) or _SIGN_STEMS[stem or ""])
        elif plain not in _FILLING:
            return None, None
    if len(groups) > 1 or len(signs) > 1 or (only_rhesus and groups):
        return None, None
    return next(iter(groups), None), next(iter(signs), None)
