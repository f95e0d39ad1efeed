"""Least privilege for real: what each function called in this run against what its role grants.

conftest lets these tests run last. That no call is outside of a role holds for any run; that no
grant is unused can only be said of the whole suite in one process, and is asked for by
`MEDKARTA_GRANTS=1 make test ARGS=tests`: the roles have not been trimmed to its answer yet.
"""

import os

import pytest

from tests import privileges, template

FUNCTIONS = sorted(template.resources("AWS::Serverless::Function"))
# Whoever needs no more than a session's item has no business with logins and credentials.
IDENTITY = {"AuthFunction", "BootstrapFunction", "ClinicFunction"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_call_of_a_function_is_granted_to_it(aws: None, name: str) -> None:
    grants = list(privileges.grants(name))
    refused = {
        call
        for call in privileges.calls[_handler(name)]
        if not any(privileges.allows(grant, call) for grant in grants)
    }
    assert not refused, "\n".join(f"{action} on {place}" for action, place in sorted(refused))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_grant_of_a_function_is_unused(
    aws: None, name: str, request: pytest.FixtureRequest
) -> None:
    if "MEDKARTA_GRANTS" not in os.environ:
        pytest.skip("asked for by MEDKARTA_GRANTS=1")
    if missing := request.config.stash.get(template.NOT_RUN, None):
        pytest.skip(f"only a part of the suite ran: {missing}")
    calls = privileges.calls[_handler(name)]
    unused = {
        (action, place)
        for action, place, excluding in privileges.grants(name)
        if not any(privileges.allows((action, place, excluding), call) for call in calls)
        # Lambda itself puts there what a stream's consumer gave up.
        and (action, place) != ("sqs:SendMessage", "JournalDeadLetters")
    }
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


def _handler(name: str) -> str:
    return str(template.resources("AWS::Serverless::Function")[name]["Handler"])
