"""Where the intake's sources, aliases and records rest, and how they become visible at once."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from clinic.fhir.bundle import Entry
from clinic.fhir.exact_json import dumps, loads
from clinic.fhir.mapping import Draft
from kernel import clock, dynamo, people, records
from kernel.dynamo import Item, Lookup
from kernel.errors import Conflict
from kernel.gate import OpenCard
from kernel.identity import CardId, RecordId
from kernel.journal import Entry as JournalEntry
from kernel.journal import Journal
from kernel.people import Person
from kernel.records import LETTERS, Head, Section
from kernel.registry import Clinic
from kernel.sealing import DataKey, Keyring

# Longer than the function may run: a lock older than this belongs to one that died.
_LOCK_SECONDS = 40


@dataclass(frozen=True, slots=True)
class View:
    """The version of a record that shows a source: where it stands, and what it said."""

    section: Section
    sort_key: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Source:
    """A resource as it was sent, and the records that are made of it."""

    entry: Entry
    digest: str
    views: dict[Section, View]
    members: tuple[str, ...]
    shown_in: tuple[str, ...]

    def differs(self, other: "Source") -> bool:
        """Whether anything but the entry's place in its Bundle is different."""
        return (self.digest, self.views, self.members, self.shown_in, self.entry.aliases) != (
            other.digest,
            other.views,
            other.members,
            other.shown_in,
            other.entry.aliases,
        )


@dataclass(frozen=True, slots=True)
class _Shown:
    draft: Draft
    record_id: RecordId
    view: View
    body: dict[str, Any]


@dataclass(slots=True)
class Change:
    """All that one intake writes."""

    sources: dict[str, Source] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, set[str]] = field(default_factory=dict)
    shown: list[_Shown] = field(default_factory=list)
    replaced: list[tuple[Section, View]] = field(default_factory=list)
    withdrawn: list[tuple[Section, View]] = field(default_factory=list)

    def show(
        self, draft: Draft, record_id: RecordId, version: int, digest: str, body: dict[str, Any]
    ) -> View:
        """Show a draft by a new version of its record. The sort key gets the intake's number."""
        view = View(draft.section, f"{draft.sort_at}#{record_id}#", version, digest)
        self.shown.append(_Shown(draft, record_id, view, body))
        return view


class IntakeRepository:
    """The records table as the intake writes it."""

    def __init__(
        self, *, records_table: str, registry_table: str, keyring: Keyring, journal: Journal
    ) -> None:
        self._records = records_table
        self._registry = registry_table
        self._keyring = keyring
        self._journal = journal

    def whose(self, opened: OpenCard) -> tuple[Person, Clinic, DataKey]:
        """Whose card it is, the clinic that keeps it, and the card's data key."""
        card = opened.card
        person_place = people.lookup(self._registry, card.patient_id)
        clinic_place = Clinic.lookup(self._registry, card.clinic_id)
        key_places = [
            self._keyring.lookup(people.owner(card.patient_id)),
            self._keyring.lookup(f"CARD#{card.card_id}"),
        ]
        items = dynamo.batch_get([person_place, clinic_place, *key_places])
        person_key, card_key = (self._keyring.get(p.pk, items.get(p)) for p in key_places)
        person = people.open_item(items[person_place], person_key)
        return person, Clinic.from_item(items[clinic_place]), card_key

    def aliases(self, key: DataKey, aliases: Iterable[str], head: Head) -> dict[str, str]:
        """The source keys that these aliases are known to name."""
        places = {self._alias_place(key, alias): alias for alias in aliases}
        found = dynamo.batch_get(places)
        return {
            places[place]: item["source"]
            for place, item in found.items()
            if head.sees(item["since"])
        }

    def sources(self, key: DataKey, source_keys: Iterable[str], head: Head) -> dict[str, Source]:
        """The committed state of these sources; unknown ones are left out."""
        card = key.owner
        places = {Lookup(self._records, f"{card}#S", k): k for k in source_keys}
        found: dict[str, Source] = {}
        for place, item in dynamo.batch_get(places).items():
            state = _committed(item, head)
            if state is not None:
                sealed = key.open(state["data"], f"records/{place.pk}/{place.sk}/source")
                found[places[place]] = _source(loads(sealed))
        return found

    def waiting(self, key: DataKey, aliases: Iterable[str]) -> set[str]:
        """The sources that refer to one of these aliases and came before it.

        Those of broken intakes are among them; nothing committed is known by their keys.
        """
        tokens = {key.token("alias", alias) for alias in aliases}
        items = dynamo.query_all(self._records, "pk = :pk", {":pk": f"{key.owner}#W"})
        return {item["sk"] for item in items if tokens & item["tokens"]}

    @contextmanager
    def lock(self, opened: OpenCard, entry: JournalEntry) -> Iterator["Lock"]:
        """Hold the card for one intake. What it wrote counts only after `Lock.commit`.

        Raises:
            Conflict: another intake into this card is under way.
        """
        lock = self._acquire(opened.card.card_id, entry)
        try:
            yield lock
        finally:
            if not lock.committed:
                self._abort(lock)

    def _acquire(self, card_id: CardId, entry: JournalEntry) -> "Lock":
        moment = clock.epoch(clock.now())
        place = Head.lookup(self._records, card_id)
        lock_id = str(uuid.uuid4())
        try:
            item = dynamo.update(
                self._records,
                {"pk": place.pk, "sk": place.sk},
                "SET lock_id = :id, locked_until = :until,"
                " attempt = if_not_exists(attempt, :zero) + :one",
                {
                    ":id": lock_id,
                    ":until": moment + _LOCK_SECONDS,
                    ":zero": 0,
                    ":one": 1,
                    ":now": moment,
                },
                condition="attribute_not_exists(lock_id) OR locked_until <= :now",
            )
        except dynamo.ConditionFailed as lost:
            raise Conflict from lost
        attempt = item["attempt"]
        head = Head.from_item(item)
        # Every number since the last commit belongs to an intake that broke off.
        unfinished = set(range(head.committed + 1, attempt)) - head.aborted
        return Lock(self, card_id, lock_id, attempt, head, head.aborted | unfinished, entry)

    def _abort(self, lock: "Lock") -> None:
        place = Head.lookup(self._records, lock.card_id)
        # Where the lock ran out, somebody else has it: our number will never be committed.
        with suppress(dynamo.ConditionFailed):
            dynamo.update(
                self._records,
                {"pk": place.pk, "sk": place.sk},
                "REMOVE lock_id, locked_until",
                {":id": lock.lock_id},
                condition="lock_id = :id",
            )

    def write_unseen(self, lock: "Lock", key: DataKey, change: Change) -> None:
        """Write sources, aliases and versions under the intake's number."""
        card, number = key.owner, lock.number
        previous = self._previous(card, change.sources)
        items: list[dict[str, Any]] = []
        for source_key, source in change.sources.items():
            pk = f"{card}#S"
            sealed = key.seal(
                dumps(_source_values(source, number)).encode(), f"records/{pk}/{source_key}/source"
            )
            item: dict[str, Any] = {"pk": pk, "sk": source_key, "since": number, "data": sealed}
            before = previous.get(source_key)
            kept = _committed(before, lock.head) if before else None
            if kept is not None:
                item["previous"] = {"since": kept["since"], "data": kept["data"]}
            items.append(item)
        for alias, source_key in change.aliases.items():
            place = self._alias_place(key, alias)
            items.append({"pk": place.pk, "sk": place.sk, "source": source_key, "since": number})
        for source_key, aliases in change.waiting.items():
            tokens = {key.token("alias", alias) for alias in aliases}
            items.append({"pk": f"{card}#W", "sk": source_key, "tokens": tokens})
        for shown in change.shown:
            pk = records.partition(lock.card_id, shown.draft.section)
            sk = records.sort_key(shown.draft.sort_at, shown.record_id, number)
            items.append(
                records.item(
                    card_id=lock.card_id,
                    section=shown.draft.section,
                    sort_at=shown.draft.sort_at,
                    record_id=shown.record_id,
                    intake=number,
                    day=shown.body.get("date"),
                    sealed_body=key.seal(dumps(shown.body).encode(), records.place(pk, sk)),
                    tags=records.tags(key, shown.body),
                )
            )
        dynamo.batch_put(self._records, items)
        ended = [self._end_of(lock, *each) for each in (*change.replaced, *change.withdrawn)]
        for start in range(0, len(ended), 100):
            dynamo.transact(*ended[start : start + 100])

    def flip(self, lock: "Lock", change: Change) -> None:
        """Make it visible: HEAD and the journal's entry in one transaction."""
        counts = {section: lock.head.counts.get(section, 0) for section in LETTERS}
        for shown in change.shown:
            counts[shown.draft.section] += 1
        for section, _ in (*change.replaced, *change.withdrawn):
            counts[section] -= 1
        place = Head.lookup(self._records, lock.card_id)
        visible = bool(change.shown or change.withdrawn)
        update = dynamo.update_request(
            self._records,
            {"pk": place.pk, "sk": place.sk},
            "SET committed = :number, aborted = :aborted, counts = :counts"
            + (", updated_at = :now" if visible else "")
            + " REMOVE lock_id, locked_until",
            {
                ":number": lock.number,
                ":aborted": sorted(lock.aborted),
                ":counts": counts,
                ":id": lock.lock_id,
                **({":now": clock.rfc3339(clock.now())} if visible else {}),
            },
            condition="lock_id = :id",
        )
        try:
            dynamo.transact({"Update": update}, self._journal.in_transaction(lock.entry))
        except dynamo.ConditionFailed as lost:
            raise Conflict from lost

    def _previous(self, card: str, source_keys: Iterable[str]) -> dict[str, Item]:
        places = [Lookup(self._records, f"{card}#S", k) for k in source_keys]
        return {place.sk: item for place, item in dynamo.batch_get(places).items()}

    def _end_of(self, lock: "Lock", section: Section, view: View) -> dict[str, Any]:
        update = dynamo.update_request(
            self._records,
            {"pk": records.partition(lock.card_id, section), "sk": view.sort_key},
            "SET #until = :number",
            {":number": lock.number},
            condition="attribute_exists(pk)",
            names={"#until": "until"},
        )
        return {"Update": update}

    def _alias_place(self, key: DataKey, alias: str) -> Lookup:
        return Lookup(self._records, f"{key.owner}#A", key.token("alias", alias))


@dataclass(slots=True)
class Lock:
    """A card held for one intake: its number, and what was committed before it."""

    repository: IntakeRepository
    card_id: CardId
    lock_id: str
    number: int
    head: Head
    aborted: frozenset[int]
    entry: JournalEntry
    committed: bool = False

    def commit(self, key: DataKey, change: Change) -> None:
        """Write what changed and make it visible at once."""
        self.repository.write_unseen(self, key, change)
        self.repository.flip(self, change)
        self.committed = True


def _committed(item: Item, head: Head) -> Item | None:
    """The state of a source that counts: its own, or the one that a broken intake replaced."""
    if head.sees(item["since"]):
        return item
    previous: Item | None = item.get("previous")
    return previous


def _source_values(source: Source, number: int) -> dict[str, Any]:
    entry = source.entry
    return {
        "index": entry.index,
        "resource_type": entry.resource_type,
        "resource": entry.resource,
        "aliases": entry.aliases,
        "references": entry.references,
        "digest": source.digest,
        "views": {
            section: {
                # A view made by this intake gets its number here.
                "sort_key": v.sort_key if v.sort_key[-1] != "#" else f"{v.sort_key}{number:010d}",
                "version": v.version,
                "digest": v.digest,
            }
            for section, v in source.views.items()
        },
        "members": source.members,
        "shown_in": source.shown_in,
    }


def _source(values: dict[str, Any]) -> Source:
    return Source(
        entry=Entry(
            index=values["index"],
            resource_type=values["resource_type"],
            resource=values["resource"],
            aliases=tuple(values["aliases"]),
            references=tuple(values["references"]),
        ),
        digest=values["digest"],
        views={
            section: View(section, v["sort_key"], v["version"], v["digest"])
            for section, v in values["views"].items()
        },
        members=tuple(values["members"]),
        shown_in=tuple(values["shown_in"]),
    )
