"""What a patient does with their consents, and what they see of their card's journal."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from consent import fhir
from consent.repository import JournalReader
from kernel import consents
from kernel.consent_acts import Act, Consent, ConsentActs, Gift, History
from kernel.errors import AccessStepFailed
from kernel.fhir import Resource
from kernel.identity import AccountId, Actor, CardId, ClinicId, PatientId
from kernel.notes import Notes, reason_place
from kernel.texts import Language

if TYPE_CHECKING:
    from consent.models import GiveConsent


def current_document(language: Language, now: datetime) -> dict[str, Any]:
    """The text that consent is asked for now."""
    document = consents.current_document(language, now.date())
    return {
        "version": document.version,
        "purpose": document.purpose,
        "language": document.language,
        "title": document.title,
        "text": document.text,
        "sha256": document.sha256,
        "effective_from": document.effective_from.isoformat(),
    }


def give(actor: Actor, given: "GiveConsent", now: datetime, acts: ConsentActs) -> dict[str, Any]:
    """Give the patient's consent to the current text, for one clinic or for all.

    Raises:
        Conflict: the text is not the current one.
        ValidationFailed: the hash is of another text, or there is no such clinic.
        AlreadyExists: it repeats what is in force.
    """
    document = consents.chosen(given.document_version, given.document_sha256, now.date())
    act = _act(actor, now)
    gift = Gift(
        document=document,
        clinic_id=ClinicId(given.clinic_id) if given.clinic_id else None,
        method="electronic",
        amr=actor.amr,
        given_at=now,
    )
    return acts.give(act, gift).answer("active")


def withdraw(actor: Actor, consent_id: str, now: datetime, acts: ConsentActs) -> dict[str, Any]:
    """Withdraw a consent of the patient's own.

    Raises:
        NotFound: not one of theirs.
        Conflict: it is superseded or has expired.
    """
    return acts.withdraw(_act(actor, now), consent_id).answer("withdrawn")


def history(actor: Actor, acts: ConsentActs) -> History:
    """The whole history; an account that is bound to nobody has none."""
    return acts.history(actor.patient_id) if actor.patient_id else History()


def consent(actor: Actor, consent_id: str, now: datetime, acts: ConsentActs) -> dict[str, Any]:
    """One consent of the patient's own. Raises NotFound."""
    found = history(actor, acts)
    one = found.find(consent_id)
    return one.answer(found.status(one, now))


def consent_page(
    actor: Actor, now: datetime, after: dict[str, Any] | None, limit: int, acts: ConsentActs
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The history, the newest first, after a position."""
    found = history(actor, acts)
    listed = found.consents
    if after:
        # By place in time and not by number, so that a consent given meanwhile shifts nothing.
        listed = [c for c in listed if _place(c) < (after["at"], after["id"])]
    shown = listed[:limit]
    position = None
    if len(listed) > limit:
        at, consent_id = _place(shown[-1])
        position = {"at": at, "id": consent_id}
    return [c.answer(found.status(c, now)) for c in shown], position


def consents_as_fhir(actor: Actor, shown: Sequence[dict[str, Any]]) -> list[Resource]:
    """Consents in the form of the contract as Consent resources."""
    return [fhir.consent(each, _patient(actor)) for each in shown]


def journal_page(
    card_id: CardId,
    before: dict[str, Any] | None,
    limit: int,
    reader: JournalReader,
    notes: Notes,
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """What was done with a card, the newest first."""
    items, last = reader.page(card_id, before["before"] if before else None, limit)
    workers = {
        (ClinicId(item["clinic_id"]), AccountId(item["account_id"]))
        for item in items
        if item["clinic_id"] and item["account_id"]
    }
    names, clinics = reader.names(workers)
    shown = []
    for item in items:
        clinic_id = ClinicId(item["clinic_id"]) if item["clinic_id"] else None
        worker = (clinic_id, item["account_id"]) if clinic_id else None
        shown.append(
            {
                "entry_id": item["entry_id"],
                "at": item["at"],
                "actor": {
                    "name": names.get(worker) if worker else None,
                    "role": item["capacity"],
                    "clinic": {"clinic_id": clinic_id, "name": clinics.get(clinic_id)}
                    if clinic_id
                    else None,
                },
                "action": item["action"],
                "section": item["section"],
                "reason": notes.open(
                    card_id, reason_place(card_id, item["entry_id"]), item.get("note")
                )
                or item["purpose"],
                "emergency": bool(item.get("emergency")),
                "hidden_shown": bool(item.get("hidden_shown")),
                "outcome": item["outcome"],
            }
        )
    return shown, {"before": last} if last else None


def _place(one: Consent) -> tuple[str, str]:
    return one.recorded_at, one.consent_id


def _act(actor: Actor, now: datetime) -> Act:
    return Act(patient_id=_patient(actor), account_id=actor.account_id, capacity="patient", now=now)


def _patient(actor: Actor) -> PatientId:
    if actor.patient_id is None:
        raise AccessStepFailed("account_not_verified")
    return actor.patient_id
