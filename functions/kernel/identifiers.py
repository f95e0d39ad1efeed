"""Phone numbers, e-mail addresses and СНИЛС: their one form inside, and how they are shown.

Every function here takes what a person typed, in any usual spelling, and gives the one form that
is stored, hashed and compared, or None where it is not that kind of identifier.
"""

import re
import unicodedata

from kernel import snils as snils_rule

_DIGITS_AND_MARKS = re.compile(r"[+0-9()\-‐‑–—.\s]{1,40}")
_SNILS_GROUPED = re.compile(r"[0-9]{3}\D[0-9]{3}\D[0-9]{3}\D?[0-9]{2}")
_EMAIL = re.compile(r"[^@\s\"(),:;<>\[\\\]]{1,64}@(?:[^@\s.,_/\\]{1,63}\.)+[^@\s.,_/\\\d]{2,63}")


def phone(text: str) -> str | None:
    """`+7XXXXXXXXXX` (E.164). The country code may be written `8`, or left out of a mobile number.

    Only `+7` is taken: text messages go to no other country, so nobody earns by making us send.
    """
    if not _DIGITS_AND_MARKS.fullmatch(text.strip()) or "+" in text.strip()[1:]:
        return None
    digits = _digits(text)
    if text.strip().startswith("+"):
        national = digits[1:] if digits.startswith("7") else ""
    elif len(digits) == 11 and digits[0] in "78":
        national = digits[1:]
    else:
        national = digits if digits.startswith("9") else ""
    return f"+7{national}" if len(national) == 10 and national[0] in "3489" else None


def email(text: str) -> str | None:
    """Lower case, NFKC. The part before `@` too: no provider in use tells its case apart."""
    folded = unicodedata.normalize("NFKC", text).strip().lower()
    return folded if len(folded) <= 254 and _EMAIL.fullmatch(folded) else None


def snils(text: str) -> str | None:
    """Eleven digits whose check digits agree (see `kernel.snils`)."""
    try:
        return snils_rule.normalise(text)
    except snils_rule.SnilsWrong:
        return None


def logins(text: str) -> list[str]:
    """The forms that a typed login may have inside, the likelier first: none, one or two.

    Eleven bare digits can be a phone number and a СНИЛС; groups of 3-3-3-2 are a СНИЛС.
    """
    as_phone, as_snils, as_email = phone(text), snils(text), email(text)
    found = [as_phone, as_snils, as_email]
    if _SNILS_GROUPED.fullmatch(text.strip()):
        found = [as_snils, as_phone]
    return [each for each in found if each]


def masked_phone(number: str) -> str:
    """`+7 *** ***-12-34`."""
    return f"+7 *** ***-{number[-4:-2]}-{number[-2:]}"


def masked_email(address: str) -> str:
    """`i***@example.ru`."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}***@{domain}"


def _digits(text: str) -> str:
    return "".join(c for c in text if c in "0123456789")
