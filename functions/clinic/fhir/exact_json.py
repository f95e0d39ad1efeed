"""JSON in and out with decimals exact: 5.60 stays 5.60 (FHIR R4, 2.24.0.1 decimal: precision)."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

from clinic.fhir.errors import NotFhir
from kernel.exact_json import dumps as dumps

MAX_DEPTH = 100
MAX_DIGITS = 400  # of one number; R4 asks for 18, its examples hold 350
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


def loads(body: bytes) -> Any:
    """Parse; floats become Decimal. Raises NotFhir for anything a portal must not take."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotFhir("not_utf8", "The body is not UTF-8.") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except json.JSONDecodeError:
        raise NotFhir("not_json", "The body is not JSON.") from None
    except RecursionError:
        raise _too_deep() from None
    _check(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotFhir("duplicate_key", "An object in the body has the same key twice.")
    return members


def _decimal(digits: str) -> Decimal:
    if len(digits) > MAX_DIGITS:
        raise _too_long()
    number = Decimal(digits)
    # An exponent without bound would make a short body grow without bound when it is written out.
    if number and not -MAX_DIGITS < number.adjusted() < MAX_DIGITS:
        raise _too_long()
    return number


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _too_long()
    return int(digits)


def _constant(_: str) -> NoReturn:
    raise NotFhir("not_json", "NaN and Infinity are not JSON.")


def _check(value: Any) -> None:
    """Depth, and characters that R4 strings cannot hold; iterative, so that depth cannot hurt."""
    forbidden = _FORBIDDEN.search
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                if any(map(forbidden, node)):
                    raise _control()
                children: Any = node.values()
            elif isinstance(node, list):
                children = node
            else:
                children = (node,)
            for child in children:
                if isinstance(child, str):
                    if forbidden(child):
                        raise _control()
                elif isinstance(child, (dict, list)):
                    below.append(child)
        if not below:
            return
        level = below
    raise _too_deep()


def _too_deep() -> NotFhir:
    return NotFhir("too_deep", f"The body nests deeper than {MAX_DEPTH} levels.")


def _too_long() -> NotFhir:
    return NotFhir("number_too_long", f"A number in the body has more than {MAX_DIGITS} digits.")


def _control() -> NotFhir:
    return NotFhir("not_json", "The body holds control characters or halves of characters.")
