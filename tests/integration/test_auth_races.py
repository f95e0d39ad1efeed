"""Many clients at once on one thing that serves once: one of them wins."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.gateway import Api, Response, outbox
from tests.integration.test_auth_journey import (
    code_for,
    enrol,
    login,
    new_phone,
    refreshed,
    register,
    verify,
)

pytestmark = pytest.mark.usefixtures("aws")

CLIENTS = 16


def at_once(request: Callable[[int], Response]) -> Counter[int]:
    """The statuses that so many clients get at the same time."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(answer.status for answer in pool.map(request, range(CLIENTS)))


def test_one_code_signs_one_in() -> None:
    person = register()
    challenge = login(Api(), person.phone).json["challenge_id"]
    Api().post(f"/v1/auth/challenges/{challenge}/send", {"method": "sms"})
    code = code_for(person.phone)
    statuses = at_once(lambda _: verify(Api(), challenge, "sms", code))
    assert statuses == {200: 1, 401: CLIENTS - 1}


def test_one_registration_makes_one_account() -> None:
    api, phone = Api(), new_phone()
    body = {
        "phone": phone,
        "password": "высокий тополь у реки",
        "last_name": "Ростова",
        "first_name": "Наталья",
        "birth_date": "1990-01-02",
    }
    first, second = (api.post("/v1/auth/register", body).json["challenge_id"] for _ in range(2))
    newer, older = (message.split("подтверждения ")[1][:6] for message in outbox(phone)[:2])
    codes = {first: older, second: newer}
    statuses = at_once(lambda n: verify(Api(), *_of(codes, n)))
    assert statuses == {200: 1, 401: CLIENTS - 1}


def _of(codes: dict[str, str], n: int) -> tuple[str, str, str]:
    challenge = list(codes)[n % 2]
    return challenge, "sms", codes[challenge]


def test_one_recovery_code_serves_once_across_challenges() -> None:
    person = register()
    _, codes = enrol(person)
    challenges = [login(Api(), person.phone).json["challenge_id"] for _ in range(CLIENTS)]
    statuses = at_once(lambda n: verify(Api(), challenges[n], "recovery_code", codes[0]))
    assert statuses == {200: 1, 401: CLIENTS - 1}


def test_one_refresh_token_has_one_successor_and_then_none() -> None:
    person = register()
    statuses = at_once(lambda _: refreshed(person.refresh_token))
    assert statuses == {200: 1, 401: CLIENTS - 1}
    assert person.api.get("/v1/auth/account").json["code"] == "session_revoked"


def test_repeats_under_one_key_get_one_successor() -> None:
    person = register()
    successors: set[str] = set()

    def refresh(_: int) -> Response:
        answer = refreshed(person.refresh_token, **{"Idempotency-Key": "one"})
        successors.add(answer.json["refresh_token"])
        return answer

    assert at_once(refresh) == {200: CLIENTS}
    assert len(successors) == 1


def test_one_reset_is_done_once() -> None:
    person = register()
    begun = Api().post("/v1/auth/password/reset", {"login": person.phone}).json
    body = {
        "challenge_id": begun["challenge_id"],
        "code": code_for(person.phone),
        "birth_date": "1980-03-08",
        "new_password": "совсем другой пароль",
    }
    statuses = at_once(lambda _: Api().post("/v1/auth/password/reset/confirm", body))
    assert statuses == {204: 1, 401: CLIENTS - 1}


def test_one_code_is_sent() -> None:
    person = register()
    challenge = login(Api(), person.phone).json["challenge_id"]
    before = len(outbox(person.phone))
    path = f"/v1/auth/challenges/{challenge}/send"
    statuses = at_once(lambda _: Api().post(path, {"method": "sms"}))
    assert statuses == {202: 1, 429: CLIENTS - 1}
    assert len(outbox(person.phone)) == before + 1


def test_honest_clients_sign_in_side_by_side() -> None:
    person = register()
    assert at_once(lambda _: login(Api(), person.phone)) == {200: CLIENTS}
