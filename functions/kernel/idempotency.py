"""`Idempotency-Key`: the same request sent twice is done once (IETF draft httpapi-idempotency-key).

Idempotency table:
    <account>|<method path>|<hash of key> | REQUEST    body_hash, claim_id, answer, expires_at
Bound to account and route, for 24 hours. The answers that are kept hold ids and times, no medical
data, and rest under the table's KMS key. A request that died leaves its claim for a minute only.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from kernel import clock, dynamo, ids
from kernel.errors import (
    Conflict,
    FieldProblem,
    IdempotencyMismatch,
    Unavailable,
    ValidationFailed,
)
from kernel.identity import AccountId

_KEPT = 24 * 3600
_UNDER_WAY = 60


def key_of(headers: Mapping[str, str]) -> str | None:
    """The request's `Idempotency-Key`, up to 255 printable ASCII characters.

    Raises:
        ValidationFailed: it is something else, which on its way here may have become something
            else again; then two requests with one key would not have one.
    """
    key = headers.get("idempotency-key")
    if key is not None and not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise ValidationFailed([FieldProblem("Idempotency-Key", "value")])
    return key


class Idempotency:
    """The claims and answers of one table."""

    def __init__(self, table: str) -> None:
        self._table = table

    def once(
        self,
        account_id: AccountId,
        route: str,
        key: str,
        body: bytes,
        now: datetime,
        work: Callable[[], dict[str, Any]],
    ) -> dict[str, Any]:
        """Do `work` unless this key was answered before; then give that answer (JSON) again.

        Raises:
            IdempotencyMismatch: the key was used with another body.
            Conflict: the first request is still under way.
        """
        moment = clock.epoch(now)
        pk = f"{account_id}|{route}|{hashlib.sha256(key.encode()).hexdigest()}"
        body_hash = hashlib.sha256(body).hexdigest()
        claim = {
            "pk": pk,
            "sk": "REQUEST",
            "body_hash": body_hash,
            "claim_id": ids.secret(),
            "claimed_until": moment + _UNDER_WAY,
            "expires_at": moment + _KEPT,
        }
        try:
            dynamo.put(
                self._table,
                claim,
                condition="attribute_not_exists(pk) OR expires_at <= :now"
                " OR (attribute_not_exists(answer) AND claimed_until <= :now"
                " AND body_hash = :body)",
                values={":now": moment, ":body": body_hash},
            )
        except dynamo.ConditionFailed as lost:
            first = lost.old or {}
            # The SDK repeats a claim whose answer was lost, and meets its own.
            if first.get("claim_id") != claim["claim_id"]:
                if first.get("body_hash") != body_hash:
                    raise IdempotencyMismatch from lost
                if "answer" not in first:
                    raise Conflict("under_way") from lost
                kept: dict[str, Any] = json.loads(first["answer"])
                return kept
        except Unavailable:  # the claim may be there: whoever comes again must not meet it
            self._give_up(claim)
            raise
        try:
            answer = work()
        except Exception:
            self._give_up(claim)
            raise
        # It is done: whoever was told otherwise would do it again.
        with suppress(Unavailable):
            dynamo.put(self._table, {**claim, "answer": json.dumps(answer)})
        return answer

    def _give_up(self, claim: dict[str, Any]) -> None:
        """Take a claim back; where that fails it ends by itself, in a minute."""
        with suppress(dynamo.ConditionFailed, Unavailable):
            dynamo.delete(
                self._table,
                {"pk": claim["pk"], "sk": claim["sk"]},
                condition="claim_id = :mine",
                values={":mine": claim["claim_id"]},
            )
