"""Fixtures: AWS in process (moto), made from infra/template.yaml and from nothing else."""

import contextlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.signers import RequestSigner, S3PostPresigner
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from local.deploy import CREDENTIALS
from tests import privileges, quick_moto, stores, template

PARAMETERS = {
    "Stage": "test",
    "Architecture": "x86_64",
    "PortalUrl": "https://portal.example",
    "LoginAttemptsPerAddress": "1000",
    "MessagesPerAddress": "1000",
    "MessagesPerDay": "40000",
    "OidcProviders": "{}",
    "SigningKey": "1",
    "JournalLockMode": "COMPLIANCE",
    "JournalLockDays": "30",
}
REGION = "eu-central-1"


# Who reads what the whole run has done.
LAST = "test_privileges.py"
# The files whose tests run this time.
RAN = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests that judge what was called to the end, and note what runs."""
    items.sort(key=lambda item: item.path.name == LAST)
    config.stash[RAN] = sorted({item.path.name for item in items})


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave what the functions called for the judgement at the end of `make test`."""
    if session.config.option.keyword or session.config.option.collectonly:
        return  # a part of a file is not the file
    ran: list[str] = session.config.stash.get(RAN, [])
    privileges.leave(ran)


@pytest.fixture(scope="session")
def aws() -> Iterator[None]:
    """Every table, key, queue and bucket of the template, and every function's environment.

    Made once a session: tests keep apart by using people, clinics and cards of their own.
    """
    lock = threading.RLock()
    recorder: privileges.Recorder | None = None
    call = BotocoreStubber.__call__

    def one_at_a_time(self: BotocoreStubber, *args: Any, **kwargs: Any) -> Any:
        # moto's conditional writes are not atomic under threads, and the gate reads in threads.
        with lock:
            if recorder is not None:
                recorder.note(kwargs["event_name"], kwargs["request"])
            return call(self, *args, **kwargs)

    sign_link = RequestSigner.generate_presigned_url

    def noting(
        self: RequestSigner, request_dict: Any, operation_name: str, *a: Any, **k: Any
    ) -> Any:
        if recorder is not None and operation_name:
            recorder.note_presigned(operation_name, request_dict["url"])
        return sign_link(self, request_dict, operation_name, *a, **k)

    sign_form = S3PostPresigner.generate_presigned_post

    def noting_form(self: S3PostPresigner, request_dict: Any, *a: Any, **k: Any) -> Any:
        fields = (k.get("fields") or (a[0] if a else None)) or {}
        if recorder is not None:
            key = fields.get("key", "")
            recorder.note_presigned("PutObject", f"{request_dict['url'].rstrip('/')}/{key}")
        return sign_form(self, request_dict, *a, **k)

    with contextlib.ExitStack() as cleanup:
        patch = cleanup.enter_context(pytest.MonkeyPatch.context())
        if stores.chosen() != "moto":
            endpoint = cleanup.enter_context(stores.running(stores.chosen()))
            for service in ("DYNAMODB", "DYNAMODB_STREAMS"):
                patch.setenv(f"AWS_ENDPOINT_URL_{service}", endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS[0])  # moto takes any, other stores ask
        patch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS[1])
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setattr(BotocoreStubber, "__call__", one_at_a_time)
        patch.setattr(RequestSigner, "generate_presigned_url", noting)
        patch.setattr(S3PostPresigner, "generate_presigned_post", noting_form)
        patch.setattr(ThreadPoolExecutor, "submit", privileges.FollowingExecutor.follow)
        quick_moto.apply(patch)
        with mock_aws(config={"core": {"mock_credentials": False}}):
            from kernel import aws as clients

            clients.forget_clients()
            references = _create()
            recorder = privileges.Recorder(references)
            for name, value in template.environment().items():
                patch.setenv(name, str(_resolve(value, references)))
            yield
            clients.forget_clients()


def create_tables(dynamodb: Any) -> list[str]:
    """Create the template's tables in a store; their names, which are their logical ids."""
    created = template.resources("AWS::DynamoDB::Table")
    for name, properties in created.items():
        wanted = (
            "BillingMode",
            "KeySchema",
            "AttributeDefinitions",
            "GlobalSecondaryIndexes",
            "LocalSecondaryIndexes",
        )
        streams = {}
        if view := properties.get("StreamSpecification"):
            streams = {"StreamSpecification": {"StreamEnabled": True, **view}}
        dynamodb.create_table(
            TableName=name,
            **{key: properties[key] for key in wanted if key in properties},
            **streams,
        )
    return list(created)


def _create() -> dict[str, str]:
    """Create the template's resources; what `Ref` and `GetAtt Arn` of each gives, by logical id."""
    references = dict(PARAMETERS)
    dynamodb, kms = boto3.client("dynamodb"), boto3.client("kms")
    sqs, s3 = boto3.client("sqs"), boto3.client("s3")
    references |= {name: name for name in create_tables(dynamodb)}
    for name, properties in template.resources("AWS::KMS::Key").items():
        key = kms.create_key(
            KeySpec=properties.get("KeySpec", "SYMMETRIC_DEFAULT"),
            KeyUsage=properties.get("KeyUsage", "ENCRYPT_DECRYPT"),
        )["KeyMetadata"]
        references[name] = key["Arn"]
    for name in template.resources("AWS::SNS::Topic"):
        references[name] = boto3.client("sns").create_topic(Name=name)["TopicArn"]
    for name in template.resources("AWS::SecretsManager::Secret"):
        references[name] = name
    for name in template.resources("AWS::SQS::Queue"):
        references[name] = sqs.create_queue(QueueName=name)["QueueUrl"]
    for name, properties in template.resources("AWS::S3::Bucket").items():
        references[name] = name.lower()
        s3.create_bucket(
            Bucket=name.lower(),
            CreateBucketConfiguration={"LocationConstraint": REGION},
            ObjectLockEnabledForBucket=properties.get("ObjectLockEnabled", False),
        )
        if lock := properties.get("ObjectLockConfiguration"):
            kept = lock["Rule"]["DefaultRetention"]
            mode, days = (_resolve(kept[part], references) for part in ("Mode", "Days"))
            lock = {**lock, "Rule": {"DefaultRetention": {"Mode": mode, "Days": int(days)}}}
            s3.put_object_lock_configuration(Bucket=name.lower(), ObjectLockConfiguration=lock)
    return references


def _resolve(value: Any, references: dict[str, str]) -> Any:
    match value:
        case {"Ref": name}:
            return references[name]
        case {"Fn::GetAtt": [name, "Arn"]}:
            return references[name]
        case {"Fn::Sub": text}:
            for name, each in references.items():
                text = text.replace(f"${{{name}}}", each)
            assert "${" not in text, text
            return text
    return value


@pytest.fixture(autouse=True)
def _no_real_aws() -> None:
    assert "AWS_PROFILE" not in os.environ
