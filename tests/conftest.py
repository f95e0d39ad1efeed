"""Fixtures: AWS in process (moto), made from infra/template.yaml and from nothing else."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from tests import template

PARAMETERS = {
    "Stage": "test",
    "Architecture": "x86_64",
    "PortalUrl": "https://portal.example",
    "LoginAttemptsPerAddress": "1000",
    "MessagesPerAddress": "1000",
}
REGION = "eu-central-1"


@pytest.fixture(scope="session")
def aws() -> Iterator[None]:
    """Every table, key, queue and bucket of the template, and every function's environment.

    Made once a session: tests keep apart by using people, clinics and cards of their own.
    """
    lock = threading.RLock()
    call = BotocoreStubber.__call__

    def one_at_a_time(self: BotocoreStubber, *args: Any, **kwargs: Any) -> Any:
        # moto's conditional writes are not atomic under threads, and the gate reads in threads.
        with lock:
            return call(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setattr(BotocoreStubber, "__call__", one_at_a_time)
        with mock_aws():
            from kernel import aws as clients

            clients.forget_clients()
            references = _create()
            for name, value in template.environment().items():
                patch.setenv(name, str(_resolve(value, references)))
            yield
            clients.forget_clients()


def _create() -> dict[str, str]:
    """Create the template's resources; what `Ref` and `GetAtt Arn` of each gives, by logical id."""
    references = dict(PARAMETERS)
    dynamodb, kms = boto3.client("dynamodb"), boto3.client("kms")
    sqs, s3 = boto3.client("sqs"), boto3.client("s3")
    for name, properties in template.resources("AWS::DynamoDB::Table").items():
        wanted = (
            "BillingMode",
            "KeySchema",
            "AttributeDefinitions",
            "GlobalSecondaryIndexes",
            "LocalSecondaryIndexes",
        )
        dynamodb.create_table(
            TableName=name, **{key: properties[key] for key in wanted if key in properties}
        )
        references[name] = name
    for name, properties in template.resources("AWS::KMS::Key").items():
        key = kms.create_key(
            KeySpec=properties.get("KeySpec", "SYMMETRIC_DEFAULT"),
            KeyUsage=properties.get("KeyUsage", "ENCRYPT_DECRYPT"),
        )["KeyMetadata"]
        references[name] = key["Arn"]
    for name in template.resources("AWS::SQS::Queue"):
        references[name] = sqs.create_queue(QueueName=name)["QueueUrl"]
    for name in template.resources("AWS::S3::Bucket"):
        references[name] = name.lower()
        s3.create_bucket(
            Bucket=name.lower(), CreateBucketConfiguration={"LocationConstraint": REGION}
        )
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
