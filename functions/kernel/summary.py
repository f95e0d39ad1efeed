"""The summary of a card: its entries put together, for the screen and for the paper."""

from collections.abc import Mapping, Sequence
from typing import Any

from kernel import texts
from kernel.texts import Language


def summary_of(entries: Sequence[Mapping[str, Any]], language: Language) -> dict[str, Any]:
    """The summary of its entries, newest first."""
    abo = next((e["abo"] for e in entries if e.get("abo")), None)
    rhesus = next((e["rhesus"] for e in entries if e.get("rhesus")), None)
    allergies = [_without_entry(e) for e in entries if e["entry"] == "allergy"]
    return {
        "blood_group": {
            "abo": abo,
            "rhesus": rhesus,
            "label": texts.text(language, f"blood_group.{abo or ''}{rhesus or ''}"),
        }
        if abo or rhesus
        else None,
        "allergies": allergies,
        "no_known_allergies": not allergies
        and any(e["entry"] == "no_known_allergy" for e in entries),
        "chronic_conditions": _conditions([e for e in entries if e["entry"] == "condition"]),
    }


def _conditions(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each condition once: as it was stated last, since when it was stated first."""
    found: dict[tuple[object, object], dict[str, Any]] = {}
    for entry in entries:
        name = (entry["system"], entry["code"]) if entry["code"] else ("", entry["text"])
        shown = found.setdefault(name, _without_entry(entry))
        if entry["since"] and (shown["since"] is None or entry["since"] < shown["since"]):
            shown |= {key: entry[key] for key in ("since", "since_precision") if key in entry}
    return list(found.values())


def _without_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "entry"}
