"""Print an extract as a PDF/A-3a and PDF/UA-1 file. No network, no files written, no AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from functools import cache
from pathlib import Path
from typing import Any

import fontpkg_pt_sans
import fontpkg_pt_serif
import typst

from extracts.document import Attachment, ExtractDocument, ExtractNotRendered
from extracts.view import view
from extracts.words import TEMPLATES

STANDARDS: list[Any] = ["a-3a", "ua-1"]

# typst forgets what ten later compilations did not use, so eleven empty ones empty its cache. They
# take as long as a page, so they are due only when the inputs since the last time come to this many
# characters: 40 MB of cache.
_WORTH_FORGETTING = 600_000
_GENERATIONS = 11


def render(document: ExtractDocument, *, attachments: Sequence[Attachment] = ()) -> bytes:
    """Return the PDF; the same document gives the same bytes.

    Raises ExtractNotRendered when the engine refuses, UnicodeDecodeError for an attachment that is
    not UTF-8. Facts reach the templates as JSON in `sys.inputs`, never as typst source.
    """
    facts = json.dumps(view(document, attachments), ensure_ascii=False)
    inputs = {"data": facts}
    inputs |= {f"attachment-{n}": file.data.decode() for n, file in enumerate(attachments)}
    try:
        # A compiler of its own for each document: it would keep the facts of the last one.
        with _cache.document(sum(map(len, inputs.values()))):
            compiler = typst.Compiler(
                input=TEMPLATES / "extract.typ",
                root=TEMPLATES,
                font_paths=_fonts(),
                sys_inputs=inputs,
            )
            pdf = compiler.compile(
                format="pdf",
                pdf_standards=STANDARDS,
                timestamp=int(document.issued_at.astimezone(UTC).timestamp()),
            )
    except BaseException as fault:
        # A panic of the engine is no Exception. Its words may quote the card: keep them from logs.
        if not isinstance(fault, typst.TypstError) and type(fault).__name__ != "PanicException":
            raise
        diagnostic = getattr(fault, "diagnostic", str(fault))
        raise ExtractNotRendered(document.kind, diagnostic) from None
    if not isinstance(pdf, bytes):
        raise ExtractNotRendered(document.kind, "no single file")
    # Whoever signs incrementally writes after the last line, which PDF/A wants ended.
    return pdf if pdf.endswith(b"\n") else pdf + b"\n"


def page_count(pdf: bytes) -> int:
    """The number of pages of a file made by `render` (ISO 32000-1, 7.7.3.2)."""
    trees = re.findall(rb"/Type\s*/Pages\b.*?/Count\s+(\d+)", pdf, re.DOTALL)
    return max(map(int, trees))


class _Cache:
    """What the engine keeps of earlier documents, by the size of their inputs in characters."""

    def __init__(self) -> None:
        self._kept = 0

    @contextmanager
    def document(self, size: int) -> Iterator[None]:
        """Room for a document: a large one finds none of the others, and leaves nothing."""
        if self._kept + size > _WORTH_FORGETTING:
            self._empty()
        try:
            yield
        finally:
            self._kept += size
            if self._kept > _WORTH_FORGETTING:
                self._empty()

    def _empty(self) -> None:
        if self._kept:
            for _ in range(_GENERATIONS):
                _nothing().compile(format="svg")
            self._kept = 0


_cache = _Cache()


@cache
def _nothing() -> typst.Compiler:
    # Kept: to make a compiler takes thirty times what it takes to compile nothing.
    return typst.Compiler(input=TEMPLATES / "empty.typ", root=TEMPLATES, font_paths=_fonts())


@cache
def _fonts() -> typst.Fonts:
    folders = [Path(package.ROOT) / "files" for package in (fontpkg_pt_sans, fontpkg_pt_serif)]
    return typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=True, font_paths=list(folders)
    )
