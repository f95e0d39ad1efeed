"""Where rows, links and checkpoints are read from: the tables and the bucket, or an export."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.session import get_session

from verifier.checks import Checkpoint, Json

PREFIX = "checkpoints/"
# A version of an object never changes: a second look reads only what is new.
_bodies: dict[tuple[str, str, str], bytes] = {}


@dataclass
class Data:
    """All that is looked at."""

    checkpoints: list[Checkpoint]
    chain: list[Json]
    journal: list[Json]


def from_tables(journal: str, chain: str, bucket: str, cards: list[str]) -> Data:
    """Read the live system. Checkpoints first and entries last: each only grows meanwhile."""
    session: Any = get_session()
    s3, dynamodb = session.create_client("s3"), session.create_client("dynamodb")
    return Data(
        checkpoints=list(_checkpoints(s3, bucket)),
        chain=list(_items(dynamodb, chain, cards)),
        journal=list(_items(dynamodb, journal, cards)),
    )


def _checkpoints(s3: Any, bucket: str) -> Iterator[Checkpoint]:
    versions: dict[str, list[Any]] = {}
    deleted: set[str] = set()
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=PREFIX)
    for page in pages:
        for each in page.get("Versions", []):
            versions.setdefault(each["Key"], []).append(each)
        deleted |= {each["Key"] for each in page.get("DeleteMarkers", [])}
    for key in sorted(versions.keys() | deleted):
        oldest_first = sorted(versions.get(key, []), key=lambda each: each["LastModified"])
        bodies = [_body(s3, bucket, key, each["VersionId"]) for each in oldest_first]
        yield Checkpoint(key, bodies, key in deleted)


def _body(s3: Any, bucket: str, key: str, version: str) -> bytes:
    place = (bucket, key, version)
    if place not in _bodies:
        _bodies[place] = s3.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read()
    return _bodies[place]


def _items(dynamodb: Any, table: str, cards: list[str]) -> Iterator[Json]:
    reads: list[tuple[str, Json]] = [("scan", {})]
    if cards:
        condition = {"KeyConditionExpression": "pk = :pk"}
        places = ["CHECKPOINTS", *(f"CARD#{card}" for card in cards)]
        reads = [
            ("query", {**condition, "ExpressionAttributeValues": {":pk": {"S": place}}})
            for place in places
        ]
    for operation, arguments in reads:
        paginator = dynamodb.get_paginator(operation)
        for page in paginator.paginate(TableName=table, ConsistentRead=True, **arguments):
            yield from (as_json(item) for item in page["Items"])


def as_json(value: Any) -> Any:
    """DynamoDB's JSON with bytes in base64, as exports and docs/journal.md have it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: as_json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return value


def from_export(folder: Path) -> Data:
    """Read `journal.jsonl`, `chain.jsonl` (items, or `{"Item": …}` as DynamoDB exports them) and
    `checkpoints/*.json`."""
    return Data(
        checkpoints=[
            Checkpoint(PREFIX + path.name, [path.read_bytes()])
            for path in sorted((folder / "checkpoints").glob("*.json"))
        ],
        chain=_lines(folder / "chain.jsonl"),
        journal=_lines(folder / "journal.jsonl"),
    )


def _lines(path: Path) -> list[Json]:
    items: list[Json] = []
    for line in path.read_text("utf-8").splitlines():
        item = json.loads(line)
        items.append(item["Item"] if set(item) == {"Item"} else item)
    return items


def save(data: Data, folder: Path) -> None:
    """Write what was read as an export."""
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    for name, items in (("journal", data.journal), ("chain", data.chain)):
        lines = (json.dumps(item, ensure_ascii=False) + "\n" for item in items)
        (folder / f"{name}.jsonl").write_text("".join(lines), "utf-8")
    for each in data.checkpoints:
        if each.versions:
            (folder / each.key).write_bytes(each.versions[0])
