"""The journal as it is read, and the names of those who stand in it."""

from collections.abc import Iterable
from typing import Any

from kernel import dynamo, staff
from kernel.dynamo import Item, Lookup
from kernel.identity import AccountId, CardId, ClinicId
from kernel.registry import Clinic


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
