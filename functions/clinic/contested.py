"""Contested accesses as the clinic's registrars see and answer them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clinic import policy
from clinic.repository import Patient, Registry
from kernel import clock, notices
from kernel.cases import Case, Cases, Status
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.identity import AccountId, Actor, ClinicId
from kernel.journal import Journal
from kernel.notices import Notice


@dataclass(frozen=True, slots=True)
class Contested:
    """The cases of the registrar's clinic."""

    registry: Registry
    cases: Cases
    journal: Journal
    notices_table: str

    def page(
        self, actor: Actor, status: Status | None, before: str | None, limit: int, now: datetime
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of cases, the newest first, and the case to go on before."""
        clinic_id = policy.clinic_of(actor)
        found, last = self.cases.page(clinic_id, status, before, limit)
        return [self._shown(case, now) for case in found], last

    def answer(self, actor: Actor, case_id: str, text: str, now: datetime) -> dict[str, Any]:
        """Answer a case; the patient is notified.

        Raises:
            NotFound: this clinic has no such case.
            Forbidden: it is about the registrar's own act.
            Conflict: it is answered already.
        """
        clinic_id = policy.clinic_of(actor)
        case = self.cases.get(clinic_id, case_id)
        if case is None:
            raise NotFound
        if case.entry["account_id"] == actor.account_id:
            raise Forbidden("own_act")
        entry = self.journal.entry(
            case.card_id,
            now=now,
            account_id=actor.account_id,
            capacity="registrar",
            clinic_id=clinic_id,
            action="case_answered",
            section="journal",
        )
        answered = case._replace(
            status="answered",
            answer=text,
            answered_at=clock.rfc3339(now),
            answered_by=actor.account_id,
        )
        # Before the write: a read that failed after it would deny what was done.
        shown = self._shown(answered, now)
        details = {"case_id": case_id, "entry_id": case.entry["entry_id"]}
        notice = Notice(case.card_id, "case_answered", now, details)
        done = self.cases.answer(
            case,
            text,
            actor.account_id,
            now,
            notices.put_action(self.notices_table, notice),
            self.journal.in_transaction(entry),
        )
        if not done:
            raise Conflict("case_answered")
        return shown

    def _shown(self, case: Case, now: datetime) -> dict[str, Any]:
        entry = case.entry
        patient = self.registry.of_card(case.card_id)
        worker = None
        if entry["account_id"] and entry["capacity"] != "patient":
            worker = self.registry.worker(ClinicId(case.clinic_id), AccountId(entry["account_id"]))
        return {
            **case.shown(),
            "card_id": case.card_id,
            "overdue": case.status == "open" and case.due_at <= clock.rfc3339(now),
            "patient": _patient(patient) if patient else None,
            "entry": {
                "entry_id": entry["entry_id"],
                "at": entry["at"],
                "actor": {"name": worker.name if worker else None, "role": entry["capacity"]},
                "action": entry["action"],
                "section": entry["section"],
                "purpose": entry["purpose"],
                "outcome": entry["outcome"],
                "emergency": entry["emergency"],
            },
        }


def _patient(patient: Patient) -> dict[str, Any]:
    return {"patient_id": patient.patient_id, **patient.person.shown()}
