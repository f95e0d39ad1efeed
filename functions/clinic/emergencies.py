"""Emergency access: a clinician opens the cards of somebody who cannot be asked."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clinic import policy
from clinic.models import OpenInEmergency
from clinic.repository import Patient, Registry
from kernel import caps, clock, notices, texts
from kernel.caps import Caps
from kernel.emergency import DURATION, Grant
from kernel.errors import Forbidden, NotFound
from kernel.identity import Actor, CardId, ClinicId
from kernel.journal import Entry, Journal
from kernel.messages import Messages
from kernel.notes import Notes, reason_place
from kernel.notices import Notice
from kernel.profiles import Profiles

# A doctor on duty needs a few in an hour; who tries numbers gets no further.
_PER_HOUR = 10


@dataclass(frozen=True, slots=True)
class Emergencies:
    """Opens cards for sixty minutes, to one clinician, for reading."""

    registry: Registry
    journal: Journal
    notes: Notes
    profiles: Profiles
    messages: Messages
    caps: Caps
    notices_table: str

    def open(self, actor: Actor, given: OpenInEmergency, now: datetime) -> dict[str, Any]:
        """Open every card of a person.

        The patient is told before: an access that nobody was told of must not be.

        Raises:
            NotFound: nobody of this СНИЛС was born that day, or there is no card that can be
                opened: one answer, so that nobody learns who is a patient.
            RateLimited: too many tries of this clinician.
            Forbidden: it is their own card.
        """
        appointment = actor.appointment("clinician")
        if appointment is None or appointment.clinic_id is None:
            raise Forbidden
        subject = actor.account_id
        self.caps.count("emergency", subject, cap=_PER_HOUR, seconds=caps.HOUR, now=now)
        patient = self.registry.find(given.snils)
        cards = self._openable(patient, given)
        if patient is None or not cards:
            self.journal.stranger_refused(actor.account_id, "", "emergency", NotFound.code, now)
            raise NotFound
        if policy.is_oneself(actor, patient_id=patient.patient_id):
            raise Forbidden("oneself")
        until = now + DURATION
        grants = [
            Grant(
                card_id=card_id,
                account_id=actor.account_id,
                clinic_id=appointment.clinic_id,
                given_at=clock.rfc3339(now),
                until=clock.epoch(until),
            )
            for card_id, _ in cards
        ]
        entries = [self._entry(actor, card_id, given.reason, now) for card_id, _ in cards]
        self._tell(patient, appointment.clinic_id)
        details = {"entry_id": entries[0].entry_id, "until": clock.rfc3339(until)}
        notice = Notice(cards[0][0], "emergency_access", now, details)
        self.registry.open_in_emergency(
            grants, entries, notices.put_action(self.notices_table, notice)
        )
        return {
            "card_id": cards[0][0],
            "until": clock.rfc3339(until),
            "cards": [{"card_id": card_id, "clinic_id": clinic} for card_id, clinic in cards],
        }

    def _openable(
        self, patient: Patient | None, given: OpenInEmergency
    ) -> list[tuple[CardId, ClinicId]]:
        if patient is None or patient.died_on or patient.person.birth_date != given.birth_date:
            return []
        connected = self.registry.connected(patient)
        return [
            (card_id, clinic_id) for card_id, clinic_id in patient.cards if clinic_id in connected
        ]

    def _entry(self, actor: Actor, card_id: CardId, reason: str, now: datetime) -> Entry:
        appointment = actor.appointment("clinician")
        entry = self.journal.entry(
            card_id,
            now=now,
            account_id=actor.account_id,
            capacity="clinician",
            clinic_id=appointment.clinic_id if appointment else None,
            action="emergency",
            emergency=True,
        )
        place = reason_place(card_id, entry.entry_id)
        return entry._replace(note=self.notes.seal(card_id, place, reason))

    def _tell(self, patient: Patient, clinic_id: ClinicId) -> None:
        """By text message to the phone of the patient's account, if they have one."""
        profile = self.profiles.get(patient.account_id) if patient.account_id else None
        if profile is None:
            return
        clinic = self.registry.clinic(clinic_id)
        # What language a patient reads is not known; Russian is the service's own.
        text = texts.text("ru", "sms.emergency_access", clinic=clinic.name if clinic else clinic_id)
        self.messages.send(profile.phone, text)
