"""The chain as it is stored, apart from the journal: who writes entries cannot write here.

Chain table:
    CARD#<id>       | LINK#<sort key of row>   seq, row, row_hash, linked_at, prev, hash
    CARD#<id>       | HEAD                     seq, hash: moves only from what it was
    PENDING#<shard> | <card>                   seq: its head waits for the next checkpoint
    CHECKPOINTS     | HEAD                     number, hash of the last one that was signed
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from journal.chain import GENESIS, Head, Link
from kernel import dynamo
from kernel.dynamo import Lookup
from kernel.errors import Unavailable

_SHARDS = 16
_AT_ONCE = 100  # actions of one transaction


class Chains:
    """Reads and extends chains."""

    def __init__(self, table: str) -> None:
        self._table = table

    def read(self, card_id: str, rows: Sequence[str]) -> tuple[Head, dict[str, str]]:
        """A card's head, and of these rows those that are linked: sort key -> row's hash."""
        head_place = self._head(card_id)
        places = {row: Lookup(self._table, f"CARD#{card_id}", f"LINK#{row}") for row in rows}
        items = dynamo.batch_get([head_place, *places.values()])
        known = {row: items[place]["row_hash"] for row, place in places.items() if place in items}
        found = items.get(head_place)
        return Head(found["seq"], found["hash"]) if found else Head(), known

    def extend(self, head: Head, links: Sequence[Link], new: Head) -> None:
        """Write the links after `head`, all or none; up to 98 of one card.

        Raises:
            ConditionFailed: the chain has moved on, or a row is linked already.
        """
        card_id = links[0].card_id
        pk = f"CARD#{card_id}"
        condition, values = "attribute_not_exists(pk)", None
        if head.seq:
            condition, values = (
                "seq = :seq AND #hash = :hash",
                {":seq": head.seq, ":hash": head.hash},
            )
        moved = {"pk": pk, "sk": "HEAD", **new._asdict()}
        names = {"#hash": "hash"} if head.seq else None
        pending = {"pk": f"PENDING#{_shard(card_id):x}", "sk": card_id, "seq": new.seq}
        dynamo.transact(
            {"Put": dynamo.put_request(self._table, moved, condition, values, names)},
            {"Put": dynamo.put_request(self._table, pending)},
            *(
                {
                    "Put": dynamo.put_request(
                        self._table,
                        {"pk": pk, "sk": f"LINK#{each.row}", **each._asdict(), "hash": each.hash},
                        "attribute_not_exists(pk)",
                    )
                }
                for each in links
            ),
        )

    def pending(self) -> dict[str, int]:
        """The cards whose heads no checkpoint has, and how long their chains were then."""
        found: dict[str, int] = {}
        for shard in range(_SHARDS):
            key = {":pk": f"PENDING#{shard:x}"}
            for item in dynamo.query_all(self._table, "pk = :pk", key):
                found[item["sk"]] = item["seq"]
        return found

    def heads(self, cards: Iterable[str]) -> dict[str, Head]:
        """The heads of these cards as they are now."""
        places = {card_id: self._head(card_id) for card_id in cards}
        items = dynamo.batch_get(places.values())
        return {
            card_id: Head(items[place]["seq"], items[place]["hash"])
            for card_id, place in places.items()
            if place in items
        }

    def settle(self, heads: dict[str, Head]) -> None:
        """Take cards off the pending ones, unless they went on meanwhile."""
        actions = [
            {
                "Delete": dynamo.delete_request(
                    self._table,
                    {"pk": f"PENDING#{_shard(card_id):x}", "sk": card_id},
                    condition="seq <= :seq",
                    values={":seq": head.seq},
                )
            }
            for card_id, head in heads.items()
        ]
        for start in range(0, len(actions), _AT_ONCE):
            together = actions[start : start + _AT_ONCE]
            try:
                dynamo.transact(*together)
            except (dynamo.ConditionFailed, Unavailable):
                # Of so many one may have moved, or be moving: the others are not left for it.
                for action in together:
                    with suppress(dynamo.ConditionFailed):
                        dynamo.transact(action)

    def last_checkpoint(self) -> tuple[int, str]:
        """Number and hash of the last checkpoint; 0 before the first."""
        item = dynamo.get(self._table, {"pk": "CHECKPOINTS", "sk": "HEAD"})
        return (item["number"], item["hash"]) if item else (0, GENESIS)

    def note_checkpoint(self, number: int, hash: str) -> None:
        """Remember that checkpoint `number` is written; again is no harm."""
        item: dict[str, Any] = {"pk": "CHECKPOINTS", "sk": "HEAD", "number": number, "hash": hash}
        dynamo.put(
            self._table,
            item,
            condition="attribute_not_exists(pk) OR #number <= :number",
            values={":number": number},
            names={"#number": "number"},
        )

    def _head(self, card_id: str) -> Lookup:
        return Lookup(self._table, f"CARD#{card_id}", "HEAD")


def _shard(card_id: str) -> int:
    return hashlib.sha256(card_id.encode()).digest()[0] % _SHARDS
