"""Extracts at rest: orders, their progress, their files."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from kernel import aws, dynamo, extracts, records
from kernel.dynamo import Item
from kernel.errors import NotFound, Unavailable
from kernel.identity import CardId, ExtractId, PatientId, RecordId
from kernel.journal import Entry, Journal
from kernel.records import Head, Section

LINK_SECONDS = 300


class ExtractsRepository:
    """The extracts table, bucket and queue as patients' orders use them."""

    def __init__(
        self, *, extracts_table: str, records_table: str, bucket: str, queue_url: str
    ) -> None:
        self._extracts = extracts_table
        self._records = records_table
        self._bucket = bucket
        self._queue_url = queue_url
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="records")

    def head_lookup(self, card_id: CardId) -> dynamo.Lookup:
        return Head.lookup(self._records, card_id)

    def missing(
        self, card_id: CardId, head: Head, section: Section, record_ids: Sequence[RecordId]
    ) -> list[int]:
        """Which of the named records (their places) are not in this section of this card."""
        pk = records.partition(card_id, section)

        def known(record_id: RecordId) -> bool:
            versions = dynamo.query_all(
                self._records,
                "pk = :pk AND record_id = :id",
                {":pk": pk, ":id": record_id},
                index="by_record",
            )
            return any(head.shows(version) for version in versions)

        found = self._pool.map(known, record_ids)
        return [place for place, there in enumerate(found) if not there]

    def count(
        self,
        card_id: CardId,
        head: Head,
        section: Section,
        start: date | None,
        end: date | None,
        *,
        enough: int,
    ) -> int:
        """How many records a period holds, counted no further than `enough`."""
        pk = records.partition(card_id, section)
        first, last = records.days(start, end)
        total, position = 0, None
        while total < enough:
            page = dynamo.query(
                self._records,
                "pk = :pk AND sk BETWEEN :first AND :last",
                {":pk": pk, ":first": first, ":last": last},
                start=position,
            )
            shown = (v for v in page.items if head.shows(v) and records.within(v, start, end))
            total += sum(1 for _ in shown)
            position = page.next_key
            if position is None:
                break
        return total

    def order(self, item: dict[str, Any], entry: Entry, journal: Journal) -> None:
        """Keep the order together with its journal entry, then queue it.

        Raises:
            Unavailable: it could not be queued; the order is marked as failed.
        """
        put = dynamo.put_request(self._extracts, item, "attribute_not_exists(pk)")
        dynamo.transact({"Put": put}, journal.in_transaction(entry))
        body = {"patient_id": item["patient_id"], "extract_id": item["extract_id"]}
        try:
            aws.sqs().send_message(QueueUrl=self._queue_url, MessageBody=json.dumps(body))
        except (ClientError, BotoCoreError) as error:
            dynamo.update(
                self._extracts,
                extracts.key(PatientId(item["patient_id"]), ExtractId(item["extract_id"])),
                "SET #status = :failed, #error = :error",
                {":failed": "failed", ":error": "not_queued"},
                names={"#status": "status", "#error": "error"},
            )
            raise Unavailable from error

    def get(self, patient_id: PatientId, extract_id: ExtractId) -> Item:
        """One extract of a patient. Raises NotFound."""
        item = dynamo.get(self._extracts, extracts.key(patient_id, extract_id))
        if item is None:
            raise NotFound
        return item

    def page(
        self, patient_id: PatientId, limit: int, after: str | None
    ) -> tuple[list[Item], str | None]:
        """A patient's extracts, newest first, and where the next page starts."""
        pk = f"PATIENT#{patient_id}"
        page = dynamo.query(
            self._extracts,
            "pk = :pk AND begins_with(sk, :extract)",
            {":pk": pk, ":extract": "EXTRACT#"},
            limit=limit,
            forward=False,
            start={"pk": pk, "sk": after} if after else None,
        )
        return page.items, page.next_key["sk"] if page.next_key else None

    def link(self, extract_id: ExtractId, file_name: str) -> str:
        """A link to the file that lives for five minutes. `file_name` names no person."""
        disposition = f"attachment; filename=\"extract.pdf\"; filename*=UTF-8''{quote(file_name)}"
        return aws.s3().generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": extracts.object_key(extract_id),
                "ResponseContentDisposition": disposition,
                "ResponseContentType": "application/pdf",
                "ResponseCacheControl": "no-store",
            },
            ExpiresIn=LINK_SECONDS,
        )

    def by_code(self, code: str) -> Item | None:
        return self._pointed(extracts.code_key(code))

    def by_file(self, sha256: str) -> Item | None:
        return self._pointed(extracts.file_key(sha256.lower()))

    def _pointed(self, key: dict[str, str]) -> Item | None:
        pointer = dynamo.get(self._extracts, key)
        if pointer is None:
            return None
        patient_id, extract_id = pointer["patient_id"], pointer["extract_id"]
        return dynamo.get(self._extracts, extracts.key(patient_id, extract_id))
