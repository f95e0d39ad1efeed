"""Bodies as pydantic judges them, and its findings as ours.

This module and `kernel.fields` are imported with the first body that comes (`Route.model`).
"""

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from kernel.errors import FieldProblem, ValidationFailed


class Model(BaseModel):
    """A body: unknown fields and wrong types are refused, never guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def of_json(cls, raw: bytes) -> Self:
        """The body that the JSON text `raw` is.

        Raises:
            ValidationFailed
        """
        try:
            return cls.model_validate_json(raw, strict=True)
        except ValidationError as error:
            raise ValidationFailed(_problems(error)) from None


# pydantic's codes -> ours, with the numbers that the text shows
_FIELD_CODES = {
    "missing": "missing",
    "extra_forbidden": "extra_forbidden",
    "string_type": "string_type",
    "string_unicode": "string_type",
    "string_too_short": "string_too_short",
    "string_too_long": "string_too_long",
    "string_pattern_mismatch": "pattern",
    "int_type": "int_type",
    "int_parsing": "int_type",
    "int_from_float": "int_type",
    "int_parsing_size": "too_large",
    "bool_type": "bool_type",
    "bool_parsing": "bool_type",
    "list_type": "list_type",
    "model_type": "object_type",
    "dict_type": "object_type",
    "model_attributes_type": "object_type",
    "date_type": "date",
    "date_parsing": "date",
    "date_from_datetime_parsing": "date",
    "date_from_datetime_inexact": "date",
    "datetime_type": "datetime",
    "datetime_parsing": "datetime",
    "datetime_from_date_parsing": "datetime",
    "timezone_aware": "datetime",
    "literal_error": "enum",
    "enum": "enum",
    "too_long": "too_many",
    "too_short": "too_few",
    "greater_than_equal": "greater_than_equal",
    "less_than_equal": "less_than_equal",
}


def _problems(error: ValidationError) -> list[FieldProblem]:
    """pydantic's findings as ours: known field names only, never the values.

    A validator of our own names its code by `PydanticCustomError(code, ...)`.
    """
    problems = []
    for each in error.errors(include_url=False, include_input=False):
        code = _FIELD_CODES.get(each["type"], each["type"])
        place = [str(part) for part in each["loc"]]
        if code == "extra_forbidden":
            place = place[:-1]  # an unknown name is the client's own text: it is not echoed
        params = {k: v for k, v in each.get("ctx", {}).items() if isinstance(v, str | int)}
        problems.append(FieldProblem(".".join(place) or "body", code, params))
    return problems
