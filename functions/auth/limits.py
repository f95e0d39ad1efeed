"""Waits after failures in a row, counted in the identity table beside the caps.

Identity table (the caps are in kernel.caps):
    FAILURES#<hash of name, subject> | FAILURES    n, blocked_until, expires_at: tries in a row
"""

from contextlib import suppress
from datetime import datetime

from auth import policy
from kernel import clock, dynamo
from kernel.caps import DAY, Caps
from kernel.errors import Locked, Unavailable

_REMEMBERED = 30 * DAY


class Limits(Caps):
    """Caps, and the counters of failures."""

    def attempt(self, name: str, subject: str, *, free: int, now: datetime) -> int:
        """Note a try as failed before it is judged (`clear` takes it back), and count it.

        The count is in a row since the last success. The first `free` tries are let through, and
        no more of them however many come at once; each later one waits longer.

        Raises:
            Locked: the wait is not over; such tries are not counted.
        """
        moment = clock.epoch(now)
        key = self._key("FAILURES", name, subject)
        item = dynamo.get(self._table, key) or {}
        before: int = item.get("n", 0)
        if item.get("blocked_until", 0) > moment:
            raise Locked(item["blocked_until"] - moment)
        if before < free:
            n = self.tally(name, subject, now=now)
            if n < free:
                return n
            if n > free:
                raise Locked(1)
            before = n - 1
        n = before + 1
        try:
            dynamo.update(
                self._table,
                key,
                "SET n = :n, blocked_until = :until, expires_at = :end",
                {
                    ":n": n,
                    ":until": moment + policy.delay(n, free),
                    ":end": moment + _REMEMBERED,
                    ":last": item.get("blocked_until", 0),
                },
                condition="attribute_not_exists(blocked_until) OR blocked_until = :last",
            )
        except dynamo.ConditionFailed as lost:
            raise Locked(1) from lost  # somebody else's try took this turn
        return n

    def tally(self, name: str, subject: str, *, now: datetime) -> int:
        """Count a try at `subject` from wherever it comes; no waits. The count so far."""
        item = dynamo.update(
            self._table,
            self._key("FAILURES", name, subject),
            "SET n = if_not_exists(n, :zero) + :one, expires_at = :end",
            {":zero": 0, ":one": 1, ":end": clock.epoch(now) + _REMEMBERED},
        )
        return int(item["n"])

    def clear(self, name: str, subject: str, *, below: int | None = None) -> None:
        """Forget the failures in a row after a success; only if there were fewer than `below`.

        What succeeded stands, so where this cannot be written they are just not forgotten.
        """
        key = self._key("FAILURES", name, subject)
        with suppress(dynamo.ConditionFailed, Unavailable):
            if below is None:
                dynamo.delete(self._table, key)
            else:
                dynamo.update(
                    self._table,
                    key,
                    "SET n = :zero",
                    {":zero": 0, ":below": below},
                    condition="n < :below",
                )
