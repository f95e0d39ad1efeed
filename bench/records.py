"""What reading a card costs: round trips, capacity, CPU, of a small card and of a large one.

python -m bench.records [records of the large card, 50000 unless given]

The real handler answers real events over tables in process (moto) once, and every answer of AWS is
recorded; then it answers the same events again and again from the recording, so that what is timed
is our code and botocore, and not moto. The measure is the CPU time of all threads, against that of
a bare Query of the same records unsealed by a client as botocore makes it, as attributes and as
texts; a section without records costs what every read costs: the gate's three calls and a Query.
Capacity is counted by DynamoDB's rules (4 KB a unit).
"""

import contextlib
import functools
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.session import get_session
from moto import mock_aws
from moto.core.models import botocore_stubber

sys.path.insert(0, str(Path(__file__).parent.parent / "functions"))

SMALL = 50
ROUNDS, REPEATS = 20, 5
ROWS = 12  # observations of one report: a complete blood count
PAGE = 20
RARE = 7  # the number of the one record with a code of its own


@dataclass
class Recorder:
    """Keeps what AWS answered, and later answers in its place."""

    answers: dict[tuple[str, bytes], bytes] = field(default_factory=dict)
    any_answer: dict[str, bytes] = field(default_factory=dict)
    calls: list[tuple[str, int, bytes]] = field(default_factory=list)
    playing: bool = False
    last: threading.local = field(default_factory=threading.local)

    def watch(self, client: Any) -> None:
        client.meta.events.register_first("before-send", self.send)
        client.meta.events.register("after-call", self.keep)

    def send(self, request: Any, **_: Any) -> AWSResponse | None:
        name = request.headers["X-Amz-Target"].decode().partition(".")[2]
        self.last.key = (name, bytes(request.body))
        if not self.playing:
            return None
        body = self.answers.get(self.last.key) or self.any_answer[name]
        return _Recorded(request.url, body)

    def keep(self, http_response: Any, **_: Any) -> None:
        if not self.playing:
            self.answers[self.last.key] = http_response.content
            self.any_answer[self.last.key[0]] = http_response.content
            if self.last.key[0] in ("BatchGetItem", "PutItem", "Query"):  # and not KMS
                call = (self.last.key[0], threading.get_ident(), http_response.content)
                self.calls.append(call)


class _Recorded(AWSResponse):
    """An answer without a connection behind it."""

    def __init__(self, url: str, body: bytes) -> None:
        headers = HeadersDict({"Content-Type": "application/x-amz-json-1.0"})
        super().__init__(url, 200, headers, raw=None)  # type: ignore[arg-type]  # a dict does
        self._content = body


def main() -> None:
    logging.disable()
    large = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    rows: list[tuple[str, ...]] = []
    with _world() as world:
        for name, body in (("reports of 12 values", _report), ("single values", _single)):
            cases = {size: world.case(size, body) for size in (SMALL, large)}
            works: dict[tuple[int, str], Callable[[], object]] = {
                (size, what): functools.partial(world.app, event, None)
                for size, case in cases.items()
                for what, event in case.events.items()
            }
            bare, texts = cases[SMALL].bare
            works |= {(0, "bare Query"): bare, (0, "bare Query of JSON texts"): texts}
            with world.replayed():
                spent = _cpu(works)
            for (size, what), seconds in spent.items():
                costs = ["1", "1", ""]
                if size:
                    case = cases[size]
                    counted = (case.trips[what], case.calls[what], case.units[what])
                    costs = [str(each) for each in counted]
                to_bare = f"{seconds / spent[0, 'bare Query']:.2f}"
                growth = f"{seconds / spent[SMALL, what]:.2f}" if size == large else ""
                card = f"{size:,}" if size else ""
                rows.append((name, card, what, *costs, f"{seconds * 1e3:.2f}", to_bare, growth))
    print(f"Load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.\n")
    heads = ("records", "card", "read", "trips", "calls", "RCU", "CPU ms", "to bare", "to 50")
    print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def _cpu(works: dict[tuple[int, str], Callable[[], object]]) -> dict[tuple[int, str], float]:
    """Seconds of CPU of one call of each, warm: the lower quartile of rounds that take turns, so
    that what else the machine does falls on all alike."""
    spent: dict[tuple[int, str], list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            work()
            start = time.process_time()
            for _ in range(REPEATS):
                work()
            spent[name].append((time.process_time() - start) / REPEATS)
    return {name: sorted(times)[len(times) // 4] for name, times in spent.items()}


@dataclass
class Case:
    """One card: its requests, what they cost, and the bare Query of the same page."""

    events: dict[str, Any]
    trips: dict[str, int]
    calls: dict[str, int]
    units: dict[str, int]
    bare: tuple[Callable[[], object], Callable[[], object]]


class World:
    """A clinic, and cards of any size in its tables."""

    def __init__(self, recorder: Recorder) -> None:
        from kernel import aws
        from records.handler import app
        from tests import gateway
        from tests.integration import desk_world

        self.app = app
        self._recorder = recorder
        self._gateway = gateway
        self._clinic = desk_world.clinic()
        # The bare Query is that of a client as botocore makes it.
        self._bare_client: Any = get_session().create_client(
            "dynamodb", region_name=os.environ["AWS_DEFAULT_REGION"]
        )
        for client in (self._bare_client, aws.dynamodb(), aws.kms()):
            recorder.watch(client)

    @contextlib.contextmanager
    def replayed(self) -> Iterator[None]:
        """Answers from the recording, with moto switched off: botocore asks every `before-send`
        handler, so moto would carry out each call besides."""
        self._recorder.playing, botocore_stubber.enabled = True, False
        yield
        self._recorder.playing, botocore_stubber.enabled = False, True

    def case(self, size: int, body: Callable[[int], dict[str, Any]]) -> Case:
        from tests.integration.records_world import OpenCard

        card = OpenCard(self._clinic)
        bodies = self._fill(card.card_id, size, body)
        reads = {
            "newest 20": "results",
            "by a rare code": "results?code=rare",
            "by kind": "results?kind=laboratory",
            "one": f"results/{bodies[0]['record_id']}",
            "a section without records": "visits",
        }
        texts = [{"body": json.dumps(body, ensure_ascii=False)} for body in bodies[:PAGE]]
        case = Case({}, {}, {}, {}, (self._bare(bodies[:PAGE]), self._bare(texts)))
        for what, path in reads.items():
            card.get(path)  # the card's key is unwrapped once
            with self._caught() as events:
                self._recorder.calls.clear()
                assert card.get(path).status == 200
            case.events[what] = events[-1]
            calls = list(self._recorder.calls)
            threads = [thread for _, thread, _ in calls]
            own = threads.count(threading.get_ident())
            case.trips[what], case.calls[what] = own, len(calls)
            case.units[what] = sum(_units(name, content) for name, _, content in calls)
        return case

    def _fill(
        self, card_id: str, size: int, body: Callable[[int], dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Versions as the intake writes them, put into moto's tables without HTTP between."""
        from moto.core import DEFAULT_ACCOUNT_ID  # type: ignore[attr-defined]
        from moto.dynamodb.models import dynamodb_backends

        from kernel import dynamo, exact_json, records
        from kernel.identity import CardId, RecordId
        from kernel.sealing import Keyring

        keyring = Keyring(
            table=os.environ["KEYS_TABLE"],
            kms_key=os.environ["MEDICAL_KEY_ID"],
            purpose="medical",
        )
        key = keyring.create(f"CARD#{card_id}")
        name = os.environ["RECORDS_TABLE"]
        table = dynamodb_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"].tables[name]
        card, pk = CardId(card_id), records.partition(CardId(card_id), "results")
        found_by = (key.token("code", "rare"), key.token("kind", "laboratory"))
        newest: list[dict[str, Any]] = []
        # What is older is never opened by these reads (it would not open): it is not sealed anew.
        stuffing = b""
        for number in range(size):
            record_id = RecordId(key.token("record", str(number)))
            day = date(1900, 1, 1) + timedelta(number // 2)
            values = {"record_id": record_id, "version": 1, **body(number), "date": str(day)}
            if number == RARE:
                values["observations"][0]["code"] = "rare"
            sort_at = f"{day}T00:00:00Z"
            sealed = stuffing
            if number == RARE or number >= size - 5 * PAGE:
                place = records.place(pk, records.sort_key(sort_at, record_id, 1))
                sealed = stuffing = key.seal(exact_json.dumps(values).encode(), place)
                newest.append(values)
            elif not stuffing:
                sealed = stuffing = key.seal(exact_json.dumps(values).encode(), "nowhere")
            for item in records.rows(
                card_id=card,
                key=key,
                section="results",
                sort_at=sort_at,
                record_id=record_id,
                intake=1,
                body=values,
                sealed_body=sealed,
                sources=(record_id,),
            ):
                # What these reads do not read is left out, to spare this machine's memory.
                if item["pk"] == pk or item["sk"].startswith(found_by):
                    table.put_item(dynamo.to_item(item))
        head = {"pk": f"CARD#{card_id}", "sk": "HEAD", "committed": 1, "attempt": 1}
        dynamo.put(name, {**head, "counts": {"results": size}})
        newest.sort(key=lambda each: (each["date"], each["record_id"]), reverse=True)
        return newest

    def _bare(self, bodies: list[dict[str, Any]]) -> Callable[[], object]:
        """The Query of the same records unsealed: as attributes, as most build it, or texts."""
        from kernel import dynamo

        items = [{"pk": "CARD#1#r", "sk": str(n), **body} for n, body in enumerate(bodies)]
        answer = {"Items": [dynamo.to_item(i) for i in items], "Count": PAGE, "ScannedCount": PAGE}
        request: dict[str, Any] = {
            "TableName": f"bare-{id(bodies)}",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "CARD#1#r"}},
            "Limit": PAGE,
        }
        self._recorder.playing = True
        self._recorder.any_answer["Query"] = b'{"Items":[]}'
        self._bare_client.query(**request)
        self._recorder.answers[self._recorder.last.key] = json.dumps(answer).encode()
        self._recorder.playing = False
        return lambda: self._bare_client.query(**request)

    @contextlib.contextmanager
    def _caught(self) -> Iterator[list[Any]]:
        """The events that the gateway hands to the handler."""
        events: list[Any] = []
        function = self._gateway.function

        def catching(handler: str) -> Any:
            real = function(handler)
            if handler != "records.handler.app":
                return real

            def call(event: Any, context: Any) -> Any:
                events.append(event)
                return real(event, context)

            return call

        self._gateway.function = catching
        yield events
        self._gateway.function = function


def _units(name: str, content: bytes) -> int:
    """Strongly consistent read units of an answer: 4 KB each, of a batch for each item."""
    answer = json.loads(content or b"{}")
    if name == "Query":
        return -(-sum(map(_size, answer["Items"])) // 4096) or 1
    if name == "BatchGetItem":
        found = [item for items in answer["Responses"].values() for item in items]
        return sum(-(-_size(item) // 4096) for item in found)
    return 0


def _size(item: dict[str, Any]) -> int:
    return sum(len(name) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    ((kind, raw),) = value.items()
    if kind == "B":
        return len(raw) * 3 // 4
    if kind == "M":
        return _size(raw) + 3
    return sum(map(_value_size, raw)) + 3 if kind == "L" else len(str(raw))


def _row(number: int) -> dict[str, Any]:
    return {
        "code": f"{number}-1",
        "system": "http://loinc.org",
        "name": f"Показатель крови {number}",
        "value": number * 7 % 90,
        "unit": "10*9/л",
        "unit_code": "10*9/L",
        "reference_range": {"low": 4, "high": 9, "text": None},
        "interpretation": "normal",
        "interpretation_derived": True,
    }


def _result(title: str, rows: int) -> dict[str, Any]:
    return {
        "clinic": {"clinic_id": "clinic-1", "name": "Городская поликлиника № 1"},
        "received_at": "2026-11-23T05:00:00Z",
        "document": None,
        "kind": "laboratory",
        "title": title,
        "status": "final",
        "conclusion": None,
        "visit_id": None,
        "doctor": {"name": "Лебедева Екатерина Викторовна", "specialty": "терапевт"},
        "observations": [_row(number) for number in range(rows)],
    }


def _report(number: int) -> dict[str, Any]:
    return _result("Общий анализ крови", ROWS)


def _single(number: int) -> dict[str, Any]:
    return _result("Глюкоза", 1)


@contextlib.contextmanager
def _world() -> Iterator[World]:
    from tests import conftest, template

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ[name] = "testing"
    os.environ["AWS_DEFAULT_REGION"] = conftest.REGION
    with mock_aws():
        boto3.setup_default_session(region_name=conftest.REGION)
        references = conftest._create()
        for name, value in template.environment().items():
            os.environ[name] = str(conftest._resolve(value, references))
        yield World(Recorder())


if __name__ == "__main__":
    main()
