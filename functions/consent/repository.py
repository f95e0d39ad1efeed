"""The journal as it is read, and the names of those who stand in it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from kernel import clock, dynamo, ids, staff
from kernel.dynamo import Item, Lookup
from kernel.identity import AccountId, CardId, ClinicId, PatientId
from kernel.registry import Clinic, Relation


class JournalReader:
    """Entries of a card, the newest first, with how they ended."""

    def __init__(self, journal_table: str, registry_table: str) -> None:
        self._journal = journal_table
        self._registry = registry_table

    def page(
        self, card_id: CardId, before: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Up to `limit` entries older than `before`, and the entry to go on before."""
        found: list[dict[str, Any]] = []
        outcomes: dict[str, str] = {}
        start: Item | None = None
        while len(found) <= limit:
            page = dynamo.query(
                self._journal,
                "pk = :pk AND sk BETWEEN :first AND :last",
                # Everything of the entry `before` sorts after its own key, so that key is the end.
                {
                    ":pk": f"CARD#{card_id}",
                    ":first": "ENTRY#",
                    ":last": f"ENTRY#{before}" if before else "ENTRY#~",
                },
                forward=False,
                limit=2 * (limit + 1),
                start=start,
            )
            for item in page.items:
                # From the newest down, an outcome comes before the entry that it belongs to.
                if item["sk"].endswith("#OUTCOME"):
                    outcomes[item["entry_id"]] = item["outcome"]
                elif item["entry_id"] != before:
                    outcome = outcomes.get(item["entry_id"], item["outcome"])
                    found.append({**item, "outcome": outcome})
            start = page.next_key
            if start is None:
                break
        shown = found[:limit]
        return shown, shown[-1]["entry_id"] if len(found) > limit else None

    def entry(self, card_id: CardId, entry_id: str) -> Item | None:
        """One entry of this card."""
        item = dynamo.get(self._journal, {"pk": f"CARD#{card_id}", "sk": f"ENTRY#{entry_id}"})
        return item if item and "action" in item else None

    def names(
        self, people: Iterable[tuple[ClinicId, AccountId]]
    ) -> tuple[dict[tuple[ClinicId, AccountId], str], dict[ClinicId, str]]:
        """Names of workers, those who have left too, and of their clinics."""
        wanted = {pair: staff.lookup(self._registry, *pair) for pair in people}
        clinics = {clinic: Clinic.lookup(self._registry, clinic) for clinic, _ in wanted}
        items: dict[Lookup, Item] = {}
        if wanted:
            items = dynamo.batch_get([*wanted.values(), *clinics.values()])
        return (
            {pair: items[place]["name"] for pair, place in wanted.items() if place in items},
            {clinic: items[place]["name"] for clinic, place in clinics.items() if place in items},
        )


class Inbox:
    """The notices of a patient's cards, and which of them were read (kernel.notices)."""

    def __init__(self, notices_table: str, registry_table: str) -> None:
        self._notices = notices_table
        self._registry = registry_table

    def around(self, patient_id: PatientId) -> tuple[list[Relation], dict[ClinicId, Clinic]]:
        """The patient's relations to clinics, and these clinics."""
        items = dynamo.query_all(
            self._registry,
            "pk = :pk AND begins_with(sk, :clinic)",
            {":pk": f"PATIENT#{patient_id}", ":clinic": "CLINIC#"},
        )
        relations = [Relation.from_item(item) for item in items]
        places = [Clinic.lookup(self._registry, relation.clinic_id) for relation in relations]
        clinics = map(Clinic.from_item, dynamo.batch_get(places).values())
        return relations, {clinic.clinic_id: clinic for clinic in clinics}

    def notices(
        self, cards: Sequence[CardId], before: str, count: int, now: datetime
    ) -> list[Item]:
        """Up to `count` notices of these cards older than `before`, the newest first.

        One whose moment is still to come (a result that is held until then) is not told yet.
        """
        before = min(before, f"{ids.time_ordered(now)[:10]}~")
        found: list[Item] = []
        for card_id in cards:
            found += self._of_card(card_id, before, count, now)
        return sorted(found, key=lambda item: str(item["sk"]), reverse=True)[:count]

    def _of_card(self, card_id: CardId, before: str, count: int, now: datetime) -> list[Item]:
        found: list[Item] = []
        start: Item | None = None
        while len(found) < count:
            page = dynamo.query(
                self._notices,
                "pk = :pk AND sk BETWEEN :first AND :last",
                {":pk": f"CARD#{card_id}", ":first": "NOTICE#", ":last": f"NOTICE#{before}"},
                forward=False,
                limit=count + 1,
                start=start,
            )
            found += [
                item
                for item in page.items
                if item["sk"] != f"NOTICE#{before}" and item["expires_at"] > clock.epoch(now)
            ]
            start = page.next_key
            if start is None:
                break
        return found

    def mark_notice(self, cards: Sequence[CardId], name: str, now: datetime) -> Item | None:
        """Mark a notice of one of these cards as read; None if there is none of this name."""
        for card_id in cards:
            try:
                return dynamo.update(
                    self._notices,
                    {"pk": f"CARD#{card_id}", "sk": f"NOTICE#{name}"},
                    "SET read_at = :at",
                    {":at": clock.rfc3339(now), ":none": None, ":now": clock.epoch(now)},
                    condition="read_at = :none AND expires_at > :now",
                )
            except dynamo.ConditionFailed as lost:
                if lost.old and lost.old["expires_at"] > clock.epoch(now):
                    return lost.old  # read before
        return None

    def read_marks(self, patient_id: PatientId, names: Sequence[str]) -> dict[str, str]:
        """When these of a patient's notifications that rest nowhere were read: name -> when."""
        places = {Lookup(self._notices, f"PATIENT#{patient_id}", f"READ#{n}"): n for n in names}
        found = dynamo.batch_get(places)
        return {places[place]: item["read_at"] for place, item in found.items()}

    def mark_read(self, patient_id: PatientId, name: str, now: datetime) -> dict[str, str]:
        """Mark one of them as read, and tell since when it is."""
        item = dynamo.update(
            self._notices,
            {"pk": f"PATIENT#{patient_id}", "sk": f"READ#{name}"},
            "SET read_at = if_not_exists(read_at, :at)",
            {":at": clock.rfc3339(now)},
        )
        return {name: item["read_at"]}
