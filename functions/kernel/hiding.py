"""What a patient hides from clinicians: single records, and whole sections of a card.

Consents table:
    CARD#<id> | HIDDEN    records: a set of `<section>#<record>`; sections: a set of names

The gate reads it in its first batch, beside the card, so that a read never shows what was hidden
before it began. To a clinician hidden records are not there: in no list, count, series or link.
Their patient sees them marked, and so does a clinician in an emergency, which the journal tells.
"""

from typing import NamedTuple

from kernel.dynamo import Item, Lookup
from kernel.identity import CardId

# One item holds them all; who wants to hide more hides the section.
MOST_RECORDS = 2000


class Hidden(NamedTuple):
    """The hidden records (by id) and sections of a card; `touched`: where there are any."""

    records: frozenset[str] = frozenset()
    sections: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()

    @classmethod
    def from_item(cls, item: Item | None) -> "Hidden":
        if item is None:
            return NOTHING
        marks = [mark.partition("#") for mark in item.get("records", ())]
        sections = frozenset(item.get("sections", ()))
        return cls(
            records=frozenset(record for _, _, record in marks),
            sections=sections,
            touched=sections | {section for section, _, _ in marks},
        )

    def __bool__(self) -> bool:
        return bool(self.records or self.sections)

    def has(self, section: str, record_id: str | None) -> bool:
        """Whether this record of this section is hidden."""
        return section in self.sections or record_id in self.records

    def touches(self, section: str | None) -> bool:
        """Whether anything is hidden in a section; a name that is none stands for all of them."""
        return section in self.touched if section in _SECTIONS else bool(self)


NOTHING = Hidden()
_SECTIONS = frozenset({"summary", "visits", "results", "prescriptions"})


def lookup(table: str, card_id: CardId) -> Lookup:
    return Lookup(table, f"CARD#{card_id}", "HIDDEN")


def mark(section: str, record_id: str) -> str:
    """How a record stands in the set."""
    return f"{section}#{record_id}"
