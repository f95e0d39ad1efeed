"""Clients are made by the first request, or before a snapshot where Lambda takes one."""

from collections.abc import Iterator

import pytest

from kernel import aws


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("ACCOUNTS_TABLE", "accounts")
    monkeypatch.setenv("RECORDS_BUCKET", "records")
    aws.forget_clients()
    yield
    aws.forget_clients()


def test_no_client_is_made_at_a_cold_start() -> None:
    aws.prime()
    assert aws._client.cache_info().currsize == 0


def test_before_a_snapshot_the_clients_of_the_functions_settings_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    aws.prime()
    made = aws._client.cache_info().currsize
    assert made >= 2
    aws.dynamodb(), aws.s3()
    assert aws._client.cache_info().currsize == made
