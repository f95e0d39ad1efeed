"""Extracts as a reader meets them: the text, pages, attachments and claims of the finished PDF."""

from __future__ import annotations

import io
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pypdf
import pytest

from extracts import series
from extracts.document import (
    Attachment,
    Clinic,
    ExtractDocument,
    ExtractNotRendered,
    Kind,
    Language,
    Omitted,
    Patient,
    Period,
    Summary,
    Verification,
)
from extracts.glyphs import REPLACEMENT, printable
from extracts.render import page_count, render
from extracts.words import NO_BREAK, words

ICD_10 = "urn:oid:1.2.643.5.1.13.13.11.1005"
CLINIC = {"clinic_id": "c-5", "name": "Городская поликлиника № 5"}
CARDIOLOGIST = {"name": "Гусейнов Рустам Ильясович", "specialty": "врач-кардиолог"}
PERIOD = Period(date(2025, 11, 4), date(2026, 11, 3))

VISIT: dict[str, Any] = {
    "record_id": "v-1",
    "clinic": CLINIC,
    "received_at": "2026-10-28T09:00:00Z",
    "version": 1,
    "date": "2026-10-28",
    "started_at": "2026-10-28T06:30:00Z",
    "ended_at": "2026-10-28T06:52:00Z",
    "doctor": CARDIOLOGIST,
    "title": "Повторный приём кардиолога",
    "complaints": "Головная боль по утрам; АД до 165/100 мм рт. ст.\nПринимает периндоприл.",
    "diagnoses": [{"code": "I11.9", "system": ICD_10, "text": "Гипертензивная болезнь сердца"}],
    "orders": [
        {"kind": "medication", "text": "Индапамид ретард 1,5 мг утром", "record_id": "p-1"},
        {"kind": "service", "text": "Эхокардиография", "record_id": None},
        {"kind": "recommendation", "text": "Дневник АД, явка через месяц", "record_id": None},
    ],
    "status": "finished",
}
PRESCRIPTION: dict[str, Any] = {
    "record_id": "p-1",
    "clinic": CLINIC,
    "received_at": "2026-10-28T09:00:00Z",
    "version": 1,
    "kind": "medication",
    "date": "2026-10-28",
    "status": "active",
    "text": "Периндоприл, таблетки 10 мг, № 30",
    "dosage": "По 1 таблетке утром",
    "doctor": CARDIOLOGIST,
    "valid_until": "2027-01-28",
    "visit_id": "v-1",
}
SUMMARY = Summary(
    blood_group={"abo": "A", "rhesus": "+", "label": "A(II) Rh+"},
    allergies=[
        {
            "text": "Бензилпенициллин",
            "code": None,
            "system": None,
            "criticality": "high",
            "reactions": ["крапивница", "отёк Квинке"],
            "status": "active",
            "recorded_on": "2011-06-08",
        }
    ],
    chronic_conditions=[
        {
            "text": "Чистая гиперхолестеринемия",
            "code": "E78.0",
            "system": ICD_10,
            "since": "2021-03",
            "status": "remission",
            "recorded_on": "2021-03-11",
        }
    ],
)
FHIR = Attachment(
    "records.fhir.json",
    "application/fhir+json",
    b'{"resourceType": "Bundle", "type": "collection"}',
    "The same facts as HL7 FHIR R4",
)


def observation(value: object, **given: Any) -> dict[str, Any]:
    return {
        "code": "718-7",
        "system": "http://loinc.org",
        "name": "Гемоглобин",
        "value": value,
        "unit": "g/L",
        "reference_range": {"low": 120, "high": 140.5, "text": None},
        "interpretation": None,
        "interpretation_derived": False,
        **given,
    }


def result(on: str, *observations: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {
        "record_id": f"r-{on}",
        "clinic": CLINIC,
        "received_at": "2026-10-28T09:00:00Z",
        "version": 1,
        "kind": "laboratory",
        "date": on,
        "title": "Общий анализ крови",
        "status": "final",
        "conclusion": None,
        "visit_id": None,
        "doctor": None,
        "observations": list(observations),
        **given,
    }


RESULT = result(
    "2026-10-20",
    observation(109.4, interpretation="low"),
    observation(11.2, name="Лейкоциты", code="6690-2", unit="10*9/L", interpretation="high"),
    observation(6.4, name="Калий", code="2823-3", interpretation="critical_high"),
    observation("не обнаружены", name="Антитела", code="x", interpretation_derived=True),
    conclusion="Анемия лёгкой степени.",
)
RECORDS: dict[str, list[dict[str, Any]]] = {
    "visit": [VISIT],
    "results": [RESULT],
    "prescriptions": [PRESCRIPTION],
    "summary": [],
}


def extract(kind: Kind, language: Language = "ru", **given: Any) -> ExtractDocument:
    document = ExtractDocument(
        kind=kind,
        language=language,
        clinic=Clinic(CLINIC["name"], "г. Тверь, ул. Советская, д. 1", "+7 (4822) 55-01-05"),
        patient=Patient(
            "Соколова", "Марина", "Викторовна", date(1968, 4, 17), "female", "***-***-445 95"
        ),
        issued_at=datetime(2026, 11, 3, 11, 5, tzinfo=UTC),
        verification=Verification("K7QXM2PDR9TAW4HZ", "https://example.ru/verify/K7QXM2PDR9TAW4HZ"),
        period=None if kind == "summary" else PERIOD,
        records=RECORDS[kind],
        summary=SUMMARY if kind == "summary" else None,
    )
    return document._replace(**given)


def text_of(pdf: bytes) -> str:
    """The whole text with single spaces."""
    pages = pypdf.PdfReader(io.BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


EXPECTED: dict[tuple[str, str], list[str]] = {
    ("visit", "ru"): [
        "Выписка из медицинской карты",
        "№ 027/у",
        "Соколова Марина Викторовна",
        "17.04.1968",
        "***-***-445 95",
        "04.11.2025 – 03.11.2026",
        "03.11.2026, 14:05 (московское время, UTC+3)",
        "28.10.2026, 09:30–09:52",
        "завершён",
        "I11.9",
        "МКБ-10",
        "Гипертензивная болезнь сердца",
        "165/100",
        "Индапамид ретард",
        "Дневник АД",
        "Гусейнов Рустам Ильясович, врач-кардиолог",
        "K7QX-M2PD-R9TA-W4HZ",
        "стр. 1 из 1",
    ],
    ("visit", "en"): [
        "Extract from the medical record",
        "28 Oct 2026, 09:30–09:52",
        "finished",
        "3 Nov 2026, 14:05 (Moscow time, UTC+3)",
        "Гипертензивная болезнь сердца",
        "page 1 of 1",
    ],
    ("results", "ru"): [
        "109,4",
        "120–140,5",
        "г/л",
        "10⁹/л",
        "ниже нормы",
        "выше нормы",
        "критически высоко",
        "не обнаружены",
        "Анемия лёгкой степени.",
        "окончательный",
    ],
    ("results", "en"): ["109.4", "120–140.5", "10⁹/L", "below range", "critically high", "final"],
    ("prescriptions", "ru"): ["Периндоприл, таблетки 10 мг", "действует", "28.01.2027"],
    ("prescriptions", "en"): ["Периндоприл", "current", "28 Jan 2027"],
    ("summary", "ru"): [
        "A(II) Rh+",
        "Бензилпенициллин",
        "крапивница, отёк Квинке",
        "высокий",
        "E78.0",
        "03.2021",
        "ремиссия",
        "по состоянию на день выдачи",
    ],
    ("summary", "en"): ["A(II) Rh+", "Бензилпенициллин", "high", "Mar 2021", "remission"],
}


@pytest.mark.parametrize(("kind", "language"), list(EXPECTED))
def test_paper_says_the_facts_in_its_language(kind: Kind, language: Language) -> None:
    pdf = render(extract(kind, language))
    text = text_of(pdf).replace(NO_BREAK, " ")
    assert [part for part in EXPECTED[kind, language] if part not in text] == []
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    assert len(reader.pages) == page_count(pdf) == 1
    catalogue: Any = reader.root_object
    assert catalogue["/Lang"] == language
    assert reader.metadata is not None
    assert (reader.metadata.title or "").startswith(words(language).title(kind))
    assert catalogue["/MarkInfo"]["/Marked"]
    assert catalogue["/ViewerPreferences"]["/DisplayDocTitle"]


@pytest.mark.parametrize("kind", get_args(Kind))
def test_poppler_reads_the_cyrillic(kind: Kind, tmp_path: Path) -> None:
    pdftotext = shutil.which("pdftotext")
    if pdftotext is None:
        pytest.skip("pdftotext is missing: apt-get install poppler-utils")
    file = tmp_path / "extract.pdf"
    file.write_bytes(render(extract(kind)))
    done = subprocess.run([pdftotext, str(file), "-"], capture_output=True, check=True)
    assert "Соколова Марина Викторовна" in done.stdout.decode()


@pytest.mark.parametrize("kind", get_args(Kind))
def test_qpdf_finds_no_errors(kind: Kind, tmp_path: Path) -> None:
    qpdf = shutil.which("qpdf")
    if qpdf is None:
        pytest.skip("qpdf is missing: apt-get install qpdf")
    file = tmp_path / "extract.pdf"
    file.write_bytes(render(extract(kind), attachments=[FHIR]))
    done = subprocess.run([qpdf, "--check", str(file)], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize("profile", ["3a", "ua1"])
@pytest.mark.parametrize("kind", get_args(Kind))
def test_paper_keeps_what_it_claims(kind: Kind, profile: str) -> None:
    page = pytest.importorskip("page", reason="page-validation (PyPI) is not installed")
    report = page.validate_pdf_bytes(render(extract(kind), attachments=[FHIR]), profile=profile)
    # It takes a compressed stream whose last byte is a carriage return for one of a wrong length.
    known = {"PDFA3A-STREAM-LENGTH-001"}
    assert {failure.rule_id for failure in report.failures} <= known


def test_claims_and_file_end_stand_in_the_file() -> None:
    pdf = render(extract("summary"))
    assert b"<pdfaid:part>3</pdfaid:part>" in pdf
    assert b"<pdfaid:conformance>A</pdfaid:conformance>" in pdf
    assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf
    assert pdf.endswith(b"%%EOF\n")


def test_fonts_are_embedded_subsets() -> None:
    reader = pypdf.PdfReader(io.BytesIO(render(extract("results"))))
    embedded, loose = set[str](), set[str]()
    for page in reader.pages:
        with_file, without = page._get_fonts()
        embedded |= with_file
        loose |= without
    assert loose == set()
    assert any("PTSans" in name for name in embedded)
    assert all("+" in name for name in embedded)


def test_attachment_is_in_the_file_as_it_was() -> None:
    reader = pypdf.PdfReader(io.BytesIO(render(extract("visit"), attachments=[FHIR])))
    assert reader.attachments == {"records.fhir.json": [FHIR.data]}
    catalogue: Any = reader.root_object
    (associated,) = (entry.get_object() for entry in catalogue["/AF"])
    assert associated["/AFRelationship"] == "/Source"
    assert associated["/Desc"] == FHIR.description


def test_same_document_gives_the_same_bytes() -> None:
    document = extract("results")
    assert render(document, attachments=[FHIR]) == render(document, attachments=[FHIR])


@pytest.mark.parametrize(
    "hostile",
    [
        '#read("/etc/passwd")',
        '#panic("x")',
        "*bold* _it_ `raw` $x^2$",
        "= heading",
        "<label> @ref // not a comment",
        "\\u{41} #{1+1} ]) #]",
        '"); #import "x.typ"; ("',
    ],
)
def test_a_value_stays_text(hostile: str) -> None:
    visit = {**VISIT, "complaints": hostile, "title": hostile, "diagnoses": [{"text": hostile}]}
    text = text_of(render(extract("visit", records=[visit])))
    assert text.count(hostile) == 3
    rows = [result("2026-10-20", observation(hostile, name=hostile, unit=hostile), title=hostile)]
    assert hostile in text_of(render(extract("results", records=rows)))


def test_what_was_left_out_is_said_and_why() -> None:
    text = text_of(render(extract("visit", omitted=Omitted(withheld=1, pending=2, hidden=3))))
    assert "по правилам доступа: 1" in text.replace(NO_BREAK, " ")
    assert "обрабатываются: 2; скрыты пациентом: 3." in text.replace(NO_BREAK, " ")
    assert "Все записи этого вида за период вошли" in text_of(render(extract("visit")))
    chosen = extract("visit", period=None)
    assert "Все выбранные записи вошли" in text_of(render(chosen))


def test_two_thousand_rows_repeat_the_head_and_cut_no_row() -> None:
    names = [f"Показатель {n:04d} строка-конец-{n:04d}" for n in range(2000)]
    rows = [observation(n, name=name, code=name) for n, name in enumerate(names)]
    records = [result("2026-10-20", *rows[at : at + 50]) for at in range(0, 2000, 50)]
    pdf = render(extract("results", records=records))
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]
    assert page_count(pdf) == len(pages) > 40
    for n, name in enumerate(names):
        first, last = name.split(" строка-")[0], f"конец-{n:04d}"
        assert [first in page for page in pages] == [last in page for page in pages], name
    with_rows = [page for page in pages if "конец-" in page]
    assert all("Референсный интервал" in page for page in with_rows)


def test_a_text_longer_than_a_page_is_printed_whole() -> None:
    long = " ".join(f"слово{n}" for n in range(2500))
    dosed = {**PRESCRIPTION, "dosage": long}
    seen = text_of(render(extract("prescriptions", records=[dosed, PRESCRIPTION])))
    assert "слово0 " in seen
    assert "слово2499" in seen


def test_characters_without_a_glyph_are_replaced_and_said_so() -> None:
    visit = {**VISIT, "complaints": "漢字 \ue000 α-блокаторы ↑АД ≥ 140\u200b \x07\ufeff 👍🏽"}
    text = text_of(render(extract("visit", records=[visit])))
    assert "α-блокаторы ↑АД ≥ 140" in text
    assert REPLACEMENT * 2 in text
    assert words("ru").label("replaced")[:30] in text


def test_empty_extracts_are_printed() -> None:
    for kind in get_args(Kind):
        document = extract(kind, "en", records=[], summary=None)
        assert page_count(render(document)) == 1


def test_sparse_records_are_printed() -> None:
    nothing = dict.fromkeys(VISIT, None)
    assert page_count(render(extract("visit", records=[nothing, {}])))
    assert page_count(render(extract("results", records=[{**dict.fromkeys(RESULT, None)}, {}])))
    assert page_count(render(extract("prescriptions", records=[{}])))
    assert page_count(render(extract("summary", summary=Summary(None, [{}], [{}]))))


def absence(text: str | None, code: str | None = None) -> dict[str, Any]:
    stated = {"text": text, "code": code, "system": None, "recorded_on": "2026-10-05"}
    return {"entry": "no_known_allergy", "clinic": CLINIC, **stated}


@pytest.mark.parametrize(
    ("stated", "language", "said", "one_kind"),
    [
        (absence(None, "716186003"), "ru", "Известных аллергий нет (Городская", False),
        (
            absence("Аллергоанамнез не отягощён"),
            "ru",
            "Известных аллергий нет: «Аллергоанамнез не отягощён»",
            False,
        ),
        (absence("NKDA"), "en", "NKDA", True),
        (absence(None, "no-known-food-allergies"), "en", "No known food allergy (", True),
        (absence("No known latex allergy", "716184000"), "en", "No known latex allergy (", True),
    ],
)
def test_a_known_absence_is_said_as_far_as_it_is_known(
    stated: dict[str, Any], language: Language, said: str, one_kind: bool
) -> None:
    summary = Summary(no_known_allergies=[stated, stated])
    text = text_of(render(extract("summary", language, summary=summary))).replace(NO_BREAK, " ")
    assert text.count(said) == 1
    assert words(language).date("2026-10-05").replace(NO_BREAK, " ") in text
    assert (words(language).label("absence_one_kind") in text) is one_kind
    assert words(language).label("no_allergies") not in text
    assert words(language).label("no_conditions") in text


@pytest.mark.parametrize("language", get_args(Language))
def test_what_is_not_known_is_not_printed_as_none(language: Language) -> None:
    text = text_of(render(extract("summary", language, summary=Summary())))
    said = words(language)
    assert said.label("no_allergies") in text
    assert said.label("no_conditions") in text
    assert said.absence("") not in text


def test_unknown_codes_are_shown_as_given() -> None:
    odd = result("2026-10-20", observation(1, unit="{foo}", interpretation="odd"), status="strange")
    text = text_of(render(extract("results", records=[odd, RESULT])))
    assert "{foo}" in text
    assert "odd" in text


def test_an_engine_fault_tells_nothing_of_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extracts.view.printable", lambda text: text)
    visit = {**VISIT, "complaints": "тайна \ue000"}
    with pytest.raises(ExtractNotRendered) as raised:
        render(extract("visit", records=[visit]))
    assert "тайна" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_a_chart_needs_three_values_of_one_code_and_unit() -> None:
    days = ["2026-01-10", "2026-04-10", "2026-07-10"]
    other = observation(5, unit="mmol/L")
    two = [result(day, observation(120)) for day in days[:2]]
    assert series.collect([*two, result(days[2], other)]) == []
    (found,) = series.collect([*two, result(days[2], observation(118.5), other)])
    assert [point.value for point in found.points] == [120, 120, 118.5]
    drawn = series.chart(found, words("ru"))
    assert [point["x"] for point in drawn["points"]] == [0, pytest.approx(90 / 181), 1]
    assert all(0 <= point["y"] <= 1 for point in drawn["points"])
    assert "118,5" in drawn["alt"]
    records = [*two, result(days[2], observation(118.5), other)]
    pdf = render(extract("results", records=records))
    assert "Динамика показателей" in text_of(pdf)


@pytest.mark.parametrize("values", [(3.2, 3.2, 3.2), (0, 0, 0), (1e-9, 2e-9, 3e-9), (-5, 0, 1e7)])
def test_ticks_enclose_the_values(values: tuple[float, ...]) -> None:
    (found,) = series.collect(
        result(f"2026-01-{n + 10}", observation(value, reference_range=None))
        for n, value in enumerate(values)
    )
    drawn = series.chart(found, words("en"))
    assert 2 <= len(drawn["ticks"]) <= 7
    assert all(-1e-9 <= point["y"] <= 1 + 1e-9 for point in drawn["points"])


@pytest.mark.parametrize(
    ("given", "ru", "en"),
    [
        (5.4, "5,4", "5.4"),
        (5.0, "5", "5"),
        (12, "12", "12"),
        (-1.5, "−1,5", "−1.5"),
        (1e-7, "0,0000001", "0.0000001"),
        (0.0004217, "0,000422", "0.000422"),
        (6.453987123, "6,454", "6.454"),
        (True, "да", "yes"),
        (None, "—", "—"),
        (float("nan"), "—", "—"),
        ("1:40", "1:40", "1:40"),
    ],
)
def test_values(given: object, ru: str, en: str) -> None:
    assert words("ru").value(given) == ru
    assert words("en").value(given) == en


@pytest.mark.parametrize(
    ("given", "ru", "en"),
    [
        ("2026-11-03", "03.11.2026", "3 Nov 2026"),
        ("2026-11", "11.2026", "Nov 2026"),
        ("2026", "2026", "2026"),
        (None, "", ""),
        ("весной", "весной", "весной"),
    ],
)
def test_dates(given: object, ru: str, en: str) -> None:
    assert words("ru").date(given) == ru
    assert words("en").date(given).replace(NO_BREAK, " ") == en


def test_both_languages_hold_the_same_words() -> None:
    ru, en = words("ru")._texts, words("en")._texts
    tables = ["titles", "subtitles", "labels", "omitted", "sex", "flags", "criticality", "systems"]
    for table in tables:
        assert ru[table].keys() == en[table].keys()
    for section in ru["status"]:
        assert ru["status"][section].keys() == en["status"][section].keys()
    assert len(ru["months"]) == len(en["months"]) == 12


def test_printable_text() -> None:
    assert printable("и\u0306од") == "йод"
    assert printable("a\u200bb\ufeff\x00c\r\nd\te") == "abc\nd e"
    assert printable("\ud800") == ""
    assert printable("５ ㎎") == "5 mg"
    assert printable("x" * 60).count("\u200b") == 2


def test_memory_stays_bounded_over_large_documents() -> None:
    """Growth between the third and sixth large extract; unbounded, typst keeps 200 MB of each."""
    resource = pytest.importorskip("resource")
    seen = []
    for turn in range(6):
        day = (date(2026, 1, 1) + timedelta(days=turn)).isoformat()
        rows = [observation(n + turn, name=f"Показатель {n} {turn}") for n in range(1000)]
        render(extract("results", records=[result(day, *rows)]))
        seen.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    assert seen[5] - seen[2] < 80
