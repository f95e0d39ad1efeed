"""«Оспорить»: from an entry of the journal a patient asks the clinic why."""

from datetime import datetime
from typing import Any

from consent.repository import JournalReader
from kernel import cases, clock, ids
from kernel.cases import Case, Cases
from kernel.errors import AlreadyExists, NotFound
from kernel.identity import CardId, ClinicId
from kernel.journal import Entry, Journal
from kernel.registry import Card

# What the desk must know of a contested entry; a reason in words stays in the journal.
_COPIED = ("entry_id", "at", "account_id", "capacity", "action", "section", "purpose", "outcome")


def contest(
    card: Card,
    entry_id: str,
    text: str,
    *,
    now: datetime,
    entry: Entry,
    reader: JournalReader,
    cases_of: Cases,
    journal: Journal,
) -> dict[str, Any]:
    """Open a case with the clinic for which the entry was made.

    Raises:
        NotFound: there is no such entry in this card's journal.
        AlreadyExists: it is contested already.
    """
    contested = reader.entry(card.card_id, entry_id)
    if contested is None:
        raise NotFound
    case = Case(
        case_id=ids.time_ordered(now),
        card_id=card.card_id,
        clinic_id=ClinicId(contested["clinic_id"] or card.clinic_id),
        entry={
            **{name: contested[name] for name in _COPIED},
            "emergency": bool(contested.get("emergency")),
        },
        opened_at=clock.rfc3339(now),
        due_at=clock.rfc3339(cases.due(now)),
        text=text,
    )
    if not cases_of.open(case, journal.in_transaction(entry)):
        raise AlreadyExists
    return case.shown()


def state(card_id: CardId, entry_id: str, cases_of: Cases) -> dict[str, Any]:
    """The case of an entry. Raises NotFound: it is not contested."""
    case = cases_of.of_entry(card_id, entry_id)
    if case is None:
        raise NotFound
    return case.shown()
