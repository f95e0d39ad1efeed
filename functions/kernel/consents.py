"""Consents as the gate reads them, and the documents that they are given to.

Consents table:
    PATIENT#<id> | CONSENT#<consent>    one consent, whole history, never rewritten but for its end
    PATIENT#<id> | SCOPE#<clinic>       the latest consent given for that clinic
    PATIENT#<id> | SCOPE#*              the latest consent given for every clinic
    PATIENT#<id> | HEAD                 how many acts there were (kernel.consent_acts writes them)
`given_at` of a scope is when the act was recorded, in microseconds, always increasing.
At a clinic the consent that was given last governs: of the narrow one and the wide one, the later.
A withdrawn narrow consent therefore closes its clinic even while a wider, older one goes on.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kernel import clock
from kernel.dynamo import Item, Lookup
from kernel.errors import Conflict, FieldProblem, ValidationFailed
from kernel.identity import ClinicId, PatientId

ConsentState = Literal["given", "outdated", "missing"]
EVERY_CLINIC = "*"
_DOCUMENTS = Path(__file__).parent / "documents"


class Document(NamedTuple):
    """One version of the consent document in one language; `sha256` is of the text's UTF-8.

    `processing`: what the text says of data, acts and parties, in codes for the receipt.
    """

    version: str
    purpose: str
    language: str
    title: str
    text: str
    sha256: str
    effective_from: date
    grace_days: int
    validity_years: int
    legal_basis: tuple[str, ...]
    processing: Mapping[str, Any]

    def valid_until(self, given: datetime) -> datetime:
        """The end of a consent given to it: calendar years from the day it was given."""
        year = given.year + self.validity_years
        try:
            return given.replace(year=year)
        except ValueError:  # the 29th of February of a year that has none
            return given.replace(year=year, day=28)


@cache
def documents() -> dict[tuple[str, str], Document]:
    """Every version in every language, by (version, language)."""
    found: dict[tuple[str, str], Document] = {}
    for folder in sorted(_DOCUMENTS.iterdir()):
        metadata = json.loads((folder / "metadata.json").read_text("utf-8"))
        for language in metadata["languages"]:
            text = (folder / f"{language}.md").read_text("utf-8")
            found[metadata["version"], language] = Document(
                version=metadata["version"],
                purpose=metadata["purpose"][language],
                language=language,
                title=metadata["title"][language],
                text=text,
                sha256=hashlib.sha256(text.encode()).hexdigest(),
                effective_from=date.fromisoformat(metadata["effective_from"]),
                grace_days=metadata["grace_days"],
                validity_years=metadata["validity_years"],
                legal_basis=tuple(metadata["legal_basis"]),
                processing=metadata["processing"],
            )
    return found


def current_document(language: str, today: date) -> Document:
    """The newest version that is in force on `today`; ValueError before the first one."""
    return max(
        (d for d in documents().values() if d.language == language and d.effective_from <= today),
        key=lambda document: document.effective_from,
    )


def chosen(version: str, sha256: str, day: date) -> Document:
    """The document that was in force on `day`, in the language whose hash is given.

    Raises:
        Conflict: another version was in force.
        ValidationFailed: no language of it has this hash.
        ValueError: there was none yet.
    """
    if version != current_document("ru", day).version:
        raise Conflict("document_not_current")
    for document in documents().values():
        if document.version == version and document.sha256 == sha256.lower():
            return document
    raise ValidationFailed([FieldProblem("document_sha256", "value")])


def scope_lookups(table: str, patient_id: PatientId, clinic_id: ClinicId) -> list[Lookup]:
    """The two items that say whether a clinic is covered."""
    pk = f"PATIENT#{patient_id}"
    return [Lookup(table, pk, f"SCOPE#{clinic_id}"), Lookup(table, pk, f"SCOPE#{EVERY_CLINIC}")]


def governing(scopes: Iterable[Item | None]) -> Item | None:
    """Of a clinic's narrow and wide consent, the one given last."""
    return max(
        (scope for scope in scopes if scope), key=lambda scope: scope["given_at"], default=None
    )


def withdrawn_at(scopes: Iterable[Item | None]) -> str | None:
    """When the governing consent was withdrawn, if it was."""
    scope = governing(scopes)
    return scope.get("withdrawn_at") if scope and scope["status"] == "withdrawn" else None


def state(scopes: Iterable[Item | None], now: datetime) -> ConsentState:
    """Whether the governing consent opens the clinic's card at `now`."""
    scope = governing(scopes)
    if scope is None or scope["status"] != "active":
        return "missing"
    if scope["expires_at"] <= clock.rfc3339(now):
        return "missing"
    current = current_document("ru", now.date())
    deadline = current.effective_from + timedelta(days=current.grace_days)
    if scope["document_version"] != current.version and now.date() > deadline:
        return "outdated"
    return "given"
