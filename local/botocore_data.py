"""botocore's data in a built package: the services and operations that the functions call.

A client reads the whole model of its service when it is made, which is most of what making it
costs. What stays is each operation below with the shapes that it reaches, without documentation,
as plain JSON. botocore itself is not touched. tests/infra/test_trim.py compares this list with the
code, and what both models make of the same requests and answers.
"""

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

Json = dict[str, Any]

OPERATIONS = {
    "dynamodb": {
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "TransactWriteItems",
        "UpdateItem",
    },
    "kms": {"Decrypt", "GenerateDataKey", "GenerateMac", "GetPublicKey", "Sign"},
    "s3": {"DeleteObject", "GetObject", "ListObjectsV2", "PutObject"},
    "sns": {"Publish"},
    "sqs": {"SendMessage"},
}
# What botocore itself asks a model for: generate_presigned_post finds a bucket's address so.
INSIDE = {"s3": {"CreateBucket"}}
# What every client reads whatever its service.
SHARED = ("_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json")
RULES = "endpoint-rule-set-1.json"


def trim(package: Path) -> None:
    """Trim the data of the botocore in a built package, in place."""
    data = package / "botocore" / "data"
    if not data.exists():
        return
    trimmed = package / "botocore" / "data.trimmed"
    shutil.rmtree(trimmed, ignore_errors=True)
    write(data, trimmed)
    shutil.rmtree(data)
    trimmed.rename(data)


def write(data: Path, target: Path) -> None:
    """Write what is needed of botocore's `data` into `target`."""
    target.mkdir()
    loader = Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
    for name in SHARED:
        document = _read(data / name)
        if name == "endpoints.json":
            for partition in document["partitions"]:
                services = partition["services"]
                partition["services"] = {k: v for k, v in services.items() if k in OPERATIONS}
        _write(target / name, document)
    for service, called in OPERATIONS.items():
        operations = called | INSIDE.get(service, set())
        # The loader also adds what botocore keeps beside a model ("sdk-extras").
        version = loader.determine_latest_version(service, "service-2")
        whole = loader.load_service_model(service, "service-2", version)
        folder = target / service / version
        folder.mkdir(parents=True)
        _write(folder / "service-2.json", model(whole, operations))
        _write(folder / RULES, _read(data / service / version / RULES))


def model(whole: Json, operations: set[str]) -> Json:
    """A service's model with these operations alone."""
    kept = {name: whole["operations"][name] for name in sorted(operations)}
    shapes: set[str] = set()
    waiting = list(_references(kept))
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes.add(name)
            waiting += _references(whole["shapes"][name])
    trimmed = {key: value for key, value in whole.items() if key not in ("operations", "shapes")}
    trimmed["operations"] = _undocumented(kept)
    trimmed["shapes"] = {name: _undocumented(whole["shapes"][name]) for name in sorted(shapes)}
    return trimmed


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "shape" and isinstance(each, str):
                yield each
            else:
                yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _undocumented(value: Any) -> Any:
    match value:
        case dict():
            # A member may be named so; documentation itself is always a text.
            return {
                key: _undocumented(each)
                for key, each in value.items()
                if not (key == "documentation" and isinstance(each, str))
            }
        case list():
            return [_undocumented(each) for each in value]
    return value


def _read(path: Path) -> Any:
    packed = path.with_name(path.name + ".gz")
    return json.loads(
        gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    )


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, separators=(",", ":"), ensure_ascii=False), "utf-8")
