"""What one resource says by itself: dates, states, absence, whether a condition lasts, its text."""

from __future__ import annotations

import base64
import re
from typing import Any

from clinic.fhir import observations, readable
from clinic.fhir.readable import clean, codes, day, joined, notes, text_of, texts_of
from clinic.fhir.resource_types import words

Body = dict[str, Any]
Resource = dict[str, Any]


def dated(name: str, value: object) -> Body:
    """{name: day}, with {name}_precision where the day is filled up from a month or a year."""
    dated: Body = {name: day(value)}
    if (known := readable.precision(value)) is not None:
        dated[f"{name}_precision"] = known
    return dated


_DATES = (
    *("authoredOn", "started", "effectiveDateTime", "effectivePeriod", "occurrenceDateTime"),
    *("occurrencePeriod", "performedDateTime", "performedPeriod", "startDate", "period"),
    *("created", "dateAsserted", "statusDate", "onsetDateTime", "onsetPeriod", "occurrenceTiming"),
)


def date_of(resource: Resource) -> str | None:
    """When it happened or was ordered; else when it was recorded."""
    if resource["resourceType"] in ("AllergyIntolerance", "Condition"):
        return readable.timing_start(
            resource, "recordedDate", "onsetDateTime", "onsetPeriod", "lastOccurrence"
        ) or recorded(resource)
    return readable.timing_start(resource, *_DATES) or recorded(resource)


def recorded(resource: Resource) -> str | None:
    meta = resource.get("meta") or {}
    return readable.timing_start({**resource, **meta}, "recordedDate", "recorded", "lastUpdated")


def in_error(resource: Resource) -> bool:
    states = (resource.get("status"), resource.get("lifecycleStatus"))
    return "entered-in-error" in states or verification(resource) == "entered-in-error"


def verification(resource: Resource) -> str | None:
    return status_code(resource.get("verificationStatus"))


def status_code(concept: object) -> str | None:
    return next((clean(c.get("code")) for c in readable.codings(concept)), None)


def clinical_status(resource: Resource) -> str | None:
    return status_code(resource.get("clinicalStatus")) or verification(resource)


# SNOMED CT: no known allergy (of a kind).
_NO_KNOWN_ALLERGY = words(
    "716186003 160244002 409137002 428607008 429625007 428197003 716184000 716185004 1003774007 "
    "428613005 428618001 716220001"
)
_NO_KNOWN = words(
    "no-known-allergies no-known-medication-allergies no-known-environmental-allergies "
    "no-known-food-allergies"
)
# IPS absent-unknown codes, HL7 v3 NullFlavor and SNOMED CT: none known, or nothing said.
_ABSENT = words(
    "no-allergy-info no-medication-info no-known-medications no-problem-info no-known-problems "
    "no-procedure-info no-known-procedures no-immunization-info no-known-immunizations "
    "no-device-info no-known-devices"
)
_ABSENT_SNOMED = words("160245001 1234391000168107 787481004 1631000175102 787480003")
_NO_ALLERGY_WORDS = re.compile(
    r"^(no known (drug |food |medication |environmental )?allerg(y|ies)|nka|nkda|"
    r"аллерги(и|я|ческ\w+ реакци\w+) (не выявлен\w*|отрицает\w*|не отмечен\w*|нет)|"
    r"аллергологический анамнез не отягощ[её]н|нет известных аллергий|"
    r"аллергоанамнез не отягощ[её]н|отрицает аллерги\w+)\W*$",
    re.IGNORECASE,
)


def is_known_absence(concept: object) -> bool:
    given = {code for _, code in codes(concept)}
    words = text_of(concept) or ""
    return bool(given & (_NO_KNOWN | _NO_KNOWN_ALLERGY)) or bool(_NO_ALLERGY_WORDS.match(words))


def is_absence(concept: object) -> bool:
    given = {code for _, code in codes(concept)}
    return bool(given & (_ABSENT | _ABSENT_SNOMED)) or is_known_absence(concept)


# МКБ-10 chapters and blocks of what passes: infections, acute respiratory, symptoms, injuries,
# childbirth, contacts with a clinic. Such a diagnosis of a visit is no chronic condition.
_PASSING = re.compile(r"^(A0|A[2-4]|B0|B34|J0|J1[0-8]|J2[0-2]|K35|N30\.0|H10|O|R|S|T|V|W|X|Y|Z)")
_PASSING_WORDS = re.compile(r"^(остр|acute\b)", re.IGNORECASE)


def is_lasting(condition: Resource, name: readable.Coded) -> bool:
    """Of a visit's diagnoses: which are chronic conditions as well (docs/intake.md)."""
    categories = {code for c in condition.get("category") or () for _, code in codes(c)}
    if "problem-list-item" in categories:
        return True
    if observations.is_complaint(condition):
        return False
    status = status_code(condition.get("clinicalStatus"))
    if status in ("inactive", "resolved") or any(k.startswith("abatement") for k in condition):
        return False
    if status == "remission":
        return True
    if "encounter-diagnosis" not in categories and name.system not in readable.DIAGNOSES:
        return True
    passing = name.system in readable.DIAGNOSES and _PASSING.match(name.code or "")
    return not passing and not _PASSING_WORDS.match(name.text or "")


def complaint_sections(sections: object) -> str | None:
    said: list[str | None] = []
    for section in sections if isinstance(sections, list) else ():
        named = {code for _, code in codes(section.get("code"))}
        if named & observations.COMPLAINT_CODES:
            said.append(readable.narrative(section.get("text")))
        said.append(complaint_sections(section.get("section")))
    return joined(said, "\n")


def other_sections(sections: object) -> list[Body]:
    """[{title, text}] of the sections that are no complaints, the inner ones after the outer."""
    found: list[Body] = []
    for section in sections if isinstance(sections, list) else ():
        named = {code for _, code in codes(section.get("code"))}
        words = readable.narrative(section.get("text"))
        title = clean(section.get("title")) or text_of(section.get("code"))
        if words and title and not named & observations.COMPLAINT_CODES:
            found.append({"title": title, "text": words})
        found += other_sections(section.get("section"))
    return found


def files(attachments: object, title: str | None = None, at: object = None) -> list[Body]:
    """[{title, date, content_type}] of attachments; a text/plain one is a conclusion, no file."""
    return [
        {
            "title": clean(each.get("title")) or title,
            "date": readable.day(each.get("creation") or at),
            "content_type": clean(each.get("contentType")),
        }
        for each in (attachments if isinstance(attachments, list) else ())
        if not str(each.get("contentType", "")).startswith("text/plain") or title is not None
    ]


def document_files(document: Resource) -> list[Body]:
    """What a DocumentReference holds, each under its own title or the document's."""
    title = clean(document.get("description")) or text_of(document.get("type"))
    held = [content.get("attachment") or {} for content in document.get("content") or ()]
    return files(held, title, document.get("date"))


def plain_text(attachments: object) -> str | None:
    """The text of a report that was attached as text/plain; other forms are not read."""
    for one in attachments if isinstance(attachments, list) else ():
        if str(one.get("contentType", "")).startswith("text/plain") and one.get("data"):
            try:
                return clean(base64.b64decode("".join(one["data"].split())).decode("utf-8"))
            except UnicodeDecodeError:
                continue
    return None


def medication_name(medication: Resource) -> str | None:
    name = text_of(medication.get("code"))
    if name is None:
        parts = medication.get("ingredient") or ()
        name = joined((text_of(p.get("itemCodeableConcept")) for p in parts), " + ")
    return name


def plan_title(plan: Resource) -> str | None:
    return (
        clean(plan.get("title")) or clean(plan.get("description")) or texts_of(plan.get("category"))
    )


def goal_text(goal: Resource) -> str | None:
    return text_of(goal.get("description")) or notes(goal)


def service_text(request: Resource) -> str | None:
    text = joined([text_of(request.get("code")), texts_of(request.get("orderDetail"))], ": ")
    text = text or texts_of(request.get("category")) or notes(request)
    if text is not None and request.get("doNotPerform") is True:
        return f"{'Не выполнять' if readable.is_russian(text) else 'Do not perform'}: {text}"
    return text


def last_day(given: object) -> str | None:
    ends = [
        (((one.get("timing") or {}).get("repeat") or {}).get("boundsPeriod") or {}).get("end")
        for one in (given if isinstance(given, list) else ())
    ]
    return max((end for end in ends if isinstance(end, str)), default=None)


def is_russian(resource: Resource, *texts: str | None) -> bool:
    """The language for words of our own: the resource's, else that of its texts."""
    language = resource.get("language")
    if isinstance(language, str):
        return language.lower().startswith("ru")
    units = (
        clean((dose.get("doseQuantity") or {}).get("unit"))
        for one in resource.get("dosageInstruction") or resource.get("dosage") or ()
        for dose in one.get("doseAndRate") or ()
    )
    return readable.is_russian(*texts, *units)
