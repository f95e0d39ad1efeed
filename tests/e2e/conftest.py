"""The whole system, started once for all end-to-end tests as `make run` starts it."""

from collections.abc import Iterator

import pytest

from local import stack


@pytest.fixture(scope="session")
def running() -> Iterator[stack.Running]:
    """The deployed template behind its front on a free port, with the demo's data."""
    with stack.start() as running:
        yield running
