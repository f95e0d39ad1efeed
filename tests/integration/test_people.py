"""People of the registry over time: entered twice, moved to another clinic, dead."""

import json
import os
from datetime import timedelta
from typing import Any

import boto3
import pytest

from kernel import clock, dynamo, ids, snils
from tests.gateway import Response, function, outbox
from tests.integration import desk_world as world
from tests.integration.desk_world import Clinic, Patient, refused

pytestmark = pytest.mark.usefixtures("aws")


def merge(clinic: Clinic, patient_id: str, duplicate_id: str) -> Response:
    path = f"/v1/clinic/patients/{patient_id}/merge"
    return clinic.registrar.api.post(path, {"duplicate_patient_id": duplicate_id})


def died(clinic: Clinic, patient_id: str, date: str | None) -> Response:
    return clinic.registrar.api.post(f"/v1/clinic/patients/{patient_id}/death", {"date": date})


def give(patient: Patient, clinic_id: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = world.document()
    if clinic_id:
        body["clinic_id"] = clinic_id
    answer = patient.api.post("/v1/consents", body)
    assert answer.status == 201, answer
    consent: dict[str, Any] = answer.json
    return consent


def paper(clinic: Clinic, patient_id: str) -> Response:
    day = clock.now().date().isoformat()
    body = {**world.document(), "signed_on": day}
    return clinic.registrar.api.post(f"/v1/clinic/patients/{patient_id}/consents", body)


def search(clinic: Clinic, number: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = clinic.registrar.api.post(
        "/v1/clinic/patients/search", {"snils": number}
    ).json["items"]
    return items


def cards(patient: Patient) -> list[str]:
    return sorted(card["card_id"] for card in patient.api.get("/v1/cards").json["items"])


def actions(patient: Patient, card_id: str) -> list[str]:
    journal = patient.api.get(f"/v1/cards/{card_id}/journal?limit=100")
    assert journal.status == 200, journal
    return [entry["action"] for entry in journal.json["items"]]


def without_account(clinic: Clinic, **person: Any) -> Patient:
    """Somebody who is attached and has a card, but has never signed in."""
    patient_id, number = clinic.enter(**person)
    assert clinic.attach(patient_id).status == 200
    nobody = world.Account("", "", {})  # type: ignore[arg-type]
    return Patient(nobody, patient_id, number, clinic.activate(patient_id))


# --- entered twice ----------------------------------------------------------------------------


def test_the_duplicates_card_at_the_same_clinic_becomes_the_patients(here: Clinic) -> None:
    patient, twice = here.patient(), without_account(here)
    give(patient)
    answer = merge(here, patient.patient_id, twice.patient_id)
    assert answer.status == 200, answer
    assert {c["card_id"] for c in answer.json["cards"]} == {patient.card_id, twice.card_id}
    assert cards(patient) == sorted([patient.card_id, twice.card_id])
    for card_id in (patient.card_id, twice.card_id):
        assert patient.api.get(f"/v1/cards/{card_id}/visits").status == 200
        assert here.clinician.api.get(f"/v1/clinic/cards/{card_id}/visits").status == 200
        assert "merged" in actions(patient, card_id)
    assert "activated" in actions(patient, twice.card_id)
    opened = [clinic["card_id"] for clinic in patient.api.get("/v1/access").json["clinics"]]
    assert sorted(opened) == sorted([patient.card_id, twice.card_id])


def test_both_numbers_find_the_one_who_stays(here: Clinic) -> None:
    patient, twice = here.patient(), without_account(here)
    assert merge(here, patient.patient_id, twice.patient_id).status == 200
    for number in (patient.snils, twice.snils):
        (found,) = search(here, number)
        assert found["patient_id"] == patient.patient_id
        assert found["snils"] == snils.masked(patient.snils)
        items = here.clinician.api.post("/v1/clinic/cards/search", {"snils": number}).json["items"]
        assert {i["card_id"] for i in items} == {patient.card_id, twice.card_id}
    again = here.registrar.api.post(
        "/v1/clinic/patients",
        {
            "snils": twice.snils,
            "last_name": "Соловьева",
            "first_name": "Анна",
            "birth_date": "1980-04-12",
            "sex": "female",
        },
    )
    refused(again, 409, "already_exists")


def test_a_repeat_gives_the_same_and_does_nothing_more(here: Clinic) -> None:
    patient, twice = here.patient(), without_account(here)
    first = merge(here, patient.patient_id, twice.patient_id)
    entries = actions(patient, twice.card_id)
    assert merge(here, patient.patient_id, twice.patient_id).json == first.json
    assert actions(patient, twice.card_id).count("merged") == entries.count("merged") == 1
    third = without_account(here)
    assert merge(here, patient.patient_id, third.patient_id).status == 200
    assert {
        c["card_id"] for c in merge(here, patient.patient_id, twice.patient_id).json["cards"]
    } == {
        patient.card_id,
        twice.card_id,
        third.card_id,
    }
    other = here.patient()
    refused(merge(here, other.patient_id, twice.patient_id), 409, "conflict")


def test_the_duplicates_account_sees_everything(here: Clinic) -> None:
    twice, patient = here.patient(), without_account(here)
    give(twice)
    assert paper(here, patient.patient_id).status == 201
    assert merge(here, patient.patient_id, twice.patient_id).status == 200
    # The token still names the old id: what it claims decides nothing.
    assert cards(twice) == sorted([patient.card_id, twice.card_id])
    for card_id in (patient.card_id, twice.card_id):
        assert twice.api.get(f"/v1/cards/{card_id}/visits").status == 200
    history = twice.api.get("/v1/consents").json["items"]
    assert {consent["method"] for consent in history} == {"electronic", "written"}
    twice.account.sign_in()
    assert twice.api.get(f"/v1/cards/{patient.card_id}/visits").status == 200


def test_of_two_attachments_the_patients_stays(here: Clinic, there: Clinic) -> None:
    patient, twice = here.patient(), without_account(there)
    give(patient)
    assert merge(here, patient.patient_id, twice.patient_id).status == 200
    clinics = {c["card_id"]: c for c in patient.api.get("/v1/access").json["clinics"]}
    assert clinics[patient.card_id]["open"]
    failed = [s["step"] for s in clinics[twice.card_id]["steps"] if not s["ok"]]
    assert failed == ["attached"]
    # Who treated them there reads on; nothing of the card is lost.
    assert there.clinician.api.get(f"/v1/clinic/cards/{twice.card_id}/visits").status == 200


def test_the_last_act_decides_on_consent(here: Clinic) -> None:
    patient, twice = here.patient(), without_account(here)
    consent = give(patient, here.clinic_id)
    assert paper(here, twice.patient_id).status == 201
    withdrawn = patient.api.post(f"/v1/consents/{consent['consent_id']}/withdraw")
    assert withdrawn.status == 200, withdrawn
    # Seconds are what a withdrawal is told in; of two acts in one the withdrawal counts.
    assert merge(here, patient.patient_id, twice.patient_id).status == 200
    refused(patient.api.get(f"/v1/cards/{twice.card_id}/visits"), 403, "consent_required")
    give(patient, here.clinic_id)
    assert patient.api.get(f"/v1/cards/{twice.card_id}/visits").status == 200
    statuses = [c["status"] for c in patient.api.get("/v1/consents").json["items"]]
    assert sorted(statuses) == ["active", "superseded", "withdrawn"]


def test_extracts_and_notices_come_along(here: Clinic) -> None:
    from kernel import extracts
    from kernel.identity import ExtractId, PatientId

    twice, patient = here.patient(), without_account(here)
    extract_id = ids.time_ordered(clock.now())
    code = "ABCDEFGHJKLMNPQRSTUV"
    pointed = {"patient_id": twice.patient_id, "extract_id": extract_id}
    item = {
        **extracts.key(PatientId(twice.patient_id), ExtractId(extract_id)),
        **pointed,
        "card_id": twice.card_id,
        "clinic_id": here.clinic_id,
        "kind": "summary",
        "language": "ru",
        "from": None,
        "to": None,
        "status": "ready",
        "created_at": clock.rfc3339(clock.now()),
        "pages": 1,
        "size": 10,
        "sha256": "00" * 32,
        "verification_code": code,
        "file_expires_at": clock.epoch(clock.now() + timedelta(days=1)),
    }
    table = os.environ["EXTRACTS_TABLE"]
    dynamo.put(table, item)
    dynamo.put(table, {**extracts.code_key(code), **pointed})
    body = {"snils": twice.snils, "birth_date": "1980-04-12", "reason": "Срочно."}
    assert here.clinician.api.post("/v1/clinic/cards/emergency", body).status == 201
    assert merge(here, patient.patient_id, twice.patient_id).status == 200
    (shown,) = twice.api.get("/v1/extracts").json["items"]
    assert shown["extract_id"] == extract_id
    pointer = dynamo.get(table, extracts.code_key(code))
    assert pointer is not None
    assert pointer["patient_id"] == patient.patient_id
    kinds = [n["kind"] for n in twice.api.get("/v1/notifications").json["items"]]
    assert kinds == ["emergency_access"]


def test_who_differs_is_not_the_same(here: Clinic) -> None:
    patient = here.patient()
    for field, value in (
        ("last_name", "Орлова"),
        ("first_name", "Ольга"),
        ("middle_name", "Ивановна"),
        ("birth_date", "1981-04-12"),
        ("sex", "male"),
    ):
        other, _ = here.enter(**{field: value})
        answer = merge(here, patient.patient_id, other)
        refused(answer, 422, "validation_failed")
        assert [each["field"] for each in answer.json["errors"]] == [field]


def test_two_who_each_showed_a_passport_are_two(here: Clinic) -> None:
    one, other = here.patient(), here.patient()
    refused(merge(here, one.patient_id, other.patient_id), 409, "conflict")


def test_not_oneself_not_elsewhere_not_nobody(here: Clinic, there: Clinic) -> None:
    patient, twice = here.patient(), without_account(here)
    refused(merge(there, patient.patient_id, twice.patient_id), 404, "not_found")
    refused(merge(here, "nobody", twice.patient_id), 404, "not_found")
    refused(merge(here, patient.patient_id, "nobody"), 422, "validation_failed")
    refused(merge(here, patient.patient_id, patient.patient_id), 422, "validation_failed")
    body = {"role": "registrar", "name": "Регистратор П. П."}
    assert world.appoint(here.operator, patient.account, here.clinic_id, **body).status == 201
    path = f"/v1/clinic/patients/{patient.patient_id}/merge"
    own = patient.api.post(path, {"duplicate_patient_id": twice.patient_id})
    refused(own, 403, "forbidden")


def test_what_is_done_to_the_duplicate_later_is_done_to_the_patient(
    here: Clinic, there: Clinic
) -> None:
    patient, twice = here.patient(), without_account(here)
    assert merge(here, patient.patient_id, twice.patient_id).status == 200
    assert paper(here, twice.patient_id).status == 201
    assert cards(patient) == sorted([patient.card_id, twice.card_id])
    detached = here.registrar.api.delete(f"/v1/clinic/patients/{twice.patient_id}/attachment")
    assert detached.status == 204
    assert cards(patient) == []


# --- moved ------------------------------------------------------------------------------------


def test_a_move_to_another_clinic_from_the_code_to_the_new_card(
    here: Clinic, there: Clinic
) -> None:
    patient = here.patient()
    give(patient)
    path = f"/v1/clinic/patients/{patient.patient_id}/attachment"
    assert there.registrar.api.put(path, {}).status == 202
    code = world.code_sent_to(patient.account.phone)
    assert there.registrar.api.put(path, {"code": code}).status == 200
    steps = {
        c["clinic"]["clinic_id"]: [s["step"] for s in c["steps"] if not s["ok"]]
        for c in patient.api.get("/v1/access").json["clinics"]
    }
    assert steps == {here.clinic_id: ["attached"], there.clinic_id: ["card_activated"]}
    refused(patient.api.get(f"/v1/cards/{patient.card_id}/visits"), 403, "not_attached")
    new = there.activate(patient.patient_id)
    # The consent was for every clinic, so the new card opens at once.
    assert patient.api.get(f"/v1/cards/{new}/visits").status == 200
    assert there.clinician.api.get(f"/v1/clinic/cards/{new}/visits").status == 200
    # Attached there, they read what was before; who treated before reads on.
    for clinic in (here, there):
        old = clinic.clinician.api.get(f"/v1/clinic/cards/{patient.card_id}/visits")
        assert old.status == 200, old
    assert actions(patient, patient.card_id)[0] != "detached"
    assert "detached" in actions(patient, patient.card_id)
    assert here.attach(patient.patient_id).status == 202


# --- dead -------------------------------------------------------------------------------------


def test_a_death_closes_the_account_and_keeps_the_card(here: Clinic) -> None:
    patient = here.patient()
    give(patient)
    answer = died(here, patient.patient_id, "2026-11-20")
    assert answer.status == 200, answer
    assert answer.json == {"patient_id": patient.patient_id, "date": "2026-11-20"}
    assert died(here, patient.patient_id, "2026-11-20").json == answer.json
    refused(patient.api.get("/v1/cards"), 401, "session_revoked")
    (found,) = search(here, patient.snils)
    assert (found["died_on"], found["attached_to"]) == ("2026-11-20", None)
    read = here.clinician.api.get(f"/v1/clinic/cards/{patient.card_id}/visits")
    assert read.status == 200
    refused(here.attach(patient.patient_id), 409, "conflict")
    refused(paper(here, patient.patient_id), 409, "conflict")
    body = {"snils": patient.snils, "birth_date": "1980-04-12", "reason": "Срочно."}
    emergency = here.clinician.api.post("/v1/clinic/cards/emergency", body)
    refused(emergency, 404, "not_found")


def test_a_mistaken_death_is_taken_back(here: Clinic) -> None:
    patient = here.patient()
    assert died(here, patient.patient_id, "2026-11-20").status == 200
    assert died(here, patient.patient_id, "2026-11-21").status == 200
    assert died(here, patient.patient_id, None).json["date"] is None
    assert here.attach(patient.patient_id).status == 200
    give(patient)
    assert patient.api.get(f"/v1/cards/{patient.card_id}/visits").status == 200
    told = actions(patient, patient.card_id)
    assert (told.count("death_noted"), told.count("death_taken_back")) == (2, 1)


def test_an_account_that_was_closed_before_stays_closed(here: Clinic) -> None:
    patient = here.patient()
    key = {"pk": f"ACCOUNT#{patient.account.account_id}", "sk": "STATE"}
    dynamo.update(os.environ["ACCOUNTS_TABLE"], key, "SET disabled = :yes", {":yes": True})
    assert died(here, patient.patient_id, "2026-11-20").status == 200
    assert died(here, patient.patient_id, None).status == 200
    refused(patient.api.get("/v1/cards"), 401, "session_revoked")


def test_whose_death_and_when_is_checked(here: Clinic, there: Clinic) -> None:
    patient = here.patient()
    refused(died(there, patient.patient_id, "2026-11-20"), 404, "not_found")
    refused(died(here, "nobody", "2026-11-20"), 404, "not_found")
    tomorrow = (clock.now() + timedelta(days=3)).date().isoformat()
    for day in (tomorrow, "1980-04-11"):
        refused(died(here, patient.patient_id, day), 422, "validation_failed")
    path = f"/v1/clinic/patients/{patient.patient_id}/death"
    refused(here.registrar.api.post(path, {}), 422, "validation_failed")


# --- what the clinic learns of a withdrawal ---------------------------------------------------


def test_a_withdrawal_is_told_to_the_clinic(here: Clinic) -> None:
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    queue = sqs.create_queue(QueueName=f"mis-{here.clinic_id}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(
        TopicArn=os.environ["WITHDRAWALS_TOPIC_ARN"],
        Protocol="sqs",
        Endpoint=arn["QueueArn"],
        Attributes={
            "RawMessageDelivery": "true",
            "FilterPolicy": f'{{"clinic_id": ["{here.clinic_id}"]}}',
        },
    )
    patient, other = here.patient(), world.clinic(by=here.operator).patient()
    consent = give(patient)
    for each, one in ((patient, consent), (other, give(other))):
        assert each.api.post(f"/v1/consents/{one['consent_id']}/withdraw").status == 200
    (message,) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    event = json.loads(message["Body"])
    (found,) = search(here, patient.snils)
    assert event == {
        "event_id": f"{consent['consent_id']}-{here.clinic_id}",
        "type": "consent.withdrawn",
        "consent_id": consent["consent_id"],
        "patient_id": patient.patient_id,
        "clinic_id": here.clinic_id,
        "withdrawn_at": found["consent_withdrawn_at"],
    }
    assert found["consent"] == "missing"
    items = here.clinician.api.post("/v1/clinic/cards/search", {"snils": patient.snils}).json
    assert items["items"][0]["consent_withdrawn_at"] == found["consent_withdrawn_at"]
    give(patient)
    assert search(here, patient.snils)[0]["consent_withdrawn_at"] is None


# --- text messages from a desk ----------------------------------------------------------------


def test_messages_to_one_number_are_capped_whether_it_has_an_account_or_not(here: Clinic) -> None:
    known, unknown = world.account().phone, world.new_phone()
    registrar = world.account()
    body = {"role": "registrar", "name": "Регистратор Т. Т."}
    assert world.appoint(here.operator, registrar, here.clinic_id, **body).status == 201
    path = "/v1/clinic/accounts/verify/start"
    answers = {}
    for phone in (known, unknown):
        tries = [registrar.api.post(path, {"phone": phone}) for _ in range(7)]
        answers[phone] = [answer.status for answer in tries]
    assert answers[known] == answers[unknown] == [202] * 6 + [429]
    assert len(outbox(known)) == 6


def test_messages_of_one_registrar_are_capped(here: Clinic) -> None:
    registrar = world.account()
    body = {"role": "registrar", "name": "Регистратор М. М."}
    assert world.appoint(here.operator, registrar, here.clinic_id, **body).status == 201
    path = "/v1/clinic/accounts/verify/start"
    statuses = [registrar.api.post(path, {"phone": world.new_phone()}).status for _ in range(61)]
    assert statuses == [202] * 60 + [429]


# --- erased -----------------------------------------------------------------------------------


def test_of_somebody_entered_twice_everything_is_erased(here: Clinic) -> None:
    patient, twice = here.patient(), without_account(here)
    assert merge(here, patient.patient_id, twice.patient_id).status == 200
    erase = function("clinic.erasure.handler")
    ground = {"order": "№ 7", "by": "Оператор"}
    assert erase({"card_id": twice.card_id, **ground}, None)["status"] == "done"
    give(patient)
    assert cards(patient) == [patient.card_id]
    assert erase({"patient_id": patient.patient_id, **ground}, None)["cards"] == 1
    for gone in (patient, twice):
        assert search(here, gone.snils) == []
        for table, pk in (
            ("REGISTRY_TABLE", f"PATIENT#{gone.patient_id}"),
            ("KEYS_TABLE", f"PATIENT#{gone.patient_id}"),
            ("KEYS_TABLE", f"CARD#{gone.card_id}"),
        ):
            assert dynamo.query_all(os.environ[table], "pk = :pk", {":pk": pk}) == []
