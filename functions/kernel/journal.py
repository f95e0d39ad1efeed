"""The journal: who did what with a card, refusals included. Entries are only ever added.

Journal table:
    CARD#<id>        | ENTRY#<ulid>            an act: by whom, as what, from where, why
    CARD#<id>        | ENTRY#<ulid>#OUTCOME    how it ended, where it was refused after `requested`
    SECURITY#<acct>  | ENTRY#<ulid>            refusals of people who have no relation to the card
An entry names workers by account and clinic; their names are looked up when it is shown. What a
clinician gives as a reason for emergency access may be personal, so it is sealed (`note`).
"""

from datetime import datetime
from typing import Any, Literal, NamedTuple

from kernel import clock, dynamo, ids
from kernel.identity import AccountId, CardId, ClinicId

Capacity = Literal["patient", "clinician", "registrar", "system"]


class Entry(NamedTuple):
    """One act on one card.

    `emergency`: under emergency access; `hidden_shown`: what the patient had hidden was open to it;
    `note`: a reason in somebody's own words, sealed (kernel.notes).
    """

    entry_id: str
    card_id: CardId
    at: datetime
    account_id: AccountId | None
    capacity: Capacity
    clinic_id: ClinicId | None
    action: str
    section: str | None
    purpose: str | None = None
    outcome: str = "done"
    emergency: bool = False
    hidden_shown: bool = False
    note: bytes | None = None

    def item(self) -> dict[str, Any]:
        stands_out: dict[str, Any] = {
            name: value
            for name, value in (
                ("emergency", self.emergency),
                ("hidden_shown", self.hidden_shown),
                ("note", self.note),
            )
            if value
        }
        return {
            "pk": f"CARD#{self.card_id}",
            "sk": f"ENTRY#{self.entry_id}",
            "entry_id": self.entry_id,
            "at": clock.rfc3339(self.at),
            "account_id": self.account_id,
            "capacity": self.capacity,
            "clinic_id": self.clinic_id,
            "action": self.action,
            "section": self.section,
            "purpose": self.purpose,
            "outcome": self.outcome,
            **stands_out,
        }


class Journal:
    """Writes entries; an act whose entry cannot be written must not happen."""

    def __init__(self, table: str) -> None:
        self._table = table

    def entry(
        self,
        card_id: CardId,
        *,
        now: datetime,
        account_id: AccountId | None,
        capacity: Capacity,
        action: str,
        section: str | None = None,
        clinic_id: ClinicId | None = None,
        purpose: str | None = None,
        outcome: str = "done",
        emergency: bool = False,
        hidden_shown: bool = False,
    ) -> Entry:
        """A new entry, not yet written."""
        return Entry(
            entry_id=ids.time_ordered(now),
            card_id=card_id,
            at=now,
            account_id=account_id,
            capacity=capacity,
            clinic_id=clinic_id,
            action=action,
            section=section,
            purpose=purpose,
            outcome=outcome,
            emergency=emergency,
            hidden_shown=hidden_shown,
        )

    def write(self, entry: Entry) -> None:
        """Write an entry on its own, before what it tells of is given out."""
        self._add(entry.item())

    def in_transaction(self, entry: Entry) -> dict[str, Any]:
        """The entry as an action of the transaction that makes its change visible."""
        return {"Put": dynamo.put_request(self._table, entry.item(), "attribute_not_exists(pk)")}

    def refused(self, entry: Entry, code: str) -> None:
        """Add to a written entry that the act was refused, and by which code."""
        item = {
            "pk": f"CARD#{entry.card_id}",
            "sk": f"ENTRY#{entry.entry_id}#OUTCOME",
            "entry_id": entry.entry_id,
            "outcome": code,
        }
        self._add(item)

    def stranger_refused(
        self, account_id: AccountId, card_id: str, action: str, code: str, now: datetime
    ) -> None:
        """Note a stranger's refusal where it does not flood the patient's journal."""
        item = {
            "pk": f"SECURITY#{account_id}",
            "sk": f"ENTRY#{ids.time_ordered(now)}",
            "at": clock.rfc3339(now),
            "card_id": card_id[:64],
            "action": action,
            "outcome": code,
        }
        dynamo.put(self._table, item)

    def _add(self, item: dict[str, Any]) -> None:
        try:
            dynamo.put(self._table, item, condition="attribute_not_exists(pk)")
        except dynamo.ConditionFailed as lost:
            # The SDK repeats a write whose answer was lost: an entry's id is only ever its own.
            if lost.old is None or lost.old["entry_id"] != item["entry_id"]:
                raise
