"""What a patient hides leaves no trace for clinicians, and is there again when it is shown."""

import json
from typing import Any

import pytest

from tests.gateway import Api, Response
from tests.integration import desk_world as world
from tests.integration.desk_world import Clinic, Patient

pytestmark = pytest.mark.usefixtures("aws")
Json = dict[str, Any]
SECTIONS = ("visits", "results", "prescriptions")


def bundle(days: list[str]) -> Json:
    """For each day a visit with a prescription of its own, and a result of that visit."""
    resources: list[Json] = []
    subject = {"reference": "Patient/me"}
    for day in days:
        at = f"{day}T09:00:00+03:00"
        encounter = {"reference": f"Encounter/v-{day}"}
        resources += [
            {
                "resourceType": "Encounter",
                "id": f"v-{day}",
                "status": "finished",
                "class": {"code": "AMB"},
                "subject": subject,
                "period": {"start": at, "end": at},
            },
            {
                "resourceType": "MedicationRequest",
                "id": f"p-{day}",
                "status": "active",
                "intent": "order",
                "medicationCodeableConcept": {"text": f"Лекарство {day}"},
                "subject": subject,
                "encounter": encounter,
                "authoredOn": at,
            },
            {
                "resourceType": "Observation",
                "id": f"r-{day}",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
                "subject": subject,
                "encounter": encounter,
                "effectiveDateTime": at,
                "valueQuantity": {"value": 5, "unit": "mmol/L", "code": "mmol/L"},
            },
        ]
    resources.append(
        {
            "resourceType": "AllergyIntolerance",
            "id": "a",
            "code": {"text": "Пенициллин"},
            "patient": subject,
        }
    )
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": resource} for resource in resources],
    }


DAYS = [f"2026-03-{day:02}" for day in range(1, 6)]


@pytest.fixture
def patient(here: Clinic) -> Patient:
    """A patient whose card is open, with five days in it."""
    patient = here.patient()
    assert patient.api.post("/v1/consents", world.document()).status == 201
    sent = here.clinician.api.post(
        f"/v1/clinic/cards/{patient.card_id}/fhir",
        raw=json.dumps(bundle(DAYS)),
        headers={"Content-Type": "application/fhir+json"},
    )
    assert sent.status == 200, sent
    assert sent.json["rejected"] == []
    return patient


def own(patient: Patient, section: str, query: str = "limit=100") -> list[Json]:
    return items(patient.api, f"/v1/cards/{patient.card_id}/{section}?{query}")


def clinicians(here: Clinic, patient: Patient, section: str) -> list[Json]:
    """All pages of one record each, so that no page betrays what is left out."""
    found: list[Json] = []
    query = "limit=2"
    while True:
        path = f"/v1/clinic/cards/{patient.card_id}/{section}?{query}"
        answer = here.clinician.api.get(path)
        assert answer.status == 200, answer
        found += answer.json["items"]
        if answer.json["next_cursor"] is None:
            return found
        assert len(answer.json["items"]) == 2
        query = f"limit=2&cursor={answer.json['next_cursor']}"


def items(api: Api, path: str) -> list[Json]:
    answer = api.get(path)
    assert answer.status == 200, answer
    listed: list[Json] = answer.json["items"]
    return listed


def hide(patient: Patient, record_id: str) -> Response:
    return patient.api.put(f"/v1/cards/{patient.card_id}/records/{record_id}/hidden")


def show(patient: Patient, record_id: str) -> Response:
    return patient.api.delete(f"/v1/cards/{patient.card_id}/records/{record_id}/hidden")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_hidden_record_leaves_no_trace_for_clinicians(
    here: Clinic, patient: Patient, section: str
) -> None:
    before = clinicians(here, patient, section)
    assert len(before) == 5
    record_id = before[1]["record_id"]
    answer = hide(patient, record_id)
    assert (answer.status, answer.json) == (200, {"record_id": record_id, "hidden": True})
    assert hide(patient, record_id).status == 200
    after = clinicians(here, patient, section)
    assert [r["record_id"] for r in after] == [
        r["record_id"] for r in before if r["record_id"] != record_id
    ]
    one = here.clinician.api.get(f"/v1/clinic/cards/{patient.card_id}/{section}/{record_id}")
    assert (one.status, one.json["code"]) == (404, "not_found")
    everything = [clinicians(here, patient, each) for each in SECTIONS]
    assert record_id not in json.dumps(everything)
    assert "hidden" not in json.dumps(everything)
    if section == "prescriptions":
        assert before[1]["text"] not in json.dumps(everything, ensure_ascii=False)


@pytest.mark.parametrize("section", SECTIONS)
def test_the_patient_still_sees_it_marked(patient: Patient, section: str) -> None:
    record_id = own(patient, section)[1]["record_id"]
    assert hide(patient, record_id).status == 200
    listed = own(patient, section)
    assert [r.get("hidden", False) for r in listed] == [False, True, False, False, False]
    one = patient.api.get(f"/v1/cards/{patient.card_id}/{section}/{record_id}")
    assert one.json["hidden"] is True
    counts = patient.api.get("/v1/cards").json["items"][0]["counts"]
    assert counts[section] == 5


def test_shown_again_it_is_there_again(here: Clinic, patient: Patient) -> None:
    before = clinicians(here, patient, "visits")
    record_id = before[0]["record_id"]
    assert hide(patient, record_id).status == 200
    assert len(clinicians(here, patient, "visits")) == 4
    assert show(patient, record_id).status == 204
    assert clinicians(here, patient, "visits") == before
    assert show(patient, record_id).status == 204


def test_a_hidden_section_is_empty_whatever_comes_into_it(here: Clinic, patient: Patient) -> None:
    root = f"/v1/cards/{patient.card_id}/sections"
    for section in SECTIONS:
        answer = patient.api.put(f"{root}/{section}/hidden")
        assert (answer.status, answer.json) == (200, {"section": section, "hidden": True})
        assert clinicians(here, patient, section) == []
        assert all(record["hidden"] for record in own(patient, section))
    sent = here.clinician.api.post(
        f"/v1/clinic/cards/{patient.card_id}/fhir",
        raw=json.dumps(bundle(["2026-04-01"])),
        headers={"Content-Type": "application/fhir+json"},
    )
    assert sent.status == 200
    assert clinicians(here, patient, "visits") == []
    assert len(own(patient, "visits")) == 6
    for section in SECTIONS:
        assert patient.api.delete(f"{root}/{section}/hidden").status == 204
        assert len(clinicians(here, patient, section)) == 6


def test_the_summary_can_be_hidden_whole_and_in_parts(here: Clinic, patient: Patient) -> None:
    path = f"/v1/clinic/cards/{patient.card_id}/summary"
    (allergy,) = here.clinician.api.get(path).json["allergies"]
    assert hide(patient, allergy["record_id"]).status == 200
    seen = here.clinician.api.get(path).json
    assert (seen["allergies"], seen["no_known_allergies"]) == ([], False)
    (own_allergy,) = patient.api.get(f"/v1/cards/{patient.card_id}/summary").json["allergies"]
    assert own_allergy["hidden"] is True
    assert show(patient, allergy["record_id"]).status == 204
    root = f"/v1/cards/{patient.card_id}/sections/summary/hidden"
    assert patient.api.put(root).status == 200
    assert here.clinician.api.get(path).json["allergies"] == []


def test_what_is_hidden_may_contradict_that_there_are_no_allergies(
    here: Clinic, patient: Patient
) -> None:
    none_known = {
        "resourceType": "AllergyIntolerance",
        "id": "none",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "716186003"}]},
        "patient": {"reference": "Patient/me"},
    }
    sent = here.clinician.api.post(
        f"/v1/clinic/cards/{patient.card_id}/fhir",
        raw=json.dumps({**bundle([]), "entry": [{"resource": none_known}]}),
        headers={"Content-Type": "application/fhir+json"},
    )
    assert sent.status == 200, sent
    path = f"/v1/clinic/cards/{patient.card_id}/summary"
    (allergy,) = here.clinician.api.get(path).json["allergies"]
    assert hide(patient, allergy["record_id"]).status == 200
    seen = here.clinician.api.get(path).json
    assert (seen["allergies"], seen["no_known_allergies"]) == ([], False)
    fhir = here.clinician.api.get(path, headers={"Accept": "application/fhir+json"})
    assert fhir.status == 200, fhir
    assert "716186003" not in fhir.text
    assert show(patient, allergy["record_id"]).status == 204
    fhir = here.clinician.api.get(path, headers={"Accept": "application/fhir+json"})
    assert "716186003" in fhir.text


def test_the_series_of_a_quantity_has_no_point_of_it(here: Clinic, patient: Patient) -> None:
    path = f"/v1/clinic/cards/{patient.card_id}/results/series?code=2345-7"
    (series,) = here.clinician.api.get(path).json["series"]
    assert len(series["points"]) == 5
    record_id = series["points"][2]["record_id"]
    assert hide(patient, record_id).status == 200
    (series,) = here.clinician.api.get(path).json["series"]
    assert record_id not in [point["record_id"] for point in series["points"]]
    assert len(series["points"]) == 4


def test_as_fhir_it_is_not_there_either(here: Clinic, patient: Patient) -> None:
    record_id = own(patient, "results")[0]["record_id"]
    visit_id = own(patient, "visits")[0]["record_id"]
    for each in (record_id, visit_id):
        assert hide(patient, each).status == 200
    for section in SECTIONS:
        answer = here.clinician.api.get(
            f"/v1/clinic/cards/{patient.card_id}/{section}?limit=100",
            headers={"Accept": "application/fhir+json"},
        )
        assert answer.status == 200, answer
        assert record_id not in answer.text
        assert visit_id not in answer.text


def test_in_an_emergency_it_is_shown_and_the_journal_tells(here: Clinic, patient: Patient) -> None:
    record_id = own(patient, "results")[0]["record_id"]
    assert hide(patient, record_id).status == 200
    body = {"snils": patient.snils, "birth_date": "1980-04-12", "reason": "Без сознания."}
    assert here.clinician.api.post("/v1/clinic/cards/emergency", body).status == 201
    listed = clinicians(here, patient, "results")
    assert len(listed) == 5
    assert [r["record_id"] for r in listed if r.get("hidden")] == [record_id]
    assert len(clinicians(here, patient, "visits")) == 5
    journal = items(patient.api, f"/v1/cards/{patient.card_id}/journal?limit=100")
    reads = [entry for entry in journal if entry["action"] == "read_as_clinician"]
    told = {entry["section"]: (entry["emergency"], entry["hidden_shown"]) for entry in reads}
    assert told == {"results": (True, True), "visits": (True, False)}


def test_what_is_not_there_cannot_be_hidden(here: Clinic, patient: Patient) -> None:
    other = here.patient()
    for unknown in ("nothing", "x" * 200, "results%23x"):
        for method in ("PUT", "DELETE"):
            path = f"/v1/cards/{patient.card_id}/records/{unknown}/hidden"
            answer = patient.api.request(method, path)
            assert (answer.status, answer.json["code"]) == (404, "not_found")
            path = f"/v1/cards/{patient.card_id}/sections/{unknown}/hidden"
            assert patient.api.request(method, path).status == 404
    record_id = own(patient, "visits")[0]["record_id"]
    path = f"/v1/cards/{patient.card_id}/records/{record_id}/hidden"
    assert other.api.put(path).status == 404
    assert here.clinician.api.put(path).status == 403
    assert len(clinicians(here, patient, "visits")) == 5


def test_every_change_stands_in_the_journal(patient: Patient) -> None:
    record_id = own(patient, "visits")[0]["record_id"]
    assert hide(patient, record_id).status == 200
    assert show(patient, record_id).status == 204
    journal = items(patient.api, f"/v1/cards/{patient.card_id}/journal?limit=100")
    assert [entry["action"] for entry in journal].count("hide_own") == 2


# --- what the intake tells --------------------------------------------------------------------


def test_new_results_are_told_once(here: Clinic, patient: Patient) -> None:
    def send(days: list[str]) -> None:
        answer = here.clinician.api.post(
            f"/v1/clinic/cards/{patient.card_id}/fhir",
            raw=json.dumps(bundle(days)),
            headers={"Content-Type": "application/fhir+json"},
        )
        assert answer.status == 200, answer

    def told() -> list[int]:
        return [n["count"] for n in items(patient.api, "/v1/notifications")]

    assert told() == [5]
    send(DAYS)
    assert told() == [5]
    send([*DAYS, "2026-05-01", "2026-05-02"])
    assert told() == [2, 5]
    newest = items(patient.api, "/v1/notifications")[0]
    assert (newest["kind"], newest["card_id"], newest["read"]) == (
        "new_results",
        patient.card_id,
        False,
    )
    read = patient.api.post(f"/v1/notifications/{newest['notification_id']}/read")
    assert (read.status, read.json["read"]) == (200, True)
    again = patient.api.post(f"/v1/notifications/{newest['notification_id']}/read")
    assert again.json == read.json
    assert [n["read"] for n in items(patient.api, "/v1/notifications")] == [True, False]
    other = here.patient()
    foreign = other.api.post(f"/v1/notifications/{newest['notification_id']}/read")
    assert (foreign.status, foreign.json["code"]) == (404, "not_found")
