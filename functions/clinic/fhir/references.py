"""Aliases: the strings by which one resource is known again, and what a Reference may point to.

Forms: `Type|system|value` (a business identifier), `urn:…` or an absolute URL (fullUrl),
`Type/id`, `hash:Type:sha256` (a resource that has no name at all).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from clinic.fhir.resource_types import R4_TYPES, words

SNILS_SYSTEMS = frozenset(
    {
        "urn:oid:1.2.643.100.3",
        "1.2.643.100.3",
        "http://fhir.ru/sid/snils",
        "https://fhir.ru/sid/snils",
        "http://fhir.ru/core/sid/snils",
        "http://www.pfrf.ru/snils",
        "http://pfrf.ru/snils",
        "http://sfr.gov.ru/snils",
        "https://sfr.gov.ru/snils",
        "http://hl7.ru/fhir/sid/snils",
        "http://snils.ru",
    }
)
_UUID = re.compile(r"(?:urn:uuid:)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)
_RELATIVE = re.compile(r"([A-Za-z]+)/([A-Za-z0-9\-._]{1,255})")
_HISTORY = re.compile(r"/_history/[A-Za-z0-9\-.]{1,64}$")
# Identifier types that name something else than the resource they stand in (HL7 v2-0203).
_FOREIGN = words("MR PI SS NI PPN DL PLAC FILL PGN PNT ACSN AN FN SNO")
# An Encounter's visit number names the Encounter; in any other resource it names the visit.
_VISIT = words("VN")
# What a Reference by identifier means when it does not say its type.
_EXPECTED: dict[str, tuple[str, ...]] = {
    "subject": ("Patient",),
    "patient": ("Patient",),
    "encounter": ("Encounter",),
    "context": ("Encounter",),
    "individual": ("Practitioner", "PractitionerRole"),
    "requester": ("Practitioner", "PractitionerRole"),
    "recorder": ("Practitioner", "PractitionerRole"),
    "asserter": ("Practitioner", "PractitionerRole"),
    "performer": ("Practitioner", "PractitionerRole", "Organization"),
    "actor": ("Practitioner", "PractitionerRole", "Organization"),
    "author": ("Practitioner", "PractitionerRole", "Organization"),
    "practitioner": ("Practitioner",),
    "resultsInterpreter": ("Practitioner", "PractitionerRole"),
    "informationSource": ("Practitioner", "PractitionerRole", "Patient"),
    "serviceProvider": ("Organization",),
    "organization": ("Organization",),
    "condition": ("Condition",),
    "result": ("Observation",),
    "hasMember": ("Observation",),
    "medicationReference": ("Medication",),
    "goal": ("Goal",),
    "basedOn": ("ServiceRequest",),
}


def is_absolute(url: str) -> bool:
    return url.startswith(("http://", "https://", "urn:"))


def normal(url: str) -> str:
    """One spelling: no version, UUIDs in lower case and with urn:uuid:."""
    found = _UUID.fullmatch(url)
    if found:
        return f"urn:uuid:{found.group(1).lower()}"
    return _HISTORY.sub("", url)


def base_of(aliases: tuple[str, ...], resource_type: str) -> str | None:
    """The server's base in an absolute fullUrl `base/Type/id`, by which relative links resolve."""
    for alias in aliases:
        if alias.startswith(("http://", "https://")) and "|" not in alias:
            head, slash, _ = alias.rpartition(f"/{resource_type}/")
            if slash:
                return head
    return None


def candidates(name: str, reference: dict[str, Any], base: str | None) -> tuple[str, ...]:
    """Aliases that a Reference in element `name` may mean, best first; () for a contained one."""
    url = reference.get("reference")
    if isinstance(url, str):
        if url.startswith("#"):
            return ()
        kind, question, query = url.partition("?")
        if question and kind in R4_TYPES:
            return tuple(conditional(kind, query))
        url = normal(url)
        if _RELATIVE.fullmatch(url) and url.partition("/")[0] in R4_TYPES:
            return (f"{base}/{url}", url) if base else (url,)
        return (url,) if is_absolute(url) else ()
    identifier = reference.get("identifier")
    if isinstance(identifier, dict):
        said = reference.get("type")
        kinds = (said,) if isinstance(said, str) and said in R4_TYPES else _EXPECTED.get(name, ())
        pair = _pair(identifier)
        if pair:
            return tuple(f"{k}|{pair[0]}|{pair[1]}" for k in kinds)
    return ()


def conditional(kind: str, query: str) -> Iterator[str]:
    """`identifier=system|value` of a conditional reference or request (R4, http.html#trules)."""
    for key, value in parse_qsl(query):
        system, bar, code = value.partition("|")
        if key == "identifier" and bar and system and code:
            yield f"{kind}|{_system(system)}|{_value(system, code)}"


def walk(node: object, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every Reference below a node with the element that holds it."""
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str) or (
            isinstance(node.get("identifier"), dict) and name in _EXPECTED
        ):
            yield name, node
        for key, value in node.items():
            if key not in ("text", "extension") and isinstance(value, (dict, list)):
                yield from walk(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value, name)


def identifiers(resource: dict[str, Any]) -> Iterator[str]:
    """`Type|system|value` for the identifiers that name this resource and nothing else."""
    kind = resource["resourceType"]
    own = resource.get("identifier")
    given = [*(own if isinstance(own, list) else [own]), resource.get("masterIdentifier")]
    for identifier in given:
        if not isinstance(identifier, dict) or identifier.get("use") in ("old", "temp"):
            continue
        codes = _type_codes(identifier)
        if kind != "Patient" and codes & _FOREIGN:
            continue
        if kind != "Encounter" and codes & _VISIT:
            continue
        pair = _pair(identifier)
        if pair:
            yield f"{kind}|{pair[0]}|{pair[1]}"


def snils(identifier: dict[str, Any]) -> str | None:
    """The eleven digits of an identifier that is a СНИЛС, by its system or its type."""
    value = identifier.get("value")
    if not isinstance(value, str):
        return None
    kind = identifier.get("type")
    text = kind.get("text") if isinstance(kind, dict) else None
    named = isinstance(text, str) and text.strip().upper() in ("СНИЛС", "SNILS")
    system = identifier.get("system")
    known = isinstance(system, str) and system in SNILS_SYSTEMS
    digits = "".join(c for c in value if c in "0123456789")
    # SS is any country's social number (Synthea: US), so it counts only without another system.
    social = "SS" in _type_codes(identifier) and not system
    return digits if (known or named or social) and len(digits) == 11 else None


def _type_codes(identifier: dict[str, Any]) -> frozenset[str]:
    kind = identifier.get("type")
    codings = kind.get("coding") if isinstance(kind, dict) else None
    if not isinstance(codings, list):
        return frozenset()
    return frozenset(str(c.get("code")) for c in codings if isinstance(c, dict))


def _pair(identifier: dict[str, Any]) -> tuple[str, str] | None:
    system, value = identifier.get("system"), identifier.get("value")
    if isinstance(system, str) and isinstance(value, str) and system.strip() and value.strip():
        return _system(system), _value(system, value)
    return None


def _system(system: str) -> str:
    return "urn:oid:1.2.643.100.3" if system in SNILS_SYSTEMS else system


def _value(system: str, value: str) -> str:
    if system in SNILS_SYSTEMS:
        return "".join(c for c in value if c in "0123456789")
    return value.strip()
