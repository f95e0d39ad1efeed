"""Fill an empty stack with the demo: people, clinics and cards, by the routes that all use.

Nothing is written into tables: people register and confirm by text message, the operator connects
clinics, registrars verify accounts and activate cards, clinicians send FHIR Bundles. Only the first
operator is appointed by the bootstrap function, as in a real deployment.
"""

import json
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pyotp

from local.demo.clinical import bundles
from local.deploy import Deployed

Json = dict[str, Any]
Outbox = Callable[[str], list[Json]]
_PEOPLE = Path(__file__).parent / "people.json"
_MESSAGE_SECONDS = 20
_STEP = 30  # seconds of a one-time password


class DemoFailed(RuntimeError):
    """A step of the demo was refused: the message says which, and what the API answered."""


class Session:
    """One person at the API."""

    def __init__(self, http: httpx.Client, outbox: Outbox, person: Json) -> None:
        self.person = person
        self.totp_secret: str | None = None
        self._outbox = outbox
        self._seen = 0
        self._http = http

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """One request that must succeed. Raises DemoFailed."""
        answer = self._http.request(method, path, json=body)
        if not answer.is_success:
            raise DemoFailed(f"{method} {path}: {answer.status_code} {answer.text}")
        document: Json = answer.json() if answer.content else {}
        return document

    def register(self) -> None:
        """Make the account, and sign in."""
        known = ("phone", "password", "last_name", "first_name", "birth_date")
        optional = ("middle_name", "email", "snils")
        body = {name: self.person[name] for name in known}
        body |= {name: self.person[name] for name in optional if self.person.get(name)}
        challenge = self.call("POST", "/v1/auth/register", body)
        self._verify(challenge["challenge_id"], "sms", self.next_code())

    def next_code(self) -> str:
        """The code of the next text message to this person's phone."""
        deadline = time.monotonic() + _MESSAGE_SECONDS
        while time.monotonic() < deadline:
            messages = self._outbox(self.person["phone"])
            if len(messages) > self._seen:
                fresh = messages[: len(messages) - self._seen]
                self._seen = len(messages)
                for message in fresh:
                    if code := re.search(r"\b\d{6}\b", message["text"]):
                        return code.group()
            time.sleep(0.1)
        raise DemoFailed(f"no code came to {self.person['phone']}")

    def enrol_app(self) -> None:
        """Add an authenticator app, and sign in with it: a worker's roles need it."""
        self.totp_secret = self.call("POST", "/v1/auth/totp")["secret"]
        app = pyotp.TOTP(self.totp_secret)
        # Each time step serves once: the one before for enrolling, this one for signing in.
        now = time.time()
        self.call("POST", "/v1/auth/totp/confirm", {"code": app.at(now - _STEP)})
        self.sign_in(app.at(now))

    def sign_in(self, code: str) -> None:
        """Sign in with password and a code of the app."""
        credentials = {"login": self.person["phone"], "password": self.person["password"]}
        challenge = self.call("POST", "/v1/auth/login", credentials)
        self._verify(challenge["challenge_id"], "totp", code)

    def _verify(self, challenge_id: str, method: str, code: str) -> None:
        path = f"/v1/auth/challenges/{challenge_id}/verify"
        tokens = self.call("POST", path, {"method": method, "code": code})
        self._http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        self.refresh_token = tokens["refresh_token"]
        self.account = tokens["account"]

    def refresh(self) -> None:
        """New tokens, which say what the account has become."""
        body = {"grant_type": "refresh_token", "refresh_token": self.refresh_token}
        tokens = self.call("POST", "/v1/auth/token", body)
        self._http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        self.refresh_token, self.account = tokens["refresh_token"], tokens["account"]


def load(base_url: str, outbox: Outbox, deployed: Deployed) -> Json:
    """Load the demo into a running stack; what `GET /_local/demo` tells.

    Raises:
        DemoFailed
    """

    def client() -> httpx.Client:
        headers = {"User-Agent": "Medkarta demo"}
        return httpx.Client(base_url=base_url, timeout=60, trust_env=False, headers=headers)

    def appoint_operator(phone: str) -> None:
        functions = deployed.client("lambda")
        answer = functions.invoke(
            FunctionName=deployed.resources["BootstrapFunction"],
            Payload=json.dumps({"phone": phone}),
        )
        functions.close()
        if "FunctionError" in answer:
            raise DemoFailed(f"the operator could not be appointed: {answer['Payload'].read()!r}")

    return {"api": base_url, "accounts": fill(client, outbox, appoint_operator)}


def fill(
    client: Callable[[], httpx.Client], outbox: Outbox, appoint_operator: Callable[[str], None]
) -> list[Json]:
    """Walk everybody through the API; the accounts that there are then.

    Raises:
        DemoFailed
    """
    people = json.loads(_PEOPLE.read_text("utf-8"))
    staff = {p["key"]: Session(client(), outbox, p) for p in people["staff"]}
    patients = {p["key"]: Session(client(), outbox, p) for p in people["patients"]}
    clinical = bundles()
    with ExitStack() as closing, ThreadPoolExecutor(max_workers=6) as pool:
        for session in (*staff.values(), *patients.values()):
            closing.callback(session.close)
        _each(pool, Session.register, [*staff.values(), *patients.values()])
        operator = staff["operator"]
        appoint_operator(operator.person["phone"])
        operator.enrol_app()
        _connect(operator, people, connected=True)
        for role in ("registrar", "clinician"):
            chosen = [s for s in staff.values() if s.person["role"] == role]
            for session in chosen:
                appointing = operator if role == "registrar" else _registrar(staff, session.person)
                appointing.call("POST", "/v1/clinic/staff", _appointment(session.person))
            _each(pool, Session.enrol_app, chosen)
        _each(
            pool,
            lambda patient: _make_patient(patient, staff, clinical.get(patient.person["key"])),
            patients.values(),
        )
        _connect(operator, people, connected=False)
    return [_account(session) for session in (*patients.values(), *staff.values())]


def _make_patient(patient: Session, staff: dict[str, Session], bundle: Json | None) -> None:
    """Bring a patient as far as the demo wants them: all the way, or to the step that fails."""
    person, failing = patient.person, patient.person["failing_step"]
    desk = _registrar(staff, person)
    known = ("snils", "last_name", "first_name", "birth_date", "sex")
    entered = {name: person[name] for name in known}
    entered |= {n: person[n] for n in ("middle_name", "policy_number") if person.get(n)}
    patient_id = desk.call("POST", "/v1/clinic/patients", entered)["patient_id"]
    if failing != "account_verified":
        desk.call("POST", "/v1/clinic/accounts/verify/start", {"phone": person["phone"]})
        checked = {
            "phone": person["phone"],
            "code": patient.next_code(),
            "snils": person["snils"],
            "document_checked": True,
        }
        desk.call("POST", "/v1/clinic/accounts/verify", checked)
        patient.refresh()
    desk.call("PUT", f"/v1/clinic/patients/{patient_id}/attachment", {})
    if failing != "card_activated":
        card_id = desk.call("POST", f"/v1/clinic/patients/{patient_id}/card")["card_id"]
        if bundle is not None:
            doctor = _clinician(staff, person)
            doctor.call("POST", f"/v1/clinic/cards/{card_id}/fhir", bundle)
    if failing not in ("account_verified", "consent_given"):
        document = patient.call("GET", "/v1/consents/documents/current")
        given = {"document_version": document["version"], "document_sha256": document["sha256"]}
        patient.call("POST", "/v1/consents", given)
    if failing == "attached":
        desk.call("DELETE", f"/v1/clinic/patients/{patient_id}/attachment")


def _connect(operator: Session, people: Json, *, connected: bool) -> None:
    """Enter regions and clinics: all connected at first, then as the demo says."""
    for region in people["regions"]:
        body = {"name": region["name"], "support": region["support"]}
        body["connected"] = connected or region["connected"]
        operator.call("PUT", f"/v1/clinic/regions/{region['code']}", body)
    for clinic in people["clinics"]:
        body = {name: clinic[name] for name in ("name", "region", "phone", "address")}
        body["connected"] = connected or clinic["connected"]
        operator.call("PUT", f"/v1/clinic/clinics/{clinic['clinic_id']}", body)


def _appointment(person: Json) -> Json:
    names = ("phone", "role", "clinic_id", "name", "specialty")
    return {name: person[name] for name in names if person.get(name)}


def _registrar(staff: dict[str, Session], person: Json) -> Session:
    return _worker(staff, person, "registrar")


def _clinician(staff: dict[str, Session], person: Json) -> Session:
    return _worker(staff, person, "clinician")


def _worker(staff: dict[str, Session], person: Json, role: str) -> Session:
    clinic_id = person["clinic_id"]
    return next(
        s for s in staff.values() if s.person["role"] == role and s.person["clinic_id"] == clinic_id
    )


def _account(session: Session) -> Json:
    person, account = session.person, session.account
    told: Json = {
        "login": person["phone"],
        "password": person["password"],
        "level": account["level"],
        "roles": account["roles"],
        "note": person["note"],
    }
    if account.get("patient_id"):
        told["patient_id"] = account["patient_id"]
    if person.get("role"):
        told["roles"] = [person["role"]]
        told["totp_secret"] = session.totp_secret
    if person.get("clinic_id"):
        told["clinic_id"] = person["clinic_id"]
    return told


def _each(
    pool: ThreadPoolExecutor, work: Callable[[Session], None], sessions: Iterable[Session]
) -> None:
    for done in [pool.submit(work, session) for session in sessions]:
        done.result()
