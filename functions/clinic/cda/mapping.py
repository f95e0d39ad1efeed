"""A СЭМД -> a FHIR Bundle of what its sections say; from there on it is taken like any other.

Sections are known by their codes in the table 1.2.643.5.1.13.13.99.2.197 (and the older
1.2.643.5.1.13.13.11.1379), coded fields by 1.2.643.5.1.13.13.99.2.166. docs/intake.md tells which
become what. Resources are named by the document's set and their place in it, so that the next
version of a document meets what its last one made.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.etree.ElementTree import Element

from clinic.cda.document import (
    SNILS,
    Document,
    identifiers,
    interval,
    name,
    narrative_ids,
    performers,
    time,
    when,
)
from clinic.cda.xml import XSI_TYPE, attribute, child, children, every, text

Resource = dict[str, Any]

SET_SYSTEM = "urn:medkarta:cda-set"
PREFIX = "urn:medkarta:cda:"  # of the names of what was made from documents
_ICD10_RU = "1.2.643.5.1.13.13.11.1005"
_LABORATORY_TESTS = "1.2.643.5.1.13.13.11.1080"
_FIELDS = "1.2.643.5.1.13.13.99.2.166"
_UCUM = "http://unitsofmeasure.org"
_SYSTEMS = {
    "2.16.840.1.113883.6.1": "http://loinc.org",
    "2.16.840.1.113883.6.96": "http://snomed.info/sct",
}
_COMPLAINTS = frozenset({"COMPLNTS", "COMPL", "COMPLAINTS", "10154-3"})
_DIAGNOSES = frozenset({"DGN", "DGNS", "DIAG"})
_ALLERGIES = frozenset({"ALL", "ALLERG", "48765-2"})
_VITALS = frozenset({"VITALPARAM", "8716-3"})
_LABORATORY = frozenset({"RESLAB", "30954-2"})
_INSTRUMENTAL = frozenset({"RESINSTR", "RESINST"})
_CONCLUSIONS = frozenset({"RESINFO", "CONCL", "CONCLUSION"})
_ABOUT_DOCUMENT = frozenset(
    {"DOCINFO", "LINKDOCS", "SPECIMENS", "ANALYSERS", "SERVICES", "PATINFO"}
)
# Conclusions of a consultation and of an examination.
_CONCLUSION_FIELDS = frozenset({"806", "1806"})
_INTERPRETATIONS = frozenset({"N", "L", "H", "LL", "HH", "A", "AA", "LU", "HU", "<", ">"})
_GENDERS = {"1": "male", "2": "female", "3": "unknown", "M": "male", "F": "female"}
_EN_DASH_NUMBER = re.compile(r"[+-]?\d{1,30}([.,]\d{1,30})?")


def set_key(document: Document) -> str:
    """What a document and its later versions have in common: setId, else what it replaces."""
    named = document.set_id or (document.parents[0] if document.parents else document.document_id)
    return named.key


def bundle(document: Document, key: str) -> Resource:
    """The document as a FHIR collection. `key`: the set that it is a version of."""
    return _Reading(document, key).bundle()


class _Reading:
    def __init__(self, document: Document, key: str) -> None:
        self.document = document
        self.root = document.root
        self.base = PREFIX + hashlib.sha256(key.encode()).hexdigest()[:32]
        self.key = key
        self.entries: list[Resource] = []
        self.used: dict[str, int] = {}
        self.narratives = narrative_ids(self.root)
        self.start, self.end = when(document)
        self.visit: str | None = None
        self.diagnoses: dict[str, Resource] = {}
        self.reports: list[Resource] = []

    def bundle(self) -> Resource:
        self.patient = self._add("Patient", "patient", self._patient())
        self.doctor = self._doctor()
        sections = list(self._sections())
        if not self.document.is_laboratory:
            self.visit = self._add("Encounter", "visit", self._encounter())
        for section, code, path in sections:
            self._section(section, code, path)
        self._conclude(sections)
        if self.visit is not None:
            self._composition(sections)
        made = [entry["fullUrl"] for entry in self.entries[1:]]
        self._add("DocumentReference", "document", self._reference(made))
        return {"resourceType": "Bundle", "type": "collection", "entry": self.entries}

    # Naming

    def _add(self, kind: str, path: str, resource: Resource) -> str:
        """Add a resource; what stands twice at one place in a document is told apart by number."""
        place = f"{kind}:{path}"
        number = self.used[place] = self.used.get(place, 0) + 1
        url = f"{self.base}:{hashlib.sha256(f'{place}:{number}'.encode()).hexdigest()[:32]}"
        filled = {k: v for k, v in resource.items() if v not in (None, [], {})}
        self.entries.append({"fullUrl": url, "resource": {"resourceType": kind, **filled}})
        return url

    def _about(self) -> Resource:
        about: Resource = {"subject": {"reference": self.patient}}
        if self.visit is not None:
            about["encounter"] = {"reference": self.visit}
        return about

    # Header

    def _patient(self) -> Resource:
        role = child(self.root, "recordTarget", "patientRole")
        patient = child(role, "patient")
        family, given = name(patient)
        born = time(child(patient, "birthTime"))
        gender = attribute(child(patient, "administrativeGenderCode"), "code")
        return {
            "identifier": [
                {"system": f"urn:oid:{each.root}", "value": each.extension}
                for each in identifiers(role)
                if each.extension
            ],
            "name": [_filled({"family": family, "given": given})] if family or given else [],
            "birthDate": born[:10] if born else None,
            "gender": _GENDERS.get(gender or "", "unknown"),
        }

    def _doctor(self) -> str | None:
        for entity in performers(self.document):
            family, given = name(child(entity, "assignedPerson"))
            if not family and not given:
                continue
            post = attribute(child(entity, "code"), "displayName")
            doctor = {
                "identifier": [
                    {"system": f"urn:oid:{each.root}", "value": each.extension}
                    for each in identifiers(entity)
                    if each.root == SNILS and each.extension
                ],
                "name": [_filled({"family": family, "given": given})],
                "qualification": [{"code": {"text": post}}] if post else [],
            }
            return self._add("Practitioner", "doctor", doctor)
        return None

    def _encounter(self) -> Resource:
        doctor: list[Resource] = []
        if self.doctor:
            role = {"coding": [{"code": "PPRF"}]}
            doctor = [{"type": [role], "individual": {"reference": self.doctor}}]
        return {
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "type": [{"text": self.document.title}],
            "subject": {"reference": self.patient},
            "period": _filled({"start": self.start, "end": self.end}),
            "participant": doctor,
        }

    def _reference(self, made: list[str]) -> Resource:
        """The document itself, whole, and what was made of it."""
        document = self.document
        own = {"system": "urn:oid:" + document.document_id.root}
        data = base64.b64encode(document.body).decode()
        return {
            "masterIdentifier": {**own, "value": document.document_id.extension or "-"},
            "identifier": [{"system": SET_SYSTEM, "value": self.key}],
            "meta": {"versionId": str(document.version)},
            "status": "current",
            "type": {"text": document.title},
            "subject": {"reference": self.patient},
            "content": [{"attachment": {"contentType": "application/xml", "data": data}}],
            "context": {"related": [{"reference": url} for url in made]},
        }

    # Sections

    def _sections(self) -> Iterator[tuple[Element, str, str]]:
        """Every section with its code and its place, the outer before the inner."""
        todo = [(child(self.root, "component", "structuredBody"), "")]
        while todo:
            node, path = todo.pop(0)
            for number, component in enumerate(children(node, "component")):
                section = child(component, "section")
                if section is not None:
                    code = attribute(child(section, "code"), "code") or f"#{number}"
                    place = f"{path}/{code}"
                    yield section, code, place
                    todo.append((section, place))

    def _section(self, section: Element, code: str, path: str) -> None:
        if code in _LABORATORY:
            self._laboratory(section, path)
        elif code in _VITALS:
            for observation in self._observations(section):
                self._observation(observation, path, "vital-signs")
        elif code in _ALLERGIES:
            self._allergies(section, path)
        elif code in _COMPLAINTS and self.visit is not None:
            self._complaint(section, path)
        elif code in _INSTRUMENTAL:
            self._examination(section, path)
        elif code.startswith("REC") or code == "REGIME":
            self._recommendation(section, path)
        if self.visit is not None and code not in _LABORATORY:
            self._find_diagnoses(section, path)

    def _observations(self, section: Element) -> Iterator[Element]:
        """Of this section's entries, those in which nothing but groups stands above them."""
        todo = children(section, "entry")
        while todo:
            node = todo.pop(0)
            organizer = child(node, "organizer")
            if organizer is not None:
                todo[:0] = children(organizer, "component")
            elif (observation := child(node, "observation")) is not None:
                yield observation

    # Laboratory

    def _laboratory(self, section: Element, path: str) -> None:
        """One report a battery; loose results are a report of their own."""
        loose: list[Element] = []
        todo = children(section, "entry")
        while todo:
            node = todo.pop(0)
            organizer = child(node, "organizer")
            if organizer is None:
                observation = child(node, "observation")
                loose += [observation] if observation is not None else []
            elif organizer.get("classCode") == "BATTERY":
                self._battery(organizer, path)
            else:
                todo[:0] = children(organizer, "component")
        if loose:
            self._report(self.document.title, path, loose, self.start)

    def _battery(self, battery: Element, path: str) -> None:
        found: list[Element] = []
        todo = children(battery, "component")
        while todo:
            node = todo.pop(0)
            observation, inner = child(node, "observation"), child(node, "organizer")
            if observation is not None:
                found.append(observation)
            elif inner is not None:
                todo[:0] = children(inner, "component")
        code = child(battery, "code")
        title = text(child(code, "originalText")) or attribute(code, "displayName")
        start, _ = interval(child(battery, "effectiveTime"))
        self._report(title or self.document.title, path, found, start)

    def _report(
        self, title: str, path: str, observations: list[Element], start: str | None
    ) -> None:
        place = f"{path}/{title}"
        own = [o for o in observations if not _is_conclusion(o)]
        results = [self._observation(o, place, "laboratory") for o in own]
        times = (interval(child(o, "effectiveTime"))[0] for o in own)
        at = start or next((t for t in times if t), None) or self.start
        said = [self._words(o) for o in observations if _is_conclusion(o)]
        report = self._report_resource("LAB", title, at)
        report["result"] = [{"reference": url} for url in results]
        report["conclusion"] = _joined(said)
        self._add("DiagnosticReport", place, report)
        self.reports.append(self.entries[-1]["resource"])

    def _report_resource(self, category: str, title: str, at: str | None) -> Resource:
        system = "http://terminology.hl7.org/CodeSystem/v2-0074"
        return {
            "status": "final",
            "category": [{"coding": [{"system": system, "code": category}]}],
            "code": {"text": title},
            **self._about(),
            "effectiveDateTime": at,
            "resultsInterpreter": [{"reference": self.doctor}] if self.doctor else None,
        }

    def _observation(self, node: Element, path: str, category: str) -> str:
        code = child(node, "code")
        states = {"active": "preliminary", "aborted": "cancelled", "cancelled": "cancelled"}
        start, _ = interval(child(node, "effectiveTime"))
        named = attribute(code, "code") or text(child(code, "originalText")) or ""
        notes = [
            self._words(below)
            for each in children(node, "entryRelationship")
            for below in (child(each, "act"), child(each, "observation"))
            if below is not None
        ]
        resource: Resource = {
            "status": states.get(attribute(child(node, "statusCode"), "code") or "", "final"),
            "category": [{"coding": [{"code": category}]}],
            "code": self._concept(code) or {"text": self.document.title},
            **self._about(),
            "effectiveDateTime": start or self.start,
            "interpretation": [
                {"coding": [{"code": said}]}
                for each in children(node, "interpretationCode")
                if (said := attribute(each, "code")) in _INTERPRETATIONS
            ],
            "referenceRange": [
                found
                for each in children(node, "referenceRange")
                if (found := self._range(child(each, "observationRange")))
            ],
            "note": [{"text": said} for said in notes if said],
            **self._value(node),
        }
        return self._add("Observation", f"{path}/{named}", resource)

    def _value(self, node: Element) -> Resource:
        value = child(node, "value")
        kind = "" if value is None else (value.get(XSI_TYPE) or "").rpartition(":")[2]
        if value is None or "nullFlavor" in value.attrib:
            flavor = "unknown" if value is None else value.get("nullFlavor", "unknown")
            return {"dataAbsentReason": {"text": _ABSENT.get(flavor, _ABSENT["UNK"])}}
        plain = attribute(value, "value")
        if kind in ("PQ", "REAL", "MO"):
            return self._quantity(value) or _string(plain)
        if kind == "IVL_PQ":
            return self._limits(value) or _string(text(value))
        if kind == "INT" and plain and re.fullmatch(r"-?\d{1,9}", plain):
            return {"valueInteger": int(plain)}
        if kind == "BL" and plain in ("true", "false"):
            return {"valueBoolean": plain == "true"}
        if kind in ("TS", "IVL_TS") and (moment := interval(value)[0]):
            return {"valueDateTime": moment}
        if kind in ("CD", "CE", "CV", "CO", "CS") and (concept := self._concept(value)):
            return {"valueCodeableConcept": concept}
        return _string(text(value) or plain or attribute(value, "displayName"))

    def _quantity(self, node: Element) -> Resource:
        number = _number(attribute(node, "value"))
        return {} if number is None else {"valueQuantity": {"value": number, **_unit(node)}}

    def _limits(self, node: Element) -> Resource:
        """An interval: both ends, or one of them as `<` and `>` with whether it belongs to it."""
        low, high = child(node, "low"), child(node, "high")
        lowest, highest = _number(attribute(low, "value")), _number(attribute(high, "value"))
        if lowest is not None and highest is not None and low is not None and high is not None:
            ends = {
                "low": {"value": lowest, **_unit(low)},
                "high": {"value": highest, **_unit(high)},
            }
            return {"valueRange": ends}
        end, number, sign = (low, lowest, ">") if lowest is not None else (high, highest, "<")
        if end is None or number is None:
            return {}
        comparator = sign if end.get("inclusive") == "false" else f"{sign}="
        return {"valueQuantity": {"value": number, "comparator": comparator, **_unit(end)}}

    def _range(self, node: Element | None) -> Resource:
        value = child(node, "value")
        ends: Resource = {}
        for side in ("low", "high"):
            end = child(value, side)
            number = _number(attribute(end, "value"))
            if end is not None and number is not None:
                ends[side] = {"value": number, **_unit(end)}
        words = text(child(node, "text"))
        return {**ends, "text": words} if words else ends

    # What a consultation says

    def _complaint(self, section: Element, path: str) -> None:
        if words := self._section_words(section):
            resource = {
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "10154-3"}]},
                **self._about(),
                "effectiveDateTime": self.start,
                "valueString": words,
            }
            self._add("Observation", path, resource)

    def _find_diagnoses(self, section: Element, path: str) -> None:
        """Every observation whose value is of МКБ-10, each code once, the better worded first."""
        places = [e for name_ in ("entry",) for e in children(section, name_)]
        for observation in (o for place in places for o in every(place, "observation")):
            value = child(observation, "value")
            if attribute(value, "codeSystem") != _ICD10_RU:
                continue
            code = attribute(value, "code")
            if code is None:
                continue
            words = self._words_of(child(observation, "text"))
            display = words or attribute(value, "displayName")
            known = self.diagnoses.get(code)
            if known is not None:
                if words and known["code"].get("text") != words:
                    known["code"]["text"] = words
                continue
            resource: Resource = {
                "category": [{"coding": [{"code": "encounter-diagnosis"}]}],
                "code": _filled(
                    {
                        "coding": [
                            _filled(
                                {
                                    "system": f"urn:oid:{_ICD10_RU}",
                                    "code": code,
                                    "display": attribute(value, "displayName"),
                                }
                            )
                        ],
                        "text": display,
                    }
                ),
                **self._about(),
                "recordedDate": self.start,
            }
            self._add("Condition", f"diagnosis/{code}", resource)
            self.diagnoses[code] = self.entries[-1]["resource"]

    def _allergies(self, section: Element, path: str) -> None:
        found = False
        for observation in self._observations(section):
            what = [
                self._concept(child(entity, "code")) or _text_only(text(child(entity, "name")))
                for each in children(observation, "participant")
                if (entity := child(each, "participantRole", "playingEntity")) is not None
            ]
            what = [w for w in what if w]
            value = child(observation, "value")
            said = self._concept(value) or _text_only(self._words(observation))
            code = what[0] if what else said
            if code is None:
                continue
            reactions = [
                concept
                for below in every(observation, "observation")
                if below is not observation and (concept := self._concept(child(below, "value")))
            ]
            if what and said and said != code and not reactions:
                reactions = [said]
            found = True
            resource = {
                "clinicalStatus": {"coding": [{"code": "active"}]},
                "code": code,
                "patient": {"reference": self.patient},
                "recordedDate": self.start,
                "reaction": [{"manifestation": reactions}] if reactions else [],
            }
            key = code.get("text") or ""
            self._add("AllergyIntolerance", f"{path}/{key}", resource)
        words = self._section_words(section)
        if not found and words:
            resource = {
                "code": {"text": words},
                "patient": {"reference": self.patient},
                "recordedDate": self.start,
            }
            self._add("AllergyIntolerance", path, resource)

    def _recommendation(self, section: Element, path: str) -> None:
        """Medicines as prescriptions of their own; without any, the section's words as a plan."""
        ordered = [
            order
            for each in children(section, "entry")
            for order in every(each, "substanceAdministration")
            if self._medicine(order, path)
        ]
        words = self._section_words(section)
        if ordered or not words:
            return
        resource = {
            "status": "active",
            "intent": "plan",
            "title": text(child(section, "title")),
            "description": words,
            **self._about(),
            "created": self.start,
            "author": {"reference": self.doctor} if self.doctor else None,
        }
        self._add("CarePlan", path, resource)

    def _medicine(self, order: Element, path: str) -> bool:
        product = child(order, "consumable", "manufacturedProduct")
        material = child(product, "manufacturedMaterial")
        if material is None:
            material = child(product, "manufacturedLabeledDrug")
        title = text(child(material, "name"))
        concept = self._concept(child(material, "code")) or _text_only(title)
        if concept is None:
            return False
        dose = child(order, "doseQuantity")
        amount = _number(attribute(dose, "value"))
        words = self._words_of(child(order, "text"))
        taken: Resource = {"text": words} if words else {}
        if amount is not None and dose is not None:
            taken["doseAndRate"] = [{"doseQuantity": {"value": amount, **_unit(dose)}}]
        start, end = interval(child(order, "effectiveTime"))
        resource = {
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": concept,
            **self._about(),
            "authoredOn": self.start,
            "requester": {"reference": self.doctor} if self.doctor else None,
            "dosageInstruction": [taken] if taken else [],
            "dispenseRequest": _filled({"validityPeriod": _filled({"start": start, "end": end})})
            if end
            else None,
        }
        self._add("MedicationRequest", f"{path}/{concept.get('text') or title}", resource)
        return True

    def _examination(self, section: Element, path: str) -> None:
        observations = list(self._observations(section))
        title = text(child(section, "title")) or self.document.title
        report = self._report_resource("OTH", title, self.start)
        said = [self._words(o) for o in observations if _is_conclusion(o)]
        report["conclusion"] = _joined(said) or self._section_words(section)
        if report["conclusion"]:
            self._add("DiagnosticReport", path, report)

    def _conclude(self, sections: list[tuple[Element, str, str]]) -> None:
        """A laboratory's general conclusion stands in its only or its first report."""
        if not self.document.is_laboratory:
            return
        said = [self._section_words(s) for s, code, _ in sections if code in _CONCLUSIONS]
        words = _joined(said)
        if not self.reports:
            everything = [
                self._section_words(s) for s, code, _ in sections if code not in _ABOUT_DOCUMENT
            ]
            report = self._report_resource("LAB", self.document.title, self.start)
            report["conclusion"] = _joined(everything)
            if report["conclusion"]:
                self._add("DiagnosticReport", "report", report)
        elif words:
            report = self.reports[0]
            report["conclusion"] = _joined([report.get("conclusion"), words])

    def _composition(self, sections: list[tuple[Element, str, str]]) -> None:
        """What a doctor wrote besides: anamnesis, findings, conclusion; the visit shows it."""
        said = [
            {"title": text(child(section, "title")) or code, "text": _narrative(words)}
            for section, code, _ in sections
            if code not in _COMPLAINTS | _DIAGNOSES | _ABOUT_DOCUMENT | _LABORATORY
            and not code.startswith("REC")
            and code != "REGIME"
            and (words := self._section_words(section))
        ]
        if said:
            resource = {
                "status": "final",
                "type": {"text": self.document.title},
                **self._about(),
                "date": self.start or "1900",
                "author": [{"reference": self.doctor} if self.doctor else {"display": "—"}],
                "title": self.document.title,
                "section": said,
            }
            self._add("Composition", "text", resource)

    # Words

    def _section_words(self, section: Element) -> str | None:
        said = [self._words(each) for each in self._observations(section) if _is_text(each)]
        return text(child(section, "text")) or _joined(said)

    def _words(self, node: Element) -> str | None:
        value = child(node, "value")
        kind = "" if value is None else (value.get(XSI_TYPE) or "").rpartition(":")[2]
        if value is not None and kind in ("ST", "ED"):
            return text(value)
        return attribute(value, "displayName") or self._words_of(child(node, "text"))

    def _words_of(self, node: Element | None) -> str | None:
        pointed = attribute(child(node, "reference"), "value")
        if pointed is not None:
            return text(self.narratives.get(pointed.removeprefix("#")))
        return text(node)

    def _concept(self, node: Element | None) -> Resource | None:
        if node is None:
            return None
        code, system = attribute(node, "code"), attribute(node, "codeSystem")
        display = attribute(node, "displayName")
        said = self._words_of(child(node, "originalText")) or display
        coding = _filled(
            {
                "system": _SYSTEMS.get(system, f"urn:oid:{system}") if system else None,
                "code": " ".join(code.split()) if code else None,
                "display": display,
            }
        )
        concept = _filled({"coding": [coding] if code else [], "text": said or code})
        return concept or None


_ABSENT = {
    "UNK": "нет данных",
    "NI": "нет данных",
    "NA": "не применимо",
    "NAV": "временно недоступно",
    "ASKU": "неизвестно",
    "MSK": "скрыто",
    "OTH": "нет данных",
    "INV": "нет данных",
}


def _is_conclusion(observation: Element) -> bool:
    code = child(observation, "code")
    return attribute(code, "codeSystem") == _FIELDS and (
        attribute(code, "code") in _CONCLUSION_FIELDS
        or "заключение" in (attribute(code, "displayName") or "").lower()
    )


def _is_text(observation: Element) -> bool:
    value = child(observation, "value")
    return value is not None and (value.get(XSI_TYPE) or "").rpartition(":")[2] in ("ST", "ED")


def _number(value: str | None) -> Decimal | None:
    if value is None or not _EN_DASH_NUMBER.fullmatch(value):
        return None
    try:
        return Decimal(value.replace(",", "."))
    except InvalidOperation:
        return None


def _unit(node: Element) -> Resource:
    """The unit as people read it (the translation of the federal table), and its UCUM code."""
    code = attribute(node, "unit")
    said = [attribute(each, "displayName") for each in children(node, "translation")]
    shown = next((s for s in said if s), code)
    if code == "1":
        code, shown = None, next((s for s in said if s), None)
    cyrillic = bool(code and re.search("[А-Яа-я]", code))
    ucum = {"system": _UCUM, "code": code} if code and not cyrillic and " " not in code else {}
    return {**({"unit": shown} if shown else {}), **ucum}


def _string(value: str | None) -> Resource:
    return {"valueString": value} if value else {"dataAbsentReason": {"text": _ABSENT["UNK"]}}


def _text_only(value: str | None) -> Resource | None:
    return {"text": value} if value else None


def _narrative(words: str) -> Resource:
    lines = (
        line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for line in words.split("\n")
    )
    div = '<div xmlns="http://www.w3.org/1999/xhtml">' + "<br/>".join(lines) + "</div>"
    return {"status": "generated", "div": div}


def _joined(parts: list[str | None]) -> str | None:
    return "\n".join(dict.fromkeys(part for part in parts if part)) or None


def _filled(values: Resource) -> Resource:
    return {name_: value for name_, value in values.items() if value not in (None, [], {})}


def set_of(reference: Resource) -> str | None:
    """The set that a stored DocumentReference belongs to, if it is of a CDA document."""
    given = reference.get("identifier")
    found = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return next((str(i.get("value")) for i in found if i.get("system") == SET_SYSTEM), None)


def version_of(reference: Resource) -> int:
    """The version of the document in a stored DocumentReference."""
    version = str((reference.get("meta") or {}).get("versionId", ""))
    return int(version) if re.fullmatch(r"[0-9]{1,9}", version) else 0


def retracted(resource: Resource) -> Resource | None:
    """The resource as one that a document's later version no longer holds."""
    kind = resource["resourceType"]
    if kind in ("Condition", "AllergyIntolerance"):
        rest = {k: v for k, v in resource.items() if k != "clinicalStatus"}
        return {**rest, "verificationStatus": {"coding": [{"code": "entered-in-error"}]}}
    if "status" in resource and kind not in ("DocumentReference", "Patient"):
        return {**resource, "status": "entered-in-error"}
    return None
