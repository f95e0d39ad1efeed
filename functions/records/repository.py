"""Reading a card's records: visible versions only, opened and still as bytes."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from kernel import aws, clock, dynamo, exact_json, people, records
from kernel.consents import scope_lookups
from kernel.dynamo import Item, Lookup
from kernel.errors import NotFound, Unavailable
from kernel.gate import OpenCard
from kernel.hiding import Hidden
from kernel.identity import CardId, PatientId, RecordId
from kernel.people import Person
from kernel.records import Head, Section, Why
from kernel.registry import Clinic, Region, Relation
from kernel.sealing import DataKey, KeyDestroyed, Keyring

# Where a page meets rows that it does not show, it reads so many more, to be full all the same:
# what was corrected or taken back, what is not for the reader's eyes, and the day after a period,
# which begins at other hours.
_SPARE = 50
# A Lambda's answer is at most 6 MB of JSON, in which the body is a text once more.
_LARGEST_PAGE = 5_000_000
_AT_ONCE = 20  # records opened before the size is looked at


class OpenRecord(NamedTuple):
    """A version of a record with its body as JSON; `hidden` and `held_until` are marks on it."""

    section: Section
    record_id: RecordId
    sk: str
    body: bytes
    sources: Sequence[str] = ()
    hidden: bool = False
    held_until: str | None = None


class RecordsPage(NamedTuple):
    """Records, newest first, the position where the next page starts, and what is left out."""

    found: list[OpenRecord]
    position: str | None
    left_out: Mapping[Why, int]


class ChangedRecord(NamedTuple):
    """What an intake did to a record; without the record where it took it back. `position` is where
    it stands among the changes, None for what came because its hold ran out."""

    kind: Literal["created", "changed", "deleted"]
    section: Section
    record_id: RecordId
    record: OpenRecord | None
    sources: Sequence[str] = ()
    position: str | None = None


class Since(NamedTuple):
    """How much of the changes somebody has: the last key read, and when (RFC 3339)."""

    position: str
    moment: str


class _Span(NamedTuple):
    """Where a list reads: a section, or the rows under one token of it, within days."""

    card_id: CardId
    section: Section
    tokens: Sequence[str]
    start: date | None
    end: date | None
    sources: bool

    @property
    def prefix(self) -> str:
        return f"{self.tokens[0]}#" if self.tokens else ""

    def spare(self, invisible: int, *, newest: bool) -> int:
        """How many rows more to read, of a card that holds so many that are not shown.

        Others are compared after reading: by a second filter, or by the period's last day.
        """
        compared = len(self.tokens) > 1 or (self.end is not None and newest)
        return _SPARE if compared else min(invisible, _SPARE)

    def condition(self) -> tuple[str, dict[str, str]]:
        made = records.tagged if self.tokens else records.partition
        values = {":pk": made(self.card_id, self.section)}
        if self.start or self.end:
            first, last = records.days(self.start, self.end)
            values |= {":first": self.prefix + first, ":last": self.prefix + last}
            return "pk = :pk AND sk BETWEEN :first AND :last", values
        if self.prefix:
            values[":prefix"] = self.prefix
            return "pk = :pk AND begins_with(sk, :prefix)", values
        return "pk = :pk", values


# More rows than a Query's megabyte can hold.
_MOST_ROWS = 10_000


def _invisible(head: Head, withheld: Hidden) -> int:
    """How many rows of a card are read and not shown, at most."""
    if head.aborted:
        return _SPARE  # of what broke off nobody knows how much it wrote
    ended, left_out = (head.counts.get(name, 0) for name in ("ended", "left_out"))
    return ended + left_out + len(withheld.records)


def _carried(body: bytes) -> int:
    """The size of a JSON text inside of a JSON text."""
    return len(body) + body.count(b'"') + body.count(b"\\")


# Of several filters the one that finds fewest is read, the others are compared.
_NARROWEST = ("diagnosis", "code", "doctor", "kind")


def _tokens(key: DataKey, filters: Mapping[str, str]) -> list[str]:
    given = sorted(filters.items(), key=lambda each: _NARROWEST.index(each[0]))
    return [key.token(kind, records.normal(value)) for kind, value in given]


class ClinicState(NamedTuple):
    """A patient's relation to a clinic with all that decides about the card there."""

    relation: Relation
    clinic: Clinic
    region: Region | None
    scopes: Sequence[Item | None]
    head: Head
    left_out: Sequence[Item] = ()


class RecordsRepository:
    """The records table as readers see it, and the registry around it."""

    def __init__(
        self,
        *,
        records_table: str,
        registry_table: str,
        consents_table: str,
        bucket: str,
        keyring: Keyring,
    ) -> None:
        self._bucket = bucket
        self._records = records_table
        self._registry = registry_table
        self._consents = consents_table
        self._keyring = keyring
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="records")

    def with_card(self, card_id: CardId) -> list[Lookup]:
        """What a read of records wants together with the card: its head and its wrapped key."""
        return [Head.lookup(self._records, card_id), self._keyring.lookup(f"CARD#{card_id}")]

    def head(self, opened: OpenCard) -> Head:
        place = Head.lookup(self._records, opened.card.card_id)
        return Head.from_item(opened.items.get(place))

    def page(
        self,
        opened: OpenCard,
        section: Section,
        *,
        patient: bool,
        limit: int,
        after: str | None,
        start: date | None = None,
        end: date | None = None,
        filters: Mapping[str, str] | None = None,
        sources: bool = False,
        whole: bool = False,
    ) -> RecordsPage:
        """One page of a section, newest first, by one Query.

        So it may hold fewer records than `limit` where many rows in a row are not shown, or where
        the bodies are large. Only an empty page is followed by a second Query, of all that one
        may read (1 MB).

        Args:
            patient: read for the patient, who is not shown what is held or not final yet.
            after: the position that the page before gave.
            start, end: the days, both included, on which the records' `date` may lie.
            filters: kind of tag -> value, e.g. `{"diagnosis": "I10"}`; all must match.
            sources: tell of each record what it is made of.
            whole: read until there are `limit` records, whatever it takes.
        """
        if section in opened.withheld.sections:
            return RecordsPage([], None, {})
        key, head = self._key(opened), self.head(opened)
        tokens = _tokens(key, filters or {})
        # Nothing is left out of most cards; where something is, it is counted beside the page.
        lacking = patient and section == "results" and bool(head.counts.get("left_out"))
        counting = (
            self._pool.submit(self._left_out, opened, head, tokens, start, end) if lacking else None
        )
        span = _Span(opened.card.card_id, section, tokens, start, end, sources)
        spare = span.spare(_invisible(head, opened.withheld), newest=after is None)
        found: list[Item] = []
        position = after
        while len(found) <= limit:
            rows, position = self._rows(span, limit + 1 + spare, position)
            found += [
                row
                for row in rows
                if head.shows(row)
                and records.within(row, start, end)
                and set(tokens[1:]) <= set(records.tokens(row))
                and not (patient and records.why_left_out(row, opened.now))
                and not opened.withheld.has(section, records.record_of(row["sk"]))
            ]
            if position is None or (found and not whole):
                break
            spare = spare if found else _MOST_ROWS
        more = len(found) > limit
        shown = self._fitting(opened, key, section, found[:limit])
        if more or len(shown) < len(found):
            position = shown[-1].sk
        return RecordsPage(shown, position, counting.result() if counting else {})

    def _fitting(
        self, opened: OpenCard, key: DataKey, section: Section, rows: Sequence[Item]
    ) -> list[OpenRecord]:
        """The records of these rows, as many as one answer can carry."""
        fitting: list[OpenRecord] = []
        room = _LARGEST_PAGE
        for start in range(0, len(rows), _AT_ONCE):
            for record in self._opened(opened, key, section, rows[start : start + _AT_ONCE]):
                room -= _carried(record.body)
                if room < 0 and fitting:
                    return fitting
                fitting.append(record)
        return fitting

    def _rows(self, span: "_Span", limit: int, after: str | None) -> tuple[list[Item], str | None]:
        """One Query of versions, or of rows under a token; `sk` is the version's either way."""
        condition, values = span.condition()
        narrowed = bool(span.tokens)
        page = dynamo.query(
            self._records,
            condition,
            values,
            limit=limit,
            forward=False,
            start={"pk": values[":pk"], "sk": span.prefix + after} if after else None,
            # Fewer attributes are less to parse, which is most of what a page costs.
            projection="sk, since, #until, #day, body, #out"
            + (", tags" if narrowed else "")
            + (", sources" if span.sources else ""),
            names={"#until": "until", "#day": "day", "#out": "out"},
        )
        for row in page.items:
            row["sk"] = row["sk"][len(span.prefix) :]
        following = page.next_key["sk"][len(span.prefix) :] if page.next_key else None
        return page.items, following

    def _opened(
        self, opened: OpenCard, key: DataKey, section: Section, rows: Sequence[Item]
    ) -> list[OpenRecord]:
        """The bodies of versions; the long ones are not in the rows and are fetched."""
        pk = records.partition(opened.card.card_id, section)
        long = {
            row["sk"]: Lookup(self._records, pk, row["sk"]) for row in rows if "body" not in row
        }
        fetched = dynamo.batch_get(long.values()) if long else {}
        made = []
        for row in rows:
            sealed = row["body"] if "body" in row else fetched[long[row["sk"]]]["body"]
            record_id = records.record_of(row["sk"])
            made.append(
                OpenRecord(
                    section,
                    record_id,
                    row["sk"],
                    key.open(sealed, records.place(pk, row["sk"])),
                    sources=records.source_keys(row),
                    hidden=opened.hidden.has(section, record_id),
                    held_until=records.held_until(row, opened.now),
                )
            )
        return made

    def _left_out(
        self,
        opened: OpenCard,
        head: Head,
        tokens: Sequence[str],
        start: date | None,
        end: date | None,
    ) -> dict[Why, int]:
        """How many results their patient is not shown yet, of those that a list asks for."""
        counts: dict[Why, int] = {}
        for row in self._marked(opened.card.card_id, opened.now):
            why = records.why_left_out(row, opened.now)
            matches = set(tokens) <= set(records.tokens(row))
            if why and head.shows(row) and records.within(row, start, end) and matches:
                counts[why] = counts.get(why, 0) + 1
        return counts

    def _marked(self, card_id: CardId, now: datetime) -> list[Item]:
        """The rows of a card's results that are not final, or held beyond now."""
        # `h#<until>` sorts before `p#`: what is held no longer is not even read.
        pk, after = records.left_out(card_id), f"{records.held(now)}~"
        return dynamo.query_all(self._records, "pk = :pk AND sk > :now", {":pk": pk, ":now": after})

    def every(self, opened: OpenCard, section: Section) -> list[OpenRecord]:
        """All visible records of a section that is small by nature."""
        key, head = self._key(opened), self.head(opened)
        pk = records.partition(opened.card.card_id, section)
        rows = [
            row
            for row in dynamo.query_all(self._records, "pk = :pk", {":pk": pk}, forward=False)
            if head.shows(row) and not opened.withheld.has(section, records.record_of(row["sk"]))
        ]
        return self._opened(opened, key, section, rows)

    def versions(
        self, opened: OpenCard, section: Section, record_id: RecordId, *, patient: bool
    ) -> list[OpenRecord]:
        """The visible version of one record and after it what it replaced, newest first.

        Raises:
            NotFound: there is none, or it is not for this reader's eyes.
        """
        key, head = self._key(opened), self.head(opened)
        pk = records.partition(opened.card.card_id, section)
        if opened.withheld.has(section, record_id):
            raise NotFound
        items = dynamo.query_all(
            self._records,
            "pk = :pk AND record_id = :id",
            {":pk": pk, ":id": record_id},
            index="by_record",
        )
        seen = sorted((v for v in items if head.sees(v["since"])), key=lambda v: -v["since"])
        if not seen or not head.shows(seen[0]):
            raise NotFound
        if patient:
            if records.why_left_out(seen[0], opened.now):
                raise NotFound
            # What was not final when it was replaced was never shown.
            seen = [v for v in seen if v.get("out") != records.PENDING]
        return self._opened(opened, key, section, seen)

    def changed(
        self, opened: OpenCard, since: "Since", limit: int
    ) -> tuple[list[ChangedRecord], "Since", bool]:
        """What intakes did after `since`, oldest first; where to go on; whether there is more.

        Results whose hold ran out between `since` and now come as created, for until now their
        patient was not shown them.
        """
        key, head = self._key(opened), self.head(opened)
        card_id = opened.card.card_id
        ripening = (
            self._pool.submit(self._ripened, opened, key, head, since.moment)
            if head.counts.get("left_out") and since.moment < clock.rfc3339(opened.now)
            else None
        )
        pk = records.changes(card_id)
        after = f"{since.position}!"  # the first key after the position
        page = dynamo.query(
            self._records,
            "pk = :pk AND sk BETWEEN :after AND :last",
            # Where nothing is new they would stand the other way round, which DynamoDB refuses.
            {":pk": pk, ":after": after, ":last": max(after, f"{head.committed:010d}~")},
            limit=limit,
        )
        sections = {letter: section for section, letter in records.LETTERS.items()}
        made: list[ChangedRecord] = []
        room = _LARGEST_PAGE
        for row in page.items:
            section = sections[row["sk"].split("#")[1]]
            if not head.sees(row["since"]) or records.why_left_out(row, opened.now):
                continue
            version = {**row, "sk": row["version"]}
            record = None
            if row["kind"] != "deleted":
                (record,) = self._opened(opened, key, section, [version])
            record_id = records.record_of(row["version"])
            sources = records.source_keys(row)
            room -= _carried(record.body) if record else 0
            if room < 0 and made:
                return made, Since(str(made[-1].position), since.moment), True
            made.append(ChangedRecord(row["kind"], section, record_id, record, sources, row["sk"]))
        if ripening:
            made += ripening.result()
        position = page.items[-1]["sk"] if page.next_key else f"{head.committed:010d}~"
        following = Since(position, clock.rfc3339(opened.now))
        return made, following, page.next_key is not None

    def now(self, opened: OpenCard) -> Since:
        """Where the changes that are still to come begin."""
        return Since(f"{self.head(opened).committed:010d}~", clock.rfc3339(opened.now))

    def _ripened(
        self, opened: OpenCard, key: DataKey, head: Head, after: str
    ) -> list[ChangedRecord]:
        """Results whose hold ran out after that moment and until now."""
        pk = records.left_out(opened.card.card_id)
        rows = dynamo.query_all(
            self._records,
            "pk = :pk AND sk BETWEEN :after AND :now",
            {":pk": pk, ":after": f"h#{after}~", ":now": f"{records.held(opened.now)}~"},
        )
        ended = [{**r, "sk": r["sk"][len(r["out"]) + 1 :]} for r in rows if head.shows(r)]
        return [
            ChangedRecord("created", "results", record.record_id, record, record.sources)
            for record in self._opened(opened, key, "results", ended)
        ]

    def sources(
        self, opened: OpenCard, found: Sequence[OpenRecord | ChangedRecord]
    ) -> tuple[dict[str, dict[str, Any]], int]:
        """What these records are made of, as it rests, by source key: one more round trip.

        And of how many of them it is, which is as many as one answer can carry.
        """
        key, head = self._key(opened), self.head(opened)
        pk = f"{key.owner}#S"
        places = {k: Lookup(self._records, pk, k) for each in found for k in each.sources}
        items = dynamo.batch_get(places.values())
        resting: dict[str, dict[str, Any]] = {}
        room = _LARGEST_PAGE
        for number, each in enumerate(found):
            for source_key in each.sources:
                item = items.get(places[source_key])
                if item is None or source_key in resting:
                    continue
                state = item if head.sees(item["since"]) else item.get("previous")
                if state is None:
                    continue
                sealed = state["data"] if "data" in state else self._payload(state["at"])
                source = key.open(sealed, f"records/{pk}/{source_key}/source")
                room -= _carried(source)
                if room < 0 and number:
                    return resting, number
                resting[source_key] = {**exact_json.loads(source), "size": len(source)}
        return resting, len(found)

    def _payload(self, at: str) -> bytes:
        """What was too large for an item (clinic.payloads)."""
        try:
            return aws.s3().get_object(Bucket=self._bucket, Key=at)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise Unavailable from error

    def token(self, opened: OpenCard, *parts: str) -> str:
        """A keyed hash by the card's key."""
        return self._key(opened).token(*parts)

    def person(self, patient_id: PatientId) -> Person:
        """A patient's personal data."""
        place = people.lookup(self._registry, patient_id)
        key_place = self._keyring.lookup(people.owner(patient_id))
        items = dynamo.batch_get([place, key_place])
        if place not in items:
            raise NotFound
        try:
            key = self._keyring.unwrap(people.owner(patient_id), items.get(key_place))
        except KeyDestroyed as error:
            raise NotFound from error
        return people.open_item(items[place], key)

    def clinics_of(
        self, patient_id: PatientId, *, not_shown_at: datetime | None = None
    ) -> list[ClinicState]:
        """Every clinic that a patient has to do with, the one where they are attached first.

        With `not_shown_at` also the results that are not shown then, read beside the rest.
        """
        items = dynamo.query_all(
            self._registry,
            "pk = :pk AND begins_with(sk, :clinic)",
            {":pk": f"PATIENT#{patient_id}", ":clinic": "CLINIC#"},
        )
        relations = [each for item in items for each in Relation.from_item(item).by_card()]
        lookups: list[Lookup] = []
        for each in relations:
            lookups += self._around(patient_id, each)
        reading = {
            each.card_id: self._pool.submit(self._marked, each.card_id, not_shown_at)
            for each in relations
            if each.card_id and not_shown_at
        }
        found = dynamo.batch_get(lookups)
        left_out = {card_id: rows.result() for card_id, rows in reading.items()}
        states = [self._state(patient_id, each, found, left_out) for each in relations]
        return sorted(states, key=lambda s: (not s.relation.attached, s.clinic.name))

    def _around(self, patient_id: PatientId, relation: Relation) -> list[Lookup]:
        lookups = [
            Clinic.lookup(self._registry, relation.clinic_id),
            Region.lookup(self._registry, relation.region),
            *scope_lookups(self._consents, patient_id, relation.clinic_id),
        ]
        if relation.card_id:
            lookups.append(Head.lookup(self._records, relation.card_id))
        return lookups

    def _state(
        self,
        patient_id: PatientId,
        relation: Relation,
        found: Mapping[Lookup, Item],
        left_out: Mapping[CardId, Sequence[Item]],
    ) -> ClinicState:
        region = found.get(Region.lookup(self._registry, relation.region))
        scopes = scope_lookups(self._consents, patient_id, relation.clinic_id)
        head = found.get(Head.lookup(self._records, relation.card_id)) if relation.card_id else None
        return ClinicState(
            relation=relation,
            clinic=Clinic.from_item(found[Clinic.lookup(self._registry, relation.clinic_id)]),
            region=Region.from_item(region) if region else None,
            scopes=[found.get(scope) for scope in scopes],
            head=Head.from_item(head),
            left_out=left_out.get(relation.card_id, ()) if relation.card_id else (),
        )

    def _key(self, opened: OpenCard) -> DataKey:
        owner = f"CARD#{opened.card.card_id}"
        item = opened.items.get(self._keyring.lookup(owner))
        try:
            return self._keyring.unwrap(owner, item)
        except KeyDestroyed as error:  # erased: nothing of this card can be read any more
            raise NotFound from error
