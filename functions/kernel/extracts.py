"""Extracts as several functions know them: their state, their keys, and how they are taken back.

Extracts table:
    PATIENT#<id>      | EXTRACT#<id>      what was ordered, how far it is, where the file lies
    PATIENT#<id>      | ORDERED#<sha256>  which extract an Idempotency-Key of the patient ordered
    CODE#<sha256>     | VERIFY            finds an extract by the code on the paper
    FILE#<sha256>     | VERIFY            finds an extract by the file's hash
    CLINIC#<id>       | CERTIFICATE       the clinic's certificate for the signing key
The index `due` (due_pk, due_sk) holds the extracts with which something is still to be done, and
from when: a pending one is queued again, a ready one expires, files that nothing needs are deleted.

An extract's item lists in `files` every object that was ever begun for it, before it is uploaded;
`file` is the one that is given out. So whatever a broken run leaves behind is found again.
"""

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from kernel import aws, clock, dynamo, texts
from kernel.dynamo import Item
from kernel.errors import Unavailable
from kernel.identity import ClinicId, ExtractId, PatientId
from kernel.texts import Language

Kind = Literal["visit", "results", "prescriptions", "summary"]
Status = Literal["pending", "ready", "failed", "expired", "revoked"]
RETENTION = timedelta(days=30)
# Longer than the worker's longest run: what it may still upload after a revocation is swept then.
SETTLED_AFTER = timedelta(minutes=3)
SHARDS = 8


def key(patient_id: PatientId, extract_id: ExtractId) -> dict[str, str]:
    return {"pk": f"PATIENT#{patient_id}", "sk": f"EXTRACT#{extract_id}"}


def key_of(item: Item) -> dict[str, str]:
    """The key of an extract that was read."""
    return {"pk": item["pk"], "sk": item["sk"]}


def code_key(verification_code: str) -> dict[str, str]:
    digest = hashlib.sha256(verification_code.encode()).hexdigest()
    return {"pk": f"CODE#{digest}", "sk": "VERIFY"}


def file_key(sha256: str) -> dict[str, str]:
    return {"pk": f"FILE#{sha256}", "sk": "VERIFY"}


def due_partition(shard: int) -> str:
    return f"DUE#{shard}"


def due(extract_id: ExtractId, at: datetime) -> dict[str, str]:
    """The attributes that put an extract into the index `due`."""
    shard = int(hashlib.sha256(extract_id.encode()).hexdigest()[:2], 16) % SHARDS
    return {"due_pk": due_partition(shard), "due_sk": f"{clock.rfc3339(at)}#{extract_id}"}


def object_key(random: str) -> str:
    """Where a file lies: nothing of the person, the extract or its code is in it."""
    return f"extracts/{random}.pdf"


def status(item: Item, now: datetime) -> Status:
    """The state at `now`: the file's end is judged here, the sweeper may come late."""
    if item["status"] == "ready" and item["file_expires_at"] <= clock.epoch(now):
        return "expired"
    stored: Status = item["status"]
    return stored


def delete_files(bucket: str, names: Iterable[str]) -> None:
    """Delete objects, whether they are there or not. Raises Unavailable: repeat."""
    try:
        for name in names:
            aws.s3().delete_object(Bucket=bucket, Key=name)
    except (ClientError, BotoCoreError) as error:
        raise Unavailable from error


class Revoking:
    """Takes extracts back: the paper's code says so from then on, and the file is gone."""

    def __init__(self, *, table: str, bucket: str) -> None:
        self._table = table
        self._bucket = bucket

    def revoke(self, patient_id: PatientId, extract_id: ExtractId) -> None:
        """Revoke one extract; safe to repeat, and swept if the request broke off.

        Raises:
            Unavailable: the file may still be there; repeat.
        """
        settled = due(extract_id, clock.now() + SETTLED_AFTER)
        try:
            item = dynamo.update(
                self._table,
                key(patient_id, extract_id),
                "SET #status = :revoked, due_pk = :due_pk, due_sk = :due_sk",
                {":revoked": "revoked", **{f":{name}": at for name, at in settled.items()}},
                condition="attribute_exists(pk)",
                names={"#status": "status"},
            )
        except dynamo.ConditionFailed:
            return
        delete_files(self._bucket, sorted(item.get("files", ())))

    def revoke_all(self, patient_id: PatientId, clinics: Collection[ClinicId] | None) -> None:
        """Revoke every extract of a patient from these clinics (None: all); safe to repeat.

        Raises:
            Unavailable: some files may still be there; repeat.
        """
        items = dynamo.query_all(
            self._table,
            "pk = :pk AND begins_with(sk, :extract)",
            {":pk": f"PATIENT#{patient_id}", ":extract": "EXTRACT#"},
        )
        for item in items:
            done = item["status"] == "revoked" and "due_pk" not in item
            if not done and (clinics is None or item["clinic_id"] in clinics):
                self.revoke(patient_id, ExtractId(item["extract_id"]))


def move(table: str, duplicate: PatientId, survivor: PatientId) -> None:
    """Give the extracts of somebody entered twice to the one who stays; safe to repeat.

    One that is being made is found again by the index `due`, under its new patient.

    Raises:
        Unavailable: some may not be moved; repeat.
    """
    found = dynamo.query_all(table, "pk = :pk", {":pk": f"PATIENT#{duplicate}"})
    for item in found:
        moved = {**item, "pk": f"PATIENT#{survivor}"}
        if "patient_id" in item:
            moved["patient_id"] = survivor
        same, values, names = "attribute_exists(pk)", None, None
        pointers: list[dict[str, Any]] = []
        if "extract_id" in item and "status" in item:
            same, values = "#status = :status", {":status": item["status"]}
            names = {"#status": "status"}
            keys = [code_key(item["verification_code"])]
            keys += [file_key(item["sha256"])] if "sha256" in item else []
            pointed = {"patient_id": survivor, "extract_id": item["extract_id"]}
            pointers = [
                {"Put": dynamo.put_request(table, {**each, **pointed}, "attribute_exists(pk)")}
                for each in keys
                if dynamo.get(table, each)
            ]
        gone = dynamo.delete_request(
            table, key_of(item), condition=same, values=values, names=names
        )
        try:
            dynamo.transact({"Put": dynamo.put_request(table, moved)}, {"Delete": gone}, *pointers)
        except dynamo.ConditionFailed as lost:  # it has just turned: another round moves it
            raise Unavailable from lost


def answer(item: Item, now: datetime, language: Language) -> dict[str, Any]:
    """An extract in the form of the contract; why it failed, in a person's language."""
    state = status(item, now)
    shown: dict[str, Any] = {
        "extract_id": item["extract_id"],
        "card_id": item["card_id"],
        "kind": item["kind"],
        "from": item.get("from"),
        "to": item.get("to"),
        "language": item["language"],
        "status": state,
        "created_at": item["created_at"],
    }
    if state == "pending":
        shown["progress"] = item.get("progress", 0)
    if state == "failed":
        shown["error"] = item["error"]
        shown["error_message"] = texts.text(language, f"extract.{item['error']}")
    if state == "ready":
        shown |= {name: item[name] for name in ("pages", "size", "sha256", "verification_code")}
        shown["progress"] = 100
        shown["expires_at"] = clock.from_epoch(item["file_expires_at"])
    return shown
