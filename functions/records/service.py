"""The four sections of a card, and why it opens or not."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from kernel import access, consents
from kernel.access import ClinicFacts
from kernel.cursors import Cursors
from kernel.errors import FieldProblem, ValidationFailed
from kernel.gate import OpenCard
from kernel.identity import Actor, RecordId
from kernel.people import Person
from kernel.records import Section
from kernel.summary import summary_of
from kernel.texts import Language
from records.explain import explain
from records.models import ListQuery
from records.repository import ClinicState, RecordsRepository


class Records:
    """Reads of cards."""

    def __init__(self, repository: RecordsRepository, cursors: Cursors) -> None:
        self._repository = repository
        self._cursors = cursors
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="person")

    def listing(self, opened: OpenCard, section: Section, query: ListQuery, binding: str) -> bytes:
        """A page of a section, as the JSON of the contract. Bodies pass through as they rest.

        Raises:
            CursorInvalid, ValidationFailed
        """
        if query.from_ and query.to and query.from_ > query.to:
            raise ValidationFailed([FieldProblem("from", "period")])
        page = self._repository.page(
            opened,
            section,
            limit=query.limit,
            after=self._cursors.read(query.cursor, binding),
            start=query.from_,
            end=query.to,
            filters=query.filters(),
        )
        cursor = json.dumps(self._cursors.make(page.position, binding)).encode()
        return b'{"items":[' + b",".join(page.bodies) + b'],"next_cursor":' + cursor + b"}"

    def one(self, opened: OpenCard, section: Section, record_id: RecordId) -> bytes:
        """One record. Raises NotFound."""
        return self._repository.one(opened, section, record_id)

    def summary(self, opened: OpenCard, language: Language) -> dict[str, Any]:
        """Blood group, allergies, chronic conditions, and whose they are."""
        person = self._pool.submit(self._repository.person, opened.card.patient_id)
        entries = [json.loads(body) for body in self._repository.every(opened, "summary")]
        return summary_of(entries, language) | {"patient": _patient(person.result())}

    def access(self, actor: Actor, now: datetime, language: Language) -> dict[str, Any]:
        """Why one does or does not see one's card, clinic by clinic."""
        states = self._repository.clinics_of(actor.patient_id) if actor.patient_id else []
        if not states:
            results = access.steps(actor.level, None)
            steps = explain(results, None, None, language)
            return {"clinics": [{"clinic": None, "open": False, "steps": steps}]}
        return {"clinics": [self._explained(actor, state, now, language) for state in states]}

    def cards(self, actor: Actor, now: datetime) -> list[dict[str, Any]]:
        """The cards that open now."""
        if actor.level != "verified" or actor.patient_id is None:
            return []
        return [
            {
                "card_id": state.relation.card_id,
                "clinic": state.clinic.brief,
                "activated_at": state.relation.activated_at,
                "counts": {
                    section: state.head.counts.get(section, 0)
                    for section in ("visits", "results", "prescriptions")
                },
                "updated_at": state.head.updated_at or state.relation.activated_at,
            }
            for state in self._repository.clinics_of(actor.patient_id)
            if all(step.ok for step in access.steps(actor.level, facts_of(state, now)))
        ]

    def _explained(
        self, actor: Actor, state: ClinicState, now: datetime, language: Language
    ) -> dict[str, Any]:
        results = access.steps(actor.level, facts_of(state, now))
        answer: dict[str, Any] = {
            "clinic": state.clinic.contact(),
            "open": all(step.ok for step in results),
            "steps": explain(results, state.clinic, state.region, language),
        }
        if state.relation.card_id:
            answer["card_id"] = state.relation.card_id
        return answer


def facts_of(state: ClinicState, now: datetime) -> ClinicFacts:
    """The facts of one clinic, as `access.steps` takes them."""
    return ClinicFacts(
        region_connected=bool(state.region and state.region.connected),
        clinic_connected=state.clinic.connected,
        attached=state.relation.attached,
        activated=state.relation.card_id is not None,
        consent=consents.state(state.scopes, now),
    )


def _patient(person: Person) -> dict[str, Any]:
    return {
        "last_name": person.last_name,
        "first_name": person.first_name,
        "middle_name": person.middle_name,
        "birth_date": person.birth_date.isoformat(),
        "sex": person.sex,
        "snils": person.masked_snils,
    }
