"""What an extract says: the model that the service fills and `extracts.render` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

Kind = Literal["visit", "results", "prescriptions", "summary"]
Language = Literal["ru", "en"]
Relationship = Literal["source", "data", "alternative", "supplement"]

# A visit, a result or a prescription in the form that the routes return (docs/openapi.json).
Record = Mapping[str, Any]


class ExtractNotRendered(Exception):
    """The engine refused the document.

    `diagnostic` may quote what stands in the card: it is for a developer, never for a log.
    """

    def __init__(self, kind: str, diagnostic: str = "") -> None:
        super().__init__(f"the {kind} extract could not be rendered")
        self.diagnostic = diagnostic


class Clinic(NamedTuple):
    name: str
    address: str | None = None
    phone: str | None = None


class Patient(NamedTuple):
    """The person on the paper; `snils` is already masked, `sex` is FHIR's administrative gender."""

    last_name: str
    first_name: str
    middle_name: str | None
    birth_date: date
    sex: str | None = None
    snils: str | None = None
    address: str | None = None
    workplace: str | None = None


class Period(NamedTuple):
    """Both days belong to the period."""

    start: date
    end: date


class Verification(NamedTuple):
    """The code as printed (separators are free) and the address of the public check page."""

    code: str
    url: str


class Omitted(NamedTuple):
    """How many records of this kind and period stay out of the paper, and why.

    `retracted`: named in the order, and taken back by the clinic before the paper was made;
    `beyond`: more than one paper may hold.
    """

    withheld: int = 0
    pending: int = 0
    hidden: int = 0
    retracted: int = 0
    beyond: int = 0


class Summary(NamedTuple):
    """The answer of `GET /v1/cards/{card_id}/summary`, without the patient.

    `no_known_allergies` are the statements that there are none; without any, nothing is known.
    """

    blood_group: Mapping[str, Any] | None = None
    allergies: Sequence[Mapping[str, Any]] = ()
    no_known_allergies: Sequence[Mapping[str, Any]] = ()
    chronic_conditions: Sequence[Mapping[str, Any]] = ()


class ExtractDocument(NamedTuple):
    """One extract. `records` is empty for a summary, `summary` is set only there.

    `period` is None where the patient chose records by name, and for a summary.
    `issued_at` is aware; it and every time of day are shown in `time_zone`, the clinic's.
    Records are printed in the order given.
    """

    kind: Kind
    language: Language
    clinic: Clinic
    patient: Patient
    issued_at: datetime
    verification: Verification
    period: Period | None = None
    records: Sequence[Record] = ()
    summary: Summary | None = None
    omitted: Omitted = Omitted()
    time_zone: str = "Europe/Moscow"


class Attachment(NamedTuple):
    """A file inside the PDF: UTF-8 text such as FHIR JSON; `name` has no folders."""

    name: str
    mime: str
    data: bytes
    description: str
    relationship: Relationship = "source"
