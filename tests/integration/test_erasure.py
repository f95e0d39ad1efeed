"""Erasing a card takes along what lies outside of the tables; and how orders are listed."""

import secrets
from collections.abc import Iterator

import boto3
import pytest

from tests.gateway import drain, function
from tests.integration import desk_world
from tests.integration.records_world import OpenCard, laboratory, visit


@pytest.fixture
def card(aws: None) -> OpenCard:
    return OpenCard(desk_world.clinic())


def _objects() -> Iterator[str]:
    for bucket in ("recordsbucket", "extractsbucket"):
        for each in boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", []):
            yield f"{bucket}/{each['Key']}"


def test_extracts_large_records_and_uploads_of_an_erased_card_are_gone(card: OpenCard) -> None:
    drain("ExtractsQueue")  # what others have ordered
    before = set(_objects())
    # Without a pattern: a source is deflated, and goes to the bucket above 150 KB.
    notes = [{"text": secrets.token_urlsafe(900)} for _ in range(300)]
    card.send(visit())
    for value in (5, 6, 7):  # a source keeps its state before, and drops the one before that
        card.send(laboratory(value, note=notes))
    assert notes[-1]["text"] in card.get("results", fhir=True).text
    order = {"kind": "summary", "language": "ru"}
    ordered = card.patient.post(f"/v1/cards/{card.card_id}/extracts", order)
    drain("ExtractsQueue")
    assert card.patient.get(ordered.headers["location"]).json["status"] == "ready"
    path = f"/v1/clinic/cards/{card.card_id}/imports"
    form = card.doctor.post(path)
    assert card.doctor.get(form.headers["location"]).json["import_id"] == form.json["import_id"]
    key = form.json["upload"]["fields"]["key"]
    boto3.client("s3").put_object(Bucket="recordsbucket", Key=key, Body=b"{}")
    made = set(_objects()) - before
    places = {name.rpartition("/")[0].split("/")[1] for name in made}
    assert places == {"payloads", "imports", "extracts"}, made
    ground = {"order": "№ 14", "by": "Оператор"}
    done = function("clinic.erasure.handler")({"card_id": card.card_id, **ground}, None)
    assert done["objects"] == sum("/extracts/" not in name for name in made)
    assert not set(_objects()) & made
    assert card.patient.get(ordered.headers["location"]).json["status"] == "revoked"


def test_extracts_go_on_by_cursor_and_a_refused_order_leaves_its_key_free(card: OpenCard) -> None:
    path, key = f"/v1/cards/{card.card_id}/extracts", {"Idempotency-Key": "put right"}
    order = {"kind": "summary", "language": "ru"}
    none = {"kind": "visit", "language": "ru", "record_ids": ["unknown"]}
    assert card.patient.post(path, none, headers=key).status == 422
    made = [card.patient.post(path, order, headers=key), card.patient.post(path, order)]
    assert [each.status for each in made] == [202, 202]
    first = card.patient.get("/v1/extracts?limit=1").json
    second = card.patient.get(f"/v1/extracts?limit=1&cursor={first['next_cursor']}").json
    listed = {each["extract_id"] for each in (*first["items"], *second["items"])}
    assert listed == {each.json["extract_id"] for each in made}
    assert second["next_cursor"] is None
