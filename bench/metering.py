"""Counts what AWS would bill for the calls of a request, by the rules of each service.

DynamoDB: a read of 4 KB, strongly consistent, is one unit, eventually half of one, and what is not
there costs as much as 4 KB; a write is one unit for each KB of the larger of the item before and
after; transactions take twice as many, their condition checks counted as writes; each index that an
item is in, enters or leaves is a write of its own ("Read and write operations", "Transactions" and
"Global secondary indexes" of the Amazon DynamoDB developer guide). Sizes are those of the items as
they lie in moto's tables, before and after the call.
"""

import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore.awsrequest import AWSPreparedRequest

from bench import world

Wire = Mapping[str, Any]
Place = tuple[str, str, str]
_LINK = 1024
_GSM = re.compile(r"[\x20-\x7e\n\r£¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà]*")


@dataclass
class Invocation:
    """One run of a function: CPU outside of AWS's calls, and the time that it waits for them."""

    handler: str
    cpu: float = 0.0  # seconds
    # Operations by the thread that made them one after the other.
    rows: dict[int, list[str]] = field(default_factory=dict)

    def waits(self, latency: Mapping[str, float]) -> float:
        """Milliseconds of the longest row of calls. What threads do begins after the first one."""
        sums = {
            thread: [latency[each.partition(".")[0]] for each in row]
            for thread, row in self.rows.items()
        }
        own = sums.pop(threading.get_ident(), [])
        return max([sum(own), *(sum(own[:1]) + sum(each) for each in sums.values())])


@dataclass
class Bill:
    """What one request, and all that follows from it, made AWS do."""

    counts: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    # Units by table and partition key: `(reads or writes, table, pk)`.
    partitions: dict[tuple[str, str, str], float] = field(
        default_factory=lambda: defaultdict(float)
    )
    stored: int = 0  # bytes that stay in tables
    invocations: list[Invocation] = field(default_factory=list)
    log: int = 0  # bytes


class Meter(world.Around):
    """Keeps the bill of whatever is invoked while `billing` runs."""

    def __init__(self) -> None:
        self.bill = Bill()
        self.memory: world.Memory | None = None
        self._running: list[Invocation] = []
        self._inside = False
        self._stubbed = 0.0

    @contextmanager
    def billing(self) -> Iterator[Bill]:
        """A bill of its own for what happens inside."""
        before, self.bill = self.bill, Bill()
        try:
            yield self.bill
        finally:
            self.bill = before

    def function(self, handler: str, event: Any, go_on: world.GoOn) -> Any:
        invocation = Invocation(handler)
        self._running.append(invocation)
        assert self.memory is not None
        written, stubbed, began = self.memory.log.written, self._stubbed, time.process_time()
        try:
            return go_on()
        finally:
            spent = time.process_time() - began
            invocation.cpu = spent - (self._stubbed - stubbed)
            self._running.pop()
            self.bill.invocations.append(invocation)
            self.bill.log += self.memory.log.written - written

    def aws(self, event_name: str, request: AWSPreparedRequest, go_on: world.GoOn) -> Any:
        if self._inside or not self._running:
            return go_on()
        self._inside, began = True, time.thread_time()
        try:
            _, service, operation = event_name.split(".")
            row = self._running[-1].rows.setdefault(threading.get_ident(), [])
            row.append(f"{service}.{operation}")
            body: Any = request.body or ""
            if service == "dynamodb":
                return self._dynamodb(operation, json.loads(body), go_on)
            if service == "kms":
                self.bill.counts[f"kms {_KMS[operation]}"] += 1
            elif service == "s3":
                kind = "put" if operation in ("PutObject", "ListObjectsV2") else "get"
                self.bill.counts["s3 free" if operation == "DeleteObject" else f"s3 {kind}"] += 1
            elif service == "sqs":
                self.bill.counts["sqs"] += 1
            elif service == "sns":
                fields = parse_qs(body if isinstance(body, str) else body.decode())
                if "PhoneNumber" in fields:
                    self.bill.counts["sms parts"] += parts(fields["Message"][0])
                    self.bill.counts["sms"] += 1
                else:
                    self.bill.counts["sns"] += 1
            return go_on()
        finally:
            self._inside = False
            self._stubbed += time.thread_time() - began

    def _dynamodb(self, operation: str, body: Any, go_on: world.GoOn) -> Any:
        writes = list(_writes(operation, body))
        before = {place: stored(place) for place, _ in writes}
        reads = list(self._reads(operation, body))
        answer = go_on()
        for place, times in writes:
            old, new = before[place], stored(place)
            self._write(place, old, new, times)
        for table, pk, units in reads:
            self.bill.counts["reads"] += units
            self.bill.partitions["reads", table, pk] += units
        return answer

    def _write(self, place: Place, old: Wire | None, new: Wire | None, times: int) -> None:
        table, pk, _ = place
        units = times * (kilobytes(max(size(old), size(new))) or 1)
        self.bill.counts["writes"] += units
        self.bill.partitions["writes", table, pk] += units
        self.bill.stored += size(new) - size(old)
        for index, hash_key, range_key, keys_only in _indexes(table):
            was, now = (_in_index(each, hash_key, range_key, keys_only) for each in (old, new))
            if was == now:
                continue
            moved = bool(was and now) and any(was[k] != now[k] for k in (hash_key, range_key))  # type: ignore[index]
            indexed = (
                kilobytes(size(was)) + kilobytes(size(now))
                if moved
                else kilobytes(max(size(was), size(now)))
            )
            self.bill.counts["writes"] += times * indexed
            self.bill.stored += size(now) - size(was)
            for each in (was, now) if moved else (now or was,):
                if each:
                    key = next(iter(each[hash_key].values()))
                    share = times * kilobytes(size(each))
                    self.bill.partitions["writes", f"{table}/{index}", key] += share

    def _reads(self, operation: str, body: Any) -> Iterator[tuple[str, str, float]]:
        match operation:
            case "GetItem":
                item = stored(_place(body["TableName"], body["Key"]))
                yield body["TableName"], body["Key"]["pk"]["S"], _read_units(size(item), body)
            case "BatchGetItem":
                for table, asked in body["RequestItems"].items():
                    for key in asked["Keys"]:
                        item = stored(_place(table, key))
                        yield table, key["pk"]["S"], _read_units(size(item), asked)
            case "Query":
                yield self._query(body)

    def _query(self, body: Any) -> tuple[str, str, float]:
        # What is filtered or left out of the answer is read, and costs, all the same.
        whole = {k: v for k, v in body.items() if k not in ("FilterExpression", "Select")}
        whole.pop("ProjectionExpression", None)
        text = json.dumps({k: v for k, v in whole.items() if k.endswith("Expression")})
        for kind in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
            kept = {k: v for k, v in body.get(kind, {}).items() if re.search(rf"{k}\b", text)}
            whole.pop(kind, None)
            if kept:
                whole[kind] = kept
        found = boto3.client("dynamodb").query(**_as_bytes(whole))
        units = _read_units(sum(map(size, found["Items"])), body)
        index = f"/{body['IndexName']}" if "IndexName" in body else ""
        name = re.match(r"\s*(\S+)\s*=\s*(:\w+)", body["KeyConditionExpression"])
        assert name, body["KeyConditionExpression"]
        key = body["ExpressionAttributeValues"][name.group(2)]["S"]
        return body["TableName"] + index, key, units


_KMS = {
    "Decrypt": "symmetric",
    "GenerateDataKey": "symmetric",
    "GenerateMac": "symmetric",
    "GetPublicKey": "public key",
    "Sign": "sign",
}


def parts(text: str) -> int:
    """Of how many text messages a text is made: 160 letters of GSM 03.38, of others 70."""
    alone, joined = (160, 153) if _GSM.fullmatch(text) else (70, 67)
    length = len(text.encode("utf-16-be")) // 2
    return 1 if length <= alone else ceil(length / joined)


def kilobytes(number: int) -> int:
    return ceil(number / _LINK)


def _read_units(number: int, body: Any) -> float:
    units = max(1, ceil(number / 4096))
    return units if body.get("ConsistentRead") else units / 2


def size(item: Wire | None) -> int:
    """Bytes of an item or of a map: names and values as DynamoDB counts them."""
    return sum(len(name.encode()) + _value(value) for name, value in (item or {}).items())


def _value(value: Any) -> int:
    ((kind, raw),) = value.items()
    match kind:
        case "S":
            return len(raw.encode())
        case "N":
            return (len(str(raw).lstrip("-")) + 1) // 2 + 1
        case "B":
            return len(raw) if isinstance(raw, bytes) else len(raw) * 3 // 4
        case "M":
            return 3 + sum(len(k.encode()) + _value(v) + 1 for k, v in raw.items())
        case "L":
            return 3 + sum(_value(each) + 1 for each in raw)
        case "SS":
            return sum(len(each.encode()) for each in raw)
    return 1  # NULL, BOOL


def stored(place: Place) -> Wire | None:
    """An item as it lies in moto's table."""
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.dynamodb.models import dynamodb_backends
    from moto.dynamodb.models.dynamo_type import DynamoType

    table, pk, sk = place
    tables = dynamodb_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"].tables
    item = tables[table].get_item(DynamoType({"S": pk}), DynamoType({"S": sk}))
    # A copy: updates change moto's own.
    return {**json.loads(json.dumps(item.to_json()["Attributes"], default=_text))} if item else None


def _text(value: Any) -> str:
    return "-" * (len(value) * 4 // 3) if isinstance(value, bytes) else str(value)


def _place(table: str, key: Any) -> Place:
    return table, key["pk"]["S"], key["sk"]["S"]


def _writes(operation: str, body: Any) -> Iterator[tuple[Place, int]]:
    """Each item that is written, and how many times its units are taken."""
    match operation:
        case "PutItem" | "UpdateItem" | "DeleteItem":
            yield _place(body["TableName"], body.get("Key") or body["Item"]), 1
        case "TransactWriteItems":
            for action in body["TransactItems"]:
                ((_, each),) = action.items()
                yield _place(each["TableName"], each.get("Key") or each["Item"]), 2
        case "BatchWriteItem":
            for table, actions in body["RequestItems"].items():
                for action in actions:
                    ((_, each),) = action.items()
                    yield _place(table, each.get("Key") or each["Item"]), 1


def _indexes(table: str) -> Iterator[tuple[str, str, str, bool]]:
    from tests import template

    found = template.resources("AWS::DynamoDB::Table")[table]
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        for index in found.get(kind, []):
            names = [each["AttributeName"] for each in index["KeySchema"]]
            keys_only = index["Projection"]["ProjectionType"] == "KEYS_ONLY"
            yield index["IndexName"], names[0], names[1], keys_only


def _in_index(item: Wire | None, hash_key: str, range_key: str, keys_only: bool) -> Wire | None:
    """What of an item stands in an index, if it does."""
    if not item or hash_key not in item or range_key not in item:
        return None
    names = {"pk", "sk", hash_key, range_key}
    return {k: v for k, v in item.items() if k in names} if keys_only else item


def _as_bytes(value: Any) -> Any:
    """A request's JSON as boto3 wants it: binary values unpacked."""
    from base64 import b64decode

    match value:
        case {"B": str(raw)}:
            return {"B": b64decode(raw)}
        case dict():
            return {k: _as_bytes(v) for k, v in value.items()}
        case list():
            return [_as_bytes(each) for each in value]
    return value
