"""СЭМД through the real route: shown, versions, replacement, refusals."""

from typing import Any

import pytest

from tests import cda
from tests.cda import Consultation, Laboratory
from tests.integration.conftest import Demo
from tests.integration.test_intake import Chart


@pytest.fixture
def chart(demo: Demo) -> Chart:
    return Chart(demo)


def send(chart: Chart, body: object, media: str = "application/xml") -> Any:
    headers = {"Content-Type": media}
    return chart.doctor.post(f"{chart.path}/cda", raw=str(body), headers=headers)


def test_documents_are_shown_and_sent_twice_change_nothing(chart: Chart) -> None:
    laboratory, visit = Laboratory(chart.snils), Consultation(chart.snils)
    for document in (laboratory, visit):
        first = send(chart, document)
        assert first.status == 200, first
        assert first.json["rejected"] == []
        assert first.json["created"] > 0
        assert first.json["kept"] > 0  # the patient, the doctor, the clinic
    shown = chart.everything()
    assert [each["title"] for each in shown["visits"]] == ["Протокол консультации"]
    assert {each["title"] for each in shown["results"]} == {
        "Биохимический анализ крови",
        "Температура тела",
    }
    assert shown["blood_group"]["abo"] == "B"
    assert [each["text"] for each in shown["allergies"]] == ["Пенициллин"]
    assert len(shown["prescriptions"]) == 2
    for document in (laboratory, visit):
        again = send(chart, document).json
        assert (again["created"], again["updated"], again["rejected"]) == (0, 0, [])
    assert chart.everything() == shown


def test_the_next_version_takes_the_place_of_the_last_and_an_older_one_is_refused(
    chart: Chart,
) -> None:
    first = Laboratory(chart.snils)
    send(chart, first)
    corrected = cda.result("1023393", "Глюкоза в крови", cda.amount("5.10"), low="4.1", high="6.1")
    second = Laboratory(chart.snils, number="7805554", version=2, results=[corrected])
    answer = send(chart, second)
    assert answer.status == 200, answer
    (report,) = chart.read("results")
    assert [(o["name"], o["value"]) for o in report["observations"]] == [("Глюкоза в крови", 5.1)]
    assert report["version"] == 2
    assert chart.everything()["blood_group"] is None  # the second version does not say it
    shown = chart.everything()
    late = send(chart, first).json
    assert {each["code"] for each in late["rejected"]} == {"older_version"}
    assert late["created"] + late["updated"] + late["unchanged"] + late["kept"] == 0
    assert chart.everything() == shown


def test_a_document_that_replaces_another_without_a_set_takes_its_place(chart: Chart) -> None:
    send(chart, Consultation(chart.snils, number="1", set_number=None))
    for number, before in (("2", "1"), ("3", "2")):
        following = Consultation(
            chart.snils,
            number=number,
            set_number=None,
            version=int(number),
            replaces=before,
            diagnosis=f"Бронхит, уточнение {number}",
            medicine=None,
        )
        assert send(chart, following).status == 200
    (visit,) = chart.read("visits")
    assert [each["text"] for each in visit["diagnoses"]] == ["Бронхит, уточнение 3"]
    assert visit["version"] == 3
    kinds = sorted(each["kind"] for each in chart.read("prescriptions"))
    assert kinds == ["recommendation", "recommendation"]


def test_two_consultations_of_one_case_are_two_visits(chart: Chart) -> None:
    send(chart, Consultation(chart.snils, number="1", set_number="1"))
    send(chart, Consultation(chart.snils, number="2", set_number="2"))
    assert len(chart.read("visits")) == 2


@pytest.mark.parametrize(
    "document",
    [
        Laboratory("112-233-445 95"),
        Laboratory("", birth_date="19800506"),
        Consultation("112-233-445 95"),
    ],
)
def test_a_document_about_somebody_else_is_refused(
    chart: Chart, document: Laboratory | Consultation
) -> None:
    refused = send(chart, document)
    assert (refused.status, refused.json["code"]) == (422, "wrong_patient")
    assert chart.read("results") == chart.read("visits") == []


def test_a_document_that_says_of_nobody_whose_it_is_is_refused(chart: Chart) -> None:
    refused = send(chart, Laboratory("", birth_date=""))
    assert (refused.status, refused.json["code"]) == (422, "validation_failed")
    assert send(chart, Laboratory("")).status == 200  # the birth date alone agrees


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "forbidden_xml"),
        ('<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>', "forbidden_xml"),
        ("<a>" * 200 + "</a>" * 200, "too_deep"),
        ('<?xml version="1.0" encoding="windows-1251"?><a/>', "not_utf8"),
        ("<html/>", "not_cda"),
        ("{}", "not_xml"),
        ("", "not_xml"),
    ],
)
def test_what_is_no_safe_document_is_malformed(chart: Chart, body: str, reason: str) -> None:
    refused = send(chart, body)
    assert (refused.status, refused.json["code"]) == (400, "malformed")
    assert [each["code"] for each in refused.json["errors"]] == [reason]


def test_only_xml_is_taken_and_only_five_megabytes(chart: Chart) -> None:
    document = str(Laboratory(chart.snils))
    assert send(chart, document, media="application/json").status == 415
    assert send(chart, " " * (5 * 1024 * 1024 + 1)).status == 413


def test_a_stranger_cannot_send_a_document(demo: Demo, chart: Chart) -> None:
    other = demo.worker("clinician of clinic 2")
    headers = {"Content-Type": "application/xml"}
    refused = other.post(f"{chart.path}/cda", raw=str(Laboratory(chart.snils)), headers=headers)
    assert refused.status == 403
