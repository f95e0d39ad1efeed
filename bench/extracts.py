"""How fast and how large an extract is, beside what the engine's peers make of the same content.

    uv run --group bench python -m bench.extracts

Each figure is a process of its own: `cold` counts its start, imports and first paper, `warm` is the
median of the next five (at 2,000 rows: the next one), each with values of its own, so that no
engine finds a table that it has made already; memory is the process's peak. Peers print the same
table of the same rows: neither signs, nor attaches, nor meets both standards.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROWS = {"1 page": 10, "200 rows": 200, "2,000 rows": 2000}
ENGINES = ("typst", "typst, signed", "weasyprint", "reportlab")
ROOT = Path(__file__).parent.parent
HEAD = ("Дата", "Показатель", "Результат", "Ед.", "Норма", "Оценка")


def main() -> None:
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
        return
    for engine in ENGINES:
        _run(engine, 1)  # leaves the .pyc files that a package is shipped with
    print("| paper | engine | CPU cold, ms | CPU warm, ms | peak memory, MB | size, KB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for paper, rows in ROWS.items():
        for engine in ENGINES:
            done = _run(engine, rows)
            if done.returncode:
                print(f"| {paper} | {engine} | – | – | – | {done.stderr.splitlines()[-1]} |")
                continue
            found = json.loads(done.stdout)
            print(
                f"| {paper} | {engine} | {found['cold']:.0f} | {found['warm']:.0f}"
                f" | {found['memory']:.0f} | {found['size']:.0f} |",
                flush=True,
            )


def _run(engine: str, rows: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.extracts", engine, str(rows)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "functions"), str(ROOT)]),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def measure(engine: str, rows: int) -> dict[str, float]:
    """CPU in milliseconds, memory in MB, size in KB, of one engine in this process."""
    facts = observations(rows, 0)
    make = MAKERS[engine]()
    size = len(make(facts))
    cold = time.process_time()
    warm = []
    for paper in range(5 if rows < 1000 else 1):
        facts = observations(rows, paper + 1)
        before = time.process_time()
        make(facts)
        warm.append(time.process_time() - before)
    return {
        "cold": cold * 1000,
        "warm": statistics.median(warm) * 1000,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "size": size / 1024,
    }


def observations(rows: int, paper: int) -> list[dict[str, Any]]:
    """Results in the records' form; the values are each paper's own."""
    return [
        {
            "code": f"c{n}",
            "system": "http://loinc.org",
            "name": f"Показатель крови № {n}",
            "value": (n + paper * rows) / 7,
            "unit": "ммоль/л",
            "reference_range": {"low": n / 9, "high": n / 6, "text": None},
            "interpretation": "normal" if n % 5 else "high",
            "interpretation_derived": False,
        }
        for n in range(rows)
    ]


def _typst() -> Callable[[list[dict[str, Any]]], bytes]:
    from extracts import fhir
    from extracts.document import Clinic, ExtractDocument, Patient, Period, Verification
    from extracts.render import render

    def make(facts: list[dict[str, Any]]) -> bytes:
        records = [
            {
                "record_id": f"r{start}",
                "kind": "laboratory",
                "date": "2026-10-20",
                "title": "Анализ крови",
                "status": "final",
                "observations": facts[start : start + 20],
            }
            for start in range(0, len(facts), 20)
        ]
        paper = ExtractDocument(
            kind="results",
            language="ru",
            clinic=Clinic("Городская поликлиника № 5", "г. Тверь", "+7 (4822) 55-01-05"),
            patient=Patient("Соколова", "Марина", "Викторовна", date(1968, 4, 17), "female"),
            issued_at=datetime(2026, 11, 3, 11, 5, tzinfo=UTC),
            verification=Verification("K7QXM2PDR9TAW4HZ", "https://example.ru/verify/K7QXM2PDR9"),
            period=Period(date(2025, 11, 4), date(2026, 11, 3)),
            records=records,
        )
        return render(paper, attachments=[fhir.attachment(paper)])

    return make


def _signed() -> Callable[[list[dict[str, Any]]], bytes]:
    """With the signature, as the worker makes it; the key is here instead of in KMS."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from extracts import certificates, signing
    from kernel.identity import ClinicId
    from kernel.registry import Clinic

    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    now = datetime.now(UTC).replace(microsecond=0)

    def sign(data: bytes) -> bytes:
        return key.sign(data, ec.ECDSA(hashes.SHA256()))

    class Local(signing.Signing):
        def _chain(self, clinic: Clinic, now: datetime) -> list[bytes]:
            return [own]

    own = certificates.self_signed("Поликлиника", public, sign, now)
    setattr(signing, "sign_raw", lambda key_id, data: sign(data))  # noqa: B010
    clinic = Clinic(ClinicId("c"), "Поликлиника", "69", "", "", True)
    signer, render = Local(table="", key_id=""), _typst()
    return lambda facts: signer.sign(render(facts), clinic, now)


def _cells(facts: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (
            "20.10.2026",
            each["name"],
            f"{each['value']:.4f}",
            each["unit"],
            f"{each['reference_range']['low']:.4f}–{each['reference_range']['high']:.4f}",
            "норма" if each["interpretation"] == "normal" else "выше нормы",
        )
        for each in facts
    ]


def _weasyprint() -> Callable[[list[dict[str, Any]]], bytes]:
    import weasyprint

    def make(facts: list[dict[str, Any]]) -> bytes:
        rows = "".join(
            "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in _cells(facts)
        )
        head = "".join(f"<th>{cell}</th>" for cell in HEAD)
        html = (
            "<html lang=ru><title>Анализы</title><style>tr{break-inside:avoid}</style>"
            f"<h1>Результаты</h1><table><thead><tr>{head}</tr></thead>{rows}</table>"
        )
        pdf: bytes = weasyprint.HTML(string=html).write_pdf(pdf_variant="pdf/a-3u")
        return pdf

    return make


def _reportlab() -> Callable[[list[dict[str, Any]]], bytes]:
    import io

    import fontpkg_pt_sans
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.platypus import SimpleDocTemplate, Table, TableStyle

    fonts = sorted((Path(fontpkg_pt_sans.ROOT) / "files").rglob("*Regular*.ttf"))
    pdfmetrics.registerFont(TTFont("PT", str(fonts[0])))

    def make(facts: list[dict[str, Any]]) -> bytes:
        out = io.BytesIO()
        table = Table([HEAD, *_cells(facts)], repeatRows=1)
        table.setStyle(TableStyle([("FONT", (0, 0), (-1, -1), "PT", 9)]))
        SimpleDocTemplate(out, pagesize=A4, title="Анализы").build([table])
        return out.getvalue()

    return make


MAKERS = {
    "typst": _typst,
    "typst, signed": _signed,
    "weasyprint": _weasyprint,
    "reportlab": _reportlab,
}

if __name__ == "__main__":
    main()
