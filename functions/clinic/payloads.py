"""What is too large for an item: sealed, in the records bucket, under a key that says nothing.

Records bucket:
    payloads/<card>/<intake>/<random>    a sealed source; its item names the object
    imports/<card>/<import>              what a clinic uploaded, until the worker has taken it
"""

import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import BotoCoreError, ClientError

from kernel import aws
from kernel.errors import Unavailable
from kernel.identity import CardId


class Payloads:
    """The objects of the records bucket that items point to."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def put(self, card_id: CardId, intake: int, sealed: bytes) -> str:
        """Keep a sealed payload; its key. Raises Unavailable."""
        key = f"{_folder(card_id, intake)}{secrets.token_hex(16)}"
        try:
            aws.s3().put_object(Bucket=self._bucket, Key=key, Body=sealed)
        except (ClientError, BotoCoreError) as error:
            raise Unavailable from error
        return key

    def get(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The sealed payloads under these keys. Raises Unavailable."""
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return {}
        with ThreadPoolExecutor(max_workers=8) as pool:
            return dict(zip(wanted, pool.map(self._get, wanted), strict=True))

    def _get(self, key: str) -> bytes:
        try:
            return aws.s3().get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise Unavailable from error

    def drop(self, keys: Iterable[str]) -> None:
        """Delete objects that nothing points to any more. Raises Unavailable."""
        for key in keys:
            try:
                aws.s3().delete_object(Bucket=self._bucket, Key=key)
            except (ClientError, BotoCoreError) as error:
                raise Unavailable from error

    def drop_intakes(self, card_id: CardId, intakes: Iterable[int]) -> None:
        """Delete what intakes left that broke off. Raises Unavailable."""
        for intake in intakes:
            self.drop(self._keys(_folder(card_id, intake)))

    def drop_card(self, card_id: CardId) -> int:
        """Delete all of an erased card, uploads too; how many objects. Raises Unavailable."""
        keys = [*self._keys(f"payloads/{card_id}/"), *self._keys(f"imports/{card_id}/")]
        self.drop(keys)
        return len(keys)

    def _keys(self, prefix: str) -> Iterator[str]:
        start: dict[str, str] = {}
        while True:
            try:
                page = aws.s3().list_objects_v2(Bucket=self._bucket, Prefix=prefix, **start)  # type: ignore[arg-type]
            except (ClientError, BotoCoreError) as error:
                raise Unavailable from error
            for each in page.get("Contents", []):
                yield each["Key"]
            if not page.get("IsTruncated"):
                return
            start = {"ContinuationToken": page["NextContinuationToken"]}


def _folder(card_id: CardId, intake: int) -> str:
    return f"payloads/{card_id}/{intake:010d}/"
