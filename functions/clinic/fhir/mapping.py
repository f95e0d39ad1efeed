"""Entries -> record drafts: which resource makes which record, and what stands in it.

Pure: the same sources give the same drafts. docs/intake.md tells the rules in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from clinic.fhir import observations, readable, references, statements
from clinic.fhir.bundle import Entry
from clinic.fhir.dosage import dosages, quantity
from clinic.fhir.errors import NotFhir
from clinic.fhir.readable import clean, coded, codes, instant, joined, notes, text_of, texts_of
from clinic.fhir.resource_types import TREATMENTS, words

Section = Literal["summary", "visits", "results", "prescriptions"]
Body = dict[str, Any]
Resource = dict[str, Any]


# Many things point to these, and no record is made anew because one of them changed: whoever
# loads what is related to a source follows references to them, not from them.
MAX_ROWS = 100_000  # of all results together; members that many results share could grow endless
HUBS = frozenset({"Patient", "Practitioner", "PractitionerRole", "Organization", "Location"})


class Draft(NamedTuple):
    """A record to be. `root`: key of the source it is made of; `members`: of all it draws on.

    `sort_at` is an instant in UTC to order by, 0001-01-01 where nothing tells the time. `body` is
    JSON for exact_json.dumps (numbers may be Decimal).
    """

    section: Section
    root: str
    sort_at: str
    body: Body
    members: tuple[str, ...]


class Derived(NamedTuple):
    """Every source is in `placed`, in `kept`, or in both `kept` and `retracted`.

    `placed`: source key -> roots of the records it is shown in. `kept`: source key -> why it is in
    none (resource_types: a Treatment's `why` or KEPT_REASONS). `retracted`: root -> why its record,
    if there is one from before, is taken back: "entered_in_error", "shown_elsewhere" (now part of
    another record) or another reason of KEPT_REASONS.
    """

    drafts: tuple[Draft, ...]
    placed: dict[str, tuple[str, ...]]
    kept: dict[str, str]
    retracted: dict[str, str]


def derive(
    sources: Mapping[str, Entry],
    *,
    resolve: Callable[[str], str | None],
    record_id: Callable[[str], str],
) -> Derived:
    """Make the drafts of the records whose sources are given.

    `resolve`: alias -> source key; `record_id`: root -> id of its record. Given with a source must
    be what it points to and, but for HUBS, what points to it. Sources count in the order of their
    keys, so that the same sources give the same lists. Raises NotFhir (too_tangled).
    """
    return _Derivation(sources, resolve, record_id).run()


@dataclass(slots=True)
class _Source:
    key: str
    kind: str
    resource: Resource
    base: str | None


@dataclass(slots=True)
class _Making:
    """A body on its way, with the sources it draws on in the order in which they came up."""

    root: str
    members: dict[str, None] = field(default_factory=dict)
    shown: dict[str, None] = field(default_factory=dict)


class _Derivation:
    def __init__(
        self,
        sources: Mapping[str, Entry],
        resolve: Callable[[str], str | None],
        record_id: Callable[[str], str],
    ) -> None:
        self.resolve = resolve
        self.record_id = record_id
        self.all = {
            key: _Source(
                key,
                entry.resource_type,
                entry.resource,
                references.base_of(entry.aliases, entry.resource_type),
            )
            for key, entry in sorted(sources.items(), key=lambda each: (each[1].index, each[0]))
        }
        self._listed: set[str] | None = None
        self._inner: dict[int, dict[str, Resource]] = {}
        self._rows_left = MAX_ROWS
        self.kept: dict[str, str] = {}
        self.drafts: list[Draft] = []
        self.placed: dict[str, dict[str, None]] = {}
        self.live: dict[str, _Source] = {}
        for key, source in self.all.items():
            if statements.in_error(source.resource):
                self.kept[key] = "entered_in_error"
            else:
                self.live[key] = source
        self.of_visit: dict[str, list[_Source]] = {}
        for source in self.live.values():
            visit = self._visit_of(source)
            if visit is not None:
                self.of_visit.setdefault(visit, []).append(source)
        self.documents_of: dict[str, list[_Source]] = {}
        for source in self.live.values():
            for key in self._described(source):
                self.documents_of.setdefault(key, []).append(source)
        self.roles: dict[str, _Source] = {}
        for source in self.live.values():
            if source.kind == "PractitionerRole":
                person = self._find(source, "practitioner", source.resource.get("practitioner"))
                if person is not None:
                    self.roles.setdefault(person.key, source)

    def run(self) -> Derived:
        inside = self._inside_others()
        for source in self.live.values():
            make = MAKERS.get(source.kind)
            if make is not None and source.key not in inside:
                make(self, source)
        self._blood_groups_inside(inside)
        roots = {draft.root for draft in self.drafts}
        retracted = {}
        for key, source in self.all.items():
            treatment = TREATMENTS[source.kind]
            if key not in self.placed and key not in self.kept:
                shown = treatment.fate == "shown"
                self.kept[key] = "nothing_to_show" if shown else treatment.why
            if treatment.fate == "shown" and key not in roots:
                retracted[key] = self.kept.get(key, "shown_elsewhere")
        return Derived(
            tuple(self.drafts),
            {key: tuple(roots) for key, roots in self.placed.items()},
            self.kept,
            retracted,
        )

    # Following references

    def _find(self, source: _Source, name: str, reference: object) -> _Source | None:
        """What a Reference in element `name` points to, if that is at hand and not in error."""
        if not isinstance(reference, dict):
            return None
        url = reference.get("reference")
        if isinstance(url, str) and url.startswith("#"):
            inner = self._contained(source.resource).get(url)
            if inner is None or statements.in_error(inner):
                return None
            return _Source(source.key, inner["resourceType"], inner, source.base)
        for alias in references.candidates(name, reference, source.base):
            key = self.resolve(alias)
            if key is not None and key in self.live:
                found = self.live[key]
                # A reference that names a type and hits another one is wrong, not a hit.
                named = alias.partition("|")[0] if "|" in alias else alias.rpartition("/")[0]
                named = named.rpartition("/")[2]
                if named in TREATMENTS and named != found.kind:
                    continue
                return found
        return None

    def _contained(self, resource: Resource) -> dict[str, Resource]:
        if "contained" not in resource:
            return {}
        if id(resource) not in self._inner:
            self._inner[id(resource)] = {f"#{c['id']}": c for c in resource["contained"]}
        return self._inner[id(resource)]

    def _find_all(self, source: _Source, name: str, kind: str) -> Iterator[_Source]:
        given = source.resource.get(name)
        for reference in given if isinstance(given, list) else [given]:
            found = self._find(source, name, reference)
            if found is not None and found.kind == kind:
                yield found

    def _visit_of(self, source: _Source) -> str | None:
        for name in ("encounter", "context"):
            found = self._find(source, name, source.resource.get(name))
            if found is not None and found.kind == "Encounter" and found.key != source.key:
                return found.key
        return None

    def _described(self, source: _Source) -> set[str]:
        """The visits that a document belongs to, else the reports that it is about."""
        if source.kind != "DocumentReference" or source.resource.get("status") == "superseded":
            return set()
        context = source.resource.get("context") or {}
        found = [
            self._find(source, name, reference)
            for name in ("encounter", "related")
            for reference in context.get(name) or ()
        ]
        visits = {each.key for each in found if each is not None and each.kind == "Encounter"}
        reports = {e.key for e in found if e is not None and e.kind == "DiagnosticReport"}
        return visits or reports

    def _files(self, source: _Source, making: _Making) -> list[Body]:
        """The documents of a visit or a report by name; their data are in its FHIR form."""
        found = statements.files(source.resource.get("presentedForm"))
        for document in self.documents_of.get(source.key, ()):
            making.members.setdefault(document.key)
            making.shown.setdefault(document.key)
            found += statements.document_files(document.resource)
        return found

    def _inside_others(self) -> set[str]:
        """Sources shown as part of another record: a report's observations, a plan's goals."""
        children: dict[str, list[str]] = {}
        for source in self.live.values():
            if source.kind == "DiagnosticReport":
                names = [("result", "Observation")]
            elif source.kind == "Observation":
                names = [("hasMember", "Observation")]
            elif source.kind == "CarePlan":
                names = [("goal", "Goal")]
            else:
                continue
            for name, kind in names:
                for child in self._find_all(source, name, kind):
                    if child.key != source.key:
                        children.setdefault(source.key, []).append(child.key)
        return _reached(children)

    # Making drafts

    def _place(self, making: _Making, section: Section, at: str | None, body: Body) -> None:
        making.members.setdefault(making.root)
        making.shown.setdefault(making.root)
        draft = Draft(section, making.root, readable.sort_key(at), body, tuple(making.members))
        self.drafts.append(draft)
        for key in making.shown:
            self.placed.setdefault(key, {})[making.root] = None

    def visit(self, source: _Source) -> None:
        encounter = source.resource
        making = _Making(source.key)
        related = self.of_visit.get(source.key, [])
        period = encounter.get("period") or {}
        at = (
            period.get("start")
            or period.get("end")
            or min(
                filter(None, map(statements.date_of, (r.resource for r in related))), default=None
            )
            or statements.recorded(encounter)
        )
        complaints = self._complaints(source, related, making)
        body = {
            **statements.dated("date", at),
            "started_at": instant(period.get("start")),
            "ended_at": instant(period.get("end")),
            "doctor": self._visit_doctor(source, making),
            "title": texts_of(encounter.get("type"))
            or text_of(encounter.get("serviceType"))
            or readable.coding_text({"display": (encounter.get("class") or {}).get("display")}),
            "class": clean((encounter.get("class") or {}).get("code")),
            "complaints": complaints,
            "diagnoses": self._diagnoses(source, related, making),
            "orders": self._orders(related, making),
            "status": encounter.get("status"),
        }
        written = self._written(related, making)
        if written:
            body["sections"] = written
        files = self._files(source, making)
        if files:
            body["files"] = files
        self._place(making, "visits", at, body)

    def _written(self, related: list[_Source], making: _Making) -> list[Body]:
        """What a document of the visit says in its sections: anamnesis, findings, conclusion."""
        written: list[Body] = []
        for source in related:
            if source.kind == "Composition":
                making.members.setdefault(source.key)
                written += statements.other_sections(source.resource.get("section"))
        return written

    def _complaints(self, visit: _Source, related: list[_Source], making: _Making) -> str | None:
        said: list[str | None] = []
        for source in related:
            words = None
            if source.kind == "Observation" and observations.is_complaint(source.resource):
                value = observations.value_of(source.resource)
                words = joined([None if value is None else str(value), notes(source.resource)])
            elif source.kind == "Condition" and observations.is_complaint(source.resource):
                words = text_of(source.resource.get("code"))
            elif source.kind == "Composition":
                words = statements.complaint_sections(source.resource.get("section"))
                if words:
                    making.members.setdefault(source.key)
                said.append(words)
                continue
            if words:
                making.members.setdefault(source.key)
                making.shown.setdefault(source.key)
                said.append(words)
        if any(said):
            return joined(said, "\n")
        reason = texts_of(visit.resource.get("reasonCode"))
        if reason is None:
            for found in self._find_all(visit, "reasonReference", "Condition"):
                making.members.setdefault(found.key)
                reason = joined([reason, text_of(found.resource.get("code"))])
        return reason

    def _diagnoses(self, visit: _Source, related: list[_Source], making: _Making) -> list[Body]:
        """The visit's own list first, in its order of rank, then what points to the visit."""
        named = sorted(
            (d for d in visit.resource.get("diagnosis") or () if isinstance(d, dict)),
            key=lambda d: d.get("rank") or 1_000,
        )
        found = [self._find(visit, "condition", d.get("condition")) for d in named]
        listed = [f for f in found if f is not None and f.kind == "Condition"]
        diagnoses: dict[tuple[str, int], Body] = {}
        for source in [*listed, *(r for r in related if r.kind == "Condition")]:
            condition = source.resource
            if statements.verification(condition) == "refuted" or observations.is_complaint(
                condition
            ):
                continue
            name = coded(condition.get("code"), readable.DIAGNOSES)
            text = name.text or notes(condition)
            if text is None or statements.is_absence(condition.get("code")):
                continue
            making.members.setdefault(source.key)
            making.shown.setdefault(source.key)
            diagnoses.setdefault(
                (source.key, id(condition)),
                {"code": name.code, "system": name.system, "text": text},
            )
        for one, source_found in zip(named, found, strict=True):
            display = clean((one.get("condition") or {}).get("display"))
            if source_found is None and display:
                diagnoses.setdefault((display, 0), {"code": None, "system": None, "text": display})
        return list(diagnoses.values())

    def _orders(self, related: list[_Source], making: _Making) -> list[Body]:
        orders = []
        for source in related:
            kind = _ORDERS.get(source.kind)
            if kind is None:
                continue
            text = self._order_text(source, making)
            if text is None:
                continue
            making.members.setdefault(source.key)
            own = source.kind != "ServiceRequest"
            if not own:
                making.shown.setdefault(source.key)
            record = self.record_id(source.key) if own else None
            orders.append({"kind": kind, "text": text, "record_id": record})
        return orders

    def _order_text(self, source: _Source, making: _Making) -> str | None:
        if source.kind == "MedicationRequest":
            return self._medication(source, making)
        if source.kind == "CarePlan":
            return statements.plan_title(source.resource) or self._plan_text(source, making)
        return statements.service_text(source.resource)

    def allergy(self, source: _Source) -> None:
        allergy = source.resource
        name = coded(allergy.get("code"))
        at = statements.date_of(allergy)
        making = _Making(source.key)
        recorded = statements.dated("recorded_on", at)
        if statements.is_absence(allergy.get("code")):
            if not statements.is_known_absence(allergy.get("code")):
                self.kept[source.key] = "absence_statement"
                return
            body = {
                "entry": "no_known_allergy",
                "text": name.text,
                "code": name.code,
                "system": name.system,
                **recorded,
            }
            self._place(making, "summary", at, body)
            return
        if statements.verification(allergy) == "refuted":
            self.kept[source.key] = "refuted"
            return
        reactions = [r for r in allergy.get("reaction") or () if isinstance(r, dict)]
        text = name.text or joined(text_of(r.get("substance")) for r in reactions)
        text = text or notes(allergy)
        if text is None:
            self.kept[source.key] = "nothing_to_show"
            return
        shown = [texts_of(r.get("manifestation")) or clean(r.get("description")) for r in reactions]
        body = {
            "entry": "allergy",
            "text": text,
            "code": name.code,
            "system": name.system,
            "criticality": allergy.get("criticality"),
            "reactions": list(dict.fromkeys(r for r in shown if r)),
            "status": statements.clinical_status(allergy),
            **recorded,
        }
        self._place(making, "summary", at, body)

    def condition(self, source: _Source) -> None:
        condition = source.resource
        if statements.verification(condition) == "refuted":
            self.kept[source.key] = "refuted"
            return
        code = condition.get("code")
        if statements.is_absence(code):
            self.kept[source.key] = "absence_statement"
            return
        visit = self._visit_of(source)
        in_visit = visit is not None or self._is_listed(source.key)
        name = coded(code, readable.DIAGNOSES)
        text = name.text or notes(condition)
        if text is None or (in_visit and not statements.is_lasting(condition, name)):
            return
        onset = readable.timing_start(condition, "onsetDateTime", "onsetPeriod")
        at = statements.date_of(condition)
        body = {
            "entry": "condition",
            "text": text,
            "code": name.code,
            "system": name.system,
            **statements.dated("since", onset),
            "status": statements.clinical_status(condition),
            **statements.dated("recorded_on", condition.get("recordedDate")),
        }
        self._place(_Making(source.key), "summary", at, body)

    def _is_listed(self, key: str) -> bool:
        """Is this Condition in an Encounter's own list of diagnoses?"""
        if self._listed is None:
            self._listed = {
                found.key
                for source in self.live.values()
                if source.kind == "Encounter"
                for one in source.resource.get("diagnosis") or ()
                if isinstance(one, dict)
                and (found := self._find(source, "condition", one.get("condition"))) is not None
            }
        return key in self._listed

    def report(self, source: _Source) -> None:
        report = source.resource
        making = _Making(source.key)
        rows: list[Body] = []
        laboratory = observations.is_laboratory(report)
        undecided = not laboratory and not report.get("category")
        for found in self._with_members(source, "result"):
            if found.key != source.key:
                making.members.setdefault(found.key)
                making.shown.setdefault(found.key)
            rows += observations.rows(found.resource)
            laboratory = laboratory or (undecided and observations.is_laboratory(found.resource))
        at = readable.timing_start(report, "effectiveDateTime", "effectivePeriod", "issued")
        title = text_of(report.get("code")) or texts_of(report.get("category"))
        conclusion = (
            clean(report.get("conclusion"))
            or texts_of(report.get("conclusionCode"))
            or statements.plain_text(report.get("presentedForm"))
        )
        if title is None and not rows and conclusion is None:
            self.kept[source.key] = "nothing_to_show"
            return
        doctor = self._doctor(source, making, "resultsInterpreter", "performer")
        at = at or statements.recorded(report)
        missing = sum(self._is_missing(source, ref) for ref in report.get("result", ()))
        files = self._files(source, making)
        self._result(
            source, making, laboratory, at, title, conclusion, doctor, rows, missing, files
        )

    def _is_missing(self, source: _Source, reference: Resource) -> bool:
        """Does a result point to what never came? (What was taken back is not missing.)"""
        if self._find(source, "result", reference) is not None:
            return False
        found = map(self.resolve, references.candidates("result", reference, source.base))
        return not any(key in self.all for key in found if key is not None)

    def _with_members(self, source: _Source, name: str) -> Iterator[_Source]:
        """Observations of a report in its order, each panel's members after it, each once."""
        seen = {(source.key, id(source.resource))}
        todo = [*self._find_all(source, name, "Observation")]
        while todo:
            found = todo.pop(0)
            mark = (found.key, id(found.resource))
            if mark in seen or (found.key != source.key and "focus" in found.resource):
                continue
            seen.add(mark)
            self._rows_left -= 1
            if self._rows_left < 0:
                raise NotFhir("too_tangled", "Results share their members beyond all measure.")
            yield found
            todo[:0] = self._find_all(found, "hasMember", "Observation")

    def observation(self, source: _Source) -> None:
        observation = source.resource
        if "focus" in observation:
            self.kept[source.key] = "other_focus"
            return
        visit = self._visit_of(source)
        if visit is not None and observations.is_complaint(observation):
            return
        at = readable.timing_start(
            observation, "effectiveDateTime", "effectivePeriod", "effectiveInstant"
        )
        at = at or readable.timing_start(observation, "effectiveTiming", "issued")
        at = at or statements.recorded(observation)
        if self._blood_group(source, at):
            return
        making = _Making(source.key)
        rows = observations.rows(observation)
        conclusion = notes(observation)
        if conclusion is not None:
            rows[0].pop("note", None)
        laboratory = observations.is_laboratory(observation)
        for found in self._with_members(source, "hasMember"):
            making.members.setdefault(found.key)
            making.shown.setdefault(found.key)
            rows += observations.rows(found.resource)
        title = text_of(observation.get("code"))
        if title is None:
            self.kept[source.key] = "nothing_to_show"
            return
        doctor = self._doctor(source, making, "performer")
        self._result(source, making, laboratory, at, title, conclusion, doctor, rows)

    def _blood_group(self, source: _Source, at: str | None) -> bool:
        if source.resource.get("status") in ("cancelled", "registered"):
            return False
        group = observations.blood_group(source.resource)
        if group is None:
            return False
        body = {"entry": "blood_group", **group, **statements.dated("recorded_on", at)}
        self._place(_Making(source.key), "summary", at, body)
        return True

    def _blood_groups_inside(self, inside: Iterable[str]) -> None:
        for key in sorted(inside):
            source = self.live[key]
            if source.kind == "Observation" and "focus" not in source.resource:
                at = readable.timing_start(
                    source.resource, "effectiveDateTime", "effectivePeriod", "issued"
                )
                self._blood_group(source, at)

    def _result(
        self,
        source: _Source,
        making: _Making,
        laboratory: bool,
        at: str | None,
        title: str | None,
        conclusion: str | None,
        doctor: Body | None,
        rows: list[Body],
        missing: int = 0,
        files: Sequence[Body] = (),
    ) -> None:
        body = {
            "kind": "laboratory" if laboratory else "diagnostic",
            **statements.dated("date", at),
            "title": title,
            "status": source.resource.get("status"),
            "conclusion": conclusion,
            "visit_id": self._visit_id(source),
            "doctor": doctor,
            "observations": rows,
        }
        if missing:
            body["missing_observations"] = missing
        if files:
            body["files"] = list(files)
        self._place(making, "results", at, body)

    def procedure(self, source: _Source) -> None:
        procedure = source.resource
        making = _Making(source.key)
        title = text_of(procedure.get("code")) or text_of(procedure.get("category"))
        at = statements.date_of(procedure)
        conclusion = joined([text_of(procedure.get("outcome")), notes(procedure)], "\n")
        title = title or clean(procedure.get("performedString"))
        if title is None or statements.is_absence(procedure.get("code")):
            absent = statements.is_absence(procedure.get("code"))
            self.kept[source.key] = "absence_statement" if absent else "nothing_to_show"
            return
        doctor = self._performer(source, making)
        self._result(source, making, False, at, title, conclusion, doctor, [])

    def imaging(self, source: _Source) -> None:
        study = source.resource
        making = _Making(source.key)
        series = [one for one in study.get("series") or () if isinstance(one, dict)]
        seen = joined(
            joined(
                [
                    readable.coding_text(one.get("modality")),
                    readable.coding_text(one.get("bodySite")),
                ],
                ": ",
            )
            for one in series
        )
        title = (
            clean(study.get("description"))
            or texts_of(study.get("procedureCode"))
            or seen
            or joined(map(readable.coding_text, study.get("modality") or ()))
        )
        if title is None:
            self.kept[source.key] = "nothing_to_show"
            return
        at = statements.date_of(study)
        doctor = self._doctor(source, making, "interpreter", "referrer")
        self._result(source, making, False, at, title, notes(study), doctor, [])

    def immunization(self, source: _Source) -> None:
        shot = source.resource
        text = text_of(shot.get("vaccineCode"))
        if text is None or statements.is_absence(shot.get("vaccineCode")):
            self.kept[source.key] = "nothing_to_show" if text is None else "absence_statement"
            return
        making = _Making(source.key)
        dose = [quantity(shot.get("doseQuantity")), text_of(shot.get("route"))]
        self._prescription(
            source,
            making,
            "medication",
            statements.date_of(shot),
            text,
            joined([*dose, text_of(shot.get("site"))]),
            self._performer(source, making),
            None,
        )

    def medication(self, source: _Source) -> None:
        order = source.resource
        making = _Making(source.key)
        text = self._medication(source, making)
        if text is None:
            pointed = "medicationReference" in order
            self.kept[source.key] = "medication_unknown" if pointed else "nothing_to_show"
            return
        if statements.is_absence(order.get("medicationCodeableConcept")):
            self.kept[source.key] = "absence_statement"
            return
        given = order.get("dosageInstruction") or order.get("dosage")
        supply = order.get("dispenseRequest") or {}
        until = (supply.get("validityPeriod") or {}).get("end")
        until = (
            until or (order.get("effectivePeriod") or {}).get("end") or statements.last_day(given)
        )
        self._prescription(
            source,
            making,
            "medication",
            statements.date_of(order),
            text,
            dosages(given, russian=statements.is_russian(order, text)),
            self._doctor(source, making, "requester", "recorder", "informationSource"),
            until,
        )

    def _medication(self, source: _Source, making: _Making) -> str | None:
        order = source.resource
        reference = order.get("medicationReference")
        name = text_of(order.get("medicationCodeableConcept"))
        found = self._find(source, "medicationReference", reference)
        if name is None and found is not None:
            making.members.setdefault(found.key)
            name = statements.medication_name(found.resource)
        if name is None and isinstance(reference, dict):
            name = clean(reference.get("display"))
        if name is not None and order.get("doNotPerform") is True:
            forbidden = "Не применять" if readable.is_russian(name) else "Do not take"
            return f"{forbidden}: {name}"
        return name

    def plan(self, source: _Source) -> None:
        plan = source.resource
        making = _Making(source.key)
        text = self._plan_text(source, making)
        if text is None:
            self.kept[source.key] = "nothing_to_show"
            return
        self._prescription(
            source,
            making,
            "recommendation",
            statements.date_of(plan),
            text,
            None,
            self._doctor(source, making, "author", "contributor"),
            (plan.get("period") or {}).get("end"),
        )

    def _plan_text(self, source: _Source, making: _Making) -> str | None:
        plan = source.resource
        title = statements.plan_title(plan)
        described = clean(plan.get("description"))
        activities = []
        for activity in plan.get("activity") or ():
            detail = activity.get("detail") or {}
            words = joined([text_of(detail.get("code")), clean(detail.get("description"))])
            if words and detail.get("doNotPerform") is True:
                words = f"{'Не делать' if readable.is_russian(words) else 'Do not'}: {words}"
            found = self._find(source, "reference", activity.get("reference"))
            if words is None and found is not None:
                if found.key != source.key:
                    making.members.setdefault(found.key)
                words = self._order_text(found, making) if found.kind in _ORDERS else None
            activities.append(words or clean((activity.get("reference") or {}).get("display")))
        goals = []
        for goal in self._find_all(source, "goal", "Goal"):
            words = statements.goal_text(goal.resource)
            if words is None:
                continue
            if goal.key != source.key:
                making.members.setdefault(goal.key)
                making.shown.setdefault(goal.key)
            goals.append(words)
        head = joined([title, None if described == title else described], ". ")
        done = joined(activities, "; ")
        aims = joined(goals, "; ")
        text = f"{head}: {done}" if head and done else head or done
        if aims is not None:
            aims = f"{'Цели' if readable.is_russian(text, aims) else 'Goals'}: {aims}"
        own = plan.get("text") or {}
        # A narrative that says more than the elements (R4, narrative.html#status).
        more = readable.narrative(own) if own.get("status") in ("additional", None) else None
        return joined([text, aims, notes(plan)], "\n") or more

    def goal(self, source: _Source) -> None:
        goal = source.resource
        text = statements.goal_text(goal)
        if text is None:
            self.kept[source.key] = "nothing_to_show"
            return
        making = _Making(source.key)
        due = [t.get("dueDate") for t in goal.get("target") or () if isinstance(t, dict)]
        self._prescription(
            source,
            making,
            "recommendation",
            statements.date_of(goal),
            text,
            None,
            self._doctor(source, making, "expressedBy"),
            max((d for d in due if isinstance(d, str)), default=None),
        )

    def service(self, source: _Source) -> None:
        if self._visit_of(source) is not None:
            return  # an order of its visit
        request = source.resource
        text = statements.service_text(request)
        if text is None:
            self.kept[source.key] = "nothing_to_show"
            return
        making = _Making(source.key)
        self._prescription(
            source,
            making,
            "recommendation",
            statements.date_of(request),
            text,
            clean(request.get("patientInstruction")),
            self._doctor(source, making, "requester"),
            (request.get("occurrencePeriod") or {}).get("end"),
        )

    def _prescription(
        self,
        source: _Source,
        making: _Making,
        kind: str,
        at: str | None,
        text: str,
        dosage: str | None,
        doctor: Body | None,
        until: str | None,
    ) -> None:
        status = source.resource.get("status") or source.resource.get("lifecycleStatus")
        body = {
            "kind": kind,
            **statements.dated("date", at),
            "status": status,
            "text": text,
            "dosage": dosage,
            "doctor": doctor,
            **statements.dated("valid_until", until),
            "visit_id": self._visit_id(source),
        }
        self._place(making, "prescriptions", at, body)

    def _visit_id(self, source: _Source) -> str | None:
        visit = self._visit_of(source)
        return None if visit is None else self.record_id(visit)

    # Doctors

    def _doctor(self, source: _Source, making: _Making, *names: str) -> Body | None:
        for name in names:
            given = source.resource.get(name)
            for reference in given if isinstance(given, list) else [given]:
                doctor = self._person(source, name, reference, making)
                if doctor is not None:
                    return doctor
        return None

    def _performer(self, source: _Source, making: _Making) -> Body | None:
        for one in source.resource.get("performer") or ():
            if isinstance(one, dict):
                doctor = self._person(source, "actor", one.get("actor"), making)
                if doctor is not None:
                    return doctor
        return self._doctor(source, making, "recorder", "asserter")

    def _visit_doctor(self, source: _Source, making: _Making) -> Body | None:
        """The attending or primary performer before any other participant."""
        given = [p for p in source.resource.get("participant") or () if isinstance(p, dict)]

        def rank(participant: Resource) -> int:
            roles = {
                code for concept in participant.get("type") or () for _, code in codes(concept)
            }
            return next((i for i, role in enumerate(("ATND", "PPRF", "ADM")) if role in roles), 9)

        for participant in sorted(given, key=rank):
            doctor = self._person(source, "individual", participant.get("individual"), making)
            if doctor is not None:
                return doctor
        return None

    def _person(
        self, source: _Source, name: str, reference: object, making: _Making
    ) -> Body | None:
        if not isinstance(reference, dict):
            return None
        display = clean(reference.get("display"))
        found = self._find(source, name, reference)
        if found is None:
            # Without its resource only the reference itself tells whether it is a doctor.
            url = str(reference.get("reference") or reference.get("type") or "")
            doctor = "Practitioner" in url or (name in _PEOPLE and not _OTHERS.search(url))
            return {"name": display, "specialty": None} if display and doctor else None
        role = found if found.kind == "PractitionerRole" else self.roles.get(found.key)
        person: _Source | None = found
        if found.kind == "PractitionerRole":
            person = self._find(found, "practitioner", found.resource.get("practitioner"))
        elif found.kind != "Practitioner":
            return None
        full_name = readable.person_name(person.resource.get("name")) if person else None
        if full_name is None and role is not None:
            full_name = clean((role.resource.get("practitioner") or {}).get("display"))
        full_name = full_name or display
        if full_name is None:
            return None
        for one in (person, role):
            if one is not None and one.key != source.key:
                making.members.setdefault(one.key)
        specialty = None
        if role is not None:
            specialty = texts_of(role.resource.get("specialty")) or texts_of(
                role.resource.get("code")
            )
        if specialty is None and person is not None:
            held = person.resource.get("qualification") or ()
            specialty = joined(text_of(q.get("code")) for q in held if isinstance(q, dict))
        return {"name": full_name, "specialty": specialty}


MAKERS: dict[str, Callable[[_Derivation, _Source], None]] = {
    "Encounter": _Derivation.visit,
    "AllergyIntolerance": _Derivation.allergy,
    "Condition": _Derivation.condition,
    "DiagnosticReport": _Derivation.report,
    "Observation": _Derivation.observation,
    "Procedure": _Derivation.procedure,
    "ImagingStudy": _Derivation.imaging,
    "Immunization": _Derivation.immunization,
    "MedicationRequest": _Derivation.medication,
    "MedicationStatement": _Derivation.medication,
    "CarePlan": _Derivation.plan,
    "Goal": _Derivation.goal,
    "ServiceRequest": _Derivation.service,
}
# Elements that mostly hold a doctor, and what a reference in them says if it is no doctor.
_PEOPLE = words("individual requester recorder resultsInterpreter interpreter asserter")
_OTHERS = re.compile("Organization|Patient|RelatedPerson|Device|HealthcareService|CareTeam")
_ORDERS = {
    "MedicationRequest": "medication",
    "CarePlan": "recommendation",
    "ServiceRequest": "service",
}


def _reached(children: Mapping[str, Iterable[str]]) -> set[str]:
    """Keys below others. In a circle that nothing points into, the smallest key is the root."""
    pointed = {key for below in children.values() for key in below}
    reached: set[str] = set()

    def mark(root: str) -> None:
        todo = [*children.get(root, ())]
        while todo:
            key = todo.pop()
            if key != root and key not in reached:
                reached.add(key)
                todo += children.get(key, ())

    for root in sorted(set(children) - pointed):
        mark(root)
    for root in sorted(pointed):
        if root not in reached:
            mark(root)
    return reached
