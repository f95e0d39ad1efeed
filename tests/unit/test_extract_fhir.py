"""The data inside the paper: FHIR R4 that a clinic's system takes, and the same facts."""

import json
from decimal import Decimal
from typing import Any, get_args

import pytest

from clinic.fhir import mapping, validation
from extracts import fhir
from extracts.document import Kind, Summary
from kernel import exact_json
from tests.unit.clinic_fhir.intake import Card
from tests.unit.test_extract_render import PRESCRIPTION, RESULT, SUMMARY, VISIT, extract

SAME = {
    "visit": ("date", "started_at", "ended_at", "doctor", "title", "complaints", "status"),
    "results": ("kind", "date", "title", "status", "conclusion"),
    "prescriptions": ("kind", "date", "status", "text", "dosage", "valid_until", "doctor"),
}
SECTIONS = {"visit": "visits", "results": "results", "prescriptions": "prescriptions"}
RECORDS = {"visit": VISIT, "results": RESULT, "prescriptions": PRESCRIPTION}


def sent(kind: Kind, **given: Any) -> bytes:
    return fhir.attachment(extract(kind, **given)).data


def derived(body: bytes) -> mapping.Derived:
    """What our own intake makes of it, as of any clinic's Bundle."""
    card = Card()
    assert not card.take(body).rejections
    return card.derive()


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_resource_is_valid_fhir(kind: Kind) -> None:
    document = exact_json.loads(sent(kind))
    assert document["type"] == "document"
    kinds = [entry["resource"]["resourceType"] for entry in document["entry"]]
    assert kinds[0] == "Composition"
    assert {"Patient", "Organization"} < set(kinds)
    for entry in document["entry"]:
        validation.check_resource(entry["resource"])


@pytest.mark.parametrize("kind", RECORDS)
def test_a_clinics_system_reads_the_same_record(kind: Kind) -> None:
    drafts = derived(sent(kind)).drafts
    (draft,) = (each for each in drafts if each.section == SECTIONS[kind] and _whole(each, kind))
    record = RECORDS[kind]
    assert {name: draft.body[name] for name in SAME[kind]} == {
        name: record[name] for name in SAME[kind]
    }


def test_values_ranges_and_flags_are_the_same() -> None:
    (draft,) = (each for each in derived(sent("results")).drafts if each.body["conclusion"])
    read, given = draft.body["observations"], RESULT["observations"]
    for name in ("code", "system", "name", "unit"):
        assert [each[name] for each in read][:3] == [each[name] for each in given][:3]
    assert [each["interpretation"] for each in read][:3] == ["low", "high", "critical_high"]
    assert [float(each["value"]) for each in read[:3]] == [109.4, 11.2, 6.4]


def test_the_summary_is_the_same() -> None:
    bodies = [each.body for each in derived(sent("summary")).drafts]
    by_entry = {body["entry"]: body for body in bodies if "entry" in body}
    allergy, condition = SUMMARY.allergies[0], SUMMARY.chronic_conditions[0]
    assert by_entry["allergy"]["text"] == allergy["text"]
    assert by_entry["allergy"]["reactions"] == allergy["reactions"]
    assert by_entry["allergy"]["criticality"] == "high"
    assert by_entry["condition"]["code"] == condition["code"]
    assert by_entry["condition"]["since"].startswith(condition["since"])
    assert any((body.get("abo"), body.get("rhesus")) == ("A", "+") for body in bodies)


def test_a_known_absence_is_read_as_one() -> None:
    for stated in ({"text": "Аллергоанамнез не отягощён"}, {"code": "716186003", "text": None}):
        stated = {"system": "http://snomed.info/sct", **stated}
        bodies = [
            each.body
            for each in derived(
                sent("summary", summary=Summary(no_known_allergies=[stated]))
            ).drafts
        ]
        assert [body["entry"] for body in bodies if "entry" in body] == ["no_known_allergy"]


def test_a_masked_number_stays_masked() -> None:
    patient = next(
        entry["resource"]
        for entry in json.loads(sent("visit"))["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    )
    (identifier,) = patient["identifier"]
    assert "value" not in identifier
    assert identifier["_value"]["extension"][0]["valueString"] == "***-***-445 95"


def test_a_number_keeps_its_digits() -> None:
    observation = {**RESULT["observations"][0], "value": Decimal("5.60")}
    body = sent("results", records=[{**RESULT, "observations": [observation]}])
    assert b'"value":5.60' in body


def test_no_empty_values_and_the_same_bytes_again() -> None:
    for kind in get_args(Kind):
        assert sent(kind) == sent(kind)
        assert b"null" not in sent(kind)
    assert json.loads(sent("visit", records=[]))["entry"][0]["resource"]["section"][0][
        "emptyReason"
    ]
    assert b"[]" not in fhir.attachment(extract("visit")._replace(records=[])).data


def _whole(draft: mapping.Draft, kind: str) -> bool:
    """Not one of the orders that a visit's Bundle brings as prescriptions of their own."""
    return kind != "results" or bool(draft.body.get("conclusion"))
