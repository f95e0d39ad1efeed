"""A patient who sees their card and the doctor who fills it, through the real routes."""

import json
from typing import Any

from tests.gateway import Api, Response
from tests.integration import desk_world

Json = dict[str, Any]
ICD10 = "urn:oid:1.2.643.5.1.13.13.11.1005"


class OpenCard:
    """A card with a consent, seen from both sides."""

    def __init__(self, clinic: desk_world.Clinic) -> None:
        self.clinic = clinic
        self.person = clinic.patient()
        self.patient: Api = self.person.api
        self.doctor: Api = clinic.clinician.api
        document = self.patient.get("/v1/consents/documents/current").json
        given = {
            "document_version": document["version"],
            "document_sha256": document["sha256"],
        }
        consent = self.patient.post("/v1/consents", given)
        assert consent.status == 201, consent
        self.card_id = self.person.card_id

    def send(self, *resources: Json, kind: str = "collection") -> Json:
        """Take resources in; the counts of the intake."""
        entries = [{"resource": resource} for resource in resources]
        body = json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries})
        return self.send_raw(body)

    def send_raw(self, body: str) -> Json:
        answer = self.doctor.post(
            f"/v1/clinic/cards/{self.card_id}/fhir",
            raw=body,
            headers={"Content-Type": "application/fhir+json"},
        )
        assert answer.status == 200, answer
        counts: Json = answer.json
        return counts

    def get(self, path: str, *, fhir: bool = False, **headers: str) -> Response:
        """Read as the patient."""
        return self._get(self.patient, f"/v1/cards/{self.card_id}/{path}", fhir, headers)

    def doctors(self, path: str, *, fhir: bool = False, **headers: str) -> Response:
        """Read as the doctor."""
        return self._get(self.doctor, f"/v1/clinic/cards/{self.card_id}/{path}", fhir, headers)

    def _get(self, api: Api, path: str, fhir: bool, headers: dict[str, str]) -> Response:
        if fhir:
            headers = {**headers, "Accept": "application/fhir+json"}
        return api.get(path, headers=headers)

    def items(self, path: str) -> list[Json]:
        answer = self.get(path)
        assert answer.status == 200, answer
        found: list[Json] = answer.json["items"]
        return found


def visit(day: str = "2026-03-01", **more: Any) -> Json:
    return {
        "resourceType": "Encounter",
        "id": f"visit-{day}",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": "Patient/me"},
        "period": {"start": f"{day}T09:00:00+03:00", "end": f"{day}T09:20:00+03:00"},
        **more,
    }


def doctor(number: str, name: str, family: str) -> Json:
    named = [{"family": family, "given": [name]}]
    return {"resourceType": "Practitioner", "id": f"doctor-{number}", "name": named}


def diagnosis(of: str, code: str, text: str | None = "диагноз", **more: Any) -> Json:
    said = {"text": text} if text else {}
    return {
        "resourceType": "Condition",
        "id": f"diagnosis-{code}-{of}",
        "clinicalStatus": {"coding": [{"code": "resolved"}]},
        "code": {"coding": [{"system": ICD10, "code": code}], **said},
        "subject": {"reference": "Patient/me"},
        "encounter": {"reference": f"Encounter/{of}"},
        **more,
    }


def laboratory(
    value: float,
    unit: str = "mmol/L",
    *,
    day: str = "2026-03-02",
    code: str = "14771-0",
    low: float | None = 4.1,
    high: float | None = 6.1,
    ucum: bool = True,
    **more: Any,
) -> Json:
    amount: Json = {"value": value, "unit": unit}
    if ucum:
        amount |= {"system": "http://unitsofmeasure.org", "code": unit}
    limits = {k: {**amount, "value": v} for k, v in (("low", low), ("high", high)) if v is not None}
    return {
        "resourceType": "Observation",
        "id": f"observation-{code}-{day}",
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": f"Проба {code}"},
        "subject": {"reference": "Patient/me"},
        "effectiveDateTime": f"{day}T08:00:00+03:00",
        "valueQuantity": amount,
        **({"referenceRange": [limits]} if limits else {}),
        **more,
    }


def report(day: str = "2026-03-02", **more: Any) -> Json:
    return {
        "resourceType": "DiagnosticReport",
        "id": f"report-{day}",
        "status": "final",
        "category": [{"coding": [{"code": "LAB"}]}],
        "code": {"text": "Анализ крови"},
        "subject": {"reference": "Patient/me"},
        "effectiveDateTime": f"{day}T08:00:00+03:00",
        **more,
    }


def prescription(of: str | None = None, **more: Any) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "prescription-1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "Амоксициллин"},
        "subject": {"reference": "Patient/me"},
        "authoredOn": "2026-03-01",
        **({"encounter": {"reference": f"Encounter/{of}"}} if of else {}),
        **more,
    }
