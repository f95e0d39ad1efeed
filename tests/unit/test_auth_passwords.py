"""Passwords: what is refused, and how they are kept."""

import pytest

from auth import passwords
from kernel.errors import FieldProblem, ValidationFailed


def code_of(password: str, *personal: str | None) -> str | None:
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
        ("aq3z" * 32, None),
        ("aq3z" * 32 + "x", "password_too_long"),
        ("тополь7?", None),
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


@pytest.mark.parametrize(
    ("password", "code", "params"),
    [
        ("z" * 7, "password_too_short", {"min_length": 8}),
        ("zq3" * 43, "password_too_long", {"max_length": 128}),
        ("12345678", "password_common", None),
        ("моя Каренина!", "password_personal", None),
    ],
)
def test_the_reason_names_the_field_and_the_numbers(
    password: str, code: str, params: dict[str, int] | None
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        passwords.check(password, ["Каренина"])
    assert refused.value.problems == (FieldProblem("password", code, params),)
    with pytest.raises(ValidationFailed) as refused:
        passwords.check(password, ["Каренина"], "new_password")
    assert refused.value.problems == (FieldProblem("new_password", code, params),)


def test_without_personal_words_none_is_looked_for() -> None:
    passwords.check("моя каренина и тополь")


@pytest.mark.parametrize(
    ("password", "personal", "code"),
    [
        ("тополь и Ли у реки", ["Ли"], None),
        ("тополь и Лиу реки", ["Лиу"], "password_personal"),
        ("тополь и ЛИУ реки", ["лиу"], "password_personal"),
        ("тополь у реки", [None, "", "дуб"], None),
        ("тополь у реки", [None, "", "реки"], "password_personal"),
    ],
)
def test_personal_words_are_of_three_letters_or_more(
    password: str, personal: list[str | None], code: str | None
) -> None:
    assert code_of(password, *personal) == code


@pytest.mark.parametrize(
    ("password", "common"),
    [
        ("abababababab", True),  # two letters are too few
        ("abcabcabcxyz", False),
        ("password", True),
        ("password!", True),
        ("password_2026", True),
        ("2026password", False),
        ("# from here", False),  # the list's own remarks are no passwords
        ("passwor1", True),
        ("qwerty12", True),
        ("qwerty7!", False),  # what is left, `qwerty`, is too short to judge by
    ],
)
def test_what_counts_as_common(password: str, common: bool) -> None:
    assert passwords._is_common(password) is common


def test_the_list_is_shipped_and_read_without_its_remarks() -> None:
    found = passwords._common()
    assert len(found) > 10_000
    assert not any(line.startswith("#") for line in found)
    assert {"12345678", "йцукенгш"} <= found


def test_a_hash_is_of_the_normalised_password_and_has_its_own_salt() -> None:
    assert passwords.normalised("\ufb01l") == "fil"
    first, second = passwords.hashed("тополь у реки"), passwords.hashed("тополь у реки")
    assert first != second
    assert passwords.matches(first, "тополь у реки")
    assert not passwords.matches(first, "Тополь у реки")
