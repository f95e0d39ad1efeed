"""Days as the contract writes them: `YYYY-MM-DD`, and nothing that merely means one."""

import re
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _read(value: object) -> date:
    # pydantic itself also takes times and Unix seconds: a typing error would become a birth date.
    if type(value) is date:
        return value
    if isinstance(value, str) and _FORM.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("date", "not a date")


Day = Annotated[date, BeforeValidator(_read)]
