"""Contested accesses: a patient asks why, the clinic answers by a day.

Notices table:
    CLINIC#<id> | CASE#<ulid>     one case: state, days, what was contested, sealed texts
    CARD#<id>   | CASE#<entry>    finds the case of a journal entry; there is one at most
The clinic is the one for which the access was made, else the one that keeps the card. It answers
within ten working days (152-ФЗ art. 20 part 1 and art. 14 part 3).
"""

from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from kernel import clock, dynamo
from kernel.dynamo import Item
from kernel.identity import AccountId, CardId, ClinicId
from kernel.notes import Notes

Status = Literal["open", "answered"]
_WORKING_DAYS = 10


class Case(NamedTuple):
    """One contested entry. `entry` is the part of it that the desk must know, `text` is opened."""

    case_id: str
    card_id: CardId
    clinic_id: ClinicId
    entry: dict[str, Any]
    opened_at: str
    due_at: str
    text: str | None
    status: Status = "open"
    answer: str | None = None
    answered_at: str | None = None
    answered_by: AccountId | None = None

    def shown(self) -> dict[str, Any]:
        """What both sides see of it."""
        return {
            "case_id": self.case_id,
            "status": self.status,
            "entry_id": self.entry["entry_id"],
            "opened_at": self.opened_at,
            "due_at": self.due_at,
            "text": self.text,
            "answer": self.answer,
            "answered_at": self.answered_at,
        }


class Cases:
    """The cases of one table."""

    def __init__(self, table: str, notes: Notes) -> None:
        self._table = table
        self._notes = notes

    def open(self, case: Case, *also: dict[str, Any]) -> bool:
        """Open a case, with other changes; False if this entry is contested already."""
        place = _place(case.case_id, "text")
        item = {
            **_key(case.clinic_id, case.case_id),
            "case_id": case.case_id,
            "card_id": case.card_id,
            "clinic_id": case.clinic_id,
            "entry": case.entry,
            "status": case.status,
            "opened_at": case.opened_at,
            "due_at": case.due_at,
            "text": self._notes.seal(case.card_id, place, case.text or ""),
        }
        pointer = {
            **_pointer_key(case.card_id, case.entry["entry_id"]),
            "clinic_id": case.clinic_id,
            "case_id": case.case_id,
        }
        new = "attribute_not_exists(pk)"
        try:
            dynamo.transact(
                {"Put": dynamo.put_request(self._table, pointer, new)},
                {"Put": dynamo.put_request(self._table, item, new)},
                *also,
            )
        except dynamo.ConditionFailed:
            return False
        return True

    def of_entry(self, card_id: CardId, entry_id: str) -> Case | None:
        """The case of a journal entry."""
        pointer = dynamo.get(self._table, _pointer_key(card_id, entry_id))
        return self.get(ClinicId(pointer["clinic_id"]), pointer["case_id"]) if pointer else None

    def get(self, clinic_id: ClinicId, case_id: str) -> Case | None:
        """A case of this clinic."""
        item = dynamo.get(self._table, _key(clinic_id, case_id))
        return self._case(item) if item else None

    def page(
        self, clinic_id: ClinicId, status: Status | None, before: str | None, limit: int
    ) -> tuple[list[Case], str | None]:
        """Cases of a clinic, the newest first, and the case to go on before."""
        found: list[Item] = []
        pk = f"CLINIC#{clinic_id}"
        start: Item | None = {"pk": pk, "sk": f"CASE#{before}"} if before else None
        while len(found) <= limit:
            page = dynamo.query(
                self._table,
                "pk = :pk AND begins_with(sk, :case)",
                {":pk": pk, ":case": "CASE#", **({":status": status} if status else {})},
                limit=limit + 1 if status is None else 200,
                forward=False,
                start=start,
                filter="#status = :status" if status else None,
                names={"#status": "status"} if status else None,
            )
            found += page.items
            start = page.next_key
            if start is None:
                break
        shown = [self._case(item) for item in found[:limit]]
        return shown, shown[-1].case_id if len(found) > limit else None

    def answer(
        self, case: Case, text: str, by: AccountId, now: datetime, *also: dict[str, Any]
    ) -> bool:
        """Answer an open case, with other changes; False if it is answered already."""
        update = dynamo.update_request(
            self._table,
            _key(case.clinic_id, case.case_id),
            "SET #status = :answered, answer = :answer, answered_at = :at, answered_by = :by",
            {
                ":open": "open",
                ":answered": "answered",
                ":answer": self._notes.seal(case.card_id, _place(case.case_id, "answer"), text),
                ":at": clock.rfc3339(now),
                ":by": by,
            },
            condition="#status = :open",
            names={"#status": "status"},
        )
        try:
            dynamo.transact({"Update": update}, *also)
        except dynamo.ConditionFailed:
            return False
        return True

    def _case(self, item: Item) -> Case:
        card_id, case_id = CardId(item["card_id"]), item["case_id"]
        answered_by = item.get("answered_by")
        return Case(
            case_id=case_id,
            card_id=card_id,
            clinic_id=ClinicId(item["clinic_id"]),
            entry=item["entry"],
            opened_at=item["opened_at"],
            due_at=item["due_at"],
            text=self._notes.open(card_id, _place(case_id, "text"), item["text"]),
            status=item["status"],
            answer=self._notes.open(card_id, _place(case_id, "answer"), item.get("answer")),
            answered_at=item.get("answered_at"),
            answered_by=AccountId(answered_by) if answered_by else None,
        )


def due(opened: datetime) -> datetime:
    """The end of the tenth working day after a case was opened; public holidays are not known."""
    day, left = opened, _WORKING_DAYS
    while left:
        day += timedelta(days=1)
        left -= day.weekday() < 5
    return day


def _key(clinic_id: ClinicId, case_id: str) -> dict[str, str]:
    return {"pk": f"CLINIC#{clinic_id}", "sk": f"CASE#{case_id}"}


def _pointer_key(card_id: CardId, entry_id: str) -> dict[str, str]:
    return {"pk": f"CARD#{card_id}", "sk": f"CASE#{entry_id}"}


def _place(case_id: str, field: str) -> str:
    return f"notices/CASE#{case_id}/{field}"
