"""The gate: reads the facts, asks `access.decide`, keeps the journal, and only then gives out.

A card is read in two round trips: first what `card_id` needs to find its keys; then, side by side,
one strongly consistent batch of facts, the journal's entry, and the route's own reading. The
route's answer is dropped unless the decision allows it and the entry stands.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple, TypeVar

from kernel import accounts, clock, consents, dynamo, hiding
from kernel.access import Action, CardFacts, ClinicFacts, decide
from kernel.dynamo import Item, Lookup
from kernel.emergency import Grant
from kernel.errors import AccessStepFailed, MedkartaError, SessionRevoked, TokenExpired
from kernel.hiding import NOTHING, Hidden
from kernel.identity import Actor, CardId, Claims, ClinicId
from kernel.journal import Entry, Journal
from kernel.registry import Card, Clinic, Region, Relation

T = TypeVar("T")


class Tables(NamedTuple):
    """The tables whose facts decide."""

    accounts: str
    registry: str
    consents: str
    journal: str


class OpenCard(NamedTuple):
    """A card on its way out: whose it is, and what was read together with it.

    `hidden` is what the patient hides from clinicians, `withheld` what of it this reader must not
    see: all for a clinician, nothing for the patient or in an emergency (`emergency`: its clinic).
    """

    card: Card
    items: dict[Lookup, Item]
    now: datetime
    hidden: Hidden = NOTHING
    withheld: Hidden = NOTHING
    emergency: ClinicId | None = None


class Attempt(NamedTuple):
    """One request at the gate: who asks for what, when, and for which stated purpose."""

    claims: Claims
    action: Action
    section: str | None
    now: datetime
    purpose: str | None = None


class _Facts(NamedTuple):
    actor: Actor
    card: CardFacts
    support: dict[str, str | None]


class Gate:
    """One for each function. `with_card` names items to read in the first trip with the card."""

    def __init__(
        self,
        tables: Tables,
        *,
        with_card: Callable[[CardId], Sequence[Lookup]] = lambda _: (),
    ) -> None:
        self._tables = tables
        self._with_card = with_card
        self.journal = Journal(tables.journal)
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="gate")

    def actor(self, claims: Claims, now: datetime) -> Actor:
        """The person behind the claims, as they are now.

        Raises:
            TokenExpired, SessionRevoked: nobody may act by these claims any more.
        """
        lookups = self._identity_lookups(claims)
        return self._actor(claims, dynamo.batch_get(lookups), now)

    def read(self, attempt: Attempt, card_id: CardId, work: Callable[[OpenCard], T]) -> T:
        """Let `work` read, while the facts are read; give its result only if they allow it."""
        opened = self._find(attempt, card_id)
        entry = self._entry(attempt, opened)
        expected = self._expects_relation(attempt, opened)
        facts_reading = self._pool.submit(self._facts, attempt, opened)
        # Strangers' entries do not go into the patient's journal, so theirs waits for the facts.
        writing = self._pool.submit(self.journal.write, entry) if expected else None
        result: T | None = None
        failure: MedkartaError | None = None
        if expected:
            try:
                result = work(opened)
            except MedkartaError as error:
                failure = error
        try:
            facts = facts_reading.result()
        except MedkartaError as error:
            if writing is not None:
                writing.result()
                self.journal.refused(entry, error.code)
            raise
        decision = decide(facts.actor, attempt.action, facts.card)
        if decision.refusal is not None:
            if writing is not None:
                writing.result()
            self._note_refusal(
                attempt, entry, decision.relation, decision.refusal, writing is not None
            )
            raise _with_support(decision.refusal, facts)
        if writing is None:
            self.journal.write(entry)
            result = work(opened)
        else:
            writing.result()
        if failure is not None:
            self.journal.refused(entry, failure.code)
            raise failure
        return result  # type: ignore[return-value]  # set wherever no failure was raised

    def enter(self, attempt: Attempt, card_id: CardId) -> tuple[OpenCard, Actor, Entry]:
        """Decide before anything is done. The caller writes the entry together with its change."""
        opened = self._find(attempt, card_id)
        facts = self._facts(attempt, opened)
        entry = self._entry(attempt, opened)
        decision = decide(facts.actor, attempt.action, facts.card)
        if decision.refusal is not None:
            self._note_refusal(attempt, entry, decision.relation, decision.refusal, False)
            raise _with_support(decision.refusal, facts)
        return opened, facts.actor, entry

    def _find(self, attempt: Attempt, card_id: CardId) -> OpenCard:
        place = Card.lookup(self._tables.registry, card_id)
        hidden_place = hiding.lookup(self._tables.consents, card_id)
        grant_place = Grant.lookup(self._tables.consents, card_id, attempt.claims.account_id)
        reading = attempt.action is Action.READ_AS_CLINICIAN
        lookups = [place, hidden_place, *self._with_card(card_id)]
        items = dynamo.batch_get([*lookups, grant_place] if reading else lookups)
        found = items.get(place)
        if found is None:
            actor = self.actor(attempt.claims, attempt.now)
            refusal = decide(actor, attempt.action, None).refusal
            assert refusal is not None  # a card that does not exist is refused to everybody
            self.journal.stranger_refused(
                actor.account_id, card_id, attempt.action, refusal.code, attempt.now
            )
            raise refusal
        hidden = Hidden.from_item(items.get(hidden_place))
        grant = Grant.from_item(items[grant_place]) if grant_place in items else None
        emergency = grant.clinic_id if grant and grant.live(attempt.now) else None
        return OpenCard(
            Card.from_item(found),
            items,
            attempt.now,
            hidden=hidden,
            withheld=NOTHING if attempt.action.own or emergency else hidden,
            emergency=emergency,
        )

    def _identity_lookups(self, claims: Claims) -> list[Lookup]:
        table = self._tables.accounts
        return [
            accounts.state_lookup(table, claims.account_id),
            accounts.session_lookup(table, claims.account_id, claims.session_id),
        ]

    def _actor(self, claims: Claims, items: dict[Lookup, Item], now: datetime) -> Actor:
        moment = clock.epoch(now)
        state, session = (items.get(lookup) for lookup in self._identity_lookups(claims))
        if state is None or session is None or state.get("disabled"):
            raise SessionRevoked
        if not accounts.session_alive(session, moment):
            raise SessionRevoked
        # The gateway caches what the authorizer said, so the token's end is judged here.
        if claims.expires_at <= moment:
            raise TokenExpired
        return accounts.actor(claims.account_id, claims.session_id, state, session)

    def _facts(self, attempt: Attempt, opened: OpenCard) -> _Facts:
        card = opened.card
        registry = self._tables.registry
        region = Region.lookup(registry, card.region)
        clinic = Clinic.lookup(registry, card.clinic_id)
        keeping = Relation.lookup(registry, card.patient_id, card.clinic_id)
        asking = [
            Relation.lookup(registry, card.patient_id, clinic_id)
            for clinic_id in attempt.claims.clinics
            if not attempt.action.own
        ]
        scopes = consents.scope_lookups(self._tables.consents, card.patient_id, card.clinic_id)
        items = dynamo.batch_get(
            [*self._identity_lookups(attempt.claims), region, clinic, keeping, *asking, *scopes]
        )
        actor = self._actor(attempt.claims, items, attempt.now)
        relation = Relation.from_item(items[keeping]) if keeping in items else None
        region_item, clinic_item = items.get(region), items.get(clinic)
        facts = ClinicFacts(
            region_connected=bool(region_item and region_item["connected"]),
            clinic_connected=bool(clinic_item and clinic_item["connected"]),
            attached=bool(relation and relation.attached),
            activated=bool(relation and relation.holds(card.card_id)),
            consent=consents.state([items.get(scope) for scope in scopes], attempt.now),
        )
        region_support = Region.from_item(region_item).support if region_item else {}
        desk = clinic_item["phone"] if clinic_item and facts.region_connected else None
        support = {**region_support, "phone": desk or region_support.get("phone")}
        return _Facts(
            actor,
            CardFacts(
                patient_id=card.patient_id,
                clinic_id=card.clinic_id,
                facts=facts,
                treated_at=_treated_at(actor, [items[a] for a in asking if a in items]),
                emergency_at=opened.emergency,
            ),
            support,
        )

    def _expects_relation(self, attempt: Attempt, opened: OpenCard) -> bool:
        """What the claims suggest; the decision is taken on the tables' facts."""
        if attempt.action.own:
            return attempt.claims.patient_id == opened.card.patient_id
        return (opened.emergency or opened.card.clinic_id) in attempt.claims.clinics

    def _entry(self, attempt: Attempt, opened: OpenCard) -> Entry:
        own = attempt.action.own
        return self.journal.entry(
            opened.card.card_id,
            now=attempt.now,
            account_id=attempt.claims.account_id,
            capacity="patient" if own else "clinician",
            action=attempt.action,
            section=attempt.section,
            clinic_id=None if own else next(iter(attempt.claims.clinics), None),
            purpose=attempt.purpose,
            emergency=opened.emergency is not None,
            hidden_shown=opened.emergency is not None and opened.hidden.touches(attempt.section),
        )

    def _note_refusal(
        self, attempt: Attempt, entry: Entry, relation: str, refusal: MedkartaError, written: bool
    ) -> None:
        if relation == "none" and not written:
            self.journal.stranger_refused(
                attempt.claims.account_id, entry.card_id, attempt.action, refusal.code, attempt.now
            )
            return
        if not written:
            self.journal.write(entry)
        self.journal.refused(entry, refusal.code)


def _treated_at(actor: Actor, relations: Sequence[Item]) -> ClinicId | None:
    appointment = actor.appointment("clinician")
    for item in relations:
        relation = Relation.from_item(item)
        related = relation.attached or bool(relation.cards)
        if appointment and relation.clinic_id == appointment.clinic_id and related:
            return relation.clinic_id
    return None


def _with_support(refusal: MedkartaError, facts: _Facts) -> MedkartaError:
    if isinstance(refusal, AccessStepFailed):
        return AccessStepFailed(refusal.code, support=facts.support, reason=refusal.reason)
    return refusal
