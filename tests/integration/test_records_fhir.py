"""A card read as FHIR R4: valid by two validators, whole, and what was sent, field by field."""

import base64
import gzip
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from clinic.fhir import exact_json, validation
from kernel import exact_json as ours
from tests import samples
from tests.integration import desk_world
from tests.integration.records_world import (
    ICD10,
    Json,
    OpenCard,
    diagnosis,
    laboratory,
    prescription,
    report,
    visit,
)

SECTIONS = ("summary", "visits", "results", "prescriptions")
# The elements from which the sections are made, by the resources that are shown.
USED = (
    *("status", "class", "type", "serviceType", "period", "reasonCode", "clinicalStatus"),
    *("verificationStatus", "code", "category", "recordedDate", "onsetDateTime", "onsetPeriod"),
    *("criticality", "reaction", "conclusion", "conclusionCode", "effectiveDateTime", "issued"),
    *("effectivePeriod", "valueQuantity", "valueCodeableConcept", "valueString", "valueBoolean"),
    *("valueInteger", "valueRange", "valueRatio", "valueDateTime", "valuePeriod", "valueTime"),
    *("component", "referenceRange", "interpretation", "dataAbsentReason", "note", "authoredOn"),
    *("medicationCodeableConcept", "dosageInstruction", "dosage", "dispenseRequest", "intent"),
    *("occurrenceDateTime", "occurrencePeriod", "performedDateTime", "performedPeriod", "outcome"),
    *("vaccineCode", "doseQuantity", "route", "site", "title", "description", "started"),
    *("series", "modality", "procedureCode", "lifecycleStatus", "startDate", "target"),
    *("orderDetail", "patientInstruction", "doNotPerform", "ingredient"),
)


@pytest.fixture(scope="module")
def clinic(aws: None) -> desk_world.Clinic:
    return desk_world.clinic()


@pytest.fixture
def card(clinic: desk_world.Clinic) -> OpenCard:
    return OpenCard(clinic)


def read_all(card: OpenCard, limit: int = 100) -> list[Json]:
    """Every resource of a card, page after page of every section; each Bundle is checked."""
    found: list[Json] = []
    for section in SECTIONS:
        path = section if section == "summary" else f"{section}?limit={limit}"
        while path:
            answer = card.doctors(path, fhir=True)
            assert answer.status == 200, answer
            assert answer.headers["content-type"].startswith("application/fhir+json")
            bundle = exact_json.loads(answer.text.encode())
            assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
            found += [entry["resource"] for entry in bundle.get("entry", [])]
            check_references(bundle)
            links = {link["relation"]: link["url"] for link in bundle["link"]}
            path = links["next"].partition(f"{card.card_id}/")[2] if "next" in links else ""
    return found


def check_references(bundle: Json) -> None:
    """Whatever leads to a resource of the Bundle's server names one by our ids."""
    for entry in bundle.get("entry", []):
        resource = entry["resource"]
        assert entry["fullUrl"].endswith(f"{resource['resourceType']}/{resource['id']}")
        text = ours.dumps(resource)
        assert '"reference":"urn:' not in text


def validate(resources: Iterable[Json]) -> None:
    for resource in resources:
        validation.check_resource(resource)


def comparable(resource: Json) -> str:
    """What of a resource the sections use, in one spelling. Derived interpretations are ours."""
    kept = {name: resource[name] for name in USED if name in resource}
    return ours.dumps({"resourceType": resource["resourceType"], **_without_derived(kept)})


def _without_derived(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: _without_derived(value)
            for key, value in node.items()
            if key != "reference"
            and not (key == "interpretation" and "derived from" in ours.dumps(value))
        }
    return [_without_derived(value) for value in node] if isinstance(node, list) else node


def _bundle(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


SHOWN = {
    *("Encounter", "Condition", "AllergyIntolerance", "Observation", "DiagnosticReport", "Goal"),
    *("ImagingStudy", "Procedure", "Immunization", "MedicationStatement", "CarePlan"),
    "MedicationRequest",
}


@pytest.mark.skipif(not samples.SYNTHEA, reason="the sample sets are not on this machine")
@pytest.mark.parametrize("path", samples.some([*samples.SYNTHEA, *samples.IPS]))
def test_it_reads_back_as_it_was_sent(clinic: desk_world.Clinic, path: Path) -> None:
    _reads_back(clinic, path)


def _reads_back(clinic: desk_world.Clinic, path: Path) -> None:
    body = _bundle(path)
    bundle = json.loads(body)
    for entry in bundle.get("entry", []):
        resource = entry.get("resource", {})
        if resource.get("resourceType") == "Patient":
            resource.pop("identifier", None)
            resource["birthDate"] = "1980-04-12"  # whose card it goes into
    card = OpenCard(clinic)
    answer = card.doctor.post(
        f"/v1/clinic/cards/{card.card_id}/fhir",
        raw=json.dumps(bundle),
        headers={"Content-Type": "application/fhir+json"},
    )
    if answer.status != 200:
        pytest.skip(f"not taken: {answer.status}")
    rejected = {each["index"] for each in answer.json["rejected"]}
    read = read_all(card)
    validate(read)
    back = {comparable(resource) for resource in read}
    sent = exact_json.loads(json.dumps(bundle).encode())["entry"]
    shown = [
        entry["resource"]
        for index, entry in enumerate(sent)
        if index not in rejected and entry["resource"]["resourceType"] in SHOWN
    ]
    missing = [r for r in shown if comparable(r) not in back]
    # What says that nothing is known belongs to no section: the intake counted it as kept.
    assert len(missing) <= answer.json["kept"], [r["resourceType"] for r in missing]
    kinds = {r["resourceType"] for r in missing}
    assert kinds <= {"AllergyIntolerance", "Condition", "MedicationStatement", "Procedure",
                     "Immunization", "Observation", "MedicationRequest"}, kinds  # fmt: skip


def test_one_record_is_a_resource_that_holds_what_it_is_made_of(card: OpenCard) -> None:
    card.send(
        report(result=[{"reference": "Observation/observation-14771-0-2026-03-02"}]),
        laboratory(7.5),
    )
    (result,) = card.items("results")
    answer = card.get(f"results/{result['record_id']}", fhir=True)
    one = answer.json
    assert (one["resourceType"], one["id"]) == ("DiagnosticReport", result["record_id"])
    assert one["meta"]["versionId"] == "1"
    (inner,) = one["contained"]
    assert one["result"] == [{"reference": f"#{inner['id']}"}]
    assert inner["valueQuantity"]["value"] == 7.5
    assert inner["interpretation"][0]["coding"][0]["code"] == "H"
    get_fhir_model_class("DiagnosticReport").model_validate_json(answer.text)
    assert answer.headers["etag"] != card.get(f"results/{result['record_id']}").headers["etag"]
    again = {"If-None-Match": answer.headers["etag"]}
    assert card.get(f"results/{result['record_id']}", fhir=True, **again).status == 304


def test_references_within_the_card_are_its_own_and_others_are_logical(card: OpenCard) -> None:
    card.send(
        visit(serviceProvider={"reference": "Organization/12", "display": "Отделение"}),
        diagnosis("visit-2026-03-01", "J06.9", None),
        prescription("visit-2026-03-01"),
    )
    bundle = card.get("visits", fhir=True).json
    modes = [(e["resource"]["resourceType"], e["search"]["mode"]) for e in bundle["entry"]]
    assert sorted(modes) == [
        ("Condition", "include"),
        ("Encounter", "match"),
        ("MedicationRequest", "include"),
    ]
    by_type = {e["resource"]["resourceType"]: e["resource"] for e in bundle["entry"]}
    encounter = by_type["Encounter"]
    assert encounter["id"] == card.items("visits")[0]["record_id"]
    assert encounter["serviceProvider"] == {
        "identifier": {"value": "Organization/12"},
        "display": "Отделение",
    }
    assert by_type["Condition"]["encounter"]["reference"] == f"Encounter/{encounter['id']}"
    assert encounter["subject"]["reference"] == f"Patient/{card.person.patient_id}"
    assert by_type["Condition"]["code"]["coding"][0]["system"] == ICD10
    get_fhir_model_class("Bundle").model_validate_json(json.dumps(bundle))


def test_summary_series_and_changes_are_fhir_too(card: OpenCard) -> None:
    start = card.get("changes", fhir=True).json
    assert start["type"] == "history"
    card.send(laboratory(5), laboratory(6, day="2026-03-03"), laboratory(6, code="2-2"))
    series = card.get("results/series?code=14771-0", fhir=True).json
    assert [e["resource"]["valueQuantity"]["value"] for e in series["entry"]] == [6, 5]
    summary = card.get("summary", fhir=True).json
    assert [e["resource"]["resourceType"] for e in summary["entry"]] == ["Patient"]
    following = {link["relation"]: link["url"] for link in start["link"]}["next"]
    card.send(laboratory(5, status="entered-in-error"))
    changed = card.patient.get(following, headers={"Accept": "application/fhir+json"}).json
    methods = [entry["request"]["method"] for entry in changed["entry"]]
    assert methods == ["PUT"] * 3 + ["DELETE"]
    for bundle in (start, series, summary, changed):
        get_fhir_model_class("Bundle").model_validate_json(json.dumps(bundle))


def test_a_resource_too_large_for_an_item_is_read_back_whole(card: OpenCard) -> None:
    form = {
        "contentType": "application/pdf",
        "data": base64.b64encode(os.urandom(250_000)).decode(),
    }
    card.send(report(presentedForm=[form]))
    (entry,) = card.get("results", fhir=True).json["entry"]
    assert entry["resource"]["presentedForm"] == [form]


def test_a_document_of_a_visit_is_named_there_and_given_in_fhir(card: OpenCard) -> None:
    data = base64.b64encode(b"%PDF").decode()
    attachment = {"contentType": "application/pdf", "title": "Выписной эпикриз", "data": data}
    document = {
        "resourceType": "DocumentReference",
        "id": "discharge",
        "status": "current",
        "subject": {"reference": "Patient/me"},
        "date": "2026-03-01T12:00:00Z",
        "content": [{"attachment": attachment}],
        "context": {"encounter": [{"reference": "Encounter/visit-2026-03-01"}]},
    }
    card.send(visit())
    assert card.send(document)["created"] == 1
    (shown,) = card.items("visits")
    named = {"title": "Выписной эпикриз", "date": "2026-03-01", "content_type": "application/pdf"}
    assert (shown["version"], shown["files"]) == (2, [named])
    entries = card.get("visits", fhir=True).json["entry"]
    given = {e["resource"]["resourceType"]: e["resource"] for e in entries}
    assert given["DocumentReference"]["content"][0]["attachment"]["data"] == data
    assert given["DocumentReference"]["context"]["encounter"] == [
        {"reference": f"Encounter/{shown['record_id']}"}
    ]
    card.send({**document, "status": "entered-in-error"})
    assert "files" not in card.items("visits")[0]
