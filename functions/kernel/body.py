"""The guard in front of every body: size, media type, encoding, and JSON that means one thing."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from kernel.errors import BodyTooLarge, Malformed, UnsupportedMediaType

DEFAULT_LIMIT = 64 * 1024
_DEPTH = 64
# Of US-ASCII every text is UTF-8.
_CHARSETS = ("utf-8", "utf8", "us-ascii")


def raw(event: Mapping[str, Any], limit: int) -> bytes:
    """The bytes of the body.

    Raises:
        BodyTooLarge: above `limit` bytes.
        Malformed: said to be base64 and is not.
    """
    body = event.get("body") or ""
    if len(body) > limit * 2:
        raise BodyTooLarge
    if event.get("isBase64Encoded"):
        try:
            data = base64.b64decode(body, validate=True)
        except binascii.Error as error:
            raise Malformed from error
    else:
        try:
            data = body.encode()
        except UnicodeEncodeError as error:  # a lone surrogate is no text
            raise Malformed from error
    if len(data) > limit:
        raise BodyTooLarge
    return data


def require_media(content_type: str | None, accepted: tuple[str, ...]) -> None:
    """Refuse a body of a type that the route does not take, and JSON that is said not to be UTF-8
    (RFC 8259 §8.1). XML says its encoding itself.

    Raises:
        UnsupportedMediaType
    """
    media, *parameters = (part.strip().lower() for part in (content_type or "").split(";"))
    if media not in accepted:
        raise UnsupportedMediaType
    for name, _, value in (each.partition("=") for each in parameters):
        if name == "charset" and media.endswith("json") and value.strip('"') not in _CHARSETS:
            raise UnsupportedMediaType


def parse_json(data: bytes) -> Any:
    """JSON with one meaning: UTF-8, no duplicate keys, no NaN, not deep, numbers of sane length.

    Raises:
        Malformed: it is not that (RFC 8259 leaves each of these to the reader; two readers that
            differ are a hole).
    """
    try:
        text = data.decode()
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError) as error:
        raise Malformed from error
    _check_depth(value, _DEPTH)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _no_constant(_: str) -> NoReturn:
    raise ValueError("not a JSON number")


def _check_depth(value: Any, left: int) -> None:
    if left == 0:
        raise Malformed
    if isinstance(value, dict):
        for each in value.values():
            _check_depth(each, left - 1)
    elif isinstance(value, list):
        for each in value:
            _check_depth(each, left - 1)
