"""Who may see a card. Pure: facts in, decision out; the gate reads the facts.

The patient's card opens when all six steps are true, in the order in which the contract lists
them; the first that fails names the refusal. A clinician needs a relation between the patient and
their clinic; without one every card is refused alike, whether it exists or not. Emergency access
takes the place of relation and consent, for reading alone.
"""

from enum import StrEnum
from typing import Literal, NamedTuple

from kernel.consents import ConsentState
from kernel.errors import AccessStepFailed, Forbidden, MedkartaError, NotFound
from kernel.identity import Actor, ClinicId, Level, PatientId


class Step(StrEnum):
    """The conditions of the portal for seeing one's card."""

    ACCOUNT_VERIFIED = "account_verified"
    REGION_CONNECTED = "region_connected"
    CLINIC_CONNECTED = "clinic_connected"
    ATTACHED = "attached"
    CARD_ACTIVATED = "card_activated"
    CONSENT_GIVEN = "consent_given"


CODES = {
    Step.ACCOUNT_VERIFIED: "account_not_verified",
    Step.REGION_CONNECTED: "region_not_connected",
    Step.CLINIC_CONNECTED: "clinic_not_connected",
    Step.ATTACHED: "not_attached",
    Step.CARD_ACTIVATED: "card_not_activated",
    Step.CONSENT_GIVEN: "consent_required",
}


class Action(StrEnum):
    """What is done to a card, and in which capacity: by its patient or by a clinician."""

    READ_OWN = "read_own"
    EXTRACT_OWN = "extract_own"
    JOURNAL_OWN = "journal_own"
    CONTEST_OWN = "contest_own"
    HIDE_OWN = "hide_own"
    READ_AS_CLINICIAN = "read_as_clinician"
    WRITE_AS_CLINICIAN = "write_as_clinician"

    @property
    def own(self) -> bool:
        return self not in (Action.READ_AS_CLINICIAN, Action.WRITE_AS_CLINICIAN)

    @property
    def open_while_closed(self) -> bool:
        """What a patient may do with their card's journal whatever step is missing."""
        return self in (Action.JOURNAL_OWN, Action.CONTEST_OWN)


class ClinicFacts(NamedTuple):
    """What stands between one patient and one clinic."""

    region_connected: bool
    clinic_connected: bool
    attached: bool
    activated: bool
    consent: ConsentState


class CardFacts(NamedTuple):
    """A card that exists, and the facts that decide on it.

    `treated_at` is the clinic of the asking clinician if the patient is attached there or was
    treated there, else None; `emergency_at` the one for which they opened this very card in an
    emergency, while that lasts.
    """

    patient_id: PatientId
    clinic_id: ClinicId
    facts: ClinicFacts
    treated_at: ClinicId | None = None
    emergency_at: ClinicId | None = None


class StepResult(NamedTuple):
    step: Step
    ok: bool
    outdated: bool = False

    @property
    def code(self) -> str:
        return "consent_outdated" if self.outdated else CODES[self.step]


def steps(level: Level, facts: ClinicFacts | None) -> list[StepResult]:
    """The six steps in the contract's order; without a clinic all but the first fail."""
    verified = StepResult(Step.ACCOUNT_VERIFIED, level == "verified")
    if facts is None:
        return [verified, *(StepResult(step, False) for step in list(Step)[1:])]
    return [
        verified,
        StepResult(Step.REGION_CONNECTED, facts.region_connected),
        StepResult(Step.CLINIC_CONNECTED, facts.clinic_connected),
        StepResult(Step.ATTACHED, facts.attached),
        StepResult(Step.CARD_ACTIVATED, facts.activated),
        StepResult(
            Step.CONSENT_GIVEN, facts.consent == "given", outdated=facts.consent == "outdated"
        ),
    ]


class Decision(NamedTuple):
    """`refusal` is None when the act is allowed. `related`: is the asker known to this card?"""

    refusal: MedkartaError | None
    relation: Literal["patient", "clinician", "none"]

    @property
    def allowed(self) -> bool:
        return self.refusal is None


def decide(actor: Actor, action: Action, card: CardFacts | None) -> Decision:
    """Whether `actor` may do `action` on `card`; None is a card that does not exist.

    Source: 323-ФЗ art. 13 (medical secrecy), art. 22 (the patient's right to their records).
    """
    return _own(actor, action, card) if action.own else _clinician(actor, action, card)


def _own(actor: Actor, action: Action, card: CardFacts | None) -> Decision:
    if actor.level != "verified":
        return Decision(AccessStepFailed(CODES[Step.ACCOUNT_VERIFIED]), "none")
    if card is None or actor.patient_id is None or card.patient_id != actor.patient_id:
        return Decision(NotFound(), "none")
    if action.open_while_closed:
        return Decision(None, "patient")
    failed = next((step for step in steps(actor.level, card.facts) if not step.ok), None)
    return Decision(AccessStepFailed(failed.code) if failed else None, "patient")


def _clinician(actor: Actor, action: Action, card: CardFacts | None) -> Decision:
    appointment = actor.appointment("clinician")
    emergency = (
        action is Action.READ_AS_CLINICIAN
        and card is not None
        and appointment is not None
        and card.emergency_at == appointment.clinic_id
    )
    if (
        appointment is None
        or card is None
        or appointment.clinic_id is None
        or (card.treated_at != appointment.clinic_id and not emergency)
        # Opened in an emergency for another clinic, where they work no more: nothing of it stays.
        or card.emergency_at not in (None, appointment.clinic_id)
        # A clinic writes into the card that it keeps itself, and into no other.
        or (action is Action.WRITE_AS_CLINICIAN and card.clinic_id != appointment.clinic_id)
    ):
        return Decision(Forbidden(), "none")
    facts = card.facts
    for ok, code in (
        (facts.region_connected, CODES[Step.REGION_CONNECTED]),
        (facts.clinic_connected, CODES[Step.CLINIC_CONNECTED]),
        (facts.activated, CODES[Step.CARD_ACTIVATED]),
    ):
        if not ok:
            return Decision(AccessStepFailed(code, reason="clinician"), "clinician")
    if action is Action.READ_AS_CLINICIAN and facts.consent != "given" and not emergency:
        code = "consent_outdated" if facts.consent == "outdated" else CODES[Step.CONSENT_GIVEN]
        return Decision(AccessStepFailed(code, reason="clinician"), "clinician")
    return Decision(None, "clinician")
