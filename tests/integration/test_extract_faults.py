"""Extracts on a bad day: ended, throttled, unanswered at every AWS call, and taken back meanwhile.

For every point the end is the same: one extract that is ready, one object in the bucket, whose hash
is the one told, one entry in the journal; or, taken back, no object at all.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

import boto3
import pytest

from tests import extract_faults as faults
from tests import template
from tests.gateway import Api, Response, drain, function
from tests.integration import desk_world, records_world

ORDER = {"kind": "visit", "language": "ru", "from": "2026-09-01", "to": "2026-11-30"}


def modes(*ordinary: faults.How) -> list[Any]:
    """Every way to go wrong; all but `ordinary` take their minutes with `make test-long`."""
    ways = (*faults.KILLS, *faults.FAULTS)
    return [how if how in ordinary else pytest.param(how, marks=pytest.mark.long) for how in ways]


class World:
    """A patient with one visit in an open card, the worker as a process of its own, and the time.

    One visit, for what is proved here does not depend on what stands on the paper.
    """

    def __init__(self, clinic: desk_world.Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
        for staff in (clinic.registrar, clinic.clinician):
            staff.sign_in()  # a token lives ten minutes, the module longer
        card = records_world.OpenCard(clinic)
        card.send(records_world.visit("2026-10-05"))
        self._clinic_id, self._patient_id = clinic.clinic_id, card.person.patient_id
        self._account = card.person.account
        self._signed_in = time.monotonic()
        self.card_id = card.card_id
        self.path = f"/v1/cards/{self.card_id}"
        self._patch = monkeypatch

    @property
    def patient(self) -> Api:
        """The patient, signed in anew in time."""
        if time.monotonic() - self._signed_in > 300:
            self._account.sign_in()
            self._signed_in = time.monotonic()
        return self._account.api

    def order(self, key: str | None = None) -> Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.patient.post(f"{self.path}/extracts", ORDER, headers=headers)

    def ordered(self) -> dict[str, Any]:
        """Order an extract and take its message off the queue."""
        ordered = self.order()
        assert ordered.status == 202, ordered
        (message,) = self.messages()
        return {**ordered.json, "message": message}

    def messages(self) -> list[str]:
        """The queue's messages of this patient's extracts; those of other tests are dropped."""
        sqs = boto3.client("sqs")
        url = sqs.get_queue_url(QueueName="ExtractsQueue")["QueueUrl"]
        bodies = []
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                bodies.append(message["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [body for body in bodies if json.loads(body)["patient_id"] == self._patient_id]

    def deliver(self, extract: dict[str, Any], attempt: int = 1) -> bool:
        """Hand the message to a worker that has just been started; whether it succeeded."""
        # A process knows nothing of those before it: no key, no certificate, no client.
        sys.modules.pop("extracts.worker", None)
        record = {
            "messageId": "1",
            "body": extract["message"],
            "attributes": {"ApproximateReceiveCount": str(attempt)},
        }
        answer = function("extracts.worker.handler")({"Records": [record]}, None)
        return not answer["batchItemFailures"]

    def later(self, **by: float) -> None:
        """Let time pass, for the functions."""
        from kernel import clock

        moment = clock.now() + timedelta(**by)
        self._patch.setattr(clock, "now", lambda: moment)

    def now_again(self) -> None:
        from kernel import clock

        self._patch.setattr(clock, "now", lambda: datetime.now(tz=_UTC))

    def sweep(self) -> None:
        """Run the sweeper until nothing is due, at a time when all is."""
        self.later(minutes=5)
        answer = function("extracts.sweeper.handler")({}, None)
        assert answer["failed"] == 0
        self.now_again()

    def state(self, extract: dict[str, Any]) -> dict[str, Any]:
        return dict(self.patient.get(f"/v1/extracts/{extract['extract_id']}").json)

    def objects(self) -> set[str]:
        found = boto3.client("s3").list_objects_v2(Bucket="extractsbucket").get("Contents", [])
        return {each["Key"] for each in found}

    def entries(self) -> int:
        """How many entries of extracts the card's journal has."""
        pages = (
            boto3.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName="JournalTable",
                KeyConditionExpression="pk = :pk AND begins_with(sk, :entry)",
                ExpressionAttributeValues={
                    ":pk": {"S": f"CARD#{self.card_id}"},
                    ":entry": {"S": "ENTRY#"},
                },
            )
        )
        items = [item for page in pages for item in page["Items"]]
        return sum(item.get("section", {}).get("S") == "extracts" for item in items)

    def forget_certificate(self) -> None:
        """The clinic's certificate has not been made yet."""
        key = {"pk": {"S": f"CLINIC#{self._clinic_id}"}, "sk": {"S": "CERTIFICATE"}}
        boto3.client("dynamodb").delete_item(TableName="ExtractsTable", Key=key)


_UTC = datetime.now().astimezone().tzinfo


@pytest.fixture(scope="module")
def clinic(aws: None) -> desk_world.Clinic:
    return desk_world.clinic()


@pytest.fixture
def anna(clinic: desk_world.Clinic, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(clinic, monkeypatch)
    world.messages()
    yield world
    sys.modules.pop("extracts.worker", None)


def calls_of(world: World) -> list[str]:
    """What a worker that was just started calls to make one extract."""
    world.forget_certificate()
    extract = world.ordered()
    with faults.counted() as calls:
        assert world.deliver(extract)
    assert world.state(extract)["status"] == "ready"
    return calls.names


def assert_made_once(world: World, extract: dict[str, Any], before: set[str], entries: int) -> None:
    world.sweep()
    state = world.state(extract)
    assert state["status"] == "ready", state
    (name,) = world.objects() - before
    body = boto3.client("s3").get_object(Bucket="extractsbucket", Key=name)["Body"].read()
    assert hashlib.sha256(body).hexdigest() == state["sha256"]
    assert world.entries() == entries + 1
    checked = Api().get(f"/v1/verify/{state['verification_code']}")
    assert checked.json["status"] == "valid"
    assert Api().post("/v1/verify", {"sha256": state["sha256"]}).json == checked.json


def each_call(world: World, how: faults.How, tries: int = 1) -> Iterator[tuple[int, str]]:
    """Every point of the worker's way, until it makes no more calls."""
    names = calls_of(world)
    assert {name.partition(".")[0] for name in names} == {"dynamodb", "kms", "s3"}
    yield from enumerate(names)


@pytest.mark.parametrize("how", modes("killed after"))
def test_the_worker_goes_wrong_at_every_call(anna: World, how: faults.How) -> None:
    for at, name in each_call(anna, how):
        before, entries = anna.objects(), anna.entries()
        anna.forget_certificate()
        extract = anna.ordered()
        with faults.fault(at, how) as calls, suppress(faults.Killed):
            anna.deliver(extract)
        assert calls.names[at] == name
        assert anna.state(extract)["status"] in ("pending", "ready")
        assert anna.deliver(extract), f"{how} {name}"
        assert_made_once(anna, extract, before, entries)


@pytest.mark.long
def test_a_lost_answer_that_botocore_repeats_changes_nothing(anna: World) -> None:
    for at, name in each_call(anna, "lost"):
        before, entries = anna.objects(), anna.entries()
        anna.forget_certificate()
        extract = anna.ordered()
        with faults.fault(at, "lost", tries=3):
            assert anna.deliver(extract), name
        assert_made_once(anna, extract, before, entries)


@pytest.mark.parametrize("how", modes("lost"))
def test_an_order_goes_wrong_at_every_call(anna: World, how: faults.How) -> None:
    with faults.counted() as calls:
        anna.order(key=f"first, {how}")
    names = calls.names
    assert "sqs.SendMessage" in names
    drain("ExtractsQueue")
    for at, name in enumerate(names):
        before, entries = anna.objects(), anna.entries()
        extracts = {each["extract_id"] for each in _all(anna)}
        with faults.fault(at, how), suppress(faults.Killed):
            answer = anna.order(key=f"{how} {at}")
            assert answer.status in (202, 503), f"{how} {name}: {answer}"
        anna.later(seconds=61)  # by then what claimed the key counts as dead
        answer = anna.order(key=f"{how} {at}")
        assert answer.status == 202, f"{how} {name}: {answer}"
        anna.now_again()
        made = [each for each in _all(anna) if each["extract_id"] not in extracts]
        assert [each["extract_id"] for each in made] == [answer.json["extract_id"]], name
        drain("ExtractsQueue")
        anna.sweep()  # queues what was lost
        drain("ExtractsQueue")
        assert_made_once(anna, answer.json, before, entries)


def test_an_order_that_nobody_repeats_is_made_all_the_same(anna: World) -> None:
    """The process ends between the commit and the message."""
    with faults.counted() as calls:
        anna.order()
    drain("ExtractsQueue")
    before, entries = anna.objects(), anna.entries()
    known = {each["extract_id"] for each in _all(anna)}
    at = calls.names.index("sqs.SendMessage")
    with faults.fault(at, "killed before"), pytest.raises(faults.Killed):
        anna.order()
    (extract,) = (each for each in _all(anna) if each["extract_id"] not in known)
    assert anna.messages() == []
    anna.sweep()
    drain("ExtractsQueue")
    assert_made_once(anna, extract, before, entries)


@pytest.mark.parametrize("how", modes("killed before"))
def test_taking_back_goes_wrong_at_every_call(anna: World, how: faults.How) -> None:
    def taken_back() -> dict[str, Any]:
        extract = anna.ordered()
        assert anna.deliver(extract)
        return extract

    first = taken_back()
    with faults.counted() as calls:
        assert anna.patient.delete(f"/v1/extracts/{first['extract_id']}").status == 204
    assert "s3.DeleteObject" in calls.names
    for at, name in enumerate(calls.names):
        before = anna.objects()
        extract = taken_back()
        with faults.fault(at, how), suppress(faults.Killed):
            anna.patient.delete(f"/v1/extracts/{extract['extract_id']}")
        if anna.state(extract)["status"] == "revoked":
            anna.sweep()  # whoever asked did not ask again
        else:
            assert anna.patient.delete(f"/v1/extracts/{extract['extract_id']}").status == 204
        assert anna.objects() == before, f"{how} {name}"
        assert anna.state(extract)["status"] == "revoked"
        assert anna.patient.get(f"/v1/extracts/{extract['extract_id']}/file").status == 404


@pytest.mark.parametrize(
    ("act", "when"),
    [
        ("consent", "after"),
        pytest.param("consent", "before", marks=pytest.mark.long),
        pytest.param("delete", "after", marks=pytest.mark.long),
        pytest.param("delete", "before", marks=pytest.mark.long),
    ],
)
def test_taken_back_while_the_worker_works(
    anna: World, act: str, when: Literal["before", "after"]
) -> None:
    document = anna.patient.get("/v1/consents/documents/current").json
    given = {"document_version": document["version"], "document_sha256": document["sha256"]}
    for at, name in enumerate(calls_of(anna)):
        before = anna.objects()
        anna.forget_certificate()
        extract = anna.ordered()
        take_back: Callable[[], None] = {
            "consent": partial(_withdraw, anna),
            "delete": partial(_delete, anna, extract),
        }[act]
        with faults.meanwhile(at, when, take_back):
            assert anna.deliver(extract), name
        assert anna.state(extract)["status"] in ("revoked", "failed"), name
        # A withdrawal takes earlier extracts with it as well.
        assert anna.objects() <= before, f"{when} {name}"
        assert anna.patient.get(f"/v1/extracts/{extract['extract_id']}/file").status in (403, 404)
        anna.sweep()
        assert anna.objects() <= before
        if act == "consent":
            # A new consent opens the card, and none of what was made before.
            assert anna.patient.post("/v1/consents", given).status == 201
            assert anna.patient.get(f"/v1/extracts/{extract['extract_id']}/file").status == 404


def test_the_worker_is_ended_while_the_extract_is_taken_back(anna: World) -> None:
    """The upload ends after the files were deleted, and the process with it: swept."""
    at = next(n for n, name in enumerate(calls_of(anna)) if name == "s3.PutObject")
    before = anna.objects()
    anna.forget_certificate()
    extract = anna.ordered()
    deleting = faults.meanwhile(at, "before", lambda: _delete(anna, extract))
    with faults.fault(at, "killed after"), deleting, pytest.raises(faults.Killed):
        anna.deliver(extract)
    anna.sweep()
    assert anna.objects() == before


@pytest.mark.long
def test_two_workers_at_once_leave_one_file(anna: World) -> None:
    for at, _ in enumerate(calls_of(anna)):
        before, entries = anna.objects(), anna.entries()
        anna.forget_certificate()
        extract = anna.ordered()

        def other(extract: dict[str, Any] = extract) -> None:
            worker = sys.modules["extracts.worker"]
            assert anna.deliver(extract)
            sys.modules["extracts.worker"] = worker

        # In a thread of its own: pyHanko signs within an event loop, and loops do not nest.
        with (
            ThreadPoolExecutor(1) as another,
            faults.meanwhile(at, "after", partial(_finish, another, other)),
        ):
            assert anna.deliver(extract)
        assert_made_once(anna, extract, before, entries)


def test_what_cannot_be_made_says_so_and_can_be_made_later(
    anna: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = template.resources("AWS::SQS::Queue")["ExtractsQueue"]["RedrivePolicy"]
    worker = template.resources("AWS::Serverless::Function")["ExtractsWorkerFunction"]
    most = tries["maxReceiveCount"]
    assert worker["Environment"]["Variables"]["EXTRACTS_TRIES"] == str(most)
    before, entries = anna.objects(), anna.entries()
    extract = anna.ordered()
    with monkeypatch.context() as patch:
        from extracts import making
        from extracts.document import ExtractNotRendered

        def broken(*_: Any, **__: Any) -> bytes:
            raise ExtractNotRendered("results")

        patch.setattr(making, "render", broken)
        for attempt in range(1, most):
            assert not anna.deliver(extract, attempt)
            state = anna.state(extract)
            assert (state["status"], state["progress"]) == ("pending", 40)
        assert not anna.deliver(extract, most)
    state = anna.state(extract)
    assert (state["status"], state["error"]) == ("failed", "not_made")
    assert state["error_message"]
    assert anna.patient.get(f"/v1/extracts/{extract['extract_id']}/file").status == 404
    anna.sweep()
    # The fault is mended, and its dead letter is put back into the queue.
    assert anna.deliver(extract)
    assert_made_once(anna, extract, before, entries)


def test_a_dead_letter_raises_the_alarm_that_the_runbook_names() -> None:
    queue = template.resources("AWS::SQS::Queue")["ExtractsQueue"]
    letters = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
    alarm = template.resources("AWS::CloudWatch::Alarm")[f"{letters}Alarm"]
    (dimension,) = alarm["Dimensions"]
    assert dimension == {"Name": "QueueName", "Value": {"Fn::GetAtt": [letters, "QueueName"]}}
    assert (alarm["Namespace"], alarm["MetricName"]) == (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
    )
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)


def test_an_order_that_waits_too_long_is_given_up(anna: World) -> None:
    extract = anna.ordered()
    seen = []
    for minutes in (3, 8, 17, 34, 67, 130, 200, 270, 340, 405):
        anna.later(minutes=minutes)
        function("extracts.sweeper.handler")({}, None)
        # Orders that other tests left unmade are queued again beside it.
        seen += [each for each in anna.messages() if each == extract["message"]]
        anna.now_again()
    assert 5 <= len(seen) <= 9
    state = anna.state(extract)
    assert (state["status"], state["error"]) == ("failed", "not_made")
    assert extract["message"] not in anna.messages()


def test_the_file_ends_with_its_time(anna: World) -> None:
    before = anna.objects()
    extract = anna.ordered()
    assert anna.deliver(extract)
    anna.sweep()
    state = anna.state(extract)
    code = state["verification_code"]
    assert len(anna.objects() - before) == 1
    anna.later(days=30, seconds=1)
    assert Api().get(f"/v1/verify/{code}").json["status"] == "expired"
    function("extracts.sweeper.handler")({}, None)
    anna.now_again()
    assert anna.objects() <= before  # earlier extracts end as well
    assert anna.state(extract)["status"] == "expired"
    assert Api().get(f"/v1/verify/{code}").json["status"] == "expired"


def _all(world: World) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = world.patient.get(f"/v1/extracts?limit=100{cursor}").json
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = f"&cursor={page['next_cursor']}"


def _withdraw(world: World) -> None:
    consents = world.patient.get("/v1/consents").json["items"]
    active = next(each for each in consents if each["status"] == "active")
    answer = world.patient.post(f"/v1/consents/{active['consent_id']}/withdraw")
    assert answer.status == 200, answer


def _finish(pool: ThreadPoolExecutor, work: Callable[[], None]) -> None:
    pool.submit(work).result()


def _delete(world: World, extract: dict[str, Any]) -> None:
    assert world.patient.delete(f"/v1/extracts/{extract['extract_id']}").status == 204
