"""The way of a person through sign-in, over HTTP, as a client sees it."""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pyotp
import pytest

from local import stack

PASSWORD = "высокий тополь у реки"
NEW_PASSWORD = "совсем другой пароль"


@pytest.fixture
def http(running: stack.Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.base_url, timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def code(running: stack.Running) -> Callable[[str], str]:
    """The code of the newest message to a phone, once it is there: messages go by a queue."""

    def wait(phone: str, but: str = "") -> str:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for message in running.outbox(phone)[:1]:
                found = re.findall(r"(?<!\d)\d{6}(?!\d)", message["text"])
                if found and found[0] != but:
                    return str(found[0])
            time.sleep(0.2)
        raise AssertionError("no code came")

    return wait


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def test_the_whole_way(http: httpx.Client, code: Callable[..., str]) -> None:
    phone = f"+7905{secrets.randbelow(10**7):07}"
    person = {"last_name": "Волконский", "first_name": "Андрей", "birth_date": "1983-05-20"}
    begun = ok(
        http.post("/v1/auth/register", json={"phone": phone, "password": PASSWORD, **person}), 202
    )
    first = code(phone)
    path = f"/v1/auth/challenges/{begun['challenge_id']}/verify"
    tokens = ok(http.post(path, json={"method": "sms", "code": first}))
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert ok(http.get("/v1/auth/account", headers=bearer))["first_name"] == "Андрей"

    # Anyone can verify the token by the published keys.
    keys = ok(http.get("/.well-known/jwks.json"))["keys"]
    kid = jwt.get_unverified_header(tokens["access_token"])["kid"]
    key = jwt.PyJWK(next(key for key in keys if key["kid"] == kid))
    audience = jwt.decode(tokens["access_token"], options={"verify_signature": False})["aud"]
    jwt.decode(tokens["access_token"], key, algorithms=["ES256"], audience=audience)
    assert len(keys) >= 3

    # An app, then signing in by it on another device.
    secret = ok(http.post("/v1/auth/totp", headers=bearer))["secret"]
    body = {"code": pyotp.TOTP(secret).now()}
    recovery = ok(http.post("/v1/auth/totp/confirm", json=body, headers=bearer))["recovery_codes"]
    offered = ok(http.post("/v1/auth/login", json={"login": phone, "password": PASSWORD}))
    assert {"totp", "recovery_code", "sms"} == {each["method"] for each in offered["methods"]}
    path = f"/v1/auth/challenges/{offered['challenge_id']}/verify"
    other = ok(http.post(path, json={"method": "recovery_code", "code": recovery[0]}))
    listed = ok(http.get("/v1/auth/sessions", headers=bearer))["items"]
    assert {each["session_id"] for each in listed} == {tokens["session_id"], other["session_id"]}

    # Carrying on; a second use ends the other session.
    body = {"grant_type": "refresh_token", "refresh_token": other["refresh_token"]}
    key_of_mine = {"Idempotency-Key": "one"}
    successor = ok(http.post("/v1/auth/token", json=body, headers=key_of_mine))
    again = ok(http.post("/v1/auth/token", json=body, headers=key_of_mine))
    assert again["refresh_token"] == successor["refresh_token"]
    assert http.post("/v1/auth/token", json=body).json()["code"] == "session_revoked"

    # A fresh second step, a new password, and out.
    challenge = ok(http.post("/v1/auth/step-up", headers=bearer))["challenge_id"]
    path = f"/v1/auth/challenges/{challenge}/verify"
    ok(http.post(path, json={"method": "recovery_code", "code": recovery[1]}))
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    ok(http.post("/v1/auth/password", json=change, headers=bearer), 204)
    ok(http.post("/v1/auth/logout", headers=bearer), 204)
    out = http.get("/v1/auth/account", headers=bearer)
    assert (out.status_code, out.json()["code"]) == (401, "session_revoked")

    # Forgotten, and set anew by the code and the app.
    begun = ok(http.post("/v1/auth/password/reset", json={"login": phone}), 202)
    reset = {
        "challenge_id": begun["challenge_id"],
        "code": code(phone, but=first),
        "totp_code": pyotp.TOTP(secret).at(int(time.time()) + 30),
        "new_password": PASSWORD,
    }
    ok(http.post("/v1/auth/password/reset/confirm", json=reset), 204)
    ok(http.post("/v1/auth/login", json={"login": phone, "password": PASSWORD}))


def test_without_a_provider_there_is_no_such_route(http: httpx.Client) -> None:
    for path, body in (
        ("start", None),
        ("callback", {"code": "c", "state": "s"}),
    ):
        answer = http.post(f"/v1/auth/oidc/esia/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
