"""The registry desk, through its real handler."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from kernel import clock, dynamo, snils
from kernel.codes import TRIES
from tests.gateway import Api, Response, outbox
from tests.integration import desk_world as world
from tests.integration.desk_world import Account, Clinic, refused

pytestmark = pytest.mark.usefixtures("aws")
REGION = {"name": "Тула", "connected": True, "support": {"phone": "122", "url": None}}
CLINIC = {
    "name": "Больница",
    "region": "RU-MOW",
    "phone": "+7 495 000-00-05 доб. 5",
    "address": "Лесная ул., 5",
    "connected": True,
}


def journal_actions(card_id: str) -> list[str]:
    items = dynamo.query_all(os.environ["JOURNAL_TABLE"], "pk = :pk", {":pk": f"CARD#{card_id}"})
    return [item["action"] for item in items if "action" in item]


# --- who may come to which route ---------------------------------------------------------------


ROUTES = [
    ("PUT", "/v1/clinic/regions/RU-TUL", REGION, {"operator"}),
    ("PUT", "/v1/clinic/clinics/x", CLINIC, {"operator"}),
    ("GET", "/v1/clinic/staff", None, {"operator", "registrar"}),
    ("POST", "/v1/clinic/staff", {}, {"operator", "registrar"}),
    ("DELETE", "/v1/clinic/staff/x", None, {"operator", "registrar"}),
    ("POST", "/v1/clinic/patients", {}, {"registrar"}),
    ("POST", "/v1/clinic/patients/search", {}, {"registrar"}),
    ("PUT", "/v1/clinic/patients/x/attachment", {"code": 1}, {"registrar"}),
    ("DELETE", "/v1/clinic/patients/x/attachment", None, {"registrar"}),
    ("POST", "/v1/clinic/patients/x/card", None, {"registrar"}),
    ("POST", "/v1/clinic/patients/x/consents", {}, {"registrar"}),
    ("POST", "/v1/clinic/accounts/verify/start", {}, {"registrar"}),
    ("POST", "/v1/clinic/accounts/verify", {}, {"registrar"}),
    ("POST", "/v1/clinic/cards/search", {}, {"clinician"}),
]


@pytest.mark.parametrize(("method", "path", "body", "roles"), ROUTES)
def test_a_route_opens_to_its_roles_only(
    here: Clinic, method: str, path: str, body: Any, roles: set[str]
) -> None:
    people = {
        "operator": here.operator.api,
        "registrar": here.registrar.api,
        "clinician": here.clinician.api,
        "nobody": world.account().api,
    }
    for role, api in people.items():
        answer = api.request(method, path, body)
        if role in roles:
            assert answer.status not in (401, 403), answer
        else:
            refused(answer, 403, "forbidden")
    assert Api().request(method, path, body).status == 401


# --- regions and clinics -----------------------------------------------------------------------


def test_an_operator_connects_regions_and_clinics(here: Clinic) -> None:
    api = here.operator.api
    answer = api.put("/v1/clinic/regions/RU-TUL", REGION | {"connected": False})
    assert answer.status == 200
    assert answer.json == {"code": "RU-TUL", **REGION, "connected": False}
    assert api.put("/v1/clinic/regions/RU-TUL", REGION).json["connected"] is True
    clinic = api.put("/v1/clinic/clinics/tula-1", CLINIC | {"region": "RU-TUL"})
    assert clinic.status == 200
    assert clinic.json == {"clinic_id": "tula-1", **CLINIC, "region": "RU-TUL"}
    (listed,) = Api().get("/v1/clinics?region=RU-TUL").json["items"]
    assert listed == clinic.json


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("regions/moscow", REGION, "code"),
        ("regions/RU-TUL", REGION | {"name": ""}, "name"),
        ("regions/RU-TUL", REGION | {"support": {"url": "javascript:alert(1)"}}, "support.url"),
        ("regions/RU-TUL", REGION | {"connected": "yes"}, "connected"),
        ("clinics/a%23b", CLINIC, "clinic_id"),
        ("clinics/x", CLINIC | {"region": "RU-XXX"}, "region"),
        ("clinics/x", CLINIC | {"phone": "звоните"}, "phone"),
        ("clinics/x", {k: v for k, v in CLINIC.items() if k != "address"}, "address"),
    ],
)
def test_what_is_wrong_is_named(here: Clinic, path: str, body: Any, field: str) -> None:
    answer = here.operator.api.put(f"/v1/clinic/{path}", body)
    refused(answer, 422, "validation_failed")
    assert [e["field"] for e in answer.json["errors"]] == [field]


# --- staff -------------------------------------------------------------------------------------


def test_roles_are_given_down_and_nobody_gives_themselves_one(here: Clinic, there: Clinic) -> None:
    somebody = world.account()
    cases = [
        (here.operator, somebody, "clinician", here.clinic_id),
        (here.registrar, somebody, "registrar", here.clinic_id),
        (here.registrar, somebody, "clinician", there.clinic_id),
        (here.registrar, here.registrar, "clinician", here.clinic_id),
        (here.operator, here.operator, "registrar", here.clinic_id),
    ]
    for by, whom, role, clinic_id in cases:
        answer = world.appoint(by, whom, clinic_id, role=role, name="Кто-то")
        refused(answer, 403, "forbidden")
    answer = world.appoint(here.operator, somebody, here.clinic_id, role="operator", name="Кто")
    refused(answer, 422, "validation_failed")
    assert somebody.state()["appointments"] == []


def test_appointing_needs_an_account_and_a_clinic(here: Clinic) -> None:
    nobody = Account(world.account().account_id, world.new_phone(), {})
    body = {"role": "registrar", "name": "Р"}
    refused(world.appoint(here.operator, nobody, here.clinic_id, **body), 404, "not_found")
    answer = world.appoint(here.operator, world.account(), "no-clinic", **body)
    refused(answer, 422, "validation_failed")


def test_an_appointment_counts_from_the_next_request_and_ends_with_it(here: Clinic) -> None:
    doctor = world.account()
    before = doctor.api
    body = {"role": "clinician", "name": "Врач Н. Н.", "specialty": "хирург"}
    answer = world.appoint(here.registrar, doctor, here.clinic_id, **body)
    assert answer.status == 201
    assert answer.json["account_id"] == doctor.account_id
    assert answer.json["specialty"] == "хирург"
    # A session without the app carries no role; one with it does.
    refused(before.post("/v1/clinic/cards/search", {"snils": "112-233-445 95"}), 403, "forbidden")
    search = {"snils": snils.formatted(world.new_snils())}
    assert doctor.api.post("/v1/clinic/cards/search", search).status == 200
    again = world.appoint(here.registrar, doctor, here.clinic_id, **body)
    refused(again, 409, "already_exists")
    gone = here.registrar.api.delete(f"/v1/clinic/staff/{doctor.account_id}")
    assert gone.status == 204
    refused(doctor.api.post("/v1/clinic/cards/search", search), 403, "forbidden")
    twice = here.registrar.api.delete(f"/v1/clinic/staff/{doctor.account_id}")
    refused(twice, 404, "not_found")
    assert world.appoint(here.registrar, doctor, here.clinic_id, **body).status == 201


def test_one_account_holds_one_appointment(here: Clinic, there: Clinic) -> None:
    answer = world.appoint(
        there.registrar, here.clinician, there.clinic_id, role="clinician", name="Врач"
    )
    refused(answer, 409, "conflict")


def test_only_who_appoints_may_dismiss(here: Clinic, there: Clinic) -> None:
    for by, whom in (
        (there.registrar, here.clinician),
        (here.operator, here.clinician),
        (here.registrar, here.registrar),
        (here.registrar, here.operator),
        (here.operator, here.operator),
    ):
        refused(by.api.delete(f"/v1/clinic/staff/{whom.account_id}"), 404, "not_found")


def test_staff_is_listed_for_ones_own_clinic(here: Clinic, there: Clinic) -> None:
    own = here.registrar.api.get("/v1/clinic/staff?limit=100")
    names = {i["account_id"]: i["role"] for i in own.json["items"]}
    assert names[here.registrar.account_id] == "registrar"
    assert names[here.clinician.account_id] == "clinician"
    foreign = here.registrar.api.get(f"/v1/clinic/staff?clinic_id={there.clinic_id}")
    refused(foreign, 403, "forbidden")
    everybody: list[str] = []
    query = "?limit=100"
    while query:
        page = here.operator.api.get(f"/v1/clinic/staff{query}").json
        everybody += [each["account_id"] for each in page["items"]]
        query = page["next_cursor"] and f"?limit=100&cursor={page['next_cursor']}"
    assert here.registrar.account_id in everybody
    assert len(set(everybody)) == len(everybody)
    path = f"/v1/clinic/staff?clinic_id={there.clinic_id}&limit=1"
    first = here.operator.api.get(path).json
    second = here.operator.api.get(f"{path}&cursor={first['next_cursor']}").json
    found = {i["account_id"] for i in first["items"] + second["items"]}
    assert found == {there.registrar.account_id, there.clinician.account_id}
    assert second["next_cursor"] is None


# --- people ------------------------------------------------------------------------------------


def test_a_person_is_entered_once_and_rests_sealed(here: Clinic, there: Clinic) -> None:
    patient_id, number = here.enter(policy_number="1234 5678 9012 3456")
    raw = dynamo.query_all(
        os.environ["REGISTRY_TABLE"], "pk = :pk", {":pk": f"PATIENT#{patient_id}"}
    )
    for personal in (number, "Солов", "АННА", "1980", "1234567890123456"):
        assert personal not in str(raw)
        assert personal.encode() not in raw[0]["sealed"]
    body = {
        "snils": number,
        "last_name": "Иная",
        "first_name": "Анна",
        "birth_date": "1980-04-12",
        "sex": "female",
    }
    for desk in (here, there):
        refused(desk.registrar.api.post("/v1/clinic/patients", body), 409, "already_exists")


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"snils": "112-233-445 96"}, "snils", "snils_check_digits"),
        ({"snils": "112"}, "snils", "pattern"),
        ({"birth_date": "2999-01-01"}, "birth_date", "in_future"),
        ({"birth_date": "12.04.1980"}, "birth_date", "date"),
        ({"sex": "женский"}, "sex", "enum"),
        ({"policy_number": "12"}, "policy_number", "policy_number"),
        ({"last_name": "  "}, "last_name", "value"),
        ({"last_name": "123"}, "last_name", "pattern"),
    ],
)
def test_a_wrong_field_of_a_person_is_named(
    here: Clinic, change: dict[str, str], field: str, code: str
) -> None:
    body = {
        "snils": world.new_snils(),
        "last_name": "Соловьёва",
        "first_name": "Анна",
        "birth_date": "1980-04-12",
        "sex": "female",
    }
    answer = here.registrar.api.post("/v1/clinic/patients", body | change)
    refused(answer, 422, "validation_failed")
    assert [(e["field"], e["code"]) for e in answer.json["errors"]] == [(field, code)]
    assert "{" not in answer.json["errors"][0]["message"]


def test_an_idempotency_key_enters_one_person(here: Clinic) -> None:
    body = {
        "snils": world.new_snils(),
        "last_name": "Соловьёва",
        "first_name": "Анна",
        "birth_date": "1980-04-12",
        "sex": "female",
    }
    headers = {"Idempotency-Key": "enter"}
    first = here.registrar.api.post("/v1/clinic/patients", body, headers=headers)
    again = here.registrar.api.post("/v1/clinic/patients", body, headers=headers)
    assert first.status == again.status == 201
    assert first.json == again.json


def test_a_refused_request_leaves_its_idempotency_key_free(here: Clinic) -> None:
    patient_id, _ = here.enter()
    path = f"/v1/clinic/patients/{patient_id}/card"
    key = {"Idempotency-Key": "activate"}
    refused(here.registrar.api.post(path, headers=key), 403, "forbidden")
    here.attach(patient_id)
    assert here.registrar.api.post(path, headers=key).status == 201


def test_a_person_is_found_by_any_spelling_of_the_snils(here: Clinic, there: Clinic) -> None:
    patient = here.patient()
    for spelling in (patient.snils, snils.formatted(patient.snils)):
        answer = here.registrar.api.post("/v1/clinic/patients/search", {"snils": spelling})
        (found,) = answer.json["items"]
        assert found["patient_id"] == patient.patient_id
        assert found["last_name"] == "Соловьева"
        assert found["snils"] == snils.masked(patient.snils)
        assert found["attached_to"]["clinic_id"] == here.clinic_id
        assert found["card_id"] == patient.card_id
        assert found["consent"] == "missing"
        assert found["account_bound"] is True
    answer = there.registrar.api.post("/v1/clinic/patients/search", {"snils": patient.snils})
    (elsewhere,) = answer.json["items"]
    assert elsewhere["card_id"] is None
    unknown = here.registrar.api.post("/v1/clinic/patients/search", {"snils": world.new_snils()})
    assert unknown.json == {"items": [], "next_cursor": None}


# --- attachment and cards ----------------------------------------------------------------------


def test_attaching_detaching_and_attaching_again(here: Clinic) -> None:
    patient_id, _ = here.enter()
    for _ in range(2):  # a PUT of what is so already changes nothing
        answer = here.attach(patient_id)
        assert answer.status == 200
        assert answer.json["clinic"]["clinic_id"] == here.clinic_id
    path = f"/v1/clinic/patients/{patient_id}/attachment"
    card_id = here.activate(patient_id)
    assert here.registrar.api.delete(path).status == 204
    refused(here.registrar.api.delete(path), 404, "not_found")
    assert here.attach(patient_id).status == 200
    assert journal_actions(card_id) == ["activated", "detached", "attached"]


def test_moving_to_another_clinic_needs_the_patients_word(here: Clinic, there: Clinic) -> None:
    patient = here.patient()
    asked = there.attach(patient.patient_id)
    assert asked.status == 202
    path = f"/v1/clinic/patients/{patient.patient_id}/attachment"
    code = world.code_sent_to(patient.account.phone)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    refused(there.registrar.api.put(path, {"code": wrong}), 401, "code_invalid")
    # A code is good for the clinic that asked.
    other = world.clinic(by=here.operator)
    refused(other.registrar.api.put(path, {"code": code}), 401, "challenge_expired")
    assert there.registrar.api.put(path, {"code": code}).status == 200
    refused(here.registrar.api.delete(path), 404, "not_found")
    assert journal_actions(patient.card_id)[-1] == "detached"
    steps = patient.api.get("/v1/access").json["clinics"]
    attached = {
        c["clinic"]["clinic_id"]: next(s["ok"] for s in c["steps"] if s["step"] == "attached")
        for c in steps
    }
    assert attached == {here.clinic_id: False, there.clinic_id: True}
    # The new clinic keeps a card of its own.
    assert there.activate(patient.patient_id) != patient.card_id


def test_somebody_without_an_account_is_detached_by_their_clinic_first(
    here: Clinic, there: Clinic
) -> None:
    patient_id, _ = here.enter()
    here.attach(patient_id)
    refused(there.attach(patient_id), 409, "conflict")
    path = f"/v1/clinic/patients/{patient_id}/attachment"
    refused(there.registrar.api.delete(path), 404, "not_found")
    assert here.registrar.api.delete(path).status == 204
    assert there.attach(patient_id).status == 200


def test_of_two_clinics_at_once_one_attaches(here: Clinic, there: Clinic) -> None:
    patient_id, _ = here.enter()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda clinic: clinic.attach(patient_id).status, (here, there)))
    assert 200 in answers
    assert answers.count(200) == 1, answers


def test_a_card_is_activated_once_and_only_where_attached(here: Clinic, there: Clinic) -> None:
    patient_id, _ = here.enter()
    path = f"/v1/clinic/patients/{patient_id}/card"
    refused(here.registrar.api.post(path), 403, "forbidden")
    here.attach(patient_id)
    refused(there.registrar.api.post(path), 403, "forbidden")
    first = here.registrar.api.post(path)
    assert first.status == 201
    assert first.json["clinic"]["clinic_id"] == here.clinic_id
    refused(here.registrar.api.post(path), 409, "already_exists")
    key = {"pk": f"CARD#{first.json['card_id']}", "sk": "KEY#medical"}
    assert dynamo.get(os.environ["KEYS_TABLE"], key)
    assert journal_actions(first.json["card_id"]) == ["activated"]
    refused(here.registrar.api.post("/v1/clinic/patients/unknown/card"), 404, "not_found")


def test_of_many_activations_at_once_one_wins(here: Clinic) -> None:
    patient_id, _ = here.enter()
    here.attach(patient_id)
    path = f"/v1/clinic/patients/{patient_id}/card"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(here.registrar.api.post, [path] * 4))
    assert sorted(a.status for a in answers) == [201, 409, 409, 409]


# --- verification ------------------------------------------------------------------------------


def test_verification_binds_the_account_and_lets_the_snils_sign_in(here: Clinic) -> None:
    patient_id, number = here.enter()
    person = world.account()
    answer = here.verify(person, snils.formatted(number))
    assert answer.status == 200, answer
    assert answer.json == {
        "account_id": person.account_id,
        "level": "verified",
        "patient_id": patient_id,
    }
    state = person.state()
    assert (state["level"], state["patient_id"]) == ("verified", patient_id)
    from kernel.profiles import find

    found = find(os.environ["IDENTITY_TABLE"], os.environ["LOOKUP_KEY_ID"], number)
    assert found == person.account_id


def test_one_patient_has_one_account(here: Clinic) -> None:
    _, number = here.enter()
    first, second = world.account(), world.account()
    assert here.verify(first, number).status == 200
    refused(here.verify(first, number), 409, "already_exists")
    refused(here.verify(second, number), 409, "conflict")
    _, other = here.enter()
    refused(here.verify(first, other), 409, "conflict")
    assert second.state()["level"] == "standard"


@pytest.mark.parametrize(
    ("person", "field"),
    [
        ({"last_name": "Иванова"}, "last_name"),
        ({"birth_date": "1980-12-04"}, "birth_date"),
        ({"middle_name": "Ивановна"}, "middle_name"),
        ({"snils": "11223344595"}, "snils"),
    ],
)
def test_what_the_passport_does_not_bear_out_is_named(
    here: Clinic, person: dict[str, Any], field: str
) -> None:
    _, number = here.enter()
    account = world.account(**person)
    answer = here.verify(account, number)
    refused(answer, 422, "validation_failed")
    assert [e["field"] for e in answer.json["errors"]] == [field]
    assert account.state()["level"] == "standard"


def test_a_registrar_does_not_verify_themselves_nor_serve_themselves(here: Clinic) -> None:
    me = here.registrar
    start = {"phone": me.phone}
    refused(me.api.post("/v1/clinic/accounts/verify/start", start), 403, "forbidden")
    patient_id, number = here.enter()
    body = {"phone": me.phone, "code": "000000", "snils": number, "document_checked": True}
    refused(me.api.post("/v1/clinic/accounts/verify", body), 403, "forbidden")
    there = world.clinic(by=here.operator)
    assert there.verify(me, number).status == 200
    refused(here.attach(patient_id), 403, "forbidden")
    refused(me.api.post(f"/v1/clinic/patients/{patient_id}/card"), 403, "forbidden")


def test_a_start_tells_nothing_of_a_number_without_an_account(here: Clinic) -> None:
    phone, known = world.new_phone(), world.account().phone
    start = here.registrar.api.post("/v1/clinic/accounts/verify/start", {"phone": phone})
    same = here.registrar.api.post("/v1/clinic/accounts/verify/start", {"phone": known})
    assert (start.status, start.json) == (same.status, same.json) == (202, {"expires_in": 300})
    assert outbox(phone) == []
    assert len(outbox(known)) == 1
    body = {"phone": phone, "code": "123456", "snils": world.new_snils(), "document_checked": True}
    refused(here.registrar.api.post("/v1/clinic/accounts/verify", body), 401, "challenge_expired")


def test_a_code_of_the_desk_cannot_be_guessed_nor_used_elsewhere(
    here: Clinic, there: Clinic
) -> None:
    _, number = here.enter()
    person = world.account()
    here.registrar.api.post("/v1/clinic/accounts/verify/start", {"phone": person.phone})
    code = world.code_sent_to(person.phone)
    body: dict[str, Any] = {"phone": person.phone, "snils": number, "document_checked": True}
    path = "/v1/clinic/accounts/verify"
    refused(there.registrar.api.post(path, body | {"code": code}), 401, "challenge_expired")
    refused(
        here.registrar.api.post(path, body | {"code": code, "document_checked": False}),
        422,
        "validation_failed",
    )
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for _ in range(TRIES):
        refused(here.registrar.api.post(path, body | {"code": wrong}), 401, "code_invalid")
    refused(here.registrar.api.post(path, body | {"code": code}), 401, "challenge_expired")
    assert person.state()["level"] == "standard"


def test_an_unknown_snils_is_entered_first(here: Clinic) -> None:
    person = world.account()
    number = world.new_snils()
    refused(here.verify(person, number), 404, "not_found")


# --- paper consents ----------------------------------------------------------------------------


def paper(clinic: Clinic, patient_id: str, **change: str) -> Response:
    body = world.document() | {"signed_on": clock.now().date().isoformat()} | change
    return clinic.registrar.api.post(f"/v1/clinic/patients/{patient_id}/consents", body)


def test_a_paper_consent_opens_the_card_and_stands_in_the_journal(here: Clinic) -> None:
    patient = here.patient()
    answer = paper(here, patient.patient_id)
    assert answer.status == 201, answer
    assert answer.json["method"] == "written"
    assert answer.json["clinic_id"] == here.clinic_id
    assert answer.json["receipt"].count(".") == 2
    assert patient.api.get("/v1/cards").json["items"]
    (mine,) = patient.api.get("/v1/consents").json["items"]
    assert mine == answer.json
    (entry,) = [
        e
        for e in patient.api.get(f"/v1/cards/{patient.card_id}/journal").json["items"]
        if e["action"] == "consent_given"
    ]
    assert entry["actor"]["role"] == "registrar"
    refused(paper(here, patient.patient_id), 409, "already_exists")


def test_a_paper_does_not_undo_a_later_withdrawal(here: Clinic) -> None:
    patient = here.patient()
    consent = patient.api.post("/v1/consents", world.document()).json
    patient.api.post(f"/v1/consents/{consent['consent_id']}/withdraw")
    yesterday = (clock.now().date() - timedelta(days=1)).isoformat()
    refused(paper(here, patient.patient_id, signed_on=yesterday), 409, "conflict")
    assert patient.api.get("/v1/cards").json["items"] == []


def test_a_paper_counts_from_the_day_it_was_signed(here: Clinic) -> None:
    patient = here.patient()
    day = (clock.now().date() - timedelta(days=40)).isoformat()
    answer = paper(here, patient.patient_id, signed_on=day)
    assert answer.status == 201
    assert answer.json["given_at"] == f"{day}T00:00:00Z"
    assert answer.json["signed_on"] == day
    assert answer.json["expires_at"][:10] == f"{int(day[:4]) + 5}{day[4:]}"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"signed_on": "2999-01-01"}, 422, "validation_failed"),
        ({"signed_on": "1999-01-01"}, 422, "validation_failed"),
        ({"document_version": "0.9"}, 409, "conflict"),
        ({"document_sha256": "0" * 64}, 422, "validation_failed"),
    ],
)
def test_a_wrong_paper_is_refused(
    here: Clinic, change: dict[str, str], status: int, code: str
) -> None:
    patient_id, _ = here.enter()
    here.attach(patient_id)
    refused(paper(here, patient_id, **change), status, code)


def test_a_paper_is_entered_by_a_clinic_that_knows_the_patient(here: Clinic, there: Clinic) -> None:
    patient_id, _ = here.enter()
    here.attach(patient_id)
    refused(paper(there, patient_id), 404, "not_found")
    refused(paper(here, "unknown"), 404, "not_found")


# --- clinicians --------------------------------------------------------------------------------


def test_a_clinician_finds_cards_of_their_own_patients_only(here: Clinic, there: Clinic) -> None:
    patient = here.patient()
    body = {"snils": snils.formatted(patient.snils)}
    (found,) = here.clinician.api.post("/v1/clinic/cards/search", body).json["items"]
    assert found["card_id"] == patient.card_id
    assert found["clinic"]["clinic_id"] == here.clinic_id
    assert found["patient"]["last_name"] == "Соловьева"
    assert found["patient"]["snils"] == snils.masked(patient.snils)
    assert "found" in journal_actions(patient.card_id)
    nothing: dict[str, Any] = {"items": [], "next_cursor": None}
    assert there.clinician.api.post("/v1/clinic/cards/search", body).json == nothing
    unknown = {"snils": world.new_snils()}
    assert there.clinician.api.post("/v1/clinic/cards/search", unknown).json == nothing
    # Somebody who was treated here stays known here after they move.
    here.registrar.api.delete(f"/v1/clinic/patients/{patient.patient_id}/attachment")
    assert len(here.clinician.api.post("/v1/clinic/cards/search", body).json["items"]) == 1
