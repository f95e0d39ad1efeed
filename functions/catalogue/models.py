"""Queries of the catalogue, and its content as it is written in content/*.json."""

import json
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from kernel.query import Paging, Text, optional
from kernel.texts import Language

_CONTENT = Path(__file__).parent / "content"


class ServicesQuery(Paging):
    category = optional(Text(1, 64))
    q = optional(Text(most=100))


class ClinicsQuery(Paging):
    region = optional(Text(pattern=r"^[A-Za-z]{2}-[A-Za-z0-9]{1,3}$"))
    q = optional(Text(most=100))


class HelpQuery(Paging):
    q = optional(Text(most=100))


@cache
def content(language: Language) -> dict[str, list[dict[str, Any]]]:
    """Services and help in one language."""
    found: dict[str, list[dict[str, Any]]] = json.loads(
        (_CONTENT / f"{language}.json").read_text("utf-8")
    )
    return found


def folded(text: str) -> str:
    """Text as people search it: case, ё and the width of letters make no difference."""
    return unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")


def matches(q: str | None, *fields: str) -> bool:
    """Whether every word of `q` stands in one of `fields`."""
    text = folded(" ".join(fields))
    return all(word in text for word in folded(q or "").split())
