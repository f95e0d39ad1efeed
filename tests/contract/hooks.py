"""Who asks, and about whom: what Schemathesis cannot draw from docs/openapi.json.

It is loaded by Schemathesis, in an environment of its own (.venv-cases). Everybody is of the demo;
each operation is asked by whoever has it to use, about things that are there: ids are put in the
place of drawn ones in three of four cases, chosen by the case alone, so that a run can be repeated.
"""

import os
import re
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import httpx
import pyotp
import schemathesis
from schemathesis.core.parameters import ParameterLocation

API = os.environ["MEDKARTA_API"]
_RENEWED_AFTER = 240.0  # seconds; tokens live ten minutes
_STEP = 30  # seconds of a one-time password
_PATIENCE = 90  # seconds, for a time step or a code
Json = Any

# The demo's people by the last digits of their phones (local/demo/people.json). Sign-ins, consents
# and what the desk does to a patient have people of their own: they close what others read. So have
# guesses at codes and at passwords, which make their person wait before the next sign-in.
PATIENT, SIGNING_IN, CONSENTING, AT_THE_DESK = "2011", "2012", "2026", "2025"
GUESSED_AT, GUESSING = "2024", "2023"
OPERATOR, REGISTRAR, CLINICIAN = "1001", "1011", "1012"
WHO = (
    (r"/v1/auth/password$", GUESSING),
    (r"/v1/auth/", SIGNING_IN),
    (r"/v1/consents", CONSENTING),
    (r"/v1/clinic/(regions|clinics|staff)", OPERATOR),
    (r"/v1/clinic/cards", CLINICIAN),
    (r"/v1/clinic/", REGISTRAR),
    (r"/v1/", PATIENT),
)


_GIVEN = {"cursor", "since"}
# What a body names that must be there.
_NAMED = {"document_version", "document_sha256", "sha256"}
# Ids that were answered. A sequence of requests takes them from one answer to the next request.
_answered: set[str] = set()
_one_at_a_time = threading.RLock()  # Schemathesis may have several workers


@cache
def accounts() -> list[Json]:
    """Everybody of the demo."""
    found: list[Json] = httpx.get(f"{API}/_local/demo", trust_env=False).json()["accounts"]
    return found


class Person:
    """Somebody of the demo, signed in when first needed."""

    def __init__(self, digits: str) -> None:
        self.account = next(a for a in accounts() if a["login"].endswith(digits))
        self.http = httpx.Client(base_url=API, trust_env=False, timeout=60)
        self._tokens: Json = None
        self._renewed = 0.0

    def token(self) -> str:
        """An access token that lives for minutes."""
        with _one_at_a_time:
            if self._tokens is None:
                self._sign_in()
            elif time.monotonic() - self._renewed > _RENEWED_AFTER:
                body = {
                    "grant_type": "refresh_token",
                    "refresh_token": self._tokens["refresh_token"],
                }
                answer = self.http.post("/v1/auth/token", json=body)
                if answer.is_success:
                    self._keep(answer.json())
                else:
                    self._sign_in()
            return str(self._tokens["access_token"])

    def signed_out(self) -> None:
        self._tokens = None

    def call(self, method: str, path: str, body: Json = None) -> Json:
        """One request that must succeed."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        answer = self.http.request(method, path, json=body, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def challenge(self) -> str | None:
        """A sign-in of this person that waits for the second step, unless they have to wait."""
        answer = self._log_in()
        return str(answer.json()["challenge_id"]) if answer.is_success else None

    def _log_in(self) -> httpx.Response:
        credentials = {name: self.account[name] for name in ("login", "password")}
        return self.http.post("/v1/auth/login", json=credentials)

    def _sign_in(self) -> None:
        begun = self._log_in()
        if begun.status_code == 429:
            time.sleep(min(_PATIENCE, int(begun.headers["Retry-After"])))
            begun = self._log_in()
        assert begun.is_success, begun.text
        path = f"/v1/auth/challenges/{begun.json()['challenge_id']}"
        if secret := self.account.get("totp_secret"):
            code = {"method": "totp", "code": pyotp.TOTP(secret).now()}
            answer = self.http.post(f"{path}/verify", json=code)
            if answer.status_code == 401:  # this time step has served
                time.sleep(_STEP - time.time() % _STEP)
                code["code"] = pyotp.TOTP(secret).now()
                answer = self.http.post(f"{path}/verify", json=code)
        else:
            before = len(self._messages())
            sent = self.http.post(f"{path}/send", json={"method": "sms"})
            assert sent.is_success, sent.text
            text = _when(lambda: self._messages()[: len(self._messages()) - before])[0]["text"]
            found = re.search(r"\b\d{6}\b", text)
            assert found, text
            answer = self.http.post(f"{path}/verify", json={"method": "sms", "code": found[0]})
        assert answer.is_success, answer.text
        self._keep(answer.json())

    def _keep(self, tokens: Json) -> None:
        self._tokens, self._renewed = tokens, time.monotonic()

    def _messages(self) -> list[Json]:
        answer = self.http.get("/_local/outbox", params={"to": self.account["login"]})
        found: list[Json] = answer.json()
        return found


def _when(look: Callable[[], Json]) -> Json:
    """What `look` finds, as soon as it finds anything."""
    deadline = time.monotonic() + _PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.1)
    return found


@cache
def person(digits: str) -> Person:
    return Person(digits)


def who(path: str) -> Person:
    """Whoever has this operation to use."""
    return person(next(digits for pattern, digits in WHO if re.match(pattern, path)))


def things() -> dict[str, list[str]]:
    """Ids of what is there, by the names of path parameters."""
    with _one_at_a_time:
        return _made()


@cache
def _made() -> dict[str, list[str]]:
    patient, clinician, desk = person(PATIENT), person(CLINICIAN), person(REGISTRAR)
    card = patient.call("GET", "/v1/cards")["items"][0]["card_id"]
    found = {
        section: [
            str(each["record_id"])
            for each in patient.call("GET", f"/v1/cards/{card}/{section}")["items"]
        ]
        for section in ("visits", "results", "prescriptions")
    }
    clinician.call("GET", f"/v1/clinic/cards/{card}/summary")
    imported = clinician.call("POST", f"/v1/clinic/cards/{card}/imports")
    journal = patient.call("GET", f"/v1/cards/{card}/journal?limit=100")["items"]
    entries = [e["entry_id"] for e in journal if e["actor"]["role"] == "clinician"]
    contested = f"/v1/cards/{card}/journal/{entries[0]}/contest"
    patient.call("POST", contested, {"text": "Why?"})
    order = {"kind": "summary", "language": "en"}
    ordered = patient.call("POST", f"/v1/cards/{card}/extracts", order)["extract_id"]

    def ready() -> Json:
        extract = patient.call("GET", f"/v1/extracts/{ordered}")
        return extract if extract["status"] == "ready" else None

    extract = _when(ready)
    # The wider consent has no clinic: the others given while this runs are covered by it.
    document = patient.call("GET", "/v1/consents/documents/current")
    consents = person(CONSENTING).call("GET", "/v1/consents")["items"]
    if all(each["status"] != "active" or each["clinic_id"] for each in consents):
        given = {"document_version": document["version"], "document_sha256": document["sha256"]}
        consents = [person(CONSENTING).call("POST", "/v1/consents", given)]
    notices = patient.call("GET", "/v1/notifications")["items"]
    return found | {
        "card_id": [card],
        "import_id": [imported["import_id"]],
        "entry_id": entries[:3],
        "case_id": [e["case_id"] for e in desk.call("GET", "/v1/clinic/cases")["items"]],
        "extract_id": [ordered],
        "verification_code": [extract["verification_code"]],
        "sha256": [extract["sha256"]],
        "consent_id": [each["consent_id"] for each in consents],
        "account_id": [uuid.uuid4().hex],
        "document_version": [document["version"]],
        "document_sha256": [document["sha256"]],
        "notification_id": [e["notification_id"] for e in notices],
        "patient_id": [person(AT_THE_DESK).account["patient_id"]],
        "section": ["visits", "results", "prescriptions", "summary"],
        # Not the ones of the people above.
        "code": ["RU-TA"],
        "clinic_id": ["ta-volzhskaya", f"clinic-{uuid.uuid4().hex[:8]}"],
    }


def _candidates(name: str, path: str) -> list[str]:
    if name == "challenge_id":
        begun = person(GUESSED_AT).challenge()
        return [begun] if begun else []
    if name == "record_id":
        sections = ("visits", "results", "prescriptions")
        return things()[next((s for s in sections if s in path), "results")]
    return things().get(name, [])


def _is_spared(name: str, value: str) -> bool:
    """Whether a sequence must not change this: clinics, workers and patients that others need."""
    if name == "patient_id":
        others = {account.get(name) for account in accounts()} - {*things()[name]}
        return value in others
    return name in ("account_id", "clinic_id", "code") and value in _answered


class SignedIn:
    """The token of whoever has the operation to use; none where none is asked for."""

    def get(self, case: Any, context: Any) -> str | None:
        if context.operation.definition.raw.get("security") == []:
            return None
        return who(case.path).token()

    def set(self, case: Any, token: str | None, context: Any) -> None:
        if token is not None:
            case.headers["Authorization"] = f"Bearer {token}"


def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Put what is there in the place of what was drawn."""
    drawn = [case.operation.label, case.path_parameters, case.query, case.body]
    chosen = zlib.crc32(repr(drawn).encode("utf-8", "surrogatepass"))
    meta = case.meta
    exchanged = bool(chosen % 4)
    in_path = exchanged and not meta.is_negative_at(ParameterLocation.PATH)
    in_body = exchanged and not meta.is_negative_at(ParameterLocation.BODY)
    for name, value in (case.path_parameters or {}).items():
        drawn_alone = in_path and str(value) not in _answered
        found = _candidates(name, case.path) if drawn_alone or _is_spared(name, str(value)) else []
        if found:
            case.path_parameters[name] = found[chosen // 4 % len(found)]
    if in_body and isinstance(case.body, dict):
        for name in _NAMED & case.body.keys():
            case.body[name] = things()[name][0]
    # These are what the answer before gave, and no other string is one.
    if case.query and not meta.is_negative_at(ParameterLocation.QUERY):
        for name in _GIVEN & case.query.keys():
            del case.query[name]
    # One key and two bodies are a mismatch.
    if "Idempotency-Key" in case.headers and not meta.is_negative_at(ParameterLocation.HEADER):
        case.headers["Idempotency-Key"] = f"{chosen}-{case.headers['Idempotency-Key'][:200]}"


def after_call(context: Any, case: Any, response: Any) -> None:
    """Put right what would close the way of the next ones; keep what a sequence may go on with."""
    ends = case.path in ("/v1/auth/logout", "/v1/auth/sessions") or "session_id" in case.path
    if ends and response.status_code == 204:
        person(SIGNING_IN).signed_out()
    if case.path.endswith("/hidden") and response.status_code == 200:
        person(PATIENT).call("DELETE", response.request.path_url)
    if response.status_code < 300 and response.content:
        _answered.update(_ids(response.json()))


def _ids(answered: Json) -> Iterator[str]:
    """The values of all fields that are named as ids."""
    if isinstance(answered, list):
        for each in answered:
            yield from _ids(each)
    elif isinstance(answered, dict):
        for name, value in answered.items():
            if isinstance(value, str) and (name.endswith("_id") or name == "code"):
                yield value
            else:
                yield from _ids(value)


schemathesis.auth(refresh_interval=None)(SignedIn)
schemathesis.hook("before_call")(before_call)
schemathesis.hook("after_call")(after_call)
