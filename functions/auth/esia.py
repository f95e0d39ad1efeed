"""ЕСИА's way to say who somebody is.

Source: «Методические рекомендации по использованию ЕСИА», appendix on OpenID Connect 1.0: the ID
token's `urn:esia:sbj` holds `urn:esia:sbj:is_tru` (there, and true, only for a confirmed account),
`urn:esia:sbj:lvl` (`PR` confirmed, `P` another person's account, `KD` a child's) and
`urn:esia:sbj:typ` (`P`, a natural person). Names and СНИЛС are those of `/rs/prns/{oid}`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from auth.models import BirthDate, Name
from auth.oidc import NotVouched
from kernel import identifiers

_BIRTH_DATE: TypeAdapter[date] = TypeAdapter(BirthDate)


class Vouched(NamedTuple):
    """A person as a provider knows them. `birth_date` is ISO 8601, `phone` E.164, it and `email`
    confirmed there, `snils` 11 digits. Only a `confirmed` person's СНИЛС is proven."""

    subject: str
    confirmed: bool
    last_name: str
    first_name: str
    middle_name: str | None
    birth_date: str
    snils: str | None
    phone: str | None
    email: str | None


class _Person(BaseModel):
    """The part of a person's data that is used here."""

    model_config = ConfigDict(extra="ignore")

    lastName: Name
    firstName: Name
    middleName: Name | None = None
    birthDate: str
    snils: str | None = None
    contacts: Any = None


def vouched(claims: Mapping[str, Any], info: Mapping[str, Any]) -> Vouched:
    """The person of an ID token that was checked, and of what the provider tells of them.

    Raises:
        NotVouched: names or birth date are missing, or it is no natural person.
    """
    subject = claims.get("urn:esia:sbj")
    facts = subject if isinstance(subject, Mapping) else {}
    if facts.get("urn:esia:sbj:typ", "P") != "P":
        raise NotVouched("not a person")
    try:
        person = _Person.model_validate({**claims, **info})
        day, month, year = re.fullmatch(  # type: ignore[union-attr]
            r"(\d\d)\.(\d\d)\.(\d{4})", person.birthDate, re.ASCII
        ).groups()
        birth_date = _BIRTH_DATE.validate_python(date(int(year), int(month), int(day)))
    except (ValidationError, AttributeError, ValueError) as error:
        raise NotVouched("names or birth date") from error
    snils = identifiers.snils(person.snils) if person.snils else None
    return Vouched(
        subject=str(claims["sub"]),
        confirmed=is_confirmed(facts) and snils is not None,
        last_name=person.lastName,
        first_name=person.firstName,
        middle_name=person.middleName,
        birth_date=birth_date.isoformat(),
        snils=snils,
        phone=_verified(person.contacts, "MBT", identifiers.phone),
        email=_verified(person.contacts, "EML", identifiers.email),
    )


def is_confirmed(facts: Mapping[str, Any]) -> bool:
    """Whether `urn:esia:sbj` says that the person is confirmed: true, and nothing else than true.

    `lvl` is not in every version's tokens; where it is, it must say so too.
    """
    return facts.get("urn:esia:sbj:is_tru") is True and facts.get("urn:esia:sbj:lvl", "PR") == "PR"


def _verified(contacts: Any, kind: str, spelled: Callable[[str], str | None]) -> str | None:
    """The mobile number (`MBT`) or the address (`EML`) that the provider has verified."""
    elements = contacts.get("elements") if isinstance(contacts, Mapping) else None
    for each in elements if isinstance(elements, list) else ():
        if isinstance(each, Mapping) and (each.get("type"), each.get("vrfStu")) == (
            kind,
            "VERIFIED",
        ):
            return spelled(str(each.get("value", ""))[:254])
    return None
