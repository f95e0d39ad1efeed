"""Passkeys, made and used by an authenticator in software."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.gateway import Api, outbox
from tests.integration.test_auth_journey import (
    Person,
    code_for,
    enrol,
    login,
    part,
    refreshed,
    register,
    sign_in,
)

cbor2 = pytest.importorskip("cbor2")
pytest.importorskip("webauthn")
pytestmark = pytest.mark.usefixtures("aws")

ORIGIN = "https://portal.example"
_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@dataclass
class Authenticator:
    """One passkey, as a phone or a key would hold it (WebAuthn Level 3 §6)."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 0
    host: str = "portal.example"
    origin: str = ORIGIN
    flags: int = _PRESENT | _VERIFIED

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = (
            bytes(16)
            + len(self.credential_id).to_bytes(2)
            + self.credential_id
            + cbor2.dumps(public)
        )
        data = self._data(self.flags | _ATTESTED) + attested
        statement = {"fmt": "none", "attStmt": {}, "authData": data}
        return self._credential(
            clientDataJSON=b64url(self._client_data("webauthn.create", options)),
            attestationObject=b64url(cbor2.dumps(statement)),
        )

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        self.count += 1
        data = self._data(self.flags)
        client = self._client_data("webauthn.get", options)
        signed = data + hashlib.sha256(client).digest()
        return self._credential(
            clientDataJSON=b64url(client),
            authenticatorData=b64url(data),
            signature=b64url(self.key.sign(signed, ec.ECDSA(hashes.SHA256()))),
        )

    def _data(self, flags: int) -> bytes:
        host = hashlib.sha256(self.host.encode()).digest()
        return host + bytes([flags]) + self.count.to_bytes(4)

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        data = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps(data).encode()

    def _credential(self, **response: str) -> dict[str, Any]:
        name = b64url(self.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        }


def bind(person: Person, **options: Any) -> Authenticator:
    authenticator = Authenticator(**options)
    asked = person.api.post("/v1/auth/passkeys/options").json["options"]
    made = person.api.post(
        "/v1/auth/passkeys", {"credential": authenticator.create(asked), "name": "Телефон"}
    )
    assert made.status == 201, made
    assert made.json["passkey_id"] == b64url(authenticator.credential_id)
    return authenticator


def ask(api: Api, challenge: str) -> dict[str, Any]:
    asked = api.post(f"/v1/auth/challenges/{challenge}/send", {"method": "passkey"})
    assert asked.status == 200, asked
    found: dict[str, Any] = asked.json["options"]
    return found


def answer(api: Api, challenge: str, credential: dict[str, Any]) -> Any:
    path = f"/v1/auth/challenges/{challenge}/verify"
    return api.post(path, {"method": "passkey", "credential": credential})


def test_a_passkey_signs_in() -> None:
    person = register()
    other = sign_in(person.phone)
    authenticator = bind(person)
    assert Api(token=other["access_token"]).get("/v1/auth/account").status == 401
    assert "способ подтверждения" in outbox(person.phone)[0]
    api = Api()
    offered = login(api, person.phone).json
    assert {"method": "passkey"} in offered["methods"]
    options = ask(api, offered["challenge_id"])
    assert options["userVerification"] == "required"
    assert options["rpId"] == "portal.example"
    assert [c["id"] for c in options["allowCredentials"]] == [b64url(authenticator.credential_id)]
    credential = authenticator.get(options)
    passed = answer(api, offered["challenge_id"], credential)
    assert passed.status == 200, passed
    assert part(passed.json["access_token"], 1)["amr"] == ["pwd", "pop", "mfa"]
    assert answer(api, offered["challenge_id"], credential).json["code"] == "challenge_expired"
    listed = person.api.get("/v1/auth/passkeys").json["items"]
    assert [p["name"] for p in listed] == ["Телефон"]
    assert listed[0]["last_used_at"]
    assert person.api.get("/v1/auth/account").json["factors"]["passkeys"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"flags": _PRESENT},
        {"origin": "https://evil.example"},
        {"host": "evil.example"},
        {"key": ec.generate_private_key(ec.SECP256R1())},
        {"credential_id": b"x" * 32},
        {"count": -1},
    ],
    ids=["not verified", "origin", "host", "key", "id", "cloned"],
)
def test_another_answer_is_a_wrong_code(change: dict[str, Any]) -> None:
    person = register()
    authenticator = bind(person, count=5)
    api = Api()
    challenge = login(api, person.phone).json["challenge_id"]
    for name, value in change.items():
        setattr(authenticator, name, 3 if name == "count" else value)
    refused = answer(api, challenge, authenticator.get(ask(api, challenge)))
    assert (refused.status, refused.json["code"]) == (401, "code_invalid")


def test_an_answer_to_another_challenge_is_a_wrong_code() -> None:
    person = register()
    authenticator = bind(person)
    api = Api()
    first, second = (login(api, person.phone).json["challenge_id"] for _ in range(2))
    credential = authenticator.get(ask(api, first))
    ask(api, second)
    assert answer(api, second, credential).json["code"] == "code_invalid"
    assert answer(api, first, credential).status == 200


@pytest.mark.parametrize("credential", [{}, {"id": 1}, {"id": None, "response": []}])
def test_nonsense_is_a_wrong_code(credential: dict[str, Any]) -> None:
    person = register()
    authenticator = bind(person)
    api = Api()
    challenge = login(api, person.phone).json["challenge_id"]
    ask(api, challenge)
    assert answer(api, challenge, credential).json["code"] == "code_invalid"
    nonsense = {**authenticator.get({"challenge": "AA"}), **{"response": credential}}
    assert answer(api, challenge, nonsense).json["code"] == "code_invalid"


def test_making_needs_verification_and_serves_once() -> None:
    person = register()
    asked = person.api.post("/v1/auth/passkeys/options").json["options"]
    unverified = Authenticator(flags=_PRESENT).create(asked)
    refused = person.api.post("/v1/auth/passkeys", {"credential": unverified})
    assert refused.json["code"] == "code_invalid"
    good = Authenticator().create(asked)
    again = person.api.post("/v1/auth/passkeys", {"credential": good})
    assert again.json["code"] == "challenge_expired"


def test_a_passkey_is_removed() -> None:
    person = register()
    authenticator = bind(person)
    path = f"/v1/auth/passkeys/{b64url(authenticator.credential_id)}"
    assert register().api.delete(path).status == 404
    assert person.api.delete(path).status == 204
    assert person.api.delete(path).status == 404
    methods = login(Api(), person.phone).json["methods"]
    assert [m["method"] for m in methods] == ["sms"]


def test_a_lost_answer_is_given_again() -> None:
    person = register()
    key = {"Idempotency-Key": "one"}
    asked = person.api.post("/v1/auth/passkeys/options").json["options"]
    unverified = {"credential": Authenticator(flags=_PRESENT).create(asked)}
    assert person.api.post("/v1/auth/passkeys", unverified, headers=key).status == 401
    # What was refused leaves its key free.
    asked = person.api.post("/v1/auth/passkeys/options").json["options"]
    body = {"credential": Authenticator().create(asked), "name": "Телефон"}
    first = person.api.post("/v1/auth/passkeys", body, headers=key)
    again = person.api.post("/v1/auth/passkeys", body, headers=key)
    assert (first.status, first.json) == (201, again.json)
    assert again.status == 201
    assert len(person.api.get("/v1/auth/passkeys").json["items"]) == 1
    other = person.api.post("/v1/auth/passkeys", {**body, "name": "Ключ"}, headers=key)
    assert (other.status, other.json["code"]) == (422, "idempotency_mismatch")


def test_removing_the_last_passkey_takes_the_roles_with_it() -> None:
    from auth import bootstrap

    person = register()
    bootstrap.handler({"phone": person.phone}, None)
    first, second = bind(person), bind(person)
    for authenticator, roles in ((first, ["operator"]), (second, [])):
        gone = f"/v1/auth/passkeys/{b64url(authenticator.credential_id)}"
        assert person.api.delete(gone).status == 204
        assert person.api.get("/v1/auth/account").json["roles"] == roles
    assert refreshed(person.refresh_token).json["account"]["roles"] == []


def test_two_removals_at_once_do_not_give_back_what_the_other_took() -> None:
    from auth import handler
    from auth.caller import APP, Caller
    from kernel import accounts, clock, dynamo
    from kernel.errors import Conflict
    from kernel.identity import AccountId, SessionId

    person = register()
    authenticator = bind(person)
    enrol(person)
    account_id = AccountId(person.answer["account"]["account_id"])
    session_id = SessionId(person.answer["session_id"])
    table = handler._settings.accounts_table
    places = (
        accounts.state_lookup(table, account_id),
        accounts.session_lookup(table, account_id, session_id),
    )
    state, session = (dynamo.get(table, {"pk": each.pk, "sk": each.sk}) or {} for each in places)
    before = accounts.actor(account_id, session_id, state, session)
    gone = f"/v1/auth/passkeys/{b64url(authenticator.credential_id)}"
    assert person.api.delete(gone).status == 204
    with pytest.raises(Conflict):
        handler._own.remove_totp(before, Caller("192.0.2.1", "test", "ru", clock.now(), APP))
    assert person.api.get("/v1/auth/account").json["factors"]["totp"] is True
    assert person.api.delete("/v1/auth/totp").status == 204


def test_a_worker_with_a_passkey_has_roles() -> None:
    from auth import bootstrap

    person = register()
    bootstrap.handler({"phone": person.phone}, None)
    authenticator = bind(person)
    assert person.api.get("/v1/auth/account").json["roles"] == ["operator"]
    api = Api()
    offered = login(api, person.phone).json
    assert [m["method"] for m in offered["methods"]] == ["passkey"]
    passed = answer(
        api, offered["challenge_id"], authenticator.get(ask(api, offered["challenge_id"]))
    )
    assert passed.json["account"]["roles"] == ["operator"]


def test_a_reset_with_a_passkey_needs_the_passkey() -> None:
    person = register()
    authenticator = bind(person)
    api = Api()
    begun = api.post("/v1/auth/password/reset", {"login": person.phone}).json
    body = {
        "challenge_id": begun["challenge_id"],
        "code": code_for(person.phone),
        "birth_date": "1980-03-08",
        "new_password": "совсем другой пароль",
    }
    path = "/v1/auth/password/reset/confirm"
    assert api.post(path, body).json["code"] == "code_invalid"
    options = ask(api, begun["challenge_id"])
    assert not options.get("allowCredentials")
    assert api.post(path, {**body, "credential": authenticator.get(options)}).status == 204
