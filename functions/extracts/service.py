"""Ordering extracts, following them, fetching them, taking them back, and checking papers."""

import base64
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any

from extracts import policy, queue
from extracts.policy import Wanted
from extracts.repository import LINK_SECONDS, ExtractsRepository, OrderKey
from kernel import clock, extracts, ids
from kernel.access import Action
from kernel.cursors import Cursors
from kernel.dynamo import Item
from kernel.errors import ExtractTooBroad, FieldProblem, NotFound, NotReady, ValidationFailed
from kernel.extracts import Revoking
from kernel.gate import Attempt, Gate, OpenCard
from kernel.identity import Actor, CardId, Claims, ExtractId, PatientId
from kernel.journal import Entry
from kernel.query import Paging
from kernel.records import Head
from kernel.texts import Language

if TYPE_CHECKING:
    from extracts.models import OrderExtract

_FILE_NAMES = {"ru": "Выписка {day}.pdf", "en": "Extract {day}.pdf"}


class Extracts:
    """What a patient does with extracts."""

    def __init__(
        self, repository: ExtractsRepository, revoking: Revoking, gate: Gate, cursors: Cursors
    ) -> None:
        self._repository = repository
        self._revoking = revoking
        self._gate = gate
        self._cursors = cursors

    def order(
        self,
        actor: Actor,
        opened: OpenCard,
        order: "OrderExtract",
        entry: Entry,
        key: OrderKey | None,
        language: Language,
    ) -> dict[str, Any]:
        """Order an extract of an open card; the worker makes it. The same key orders one.

        Raises:
            IdempotencyMismatch
            ValidationFailed: the order contradicts itself, or names a record that is not there.
            ExtractTooBroad
            Unavailable
        """
        wanted = policy.wanted(order)
        self._check_records(opened, wanted)
        extract_id = ExtractId(ids.time_ordered(opened.now))
        item: dict[str, Any] = {
            **extracts.key(opened.card.patient_id, extract_id),
            "extract_id": extract_id,
            "patient_id": opened.card.patient_id,
            "account_id": actor.account_id,
            "card_id": opened.card.card_id,
            "clinic_id": opened.card.clinic_id,
            "kind": wanted.kind,
            "language": wanted.language,
            "record_ids": list(wanted.record_ids),
            "from": str(wanted.start) if wanted.start else None,
            "to": str(wanted.end) if wanted.end else None,
            "status": "pending",
            "progress": 0,
            "created_at": clock.rfc3339(opened.now),
            "verification_code": _verification_code(),
            **extracts.due(extract_id, opened.now + queue.FIRST_AFTER),
        }
        ordered = self._repository.order(item, key, entry, self._gate.journal)
        return extracts.answer(ordered, opened.now, language)

    def listing(
        self,
        patient_id: PatientId,
        page: Paging,
        binding: str,
        now: datetime,
        language: Language,
    ) -> dict[str, Any]:
        """A page of one's extracts, newest first. Raises CursorInvalid."""
        position = self._cursors.read(page.cursor, binding)
        items, after = self._repository.page(
            patient_id, page.limit, position["sk"] if position else None
        )
        return {
            "items": [extracts.answer(item, now, language) for item in items],
            "next_cursor": self._cursors.make({"sk": after} if after else None, binding),
        }

    def one(
        self, patient_id: PatientId, extract_id: ExtractId, now: datetime, language: Language
    ) -> dict[str, Any]:
        """How far an extract is. Raises NotFound."""
        return extracts.answer(self._repository.get(patient_id, extract_id), now, language)

    def link(
        self, claims: Claims, patient_id: PatientId, extract_id: ExtractId, now: datetime
    ) -> dict[str, Any]:
        """A link to the file, for as long as the card is open.

        Raises:
            NotFound: no such extract, or none with a file.
            NotReady: it is still being made.
            AccessStepFailed: the card is closed.
        """
        item = self._repository.get(patient_id, extract_id)
        status = extracts.status(item, now)
        if status not in ("pending", "ready"):
            raise NotFound
        attempt = Attempt(claims, Action.EXTRACT_OWN, "extracts", now)
        _, _, entry = self._gate.enter(attempt, CardId(item["card_id"]))
        if status == "pending":
            raise NotReady
        self._gate.journal.write(entry)
        name = _FILE_NAMES[item["language"]].format(day=item["created_at"][:10])
        return {"url": self._repository.link(item, name), "expires_in": LINK_SECONDS}

    def delete(
        self, actor: Actor, patient_id: PatientId, extract_id: ExtractId, now: datetime
    ) -> None:
        """Take an extract back; safe to repeat. Raises NotFound."""
        item = self._repository.get(patient_id, extract_id)
        entry = self._gate.journal.entry(
            CardId(item["card_id"]),
            now=now,
            account_id=actor.account_id,
            capacity="patient",
            action="delete_extract",
            section="extracts",
        )
        self._gate.journal.write(entry)
        self._revoking.revoke(patient_id, extract_id)

    def verify_code(self, code: str, now: datetime) -> dict[str, Any]:
        """Whether a paper with this code is genuine. Raises NotFound."""
        return _verified(self._repository.by_code(_normal_code(code)), now)

    def verify_file(self, sha256: str, now: datetime) -> dict[str, Any]:
        """Whether a file with this hash is ours. Raises NotFound."""
        return _verified(self._repository.by_file(sha256), now)

    def _check_records(self, opened: OpenCard, wanted: Wanted) -> None:
        card_id = opened.card.card_id
        head = Head.from_item(opened.items.get(self._repository.head_lookup(card_id)))
        if wanted.record_ids:
            missing = self._repository.missing(
                card_id, head, wanted.section, wanted.record_ids, opened.now
            )
            if missing:
                raise ValidationFailed(
                    [FieldProblem(f"record_ids.{place}", "value") for place in missing]
                )
        elif wanted.start:
            most = policy.MOST_RECORDS
            held = self._repository.count(
                card_id,
                head,
                wanted.section,
                wanted.start,
                wanted.end,
                enough=most + 1,
                now=opened.now,
            )
            if held > most:
                raise ExtractTooBroad([FieldProblem("to", "too_many", {"max_length": most})])


def _verified(item: Item | None, now: datetime) -> dict[str, Any]:
    if item is None or "sha256" not in item:
        raise NotFound
    status = extracts.status(item, now)
    return {
        "status": {"ready": "valid"}.get(status, status),
        "kind": item["kind"],
        "clinic": item["clinic"],
        "issued_at": item["issued_at"],
        "sha256": item["sha256"],
    }


def _verification_code() -> str:
    """100 random bits in 20 letters and digits that are hard to confuse (RFC 4648 base 32)."""
    return base64.b32encode(secrets.token_bytes(13)).decode()[:20]


def _normal_code(code: str) -> str:
    """A code as typed from paper: groups, spaces, small letters and look-alikes allowed."""
    letters = "".join(c for c in code.upper() if c.isalnum())
    return letters.translate(str.maketrans("01ОВЕТ", "OIOBET"))
