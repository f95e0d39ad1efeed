"""The facts of an extract as HL7 FHIR R4: one Bundle of type `document`, attached inside the file.

It says what the paper says and no more: a masked number stays masked, an assessment that was only
worked out from the range is left to be worked out again. Readers that do not know the paper find
its check address as the Bundle's identifier.
"""

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, date
from decimal import Decimal
from typing import Any

from extracts.document import Attachment, ExtractDocument
from extracts.words import words
from kernel import exact_json

Resource = dict[str, Any]

MEDIA = "application/fhir+json"
FILE_NAME = "extract.fhir.json"
_SNILS = "urn:oid:1.2.643.100.3"
_LOINC = "http://loinc.org"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_RENDERED = "http://hl7.org/fhir/StructureDefinition/rendered-value"
# LOINC: what kind of document it is.
_KINDS = {
    "visit": ("34133-9", "Summary of episode note"),
    "results": ("11502-2", "Laboratory report"),
    "prescriptions": ("57833-6", "Prescription for medication"),
    "summary": ("60591-5", "Patient summary Document"),
}
_INTERPRETATIONS = {
    "normal": "N",
    "low": "L",
    "high": "H",
    "critical_low": "LL",
    "critical_high": "HH",
    "abnormal": "A",
}


def attachment(document: ExtractDocument) -> Attachment:
    """The Bundle as a file for inside the paper."""
    data = exact_json.dumps(bundle(document))
    said = words(document.language).label("fhir_attachment")
    return Attachment(FILE_NAME, MEDIA, data.encode(), said, relationship="data")


def bundle(document: ExtractDocument) -> Resource:
    """The extract as a FHIR R4 document (§3.3). The same document gives the same Bundle."""
    return _Document(document).bundle()


class _Document:
    """A Bundle on its way: `entries` by full URL, each thing once."""

    def __init__(self, document: ExtractDocument) -> None:
        self.document = document
        self.entries: dict[str, Resource] = {}
        self.patient = self._add("Patient", "patient", _patient(document))
        clinic = document.clinic
        self.clinic = self._add(
            "Organization",
            "clinic",
            {
                "name": clinic.name,
                "telecom": [{"system": "phone", "value": clinic.phone}] if clinic.phone else None,
                "address": [{"text": clinic.address}] if clinic.address else None,
            },
        )

    def bundle(self) -> Resource:
        document = self.document
        make = {
            "visit": self._visit,
            "results": self._result,
            "prescriptions": self._prescription,
        }
        if document.kind == "summary":
            shown = list(self._summary())
        else:
            shown = [make[document.kind](record) for record in document.records]
        said = words(document.language)
        code, display = _KINDS[document.kind]
        issued = document.issued_at.astimezone(UTC).isoformat(timespec="seconds")
        composition = {
            "resourceType": "Composition",
            "status": "final",
            "type": {"coding": [{"system": _LOINC, "code": code, "display": display}]},
            "subject": self.patient,
            "date": issued,
            "author": [self.clinic],
            "title": f"{said.title(document.kind)}. {said.subtitle(document.kind)}",
            "custodian": self.clinic,
            "event": [{"period": _period(document)}] if document.period else None,
            "section": [
                {
                    "title": said.subtitle(document.kind),
                    "entry": shown or None,
                    "emptyReason": None if shown else _concept("list-empty-reason", "nilknown"),
                }
            ],
        }
        first = {"fullUrl": self._url("composition"), "resource": _filled(composition)}
        others = [{"fullUrl": url, "resource": each} for url, each in self.entries.items()]
        return {
            "resourceType": "Bundle",
            "identifier": {"system": "urn:ietf:rfc:3986", "value": document.verification.url},
            "type": "document",
            "timestamp": issued,
            "entry": [first, *others],
        }

    def _visit(self, record: Mapping[str, Any]) -> Resource:
        name = str(record.get("record_id"))
        encounter: Resource = {
            "status": record.get("status") or "unknown",
            "class": {"system": f"{_TERMINOLOGY}/v3-ActCode", "code": "AMB"},
            "type": [{"text": record["title"]}] if record.get("title") else None,
            "subject": self.patient,
            "participant": [{"individual": doctor}] if (doctor := self._doctor(record)) else None,
            "period": {
                "start": record.get("started_at") or record.get("date"),
                "end": record.get("ended_at"),
            },
            "reasonCode": [{"text": record["complaints"]}] if record.get("complaints") else None,
            "serviceProvider": self._provider(record),
        }
        reference = self._reference(name)
        diagnoses = [
            self._add(
                "Condition",
                f"{name}/diagnosis/{place}",
                {
                    "category": [_concept("condition-category", "encounter-diagnosis")],
                    "code": _coded(diagnosis),
                    "subject": self.patient,
                    "encounter": reference,
                },
            )
            for place, diagnosis in enumerate(record.get("diagnoses") or ())
        ]
        encounter["diagnosis"] = [{"condition": each} for each in diagnoses]
        self._add("Encounter", name, encounter)
        for place, order in enumerate(record.get("orders") or ()):
            self._order(f"{name}/order/{place}", order, reference)
        return reference

    def _order(self, name: str, order: Mapping[str, Any], encounter: Resource) -> None:
        told = {"text": order.get("text")}
        common: Resource = {
            "status": "unknown",
            "intent": "order",
            "subject": self.patient,
            "encounter": encounter,
        }
        if order.get("kind") == "medication":
            self._add("MedicationRequest", name, {**common, "medicationCodeableConcept": told})
        elif order.get("kind") == "service":
            self._add("ServiceRequest", name, {**common, "code": told})
        else:
            plan = {**common, "intent": "plan", "description": order.get("text")}
            self._add("CarePlan", name, plan)

    def _result(self, record: Mapping[str, Any]) -> Resource:
        name = str(record.get("record_id"))
        performers = [each for each in (self._doctor(record), self._provider(record)) if each]
        members = [
            self._add(
                "Observation",
                f"{name}/observation/{place}",
                {
                    "status": record.get("status") or "unknown",
                    "code": _coded({**observation, "text": observation.get("name")}),
                    "subject": self.patient,
                    "effectiveDateTime": record.get("date"),
                    **_value(observation),
                    "interpretation": _interpretation(observation),
                    "referenceRange": _range(observation),
                },
            )
            for place, observation in enumerate(record.get("observations") or ())
        ]
        laboratory = [_concept("v2-0074", "LAB")]
        return self._add(
            "DiagnosticReport",
            name,
            {
                "status": record.get("status") or "unknown",
                "category": laboratory if record.get("kind") == "laboratory" else None,
                "code": {"text": record.get("title") or "—"},
                "subject": self.patient,
                "effectiveDateTime": record.get("date"),
                "performer": performers,
                "result": members,
                "conclusion": record.get("conclusion"),
            },
        )

    def _prescription(self, record: Mapping[str, Any]) -> Resource:
        name = str(record.get("record_id"))
        if record.get("kind") == "recommendation":
            plan = {
                "status": record.get("status") or "unknown",
                "intent": "plan",
                "description": record.get("text"),
                "subject": self.patient,
                "created": record.get("date"),
                "author": self._doctor(record),
            }
            return self._add("CarePlan", name, plan)
        until = record.get("valid_until")
        return self._add(
            "MedicationRequest",
            name,
            {
                "status": record.get("status") or "unknown",
                "intent": "order",
                "medicationCodeableConcept": {"text": record.get("text")},
                "subject": self.patient,
                "authoredOn": record.get("date"),
                "requester": self._doctor(record),
                "dosageInstruction": [{"text": record["dosage"]}] if record.get("dosage") else None,
                "dispenseRequest": {"validityPeriod": {"end": until}} if until else None,
            },
        )

    def _summary(self) -> Iterator[Resource]:
        summary = self.document.summary
        if summary is None:
            return
        if summary.blood_group:
            yield self._add(
                "Observation",
                "blood-group",
                {
                    "status": "final",
                    "code": _concept(_LOINC, "882-1", "ABO and Rh group"),
                    "subject": self.patient,
                    "valueCodeableConcept": {"text": summary.blood_group.get("label")},
                },
            )
        for place, allergy in enumerate(summary.allergies):
            reactions = [
                {"manifestation": [{"text": text}]} for text in allergy.get("reactions") or ()
            ]
            yield self._add(
                "AllergyIntolerance",
                f"allergy/{place}",
                {
                    "clinicalStatus": _status("allergyintolerance-clinical", allergy),
                    "code": _coded(allergy),
                    "patient": self.patient,
                    "criticality": allergy.get("criticality"),
                    "recordedDate": allergy.get("recorded_on"),
                    "reaction": reactions,
                },
            )
        for place, statement in enumerate(summary.no_known_allergies):
            yield self._add(
                "AllergyIntolerance",
                f"absence/{place}",
                {
                    "clinicalStatus": _concept("allergyintolerance-clinical", "active"),
                    "code": _coded(statement),
                    "patient": self.patient,
                    "recordedDate": statement.get("recorded_on"),
                },
            )
        for place, condition in enumerate(summary.chronic_conditions):
            yield self._add(
                "Condition",
                f"condition/{place}",
                {
                    "clinicalStatus": _status("condition-clinical", condition),
                    "category": [_concept("condition-category", "problem-list-item")],
                    "code": _coded(condition),
                    "subject": self.patient,
                    "onsetDateTime": condition.get("since"),
                    "recordedDate": condition.get("recorded_on"),
                },
            )

    def _doctor(self, record: Mapping[str, Any]) -> Resource | None:
        doctor = record.get("doctor")
        if not doctor or not doctor.get("name"):
            return None
        specialty = doctor.get("specialty")
        return self._add(
            "Practitioner",
            f"doctor/{doctor['name']}/{specialty}",
            {
                "name": [{"text": doctor["name"]}],
                "qualification": [{"code": {"text": specialty}}] if specialty else None,
            },
        )

    def _provider(self, record: Mapping[str, Any]) -> Resource | None:
        name = (record.get("clinic") or {}).get("name")
        if not name or name == self.document.clinic.name:
            return self.clinic if name else None
        return self._add("Organization", f"clinic/{name}", {"name": name})

    def _add(self, kind: str, name: str, content: Resource) -> Resource:
        url = self._url(name)
        self.entries.setdefault(url, _filled({"resourceType": kind, **content}))
        return {"reference": url}

    def _reference(self, name: str) -> Resource:
        return {"reference": self._url(name)}

    def _url(self, name: str) -> str:
        """A name within this Bundle alone: the same for the same paper, telling nothing."""
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{self.document.verification.url}#{name}").urn


def _patient(document: ExtractDocument) -> Resource:
    patient = document.patient
    given = [name for name in (patient.first_name, patient.middle_name) if name]
    masked = {"extension": [{"url": _RENDERED, "valueString": patient.snils}]}
    return {
        "identifier": [{"system": _SNILS, "_value": masked}] if patient.snils else None,
        "name": [{"family": patient.last_name, "given": given}],
        "gender": patient.sex or "unknown",
        "birthDate": patient.birth_date.isoformat(),
        "address": [{"text": patient.address}] if patient.address else None,
    }


def _period(document: ExtractDocument) -> Resource:
    assert document.period is not None
    return {
        "start": document.period.start.isoformat(),
        "end": document.period.end.isoformat(),
    }


def _coded(given: Mapping[str, Any]) -> Resource:
    code = given.get("code")
    return {
        "coding": [{"system": given.get("system"), "code": code}] if code else None,
        "text": given.get("text") or code or "—",
    }


def _concept(system: str, code: str, display: str | None = None) -> Resource:
    whole = system if system.startswith("http") else f"{_TERMINOLOGY}/{system}"
    return {"coding": [{"system": whole, "code": code, "display": display}]}


def _status(system: str, given: Mapping[str, Any]) -> Resource | None:
    return _concept(system, given["status"]) if given.get("status") else None


def _value(observation: Mapping[str, Any]) -> Resource:
    value, unit = observation.get("value"), observation.get("unit")
    if isinstance(value, bool):
        return {"valueBoolean": value}
    if isinstance(value, int | float | Decimal):
        return {"valueQuantity": {"value": value, "unit": unit}}
    if value is None:
        return {}
    return {"valueString": f"{value} {unit}" if unit else str(value)}


def _interpretation(observation: Mapping[str, Any]) -> list[Resource] | None:
    said = observation.get("interpretation")
    if observation.get("interpretation_derived") or said not in _INTERPRETATIONS:
        return None
    return [_concept("v3-ObservationInterpretation", _INTERPRETATIONS[said])]


def _range(observation: Mapping[str, Any]) -> list[Resource] | None:
    given = observation.get("reference_range")
    if not given:
        return None
    unit = observation.get("unit")
    bounds = {
        side: {"value": given[side], "unit": unit}
        for side in ("low", "high")
        if given.get(side) is not None
    }
    return [{**bounds, "text": given.get("text")}]


def _filled(value: Any) -> Any:
    """Without what is empty: FHIR JSON knows no null and no empty array or object (§2.6.2)."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {name: each for name, part in value.items() if not _empty(each := _filled(part))}
    if isinstance(value, list):
        return [each for part in value if not _empty(each := _filled(part))]
    return value.isoformat() if isinstance(value, date) else value


def _empty(value: Any) -> bool:
    return value is None or (not value and isinstance(value, str | list | dict))
