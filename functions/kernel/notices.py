"""What a patient is told in their account, and how it is kept.

Notices table:
    CARD#<id>    | NOTICE#<ulid>    kind, at, details, read_at?, expires_at
    PATIENT#<id> | READ#<name>      a notice that rests nowhere (consent due) was read
Notices belong to a card and not to a person: a card that becomes somebody else's, because they were
entered twice, brings its notices along, the ones that are just being written too.
"""

from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from kernel import clock, dynamo, ids
from kernel.identity import CardId

Kind = Literal["new_results", "emergency_access", "case_answered"]
_KEPT = timedelta(days=365)


class Notice(NamedTuple):
    """One thing to tell; `details` are ids and numbers, nothing medical."""

    card_id: CardId
    kind: Kind
    at: datetime
    details: dict[str, Any]


def put_action(table: str, notice: Notice) -> dict[str, Any]:
    """The notice as an action of the transaction that makes it true: none lost, none twice."""
    item = {
        "pk": f"CARD#{notice.card_id}",
        "sk": f"NOTICE#{ids.time_ordered(notice.at)}",
        "card_id": notice.card_id,
        "kind": notice.kind,
        "at": clock.rfc3339(notice.at),
        "details": notice.details,
        "read_at": None,
        "expires_at": clock.epoch(notice.at + _KEPT),
    }
    return {"Put": dynamo.put_request(table, item, "attribute_not_exists(pk)")}
