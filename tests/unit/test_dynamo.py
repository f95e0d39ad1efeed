"""DynamoDB's items as plain values: what was put comes back, by every way of reading."""

from base64 import b64encode
from typing import Any

import pytest

from kernel import aws as clients
from kernel import dynamo

TABLE = "RecordsTable"
KEY = {"pk": "test_dynamo", "sk": "1"}
ITEM = {
    **KEY,
    "record_id": "r1",
    "bytes": bytes(range(256)),
    "inside": {"list": [b"\x00\xff", "ё", 7, None, True, {"deep": b""}]},
    "set": {"а", "б"},
    "negative": -12,
}


def test_what_was_put_comes_back_by_every_way_of_reading(aws: None) -> None:
    dynamo.put(TABLE, ITEM)
    place = dynamo.Lookup(TABLE, KEY["pk"], KEY["sk"])
    assert dynamo.get(TABLE, KEY) == ITEM
    assert dynamo.batch_get([place]) == {place: ITEM}
    assert dynamo.query(TABLE, "pk = :pk", {":pk": KEY["pk"]}).items == [ITEM]
    changed = dynamo.update(TABLE, KEY, "SET more = :more", {":more": b"\x01"})
    assert changed == {**ITEM, "more": b"\x01"}
    # A refusal is parsed by botocore, and tells the same.
    with pytest.raises(dynamo.ConditionFailed) as lost:
        dynamo.put(TABLE, ITEM, condition="attribute_not_exists(pk)")
    assert lost.value.old == changed
    put = dynamo.put_request(TABLE, ITEM, "attribute_not_exists(pk)")
    with pytest.raises(dynamo.ConditionFailed) as lost:
        dynamo.transact({"Put": put})
    assert lost.value.old == changed


def test_what_was_left_unprocessed_is_put_as_it_was(aws: None) -> None:
    binary = b64encode(ITEM["bytes"]).decode()  # type: ignore[arg-type]  # bytes, as above
    key = {"pk": {"S": KEY["pk"]}, "sk": {"S": "left over"}}
    left = {TABLE: [{"PutRequest": {"Item": {**key, "bytes": {"B": binary}}}}]}
    answers: list[Any] = [left, {}]

    def leave(parsed: dict[str, Any], **_: Any) -> None:
        parsed["UnprocessedItems"] = answers.pop(0)

    events = clients.dynamodb().meta.events
    events.register("after-call.dynamodb.BatchWriteItem", leave)
    try:
        dynamo.batch_put(TABLE, [ITEM])
    finally:
        events.unregister("after-call.dynamodb.BatchWriteItem", leave)
    found = dynamo.get(TABLE, {"pk": KEY["pk"], "sk": "left over"})
    assert found is not None
    assert (found["bytes"], answers) == (ITEM["bytes"], [])
