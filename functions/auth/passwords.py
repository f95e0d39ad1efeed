"""Passwords: what is refused, how they are hashed.

Rules: NIST SP 800-63B-4 §3.1.1.2 (length, any character, no composition rules, a list of common
ones, no forced change), OWASP ASVS 5.0 §6.2. Argon2id with the parameters that OWASP's password
storage guide names first: 46 MiB, one pass, one lane.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kernel.errors import FieldProblem, ValidationFailed

SHORTEST = 8
LONGEST = 128
_COMMON = Path(__file__).parent / "common_passwords.txt"
_HASHER = PasswordHasher(time_cost=1, memory_cost=46 * 1024, parallelism=1)
_FEW_DISTINCT = 3
# The hash of a random password that was thrown away: what unknown people are checked against. It
# has the parameters above, so that checking it takes the same time (tests compare them).
_NOBODY = (
    "$argon2id$v=19$m=47104,t=1,p=1"
    "$DbtY4NHyvu0VaKLCxrKYOA$uztdwVR2uJG454Aj6mDB0ZLDJrmZGdaFFds9Q5ABny0"
)


def normalised(password: str) -> str:
    """NFKC, so that one keyboard's form of a letter equals another's."""
    return unicodedata.normalize("NFKC", password)


def check(password: str, personal: Iterable[str | None] = (), field: str = "password") -> None:
    """Refuse a new password with the reason.

    Args:
        personal: the person's own names, phone, e-mail name, birth date in digits.

    Raises:
        ValidationFailed
    """
    text = normalised(password)
    problem: FieldProblem | None = None
    if len(text) < SHORTEST:
        problem = FieldProblem(field, "password_too_short", {"min_length": SHORTEST})
    elif len(text) > LONGEST:
        problem = FieldProblem(field, "password_too_long", {"max_length": LONGEST})
    elif _is_common(text):
        problem = FieldProblem(field, "password_common")
    elif _is_personal(text, personal):
        problem = FieldProblem(field, "password_personal")
    if problem:
        raise ValidationFailed([problem])


def hashed(password: str) -> str:
    """The Argon2id hash, with its parameters and salt in it."""
    return _HASHER.hash(normalised(password))


def matches(stored: str | None, password: str) -> bool:
    """Whether it is the password. With nothing stored the same work is done in vain."""
    try:
        return _HASHER.verify(stored or _NOBODY, normalised(password)) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


@cache
def _common() -> frozenset[str]:
    lines = _COMMON.read_text("utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def _is_common(text: str) -> bool:
    folded = text.casefold()
    # `password2026!` is `password` to whoever guesses.
    bare = re.sub(r"[\W\d_]+$", "", folded)
    return (
        folded in _common()
        or (len(bare) >= SHORTEST and bare in _common())
        or len(set(folded)) < _FEW_DISTINCT
    )


def _is_personal(text: str, personal: Iterable[str | None]) -> bool:
    folded = text.casefold()
    return any(len(word) >= 3 and word.casefold() in folded for word in personal if word)
