"""The gateway in front of the real handlers: routes and authorizer of the template, in process."""

import base64
import importlib
import itertools
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import boto3
import httpx

from tests import privileges, template

# Tokens live ten minutes; the people of a module's tests, on a slow machine, longer.
_RENEWED_AFTER = 240.0
_addresses = itertools.count(1)
_iterators: dict[str, str] = {}


@dataclass
class Response:
    """An answer as a client sees it."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    def __str__(self) -> str:
        return f"{self.status} {self.text[:800]}"


def function(handler: str) -> Any:
    """The callable that a template's `Handler` names."""
    module, _, name = handler.rpartition(".")
    return privileges.as_function(handler, getattr(importlib.import_module(module), name))


@dataclass
class Api:
    """A client of the whole API. Each has a network address of its own unless one is given.

    `renew` gives the next token of the same session, as a client has it before the old one ends.
    """

    token: str | None = None
    language: str = "ru"
    ip: str = field(default_factory=lambda: _address(next(_addresses)))
    headers: dict[str, str] = field(default_factory=dict)
    renew: Callable[[], str] | None = None
    _renewed: float = field(default_factory=time.monotonic)

    def get(self, path: str, **options: Any) -> Response:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Response:
        return self.request("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Response:
        return self.request("PUT", path, body, **options)

    def delete(self, path: str, **options: Any) -> Response:
        return self.request("DELETE", path, **options)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        raw: str | bytes | None = None,
    ) -> Response:
        """Send one request. `body` goes as JSON, `raw` as it is; bytes go as the gateway sends
        what is no text."""
        parts = urlsplit(path)
        found = next(
            ((r, p) for r in template.routes() if (p := r.match(method, parts.path)) is not None),
            None,
        )
        if found is None:
            return Response(404, {}, json.dumps({"code": "not_found", "status": 404}))
        route, parameters = found
        if self.renew and time.monotonic() - self._renewed > _RENEWED_AFTER:
            self._renewed = time.monotonic()  # before it: renewing may be a request of this client
            self.token = self.renew()
        sent = {"Accept-Language": self.language, "User-Agent": "tests", **self.headers}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            raw = json.dumps(body, ensure_ascii=False)
            sent["Content-Type"] = "application/json"
        sent |= dict(headers or {})
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            query.setdefault(name, []).append(value)
        event: dict[str, Any] = {
            "type": "REQUEST",
            "methodArn": f"arn:aws:execute-api:eu-central-1:123456789012:api/test/{method}{path}",
            "httpMethod": method,
            "resource": route.path,
            "path": parts.path,
            "pathParameters": {k: unquote(v) for k, v in parameters.items()} or None,
            "headers": sent,
            "multiValueHeaders": {k: [v] for k, v in sent.items()},
            "queryStringParameters": {k: v[-1] for k, v in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "body": base64.b64encode(raw).decode() if isinstance(raw, bytes) else raw,
            "isBase64Encoded": isinstance(raw, bytes),
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "resourcePath": route.path,
                "identity": {"sourceIp": self.ip},
            },
        }
        if not route.public:
            context = authorize(event)
            if context is None:
                return Response(401, {}, json.dumps({"code": "unauthenticated", "status": 401}))
            event["requestContext"]["authorizer"] = context
        answer = function(route.handler)(event, None)
        headers_out = {name.lower(): value for name, value in answer["headers"].items()}
        for name, values in (answer.get("multiValueHeaders") or {}).items():
            headers_out[name.lower()] = ", ".join(values)
        return Response(answer["statusCode"], headers_out, answer["body"])


class Transport(httpx.BaseTransport):
    """httpx in front of the in-process gateway, for clients that are written for the network."""

    def __init__(self) -> None:
        self._api = Api()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read().decode()
        answer = self._api.request(
            request.method,
            request.url.raw_path.decode(),
            headers=dict(request.headers),
            raw=body or None,
        )
        return httpx.Response(answer.status, headers=answer.headers, text=answer.text)


def authorize(event: Mapping[str, Any]) -> dict[str, str] | None:
    """What the template's authorizer says of a request: its context, or None for a refusal."""
    if not any(name.lower() == "authorization" for name in event["headers"]):
        return None
    api = template.resources("AWS::Serverless::Api")["Api"]["Auth"]
    alias = api["Authorizers"][api["DefaultAuthorizer"]]["FunctionArn"]["Ref"]
    authorizer = alias.removesuffix(".Alias")
    handler = template.resources("AWS::Serverless::Function")[authorizer]["Handler"]
    try:
        policy = function(handler)(event, None)
    except Exception as refusal:
        if str(refusal) != "Unauthorized":
            raise
        return None
    assert policy["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    return {name: str(value) for name, value in policy["context"].items()}


def drain(queue: str) -> None:
    """Hand every message of a queue (logical id) to its consumer, as Lambda's event source does."""
    handler = template.queue_handlers()[queue]
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        records = [
            {
                "messageId": m["MessageId"],
                "receiptHandle": m["ReceiptHandle"],
                "body": m["Body"],
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
            }
            for m in messages
        ]
        answer = function(handler)({"Records": records}, None) or {}
        failed = {each["itemIdentifier"] for each in answer.get("batchItemFailures", [])}
        assert not failed, f"{handler} failed on {len(failed)} messages"
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def stream(table: str) -> list[dict[str, Any]]:
    """The records of a table's stream that were not read before, as Lambda hands them over."""
    streams = boto3.client("dynamodbstreams")
    (found,) = streams.list_streams(TableName=table)["Streams"]
    arn = found["StreamArn"]
    if arn not in _iterators:
        (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        _iterators[arn] = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
    records: list[dict[str, Any]] = []
    while True:
        page = streams.get_records(ShardIterator=_iterators[arn], Limit=1000)
        _iterators[arn] = page["NextShardIterator"]
        if not page["Records"]:
            return records
        records += page["Records"]


def drain_stream(table: str) -> list[dict[str, Any]]:
    """Hand a table's new stream records to their consumer; the records."""
    handler = template.stream_handlers()[table]
    records = stream(table)
    for start in range(0, len(records), 100):
        answer = function(handler)({"Records": _jsonable(records[start : start + 100])}, None)
        assert answer == {"batchItemFailures": []}, answer
    return records


def _jsonable(value: Any) -> Any:
    """As it comes to a function: bytes in base64."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {name: _jsonable(each) for name, each in value.items()}
        case list():
            return [_jsonable(each) for each in value]
    return value


def outbox(to: str) -> list[str]:
    """The text messages sent to a phone number, the newest first."""
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.sns.models import sns_backends

    drain("MessagesQueue")
    sent = sns_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"].sms_messages.values()
    return [text for number, text in reversed(list(sent)) if number == to]


def _address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
