"""Queries of the lists of a card."""

from typing import Annotated, Literal

from pydantic import Field

from kernel.api import Model, Paging
from kernel.days import Day


class ListQuery(Paging):
    """What every list of records takes. `from` and `to` both belong to the period."""

    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None

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


class OneQuery(Model):
    version: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class SeriesQuery(Model):
    """`code` is a code, or `system|code` where several systems share it."""

    code: Annotated[str, Field(min_length=1, max_length=300)]
    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None


class ChangesQuery(Paging):
    """`since`: the token of the answer before; `cursor`: the same, to go on at once."""

    since: Annotated[str, Field(max_length=2048)] | None = None


class PrescriptionsQuery(ListQuery):
    kind: Literal["medication", "recommendation"] | None = None

    def filters(self) -> dict[str, str]:
        return _given(kind=self.kind)


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
