"""The worker: makes the files of ordered extracts, from the queue, safe to run twice."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from extracts import document
from extracts.models import SECTIONS
from extracts.render import page_count, render
from kernel import access, aws, clock, consents, dynamo, extracts, log, people, records, settings
from kernel.access import ClinicFacts
from kernel.dynamo import Item
from kernel.errors import Unavailable
from kernel.identity import CardId, ClinicId, ExtractId, PatientId, RecordId
from kernel.records import Head
from kernel.registry import Card, Clinic, Region, Relation
from kernel.sealing import DataKey, KeyDestroyed, Keyring
from kernel.summary import summary_of


@dataclass(frozen=True, slots=True)
class Settings:
    registry_table: str
    consents_table: str
    records_table: str
    keys_table: str
    extracts_table: str
    medical_key_id: str
    extracts_bucket: str
    portal_url: str


_settings = settings.load(Settings)
_keyring = Keyring(table=_settings.keys_table, kms_key=_settings.medical_key_id, purpose="medical")


class _Closed(Exception):
    """The card is not open any more: the extract must not be made."""


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Make the extract of each message; the ones that failed come again."""
    failures = []
    for record in event["Records"]:
        order = json.loads(record["body"])
        try:
            make(PatientId(order["patient_id"]), ExtractId(order["extract_id"]))
        except Exception as error:  # the queue's boundary: one bad message must not stop others
            log.failure("extract not made", error, extract_id=order["extract_id"])
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def make(patient_id: PatientId, extract_id: ExtractId) -> None:
    """Make one extract, unless it is made, failed or revoked already.

    The file's key is the extract's, so a second run overwrites the first one's file; the state
    turns once, by a condition.

    Raises:
        Unavailable: to be tried again.
    """
    order = dynamo.get(_settings.extracts_table, extracts.key(patient_id, extract_id))
    if order is None:
        raise Unavailable  # the message was faster than the order's transaction, or it is erased
    if order["status"] != "pending":
        return
    try:
        opened = _open(order)
        pdf = render(_document(order, opened))
        _upload(extract_id, pdf)
        _open(order)  # consent may have been withdrawn while the file was made
    except (_Closed, KeyDestroyed):
        _discard(extract_id)
        _turn(order, {"status": "failed", "error": "card_closed"})
        return
    if not _turn(order, _ready(order, opened, pdf)):
        current = dynamo.get(_settings.extracts_table, extracts.key(patient_id, extract_id))
        if current is None or current["status"] != "ready":
            _discard(extract_id)  # revoked meanwhile


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a file is made of, besides the records."""

    card: Card
    clinic: Clinic
    person: people.Person
    key: DataKey
    head: Head


def _open(order: Item) -> _Opened:
    """Read the facts anew. Raises _Closed, KeyDestroyed, Unavailable."""
    registry = _settings.registry_table
    patient_id, card_id = PatientId(order["patient_id"]), CardId(order["card_id"])
    clinic_id = ClinicId(order["clinic_id"])
    card_place = Card.lookup(registry, card_id)
    clinic_place = Clinic.lookup(registry, clinic_id)
    relation_place = Relation.lookup(registry, patient_id, clinic_id)
    person_place = people.lookup(registry, patient_id)
    head_place = Head.lookup(_settings.records_table, card_id)
    person_key = _keyring.lookup(people.owner(patient_id))
    card_key = _keyring.lookup(f"CARD#{card_id}")
    scopes = consents.scope_lookups(_settings.consents_table, patient_id, clinic_id)
    found = dynamo.batch_get(
        [
            card_place,
            clinic_place,
            relation_place,
            person_place,
            head_place,
            person_key,
            card_key,
            *scopes,
        ]
    )
    if not {card_place, clinic_place, relation_place, person_place} <= found.keys():
        raise _Closed
    card = Card.from_item(found[card_place])
    region_place = Region.lookup(registry, card.region)
    region = dynamo.batch_get([region_place]).get(region_place)
    relation = Relation.from_item(found[relation_place])
    facts = ClinicFacts(
        region_connected=bool(region and region["connected"]),
        clinic_connected=found[clinic_place]["connected"],
        attached=relation.attached,
        activated=relation.card_id == card_id,
        consent=consents.state([found.get(scope) for scope in scopes], clock.now()),
    )
    if not all(step.ok for step in access.steps("verified", facts)):
        raise _Closed
    owner_key = _keyring.get(people.owner(patient_id), found.get(person_key))
    return _Opened(
        card=card,
        clinic=Clinic.from_item(found[clinic_place]),
        person=people.open_item(found[person_place], owner_key),
        key=_keyring.get(f"CARD#{card_id}", found.get(card_key)),
        head=Head.from_item(found.get(head_place)),
    )


def _document(order: Item, opened: _Opened) -> document.ExtractDocument:
    bodies = _bodies(order, opened)
    summary = None
    if order["kind"] == "summary":
        parts = summary_of(bodies, order["language"])
        summary = document.Summary(
            blood_group=parts["blood_group"],
            allergies=parts["allergies"],
            chronic_conditions=parts["chronic_conditions"],
        )
    period = None
    if order["from"]:
        start, end = date.fromisoformat(order["from"]), date.fromisoformat(order["to"])
        period = document.Period(start, end)
    person = opened.person
    code = order["verification_code"]
    return document.ExtractDocument(
        kind=order["kind"],
        language=order["language"],
        clinic=document.Clinic(opened.clinic.name, opened.clinic.address, opened.clinic.phone),
        patient=document.Patient(
            last_name=person.last_name,
            first_name=person.first_name,
            middle_name=person.middle_name,
            birth_date=person.birth_date,
            sex=person.sex,
            snils=person.masked_snils,
        ),
        issued_at=clock.now(),
        verification=document.Verification(code, f"{_settings.portal_url}/verify/{code}"),
        period=period,
        records=[] if summary else bodies,
        summary=summary,
    )


def _bodies(order: Item, opened: _Opened) -> list[dict[str, Any]]:
    """The records to print, newest first."""
    section = SECTIONS[order["kind"]]
    table, pk = _settings.records_table, records.partition(opened.card.card_id, section)
    start = date.fromisoformat(order["from"]) if order["from"] else None
    end = date.fromisoformat(order["to"]) if order["to"] else None
    versions: list[Item] = []
    if order["record_ids"]:
        for record_id in order["record_ids"]:
            versions += dynamo.query_all(
                table,
                "pk = :pk AND record_id = :id",
                {":pk": pk, ":id": RecordId(record_id)},
                index="by_record",
            )
    else:
        first, last = records.days(start, end)
        versions = dynamo.query_all(
            table,
            "pk = :pk AND sk BETWEEN :first AND :last",
            {":pk": pk, ":first": first, ":last": last},
        )
    shown = [v for v in versions if opened.head.shows(v) and records.within(v, start, end)]
    shown.sort(key=lambda version: version["sk"], reverse=True)
    return [
        json.loads(opened.key.open(version["body"], records.place(pk, version["sk"])))
        for version in shown
    ]


def _ready(order: Item, opened: _Opened, pdf: bytes) -> dict[str, Any]:
    now = clock.now()
    return {
        "status": "ready",
        "progress": 100,
        "sha256": hashlib.sha256(pdf).hexdigest(),
        "size": len(pdf),
        "pages": page_count(pdf),
        "clinic": opened.clinic.brief,
        "issued_at": clock.rfc3339(now),
        "file_expires_at": clock.epoch(now + extracts.RETENTION),
    }


def _turn(order: Item, values: Mapping[str, Any]) -> bool:
    """Turn a pending order, together with what finds its paper; False if it is not pending now."""
    names = {f"#{name}": name for name in values}
    table = _settings.extracts_table
    patient_id, extract_id = PatientId(order["patient_id"]), ExtractId(order["extract_id"])
    update = dynamo.update_request(
        table,
        extracts.key(patient_id, extract_id),
        "SET " + ", ".join(f"#{name} = :{name}" for name in values),
        {**{f":{name}": value for name, value in values.items()}, ":pending": "pending"},
        condition="#status = :pending",
        names=names,
    )
    pointers = []
    if values["status"] == "ready":
        code, sha256 = order["verification_code"], values["sha256"]
        for key in (extracts.code_key(code), extracts.file_key(sha256)):
            pointer = {**key, "patient_id": patient_id, "extract_id": extract_id}
            pointers.append({"Put": dynamo.put_request(table, pointer)})
    try:
        dynamo.transact({"Update": update}, *pointers)
    except dynamo.ConditionFailed:
        return False
    return True


def _upload(extract_id: ExtractId, pdf: bytes) -> None:
    try:
        aws.s3().put_object(
            Bucket=_settings.extracts_bucket,
            Key=extracts.object_key(extract_id),
            Body=pdf,
            ContentType="application/pdf",
        )
    except (ClientError, BotoCoreError) as error:
        raise Unavailable from error


def _discard(extract_id: ExtractId) -> None:
    try:
        aws.s3().delete_object(
            Bucket=_settings.extracts_bucket, Key=extracts.object_key(extract_id)
        )
    except (ClientError, BotoCoreError) as error:
        raise Unavailable from error
