"""Bodies of the auth routes."""

import unicodedata
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from kernel.fields import Day, EmailField, PhoneField, SnilsField
from kernel.model import Model

_EARLIEST = date(1900, 1, 1)


def _name(text: str) -> str:
    """A name in any script: letters, with spaces, hyphens, apostrophes and points between."""
    found = " ".join(unicodedata.normalize("NFC", text).split())
    if not found or not any(c.isalpha() for c in found):
        raise PydanticCustomError("pattern", "not a name")
    if any(not (c.isalpha() or unicodedata.combining(c) or c in " -‐‑'’ʼ.()") for c in found):
        raise PydanticCustomError("pattern", "not a name")
    return found


def _born(day: date) -> date:
    # Somewhere on Earth it is already tomorrow; a day more does no harm.
    if day > date.today():  # noqa: DTZ011
        raise PydanticCustomError("in_future", "not yet")
    if day < _EARLIEST:
        raise PydanticCustomError("date", "too long ago")
    return day


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_name)]
BirthDate = Annotated[Day, AfterValidator(_born)]
# The rules for new passwords are checked with the person's data at hand (auth.passwords).
Password = Annotated[str, Field(max_length=1024)]
Login = Annotated[str, Field(min_length=1, max_length=254, examples=["+7 900 000-00-00"])]
Code = Annotated[str, Field(min_length=1, max_length=40, examples=["123456"])]
ChallengeId = Annotated[str, Field(min_length=1, max_length=64)]
DeviceToken = Annotated[str, Field(min_length=1, max_length=128)]
Method = Literal["sms", "totp", "passkey", "recovery_code"]
# What a browser's `PublicKeyCredential.toJSON()` gives; the webauthn library judges it.
Credential = dict[str, Any]


class Register(Model):
    phone: PhoneField
    email: EmailField | None = None
    password: Password
    last_name: Name
    first_name: Name
    middle_name: Name | None = None
    birth_date: BirthDate
    snils: SnilsField | None = None


class SignIn(Model):
    """`device_token` is what an earlier `verify` gave to this device."""

    login: Login
    password: Password
    device_token: DeviceToken | None = None


class Send(Model):
    method: Literal["sms", "passkey"]


class Verify(Model):
    """A `credential` for a passkey, else a `code`."""

    method: Method
    code: Code | None = None
    credential: Credential | None = None


class Refresh(Model):
    """`refresh_token` is left out by browsers, whose cookie holds it."""

    grant_type: Literal["refresh_token"]
    refresh_token: Annotated[str, Field(min_length=1, max_length=512)] | None = None


class ChangePassword(Model):
    current_password: Password
    new_password: Password


class Reset(Model):
    login: Login


class ConfirmReset(Model):
    challenge_id: ChallengeId
    code: Code
    birth_date: BirthDate | None = None
    totp_code: Code | None = None
    credential: Credential | None = None
    new_password: Password


class ChangePhone(Model):
    phone: PhoneField


class ConfirmPhone(Model):
    """Without `challenge_id` it is the account's latest change of number."""

    challenge_id: ChallengeId | None = None
    code: Code


class Callback(Model):
    """What the provider gave to the browser or app; `iss` as RFC 9207 has it."""

    code: Annotated[str, Field(min_length=1, max_length=2048)]
    state: Annotated[str, Field(min_length=1, max_length=64)]
    iss: Annotated[str, Field(max_length=512)] | None = None
    device_token: DeviceToken | None = None


class ConfirmTotp(Model):
    code: Code


class NewPasskey(Model):
    """`name` is how the person will tell it from their others."""

    credential: Credential
    name: Annotated[str, Field(min_length=1, max_length=100)] = "Passkey"
