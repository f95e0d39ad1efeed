"""A patient hides records and sections of their card from clinicians, and shows them again."""

from collections.abc import Sequence
from typing import Any

from kernel import dynamo, hiding, records
from kernel.errors import FieldProblem, NotFound, ValidationFailed
from kernel.hiding import Hidden
from kernel.identity import CardId, RecordId
from kernel.journal import Entry, Journal
from kernel.records import LETTERS, Head


class Hiding:
    """What is hidden on a card. Each change stands in the journal, and is done when it returns."""

    def __init__(self, *, consents_table: str, records_table: str, journal: Journal) -> None:
        self._consents = consents_table
        self._records = records_table
        self._journal = journal

    def hide_record(self, card_id: CardId, record_id: RecordId, entry: Entry) -> dict[str, Any]:
        """Hide one record, in every section in which it stands.

        Raises:
            NotFound: there is no such record on this card.
            ValidationFailed: too many are hidden; a whole section can be.
        """
        sections = self._sections_of(card_id, record_id)
        if not sections:
            raise NotFound
        marks = {hiding.mark(section, record_id) for section in sections}
        most = hiding.MOST_RECORDS
        try:
            self._change(
                card_id,
                "ADD records :marks",
                {":marks": marks, ":most": most},
                entry,
                "attribute_not_exists(records) OR size(records) < :most",
            )
        except dynamo.ConditionFailed as lost:
            problem = FieldProblem("record_id", "too_many", {"max_length": most})
            raise ValidationFailed([problem]) from lost
        return {"record_id": record_id, "hidden": True}

    def show_record(
        self, card_id: CardId, hidden: Hidden, record_id: RecordId, entry: Entry
    ) -> None:
        """Show one record again; its section may still be hidden.

        Raises:
            NotFound: there is no such record, and none is hidden.
        """
        if record_id not in hidden.records and not self._sections_of(card_id, record_id):
            raise NotFound
        marks = {hiding.mark(section, record_id) for section in LETTERS}
        self._change(card_id, "DELETE records :marks", {":marks": marks}, entry)

    def hide_section(self, card_id: CardId, section: str, entry: Entry) -> dict[str, Any]:
        """Hide a section, with all that will ever come into it. Raises NotFound: there is none."""
        self._change(card_id, "ADD sections :one", {":one": _section(section)}, entry)
        return {"section": section, "hidden": True}

    def show_section(self, card_id: CardId, section: str, entry: Entry) -> None:
        """Show a section again, but for records that are hidden for themselves. Raises NotFound."""
        self._change(card_id, "DELETE sections :one", {":one": _section(section)}, entry)

    def _sections_of(self, card_id: CardId, record_id: RecordId) -> Sequence[str]:
        """The sections in which a record is visible."""
        place = Head.lookup(self._records, card_id)
        head = Head.from_item(dynamo.batch_get([place]).get(place))
        return [
            section
            for section in LETTERS
            if any(
                head.shows(version)
                for version in dynamo.query_all(
                    self._records,
                    "pk = :pk AND record_id = :id",
                    {":pk": records.partition(card_id, section), ":id": record_id},
                    index="by_record",
                )
            )
        ]

    def _change(
        self,
        card_id: CardId,
        update: str,
        values: dict[str, Any],
        entry: Entry,
        condition: str | None = None,
    ) -> None:
        place = hiding.lookup(self._consents, card_id)
        key = {"pk": place.pk, "sk": place.sk}
        request = dynamo.update_request(place.table, key, update, values, condition=condition)
        dynamo.transact({"Update": request}, self._journal.in_transaction(entry))


def _section(name: str) -> set[str]:
    if name not in LETTERS:
        raise NotFound
    return {name}
