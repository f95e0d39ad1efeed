"""A СЭМД's header: which document it is, what it replaces, about whom, by whom, when.

Source: HL7 CDA R2 (POCD_HD000040) and the guides of portal.egisz.rosminzdrav.ru, whose OIDs start
with 1.2.643.5.1.13.13. Only what is read here is asked for: guides differ from edition to edition.
"""

import re
from datetime import datetime
from typing import NamedTuple
from xml.etree.ElementTree import Element

from clinic.cda.xml import V3, NotXml, attribute, child, children, parse, text

SNILS = "1.2.643.100.3"
DOCUMENT_KINDS = "1.2.643.5.1.13.13.11.1522"
_IDENTITY = "{urn:hl7-ru:identity}"
_TIME = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(\d\d)?(\d\d)?(?:\.\d+)?)?)?)?([+-]\d{4}|Z)?"
)


class NotCda(Exception):
    """No CDA R2 document that the intake takes. `code`: not_cda, or a code of NotXml."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Id(NamedTuple):
    """An instance identifier: an OID, and a number in it."""

    root: str
    extension: str

    @property
    def key(self) -> str:
        return f"{self.root}|{self.extension}"


class Document(NamedTuple):
    """`parents`: the documents that this one takes the place of (relatedDocument RPLC)."""

    root: Element
    document_id: Id
    set_id: Id | None
    version: int
    parents: tuple[Id, ...]
    kind: str | None
    title: str
    body: bytes

    @property
    def is_laboratory(self) -> bool:
        code = child(self.root, "code")
        if attribute(code, "codeSystem") == DOCUMENT_KINDS and self.kind == "7":
            return True
        name = f"{attribute(code, 'displayName') or ''} {self.title}".lower()
        return "лаборатор" in name


def read(body: bytes) -> Document:
    """Read the header. Raises NotCda."""
    try:
        root = parse(body)
    except NotXml as error:
        raise NotCda(error.code) from None
    if root.tag != f"{{{V3}}}ClinicalDocument":
        raise NotCda("not_cda")
    document_id = identifier(child(root, "id"))
    if document_id is None or child(root, "recordTarget", "patientRole") is None:
        raise NotCda("not_cda")
    number = attribute(child(root, "versionNumber"), "value") or "1"
    if not re.fullmatch(r"[0-9]{1,9}", number):
        raise NotCda("not_cda")
    parents = [
        identifier(each)
        for related in children(root, "relatedDocument")
        if related.get("typeCode") == "RPLC"
        for each in children(child(related, "parentDocument"), "id")
    ]
    code = child(root, "code")
    title = text(child(root, "title")) or attribute(code, "displayName") or "Медицинский документ"
    return Document(
        root=root,
        document_id=document_id,
        set_id=identifier(child(root, "setId")),
        version=int(number),
        parents=tuple(each for each in parents if each is not None),
        kind=attribute(code, "code"),
        title=title,
        body=body,
    )


def identifier(node: Element | None) -> Id | None:
    """An `id` that says something. Without an extension the root alone names the thing."""
    root = attribute(node, "root")
    if root is None or not re.fullmatch(r"[0-9a-zA-Z.\-]{1,128}", root):
        return None
    return Id(root, (attribute(node, "extension") or "")[:200])


def identifiers(node: Element | None) -> list[Id]:
    found = (identifier(each) for each in children(node, "id"))
    return [each for each in found if each is not None]


def time(node: Element | None, name: str = "value") -> str | None:
    """A TS as a FHIR dateTime. Without an offset the day alone is certain."""
    value = attribute(node, name)
    found = _TIME.fullmatch(value) if value else None
    if found is None:
        return None
    year, month, day, hour, minute, second, offset = found.groups()
    date = "-".join(part for part in (year, month, day) if part)
    try:
        datetime(int(year), int(month or 1), int(day or 1))  # noqa: DTZ001  (does the day exist?)
        if hour is None or offset is None:
            return date
        zone = "Z" if offset == "Z" else f"{offset[:3]}:{offset[3:]}"
        moment = f"{date}T{hour}:{minute or '00'}:{second or '00'}{zone}"
        datetime.fromisoformat(moment.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment


def interval(node: Element | None) -> tuple[str | None, str | None]:
    """Start and end of an IVL_TS, or of a point in time."""
    start = time(child(node, "low")) or time(node)
    end = time(child(node, "high"))
    if start and end and len(start) == len(end) and "T" in start:
        backwards = datetime.fromisoformat(_iso(end)) < datetime.fromisoformat(_iso(start))
        return (start, None) if backwards else (start, end)
    return start, end if end and (start is None or end[:10] >= start[:10]) else None


def _iso(moment: str) -> str:
    return moment.replace("Z", "+00:00")


def name(node: Element | None) -> tuple[str | None, list[str]]:
    """(family, given and patronymic) of the first name that says something."""
    for each in children(node, "name"):
        family = text(child(each, "family"))
        given = [text(g) for g in children(each, "given")]
        patronymic = each.find(f"{_IDENTITY}Patronymic")
        given.append(text(patronymic))
        said = [part for part in given if part]
        if family or said:
            return family, said
        if whole := text(each):
            return whole, []
    return None, []


def service_events(root: Element) -> list[Element]:
    return [
        event
        for each in children(root, "documentationOf")
        if (event := child(each, "serviceEvent")) is not None
    ]


def when(document: Document) -> tuple[str | None, str | None]:
    """When the documented event was; else the case; else when the document was written."""
    for event in service_events(document.root):
        start, end = interval(child(event, "effectiveTime"))
        if start:
            return start, end
    case = child(document.root, "componentOf", "encompassingEncounter", "effectiveTime")
    start, end = interval(case)
    return (start, end) if start else (time(child(document.root, "effectiveTime")), None)


def performers(document: Document) -> list[Element]:
    """Who did it, the main one first; else who wrote the document."""
    found = [
        entity
        for event in service_events(document.root)
        for each in sorted(children(event, "performer"), key=lambda p: p.get("typeCode") != "PPRF")
        if (entity := child(each, "assignedEntity")) is not None
    ]
    authors = [child(each, "assignedAuthor") for each in children(document.root, "author")]
    return [*found, *(each for each in authors if each is not None)]


def narrative_ids(root: Element) -> dict[str, Element]:
    """What `<reference value="#…"/>` may point to."""
    found: dict[str, Element] = {}
    for node in root.iter():
        if (mark := node.get("ID")) is not None:
            found.setdefault(mark, node)
    return found
