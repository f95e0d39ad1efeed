"""Fields of bodies that several packages take: what may be written, and the one form inside."""

import unicodedata
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from kernel import days, identifiers, snils


def _day(value: object) -> date:
    # pydantic itself also takes times and Unix seconds: a typing error would become a birth date.
    if type(value) is date:
        return value
    day = days.read(value) if isinstance(value, str) else None
    if day is None:
        raise PydanticCustomError("date", "not a date")
    return day


def _phone(text: str) -> str:
    found = identifiers.phone(text)
    if found is None:
        raise PydanticCustomError("phone", "not a phone number")
    return found


def _email(text: str) -> str:
    found = identifiers.email(text)
    if found is None:
        raise PydanticCustomError("email", "not an e-mail address")
    return found


def _snils(text: str) -> str:
    try:
        return snils.normalise(text)
    except snils.SnilsWrong as error:
        raise PydanticCustomError(error.code, "not a СНИЛС") from error


def _words(text: str) -> str:
    found = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    if not any(c.isalnum() for c in found):
        raise PydanticCustomError("value", "no words")
    if any(unicodedata.category(c) in ("Cc", "Cs", "Co") and c not in "\n\t" for c in found):
        raise PydanticCustomError("value", "control characters")
    return found


Day = Annotated[date, BeforeValidator(_day)]
PhoneField = Annotated[
    str, Field(max_length=40, examples=["+7 900 000-00-00"]), AfterValidator(_phone)
]
EmailField = Annotated[
    str, Field(max_length=254, examples=["name@example.ru"]), AfterValidator(_email)
]
# Any usual spelling; it holds the 11 digits.
SnilsField = Annotated[
    str, Field(max_length=20, examples=["112-233-445 95"]), AfterValidator(_snils)
]
# What somebody writes, in some lines (`kernel.notes`).
NoteField = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_words)]
