"""Emergency access: one clinician, sixty minutes, reading only, and the patient knows at once."""

import os
from datetime import timedelta
from typing import Any

import pytest

from kernel import clock, dynamo
from tests.gateway import Response, outbox
from tests.integration import desk_world as world
from tests.integration.desk_world import Account, Clinic, Patient, refused

pytestmark = pytest.mark.usefixtures("aws")
REASON = "Без сознания, нужны аллергии."


def doctor(clinic: Clinic) -> Account:
    """A clinician of their own, so that their tries are counted from none."""
    person = world.account()
    body = {"role": "clinician", "name": "Врач С. П.", "specialty": "скорая помощь"}
    assert world.appoint(clinic.registrar, person, clinic.clinic_id, **body).status == 201
    return person


def ask(who: Account, patient: Patient, **other: Any) -> Response:
    body = {"snils": patient.snils, "birth_date": "1980-04-12", "reason": REASON, **other}
    return who.api.post("/v1/clinic/cards/emergency", body)


def journal(patient: Patient) -> list[dict[str, Any]]:
    answer = patient.api.get(f"/v1/cards/{patient.card_id}/journal?limit=100")
    assert answer.status == 200, answer
    # The entry of this very reading is written beside it: it may be among them or not yet.
    return [item for item in answer.json["items"] if item["action"] != "journal_own"]


def summary(who: Account, patient: Patient) -> Response:
    return who.api.get(f"/v1/clinic/cards/{patient.card_id}/summary")


def test_it_opens_without_relation_and_consent_for_reading_alone(
    here: Clinic, there: Clinic
) -> None:
    patient, medic = here.patient(), doctor(there)
    assert refused(summary(medic, patient), 403, "forbidden")
    opened = ask(medic, patient)
    assert opened.status == 201, opened
    assert opened.json["card_id"] == patient.card_id
    until = clock.rfc3339(clock.now() + timedelta(minutes=60))
    assert abs(int(opened.json["until"][14:16]) - int(until[14:16])) <= 1
    assert summary(medic, patient).status == 200
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": []}
    written = medic.api.post(f"/v1/clinic/cards/{patient.card_id}/fhir", bundle)
    assert refused(written, 403, "forbidden")


def test_it_is_that_clinicians_alone(here: Clinic, there: Clinic) -> None:
    patient, medic, other = here.patient(), doctor(there), doctor(there)
    assert ask(medic, patient).status == 201
    assert summary(medic, patient).status == 200
    assert refused(summary(other, patient), 403, "forbidden")
    assert refused(summary(here.registrar, patient), 403, "forbidden")


def test_it_ends_after_an_hour_whether_or_not_the_item_is_gone(here: Clinic, there: Clinic) -> None:
    patient, medic = here.patient(), doctor(there)
    assert ask(medic, patient).status == 201
    key = {"pk": f"CARD#{patient.card_id}", "sk": f"EMERGENCY#{medic.account_id}"}
    values = {":end": clock.epoch(clock.now())}
    dynamo.update(os.environ["CONSENTS_TABLE"], key, "SET #u = :end", values, names={"#u": "until"})
    assert refused(summary(medic, patient), 403, "forbidden")


def test_it_ends_with_the_role(here: Clinic, there: Clinic) -> None:
    patient, medic = here.patient(), doctor(there)
    assert ask(medic, patient).status == 201
    gone = there.registrar.api.delete(f"/v1/clinic/staff/{medic.account_id}")
    assert gone.status == 204
    assert refused(summary(medic, patient), 403, "forbidden")


def test_in_another_clinic_it_is_worth_nothing(here: Clinic, there: Clinic) -> None:
    patient, medic = here.patient(), doctor(there)
    assert ask(medic, patient).status == 201
    assert there.registrar.api.delete(f"/v1/clinic/staff/{medic.account_id}").status == 204
    body = {"role": "clinician", "name": "Врач С. П.", "specialty": "терапевт"}
    assert world.appoint(here.registrar, medic, here.clinic_id, **body).status == 201
    assert refused(summary(medic, patient), 403, "forbidden")


def test_the_patient_is_told_at_once(here: Clinic, there: Clinic) -> None:
    patient, medic = here.patient(), doctor(there)
    before = len(outbox(patient.account.phone))
    opened = ask(medic, patient)
    assert len(outbox(patient.account.phone)) == before + 1
    text = outbox(patient.account.phone)[0]
    assert "экстренн" in text
    assert f"Поликлиника № {there.clinic_id[-4:]}" in text
    assert REASON not in text
    (notice,) = patient.api.get("/v1/notifications").json["items"]
    assert (notice["kind"], notice["card_id"]) == ("emergency_access", patient.card_id)
    assert (notice["read"], notice["until"]) == (False, opened.json["until"])
    assert notice["entry_id"] in [entry["entry_id"] for entry in journal(patient)]


def test_it_stands_out_in_the_journal_with_its_reason(here: Clinic, there: Clinic) -> None:
    patient, medic = here.patient(), doctor(there)
    assert ask(medic, patient).status == 201
    assert summary(medic, patient).status == 200
    read, opened, *before = journal(patient)
    assert (opened["action"], opened["emergency"], opened["reason"]) == ("emergency", True, REASON)
    assert (read["section"], read["emergency"], read["outcome"]) == ("summary", True, "done")
    assert {each["actor"]["name"] for each in (read, opened)} == {"Врач С. П."}
    assert opened["actor"]["clinic"]["clinic_id"] == there.clinic_id
    assert not any(entry["emergency"] for entry in before)


def test_the_reason_rests_sealed(here: Clinic, there: Clinic) -> None:
    patient, medic = here.patient(), doctor(there)
    assert ask(medic, patient).status == 201
    key = {":pk": f"CARD#{patient.card_id}"}
    for table in ("JOURNAL_TABLE", "NOTICES_TABLE", "CONSENTS_TABLE"):
        items = dynamo.query_all(os.environ[table], "pk = :pk", key)
        assert items
        assert REASON not in repr(items)
        assert REASON.encode() not in b"".join(
            value for item in items for value in item.values() if isinstance(value, bytes)
        )


def test_who_is_no_patient_and_who_was_born_another_day_are_answered_alike(
    here: Clinic, there: Clinic
) -> None:
    patient, medic = here.patient(), doctor(there)
    cardless, number = here.enter()
    assert cardless
    answers = [
        ask(medic, patient, birth_date="1980-04-13"),
        ask(medic, patient, snils=world.new_snils()),
        ask(medic, patient, snils=number),
    ]
    for answer in answers:
        refused(answer, 404, "not_found")
    shown = [{k: v for k, v in a.json.items() if k != "request_id"} for a in answers]
    assert shown[0] == shown[1] == shown[2]
    assert not [e for e in journal(patient) if e["emergency"]]


def test_tries_are_counted_for_each_clinician(here: Clinic, there: Clinic) -> None:
    patient, medic = here.patient(), doctor(there)
    for _ in range(10):
        assert ask(medic, patient, birth_date="1980-04-13").status == 404
    limited = ask(medic, patient)
    assert refused(limited, 429, "rate_limited")
    assert int(limited.headers["retry-after"]) > 0
    assert ask(doctor(there), patient).status == 201


def test_only_a_clinician_and_never_for_oneself(here: Clinic) -> None:
    patient = here.patient()
    for who in (here.registrar, here.operator, patient.account):
        refused(ask(who, patient), 403, "forbidden")
    body = {"role": "clinician", "name": "Врач и пациент", "specialty": "терапевт"}
    assert world.appoint(here.registrar, patient.account, here.clinic_id, **body).status == 201
    refused(ask(patient.account, patient), 403, "forbidden")


@pytest.mark.parametrize(
    ("field", "value"),
    [("reason", ""), ("reason", " \n "), ("reason", "\x07?"), ("birth_date", "вчера")],
)
def test_what_is_wrong_is_named(here: Clinic, field: str, value: str) -> None:
    answer = ask(
        here.clinician, Patient(here.clinician, "", world.new_snils(), ""), **{field: value}
    )
    refused(answer, 422, "validation_failed")
    assert [each["field"] for each in answer.json["errors"]] == [field]


def test_the_same_key_opens_once(here: Clinic, there: Clinic) -> None:
    patient, medic = here.patient(), doctor(there)
    medic.api.headers["Idempotency-Key"] = "once"
    assert ask(medic, patient).json == ask(medic, patient).json
    assert len([e for e in journal(patient) if e["action"] == "emergency"]) == 1


def test_where_region_or_clinic_is_not_connected_there_is_nothing_to_open(there: Clinic) -> None:
    off = world.clinic(region="RU-KGD")
    patient, medic = off.patient(), doctor(there)
    assert ask(medic, patient).status == 201
    body = {"name": "Калининград", "connected": False, "support": {"phone": "122", "url": None}}
    assert off.operator.api.put("/v1/clinic/regions/RU-KGD", body).status == 200
    refused(summary(medic, patient), 403, "region_not_connected")
    refused(ask(medic, patient), 404, "not_found")
