"""Bodies of the extracts' routes."""

from typing import Annotated, Literal

from pydantic import Field

from kernel.fields import Day
from kernel.model import Model


class OrderExtract(Model):
    """An order: exactly one of `record_ids` and `from` with `to`; a summary takes neither."""

    kind: Literal["visit", "results", "prescriptions", "summary"]
    language: Literal["ru", "en"]
    record_ids: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=64)]],
            Field(min_length=1),
        ]
        | None
    ) = None
    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None


class CheckFile(Model):
    """The SHA-256 of a PDF, in hexadecimal."""

    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]
