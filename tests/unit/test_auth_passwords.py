"""Passwords: what is refused, and how they are kept."""

import pytest

from auth import passwords
from kernel.errors import ValidationFailed


def code_of(password: str, *personal: str) -> str | None:
    try:
        passwords.check(password, personal)
    except ValidationFailed as error:
        return error.problems[0].code
    return None


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("1234567", "password_too_short"),
        ("пять слов про тополя", None),
        ("z" * 7, "password_too_short"),
        ("zq" * 64 + "!", "password_too_long"),
        ("aq3" * 42, None),
        ("12345678", "password_common"),
        ("QWERTY123", "password_common"),
        ("пароль123", "password_common"),
        ("password2026!!", "password_common"),
        ("aaaaaaaaaaaa", "password_common"),
        ("anna karenina", None),
        ("моя Каренина!", "password_personal"),
        ("x08031980x", "password_personal"),
        # U+FB03 is three letters after NFKC.
        ("\ufb03" * 3 + "ze", None),
        ("🦊🐻🐼🐨🐯🦁🐮🐷", None),
    ],
)
def test_what_is_refused(password: str, code: str | None) -> None:
    assert code_of(password, "Каренина", "Анна", "08031980") == code


def test_a_password_matches_in_either_form_of_its_letters() -> None:
    stored = passwords.hashed("e\u0301tude sur le \ufb01l")
    assert stored.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert passwords.matches(stored, "\u00e9tude sur le fil")
    assert not passwords.matches(stored, "etude sur le fil")
    assert not passwords.outdated(stored)


def test_nobodys_password_costs_the_same_and_matches_nothing() -> None:
    def parameters(stored: str) -> list[str]:
        return stored.split("$")[1:4]

    assert parameters(passwords._NOBODY) == parameters(passwords.hashed("a good password"))
    assert not passwords.matches(None, "a good password")


def test_a_hash_of_other_parameters_is_outdated() -> None:
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash("a good password")
    assert passwords.matches(old, "a good password")
    assert passwords.outdated(old)


def test_a_stored_hash_that_is_none_matches_nothing() -> None:
    assert not passwords.matches("plain", "plain")
