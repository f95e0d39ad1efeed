"""Somebody was entered twice: the two become one, and nothing is lost."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clinic import policy
from clinic.merge_repository import Merge, MergeRepository
from clinic.repository import Patient, Registry
from kernel import clock, consent_merge
from kernel.consent_acts import ConsentActs
from kernel.errors import Conflict, FieldProblem, Forbidden, NotFound, ValidationFailed
from kernel.identity import Actor, PatientId
from kernel.journal import Entry, Journal
from kernel.people import Person

_FIELD = "duplicate_patient_id"


@dataclass(frozen=True, slots=True)
class Merging:
    """Merges two people of the registry."""

    registry: Registry
    repository: MergeRepository
    acts: ConsentActs
    journal: Journal
    consents_table: str

    def merge(
        self, actor: Actor, patient_id: PatientId, duplicate_id: PatientId, now: datetime
    ) -> dict[str, Any]:
        """Make all that is the duplicate's the patient's; a repeat finishes what is left.

        Raises:
            NotFound: no such patient, or neither has to do with the registrar's clinic.
            ValidationFailed: no such duplicate, or names, birth date or sex differ.
            Conflict: each has an account of their own, which a desk verified by passport and
                СНИЛС: these are two people; or something changed meanwhile.
            Forbidden: one of them is the registrar.
        """
        survivor, duplicate = self.registry.patient(patient_id), self.registry.patient(duplicate_id)
        if survivor is None:
            raise NotFound
        if duplicate is None or patient_id == duplicate_id:
            raise ValidationFailed([FieldProblem(_FIELD, "value")])
        self._check_registrar(actor, survivor, duplicate)
        if survivor.patient_id == duplicate.patient_id:  # merged before
            gone = duplicate_id if duplicate_id != survivor.patient_id else patient_id
            self.repository.finish(survivor.patient_id, gone)
            return _answer(survivor, gone)
        if duplicate.patient_id != duplicate_id:  # with somebody else
            raise Conflict("merged_with_another")
        wrong = policy.differences(survivor.person, duplicate.person)
        if wrong:
            raise ValidationFailed([FieldProblem(name, "mismatch") for name in wrong])
        if survivor.account_id and duplicate.account_id:
            raise Conflict("two_accounts")
        self._write(actor, survivor, duplicate, now)
        self.repository.finish(survivor.patient_id, duplicate.patient_id)
        merged = self.registry.patient(survivor.patient_id)
        assert merged is not None  # nothing removes a patient
        return _answer(merged, duplicate.patient_id)

    def _write(self, actor: Actor, survivor: Patient, duplicate: Patient, now: datetime) -> None:
        pair = (self.acts.finish(survivor.patient_id), self.acts.finish(duplicate.patient_id))
        merge = Merge(survivor, duplicate, at=clock.rfc3339(now), by=actor.account_id)
        done = self.repository.merge(
            merge,
            _known(survivor.person, duplicate.person),
            consents=consent_merge.actions(
                self.consents_table, survivor.patient_id, duplicate.patient_id, pair, now
            ),
            entries=self._entries(actor, survivor, duplicate, now),
        )
        if not done:
            raise Conflict

    def _entries(
        self, actor: Actor, survivor: Patient, duplicate: Patient, now: datetime
    ) -> list[Entry]:
        return [
            self.journal.entry(
                card_id,
                now=now,
                account_id=actor.account_id,
                capacity="registrar",
                clinic_id=policy.clinic_of(actor),
                action="merged",
            )
            for card_id, _ in (*survivor.cards, *duplicate.cards)
        ]

    def _check_registrar(self, actor: Actor, survivor: Patient, duplicate: Patient) -> None:
        clinics = survivor.relations.keys() | duplicate.relations.keys()
        if clinics and policy.clinic_of(actor) not in clinics:
            raise NotFound
        for patient in (survivor, duplicate):
            if policy.is_oneself(actor, patient_id=patient.patient_id):
                raise Forbidden("oneself")


def _known(survivor: Person, duplicate: Person) -> Person:
    """The survivor, found by the duplicate's numbers too, with what only the other one had."""
    numbers = (*survivor.other_snils, *duplicate.all_snils)
    return survivor._replace(
        middle_name=survivor.middle_name or duplicate.middle_name,
        policy_number=survivor.policy_number or duplicate.policy_number,
        other_snils=tuple(dict.fromkeys(numbers)),
    )


def _answer(survivor: Patient, duplicate_id: PatientId) -> dict[str, Any]:
    return {
        "patient_id": survivor.patient_id,
        "merged_patient_id": duplicate_id,
        "cards": [{"card_id": card_id, "clinic_id": clinic} for card_id, clinic in survivor.cards],
    }
