"""From the facts to what stands on the paper: every text ready to print, nothing of layout."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import segno

from extracts import series
from extracts.document import Attachment, ExtractDocument, Verification
from extracts.glyphs import REPLACEMENT, printable
from extracts.words import NO_BREAK, Words, words

View = dict[str, Any]

# Words for an allergy of one kind, in a statement that says no more than its text.
_ONE_KIND = re.compile(
    r"drug|medicat|food|environment|nkda|лекарств|медикамент|пищев|латекс|пыльц", re.IGNORECASE
)


def view(document: ExtractDocument, attachments: Sequence[Attachment] = ()) -> View:
    """Return the JSON that `templates/extract.typ` prints."""
    said = words(document.language)
    zone = ZoneInfo(document.time_zone)
    shown: View = {
        "kind": document.kind,
        "language": document.language,
        "title": said.title(document.kind),
        "subtitle": said.subtitle(document.kind),
        "clinic": {
            "name": document.clinic.name,
            "address": document.clinic.address or "",
            "phone": document.clinic.phone or "",
        },
        "patient": _patient(document, said),
        "period": _period(document, said),
        "issued": said.moment(document.issued_at, zone, document.time_zone),
        "records": None if document.kind == "summary" else str(len(document.records)),
        "omitted": _omitted(document, said),
        "origin": said.label("origin" if attachments else "origin_plain"),
        "body": _BODIES[document.kind](document, said, zone),
    }
    printed = _printable(shown)
    assert isinstance(printed, dict)
    printed["replaced"] = _holds_replacement(printed)
    printed["check"] = _check(document.verification, said)
    printed["attachments"] = [
        {
            "name": printable(attachment.name),
            "mime": attachment.mime,
            "description": printable(attachment.description),
            "relationship": attachment.relationship,
        }
        for attachment in attachments
    ]
    return printed


def _patient(document: ExtractDocument, said: Words) -> View:
    patient = document.patient
    names = [patient.last_name, patient.first_name, patient.middle_name]
    return {
        "name": " ".join(name for name in names if name),
        "birth_date": said.date(patient.birth_date.isoformat()),
        "sex": said.term("sex", patient.sex or "unknown"),
        "snils": patient.snils or said.label("not_known"),
        "address": patient.address or said.label("not_known"),
        "workplace": patient.workplace or said.label("not_known"),
    }


def _period(document: ExtractDocument, said: Words) -> str:
    if document.period is not None:
        return said.period(document.period.start, document.period.end)
    return said.label("on_issue" if document.kind == "summary" else "by_choice")


def _omitted(document: ExtractDocument, said: Words) -> str:
    counts = {
        "withheld": document.omitted.withheld,
        "pending": document.omitted.pending,
        "hidden": document.omitted.hidden,
        "retracted": document.omitted.retracted,
        "beyond": document.omitted.beyond,
    }
    parts = [f"{said.omitted(why)}{NO_BREAK}{count}" for why, count in counts.items() if count]
    if parts:
        sentence = "; ".join(part.replace(f" {NO_BREAK}", NO_BREAK) for part in parts)
        return sentence[0].upper() + sentence[1:] + "."
    if document.kind == "summary":
        return said.label("omitted_none_summary")
    return said.label("omitted_none" if document.period else "omitted_none_chosen")


def _check(verification: Verification, said: Words) -> View:
    image = io.BytesIO()
    segno.make(verification.url, error="m", micro=False).save(
        image, kind="svg", border=0, xmldecl=False, dark="#000000"
    )
    return {
        "code": _grouped(verification.code),
        "url": printable(verification.url).replace("\u200b", ""),
        "qr": image.getvalue().decode(),
        "alt": f"{said.label('qr_alt')} {verification.url}",
    }


def _grouped(code: str) -> str:
    """The code in groups of four, for reading aloud and typing."""
    plain = "".join(character for character in code if character.isalnum())
    return "-".join(plain[at : at + 4] for at in range(0, len(plain), 4))


def _visits(document: ExtractDocument, said: Words, zone: ZoneInfo) -> View:
    return {"visits": [_visit(record, said, zone) for record in document.records]}


def _visit(record: Mapping[str, Any], said: Words, zone: ZoneInfo) -> View:
    orders: dict[str, list[str]] = {"medication": [], "recommendation": [], "service": []}
    for order in record.get("orders") or ():
        orders.setdefault(str(order.get("kind")), []).append(str(order.get("text") or ""))
    known = ("medication", "service")
    texts = [record.get("complaints") or "", *(text for part in orders.values() for text in part)]
    return {
        # A visit of half a page stays on one page.
        "long": sum(map(len, texts)) > 1200,
        "date": said.date(record.get("date")),
        "time": _hours(record, said, zone),
        "title": record.get("title") or "",
        "clinic": _clinic_name(record),
        "doctor": _doctor(record, said),
        "status": said.status("visit", record.get("status")),
        "complaints": record.get("complaints") or "",
        "diagnoses": [_coded(diagnosis, said) for diagnosis in record.get("diagnoses") or ()],
        "medications": orders["medication"],
        "services": orders["service"],
        "advice": [text for kind, texts in orders.items() if kind not in known for text in texts],
    }


def _hours(record: Mapping[str, Any], said: Words, zone: ZoneInfo) -> str:
    """Start and end of day; the date alone stands for a visit over several days."""
    moments = [_moment(record.get("started_at")), _moment(record.get("ended_at"))]
    days = {moment.astimezone(zone).date() for moment in moments if moment}
    if moments[0] is None or len(days) != 1:
        last = moments[1]
        if last is None or len(days) < 2:
            return ""
        return "– " + said.date(last.astimezone(zone).date().isoformat())
    return "–".join(dict.fromkeys(said.time(moment, zone) for moment in moments if moment))


def _results(document: ExtractDocument, said: Words, zone: ZoneInfo) -> View:
    reports = [record for record in document.records if not _is_single(record)]
    singles = [record for record in document.records if _is_single(record)]
    found = series.collect(document.records)
    charts = [series.chart(one, said) for one in found[: series.MOST_CHARTS]]
    shown_reports = [_report(record, said) for record in reports]
    shown_singles = [
        {
            "date": said.date(record.get("date")),
            **_observation(record["observations"][0], said),
        }
        for record in singles
    ]
    rows = [row for report in shown_reports for row in report["rows"]] + shown_singles
    return {
        "reports": shown_reports,
        "singles": shown_singles,
        "derived": any(row["derived"] for row in rows),
        "charts": charts,
        "charts_more": str(len(found)) if len(found) > len(charts) else "",
    }


def _is_single(record: Mapping[str, Any]) -> bool:
    """One value with nothing said about it: pressure taken at a visit, not a laboratory's form."""
    observations = record.get("observations") or ()
    return len(observations) == 1 and not record.get("conclusion")


def _report(record: Mapping[str, Any], said: Words) -> View:
    kind = str(record.get("kind") or "")
    observations = record.get("observations") or ()
    return {
        "title": record.get("title") or said.label("laboratory"),
        "kind": said.label(kind) if kind in {"laboratory", "diagnostic"} else kind,
        "date": said.date(record.get("date")),
        "clinic": _clinic_name(record),
        "doctor": _doctor(record, said) if record.get("doctor") else "",
        "status": said.status("result", record.get("status")),
        "conclusion": record.get("conclusion") or "",
        "rows": [_observation(observation, said) for observation in observations],
    }


def _observation(observation: Mapping[str, Any], said: Words) -> View:
    flag = observation.get("interpretation")
    derived = bool(flag) and bool(observation.get("interpretation_derived"))
    value = observation.get("value")
    return {
        "name": observation.get("name") or observation.get("code") or said.label("none"),
        "value": said.value(value),
        "numeric": isinstance(value, int | float | Decimal),
        "unit": said.term("units", observation.get("unit")),
        "reference": said.reference_range(observation.get("reference_range")),
        "flag": flag or "",
        "flag_text": said.term("flags", flag) or said.label("none"),
        "derived": derived,
    }


def _prescriptions(document: ExtractDocument, said: Words, zone: ZoneInfo) -> View:
    rows = [(record.get("kind"), _prescription(record, said)) for record in document.records]
    return {
        "medications": [row for kind, row in rows if kind != "recommendation"],
        "recommendations": [row for kind, row in rows if kind == "recommendation"],
    }


def _prescription(record: Mapping[str, Any], said: Words) -> View:
    return {
        "date": said.date(record.get("date")),
        "text": record.get("text") or said.label("none"),
        "dosage": record.get("dosage") or said.label("none"),
        "doctor": _doctor(record, said) if record.get("doctor") else said.label("none"),
        "valid_until": said.date(record.get("valid_until")) or said.label("none"),
        "status": said.status("prescription", record.get("status")),
    }


def _summary(document: ExtractDocument, said: Words, zone: ZoneInfo) -> View:
    summary = document.summary
    blood_group = summary.blood_group if summary else None
    return {
        "blood_group": (blood_group or {}).get("label") or said.label("no_blood_group"),
        "allergies": [
            {
                "text": allergy.get("text") or said.label("none"),
                "reactions": ", ".join(allergy.get("reactions") or ()) or said.label("none"),
                "criticality": said.term("criticality", allergy.get("criticality"))
                or said.label("none"),
                "severe": allergy.get("criticality") == "high",
                "status": said.status("summary", allergy.get("status")),
                "recorded_on": said.date(allergy.get("recorded_on")) or said.label("none"),
            }
            for allergy in (summary.allergies if summary else ())
        ],
        "absences": _absences(summary.no_known_allergies if summary else (), said),
        "conditions": [
            {
                **_coded(condition, said),
                "since": said.date(condition.get("since")) or said.label("none"),
                "status": said.status("summary", condition.get("status")),
                "recorded_on": said.date(condition.get("recorded_on")) or said.label("none"),
            }
            for condition in (summary.chronic_conditions if summary else ())
        ],
    }


def _absences(statements: Sequence[Mapping[str, Any]], said: Words) -> list[View]:
    """What is known to be absent, in the words of whoever stated it; each once, the newest."""
    shown: dict[str, View] = {}
    for statement in statements:
        own, code = statement.get("text") or "", str(statement.get("code") or "")
        # Of an unknown code nothing is said but its own words: it may be one kind of allergy only.
        meaning = "" if not code and _ONE_KIND.search(own) else said.absence(code)
        text = f"{meaning}: «{own}»" if meaning and own else meaning or own or code
        recorded = said.date(statement.get("recorded_on"))
        shown.setdefault(
            text,
            {
                "text": text,
                "general": bool(meaning) and meaning == said.absence(""),
                "recorded": f"{said.label('absence_recorded')} {recorded}" if recorded else "",
                "clinic": _clinic_name(statement),
            },
        )
    return list(shown.values())


def _coded(given: Mapping[str, Any], said: Words) -> View:
    return {
        "code": given.get("code") or "",
        "system": said.system(given.get("system")),
        "text": given.get("text") or given.get("code") or said.label("none"),
    }


def _doctor(record: Mapping[str, Any], said: Words) -> str:
    doctor = record.get("doctor") or {}
    named = ", ".join(part for part in (doctor.get("name"), doctor.get("specialty")) if part)
    return named or said.label("not_recorded")


def _clinic_name(record: Mapping[str, Any]) -> str:
    return str((record.get("clinic") or {}).get("name") or "")


def _moment(given: object) -> datetime | None:
    if not given:
        return None
    try:
        moment = datetime.fromisoformat(str(given))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _printable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_printable(inner) for inner in value]
    return value


def _holds_replacement(value: Any) -> bool:
    if isinstance(value, str):
        return REPLACEMENT in value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_holds_replacement, inner))


_BODIES = {
    "visit": _visits,
    "results": _results,
    "prescriptions": _prescriptions,
    "summary": _summary,
}
