"""Where the intake's sources, aliases and records rest, and how they become visible at once."""

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from clinic.fhir.bundle import Entry
from clinic.fhir.exact_json import dumps, loads
from clinic.fhir.mapping import Draft
from clinic.payloads import Payloads
from kernel import clock, dynamo, notices, people, records, release
from kernel.dynamo import Item, Lookup
from kernel.errors import Conflict, NotFound, Unavailable
from kernel.gate import OpenCard
from kernel.identity import CardId, ClinicId, RecordId
from kernel.journal import Entry as JournalEntry
from kernel.journal import Journal
from kernel.notices import Notice
from kernel.people import Person
from kernel.records import LETTERS, Head, Section
from kernel.registry import Clinic
from kernel.sealing import DataKey, KeyDestroyed, Keyring

# A lock that was not renewed for so long belongs to one that died. A route's function ends before.
_LOCK_SECONDS = 40
_RENEW_SECONDS = 10
# DynamoDB's items hold 400 KB: a source, the state before it, and keys.
_INLINE_SOURCE = 150_000
_INLINE_BODY = 200_000
# A page of some records must fit into a Lambda's answer (6 MB).
_LARGEST_BODY = 1_000_000


class View(NamedTuple):
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
    links: Mapping[str, str] = field(default_factory=dict)  # Reference.reference -> source key

    def differs(self, other: "Source") -> bool:
        """Whether anything but the entry's place in its Bundle is different."""
        return (
            *(self.digest, self.views, self.members, self.shown_in, self.links),
            self.entry.aliases,
        ) != (
            *(other.digest, other.views, other.members, other.shown_in, other.links),
            other.entry.aliases,
        )


class _Shown(NamedTuple):
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
        self,
        *,
        records_table: str,
        registry_table: str,
        keyring: Keyring,
        journal: Journal,
        payloads: Payloads,
        notices_table: str,
        lock_seconds: int = _LOCK_SECONDS,
    ) -> None:
        self._records = records_table
        self._registry = registry_table
        self._keyring = keyring
        self._journal = journal
        self._payloads = payloads
        self._notices = notices_table
        self._lock_seconds = lock_seconds
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="intake")

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
        try:
            person_key, card_key = (self._keyring.unwrap(p.pk, items.get(p)) for p in key_places)
        except KeyDestroyed as error:  # erased
            raise NotFound from error
        person = people.open_item(items[person_place], person_key)
        return person, Clinic.from_item(items[clinic_place]), card_key

    def aliases(self, key: DataKey, aliases: Iterable[str], head: Head) -> dict[str, str]:
        """The source keys that these aliases are known to name."""
        places = {self._alias_place(key, alias): alias for alias in aliases}
        found = {places[p]: _committed(item, head) for p, item in self._read(places).items()}
        return {alias: state["source"] for alias, state in found.items() if state}

    def sources(self, key: DataKey, source_keys: Iterable[str], head: Head) -> dict[str, Source]:
        """The committed state of these sources; unknown ones are left out."""
        card = key.owner
        places = {Lookup(self._records, f"{card}#S", k): k for k in source_keys}
        read = self._read(places)
        states = {p: state for p, item in read.items() if (state := _committed(item, head))}
        stored = self._payloads.get(state["at"] for state in states.values() if "at" in state)
        found: dict[str, Source] = {}
        for place, state in states.items():
            sealed = stored[state["at"]] if "at" in state else state["data"]
            values = loads(key.open(sealed, f"records/{place.pk}/{place.sk}/source"))
            found[places[place]] = _source(values)
        return found

    def _read(self, places: Iterable[Lookup]) -> dict[Lookup, Item]:
        """Any number of items, a hundred a call, several calls side by side."""
        wanted = list(places)
        if len(wanted) <= 100:
            return dynamo.batch_get(wanted)
        found: dict[Lookup, Item] = {}
        for some in self._pool.map(dynamo.batch_get, _chunks(wanted, 100)):
            found |= some
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
        lock.clinic_id = opened.card.clinic_id
        try:
            yield lock
        finally:
            if not lock.committed:
                self._release(lock.card_id, lock.lock_id, lock.swept)

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
                    ":until": moment + self._lock_seconds,
                    ":zero": 0,
                    ":one": 1,
                    ":now": moment,
                },
                condition="attribute_not_exists(lock_id) OR locked_until <= :now",
            )
        except dynamo.ConditionFailed as lost:
            # A repeat after a lost answer meets the lock that it has taken already.
            if lost.old is None or lost.old.get("lock_id") != lock_id:
                raise Conflict("intake_under_way") from lost
            item = lost.old
        except Unavailable:  # it may be taken: whoever comes again must not meet it
            self._release(card_id, lock_id)
            raise
        attempt = item["attempt"]
        head = Head.from_item(item)
        # Every number since the last commit belongs to an intake that broke off.
        aborted = head.aborted | set(range(head.committed + 1, attempt))
        swept = item.get("swept", 0)
        lock = Lock(self, card_id, lock_id, attempt, head, aborted, entry, moment, swept)
        with suppress(Unavailable):  # what stays behind is unseen, and is swept another time
            left = (number for number in range(swept + 1, attempt) if not head.sees(number))
            self._payloads.drop_intakes(card_id, left)
            lock.swept = attempt - 1
        return lock

    def renew(self, lock: "Lock") -> None:
        """Hold the lock for longer, if it is time to.

        Raises:
            Conflict: it ran out, and somebody else has the card now.
        """
        moment = clock.epoch(clock.now())
        if moment - lock.renewed < _RENEW_SECONDS:
            return
        place = Head.lookup(self._records, lock.card_id)
        try:
            dynamo.update(
                self._records,
                {"pk": place.pk, "sk": place.sk},
                "SET locked_until = :until",
                {":until": moment + self._lock_seconds, ":id": lock.lock_id},
                condition="lock_id = :id",
            )
        except dynamo.ConditionFailed as lost:
            raise Conflict from lost
        lock.renewed = moment

    def _release(self, card_id: CardId, lock_id: str, swept: int | None = None) -> None:
        """Give a lock back whose intake will never be committed."""
        place = Head.lookup(self._records, card_id)
        # Where the lock ran out, somebody else has it; where it cannot be given back, it runs out.
        with suppress(dynamo.ConditionFailed, Unavailable):
            dynamo.update(
                self._records,
                {"pk": place.pk, "sk": place.sk},
                ("" if swept is None else "SET swept = :swept ") + "REMOVE lock_id, locked_until",
                {":id": lock_id, **({} if swept is None else {":swept": swept})},
                condition="lock_id = :id",
            )

    def write_unseen(self, lock: "Lock", key: DataKey, change: Change) -> None:
        """Write sources, aliases and versions under the intake's number."""
        card, number = key.owner, lock.number
        items = self._source_items(lock, key, change)
        previous = self._read(self._alias_place(key, alias) for alias in change.aliases)
        for alias, source_key in change.aliases.items():
            place = self._alias_place(key, alias)
            item = {"pk": place.pk, "sk": place.sk, "source": source_key, "since": number}
            items.append(_with_previous(item, previous.get(place), lock.head, "source"))
        places = {Lookup(self._records, f"{card}#W", k): k for k in change.waiting}
        waiting = self._read(places)
        for place, source_key in places.items():
            tokens = {key.token("alias", alias) for alias in change.waiting[source_key]}
            # A broken intake's must not hide what a committed one waits for.
            tokens |= waiting[place]["tokens"] if place in waiting else set()
            items.append({"pk": place.pk, "sk": place.sk, "tokens": tokens})
        before = self._ended(lock, change)
        items += self._version_items(lock, key, change, before)
        self._write(lock, items)
        for some in _chunks([end for each in before.values() for end in each.ends], 150):
            self.renew(lock)
            try:
                # A transaction takes 4 MB of items, and each of these may hold 300 KB.
                for _ in self._pool.map(lambda part: dynamo.transact(*part), _chunks(some, 12)):
                    pass
            except dynamo.ConditionFailed as lost:
                raise Conflict from lost

    def _source_items(self, lock: "Lock", key: DataKey, change: Change) -> list[dict[str, Any]]:
        """The items of the sources, each with the state that counts until the intake does."""
        pk = f"{key.owner}#S"
        places = {Lookup(self._records, pk, k): k for k in change.sources}
        previous = self._read(places)
        items: list[dict[str, Any]] = []
        for place, source_key in places.items():
            values = dumps(_source_values(change.sources[source_key], lock.number)).encode()
            sealed = key.seal(values, f"records/{pk}/{source_key}/source")
            item: dict[str, Any] = {"pk": pk, "sk": source_key, "since": lock.number}
            if len(sealed) <= _INLINE_SOURCE:
                item["data"] = sealed
            else:
                self.renew(lock)
                item["at"] = self._payloads.put(lock.card_id, lock.number, sealed)
            before = previous.get(place)
            items.append(_with_previous(item, before, lock.head, "data", "at"))
            # What stood before the state before is needed by nobody once this one counts.
            gone = before.get("previous") if before else None
            if before and lock.head.sees(before["since"]) and gone and "at" in gone:
                lock.superseded.append(gone["at"])
        return items

    def _ended(self, lock: "Lock", change: Change) -> dict[tuple[Section, RecordId], "_Ended"]:
        """The versions that this intake replaces or takes back, as they rest."""
        ends = {
            Lookup(self._records, records.partition(lock.card_id, s), v.sort_key): s
            for s, v in (*change.replaced, *change.withdrawn)
        }
        versions = self._read(ends)
        ended: dict[tuple[Section, RecordId], _Ended] = {}
        for place, section in ends.items():
            version = versions.get(place, {"sk": place.sk})
            keys = records.found_by(lock.card_id, section, version)
            actions = [self._end_of(lock, key) for key in ({"pk": place.pk, "sk": place.sk}, *keys)]
            ended[section, records.record_of(place.sk)] = _Ended(version, actions)
            if "out" in version:
                lock.shown_now.append(keys[-1])
        return ended

    def _version_items(
        self,
        lock: "Lock",
        key: DataKey,
        change: Change,
        before: Mapping[tuple[Section, RecordId], "_Ended"],
    ) -> list[dict[str, Any]]:
        """The new versions and all rows by which versions are found and missed."""
        items: list[dict[str, Any]] = []
        rules = self._release_rules(lock, change)
        for shown in change.shown:
            section, record_id = shown.draft.section, shown.record_id
            pk = records.partition(lock.card_id, section)
            sk = records.sort_key(shown.draft.sort_at, record_id, lock.number)
            old = before.get((section, record_id))
            out = release.mark(
                section,
                shown.body,
                rules=rules,
                before=old.version if old else None,
                now=clock.now(),
            )
            members = (m for m in shown.draft.members if m != shown.draft.root)
            items += records.rows(
                card_id=lock.card_id,
                key=key,
                section=section,
                sort_at=shown.draft.sort_at,
                record_id=record_id,
                intake=lock.number,
                body=shown.body,
                sealed_body=_fitting(shown.body, key, records.place(pk, sk)),
                sources=(shown.draft.root, *members),
                out=out,
                first=old is None,
            )
            lock.left_out += out is not None
            seen = old is not None and old.version.get("out") != records.PENDING
            if section == "results" and out != records.PENDING and not seen:
                lock.new_results.append(out)
        for section, view in change.withdrawn:
            sk = view.sort_key
            gone = before[section, records.record_of(sk)].version
            made_of = {"sources": gone["sources"]} if "sources" in gone else {}
            items.append(records.change(lock.card_id, section, lock.number, sk, "deleted", made_of))
        return items

    def _release_rules(self, lock: "Lock", change: Change) -> Mapping[str, int]:
        shown = any(each.draft.section == "results" for each in change.shown)
        if lock.clinic_id is None or not shown:
            return {}
        place = release.lookup(self._registry, lock.clinic_id)
        item = dynamo.get(self._registry, {"pk": place.pk, "sk": place.sk}) or {}
        days: Mapping[str, int] = item.get("days", {})
        return days

    def _write(self, lock: "Lock", items: Sequence[dict[str, Any]]) -> None:
        for some in _chunks(items, 200):
            self.renew(lock)
            if len(some) <= 25:
                dynamo.batch_put(self._records, some)
                continue
            parts = _chunks(some, 25)
            for _ in self._pool.map(lambda part: dynamo.batch_put(self._records, part), parts):
                pass

    def flip(self, lock: "Lock", change: Change, also: Sequence[dict[str, Any]]) -> None:
        """Make it visible: HEAD, the journal's entry and `also` in one transaction."""
        counts: dict[str, int] = {section: lock.head.counts.get(section, 0) for section in LETTERS}
        for shown in change.shown:
            counts[shown.draft.section] += 1
        for section, _ in (*change.replaced, *change.withdrawn):
            counts[section] -= 1
        ended = len(change.replaced) + len(change.withdrawn)
        counts["ended"] = lock.head.counts.get("ended", 0) + ended
        already = lock.head.counts.get("left_out", 0)
        counts["left_out"] = already + lock.left_out - len(lock.shown_now)
        place = Head.lookup(self._records, lock.card_id)
        visible = bool(change.shown or change.withdrawn)
        update = dynamo.update_request(
            self._records,
            {"pk": place.pk, "sk": place.sk},
            "SET committed = :number, aborted = :aborted, swept = :swept, counts = :counts"
            + (", updated_at = :now" if visible else "")
            + " REMOVE lock_id, locked_until",
            {
                ":number": lock.number,
                ":aborted": sorted(lock.aborted),
                ":swept": lock.swept,
                ":counts": counts,
                ":id": lock.lock_id,
                **({":now": clock.rfc3339(clock.now())} if visible else {}),
            },
            condition="lock_id = :id",
        )
        try:
            dynamo.transact(
                {"Update": update},
                self._journal.in_transaction(lock.entry),
                *self._new_results(lock),
                *also,
            )
        except dynamo.ConditionFailed as lost:
            # A repeat after a lost answer finds its own number there.
            if not any(old and old.get("committed") == lock.number for old in lost.olds):
                raise Conflict from lost
        with suppress(Unavailable):
            self._payloads.drop(lock.superseded)
            for key in lock.shown_now:
                dynamo.delete(self._records, key)

    def _new_results(self, lock: "Lock") -> list[dict[str, Any]]:
        """Tell the patient of new results: now, or at the moment to which they are held."""
        now = clock.now()
        actions = []
        for mark, count in Counter(lock.new_results).items():
            at = records.shown_from(mark) or now
            notice = Notice(lock.card_id, "new_results", at, {"count": count})
            actions.append(notices.put_action(self._notices, notice))
        return actions

    def show(self, opened: OpenCard, record_id: RecordId, entry: JournalEntry) -> None:
        """End the hold on a result; nothing happens to one that is not held.

        Its patient's copies learn of it by a number of its own, as if it had come just now.

        Raises:
            NotFound: there is no such result.
            Conflict: an intake into this card is under way.
        """
        card_id = opened.card.card_id
        place = Head.lookup(self._records, card_id)
        item = dynamo.get(self._records, {"pk": place.pk, "sk": place.sk}) or {}
        head, attempt = Head.from_item(item), item.get("attempt", 0)
        pk = records.partition(card_id, "results")
        versions = dynamo.query_all(
            self._records,
            "pk = :pk AND record_id = :id",
            {":pk": pk, ":id": record_id},
            index="by_record",
        )
        version = next((v for v in versions if head.shows(v)), None)
        if version is None:
            raise NotFound
        if records.why_left_out(version, clock.now()) != "withheld":
            dynamo.transact(self._journal.in_transaction(entry))
            return
        number = attempt + 1
        rows = records.found_by(card_id, "results", version)
        copied: dict[str, Any] = {n: version[n] for n in ("day", "sources", "body")}
        if len(copied["body"]) > records.COPIED:
            del copied["body"]
        change = records.change(card_id, "results", number, version["sk"], "created", copied)
        numbered = dynamo.update_request(
            self._records,
            {"pk": place.pk, "sk": place.sk},
            "SET committed = :number, attempt = :number, aborted = :aborted,"
            " counts.left_out = counts.left_out - :one REMOVE lock_id, locked_until",
            {
                ":number": number,
                ":attempt": attempt,
                ":aborted": sorted(head.aborted | set(range(head.committed + 1, number))),
                ":one": 1,
                ":now": clock.epoch(clock.now()),
            },
            condition="attempt = :attempt AND (attribute_not_exists(lock_id)"
            " OR locked_until <= :now)",
        )
        try:
            dynamo.transact(
                {"Update": numbered},
                {"Update": self._without_mark({"pk": pk, "sk": version["sk"]})},
                {"Delete": dynamo.delete_request(self._records, rows[-1])},
                {"Put": dynamo.put_request(self._records, change)},
                self._journal.in_transaction(entry),
            )
        except dynamo.ConditionFailed as lost:
            raise Conflict from lost
        # Lists by tag follow; one that broke off here would hold it there until its day.
        for some in _chunks([{"Update": self._without_mark(row)} for row in rows[:-1]], 12):
            dynamo.transact(*some)

    def _without_mark(self, key: dict[str, str]) -> Any:
        return dynamo.update_request(
            self._records,
            key,
            "REMOVE #out",
            condition="attribute_exists(pk)",
            names={"#out": "out"},
        )

    def _end_of(self, lock: "Lock", key: dict[str, str]) -> dict[str, Any]:
        update = dynamo.update_request(
            self._records,
            key,
            "SET #until = :number",
            {":number": lock.number},
            # One whose lock ran out must not undo what was done after it.
            condition="attribute_exists(pk) AND (attribute_not_exists(#until) OR #until < :number)",
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
    renewed: int
    swept: int  # up to here nothing is left of intakes that broke off
    clinic_id: ClinicId | None = None
    superseded: list[str] = field(default_factory=list)
    left_out: int = 0
    new_results: list[str | None] = field(default_factory=list)  # the marks of what is held
    shown_now: list[dict[str, str]] = field(default_factory=list)
    committed: bool = False

    def renew(self) -> None:
        """Hold the card for longer. Raises Conflict."""
        self.repository.renew(self)

    def commit(self, key: DataKey, change: Change, also: Sequence[dict[str, Any]] = ()) -> None:
        """Write what changed and make it visible at once, together with the actions `also`."""
        self.repository.write_unseen(self, key, change)
        self.repository.flip(self, change, also)
        self.committed = True


def _chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


class _Ended(NamedTuple):
    """A version that an intake replaces or takes back, and the updates that say so."""

    version: Item
    ends: list[dict[str, Any]]


def _with_previous(
    item: dict[str, Any], before: Item | None, head: Head, *names: str
) -> dict[str, Any]:
    """The item together with the committed state that it replaces."""
    kept = _committed(before, head) if before else None
    if kept is not None:
        item["previous"] = {name: kept[name] for name in ("since", *names) if name in kept}
    return item


def _fitting(body: dict[str, Any], key: DataKey, place: str) -> bytes:
    """A body, sealed. One beyond measure loses the ends of its lists and texts, and says so."""
    size = _LARGEST_BODY
    fitted = body
    while True:
        text = dumps(fitted).encode()
        if len(text) <= _LARGEST_BODY:
            sealed = key.seal(text, place)
            if len(sealed) <= _INLINE_BODY:
                return sealed
        size //= 2
        fitted = {**_cut(body, size), "shortened": True}


def _cut(value: Any, size: int) -> Any:
    """Texts of at most `size` characters, lists of at most a hundredth of that, all the way down.

    Nothing is shorter than what any identifier or code has.
    """
    match value:
        case str():
            return value if len(value) <= max(size, 64) else value[: max(size, 64)] + "…"
        case list():
            return [_cut(each, size) for each in value[: max(size // 100, 1)]]
        case dict():
            return {name: _cut(each, size) for name, each in value.items()}
    return value


def _committed(item: Item, head: Head) -> Item | None:
    """The state of an item that counts: its own, or the one that a broken intake replaced."""
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
        "links": dict(source.links),
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
        links=values.get("links", {}),
    )
