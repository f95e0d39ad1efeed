"""A card's records as they rest: versions, seen only once the intake that wrote them is committed.

Records table:
    CARD#<id>           | HEAD                         committed and aborted intakes, counts, lock
    CARD#<id>#<letter>  | <instant>#<record>#<intake>  one version of one record, sealed
    CARD#<id>#S         | <source key>                 what a clinic sent, sealed (clinic.intake)
    CARD#<id>#A         | <hash of an alias>           which source an alias names (clinic.intake)
    CARD#<id>#W         | <source key>                 aliases it refers to that nothing has yet
The index `by_record` (pk, record_id) finds the versions of one record.

Every intake has a number. A version is visible when the intake that wrote it is committed and the
one that replaced it, if any, is not. So an intake becomes visible at once, by one write of HEAD,
and one that broke off leaves nothing to be seen: its number is listed as aborted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

from kernel.dynamo import Item, Lookup
from kernel.identity import CardId, RecordId
from kernel.sealing import DataKey

Section = Literal["summary", "visits", "results", "prescriptions"]
LETTERS: dict[Section, str] = {"summary": "s", "visits": "v", "results": "r", "prescriptions": "p"}


@dataclass(frozen=True, slots=True)
class Head:
    """What of a card is visible, how much of it there is, and since when."""

    committed: int = 0
    aborted: frozenset[int] = frozenset()
    counts: dict[str, int] = field(default_factory=dict)
    updated_at: str | None = None

    @staticmethod
    def lookup(table: str, card_id: CardId) -> Lookup:
        return Lookup(table, f"CARD#{card_id}", "HEAD")

    @classmethod
    def from_item(cls, item: Item | None) -> "Head":
        """The head; a card into which nothing came yet has none."""
        if item is None:
            return cls()
        return cls(
            committed=item.get("committed", 0),
            aborted=frozenset(item.get("aborted", ())),
            counts=item.get("counts", {}),
            updated_at=item.get("updated_at"),
        )

    def sees(self, intake: int) -> bool:
        """Whether what the intake `intake` did counts."""
        return intake <= self.committed and intake not in self.aborted

    def shows(self, item: Item) -> bool:
        """Whether this version of a record is the one to show."""
        until = item.get("until")
        return self.sees(item["since"]) and not (until is not None and self.sees(until))


def partition(card_id: CardId, section: Section) -> str:
    return f"CARD#{card_id}#{LETTERS[section]}"


def sort_key(sort_at: str, record_id: RecordId, intake: int) -> str:
    return f"{sort_at}#{record_id}#{intake:010d}"


def days(start: date | None, end: date | None) -> tuple[str, str]:
    """The sort keys between which all records of a period of days lie, both included.

    Keys order by the instant in UTC, `day` is the clinic's: they are at most a day apart.
    """
    first = start - timedelta(1) if start and start > date.min else date.min
    last = end + timedelta(2) if end and end < date.max - timedelta(2) else date.max
    return str(first), str(last)


def within(version: Item, start: date | None, end: date | None) -> bool:
    """Whether the day of a version lies in the period."""
    day = version["day"]
    return (start is None or day >= str(start)) and (end is None or (day and day <= str(end)))


def place(pk: str, sk: str) -> str:
    """What a version's sealed body is bound to."""
    return f"records/{pk}/{sk}/body"


def item(
    *,
    card_id: CardId,
    section: Section,
    sort_at: str,
    record_id: RecordId,
    intake: int,
    day: str | None,
    sealed_body: bytes,
    tags: Iterable[str],
) -> dict[str, Any]:
    """A version of a record. `day` is the clinic's date of it, `tags` what lists filter by."""
    version: dict[str, Any] = {
        "pk": partition(card_id, section),
        "sk": sort_key(sort_at, record_id, intake),
        "record_id": record_id,
        "since": intake,
        "day": day or "",
        "body": sealed_body,
    }
    unique = set(tags)
    if unique:
        version["tags"] = unique
    return version


def normal(value: str) -> str:
    """A value as filters compare it: case, ё and runs of spaces do not count."""
    return " ".join(value.casefold().replace("ё", "е").split())


def tags(key: DataKey, body: Mapping[str, Any]) -> set[str]:
    """Keyed hashes of what a record is found by: kind, doctor, diagnosis, code."""
    found: set[tuple[str, str]] = set()
    if body.get("kind"):
        found.add(("kind", body["kind"]))
    if body.get("doctor"):
        name = normal(body["doctor"]["name"])
        found.update(("doctor", each) for each in (name, *name.split()))
    for diagnosis in body.get("diagnoses", ()):
        if diagnosis.get("code"):
            code = normal(diagnosis["code"])
            found.update([("diagnosis", code), ("diagnosis", code.partition(".")[0])])
    for observation in body.get("observations", ()):
        if observation.get("code"):
            found.add(("code", normal(observation["code"])))
    return {key.token(kind, value) for kind, value in found}
