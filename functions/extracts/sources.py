"""What the worker reads for a paper: the facts that must allow it, the person, the records."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from extracts import document
from extracts.policy import MOST_RECORDS, SECTIONS
from kernel import access, clock, consents, dynamo, exact_json, hiding, people, records
from kernel.access import ClinicFacts
from kernel.dynamo import Item
from kernel.hiding import Hidden
from kernel.identity import CardId, ClinicId, PatientId, RecordId
from kernel.records import Head
from kernel.registry import Card, Clinic, Region, Relation
from kernel.sealing import DataKey, KeyDestroyed, Keyring
from kernel.summary import summary_of


class CardClosed(Exception):
    """The card is not open any more: the extract must not be made, or not be given out."""


class Opened(NamedTuple):
    """What a paper is made of, besides the records."""

    card: Card
    clinic: Clinic
    person: people.Person
    key: DataKey
    head: Head
    hidden: Hidden


class Sources:
    """The tables that a paper draws on. Nothing here writes."""

    def __init__(
        self, *, registry_table: str, consents_table: str, records_table: str, keyring: Keyring
    ) -> None:
        self._registry = registry_table
        self._consents = consents_table
        self._records = records_table
        self._keyring = keyring

    def open(self, order: Item) -> Opened:
        """Read the facts anew, as the gate does at a request of the patient.

        Raises:
            CardClosed: a step is missing, or the card is erased.
            Unavailable
        """
        registry = self._registry
        patient_id, card_id = PatientId(order["patient_id"]), CardId(order["card_id"])
        clinic_id = ClinicId(order["clinic_id"])
        card_place = Card.lookup(registry, card_id)
        clinic_place = Clinic.lookup(registry, clinic_id)
        relation_place = Relation.lookup(registry, patient_id, clinic_id)
        person_place = people.lookup(registry, patient_id)
        head_place = Head.lookup(self._records, card_id)
        hidden_place = hiding.lookup(self._consents, card_id)
        person_key = self._keyring.lookup(people.owner(patient_id))
        card_key = self._keyring.lookup(f"CARD#{card_id}")
        scopes = consents.scope_lookups(self._consents, patient_id, clinic_id)
        needed = [card_place, clinic_place, relation_place, person_place, person_key, card_key]
        found = dynamo.batch_get([*needed, head_place, hidden_place, *scopes])
        if not set(needed) <= found.keys():
            raise CardClosed
        card, clinic = Card.from_item(found[card_place]), Clinic.from_item(found[clinic_place])
        region_place = Region.lookup(registry, card.region)
        region = dynamo.batch_get([region_place]).get(region_place)
        relation = Relation.from_item(found[relation_place])
        facts = ClinicFacts(
            region_connected=bool(region and region["connected"]),
            clinic_connected=clinic.connected,
            attached=relation.attached,
            activated=relation.holds(card_id) and card.patient_id == patient_id,
            consent=consents.state([found.get(scope) for scope in scopes], clock.now()),
        )
        if not all(step.ok for step in access.steps("verified", facts)):
            raise CardClosed
        try:
            owner_key = self._keyring.unwrap(people.owner(patient_id), found[person_key])
            key = self._keyring.unwrap(f"CARD#{card_id}", found[card_key])
        except KeyDestroyed as error:
            raise CardClosed from error
        return Opened(
            card=card,
            clinic=clinic,
            person=people.open_item(found[person_place], owner_key),
            key=key,
            head=Head.from_item(found.get(head_place)),
            hidden=Hidden.from_item(found.get(hidden_place)),
        )

    def paper(
        self, order: Item, opened: Opened, issued_at: datetime, portal_url: str
    ) -> document.ExtractDocument:
        """The paper's contents, opened. Raises Unavailable."""
        shown, omitted = self._shown(order, opened)
        bodies = self._bodies(order, opened, shown)
        summary = None
        if order["kind"] == "summary":
            parts = summary_of(bodies, order["language"])
            summary = document.Summary(
                blood_group=parts["blood_group"],
                allergies=parts["allergies"],
                no_known_allergies=_known_absences(bodies, parts, omitted),
                chronic_conditions=parts["chronic_conditions"],
            )
        person, clinic, code = opened.person, opened.clinic, order["verification_code"]
        return document.ExtractDocument(
            kind=order["kind"],
            language=order["language"],
            clinic=document.Clinic(clinic.name, clinic.address, clinic.phone),
            patient=document.Patient(
                last_name=person.last_name,
                first_name=person.first_name,
                middle_name=person.middle_name,
                birth_date=person.birth_date,
                sex=person.sex,
                snils=person.masked_snils,
            ),
            issued_at=issued_at,
            verification=document.Verification(code, f"{portal_url}/verify/{code}"),
            period=document.Period(*_period(order)) if order["from"] else None,
            records=[] if summary else bodies,
            summary=summary,
            omitted=omitted,
        )

    def _shown(self, order: Item, opened: Opened) -> tuple[list[Item], document.Omitted]:
        """The versions to print, newest first, and how many are left out and why."""
        section = SECTIONS[order["kind"]]
        pk = records.partition(opened.card.card_id, section)
        if order["record_ids"]:
            versions = [
                version
                for record_id in order["record_ids"]
                for version in dynamo.query_all(
                    self._records,
                    "pk = :pk AND record_id = :id",
                    {":pk": pk, ":id": RecordId(record_id)},
                    index="by_record",
                )
                if opened.head.shows(version)
            ]
            # Named by the patient, so a hidden record is meant; one taken back since is not there.
            gone = len(order["record_ids"]) - len(versions)
            released, counts = _released(versions)
            return _newest_first(released), document.Omitted(retracted=gone, **counts)
        start, end = _period(order) if order["from"] else (None, None)
        first, last = records.days(start, end)
        versions = dynamo.query_all(
            self._records,
            "pk = :pk AND sk BETWEEN :first AND :last",
            {":pk": pk, ":first": first, ":last": last},
        )
        versions = [v for v in versions if opened.head.shows(v) and records.within(v, start, end)]
        released, counts = _released(versions)
        open_to_see = [v for v in released if not opened.hidden.has(section, v["record_id"])]
        hidden = len(released) - len(open_to_see)
        shown = _newest_first(open_to_see)
        if order["kind"] != "summary":
            # What came after the order was checked may exceed what one paper may hold.
            shown = shown[:MOST_RECORDS]
        beyond = len(open_to_see) - len(shown)
        return shown, document.Omitted(hidden=hidden, beyond=beyond, **counts)

    def _bodies(
        self, order: Item, opened: Opened, versions: Sequence[Item]
    ) -> list[dict[str, Any]]:
        pk = records.partition(opened.card.card_id, SECTIONS[order["kind"]])
        return [
            exact_json.loads(opened.key.open(version["body"], records.place(pk, version["sk"])))
            | {"record_id": version["record_id"]}
            for version in versions
        ]


def _period(order: Item) -> tuple[date, date]:
    return date.fromisoformat(order["from"]), date.fromisoformat(order["to"])


def _known_absences(
    bodies: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], omitted: document.Omitted
) -> list[Mapping[str, Any]]:
    """The statements that no allergy is known, newest first.

    None where anything is left out of the summary: it may be the allergy that contradicts them.
    """
    if not summary["no_known_allergies"] or omitted.hidden or omitted.withheld or omitted.pending:
        return []
    return [body for body in bodies if body["entry"] == "no_known_allergy"]


def _released(versions: list[Item]) -> tuple[list[Item], dict[str, int]]:
    """What the patient may see now, and how many of the others there are, by why."""
    now = clock.now()
    why = [records.why_left_out(version, now) for version in versions]
    released = [version for version, reason in zip(versions, why, strict=True) if reason is None]
    return released, {"withheld": why.count("withheld"), "pending": why.count("pending")}


def _newest_first(versions: list[Item]) -> list[Item]:
    return sorted(versions, key=lambda version: version["sk"], reverse=True)
