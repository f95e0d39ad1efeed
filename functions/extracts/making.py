"""Making one extract: safe to run twice, by two at once, and to be ended at any point.

Every run writes an object of its own and lists it in the extract's item before it uploads it. One
transaction then turns the extract ready and says which object counts; it succeeds once. Whatever
other runs uploaded is listed, and the sweeper deletes it.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from extracts import fhir
from extracts.document import ExtractDocument
from extracts.render import page_count, render
from extracts.signing import Signing
from extracts.sources import CardClosed, Opened, Sources
from kernel import aws, clock, dynamo, extracts, ids
from kernel.dynamo import Item
from kernel.errors import Unavailable
from kernel.identity import ExtractId, PatientId

# All tries failed. One message for it may still be replayed, so it is not final.
NOT_MADE = "not_made"
_WANTED = "(#status = :_pending OR (#status = :_failed AND #error = :_not_made))"
_WANTED_NAMES = {"#status": "status", "#error": "error"}
_WANTED_VALUES = {":_pending": "pending", ":_failed": "failed", ":_not_made": NOT_MADE}


class Making:
    """Makes the files of ordered extracts."""

    def __init__(
        self,
        sources: Sources,
        signing: Signing,
        *,
        table: str,
        bucket: str,
        bucket_key_id: str,
        portal_url: str,
    ) -> None:
        self._sources = sources
        self._signing = signing
        self._table = table
        self._bucket = bucket
        self._bucket_key_id = bucket_key_id
        self._portal_url = portal_url

    def make(self, patient_id: PatientId, extract_id: ExtractId) -> None:
        """Make one extract, unless it is made or taken back already.

        Raises:
            Unavailable: to be tried again.
            ExtractNotRendered: the engine refuses it.
        """
        order = dynamo.get(self._table, extracts.key(patient_id, extract_id))
        # One whose making failed is made after all when its message is replayed.
        if order is None or not _to_be_made(order):
            return
        try:
            opened = self._sources.open(order)
        except CardClosed:
            self.fail(order, "card_closed")
            return
        self._progress(order, 10)
        paper = self._sources.paper(order, opened, clock.now(), self._portal_url)
        self._progress(order, 40)
        pdf = self._pdf(paper, opened)
        name = extracts.object_key(ids.secret())
        if not self._listed(order, name):
            return  # taken back meanwhile
        self._upload(name, pdf)
        try:
            self._sources.open(order)  # consent may have been withdrawn while the file was made
        except CardClosed:
            self.fail(order, "card_closed")
            extracts.delete_files(self._bucket, [name])
            return
        if not self._ready(order, opened, paper, name, pdf):
            extracts.delete_files(self._bucket, [name])

    def fail(self, order: Item, reason: str) -> bool:
        """Say that an extract cannot be made, and why; False if it is not pending any more.

        What was uploaded for it is left to the sweeper. Raises Unavailable.
        """
        due = extracts.due(ExtractId(order["extract_id"]), clock.now() + extracts.SETTLED_AFTER)
        update = self._update(order, {"status": "failed", "error": reason, **due})
        try:
            dynamo.transact({"Update": update})
        except dynamo.ConditionFailed:
            return False
        return True

    def _progress(self, order: Item, percent: int) -> None:
        """Tell how far it is. Nothing depends on it, so no failure of it counts."""
        with suppress(Unavailable, dynamo.ConditionFailed):
            dynamo.update(
                self._table,
                extracts.key_of(order),
                "SET progress = :percent",
                {":percent": percent, ":pending": "pending"},
                condition="#status = :pending",
                names={"#status": "status"},
            )

    def _pdf(self, paper: ExtractDocument, opened: Opened) -> bytes:
        pdf = render(paper, attachments=[fhir.attachment(paper)])
        return self._signing.sign(pdf, opened.clinic, paper.issued_at)

    def _listed(self, order: Item, name: str) -> bool:
        """List an object before it is begun; False if the extract is not wanted any more."""
        due = extracts.due(ExtractId(order["extract_id"]), clock.now() + extracts.SETTLED_AFTER)
        at = {f":{name}": value for name, value in due.items()}
        try:
            dynamo.update(
                self._table,
                extracts.key_of(order),
                "SET progress = :percent, due_pk = :due_pk, due_sk = :due_sk ADD files :files",
                {":percent": 70, ":files": {name}, **at, **_WANTED_VALUES},
                condition=_WANTED,
                names=_WANTED_NAMES,
            )
        except dynamo.ConditionFailed:
            return False
        return True

    def _upload(self, name: str, pdf: bytes) -> None:
        try:
            aws.s3().put_object(
                Bucket=self._bucket,
                Key=name,
                Body=pdf,
                ContentType="application/pdf",
                ServerSideEncryption="aws:kms",
                SSEKMSKeyId=self._bucket_key_id,
                BucketKeyEnabled=True,
            )
        except (ClientError, BotoCoreError) as error:
            raise Unavailable from error

    def _ready(
        self, order: Item, opened: Opened, paper: ExtractDocument, name: str, pdf: bytes
    ) -> bool:
        """Turn an extract ready, with what finds its paper; False if this run's file is not it."""
        now = clock.now()
        patient_id, extract_id = PatientId(order["patient_id"]), ExtractId(order["extract_id"])
        sha256 = hashlib.sha256(pdf).hexdigest()
        update = self._update(
            order,
            {
                "status": "ready",
                "progress": 100,
                "file": name,
                "sha256": sha256,
                "size": len(pdf),
                "pages": page_count(pdf),
                "clinic": opened.clinic.brief,
                "issued_at": clock.rfc3339(paper.issued_at),
                "file_expires_at": clock.epoch(now + extracts.RETENTION),
                # By then no other run goes on; the sweeper clears up after them.
                **extracts.due(extract_id, now + extracts.SETTLED_AFTER),
            },
        )
        pointer = {"patient_id": patient_id, "extract_id": extract_id}
        pointers = [
            {"Put": dynamo.put_request(self._table, {**key, **pointer})}
            for key in (
                extracts.code_key(order["verification_code"]),
                extracts.file_key(sha256),
            )
        ]
        try:
            dynamo.transact({"Update": update}, *pointers)
        except dynamo.ConditionFailed:
            # Another run was faster, it was taken back, or this is our own write, repeated by the
            # client after a lost answer.
            current = dynamo.get(self._table, extracts.key(patient_id, extract_id))
            return current is not None and current.get("file") == name
        return True

    def _update(self, order: Item, values: Mapping[str, Any]) -> dict[str, Any]:
        """An Update that sets `values` of an extract that is still to be made."""
        update: dict[str, Any] = dynamo.update_request(
            self._table,
            extracts.key_of(order),
            "SET " + ", ".join(f"#{name} = :{name}" for name in values),
            {**{f":{name}": value for name, value in values.items()}, **_WANTED_VALUES},
            condition=_WANTED,
            names={f"#{name}": name for name in values} | _WANTED_NAMES,
        )
        return update


def _to_be_made(order: Item) -> bool:
    """The same as `_WANTED`."""
    if order["status"] == "failed":
        return bool(order["error"] == NOT_MADE)
    return bool(order["status"] == "pending")
