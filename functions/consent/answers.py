"""Answers of the consent routes, for OpenAPI and tests."""

from typing import Literal

from pydantic import BaseModel


class ConsentDocument(BaseModel):
    version: str
    purpose: str
    language: Literal["ru", "en"]
    title: str
    text: str
    sha256: str
    effective_from: str


class Consent(BaseModel):
    consent_id: str
    status: Literal["active", "withdrawn", "superseded", "expired"]
    document_version: str
    document_sha256: str
    clinic_id: str | None
    purpose: str
    method: Literal["electronic", "written"]
    given_at: str
    expires_at: str
    signed_on: str | None
    withdrawn_at: str | None
    receipt: str


class ConsentList(BaseModel):
    items: list[Consent]
    next_cursor: str | None


class JournalClinic(BaseModel):
    clinic_id: str
    name: str | None


class JournalActor(BaseModel):
    name: str | None
    role: Literal["patient", "clinician", "registrar", "operator", "system"]
    clinic: JournalClinic | None


class JournalEntry(BaseModel):
    entry_id: str
    at: str
    actor: JournalActor
    action: str
    section: str | None
    reason: str | None
    emergency: bool
    hidden_shown: bool
    outcome: str


class JournalList(BaseModel):
    items: list[JournalEntry]
    next_cursor: str | None


class Case(BaseModel):
    """A contested access, as the patient sees it."""

    case_id: str
    status: Literal["open", "answered"]
    entry_id: str
    opened_at: str
    due_at: str
    text: str | None
    answer: str | None
    answered_at: str | None


class HiddenRecord(BaseModel):
    record_id: str
    hidden: Literal[True]


class HiddenSection(BaseModel):
    section: Literal["summary", "visits", "results", "prescriptions"]
    hidden: Literal[True]


class NotificationClinic(BaseModel):
    clinic_id: str
    name: str


class Notification(BaseModel):
    """What is new; which of the optional members are there depends on `kind`."""

    notification_id: str
    kind: Literal["new_results", "emergency_access", "consent_due", "case_answered"]
    at: str
    title: str
    text: str
    read: bool
    read_at: str | None
    card_id: str | None
    clinic: NotificationClinic | None
    count: int | None = None
    entry_id: str | None = None
    until: str | None = None
    case_id: str | None = None
    consent_id: str | None = None
    why: Literal["outdated", "expiring", "expired"] | None = None
    due_at: str | None = None


class NotificationList(BaseModel):
    items: list[Notification]
    next_cursor: str | None
