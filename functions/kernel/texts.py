"""Messages that a person reads, in Russian and English."""

import json
from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["ru", "en"]
LANGUAGES: tuple[Language, ...] = ("ru", "en")
_FOLDER = Path(__file__).parent / "texts"


@cache
def _catalogue(language: Language) -> dict[str, str]:
    texts: dict[str, str] = json.loads((_FOLDER / f"{language}.json").read_text("utf-8"))
    return texts


def text(language: Language, key: str, **values: object) -> str:
    """The text `key` with its `{placeholders}` filled.

    Raises:
        KeyError: there is no such text, or a value is missing.
    """
    return _catalogue(language)[key].format(**values)


def has(key: str) -> bool:
    """Whether there is such a text."""
    return key in _catalogue("ru")


def preferred(accept_language: str | None) -> Language:
    """The language to answer in, from `Accept-Language` (RFC 9110 §12.5.4); Russian by default."""
    best: tuple[float, Language] = (0.0, "ru")
    for part in (accept_language or "").split(","):
        tag, _, parameter = part.strip().partition(";")
        code = tag.strip().lower().split("-")[0]
        weight = parameter.strip().removeprefix("q=") or "1"
        try:
            quality = float(weight)
        except ValueError:
            continue
        for language in LANGUAGES:
            if code == language and quality > best[0]:
                best = (quality, language)
    return best[1]
