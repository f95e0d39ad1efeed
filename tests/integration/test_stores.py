"""Everything that the repositories ask of DynamoDB, on each store that says it is compatible.

The same calls, of `kernel.dynamo` on the template's tables, on moto, on the local platform's own
store and on Amazon's DynamoDB Local. docs/storage.md lists what a store must offer.
"""

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from kernel import aws as clients
from kernel import dynamo
from kernel.dynamo import ConditionFailed, Lookup
from kernel.errors import Unavailable
from local.deploy import CREDENTIALS, REGION
from tests import conftest, stores, template

# Two tables of the template that have nothing but their keys, one with each kind of index, and the
# one with a stream.
PLAIN, OTHER = "ConsentsTable", "AccountsTable"
LOCAL_INDEX, GLOBAL_INDEX, STREAM = "RecordsTable", "RegistryTable", "JournalTable"


@pytest.fixture(scope="module", params=["moto", *stores.OTHERS])
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    """A store with the template's tables, behind `kernel.dynamo`."""
    name = request.param
    if why := stores.missing(name):
        pytest.skip(why)
    if name == "moto":
        request.getfixturevalue("aws")
        yield name
        return
    with pytest.MonkeyPatch.context() as patch, stores.running(name) as endpoint:
        for service in ("DYNAMODB", "DYNAMODB_STREAMS"):
            patch.setenv(f"AWS_ENDPOINT_URL_{service}", endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS[0])
        patch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS[1])
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        clients.forget_clients()
        boto3.setup_default_session()
        conftest.create_tables(boto3.client("dynamodb"))
        yield name
        clients.forget_clients()
        boto3.setup_default_session()


@pytest.fixture
def pk(store: str) -> str:
    """A partition that nobody else uses."""
    return f"TEST#{secrets.token_hex(8)}"


def keys(items: list[dict[str, Any]]) -> list[str]:
    return [item["sk"] for item in items]


def test_every_type_comes_back_as_it_went(pk: str) -> None:
    name = "Ёж, «кавычки» 🫀"
    item = {
        "pk": pk,
        "sk": name,
        "text": "Щёлково\n",
        "empty": "",
        "number": 10**30 + 1,
        "negative": -7,
        "yes": True,
        "no": False,
        "nothing": None,
        "bytes": bytes(range(256)),
        "set": {"а", "b"},
        "list": [1, "два", [None, {"x": b"\x00"}]],
        "map": {"глубже": {"ещё": [True]}, "пусто": {}},
    }
    dynamo.put(PLAIN, item)
    assert dynamo.get(PLAIN, {"pk": pk, "sk": name}) == item
    assert dynamo.query(PLAIN, "pk = :pk", {":pk": pk}).items == [item]


def test_a_condition_that_is_lost_tells_what_stood_there(pk: str) -> None:
    first = {"pk": pk, "sk": "a", "state": "open", "sealed": b"\x01\xff"}
    dynamo.put(PLAIN, first, condition="attribute_not_exists(pk)")
    with pytest.raises(ConditionFailed) as lost:
        dynamo.put(PLAIN, {"pk": pk, "sk": "a"}, condition="attribute_not_exists(pk)")
    assert lost.value.old == first
    with pytest.raises(ConditionFailed) as lost:
        dynamo.update(
            PLAIN,
            {"pk": pk, "sk": "a"},
            "SET #state = :closed",
            {":closed": "closed", ":other": "waiting"},
            condition="#state = :other OR attribute_not_exists(sealed)",
            names={"#state": "state"},
        )
    assert lost.value.old == first
    with pytest.raises(ConditionFailed) as lost:
        dynamo.update(PLAIN, {"pk": pk, "sk": "b"}, "SET x = :x", {":x": 1}, condition="x < :x")
    assert lost.value.old is None
    with pytest.raises(ConditionFailed) as lost:
        dynamo.delete(PLAIN, {"pk": pk, "sk": "a"}, condition="sealed = :s", values={":s": b""})
    assert lost.value.old == first
    assert keys(dynamo.query(PLAIN, "pk = :pk", {":pk": pk}).items) == ["a"]
    dynamo.delete(PLAIN, {"pk": pk, "sk": "a"}, condition="sealed = :s", values={":s": b"\x01\xff"})
    assert dynamo.query(PLAIN, "pk = :pk", {":pk": pk}).items == []


def test_an_update_counts_adds_and_removes(pk: str) -> None:
    key = {"pk": pk, "sk": "counter"}
    made = dynamo.update(PLAIN, key, "SET n = if_not_exists(n, :none) + :one, seen = :now",
                         {":none": 0, ":one": 1, ":now": 5})  # fmt: skip
    assert made == {**key, "n": 1, "seen": 5}
    after = dynamo.update(
        PLAIN,
        key,
        "SET n = n - :one, tags = :tags REMOVE seen",
        {":one": 1, ":tags": {"x"}, ":least": 1, ":most": 9},
        condition="n >= :least AND seen <= :most AND (attribute_exists(seen) OR n <> :one)",
    )
    assert after == {**key, "n": 0, "tags": {"x"}}


def test_sets_and_lists_grow_and_shrink(pk: str) -> None:
    key = {"pk": pk, "sk": "sets"}
    dynamo.update(PLAIN, key, "ADD marks :two", {":two": {"a", "b"}})
    with pytest.raises(ConditionFailed):
        dynamo.update(
            PLAIN, key, "ADD marks :c", {":c": {"c"}, ":most": 2}, condition="size(marks) < :most"
        )
    after = dynamo.update(
        PLAIN,
        key,
        "SET told = list_append(if_not_exists(told, :none), :one) DELETE marks :a",
        {":a": {"a"}, ":none": [], ":one": [{"role": "x"}], ":b": "b", ":gone": "gone"},
        condition="contains(marks, :b) AND NOT contains(marks, :gone) AND NOT :b IN (:gone)",
    )
    assert after == {**key, "marks": {"b"}, "told": [{"role": "x"}]}
    last = dynamo.update(PLAIN, key, "DELETE marks :b", {":b": {"b"}})
    assert last == {**key, "told": [{"role": "x"}]}  # a set that is empty is not there


def test_a_transaction_is_all_or_nothing_over_tables(pk: str) -> None:
    there = {"pk": pk, "sk": "there", "n": 1}
    dynamo.put(PLAIN, there)
    dynamo.put(OTHER, {"pk": pk, "sk": "old"})
    new = {"pk": pk, "sk": "new"}
    actions = [
        {"Put": dynamo.put_request(PLAIN, new, "attribute_not_exists(pk)")},
        {
            "Update": dynamo.update_request(
                PLAIN, {"pk": pk, "sk": "there"}, "SET n = :n", {":n": 2}
            )
        },
        {"Delete": dynamo.delete_request(OTHER, {"pk": pk, "sk": "old"})},
    ]

    def checked(n: int) -> dict[str, Any]:
        place = {"pk": pk, "sk": "checked"}
        return {"ConditionCheck": dynamo.check_request(OTHER, place, "n = :n", {":n": n})}

    dynamo.put(OTHER, {"pk": pk, "sk": "checked", "n": 7})
    with pytest.raises(ConditionFailed) as lost:
        dynamo.transact(*actions, checked(8))
    assert lost.value.olds == [None, None, None, {"pk": pk, "sk": "checked", "n": 7}]
    assert dynamo.query(PLAIN, "pk = :pk", {":pk": pk}).items == [there]
    assert keys(dynamo.query(OTHER, "pk = :pk", {":pk": pk}).items) == ["checked", "old"]

    dynamo.transact(*actions, checked(7))
    assert dynamo.query(PLAIN, "pk = :pk", {":pk": pk}).items == [new, {**there, "n": 2}]
    assert keys(dynamo.query(OTHER, "pk = :pk", {":pk": pk}).items) == ["checked"]

    with pytest.raises(ConditionFailed) as lost:
        dynamo.transact(*actions)
    assert lost.value.old == new


def test_a_transaction_holds_a_hundred_actions(pk: str) -> None:
    puts = [
        {"Put": dynamo.put_request(PLAIN, {"pk": pk, "sk": f"{n:03}"}, "attribute_not_exists(pk)")}
        for n in range(100)
    ]
    dynamo.transact(*puts)
    assert keys(dynamo.query_all(PLAIN, "pk = :pk", {":pk": pk})) == [f"{n:03}" for n in range(100)]


def test_pages_go_both_ways_and_lose_nothing(pk: str) -> None:
    names = [f"VISIT#{n:03}" for n in range(45)] + ["ZZZ"]
    dynamo.batch_put(PLAIN, [{"pk": pk, "sk": name, "n": len(name), "x": "y"} for name in names])
    begins = "pk = :pk AND begins_with(sk, :visit)"
    for forward in (True, False):
        found: list[str] = []
        start = None
        sizes = []
        while True:
            page = dynamo.query(
                PLAIN, begins, {":pk": pk, ":visit": "VISIT#"},
                limit=20, forward=forward, start=start,
            )  # fmt: skip
            found += keys(page.items)
            sizes.append(len(page.items))
            if (start := page.next_key) is None:
                break
        assert found == sorted(names[:45], reverse=not forward)
        assert sizes == [20, 20, 5]
    between = dynamo.query(
        PLAIN, "pk = :pk AND sk BETWEEN :from AND :to",
        {":pk": pk, ":from": "VISIT#010", ":to": "VISIT#012"}, projection="sk, #n",
        names={"#n": "n"},
    )  # fmt: skip
    assert between.items == [{"sk": f"VISIT#{n:03}", "n": 9} for n in (10, 11, 12)]
    later = dynamo.query(PLAIN, "pk = :pk AND sk > :after", {":pk": pk, ":after": "VISIT#043"})
    assert keys(later.items) == ["VISIT#044", "ZZZ"]


def test_a_filter_leaves_out_after_the_limit(pk: str) -> None:
    dynamo.batch_put(
        PLAIN,
        [{"pk": pk, "sk": f"{n}", "odd": n % 2, "tags": {f"t{n}", "all"}} for n in range(6)],
    )
    values = {":pk": pk, ":one": 1, ":tag": "all"}
    page = dynamo.query(
        PLAIN, "pk = :pk", values, limit=4, filter="odd = :one AND contains(tags, :tag)"
    )
    assert keys(page.items) == ["1", "3"]
    assert page.next_key == {"pk": pk, "sk": "3"}


def test_a_page_ends_at_a_megabyte(pk: str) -> None:
    for n in range(8):
        dynamo.put(PLAIN, {"pk": pk, "sk": f"{n}", "body": secrets.token_bytes(150_000)})
    first = dynamo.query(PLAIN, "pk = :pk", {":pk": pk})
    assert 0 < len(first.items) < 8
    assert first.next_key is not None
    assert len(dynamo.query_all(PLAIN, "pk = :pk", {":pk": pk})) == 8


def test_an_item_too_large_is_refused_and_not_cut(pk: str) -> None:
    with pytest.raises(Unavailable):
        dynamo.put(PLAIN, {"pk": pk, "sk": "a", "body": bytes(401 * 1024)})
    assert dynamo.get(PLAIN, {"pk": pk, "sk": "a"}) is None


def test_a_local_index_is_read_at_once_and_consistently(pk: str) -> None:
    for n in range(3):
        item = {"pk": pk, "sk": f"VISIT#{n}", "record_id": f"r{n}", "body": b"x"}
        dynamo.put(LOCAL_INDEX, item)
        page = dynamo.query(
            LOCAL_INDEX, "pk = :pk AND record_id = :id", {":pk": pk, ":id": f"r{n}"},
            index="by_record",
        )  # fmt: skip
        assert page.items == [item]
    dynamo.put(LOCAL_INDEX, {"pk": pk, "sk": "HEAD"})  # without the attribute: not in the index
    all_of_it = dynamo.query(LOCAL_INDEX, "pk = :pk", {":pk": pk}, index="by_record").items
    assert [item["record_id"] for item in all_of_it] == ["r0", "r1", "r2"]


def test_a_global_index_has_what_has_its_keys_and_goes_on_by_page(pk: str) -> None:
    for n in range(5):
        item = {"pk": f"{pk}{n}", "sk": "CLINIC", "listing_pk": pk, "listing_sk": f"{n}"}
        dynamo.put(GLOBAL_INDEX, item)
    dynamo.put(GLOBAL_INDEX, {"pk": f"{pk}5", "sk": "CLINIC"})

    def listed() -> list[str]:
        found: list[str] = []
        start = None
        while True:
            page = dynamo.query(
                GLOBAL_INDEX, "listing_pk = :pk", {":pk": pk},
                index="listing", limit=2, start=start, consistent=False,
            )  # fmt: skip
            found += [item["listing_sk"] for item in page.items]
            if (start := page.next_key) is None:
                return found

    deadline = time.monotonic() + 30  # it follows the table, in its own time
    while listed() != ["0", "1", "2", "3", "4"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    dynamo.delete(GLOBAL_INDEX, {"pk": f"{pk}0", "sk": "CLINIC"})
    while listed() != ["1", "2", "3", "4"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_batches_reach_over_tables_and_hundreds(pk: str) -> None:
    dynamo.batch_put(PLAIN, [{"pk": pk, "sk": f"{n:03}", "b": b"\x00"} for n in range(110)])
    dynamo.put(OTHER, {"pk": pk, "sk": "other"})
    wanted = [Lookup(PLAIN, pk, f"{n:03}") for n in range(120)] + [Lookup(OTHER, pk, "other")]
    found = dynamo.batch_get(wanted)
    assert set(found) == {*wanted[:110], wanted[-1]}
    assert found[wanted[0]] == {"pk": pk, "sk": "000", "b": b"\x00"}


def test_of_many_at_once_one_wins(pk: str) -> None:
    def claim(n: int) -> bool:
        try:
            dynamo.put(PLAIN, {"pk": pk, "sk": "a", "n": n}, condition="attribute_not_exists(pk)")
        except ConditionFailed:
            return False
        return True

    def count(_: int) -> None:
        values = {":none": 0, ":one": 1}
        dynamo.update(
            PLAIN, {"pk": pk, "sk": "n"}, "SET n = if_not_exists(n, :none) + :one", values
        )

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(16))) == 1
        list(pool.map(count, range(16)))
    counted = dynamo.get(PLAIN, {"pk": pk, "sk": "n"})
    assert counted is not None
    assert counted["n"] == 16


def test_what_an_expression_names_and_nobody_gives_is_refused(store: str, pk: str) -> None:
    if store == "moto":
        pytest.skip("moto breaks here instead of refusing")
    for condition, values in (
        ("n = :given AND n = :other", {":given": 1}),
        ("attribute_not_exists(#n)", None),
        ("n = :given", {":given": 1, ":unused": 1}),
    ):
        with pytest.raises(Unavailable):
            dynamo.put(PLAIN, {"pk": pk, "sk": "a"}, condition=condition, values=values)
    assert dynamo.get(PLAIN, {"pk": pk, "sk": "a"}) is None


def test_a_table_expires_by_the_attribute_that_the_template_names(store: str) -> None:
    named = template.resources("AWS::DynamoDB::Table")[PLAIN]["TimeToLiveSpecification"]
    client = boto3.client("dynamodb")
    client.update_time_to_live(TableName=PLAIN, TimeToLiveSpecification=named)
    told = client.describe_time_to_live(TableName=PLAIN)["TimeToLiveDescription"]
    assert told["AttributeName"] == named["AttributeName"] == "expires_at"
    assert told["TimeToLiveStatus"] in ("ENABLED", "ENABLING")


def test_the_stream_tells_each_change_with_both_images_in_order(pk: str) -> None:
    key = {"pk": pk, "sk": "ENTRY#1"}
    dynamo.put(STREAM, {**key, "n": 1})
    dynamo.update(STREAM, key, "SET n = :n", {":n": 2})
    dynamo.delete(STREAM, key)
    arn = boto3.client("dynamodb").describe_table(TableName=STREAM)["Table"]["LatestStreamArn"]
    streams = boto3.client("dynamodbstreams")
    deadline = time.monotonic() + 30
    while True:
        told = []
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            iterator = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:
                page = streams.get_records(ShardIterator=iterator, Limit=1000)
                told += [r for r in page["Records"] if r["dynamodb"]["Keys"]["pk"]["S"] == pk]
                iterator = page.get("NextShardIterator") if page["Records"] else None
        if len(told) == 3:
            break
        assert time.monotonic() < deadline, told
        time.sleep(0.2)
    assert [record["eventName"] for record in told] == ["INSERT", "MODIFY", "REMOVE"]
    numbers = [
        tuple(record["dynamodb"].get(image, {}).get("n", {}).get("N")
              for image in ("OldImage", "NewImage"))
        for record in told
    ]  # fmt: skip
    assert numbers == [(None, "1"), ("1", "2"), ("2", None)]
