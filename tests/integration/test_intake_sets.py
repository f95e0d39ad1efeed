"""Real and hostile sets through the route: every resource accounted for, nothing breaks."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from clinic.fhir import bundle as parsing
from clinic.fhir.errors import NotFhir
from clinic.fhir.exact_json import loads
from clinic.fhir.mapping import derive
from clinic.fhir.resource_types import KEPT_REASONS, TREATMENTS
from tests import samples
from tests.integration.conftest import Demo
from tests.integration.test_intake import Chart

Json = dict[str, Any]
CASES = samples.DATA / "dev" / "edge-validator-cases"
EXAMPLES = samples.DATA / "dev" / "r4-official-examples"
PRIMITIVES = samples.DATA / "edge" / "fhir-primitives"
pytestmark = pytest.mark.skipif(
    not samples.DATA.exists(), reason="the sample data (../shared/data) are not on this machine"
)


def born(body: bytes) -> str | None:
    """The birth date that a body gives, so that it is sent into the card of that person."""
    try:
        parsed = parsing.parse(body)
    except NotFhir:
        return None
    found = (facts.birth_date for facts in parsed.patients)
    day = next((d for d in found if d and len(d) == 10), None)
    return day if day and "1900" < day < "2026" else None


def check(answer: Any, total: int) -> None:
    """No 5xx; the numbers add up; each rejection names its resource and its reason."""
    assert answer.status in (200, 400, 422), answer
    if answer.status != 200:
        assert answer.json["code"] in ("malformed", "wrong_patient", "validation_failed")
        assert answer.json["errors"], answer
        assert all(each["code"] and each["message"] for each in answer.json["errors"])
        return
    counted = sum(answer.json[name] for name in ("created", "updated", "unchanged", "kept"))
    assert counted + len(answer.json["rejected"]) == total
    for each in answer.json["rejected"]:
        assert each["code"]
        assert each["message"]
        assert each.get("resource_type") or each["code"] in (
            "unknown_type",
            "missing_resource",
            "invalid_entry",
            "unsupported_method",
        )


def fates(body: bytes) -> tuple[Counter[str], int]:
    """What must become of each resource: shown, kept with a reason, or rejected with one."""
    parsed = parsing.parse(body)
    sources = {entry.aliases[0]: entry for entry in parsed.entries}
    names = {alias: key for key, entry in sources.items() for alias in entry.aliases}
    derived = derive(sources, resolve=names.get, record_id=lambda root: root)
    found: Counter[str] = Counter(f"rejected: {r.code}" for r in parsed.rejections)
    for key, entry in sources.items():
        reason = derived.kept.get(key)
        assert (reason is None) == (key in derived.placed)
        assert reason in (None, TREATMENTS[entry.resource_type].why, *KEPT_REASONS)
        found["shown" if reason is None else f"kept: {reason}"] += 1
    sections = len(derived.drafts)
    return found, sections


def shown(chart: Chart) -> int:
    """How many records the card shows."""
    everything = chart.everything()
    listed = sum(len(everything[s]) for s in ("visits", "results", "prescriptions"))
    summary = len(everything["allergies"]) + len(everything["chronic_conditions"])
    return listed + summary


@pytest.mark.parametrize("path", samples.some(samples.IPS))
def test_a_patient_summary_is_accounted_for_resource_by_resource(demo: Demo, path: Path) -> None:
    body = path.read_bytes()
    chart = Chart(demo, born(body) or "1980-05-05")
    first = chart.send_raw(body.decode("utf-8-sig"))
    parsed = parsing.parse(body)
    check(first, parsed.total)
    if first.status != 200:
        assert path.stem in ("CY_194315", "CY_Andreas_Ioannou_01")  # several patients
        assert first.json["code"] == "wrong_patient"
        assert shown(chart) == 0
        return
    expected, _ = fates(body)
    kept = sum(n for fate, n in expected.items() if fate.startswith("kept"))
    assert first.json["created"] == expected["shown"]
    assert first.json["kept"] == kept
    rejected = Counter(f"rejected: {r['code']}" for r in first.json["rejected"])
    assert rejected == Counter({f: n for f, n in expected.items() if f.startswith("rejected")})
    seen = chart.everything()
    again = chart.send_raw(body.decode("utf-8-sig"))
    assert again.json == {
        **first.json,
        "created": 0,
        "unchanged": first.json["created"],
    }
    assert chart.everything() == seen


def head(chart: Chart) -> tuple[Mapping[str, int], str | None]:
    """How many records a card shows, and when that changed last."""
    from kernel import dynamo
    from kernel.identity import CardId
    from kernel.records import Head

    place = Head.lookup("RecordsTable", CardId(chart.path.rpartition("/")[2]))
    found = Head.from_item(dynamo.get(place.table, {"pk": place.pk, "sk": place.sk}))
    return found.counts, found.updated_at


# Taken, rejected in part, refused whole, not UTF-8; the unit tests judge all of them.
A_FEW_CASES = (
    "ai4.json",
    "bundle-document-versioned-references-bad.json",
    "care-plan.json",
    "json-comma-bad-1.json",
    "mni-patientOverview-bundle-example1.json",
    "synthea.json",
    "uk-msg.json",
    "xhtml-ctrl-mixed-lang.xml",
)


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)])
def test_the_validators_cases_break_nothing(demo: Demo, every: bool) -> None:
    charts: dict[str, Chart] = {}
    for path in sorted(CASES.rglob("*.*")):
        if path.name.startswith("_") or path.is_dir():
            continue
        if not every and path.name not in A_FEW_CASES:
            continue
        body = path.read_bytes()
        try:
            text = body.decode()
        except UnicodeDecodeError:
            text = body.decode("utf-16", errors="replace")
        day = born(body) or "1980-05-05"
        if day not in charts:
            charts[day] = Chart(demo, day)
        before = head(charts[day])
        answer = charts[day].send_raw(text)
        check(answer, _total(body))
        if answer.status != 200:
            assert head(charts[day]) == before, path.name
            continue
        after = head(charts[day])
        again = charts[day].send_raw(text)
        assert (again.json["created"], again.json["updated"]) == (0, 0), path.name
        assert again.json["rejected"] == answer.json["rejected"]
        assert head(charts[day])[0] == after[0], path.name


def _total(body: bytes) -> int:
    try:
        return parsing.parse(body).total
    except NotFhir:
        return 0


def _examples() -> tuple[list[Json], list[bytes]]:
    """The official examples: those about Peter Chalmers or nobody, and the others as they are."""
    together: list[Json] = []
    alone: list[bytes] = []
    for path in sorted(EXAMPLES.glob("*.json")):
        if path.name.startswith("_"):
            continue
        body = path.read_bytes()
        resource = json.loads(body)
        about = (resource.get("subject") or resource.get("patient") or {}).get("reference")
        single = resource["resourceType"] in ("Bundle", "Patient") or "contained" in resource
        if single or about not in (None, "Patient/example"):
            alone.append(body)
        else:
            together.append(resource)
    return together, alone


def test_the_official_examples_go_in_as_one_card_and_twice_change_nothing(demo: Demo) -> None:
    chart = Chart(demo, "1974-12-25")
    together, _ = _examples()
    assert len(together) > 100
    first = chart.send(*together)
    check(first, len(together))
    assert first.status == 200, first
    seen = chart.everything()
    assert len(seen["results"]) == 26
    assert len(seen["visits"]) == 2
    again = chart.send(*together)
    assert (again.json["created"], again.json["updated"]) == (0, 0)
    assert again.json["rejected"] == first.json["rejected"]
    assert chart.everything() == seen


@pytest.mark.long
def test_official_examples_about_others_break_nothing(demo: Demo) -> None:
    chart = Chart(demo, "1974-12-25")
    for body in _examples()[1]:
        check(chart.send_raw(body.decode()), _total(body))


ELEMENTS: dict[str, Json] = {
    "base64_binary": {"resourceType": "Binary", "contentType": "text/plain", "data": ...},
    "boolean": {"resourceType": "MedicationRequest", "doNotPerform": ...},
    "canonical": {"resourceType": "Goal", "instantiatesCanonical": [...]},
    "code": {"resourceType": "Observation", "language": ...},
    "date": {"resourceType": "Goal", "startDate": ...},
    "date_time": {"resourceType": "Observation", "effectiveDateTime": ...},
    "decimal": {"resourceType": "Observation", "valueQuantity": {"value": ...}},
    "id": {"resourceType": "Observation", "id": ...},
    "instant": {"resourceType": "Observation", "issued": ...},
    "integer": {"resourceType": "Observation", "valueInteger": ...},
    "markdown": {"resourceType": "Observation", "note": [{"text": ...}]},
    "oid": {"resourceType": "Observation", "identifier": [{"system": ...}]},
    "positive_int": {"resourceType": "Encounter", "diagnosis": [{"rank": ...}]},
    "reference": {"resourceType": "Observation", "encounter": ...},
    "string": {"resourceType": "Observation", "valueString": ...},
    "time": {"resourceType": "Observation", "valueTime": ...},
    "unsigned_int": {"resourceType": "ImagingStudy", "numberOfSeries": ...},
    "uri": {"resourceType": "Observation", "code": {"coding": [{"system": ...}]}},
    "url": {"resourceType": "Observation", "implicitRules": ...},
    "uuid": {"resourceType": "Observation", "identifier": [{"system": ...}]},
    "xhtml": {"resourceType": "Observation", "text": {"status": "generated", "div": ...}},
}


def _lines(name: str, expected: str) -> Iterator[bytes]:
    for line in (PRIMITIVES / f"{name}.{expected}.ndjson").read_bytes().splitlines():
        if line.strip():
            yield line


def _resource(template: Json, number: int) -> str:
    """The template with its hole as text, and what its type requires."""
    required: Json = {
        "Observation": {"status": "final", "code": {"text": "проба"}},
        "MedicationRequest": {"status": "active", "intent": "order", "subject": {"display": "x"}},
        "Goal": {
            "lifecycleStatus": "active",
            "description": {"text": "x"},
            "subject": {"display": "x"},
        },
        "Encounter": {"status": "finished", "class": {"code": "AMB"}},
        "ImagingStudy": {"status": "available", "subject": {"display": "x"}},
        "Binary": {},
    }
    whole = {"id": f"n{number}", **required[template["resourceType"]], **template}
    return json.dumps(whole, default=lambda _: "HOLE")


def _bodies(name: str, expected: str) -> Iterator[tuple[bytes, str]]:
    """Each value of a primitive as it was given, and a resource with it."""
    first = 0 if expected == "valid" else 10_000  # in one Bundle they have ids of their own
    for number, line in enumerate(_lines(name, expected), first):
        value = line.decode(errors="surrogateescape").encode("utf-8", "replace").decode()
        yield line, _resource(ELEMENTS[name], number).replace('"HOLE"', value)


STRICT = ("date", "date_time", "instant", "time", "boolean")


@pytest.mark.parametrize("name", ELEMENTS)
def test_primitives_of_every_kind_break_nothing(demo: Demo, name: str) -> None:
    """All values that are JSON, as one Bundle; the unit tests judge each of them."""
    taken: list[str] = []
    refused: list[str] = []
    for expected in ("valid", "invalid"):
        for _, body in _bodies(name, expected):
            try:
                parsing.parse(body.encode())
            except NotFhir:
                refused.append(body)
            else:
                taken.append(f'{{"resource":{body}}}')
    chart = _shared(demo)
    answer = chart.send_raw(
        f'{{"resourceType":"Bundle","type":"batch","entry":[{",".join(taken)}]}}'
    )
    assert answer.status == 200, answer
    check(answer, len(taken))
    for body in refused[:1]:
        assert chart.send_raw(body).status == 400


@pytest.mark.long
@pytest.mark.parametrize("name", ELEMENTS)
def test_primitives_one_by_one_break_nothing(demo: Demo, name: str) -> None:
    chart = _shared(demo)
    for expected in ("valid", "invalid"):
        for line, body in _bodies(name, expected):
            answer = chart.send_raw(body)
            assert answer.status in (200, 400, 422), (line, answer)
            if answer.status == 200:
                check(answer, 1)
            if expected == "invalid" and name in STRICT:
                assert answer.status == 400 or answer.json["rejected"], line


_charts: dict[int, Chart] = {}


def _shared(demo: Demo) -> Chart:
    if id(demo) not in _charts:
        _charts[id(demo)] = Chart(demo)
    return _charts[id(demo)]


def test_bodies_that_only_do_harm_are_refused(demo: Demo) -> None:
    chart = _shared(demo)
    deep = '{"resourceType":"Observation","a":' + "[" * 5000 + "]" * 5000 + "}"
    long = '{"resourceType":"Observation","valueInteger":' + "9" * 100_000 + "}"
    for body in (deep, long, '{"a":1,"a":2}', "\x00", '{"resourceType":"Bundle","type":"x"}'):
        answer = chart.send_raw(body)
        assert (answer.status, answer.json["code"]) == (400, "malformed")
        assert answer.json["errors"][0]["message"]


def test_numbers_beyond_ieee_stay_as_they_are(demo: Demo) -> None:
    chart = Chart(demo)
    digits = "0.1234567890123456789012345678901234567890"
    body = _resource(ELEMENTS["decimal"], 1).replace('"HOLE"', digits)
    assert chart.send_raw(body).json["created"] == 1
    assert digits in chart.doctor.get(f"{chart.path}/results").text
    assert loads(digits.encode())
