"""Queries: what is read, what is refused and how, and that pydantic has no part in it."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from kernel.errors import ValidationFailed
from kernel.query import Day, OneOf, Paging, Parameter, Query, Text, Whole, optional
from tests import template

FUNCTIONS = Path(__file__).parents[2] / "functions"
# Functions that take no bodies, judge them otherwise, or import their models when one comes.
LEAN = (
    "records.handler",
    "catalogue.handler",
    "consent.handler",
    "extracts.handler",
    "extracts.worker",
    "auth.authorizer",
    "auth.messenger",
    "auth.bootstrap",
    "clinic.intake_handler",
    "clinic.import_worker",
    "clinic.erasure",
    "extracts.sweeper",
    "journal.linker",
    "journal.checkpoints",
)
# Imports them all, and has two answer what needs nobody signed in.
WITHOUT_PYDANTIC = """
import sys
sys.modules["pydantic"] = sys.modules["pydantic_core"] = None  # whoever imports it fails
from importlib import import_module
found = {name: import_module(name) for name in sys.argv[1:]}

def get(package, route, **query):
    return found[package + ".handler"].app({
        "httpMethod": "GET",
        "resource": route,
        "headers": {},
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()},
        "requestContext": {"requestId": "r"},
    }, None)["statusCode"]

assert get("catalogue", "/v1/help", q="a", limit="5") == 200
assert get("catalogue", "/v1/help", q="a" * 101) == 422
assert get("records", "/v1/cards") == 401
for route in found["records.handler"].app.routes.values():
    if route.query is not None:
        assert route.query.read({name: ["1"] for name in route.query.parameters if name == "code"})
"""


class Visits(Paging):
    code = Parameter(Text(1, 3))
    from_ = optional(Day(), name="from")
    kind = optional(OneOf("a", "b", "c"))
    region = optional(Text(pattern=r"^[A-Z]{2}$"))
    version = optional(Whole(1, 9))


def test_what_is_given_is_read_and_the_rest_is_as_declared() -> None:
    given = {"code": ["я"], "from": ["2026-02-28"], "kind": ["b"], "region": ["RU"], "limit": ["7"]}
    query = Visits.read(given)
    assert (query.code, query.from_, query.kind) == ("я", date(2026, 2, 28), "b")
    assert (query.region, query.limit, query.version, query.cursor) == ("RU", 7, None, None)
    assert query.values() == {
        "limit": 7,
        "code": "я",
        "from": date(2026, 2, 28),
        "kind": "b",
        "region": "RU",
    }
    assert Visits.read({"code": ["x"]}).values() == {"limit": 20, "code": "x"}


def test_a_query_adds_to_its_base_and_leaves_it_alone() -> None:
    assert list(Visits.parameters)[:3] == ["limit", "cursor", "code"]
    assert list(Paging.parameters) == ["limit", "cursor"]
    assert not Query.parameters


@pytest.mark.parametrize(
    ("name", "value", "code", "params"),
    [
        ("code", "", "string_too_short", {"min_length": 1}),
        ("code", "abcd", "string_too_long", {"max_length": 3}),
        ("code", "\ud800", "string_type", {}),
        ("region", "RUS", "pattern", {}),
        ("region", "RU\n", "pattern", {}),
        ("from", "2026-02-30", "date", {}),
        ("from", "20260228", "date", {}),
        ("from", "2026-02-28T00:00:00Z", "date", {}),
        ("kind", "A", "enum", {"expected": "'a', 'b' or 'c'"}),
        ("limit", "0", "greater_than_equal", {"ge": 1}),
        ("limit", "101", "less_than_equal", {"le": 100}),
        *(("limit", value, "int_type", {}) for value in ("", "1_0", "+1", " 1", "1.0", "٣", "-1")),
        ("version", "9" * 5_000, "int_type", {}),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: str, code: str, params: object) -> None:
    with pytest.raises(ValidationFailed) as refused:
        Visits.read({"code": ["x"], name: [value]})
    (problem,) = refused.value.problems
    assert (problem.field, problem.code, problem.params) == (name, code, params)


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({}, [("code", "missing")]),
        ({"code": ["x", "x"]}, [("code", "value")]),
        ({"code": ["x"], "Mark": ["1", "2"]}, [("query", "value")]),
        ({"code": ["x"], "Mark": ["1"], "from_": ["2"]}, [("query", "extra_forbidden")] * 2),
        (
            {"Mark": ["1"], "limit": ["x"], "from": [""]},
            [
                ("limit", "int_type"),
                ("code", "missing"),
                ("from", "date"),
                ("query", "extra_forbidden"),
            ],
        ),
    ],
)
def test_all_that_is_wrong_is_told_and_no_name_echoed(
    given: dict[str, list[str]], problems: list[tuple[str, str]]
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        Visits.read(given)
    assert [(each.field, each.code) for each in refused.value.problems] == problems


def test_what_takes_no_bodies_runs_without_pydantic() -> None:
    done = _started(WITHOUT_PYDANTIC, *LEAN)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("kind", "imported"), [("on-demand", "False"), ("snap-start", "True")])
def test_models_of_bodies_come_into_a_snapshot_and_into_no_other_start(
    kind: str, imported: str
) -> None:
    code = "import sys, consent.handler; print('consent.models' in sys.modules)"
    done = _started(code, AWS_LAMBDA_INITIALIZATION_TYPE=kind)
    assert done.stdout.split() == [imported], done.stderr


def _started(code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`code`, run by a Python of its own with the functions and all their settings."""
    needed = {**dict.fromkeys(template.environment(), "1"), "LOG_LEVEL": "INFO"}
    environment = {"PATH": os.defpath, "PYTHONPATH": str(FUNCTIONS), **needed}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment | {"AWS_DEFAULT_REGION": "eu-central-1"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
