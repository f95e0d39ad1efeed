"""Consents and the journal as FHIR R4, by content negotiation."""

import base64
import json
from typing import Any

import pytest

from tests.gateway import Api, Response
from tests.integration import desk_world

FHIR = "application/fhir+json"
# Elements and required ones: https://hl7.org/fhir/R4/auditevent.html, …/consent.html.
AUDIT_EVENT = (
    {"type", "recorded", "agent", "source"},
    {"subtype", "action", "period", "outcome", "outcomeDesc", "purposeOfEvent", "entity"},
)
CONSENT = (
    {"status", "scope", "category"},
    {"patient", "dateTime", "performer", "organization", "sourceAttachment", "policy"}
    | {"policyRule", "provision", "identifier"},
)
AGENT = {"type", "role", "who", "altId", "name", "requestor", "purposeOfUse"}
ENTITY = {"what", "type", "role", "lifecycle", "name", "description", "detail"}
PROVISION = {"type", "period", "actor", "action", "purpose"}


@pytest.fixture(scope="module")
def patient(aws: None) -> desk_world.Patient:
    """A patient with two consents, the older one withdrawn, and some journal."""
    clinic = desk_world.clinic()
    made = clinic.patient()
    narrow = {**desk_world.document(), "clinic_id": clinic.clinic_id}
    first = made.api.post("/v1/consents", narrow)
    assert first.status == 201, first
    path = f"/v1/clinic/cards/{made.card_id}/summary"
    assert clinic.clinician.api.get(path, headers={"X-Purpose": "laboratory"}).status == 200
    withdrawn = made.api.post(f"/v1/consents/{first.json['consent_id']}/withdraw")
    assert withdrawn.status == 200, withdrawn
    assert clinic.clinician.api.get(path).status == 403
    given = made.api.post("/v1/consents", desk_world.document())
    assert given.status == 201, given
    return made


def fhir(api: Api, path: str, **headers: str) -> Response:
    return api.get(path, headers={"Accept": FHIR, **headers})


def valid(resource: dict[str, Any], shape: tuple[set[str], set[str]]) -> None:
    required, optional = shape
    assert required <= set(resource)
    assert set(resource) - required - optional <= {"resourceType", "id", "meta", "extension"}
    assert "[]" not in json.dumps(resource)
    assert "null" not in json.dumps(resource)


def test_a_list_of_consents_is_a_searchset(patient: desk_world.Patient) -> None:
    answer = fhir(patient.api, "/v1/consents")
    assert answer.status == 200, answer
    assert answer.headers["content-type"].startswith(FHIR)
    bundle = answer.json
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
    plain = patient.api.get("/v1/consents").json["items"]
    resources = [each["resource"] for each in bundle["entry"]]
    assert [r["id"] for r in resources] == [each["consent_id"] for each in plain]
    for shown, resource in zip(plain, resources, strict=True):
        valid(resource, CONSENT)
        assert resource["status"] == ("active" if shown["status"] == "active" else "inactive")
        assert resource["dateTime"] == shown["given_at"]
        assert base64.b64decode(resource["sourceAttachment"]["data"]).decode() == shown["receipt"]
        assert set(resource["provision"]) <= PROVISION
        assert resource["patient"] == {"reference": f"Patient/{patient.patient_id}"}
    assert resources[-1]["provision"]["period"]["end"] == plain[-1]["withdrawn_at"]


def test_a_list_goes_on_by_its_next_link(patient: desk_world.Patient) -> None:
    first = fhir(patient.api, "/v1/consents?limit=1").json
    links = {link["relation"]: link["url"] for link in first["link"]}
    assert links["self"] == "/v1/consents?limit=1"
    second = fhir(patient.api, links["next"]).json
    assert [e["resource"]["id"] for e in first["entry"]] != [
        e["resource"]["id"] for e in second["entry"]
    ]
    assert "next" not in {link["relation"] for link in second["link"]}


def test_one_consent_is_a_resource(patient: desk_world.Patient) -> None:
    (*_, oldest) = patient.api.get("/v1/consents").json["items"]
    answer = fhir(patient.api, f"/v1/consents/{oldest['consent_id']}")
    assert answer.json["resourceType"] == "Consent"
    assert answer.headers["vary"].startswith("Accept,")
    missing = fhir(patient.api, "/v1/consents/unknown")
    assert (missing.status, missing.json["code"]) == (404, "not_found")
    assert missing.headers["content-type"].startswith("application/problem+json")


def test_the_journal_is_a_searchset_of_audit_events(patient: desk_world.Patient) -> None:
    path = f"/v1/cards/{patient.card_id}/journal"
    bundle = fhir(patient.api, path).json
    plain = {e["entry_id"]: e for e in patient.api.get(path).json["items"]}
    resources = [each["resource"] for each in bundle["entry"]]
    assert len(resources) >= 6
    for resource in resources:
        valid(resource, AUDIT_EVENT)
        shown = plain[resource["id"]]
        assert resource["recorded"] == shown["at"]
        assert resource["outcome"] == ("0" if shown["outcome"] == "done" else "4")
        assert [a["requestor"] for a in resource["agent"]].count(True) == 1
        assert all(set(agent) <= AGENT for agent in resource["agent"])
        assert all(set(entity) <= ENTITY for entity in resource["entity"])
    by_doctor = [r for r in resources if r["agent"][0].get("name") == "Врач В. В."]
    assert {r["outcome"] for r in by_doctor} == {"0", "4"}
    assert {r["purposeOfEvent"][0]["text"] for r in by_doctor} == {"laboratory", "treatment"}
    assert all(r["agent"][1]["who"]["reference"].startswith("Organization/") for r in by_doctor)


def test_an_etag_is_of_one_media_type(patient: desk_world.Patient) -> None:
    """Of a journal every read makes a new entry, so the page before is asked for."""
    path = f"/v1/cards/{patient.card_id}/journal?limit=1"
    cursor = patient.api.get(path).json["next_cursor"]
    older = f"{path}&cursor={cursor}"
    plain, resources = patient.api.get(older), fhir(patient.api, older)
    assert plain.headers["etag"] != resources.headers["etag"]
    tag = {"If-None-Match": resources.headers["etag"]}
    assert fhir(patient.api, older, **tag).status == 304
    assert patient.api.get(older, headers=tag).status == 200


def test_a_route_without_fhir_says_so(patient: desk_world.Patient) -> None:
    answer = fhir(patient.api, "/v1/access")
    assert (answer.status, answer.json["code"]) == (406, "not_acceptable")
