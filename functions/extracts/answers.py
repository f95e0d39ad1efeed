"""What the routes of extracts answer, for the OpenAPI document and the tests."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field


class Extract(BaseModel):
    extract_id: str
    card_id: str
    kind: Literal["visit", "results", "prescriptions", "summary"]
    from_: Annotated[date | None, Field(alias="from")]
    to: date | None
    language: Literal["ru", "en"]
    status: Literal["pending", "ready", "failed", "expired", "revoked"]
    created_at: AwareDatetime
    progress: int | None = None
    pages: int | None = None
    size: int | None = None
    sha256: str | None = None
    verification_code: str | None = None
    expires_at: AwareDatetime | None = None
    error: Literal["card_closed", "not_made"] | None = None
    error_message: str | None = None


class ExtractList(BaseModel):
    items: list[Extract]
    next_cursor: str | None


class ExtractLink(BaseModel):
    url: str
    expires_in: Annotated[int, Field(le=300)]


class ClinicBrief(BaseModel):
    clinic_id: str
    name: str


class Verification(BaseModel):
    """Whether a paper is genuine; nothing about the patient."""

    status: Literal["valid", "revoked", "expired"]
    kind: Literal["visit", "results", "prescriptions", "summary"]
    clinic: ClinicBrief
    issued_at: AwareDatetime
    sha256: str
