"""The sample sets on the whole system: from a clinic's system to the patient's eyes."""

import pytest

from local import stack
from tests import sets

pytestmark = pytest.mark.skipif(
    not sets.PATHS, reason="the sample sets (../shared/data/dev) are not on this machine"
)


def test_a_summary_goes_in_and_is_read_back_whole(running: stack.Running) -> None:
    report = sets.run(running.base_url, [p for p in sets.PATHS if p.stem == "IPS_IG-bundle-01"])
    assert report.total() == 20


@pytest.mark.long
def test_every_resource_of_both_sets_is_accounted_for() -> None:
    # On a stack of its own: it needs most of the text messages that a registrar has in an hour.
    with stack.start() as running:
        report = sets.run(running.base_url)
    assert report.bundles == 51
