"""Queries of the lists of a card."""

from kernel.query import Day, OneOf, Paging, Parameter, Query, Text, Whole, optional


class ListQuery(Paging):
    """What every list of records takes. `from` and `to` both belong to the period."""

    from_ = optional(Day(), name="from")
    to = optional(Day())

    def filters(self) -> dict[str, str]:
        """The filters by which records are found besides the period: kind of tag -> value."""
        return {}


class VisitsQuery(ListQuery):
    doctor = optional(Text(1, 200))
    diagnosis = optional(Text(1, 40))

    def filters(self) -> dict[str, str]:
        return _given(doctor=self.doctor, diagnosis=self.diagnosis)


class ResultsQuery(ListQuery):
    kind = optional(OneOf("laboratory", "diagnostic"))
    code = optional(Text(1, 100))

    def filters(self) -> dict[str, str]:
        return _given(kind=self.kind, code=self.code)


class OneQuery(Query):
    version = optional(Whole(1, 1_000_000))


class SeriesQuery(Query):
    """`code` is a code, or `system|code` where several systems share it."""

    code = Parameter(Text(1, 300))
    from_ = optional(Day(), name="from")
    to = optional(Day())


class ChangesQuery(Paging):
    """`since`: the token of the answer before; `cursor`: the same, to go on at once."""

    since = optional(Text(most=2048))


class PrescriptionsQuery(ListQuery):
    kind = optional(OneOf("medication", "recommendation"))

    def filters(self) -> dict[str, str]:
        return _given(kind=self.kind)


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
