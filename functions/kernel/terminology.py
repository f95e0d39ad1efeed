"""Names of codes by the tables of the ministry of health that were given at deploy time.

A table is `tables/<OID>_<version>.json`, made from the ministry's CSV by `local.terminology`; none
is in the repository, and without any of them codes keep the names that their senders gave. It is
read at the first code that asks for it.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

TABLES = Path(__file__).parent / "tables"
_OID = "urn:oid:"
ICD10 = "1.2.643.5.1.13.13.11.1005"
# What else the same codes are sent under. The Russian edition has no code of another meaning.
_ALSO = {
    "http://hl7.org/fhir/sid/icd-10": ICD10,
    "urn:oid:1.2.643.5.1.13.2.1.1.718": ICD10,
    "urn:oid:2.16.840.1.113883.6.3": ICD10,
}


def name(system: str | None, code: str | None) -> str | None:
    """The Russian name of a code, if a table knows it."""
    if not system or not code:
        return None
    oid = _ALSO.get(system) or (system.removeprefix(_OID) if system.startswith(_OID) else "")
    return _table(oid).get(code.strip().upper().rstrip("*+†")) if oid else None


def named(body: Mapping[str, Any]) -> dict[str, Any]:
    """A record's body with `name` beside the codes of its diagnoses, or of the condition it is.

    A text that only repeats the code gives way to the name.
    """
    if body.get("entry") == "condition":
        return _with_name(body)
    if "diagnoses" in body:
        return {**body, "diagnoses": [_with_name(each) for each in body["diagnoses"]]}
    return dict(body)


def _with_name(coded: Mapping[str, Any]) -> dict[str, Any]:
    found = name(coded.get("system"), coded.get("code"))
    text = found if found and coded["text"] == coded["code"] else coded["text"]
    return {**coded, "text": text, "name": found}


@cache
def _table(oid: str) -> Mapping[str, str]:
    """The newest version of a table, empty where there is none."""
    found = [path for path in TABLES.glob("*.json") if path.stem.partition("_")[0] == oid]
    if not found:
        return {}
    newest = max(found, key=lambda path: _version(path.stem.partition("_")[2]))
    names: dict[str, str] = json.loads(newest.read_bytes())["names"]
    return names


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
