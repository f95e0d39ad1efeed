"""botocore's trimmed data say the same as the whole: requests, answers and errors alike."""

import contextlib
import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore
import pytest
from botocore import parsers, serialize
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.session import get_session
from moto import mock_aws

from local import botocore_data

STOCK = Path(botocore.__file__).parent / "data"
FUNCTIONS = Path(__file__).parent.parent.parent / "functions"
_CALL = re.compile(r"\baws\.(dynamodb|kms|s3|sns|sqs)\(\)\s*\.(\w+)\(")
# Signed for somebody else to send.
_SIGNED = {("s3", "GetObject"), ("s3", "PutObject")}
_SIGNERS = {"generate_presigned_url", "generate_presigned_post"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("botocore") / "data"
    botocore_data.write(STOCK, target)
    return target


def _loader(data: Path) -> Loader:
    return Loader(extra_search_paths=[str(data)], include_default_search_paths=False)


def _session(data: Path) -> Any:
    session = get_session()
    session.register_component("data_loader", _loader(data))
    session.set_credentials("testing", "testing")
    return session


def test_what_the_code_calls_is_what_is_kept() -> None:
    called: set[tuple[str, str]] = set()
    for path in FUNCTIONS.rglob("*.py"):
        source = path.read_text("utf-8")
        for service, method in _CALL.findall(source):
            if method in _SIGNERS:
                called |= _SIGNED
            else:
                name = "".join(word.capitalize() for word in method.split("_"))
                called.add((service, name))
    assert called == {(s, name) for s, names in botocore_data.OPERATIONS.items() for name in names}


def test_it_is_a_small_part(data: Path) -> None:
    def size(folder: Path) -> int:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    assert size(data) < size(STOCK) / 20


def _calls(session: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Calls of every operation that is kept, errors included; makes what they need."""
    key = {"pk": {"S": "a"}, "sk": {"S": "b"}}
    item = {**key, "n": {"N": "1"}, "b": {"B": b"\x00\xff"}, "l": {"L": [{"M": {"x": {"S": "я"}}}]}}
    fresh = {"ConditionExpression": "attribute_not_exists(pk)"}
    back = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    put = {"TableName": "t", "Item": item, **fresh, **back}
    yield "dynamodb", "PutItem", put
    yield "dynamodb", "PutItem", put  # refused, with the item that is there
    yield "dynamodb", "GetItem", {"TableName": "t", "Key": key, "ConsistentRead": True}
    yield "dynamodb", "GetItem", {"TableName": "gone", "Key": key}
    asked = {"KeyConditionExpression": "pk = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}}
    yield "dynamodb", "Query", {"TableName": "t", **asked, "ReturnConsumedCapacity": "TOTAL"}
    yield "dynamodb", "BatchGetItem", {"RequestItems": {"t": {"Keys": [key]}}}
    written = [{"PutRequest": {"Item": {**item, "sk": {"S": "c"}}}}]
    yield "dynamodb", "BatchWriteItem", {"RequestItems": {"t": written}}
    yield "dynamodb", "TransactWriteItems", {"TransactItems": [{"Put": put}]}
    update = {"UpdateExpression": "SET n = n + :o", "ExpressionAttributeValues": {":o": {"N": "1"}}}
    changed = {"TableName": "t", "Key": key, **update, "ReturnValues": "ALL_NEW"}
    yield "dynamodb", "UpdateItem", changed
    yield "dynamodb", "DeleteItem", {"TableName": "t", "Key": key, "ReturnValues": "ALL_OLD"}
    kms = session.create_client("kms", "eu-central-1")
    made = {
        spec: kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
        for spec, usage in (
            ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
            ("ECC_NIST_P256", "SIGN_VERIFY"),
            ("HMAC_256", "GENERATE_VERIFY_MAC"),
        )
    }
    context = {"EncryptionContext": {"owner": "a"}}
    wrapping = {"KeyId": made["SYMMETRIC_DEFAULT"], **context}
    yield "kms", "GenerateDataKey", {**wrapping, "KeySpec": "AES_256"}
    sealed = kms.generate_data_key(**wrapping, KeySpec="AES_256")["CiphertextBlob"]
    yield "kms", "Decrypt", {**wrapping, "CiphertextBlob": sealed}
    yield "kms", "Decrypt", {"KeyId": wrapping["KeyId"], "CiphertextBlob": b"nonsense"}
    signing = {"KeyId": made["ECC_NIST_P256"], "SigningAlgorithm": "ECDSA_SHA_256"}
    yield "kms", "Sign", {**signing, "Message": b"m", "MessageType": "RAW"}
    yield "kms", "GetPublicKey", {"KeyId": made["ECC_NIST_P256"]}
    mac = {"KeyId": made["HMAC_256"], "MacAlgorithm": "HMAC_SHA_256", "Message": b"m"}
    yield "kms", "GenerateMac", mac
    stored = {"Bucket": "bucket", "Key": "k", "Body": b"body", "Metadata": {"x": "y"}}
    yield "s3", "PutObject", {**stored, "ContentType": "text/plain"}
    yield "s3", "GetObject", {"Bucket": "bucket", "Key": "k"}
    yield "s3", "GetObject", {"Bucket": "bucket", "Key": "gone"}
    yield "s3", "ListObjectsV2", {"Bucket": "bucket", "Prefix": "k"}
    yield "s3", "DeleteObject", {"Bucket": "bucket", "Key": "k"}
    sns = session.create_client("sns", "eu-central-1")
    topic = sns.create_topic(Name="t")["TopicArn"]
    attributes = {"clinic_id": {"DataType": "String", "StringValue": "c"}}
    yield "sns", "Publish", {"TopicArn": topic, "Message": "{}", "MessageAttributes": attributes}
    yield "sns", "Publish", {"PhoneNumber": "+79990000001", "Message": "я"}
    sqs = session.create_client("sqs", "eu-central-1")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    yield "sqs", "SendMessage", {"QueueUrl": queue, "MessageBody": "{}", "DelaySeconds": 5}
    yield "sqs", "SendMessage", {"QueueUrl": queue + "gone", "MessageBody": "{}"}


def _plain(value: Any) -> str:
    return json.dumps(value, default=lambda each: repr(getattr(each, "_raw_stream", each)))


def test_requests_and_answers_are_the_same_with_both(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    seen: dict[str, int] = {}
    with mock_aws():
        stock: Any = get_session()
        trimmed = _session(data)
        keys = [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ]
        stock.create_client("dynamodb", "eu-central-1").create_table(
            TableName="t",
            KeySchema=keys,
            AttributeDefinitions=[
                {"AttributeName": k["AttributeName"], "AttributeType": "S"} for k in keys
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        stock.create_client("s3", "eu-central-1").create_bucket(
            Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        for service, operation, asked in _calls(stock):
            client: Any = trimmed.create_client(service, "eu-central-1")
            answers: list[dict[str, Any]] = []
            client.meta.events.register(
                "before-parse",
                lambda response_dict, answers=answers, **_: answers.append(
                    copy.copy(response_dict)
                ),
            )
            method = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
            with contextlib.suppress(ClientError):
                getattr(client, method)(**copy.deepcopy(asked))
            (answer,) = answers
            if operation == "GetObject" and answer["status_code"] == 200:
                answer["body"] = b""  # a stream, which each would read to its end
            both = []
            for folder in (STOCK, data):
                # Read anew: a client that is made changes the model that it was given.
                model = ServiceModel(
                    _loader(folder).load_service_model(service, "service-2"), service
                )
                protocol = model.resolved_protocol
                shape: Any = model.operation_model(operation)
                request = serialize.create_serializer(protocol).serialize_to_request(
                    copy.deepcopy(asked), shape
                )
                parsed = parsers.create_parser(protocol).parse(answer, shape.output_shape)
                both.append((_plain(request), _plain(parsed)))
            assert both[0] == both[1], operation
            seen[f"{service}:{operation}"] = seen.get(f"{service}:{operation}", 0) + 1
    assert set(seen) == {
        f"{s}:{name}" for s, names in botocore_data.OPERATIONS.items() for name in names
    }


def test_links_and_forms_are_signed_alike(data: Path) -> None:
    """A form asks the model for an operation that nobody calls."""
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"})  # kernel.aws's
    signed = []
    for session in (get_session(), _session(data)):
        session.set_credentials("testing", "testing")
        s3: Any = session.create_client("s3", "eu-central-1", config=config)
        link = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "k"})
        form = s3.generate_presigned_post("bucket", "k")
        signed.append((urlsplit(link)[:3], form["url"], sorted(form["fields"])))
    assert signed[0] == signed[1]
