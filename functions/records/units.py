"""Units of measure: what can be converted into what (UCUM, unitsofmeasure.org).

The library behind it (ucumvert, pint) takes half a second to load, so it is loaded only when two
values of one quantity came in different units.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

_ANNOTATION = re.compile(r"\{[^}]*\}")
# Units that a procedure defines: convertible into nothing but themselves (UCUM §24, arbitrary).
_ARBITRARY = re.compile(r"\[[^\]]*U\]", re.IGNORECASE)
# Amounts of substance that depend on a charge or a dissociation, and bare amounts of substance:
# mmol/mol is no fraction that stands for a percentage.
_COUNTED = {
    name: re.compile(rf"(?<![A-Za-z])[a-z]?{name}(?![a-z])") for name in ("eq", "osm", "mol")
}

# How Russian laboratories write what UCUM writes in Latin, part by part between the slashes.
_RUSSIAN = {
    **{"моль": "mol", "ммоль": "mmol", "мкмоль": "umol", "нмоль": "nmol", "пмоль": "pmol"},
    **{"кг": "kg", "г": "g", "мг": "mg", "мкг": "ug", "нг": "ng", "пг": "pg"},
    **{"л": "L", "дл": "dL", "мл": "mL", "мкл": "uL", "фл": "fL"},
    **{"м": "m", "см": "cm", "мм": "mm", "мкм": "um", "м2": "m2", "м²": "m2"},
    **{"сут": "d", "ч": "h", "час": "h", "мин": "min", "с": "s", "сек": "s"},
    **{"ед": "U", "ме": "[IU]", "мме": "m[IU]", "мкме": "u[IU]", "кме": "k[IU]"},
    **{"мэкв": "meq", "мосм": "mosm", "нкат": "nkat", "мккат": "ukat"},
    **{"мм рт.ст": "mm[Hg]", "мм рт. ст": "mm[Hg]", "мм.рт.ст": "mm[Hg]", "кпа": "kPa"},
    **{"%": "%", "°c": "Cel", "°с": "Cel", "град. c": "Cel", "уд": "{beats}"},
}
_POWER = re.compile(r"[x×х*]?\s*10\s*[\^*]?\s*([0-9]+|[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def ucum(code: str | None, text: str | None) -> str | None:
    """The UCUM code of a unit: as sent, else read from its text; None where it has none."""
    if code:
        return code
    if not text:
        return None
    parts = [_part(part) for part in text.split("/")]
    return "/".join(part or "" for part in parts) if None not in parts else text


def _part(text: str) -> str | None:
    plain = " ".join(text.lower().strip(" .").split())
    if plain in ("", "1"):
        return "" if not plain else "1"
    power = _POWER.fullmatch(plain)
    if power:
        return f"10*{power.group(1).translate(_SUPERSCRIPT)}"
    return _RUSSIAN.get(plain)


@cache
def converter(given: str | None, wanted: str | None) -> Callable[[Decimal | int], Decimal] | None:
    """What turns values in one UCUM unit into another's; None where nothing rightly does.

    Mass and amount of substance do not convert: that takes a molar mass, which a code does not
    tell. Annotations such as `{1.73_m2}` must be the same.
    """
    if given is None or wanted is None or _counted(given) != _counted(wanted):
        return None
    source, target = _parsed(given), _parsed(wanted)
    if source is None or target is None or source.dimensionality != target.dimensionality:
        return None

    def convert(value: Decimal | int) -> Decimal:
        quantity = _registry().Quantity(float(value) * float(source.magnitude), source.units)
        result = quantity.to(target.units).magnitude / float(target.magnitude)
        # Six digits: more than any laboratory measures, fewer than binary fractions betray.
        return Decimal(format(Decimal(f"{result:.6g}").normalize(), "f"))

    return convert


def _counted(code: str) -> tuple[object, ...]:
    annotations = sorted(a for a in _ANNOTATION.findall(code))
    arbitrary = sorted(a.lower() for a in _ARBITRARY.findall(code))
    return (annotations, arbitrary, [bool(p.search(code)) for p in _COUNTED.values()])


@cache
def _parsed(code: str) -> Any:
    """The unit as a pint quantity, or None where the code is none of UCUM's."""
    plain = _ANNOTATION.sub("1", code) if _ANNOTATION.fullmatch(code) else code
    try:
        return _registry().from_ucum(plain)
    except Exception:  # lark's and pint's errors have no common base; a wrong unit is data
        return None


@cache
def _registry() -> Any:
    from ucumvert import PintUcumRegistry

    return PintUcumRegistry()
