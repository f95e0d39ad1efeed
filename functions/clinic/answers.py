"""Answers of the desk, for OpenAPI and tests."""

from typing import Literal

from pydantic import BaseModel


class Support(BaseModel):
    phone: str | None
    url: str | None


class Region(BaseModel):
    code: str
    name: str
    connected: bool
    support: Support


class Clinic(BaseModel):
    clinic_id: str
    name: str
    region: str
    phone: str
    address: str
    connected: bool


class ClinicBrief(BaseModel):
    clinic_id: str
    name: str


class Worker(BaseModel):
    account_id: str
    clinic_id: str
    role: Literal["clinician", "registrar"]
    name: str
    specialty: str | None
    appointed_at: str


class WorkerList(BaseModel):
    items: list[Worker]
    next_cursor: str | None


class PatientEntered(BaseModel):
    patient_id: str


class PatientFound(BaseModel):
    patient_id: str
    last_name: str
    first_name: str
    middle_name: str | None
    birth_date: str
    sex: Literal["male", "female", "other", "unknown"]
    snils: str
    attached_to: ClinicBrief | None
    card_id: str | None
    consent: Literal["given", "outdated", "missing"]
    account_bound: bool


class PatientList(BaseModel):
    items: list[PatientFound]
    next_cursor: str | None


class ConfirmationRequired(BaseModel):
    """The person is attached elsewhere and got a code: repeat with it."""

    status: Literal["confirmation_required"]


class Attachment(BaseModel):
    patient_id: str
    clinic: ClinicBrief
    attached: Literal[True]


class CardActivated(BaseModel):
    card_id: str
    patient_id: str
    clinic: ClinicBrief
    activated_at: str


class PaperConsent(BaseModel):
    consent_id: str
    status: Literal["active"]
    document_version: str
    document_sha256: str
    clinic_id: str
    purpose: str
    method: Literal["written"]
    given_at: str
    expires_at: str
    signed_on: str
    withdrawn_at: None
    receipt: str


class VerificationStarted(BaseModel):
    expires_in: int


class AccountVerified(BaseModel):
    account_id: str
    level: Literal["verified"]
    patient_id: str


class CardPatient(BaseModel):
    patient_id: str
    last_name: str
    first_name: str
    middle_name: str | None
    birth_date: str
    sex: Literal["male", "female", "other", "unknown"]
    snils: str


class CardFound(BaseModel):
    card_id: str
    clinic: ClinicBrief | None
    patient: CardPatient


class CardList(BaseModel):
    items: list[CardFound]
    next_cursor: str | None


class IntakeRejection(BaseModel):
    """An entry that was not taken: its place in the Bundle, and why."""

    index: int
    code: str
    message: str


class IntakeOutcome(BaseModel):
    """What became of the entries; the numbers and the rejections add up to the entries sent."""

    created: int
    updated: int
    unchanged: int
    kept: int
    rejected: list[IntakeRejection]
