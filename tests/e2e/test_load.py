"""The whole system under load, see tests.load."""

import pytest

from local import stack
from tests import load


@pytest.mark.long
def test_many_at_once_lose_and_double_nothing(running: stack.Running) -> None:
    report = load.run(running.base_url)
    assert report.total() > 500
