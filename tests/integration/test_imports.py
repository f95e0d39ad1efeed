"""Imports: a form, an upload, a worker, and the same counts as a request gets."""

import json
import secrets
from typing import Any

import boto3
import pytest

from kernel import dynamo
from tests import template
from tests.gateway import Api, function
from tests.integration.conftest import Demo
from tests.integration.records_world import visit
from tests.integration.test_intake import Chart, diagnosis, laboratory

Json = dict[str, Any]


@pytest.fixture
def chart(demo: Demo) -> Chart:
    return Chart(demo)


def order(chart: Chart) -> Json:
    answer = chart.doctor.post(f"{chart.path}/imports")
    assert answer.status == 201, answer
    ordered: Json = answer.json
    assert set(ordered) == {"import_id", "upload"}
    return ordered


def test_a_key_orders_once(chart: Chart) -> None:
    path = f"{chart.path}/imports"
    first, again, other = (
        chart.doctor.post(path, headers={"Idempotency-Key": key}) for key in ("a", "a", "b")
    )
    assert [each.status for each in (first, again, other)] == [201, 201, 201]
    assert first.json["import_id"] == again.json["import_id"] != other.json["import_id"]
    assert chart.doctor.post(path, headers={"Idempotency-Key": "ключ"}).status == 422


def upload(ordered: Json, body: bytes) -> str:
    """Put the file where the form says; moto judges no POST policies."""
    key: str = ordered["upload"]["fields"]["key"]
    boto3.client("s3").put_object(Bucket="recordsbucket", Key=key, Body=body)
    return key


def notice(*keys: str, tries: int = 1) -> Json:
    """What the queue hands to the worker once S3 has told it of these objects."""
    body = {"Records": [{"s3": {"object": {"key": key}}} for key in keys]}
    return {
        "Records": [
            {
                "messageId": secrets.token_hex(4),
                "body": json.dumps(body),
                "attributes": {"ApproximateReceiveCount": str(tries)},
            }
        ]
    }


def work(event: Json) -> list[Json]:
    handler = function(template.queue_handlers()["ImportsQueue"])
    failures: list[Json] = handler(event, None)["batchItemFailures"]
    return failures


def state(chart: Chart, ordered: Json) -> Json:
    answer = chart.doctor.get(f"{chart.path}/imports/{ordered['import_id']}")
    assert answer.status == 200, answer
    found: Json = answer.json
    return found


def bundle(*resources: Json, kind: str = "collection") -> bytes:
    entries = [{"resource": resource} for resource in resources]
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode()


def test_a_file_is_taken_and_its_counts_are_told(chart: Chart) -> None:
    ordered = order(chart)
    assert state(chart, ordered)["status"] == "waiting"
    bad = {k: v for k, v in laboratory(5).items() if k != "code"}
    key = upload(ordered, bundle(visit(), diagnosis("visit-2026-03-01"), bad))
    assert work(notice(key)) == []
    done = state(chart, ordered)
    assert (done["status"], done["error"]) == ("done", None)
    assert (done["created"], done["updated"], done["unchanged"], done["kept"]) == (2, 0, 0, 0)
    assert [(r["index"], r["code"]) for r in done["rejected"]] == [(2, "missing_element")]
    assert len(chart.read("visits")) == 1
    found = boto3.client("s3").list_objects_v2(Bucket="recordsbucket", Prefix=key)
    assert found["KeyCount"] == 0
    # The same message again: the outcome stays what it was.
    assert work(notice(key)) == []
    assert state(chart, ordered) == done


def test_a_file_that_was_taken_and_comes_again_changes_nothing(chart: Chart) -> None:
    body = bundle(visit(), laboratory(5.2))
    first, second = order(chart), order(chart)
    work(notice(upload(first, body)))
    shown = chart.everything()
    work(notice(upload(second, body)))
    done = state(chart, second)
    assert (done["created"], done["unchanged"]) == (0, 2)
    assert chart.everything() == shown


def test_a_preliminary_result_is_pending_until_a_file_brings_the_final_one(chart: Chart) -> None:
    card = f"CARD#{chart.path.rpartition('/')[2]}"
    for status, left_out in (("registered", 1), ("final", 0)):
        ordered = order(chart)
        result = {**laboratory(5), "status": status}
        assert work(notice(upload(ordered, bundle(result)))) == []
        assert [each["status"] for each in chart.read("results")] == [status]
        head = dynamo.get("RecordsTable", {"pk": card, "sk": "HEAD"})
        assert head
        assert head["counts"]["left_out"] == left_out


def test_what_a_broken_intake_left_in_the_bucket_goes_with_the_next_file(chart: Chart) -> None:
    card_id = chart.path.rpartition("/")[2]
    key = {"pk": {"S": f"CARD#{card_id}"}, "sk": {"S": "HEAD"}}
    work(notice(upload(order(chart), bundle(visit()))))
    head = boto3.client("dynamodb").update_item(
        TableName="RecordsTable",
        Key=key,
        UpdateExpression="SET attempt = attempt + :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    left = f"payloads/{card_id}/{int(head['attempt']['N']):010d}/left"
    boto3.client("s3").put_object(Bucket="recordsbucket", Key=left, Body=b"-")
    work(notice(upload(order(chart), bundle(laboratory(5)))))
    found = boto3.client("s3").list_objects_v2(Bucket="recordsbucket", Prefix=left)
    assert found["KeyCount"] == 0


def test_of_a_large_source_the_bucket_keeps_two_states(chart: Chart) -> None:
    # Without a pattern: a source is deflated, and goes to the bucket above 150 KB.
    notes = [{"text": secrets.token_urlsafe(900)} for _ in range(300)]
    prefix = f"payloads/{chart.path.rpartition('/')[2]}/"
    for value, kept in ((5, 1), (6, 2), (7, 2)):
        ordered = order(chart)
        assert work(notice(upload(ordered, bundle({**laboratory(value), "note": notes})))) == []
        assert state(chart, ordered)["status"] == "done"
        found = boto3.client("s3").list_objects_v2(Bucket="recordsbucket", Prefix=prefix)
        assert found["KeyCount"] == kept


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", "malformed"),
        (b"", "malformed"),
        (bundle({"resourceType": "Patient", "birthDate": "1930-01-01"}), "wrong_patient"),
        (bundle(visit(), {"resourceType": "Nonsense"}, kind="transaction"), "validation_failed"),
    ],
)
def test_a_file_that_cannot_be_taken_fails_with_its_reason(
    chart: Chart, body: bytes, error: str
) -> None:
    ordered = order(chart)
    assert work(notice(upload(ordered, body))) == []
    failed = state(chart, ordered)
    assert (failed["status"], failed["error"]) == ("failed", error)
    assert failed["created"] is None
    assert failed["errors"]
    assert chart.read("visits") == []


def test_who_may_no_longer_write_has_nothing_taken(demo: Demo, chart: Chart) -> None:
    ordered = order(chart)
    key = upload(ordered, bundle(visit()))
    operator = demo.worker("operator")
    assert chart.doctor.get(f"{chart.path}/summary").status == 200
    before = _clinic(demo.account("clinician of clinic 1")["clinic_id"])
    put = {k: before[k] for k in ("name", "region", "phone", "address")}
    path = f"/v1/clinic/clinics/{before['clinic_id']}"
    assert operator.put(path, {**put, "connected": False}).status == 200
    try:
        assert work(notice(key)) == []
    finally:
        assert operator.put(path, {**put, "connected": True}).status == 200
    failed = state(chart, ordered)
    assert (failed["status"], failed["error"]) == ("failed", "clinic_not_connected")
    assert chart.read("visits") == []


def _clinic(clinic_id: str) -> Any:
    """A clinic in the catalogue, on whichever page the clinics of other tests leave it."""
    page = Api().get("/v1/clinics?limit=100").json
    while not (found := [c for c in page["items"] if c["clinic_id"] == clinic_id]):
        page = Api().get(f"/v1/clinics?limit=100&cursor={page['next_cursor']}").json
    return found[0]


def test_a_failure_is_tried_again_and_is_final_at_the_last(
    chart: Chart, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clinic.intake import Intake
    from kernel.errors import Unavailable

    ordered = order(chart)
    key = upload(ordered, bundle(visit()))

    def broken(*_: Any, **__: Any) -> None:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(Intake, "take", broken)
        assert len(work(notice(key))) == 1
        assert state(chart, ordered)["status"] == "running"
    assert work(notice(key, tries=2)) == []
    assert state(chart, ordered)["status"] == "done"
    second = order(chart)
    key = upload(second, bundle(visit("2026-04-01")))
    with monkeypatch.context() as patch:
        patch.setattr(Intake, "take", broken)
        assert len(work(notice(key, tries=5))) == 1
    failed = state(chart, second)
    assert (failed["status"], failed["error"]) == ("failed", "unavailable")


def test_the_form_bounds_what_may_be_uploaded(chart: Chart) -> None:
    import base64

    form = order(chart)["upload"]
    assert form["fields"]["Content-Type"] == "application/fhir+json"
    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    assert ["content-length-range", 1, 50 * 1024 * 1024] in policy["conditions"]
    assert {"key": form["fields"]["key"]} in policy["conditions"]


def test_imports_of_others_are_not_told(demo: Demo, chart: Chart) -> None:
    ordered = order(chart)
    path = f"{chart.path}/imports/{ordered['import_id']}"
    assert demo.worker("clinician of clinic 2").get(path).status == 403
    assert (
        Chart(demo).doctor.get(f"{Chart(demo).path}/imports/{ordered['import_id']}").status == 404
    )
    assert chart.doctor.get(f"{chart.path}/imports/nothing").status == 404
    assert demo.worker("clinician of clinic 2").post(f"{chart.path}/imports").status == 403


def test_the_test_notice_of_s3_and_foreign_keys_are_ignored(aws: None) -> None:
    event = notice("elsewhere/x")
    assert work(event) == []
    event["Records"][0]["body"] = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})
    assert work(event) == []


def test_413_names_the_imports_route(chart: Chart) -> None:
    for body in (" " * (5 * 1024 * 1024 + 1), bundle(*[{}] * 10_001).decode()):
        answer = chart.send_raw(body)
        assert (answer.status, answer.json["code"]) == (413, "body_too_large")
        assert "/imports" in answer.json["detail"]
