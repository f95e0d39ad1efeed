"""Known and unknown people are answered byte for byte alike, for the same work (ASVS 5.0 §6.3.8).

Work is counted, not timed: Argon2 runs and calls to AWS by kind. A test's clock would tell more of
the machine than of the code.
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import argon2.low_level
import pytest
from moto.core.botocore_stubber import BotocoreStubber

from tests.gateway import Api, Response, outbox
from tests.integration.test_auth_journey import (
    PASSWORD,
    enrol,
    login,
    new_phone,
    register,
    registration,
    verify,
)

pytestmark = pytest.mark.usefixtures("aws")

NEW = "совсем другой пароль"


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """What was done so far: `argon2 …` by its parameters, and AWS calls by their names."""
    done: Counter[str] = Counter()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            done[f"argon2 {name}"] += 1
            return function(*args, **kwargs)

        return call

    for name in ("hash_secret", "verify_secret"):
        original = getattr(argon2.low_level, name)
        monkeypatch.setattr(f"argon2._password_hasher.{name}", counted(name, original))
    call = BotocoreStubber.__call__

    def watched(self: BotocoreStubber, event_name: str, request: Any, **kwargs: Any) -> Any:
        target = request.headers.get("X-Amz-Target", b"")
        done[target.decode() if isinstance(target, bytes) else str(target)] += 1
        return call(self, event_name=event_name, request=request, **kwargs)

    monkeypatch.setattr(BotocoreStubber, "__call__", watched)
    return done  # type: ignore[return-value]


def seen(answer: Response) -> tuple[int, dict[str, str], str]:
    """All that a client sees, but for what is random in every answer."""
    body = answer.json
    secrets = {"request_id", "challenge_id"}
    headers = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
    text = answer.text
    for name in secrets & body.keys():
        text = text.replace(body[name], "*" * len(body[name]))
    return answer.status, headers, text


def alike(work: Counter[str], requests: dict[str, Callable[[], Response]]) -> dict[str, Response]:
    """Every request is answered alike and costs alike."""
    answers, costs = {}, {}
    for name, request in requests.items():
        request()  # warm: data keys are cached
        before = work.copy()
        answers[name] = request()
        costs[name] = work - before
    first = next(iter(requests))
    for name in requests:
        assert seen(answers[name]) == seen(answers[first]), (name, first)
        assert costs[name] == costs[first], (name, first)
    return answers


def test_login(work: Counter[str]) -> None:
    person, disabled, app = register(), register(), register()
    enrol(app)
    _disable(disabled.answer["account"]["account_id"])
    answers = alike(
        work,
        {
            "a wrong password": lambda: login(Api(), person.phone, "не тот пароль"),
            "an unknown phone": lambda: login(Api(), new_phone(), "не тот пароль"),
            "an unknown e-mail": lambda: login(Api(), "nobody@example.ru", "не тот пароль"),
            "an unknown СНИЛС": lambda: login(Api(), "112-233-445 95", "не тот пароль"),
            "no login at all": lambda: login(Api(), "???", "не тот пароль"),
            "a long password": lambda: login(Api(), new_phone(), "п" * 1000),
            "who has an app": lambda: login(Api(), app.phone, "не тот пароль"),
            "a disabled account's": lambda: login(Api(), disabled.phone, PASSWORD),
        },
    )
    assert answers["a wrong password"].status == 401


def _disable(account_id: str) -> None:
    from auth import handler
    from kernel import dynamo

    key = {"pk": f"ACCOUNT#{account_id}", "sk": "STATE"}
    dynamo.update(handler._settings.accounts_table, key, "SET disabled = :yes", {":yes": True})


def test_a_login_hashes_once_whoever_it_is(work: Counter[str]) -> None:
    person = register()
    for phone in (person.phone, new_phone()):
        before = work.copy()
        login(Api(), phone, "не тот пароль")
        assert {k: v for k, v in (work - before).items() if k.startswith("argon2")} == {
            "argon2 verify_secret": 1
        }


def test_the_fifth_failure_in_a_row_too(work: Counter[str]) -> None:
    """The owner is told by a message; nobody can be told, and that costs as much."""
    person = register()
    # Nobody's data key is made once, with the deployment's first unknown login.
    Api().post("/v1/auth/password/reset", {"login": new_phone()})
    costs = []
    for phone in (person.phone, new_phone()):
        api = Api()
        login(api, phone, "не тот пароль")
        for _ in range(3):
            login(api, phone, "не тот пароль")
        before = work.copy()
        login(api, phone, "не тот пароль")
        costs.append(work - before)
    assert costs[0] == costs[1]
    assert "несколько раз пытались войти" in outbox(person.phone)[0]


def test_register(work: Counter[str]) -> None:
    known = register()
    endings = known.phone[-4:]
    unknown = itertools.count(int(known.phone[5:8]) + 1)
    answers = alike(
        work,
        {
            "known": lambda: Api().post("/v1/auth/register", registration(phone=known.phone)),
            # The answer's hint shows what was typed: its last four digits.
            "unknown": lambda: Api().post(
                "/v1/auth/register", registration(phone=f"+7902{next(unknown) % 1000:03}{endings}")
            ),
        },
    )
    assert answers["known"].status == 202


def test_wrong_codes_after_register(work: Counter[str]) -> None:
    known = register()
    bodies = {"known": registration(phone=known.phone), "unknown": registration()}

    def wrong_code(body: dict[str, Any]) -> Callable[[], Response]:
        challenge = Api().post("/v1/auth/register", body).json["challenge_id"]
        return lambda: verify(Api(), challenge, "sms", "not-it")

    alike(work, {name: wrong_code(body) for name, body in bodies.items()})


def test_sending_again_after_register(work: Counter[str]) -> None:
    known = register()
    bodies = {"known": registration(phone=known.phone), "unknown": registration()}

    def again(body: dict[str, Any]) -> Callable[[], Response]:
        def send() -> Response:
            # The first one after `register` adds no message; the second has to wait.
            challenge = Api().post("/v1/auth/register", body).json["challenge_id"]
            path = f"/v1/auth/challenges/{challenge}/send"
            assert Api().post(path, {"method": "sms"}).status == 202
            _let_time_pass(challenge)
            return Api().post(path, {"method": "sms"})

        return send

    answers = alike(work, {name: again(body) for name, body in bodies.items()})
    assert answers["known"].status == 202
    assert not re.search(r"\b[0-9]{6}\b", outbox(known.phone)[0])


def _let_time_pass(challenge_id: str) -> None:
    from auth import handler
    from kernel import dynamo

    key = {"pk": f"CHALLENGE#{challenge_id}", "sk": "CHALLENGE"}
    dynamo.update(handler._settings.identity_table, key, "SET next_send_at = :no", {":no": 0})


def test_reset(work: Counter[str]) -> None:
    from auth import bootstrap

    person, worker, app, disabled = register(), register(), register(), register()
    bootstrap.handler({"phone": worker.phone}, None)
    enrol(app)
    _disable(disabled.answer["account"]["account_id"])

    def begun(login: str) -> Callable[[], Response]:
        return lambda: Api().post("/v1/auth/password/reset", {"login": login})

    answers = alike(
        work,
        {
            "known": begun(person.phone),
            "unknown": begun(new_phone()),
            "a worker's": begun(worker.phone),
            "who has an app": begun(app.phone),
            "disabled": begun(disabled.phone),
            "an e-mail": begun("nobody@example.ru"),
            "no login": begun("???"),
        },
    )
    assert answers["known"].status == 202


def test_wrong_codes_of_a_reset(work: Counter[str]) -> None:
    person = register()

    def wrong_code(login: str) -> Callable[[], Response]:
        begun = Api().post("/v1/auth/password/reset", {"login": login}).json
        body = {
            "challenge_id": begun["challenge_id"],
            "code": "not-it",
            "birth_date": "1980-03-08",
            "new_password": NEW,
        }
        return lambda: Api().post("/v1/auth/password/reset/confirm", body)

    alike(work, {"known": wrong_code(person.phone), "unknown": wrong_code(new_phone())})


def test_a_passkey_for_a_reset(work: Counter[str]) -> None:
    person = register()

    def asked(login: str) -> Callable[[], Response]:
        challenge = Api().post("/v1/auth/password/reset", {"login": login}).json["challenge_id"]
        path = f"/v1/auth/challenges/{challenge}/send"
        return lambda: Api().post(path, {"method": "passkey"})

    known, unknown = asked(person.phone)(), asked(new_phone())()
    for answer in (known, unknown):
        assert answer.status == 200, answer
        assert answer.json["options"].pop("challenge")
    assert {**known.json["options"], "challenge": ""} == {
        **unknown.json["options"],
        "challenge": "",
    }


def test_a_phone_change_to_a_known_number(work: Counter[str]) -> None:
    person, other = register(), register()
    ending = other.phone[-4:]

    def change(phone: str) -> Callable[[], Response]:
        return lambda: person.api.post("/v1/auth/phone", {"phone": phone})

    alike(work, {"known": change(other.phone), "unknown": change(f"+7903111{ending}")})
