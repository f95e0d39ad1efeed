"""Guessing is slowed and stopped, and never locks the owner out of what they hold already."""

from typing import Any

import pytest

from auth import policy
from tests.gateway import Api, Response, outbox
from tests.integration.test_auth_journey import (
    PASSWORD,
    Person,
    code_for,
    login,
    new_phone,
    refreshed,
    register,
    verify,
    wrong,
)
from tests.integration.test_auth_passkeys import answer, ask, bind

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """The template's own cap of tries per address; the tests' one is higher."""
    from auth import handler

    monkeypatch.setattr(handler._signing_in, "_cap", 30)


def account_id(person: Person) -> str:
    return str(person.answer["account"]["account_id"])


def failed(person: Person, what: str, times: int) -> None:
    """So many failures in a row have been counted, from wherever."""
    from auth import handler
    from kernel import dynamo

    key = handler._limits._key("FAILURES", f"{what}/all", account_id(person))
    item = {**key, "n": times, "expires_at": 2_000_000_000}
    dynamo.put(handler._settings.identity_table, item)


def challenge_for(person: Person, **more: Any) -> str:
    begun = login(Api(), person.phone, **more)
    assert begun.status == 200, begun
    return str(begun.json["challenge_id"])


def sent(person: Person, challenge: str) -> str:
    answered = Api().post(f"/v1/auth/challenges/{challenge}/send", {"method": "sms"})
    assert answered.status == 202, answered
    return code_for(person.phone)


def test_passwords_are_tried_ever_slower_from_one_address(strict: None) -> None:
    person, stranger = register(), Api()
    tries = [login(stranger, person.phone, "не тот пароль").json["code"] for _ in range(11)]
    assert tries == ["credentials_invalid"] * 10 + ["locked"]
    locked = login(stranger, person.phone)
    assert (locked.status, locked.json["code"]) == (429, "locked")
    assert 0 < int(locked.headers["retry-after"]) <= 15
    assert login(Api(), person.phone).status == 200


def test_an_address_has_so_many_tries_whoever_they_are_at(strict: None) -> None:
    stranger = Api()
    codes = [login(stranger, f"+790455500{n:02}").json["code"] for n in range(31)]
    assert codes == ["credentials_invalid"] * 30 + ["rate_limited"]


def test_wrong_codes_count_across_challenges(strict: None) -> None:
    person, stranger = register(), Api()
    codes = []
    for _ in range(3):
        challenge = challenge_for(person)
        code = sent(person, challenge)
        codes += [verify(stranger, challenge, "sms", wrong(code)).json["code"] for _ in range(5)]
    assert codes == ["code_invalid"] * 10 + ["locked"] * 5


def test_after_a_hundred_wrong_passwords_only_known_devices_get_on() -> None:
    person = register()
    failed(person, "password", 100)
    unknown = login(Api(), person.phone)
    assert (unknown.status, unknown.json["code"]) == (429, "locked")
    device = person.answer["device_token"]
    assert login(Api(), person.phone, device_token=device).status == 200
    assert login(Api(), person.phone, device_token="x" * 43).status == 429
    # A success on a known device does not open the door to strangers again; a new password does.
    assert login(Api(), person.phone).status == 429
    body = {"current_password": PASSWORD, "new_password": "совсем другой пароль"}
    assert person.api.post("/v1/auth/password", body).status == 204
    assert login(Api(), person.phone, "совсем другой пароль").status == 200


def test_the_hundredth_failure_still_counts_as_one() -> None:
    person = register()
    failed(person, "password", 99)
    assert login(Api(), person.phone).status == 200
    failed(person, "password", 98)
    assert login(Api(), person.phone).status == 200
    assert login(Api(), person.phone).status == 200


def test_after_a_hundred_wrong_codes_known_devices_and_passkeys_get_on() -> None:
    person = register()
    authenticator = bind(person)
    device = person.answer["device_token"]
    unknown = challenge_for(person)
    code = sent(person, unknown)
    failed(person, "second", 100)
    refused = verify(Api(), unknown, "sms", code)
    assert (refused.status, refused.json["code"]) == (429, "locked")
    by_key = challenge_for(person)
    passed = answer(Api(), by_key, authenticator.get(ask(Api(), by_key)))
    assert passed.status == 200, passed
    failed(person, "second", 100)
    known = challenge_for(person, device_token=device)
    assert verify(Api(), known, "sms", sent(person, known)).status == 200


def test_the_owner_is_told_of_a_run_of_wrong_codes() -> None:
    person, stranger = register(), Api()
    challenge = challenge_for(person)
    code = sent(person, challenge)
    for _ in range(5):
        verify(stranger, challenge, "sms", wrong(code))
    assert "несколько раз пытались войти" in outbox(person.phone)[0]


def test_strangers_from_many_addresses_send_the_owner_few_messages() -> None:
    person = register()
    for _ in range(policy.TOLD_A_DAY + 2):
        stranger = Api()
        for _ in range(policy.TOLD_AFTER):
            assert login(stranger, person.phone, "не тот пароль").status == 401
    told = [text for text in outbox(person.phone) if "несколько раз пытались войти" in text]
    assert len(told) == policy.TOLD_A_DAY


def test_resets_that_are_locked_open_with_a_new_number() -> None:
    person = register()
    failed(person, "reset", 100)
    path = "/v1/auth/password/reset"

    def reset() -> Response:
        challenge = Api().post(path, {"login": person.phone}).json["challenge_id"]
        body = {
            "challenge_id": challenge,
            "code": code_for(person.phone),
            "birth_date": "1980-03-08",
            "new_password": "совсем другой пароль",
        }
        return Api().post(f"{path}/confirm", body)

    assert reset().json["code"] == "locked"
    number = new_phone()
    assert person.api.post("/v1/auth/phone", {"phone": number}).status == 200
    assert person.api.post("/v1/auth/phone/confirm", {"code": code_for(number)}).status == 200
    person.phone = number
    assert reset().status == 204


def test_an_old_password_is_advised_to_be_changed() -> None:
    from auth import handler
    from kernel import clock, dynamo

    person = register()
    key = {"pk": f"ACCOUNT#{account_id(person)}", "sk": "PASSWORD"}
    for days, advised in ((179, False), (180, True)):
        at = clock.epoch(clock.now()) - days * 86400
        table = handler._settings.identity_table
        dynamo.update(table, key, "SET changed_at = :at", {":at": at})
        shown = person.api.get("/v1/auth/account").json
        assert (shown["password_age_days"], shown["password_change_advised"]) == (days, advised)
    renewed = refreshed(person.refresh_token).json
    assert renewed["password_age_days"] == 180
    assert renewed["password_change_advised"] is True


def test_a_hash_of_older_parameters_is_made_anew_at_the_next_sign_in() -> None:
    from argon2 import PasswordHasher

    from auth import handler
    from kernel import dynamo

    person = register()
    key = {"pk": f"ACCOUNT#{account_id(person)}", "sk": "PASSWORD"}
    table = handler._settings.identity_table
    old = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    dynamo.update(table, key, "SET #hash = :old", {":old": old}, names={"#hash": "hash"})
    assert login(Api(), person.phone, "не тот пароль").status == 401
    assert (dynamo.get(table, key) or {})["hash"] == old
    assert login(Api(), person.phone).status == 200
    assert (dynamo.get(table, key) or {})["hash"].startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert login(Api(), person.phone).status == 200


def test_a_session_ends_by_idleness_and_by_age() -> None:
    from auth import handler
    from kernel import clock, dynamo

    moment = clock.epoch(clock.now())
    for limit in ("idle_expires_at", "absolute_expires_at"):
        person = register()
        key = {
            "pk": f"ACCOUNT#{account_id(person)}",
            "sk": f"SESSION#{person.answer['session_id']}",
        }
        table = handler._settings.accounts_table
        found = dynamo.get(table, key) or {}
        assert found["idle_expires_at"] - found["created_at"] == 3600
        assert found["absolute_expires_at"] - found["created_at"] == 24 * 3600
        dynamo.update(table, key, f"SET {limit} = :past", {":past": moment - 1})
        assert person.api.get("/v1/auth/account").json["code"] == "session_revoked"
        assert refreshed(person.refresh_token).json["code"] == "session_revoked"
