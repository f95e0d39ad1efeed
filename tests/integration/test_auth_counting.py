"""Counters, codes and challenges one by one, at times that the test chooses.

On moto, and on a table in process that is quick enough for the mutation run (`make test-long`),
which runs these for each mutant.
"""

import itertools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from auth.caller import Caller
from auth.challenges import Challenges, Recipient
from auth.limits import Limits
from auth.repository import Repository
from kernel import aws as clients
from kernel import clock, dynamo, hashing, ids
from kernel.caps import DAY, HOUR
from kernel.codes import Codes
from kernel.errors import (
    ChallengeExpired,
    CodeInvalid,
    Locked,
    RateLimited,
    ValidationFailed,
)
from kernel.identity import AccountId
from kernel.messages import Messages
from kernel.sealing import DataKey
from tests.dynamo_in_process import Macs, Queue, Tables

NOW = datetime(2026, 3, 1, 12, 0, 7, tzinfo=UTC)
TABLE = "CountingTable"
_subjects = (f"subject {n}" for n in itertools.count())
_numbers = (f"+7901{n:07}" for n in itertools.count())


class Store:
    """The key of what these tests stand on, and the messages sent; the table is `TABLE`."""

    key: str
    queue: str

    def sent(self) -> list[tuple[str, str]]:
        """The messages since the last look, in order."""
        bodies = [json.loads(body) for body in self._bodies()]
        return [(body["to"], body["text"]) for body in bodies]

    def _bodies(self) -> list[str]:
        raise NotImplementedError


class OnMoto(Store):
    def __init__(self) -> None:
        boto3.client("dynamodb").create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
        )
        kms: Any = boto3.client("kms")
        made = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        self.key = made["KeyMetadata"]["Arn"]
        self._sqs: Any = boto3.client("sqs")
        self.queue = self._sqs.create_queue(QueueName="counting")["QueueUrl"]

    def _bodies(self) -> list[str]:
        found = []
        while messages := self._sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in messages:
                found.append(message["Body"])
                self._sqs.delete_message(
                    QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"]
                )
        return found


class InProcess(Store):
    key = "key in process"
    queue = "queue in process"

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        tables, macs, self._queue = Tables(TABLE), Macs(), Queue()
        patch.setattr(clients, "dynamodb", lambda: tables)
        patch.setattr(clients, "kms", lambda: macs)
        patch.setattr(clients, "sqs", lambda: self._queue)

    def _bodies(self) -> list[str]:
        found, self._queue.bodies = self._queue.bodies, []
        return found


@pytest.fixture(scope="module", params=["in_process", "moto"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "in_process":
            yield InProcess(patch)
            return
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        with mock_aws():
            clients.forget_clients()
            yield OnMoto()
            clients.forget_clients()


@pytest.fixture
def limits(store: Store) -> Limits:
    return Limits(TABLE, store.key)


@pytest.fixture
def made(store: Store) -> Codes:
    return Codes(TABLE, store.key)


@pytest.fixture
def who() -> str:
    return next(_subjects)


def later(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


def stored(limits: Limits, *parts: str) -> dict[str, Any] | None:
    return dynamo.get(TABLE, limits._key(*parts))


# --- one window -----------------------------------------------------------------------------------


def test_a_window_lets_its_cap_pass_and_says_how_long_it_lasts(limits: Limits, who: str) -> None:
    for _ in range(3):
        limits.count("c", who, cap=3, seconds=900, now=NOW)
    with pytest.raises(RateLimited) as refused:
        limits.count("c", who, cap=3, seconds=900, now=NOW)
    assert refused.value.retry_after == 900 - 7
    # Other names, subjects and windows count apart.
    limits.count("d", who, cap=1, seconds=900, now=NOW)
    limits.count("c", who + "x", cap=1, seconds=900, now=NOW)
    with pytest.raises(RateLimited):
        limits.count("c", who, cap=3, seconds=900, now=later(892))
    limits.count("c", who, cap=1, seconds=900, now=later(893))
    window = clock.epoch(NOW) // 900
    item = stored(limits, "CAP", "c", who, str(window))
    assert item is not None
    assert (item["n"], item["expires_at"]) == (5, (window + 2) * 900)


def test_keys_hide_their_subjects(limits: Limits, who: str) -> None:
    key = limits._key("CAP", "a", who)
    assert re.fullmatch(r"CAP#[0-9a-f]{32}", key["pk"])
    assert key["sk"] == "CAP"
    assert key != limits._key("CAP", "a" + who, "")
    assert key != limits._key("FAILURES", "a", who)
    assert limits._key("CAP", "ab", "c") != limits._key("CAP", "a", "bc")
    other = Limits(TABLE, limits._lookup_key)
    assert other._key("CAP", "a", who) == key


# --- tries in a row -------------------------------------------------------------------------------


def test_tries_wait_longer_and_longer(limits: Limits, who: str) -> None:
    moment = NOW
    for n in (1, 2, 3, 4, 5):
        assert limits.attempt("p", who, free=5, now=moment) == n
    for n, wait in ((5, 15), (6, 30), (7, 60), (8, 120), (9, 240), (10, 480), (11, 900), (12, 900)):
        item = stored(limits, "FAILURES", "p", who)
        assert item is not None
        assert item["n"] == n
        assert item["blocked_until"] == clock.epoch(moment) + wait
        assert item["expires_at"] == clock.epoch(moment) + 30 * DAY
        with pytest.raises(Locked) as locked:
            limits.attempt("p", who, free=5, now=moment + timedelta(seconds=4))
        assert locked.value.retry_after == wait - 4
        with pytest.raises(Locked) as locked:
            limits.attempt("p", who, free=5, now=moment + timedelta(seconds=wait - 1))
        assert locked.value.retry_after == 1
        moment += timedelta(seconds=wait)
        # The very second in which the wait is over; refused tries were not counted.
        assert limits.attempt("p", who, free=5, now=moment) == n + 1


def test_free_tries_do_not_wait(limits: Limits, who: str) -> None:
    for _ in range(4):
        limits.attempt("p", who, free=5, now=NOW)
    item = stored(limits, "FAILURES", "p", who)
    assert item is not None
    assert "blocked_until" not in item
    assert item["expires_at"] == clock.epoch(NOW) + 30 * DAY


def test_names_and_subjects_wait_apart(limits: Limits, who: str) -> None:
    limits.attempt("p", who, free=1, now=NOW)
    with pytest.raises(Locked):
        limits.attempt("p", who, free=1, now=NOW)
    assert limits.attempt("q", who, free=1, now=NOW) == 1
    assert limits.attempt("p", who + "x", free=1, now=NOW) == 1


def test_of_many_at_once_only_the_free_ones_pass(
    limits: Limits, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the write others have counted."""
    for _ in range(3):
        limits.attempt("p", who, free=3, now=NOW)
    monkeypatch.setattr("kernel.dynamo.get", lambda *_: {"n": 2})
    with pytest.raises(Locked) as locked:
        limits.attempt("p", who, free=3, now=NOW)
    assert locked.value.retry_after == 1


def test_of_many_after_a_wait_one_passes(
    limits: Limits, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits.attempt("p", who, free=1, now=NOW)
    item = stored(limits, "FAILURES", "p", who)
    assert limits.attempt("p", who, free=1, now=later(15)) == 2
    monkeypatch.setattr("kernel.dynamo.get", lambda *_: item)
    with pytest.raises(Locked) as locked:
        limits.attempt("p", who, free=1, now=later(15))
    assert locked.value.retry_after == 1


def test_tallies_count_without_waits(limits: Limits, who: str) -> None:
    assert [limits.tally("t", who, now=NOW) for _ in range(3)] == [1, 2, 3]
    item = stored(limits, "FAILURES", "t", who)
    assert item is not None
    assert item["expires_at"] == clock.epoch(NOW) + 30 * DAY
    assert limits.tally("t", who + "x", now=NOW) == 1
    assert limits.tally("u", who, now=NOW) == 1


def test_a_success_forgets(limits: Limits, who: str) -> None:
    limits.clear("t", who)
    for _ in range(2):
        limits.tally("t", who, now=NOW)
    limits.clear("t", who)
    assert stored(limits, "FAILURES", "t", who) is None
    assert limits.tally("t", who, now=NOW) == 1


def test_a_success_beyond_the_limit_forgets_nothing(limits: Limits, who: str) -> None:
    limits.clear("t", who, below=3)
    assert stored(limits, "FAILURES", "t", who) is None
    for _ in range(2):
        limits.tally("t", who, now=NOW)
    limits.clear("t", who, below=3)
    item = stored(limits, "FAILURES", "t", who)
    assert item is not None
    assert item["n"] == 0
    for _ in range(3):
        limits.tally("t", who, now=NOW)
    limits.clear("t", who, below=3)
    assert limits.tally("t", who, now=NOW) == 4


# --- codes ----------------------------------------------------------------------------------------


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def test_a_code_is_six_digits_and_rests_as_a_keyed_hash(
    made: Codes, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda below: 7 if below == 1_000_000 else -1)
    assert made.issue(who, "p", NOW) == "000007"
    item = dynamo.get(TABLE, {"pk": f"CODE#{who}", "sk": "p"})
    assert item is not None
    moment = clock.epoch(NOW)
    assert item["valid_until"] == moment + 300
    assert item["window_until"] == moment + 900
    assert item["expires_at"] == moment + 1800
    assert item["tries_left"] == 5
    assert re.fullmatch("[0-9a-f]{64}", item["code_hash"])
    assert "used_by" not in item


def test_a_code_serves_once(made: Codes, who: str) -> None:
    code = made.issue(who, "p", NOW)
    first, second = made.match(who, "p", code, NOW), made.match(who, "p", code, NOW)
    dynamo.transact(first)
    with pytest.raises(dynamo.ConditionFailed):
        dynamo.transact(second)
    with pytest.raises(dynamo.ConditionFailed):
        dynamo.transact(first)
    with pytest.raises(ChallengeExpired):
        made.match(who, "p", code, NOW)


def test_a_code_is_checked_and_used_at_once(made: Codes, who: str) -> None:
    code = made.issue(who, "p", NOW)
    with pytest.raises(CodeInvalid):
        made.check(who, "p", other_than(code), NOW)
    made.check(who, "p", code, NOW)
    with pytest.raises(ChallengeExpired):
        made.check(who, "p", code, NOW)


def test_a_code_that_is_used_meanwhile_is_used(
    made: Codes, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = made.issue(who, "p", NOW)
    action = made.match(who, "p", code, NOW)
    dynamo.transact(action)
    monkeypatch.setattr(Codes, "match", lambda *_: action)
    with pytest.raises(ChallengeExpired):
        made.check(who, "p", code, NOW)


def test_five_tries_and_no_more(made: Codes, who: str) -> None:
    code = made.issue(who, "p", NOW)
    for _ in range(5):
        with pytest.raises(CodeInvalid):
            made.match(who, "p", other_than(code), NOW)
    with pytest.raises(ChallengeExpired):
        made.match(who, "p", code, NOW)


def test_the_fifth_try_may_be_right(made: Codes, who: str) -> None:
    code = made.issue(who, "p", NOW)
    for _ in range(4):
        with pytest.raises(CodeInvalid):
            made.match(who, "p", other_than(code), NOW)
    made.match(who, "p", code, NOW)


def test_a_new_code_brings_no_new_tries_before_its_window_is_over(made: Codes, who: str) -> None:
    for _ in range(5):
        code = made.issue(who, "p", NOW)
        with pytest.raises(CodeInvalid):
            made.match(who, "p", other_than(code), NOW)
    with pytest.raises(RateLimited) as limited:
        made.issue(who, "p", later(10))
    assert limited.value.retry_after == 890
    with pytest.raises(RateLimited):
        made.issue(who, "p", later(899))
    code = made.issue(who, "p", later(900))
    made.check(who, "p", code, later(900))


def test_a_new_code_takes_the_place_of_the_old_one(
    made: Codes, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter((1, 2, 3))
    monkeypatch.setattr("secrets.randbelow", lambda _: next(numbers))
    old = made.issue(who, "p", NOW)
    action = made.match(who, "p", old, NOW)
    new = made.issue(who, "p", later(200))
    with pytest.raises(CodeInvalid):
        made.match(who, "p", old, later(200))
    with pytest.raises(dynamo.ConditionFailed):
        dynamo.transact(action)
    # Its five minutes are its own.
    made.check(who, "p", new, later(499))
    # A used one makes room for another, too.
    made.check(who, "p", made.issue(who, "p", later(499)), later(500))


def test_a_code_lives_five_minutes(made: Codes, who: str) -> None:
    code = made.issue(who, "p", NOW)
    action = made.match(who, "p", code, later(299))
    with pytest.raises(ChallengeExpired):
        made.match(who, "p", code, later(300))
    late = json.loads(json.dumps(action))
    late["Update"]["ExpressionAttributeValues"][":now"] = {"N": str(clock.epoch(later(300)))}
    with pytest.raises(dynamo.ConditionFailed):
        dynamo.transact(late)
    dynamo.transact(action)


def test_a_code_fits_nowhere_else(made: Codes, who: str) -> None:
    code = made.issue(who, "p", NOW)
    for subject, purpose in ((who + "x", "p"), (who, "q")):
        with pytest.raises(ChallengeExpired):
            made.match(subject, purpose, code, NOW)
    hashes = {made._hash(*parts) for parts in (("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""))}
    assert len(hashes) == 3


# --- challenges -----------------------------------------------------------------------------------


class Sender:
    """A person with a phone, and the challenges sent to it."""

    def __init__(self, store: Store, cap: int = 1000, a_day: int = 50_000, **caller: Any) -> None:
        self.store = store
        store.sent()
        self.repository = Repository("unused", TABLE)
        self.limits = Limits(TABLE, store.key)
        self.challenges = Challenges(
            self.repository,
            self.limits,
            Messages(store.queue),
            lookup_key=store.key,
            messages_cap=cap,
            messages_a_day=a_day,
        )
        self.phone = next(_numbers)
        self.caller = self.at(0, **caller)

    def at(self, seconds: int, *, ip: str = "10.0.0.1", language: Any = "ru") -> Caller:
        return Caller(
            ip=ip, user_agent="tests", language=language, now=later(seconds), client="medkarta-app"
        )

    def item(self, challenge_id: str) -> dict[str, Any]:
        found = dynamo.get(TABLE, {"pk": f"CHALLENGE#{challenge_id}", "sk": "CHALLENGE"})
        assert found is not None
        return found

    def made(self, kind: Any = "login", methods: tuple[str, ...] = ("sms", "totp")) -> str:
        challenge_id, action = self.challenges.create(
            kind,
            account_id=AccountId("acc"),
            methods=methods,
            recipient=Recipient(self.phone, counted=self.phone),
            caller=self.caller,
            facts={"more": 1},
        )
        dynamo.transact(action)
        return challenge_id

    def send(self, challenge_id: str, seconds: int = 0, **caller: Any) -> int:
        at = self.at(seconds, **caller)
        return self.challenges.send(self.repository.challenge(challenge_id, at.now), at)


@pytest.fixture
def sender(store: Store) -> Sender:
    return Sender(store)


def test_a_challenge_is_kept_and_its_phone_sealed(sender: Sender) -> None:
    item = sender.item(sender.made())
    moment = clock.epoch(NOW)
    assert item["kind"] == "login"
    assert item["account_id"] == "acc"
    assert item["methods"] == ["sms", "totp"]
    assert item["valid_until"] == moment + 600
    assert item["expires_at"] == moment + 600 + 3600
    assert (item["tries_left"], item["sends"], item["next_send_at"]) == (5, 0, 0)
    assert item["more"] == 1
    assert sender.phone.encode() not in item["phone"] + item["counted"]
    assert sender.store.sent() == []


def test_a_seal_opens_in_its_own_challenge_only(sender: Sender) -> None:
    from kernel.sealing import SealBroken

    first, second = sender.made(), sender.made()
    challenge = sender.repository.challenge(first, NOW)
    assert sender.challenges._open(challenge, "phone") == sender.phone
    challenge.item["phone"] = sender.item(second)["phone"]
    with pytest.raises(SealBroken):
        sender.challenges._open(challenge, "phone")


def test_a_challenge_under_way_outlives_a_deployment(sender: Sender) -> None:
    """What rests opens under the names of today: whoever changes them ends what is under way."""
    challenge_id = sender.made()
    key = DataKey("challenges", hashing.process_key(sender.store.key, "challenges/v1"))
    sealed = sender.item(challenge_id)["phone"]
    assert key.open(sealed, f"identity/CHALLENGE#{challenge_id}/phone").decode() == sender.phone


def test_a_code_is_sent_and_serves(sender: Sender) -> None:
    challenge_id = sender.made()
    assert sender.send(challenge_id) == 30
    ((to, text),) = sender.store.sent()
    assert to == sender.phone
    assert "5 мин" in text
    (code,) = re.findall(r"(?<!\d)\d{6}(?!\d)", text)
    challenge = sender.repository.challenge(challenge_id, NOW)
    with pytest.raises(CodeInvalid):
        sender.challenges.match(challenge, other_than(code), NOW)
    dynamo.transact(sender.challenges.match(challenge, code, NOW))


def test_messages_are_in_the_callers_language(sender: Sender) -> None:
    sender.send(sender.made(), language="en")
    sender.challenges.notify(sender.phone, "sms.new_device", sender.at(0, language="en"))
    sender.challenges.notify(sender.phone, "sms.new_device", sender.caller)
    texts = [text for _, text in sender.store.sent()]
    assert "your code is" in texts[0]
    assert "new device" in texts[1]
    assert "нового устройства" in texts[2]


def test_nobody_is_notified_of_nothing(sender: Sender) -> None:
    sender.challenges.notify("", "sms.new_device", sender.caller)
    assert sender.store.sent() == [("", "")]


def test_sending_again_waits_longer_each_time(sender: Sender) -> None:
    challenge_id = sender.made()
    assert sender.send(challenge_id) == 30
    with pytest.raises(RateLimited) as early:
        sender.send(challenge_id, 10)
    assert early.value.retry_after == 20
    with pytest.raises(RateLimited) as early:
        sender.send(challenge_id, 29)
    assert early.value.retry_after == 1
    assert sender.send(challenge_id, 30) == 60
    with pytest.raises(RateLimited) as early:
        sender.send(challenge_id, 89)
    assert early.value.retry_after == 1
    assert sender.send(challenge_id, 90) == 120
    assert len(sender.store.sent()) == 3


def test_of_two_who_send_at_once_one_does(sender: Sender) -> None:
    challenge = sender.repository.challenge(sender.made(), NOW)
    assert sender.challenges.send(challenge, sender.caller) == 30
    with pytest.raises(RateLimited) as lost:
        sender.challenges.send(challenge, sender.caller)
    assert lost.value.retry_after == 30
    assert len(sender.store.sent()) == 1


def test_nothing_is_sent_where_no_text_message_is_offered(sender: Sender) -> None:
    with pytest.raises(ValidationFailed) as refused:
        sender.send(sender.made(methods=("totp",)))
    assert [(each.field, each.code) for each in refused.value.problems] == [("method", "value")]


def begun(sender: Sender, kind: Any = "register", **more: Any) -> str:
    recipient = Recipient(**{"phone": sender.phone, "counted": sender.phone, **more})
    return sender.challenges.create_and_send(
        kind, account_id=None, recipient=recipient, caller=sender.caller, facts={"fact": 2}
    )


def test_what_is_sent_at_once_is_not_sent_again_by_the_first_send(sender: Sender) -> None:
    challenge_id = begun(sender)
    item = sender.item(challenge_id)
    assert item["fact"] == 2
    assert item["methods"] == ["sms"]
    assert item["account_id"] is None
    assert item["next_send_at"] == clock.epoch(NOW)
    assert len(sender.store.sent()) == 1
    assert sender.send(challenge_id) == 60
    assert sender.store.sent() == []
    with pytest.raises(RateLimited):
        sender.send(challenge_id, 59)
    assert sender.send(challenge_id, 60) == 120
    ((to, text),) = sender.store.sent()
    assert to == sender.phone
    assert re.search(r"\d{6}", text)


def test_a_notice_goes_in_the_place_of_a_code_and_no_code_follows(sender: Sender) -> None:
    challenge_id = begun(sender, notice="Это уже ваш номер.")
    assert sender.store.sent() == [(sender.phone, "Это уже ваш номер.")]
    sender.send(challenge_id)
    assert sender.send(challenge_id, 60) == 120
    ((to, _),) = sender.store.sent()
    assert to == ""


def test_what_comes_with_a_challenge_is_written_with_it(sender: Sender) -> None:
    item = {"pk": ids.secret(), "sk": "WITH"}
    challenge_id = sender.challenges.create_and_send(
        "reset",
        account_id=AccountId("acc"),
        recipient=Recipient(sender.phone, counted=sender.phone),
        caller=sender.caller,
        with_it=[{"Put": dynamo.put_request(TABLE, item)}],
    )
    assert dynamo.get(TABLE, item) == item
    assert sender.item(challenge_id)["account_id"] == "acc"


def test_exhausted_codes_exhaust_the_challenge(sender: Sender) -> None:
    challenge_id = sender.made()
    sender.send(challenge_id)
    challenge = sender.repository.challenge(challenge_id, NOW)
    for _ in range(5):
        with pytest.raises(CodeInvalid):
            sender.challenges.match(challenge, "x", NOW)
    sender.store.sent()
    with pytest.raises(ChallengeExpired):
        sender.send(challenge_id, 30)
    assert sender.store.sent() == []


# --- caps on messages -----------------------------------------------------------------------------


def test_one_address_causes_so_many_messages_an_hour(store: Store) -> None:
    sender = Sender(store, cap=2, ip="10.1.0.1")
    for _ in range(2):
        sender.phone = next(_numbers)
        sender.send(sender.made(), ip="10.1.0.1")
    sender.phone = next(_numbers)
    with pytest.raises(RateLimited) as refused:
        sender.send(sender.made(), ip="10.1.0.1")
    assert refused.value.retry_after == HOUR - 7
    sender.send(sender.made(), ip="10.1.0.2")
    assert len(store.sent()) == 3


def test_one_phone_gets_so_many_messages_an_hour(store: Store) -> None:
    sender = Sender(store, cap=2)
    for n in range(2):
        sender.send(sender.made(), ip=f"10.2.0.{n}")
    with pytest.raises(RateLimited) as refused:
        sender.send(sender.made(), ip="10.2.0.9")
    assert refused.value.retry_after == HOUR - 7
    # What strangers cause is counted apart, so they cannot use up the owner's.
    sender.caller = sender.at(0, ip="10.2.1.1")
    begun(sender, "register")
    sender.caller = sender.at(0, ip="10.2.1.2")
    begun(sender, "reset")
    sender.caller = sender.at(0, ip="10.2.1.3")
    with pytest.raises(RateLimited):
        begun(sender, "register")
    assert len(store.sent()) == 4


def test_a_message_is_counted_by_address_phone_and_range(store: Store) -> None:
    sender = Sender(store)
    sender.phone = "+79997512345"

    def counted(name: str, subject: str) -> int:
        window = str(clock.epoch(NOW) // HOUR)
        item = dynamo.get(TABLE, sender.limits._key("CAP", f"messages/{name}", subject, window))
        return item["n"] if item else 0

    def all_counted(ip: str) -> list[int]:
        return [
            counted("address", ip),
            counted("phone/known", sender.phone),
            counted("prefix/known", "+7999751"),
            counted("phone/anonymous", sender.phone),
            counted("prefix/anonymous", "+7999751"),
        ]

    sender.send(sender.made(), ip="10.6.0.1")
    assert all_counted("10.6.0.1") == [1, 1, 1, 0, 0]
    challenge_id = begun(sender)
    assert all_counted("10.0.0.1")[1:] == [1, 1, 1, 1]
    sender.send(challenge_id)  # adds no message
    sender.send(challenge_id, 60, ip="10.6.0.2")
    assert all_counted("10.6.0.2") == [1, 1, 1, 2, 2]


def test_who_enters_somebodys_number_as_new_uses_up_none_of_their_messages(store: Store) -> None:
    sender = Sender(store, cap=1)
    sender.caller = sender.at(0, ip="10.5.0.1")
    begun(sender, "phone")
    sender.caller = sender.at(0, ip="10.5.0.2")
    with pytest.raises(RateLimited):
        begun(sender, "phone")
    sender.send(sender.made(), ip="10.5.0.3")


def test_what_is_refused_makes_no_challenge(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Sender(store, cap=0)
    monkeypatch.setattr("kernel.ids.secret", lambda: "refused-before")
    with pytest.raises(RateLimited):
        begun(sender)
    assert dynamo.get(TABLE, {"pk": "CHALLENGE#refused-before", "sk": "CHALLENGE"}) is None


def test_one_range_of_numbers_gets_so_many(store: Store) -> None:
    """Pumping goes by ranges: twenty times the cap of one phone for the first eight characters."""
    sender = Sender(store, cap=1)
    for n in range(20):
        sender.phone = f"+799987{n * 499:05}"
        sender.send(sender.made(), ip=f"10.3.0.{n}")
    sender.phone = "+79998709999"
    with pytest.raises(RateLimited):
        sender.send(sender.made(), ip="10.3.1.1")
    sender.phone = "+79998600000"
    sender.send(sender.made(), ip="10.3.1.2")
    sender.phone = "+79998700088"
    sender.caller = sender.at(0, ip="10.3.1.3")
    begun(sender)  # strangers' are counted apart here too


def test_one_day_has_so_many(store: Store) -> None:
    sender = Sender(store, a_day=0)
    with pytest.raises(RateLimited) as refused:
        sender.send(sender.made())
    assert refused.value.retry_after == DAY - 12 * HOUR - 7
    key = sender.limits._key("CAP", "messages/day", "all", str(clock.epoch(NOW) // DAY))
    item = dynamo.get(TABLE, key)
    assert item is not None
    assert item["n"] >= 1
