"""Consents and the journal as FHIR R4 (4.0.1): Consent and AuditEvent. Pure mapping.

Sources: https://hl7.org/fhir/R4/consent.html, https://hl7.org/fhir/R4/auditevent.html
"""

import base64
from collections.abc import Mapping
from typing import Any

from kernel.fhir import Resource
from kernel.identity import PatientId

_HL7 = "http://terminology.hl7.org/CodeSystem"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_LOINC = "http://loinc.org"
_OURS = "urn:medkarta"
# Of v3-ActReason; what a person wrote themselves goes as text.
_PURPOSES = {
    "treatment": ("TREAT", "treatment"),
    "laboratory": ("TREAT", "treatment"),
    "administration": ("HOPERAT", "healthcare operations"),
}
_ROLES = {
    "patient": (f"{_HL7}/v3-RoleClass", "PAT", "patient"),
    "clinician": (f"{_HL7}/v3-RoleClass", "PROV", "healthcare provider"),
    "registrar": (f"{_OURS}:role", "registrar", "registry desk"),
    "operator": (f"{_OURS}:role", "operator", "operator"),
    "system": (f"{_OURS}:role", "system", "the system itself"),
}


def consent(shown: Mapping[str, Any], patient_id: PatientId) -> Resource:
    """A consent in the form of the contract as a Consent; the receipt is its source."""
    period = {"start": shown["given_at"], "end": shown["withdrawn_at"] or shown["expires_at"]}
    provision: Resource = {
        "type": "permit",
        "period": period,
        "action": [_concept(f"{_HL7}/consentaction", "access", "Access")],
        "purpose": [_coding(f"{_HL7}/v3-ActReason", "TREAT", "treatment")],
    }
    resource: Resource = {
        "resourceType": "Consent",
        "id": shown["consent_id"],
        "extension": [{"url": f"{_OURS}:consent-status", "valueCode": shown["status"]}],
        "status": "active" if shown["status"] == "active" else "inactive",
        "scope": _concept(f"{_HL7}/consentscope", "patient-privacy", "Privacy Consent"),
        "category": [_concept(_LOINC, "59284-0", "Consent Document")],
        "patient": {"reference": f"Patient/{patient_id}"},
        "dateTime": shown["given_at"],
        "performer": [{"reference": f"Patient/{patient_id}"}],
        "sourceAttachment": {
            "contentType": "application/jose",
            "data": base64.b64encode(shown["receipt"].encode()).decode(),
            "title": f"{shown['document_version']} sha256:{shown['document_sha256']}",
            "creation": shown["given_at"],
        },
        "policy": [{"uri": f"{_OURS}:consent-document:{shown['document_version']}"}],
        "policyRule": {"text": "152-ФЗ ст. 9, 323-ФЗ ст. 13"},
        "provision": provision,
    }
    if shown["clinic_id"]:
        clinic = {"reference": f"Organization/{shown['clinic_id']}"}
        resource["organization"] = [clinic]
        role = _concept(f"{_HL7}/v3-ParticipationType", "IRCP", "information recipient")
        provision["actor"] = [{"role": role, "reference": clinic}]
    return resource


def audit_event(shown: Mapping[str, Any], card_id: str) -> Resource:
    """An entry of a card's journal in the form of the contract as an AuditEvent."""
    done = shown["outcome"] == "done"
    resource: Resource = {
        "resourceType": "AuditEvent",
        "id": shown["entry_id"],
        "type": _coding(_DICOM, "110110", "Patient Record"),
        "subtype": [{"system": f"{_OURS}:action", "code": shown["action"]}],
        "action": _action(shown["action"]),
        "recorded": shown["at"],
        "outcome": "0" if done else "4",
        "agent": [*_agents(shown["actor"])],
        "source": {
            "observer": {"display": "Medkarta"},
            "type": [_coding(f"{_HL7}/security-source-type", "4", "Application Server")],
        },
        "entity": [
            {
                "what": {"identifier": {"system": f"{_OURS}:card", "value": card_id}},
                "type": _coding(f"{_HL7}/audit-entity-type", "2", "System Object"),
                "role": _coding(f"{_HL7}/object-role", "4", "Domain Resource"),
            }
        ],
    }
    if shown["section"]:
        resource["entity"][0]["name"] = shown["section"]
    if shown["emergency"]:
        resource["subtype"].append(_coding(_DICOM, "110127", "Emergency Override Started"))
    if not done:
        resource["outcomeDesc"] = shown["outcome"]
    if purposes := [*_purposes(shown)]:
        resource["purposeOfEvent"] = purposes
    return resource


def _action(name: str) -> str:
    """FHIR's C, R, U, D or E of an action of ours."""
    if name.startswith(("read", "journal", "extract")):
        return "R"
    return "E" if name.startswith("emergency") else "U"


def _agents(actor: Mapping[str, Any]) -> list[Resource]:
    system, code, display = _ROLES[actor["role"]]
    person: Resource = {"type": _concept(system, code, display), "requestor": True}
    if actor["name"]:
        person["name"] = actor["name"]
    agents = [person]
    if clinic := actor["clinic"]:
        who = {"reference": f"Organization/{clinic['clinic_id']}"}
        if clinic["name"]:
            who["display"] = clinic["name"]
        agents.append({"who": who, "requestor": False})
    return agents


def _purposes(shown: Mapping[str, Any]) -> list[Resource]:
    reason = f"{_HL7}/v3-ActReason"
    found = []
    if shown["emergency"]:
        found.append(_concept(reason, "ETREAT", "Emergency Treatment"))
    elif shown["actor"]["role"] == "patient":
        found.append(_concept(reason, "PATRQT", "patient requested"))
    if told := shown["reason"]:
        concept = _concept(reason, *_PURPOSES[told]) if told in _PURPOSES else {}
        found.append({**concept, "text": told})
    return found


def _coding(system: str, code: str, display: str) -> Resource:
    return {"system": system, "code": code, "display": display}


def _concept(system: str, code: str, display: str) -> Resource:
    return {"coding": [_coding(system, code, display)]}
