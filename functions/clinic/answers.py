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


class ReleaseRules(BaseModel):
    """Days for which a kind of result is held until a doctor has seen it."""

    laboratory: int
    diagnostic: int


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
    consent_withdrawn_at: str | None
    account_bound: bool
    died_on: str | None


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
    consent: Literal["given", "outdated", "missing"]
    consent_withdrawn_at: str | None
    patient: CardPatient


class CardList(BaseModel):
    items: list[CardFound]
    next_cursor: str | None


class IntakeRejection(BaseModel):
    """An entry that was not taken: its place in the Bundle, and why."""

    index: int
    code: str
    message: str
    resource_type: str | None = None
    element: str | None = None


class IntakeOutcome(BaseModel):
    """What became of the entries; the numbers and the rejections add up to the entries sent."""

    created: int
    updated: int
    unchanged: int
    kept: int
    rejected: list[IntakeRejection]
    rejected_total: int | None = None


class CardOfClinic(BaseModel):
    card_id: str
    clinic_id: str


class OpenedInEmergency(BaseModel):
    """`card_id` is the card of the clinic of attachment, if there is one; `cards` are all."""

    card_id: str
    until: str
    cards: list[CardOfClinic]


class Merged(BaseModel):
    patient_id: str
    merged_patient_id: str
    cards: list[CardOfClinic]


class DeathNoted(BaseModel):
    patient_id: str
    date: str | None


class ContestedActor(BaseModel):
    name: str | None
    role: Literal["patient", "clinician", "registrar", "operator", "system"]


class ContestedEntry(BaseModel):
    entry_id: str
    at: str
    actor: ContestedActor
    action: str
    section: str | None
    purpose: str | None
    outcome: str
    emergency: bool


class ContestedCase(BaseModel):
    """A contested access, as the clinic sees it."""

    case_id: str
    status: Literal["open", "answered"]
    overdue: bool
    entry_id: str
    card_id: str
    opened_at: str
    due_at: str
    text: str | None
    answer: str | None
    answered_at: str | None
    patient: CardPatient | None
    entry: ContestedEntry


class ContestedCaseList(BaseModel):
    items: list[ContestedCase]
    next_cursor: str | None


class ImportForm(BaseModel):
    """An HTML form's action and hidden fields; the file comes last, as `file`."""

    url: str
    fields: dict[str, str]


class ImportOrdered(BaseModel):
    import_id: str
    upload: ImportForm


class ImportProblem(BaseModel):
    field: str
    code: str
    message: str


class ImportState(BaseModel):
    """How far an import is; the counts are there once it is `done`, `errors` if it `failed`."""

    import_id: str
    status: Literal["waiting", "running", "done", "failed"]
    created_at: str
    finished_at: str | None
    created: int | None
    updated: int | None
    unchanged: int | None
    kept: int | None
    rejected: list[IntakeRejection] | None
    rejected_total: int | None = None
    error: str | None
    errors: list[ImportProblem] | None = None
