"""Least privilege for real: what each function called against what its role grants.

`make test` runs the suite in two processes and this file last, alone: it judges what both left
(tests/privileges.py), so that no call is outside of a role and no grant is unused in the whole run.
In a run of some tests it judges the calls of its own process, and asks nothing of what was unused.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import privileges, template
from tests.privileges import Call

FUNCTIONS = sorted(template.resources("AWS::Serverless::Function"))
# Whoever needs no more than a session's item has no business with logins and credentials.
IDENTITY = {"AuthFunction", "BootstrapFunction", "ClinicFunction"}
# Lambda itself puts there what a stream's consumer gave up.
NOT_BY_A_FUNCTION = {("sqs:SendMessage", "JournalDeadLetters")}
RUN = privileges.whole_run()
TESTS = Path(__file__).parents[1]


def test_the_whole_suite_was_run() -> None:
    """What no process ran has called nothing, and its grants would look unused."""
    if RUN is None:
        pytest.skip("only some tests are run: `make test` judges the whole")
    files = {p.name for part in ("unit", "integration") for p in (TESTS / part).rglob("test_*.py")}
    assert not files - RUN.ran, "in neither part of `make test`"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_call_of_a_function_is_granted_to_it(name: str) -> None:
    grants = list(privileges.grants(name))
    refused = {
        call
        for call in _called(privileges.calls if RUN is None else RUN.calls, name)
        if not any(privileges.allows(grant, call) for grant in grants)
    }
    assert not refused, "\n".join(f"{action} on {place}" for action, place in sorted(refused))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_grant_of_a_function_is_unused(name: str) -> None:
    if RUN is None:
        pytest.skip("only some tests are run: `make test` judges the whole")
    calls = _called(RUN.calls, name)
    unused = {
        (action, place)
        for action, place, excluding in privileges.grants(name)
        if not any(privileges.allows((action, place, excluding), call) for call in calls)
    } - NOT_BY_A_FUNCTION
    assert not unused, "\n".join(f"{action} on {place}" for action, place in sorted(unused))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_grant_has_a_wildcard_beyond_the_keys_of_one_prefix(name: str) -> None:
    for action, place, excluding in privileges.grants(name):
        assert "*" not in action
        assert excluding or "*" not in place.removesuffix("/*"), place
        assert excluding or place != "*"


def test_credentials_are_out_of_reach_for_all_who_need_only_the_session() -> None:
    reaching = {
        name
        for name in FUNCTIONS
        for _, place, _ in privileges.grants(name)
        if place.partition("/")[0] in ("IdentityTable", "IdentityKey")
    }
    assert reaching <= IDENTITY


def test_what_a_store_must_offer_is_listed_and_nothing_more() -> None:
    table = (
        (TESTS.parent / "docs" / "storage.md").read_text("utf-8").partition("## What is proven")[0]
    )
    rows = [line for line in table.splitlines() if line.startswith("|")]
    listed = {token for row in rows for token in re.findall(r"`([^`]+)`", row)}
    listed -= {"CancellationReasons"}  # explains a row
    used = privileges.features if RUN is None else RUN.features
    assert not used - listed, "used and not listed in docs/storage.md"
    if RUN is not None:
        assert not listed - used, "listed in docs/storage.md and not used"


def _called(calls: Mapping[str, set[Call]], name: str) -> set[Call]:
    handler = str(template.resources("AWS::Serverless::Function")[name]["Handler"])
    return calls.get(handler, set())
