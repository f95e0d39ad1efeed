"""The four sections of a card, and why it opens or not."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any, NamedTuple

from kernel import access, consents, exact_json, records
from kernel.access import ClinicFacts
from kernel.cursors import Cursors
from kernel.errors import FieldProblem, NotFound, ValidationFailed
from kernel.gate import OpenCard
from kernel.hiding import Hidden
from kernel.identity import Actor, RecordId
from kernel.records import Section, Why
from kernel.summary import summary_of
from kernel.texts import Language
from records import fhir
from records.explain import explain
from records.fhir import Reading, Resource
from records.models import ChangesQuery, ListQuery, SeriesQuery
from records.repository import (
    ChangedRecord,
    ClinicState,
    OpenRecord,
    RecordsRepository,
    Since,
)
from records.series import series_of

# How many results a series is made of; older ones are found by `to`.
MOST_POINTS = 1000


class Read(NamedTuple):
    """One read of a section: of which card, for its patient or a clinician, as JSON or FHIR."""

    opened: OpenCard
    section: Section
    patient: bool
    fhir: bool


class Listed(NamedTuple):
    """A list as FHIR resources: its own, what they refer to, and the cursor of the next page."""

    resources: list[Resource]
    included: list[Resource]
    cursor: str | None


class Changed(NamedTuple):
    """Changes with their resources, and the token from which to go on."""

    changed: Sequence[ChangedRecord]
    reading: Reading
    token: str


class Records:
    """Reads of cards."""

    def __init__(self, repository: RecordsRepository, cursors: Cursors) -> None:
        self._repository = repository
        self._cursors = cursors
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="person")

    def listing(self, read: "Read", query: ListQuery, binding: str) -> bytes | Listed:
        """A page of a section, as the JSON of the contract. Bodies pass through as they rest.

        For FHIR it is the page's resources instead.

        Raises:
            CursorInvalid, ValidationFailed
        """
        _check_period(query.from_, query.to)
        after = self._cursors.read(query.cursor, binding)
        page = self._repository.page(
            read.opened,
            read.section,
            patient=read.patient,
            limit=query.limit,
            after=after["sk"] if after else None,
            start=query.from_,
            end=query.to,
            filters=query.filters(),
            sources=read.fhir,
        )
        found, position = page.found, page.position
        if read.fhir:
            reading, fitting = self._reading(read, found)
            if fitting < len(found):
                found = found[:fitting]
                position = found[-1].sk
        cursor = self._cursors.make(None if position is None else {"sk": position}, binding)
        if read.fhir:
            return Listed(*reading.split(found), cursor)
        bodies = b",".join(_shown(read, record) for record in found)
        tail = {"next_cursor": cursor, **_left_out(page.left_out)}
        return b'{"items":[' + bodies + b"]," + json.dumps(tail).encode()[1:]

    def one(self, read: "Read", record_id: RecordId, version: int | None) -> bytes:
        """One record with what it replaced; `version` asks for an earlier one as it was.

        Raises:
            NotFound
        """
        found = self._repository.versions(
            read.opened, read.section, record_id, patient=read.patient
        )
        bodies = [exact_json.loads(each.body) for each in found]
        chosen = 0
        if version is not None:
            known = (i for i, body in enumerate(bodies) if body["version"] == version)
            chosen = next(known, -1)
            if chosen < 0:
                raise NotFound
        if read.fhir:
            # Sources are kept as they are now; what was before is told by the records alone.
            reading, _ = self._reading(read, found[:1])
            return exact_json.dumps(reading.one(found[0])).encode()
        older = bodies[chosen + 1 :]
        shown = _shown(read, found[chosen])
        if not older:
            return shown
        return _joined(
            shown,
            {
                "replaces": _replaced(bodies[chosen], older[0]),
                "history": [{n: body[n] for n in ("version", "received_at")} for body in older],
            },
        )

    def series(self, read: "Read", query: SeriesQuery) -> bytes | Listed:
        """The values of one code over time, at most `MOST_POINTS` results of them.

        Raises:
            ValidationFailed
        """
        _check_period(query.from_, query.to)
        system, bar, code = query.code.rpartition("|")
        page = self._repository.page(
            read.opened,
            "results",
            patient=read.patient,
            limit=MOST_POINTS,
            after=None,
            start=query.from_,
            end=query.to,
            filters={"code": code},
            sources=read.fhir,
            whole=True,
        )
        if read.fhir:
            reading, fitting = self._reading(read, page.found)
            resources, included = reading.split(page.found[:fitting])
            if fitting < len(page.found) or page.position is not None:
                included.append(fhir.INCOMPLETE)
            return Listed(resources, included, None)
        results = [exact_json.loads(record.body) for record in page.found]
        series, no_numbers = series_of(results, code, system if bar else None)
        answer = {
            "series": series,
            "not_numeric": no_numbers,
            "complete": page.position is None,
            **_left_out(page.left_out),
        }
        return exact_json.dumps(answer).encode()

    def changes(self, read: "Read", query: ChangesQuery, binding: str) -> "bytes | Changed":
        """What came, changed or was taken back since a token; without one, the token of now.

        Raises:
            CursorInvalid
        """
        given = self._cursors.read(query.cursor or query.since, binding)
        if given is None:
            none: list[ChangedRecord] = []
            changed, now, more = none, self._repository.now(read.opened), False
        else:
            changed, now, more = self._repository.changed(read.opened, Since(**given), query.limit)
        if read.fhir:
            reading, fitting = self._reading(read, changed)
            if fitting < len(changed) and (stop := changed[fitting - 1].position):
                changed, more = changed[:fitting], True
                now = Since(stop, now.moment)
        token = self._cursors.make(now._asdict(), binding)
        assert token is not None  # there is always a position to go on from
        if read.fhir:
            return Changed(changed, reading, token)
        items = b",".join(_change(read, each) for each in changed)
        tail = {"since": token, "next_cursor": token if more else None}
        return b'{"items":[' + items + b"]," + json.dumps(tail).encode()[1:]

    def summary(self, read: "Read", language: Language) -> dict[str, Any] | Listed:
        """Blood group, allergies, chronic conditions, and whose they are."""
        opened = read.opened
        asking = self._pool.submit(self._repository.person, opened.card.patient_id)
        found = self._repository.every(opened, "summary")
        if opened.withheld.touches("summary"):
            # What is hidden may be the allergy that contradicts a statement that there are none.
            found = [each for each in found if not _states_no_allergy(each)]
        person = asking.result()
        if read.fhir:
            reading, _ = self._reading(read, found)
            resources, included = reading.split(found)
            whose = fhir.patient(person, opened.card.patient_id)
            return Listed(resources, [whose, *included], None)
        entries = [json.loads(_shown(read, record)) for record in found]
        return summary_of(entries, language) | {"patient": person.shown()}

    def _reading(
        self, read: "Read", found: Sequence[OpenRecord] | Sequence[ChangedRecord]
    ) -> tuple[Reading, int]:
        """What these records are made of, and for how many of them an answer has room."""
        opened = read.opened
        resting, fitting = self._repository.sources(opened, found)
        reading = Reading(
            resting=resting,
            token=lambda *parts: self._repository.token(opened, *parts),
            patient_id=opened.card.patient_id,
            withheld=opened.withheld,
        )
        return reading, fitting

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
        states = self._repository.clinics_of(actor.patient_id, not_shown_at=now)
        return [
            _card(state, now)
            for state in states
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


def _card(state: ClinicState, now: datetime) -> dict[str, Any]:
    """A card as its patient sees it: what is not shown to them yet is counted apart."""
    head = state.head
    left_out: Counter[Why] = Counter()
    for row in state.left_out:
        if head.shows(row) and (why := records.why_left_out(row, now)):
            left_out[why] += 1
    sections = ("visits", "results", "prescriptions")
    counts = {section: head.counts.get(section, 0) for section in sections}
    counts["results"] -= left_out.total()
    return {
        "card_id": state.relation.card_id,
        "clinic": state.clinic.brief,
        "activated_at": state.relation.activated_at,
        "counts": counts,
        **_left_out(left_out),
        "updated_at": head.updated_at or state.relation.activated_at,
    }


def _check_period(start: date | None, end: date | None) -> None:
    if start and end and start > end:
        raise ValidationFailed([FieldProblem("from", "period")])


def _left_out(counts: Mapping[Why, int]) -> dict[str, int]:
    return {"withheld": counts.get("withheld", 0), "pending": counts.get("pending", 0)}


def _shown(read: Read, record: OpenRecord) -> bytes:
    """A record's JSON with its marks, and for clinicians without links to what is hidden."""
    body = record.body
    opened = read.opened
    if opened.withheld:
        body = _without_links(body, opened.withheld)
    marks: dict[str, Any] = {}
    if record.hidden:
        marks["hidden"] = True
    if record.held_until:
        marks["held_until"] = record.held_until
    return _joined(body, marks) if marks else body


def _states_no_allergy(record: OpenRecord) -> bool:
    return bool(json.loads(record.body)["entry"] == "no_known_allergy")


def _change(read: Read, each: ChangedRecord) -> bytes:
    what = {"section": each.section, "record_id": each.record_id, "change": each.kind}
    if each.record is None:
        return json.dumps({**what, "version": None, "record": None}).encode()
    body = _shown(read, each.record)
    head = json.dumps({**what, "version": json.loads(body)["version"]}).encode()
    return head[:-1] + b',"record":' + body + b"}"


def _without_links(body: bytes, withheld: Hidden) -> bytes:
    """A record's JSON without what leads to records that this reader must not see."""
    values = exact_json.loads(body)
    if values.get("visit_id") and withheld.has("visits", values["visit_id"]):
        values["visit_id"] = None
    if values.get("orders"):
        values["orders"] = [
            order
            for order in values["orders"]
            if order["kind"] == "service" or not withheld.has("prescriptions", order["record_id"])
        ]
    return exact_json.dumps(values).encode()


def _joined(body: bytes, more: Mapping[str, Any]) -> bytes:
    """A JSON object with more members."""
    return body[:-1] + b"," + exact_json.dumps(more).encode()[1:]


def _replaced(body: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The version before, as far as it said something else."""
    named = ("version", "received_at")
    other = {name: before.get(name) for name in {**before, **body} if name not in named}
    changed = {name: value for name, value in other.items() if value != body.get(name)}
    return {**{name: before[name] for name in named}, "changed": changed}
