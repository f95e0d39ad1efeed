"""Imports: what is too large for a request comes as a file, and a worker takes it.

Records table:
    CARD#<id>#I | <import>    who asked, how far it is, and, sealed, what became of it

A file is one Bundle and becomes visible at once, like one that came in a request, whatever its
type. The outcome is written in the transaction that makes it visible, so that a worker that was
killed, or that runs twice, neither loses nor repeats anything.
"""

import hashlib
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from clinic.fhir.bundle import MAX_ENTRIES
from clinic.fhir.exact_json import dumps
from clinic.intake import Intake, Outcome
from clinic.payloads import Payloads
from kernel import access, accounts, aws, clock, consents, dynamo, ids
from kernel.access import Action, CardFacts, ClinicFacts
from kernel.api import FHIR_JSON
from kernel.dynamo import Item
from kernel.errors import (
    BodyTooLarge,
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    MedkartaError,
    NotFound,
    Refused,
    Unavailable,
)
from kernel.gate import OpenCard
from kernel.identity import AccountId, Actor, CardId, ClinicId, SessionId
from kernel.journal import Entry, Journal
from kernel.registry import Card, Clinic, Region, Relation
from kernel.sealing import DataKey, KeyDestroyed, Keyring
from kernel.texts import Language

LIMIT = 50 * 1024 * 1024
UPLOAD_SECONDS = 3600
# From the last upload that the form allows: five tries of the worker, an hour apart.
_GIVEN_UP = timedelta(hours=8)
_KEPT = timedelta(days=30)
_PATIENCE = 12  # times five seconds, while another intake has the card


class Tables(NamedTuple):
    accounts: str
    registry: str
    records: str


class Imports:
    """Orders of imports, and their state."""

    def __init__(self, *, tables: Tables, bucket: str, keyring: Keyring, journal: Journal) -> None:
        self._tables = tables
        self._bucket = bucket
        self._keyring = keyring
        self._journal = journal

    def order(
        self, opened: OpenCard, actor: Actor, entry: Entry, language: Language, key: str | None
    ) -> Item:
        """Keep an order, with the form by which its file is uploaded.

        The same `key` of the same clinician names the same order; the form is made anew, for it
        opens the bucket, and is kept nowhere.
        """
        card_id = opened.card.card_id
        import_id = _named_by(key, card_id, actor) if key else ids.secret()
        now = opened.now
        item = {
            **_key(card_id, import_id),
            "import_id": import_id,
            "status": "waiting",
            "created_at": clock.rfc3339(now),
            "account_id": actor.account_id,
            "language": language,
            "purpose": entry.purpose,
            "expires_at": clock.epoch(now + _KEPT),
        }
        put = dynamo.put_request(self._tables.records, item, "attribute_not_exists(pk)")
        try:
            dynamo.transact({"Put": put}, self._journal.in_transaction(entry))
        except dynamo.ConditionFailed:  # ordered before
            dynamo.transact(self._journal.in_transaction(entry))
        return {"import_id": import_id, "upload": self._form(_object(card_id, import_id))}

    def _form(self, key: str) -> dict[str, Any]:
        """A form for one file of one type, of a bounded size, for an hour (S3 POST policy)."""
        # The bucket encrypts by its KMS key; a policy that does not name encryption forbids other.
        try:
            form: dict[str, Any] = aws.s3().generate_presigned_post(
                Bucket=self._bucket,
                Key=key,
                Fields={"Content-Type": FHIR_JSON},
                Conditions=[
                    {"Content-Type": FHIR_JSON},
                    ["content-length-range", 1, LIMIT],
                ],
                ExpiresIn=UPLOAD_SECONDS,
            )
        except (ClientError, BotoCoreError) as error:
            raise Unavailable from error
        return form

    def state(self, opened: OpenCard, import_id: str) -> dict[str, Any]:
        """How far an import is, and what became of its entries. Raises NotFound."""
        card_id = opened.card.card_id
        item = dynamo.get(self._tables.records, _key(card_id, import_id[:64]))
        if item is None:
            raise NotFound
        status = _status(item, opened.now)
        answer: dict[str, Any] = {
            "import_id": import_id,
            "status": status,
            "created_at": item["created_at"],
            "finished_at": item.get("finished_at"),
            **dict.fromkeys(("created", "updated", "unchanged", "kept", "rejected")),
            "error": item.get("error") or ("interrupted" if status == "failed" else None),
        }
        if "outcome" in item:
            key = self._open_key(card_id)
            answer |= json.loads(key.open(item["outcome"], _place(card_id, import_id)))
        return answer

    def _open_key(self, card_id: CardId) -> DataKey:
        try:
            return self._keyring.get(f"CARD#{card_id}")
        except KeyDestroyed as error:
            raise NotFound from error


class Worker:
    """Takes uploaded files; safe to run twice, and to be killed anywhere."""

    def __init__(
        self,
        *,
        tables: Tables,
        bucket: str,
        intake: Intake,
        keyring: Keyring,
        journal: Journal,
        payloads: Payloads,
    ) -> None:
        self._tables = tables
        self._bucket = bucket
        self._intake = intake
        self._keyring = keyring
        self._journal = journal
        self._payloads = payloads

    def run(self, card_id: CardId, import_id: str, *, last: bool) -> None:
        """Take the file of one import, unless that is done already.

        `last`: nobody will try again, so that a failure is final.

        Raises:
            MedkartaError: to be tried again.
        """
        item = dynamo.get(self._tables.records, _key(card_id, import_id))
        if item is not None and item["status"] in ("waiting", "running"):
            try:
                self._take(card_id, item)
            except MedkartaError as error:
                if not last:
                    raise
                self._turn(card_id, import_id, error.code)
                raise
        self._payloads.drop([_object(card_id, import_id)])

    def _take(self, card_id: CardId, item: Item) -> None:
        import_id: str = item["import_id"]
        body = self._download(_object(card_id, import_id))
        if body is None:  # taken and deleted by a run of the same message that is still going on
            return
        self._turn(card_id, import_id, None)
        now = clock.now()
        language: Language = item["language"]
        try:
            opened, clinic_id = self._admit(card_id, AccountId(item["account_id"]), now)
            entry = self._journal.entry(
                card_id,
                now=now,
                account_id=AccountId(item["account_id"]),
                capacity="clinician",
                action=Action.WRITE_AS_CLINICIAN,
                section="records",
                clinic_id=clinic_id,
                purpose=item.get("purpose"),
            )
            self._patiently(opened, body, entry, language, item)
        except (Malformed, Invalid, BodyTooLarge, Refused, NotFound) as error:
            self._turn(card_id, import_id, error.code, _problems(error), now)

    def _patiently(
        self, opened: OpenCard, body: bytes, entry: Entry, language: Language, item: Item
    ) -> None:
        """Wait for a minute where another intake has the card."""
        card_id, import_id = opened.card.card_id, item["import_id"]

        def finish(outcome: Outcome, key: DataKey) -> Sequence[dict[str, Any]]:
            sealed = key.seal(dumps(outcome.answer()).encode(), _place(card_id, import_id))
            return [{"Update": self._finished(card_id, import_id, sealed)}]

        for attempt in range(_PATIENCE):
            try:
                self._intake.take(
                    opened, body, entry=entry, language=language, most=MAX_ENTRIES, finish=finish
                )
                return
            except Conflict:
                if attempt == _PATIENCE - 1 or self._is_done(card_id, import_id):
                    raise
                time.sleep(5)

    def _is_done(self, card_id: CardId, import_id: str) -> bool:
        item = dynamo.get(self._tables.records, _key(card_id, import_id))
        return item is None or item["status"] not in ("waiting", "running")

    def _finished(self, card_id: CardId, import_id: str, sealed: bytes) -> dict[str, Any]:
        update: dict[str, Any] = dynamo.update_request(
            self._tables.records,
            _key(card_id, import_id),
            "SET #status = :done, outcome = :outcome, finished_at = :now",
            {
                ":done": "done",
                ":outcome": sealed,
                ":now": clock.rfc3339(clock.now()),
                ":running": "running",
            },
            condition="#status = :running",
            names={"#status": "status"},
        )
        return update

    def _turn(
        self,
        card_id: CardId,
        import_id: str,
        error: str | None,
        problems: list[dict[str, str]] | None = None,
        now: datetime | None = None,
    ) -> None:
        """Running, or failed for good with a code and, sealed, the reasons."""
        values: dict[str, Any] = {":from": "waiting", ":running": "running"}
        expression = "SET #status = :running, started_at = :now"
        values[":now"] = clock.rfc3339(now or clock.now())
        if error is not None:
            expression = "SET #status = :failed, #error = :error, finished_at = :now"
            values |= {":failed": "failed", ":error": error}
            if problems:
                key = self._keyring.get(f"CARD#{card_id}")
                payload = dumps({"errors": problems}).encode()
                expression += ", outcome = :outcome"
                values[":outcome"] = key.seal(payload, _place(card_id, import_id))
        names = {"#status": "status"} | ({"#error": "error"} if error else {})
        try:
            dynamo.update(
                self._tables.records,
                _key(card_id, import_id),
                expression,
                values,
                condition="#status IN (:from, :running)",
                names=names,
            )
        except dynamo.ConditionFailed as lost:
            raise Conflict from lost

    def _download(self, key: str) -> bytes | None:
        try:
            return aws.s3().get_object(Bucket=self._bucket, Key=key)["Body"].read(LIMIT + 1)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise Unavailable from error
        except BotoCoreError as error:
            raise Unavailable from error

    def _admit(
        self, card_id: CardId, account_id: AccountId, now: datetime
    ) -> tuple[OpenCard, ClinicId]:
        """Decide anew, on what is true now: the form was given an hour ago.

        Raises:
            NotFound, Forbidden, AccessStepFailed
        """
        registry = self._tables.registry
        card_place = Card.lookup(registry, card_id)
        state_place = accounts.state_lookup(self._tables.accounts, account_id)
        first = dynamo.batch_get([card_place, state_place])
        if card_place not in first:
            raise NotFound
        card = Card.from_item(first[card_place])
        state = first.get(state_place)
        if state is None or state.get("disabled"):
            raise Forbidden
        region_place = Region.lookup(registry, card.region)
        clinic_place = Clinic.lookup(registry, card.clinic_id)
        relation_place = Relation.lookup(registry, card.patient_id, card.clinic_id)
        items = dynamo.batch_get([region_place, clinic_place, relation_place])
        relation = Relation.from_item(items[relation_place]) if relation_place in items else None
        region, clinic = items.get(region_place), items.get(clinic_place)
        facts = ClinicFacts(
            region_connected=bool(region and region["connected"]),
            clinic_connected=bool(clinic and clinic["connected"]),
            attached=bool(relation and relation.attached),
            activated=bool(relation and relation.holds(card_id)),
            consent=consents.state([], now),  # a clinic writes without it
        )
        related = relation is not None and (relation.attached or relation.card_id is not None)
        treated_at = card.clinic_id if related else None
        # The session that ordered it had a worker's method, else the order had been refused.
        actor = accounts.actor(account_id, SessionId(""), state, {"amr": ["otp"], "fresh_until": 0})
        facts_of_card = CardFacts(card.patient_id, card.clinic_id, facts, treated_at)
        decision = access.decide(actor, Action.WRITE_AS_CLINICIAN, facts_of_card)
        if decision.refusal is not None:
            raise decision.refusal
        return OpenCard(card, {}, now), card.clinic_id


def _problems(error: MedkartaError) -> list[dict[str, str]]:
    found = getattr(error, "problems", ())
    return [{"field": p.field, "code": p.code, "message": p.message or ""} for p in found]


def _status(item: Item, now: datetime) -> str:
    """`waiting`, `running`, `done` or `failed`; what nobody will ever finish has failed."""
    status: str = item["status"]
    since = datetime.fromisoformat(item["created_at"].replace("Z", "+00:00"))
    if status in ("waiting", "running") and now - since > _GIVEN_UP:
        return "failed"
    return status


def _key(card_id: CardId, import_id: str) -> dict[str, str]:
    return {"pk": f"CARD#{card_id}#I", "sk": import_id}


def _named_by(key: str, card_id: CardId, actor: Actor) -> str:
    """The import of an `Idempotency-Key`: derived, so that nothing has to be kept for it."""
    said = json.dumps([actor.account_id, card_id, key]).encode()
    return urlsafe_b64encode(hashlib.sha256(said).digest()[:24]).decode()


def _place(card_id: CardId, import_id: str) -> str:
    return f"records/CARD#{card_id}#I/{import_id}/outcome"


def _object(card_id: CardId, import_id: str) -> str:
    return f"imports/{card_id}/{import_id}"


def parse_object(key: str) -> tuple[CardId, str] | None:
    """The card and the import of an uploaded object's key."""
    folder, _, rest = key.partition("/")
    card_id, _, import_id = rest.partition("/")
    return (CardId(card_id), import_id) if folder == "imports" and import_id else None
