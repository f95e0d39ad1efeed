"""СНИЛС: spellings and check digits."""

import pytest

from kernel import snils


@pytest.mark.parametrize(
    "text",
    [
        "112-233-445 95",
        "11223344595",
        "112 233 445 95",
        "112-233-445-95",
        " 112-233-44595 ",
        "112\u00a0233\u00a0445\u00a095",
        "112–233–445 95",
    ],
)
def test_every_usual_spelling_is_one_number(text: str) -> None:
    assert snils.normalise(text) == "11223344595"


@pytest.mark.parametrize(
    ("number", "digits"),
    [("112233445", "95"), ("087654303", "00"), ("001001999", "65")],  # 202 is two times 101
)
def test_check_digits(number: str, digits: str) -> None:
    assert snils.check_digits(number) == digits


def test_remainders_100_and_101_give_00() -> None:
    hundred = next(n for n in map("{:09d}".format, range(1_002_000, 9_000_000)) if _sum(n) == 100)
    beyond = next(n for n in map("{:09d}".format, range(1_002_000, 9_000_000)) if _sum(n) == 101)
    wrapped = next(
        n for n in map("{:09d}".format, range(100_000_000, 999_999_999)) if _sum(n) == 201
    )
    for number in (hundred, beyond, wrapped):
        assert snils.normalise(number + "00") == number + "00"
        with pytest.raises(snils.SnilsWrong, match="check_digits"):
            snils.normalise(number + "01")


def test_a_wrong_check_digit_is_found() -> None:
    with pytest.raises(snils.SnilsWrong, match="snils_check_digits"):
        snils.normalise("112-233-445 96")


@pytest.mark.parametrize("text", ["001-001-998 00", "00100199899"])
def test_old_numbers_are_not_checked(text: str) -> None:
    assert snils.normalise(text)[:9] == "001001998"


def test_the_first_checked_number_is_checked() -> None:
    good = snils.check_digits("001001999")
    assert snils.normalise("001001999" + good)
    with pytest.raises(snils.SnilsWrong):
        snils.normalise("001001999" + ("00" if good != "00" else "01"))


@pytest.mark.parametrize(
    "text",
    ["", "112-233-445", "112-233-445 955", "112--233-445 95", "1122334459x", "0" * 11, "٣" * 11],
)
def test_what_is_not_written_like_one_is_refused(text: str) -> None:
    with pytest.raises(snils.SnilsWrong, match="pattern"):
        snils.normalise(text)


def test_masked_shows_the_end_only() -> None:
    assert snils.masked("11223344595") == "***-***-445 95"
    assert snils.formatted("11223344595") == "112-233-445 95"


def _sum(number: str) -> int:
    return sum(int(digit) * (9 - i) for i, digit in enumerate(number))
