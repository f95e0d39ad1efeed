"""Bodies of the extracts' routes, and what is asked for."""

from datetime import date
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from kernel.fields import Day
from kernel.identity import RecordId
from kernel.model import Model
from kernel.records import Section

SECTIONS: dict[str, Section] = {
    "visit": "visits",
    "results": "results",
    "prescriptions": "prescriptions",
    "summary": "summary",
}


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


class Wanted(NamedTuple):
    """A checked order: named records, or a period, or neither (a summary)."""

    kind: str
    language: str
    record_ids: tuple[RecordId, ...] = ()
    start: date | None = None
    end: date | None = None

    @property
    def section(self) -> Section:
        return SECTIONS[self.kind]
