"""The catalogue, through its real handler."""

import pytest

from tests.gateway import Api
from tests.integration import desk_world as world

pytestmark = pytest.mark.usefixtures("aws")


def test_services_hold_the_electronic_medical_card_in_both_languages() -> None:
    for language, title in (("ru", "Электронная медицинская карта"), ("en", "Electronic")):
        answer = Api(language=language).get("/v1/services?category=health")
        assert answer.status == 200
        assert answer.headers["content-language"] == language
        assert answer.headers["cache-control"].startswith("public, max-age=")
        assert answer.headers["vary"] == "Accept-Language"
        by_id = {s["service_id"]: s for s in answer.json["items"]}
        card = by_id["electronic-medical-card"]
        assert card["title"].startswith(title)
        assert card["category"] == "health"
        assert len(card["requirements"]) == 4


@pytest.mark.parametrize("q", ["медицинская карта", "МЕДИЦИНСКАЯ", "карта электронная"])
def test_services_are_found_by_words_in_any_case(q: str) -> None:
    found = Api().get(f"/v1/services?q={q}").json["items"]
    assert "electronic-medical-card" in [s["service_id"] for s in found]


def test_unknown_categories_and_words_find_nothing() -> None:
    assert Api().get("/v1/services?category=fishing").json == {"items": [], "next_cursor": None}
    assert Api().get("/v1/services?q=рыбалка").json["items"] == []


def test_help_answers_the_questions_of_the_source() -> None:
    items = Api().get("/v1/help?limit=100").json["items"]
    assert {"adding-results", "download", "who-has-access", "card-not-shown"} <= {
        i["id"] for i in items
    }
    assert all(i["question"] and i["answer"] for i in items)


def test_help_goes_on_by_cursor() -> None:
    api, seen, cursor = Api(), [], ""
    while True:
        page = api.get(f"/v1/help?limit=5{cursor}").json
        seen += [i["id"] for i in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [i["id"] for i in api.get("/v1/help?limit=100").json["items"]]
    assert len(seen) == len(set(seen)) > 5


def test_regions_and_clinics_say_whether_they_are_connected() -> None:
    there = world.clinic("RU-TVE")
    region = next(
        r for r in Api().get("/v1/regions?limit=100").json["items"] if r["code"] == "RU-TVE"
    )
    assert region["connected"] is True
    assert region["support"] == {"phone": "+7 495 000-00-01", "url": "https://help.example"}
    (clinic,) = Api().get("/v1/clinics?region=RU-TVE").json["items"]
    assert clinic["clinic_id"] == there.clinic_id
    assert set(clinic) == {"clinic_id", "name", "region", "phone", "address", "connected"}


def test_clinics_are_found_by_name_whatever_the_case_and_the_letter_yo() -> None:
    there = world.clinic("RU-KLU")
    body = {
        "name": "Берёзовая больница",
        "region": "RU-KLU",
        "phone": "122",
        "address": "Калуга, Зелёная ул., 1",
        "connected": False,
    }
    assert there.operator.api.put("/v1/clinic/clinics/birch", body).status == 200
    for q in ("берез", "БЕРЁЗОВАЯ", "зеленая калуга"):
        found = Api().get(f"/v1/clinics?region=ru-klu&q={q}").json["items"]
        assert [c["clinic_id"] for c in found] == ["birch"], q
    assert Api().get("/v1/clinics?region=RU-SPE&q=берез").json["items"] == []


def test_clinics_go_on_by_cursor_and_the_cursor_is_bound_to_the_filter() -> None:
    by = world.operator()
    made = sorted(world.clinic("RU-YAR", by).clinic_id for _ in range(5))
    api, seen, cursor = Api(), [], ""
    while True:
        page = api.get(f"/v1/clinics?region=RU-YAR&limit=2{cursor}").json
        seen += [c["clinic_id"] for c in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made
    foreign = api.get(f"/v1/clinics?region=RU-MOW{cursor}")
    assert (foreign.status, foreign.json["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/services?limit=0", "limit"),
        ("/v1/clinics?region=Moscow", "region"),
        ("/v1/regions?x=1", "query"),  # an unknown name is the client's own text: not repeated
        ("/v1/help?limit=a", "limit"),
    ],
)
def test_wrong_queries_are_named(path: str, field: str) -> None:
    answer = Api().get(path)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [error["field"] for error in answer.json["errors"]] == [field]
