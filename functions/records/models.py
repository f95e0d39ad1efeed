"""Queries of the lists of a card."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from kernel.api import Paging


class ListQuery(Paging):
    """What every list of records takes. `from` and `to` both belong to the period."""

    from_: Annotated[date | None, Field(alias="from")] = None
    to: date | None = None

    def filters(self) -> dict[str, str]:
        """The filters by which records are found besides the period: kind of tag -> value."""
        return {}


class VisitsQuery(ListQuery):
    doctor: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    diagnosis: Annotated[str, Field(min_length=1, max_length=40)] | None = None

    def filters(self) -> dict[str, str]:
        return _given(doctor=self.doctor, diagnosis=self.diagnosis)


class ResultsQuery(ListQuery):
    kind: Literal["laboratory", "diagnostic"] | None = None
    code: Annotated[str, Field(min_length=1, max_length=100)] | None = None

    def filters(self) -> dict[str, str]:
        return _given(kind=self.kind, code=self.code)


class PrescriptionsQuery(ListQuery):
    kind: Literal["medication", "recommendation"] | None = None

    def filters(self) -> dict[str, str]:
        return _given(kind=self.kind)


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
