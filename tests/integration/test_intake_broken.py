"""Interrupted intakes: whatever breaks, the card shows what it showed before, or all of it."""

import random
import threading
from contextlib import suppress
from typing import Any

import pytest

from tests.faults import Killed, counted, failing, killed
from tests.integration.conftest import Demo
from tests.integration.records_world import visit
from tests.integration.test_intake import Chart, diagnosis, laboratory

Json = dict[str, Any]
# It does not deflate to less than an item holds, so it goes to the bucket.
LARGE = random.Random(1).randbytes(170_000).hex()


@pytest.fixture
def chart(demo: Demo) -> Chart:
    return Chart(demo)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock whose holder died has run out at once."""
    from clinic import intake_handler

    monkeypatch.setattr(intake_handler._intake._repository, "_lock_seconds", 0)
    monkeypatch.setattr("clinic.intake_repository._RENEW_SECONDS", 10_000)


def first(chart: Chart) -> Any:
    """What the card holds when the intake that breaks begins."""
    return chart.send(visit(), laboratory(7.8), diagnosis("visit-2026-03-01"))


def second(chart: Chart) -> Any:
    """A correction, a new visit, and a diagnosis that joins the old one."""
    return chart.send(
        laboratory(5.2, status="corrected"),
        visit("2026-04-01"),
        diagnosis("visit-2026-03-01", "E11.9"),
        {
            **laboratory(3),
            "id": "glucose-2",
            "effectiveDateTime": "2026-03-04",
            "note": [{"text": LARGE}],
        },
    )


def seen(chart: Chart) -> Json:
    """All that the card shows, without when it came."""
    everything = chart.everything()
    for section in ("visits", "results", "prescriptions"):
        for record in everything[section]:
            del record["record_id"], record["received_at"]
            record.pop("visit_id", None)
    del everything["patient"]
    counts = chart.doctor.get(f"{chart.path}/summary")
    assert counts.status == 200
    return everything


def expected(demo: Demo) -> tuple[Json, Json, list[str]]:
    """What a card shows before and after, and the calls that the second intake makes."""
    chart = Chart(demo)
    assert first(chart).json["created"] == 3
    before = seen(chart)
    with counted() as calls:
        assert second(chart).status == 200
    return before, seen(chart), calls.names


@pytest.mark.long
def test_killed_before_or_after_any_call_it_shows_all_or_nothing(
    demo: Demo, impatient: None
) -> None:
    before, after, calls = expected(demo)
    assert before != after
    assert len(calls) > 8
    chart = Chart(demo)
    first(chart)
    committed = False
    # Killed before a call is killed after the one before it.
    for at, late in [(0, False), *((n, True) for n in range(len(calls)))]:
        if committed:  # it went in before it was killed: begin anew
            chart = Chart(demo)
            first(chart)
        with killed(at, after=late), pytest.raises(Killed):
            second(chart)
        shown = seen(chart)
        committed = shown == after
        assert committed or shown == before, at
        if committed or at % 5 == 4:
            told = second(chart).json
            assert told["rejected"] == []
            assert sum(told[n] for n in ("created", "updated", "unchanged")) == 4
            assert seen(chart) == after, at
            committed = True
    assert committed


@pytest.mark.long
def test_a_broken_connection_at_any_call_is_answered_and_a_repeat_completes(
    demo: Demo, impatient: None
) -> None:
    before, after, calls = expected(demo)
    chart = Chart(demo)
    first(chart)
    writes = [at for at, name in enumerate(calls) if not name.startswith(("BatchGet", "Query"))]
    for at in (3, *writes):
        for late in (False, True):
            with failing(at, after=late):
                answer = second(chart)
            assert answer.status in (200, 409, 503), (at, late, answer)
            shown = seen(chart)
            assert shown == (after if answer.status == 200 else before) or shown == after
            if shown == after:
                again = second(chart).json
                assert again["unchanged"] == 4, (at, late)
                assert seen(chart) == after
                chart = Chart(demo)
                first(chart)
    assert second(chart).status == 200
    assert seen(chart) == after


def test_counts_are_right_after_broken_intakes(demo: Demo, impatient: None) -> None:
    from kernel import dynamo
    from kernel.identity import CardId
    from kernel.records import Head

    chart = Chart(demo)
    first(chart)
    for at in (7, 9, 11):
        with killed(at, after=True), pytest.raises(Killed):
            second(chart)
    second(chart)
    place = Head.lookup("RecordsTable", CardId(chart.path.rpartition("/")[2]))
    head = Head.from_item(dynamo.get(place.table, {"pk": place.pk, "sk": place.sk}))
    assert head.counts["visits"] == len(chart.read("visits")) == 2
    assert head.counts["results"] == len(chart.read("results")) == 2
    assert head.aborted
    assert head.committed not in head.aborted


def test_two_intakes_at_once_are_one_after_the_other_or_a_conflict(chart: Chart) -> None:
    first(chart)
    statuses: list[int] = []

    def send(code: str) -> None:
        answer = chart.send(*(diagnosis("visit-2026-03-01", f"{code}{n}") for n in range(9)))
        statuses.append(answer.status)

    threads = [threading.Thread(target=send, args=(letter,)) for letter in ("E1", "K2", "M3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 409}
    assert statuses.count(200) >= 1
    (shown,) = chart.read("visits")
    assert len(shown["diagnoses"]) == 1 + 9 * statuses.count(200)  # no half of any of them


def test_while_one_has_the_card_another_gets_a_conflict(
    chart: Chart, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clinic.intake_repository import IntakeRepository

    write = IntakeRepository.write_unseen
    met: list[int] = []

    def slow(self: IntakeRepository, *args: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(IntakeRepository, "write_unseen", write)
            met.append(chart.send(visit("2026-05-01")).status)
        write(self, *args)

    monkeypatch.setattr(IntakeRepository, "write_unseen", slow)
    assert chart.send(visit("2026-06-01")).status == 200
    assert met == [409]
    assert [each["date"] for each in chart.read("visits")] == ["2026-06-01"]


def test_what_a_broken_intake_overwrote_is_still_known(demo: Demo, impatient: None) -> None:
    """Aliases and waiting lists that it replaced still lead where they led."""
    chart = Chart(demo)
    chart.send(diagnosis("visit-2026-03-01"))
    other = Chart(demo)
    with counted() as calls:
        other.send(diagnosis("visit-2026-04-01"))
    for at in range(4, len(calls.names)):
        with killed(at, after=True), suppress(Killed):
            # The same resource, waiting for another visit now.
            chart.send(diagnosis("visit-2026-09-01", id="diagnosis-J06.9"))
        if chart.send(visit("2026-09-01")).json["created"] != 1:
            break
        assert chart.send(visit("2026-03-01")).status == 200
        shown = {v["date"]: len(v["diagnoses"]) for v in chart.read("visits")}
        assert sum(shown.values()) == 1, (at, shown)
        chart = Chart(demo)
        chart.send(diagnosis("visit-2026-03-01"))


def test_large_resources_rest_in_the_bucket_and_are_read_from_there(chart: Chart) -> None:
    import secrets

    text = secrets.token_hex(300_000)  # it does not deflate to less than an item holds
    large = {
        "resourceType": "DocumentReference",
        "id": "scan",
        "status": "current",
        "subject": {"reference": "Patient/me"},
        "content": [{"attachment": {"contentType": "application/pdf", "title": text}}],
    }
    assert chart.send(large).json["kept"] == 1
    assert chart.send(large).json["kept"] == 1
    objects = _objects(chart)
    assert len(objects) == 1
    for number in range(3):
        assert chart.send({**large, "date": f"2026-03-0{number + 1}T00:00:00Z"}).status == 200
    assert len(_objects(chart)) <= 2  # what counts, and what counted before
    body = objects[0]
    assert text[:100].encode() not in body


def _objects(chart: Chart) -> list[bytes]:
    import boto3

    s3 = boto3.client("s3")
    prefix = f"payloads/{chart.path.rpartition('/')[2]}/"
    found = s3.list_objects_v2(Bucket="recordsbucket", Prefix=prefix).get("Contents", [])
    return [s3.get_object(Bucket="recordsbucket", Key=o["Key"])["Body"].read() for o in found]


def test_a_report_of_very_many_rows_is_shown_as_far_as_a_page_goes(chart: Chart) -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "id": "genome",
        "status": "final",
        "code": {"text": "Геном"},
        "subject": {"reference": "Patient/me"},
        "result": [{"reference": f"#o{n}"} for n in range(6000)],
        "contained": [
            {
                "resourceType": "Observation",
                "id": f"o{n}",
                "status": "final",
                "code": {"text": f"Показатель {n}"},
                "valueString": f"{n:x}" * 5,
            }
            for n in range(6000)
        ],
    }
    answer = chart.send(report)
    assert answer.status == 200, answer
    (shown,) = chart.read("results")
    assert shown["shortened"] is True
    assert 100 < len(shown["observations"]) < 6000
