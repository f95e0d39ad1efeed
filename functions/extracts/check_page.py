"""What a person sees who opens the address on a paper: the check, in words, without scripts.

The portal has a page of its own for it; this one stands where a deployment has no portal.
"""

from collections.abc import Mapping
from html import escape
from string import Template
from typing import Any

from extracts.words import TEMPLATES, words
from kernel.texts import Language

MEDIA = "text/html"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
}


def page(found: Mapping[str, Any] | None, language: Language) -> bytes:
    """The page for what the check found; None: nothing is known of this code."""
    said = words(language)
    facts = ""
    if found is not None:
        rows = {
            "document": f"{said.title(found['kind'])}. {said.subtitle(found['kind'])}",
            "clinic": found["clinic"]["name"],
            "issued": said.date(found["issued_at"]),
            "fingerprint": found["sha256"],
        }
        listed = "".join(
            f"<dt>{escape(said.check(name))}</dt><dd>{escape(value)}</dd>"
            for name, value in rows.items()
        )
        facts = f"<dl>{listed}</dl>"
    status = found["status"] if found else "unknown"
    page = Template((TEMPLATES / "check.html").read_text(encoding="utf-8")).substitute(
        language=language,
        title=escape(said.check("title")),
        status=status,
        said=escape(said.check(status)),
        facts=facts,
        note=escape(said.check("note" if found else "note_unknown")),
    )
    return page.encode()
