"""СЭМД: what is read of them, and XML that means harm."""

import time
from typing import Any

import pytest

from clinic.cda import document as cda
from clinic.cda import mapping
from clinic.fhir.bundle import read
from clinic.fhir.mapping import Derived, derive
from tests.cda import NAMESPACES, Consultation, Laboratory

SNILS = "112-233-445 95"


def taken(body: str) -> Derived:
    """What a document becomes."""
    document = cda.read(body.encode())
    parsed = read(mapping.bundle(document, mapping.set_key(document)))
    assert not parsed.rejections
    sources = {entry.aliases[0]: entry for entry in parsed.entries}
    names = {alias: key for key, entry in sources.items() for alias in entry.aliases}
    return derive(sources, resolve=names.get, record_id=lambda root: f"record of {root}")


def bodies(derived: Derived, section: str) -> list[dict[str, Any]]:
    return [draft.body for draft in derived.drafts if draft.section == section]


def test_a_laboratory_protocol_becomes_a_report() -> None:
    derived = taken(str(Laboratory(SNILS)))
    (report,) = bodies(derived, "results")
    assert report["kind"] == "laboratory"
    assert report["title"] == "Биохимический анализ крови"
    assert report["date"] == "2026-03-02"
    assert report["conclusion"] == "Гипергликемия."
    assert report["doctor"] == {"name": "Смирнова Анна Ивановна", "specialty": "врач-терапевт"}
    glucose, protein, group, nothing = report["observations"]
    assert (str(glucose["value"]), glucose["unit"], glucose["unit_code"]) == (
        "7.80",
        "ммоль/л",
        "mmol/L",
    )
    assert glucose["code"] == "1023393"
    assert glucose["system"] == "urn:oid:1.2.643.5.1.13.13.11.1080"
    assert (glucose["interpretation"], glucose["interpretation_derived"]) == ("high", True)
    assert glucose["reference_range"]["text"] == "4.1 - 6.1 ммоль/л"
    assert (str(protein["value"]), protein["unit"]) == ("72", "г/л")
    assert group["value"] == "B(III)"
    assert (nothing["value"], nothing["absent_reason"]) == (None, "временно недоступно")
    (blood,) = bodies(derived, "summary")
    assert (blood["entry"], blood["abo"]) == ("blood_group", "B")
    assert bodies(derived, "visits") == []


def test_a_consultation_becomes_a_visit_with_all_that_it_says() -> None:
    derived = taken(str(Consultation(SNILS)))
    (visit,) = bodies(derived, "visits")
    assert visit["title"] == "Протокол консультации"
    assert (visit["started_at"], visit["ended_at"]) == (
        "2026-03-05T07:00:00Z",
        "2026-03-05T07:20:00Z",
    )
    assert visit["complaints"] == "Кашель, слабость, температура 37,8 <вечером>"
    assert visit["doctor"]["name"] == "Смирнова Анна Ивановна"
    assert visit["diagnoses"] == [
        {
            "code": "J20.9",
            "system": "urn:oid:1.2.643.5.1.13.13.11.1005",
            "text": "Острый бронхит, лёгкое течение",
        }
    ]
    assert [order["text"] for order in visit["orders"]] == ["Рекомендации", "Амброксол"]
    said = {section["title"]: section["text"] for section in visit["sections"]}
    assert said["Анамнез заболевания"] == "Описание Болен три дня"
    assert "удовлетворительное" in said["Консультация врача-терапевта"]
    prescriptions = bodies(derived, "prescriptions")
    assert [(p["kind"], p["text"], p["dosage"]) for p in prescriptions] == [
        ("recommendation", "Рекомендации. Обильное питьё, явка через 5 дней", None),
        ("medication", "Амброксол", "по 1 таблетке 3 раза в день"),
    ]
    assert prescriptions[1]["valid_until"] == "2026-03-12"
    (allergy,) = bodies(derived, "summary")
    assert (allergy["text"], allergy["reactions"]) == ("Пенициллин", ["Крапивница"])
    (temperature,) = bodies(derived, "results")
    assert str(temperature["observations"][0]["value"]) == "37.8"


def test_a_document_without_entries_shows_its_words() -> None:
    body = str(Laboratory(SNILS))
    start, end = body.index("<entry>"), body.index("</entry>") + len("</entry>")
    (report,) = bodies(taken(body[:start] + body[end:]), "results")
    assert "Глюкоза 7.80" in report["conclusion"]


def test_what_cannot_be_opened_as_text_is_kept_whole() -> None:
    body = str(Laboratory(SNILS))
    start, end = body.index("<structuredBody>"), body.index("</structuredBody>")
    text = '<nonXMLBody><text mediaType="application/pdf">AAAA</text></nonXMLBody>'
    derived = taken(body[:start] + text + body[end + len("</structuredBody>") :])
    assert derived.drafts == ()
    assert "document" in derived.kept.values()


def _deep(levels: int) -> str:
    return (
        f"<ClinicalDocument {NAMESPACES}>"
        + "<a>" * levels
        + "</a>" * levels
        + "</ClinicalDocument>"
    )


LAUGHS = "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' if n else '<!ENTITY l0 "lol">' for n in range(10)
)
HOSTILE = {
    "empty": ("", "not_xml"),
    "json": ("{}", "not_xml"),
    "broken": ("<ClinicalDocument>", "not_xml"),
    "laughs": (f"<!DOCTYPE a [{LAUGHS}]><a>&l9;</a>", "forbidden_xml"),
    "file": ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "forbidden_xml"),
    "http": ('<!DOCTYPE a SYSTEM "http://example.com/a.dtd"><a/>', "forbidden_xml"),
    "parameter": (
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://example.com/x"> %x;]><a/>',
        "forbidden_xml",
    ),
    "dtd": ("<!DOCTYPE html><html/>", "forbidden_xml"),
    "undefined": ("<a>&nbsp;</a>", "not_xml"),
    "deep": (_deep(50_000), "too_deep"),
    "wide": (f"<a>{'<b/>' * 400_000}</a>", "too_deep"),
    "latin": ('<?xml version="1.0" encoding="windows-1251"?><a/>', "not_utf8"),
    "utf16": ('<?xml version="1.0" encoding="UTF-16"?><a/>', "not_utf8"),
    "nonsense": ('<?xml version="1.0" encoding="x-none"?><a/>', "not_utf8"),
    "other": ("<html/>", "not_cda"),
    "other namespace": ("<ClinicalDocument/>", "not_cda"),
    "header": (f"<ClinicalDocument {NAMESPACES}/>", "not_cda"),
    "attributes": ("<a b='1' b='2'/>", "not_xml"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_xml_is_refused_at_once(name: str) -> None:
    body, code = HOSTILE[name]
    started = time.process_time()
    with pytest.raises(cda.NotCda) as refused:
        cda.read(body.encode())
    assert refused.value.code == code
    assert time.process_time() - started < 5


@pytest.mark.parametrize("raw", [b"\xff\xfe<\x00a\x00/\x00>\x00", "<a>я</a>".encode("cp1251")])
def test_other_encodings_are_refused(raw: bytes) -> None:
    with pytest.raises(cda.NotCda) as refused:
        cda.read(raw)
    assert refused.value.code == "not_utf8"


@pytest.mark.parametrize(
    "value",
    [
        '<value xsi:type="PQ" value="много" unit="g"/>',
        '<value xsi:type="PQ" value="1e999999" unit="g"/>',
        '<value xsi:type="PQ" unit="g"/>',
        '<value xsi:type="IVL_PQ"><low value="5" unit="g"/></value>',
        '<value xsi:type="IVL_PQ"><low value="5"/><high value="7"/></value>',
        '<value xsi:type="IVL_PQ"/>',
        '<value xsi:type="INT" value="99999999999999999999"/>',
        '<value xsi:type="BL" value="maybe"/>',
        '<value xsi:type="TS" value="20269999"/>',
        '<value xsi:type="CD"/>',
        '<value xsi:type="CD" code="a  b"/>',
        '<value xsi:type="ST"/>',
        "<value/>",
        "<value>5</value>",
        "",
    ],
)
def test_odd_values_are_taken_as_far_as_they_go(value: str) -> None:
    from tests.cda import result

    document = Laboratory(SNILS, results=[result("1", "Проба", value)])
    (report,) = bodies(taken(str(document)), "results")
    assert len(report["observations"]) == 1


@pytest.mark.parametrize(
    "without", ["<title>", "<effectiveTime", "<setId", "<author>", "<documentationOf>"]
)
def test_headers_with_less_than_the_guides_ask_are_read(without: str) -> None:
    body = str(Consultation(SNILS))
    name = without.strip("<>")
    start = body.index(f"<{name}")
    ends = [
        body.find(end, start) + len(end)
        for end in (f"</{name}>", "/>")
        if body.find(end, start) > 0
    ]
    end = ends[0] if name in ("title", "author", "documentationOf") else min(ends)
    assert len(bodies(taken(body[:start] + body[end:]), "visits")) == 1
