"""One-time codes of six digits, as they go out by text message.

Identity table:
    CODE#<subject> | <purpose>    code_hash, tries_left, valid_until, window_until, used_by

A code is bound to its subject (a challenge, or the two people at a desk) and to its purpose: it
fits nowhere else. Rules: NIST SP 800-63B-4 §3.1.3.2 (out-of-band secrets: six digits, at most ten
minutes, accepted once, guessing limited); here five tries and five minutes.

At a desk:

    code = codes.issue(subject, "verify", now)                  # then messages.send(phone, ...)
    action = codes.match(subject, "verify", code, now)          # raises CodeInvalid, ...
    dynamo.transact(action, ...)                                # the code is used with the change
"""

import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Any

from kernel import clock, dynamo, hashing, ids
from kernel.errors import ChallengeExpired, CodeInvalid, RateLimited

SECONDS = 300
TRIES = 5
# A new code for the same subject does not bring new tries before this time is over.
_WINDOW = 900


class Codes:
    """The codes of one table. `lookup_key` is the KMS key that the hashes are derived from."""

    def __init__(self, table: str, lookup_key: str) -> None:
        self._table = table
        self._lookup_key = lookup_key

    def issue(self, subject: str, purpose: str, now: datetime) -> str:
        """A new code, valid for `SECONDS`; it takes the place of the one before.

        Wrong tries at earlier codes of the same subject still count, for 15 minutes.

        Raises:
            RateLimited: no tries are left.
        """
        moment = clock.epoch(now)
        code = f"{secrets.randbelow(1_000_000):06}"
        values: dict[str, Any] = {
            ":hash": self._hash(subject, purpose, code),
            ":until": moment + SECONDS,
            ":now": moment,
        }
        try:
            item = dynamo.update(
                self._table,
                _key(subject, purpose),
                "SET code_hash = :hash, valid_until = :until REMOVE used_by",
                values,
                condition="window_until > :now",
            )
        except dynamo.ConditionFailed:
            fresh = {
                **_key(subject, purpose),
                "code_hash": values[":hash"],
                "tries_left": TRIES,
                "valid_until": moment + SECONDS,
                "window_until": moment + _WINDOW,
                "expires_at": moment + 2 * _WINDOW,
            }
            dynamo.put(self._table, fresh)
            return code
        if item["tries_left"] <= 0:
            raise RateLimited(item["window_until"] - moment)
        return code

    def match(self, subject: str, purpose: str, code: str, now: datetime) -> dict[str, Any]:
        """Check a code, at the cost of a try, and give the action that uses it up.

        The action belongs into the transaction of what the code allows, so that of many who bring
        the same code at once one wins; the transaction of the others raises `ConditionFailed`.

        Raises:
            CodeInvalid: it is another code.
            ChallengeExpired: there is none, it is used or too old, or no tries are left.
        """
        moment = clock.epoch(now)
        try:
            # The try is taken before the code is looked at, so a burst of guesses gets no more.
            item = dynamo.update(
                self._table,
                _key(subject, purpose),
                "SET tries_left = tries_left - :one",
                {":one": 1, ":zero": 0, ":now": moment},
                condition="tries_left > :zero AND valid_until > :now"
                " AND attribute_not_exists(used_by)",
            )
        except dynamo.ConditionFailed as lost:
            raise ChallengeExpired from lost
        given = self._hash(subject, purpose, code)
        if not hmac.compare_digest(item["code_hash"], given):
            raise CodeInvalid
        return {
            "Update": dynamo.update_request(
                self._table,
                _key(subject, purpose),
                "SET used_by = :user",
                {":user": ids.secret(), ":hash": given, ":now": moment},
                condition="code_hash = :hash AND valid_until > :now"
                " AND attribute_not_exists(used_by)",
            )
        }

    def check(self, subject: str, purpose: str, code: str, now: datetime) -> None:
        """Check a code and use it up at once, where nothing else is written with it.

        Raises:
            CodeInvalid, ChallengeExpired: as `match`.
        """
        action = self.match(subject, purpose, code, now)
        try:
            dynamo.transact(action)
        except dynamo.ConditionFailed as lost:
            raise ChallengeExpired from lost

    def _hash(self, subject: str, purpose: str, code: str) -> str:
        key = hashing.process_key(self._lookup_key, "codes/v1")
        message = "\x00".join((subject, purpose, code)).encode()
        return hmac.digest(key, message, hashlib.sha256).hex()


def _key(subject: str, purpose: str) -> dict[str, str]:
    return {"pk": f"CODE#{subject}", "sk": purpose}
