"""The hash chain of a card's journal: what is hashed, and how. Pure; docs/journal.md says the same.

A row is hashed as it lies in the table, with every attribute, so nothing of it can change unseen,
whatever a later version writes into it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# A row in DynamoDB's JSON, as stream records have it: `{"pk": {"S": "CARD#…"}, …}`.
WireItem = Mapping[str, Any]

GENESIS = "0" * 64
_ROW = b"medkarta/journal/row/v1\n"
_LINK = b"medkarta/journal/link/v1\n"
_HEADS = b"medkarta/journal/heads/v1\n"


class Head(NamedTuple):
    """The end of a chain: how many links it has, and the last one's hash."""

    seq: int = 0
    hash: str = GENESIS


class Link(NamedTuple):
    """One row's place in its card's chain. `row` is the row's sort key."""

    card_id: str
    seq: int
    row: str
    row_hash: str
    linked_at: str
    prev: str

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over all of it."""
        content = {
            "card_id": self.card_id,
            "linked_at": self.linked_at,
            "prev": self.prev,
            "row": self.row,
            "row_hash": self.row_hash,
            "seq": self.seq,
        }
        return hashlib.sha256(_LINK + canonical(content)).hexdigest()


def canonical(value: Any) -> bytes:
    """RFC 8785's form, for what stands here: strings, whole numbers, booleans, ASCII names."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def row_hash(item: WireItem) -> str:
    """SHA-256 (hex) of a row: its DynamoDB JSON, sets sorted."""
    return hashlib.sha256(_ROW + canonical({k: _sorted(v) for k, v in item.items()})).hexdigest()


def _sorted(value: Mapping[str, Any]) -> Any:
    ((kind, raw),) = value.items()
    match kind:
        case "SS" | "NS" | "BS":
            return {kind: sorted(raw)}
        case "L":
            return {kind: [_sorted(each) for each in raw]}
        case "M":
            return {kind: {name: _sorted(each) for name, each in raw.items()}}
    return {kind: raw}


def extend(
    card_id: str, head: Head, rows: Sequence[tuple[str, str]], linked_at: str
) -> tuple[list[Link], Head]:
    """The links of new rows (sort key, hash) after `head`, in their order, and the new head."""
    links = []
    for row, hashed in rows:
        link = Link(card_id, head.seq + 1, row, hashed, linked_at, head.hash)
        links.append(link)
        head = Head(link.seq, link.hash)
    return links, head


def heads_hash(heads: Sequence[Sequence[str | int]]) -> str:
    """SHA-256 (hex) of a checkpoint's list of (card, links, hash)."""
    return hashlib.sha256(_HEADS + canonical([list(each) for each in heads])).hexdigest()
