"""The whole system, started once for all end-to-end tests as `make run` starts it."""

from collections.abc import Iterator

import pytest

from infra import ops
from local import stack
from local.deploy import CREDENTIALS, REGION


@pytest.fixture(scope="session")
def running() -> Iterator[stack.Running]:
    """The deployed template behind its front on a free port, with the demo's data."""
    with stack.start() as running:
        yield running


@pytest.fixture
def cloud(running: stack.Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[ops.Stack]:
    """The running stack, and in the environment what leads `./medkarta ops` there."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.deployed.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS[1])
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    found = ops.Stack(stack.local_settings(running.base_url).stack)
    yield found
    found.close()
