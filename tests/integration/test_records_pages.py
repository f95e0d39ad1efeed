"""Pages that are bounded: by round trips, and by what one answer can carry."""

import base64
import itertools
import json
from collections.abc import Iterator

import pytest

from records import repository
from tests.integration import desk_world
from tests.integration.records_world import Json, OpenCard, laboratory, report

# What Lambda carries back: 6 MB of JSON, in which the body is a text once more.
LAMBDA = 6 * 1024 * 1024
DAYS = [f"2026-01-{day:02}" for day in range(1, 11)]


@pytest.fixture(scope="module")
def clinic(aws: None) -> desk_world.Clinic:
    return desk_world.clinic()


@pytest.fixture
def card(clinic: desk_world.Clinic) -> OpenCard:
    return OpenCard(clinic)


@pytest.fixture(scope="module")
def heavy(clinic: desk_world.Clinic) -> tuple[OpenCard, str]:
    """A card of nine reports of nearly a megabyte each, and the token from before they came."""
    card = OpenCard(clinic)
    since = card.get("changes").json["since"]
    for some in (DAYS[0:3], DAYS[3:6], DAYS[6:9]):
        large = [report(day=day, conclusion=f"{day} " + "норма, " * 70_000) for day in some]
        bundle: Json = {"resourceType": "Bundle", "type": "collection"}
        bundle["entry"] = [{"resource": each} for each in large]
        card.send_raw(json.dumps(bundle, ensure_ascii=False))
    return card, since


def pages(card: OpenCard, path: str) -> Iterator[Json]:
    """The pages of a list, each of which fits into an answer."""
    following: str | None = path
    while following:
        answer = card.get(following)
        assert answer.status == 200, answer
        assert len(json.dumps(answer.text, ensure_ascii=False).encode()) < LAMBDA
        page: Json = answer.json
        yield page
        cursor = page["next_cursor"]
        following = f"{path}&cursor={cursor}" if cursor else None


def test_corrections_make_pages_shorter_and_lose_nothing(
    card: OpenCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    card.send(*(laboratory(5, day=day) for day in DAYS))
    card.send(*(laboratory(6, day=day) for day in DAYS[2:]))
    assert [len(page["items"]) for page in pages(card, "results?limit=4")] == [4, 4, 2]
    monkeypatch.setattr(repository, "_SPARE", 1)
    found = [page["items"] for page in pages(card, "results?limit=4")]
    assert all(found[:-1])
    assert any(len(items) < 4 for items in found[:-1])
    dates = [each["date"] for each in itertools.chain(*found)]
    assert dates == sorted(DAYS, reverse=True)


def test_a_page_is_not_empty_while_there_is_more(
    card: OpenCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    card.send(*(laboratory(5, day=day) for day in DAYS))
    card.send(*(laboratory(5, day=day, status="entered-in-error") for day in DAYS[2:]))
    monkeypatch.setattr(repository, "_SPARE", 0)
    (page,) = pages(card, "results?limit=3")
    assert [each["date"] for each in page["items"]] == [DAYS[1], DAYS[0]]


def test_pages_of_large_records_fit_into_an_answer(heavy: tuple[OpenCard, str]) -> None:
    card, since = heavy
    found = [page["items"] for page in pages(card, "results?limit=100")]
    assert [each["date"] for each in itertools.chain(*found)] == sorted(DAYS[:9], reverse=True)
    assert len(found) > 1
    assert min(len(items) for items in found[:-1]) > 2
    changed = [page["items"] for page in pages(card, f"changes?limit=100&since={since}")]
    assert sorted(each["record"]["date"] for each in itertools.chain(*changed)) == DAYS[:9]
    assert len(changed) > 1


def test_fhir_pages_of_large_records_fit_too(heavy: tuple[OpenCard, str]) -> None:
    card, since = heavy
    for path in ("results?limit=100", f"changes?limit=100&since={since}"):
        found: list[str] = []
        following = path
        while following:
            answer = card.get(following, fhir=True)
            assert len(json.dumps(answer.text, ensure_ascii=False).encode()) < LAMBDA
            entries = answer.json.get("entry", [])
            found += [entry["resource"]["effectiveDateTime"][:10] for entry in entries]
            links = {link["relation"]: link["url"] for link in answer.json["link"]}
            following = links["next"].partition(f"{card.card_id}/")[2] if "next" in links else ""
            if "changes" in path and not entries:
                break  # a history always says where to go on
        assert sorted(found) == DAYS[:9]


def test_a_resource_too_large_for_an_answer_names_its_attachments(card: OpenCard) -> None:
    data = base64.b64encode(bytes(3_200_000)).decode()
    form = {"contentType": "application/pdf", "title": "Снимок", "data": data}
    card.send(report(presentedForm=[form]))
    answer = card.get("results", fhir=True)
    (entry,) = answer.json["entry"]
    (shown,) = entry["resource"]["presentedForm"]
    assert shown["title"] == "Снимок"
    assert "data" not in shown
    assert shown["_data"]["extension"][0]["valueCode"] == "unsupported"


def test_a_series_in_fhir_says_that_it_is_not_whole(
    card: OpenCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    card.send(*(laboratory(5, day=day) for day in DAYS[:3]))
    path = "results/series?code=14771-0"
    modes = [entry["search"]["mode"] for entry in card.get(path, fhir=True).json["entry"]]
    assert modes == ["match"] * 3
    monkeypatch.setattr(repository, "_LARGEST_PAGE", 1500)
    entries = card.get(path, fhir=True).json["entry"]
    assert [entry["search"]["mode"] for entry in entries] == ["match", "outcome"]
