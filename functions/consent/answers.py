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
    outcome: str


class JournalList(BaseModel):
    items: list[JournalEntry]
    next_cursor: str | None
