"""Settings: what a function needs from its environment, read once, failing at start by name."""

import os
from dataclasses import fields, is_dataclass
from typing import TypeVar

S = TypeVar("S")


class SettingMissing(RuntimeError):
    """A required setting is not in the environment."""


def load(model: type[S]) -> S:
    """Fill a dataclass from the environment: the field `cards_table` is `CARDS_TABLE`.

    Fields are `str` or `int`. There are no defaults: a deployment says everything.

    Raises:
        SettingMissing: names the missing or non-numeric setting.
    """
    assert is_dataclass(model)
    values: dict[str, str | int] = {}
    for field in fields(model):
        name = field.name.upper()
        value = os.environ.get(name)
        if not value:
            raise SettingMissing(f"the setting {name} is missing")
        if field.type is int:
            if not value.isascii() or not value.isdigit():
                raise SettingMissing(f"the setting {name} is not a whole number")
            values[field.name] = int(value)
        else:
            values[field.name] = value
    return model(**values)
