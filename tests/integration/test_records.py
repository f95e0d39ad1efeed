"""Reading a card: filters, series, changes, corrections, what is left out, what is hidden."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kernel import clock, dynamo, hiding, release, terminology
from kernel.identity import CardId
from local.terminology import build
from tests.integration import desk_world
from tests.integration.records_world import (
    Json,
    OpenCard,
    diagnosis,
    doctor,
    laboratory,
    prescription,
    report,
    visit,
)


@pytest.fixture(scope="module")
def clinic(aws: None) -> desk_world.Clinic:
    return desk_world.clinic()


@pytest.fixture
def card(clinic: desk_world.Clinic) -> OpenCard:
    return OpenCard(clinic)


# --- filters -------------------------------------------------------------------------------------


def test_several_filters_must_all_match(card: OpenCard) -> None:
    first = [{"individual": {"reference": "Practitioner/doctor-1"}}]
    other = [{"individual": {"reference": "Practitioner/doctor-2"}}]
    card.send(
        doctor("1", "Ирина", "Ёлкина"),
        doctor("2", "Пётр", "Белов"),
        visit("2026-01-01", participant=first),
        visit("2026-02-01", participant=other),
        visit("2026-03-01", participant=first),
        diagnosis("visit-2026-01-01", "I10"),
        diagnosis("visit-2026-02-01", "I10"),
        diagnosis("visit-2026-03-01", "J06.9"),
    )

    def dates(query: str) -> list[str]:
        return [each["date"] for each in card.items(f"visits?{query}")]

    assert dates("diagnosis=I10") == ["2026-02-01", "2026-01-01"]
    assert dates("doctor=елкина") == ["2026-03-01", "2026-01-01"]
    assert dates("doctor=ЁЛКИНА&diagnosis=i10") == ["2026-01-01"]
    assert dates("doctor=Ёлкина&from=2026-02-01") == ["2026-03-01"]
    assert dates("diagnosis=J06&to=2026-02-28") == []


def test_a_filtered_list_pages_and_forgets_what_was_corrected(card: OpenCard) -> None:
    days = [f"2026-01-{day:02}" for day in range(1, 8)]
    card.send(
        *(laboratory(5, day=day) for day in days), laboratory(1, day="2026-01-09", code="2-2")
    )
    card.send(laboratory(6, day="2026-01-04"))
    card.send(laboratory(6, day="2026-01-05", status="entered-in-error"))
    card.send(
        {**laboratory(6, day="2026-01-06", code="9-9"), "id": "observation-14771-0-2026-01-06"}
    )
    seen: list[str] = []
    query = "results?code=14771-0&limit=2"
    while True:
        page = card.get(query).json
        seen += [each["date"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        assert len(page["items"]) == 2
        query = f"results?code=14771-0&limit=2&cursor={page['next_cursor']}"
    assert seen == [d for d in reversed(days) if d not in ("2026-01-05", "2026-01-06")]
    assert [each["date"] for each in card.items("results?code=9-9")] == ["2026-01-06"]


# --- series --------------------------------------------------------------------------------------


def test_values_that_convert_share_a_series_and_say_what_was_given(card: OpenCard) -> None:
    card.send(
        laboratory(1.26, "g/L", day="2026-01-01", code="718-7", low=1.2, high=1.6),
        laboratory(133, "mg/dL", day="2026-02-01", code="718-7", low=None, high=None),
        laboratory(1.4, "г/л", day="2026-03-01", code="718-7", ucum=False),
        laboratory(9, "mmol/L", day="2026-04-01", code="718-7"),
        laboratory(7, "mmol/L", day="2026-04-02", code="999-9"),
    )
    answer = card.get("results/series?code=718-7").json
    assert (answer["complete"], answer["not_numeric"]) == (True, 0)
    molar, mass = answer["series"]
    assert (molar["unit"], [p["value"] for p in molar["points"]]) == ("mmol/L", [9])
    assert mass["unit"] == "г/л"
    assert [p["date"] for p in mass["points"]] == ["2026-01-01", "2026-02-01", "2026-03-01"]
    assert [p["value"] for p in mass["points"]] == [1.26, 1.33, 1.4]
    assert mass["points"][1]["given"] == {"value": 133, "unit": "mg/dL"}
    assert (mass["points"][0]["low"], mass["points"][0]["high"]) == (1.2, 1.6)
    assert card.doctors("results/series?code=718-7").json == answer
    assert card.get("results/series?code=http://loinc.org|718-7").json == answer
    assert card.get("results/series?code=urn:other|718-7").json["series"] == []
    since = card.get("results/series?code=718-7&from=2026-03-15").json["series"]
    assert [s["unit"] for s in since] == ["mmol/L"]


def test_words_are_no_points_but_are_counted(card: OpenCard) -> None:
    below = laboratory(0.1, day="2026-01-01")
    below["valueQuantity"]["comparator"] = "<"
    card.send(below, laboratory(5, day="2026-01-02"))
    answer = card.get("results/series?code=14771-0").json
    assert answer["not_numeric"] == 1
    assert [p["date"] for s in answer["series"] for p in s["points"]] == ["2026-01-02"]


# --- changes -------------------------------------------------------------------------------------


def test_changes_tell_what_came_changed_and_was_taken_back(card: OpenCard) -> None:
    card.send(laboratory(5, day="2026-01-01"))
    start = card.get("changes").json
    assert (start["items"], start["next_cursor"]) == ([], None)
    card.send(laboratory(5, day="2026-01-02"), laboratory(5, day="2026-01-03"))
    card.send(laboratory(6, day="2026-01-02"), visit())
    card.send(laboratory(5, day="2026-01-03", status="entered-in-error"))
    answer = card.get(f"changes?since={start['since']}").json
    told = [(c["section"], c["change"], c["version"]) for c in answer["items"]]
    assert sorted(told[:2]) == [("results", "created", 1)] * 2
    assert sorted(told[2:4]) == [("results", "changed", 2), ("visits", "created", 1)]
    assert told[4:] == [("results", "deleted", None)]
    shown = {each["record_id"]: each for each in card.items("results") + card.items("visits")}
    copy: dict[str, Json] = {}
    for change in answer["items"]:
        if change["change"] == "deleted":
            del copy[change["record_id"]]
        else:
            copy[change["record_id"]] = change["record"]
    assert copy == {k: v for k, v in shown.items() if v["date"] != "2026-01-01"}
    after = card.get(f"changes?since={answer['since']}").json
    assert after["items"] == []


def test_changes_page_and_their_tokens_are_bound(clinic: desk_world.Clinic, card: OpenCard) -> None:
    start = card.get("changes").json["since"]
    card.send(*(laboratory(5, day=f"2026-01-{day:02}") for day in range(1, 8)))
    seen: list[str] = []
    query = f"changes?limit=3&since={start}"
    while True:
        page = card.get(query).json
        seen += [change["record_id"] for change in page["items"]]
        if page["next_cursor"] is None:
            break
        query = f"changes?limit=3&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 7
    other = OpenCard(clinic)
    for path in (f"changes?since={start}", "changes?since=nonsense"):
        refused = other.get(path)
        assert (refused.status, refused.json["code"]) == (400, "cursor_invalid")


# --- corrections ---------------------------------------------------------------------------------


def test_a_correction_shows_what_it_replaced_and_where_each_version_is(card: OpenCard) -> None:
    for value in (7.8, 5.2, 5.3):
        card.send(laboratory(value))
    (listed,) = card.items("results")
    path = f"results/{listed['record_id']}"
    one = card.get(path).json
    assert one["version"] == 3
    assert [each["version"] for each in one["history"]] == [2, 1]
    assert one["replaces"]["version"] == 2
    assert list(one["replaces"]["changed"]) == ["observations"]
    assert one["replaces"]["changed"]["observations"][0]["value"] == 5.2
    first = card.get(f"{path}?version=1").json
    assert (first["version"], first["observations"][0]["value"]) == (1, 7.8)
    assert "replaces" not in first
    assert card.get(f"{path}?version=4").status == 404
    assert card.doctors(f"{path}?version=2").json["observations"][0]["value"] == 5.2


def test_a_record_tells_where_it_came_from(card: OpenCard) -> None:
    composition = {
        "resourceType": "Composition",
        "status": "final",
        "type": {"text": "Выписка"},
        "title": "Выписной эпикриз",
        "date": "2026-03-05",
        "subject": {"reference": "Patient/me"},
        "author": [{"display": "Врач"}],
    }
    card.send(composition, laboratory(5))
    (result,) = card.items("results")
    assert result["document"] == {"title": "Выписной эпикриз", "date": "2026-03-05"}
    assert result["clinic"]["clinic_id"] == card.clinic.clinic_id
    assert result["received_at"].endswith("Z")


# --- what is left out ----------------------------------------------------------------------------


@pytest.fixture
def holding(clinic: desk_world.Clinic) -> Iterator[desk_world.Clinic]:
    registrar = clinic.registrar.api
    # In JSON it is the same number as 3.
    assert registrar.put("/v1/clinic/release-rules", {"laboratory": 3.0}).status == 200
    assert registrar.put("/v1/clinic/release-rules", {"laboratory": 3.5}).status == 422
    assert registrar.get("/v1/clinic/release-rules").json == {"laboratory": 3, "diagnostic": 0}
    yield clinic
    assert registrar.put("/v1/clinic/release-rules", {}).status == 200


def counted(card: OpenCard) -> tuple[int, int, int]:
    """How many results the list of cards counts: shown, withheld, pending."""
    (told,) = card.patient.get("/v1/cards").json["items"]
    return told["counts"]["results"], told["withheld"], told["pending"]


def test_preliminary_results_are_pending_until_they_are_final(card: OpenCard) -> None:
    card.send(laboratory(5, status="preliminary"), laboratory(5, day="2026-03-03"))
    page = card.get("results").json
    assert [each["date"] for each in page["items"]] == ["2026-03-03"]
    assert (page["withheld"], page["pending"]) == (0, 1)
    assert card.get("results?code=14771-0&from=2026-03-03").json["pending"] == 0
    assert card.get("results?code=14771-0").json["pending"] == 1
    assert card.get("results?kind=diagnostic").json["pending"] == 0
    assert card.get("results/series?code=14771-0").json["pending"] == 1
    assert len(card.doctors("results").json["items"]) == 2
    assert counted(card) == (1, 0, 1)
    card.send(laboratory(6))
    page = card.get("results").json
    assert (len(page["items"]), page["pending"]) == (2, 0)
    assert counted(card) == (2, 0, 0)
    (final,) = [each for each in page["items"] if each["date"] == "2026-03-02"]
    one = card.get(f"results/{final['record_id']}").json
    assert (one["version"], "replaces" in one) == (2, False)


def test_a_held_result_is_shown_once_a_doctor_has_seen_it(
    holding: desk_world.Clinic, card: OpenCard
) -> None:
    start = card.get("changes").json["since"]
    card.send(laboratory(9), {**report("2026-03-01"), "category": [{"coding": [{"code": "RAD"}]}]})
    page = card.get("results").json
    assert [each["kind"] for each in page["items"]] == ["diagnostic"]
    assert (page["withheld"], page["pending"]) == (1, 0)
    held = card.doctors("results?kind=laboratory").json["items"][0]
    assert held["held_until"] > clock.rfc3339(clock.now())
    path = f"results/{held['record_id']}"
    assert card.get(path).status == 404
    assert card.get("results/series?code=14771-0").json["withheld"] == 1
    told = card.get(f"changes?since={start}").json
    assert [c["record"]["kind"] for c in told["items"]] == ["diagnostic"]
    seen = card.doctor.post(f"/v1/clinic/cards/{card.card_id}/{path}/seen")
    assert seen.status == 204, seen
    page = card.get("results").json
    assert (len(page["items"]), page["withheld"]) == (2, 0)
    assert "held_until" not in card.doctors(path).json
    assert len(card.items("results?code=14771-0")) == 1
    told = card.get(f"changes?since={told['since']}").json
    assert [(c["change"], c["record_id"]) for c in told["items"]] == [
        ("created", held["record_id"])
    ]
    # Once shown it stays shown, corrected too.
    card.send(laboratory(8))
    assert card.get(path).json["version"] == 2
    unknown = f"/v1/clinic/cards/{card.card_id}/results/unknown/seen"
    assert card.doctor.post(unknown).status == 404
    assert card.send(laboratory(8, day="2026-03-04"))["created"] == 1


def test_a_hold_ends_by_itself_and_then_the_change_is_told(
    holding: desk_world.Clinic, card: OpenCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "timedelta", lambda days: timedelta(minutes=days))
    card.send(laboratory(9))
    start = card.get("changes").json["since"]
    assert card.get("results").json["withheld"] == 1
    assert card.get(f"changes?since={start}").json["items"] == []
    moment = clock.now
    monkeypatch.setattr(clock, "now", lambda: moment() + timedelta(minutes=3, seconds=2))
    page = card.get("results").json
    assert (len(page["items"]), page["withheld"]) == (1, 0)
    told = card.get(f"changes?since={start}").json
    assert [c["record"] for c in told["items"]] == page["items"]
    assert card.get(f"changes?since={told['since']}").json["items"] == []


def test_release_rules_are_the_registrars_and_have_a_limit(clinic: desk_world.Clinic) -> None:
    assert clinic.clinician.api.get("/v1/clinic/release-rules").status == 403
    refused = clinic.registrar.api.put("/v1/clinic/release-rules", {"laboratory": 15})
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "laboratory")


# --- what is hidden ------------------------------------------------------------------------------


def _hidden(card: OpenCard, section: str, record_id: str) -> None:
    place = hiding.lookup(os.environ["CONSENTS_TABLE"], CardId(card.card_id))
    marks = {hiding.mark(section, record_id)}
    dynamo.put(place.table, {"pk": place.pk, "sk": place.sk, "records": marks})


def test_hidden_records_are_not_there_for_clinicians(card: OpenCard) -> None:
    card.send(visit(), prescription("visit-2026-03-01"), laboratory(5))
    (ordered,) = card.items("prescriptions")
    _hidden(card, "prescriptions", ordered["record_id"])
    assert card.items("prescriptions")[0]["hidden"] is True
    page = card.doctors("prescriptions").json
    assert (page["items"], page["withheld"]) == ([], 0)
    assert card.doctors(f"prescriptions/{ordered['record_id']}").status == 404
    (shown,) = card.doctors("visits").json["items"]
    assert shown["orders"] == []
    assert card.items("visits")[0]["orders"][0]["record_id"] == ordered["record_id"]
    bundle = card.doctors("visits", fhir=True).json
    assert [e["resource"]["resourceType"] for e in bundle["entry"]] == ["Encounter"]


# --- names ---------------------------------------------------------------------------------------


def test_a_code_without_a_text_gets_its_russian_name(
    card: OpenCard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given, target = tmp_path / "given", tmp_path / "tables"
    given.mkdir()
    rows = "ID;REC_CODE;MKB_CODE;MKB_NAME;ID_PARENT;ADDL_CODE;ACTUAL;DATE\n"
    rows += '1;1;"J06.9";"Острая инфекция";;;1;\n2;2;"J06.9";"Старое имя";;;0;\n'
    (given / "1.2.643.5.1.13.13.11.1005_2.27.csv").write_text(rows, "utf-8")
    build(given, target)
    monkeypatch.setattr(terminology, "TABLES", target)
    terminology._table.cache_clear()
    try:
        card.send(visit(), diagnosis("visit-2026-03-01", "J06.9", None))
        card.send(visit("2026-04-01"), diagnosis("visit-2026-04-01", "X99", "что-то"))
        named, other = (v["diagnoses"][0] for v in reversed(card.items("visits")))
    finally:
        terminology._table.cache_clear()
    assert (named["text"], named["name"]) == ("Острая инфекция", "Острая инфекция")
    assert (other["text"], other["name"]) == ("что-то", None)
