"""Extracts as several functions know them: their state, their keys, and how they are taken back.

Extracts table:
    PATIENT#<id>      | EXTRACT#<id>    what was ordered, how far it is, where the file lies
    CODE#<sha256>     | VERIFY          finds an extract by the code on the paper
    FILE#<sha256>     | VERIFY          finds an extract by the file's hash
"""

import hashlib
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from kernel import aws, clock, dynamo
from kernel.dynamo import Item
from kernel.errors import Unavailable
from kernel.identity import ClinicId, ExtractId, PatientId

Kind = Literal["visit", "results", "prescriptions", "summary"]
Status = Literal["pending", "ready", "failed", "expired", "revoked"]
RETENTION = timedelta(days=30)


def key(patient_id: PatientId, extract_id: ExtractId) -> dict[str, str]:
    return {"pk": f"PATIENT#{patient_id}", "sk": f"EXTRACT#{extract_id}"}


def code_key(verification_code: str) -> dict[str, str]:
    digest = hashlib.sha256(verification_code.encode()).hexdigest()
    return {"pk": f"CODE#{digest}", "sk": "VERIFY"}


def file_key(sha256: str) -> dict[str, str]:
    return {"pk": f"FILE#{sha256}", "sk": "VERIFY"}


def object_key(extract_id: ExtractId) -> str:
    """Where the file lies: nothing of the person or of the content is in it."""
    return f"extracts/{extract_id}.pdf"


def status(item: Item, now: datetime) -> Status:
    """The state at `now`: the file's end is judged here, S3 deletes late."""
    if item["status"] == "ready" and item["file_expires_at"] <= clock.epoch(now):
        return "expired"
    stored: Status = item["status"]
    return stored


class Revoking:
    """Takes extracts back: the paper's code says so from then on, and the file is gone."""

    def __init__(self, *, table: str, bucket: str) -> None:
        self._table = table
        self._bucket = bucket

    def revoke(self, patient_id: PatientId, extract_id: ExtractId) -> None:
        """Revoke one extract; safe to repeat.

        Raises:
            Unavailable: the file may still be there; repeat.
        """
        with suppress(dynamo.ConditionFailed):
            dynamo.update(
                self._table,
                key(patient_id, extract_id),
                "SET #status = :revoked",
                {":revoked": "revoked"},
                condition="attribute_exists(pk)",
                names={"#status": "status"},
            )
        try:
            aws.s3().delete_object(Bucket=self._bucket, Key=object_key(extract_id))
        except (ClientError, BotoCoreError) as error:
            raise Unavailable from error

    def revoke_all(self, patient_id: PatientId, clinics: Collection[ClinicId]) -> None:
        """Revoke every extract of a patient from these clinics; safe to repeat.

        Raises:
            Unavailable: some files may still be there; repeat.
        """
        items = dynamo.query_all(
            self._table,
            "pk = :pk AND begins_with(sk, :extract)",
            {":pk": f"PATIENT#{patient_id}", ":extract": "EXTRACT#"},
        )
        for item in items:
            if item["clinic_id"] in clinics:
                self.revoke(patient_id, ExtractId(item["extract_id"]))


def answer(item: Item, now: datetime) -> dict[str, Any]:
    """An extract in the form of the contract."""
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
    if state == "ready":
        shown |= {name: item[name] for name in ("pages", "size", "sha256", "verification_code")}
        shown["expires_at"] = clock.from_epoch(item["file_expires_at"])
    return shown
