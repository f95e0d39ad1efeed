"""Is this a resource as FHIR R4 has it? Structure, primitives, cardinality, required codes.

Not checked: profiles, terminology, invariants beyond those named here. Rules:
https://hl7.org/fhir/R4/json.html, https://hl7.org/fhir/R4/datatypes.html
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from clinic.fhir.errors import Invalid
from clinic.fhir.r4_elements import ELEMENTS
from clinic.fhir.resource_types import R4_TYPES


class Rule(NamedTuple):
    type: str
    many: bool
    required: bool
    choice: str | None
    codes: frozenset[str] | None
    primitive: bool


class Shape(NamedTuple):
    rules: dict[str, Rule]
    required: tuple[str, ...]
    required_choices: tuple[str, ...]


# "name" is an id with underscores or longer than 64: such ids are in use, and harm nobody.
_BASES = {
    "": "",
    "Element": "id:string extension:Extension*",
    "Backbone": "id:string extension:Extension* modifierExtension:Extension*",
    "Resource": "id:name meta:Meta implicitRules:uri language:code",
    "Domain": "id:name meta:Meta implicitRules:uri language:code text:Narrative "
    "contained:Resource* extension:Extension* modifierExtension:Extension*",
}
_ELEMENT = re.compile(r"^(\w+):(\w+)(\*?)(!?)(?:@(\w+)(!?))?(?:=(\S+))?$")


@cache
def shape(type_name: str) -> Shape:
    """What a type of ELEMENTS may and must hold."""
    base, _, own = ELEMENTS.get(type_name, "<Element> ").partition("> ")
    rules: dict[str, Rule] = {}
    required, choices = [], set()
    for word in f"{_BASES[base.lstrip('<').rstrip('>')]} {own}".split():
        ((name, kind, many, needed, choice, choice_needed, codes),) = _ELEMENT.findall(word)
        rules[name] = Rule(
            kind,
            bool(many),
            bool(needed),
            choice or None,
            frozenset(codes.split("|")) if codes else None,
            kind in PRIMITIVES,
        )
        if needed:
            required.append(name)
        if choice_needed:
            choices.add(choice)
    return Shape(rules, tuple(required), tuple(sorted(choices)))


def check_resource(resource: object, *, contained: bool = False) -> None:
    """Raise Invalid, its path beginning with the resource type, for what R4 does not allow."""
    if not isinstance(resource, dict):
        raise Invalid("wrong_type", "Resource")
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in R4_TYPES:
        raise Invalid("unknown_type", "Resource")
    try:
        if resource.get("implicitRules") or resource.get("modifierExtension"):
            raise Invalid("unknown_modifier")
        if contained and ("contained" in resource or "id" not in resource):
            raise Invalid("missing_element" if "id" not in resource else "unknown_element")
        if kind in ELEMENTS:
            _check_object(resource, kind, contained)
        else:
            _check_loosely(resource)
    except Invalid as problem:
        problem.path.insert(0, kind)
        raise


def _check_loosely(resource: dict[str, Any]) -> None:
    """A type of which nothing is read: its id and meta, and that nothing is null or empty."""
    for name in ("id", "meta", "language", "text", "contained"):
        if name in resource:
            _check_element(name, resource[name], shape("Patient").rules[name])
    _check_filled(resource, _named(resource))


def _named(resource: dict[str, Any]) -> str:
    return str(resource.get("resourceType"))


def _check_filled(node: object, name: str) -> None:
    if isinstance(node, dict):
        if not node:
            raise Invalid("empty_element")
        for key, value in node.items():
            _check_filled(value, key)
    elif isinstance(node, list):
        if not node:
            raise Invalid("empty_element")
        for value in node:
            if not (value is None and name.startswith("_")) and value is not None:
                _check_filled(value, name)
    elif node is None or node == "":
        raise Invalid("empty_element")


def _check_object(value: object, type_name: str, contained: bool = False) -> None:
    if not isinstance(value, dict):
        raise Invalid("wrong_type")
    rules, required, required_choices = shape(type_name)
    chosen: dict[str, str] = {}
    count = 0
    for name, child in value.items():
        rule = rules.get(name)
        if rule is None:
            if name == "resourceType":
                continue
            bare = name[1:]
            if name[:1] != "_" or bare not in rules or not rules[bare].primitive:
                # The name is the sender's text, so the path ends at the parent.
                raise Invalid("unknown_element")
            _check_sibling(bare, child, rules[bare])
            rule, name = rules[bare], bare
        else:
            _check_element(name, child, rule)
            if name == "modifierExtension":
                raise Invalid("unknown_modifier")
        count += 1
        if rule.choice is not None and chosen.setdefault(rule.choice, name) != name:
            raise Invalid("choice_repeated", f"{rule.choice}[x]")
    if not count:
        raise Invalid("empty_element")
    for name in required:
        if name not in value and f"_{name}" not in value:
            if contained and name in ("subject", "patient"):
                continue  # it is about whom its container is about
            raise Invalid("missing_element", name)
    for choice in required_choices:
        if choice not in chosen:
            raise Invalid("choice_missing", f"{choice}[x]")
    special = _SPECIAL.get(type_name)
    if special is not None:
        special(value)


def _check_element(name: str, value: object, rule: Rule) -> None:
    if not rule.many:
        _check_one(name, value, rule)
        return
    if not isinstance(value, list):
        raise Invalid("empty_element" if value is None else "wrong_type", name)
    if not value:
        raise Invalid("empty_element", name)
    for position, item in enumerate(value):
        if item is None and rule.primitive:
            continue  # stands for an item that has only extensions
        _check_one(f"{name}[{position}]", item, rule)


def _check_one(name: str, value: object, rule: Rule) -> None:
    if value is None:
        raise Invalid("empty_element", name)
    if rule.primitive:
        code = PRIMITIVES[rule.type](value)
        if code is None and rule.codes is not None and value not in rule.codes:
            code = "unknown_code"
        if code is not None:
            raise Invalid(code, name)
        return
    try:
        if rule.type == "Resource":
            check_resource(value, contained=True)
        elif rule.type == "any":
            _check_filled(value, "")
        else:
            _check_object(value, rule.type)
    except Invalid as problem:
        problem.path.insert(0, name)
        raise


def _check_sibling(name: str, value: object, rule: Rule) -> None:
    """`_name` holds the id and extensions of the primitive `name` (R4, json.html#primitive)."""
    items = value if rule.many else [value]
    if not isinstance(items, list):
        raise Invalid("wrong_type", name)
    for item in items:
        if item is None and rule.many:
            continue
        try:
            _check_object(item, "Element")
        except Invalid as problem:
            problem.path.insert(0, name)
            raise


def _check_extension(value: dict[str, Any]) -> None:
    has_value = any(name.lstrip("_").startswith("value") for name in value)
    if has_value == ("extension" in value):
        raise Invalid("missing_element" if not has_value else "choice_repeated", "value[x]")


def _check_period(value: dict[str, Any]) -> None:
    start, end = value.get("start"), value.get("end")
    if isinstance(start, str) and isinstance(end, str):
        if "T" in start and "T" in end:
            reversed_ = moment(start) > moment(end)
        else:
            shared = min(len(start.partition("T")[0]), len(end.partition("T")[0]))
            reversed_ = start[:shared] > end[:shared]
        if reversed_:
            raise Invalid("dates_reversed")


def _check_attachment(value: dict[str, Any]) -> None:
    data, size = value.get("data"), value.get("size")
    if isinstance(data, str) and isinstance(size, int):
        actual = len(base64.b64decode("".join(data.split())))
        if actual != size:
            raise Invalid("size_mismatch", "size")


_SPECIAL: dict[str, Callable[[dict[str, Any]], None]] = {
    "Extension": _check_extension,
    "Period": _check_period,
    "Attachment": _check_attachment,
}


# Primitives: None where the value is right, else the code of what is wrong.

_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,12})?"
_INSTANT = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T"
    + _CLOCK
    + r"(Z|[+-]((0\d|1[0-3]):[0-5]\d|14:00))"
)


def _pattern(expression: str) -> Callable[[object], str | None]:
    matches = re.compile(expression).fullmatch

    def check(value: object) -> str | None:
        if not isinstance(value, str):
            return "wrong_type"
        return None if matches(value) else "invalid_value"

    return check


def _string(value: object) -> str | None:
    if not isinstance(value, str):
        return "wrong_type"
    if not value.strip():
        return "invalid_value" if value else "empty_element"
    return None


def _boolean(value: object) -> str | None:
    return None if isinstance(value, bool) else "wrong_type"


def _integer(low: int, high: int) -> Callable[[object], str | None]:
    def check(value: object) -> str | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return "wrong_type"
        return None if low <= value <= high else "invalid_value"

    return check


def _decimal(value: object) -> str | None:
    return None if type(value) is int or isinstance(value, Decimal) else "wrong_type"


def _date(value: object) -> str | None:
    if not isinstance(value, str):
        return "wrong_type"
    if not _DATE.fullmatch(value) or not _exists(value):
        return "invalid_value"
    return None


def _date_time(value: object) -> str | None:
    if isinstance(value, str) and "T" in value:
        return _instant(value)
    return _date(value)


def _instant(value: object) -> str | None:
    if not isinstance(value, str):
        return "wrong_type"
    if not _INSTANT.fullmatch(value) or not _exists(value[:10]):
        return "invalid_value"
    try:
        moment(value)
    except (ValueError, OverflowError):
        return "invalid_value"
    return None


def _exists(day: str) -> bool:
    try:
        date.fromisoformat(day + "-01-01"[len(day) - 4 :] if len(day) < 10 else day)
    except ValueError:
        return False
    return True


def _base64(value: object) -> str | None:
    if not isinstance(value, str):
        return "wrong_type"
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return "invalid_value"
    return None if value.strip() else "empty_element"


def moment(value: str) -> datetime:
    """A dateTime that has a time -> datetime with its offset. A leap second counts as :59."""
    clock = value[17:19]
    text = value[:17] + ("59" if clock == "60" else clock) + value[19:]
    return datetime.fromisoformat(_FRACTION.sub(r"\1", text).replace("Z", "+00:00"))


_FRACTION = re.compile(r"(\.\d{6})\d+")
_INT32 = 2**31 - 1
_uri = _pattern(r"\S+")
PRIMITIVES: dict[str, Callable[[object], str | None]] = {
    "base64Binary": _base64,
    "boolean": _boolean,
    "canonical": _uri,
    "code": _pattern(r"\S+( \S+)*"),
    "date": _date,
    "dateTime": _date_time,
    "decimal": _decimal,
    "id": _pattern(r"[A-Za-z0-9\-.]{1,64}"),
    "name": _pattern(r"[A-Za-z0-9\-._]{1,255}"),
    "instant": _instant,
    "integer": _integer(-_INT32 - 1, _INT32),
    "markdown": _string,
    "oid": _pattern(r"urn:oid:[0-2](\.(0|[1-9]\d*))+"),
    "positiveInt": _integer(1, _INT32),
    "string": _string,
    "time": _pattern(_CLOCK),
    "unsignedInt": _integer(0, _INT32),
    "uri": _uri,
    "url": _uri,
    "uuid": _pattern(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "xhtml": lambda value: None if isinstance(value, str) else "wrong_type",
}
