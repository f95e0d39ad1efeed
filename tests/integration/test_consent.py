"""Consents and the card's journal, through the real handlers."""

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import jwt
import pytest

from kernel import clock, consents, dynamo
from tests.gateway import Api
from tests.integration import desk_world as world
from tests.integration.desk_world import Clinic, Patient

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture(scope="module")
def clinic(aws: None) -> Clinic:
    return world.clinic()


@pytest.fixture
def patient(clinic: Clinic) -> Patient:
    return clinic.patient()


def give(patient: Patient, clinic_id: str | None = None, **headers: str) -> Any:
    body: dict[str, Any] = world.document()
    if clinic_id:
        body["clinic_id"] = clinic_id
    return patient.api.post("/v1/consents", body, headers=headers)


def consent_step(patient: Patient, clinic: Clinic) -> bool:
    answer = patient.api.get("/v1/access")
    (mine,) = [c for c in answer.json["clinics"] if c["clinic"]["clinic_id"] == clinic.clinic_id]
    return bool(mine["steps"][-1]["ok"])


def journal(patient: Patient, query: str = "limit=100") -> Any:
    return patient.api.get(f"/v1/cards/{patient.card_id}/journal?{query}")


def acts(patient: Patient) -> list[str]:
    return [e["action"] for e in journal(patient).json["items"]]


# --- the document ---------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_current_document_is_public_and_its_hash_is_of_its_text(language: str) -> None:
    answer = Api(language=language).get("/v1/consents/documents/current")
    assert answer.status == 200
    document = answer.json
    assert document["language"] == language
    assert document["sha256"] == hashlib.sha256(document["text"].encode()).hexdigest()
    assert {"version", "purpose", "title", "effective_from"} <= set(document)
    assert answer.headers["cache-control"].startswith("public")


# --- giving ---------------------------------------------------------------------------------------


def test_a_consent_opens_the_card_and_carries_a_receipt(patient: Patient, clinic: Clinic) -> None:
    assert not consent_step(patient, clinic)
    answer = give(patient)
    assert answer.status == 201, answer
    consent = answer.json
    assert consent["status"] == "active"
    assert patient.api.get(answer.headers["location"]).json == consent
    assert consent["clinic_id"] is None
    assert consent["method"] == "electronic"
    assert consent["expires_at"][:4] == str(int(consent["given_at"][:4]) + 5)
    assert consent_step(patient, clinic)
    assert "consent_given" in acts(patient)


def test_the_receipt_verifies_with_the_published_keys_and_names_nobody(
    patient: Patient, clinic: Clinic
) -> None:
    consent = give(patient, clinic.clinic_id).json
    keys = jwt.PyJWKSet.from_dict(Api().get("/.well-known/jwks.json").json)
    header = jwt.get_unverified_header(consent["receipt"])
    assert header["alg"] == "ES256"
    key = next(k for k in keys.keys if k.key_id == header["kid"])
    receipt = jwt.decode(consent["receipt"], key, algorithms=["ES256"])
    assert receipt["jti"] == consent["consent_id"]
    assert receipt["document"]["sha256"] == consent["document_sha256"]
    assert receipt["document"]["version"] == consent["document_version"]
    assert receipt["scope"] == {"clinics": [clinic.clinic_id]}
    assert receipt["given_at"] == consent["given_at"]
    assert receipt["expires_at"] == consent["expires_at"]
    assert receipt["amr"] == ["pwd", "sms"]
    assert receipt["controllers"][0]["clinic_id"] == clinic.clinic_id
    assert receipt["legal_basis"]
    assert receipt["event"] == {"type": "explicit", "state": "given"}
    # 152-ФЗ art. 9 part 4: to whom, what for, which data and acts, by whom, how to end it.
    (controller,) = receipt["controllers"]
    assert controller["name"]
    assert controller["address"]
    assert receipt["purpose"]
    processing = receipt["processing"]
    assert {"snils", "health"} <= set(processing["data"])
    assert processing["special_category"] == ["health"]
    assert {"collection", "transfer", "destruction"} <= set(processing["actions"])
    assert processing["means"] == ["automated"]
    assert processing["processor"]
    assert processing["recipients"]
    assert processing["jurisdiction"] == "RU"
    assert receipt["withdrawal"].endswith(f"/{consent['consent_id']}/withdraw")
    text = json.dumps(receipt, ensure_ascii=False)
    for personal in (patient.patient_id, patient.snils, "Соловь", patient.account.phone):
        assert personal not in text
    # The signature covers the canonical bytes: sorted keys, no spaces.
    payload = consent["receipt"].split(".")[1]
    raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    assert (
        raw
        == json.dumps(receipt, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    )


@pytest.mark.parametrize(("clinics", "told"), [(12, {"clinic_id", "name"}), (120, set())])
def test_a_receipt_for_many_clinics_is_no_longer_than_kms_signs(
    patient: Patient, clinic: Clinic, clinics: int, told: set[str]
) -> None:
    registry, mine = os.environ["REGISTRY_TABLE"], f"PATIENT#{patient.patient_id}"
    related = dynamo.get(registry, {"pk": mine, "sk": f"CLINIC#{clinic.clinic_id}"})
    known = dynamo.get(registry, {"pk": f"CLINIC#{clinic.clinic_id}", "sk": "CLINIC"})
    assert related
    assert known
    for number in range(clinics):
        other = f"{clinic.clinic_id}-{number:03}"
        relation = {"sk": f"CLINIC#{other}", "clinic_id": other, "card_id": None, "attached": False}
        dynamo.put(registry, {**related, **relation})
        dynamo.put(registry, {**known, "pk": f"CLINIC#{other}", "clinic_id": other})
    answer = give(patient)
    assert answer.status == 201, answer
    payload = answer.json["receipt"].split(".")[1]
    assert len(answer.json["receipt"]) < 4096 + 100
    receipt = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert {name for each in receipt["controllers"] for name in each} == told
    assert receipt["scope"] == {"clinics": "*"}


def test_the_pseudonym_is_the_same_in_both_receipts_of_one_person_only(clinic: Clinic) -> None:
    one, other = clinic.patient(), clinic.patient()
    receipts = [give(one, clinic.clinic_id), give(one), give(other)]
    subjects = [
        jwt.decode(r.json["receipt"], options={"verify_signature": False})["subject"]
        for r in receipts
    ]
    assert subjects[0] == subjects[1] != subjects[2]


def test_a_repeat_of_what_is_covered_already_exists(patient: Patient, clinic: Clinic) -> None:
    for clinic_id in (clinic.clinic_id, None):
        assert give(patient, clinic_id).status == 201
        again = give(patient, clinic_id)
        assert (again.status, again.json["code"]) == (409, "already_exists")
    assert len(patient.api.get("/v1/consents").json["items"]) == 2


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"document_version": "0.9"}, 409, "conflict"),
        ({"document_sha256": "0" * 64}, 422, "validation_failed"),
        ({"document_sha256": "short"}, 422, "validation_failed"),
        ({"clinic_id": "no-such-clinic"}, 422, "validation_failed"),
        ({"clinic_id": "*"}, 422, "validation_failed"),
        ({"surprise": 1}, 422, "validation_failed"),
        ({"document_version": 1}, 422, "validation_failed"),
    ],
)
def test_what_is_wrong_with_a_consent_is_named(
    patient: Patient, change: dict[str, Any], status: int, code: str
) -> None:
    answer = patient.api.post("/v1/consents", world.document() | change)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert patient.api.get("/v1/consents").json["items"] == []


def test_the_text_may_be_accepted_in_either_language(patient: Patient) -> None:
    english = Api(language="en")
    answer = patient.api.post("/v1/consents", world.document(english))
    assert answer.status == 201
    assert answer.json["document_sha256"] == world.document(english)["document_sha256"]


def test_an_idempotency_key_gives_the_same_consent_again(patient: Patient) -> None:
    first = give(patient, **{"Idempotency-Key": "one"})
    again = give(patient, **{"Idempotency-Key": "one"})
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json
    assert len(patient.api.get("/v1/consents").json["items"]) == 1


def test_a_refused_request_leaves_its_idempotency_key_free(patient: Patient) -> None:
    """Nothing came of it, so the client may put it right and use the key again."""
    key = {"Idempotency-Key": "put right"}
    stale = {**world.document(), "document_version": "0.9"}
    assert patient.api.post("/v1/consents", stale, headers=key).status == 409
    assert give(patient, **key).status == 201


def test_an_unverified_account_cannot_consent_and_has_no_history() -> None:
    somebody = world.account()
    answer = somebody.api.post("/v1/consents", world.document())
    assert (answer.status, answer.json["code"]) == (403, "account_not_verified")
    assert somebody.api.get("/v1/consents").json == {"items": [], "next_cursor": None}
    assert somebody.api.get("/v1/consents/unknown").status == 404
    assert somebody.api.post("/v1/consents/unknown/withdraw").status == 403


def test_of_two_at_once_one_wins(clinic: Clinic) -> None:
    for _ in range(3):
        patient = clinic.patient()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(give, [patient] * 4))
        assert sorted(a.status for a in answers) == [201, 409, 409, 409], list(map(str, answers))
        items = patient.api.get("/v1/consents").json["items"]
        assert [i["status"] for i in items] == ["active"]
        assert acts(patient).count("consent_given") == 1


def test_giving_and_withdrawing_at_once_end_in_what_the_history_says(clinic: Clinic) -> None:
    patient = clinic.patient()
    consent = give(patient).json
    with ThreadPoolExecutor(4) as pool:
        withdrawn = pool.submit(withdraw, patient, consent["consent_id"])
        given = [pool.submit(give, patient, clinic.clinic_id) for _ in range(3)]
        statuses = [f.result().status for f in given]
        assert withdrawn.result().status == 200
    # What is covered is refused, so at most one is given: after the withdrawal.
    after = statuses.count(201)
    assert after <= 1
    assert consent_step(patient, clinic) == bool(after)
    by_id = {i["consent_id"]: i["status"] for i in patient.api.get("/v1/consents").json["items"]}
    assert sorted(by_id.values()) == ["active", "withdrawn"][1 - after :]


# --- scope ----------------------------------------------------------------------------------------


def test_what_a_wider_consent_covers_needs_no_narrower_one(
    patient: Patient, clinic: Clinic
) -> None:
    wide = give(patient).json
    again = give(patient, clinic.clinic_id)
    assert (again.status, again.json["code"]) == (409, "already_exists")
    assert withdraw(patient, wide["consent_id"]).status == 200
    assert not consent_step(patient, clinic)
    # A new consent, narrow or wide, opens it again.
    assert give(patient, clinic.clinic_id).status == 201
    assert consent_step(patient, clinic)


def test_a_wide_consent_supersedes_a_narrow_one_and_its_withdrawal_closes_all(
    patient: Patient, clinic: Clinic
) -> None:
    narrow = give(patient, clinic.clinic_id).json
    wide = give(patient).json
    assert status_of(patient, narrow) == "superseded"
    refused = withdraw(patient, narrow["consent_id"])
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    assert "заменило другое" in refused.json["detail"]
    assert consent_step(patient, clinic)
    assert withdraw(patient, wide["consent_id"]).status == 200
    assert not consent_step(patient, clinic)


def test_a_narrow_consent_for_another_clinic_opens_nothing_here(
    patient: Patient, clinic: Clinic
) -> None:
    elsewhere = world.clinic(by=clinic.operator)
    assert give(patient, elsewhere.clinic_id).status == 201
    assert not consent_step(patient, clinic)
    assert "consent_given" not in acts(patient)


# --- withdrawing ----------------------------------------------------------------------------------


def withdraw(patient: Patient, consent_id: str) -> Any:
    return patient.api.post(f"/v1/consents/{consent_id}/withdraw")


def status_of(patient: Patient, consent: dict[str, Any]) -> str:
    answer = patient.api.get(f"/v1/consents/{consent['consent_id']}")
    assert answer.status == 200
    return str(answer.json["status"])


def test_withdrawal_closes_the_card_in_every_session(patient: Patient, clinic: Clinic) -> None:
    first_session = patient.api
    consent = give(patient).json
    patient.account.sign_in()
    answer = withdraw(patient, consent["consent_id"])
    assert answer.status == 200
    assert answer.json["status"] == "withdrawn"
    assert answer.json["withdrawn_at"]
    for api in (first_session, patient.api):
        refused = api.get(f"/v1/cards/{patient.card_id}/visits")
        assert (refused.status, refused.json["code"]) == (403, "consent_required")
        assert api.get("/v1/cards").json["items"] == []
    assert acts(patient).count("consent_withdrawn") == 1
    # Again is the same answer, and no second act.
    assert withdraw(patient, consent["consent_id"]).json == answer.json
    assert acts(patient).count("consent_withdrawn") == 1


@pytest.mark.parametrize(
    ("language", "words", "patients"),
    [
        ("ru", ("согласие пациента", "для вас закрыта"), "ваше"),
        ("en", ("the patient's consent", "closed to you"), "from you"),
    ],
)
def test_a_clinician_is_told_of_the_patients_consent_and_not_of_their_own(
    patient: Patient, clinic: Clinic, language: str, words: tuple[str, ...], patients: str
) -> None:
    doctor = Api(clinic.clinician.api.token, language)
    refused = doctor.get(f"/v1/clinic/cards/{patient.card_id}/summary")
    assert (refused.status, refused.json["code"]) == (403, "consent_required")
    said = f"{refused.json['title']} {refused.json['detail']}"
    assert all(each in said for each in words[1:])
    assert words[0] in said.lower()
    assert patients not in said
    own = Api(patient.api.token, language).get(f"/v1/cards/{patient.card_id}/summary")
    assert patients in f"{own.json['title']} {own.json['detail']}"


def test_a_stranger_neither_sees_nor_withdraws_it(patient: Patient, clinic: Clinic) -> None:
    consent = give(patient).json
    stranger = clinic.patient()
    path = f"/v1/consents/{consent['consent_id']}"
    assert stranger.api.get(path).status == 404
    assert stranger.api.post(f"{path}/withdraw").status == 404
    assert status_of(patient, consent) == "active"


@pytest.fixture
def extract(patient: Patient, clinic: Clinic) -> Iterator[dict[str, str]]:
    """An extract whose file lies in the bucket, as the worker leaves it."""
    key = put_extract(patient, clinic, f"x{patient.card_id}")
    yield key
    dynamo.delete(os.environ["EXTRACTS_TABLE"], key)


def put_extract(patient: Patient, clinic: Clinic, extract_id: str) -> dict[str, str]:
    from kernel import aws, extracts
    from kernel.identity import ExtractId, PatientId

    key = extracts.key(PatientId(patient.patient_id), ExtractId(extract_id))
    item = {
        **key,
        "extract_id": extract_id,
        "card_id": patient.card_id,
        "clinic_id": clinic.clinic_id,
        "status": "ready",
        "files": {extracts.object_key(extract_id)},
    }
    dynamo.put(os.environ["EXTRACTS_TABLE"], item)
    aws.s3().put_object(
        Bucket=os.environ["EXTRACTS_BUCKET"],
        Key=extracts.object_key(extract_id),
        Body=b"%PDF",
    )
    return key


def files(extract_id: str) -> int:
    from kernel import aws

    listed = aws.s3().list_objects_v2(
        Bucket=os.environ["EXTRACTS_BUCKET"], Prefix=f"extracts/{extract_id}"
    )
    return int(listed["KeyCount"])


def test_withdrawal_takes_the_extracts_with_it(
    patient: Patient, clinic: Clinic, extract: dict[str, str]
) -> None:
    extract_id = extract["sk"].removeprefix("EXTRACT#")
    consent = give(patient).json
    assert files(extract_id) == 1
    assert withdraw(patient, consent["consent_id"]).status == 200
    assert files(extract_id) == 0
    item = dynamo.get(os.environ["EXTRACTS_TABLE"], extract)
    assert item is not None
    assert item["status"] == "revoked"


@pytest.mark.parametrize("finish", ["withdraw", "give", "paper"])
def test_a_withdrawal_that_broke_off_is_finished_by_the_next_act(
    patient: Patient,
    clinic: Clinic,
    extract: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    finish: str,
) -> None:
    from consent import handler
    from kernel.errors import Unavailable

    extract_id = extract["sk"].removeprefix("EXTRACT#")
    consent = give(patient).json

    def fail(*_: object) -> None:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(handler.acts, "_revoke_extracts", fail)
        broken = withdraw(patient, consent["consent_id"])
    assert (broken.status, broken.json["code"]) == (503, "unavailable")
    # The card is closed all the same.
    assert not consent_step(patient, clinic)
    assert files(extract_id) == 1
    if finish == "withdraw":
        assert withdraw(patient, consent["consent_id"]).status == 200
    elif finish == "give":
        assert give(patient).status == 201
    else:
        assert paper(clinic, patient).status == 201
    assert files(extract_id) == 0
    # What is made from now on belongs to a new consent, and a repeat does not touch it.
    put_extract(patient, clinic, extract_id)
    assert withdraw(patient, consent["consent_id"]).status == 200
    assert files(extract_id) == 1


def paper(clinic: Clinic, patient: Patient) -> Any:
    body = world.document() | {"signed_on": clock.now().date().isoformat()}
    return clinic.registrar.api.post(f"/v1/clinic/patients/{patient.patient_id}/consents", body)


# --- history --------------------------------------------------------------------------------------


def test_the_history_is_whole_the_newest_first_and_goes_on_by_cursor(
    patient: Patient, clinic: Clinic
) -> None:
    given = []
    for _ in range(3):
        consent = give(patient).json
        given.append(consent["consent_id"])
        withdraw(patient, consent["consent_id"])
    first = patient.api.get("/v1/consents?limit=2").json
    second = patient.api.get(f"/v1/consents?limit=2&cursor={first['next_cursor']}").json
    assert second["next_cursor"] is None
    listed = [i["consent_id"] for i in first["items"] + second["items"]]
    assert listed == given[::-1]
    assert {i["status"] for i in first["items"]} == {"withdrawn"}
    stranger = clinic.patient()
    foreign = stranger.api.get(f"/v1/consents?cursor={first['next_cursor']}")
    assert (foreign.status, foreign.json["code"]) == (400, "cursor_invalid")


def test_expiry_is_judged_when_it_is_read(patient: Patient, clinic: Clinic) -> None:
    consent = give(patient).json
    table, pk = os.environ["CONSENTS_TABLE"], f"PATIENT#{patient.patient_id}"
    for sk in (f"CONSENT#{consent['consent_id']}", "SCOPE#*"):
        dynamo.update(
            table, {"pk": pk, "sk": sk}, "SET expires_at = :past", {":past": "2026-01-01T00:00:00Z"}
        )
    assert status_of(patient, consent) == "expired"
    assert not consent_step(patient, clinic)
    refused = withdraw(patient, consent["consent_id"])
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    assert give(patient).status == 201
    assert consent_step(patient, clinic)


# --- the journal ----------------------------------------------------------------------------------


def newer(days_ago: int) -> dict[tuple[str, str], consents.Document]:
    """The documents with another version, in force since so many days."""
    known = dict(consents.documents())
    for language in ("ru", "en"):
        text = f"text {language} 2.0"
        known["2.0", language] = known["1.0", language]._replace(
            version="2.0",
            text=text,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            effective_from=clock.now().date() - timedelta(days=days_ago),
        )
    return known


def test_a_new_text_asks_again_and_closes_the_card_after_its_grace(
    patient: Patient, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, grace = world.document(), consents.current_document("ru", clock.now().date()).grace_days
    first = give(patient).json
    card = f"/cards/{patient.card_id}/summary"
    within, after = newer(grace), newer(grace + 1)
    monkeypatch.setattr(consents, "documents", lambda: within)
    assert patient.api.get(f"/v1{card}").status == 200
    assert consent_step(patient, clinic)
    (notice,) = patient.api.get("/v1/notifications").json["items"]
    assert (notice["kind"], notice["why"]) == ("consent_due", "outdated")
    stale = patient.api.post("/v1/consents", old)
    assert (stale.status, stale.json["code"]) == (409, "conflict")
    monkeypatch.setattr(consents, "documents", lambda: after)
    for api, prefix in ((patient.api, "/v1"), (clinic.clinician.api, "/v1/clinic")):
        closed = api.get(f"{prefix}{card}")
        assert (closed.status, closed.json["code"]) == (403, "consent_outdated")
    assert not consent_step(patient, clinic)
    assert patient.api.get("/v1/cards").json["items"] == []
    second = give(patient)
    assert second.json["document_version"] == "2.0"
    assert patient.api.get(f"/v1{card}").status == 200
    assert patient.api.get("/v1/notifications").json["items"] == []
    kept = patient.api.get(f"/v1/consents/{first['consent_id']}").json
    assert kept == {**first, "status": "superseded"}


def test_the_journal_tells_who_did_what_and_names_workers_even_after_they_left(
    clinic: Clinic,
) -> None:
    there = world.clinic(by=clinic.operator)
    patient = there.patient()
    give(patient)
    patient.api.get(f"/v1/cards/{patient.card_id}/visits")
    dismissed = there.operator.api.delete(f"/v1/clinic/staff/{there.registrar.account_id}")
    assert dismissed.status == 204
    answer = journal(patient)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    by_action = {e["action"]: e for e in answer.json["items"]}
    activated = by_action["activated"]
    assert activated["actor"]["name"] == "Регистратор Р. Р."
    assert activated["actor"]["role"] == "registrar"
    assert activated["actor"]["clinic"]["clinic_id"] == there.clinic_id
    assert activated["actor"]["clinic"]["name"].startswith("Поликлиника")
    own = by_action["read_own"]
    assert own["actor"] == {"name": None, "role": "patient", "clinic": None}
    assert (own["section"], own["outcome"], own["emergency"]) == ("visits", "done", False)


def test_the_journal_stays_readable_while_the_card_is_closed_and_tells_of_refusals(
    patient: Patient,
) -> None:
    refused = patient.api.get(f"/v1/cards/{patient.card_id}/results")
    assert refused.json["code"] == "consent_required"
    entry = next(e for e in journal(patient).json["items"] if e["section"] == "results")
    assert entry["outcome"] == "consent_required"


def test_the_journal_goes_on_by_cursor_with_every_entry_once(patient: Patient) -> None:
    for _ in range(7):  # each leaves an entry and its outcome
        patient.api.get(f"/v1/cards/{patient.card_id}/visits")
    seen: list[str] = []
    first = journal(patient, "limit=3").json
    assert len(first["items"]) == 3
    page = first
    while True:
        seen += [e["entry_id"] for e in page["items"]]
        for entry in page["items"]:
            if entry["section"] == "visits":
                assert entry["outcome"] == "consent_required"
        if page["next_cursor"] is None:
            break
        page = journal(patient, f"limit=3&cursor={page['next_cursor']}").json
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen, reverse=True)
    whole = [e["entry_id"] for e in journal(patient).json["items"]]
    assert set(seen) <= set(whole)
    assert sum(e["section"] == "visits" for e in journal(patient).json["items"]) == 7


def test_a_strangers_journal_is_not_there(patient: Patient, clinic: Clinic) -> None:
    stranger = clinic.patient()
    answer = stranger.api.get(f"/v1/cards/{patient.card_id}/journal")
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    unverified = world.account()
    answer = unverified.api.get(f"/v1/cards/{patient.card_id}/journal")
    assert (answer.status, answer.json["code"]) == (403, "account_not_verified")
