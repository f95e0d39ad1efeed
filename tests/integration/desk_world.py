"""People made by the code that makes them in production, signed in without the ceremony.

Accounts are put as registration leaves them; everything after that goes through the routes.
"""

import itertools
import os
import random
from dataclasses import dataclass, field
from typing import Any

from kernel import clock, dynamo, ids, snils
from kernel.identity import AccountId, SessionId
from tests.gateway import Api, Response

_numbers = itertools.count(random.randrange(10**5, 10**6) * 1000)


def new_snils() -> str:
    """A СНИЛС that no other test has."""
    number = f"{next(_numbers) % 900_000_000 + 100_000_000:09d}"
    return number + snils.check_digits(number)


def new_phone() -> str:
    return f"+79{next(_numbers) % 1_000_000_000:09d}"


@dataclass
class Account:
    """An account, and what its person says of themselves."""

    account_id: AccountId
    phone: str
    person: dict[str, Any]
    api: Api = field(default_factory=Api)

    def sign_in(self) -> Api:
        """A client with a new session; its token says what the account is now.

        The session counts as fresh however long the tests take.
        """
        from auth import tokens
        from kernel import accounts

        now = clock.now()
        moment = clock.epoch(now)
        session_id = SessionId(ids.time_ordered(now))
        session = {
            "pk": f"ACCOUNT#{self.account_id}",
            "sk": f"SESSION#{session_id}",
            "session_id": session_id,
            # A worker's role counts only in a session with an authenticator app.
            "amr": ["pwd", "otp" if self.state()["appointments"] else "sms"],
            "idle_expires_at": moment + 86400,
            "absolute_expires_at": moment + 86400,
            "fresh_until": moment + 86400,
            "created_at": moment,
            "last_seen_at": moment,
            "user_agent": "tests",
        }
        table = os.environ["ACCOUNTS_TABLE"]
        dynamo.put(table, session)
        actor = accounts.actor(self.account_id, session_id, self.state(), session)
        payload = tokens.claims(
            actor,
            issuer=os.environ["ISSUER"],
            audience=os.environ["AUDIENCE"],
            client="tests",
            now=now,
        )
        lifetime = payload["exp"] - payload["iat"]

        def token() -> str:
            """Of this session, with the claims of the sign-in, whatever is true by now."""
            issued = clock.epoch(clock.now())
            times = {"iat": issued, "exp": issued + lifetime}
            return tokens.sign(os.environ["TOKEN_KEY_ID"], payload | times)

        self.api = Api(token=token(), renew=token)
        return self.api

    def state(self) -> dict[str, Any]:
        key = {"pk": f"ACCOUNT#{self.account_id}", "sk": "STATE"}
        return dynamo.get(os.environ["ACCOUNTS_TABLE"], key) or {}


def account(*, appointments: list[dict[str, Any]] | None = None, **person: Any) -> Account:
    """An account with a confirmed phone, at the level that registration gives."""
    from kernel.profiles import Profile, Profiles, keyring, owner

    account_id = AccountId(ids.time_ordered(clock.now()))
    phone = new_phone()
    person = {
        "last_name": "Соловьёва",
        "first_name": "Анна",
        "middle_name": "Петровна",
        "birth_date": "1980-04-12",
        **person,
    }
    keys = keyring(os.environ["KEYS_TABLE"], os.environ["IDENTITY_KEY_ID"])
    profiles = Profiles(os.environ["IDENTITY_TABLE"], keys, os.environ["LOOKUP_KEY_ID"])
    keys.create(owner(account_id))
    dynamo.transact(
        profiles.create_action(Profile(account_id=account_id, phone=phone, **person)),
        profiles.login_action(phone, account_id),
    )
    state = {
        "pk": f"ACCOUNT#{account_id}",
        "sk": "STATE",
        "level": "standard",
        "appointments": appointments or [],
    }
    dynamo.put(os.environ["ACCOUNTS_TABLE"], state)
    password = {"pk": state["pk"], "sk": "PASSWORD", "hash": "-", "changed_at": 0, "version": 1}
    dynamo.put(os.environ["IDENTITY_TABLE"], password)
    made = Account(account_id, phone, person)
    made.sign_in()
    return made


@dataclass
class Clinic:
    """A connected clinic with a registrar and a clinician."""

    clinic_id: str
    region: str
    operator: Account
    registrar: Account
    clinician: Account

    def enter(self, **person: Any) -> tuple[str, str]:
        """A new person in the registry: their id and СНИЛС."""
        number = new_snils()
        body = {
            "snils": snils.formatted(number),
            "last_name": "Соловьева",
            "first_name": "АННА",
            "middle_name": "Петровна",
            "birth_date": "1980-04-12",
            "sex": "female",
            **person,
        }
        answer = self.registrar.api.post("/v1/clinic/patients", body)
        assert answer.status == 201, answer
        return answer.json["patient_id"], number

    def attach(self, patient_id: str) -> Response:
        return self.registrar.api.put(f"/v1/clinic/patients/{patient_id}/attachment", {})

    def activate(self, patient_id: str) -> str:
        answer = self.registrar.api.post(f"/v1/clinic/patients/{patient_id}/card")
        assert answer.status == 201, answer
        return str(answer.json["card_id"])

    def verify(self, person: Account, number: str) -> Response:
        """Both halves of the verification at the desk; the person is signed in anew."""
        start = {"phone": person.phone}
        assert self.registrar.api.post("/v1/clinic/accounts/verify/start", start).status == 202
        body = {
            "phone": person.phone,
            "code": code_sent_to(person.phone),
            "snils": number,
            "document_checked": True,
        }
        answer = self.registrar.api.post("/v1/clinic/accounts/verify", body)
        person.sign_in()
        return answer

    def patient(self) -> "Patient":
        """A verified patient with an activated card, and no consent yet."""
        patient_id, number = self.enter()
        assert self.attach(patient_id).status == 200
        card_id = self.activate(patient_id)
        person = account()
        answer = self.verify(person, number)
        assert answer.status == 200, answer
        return Patient(person, patient_id, number, card_id)


@dataclass
class Patient:
    account: Account
    patient_id: str
    snils: str
    card_id: str

    @property
    def api(self) -> Api:
        return self.account.api


def operator() -> Account:
    """An operator, as the bootstrap function leaves one."""
    name = "Оператор Системы"
    held = {"role": "operator", "clinic_id": None, "name": name, "specialty": None}
    return account(appointments=[held])


def clinic(region: str = "RU-MOW", by: Account | None = None) -> Clinic:
    """A clinic of its own, set up through the routes."""
    by = by or operator()
    clinic_id = f"clinic-{next(_numbers)}"
    body: dict[str, Any] = {"name": "Москва", "connected": True}
    body["support"] = {"phone": "+7 495 000-00-01", "url": "https://help.example"}
    assert by.api.put(f"/v1/clinic/regions/{region}", body).status == 200
    body = {
        "name": f"Поликлиника № {clinic_id[-4:]}",
        "region": region,
        "phone": "+7 495 000-00-05",
        "address": "Москва, Лесная ул., 5",
        "connected": True,
    }
    assert by.api.put(f"/v1/clinic/clinics/{clinic_id}", body).status == 200
    registrar, clinician = account(), account()
    registrar_body = {"role": "registrar", "name": "Регистратор Р. Р."}
    clinician_body = {"role": "clinician", "name": "Врач В. В.", "specialty": "терапевт"}
    assert appoint(by, registrar, clinic_id, **registrar_body).status == 201
    assert appoint(registrar, clinician, clinic_id, **clinician_body).status == 201
    return Clinic(clinic_id, region, by, registrar, clinician)


def appoint(by: Account, whom: Account, clinic_id: str, **body: str) -> Response:
    answer = by.api.post("/v1/clinic/staff", {"phone": whom.phone, "clinic_id": clinic_id, **body})
    whom.sign_in()
    return answer


def code_sent_to(phone: str) -> str:
    """The code in the newest text message to a phone."""
    from tests.gateway import outbox

    text = outbox(phone)[0]
    return next(word for word in text.replace(",", " ").split() if word.isdigit())


def document(api: Api | None = None) -> dict[str, str]:
    """What a consent to the current text says of it."""
    current = (api or Api()).get("/v1/consents/documents/current").json
    return {"document_version": current["version"], "document_sha256": current["sha256"]}


def refused(answer: Response, status: int, code: str) -> bool:
    """Whether it is this refusal, which is asserted, so that a failure shows the answer."""
    assert (answer.status, answer.json["code"]) == (status, code), answer
    return True
