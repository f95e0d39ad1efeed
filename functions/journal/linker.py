"""The journal's stream: links every entry into its card's chain, after the fact.

Readers of a card never wait for each other: they write their own entry, under its own key, and
are done. What is hashed is the stream's image of an entry and not the table's, so an entry that
somebody deletes or edits before it is linked leaves its first form in the chain all the same.

Lambda may deliver a record twice, late, or two batches of one card at once; the stream keeps the
order of changes of one item only. None of this matters here: a chain is extended from the head
that was read, in one transaction that fails if head or row have been written meanwhile. A chain's
order is the order of linking; the order of entries is in their ids.
"""

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from journal.chain import WireItem, extend, row_hash
from journal.repository import Chains
from kernel import clock, dynamo, log
from kernel.errors import Unavailable
from kernel.settings import load

_TRIES = 12
# A transaction takes 100 actions; head and the mark for the checkpoint are two.
_AT_ONCE = 98


class RowChanged(Exception):
    """Somebody changed or removed what is only ever added."""


class Settings(NamedTuple):
    chain_table: str


settings = load(Settings)
chains = Chains(settings.chain_table)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Link a batch of stream records; those from the first failed one on come again."""
    records: list[Mapping[str, Any]] = list(event["Records"])
    failed: set[str] = set()
    for card_id, mine in _by_card(records).items():
        try:
            link(card_id, [record["dynamodb"]["NewImage"] for record in mine], chains)
        except (Unavailable, dynamo.ConditionFailed) as error:
            log.failure("not linked", error, card_id=card_id, count=len(mine))
            failed |= {record["dynamodb"]["SequenceNumber"] for record in mine}
    # Lambda goes back to the first of them in the shard's order; the others are linked already.
    return {"batchItemFailures": [{"itemIdentifier": number} for number in sorted(failed, key=int)]}


def link(card_id: str, rows: Sequence[WireItem], chains: Chains) -> int:
    """Link the rows that are not linked yet; how many they were.

    Raises:
        Unavailable, ConditionFailed: others kept extending this chain, or no answer came.
    """
    hashes = [(row["sk"]["S"], row_hash(row)) for row in rows]
    return sum(
        _link(card_id, dict(hashes[start : start + _AT_ONCE]), chains)
        for start in range(0, len(hashes), _AT_ONCE)
    )


def _link(card_id: str, hashes: Mapping[str, str], chains: Chains) -> int:
    for attempt in range(_TRIES):
        try:
            head, known = chains.read(card_id, list(hashes))
            fresh = [(row, hashed) for row, hashed in hashes.items() if row not in known]
            if fresh:
                links, new = extend(card_id, head, fresh, clock.rfc3339(clock.now()))
                chains.extend(head, links, new)
        except (Unavailable, dynamo.ConditionFailed):
            if attempt == _TRIES - 1:
                raise
            time.sleep(random.uniform(0, 0.02 * (attempt + 1)))  # noqa: S311  # no secret
            continue
        if any(hashes[row] != hashed for row, hashed in known.items()):
            log.failure("journal row differs", RowChanged(), card_id=card_id)
        return len(fresh)
    raise Unavailable


def _by_card(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """New entries by card. Anything else that happens to an entry is told."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        keys = record["dynamodb"]["Keys"]
        pk, sk = keys["pk"]["S"], keys["sk"]["S"]
        if not pk.startswith("CARD#") or not sk.startswith("ENTRY#"):
            continue
        card_id = pk.removeprefix("CARD#")
        if record["eventName"] == "INSERT":
            found.setdefault(card_id, []).append(record)
        else:
            log.failure("journal row changed", RowChanged(), card_id=card_id)
    return found
