"""What may be ordered: never the whole card."""

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from kernel.errors import ExtractTooBroad, FieldProblem, ValidationFailed
from kernel.identity import RecordId
from kernel.records import Section

if TYPE_CHECKING:
    from extracts.models import OrderExtract

MOST_RECORDS = 200
SECTIONS: dict[str, Section] = {
    "visit": "visits",
    "results": "results",
    "prescriptions": "prescriptions",
    "summary": "summary",
}


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


def wanted(order: "OrderExtract") -> Wanted:
    """The order, checked against the limits of the contract.

    Raises:
        ValidationFailed: not exactly one of records and period; a period that ends before it
            begins; a summary with either.
        ExtractTooBroad: more than 12 months, or more than 200 records.
    """
    period = order.from_ is not None or order.to is not None
    if order.kind == "summary":
        for field, given in (("record_ids", order.record_ids is not None), ("from", period)):
            if given:
                raise ValidationFailed([FieldProblem(field, "exclusive")])
        return Wanted(order.kind, order.language)
    if period and order.record_ids is not None:
        raise ValidationFailed([FieldProblem("record_ids", "exclusive")])
    if order.record_ids is not None:
        unique = tuple(dict.fromkeys(RecordId(each) for each in order.record_ids))
        if len(unique) > MOST_RECORDS:
            raise ExtractTooBroad([FieldProblem("record_ids", "too_many", {"max_length": 200})])
        return Wanted(order.kind, order.language, record_ids=unique)
    if not period:
        raise ValidationFailed([FieldProblem("record_ids", "missing")])
    if order.from_ is None or order.to is None:
        field = "from" if order.from_ is None else "to"
        raise ValidationFailed([FieldProblem(field, "missing")])
    if order.from_ > order.to:
        raise ValidationFailed([FieldProblem("from", "period")])
    if order.to > _a_year_after(order.from_):
        raise ExtractTooBroad([FieldProblem("to", "too_large")])
    return Wanted(order.kind, order.language, start=order.from_, end=order.to)


def _a_year_after(day: date) -> date:
    """The same day of the next year: 12 months, as people count them."""
    if day.year == date.max.year:
        return date.max
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # 29 February
        return date(day.year + 1, 3, 1)
