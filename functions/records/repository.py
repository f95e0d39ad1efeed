"""Reading a card's records: visible versions only, opened and still as bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from kernel import dynamo, people, records
from kernel.consents import scope_lookups
from kernel.dynamo import Item, Lookup
from kernel.errors import NotFound
from kernel.gate import OpenCard
from kernel.identity import CardId, PatientId, RecordId
from kernel.people import Person
from kernel.records import Head, Section
from kernel.registry import Clinic, Region, Relation
from kernel.sealing import DataKey, KeyDestroyed, Keyring


@dataclass(frozen=True, slots=True)
class RecordsPage:
    """Opened bodies (JSON), newest first, and the position where the next page starts."""

    bodies: list[bytes]
    position: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class ClinicState:
    """A patient's relation to a clinic with all that decides about the card there."""

    relation: Relation
    clinic: Clinic
    region: Region | None
    scopes: Sequence[Item | None]
    head: Head


class RecordsRepository:
    """The records table as readers see it, and the registry around it."""

    def __init__(
        self, *, records_table: str, registry_table: str, consents_table: str, keyring: Keyring
    ) -> None:
        self._records = records_table
        self._registry = registry_table
        self._consents = consents_table
        self._keyring = keyring

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
        limit: int,
        after: Mapping[str, str] | None,
        start: date | None = None,
        end: date | None = None,
        filters: Mapping[str, str] | None = None,
    ) -> RecordsPage:
        """One page of a section, newest first.

        Args:
            after: the position that the page before gave.
            start, end: the days, both included, on which the records' `date` may lie.
            filters: kind of tag -> value, e.g. `{"diagnosis": "I10"}`; all must match.
        """
        key = self._key(opened)
        head = self.head(opened)
        pk = records.partition(opened.card.card_id, section)
        condition, values = "pk = :pk", {":pk": pk}
        if start or end:
            condition += " AND sk BETWEEN :first AND :last"
            values[":first"], values[":last"] = records.days(start, end)
        wanted = [key.token(kind, records.normal(v)) for kind, v in (filters or {}).items()]
        tags = {f":tag{i}": token for i, token in enumerate(wanted)}
        where = " AND ".join(f"contains(tags, {name})" for name in tags) or None
        found: list[tuple[str, bytes]] = []
        next_key: Mapping[str, Any] | None = {"pk": pk, **after} if after else None
        while len(found) <= limit:
            page = dynamo.query(
                self._records,
                condition,
                {**values, **tags},
                limit=limit + 1 if not where else 200,
                forward=False,
                start=next_key,
                filter=where,
            )
            for item in page.items:
                if head.shows(item) and records.within(item, start, end):
                    body = key.open(item["body"], records.place(pk, item["sk"]))
                    found.append((item["sk"], body))
            next_key = page.next_key
            if next_key is None:
                break
        bodies = [body for _, body in found[:limit]]
        more = len(found) > limit
        return RecordsPage(bodies, {"sk": found[limit - 1][0]} if more else None)

    def every(self, opened: OpenCard, section: Section) -> list[bytes]:
        """All visible records of a section that is small by nature."""
        key, head = self._key(opened), self.head(opened)
        pk = records.partition(opened.card.card_id, section)
        items = dynamo.query_all(self._records, "pk = :pk", {":pk": pk}, forward=False)
        return [
            key.open(item["body"], records.place(pk, item["sk"]))
            for item in items
            if head.shows(item)
        ]

    def one(self, opened: OpenCard, section: Section, record_id: RecordId) -> bytes:
        """The visible version of one record.

        Raises:
            NotFound
        """
        key, head = self._key(opened), self.head(opened)
        pk = records.partition(opened.card.card_id, section)
        versions = dynamo.query_all(
            self._records,
            "pk = :pk AND record_id = :id",
            {":pk": pk, ":id": record_id},
            index="by_record",
        )
        for item in versions:
            if head.shows(item):
                return key.open(item["body"], records.place(pk, item["sk"]))
        raise NotFound

    def person(self, patient_id: PatientId) -> Person:
        """A patient's personal data."""
        place = people.lookup(self._registry, patient_id)
        key_place = self._keyring.lookup(people.owner(patient_id))
        items = dynamo.batch_get([place, key_place])
        if place not in items:
            raise NotFound
        try:
            key = self._keyring.get(people.owner(patient_id), items.get(key_place))
        except KeyDestroyed as error:
            raise NotFound from error
        return people.open_item(items[place], key)

    def clinics_of(self, patient_id: PatientId) -> list[ClinicState]:
        """Every clinic that a patient has to do with, the one where they are attached first."""
        items = dynamo.query_all(
            self._registry,
            "pk = :pk AND begins_with(sk, :clinic)",
            {":pk": f"PATIENT#{patient_id}", ":clinic": "CLINIC#"},
        )
        relations = [Relation.from_item(item) for item in items]
        lookups: list[Lookup] = []
        for each in relations:
            lookups += self._around(patient_id, each)
        found = dynamo.batch_get(lookups)
        states = [self._state(patient_id, each, found) for each in relations]
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
        self, patient_id: PatientId, relation: Relation, found: Mapping[Lookup, Item]
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
        )

    def _key(self, opened: OpenCard) -> DataKey:
        owner = f"CARD#{opened.card.card_id}"
        item = opened.items.get(self._keyring.lookup(owner))
        try:
            return self._keyring.get(owner, item)
        except KeyDestroyed as error:  # erased: nothing of this card can be read any more
            raise NotFound from error
