"""The pure rules of signing in."""

import pytest

from auth import policy
from kernel import identifiers


@pytest.mark.parametrize(
    ("typed", "forms"),
    [
        ("+7 900 123-45-67", ["+79001234567"]),
        ("8 (900) 123-45-67", ["+79001234567"]),
        ("79001234567", ["+79001234567"]),
        ("9001234567", ["+79001234567"]),
        ("+7 495 123 45 67", ["+74951234567"]),
        ("+1 202 555 0100", []),
        ("+7 100 123 45 67", []),
        ("+7+9001234567", []),
        ("٩٠٠١٢٣٤٥٦٧", []),
        ("112-233-445 95", ["11223344595"]),
        ("112 233 445 95", ["11223344595"]),
        ("11223344595", ["11223344595"]),
        ("112-233-445 96", []),
        ("087-654-303 00", ["08765430300"]),
        ("001-001-998 00", ["00100199800"]),
        # Eleven digits that are a phone number and a СНИЛС with right check digits.
        ("80000000072", ["80000000072"]),
        ("89000000043", ["+79000000043", "89000000043"]),
        ("890-000-000 43", ["89000000043", "+79000000043"]),
        (" Name@Example.RU ", ["name@example.ru"]),
        ("имя@почта.рф", ["имя@почта.рф"]),
        ("a@b", []),
        ("a b@example.ru", []),
        ("", []),
        ("?" * 254, []),
    ],
)
def test_a_login_in_any_usual_spelling_has_one_form(typed: str, forms: list[str]) -> None:
    assert identifiers.logins(typed) == forms


def test_masks_show_only_the_ends() -> None:
    assert identifiers.masked_phone("+79001231234") == "+7 *** ***-12-34"
    assert identifiers.masked_email("anna@example.ru") == "a***@example.ru"


@pytest.mark.parametrize(
    ("staff", "totp", "passkeys", "recovery_codes", "offered"),
    [
        (False, False, 0, 0, ["sms"]),
        (False, True, 0, 10, ["sms", "totp", "recovery_code"]),
        (True, False, 0, 0, ["sms"]),
        (True, True, 0, 3, ["totp", "recovery_code"]),
        (True, False, 1, 0, ["passkey"]),
        (False, True, 2, 1, ["sms", "totp", "passkey", "recovery_code"]),
    ],
)
def test_methods(
    staff: bool, totp: bool, passkeys: int, recovery_codes: int, offered: list[str]
) -> None:
    found = policy.methods(
        phone=True, staff=staff, totp=totp, passkeys=passkeys, recovery_codes=recovery_codes
    )
    assert found == offered


def test_who_has_no_phone_is_offered_no_text_message() -> None:
    none = policy.methods(phone=False, staff=False, totp=False, passkeys=0, recovery_codes=0)
    assert none == []
    app = policy.methods(phone=False, staff=False, totp=True, passkeys=0, recovery_codes=0)
    assert app == ["totp"]


def test_waits_grow_and_end() -> None:
    waits = [policy.delay(n, 5) for n in range(30)]
    assert waits[:5] == [0] * 5
    assert waits[5] == 15
    assert waits == sorted(waits)
    assert waits[-1] == 900
    assert [policy.resend_delay(n, 30) for n in (1, 2, 3, 50)] == [30, 60, 120, 900]


def test_one_address_is_one_v4_address_or_one_v6_network() -> None:
    assert policy.network("10.0.0.1") != policy.network("10.0.0.2")
    assert policy.network("2001:db8::1") == policy.network("2001:db8:0:0:ffff::2")
    assert policy.network("2001:db8::1") != policy.network("2001:db8:0:1::1")
    assert policy.network("::ffff:10.0.0.1") == policy.network("10.0.0.1")
    assert policy.network("") == policy.network("nonsense") == "unknown"


def test_the_methods_of_a_session_add_up() -> None:
    assert policy.amr(["pwd"], "sms") == ["pwd", "sms", "mfa"]
    assert policy.amr(["pwd", "sms", "mfa"], "totp") == ["pwd", "sms", "mfa", "otp"]


def test_levels() -> None:
    assert policy.level(None) == "simplified"
    assert policy.level("11223344595") == "standard"
