"""What the tests of the intake share: parsing and deriving as the service does, and the data."""

import json
from pathlib import Path
from typing import Any

import pytest

from clinic.fhir.bundle import Entry, Parsed, parse
from clinic.fhir.mapping import Derived, Draft, derive

DATA = Path(__file__).parents[3].parent / "shared" / "data"


def data(path: str) -> Path:
    found = DATA / path
    if not found.exists():
        pytest.skip(f"the sample data are not here: ../shared/data/{path}")
    return found


def record_id(root: str) -> str:
    return f"record of {root}"


class Card:
    """Sources of one card under their keys, as the service keeps them."""

    def __init__(self) -> None:
        self.sources: dict[str, Entry] = {}
        self.names: dict[str, str] = {}

    def take(self, body: bytes | dict[str, Any]) -> Parsed:
        parsed = parse(body if isinstance(body, bytes) else json.dumps(body).encode())
        for entry in parsed.entries:
            known = next((self.names[a] for a in entry.aliases if a in self.names), None)
            key = known or f"{len(self.sources):05} {entry.resource_type}"
            self.sources[key] = entry
            self.names.update(dict.fromkeys(entry.aliases, key))
        return parsed

    def derive(self) -> Derived:
        return derive(self.sources, resolve=self.names.get, record_id=record_id)


def bundle(*resources: dict[str, Any], kind: str = "collection") -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [{"resource": resource} for resource in resources],
    }


def drafts(*resources: dict[str, Any]) -> list[Draft]:
    card = Card()
    parsed = card.take(bundle(*resources))
    assert not parsed.rejections
    return list(card.derive().drafts)


def body(section: str, *resources: dict[str, Any]) -> dict[str, Any]:
    """The body of the only draft of a section."""
    (found,) = [draft.body for draft in drafts(*resources) if draft.section == section]
    return found
