"""AWS clients, made lazily and once: a cold start pays only for what the request needs.

botocore is used without boto3: the client classes are the same, the import is shorter.
"""

import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.session import get_session

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient

# The gateway gives up after 29 s, so one call with its retries must end well before.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"total_max_attempts": 3, "mode": "standard"},
    max_pool_connections=16,
    user_agent="medkarta",  # else it is put together anew for every call
)
# Which services a function has to do with is said by the names of its settings.
_NAMED = {
    "_TABLE": "dynamodb",
    "_KEY_ID": "kms",
    "_BUCKET": "s3",
    "_QUEUE_URL": "sqs",
    "_ARN": "sns",
}


@cache
def _session() -> Any:
    return get_session()


@cache
def _client(service: str) -> Any:
    config = _CONFIG
    if service == "s3":
        # Presigned links need SigV4; path style keeps a custom endpoint's host name.
        config = config.merge(Config(signature_version="s3v4", s3={"addressing_style": "path"}))
    if service == "dynamodb":
        # All requests are made by kernel.dynamo, and the service checks them anyway.
        config = config.merge(Config(parameter_validation=False))
    client = _session().create_client(service, config=config)
    if service == "dynamodb":
        client.meta.events.register("before-parse.dynamodb", _as_json)
    return client


def _as_json(response_dict: Any, customized_response_dict: Any, **_: Any) -> None:
    """Take a good answer of DynamoDB as the JSON that it is, past botocore's parser.

    Walking each attribute by its shape is most of what a Query costs. Of all that it would change
    here, only binary values matter: they stay base64, and `kernel.dynamo` decodes them.
    """
    if response_dict["status_code"] < 300 and response_dict["body"]:
        customized_response_dict.update(json.loads(response_dict["body"]))
        response_dict["body"] = b""


def before_snapshot() -> bool:
    """Whether Lambda is about to take a snapshot (SnapStart): what is made now costs nobody."""
    return os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"


def prime() -> None:
    """Make this function's clients now if they come into a snapshot.

    They hold no connection yet, and credentials that botocore renews. Elsewhere nothing happens:
    a cold start makes the clients that its first request needs.
    """
    if before_snapshot():
        for ending, service in _NAMED.items():
            if any(name.endswith(ending) for name in os.environ):
                _client(service)


def dynamodb() -> "DynamoDBClient":
    """Answers are as DynamoDB's JSON has them: binary values are base64 (`kernel.dynamo`)."""
    client: DynamoDBClient = _client("dynamodb")
    return client


def kms() -> "KMSClient":
    client: KMSClient = _client("kms")
    return client


def s3() -> "S3Client":
    client: S3Client = _client("s3")
    return client


def sns() -> "SNSClient":
    client: SNSClient = _client("sns")
    return client


def sqs() -> "SQSClient":
    client: SQSClient = _client("sqs")
    return client


def forget_clients() -> None:
    """Drop every client, so that the next ones are made in the current environment (tests)."""
    _client.cache_clear()
    _session.cache_clear()
