"""Signing in, carrying on and signing out, through the real handlers and the real authorizer."""

import base64
import itertools
import json
import os
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

import pyotp
import pytest

from kernel import clock, dynamo
from kernel.caps import DAY, Caps
from tests.conftest import PARAMETERS
from tests.gateway import Api, Response, drain, outbox

pytestmark = pytest.mark.usefixtures("aws")

PASSWORD = "высокий тополь у реки"
_numbers = itertools.count(secrets.randbelow(9_000_000) + 1_000_000)
_steps = itertools.count(-1)


def new_phone() -> str:
    return f"+7901{next(_numbers):07}"


def code_for(phone: str) -> str:
    """The code of the newest text message."""
    found = re.findall(r"(?<!\d)\d{6}(?!\d)", outbox(phone)[0])
    assert len(found) == 1
    return str(found[0])


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


@dataclass
class Person:
    """A registered person, signed in."""

    phone: str
    answer: dict[str, Any]
    api: Api
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def refresh_token(self) -> str:
        return str(self.answer["refresh_token"])


def registration(**changes: Any) -> dict[str, Any]:
    return {
        "phone": new_phone(),
        "password": PASSWORD,
        "last_name": "Каренина",
        "first_name": "Анна",
        "middle_name": "Аркадьевна",
        "birth_date": "1980-03-08",
        **changes,
    }


def register(**changes: Any) -> Person:
    api = Api()
    body = registration(**changes)
    begun = api.post("/v1/auth/register", body)
    assert begun.status == 202, begun
    answer = verify(api, begun.json["challenge_id"], "sms", code_for(body["phone"]))
    assert answer.status == 200, answer
    return Person(body["phone"], answer.json, Api(token=answer.json["access_token"]), body)


def verify(api: Api, challenge_id: str, method: str, code: str, **options: Any) -> Response:
    path = f"/v1/auth/challenges/{challenge_id}/verify"
    return api.post(path, {"method": method, "code": code}, **options)


def login(api: Api, phone: str, password: str = PASSWORD, **more: Any) -> Response:
    return api.post("/v1/auth/login", {"login": phone, "password": password, **more})


def sign_in(phone: str, password: str = PASSWORD) -> dict[str, Any]:
    api = Api()
    challenge_id = login(api, phone, password).json["challenge_id"]
    sent = api.post(f"/v1/auth/challenges/{challenge_id}/send", {"method": "sms"})
    assert sent.status == 202, sent
    answer = verify(api, challenge_id, "sms", code_for(phone))
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.json
    return found


def part(token: str, index: int) -> dict[str, Any]:
    text = token.split(".")[index]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


# --- the keys -------------------------------------------------------------------------------------


def test_either_key_signs_in_its_turn_and_tokens_of_both_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The parameter SigningKey says which: an operator turns it, nobody is signed out by it."""
    from auth import handler

    before = register()
    published = {key["kid"] for key in Api().get("/.well-known/jwks.json").json["keys"]}
    monkeypatch.setattr(handler._sessions, "_token_key", os.environ["SECOND_TOKEN_KEY_ID"])
    after = register()
    kids = {part(person.answer["access_token"], 0)["kid"] for person in (before, after)}
    assert len(kids) == 2
    assert kids <= published
    for person in (before, after):
        assert person.api.get("/v1/auth/account").status == 200


# --- registration ---------------------------------------------------------------------------------


def test_a_person_registers_and_is_signed_in() -> None:
    person = register(snils="112-233-445 95", email="Anna@Example.RU")
    assert person.answer["account"]["level"] == "standard"
    assert person.answer["account"]["roles"] == []
    assert "patient_id" not in person.answer["account"]
    assert person.answer["password_change_advised"] is False
    shown = person.api.get("/v1/auth/account").json
    assert shown["last_name"] == "Каренина"
    assert shown["phone"] == f"+7 *** ***-{person.phone[-4:-2]}-{person.phone[-2:]}"
    assert shown["email"] == "a***@example.ru"
    assert shown["snils"] == "***-***-445 95"
    assert shown["factors"] == {"sms": True, "totp": False, "passkeys": 0, "recovery_codes_left": 0}


def test_a_claimed_snils_and_an_unconfirmed_email_are_no_logins() -> None:
    register(snils="087-654-303 00", email="claimed@example.ru")
    for claimed in ("087-654-303 00", "claimed@example.ru"):
        refused = login(Api(), claimed)
        assert (refused.status, refused.json["code"]) == (401, "credentials_invalid")


def test_nothing_exists_before_the_code() -> None:
    api, body = Api(), registration()
    api.post("/v1/auth/register", body)
    assert login(api, body["phone"]).status == 401


def test_a_known_phone_gets_a_notice_and_no_code_and_the_answer_is_the_same() -> None:
    person = register()
    unknown = Api().post("/v1/auth/register", registration())
    known = Api().post("/v1/auth/register", registration(phone=person.phone))
    assert known.status == unknown.status == 202
    assert known.json.keys() == unknown.json.keys()
    assert not re.search(r"\d{6}", outbox(person.phone)[0])
    tries = [verify(Api(), known.json["challenge_id"], "sms", f"{n:06}") for n in range(6)]
    assert [t.json["code"] for t in tries] == ["code_invalid"] * 5 + ["challenge_expired"]


def test_send_after_register_repeats_nothing_but_later_it_does() -> None:
    api, body = Api(), registration()
    challenge = api.post("/v1/auth/register", body).json["challenge_id"]
    before = len(outbox(body["phone"]))
    sent = api.post(f"/v1/auth/challenges/{challenge}/send", {"method": "sms"})
    assert sent.status == 202
    assert len(outbox(body["phone"])) == before
    again = api.post(f"/v1/auth/challenges/{challenge}/send", {"method": "sms"})
    assert (again.status, again.json["code"]) == (429, "rate_limited")
    assert int(again.headers["retry-after"]) > 0
    assert verify(api, challenge, "sms", code_for(body["phone"])).status == 200


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"password": "коротко"}, "password", "password_too_short"),
        ({"password": "x" * 129}, "password", "password_too_long"),
        ({"password": "qwerty123"}, "password", "password_common"),
        ({"password": "Password2026!"}, "password", "password_common"),
        ({"password": "йцукенгш"}, "password", "password_common"),
        ({"password": "моя каренина 77"}, "password", "password_personal"),
        ({"snils": "112-233-445 96"}, "snils", "snils_check_digits"),
        ({"phone": "8123"}, "phone", "phone"),
        ({"email": "nobody"}, "email", "email"),
        ({"birth_date": "2990-01-01"}, "birth_date", "in_future"),
        ({"last_name": "<script>"}, "last_name", "pattern"),
        ({"nickname": "echo-me"}, "body", "extra_forbidden"),
    ],
)
def test_registration_says_what_is_wrong(changes: dict[str, Any], field: str, code: str) -> None:
    answer = Api().post("/v1/auth/register", registration(**changes))
    assert answer.status == 422, answer
    assert [(e["field"], e["code"]) for e in answer.json["errors"]] == [(field, code)]
    for value in changes.values():
        assert value not in answer.text


# --- login ----------------------------------------------------------------------------------------


def test_login_sends_nothing_and_gives_no_token() -> None:
    person = register()
    before = len(outbox(person.phone))
    answer = login(Api(), person.phone.replace("+7", "8 "))
    assert answer.status == 200
    assert answer.json["methods"] == [
        {"method": "sms", "hint": f"+7 *** ***-{person.phone[-4:-2]}-{person.phone[-2:]}"}
    ]
    assert "access_token" not in answer.json
    assert len(outbox(person.phone)) == before


def test_a_wrong_login_and_a_wrong_password_are_one_answer() -> None:
    person = register()
    bodies = []
    for who in (person.phone, new_phone(), "nobody@example.ru", "112-233-445 95", "???"):
        answer = login(Api(), who, "не тот пароль")
        assert answer.status == 401
        bodies.append({k: v for k, v in answer.json.items() if k != "request_id"})
    assert all(body == bodies[0] for body in bodies)


def test_five_wrong_codes_exhaust_a_challenge() -> None:
    person = register()
    api = Api()
    challenge = login(api, person.phone).json["challenge_id"]
    api.post(f"/v1/auth/challenges/{challenge}/send", {"method": "sms"})
    code = code_for(person.phone)
    for _ in range(5):
        assert verify(api, challenge, "sms", wrong(code)).json["code"] == "code_invalid"
    assert verify(api, challenge, "sms", code).json["code"] == "challenge_expired"


def test_a_code_serves_once_and_only_its_own_challenge() -> None:
    person = register()
    api = Api()
    first = login(api, person.phone).json["challenge_id"]
    second = login(api, person.phone).json["challenge_id"]
    api.post(f"/v1/auth/challenges/{first}/send", {"method": "sms"})
    code = code_for(person.phone)
    assert verify(api, second, "sms", code).status == 401
    assert verify(api, first, "sms", code).status == 200
    assert verify(api, first, "sms", code).json["code"] == "challenge_expired"


def test_a_code_that_was_never_sent_is_a_wrong_one() -> None:
    person, api = register(), Api()
    challenge = login(api, person.phone).json["challenge_id"]
    tries = [verify(api, challenge, "sms", "000000") for _ in range(6)]
    assert [t.json["code"] for t in tries] == ["code_invalid"] * 5 + ["challenge_expired"]


def test_no_code_goes_out_beyond_what_the_deployment_lets_out_in_a_day() -> None:
    person = register()
    table, most = os.environ["IDENTITY_TABLE"], int(PARAMETERS["MessagesPerDay"])
    caps = Caps(table, os.environ["LOOKUP_KEY_ID"])
    day = clock.epoch(clock.now()) // DAY
    # Tomorrow's counter too, which may begin just now.
    counters = [caps._key("CAP", "messages/day", "all", str(each)) for each in (day, day + 1)]
    before = [dynamo.get(table, key) for key in counters]
    sent = len(outbox(person.phone))

    def send_after(number: int) -> Response:
        for key in counters:
            dynamo.put(table, {**key, "n": number})
        challenge_id = login(Api(), person.phone).json["challenge_id"]
        return Api().post(f"/v1/auth/challenges/{challenge_id}/send", {"method": "sms"})

    try:
        refused = send_after(most)
        sent_then = len(outbox(person.phone))
        let_out = send_after(most - 1)
    finally:
        for key, item in zip(counters, before, strict=True):
            dynamo.put(table, item or {**key, "n": 0})

    assert (refused.status, refused.json["code"]) == (429, "rate_limited")
    assert refused.headers["retry-after"]
    assert sent_then == sent
    assert let_out.status == 202
    assert len(outbox(person.phone)) == sent + 1


def test_an_unknown_challenge_is_an_expired_one() -> None:
    for path, body in (("send", {"method": "sms"}), ("verify", {"method": "sms", "code": "1"})):
        answer = Api().post(f"/v1/auth/challenges/none/{path}", body)
        assert (answer.status, answer.json["code"]) == (401, "challenge_expired")


def test_tries_from_one_address_wait_and_another_address_does_not() -> None:
    person = register()
    stranger = Api()
    answers = [login(stranger, person.phone, "не тот пароль") for _ in range(100)][-1:]
    from auth import handler

    free = handler._settings.login_attempts_per_address // 3
    if free >= 100:
        pytest.skip("this deployment lets more tries pass than a test should make")
    assert answers[0].json["code"] == "locked"
    assert login(Api(), person.phone).status == 200


# --- tokens ---------------------------------------------------------------------------------------


def test_access_tokens_are_what_the_contract_says_and_anyone_can_verify_them() -> None:
    import jwt

    person = register()
    token = person.answer["access_token"]
    header, claims = part(token, 0), part(token, 1)
    assert header["typ"] == "at+jwt"
    assert header["alg"] == "ES256"
    expected = {"iss", "aud", "client_id", "sub", "sid", "iat", "exp", "jti", "level", "roles"}
    assert expected | {"amr"} <= claims.keys()
    assert claims["exp"] - claims["iat"] <= 600
    assert claims["amr"] == ["pwd", "sms", "mfa"]
    keys = {key["kid"]: key for key in Api().get("/.well-known/jwks.json").json["keys"]}
    key = jwt.PyJWK(keys[header["kid"]])
    found = jwt.decode(token, key, algorithms=["ES256"], audience=claims["aud"])
    assert found["sub"] == person.answer["account"]["account_id"]
    metadata = Api().get("/.well-known/openid-configuration").json
    assert metadata["issuer"] == claims["iss"]
    assert metadata["jwks_uri"].endswith("/.well-known/jwks.json")


def refreshed(token: str, **headers: str) -> Response:
    body = {"grant_type": "refresh_token", "refresh_token": token}
    return Api().post("/v1/auth/token", body, headers=headers)


def test_a_refresh_token_serves_once_and_its_second_use_ends_the_session() -> None:
    person = register()
    second = refreshed(person.refresh_token)
    assert second.status == 200
    assert second.json["session_id"] == person.answer["session_id"]
    api = Api(token=second.json["access_token"])
    assert api.get("/v1/auth/account").status == 200
    reuse = refreshed(person.refresh_token)
    assert (reuse.status, reuse.json["code"]) == (401, "session_revoked")
    assert api.get("/v1/auth/account").json["code"] == "session_revoked"
    assert refreshed(second.json["refresh_token"]).json["code"] == "session_revoked"


def test_a_repeat_under_the_same_key_gets_the_same_successor() -> None:
    person = register()
    headers = {"Idempotency-Key": "lost-answer"}
    first = refreshed(person.refresh_token, **headers)
    again = refreshed(person.refresh_token, **headers)
    assert first.status == again.status == 200
    assert first.json["refresh_token"] == again.json["refresh_token"]
    assert refreshed(first.json["refresh_token"]).status == 200
    # The successor was used by now, so even the same key is a second use.
    assert refreshed(person.refresh_token, **headers).json["code"] == "session_revoked"


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ", "a\tb", "a\x00", "\ud800"])
def test_an_odd_key_is_refused_and_uses_nothing_up(key: str) -> None:
    person = register()
    refused = refreshed(person.refresh_token, **{"Idempotency-Key": key})
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert refreshed(person.refresh_token).status == 200


def test_a_repeat_under_another_key_is_a_second_use() -> None:
    person = register()
    assert refreshed(person.refresh_token, **{"Idempotency-Key": "a"}).status == 200
    assert refreshed(person.refresh_token, **{"Idempotency-Key": "b"}).status == 401


def test_a_made_up_refresh_token_ends_nobodys_session() -> None:
    person = register()
    parts = person.refresh_token.split(".")
    for made_up in (".".join([*parts[:3], "A" * 43, parts[4]]), "x", "a.b.c.d.e", "ё" * 20):
        answer = refreshed(made_up)
        assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    assert person.api.get("/v1/auth/account").status == 200
    assert refreshed(person.refresh_token).status == 200


def test_browsers_keep_the_refresh_token_in_a_cookie() -> None:
    person = register()
    api = Api()
    web = {"X-Client": "web", "Origin": "https://portal.example"}
    challenge = login(api, person.phone).json["challenge_id"]
    api.post(f"/v1/auth/challenges/{challenge}/send", {"method": "sms"})
    code = code_for(person.phone)
    foreign = {**web, "Origin": "https://evil.example"}
    assert verify(api, challenge, "sms", code, headers=foreign).status == 403
    assert verify(api, challenge, "sms", code, headers={"X-Client": "web"}).status == 403
    answer = verify(api, challenge, "sms", code, headers=web)
    assert answer.status == 200
    assert "refresh_token" not in answer.json
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "Secure", "SameSite=Strict"} <= set(cookie.split("; "))
    body = {"grant_type": "refresh_token"}
    sent = {**web, "Cookie": cookie.partition(";")[0]}
    assert api.post("/v1/auth/token", body, headers=foreign | sent | foreign).status == 403
    again = api.post("/v1/auth/token", body, headers=sent)
    assert again.status == 200
    assert "refresh_token" not in again.json
    assert again.headers["set-cookie"] != cookie


# --- sessions -------------------------------------------------------------------------------------


def test_sessions_are_listed_and_ended() -> None:
    person = register()
    others = [sign_in(person.phone) for _ in range(2)]
    listed = person.api.get("/v1/auth/sessions").json["items"]
    assert [s["current"] for s in listed].count(True) == 1
    assert {s["session_id"] for s in listed} == {
        person.answer["session_id"],
        *(o["session_id"] for o in others),
    }
    assert all(s["user_agent"] == "tests" for s in listed)
    first = Api(token=others[0]["access_token"])
    path = f"/v1/auth/sessions/{others[0]['session_id']}"
    assert person.api.delete(path).status == 204
    assert first.get("/v1/auth/account").json["code"] == "session_revoked"
    assert person.api.delete("/v1/auth/sessions").status == 204
    assert Api(token=others[1]["access_token"]).get("/v1/auth/account").status == 401
    assert person.api.get("/v1/auth/account").status == 200
    assert register().api.delete(path).status == 404


def test_sessions_come_in_pages() -> None:
    person = register()
    for _ in range(2):
        sign_in(person.phone)
    page = person.api.get("/v1/auth/sessions?limit=2").json
    assert len(page["items"]) == 2
    rest = person.api.get(f"/v1/auth/sessions?limit=2&cursor={page['next_cursor']}").json
    assert len(rest["items"]) == 1
    assert rest["next_cursor"] is None
    foreign = register().api.get(f"/v1/auth/sessions?cursor={page['next_cursor']}")
    assert (foreign.status, foreign.json["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (f"cursor={'x' * 2000}", "cursor_invalid"),
        ("limit=1_0", "validation_failed"),
        ("limit=%2B1", "validation_failed"),
    ],
)
def test_a_page_of_sessions_is_asked_for_like_any_other(query: str, code: str) -> None:
    assert register().api.get(f"/v1/auth/sessions?{query}").json["code"] == code


def test_logout_ends_the_session_at_once() -> None:
    person = register()
    assert person.api.post("/v1/auth/logout").status == 204
    assert person.api.get("/v1/auth/account").json["code"] == "session_revoked"
    assert refreshed(person.refresh_token).json["code"] == "session_revoked"


def test_a_disabled_account_is_out_at_once() -> None:
    from auth import handler
    from kernel import dynamo

    person = register()
    key = {"pk": f"ACCOUNT#{person.answer['account']['account_id']}", "sk": "STATE"}
    dynamo.update(handler._settings.accounts_table, key, "SET disabled = :yes", {":yes": True})
    assert person.api.get("/v1/auth/account").json["code"] == "session_revoked"
    assert refreshed(person.refresh_token).status == 401
    assert login(Api(), person.phone).json["code"] == "credentials_invalid"


# --- password -------------------------------------------------------------------------------------


def test_a_changed_password_ends_the_other_sessions() -> None:
    person = register()
    other = sign_in(person.phone)
    body = {"current_password": PASSWORD, "new_password": "совсем другой пароль"}
    assert (
        person.api.post("/v1/auth/password", {**body, "current_password": "?"}).json["code"]
        == "credentials_invalid"
    )
    assert person.api.post("/v1/auth/password", body).status == 204
    assert person.api.get("/v1/auth/account").status == 200
    assert Api(token=other["access_token"]).get("/v1/auth/account").status == 401
    assert login(Api(), person.phone).status == 401
    assert login(Api(), person.phone, "совсем другой пароль").status == 200
    assert "пароль изменён" in outbox(person.phone)[0]


def test_the_new_password_is_another_one() -> None:
    person = register(password="e\u0301tude sur le \ufb01l")
    same = "\u00e9tude sur le fil"
    path = "/v1/auth/password"
    refused = person.api.post(path, {"current_password": same, "new_password": same})
    assert refused.status == 422, refused
    (problem,) = refused.json["errors"]
    assert (problem["field"], problem["code"]) == ("new_password", "unchanged")
    # Who does not know the current password learns nothing of it.
    guess = {"current_password": "не тот пароль", "new_password": "не тот пароль"}
    assert person.api.post(path, guess).json["code"] == "credentials_invalid"
    assert login(Api(), person.phone, same).status == 200


def test_a_challenge_from_before_a_password_change_is_void() -> None:
    person = register()
    api = Api()
    challenge = login(api, person.phone).json["challenge_id"]
    api.post(f"/v1/auth/challenges/{challenge}/send", {"method": "sms"})
    code = code_for(person.phone)
    body = {"current_password": PASSWORD, "new_password": "совсем другой пароль"}
    person.api.post("/v1/auth/password", body)
    assert verify(api, challenge, "sms", code).json["code"] == "challenge_expired"


def test_a_forgotten_password_is_set_anew_by_code_and_birth_date() -> None:
    person = register()
    api = Api()
    known = api.post("/v1/auth/password/reset", {"login": person.phone})
    unknown = api.post("/v1/auth/password/reset", {"login": new_phone()})
    assert known.status == unknown.status == 202
    assert known.json.keys() == unknown.json.keys()
    body = {
        "challenge_id": known.json["challenge_id"],
        "code": code_for(person.phone),
        "new_password": "совсем другой пароль",
    }
    path = "/v1/auth/password/reset/confirm"
    assert api.post(path, body).json["code"] == "code_invalid"
    wrong_day = {**body, "birth_date": "1980-03-09"}
    assert api.post(path, wrong_day).json["code"] == "code_invalid"
    assert api.post(path, {**body, "birth_date": "1980-03-08"}).status == 204
    assert api.post(path, {**body, "birth_date": "1980-03-08"}).json["code"] == "challenge_expired"
    assert person.api.get("/v1/auth/account").status == 401
    assert login(Api(), person.phone, "совсем другой пароль").status == 200


def test_nobodys_reset_answers_like_a_wrong_code() -> None:
    api = Api()
    challenge = api.post("/v1/auth/password/reset", {"login": new_phone()}).json["challenge_id"]
    body = {
        "challenge_id": challenge,
        "birth_date": "1980-03-08",
        "new_password": "совсем другой пароль",
    }
    codes = [
        api.post("/v1/auth/password/reset/confirm", {**body, "code": f"{n:06}"}).json["code"]
        for n in range(6)
    ]
    assert codes == ["code_invalid"] * 5 + ["challenge_expired"]


# --- phone ----------------------------------------------------------------------------------------


def test_a_new_number_becomes_the_login() -> None:
    person = register()
    number = new_phone()
    begun = person.api.post("/v1/auth/phone", {"phone": number})
    assert begun.status == 200, begun
    assert "меняют номер телефона" in outbox(person.phone)[0]
    body = {"challenge_id": begun.json["challenge_id"], "code": code_for(number)}
    assert person.api.post("/v1/auth/phone/confirm", body).status == 200
    assert "номер вашей учётной записи изменён" in outbox(person.phone)[0]
    assert len(outbox(number)) == 1  # the code, and none of the notices
    assert login(Api(), person.phone).status == 401
    assert login(Api(), number).status == 200


def test_somebody_elses_number_gets_a_notice_and_no_code() -> None:
    person, other = register(), register()
    begun = person.api.post("/v1/auth/phone", {"phone": other.phone})
    assert begun.status == 200
    notice = outbox(other.phone)[0]
    assert not re.search(r"\d{6}", notice)
    assert "в другой учётной записи" in notice
    assert "меняют номер телефона" in outbox(person.phone)[0]
    body = {"code": "000000"}
    assert person.api.post("/v1/auth/phone/confirm", body).json["code"] == "code_invalid"


def test_ones_own_number_is_no_new_one() -> None:
    person = register()
    refused = person.api.post("/v1/auth/phone", {"phone": person.phone})
    assert refused.status == 422, refused
    (problem,) = refused.json["errors"]
    assert (problem["field"], problem["code"]) == ("phone", "unchanged")
    assert len(outbox(person.phone)) == 1  # the registration's code


# --- step-up and the authenticator app ------------------------------------------------------------


def stale(person: Person) -> None:
    """Let the session's freshness run out."""
    from auth import handler
    from kernel import dynamo

    key = {
        "pk": f"ACCOUNT#{person.answer['account']['account_id']}",
        "sk": f"SESSION#{person.answer['session_id']}",
    }
    dynamo.update(handler._settings.accounts_table, key, "SET fresh_until = :no", {":no": 0})


def enrol(person: Person) -> tuple[str, list[str]]:
    secret = person.api.post("/v1/auth/totp").json["secret"]
    answer = person.api.post("/v1/auth/totp/confirm", {"code": pyotp.TOTP(secret).now()})
    assert answer.status == 200, answer
    return secret, answer.json["recovery_codes"]


def test_changing_a_factor_needs_a_fresh_second_step() -> None:
    person = register()
    stale(person)
    routes = (
        ("POST", "/v1/auth/totp", None),
        ("DELETE", "/v1/auth/totp", None),
        ("POST", "/v1/auth/totp/confirm", {"code": "000000"}),
        ("POST", "/v1/auth/phone", {"phone": new_phone()}),
        ("POST", "/v1/auth/phone/confirm", {"code": "000000"}),
        ("POST", "/v1/auth/password", {"current_password": "a", "new_password": "b"}),
    )
    for method, path, body in routes:
        answer = person.api.request(method, path, body)
        assert (answer.status, answer.json["code"]) == (403, "step_up_required"), path
    challenge = person.api.post("/v1/auth/step-up").json
    Api().post(f"/v1/auth/challenges/{challenge['challenge_id']}/send", {"method": "sms"})
    answer = verify(Api(), challenge["challenge_id"], "sms", code_for(person.phone))
    assert answer.status == 200
    assert answer.json["session_id"] == person.answer["session_id"]
    assert "refresh_token" not in answer.json
    assert person.api.post("/v1/auth/totp").status == 200
    assert refreshed(person.refresh_token).status == 200


def test_an_app_signs_in_and_accepts_a_step_once() -> None:
    person = register()
    secret, _ = enrol(person)
    api = Api()
    answer = login(api, person.phone).json
    assert [m["method"] for m in answer["methods"]] == ["sms", "totp", "recovery_code"]
    # The step of the confirmation was used by it.
    used = verify(api, answer["challenge_id"], "totp", pyotp.TOTP(secret).now())
    assert used.json["code"] == "code_invalid"
    import time

    following = pyotp.TOTP(secret).at(int(time.time()) + 30)
    passed = verify(api, answer["challenge_id"], "totp", following)
    assert passed.status == 200, passed
    assert part(passed.json["access_token"], 1)["amr"] == ["pwd", "otp", "mfa"]
    again = login(api, person.phone).json["challenge_id"]
    assert verify(api, again, "totp", following).json["code"] == "code_invalid"


def test_recovery_codes_serve_once() -> None:
    person = register()
    _, codes = enrol(person)
    assert len(set(codes)) == 10
    api = Api()
    challenge = login(api, person.phone).json["challenge_id"]
    spelled = codes[0].upper().replace("-", " ")
    assert verify(api, challenge, "recovery_code", spelled).status == 200
    challenge = login(api, person.phone).json["challenge_id"]
    assert verify(api, challenge, "recovery_code", codes[0]).json["code"] == "code_invalid"
    assert verify(api, challenge, "recovery_code", codes[1]).status == 200
    assert person.api.get("/v1/auth/account").json["factors"]["recovery_codes_left"] == 8


def test_the_app_is_removed() -> None:
    person = register()
    enrol(person)
    other = sign_in(person.phone)
    assert person.api.delete("/v1/auth/totp").status == 204
    assert person.api.delete("/v1/auth/totp").status == 404
    assert Api(token=other["access_token"]).get("/v1/auth/account").status == 401
    methods = login(Api(), person.phone).json["methods"]
    assert [m["method"] for m in methods] == ["sms"]


def test_a_reset_with_an_app_needs_the_app() -> None:
    import time

    person = register()
    secret, _ = enrol(person)
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
    following = pyotp.TOTP(secret).at(int(time.time()) + 30)
    assert api.post(path, {**body, "totp_code": following}).status == 204


# --- workers --------------------------------------------------------------------------------------


def test_a_worker_has_roles_only_by_an_app() -> None:
    import time

    from auth import bootstrap

    person = register()
    bootstrap.handler({"phone": person.phone}, None)
    bootstrap.handler({"phone": person.phone}, None)
    plain = sign_in(person.phone)
    assert plain["account"]["roles"] == []
    assert part(plain["access_token"], 1)["roles"] == []
    worker = Person(person.phone, plain, Api(token=plain["access_token"]))
    secret, _ = enrol(worker)
    # Who confirms the app has proven to hold it: the session has its roles from now on.
    assert worker.api.get("/v1/auth/account").json["roles"] == ["operator"]
    assert refreshed(plain["refresh_token"]).json["account"]["roles"] == ["operator"]
    answer = login(Api(), person.phone).json
    assert [m["method"] for m in answer["methods"]] == ["totp", "recovery_code"]
    code = pyotp.TOTP(secret).at(int(time.time()) + 30)
    # Another step-up, by the app, is named in the answer's roles too.
    challenge = worker.api.post("/v1/auth/step-up").json["challenge_id"]
    stepped = verify(Api(), challenge, "totp", code)
    assert stepped.json["account"]["roles"] == ["operator"]
    # Without the app the session is a plain person's again, from the next request on.
    assert worker.api.delete("/v1/auth/totp").status == 204
    assert worker.api.get("/v1/auth/account").json["roles"] == []


def test_a_workers_password_is_not_reset_from_outside() -> None:
    from auth import bootstrap

    person = register()
    bootstrap.handler({"phone": person.phone}, None)
    before = len(outbox(person.phone))
    assert Api().post("/v1/auth/password/reset", {"login": person.phone}).status == 202
    assert len(outbox(person.phone)) == before


# --- bad input ------------------------------------------------------------------------------------

ROUTES = (
    "/v1/auth/register",
    "/v1/auth/login",
    "/v1/auth/token",
    "/v1/auth/password/reset",
    "/v1/auth/password/reset/confirm",
    "/v1/auth/challenges/x/send",
    "/v1/auth/challenges/x/verify",
)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "raw",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        '{"login": 1, "login": 2}',
        '{"login": ' + "9" * 5000 + "}",
        "[" * 5000 + "]" * 5000,
        '{"login": "\\ud800", "password": "\\u0000"}',
        '{"unknown-field-name": true}',
        '{"login": {"a": []}, "password": []}',
        '{"x": "' + "y" * 1_000_000 + '"}',
    ],
)
def test_bad_bodies_are_refused_without_an_echo(path: str, raw: str) -> None:
    answer = Api().post(path, raw=raw, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status < 500, answer
    assert "application/problem+json" in answer.headers["content-type"]
    assert "unknown-field-name" not in answer.text
    assert len(answer.text) < 4000


def test_other_media_types_are_refused() -> None:
    answer = Api().post("/v1/auth/login", raw="a=b", headers={"Content-Type": "text/plain"})
    assert answer.status == 415


def test_messages_to_nobody_go_nowhere() -> None:
    drain("MessagesQueue")
    Api().post("/v1/auth/password/reset", {"login": new_phone()})
    drain("MessagesQueue")
