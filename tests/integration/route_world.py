"""For each route a request that succeeds, on things of its own: what faults and leaks are tried on.

`prepare` makes what the request needs by the real handlers; the request itself is the caller's to
send, as often as they like. Names, texts and numbers can be given, so that they can be found again.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyotp

from kernel import clock
from tests import cda
from tests.gateway import Api, Response, drain
from tests.integration import desk_world, test_auth_journey
from tests.integration import records_world as fhir
from tests.integration.desk_world import Account, Clinic, Patient
from tests.integration.test_auth_journey import Person, code_for, login
from tests.integration.test_auth_passkeys import Authenticator

Json = dict[str, Any]


@dataclass
class Call:
    """A request, ready to be sent. `whose`: the patient whom it is about, where there is one."""

    api: Api
    method: str
    path: str
    body: Any = None
    raw: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    whose: Patient | None = None

    def send(self, api: Api | None = None) -> Response:
        return (api or self.api).request(
            self.method, self.path, self.body, raw=self.raw, headers=self.headers
        )


@dataclass(frozen=True)
class Said:
    """What people say and doctors write."""

    last_name: str = "Соловьёва"
    diagnosis: str = "диагноз"
    drug: str = "Амоксициллин"
    password: str = test_auth_journey.PASSWORD
    email: str | None = None


class World:
    """Two clinics, a patient with a card that is open and full, and makers of everybody else."""

    def __init__(self, said: Said | None = None) -> None:
        self.said = said or Said()
        self.operator = desk_world.operator()
        self.clinic = desk_world.clinic(by=self.operator)
        self.other = desk_world.clinic(by=self.operator)
        self._verified = 0
        self._once: dict[str, Any] = {}
        self.patient = self.open_card()
        self.consent_id = self.give(self.patient)
        self.fill(self.patient)
        # A patient of the other clinic: a stranger to everything here.
        self.stranger = self.other.patient()

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What reads may share."""
        if name not in self._once:
            self._once[name] = make()
        return self._once[name]

    def open_card(self) -> Patient:
        """A verified patient with an activated card, and no consent yet."""
        clinic, name = self.desk(), self.said.last_name
        patient_id, number = clinic.enter(last_name=name)
        assert clinic.attach(patient_id).status == 200
        card_id = clinic.activate(patient_id)
        person = desk_world.account(last_name=name, email=self.said.email)
        assert clinic.verify(person, number).status == 200
        return Patient(person, patient_id, number, card_id)

    def desk(self) -> Clinic:
        """The clinic with a registrar who has verified few people in this hour: there is a cap."""
        self._verified += 1
        if self._verified % 4 == 0:
            self.clinic.registrar = desk_world.account()
            body = {"role": "registrar", "name": "Регистратор Р. Р."}
            clinic, registrar = self.clinic, self.clinic.registrar
            made = desk_world.appoint(self.operator, registrar, clinic.clinic_id, **body)
            assert made.status == 201, made
        return self.clinic

    def without_account(self) -> Patient:
        patient_id, number = self.clinic.enter(last_name=self.said.last_name)
        assert self.clinic.attach(patient_id).status == 200
        card_id = self.clinic.activate(patient_id)
        return Patient(Account("", "", {}), patient_id, number, card_id)  # type: ignore[arg-type]

    def give(self, patient: Patient) -> str:
        answer = patient.api.post("/v1/consents", desk_world.document())
        assert answer.status == 201, answer
        return str(answer.json["consent_id"])

    def resources(self) -> list[Json]:
        return [
            fhir.visit(),
            fhir.diagnosis("visit-2026-03-01", "J06.9", self.said.diagnosis),
            fhir.laboratory(5.0),
            fhir.laboratory(6.0, day="2026-03-09"),
            fhir.prescription(medicationCodeableConcept={"text": self.said.drug}),
        ]

    def bundle(self) -> str:
        entries = [{"resource": resource} for resource in self.resources()]
        return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})

    def fill(self, patient: Patient) -> None:
        answer = self.send_bundle(patient).send()
        assert answer.status == 200, answer
        assert not answer.json["rejected"], answer

    def send_bundle(self, patient: Patient) -> Call:
        return Call(
            self.clinic.clinician.api,
            "POST",
            f"/v1/clinic/cards/{patient.card_id}/fhir",
            raw=self.bundle(),
            headers={"Content-Type": "application/fhir+json"},
            whose=patient,
        )

    def record(self, section: str) -> str:
        def first() -> str:
            page = self.patient.api.get(f"/v1/cards/{self.patient.card_id}/{section}")
            return str(page.json["items"][0]["record_id"])

        return str(self.once(section, first))

    def entry(self) -> str:
        """An entry of the journal of the patient's card: a doctor looked at it."""

        def look() -> str:
            self.clinic.clinician.api.get(f"/v1/clinic/cards/{self.patient.card_id}/summary")
            journal = self.patient.api.get(f"/v1/cards/{self.patient.card_id}/journal?limit=100")
            return next(
                str(e["entry_id"])
                for e in journal.json["items"]
                if e["actor"]["role"] == "clinician"
            )

        return look()

    def contested(self) -> Json:
        """A case about an entry of its own."""
        entry_id = self.entry()
        path = f"/v1/cards/{self.patient.card_id}/journal/{entry_id}/contest"
        answer = self.patient.api.post(path, {"text": "Зачем смотрели?"})
        assert answer.status == 201, answer
        return {**answer.json, "entry_id": entry_id}

    def order(self) -> str:
        order = {"kind": "summary", "language": "ru"}
        path = f"/v1/cards/{self.patient.card_id}/extracts"
        answer = self.patient.api.post(path, order)
        assert answer.status == 202, answer
        return str(answer.json["extract_id"])

    def extract(self) -> Json:
        """An extract that is ready, its PDF made by the worker."""
        extract_id = self.order()
        drain("ExtractsQueue")
        made: Json = self.patient.api.get(f"/v1/extracts/{extract_id}").json
        assert made["status"] == "ready", made
        return made

    def person(self) -> Person:
        """Somebody who registered, signed in by password and message just now."""
        more = {"email": self.said.email} if self.said.email else {}
        return test_auth_journey.register(
            password=self.said.password, last_name=self.said.last_name, **more
        )

    def anybody(self) -> Person:
        """Somebody whom nothing is changed of."""
        found: Person = self.once("person", self.person)
        return found

    def totp(self, person: Person) -> str:
        """Enrol an app; its secret."""
        secret = person.api.post("/v1/auth/totp").json["secret"]
        now = pyotp.TOTP(secret).now()
        assert person.api.post("/v1/auth/totp/confirm", {"code": now}).status == 200
        return str(secret)

    def challenge(self, person: Person) -> str:
        begun = login(Api(), person.phone, self.said.password)
        assert begun.status == 200, begun
        return f"/v1/auth/challenges/{begun.json['challenge_id']}"


def section_of(path: str) -> str:
    return next((s for s in ("visits", "results", "prescriptions") if s in path), "visits")


def prepare(world: World, route: str) -> Call:
    """A request of a route of docs/openapi.json (`GET /v1/cards/{card_id}/visits`), anew."""
    method, _, path = route.partition(" ")
    if route in MAKERS:
        call = MAKERS[route](world)
        call.method, call.path = method, call.path or path
        return call
    # Reads share the patient and what is theirs.
    ids: dict[str, Callable[[], str]] = {
        "card_id": lambda: world.patient.card_id,
        "record_id": lambda: world.record(section_of(path)),
        "consent_id": lambda: world.consent_id,
        "extract_id": lambda: world.once("extract", world.extract)["extract_id"],
        "import_id": lambda: world.once("import", lambda: _import(world)),
        "verification_code": lambda: world.once("extract", world.extract)["verification_code"],
        "entry_id": lambda: world.once("case", world.contested)["entry_id"],
    }
    assert method == "GET", f"{route}: a new route: say here what it takes"
    query = {"series": "?code=14771-0"}
    path = re.sub(r"\{(\w+)\}", lambda found: ids[found.group(1)](), path)
    path += query.get(path.rpartition("/")[2], "")
    match path.split("/")[2:4]:
        case ["clinic", "cards"]:
            return Call(world.clinic.clinician.api, method, path, whose=world.patient)
        case ["clinic", _]:
            return Call(world.clinic.registrar.api, method, path)
        case ["auth", _]:
            return Call(world.anybody().api, method, path)
        case ["services" | "regions" | "clinics" | "help" | "verify", *_]:
            return Call(Api(), method, path)
        case ["consents", "documents"]:
            return Call(Api(), method, path)
    if path.startswith("/.well-known"):
        return Call(Api(), method, path)
    return Call(world.patient.api, method, path, whose=world.patient)


def _import(world: World) -> str:
    path = f"/v1/clinic/cards/{world.patient.card_id}/imports"
    return str(world.clinic.clinician.api.post(path).json["import_id"])


def _key(world: World) -> dict[str, str]:
    return {"Idempotency-Key": f"key-{next(desk_world._numbers)}"}


# --- what changes something -----------------------------------------------------------------------


def _register(world: World) -> Call:
    body = test_auth_journey.registration(
        last_name=world.said.last_name, password=world.said.password
    )
    return Call(Api(), "", "", body)


def _login(world: World) -> Call:
    return Call(Api(), "", "", {"login": world.person().phone, "password": world.said.password})


def _send(world: World) -> Call:
    return Call(Api(), "", f"{world.challenge(world.person())}/send", {"method": "sms"})


def _verify(world: World) -> Call:
    person = world.person()
    path = world.challenge(person)
    assert Api().post(f"{path}/send", {"method": "sms"}).status == 202
    return Call(Api(), "", f"{path}/verify", {"method": "sms", "code": code_for(person.phone)})


def _token(world: World) -> Call:
    body = {"grant_type": "refresh_token", "refresh_token": world.person().refresh_token}
    return Call(Api(), "", "", body, headers=_key(world))


def _password(world: World) -> Call:
    body = {"current_password": world.said.password, "new_password": world.said.password + " 2"}
    return Call(world.person().api, "", "", body)


def _reset(world: World) -> Call:
    return Call(Api(), "", "", {"login": world.person().phone})


def _reset_confirm(world: World) -> Call:
    person = world.person()
    begun = Api().post("/v1/auth/password/reset", {"login": person.phone})
    body = {
        "challenge_id": begun.json["challenge_id"],
        "code": code_for(person.phone),
        "birth_date": person.body["birth_date"],
        "new_password": world.said.password + " 3",
    }
    return Call(Api(), "", "", body)


def _phone(world: World) -> Call:
    return Call(world.person().api, "", "", {"phone": test_auth_journey.new_phone()})


def _phone_confirm(world: World) -> Call:
    person, phone = world.person(), test_auth_journey.new_phone()
    begun = person.api.post("/v1/auth/phone", {"phone": phone})
    body = {"challenge_id": begun.json["challenge_id"], "code": code_for(phone)}
    return Call(person.api, "", "", body)


def _totp_confirm(world: World) -> Call:
    person = world.person()
    secret = person.api.post("/v1/auth/totp").json["secret"]
    return Call(person.api, "", "", {"code": pyotp.TOTP(secret).now()})


def _totp_delete(world: World) -> Call:
    person = world.person()
    world.totp(person)
    return Call(person.api, "", "")


def _passkey(world: World) -> Call:
    person = world.person()
    options = person.api.post("/v1/auth/passkeys/options").json["options"]
    body = {"credential": Authenticator().create(options), "name": "Телефон"}
    return Call(person.api, "", "", body)


def _passkey_delete(world: World) -> Call:
    call = _passkey(world)
    made = call.api.post("/v1/auth/passkeys", call.body)
    return Call(call.api, "", f"/v1/auth/passkeys/{made.json['passkey_id']}")


def _session_delete(world: World) -> Call:
    person = world.person()
    other = test_auth_journey.sign_in(person.phone, world.said.password)
    return Call(person.api, "", f"/v1/auth/sessions/{other['session_id']}")


def _sessions_delete(world: World) -> Call:
    person = world.person()
    test_auth_journey.sign_in(person.phone, world.said.password)
    return Call(person.api, "", "")


def _consent(world: World) -> Call:
    patient = world.open_card()
    return Call(patient.api, "", "", desk_world.document(), headers=_key(world), whose=patient)


def _withdraw(world: World) -> Call:
    patient = world.open_card()
    consent_id = world.give(patient)
    return Call(patient.api, "", f"/v1/consents/{consent_id}/withdraw", whose=patient)


def _read_notice(world: World) -> Call:
    patient = world.open_card()
    world.give(patient)
    world.fill(patient)
    (notice, *_) = patient.api.get("/v1/notifications").json["items"]
    path = f"/v1/notifications/{notice['notification_id']}/read"
    return Call(patient.api, "", path, whose=patient)


def _contest(world: World) -> Call:
    path = f"/v1/cards/{world.patient.card_id}/journal/{world.entry()}/contest"
    body = {"text": "Зачем смотрели?"}
    return Call(world.patient.api, "", path, body, headers=_key(world), whose=world.patient)


def _full(world: World) -> Patient:
    patient = world.open_card()
    world.give(patient)
    world.fill(patient)
    return patient


def _hide(shown_again: bool, section: bool) -> Callable[[World], Call]:
    def make(world: World) -> Call:
        patient = _full(world)
        path = f"/v1/cards/{patient.card_id}/"
        if section:
            path += "sections/results/hidden"
        else:
            page = patient.api.get(f"/v1/cards/{patient.card_id}/results").json
            path += f"records/{page['items'][0]['record_id']}/hidden"
        if shown_again:
            assert patient.api.put(path).status == 200
        return Call(patient.api, "", path, whose=patient)

    return make


def _extract(world: World) -> Call:
    body = {"kind": "summary", "language": "ru"}
    path = f"/v1/cards/{world.patient.card_id}/extracts"
    return Call(world.patient.api, "", path, body, headers=_key(world), whose=world.patient)


def _extract_delete(world: World) -> Call:
    made = world.extract()
    path = f"/v1/extracts/{made['extract_id']}"
    return Call(world.patient.api, "", path, whose=world.patient)


def _by_hash(world: World) -> Call:
    return Call(Api(), "", "", {"sha256": world.once("extract", world.extract)["sha256"]})


def _cda(world: World) -> Call:
    patient = world.open_card()
    document = cda.Consultation(patient.snils, birth_date="19800412")
    return Call(
        world.clinic.clinician.api,
        "",
        f"/v1/clinic/cards/{patient.card_id}/cda",
        raw=str(document),
        headers={"Content-Type": "application/xml"},
        whose=patient,
    )


def _seen(world: World) -> Call:
    patient = _full(world)
    page = patient.api.get(f"/v1/cards/{patient.card_id}/results").json
    path = f"/v1/clinic/cards/{patient.card_id}/results/{page['items'][0]['record_id']}/seen"
    return Call(world.clinic.clinician.api, "", path, whose=patient)


def _emergency(world: World) -> Call:
    patient = world.open_card()
    # There is a cap for each of them.
    clinician, clinic = desk_world.account(), world.other
    body = {"role": "clinician", "name": "Дежурный Д. Д."}
    made = desk_world.appoint(clinic.registrar, clinician, clinic.clinic_id, **body)
    assert made.status == 201, made
    body = {"snils": patient.snils, "birth_date": "1980-04-12", "reason": "без сознания"}
    return Call(clinician.api, "", "", body, headers=_key(world), whose=patient)


def _clinic(world: World) -> Call:
    body = {
        "name": "Поликлиника новая",
        "region": world.clinic.region,
        "phone": "+7 495 000-00-05",
        "address": "Москва, Лесная ул., 5",
        "connected": True,
    }
    path = f"/v1/clinic/clinics/clinic-{next(desk_world._numbers)}"
    return Call(world.operator.api, "", path, body)


def _region(world: World) -> Call:
    body = {
        "name": "Москва",
        "connected": True,
        "support": {"phone": "+7 495 000-00-01", "url": "https://help.example"},
    }
    return Call(world.operator.api, "", f"/v1/clinic/regions/{world.clinic.region}", body)


def _appointment(world: World) -> tuple[Account, Json]:
    account = desk_world.account()
    body = {"phone": account.phone, "role": "clinician", "clinic_id": world.clinic.clinic_id}
    return account, {**body, "name": "Врач Новый", "specialty": "терапевт"}


def _appoint(world: World) -> Call:
    body = _appointment(world)[1]
    return Call(world.clinic.registrar.api, "", "", body, headers=_key(world))


def _dismiss(world: World) -> Call:
    account, body = _appointment(world)
    assert world.clinic.registrar.api.post("/v1/clinic/staff", body).status == 201
    return Call(world.clinic.registrar.api, "", f"/v1/clinic/staff/{account.account_id}")


def _enter(world: World) -> Call:
    body = {
        "snils": desk_world.new_snils(),
        "last_name": world.said.last_name,
        "first_name": "Анна",
        "birth_date": "1980-04-12",
        "sex": "female",
    }
    return Call(world.clinic.registrar.api, "", "", body, headers=_key(world))


def _desk(part: str, body: Callable[[World], Any] = lambda _: None, key: bool = False) -> Any:
    def make(world: World) -> Call:
        patient = world.without_account()
        path = f"/v1/clinic/patients/{patient.patient_id}/{part}"
        headers = _key(world) if key else {}
        registrar = world.clinic.registrar.api
        return Call(registrar, "", path, body(world), headers=headers, whose=patient)

    return make


def _attach(world: World) -> Call:
    patient_id, _ = world.clinic.enter(last_name=world.said.last_name)
    path = f"/v1/clinic/patients/{patient_id}/attachment"
    return Call(world.clinic.registrar.api, "", path, {})


def _activate(world: World) -> Call:
    patient_id, _ = world.clinic.enter(last_name=world.said.last_name)
    assert world.clinic.attach(patient_id).status == 200
    path = f"/v1/clinic/patients/{patient_id}/card"
    return Call(world.clinic.registrar.api, "", path, headers=_key(world))


def _signed(world: World) -> Json:
    return {**desk_world.document(), "signed_on": clock.now().date().isoformat()}


def _merge(world: World) -> Call:
    patient, twice = world.open_card(), world.without_account()
    path = f"/v1/clinic/patients/{patient.patient_id}/merge"
    body = {"duplicate_patient_id": twice.patient_id}
    return Call(world.clinic.registrar.api, "", path, body, whose=patient)


def _at_the_desk(world: World) -> tuple[Account, str]:
    _, number = world.desk().enter(last_name=world.said.last_name)
    return desk_world.account(last_name=world.said.last_name), number


def _desk_start(world: World) -> Call:
    account, _ = _at_the_desk(world)
    return Call(world.clinic.registrar.api, "", "", {"phone": account.phone})


def _desk_verify(world: World) -> Call:
    account, number = _at_the_desk(world)
    registrar = world.clinic.registrar.api
    start = {"phone": account.phone}
    assert registrar.post("/v1/clinic/accounts/verify/start", start).status == 202
    code = desk_world.code_sent_to(account.phone)
    body = {**start, "code": code, "snils": number, "document_checked": True}
    return Call(registrar, "", "", body)


def _answer(world: World) -> Call:
    path = f"/v1/clinic/cases/{world.contested()['case_id']}/answer"
    body = {"text": "Врач готовился к консилиуму."}
    return Call(world.clinic.registrar.api, "", path, body, whose=world.patient)


def _oidc_start(world: World) -> Call:
    return Call(Api(), "", "/v1/auth/oidc/esia/start")


def _oidc_callback(world: World) -> Call:
    from tests.integration.test_auth_oidc import at_provider

    api = Api()
    begun = api.post("/v1/auth/oidc/esia/start")
    back = at_provider(begun.json["authorization_url"])
    body = {"code": back["code"], "state": back["state"]}
    return Call(api, "", "/v1/auth/oidc/esia/callback", body)


MAKERS: dict[str, Callable[[World], Call]] = {
    "POST /v1/auth/register": _register,
    "POST /v1/auth/login": _login,
    "POST /v1/auth/challenges/{challenge_id}/send": _send,
    "POST /v1/auth/challenges/{challenge_id}/verify": _verify,
    "POST /v1/auth/token": _token,
    "POST /v1/auth/password": _password,
    "POST /v1/auth/password/reset": _reset,
    "POST /v1/auth/password/reset/confirm": _reset_confirm,
    "POST /v1/auth/oidc/{provider}/start": _oidc_start,
    "POST /v1/auth/oidc/{provider}/callback": _oidc_callback,
    "POST /v1/auth/step-up": lambda world: Call(world.person().api, "", ""),
    "POST /v1/auth/logout": lambda world: Call(world.person().api, "", ""),
    "DELETE /v1/auth/sessions": _sessions_delete,
    "DELETE /v1/auth/sessions/{session_id}": _session_delete,
    "POST /v1/auth/phone": _phone,
    "POST /v1/auth/phone/confirm": _phone_confirm,
    "POST /v1/auth/totp": lambda world: Call(world.person().api, "", ""),
    "POST /v1/auth/totp/confirm": _totp_confirm,
    "DELETE /v1/auth/totp": _totp_delete,
    "POST /v1/auth/passkeys/options": lambda world: Call(world.person().api, "", ""),
    "POST /v1/auth/passkeys": _passkey,
    "DELETE /v1/auth/passkeys/{passkey_id}": _passkey_delete,
    "POST /v1/consents": _consent,
    "POST /v1/consents/{consent_id}/withdraw": _withdraw,
    "POST /v1/notifications/{notification_id}/read": _read_notice,
    "POST /v1/cards/{card_id}/journal/{entry_id}/contest": _contest,
    "PUT /v1/cards/{card_id}/records/{record_id}/hidden": _hide(False, False),
    "DELETE /v1/cards/{card_id}/records/{record_id}/hidden": _hide(True, False),
    "PUT /v1/cards/{card_id}/sections/{section}/hidden": _hide(False, True),
    "DELETE /v1/cards/{card_id}/sections/{section}/hidden": _hide(True, True),
    "POST /v1/cards/{card_id}/extracts": _extract,
    "DELETE /v1/extracts/{extract_id}": _extract_delete,
    "POST /v1/verify": _by_hash,
    "POST /v1/clinic/cards/search": lambda world: Call(
        world.clinic.clinician.api, "", "", {"snils": world.patient.snils}, whose=world.patient
    ),
    "POST /v1/clinic/cards/emergency": _emergency,
    "POST /v1/clinic/cards/{card_id}/fhir": lambda world: world.send_bundle(world.open_card()),
    "POST /v1/clinic/cards/{card_id}/cda": _cda,
    "POST /v1/clinic/cards/{card_id}/imports": lambda world: Call(
        world.clinic.clinician.api,
        "",
        f"/v1/clinic/cards/{world.patient.card_id}/imports",
        headers=_key(world),
        whose=world.patient,
    ),
    "POST /v1/clinic/cards/{card_id}/results/{record_id}/seen": _seen,
    "PUT /v1/clinic/release-rules": lambda world: Call(
        world.clinic.registrar.api, "", "", {"diagnostic": 3}
    ),
    "PUT /v1/clinic/regions/{code}": _region,
    "PUT /v1/clinic/clinics/{clinic_id}": _clinic,
    "POST /v1/clinic/staff": _appoint,
    "DELETE /v1/clinic/staff/{account_id}": _dismiss,
    "POST /v1/clinic/patients": _enter,
    "POST /v1/clinic/patients/search": lambda world: Call(
        world.clinic.registrar.api, "", "", {"snils": world.patient.snils}, whose=world.patient
    ),
    "PUT /v1/clinic/patients/{patient_id}/attachment": _attach,
    "DELETE /v1/clinic/patients/{patient_id}/attachment": _desk("attachment"),
    "POST /v1/clinic/patients/{patient_id}/card": _activate,
    "POST /v1/clinic/patients/{patient_id}/consents": _desk("consents", _signed, key=True),
    "POST /v1/clinic/patients/{patient_id}/merge": _merge,
    "POST /v1/clinic/patients/{patient_id}/death": _desk(
        "death", lambda _: {"date": clock.now().date().isoformat()}
    ),
    "POST /v1/clinic/accounts/verify/start": _desk_start,
    "POST /v1/clinic/accounts/verify": _desk_verify,
    "POST /v1/clinic/cases/{case_id}/answer": _answer,
}
