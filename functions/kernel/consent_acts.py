"""Acts on consents: each is one transaction of the consent, its scope and the cards' journals.

The patient gives and withdraws in their account; a registrar enters what was signed on paper. Both
come here. Every act moves the patient's HEAD on, so of two at once one wins, and the other looks
again at what there is now.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from kernel import clock, consents, dynamo, hashing, ids, signatures
from kernel.consents import EVERY_CLINIC, Document
from kernel.dynamo import Item
from kernel.errors import AlreadyExists, Conflict, NotFound, Unavailable, ValidationFailed
from kernel.errors import FieldProblem as Problem
from kernel.identity import AccountId, CardId, ClinicId, ConsentId, PatientId
from kernel.journal import Capacity, Entry, Journal
from kernel.registry import Clinic, Relation

Status = Literal["active", "withdrawn", "superseded", "expired"]
Method = Literal["electronic", "written"]
# A transaction holds 100 actions, three of which are the consent, its scope and the head.
_ENTRIES_IN_TRANSACTION = 90
_TRIES = 4
_RECEIPT = "consent-receipt+jwt"


class Consent(NamedTuple):
    """One consent as it was given; `clinic_id` None stands for every clinic of the patient.

    `closed` are the clinics that its withdrawal closed, until extracts are gone and they are told.
    """

    consent_id: ConsentId
    patient_id: PatientId
    clinic_id: ClinicId | None
    document_version: str
    document_sha256: str
    purpose: str
    method: Method
    amr: tuple[str, ...]
    given_at: str
    expires_at: str
    recorded_at: str
    recorded_by: AccountId
    receipt: str
    signed_on: str | None = None
    withdrawn_at: str | None = None
    closed: tuple[ClinicId, ...] = ()

    @property
    def scope(self) -> str:
        return self.clinic_id or EVERY_CLINIC

    @classmethod
    def from_item(cls, item: Item) -> "Consent":
        values = {name: item[name] for name in _FIELDS if name in item}
        return cls(**{**values, "amr": tuple(item["amr"]), "closed": tuple(item["closed"])})

    def to_item(self) -> dict[str, Any]:
        return {
            "pk": f"PATIENT#{self.patient_id}",
            "sk": f"CONSENT#{self.consent_id}",
            **{name: getattr(self, name) for name in _FIELDS},
        }

    def answer(self, status: Status) -> dict[str, Any]:
        """The form of the contract."""
        return {
            "consent_id": self.consent_id,
            "status": status,
            "document_version": self.document_version,
            "document_sha256": self.document_sha256,
            "clinic_id": self.clinic_id,
            "purpose": self.purpose,
            "method": self.method,
            "given_at": self.given_at,
            "expires_at": self.expires_at,
            "signed_on": self.signed_on,
            "withdrawn_at": self.withdrawn_at,
            "receipt": self.receipt,
        }


_FIELDS = (
    "consent_id",
    "patient_id",
    "clinic_id",
    "document_version",
    "document_sha256",
    "purpose",
    "method",
    "amr",
    "given_at",
    "expires_at",
    "recorded_at",
    "recorded_by",
    "receipt",
    "signed_on",
    "withdrawn_at",
    "closed",
)


@dataclass(frozen=True, slots=True)
class History:
    """All consents of a patient, the newest first, and which of them governs where."""

    consents: list[Consent] = field(default_factory=list)
    scopes: dict[str, Item] = field(default_factory=dict)
    acts: int = 0
    last_act_at: str = ""

    @classmethod
    def from_items(cls, items: Sequence[Item]) -> "History":
        head: Item = next((i for i in items if i["sk"] == "HEAD"), {})
        given = [Consent.from_item(i) for i in items if i["sk"].startswith("CONSENT#")]
        return cls(
            consents=sorted(given, key=lambda c: (c.recorded_at, c.consent_id), reverse=True),
            scopes={
                i["sk"].removeprefix("SCOPE#"): i for i in items if i["sk"].startswith("SCOPE#")
            },
            acts=head.get("acts", 0),
            last_act_at=head.get("last_act_at", ""),
        )

    def find(self, consent_id: str) -> Consent:
        """One of them.

        Raises:
            NotFound: this patient gave no such consent.
        """
        for consent in self.consents:
            if consent.consent_id == consent_id:
                return consent
        raise NotFound

    def status(self, consent: Consent, now: datetime) -> Status:
        """What a consent is worth at `now`. Expiry is judged here, not when it comes."""
        if consent.withdrawn_at:
            return "withdrawn"
        if not self._latest(consent):
            return "superseded"
        return "expired" if consent.expires_at <= clock.rfc3339(now) else "active"

    def governs(self, consent: Consent, clinic_id: ClinicId) -> bool:
        """Whether this is the consent that decides on that clinic's card."""
        scope = self._governing(clinic_id)
        return scope is not None and scope["consent_id"] == consent.consent_id

    def repeats(self, clinic_id: ClinicId | None, document: Document, now: datetime) -> bool:
        """Whether a consent of this scope would add nothing to what is in force.

        A clinic is covered by what governs there, narrow or wide. A narrower consent supersedes a
        wider one that no longer covers the clinic: given to an older document, or run out.
        """
        if clinic_id:
            governing = self._governing(clinic_id)
            return governing is not None and _in_force(governing, document, now)
        scope = self.scopes.get(EVERY_CLINIC)
        if scope is None or not _in_force(scope, document, now):
            return False
        later = [s for s in self.scopes.values() if s["given_at"] > scope["given_at"]]
        return all(_in_force(each, document, now) for each in later)

    def next_moment(self, now: datetime) -> str:
        """When the next act is recorded, in microseconds: after all before it, whoever's clock."""
        moment = now.astimezone(UTC)
        if self.last_act_at:
            last = datetime.fromisoformat(self.last_act_at)
            moment = max(moment, last + timedelta(microseconds=1))
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _latest(self, consent: Consent) -> bool:
        scope = self.scopes.get(consent.scope)
        if scope is None or scope["consent_id"] != consent.consent_id:
            return False
        return not consent.clinic_id or self.governs(consent, consent.clinic_id)

    def _governing(self, clinic_id: ClinicId) -> Item | None:
        return consents.governing([self.scopes.get(clinic_id), self.scopes.get(EVERY_CLINIC)])


def _in_force(scope: Item, document: Document, now: datetime) -> bool:
    return bool(
        scope["status"] == "active"
        and scope["expires_at"] > clock.rfc3339(now)
        and scope["document_version"] == document.version
    )


class Act(NamedTuple):
    """Who does it and as what: the patient, or a registrar for a paper; and when."""

    patient_id: PatientId
    account_id: AccountId
    capacity: Capacity
    now: datetime
    clinic_id: ClinicId | None = None


class Gift(NamedTuple):
    """What is given: to which text, for which clinic (None: every one), by which means."""

    document: Document
    clinic_id: ClinicId | None
    method: Method
    amr: tuple[str, ...]
    given_at: datetime
    signed_on: str | None = None


# Makes the extracts of these clinics' cards be gone; raises `Unavailable` where it could not.
RevokeExtracts = Callable[[PatientId, Sequence[ClinicId]], None]
# Tells these clinics that a consent was withdrawn, and when; raises `Unavailable`.
TellClinics = Callable[[ConsentId, PatientId, Sequence[ClinicId], str], None]


class ConsentActs:
    """Gives and withdraws consents."""

    def __init__(
        self,
        *,
        consents_table: str,
        registry_table: str,
        journal: Journal,
        receipt_key: str,
        lookup_key: str,
        issuer: str,
        revoke_extracts: RevokeExtracts,
        tell_clinics: TellClinics,
    ) -> None:
        self._table = consents_table
        self._registry = registry_table
        self._journal = journal
        self._receipt_key = receipt_key
        self._lookup_key = lookup_key
        self._issuer = issuer
        self._revoke_extracts = revoke_extracts
        self._tell_clinics = tell_clinics

    def history(self, patient_id: PatientId) -> History:
        """Everything that this patient ever gave or withdrew."""
        pk = f"PATIENT#{patient_id}"
        return History.from_items(dynamo.query_all(self._table, "pk = :pk", {":pk": pk}))

    def give(self, act: Act, gift: Gift) -> Consent:
        """Record a consent with its receipt.

        Raises:
            AlreadyExists: it adds nothing to what is in force.
            Conflict: others kept acting on this patient's consents.
            ValidationFailed: there is no such clinic.
        """
        relations = self._relations(act.patient_id)
        controllers = self._controllers(gift.clinic_id, relations)
        mine: set[ConsentId] = set()
        for attempt in range(_TRIES):
            history = self.history(act.patient_id)
            own = next((c for c in history.consents if c.consent_id in mine), None)
            if own:  # written after all: only the answer was lost
                return own
            if history.repeats(gift.clinic_id, gift.document, act.now):
                raise AlreadyExists
            self._finish_withdrawals(history)
            consent = self._consent(act, gift, history, controllers)
            mine.add(consent.consent_id)
            scope = {
                "pk": f"PATIENT#{act.patient_id}",
                "sk": f"SCOPE#{consent.scope}",
                "consent_id": consent.consent_id,
                "given_at": consent.recorded_at,
                "status": "active",
                "expires_at": consent.expires_at,
                "document_version": consent.document_version,
            }
            affected = [r for r in relations if gift.clinic_id in (None, r.clinic_id)]
            changes = [
                {
                    "Put": dynamo.put_request(
                        self._table, consent.to_item(), "attribute_not_exists(pk)"
                    )
                },
                {"Put": dynamo.put_request(self._table, scope)},
            ]
            if self._act(act, "consent_given", history, affected, changes, attempt):
                return consent
        raise Conflict

    def withdraw(self, act: Act, consent_id: str) -> Consent:
        """Withdraw a consent. When this returns, what it covered is closed, its extracts are gone,
        and the clinics are told.

        A repeat after a failure finishes what is left.

        Raises:
            NotFound: this patient gave no such consent.
            Conflict: it is superseded or has expired: there is nothing left to withdraw.
        """
        relations = self._relations(act.patient_id)
        for attempt in range(_TRIES + 1):
            history = self.history(act.patient_id)
            consent = history.find(consent_id)
            status = history.status(consent, act.now)
            if status == "withdrawn":  # by this act, by an earlier one, or by another at once
                self._finish_withdrawals(history)
                return consent
            if status != "active":
                raise Conflict("consent_ended")
            if attempt == _TRIES:
                raise Conflict
            affected = [r for r in relations if history.governs(consent, r.clinic_id)]
            # A narrow consent closes its clinic even where the patient has no relation to it yet.
            closed = sorted({r.clinic_id for r in affected} | {consent.clinic_id or ClinicId("")})
            changes = self._withdrawal(
                consent._replace(
                    withdrawn_at=clock.rfc3339(act.now),
                    closed=tuple(c for c in closed if c),
                )
            )
            self._act(act, "consent_withdrawn", history, affected, changes, attempt)
        raise Conflict  # not reached: the last round returns or raises

    def _withdrawal(self, consent: Consent) -> list[dict[str, Any]]:
        pk = f"PATIENT#{consent.patient_id}"
        return [
            {
                "Update": dynamo.update_request(
                    self._table,
                    {"pk": pk, "sk": f"CONSENT#{consent.consent_id}"},
                    "SET withdrawn_at = :at, closed = :closed",
                    {":at": consent.withdrawn_at, ":closed": consent.closed, ":none": None},
                    condition="withdrawn_at = :none",
                )
            },
            {
                "Update": dynamo.update_request(
                    self._table,
                    {"pk": pk, "sk": f"SCOPE#{consent.scope}"},
                    "SET #status = :withdrawn, withdrawn_at = :at",
                    {
                        ":withdrawn": "withdrawn",
                        ":at": consent.withdrawn_at,
                        ":id": consent.consent_id,
                    },
                    condition="consent_id = :id",
                    names={"#status": "status"},
                )
            },
        ]

    def _act(
        self,
        act: Act,
        action: str,
        history: History,
        affected: Sequence[Relation],
        changes: list[dict[str, Any]],
        attempt: int,
    ) -> bool:
        """Write changes, head and journal at once; False if another act may have come between."""
        entries = [self._entry(act, action, card_id) for r in affected for card_id in r.cards]
        inside, before = entries[:_ENTRIES_IN_TRANSACTION], entries[_ENTRIES_IN_TRANSACTION:]
        for entry in before:
            self._journal.write(entry)
        head = {
            "pk": f"PATIENT#{act.patient_id}",
            "sk": "HEAD",
            "acts": history.acts + 1,
            "last_act_at": history.next_moment(act.now),
        }
        # Of somebody entered twice the duplicate acts no more (kernel.consent_merge).
        condition = (
            "acts = :acts AND attribute_not_exists(merged_into)"
            if history.acts
            else "attribute_not_exists(pk)"
        )
        values = {":acts": history.acts} if history.acts else None
        try:
            dynamo.transact(
                {"Put": dynamo.put_request(self._table, head, condition, values)},
                *changes,
                *(self._journal.in_transaction(entry) for entry in inside),
            )
        except dynamo.ConditionFailed:
            self._did_not_happen(before)
            return False
        except Unavailable:
            # A conflict with another transaction, or an answer lost on the way: look again.
            self._did_not_happen(before)
            if attempt == _TRIES - 1:
                raise
            return False
        return True

    def _did_not_happen(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._journal.refused(entry, Conflict.code)

    def finish(self, patient_id: PatientId) -> History:
        """Finish withdrawals that broke off, and give the history as it is then."""
        self._finish_withdrawals(self.history(patient_id))
        return self.history(patient_id)

    def _finish_withdrawals(self, history: History) -> None:
        """Finish withdrawals that were recorded and then broke off: extracts gone, clinics told."""
        for consent in history.consents:
            if not consent.closed:
                continue
            self._revoke_extracts(consent.patient_id, consent.closed)
            self._tell_clinics(
                consent.consent_id,
                consent.patient_id,
                consent.closed,
                consent.withdrawn_at or "",
            )
            dynamo.update(
                self._table,
                {"pk": f"PATIENT#{consent.patient_id}", "sk": f"CONSENT#{consent.consent_id}"},
                "SET closed = :nothing",
                {":nothing": []},
            )

    def _consent(
        self, act: Act, gift: Gift, history: History, controllers: list[dict[str, str]]
    ) -> Consent:
        document = gift.document
        consent = Consent(
            consent_id=ConsentId(ids.time_ordered(act.now)),
            patient_id=act.patient_id,
            clinic_id=gift.clinic_id,
            document_version=document.version,
            document_sha256=document.sha256,
            purpose=document.purpose,
            method=gift.method,
            amr=gift.amr,
            given_at=clock.rfc3339(gift.given_at),
            expires_at=clock.rfc3339(document.valid_until(gift.given_at)),
            recorded_at=history.next_moment(act.now),
            recorded_by=act.account_id,
            receipt="",
            signed_on=gift.signed_on,
        )
        for given_to in _shorter(controllers):
            receipt = self._receipt(consent, document, given_to, act)
            if signatures.fits(self._receipt_key, receipt, _RECEIPT):
                break
        return consent._replace(receipt=signatures.sign(self._receipt_key, receipt, _RECEIPT))

    def _receipt(
        self, consent: Consent, document: Document, controllers: list[dict[str, str]], act: Act
    ) -> dict[str, Any]:
        """The canonical record, without a name: docs/consent.md lists its fields.

        Source: ISO/IEC TS 27560:2023, 152-ФЗ art. 9 part 4.
        """
        return {
            "iss": self._issuer,
            "jti": consent.consent_id,
            "iat": clock.epoch(act.now),
            "schema": "urn:medkarta:consent-receipt:2",
            "event": {"type": "explicit", "state": "given"},
            "subject": hashing.lookup_hash(self._lookup_key, "consent receipt", consent.patient_id)[
                :32
            ],
            "controllers": controllers,
            "document": {
                "version": document.version,
                "language": document.language,
                "title": document.title,
                "sha256": document.sha256,
            },
            "purpose": document.purpose,
            "legal_basis": list(document.legal_basis),
            "processing": {
                **document.processing,
                "means": ["automated", "paper"] if consent.method == "written" else ["automated"],
            },
            "scope": {"clinics": [consent.clinic_id] if consent.clinic_id else EVERY_CLINIC},
            "method": consent.method,
            "amr": list(consent.amr),
            "given_at": consent.given_at,
            "expires_at": consent.expires_at,
            "signed_on": consent.signed_on,
            "withdrawal": f"POST /v1/consents/{consent.consent_id}/withdraw",
        }

    def _controllers(
        self, clinic_id: ClinicId | None, relations: Sequence[Relation]
    ) -> list[dict[str, str]]:
        """The clinics that the consent is given to, as far as they are known when it is given."""
        wanted = [clinic_id] if clinic_id else [relation.clinic_id for relation in relations]
        places = [Clinic.lookup(self._registry, each) for each in wanted]
        items = dynamo.batch_get(places)
        if clinic_id and not items:
            raise ValidationFailed([Problem("clinic_id", "value")])
        clinics = [Clinic.from_item(items[place]) for place in places if place in items]
        return [
            {"clinic_id": c.clinic_id, "name": c.name, "address": c.address, "phone": c.phone}
            for c in clinics
        ]

    def _relations(self, patient_id: PatientId) -> list[Relation]:
        items = dynamo.query_all(
            self._registry,
            "pk = :pk AND begins_with(sk, :clinic)",
            {":pk": f"PATIENT#{patient_id}", ":clinic": "CLINIC#"},
        )
        return [Relation.from_item(item) for item in items]

    def _entry(self, act: Act, action: str, card_id: CardId) -> Entry:
        return self._journal.entry(
            card_id,
            now=act.now,
            account_id=act.account_id,
            capacity=act.capacity,
            clinic_id=act.clinic_id,
            action=action,
            section="consent",
        )


def _shorter(controllers: list[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    """The clinics in ever fewer words: KMS signs 4 KB, and somebody may have been in fifty.

    Each keeps its id, by which `GET /v1/clinics` tells the rest.
    """
    yield controllers
    for kept in (("clinic_id", "name"), ("clinic_id",)):
        yield [{name: each[name] for name in kept} for each in controllers]
    yield []
