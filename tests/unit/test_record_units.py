"""Which units convert into which, and by how much."""

from decimal import Decimal

import pytest

from records import units


@pytest.mark.parametrize(
    ("given", "wanted", "value", "expected"),
    [
        ("mg/dL", "g/L", "126", "1.26"),
        ("g/dL", "g/L", "14.2", "142"),
        ("mmol/L", "umol/L", "0.0953", "95.3"),
        ("10*3/uL", "10*9/L", "5.6", "5.6"),
        ("[degF]", "Cel", "98.6", "37"),
        ("[lb_av]", "kg", "150", "68.0389"),
        ("m[IU]/L", "u[IU]/mL", "2.5", "2.5"),
        ("kPa", "mm[Hg]", "16", "120.01"),
        ("L/L", "%", "0.42", "42"),
        ("U/L", "nkat/L", "60", "1000"),
    ],
)
def test_converts(given: str, wanted: str, value: str, expected: str) -> None:
    convert = units.converter(given, wanted)
    assert convert is not None
    assert float(convert(Decimal(value))) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("mg/dL", "mmol/L"),  # takes a molar mass
        ("meq/L", "mmol/L"),  # takes a charge
        ("[IU]/L", "10*9/L"),
        ("[IU]/L", "U/L"),
        ("mL/min", "mL/min/{1.73_m2}"),
        ("mmol/mol", "%"),
        ("{score}", "1"),
        ("nonsense", "mg/dL"),
        (None, "mg/dL"),
        ("kg", "cm"),
    ],
)
def test_does_not_convert(given: str | None, wanted: str) -> None:
    assert units.converter(given, wanted) is None
    assert units.converter(wanted, given) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ммоль/л", "mmol/L"),
        ("г/л", "g/L"),
        ("10^9/л", "10*9/L"),
        ("×10⁹/л", "10*9/L"),
        ("х10*12/л", "10*12/L"),
        ("Ед/л", "U/L"),
        ("мМЕ/л", "m[IU]/L"),
        ("мм рт. ст.", "mm[Hg]"),
        ("мм/час", "mm/h"),
        ("%", "%"),
        ("mg/dL", "mg/dL"),
        ("крестики", "крестики"),
        ("", None),
        (None, None),
    ],
)
def test_russian_spellings(text: str | None, expected: str | None) -> None:
    assert units.ucum(None, text) == expected
