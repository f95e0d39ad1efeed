"""Settings: what a function needs from its environment, read once, failing at start by name."""

import os
from typing import Any, TypeVar

S = TypeVar("S", bound=tuple[Any, ...])


class SettingMissing(RuntimeError):
    """A required setting is not in the environment."""


def load(model: type[S]) -> S:
    """Fill a NamedTuple from the environment: the field `cards_table` is `CARDS_TABLE`.

    Fields are `str` or `int`. There are no defaults: a deployment says everything.

    Raises:
        SettingMissing: names the missing or non-numeric setting.
    """
    values: dict[str, str | int] = {}
    for field, kind in model.__annotations__.items():
        name = field.upper()
        value = os.environ.get(name)
        if not value:
            raise SettingMissing(f"the setting {name} is missing")
        if kind is int:
            if not value.isascii() or not value.isdigit():
                raise SettingMissing(f"the setting {name} is not a whole number")
            values[field] = int(value)
        else:
            values[field] = value
    return model(**values)
