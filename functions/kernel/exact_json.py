"""JSON of our own making with decimals exact: 5.60 stays 5.60 (FHIR R4 §2.24.0.1, precision)."""

import json
import re
from decimal import Decimal
from typing import Any

# No string of ours holds NUL, so it marks numbers on their way out.
_MARK = "\x00"
_MARKED = re.compile(r'"\\u0000([^"]*)"')


def loads(text: bytes) -> Any:
    """Parse what `dumps` wrote; numbers with a point or an exponent become Decimal."""
    return json.loads(text, parse_float=Decimal)


def dumps(value: Any) -> str:
    """Compact JSON; Decimals are written digit by digit, keys sorted."""
    text = json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=_marked
    )
    return _MARKED.sub(r"\1", text)


def _marked(value: object) -> str:
    if isinstance(value, Decimal):
        return _MARK + str(value)
    raise TypeError(type(value).__name__)
