"""The people of the authorization matrix, each with a session in a certain state, and the cards.

What is true of them stands in plain facts here; what follows from it, in test_matrix.
"""

import base64
import json
import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import boto3

from tests import template
from tests.gateway import Api
from tests.integration import desk_world
from tests.integration.desk_world import Account, Clinic

Session = Literal["none", "forged", "alive", "revoked", "expired"]
SECTIONS = ("visits", "results", "prescriptions")


@dataclass
class Principal:
    """Who asks. `clinic` is where they work now, `patient` whose card is theirs."""

    name: str
    session: Session = "alive"
    level: str = "standard"
    patient: str | None = None
    role: str | None = None
    clinic: int | None = None
    account: Account | None = None
    api: Api = field(default_factory=Api)
    own: dict[str, str] = field(default_factory=dict)


@dataclass
class Target:
    """A card and what is true of it; `patient` None is a card that does not exist."""

    name: str
    patient: str | None = None
    clinic: int | None = None
    attached: bool = True
    consented: bool = True
    emergency: frozenset[str] = frozenset()
    ids: dict[str, str] = field(default_factory=dict)
    canaries: tuple[str, ...] = ()


@dataclass
class World:
    principals: dict[str, Principal]
    targets: dict[str, Target]


def exists(method: str, path: str) -> bool:
    return any(r.match(method, path) is not None for r in template.routes())


def build() -> World:
    """Everybody and everything; some seconds."""
    operator = desk_world.operator()
    clinics = {n: desk_world.clinic(by=operator) for n in (1, 2)}
    patients: dict[str, Principal] = {}
    targets: dict[str, Target] = {}
    for name, clinic, consented in (
        ("owner", 1, True),
        ("another", 1, True),
        ("former", 1, True),
        ("unconsented", 1, False),
        ("elsewhere", 2, True),
        ("emergency", 2, False),
    ):
        patients[name], targets[name] = _patient(name, clinics[clinic], clinic, consented)
    patient_id = targets["former"].ids["patient_id"]
    path = f"/v1/clinic/patients/{patient_id}/attachment"
    assert clinics[1].registrar.api.delete(path).status == 204
    targets["former"].attached = False
    if exists("POST", "/v1/clinic/cards/emergency"):
        body = {
            "snils": targets["emergency"].ids["snils"],
            "birth_date": "1980-04-12",
            "reason": "без сознания",
        }
        opened = clinics[1].clinician.api.post("/v1/clinic/cards/emergency", body)
        assert opened.status == 201, opened
        targets["emergency"].emergency = frozenset({"clinician"})
    targets["unknown"] = Target("unknown", ids=_unknown())
    people = [
        Principal("nobody", "none"),
        Principal("forged", "forged", api=Api(token="a.b.c")),
        _plain("simplified", "simplified"),
        _plain("standard", "standard"),
        *patients.values(),
        *_workers(clinics),
        _worker("operator", operator, "operator", None),
        _sms_only(clinics[1]),
        _removed(clinics[1]),
    ]
    for original in ("owner", "clinician", "registrar"):
        known = next(p for p in people if p.name == original)
        people += [_ended(known, "revoked"), _ended(known, "expired")]
    return World({p.name: p for p in people}, targets)


def _patient(name: str, clinic: Clinic, number: int, consented: bool) -> tuple[Principal, Target]:
    surname = f"Канарейкина-{name}"
    patient_id, snils = clinic.enter(last_name=surname)
    assert clinic.attach(patient_id).status == 200
    card_id = clinic.activate(patient_id)
    account = desk_world.account(last_name=surname)
    assert clinic.verify(account, snils).status == 200
    principal = Principal(name, level="verified", patient=name, account=account, api=account.api)
    given = account.api.post("/v1/consents", desk_world.document())
    assert given.status == 201, given
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": r} for r in _resources(name)],
    }
    sent = clinic.clinician.api.post(
        f"/v1/clinic/cards/{card_id}/fhir",
        raw=json.dumps(bundle),
        headers={"Content-Type": "application/fhir+json"},
    )
    assert sent.status == 200, sent
    assert not sent.json["rejected"], sent
    ids = {"card_id": card_id, "patient_id": patient_id, "snils": snils, "section": "visits"}
    for section in SECTIONS:
        (record, *_) = account.api.get(f"/v1/cards/{card_id}/{section}").json["items"]
        ids[section] = record["record_id"]
    ids["entry_id"] = account.api.get(f"/v1/cards/{card_id}/journal").json["items"][0]["entry_id"]
    ids["extract_id"] = "none"
    if name in ("owner", "another"):
        order = {"kind": "summary", "language": "ru"}
        ordered = account.api.post(f"/v1/cards/{card_id}/extracts", order)
        assert ordered.status == 202, ordered
        ids["extract_id"] = ordered.json["extract_id"]
    ids["consent_id"] = given.json["consent_id"]
    if not consented:
        path = f"/v1/consents/{given.json['consent_id']}/withdraw"
        assert account.api.post(path).status == 200
    ids["session_id"] = str(_claims(account.api)["sid"])
    canaries = (surname, snils, patient_id, card_id, f"жалоба-{name}", *(ids[s] for s in SECTIONS))
    target = Target(name, name, number, consented=consented, ids=ids, canaries=canaries)
    return principal, target


def _resources(name: str) -> list[dict[str, Any]]:
    return [
        {
            "resourceType": "Encounter",
            "id": f"visit-{name}",
            "status": "finished",
            "class": {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "code": "AMB",
            },
            "subject": {"reference": "Patient/me"},
            "period": {"start": "2026-03-01T09:00:00+03:00"},
            "reasonCode": [{"text": f"жалоба-{name}"}],
        },
        {
            "resourceType": "Observation",
            "id": f"result-{name}",
            "status": "final",
            "category": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                            "code": "laboratory",
                        }
                    ]
                }
            ],
            "code": {
                "coding": [{"system": "http://loinc.org", "code": "718-7"}],
                "text": f"жалоба-{name}",
            },
            "subject": {"reference": "Patient/me"},
            "effectiveDateTime": "2026-03-01",
            "valueQuantity": {"value": 140, "unit": "г/л"},
        },
        {
            "resourceType": "MedicationRequest",
            "id": f"prescription-{name}",
            "status": "active",
            "intent": "order",
            "authoredOn": "2026-03-01",
            "medicationCodeableConcept": {"text": f"жалоба-{name}"},
            "subject": {"reference": "Patient/me"},
        },
    ]


def _unknown() -> dict[str, str]:
    names = ("card_id", "patient_id", "entry_id", "extract_id", "consent_id", "session_id")
    return {**dict.fromkeys((*names, *SECTIONS), "unknown"), "section": "visits"}


def _plain(name: str, level: str) -> Principal:
    account = desk_world.account()
    boto3.client("dynamodb").update_item(
        TableName=os.environ["ACCOUNTS_TABLE"],
        Key={"pk": {"S": f"ACCOUNT#{account.account_id}"}, "sk": {"S": "STATE"}},
        UpdateExpression="SET #l = :l",
        ExpressionAttributeNames={"#l": "level"},
        ExpressionAttributeValues={":l": {"S": level}},
    )
    return Principal(name, level=level, account=account, api=account.sign_in())


def _workers(clinics: dict[int, Clinic]) -> list[Principal]:
    return [
        _worker("clinician", clinics[1].clinician, "clinician", 1),
        _worker("registrar", clinics[1].registrar, "registrar", 1),
        _worker("clinician of another clinic", clinics[2].clinician, "clinician", 2),
        _worker("registrar of another clinic", clinics[2].registrar, "registrar", 2),
    ]


def _worker(name: str, account: Account, role: str, clinic: int | None) -> Principal:
    principal = Principal(name, role=role, clinic=clinic, account=account, api=account.api)
    principal.own["account_id"] = account.account_id
    return principal


def _sms_only(clinic: Clinic) -> Principal:
    """A clinician who signed in without an app: no role comes with such a session."""
    account = desk_world.account()
    body = {"role": "clinician", "name": "Врач Без Приложения", "specialty": "терапевт"}
    assert desk_world.appoint(clinic.registrar, account, clinic.clinic_id, **body).status == 201
    _change_sessions(account, amr={"L": [{"S": "pwd"}, {"S": "sms"}]})
    return Principal("clinician without an app", account=account, api=account.api)


def _removed(clinic: Clinic) -> Principal:
    """A clinician who works there no more; their token still says so."""
    account = desk_world.account()
    body = {"role": "clinician", "name": "Врач Бывший", "specialty": "терапевт"}
    assert desk_world.appoint(clinic.registrar, account, clinic.clinic_id, **body).status == 201
    api = account.api
    path = f"/v1/clinic/staff/{account.account_id}"
    assert clinic.registrar.api.delete(path).status == 204
    return Principal("removed clinician", account=account, api=api)


def _ended(original: Principal, session: Session) -> Principal:
    """The same person in another session, which is over."""
    from auth import tokens
    from kernel import accounts, clock, dynamo
    from kernel.identity import SessionId

    account = original.account
    assert account is not None
    before = account.api
    api = account.sign_in()
    account.api = before
    if session == "revoked":
        assert api.post("/v1/auth/logout").status == 204
    else:
        state = account.state()
        session_id = SessionId(_claims(api)["sid"])
        key = {"pk": f"ACCOUNT#{account.account_id}", "sk": f"SESSION#{session_id}"}
        kept = dynamo.get(os.environ["ACCOUNTS_TABLE"], key)
        assert kept is not None
        payload = tokens.claims(
            accounts.actor(account.account_id, session_id, state, kept),
            issuer=os.environ["ISSUER"],
            audience=os.environ["AUDIENCE"],
            client="tests",
            now=clock.now() - timedelta(minutes=30),
        )
        api = Api(token=tokens.sign(os.environ["TOKEN_KEY_ID"], payload))
    return Principal(
        f"{original.name}, {session}",
        session,
        original.level,
        original.patient,
        original.role,
        original.clinic,
        account,
        api,
    )


def _claims(api: Api) -> dict[str, Any]:
    assert api.token is not None
    payload = api.token.split(".")[1]
    padded = payload + "=" * (-len(payload) % 4)
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(padded))
    return claims


def _change_sessions(account: Account, **attributes: Any) -> None:
    client = boto3.client("dynamodb")
    for name, value in attributes.items():
        client.update_item(
            TableName=os.environ["ACCOUNTS_TABLE"],
            Key={
                "pk": {"S": f"ACCOUNT#{account.account_id}"},
                "sk": {"S": f"SESSION#{_claims(account.api)['sid']}"},
            },
            UpdateExpression="SET #n = :v",
            ExpressionAttributeNames={"#n": name},
            ExpressionAttributeValues={":v": value},
        )
