"""Bodies and queries of the desk."""

import re
import unicodedata
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from kernel.fields import Day, NoteField, PhoneField, SnilsField
from kernel.model import Model
from kernel.query import OneOf, Paging, Text, optional
from kernel.release import MOST_DAYS

_EARLIEST = date(1880, 1, 1)
# ISO 3166-2, e.g. RU-MOW; a clinic's id stands in keys and in paths.
REGION_CODE = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")
CLINIC_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def _line(text: str) -> str:
    found = " ".join(unicodedata.normalize("NFC", text).split())
    if not found or any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") for c in found):
        raise PydanticCustomError("value", "not a line of text")
    return found


def _name(text: str) -> str:
    found = _line(text)
    if not any(c.isalpha() for c in found):
        raise PydanticCustomError("pattern", "not a name")
    return found


def _born(day: date) -> date:
    if day > date.today():  # noqa: DTZ011  the registry writes dates without a zone
        raise PydanticCustomError("in_future", "not yet")
    if day < _EARLIEST:
        raise PydanticCustomError("date", "too long ago")
    return day


Line = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_line)]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_name)]
# `+7 495 000-00-00`, `8 800 ...`, `122`, an extension: what people dial, kept as it is written.
Dialled = Annotated[
    str, Field(min_length=2, max_length=40, pattern=r"^[+0-9][-+0-9 (),.#*a-zа-я]*$")
]
Url = Annotated[str, Field(max_length=200, pattern=r"^https?://[^\s<>\"]+$")]
Id = Annotated[str, Field(min_length=1, max_length=64)]


def _checked(value: bool) -> bool:
    if value is not True:
        raise PydanticCustomError("value", "the document was not looked at")
    return value


# `Literal[True]` would take the number 1 for it.
Checked = Annotated[
    bool, Field(strict=True, json_schema_extra={"const": True}), AfterValidator(_checked)
]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# In JSON 7.0 is a whole number (JSON Schema 2020-12, section 4.2.3).
HeldDays = Annotated[int, Field(ge=0, le=MOST_DAYS), BeforeValidator(_whole)]


def _policy_number(text: str) -> str:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"[0-9]{16}", digits):
        raise PydanticCustomError("policy_number", "not a policy number")
    return digits


class Support(Model):
    phone: Dialled | None = None
    url: Url | None = None


class PutRegion(Model):
    name: Line
    connected: bool
    support: Support = Support()


class PutClinic(Model):
    name: Line
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$", examples=["RU-MOW"])]
    phone: Dialled
    address: Line
    connected: bool


class StaffQuery(Paging):
    """`clinic_id` is for operators, who see all without it; a registrar sees their own clinic."""

    clinic_id = optional(Text(1, 64))


class Appoint(Model):
    phone: PhoneField
    role: Literal["clinician", "registrar"]
    clinic_id: Id
    name: Name
    specialty: Annotated[Line, Field(max_length=100)] | None = None


class ReleaseRules(Model):
    """Days for which a kind of result is held until a doctor has seen it; none: not at all."""

    laboratory: HeldDays = 0
    diagnostic: HeldDays = 0


class EnterPerson(Model):
    snils: SnilsField
    last_name: Name
    first_name: Name
    middle_name: Name | None = None
    birth_date: Annotated[Day, AfterValidator(_born)]
    sex: Literal["male", "female", "other", "unknown"]
    policy_number: Annotated[str, Field(max_length=40), AfterValidator(_policy_number)] | None = (
        None
    )


class BySnils(Model):
    snils: SnilsField


class Attach(Model):
    """`code` is needed where the person is attached elsewhere; without it one is sent to them."""

    code: Annotated[str, Field(min_length=1, max_length=40)] | None = None


class PaperConsent(Model):
    document_version: Annotated[str, Field(min_length=1, max_length=32)]
    document_sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")]
    signed_on: Day


class StartVerification(Model):
    phone: PhoneField


class Verify(Model):
    """The registrar has compared the person with the passport, and the person has the phone."""

    phone: PhoneField
    code: Annotated[str, Field(min_length=1, max_length=40)]
    snils: SnilsField
    document_checked: Checked


class OpenInEmergency(Model):
    """Who it is, and why it cannot wait; the patient reads the reason."""

    snils: SnilsField
    birth_date: Day
    reason: Annotated[NoteField, Field(max_length=1000)]


class Merge(Model):
    """The entry that goes; the one in the path stays."""

    duplicate_patient_id: Id


class Death(Model):
    """The day of the death; null takes back what was noted by mistake."""

    date: Day | None


class CasesQuery(Paging):
    status = optional(OneOf("open", "answered"))


class AnswerCase(Model):
    """What the clinic answers; the patient reads it."""

    text: NoteField
