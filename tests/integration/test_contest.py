"""«Оспорить»: a patient asks why somebody was in their card, and the clinic answers."""

import os
from datetime import datetime, timedelta
from typing import Any

import pytest

from kernel import clock, dynamo
from kernel.cases import due
from tests.gateway import Response
from tests.integration import desk_world as world
from tests.integration.desk_world import Clinic, Patient, refused

pytestmark = pytest.mark.usefixtures("aws")
TEXT = "Я у этого врача не был.\nЗачем смотрели?"
ANSWER = "Врач готовился к консилиуму."


def looked_at(clinic: Clinic) -> tuple[Patient, str]:
    """A patient whose card a clinician of the clinic asked for, and the entry of that."""
    patient = clinic.patient()
    clinic.clinician.api.get(f"/v1/clinic/cards/{patient.card_id}/summary")
    entries = patient.api.get(f"/v1/cards/{patient.card_id}/journal").json["items"]
    return patient, next(e["entry_id"] for e in entries if e["actor"]["role"] == "clinician")


def contest(patient: Patient, entry_id: str, text: str = TEXT) -> Response:
    path = f"/v1/cards/{patient.card_id}/journal/{entry_id}/contest"
    return patient.api.post(path, {"text": text})


def state(patient: Patient, entry_id: str) -> Response:
    return patient.api.get(f"/v1/cards/{patient.card_id}/journal/{entry_id}/contest")


def cases(clinic: Clinic, query: str = "limit=100") -> list[dict[str, Any]]:
    answer = clinic.registrar.api.get(f"/v1/clinic/cases?{query}")
    assert answer.status == 200, answer
    items: list[dict[str, Any]] = answer.json["items"]
    return items


def test_from_the_entry_to_the_answer(here: Clinic) -> None:
    patient, entry_id = looked_at(here)
    opened = contest(patient, entry_id)
    assert opened.status == 201, opened
    assert opened.json["status"] == "open"
    assert opened.json["due_at"] > clock.rfc3339(clock.now() + timedelta(days=13))
    assert state(patient, entry_id).json == opened.json
    (case,) = [c for c in cases(here) if c["card_id"] == patient.card_id]
    assert case["text"] == TEXT
    assert case["entry"]["actor"] == {"name": "Врач В. В.", "role": "clinician"}
    assert case["patient"]["patient_id"] == patient.patient_id
    assert not case["overdue"]
    path = f"/v1/clinic/cases/{case['case_id']}/answer"
    answered = here.registrar.api.post(path, {"text": ANSWER})
    assert answered.status == 200, answered
    assert (answered.json["status"], answered.json["answer"]) == ("answered", ANSWER)
    seen = state(patient, entry_id).json
    assert (seen["status"], seen["answer"]) == ("answered", ANSWER)
    refused(here.registrar.api.post(path, {"text": "Ещё раз."}), 409, "conflict")
    (notice,) = patient.api.get("/v1/notifications").json["items"]
    assert (notice["kind"], notice["entry_id"]) == ("case_answered", entry_id)
    entries = patient.api.get(f"/v1/cards/{patient.card_id}/journal").json["items"]
    assert {"contest_own", "case_answered"} <= {entry["action"] for entry in entries}


def test_it_can_be_done_while_the_card_is_closed(here: Clinic) -> None:
    patient, entry_id = looked_at(here)
    refused(patient.api.get(f"/v1/cards/{patient.card_id}/visits"), 403, "consent_required")
    assert contest(patient, entry_id).status == 201
    assert state(patient, entry_id).status == 200


def test_an_entry_is_contested_once(here: Clinic) -> None:
    patient, entry_id = looked_at(here)
    assert contest(patient, entry_id).status == 201
    refused(contest(patient, entry_id), 409, "already_exists")


def test_what_is_not_there_is_not_found(here: Clinic) -> None:
    patient, entry_id = looked_at(here)
    other, others_entry = looked_at(here)
    for unknown in ("x", f"{entry_id}#OUTCOME".replace("#", "%23"), others_entry):
        refused(contest(patient, unknown), 404, "not_found")
        refused(state(patient, unknown), 404, "not_found")
    path = f"/v1/cards/{other.card_id}/journal/{others_entry}/contest"
    refused(patient.api.post(path, {"text": TEXT}), 404, "not_found")
    refused(contest(patient, entry_id, " "), 422, "validation_failed")


def test_another_clinics_case_is_not_there(here: Clinic, there: Clinic) -> None:
    patient, entry_id = looked_at(here)
    case_id = contest(patient, entry_id).json["case_id"]
    assert case_id not in [case["case_id"] for case in cases(there)]
    path = f"/v1/clinic/cases/{case_id}/answer"
    refused(there.registrar.api.post(path, {"text": ANSWER}), 404, "not_found")
    refused(here.clinician.api.post(path, {"text": ANSWER}), 403, "forbidden")
    refused(here.clinician.api.get("/v1/clinic/cases"), 403, "forbidden")


def test_the_clinic_of_the_access_is_asked(here: Clinic, there: Clinic) -> None:
    patient = here.patient()
    body = {"snils": patient.snils, "birth_date": "1980-04-12", "reason": "Срочно."}
    assert there.clinician.api.post("/v1/clinic/cards/emergency", body).status == 201
    entries = patient.api.get(f"/v1/cards/{patient.card_id}/journal").json["items"]
    entry_id = next(e["entry_id"] for e in entries if e["emergency"])
    case_id = contest(patient, entry_id).json["case_id"]
    (case,) = [c for c in cases(there) if c["case_id"] == case_id]
    assert case["entry"]["emergency"]
    assert case_id not in [c["case_id"] for c in cases(here)]


def test_nobody_answers_for_themselves(here: Clinic) -> None:
    patient = here.patient()
    entries = patient.api.get(f"/v1/cards/{patient.card_id}/journal").json["items"]
    entry_id = next(e["entry_id"] for e in entries if e["actor"]["role"] == "registrar")
    case_id = contest(patient, entry_id).json["case_id"]
    path = f"/v1/clinic/cases/{case_id}/answer"
    refused(here.registrar.api.post(path, {"text": ANSWER}), 403, "forbidden")
    other = world.account()
    body = {"role": "registrar", "name": "Регистратор Д. Д."}
    assert world.appoint(here.operator, other, here.clinic_id, **body).status == 201
    assert other.api.post(path, {"text": ANSWER}).status == 200


def test_the_list_goes_on_by_cursor_and_filters_by_state() -> None:
    clinic = world.clinic()
    opened = []
    for _ in range(3):
        patient, entry_id = looked_at(clinic)
        opened.append(contest(patient, entry_id).json["case_id"])
    path = f"/v1/clinic/cases/{opened[1]}/answer"
    assert clinic.registrar.api.post(path, {"text": ANSWER}).status == 200
    first = clinic.registrar.api.get("/v1/clinic/cases?limit=2").json
    rest = f"/v1/clinic/cases?limit=2&cursor={first['next_cursor']}"
    second = clinic.registrar.api.get(rest).json
    assert [c["case_id"] for c in first["items"] + second["items"]] == opened[::-1]
    assert second["next_cursor"] is None
    assert [c["case_id"] for c in cases(clinic, "status=open")] == [opened[2], opened[0]]
    assert [c["case_id"] for c in cases(clinic, "status=answered")] == [opened[1]]


def test_the_texts_rest_sealed(here: Clinic) -> None:
    patient, entry_id = looked_at(here)
    case_id = contest(patient, entry_id).json["case_id"]
    here.registrar.api.post(f"/v1/clinic/cases/{case_id}/answer", {"text": ANSWER})
    key = {"pk": f"CLINIC#{here.clinic_id}", "sk": f"CASE#{case_id}"}
    item = dynamo.get(os.environ["NOTICES_TABLE"], key)
    assert item is not None
    assert isinstance(item["text"], bytes)
    assert isinstance(item["answer"], bytes)
    assert "консилиум" not in repr(item)


@pytest.mark.parametrize(
    ("opened", "expected"),
    [
        ("2026-11-23", "2026-12-07"),  # a Monday
        ("2026-11-27", "2026-12-11"),  # a Friday
        ("2026-11-28", "2026-12-11"),  # a Saturday
    ],
)
def test_ten_working_days(opened: str, expected: str) -> None:
    assert due(datetime.fromisoformat(opened)).date().isoformat() == expected
