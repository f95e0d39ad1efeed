"""Caps: how often something may be done in a while, counted in the identity table.

Identity table:
    CAP#<hash of name, subject, window> | CAP    n, expires_at
Keys hold a keyed hash only: a subject may be a phone number. Counting is one atomic write, so of
any number of requests at once exactly as many pass as the cap allows.
"""

import hashlib
import hmac
from datetime import datetime

from kernel import clock, dynamo, hashing
from kernel.errors import RateLimited

HOUR = 3600
DAY = 24 * HOUR


class Caps:
    """The counters of one table. `lookup_key` is the KMS key that the hashes are derived from."""

    def __init__(self, table: str, lookup_key: str) -> None:
        self._table = table
        self._lookup_key = lookup_key

    def count(self, name: str, subject: str, *, cap: int, seconds: int, now: datetime) -> None:
        """Count one more in this window of `seconds`.

        Raises:
            RateLimited: above `cap`.
        """
        moment = clock.epoch(now)
        window = moment // seconds
        item = dynamo.update(
            self._table,
            self._key("CAP", name, subject, str(window)),
            "SET n = if_not_exists(n, :zero) + :one, expires_at = :end",
            {":zero": 0, ":one": 1, ":end": (window + 2) * seconds},
        )
        if item["n"] > cap:
            raise RateLimited((window + 1) * seconds - moment)

    def _key(self, kind: str, *parts: str) -> dict[str, str]:
        key = hashing.process_key(self._lookup_key, "caps/v1")
        digest = hmac.digest(key, "\x00".join(parts).encode(), hashlib.sha256)[:16].hex()
        return {"pk": f"{kind}#{digest}", "sk": kind}
