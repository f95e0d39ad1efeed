"""What tests/quick_moto.py leaves out of moto changes nothing that a caller sees."""

import os
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.integration.desk_world import new_phone


@pytest.fixture
def table(aws: None) -> str:
    return os.environ["RECORDS_TABLE"]


def _all(table: str) -> list[dict[str, Any]]:
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    items = [item for page in pages for item in page["Items"]]
    return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


def test_a_transaction_that_fails_leaves_everything_as_it_was(table: str) -> None:
    client = boto3.client("dynamodb")
    pk = {"S": f"QUICK#{new_phone()}"}
    for sk in ("changed", "deleted", "untouched"):
        client.put_item(TableName=table, Item={"pk": pk, "sk": {"S": sk}, "n": {"N": "1"}})
    before = _all(table)
    changes: list[Any] = [
        {"Put": {"TableName": table, "Item": {"pk": pk, "sk": {"S": "new"}}}},
        {"Put": {"TableName": table, "Item": {"pk": {"S": f"{pk['S']}#2"}, "sk": {"S": "new"}}}},
        {"Delete": {"TableName": table, "Key": {"pk": pk, "sk": {"S": "deleted"}}}},
        {
            "Update": {
                "TableName": table,
                "Key": {"pk": pk, "sk": {"S": "changed"}},
                "UpdateExpression": "SET n = n + :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
            }
        },
    ]
    failing: Any = {
        "ConditionCheck": {
            "TableName": table,
            "Key": {"pk": pk, "sk": {"S": "nowhere"}},
            "ConditionExpression": "attribute_exists(pk)",
        }
    }
    with pytest.raises(ClientError, match="TransactionCanceled"):
        client.transact_write_items(TransactItems=[*changes, failing])
    assert _all(table) == before
    client.transact_write_items(TransactItems=changes)
    mine = [item for item in _all(table) if item["pk"]["S"].startswith(pk["S"])]
    assert [(item["sk"]["S"], item.get("n")) for item in mine] == [
        ("changed", {"N": "2"}),
        ("new", None),
        ("untouched", {"N": "1"}),
        ("new", None),
    ]


def test_every_type_of_attribute_comes_back(table: str) -> None:
    client = boto3.client("dynamodb")
    item: dict[str, Any] = {
        "pk": {"S": f"QUICK#{new_phone()}"},
        "sk": {"S": "types"},
        "n": {"N": "-1.5"},
        "b": {"B": b"\x00\xff"},
        "bs": {"BS": [b"\x00", b"\xff"]},
        "ss": {"SS": ["a", "b"]},
        "ns": {"NS": ["1", "2"]},
        "yes": {"BOOL": False},
        "null": {"NULL": True},
        "m": {"M": {"inner": {"L": [{"B": b"\x01"}, {"M": {}}, {"S": ""}]}}},
    }
    client.put_item(TableName=table, Item=item)
    key = {"pk": item["pk"], "sk": item["sk"]}
    (read,) = client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk AND sk = :sk",
        ExpressionAttributeValues={":pk": key["pk"], ":sk": key["sk"]},
    )["Items"]
    assert read == client.get_item(TableName=table, Key=key)["Item"] == item


def test_a_query_finds_what_has_its_key_in_order(table: str) -> None:
    client = boto3.client("dynamodb")
    pk, other = f"QUICK#{new_phone()}", f"QUICK#{new_phone()}"
    for key, sk in ((pk, "3"), (other, "1"), (pk, "1"), (pk, "2")):
        listed = {"listing_pk": {"S": pk}, "listing_sk": {"S": sk}} if sk != "3" else {}
        item: Any = {"pk": {"S": key}, "sk": {"S": sk}, **listed}
        client.put_item(TableName=os.environ["REGISTRY_TABLE"], Item=item)

    def found(key: str, **options: Any) -> list[tuple[str, str]]:
        pages = client.get_paginator("query").paginate(
            TableName=os.environ["REGISTRY_TABLE"],
            KeyConditionExpression=f"{key} = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            PaginationConfig={"PageSize": 2},
            **options,
        )
        return [(i["pk"]["S"], i["sk"]["S"]) for page in pages for i in page["Items"]]

    assert found("pk") == [(pk, "1"), (pk, "2"), (pk, "3")]
    assert found("pk", ScanIndexForward=False) == [(pk, "3"), (pk, "2"), (pk, "1")]
    assert found("listing_pk", IndexName="listing") == [
        *sorted([(pk, "1"), (other, "1")]),
        (pk, "2"),
    ]
