"""What the gateway answers itself, and what stands beside it on this machine."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest

from local import stack
from local.deploy import CREDENTIALS, REGION


@pytest.fixture
def http(running: stack.Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.base_url, timeout=30, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("method", ["GET", "PATCH", "TRACE"])
def test_what_the_template_does_not_name_is_not_found(http: httpx.Client, method: str) -> None:
    answer = http.request(method, "/v1/nowhere")

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["code"] == "not_found"
    assert answer.json()["request_id"] == answer.headers["x-amzn-requestid"]


def test_a_method_that_a_path_does_not_have_is_told_with_those_that_it_has(
    http: httpx.Client,
) -> None:
    answer = http.delete("/v1/services")

    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"
    assert answer.headers["allow"] == "GET"
    assert http.put("/v1/cards/any/visits/one").headers["allow"] == "GET"
    # Beside it is a resource with a parameter in its place, and a method of its own.
    assert http.get("/v1/auth/passkeys/options").headers["allow"] == "POST"


# pragma: allowlist nextline secret (it has no signature and opens nothing)
@pytest.mark.parametrize("token", [None, "nonsense", "eyJhbGciOiJub25lIn0.e30."])
def test_a_closed_route_wants_a_token(http: httpx.Client, token: str | None) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = http.get("/v1/auth/account", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("megabytes", [7, 11])  # above Lambda's limit, above the gateway's
def test_too_large_a_body_is_refused(http: httpx.Client, megabytes: int) -> None:
    answer = http.post("/v1/auth/login", content=b" " * (megabytes * 1024 * 1024))

    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


def test_a_public_route_needs_no_token(http: httpx.Client) -> None:
    answer = http.get("/v1/services")

    assert answer.status_code == 200
    assert answer.json()["items"]


def test_health(http: httpx.Client) -> None:
    assert http.get("/_local/health").json() == {"status": "ok"}


def test_the_api_can_be_tried_offline(http: httpx.Client) -> None:
    page = http.get("/_local/docs")
    script = http.get("/_local/assets/javascripts/swagger-ui-bundle.js")

    assert "swagger-ui-bundle.js" in page.text
    assert "https://" not in page.text
    assert script.status_code == 200
    assert http.get("/_local/openapi.json").json()["openapi"].startswith("3.1")


def test_the_demo_tells_its_accounts(http: httpx.Client, running: stack.Running) -> None:
    demo = http.get("/_local/demo").json()

    assert demo["api"] == running.base_url
    assert all(account["login"] and account["password"] for account in demo["accounts"])


def test_text_messages_are_found_by_number_and_newest_first(http: httpx.Client) -> None:
    everything = http.get("/_local/outbox").json()
    number = everything[0]["to"]
    encoded = http.get("/_local/outbox", params={"to": number}).json()
    as_typed = http.get(f"/_local/outbox?to={number}").json()

    assert encoded == as_typed == [one for one in everything if one["to"] == number]
    assert [one["sent_at"] for one in everything] == sorted(
        (one["sent_at"] for one in everything), reverse=True
    )
    assert http.get("/_local/outbox?to=+70000000000").json() == []


def test_what_a_stream_holds_outlives_a_restart(tmp_path: Path) -> None:
    for run in range(2):
        with stack._platform(tmp_path, keep=True) as endpoint:
            session = boto3.Session(*CREDENTIALS, region_name=REGION)
            tables = session.client("dynamodb", endpoint_url=endpoint)
            streams = session.client("dynamodbstreams", endpoint_url=endpoint)
            if run == 0:
                tables.create_table(
                    TableName="rows",
                    AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                    KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                    BillingMode="PAY_PER_REQUEST",
                    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
                )
            tables.put_item(TableName="rows", Item={"pk": {"S": f"row {run}"}})
            arn = streams.list_streams(TableName="rows")["Streams"][0]["StreamArn"]
            shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]
            begin = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            records = streams.get_records(ShardIterator=begin)["Records"]

    rows = [record["dynamodb"]["NewImage"]["pk"]["S"] for record in records]
    assert rows == ["row 0", "row 1"]
