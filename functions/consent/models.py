"""Bodies of the consent routes."""

from pydantic import Field

from kernel.fields import NoteField
from kernel.model import Model


class GiveConsent(Model):
    """The text that was read, by version and hash, and the clinic (none: every one of mine)."""

    document_version: str = Field(min_length=1, max_length=32)
    document_sha256: str = Field(pattern=r"^[0-9a-fA-F]{64}$")
    clinic_id: str | None = Field(None, min_length=1, max_length=64)


class Contest(Model):
    """What the patient asks of the clinic, in their own words."""

    text: NoteField
