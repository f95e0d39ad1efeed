"""Many clients at once on one thing that serves once: one of them wins, in every round.

On the local platform, whose conditional writes are atomic. A few rounds run always, 200 by
`make test-long`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests import platform
from tests.gateway import Api, Response
from tests.integration.test_auth_journey import (
    PASSWORD,
    Person,
    login,
    refreshed,
    registration,
    verify,
)
from tests.platform import Platform

CLIENTS = 16
rounds = pytest.mark.parametrize("rounds", [3, pytest.param(200, marks=pytest.mark.long)])


@pytest.fixture(scope="module")
def stage() -> Iterator[Platform]:
    with platform.running() as found:
        yield found


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CLIENTS) as found:
        yield found


@pytest.fixture
def at_once(pool: ThreadPoolExecutor) -> Callable[[Callable[[int], Response]], Counter[int]]:
    """The statuses that so many clients get at the same time."""

    def race(request: Callable[[int], Response]) -> Counter[int]:
        return Counter(answer.status for answer in pool.map(request, range(CLIENTS)))

    return race


AtOnce = Callable[[Callable[[int], Response]], Counter[int]]


def code_for(stage: Platform, phone: str) -> str:
    found = re.findall(r"(?<!\d)\d{6}(?!\d)", stage.newest(phone))
    assert len(found) == 1
    return str(found[0])


def register(stage: Platform) -> Person:
    body = registration()
    challenge = Api().post("/v1/auth/register", body).json["challenge_id"]
    answer = verify(Api(), challenge, "sms", code_for(stage, body["phone"]))
    assert answer.status == 200, answer
    return Person(body["phone"], answer.json, Api(token=answer.json["access_token"]), body)


def sent(stage: Platform, challenge: str, phone: str) -> str:
    answer = Api().post(f"/v1/auth/challenges/{challenge}/send", {"method": "sms"})
    assert answer.status == 202, answer
    return code_for(stage, phone)


def account_key(person: Person, sk: str) -> dict[str, str]:
    return {"pk": f"ACCOUNT#{person.answer['account']['account_id']}", "sk": sk}


def step_ups(person: Person, count: int) -> list[str]:
    """So many challenges; the session's access token is renewed, for the rounds take longer."""
    answer = refreshed(person.refresh_token)
    assert answer.status == 200, answer
    person.answer, person.api = answer.json, Api(token=answer.json["access_token"])
    return [person.api.post("/v1/auth/step-up").json["challenge_id"] for _ in range(count)]


def sessions(person: Person) -> int:
    from auth import handler
    from kernel import dynamo

    items = dynamo.query_all(
        handler._settings.accounts_table,
        "pk = :pk AND begins_with(sk, :s)",
        {":pk": account_key(person, "")["pk"], ":s": "SESSION#"},
    )
    return len(items)


@rounds
def test_one_code_signs_one_in(stage: Platform, at_once: AtOnce, rounds: int) -> None:
    person = register(stage)
    for number in range(rounds):
        challenge = login(Api(), person.phone).json["challenge_id"]
        code = sent(stage, challenge, person.phone)
        statuses = at_once(lambda _: verify(Api(), challenge, "sms", code))  # noqa: B023
        assert statuses == {200: 1, 401: CLIENTS - 1}, number
        assert sessions(person) == number + 2


@rounds
def test_one_refresh_token_has_one_successor_and_then_none(
    stage: Platform, at_once: AtOnce, rounds: int
) -> None:
    person = register(stage)
    for number in range(rounds):
        challenge = login(Api(), person.phone).json["challenge_id"]
        code = sent(stage, challenge, person.phone)
        token = verify(Api(), challenge, "sms", code).json["refresh_token"]
        statuses = at_once(lambda _: refreshed(token))  # noqa: B023
        assert statuses == {200: 1, 401: CLIENTS - 1}, number
        # Whoever won is out as well: nobody can tell which of them was honest.
        assert refreshed(token).json["code"] == "session_revoked"


@rounds
def test_repeats_under_one_key_get_one_successor(
    stage: Platform, at_once: AtOnce, rounds: int
) -> None:
    person = register(stage)
    token = person.refresh_token
    for number in range(rounds):
        successors: set[str] = set()

        def refresh(_: int) -> Response:
            answer = refreshed(token, **{"Idempotency-Key": f"key {number}"})  # noqa: B023
            successors.add(answer.json["refresh_token"])  # noqa: B023
            return answer

        assert at_once(refresh) == {200: CLIENTS}, number
        assert len(successors) == 1
        (token,) = successors


@rounds
def test_one_reset_is_done_once(stage: Platform, at_once: AtOnce, rounds: int) -> None:
    person = register(stage)
    for number in range(rounds):
        begun = Api().post("/v1/auth/password/reset", {"login": person.phone}).json
        body = {
            "challenge_id": begun["challenge_id"],
            "code": code_for(stage, person.phone),
            "birth_date": "1980-03-08",
            "new_password": f"совсем другой пароль {number}",
        }
        path = "/v1/auth/password/reset/confirm"
        statuses = at_once(lambda _: Api().post(path, body))  # noqa: B023
        assert statuses == {204: 1, 401: CLIENTS - 1}, number
    from auth import handler
    from kernel import dynamo

    password = dynamo.get(handler._settings.identity_table, account_key(person, "PASSWORD"))
    assert password is not None
    assert password["version"] == rounds + 1


@rounds
def test_one_recovery_code_serves_once_across_challenges(
    stage: Platform, at_once: AtOnce, rounds: int
) -> None:
    from auth import handler, totp
    from kernel import dynamo

    person = register(stage)
    account_id, table = person.answer["account"]["account_id"], handler._settings.identity_table
    key = handler._signing_in.recovery_key()
    for number in range(rounds):
        code, other = totp.new_recovery_codes()[:2]
        hashes = {totp.recovery_hash(each, account_id, key) for each in (code, other)}
        dynamo.put(table, {**account_key(person, "RECOVERY"), "hashes": hashes})
        challenges = step_ups(person, CLIENTS)
        statuses = at_once(
            lambda n: verify(Api(), challenges[n], "recovery_code", code)  # noqa: B023
        )
        assert statuses == {200: 1, 401: CLIENTS - 1}, number
        left = dynamo.get(table, account_key(person, "RECOVERY"))
        assert left is not None
        assert left["hashes"] == {totp.recovery_hash(other, account_id, key)}


@rounds
def test_the_last_message_of_an_hour_is_sent_once(
    stage: Platform, at_once: AtOnce, rounds: int
) -> None:
    from auth import handler
    from kernel import clock, dynamo
    from kernel.caps import HOUR

    person = register(stage)
    settings = handler._settings
    for number in range(rounds):
        challenges = step_ups(person, CLIENTS)
        before = stage.count(person.phone)
        window = clock.epoch(clock.now()) // HOUR
        for each in (window, window + 1):
            key = handler._limits._key("CAP", "messages/phone/known", person.phone, str(each))
            dynamo.put(
                settings.identity_table,
                {**key, "n": settings.messages_per_address - 1, "expires_at": (each + 2) * HOUR},
            )

        def send(n: int) -> Response:
            path = f"/v1/auth/challenges/{challenges[n]}/send"  # noqa: B023
            return Api().post(path, {"method": "sms"})

        assert at_once(send) == {202: 1, 429: CLIENTS - 1}, number
        assert stage.count(person.phone) == before + 1


@rounds
def test_one_code_is_sent(stage: Platform, at_once: AtOnce, rounds: int) -> None:
    person = register(stage)
    for number in range(rounds):
        (challenge,) = step_ups(person, 1)
        before = stage.count(person.phone)
        path = f"/v1/auth/challenges/{challenge}/send"
        statuses = at_once(lambda _: Api().post(path, {"method": "sms"}))  # noqa: B023
        assert statuses == {202: 1, 429: CLIENTS - 1}, number
        assert stage.count(person.phone) == before + 1


@rounds
def test_one_registration_makes_one_account(stage: Platform, at_once: AtOnce, rounds: int) -> None:
    for number in range(rounds):
        body: dict[str, Any] = registration()
        codes: list[tuple[str, str]] = []
        for _ in range(2):
            challenge = Api().post("/v1/auth/register", body).json["challenge_id"]
            codes.append((challenge, code_for(stage, body["phone"])))
        statuses = at_once(lambda n: verify(Api(), codes[n % 2][0], "sms", codes[n % 2][1]))  # noqa: B023
        assert statuses == {200: 1, 401: CLIENTS - 1}, number


def test_honest_clients_sign_in_side_by_side(stage: Platform, at_once: AtOnce) -> None:
    person = register(stage)
    assert at_once(lambda _: login(Api(), person.phone, PASSWORD)) == {200: CLIENTS}
