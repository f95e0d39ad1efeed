"""XML that means no harm: no DTD, no entities, nothing fetched, bounded in depth and size."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

V3 = "urn:hl7-org:v3"
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_MAX_DEPTH = 100
_MAX_NODES = 300_000
# R4 strings, which the texts become, hold no other control characters.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*\bencoding\s*=\s*["']([^"']*)["']""")


class NotXml(Exception):
    """The body is no XML that the intake takes. `code`: not_utf8, not_xml, forbidden_xml, too_deep.

    The parser's own words are dropped: they repeat the body.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Bounded(TreeBuilder):
    """Builds a tree that is neither deep nor endless, as deep trees break those who walk them."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._nodes = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        self._nodes += 1
        if self._depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            raise NotXml("too_deep")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def parse(body: bytes) -> Element:
    """The root element. Raises NotXml."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise NotXml("not_utf8") from None
    declared = _ENCODING.match(body.removeprefix(b"\xef\xbb\xbf"))
    if declared and declared.group(1).lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise NotXml("not_utf8")
    parser = DefusedXMLParser(
        target=_Bounded(), forbid_dtd=True, forbid_entities=True, forbid_external=True
    )
    try:
        parser.feed(body)
        root: Element = parser.close()
    except DefusedXmlException:
        raise NotXml("forbidden_xml") from None
    except (ParseError, ValueError, LookupError):
        raise NotXml("not_xml") from None
    return root


def child(node: Element | None, *names: str) -> Element | None:
    """The first element down this path of names, all of the CDA namespace."""
    for name in names:
        if node is None:
            return None
        node = node.find(f"{{{V3}}}{name}")
    return node


def children(node: Element | None, name: str) -> list[Element]:
    return [] if node is None else node.findall(f"{{{V3}}}{name}")


def every(node: Element, name: str) -> Iterator[Element]:
    """The elements of this name anywhere below."""
    return node.iter(f"{{{V3}}}{name}")


def attribute(node: Element | None, name: str) -> str | None:
    """An attribute's text, or None where it is not there, blank, or the node has a nullFlavor."""
    if node is None or "nullFlavor" in node.attrib:
        return None
    return _clean(node.get(name))


def text(node: Element | None) -> str | None:
    """The words of an element and all below: cells by blanks, rows and paragraphs by lines."""
    if node is None:
        return None
    parts: list[str] = []
    _collect(node, parts)
    lines = (" ".join(line.split()) for line in "".join(parts).split("\n"))
    return _clean("\n".join(line for line in lines if line))


def _collect(node: Element, parts: list[str]) -> None:
    parts.append((node.text or "").replace("\n", " "))
    for below in node:
        name = str(below.tag).rpartition("}")[2]
        if name in ("tr", "paragraph", "br", "item", "list", "table", "caption"):
            parts.append("\n")
        elif name in ("td", "th", "content"):
            parts.append(" ")
        _collect(below, parts)
        if name in ("tr", "paragraph", "item", "list", "table", "caption"):
            parts.append("\n")
        parts.append((below.tail or "").replace("\n", " "))


def _clean(value: str | None) -> str | None:
    if value is None:
        return None
    return _FORBIDDEN.sub(" ", value).strip() or None
