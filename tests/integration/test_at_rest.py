"""What rests in the tables says nothing clinical, and an erased card says nothing at all."""

import json
from typing import Any

import boto3
import pytest

from tests import template
from tests.gateway import function
from tests.integration.conftest import Demo
from tests.integration.records_world import visit
from tests.integration.test_intake import Chart, diagnosis, laboratory

Json = dict[str, Any]
# Words, codes and names that the planted card and the demo hold; none may be read from a table.
PLANTED = (
    "Бронхоэктатическая", "Q99.87654", "Планерное", "14771-0", "Глюкоза", "glucose-1", "Пробный",
    "Фамусова", "7.7712345", "Пенициллин", "Метотрексат",
)  # fmt: skip


@pytest.fixture
def chart(demo: Demo) -> Chart:
    return Chart(demo)


def _fill(chart: Chart) -> None:
    doctor = {
        "resourceType": "Practitioner",
        "id": "doctor",
        "name": [{"family": "Фамусова", "given": ["Лия"]}],
    }
    bronchiectasis = diagnosis("visit-2026-03-01", "Q99.87654")
    bronchiectasis["code"]["text"] = "Бронхоэктатическая болезнь"
    answer = chart.send(
        visit(
            participant=[{"individual": {"reference": "Practitioner/doctor"}}],
            reasonCode=[{"text": "Планерное"}],
        ),
        doctor,
        bronchiectasis,
        laboratory(7.7712345),
        {
            "resourceType": "AllergyIntolerance",
            "id": "a",
            "code": {"text": "Пенициллин"},
            "patient": {"reference": "Patient/me"},
        },
        {
            "resourceType": "MedicationRequest",
            "id": "m",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"text": "Метотрексат"},
            "subject": {"reference": "Patient/me"},
            "encounter": {"reference": "Encounter/visit-2026-03-01"},
        },
    )
    assert answer.json["rejected"] == []


def _items(table: str) -> list[Json]:
    client = boto3.client("dynamodb")
    pages = client.get_paginator("scan").paginate(TableName=table)
    return [item for page in pages for item in page["Items"]]


def test_no_table_holds_a_clinical_word_or_code_in_clear(demo: Demo, chart: Chart) -> None:
    _fill(chart)
    assert "Бронхоэктатическая" in json.dumps(chart.everything(), ensure_ascii=False)
    scanned = 0
    # The registry and the accounts hold names of workers in clear; nothing clinical either.
    for table in template.resources("AWS::DynamoDB::Table"):
        for item in _items(table):
            scanned += 1
            text = repr(item) + json.dumps(item, ensure_ascii=False, default=_readable)
            for word in PLANTED:
                assert word not in text, (table, word, item.get("sk"))
                assert word.casefold() not in text.casefold(), (table, word)
    assert scanned > 100


def _readable(value: object) -> str:
    """Bytes as text: what is not encrypted would be seen in them."""
    assert isinstance(value, bytes)
    return value.decode("utf-8", errors="replace")


def test_the_same_code_in_two_cards_leaves_different_traces(demo: Demo) -> None:
    one, other = Chart(demo), Chart(demo)
    for chart in (one, other):
        chart.send(laboratory(5))
    keys: list[set[str]] = []
    for chart in (one, other):
        card = f"CARD#{chart.path.rpartition('/')[2]}"
        keys.append(
            {
                i["sk"]["S"].partition("#")[0]
                for i in _items("RecordsTable")
                if i["pk"]["S"].startswith(card) and i["pk"]["S"][-2:] in ("#A", "#S", "#T")
            }
        )
    assert keys[0]
    assert not keys[0] & keys[1]


def _erase(**event: str) -> Json:
    erased: Json = function("clinic.erasure.handler")(event, None)
    return erased


def test_an_erased_card_opens_to_nobody_and_its_key_is_gone(demo: Demo, chart: Chart) -> None:
    _fill(chart)
    card_id = chart.path.rpartition("/")[2]
    ground = {"order": "№ 12 от 20.11.2026", "by": "Ответственный за обработку"}
    done = _erase(card_id=card_id, **ground)
    assert (done["status"], done["keys"]) == ("done", 1)
    keys = [i for i in _items("KeysTable") if i["pk"]["S"] == f"CARD#{card_id}"]
    assert keys == []
    for section in ("visits", "results", "prescriptions", "summary"):
        assert chart.doctor.get(f"{chart.path}/{section}").status in (403, 404)
    assert chart.send(visit("2026-09-01")).status in (403, 404)
    log = {i["sk"]["S"]: i for i in _items("JournalTable") if i["pk"]["S"] == f"ERASURE#{card_id}"}
    assert log["ORDER"]["order"]["S"] == ground["order"]
    assert log["ORDER"]["by"]["S"] == ground["by"]
    assert log["ORDER"]["ordered_at"]["S"] <= log["DONE"]["destroyed_at"]["S"]
    entries = [i for i in _items("JournalTable") if i["pk"]["S"] == f"CARD#{card_id}"]
    assert "erased" in {i.get("action", {}).get("S") for i in entries}
    # Again: the first destruction stands.
    assert _erase(card_id=card_id, **ground) == done


def test_an_erased_person_is_gone_from_the_registry(demo: Demo, chart: Chart) -> None:
    desk = demo.worker("registrar of clinic 1")
    found = desk.post("/v1/clinic/patients/search", {"snils": chart.snils}).json["items"]
    patient_id = found[0]["patient_id"]
    done = _erase(patient_id=patient_id, order="№ 13", by="Оператор")
    assert done["cards"] == 1
    assert desk.post("/v1/clinic/patients/search", {"snils": chart.snils}).json["items"] == []
    left = [i for i in _items("RegistryTable") if i["pk"]["S"] == f"PATIENT#{patient_id}"]
    assert left == []
    assert not [i for i in _items("KeysTable") if i["pk"]["S"] == f"PATIENT#{patient_id}"]
    assert chart.doctor.get(f"{chart.path}/visits").status in (403, 404)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"card_id": "x"},
        {"order": "1", "by": "2"},
        {"card_id": "nobody", "order": "1", "by": "2"},
        {"patient_id": "nobody", "order": "1", "by": "2"},
        {"card_id": "x", "patient_id": "y", "order": "1", "by": "2"},
    ],
)
def test_an_order_that_says_too_little_erases_nothing(aws: None, event: Json) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        _erase(**event)
