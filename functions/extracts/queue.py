"""The queue of ordered extracts. An order whose message is lost is queued again by the sweeper."""

import json
from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError

from kernel import aws
from kernel.dynamo import Item
from kernel.errors import Unavailable

# How long an order may wait before it is queued again.
FIRST_AFTER = timedelta(minutes=2)


def send(queue_url: str, item: Item) -> None:
    """Send the message by which the worker makes an extract. Raises Unavailable."""
    body = {"patient_id": item["patient_id"], "extract_id": item["extract_id"]}
    try:
        aws.sqs().send_message(QueueUrl=queue_url, MessageBody=json.dumps(body))
    except (ClientError, BotoCoreError) as error:
        raise Unavailable from error
