"""The parameters that a route takes in its address. They are judged without pydantic: its import
would be a fifth of a cold start, and most reads have no body that would need it.

    class VisitsQuery(Paging):
        doctor = optional(Text(1, 200))
        from_ = optional(Day(), name="from")

An unknown parameter, one that is given twice, and a wrong value are refused, never guessed.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from kernel import days
from kernel.errors import FieldProblem, ValidationFailed

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
REQUIRED: Any = object()


class Wrong(ValueError):
    """A value is not in its form: the code of a `FieldProblem`, and what its text shows."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


# --- forms -------------------------------------------------------------------------------------


class Form(Protocol[T_co]):
    """How a value is written."""

    def read(self, given: str) -> T_co:
        """The value. Raises Wrong."""


class Text:
    """Text of so many characters, and by a pattern as a whole."""

    def __init__(
        self, least: int | None = None, most: int | None = None, *, pattern: str | None = None
    ) -> None:
        self.least, self.most, self.pattern = least, most, pattern

    def read(self, given: str) -> str:
        if any("\ud800" <= each <= "\udfff" for each in given):  # half a character
            raise Wrong("string_type")
        if self.most is not None and len(given) > self.most:
            raise Wrong("string_too_long", max_length=self.most)
        if self.least is not None and len(given) < self.least:
            raise Wrong("string_too_short", min_length=self.least)
        if self.pattern is not None and not re.fullmatch(self.pattern, given):
            raise Wrong("pattern")
        return given


class Whole:
    """A whole number of 0 and more, by digits alone."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def read(self, given: str) -> int:
        # `int` also reads `1_0`, `+1` and other scripts' digits.
        if not re.fullmatch(r"[0-9]{1,9}", given):
            raise Wrong("int_type")
        number = int(given)
        if number < self.least:
            raise Wrong("greater_than_equal", ge=self.least)
        if number > self.most:
            raise Wrong("less_than_equal", le=self.most)
        return number


class OneOf:
    """One of these words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, given: str) -> str:
        if given not in self.words:
            *others, last = map(repr, self.words)
            raise Wrong("enum", expected=f"{', '.join(others)} or {last}")
        return given


class Day:
    """A day, `YYYY-MM-DD`."""

    def read(self, given: str) -> date:
        day = days.read(given)
        if day is None:
            raise Wrong("date")
        return day


# --- queries -----------------------------------------------------------------------------------


class Parameter(Generic[T]):
    """One parameter of a query, under the name of its attribute unless it has another."""

    def __init__(self, form: Form[T], default: T = REQUIRED, *, name: str = "") -> None:
        self.form, self.default, self.name = form, default, name

    def __set_name__(self, query: type["Query"], attribute: str) -> None:
        self.attribute = attribute
        self.name = self.name or attribute

    def __get__(self, query: "Query", _: type["Query"]) -> T:
        return self.default  # what was given stands in the query itself


def optional(form: Form[T], *, name: str = "") -> Parameter[T | None]:
    """A parameter that is None where it is not given."""
    return Parameter[T | None](form, None, name=name)


class Query:
    """What a route takes: `parameters` by their names in the address."""

    parameters: ClassVar[Mapping[str, Parameter[Any]]] = {}

    def __init_subclass__(cls) -> None:
        own = [each for each in vars(cls).values() if isinstance(each, Parameter)]
        cls.parameters = {**cls.parameters, **{each.name: each for each in own}}

    @classmethod
    def read(cls, given: Mapping[str, Sequence[str]]) -> Self:
        """The query of what was given, each parameter with its values.

        Raises:
            ValidationFailed: with all that is wrong; a name of the client's own is not echoed.
        """
        problems = [
            FieldProblem(name if name in cls.parameters else "query", "value")
            for name, values in given.items()
            if len(values) > 1
        ]
        if problems:
            raise ValidationFailed(problems)
        query = cls()
        for name, parameter in cls.parameters.items():
            try:
                if name in given:
                    vars(query)[parameter.attribute] = parameter.form.read(given[name][0])
                elif parameter.default is REQUIRED:
                    raise Wrong("missing")
            except Wrong as wrong:
                problems.append(FieldProblem(name, wrong.code, wrong.params))
        unknown = len(given.keys() - cls.parameters.keys())
        problems += [FieldProblem("query", "extra_forbidden")] * unknown
        if problems:
            raise ValidationFailed(problems)
        return query

    def values(self) -> dict[str, object]:
        """What holds, given or by default, by the names in the address."""
        held = {name: getattr(self, each.attribute) for name, each in self.parameters.items()}
        return {name: value for name, value in held.items() if value is not None}


class Paging(Query):
    """What every list takes."""

    limit = Parameter(Whole(1, 100), 20)
    cursor = optional(Text())
