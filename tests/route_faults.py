"""Faults at every AWS call of one request, and what the request changed, in a form to compare.

The failures themselves are those of `extract_faults`; here they meet requests whose calls come one
after the other (work for threads is done at once), so that call number 3 is the same one each time.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from botocore.retries.quota import RetryQuota
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.s3.models import s3_backends

from kernel import dynamo
from tests import extract_faults

# "lost": carried out, and no answer comes; "repeated": the same, and botocore asks again.
How = Literal["throttle", "error", "refused", "disabled", "lost", "repeated"]
NOT_DONE: tuple[How, ...] = ("throttle", "error", "refused", "disabled")
DONE: tuple[How, ...] = ("lost", "repeated")
REGION = "eu-central-1"

Place = tuple[str, str, str]
CHANGING = frozenset(
    {
        "dynamodb.PutItem",
        "dynamodb.UpdateItem",
        "dynamodb.DeleteItem",
        "dynamodb.TransactWriteItems",
        "dynamodb.BatchWriteItem",
        "s3.PutObject",
        "s3.DeleteObject",
        "s3.DeleteObjects",
        "sqs.SendMessage",
    }
)
_COUNTERS = ("CAP", "FAILURES")
# How often something was tried, and the number of the intake that did it; where the sweeper finds
# what it has to look at; what a repeat is answered, which may be missing: the claim beside it keeps
# it from being done twice.
_OF_TRIES = {"tries_left", "sends", "due_sk", "answer"} | {
    "attempt", "aborted", "committed", "swept", "since",
}  # fmt: skip
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


@dataclass
class Run:
    """What requests called and changed. `at`: the number of the call (from 0) that fails, if any;
    numbers start anew with each request (`begin`)."""

    how: How = "throttle"
    at: int | None = None
    calls: list[str] = field(default_factory=list)
    before: dict[Place, Any] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    messages: list[tuple[str, str]] = field(default_factory=list)
    urls: list[tuple[str, str]] = field(default_factory=list)
    objects: Counter[str] = field(default_factory=Counter)
    _tokens: set[str] = field(default_factory=set)

    # Whether the call that failed had been carried out and had changed something.
    lost: bool = False

    requests: int = 0

    def begin(self, at: int | None = None) -> None:
        self.at, self.calls, self.lost = at, [], False
        self.requests += 1

    @property
    def reached(self) -> bool:
        """Whether the request came as far as the call that fails."""
        return self.at is not None and len(self.calls) > self.at

    def changes(self) -> Counter[str]:
        """Each item made, changed or taken away, each message and object, without what differs
        from one person or moment to another."""
        found: Counter[str] = Counter(self.sent)
        for place, before in self.before.items():
            after = _stored(place)
            if _alike(before, after) or _unseen(place, after):
                continue
            table, pk, sk = place
            key = f"{table} {_shape(pk)} | {_shape(sk)}"
            if sk in _COUNTERS:  # of tries, those that failed too
                found[f"{key} counted"] += 1
            elif after is None:
                found[f"{key} removed"] += 1
            else:
                verb = "made" if before is None else "changed"
                found[f"{key} {verb} {_difference(before, after)}"] += 1
        objects = _objects()
        for name, number in ((objects - self.objects) + Counter()).items():
            found[f"object in {name}"] += number
        for name, number in ((self.objects - objects) + Counter()).items():
            found[f"object gone from {name}"] += number
        return found


@contextmanager
def recorded(how: How = "throttle") -> Iterator[Run]:
    """Note what the requests of a block do, and let the call that `begin` names fail."""
    from kernel import aws
    from kernel.sealing import Keyring

    run, stub, inside = Run(how, objects=_objects()), BotocoreStubber.__call__, False

    def wrapper(self: BotocoreStubber, event_name: str, request: Any, **kwargs: Any) -> Any:
        nonlocal inside

        def go_on() -> Any:
            return stub(self, event_name=event_name, request=request, **kwargs)

        if inside or not self.enabled:
            return go_on()
        inside = True
        try:
            return _meet(run, event_name.removeprefix("before-send."), request, go_on)
        finally:
            inside = False

    remembered, since = Keyring._cached, dict[int, int]()

    def cached(self: Keyring, owner: str) -> Any:
        """Nothing from a request before, so that each shows all of its calls."""
        if since.get(id(self)) != run.requests:
            since[id(self)] = run.requests
            self._cache.clear()
        return remembered(self, owner)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws, "_client", extract_faults.clients(2 if how == "repeated" else 1))
        patch.setattr(BotocoreStubber, "__call__", wrapper)
        patch.setattr(ThreadPoolExecutor, "submit", _at_once)
        patch.setattr(Keyring, "_cached", cached)
        # botocore gives up repeating where much fails, and waits before it repeats.
        patch.setattr(RetryQuota, "acquire", lambda *_: True)
        patch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
        yield run


def _meet(run: Run, name: str, request: AWSPreparedRequest, go_on: Callable[[], Any]) -> Any:
    number = len(run.calls)
    run.calls.append(name)
    run.urls.append((name, request.url))
    body = _body(request)
    if name == "sqs.SendMessage":
        run.messages.append((body["QueueUrl"].rpartition("/")[2], body["MessageBody"]))
    fails = number == run.at
    if fails and run.how in NOT_DONE:
        if run.how == "refused":
            raise EndpointConnectionError(endpoint_url=request.url)
        return extract_faults.refusal(request, cast("extract_faults.How", run.how))
    if fails and name not in CHANGING:
        raise ReadTimeoutError(endpoint_url=request.url)
    token = body.get("ClientRequestToken") if name == "dynamodb.TransactWriteItems" else None
    if token in run._tokens:
        # DynamoDB knows a transaction that it has carried out for ten minutes; moto does not.
        return AWSResponse(request.url, 200, HTTPHeaders(), MockRawResponse("{}"))
    for place in _written(name, body):
        run.before.setdefault(place, _stored(place))
    answer = go_on()
    if answer.status_code < 300:
        if token:
            run._tokens.add(token)
        if name == "sqs.SendMessage":
            run.sent.append(f"message in {body['QueueUrl'].rpartition('/')[2]}")
    if fails:
        run.lost = True
        raise ReadTimeoutError(endpoint_url=request.url)
    return answer


def _at_once(_: ThreadPoolExecutor, work: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
    future: Future[Any] = Future()
    try:
        future.set_result(work(*args, **kwargs))
    except BaseException as error:
        future.set_exception(error)
    return future


def _body(request: AWSPreparedRequest) -> dict[str, Any]:
    if not isinstance(request.body, str | bytes):  # S3's may be a stream
        return {}
    try:
        found = json.loads(request.body)
    except ValueError:  # S3's again
        return {}
    return found if isinstance(found, dict) else {}


def _written(name: str, body: dict[str, Any]) -> Iterator[Place]:
    match name:
        case "dynamodb.PutItem" | "dynamodb.UpdateItem" | "dynamodb.DeleteItem":
            yield _place(body)
        case "dynamodb.TransactWriteItems":
            for action in body["TransactItems"]:
                ((kind, each),) = action.items()
                if kind != "ConditionCheck":
                    yield _place(each)
        case "dynamodb.BatchWriteItem":
            for table, actions in body["RequestItems"].items():
                for action in actions:
                    ((_, each),) = action.items()
                    yield _place({"TableName": table, **each})


def _place(action: dict[str, Any]) -> Place:
    key = action.get("Key") or action["Item"]
    return action["TableName"], key["pk"]["S"], key["sk"]["S"]


def _stored(place: Place) -> Any:
    table, pk, sk = place
    found = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables[table]
    item = found.get_item(DynamoType({"S": pk}), DynamoType({"S": sk}))
    return json.loads(json.dumps(item.to_json()["Attributes"], default=str)) if item else None


def _alike(before: Any, after: Any) -> bool:
    """Whether they are the same but for when they were written."""
    if before is None or after is None:
        return before is after
    names = {n for n in {*before, *after} if before.get(n) != after.get(n)}
    return all(
        _TIME.fullmatch(each.get(n, {}).get("S", "")) for n in names for each in (before, after)
    )


def _unseen(place: Place, item: Any) -> bool:
    """Whether it is of an intake that broke off: its number never counts (`kernel.records`)."""
    from kernel.records import Head

    table, pk, _ = place
    if table != "RecordsTable" or item is None or "since" not in item:
        return False
    head = _stored((table, "#".join(pk.split("#")[:2]), "HEAD"))
    known = {n: dynamo.from_item(head)[n] for n in ("committed", "aborted") if n in head}
    return not Head.from_item(known).sees(int(item["since"]["N"]))


def _objects() -> Counter[str]:
    buckets = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets
    return Counter({name: len(list(bucket.keys.keys())) for name, bucket in buckets.items()})


def _shape(text: str) -> str:
    """A key without what is random or personal in it."""
    parts = re.split(r"([#|/])", text)
    return "".join(
        "*" if len(p) > 15 or (re.search(r"[0-9+]", p) and not re.fullmatch(r"[A-Z_]+", p)) else p
        for p in parts
    )


def _difference(before: Any, after: Any) -> str:
    was = before or {}
    names = sorted(
        n
        for n in {*was, *after} - {"pk", "sk"} - _OF_TRIES
        if was.get(n) != after.get(n) and not (_moment(was.get(n)) and _moment(after.get(n)))
    )
    return ", ".join(f"{n}={_value(was.get(n), after.get(n))}" for n in names)


def _moment(value: Any) -> bool:
    """Whether it is a time: a second earlier or later it may be the same or not."""
    match value:
        case {"N": number}:
            return int(number) > 10**7
        case {"S": text}:
            return bool(_TIME.fullmatch(text))
    return False


def _value(before: Any, after: Any) -> str:
    """Numbers as what was added to them, words as they are, all else as its kind."""
    match after:
        case None:
            return "gone"
        case {"N": number}:
            was = int(before["N"]) if before and "N" in before else 0
            number = int(number)
            if max(was, number) > 10**7:
                return "moment"
            return f"{number - was:+}"
        case {"S": text}:
            return text if re.fullmatch(r"[a-z_]{1,20}", text) else "text"
        case {"L": items}:
            return f"{len(items)} in a list"
        case {"SS": items}:
            return f"{len(items)} in a set"
        case {"M": items}:
            old = (before or {}).get("M") or {}
            known = sorted(n for n in items if not re.search(r"[0-9]", n))
            return "{" + ", ".join(f"{n}={_value(old.get(n), items[n])}" for n in known) + "}"
        case {"BOOL": value}:
            return str(value)
    return next(iter(after)) if isinstance(after, dict) else "?"
