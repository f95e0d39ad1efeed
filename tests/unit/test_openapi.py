"""docs/openapi.json is current, valid, and holds what the contract says of the routes there are.

The contract is read from ../shared/API.md, where the team keeps it; the tests that need it skip
where it is not found.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from local import openapi

CONTRACT = Path(__file__).parents[3] / "shared" / "API.md"
needs_contract = pytest.mark.skipif(
    not CONTRACT.exists(), reason="the contract (../shared/API.md) is not on this machine"
)
# «The same reads as the patient's (summary, visits, results, series, prescriptions)».
CLINICIANS_READS = (
    "summary",
    "visits",
    "visits/{}",
    "results",
    "results/{}",
    "results/series",
    "prescriptions",
    "prescriptions/{}",
)
# Routes that the contract does not name (docs/decisions.md).
BEYOND = {
    "GET /v1/clinic/release-rules",
    "PUT /v1/clinic/release-rules",
    "POST /v1/clinic/cards/{}/results/{}/seen",
}
# Routes of the contract that are not built yet. The README lists them too.
LATER: set[str] = set()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(openapi.DOCUMENT.read_text("utf-8"))
    return loaded


def test_the_committed_document_is_current(aws: None) -> None:
    assert openapi.DOCUMENT.read_text("utf-8") == openapi.text(), "run `make openapi`"


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


@needs_contract
def test_every_route_of_the_contract_is_there_or_named_as_later(document: dict[str, Any]) -> None:
    built = {
        f"{method.upper()} {_bare(path)}"
        for path, operations in document["paths"].items()
        for method in operations
    }
    contract = {route for row in _rows() for route in _routes(row[0])}
    assert len(contract) > 80, "the contract's tables were not read"
    contract.remove("GET /v1/clinic/cards/{}/…")
    contract |= {f"GET /v1/clinic/cards/{{}}/{read}" for read in CLINICIANS_READS}
    assert contract - built == LATER - built
    assert not LATER & built, "built already: take it out of LATER"
    assert built - contract == BEYOND, "not in the contract: is that meant?"


@needs_contract
def test_every_code_of_the_contract_can_be_answered() -> None:
    from kernel.api import CODE_STATUSES

    section = CONTRACT.read_text("utf-8").partition("## Codes\n")[2].partition("\n\n")[0]
    for part in section.split("·"):
        status = int(re.match(r"\s*(\d{3})", part).group(1))  # type: ignore[union-attr]
        for code in re.findall(r"`([a-z_]+)`", part):
            assert CODE_STATUSES[code] == status, code


@needs_contract
def test_every_field_that_the_contract_shows_is_in_the_document(document: dict[str, Any]) -> None:
    missing = []
    for routes, text in _rows():
        known: set[str] = set()
        operations = list(_operations(document, _routes(routes)))
        for operation in operations:
            known |= _names(document, operation)
        if operations:
            missing += [f"{routes}: {name}" for name in _fields(text) - known]
    assert missing == []


KEYS = {
    "a key": True,
    "Zm9v+/=": True,
    "~": True,
    "x" * 255: True,
    "x" * 256: False,
    "": False,
    " ": False,
    "ключ": False,
    "\u00a0x": False,
    "a\tb": False,
    "x\x7f": False,
    "x\n": False,
}


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_an_idempotency_key_is_what_the_document_says(document: dict[str, Any], key: str) -> None:
    from kernel.errors import ValidationFailed
    from kernel.idempotency import key_of

    schema = document["components"]["parameters"]["Idempotency-Key"]["schema"]
    try:
        taken = key_of({"idempotency-key": key.strip(" ")}) is not None  # HTTP strips blanks
    except ValidationFailed:
        taken = False
    assert taken == KEYS[key]
    declared = len(key) <= schema["maxLength"] and re.fullmatch(schema["pattern"], key)
    assert bool(declared) == KEYS[key]


def _rows() -> Iterator[tuple[str, str]]:
    """The rows of the contract's tables whose first column names routes."""
    for line in CONTRACT.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and re.search(r"`(?:GET|POST|PUT|DELETE)\b", cells[0]):
            yield cells[0], "|".join(cells[1:])


def _routes(cell: str) -> Iterator[str]:
    """`GET /v1/a` · `…/b` · `POST` of a first column, written out with `{}` for parameters."""
    methods: list[str] = []
    path, complete = "", True
    for quoted in re.findall(r"`([^`]+)`", cell):
        method, given = re.match(r"(GET|POST|PUT|DELETE)?\s*(\S+)?", quoted).groups()  # type: ignore[union-attr]
        if method:
            methods = [method] if complete else [*methods, method]
        complete = given is not None  # `PUT` · `DELETE /v1/…`: one path for both
        if given is None:
            continue
        path = given if given.startswith(("/v1", "/.well")) else _relative(path, given)
        for each in methods:
            yield f"{each} {_bare(path)}"


def _relative(path: str, given: str) -> str:
    """Lay `…/b/c` over a path: from where `b` stands in it, else over its last parts."""
    parts = path.strip("/").split("/")
    tail = given.removeprefix("…").strip("/").split("/")
    if tail[0].startswith("{"):
        kept = parts
    elif tail[0] in parts:
        kept = parts[: len(parts) - 1 - parts[::-1].index(tail[0])]
    else:
        kept = parts[: -len(tail)]
    return "/" + "/".join([*kept, *tail])


def _bare(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path.partition("?")[0])


def _operations(document: dict[str, Any], routes: Iterator[str]) -> Iterator[dict[str, Any]]:
    wanted = set(routes)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if f"{method.upper()} {_bare(path)}" in wanted:
                yield operation


def _fields(text: str) -> set[str]:
    """The field names inside the braces of a row."""
    names: set[str] = set()
    for braced in re.findall(r"`(\{[^`]*\}[^`]*)`", text):
        # A quoted text after a colon or a bar is a value, else a name.
        plain = re.sub(r'[:|]\s*"[^"]*"', " ", braced)
        names |= set(re.findall(r"[a-z][a-z0-9_]+", plain)) - {"true", "false", "null", "bool"}
    return names


def _names(document: dict[str, Any], node: Any, seen: frozenset[str] = frozenset()) -> set[str]:
    """Every property and parameter name that an operation can show."""
    names: set[str] = set()
    if isinstance(node, dict):
        if "$ref" in node and node["$ref"] not in seen:
            target: Any = document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            names |= _names(document, target, seen | {node["$ref"]})
        names |= set(node.get("properties", {}))
        if "in" in node and "name" in node:
            names.add(node["name"])
        names |= {value for value in node.get("enum", []) if isinstance(value, str)}
        for value in node.values():
            names |= _names(document, value, seen)
    elif isinstance(node, list):
        for value in node:
            names |= _names(document, value, seen)
    return names
