"""Extracts at rest: orders, their progress, their files."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from extracts import queue
from kernel import aws, clock, dynamo, extracts, records
from kernel.dynamo import Item
from kernel.errors import IdempotencyMismatch, NotFound, Unavailable
from kernel.identity import CardId, ExtractId, PatientId, RecordId
from kernel.journal import Entry, Journal
from kernel.records import Head, Section

LINK_SECONDS = 300


class OrderKey(NamedTuple):
    """An `Idempotency-Key`, kept in the order's own transaction: it holds even if the process ends
    before `kernel.idempotency` kept the answer. `order` is a hash of what was asked for."""

    digest: str
    order: str
    until: int

    @classmethod
    def of(cls, key: str, body: bytes, card_id: CardId, now: datetime) -> "OrderKey":
        return cls(
            digest=hashlib.sha256(key.encode()).hexdigest(),
            order=hashlib.sha256(card_id.encode() + b"|" + body).hexdigest(),
            until=clock.epoch(now + timedelta(hours=24)),
        )

    def place(self, item: Item) -> dict[str, str]:
        return {"pk": item["pk"], "sk": f"ORDERED#{self.digest}"}

    def item(self, ordered: Item) -> Item:
        return {
            **self.place(ordered),
            "extract_id": ordered["extract_id"],
            "order": self.order,
            "expires_at": self.until,
        }


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
        self,
        card_id: CardId,
        head: Head,
        section: Section,
        record_ids: Sequence[RecordId],
        now: datetime,
    ) -> list[int]:
        """Which of the named records (their places) this section does not show its patient."""
        pk = records.partition(card_id, section)

        def known(record_id: RecordId) -> bool:
            versions = dynamo.query_all(
                self._records,
                "pk = :pk AND record_id = :id",
                {":pk": pk, ":id": record_id},
                index="by_record",
            )
            return any(_shows(head, version, now) for version in versions)

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
        now: datetime,
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
            visible = (v for v in page.items if _shows(head, v, now))
            shown = (v for v in visible if records.within(v, start, end))
            total += sum(1 for _ in shown)
            position = page.next_key
            if position is None:
                break
        return total

    def order(self, item: Item, key: OrderKey | None, entry: Entry, journal: Journal) -> Item:
        """Keep the order together with its journal entry, then queue it; the extract as it stands.

        With a key that ordered an extract before, that one is given, and nothing is done. An order
        that cannot be queued now is queued by the sweeper.

        Raises:
            IdempotencyMismatch: the key ordered something else.
        """
        puts = [item] if key is None else [item, key.item(item)]
        actions = [
            {
                "Put": dynamo.put_request(
                    self._extracts,
                    each,
                    "attribute_not_exists(pk) OR expires_at <= :now",
                    {":now": clock.epoch(entry.at)},
                )
            }
            for each in puts
        ]
        try:
            dynamo.transact(*actions, journal.in_transaction(entry))
        except dynamo.ConditionFailed:
            # The key was used, or this is our own write, repeated after a lost answer.
            item = self._ordered(item, key)
        if item["status"] == "pending":
            # The order stands: where this fails, its message comes later.
            with suppress(Unavailable):
                queue.send(self._queue_url, item)
        return item

    def _ordered(self, item: Item, key: OrderKey | None) -> Item:
        if key is None:
            return self.get(PatientId(item["patient_id"]), ExtractId(item["extract_id"]))
        kept = dynamo.get(self._extracts, key.place(item))
        if kept is None:
            raise Unavailable  # it ended between the two calls
        if kept["order"] != key.order:
            raise IdempotencyMismatch
        return self.get(PatientId(item["patient_id"]), ExtractId(kept["extract_id"]))

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
            limit=limit + 1,  # DynamoDB says "go on" at a limit that was reached, whatever follows
            forward=False,
            start={"pk": pk, "sk": after} if after else None,
        )
        if len(page.items) > limit:
            return page.items[:limit], page.items[limit - 1]["sk"]
        return page.items, page.next_key["sk"] if page.next_key else None

    def link(self, item: Item, file_name: str) -> str:
        """A link to the file that lives for five minutes. `file_name` names no person."""
        disposition = f"attachment; filename=\"extract.pdf\"; filename*=UTF-8''{quote(file_name)}"
        return aws.s3().generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": item["file"],
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


def _shows(head: Head, version: Item, now: datetime) -> bool:
    return head.shows(version) and records.why_left_out(version, now) is None
