"""Text messages to people. They leave by a queue, so that no answer's time tells who got one."""

import json

from botocore.exceptions import BotoCoreError, ClientError

from kernel import aws
from kernel.errors import Unavailable


class Messages:
    """The queue of text messages; `auth.messenger` sends them on."""

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url

    def send(self, to: str, text: str) -> None:
        """Queue `text` for the phone number `to` (E.164).

        Raises:
            Unavailable: the queue did not take it.
        """
        try:
            aws.sqs().send_message(
                QueueUrl=self._queue_url,
                MessageBody=json.dumps({"to": to, "text": text}, ensure_ascii=False),
            )
        except (ClientError, BotoCoreError) as error:
            raise Unavailable from error
