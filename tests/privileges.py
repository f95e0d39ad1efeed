"""What each function calls at AWS while the tests run, and what its role grants.

Both are told in the same words: an action, and a resource by its logical id (`RecordsTable`,
`RecordsTable/index/by_record`, `ExtractsBucket/extracts/7.pdf`).
"""

import contextvars
import copy
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from local.build import ROOT
from tests import stores, template

Call = tuple[str, str]
# Set by `make test` alone: the folder where each of its processes leaves what it ran and called.
_FOLDER = "MEDKARTA_RUN"
PHONE = "a phone number"
_DYNAMODB = "dynamodb"
_TRANSACTED = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
_S3 = {
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
}

# The SAM transform itself, which lives where the local platform uses it.
_TRANSLATOR = ROOT / ".venv-platform" / "bin" / "python"
_EXPAND = """
import json, sys
from samtranslator.translator.transform import transform
class Policies:
    def load(self):
        return {}
json.dump(transform(json.load(sys.stdin), {"Stage": "test"}, Policies()), sys.stdout)
"""

# The handler that runs in this context, as the template names it.
running: contextvars.ContextVar[str | None] = contextvars.ContextVar("running", default=None)
calls: dict[str, set[Call]] = defaultdict(set)
# What of DynamoDB the functions used (tests/stores.py).
features: set[str] = set()
_last: list[str] = []


class Recorder:
    """Notes what the running function asks of AWS. `logical` finds the ids of what was created."""

    def __init__(self, references: Mapping[str, str]) -> None:
        self._logical = {value: name for name, value in references.items()}
        buckets = template.resources("AWS::S3::Bucket")
        self._bucket_keys = {name: _encryption_key(buckets[name]) for name in buckets}

    def note(self, event_name: str, request: Any) -> None:
        """One call on its way to moto: `before-send.<service>.<Operation>`."""
        handler = running.get()
        if handler is None:
            return  # the test's own
        if event_name.startswith("before-send.dynamodb."):
            features.update(
                stores.features(event_name.rpartition(".")[2], json.loads(request.body))
            )
        if urlsplit(request.url).hostname == "127.0.0.1":
            return  # the local platform has names of its own for everything
        _, service, operation = event_name.split(".")
        calls[handler].update(self._calls(service, operation, request))

    def note_presigned(self, operation: str, url: str) -> None:
        """A link that is signed with the function's own rights."""
        handler = running.get()
        if handler is not None:
            calls[handler].update(self._s3(operation, url))

    def _calls(self, service: str, operation: str, request: Any) -> Iterator[Call]:
        body = request.body or ""
        text = body.decode() if isinstance(body, bytes) and service != "s3" else body
        match service:
            case "dynamodb":
                yield from _dynamodb(operation, json.loads(text))
            case "kms":
                yield f"kms:{operation}", self._id(json.loads(text)["KeyId"])
            case "sqs":
                yield f"sqs:{operation}", self._id(json.loads(text)["QueueUrl"])
            case "sns":
                fields = parse_qs(text)
                topic = fields.get("TopicArn", [None])[0]
                yield f"sns:{operation}", self._id(topic) if topic else PHONE
            case "s3":
                yield from self._s3(operation, request.url)
            case _:
                raise NotImplementedError(f"{service}:{operation} is not known to tests/privileges")

    def _s3(self, operation: str, url: str) -> Iterator[Call]:
        bucket, _, key = unquote(urlsplit(url).path).lstrip("/").partition("/")
        name = self._id(bucket)
        action = _S3.get(operation, operation)
        yield f"s3:{action}", f"{name}/{key}" if key else name
        # The bucket's key is used on behalf of the caller, who needs a right to it.
        encrypting = self._bucket_keys.get(name)
        if encrypting and action in ("PutObject", "GetObject"):
            means = "GenerateDataKey" if action == "PutObject" else "Decrypt"
            yield f"kms:{means}", encrypting

    def _id(self, name: str) -> str:
        return self._logical.get(name, name)


def _dynamodb(operation: str, body: Mapping[str, Any]) -> Iterator[Call]:
    if operation in ("TransactWriteItems", "TransactGetItems"):
        for each in body["TransactItems"]:
            ((kind, values),) = each.items()
            yield f"{_DYNAMODB}:{_TRANSACTED[kind]}", values["TableName"]
    elif operation in ("BatchGetItem", "BatchWriteItem"):
        for table in body["RequestItems"]:
            yield f"{_DYNAMODB}:{operation}", table
    else:
        index = body.get("IndexName")
        table = body["TableName"]
        yield f"{_DYNAMODB}:{operation}", f"{table}/index/{index}" if index else table


def _encryption_key(bucket: Mapping[str, Any]) -> str | None:
    """The key that only who has a right to it uses through the bucket.

    The policy of another kind of key lets the services use it for all of the account.
    """
    rules = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    key = rules[0]["ServerSideEncryptionByDefault"].get("KMSMasterKeyID")
    if key is None:
        return None
    name: str = key["Fn::GetAtt"][0]
    policy = template.resources("AWS::KMS::Key")[name]["KeyPolicy"]
    through = any("kms:ViaService" in str(each.get("Condition")) for each in policy["Statement"])
    return None if through else name


def as_function(handler: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """`call`, so that what it asks of AWS counts for the function with this handler."""

    def named(*args: Any, **kwargs: Any) -> Any:
        if _last != [handler]:
            _last[:] = [handler]
            # On Lambda each function has a process, and asks KMS for its keys itself.
            if hashing := sys.modules.get("kernel.hashing"):
                hashing.process_key.cache_clear()
        before = running.set(handler)
        try:
            return call(*args, **kwargs)
        finally:
            running.reset(before)

    return named


class FollowingExecutor:
    """Threads that a function starts work for it: their context is the starter's."""

    submit = ThreadPoolExecutor.submit

    @staticmethod
    def follow(pool: ThreadPoolExecutor, work: Callable[..., Any], /, *a: Any, **k: Any) -> Any:
        context = contextvars.copy_context()
        return FollowingExecutor.submit(pool, context.run, work, *a, **k)


# --- what several processes called ---------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A whole `make test`: the files whose tests ran, what each handler called and used in them."""

    ran: frozenset[str]
    calls: Mapping[str, set[Call]]
    features: frozenset[str]


def leave(ran: Iterable[str]) -> None:
    """Write down what this process ran and called, where `make test` wants it."""
    folder = os.environ.get(_FOLDER)
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    called = {handler: sorted(found) for handler, found in sorted(calls.items())}
    left = {"ran": sorted(ran), "calls": called, "features": sorted(features)}
    text = json.dumps(left, ensure_ascii=False, indent=0)
    Path(folder, f"{os.getpid()}.json").write_text(text, "utf-8")


def whole_run() -> Run | None:
    """What all processes of this `make test` left; None where only some tests are run."""
    folder = os.environ.get(_FOLDER)
    if not folder:
        return None
    ran: set[str] = set()
    used: set[str] = set()
    together: dict[str, set[Call]] = defaultdict(set)
    for path in Path(folder).glob("*.json"):
        left = json.loads(path.read_text("utf-8"))
        ran.update(left["ran"])
        used.update(left["features"])
        for handler, found in left["calls"].items():
            together[handler].update((action, place) for action, place in found)
    return Run(frozenset(ran), together, frozenset(used))


# --- what the roles grant -----------------------------------------------------------------------


@cache
def expanded() -> dict[str, Any]:
    """The template as CloudFormation sees it, after the SAM transform."""
    source = copy.deepcopy(template.load())
    source["Globals"]["Function"]["CodeUri"] = "s3://bucket/code.zip"
    done = subprocess.run(
        [str(_TRANSLATOR), "-c", _EXPAND],
        input=json.dumps(source),
        env={"AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1500:]
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@cache
def functions() -> dict[str, str]:
    """The logical id of each function by its handler."""
    found = template.resources("AWS::Serverless::Function")
    return {function["Handler"]: name for name, function in found.items()}


def grants(name: str) -> Iterator[tuple[str, str, bool]]:
    """(action, resource, whether it is everything but that) of a function's own policies."""
    resources = expanded()["Resources"]
    role = resources[f"{name}Role"]["Properties"]
    for policy in role.get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            excluding = "NotResource" in statement
            given = statement["NotResource" if excluding else "Resource"]
            for action in _listed(statement["Action"]):
                for resource in _listed(given):
                    yield action, _named(resource), excluding


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _named(resource: Any) -> str:
    match resource:
        case {"Fn::GetAtt": [name, _]} | {"Fn::GetAtt": name} if isinstance(name, str):
            return name.partition(".")[0]
        case {"Ref": name}:
            return str(name)
        case {"Fn::Sub": str(text)}:
            return text.replace(".Arn}", "}").replace("${", "").replace("}", "")
    return str(resource)


def allows(grant: tuple[str, str, bool], call: Call) -> bool:
    """Whether a grant covers a call."""
    (action, resource, excluding), (asked, place) = grant, call
    if action != asked:
        return False
    if excluding:  # everything but topics: what has no ARN at all
        return place == PHONE
    return fnmatchcase(place, resource)
