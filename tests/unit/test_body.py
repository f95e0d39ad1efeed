"""The guard in front of bodies: what means two things, or nothing, is refused."""

import base64

import pytest

from kernel import body
from kernel.errors import BodyTooLarge, Malformed, UnsupportedMediaType


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,]",
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 1}}',
        "NaN",
        '{"a": Infinity}',
        "1" * 5000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 70 + "1" + "}" * 70,
        '"a" 1',
    ],
)
def test_what_is_not_json_with_one_meaning_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        body.parse_json(text.encode())


def test_what_is_not_utf8_is_malformed() -> None:
    with pytest.raises(Malformed):
        body.parse_json(b'{"a": "\xff"}')


def test_plain_json_passes() -> None:
    assert body.parse_json('{"имя": ["Ё", 1, 2.5, null, true]}'.encode()) == {
        "имя": ["Ё", 1, 2.5, None, True]
    }


def test_size_is_counted_in_bytes() -> None:
    assert body.raw({"body": "я" * 50}, 100) == ("я" * 50).encode()
    with pytest.raises(BodyTooLarge):
        body.raw({"body": "я" * 51}, 100)


def test_base64_is_opened_and_its_size_counted() -> None:
    event = {"body": base64.b64encode(b"x" * 90).decode(), "isBase64Encoded": True}
    assert body.raw(event, 100) == b"x" * 90
    with pytest.raises(BodyTooLarge):
        body.raw(event, 80)
    with pytest.raises(Malformed):
        body.raw({"body": "%%%", "isBase64Encoded": True}, 100)


def test_a_lone_surrogate_is_no_text() -> None:
    with pytest.raises(Malformed):
        body.raw({"body": "\ud800"}, 100)


@pytest.mark.parametrize(
    "given", [None, "", "text/plain", "multipart/form-data", "application/xml"]
)
def test_other_media_types_are_refused(given: str | None) -> None:
    with pytest.raises(UnsupportedMediaType):
        body.require_media(given, ("application/json",))


@pytest.mark.parametrize(
    "given",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        'application/json;Charset="UTF-8"',
        "application/json; charset=us-ascii",
        "application/json; fhirVersion=4.0; charset=utf8",
        "application/json;",
    ],
)
def test_the_media_type_of_the_route_passes(given: str) -> None:
    body.require_media(given, ("application/json",))


@pytest.mark.parametrize("charset", ["utf-16", "windows-1251", '"koi8-r"', "", "utf-8; charset=x"])
@pytest.mark.parametrize("media", ["application/json", "application/fhir+json"])
def test_json_in_another_charset_is_refused(media: str, charset: str) -> None:
    """RFC 8259 §8.1: UTF-8 alone. Text that says otherwise may not be what it is read as."""
    with pytest.raises(UnsupportedMediaType):
        body.require_media(f"{media}; charset={charset}", (media,))


def test_xml_says_its_charset_itself() -> None:
    body.require_media("application/xml; charset=windows-1251", ("application/xml",))
