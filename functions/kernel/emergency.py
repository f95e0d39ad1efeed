"""Emergency access: one clinician, one card, sixty minutes, reading only.

Consents table:
    CARD#<id> | EMERGENCY#<account>    clinic_id, given_at, until

It takes the place of relation and consent (323-ФЗ art. 13 part 4 no. 1: help to somebody who cannot
say what they want). The item is found by card and account, so the gate reads it with the card.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from kernel import clock
from kernel.dynamo import Item, Lookup
from kernel.identity import AccountId, CardId, ClinicId

DURATION = timedelta(minutes=60)


class Grant(NamedTuple):
    """Who opened which card, for which clinic they act, and until when (Unix time)."""

    card_id: CardId
    account_id: AccountId
    clinic_id: ClinicId
    given_at: str
    until: int

    @staticmethod
    def lookup(table: str, card_id: CardId, account_id: AccountId) -> Lookup:
        return Lookup(table, f"CARD#{card_id}", f"EMERGENCY#{account_id}")

    @classmethod
    def from_item(cls, item: Item) -> "Grant":
        return cls(**{name: item[name] for name in cls._fields})

    def to_item(self) -> dict[str, Any]:
        place = Grant.lookup("", self.card_id, self.account_id)
        return {
            "pk": place.pk,
            "sk": place.sk,
            **{name: getattr(self, name) for name in Grant._fields},
            "expires_at": self.until,
        }

    def live(self, now: datetime) -> bool:
        """Whether it still counts: DynamoDB deletes late."""
        return clock.epoch(now) < self.until
