"""Sample data made to be refused: what the portal refuses, what it lets pass (docs/intake.md)."""

import json
import re
from pathlib import Path

import pytest

from clinic.fhir.errors import Invalid, NotFhir
from clinic.fhir.exact_json import dumps, loads
from clinic.fhir.validation import PRIMITIVES, check_resource
from tests.unit.clinic_fhir.intake import Card, data

DOCUMENT = Path(__file__).parents[3] / "docs" / "intake.md"
NAMES = {
    "base64_binary": "base64Binary",
    "date_time": "dateTime",
    "positive_int": "positiveInt",
    "unsigned_int": "unsignedInt",
}


@pytest.mark.parametrize("name", sorted({*PRIMITIVES, "reference"} - {"name"}))
@pytest.mark.parametrize("expected", ["valid", "invalid"])
def test_fhir_primitives(name: str, expected: str) -> None:
    file = {fhir: ours for ours, fhir in NAMES.items()}.get(name, name)
    for line in data(f"edge/fhir-primitives/{file}.{expected}.ndjson").read_bytes().splitlines():
        if not line.strip():
            continue
        try:
            value = loads(line)
        except NotFhir:
            assert expected == "invalid", line
            continue
        if value is None and expected == "valid":
            continue  # stands for "no value" there; in FHIR JSON null is none
        assert _is_valid(name, value) == (expected == "valid"), line


def _is_valid(name: str, value: object) -> bool:
    if name != "reference":
        return PRIMITIVES[name](value) is None
    try:
        check_resource(
            {"resourceType": "Condition", "subject": {"display": "x"}, "encounter": value}
        )
    except Invalid:
        return False
    return True


def _documented() -> dict[str, str]:
    rows = re.findall(r"^\| `([\w./-]+\.\w+)` \| ([^|]+) \|", DOCUMENT.read_text("utf-8"), re.M)
    return {file: outcome.strip() for file, outcome in rows}


def outcome(body: bytes) -> str:
    """`refused: code`, or what became of the entries."""
    card = Card()
    try:
        parsed = card.take(body)
    except NotFhir as problem:
        return f"refused: `{problem.code}`"
    derived = card.derive()
    for draft in derived.drafts:
        json.loads(dumps(draft.body))
    assert parsed.total == len(parsed.entries) + len(parsed.rejections)
    found = [f"`{r.code}` at {r.element or r.resource_type}" for r in parsed.rejections]
    said = ", ".join(dict.fromkeys(found))
    return f"rejected: {said}" if said else "taken"


def test_every_case_of_the_validator_ends_as_documented() -> None:
    root = data("dev/edge-validator-cases")
    documented = _documented()
    found = {}
    for path in sorted(root.rglob("*.*")):
        if path.name.startswith("_") or path.is_dir():
            continue
        found[path.name] = outcome(path.read_bytes())
    xml = {name: how for name, how in found.items() if name.endswith(".xml")}
    assert set(xml.values()) <= {"refused: `not_json`", "refused: `not_utf8`"}
    assert {name: how for name, how in found.items() if name not in xml} == documented


def test_official_examples_are_taken() -> None:
    refused = {}
    for path in sorted(data("dev/r4-official-examples").glob("*.json")):
        if path.name == "_package.json":
            continue
        how = outcome(path.read_bytes())
        if how != "taken":
            refused[path.stem] = how
    assert refused == {
        # A Bundle of a type that is no intake, or of requests to read.
        "Bundle-10bb101f-a121-4264-a920-67be9cb82c74": "refused: `unsupported_bundle_type`",
        "Bundle-bundle-response": "refused: `unsupported_bundle_type`",
        "Bundle-bundle-response-simplesummary": "refused: `unsupported_bundle_type`",
        "Bundle-bundle-request-medsallergies": "rejected: `unsupported_method` at None",
        "Bundle-bundle-request-simplesummary": "rejected: `unsupported_method` at None",
        # About a herd.
        "Observation-herd1": "rejected: `not_about_patient` at Observation.subject",
        "OperationOutcome-101": "rejected: `unsupported_type` at OperationOutcome",
        "OperationOutcome-allok": "rejected: `unsupported_type` at OperationOutcome",
        "OperationOutcome-searchfail": "rejected: `unsupported_type` at OperationOutcome",
        "OperationOutcome-validationfail": "rejected: `unsupported_type` at OperationOutcome",
        "Subscription-example": "rejected: `unsupported_type` at Subscription",
        "Subscription-example-error": "rejected: `unsupported_type` at Subscription",
    }


def test_results_that_share_members_without_measure_are_refused() -> None:
    def observation(number: int, **more: object) -> dict[str, object]:
        code = {"text": "x"}
        return {
            **{"resourceType": "Observation", "id": str(number), "status": "final", "code": code},
            **more,
        }

    members = [{"reference": f"Observation/{i}"} for i in range(1, 400)]
    report = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "r"}}
    result = [{"reference": "Observation/0"}]
    resources = [
        observation(0, hasMember=members),
        *(observation(i) for i in range(1, 400)),
        *({**report, "id": f"r{i}", "result": result} for i in range(300)),
    ]
    card = Card()
    entries = [{"resource": resource} for resource in resources]
    card.take({"resourceType": "Bundle", "type": "batch", "entry": entries})
    with pytest.raises(NotFhir) as refused:
        card.derive()
    assert refused.value.code == "too_tangled"
