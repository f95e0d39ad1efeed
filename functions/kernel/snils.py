"""СНИЛС: the number by which the state knows a person, and its check digits.

Source: the Pension Fund's rule of 2002 (постановление Правления ПФР, 11 digits: 9 of the number,
2 of check): the digits are weighted 9..1, the sum is taken modulo 101, and 100 counts as 00.
Numbers up to 001-001-998 were given out before the rule and are not checked.
"""

import re

_USUAL = re.compile(
    r"([0-9]{3})[-‐‑‒– \u00a0]?([0-9]{3})[-‐‑‒– \u00a0]?([0-9]{3})[-‐‑‒– \u00a0]?([0-9]{2})"
)
_LAST_UNCHECKED = 1_001_998


class SnilsWrong(ValueError):
    """The text is no СНИЛС; `code` is `pattern` or `snils_check_digits`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def normalise(text: str) -> str:
    """The 11 digits of a СНИЛС in any usual spelling (`112-233-445 95`, with or without marks).

    Raises:
        SnilsWrong: it is not written like one, or its check digits do not agree.
    """
    match = _USUAL.fullmatch(text.strip())
    if match is None:
        raise SnilsWrong("pattern")
    digits = "".join(match.groups())
    number = digits[:9]
    if number == "000000000":
        raise SnilsWrong("pattern")
    if int(number) > _LAST_UNCHECKED and digits[9:] != check_digits(number):
        raise SnilsWrong("snils_check_digits")
    return digits


def check_digits(number: str) -> str:
    """The two check digits of the nine digits `number`."""
    total = sum(int(digit) * weight for digit, weight in zip(number, range(9, 0, -1), strict=True))
    return f"{total % 101 % 100:02d}"


def formatted(digits: str) -> str:
    """`112-233-445 95` of 11 digits."""
    return f"{digits[:3]}-{digits[3:6]}-{digits[6:9]} {digits[9:]}"


def masked(digits: str) -> str:
    """What may be shown of it to its owner: `***-***-445 95`."""
    return f"***-***-{digits[6:9]} {digits[9:]}"
