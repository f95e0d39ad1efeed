"""The consumer of the queue of text messages: hands each to SNS. Logs neither number nor text."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from kernel import aws, log


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer an SQS event with the messages that failed, so that only those come again."""
    failed = []
    for record in event["Records"]:
        try:
            _send(json.loads(record["body"]))
        except (ClientError, BotoCoreError, ValueError, KeyError) as error:
            log.failure("text message not sent", error, message_id=record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            log.info("text message handled", message_id=record["messageId"])
    return {"batchItemFailures": failed}


def _send(message: Mapping[str, str]) -> None:
    # A message to nobody was queued only so that its sender's time tells nothing.
    if not message["to"]:
        return
    aws.sns().publish(
        PhoneNumber=message["to"],
        Message=message["text"],
        MessageAttributes={
            "AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"}
        },
    )
