"""FHIR intake through the real routes: real bundles, re-sends, updates, refusals."""

import gzip
import itertools
import json
import secrets
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kernel import snils
from tests import samples
from tests.gateway import Api
from tests.integration.conftest import Demo
from tests.integration.records_world import visit

Json = dict[str, Any]
needs_synthea = pytest.mark.skipif(
    not samples.SYNTHEA, reason="the Synthea bundles (../shared/data/dev) are not on this machine"
)
_numbers = itertools.count(secrets.randbelow(500_000_000) + 100_000_000)


class Chart:
    """A new patient's card at clinic 1, as its clinician sees it."""

    def __init__(self, demo: Demo, birth_date: str = "1980-05-05") -> None:
        desk = demo.worker("registrar of clinic 1")
        number = f"{next(_numbers):09}"
        self.snils = number + snils.check_digits(number)
        entered = {
            "snils": self.snils,
            "last_name": "Пробный",
            "first_name": "Пётр",
            "birth_date": birth_date,
            "sex": "male",
        }
        patient_id = desk.post("/v1/clinic/patients", entered).json["patient_id"]
        assert desk.put(f"/v1/clinic/patients/{patient_id}/attachment", {}).status == 200
        card = desk.post(f"/v1/clinic/patients/{patient_id}/card")
        assert card.status == 201, card
        document = desk.get("/v1/consents/documents/current").json
        signed = {
            "document_version": document["version"],
            "document_sha256": document["sha256"],
            "signed_on": "2026-11-01",
        }
        consent = desk.post(f"/v1/clinic/patients/{patient_id}/consents", signed)
        assert consent.status == 201, consent
        self.path = f"/v1/clinic/cards/{card.json['card_id']}"
        self.doctor: Api = demo.worker("clinician of clinic 1")
        self._demo = demo

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """A request of the clinician, signed in anew where a test outlives their token."""
        answer = self.doctor.request(method, path, **options)
        if answer.status != 401:
            return answer
        self.doctor = self._demo.worker("clinician of clinic 1")
        return self.doctor.request(method, path, **options)

    def send(self, *resources: Json, kind: str = "collection") -> Any:
        bundle = {
            "resourceType": "Bundle",
            "type": kind,
            "entry": [{"resource": resource} for resource in resources],
        }
        return self.send_raw(json.dumps(bundle))

    def send_raw(self, body: str) -> Any:
        headers = {"Content-Type": "application/fhir+json"}
        return self.ask("POST", f"{self.path}/fhir", raw=body, headers=headers)

    def read(self, section: str) -> list[Json]:
        """Every record of a section, page after page."""
        found: list[Json] = []
        query = "?limit=100"
        while True:
            page = self.ask("GET", f"{self.path}/{section}{query}")
            assert page.status == 200, page
            found += page.json["items"]
            if page.json["next_cursor"] is None:
                return found
            query = f"?limit=100&cursor={page.json['next_cursor']}"

    def everything(self) -> Json:
        """All that the card shows."""
        summary: Json = self.ask("GET", f"{self.path}/summary").json
        return {s: self.read(s) for s in ("visits", "results", "prescriptions")} | summary


@pytest.fixture
def chart(demo: Demo) -> Chart:
    return Chart(demo)


def diagnosis(of: str, code: str = "J06.9", **more: Any) -> Json:
    system = "urn:oid:1.2.643.5.1.13.13.11.1005"
    return {
        "resourceType": "Condition",
        "id": f"diagnosis-{code}",
        "clinicalStatus": {"coding": [{"code": "resolved"}]},
        "code": {"coding": [{"system": system, "code": code}], "text": "ОРВИ"},
        "subject": {"reference": "Patient/me"},
        "encounter": {"reference": f"Encounter/{of}"},
        **more,
    }


def laboratory(value: float, **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": "glucose-1",
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "14771-0"}], "text": "Глюкоза"},
        "subject": {"reference": "Patient/me"},
        "effectiveDateTime": "2026-03-02T08:00:00+03:00",
        "valueQuantity": {"value": value, "unit": "ммоль/л"},
        "referenceRange": [{"low": {"value": 4.1}, "high": {"value": 6.1}}],
        **more,
    }


@needs_synthea
@pytest.mark.parametrize("path", samples.some(samples.SYNTHEA))
def test_a_synthea_patient_goes_in_whole_and_twice_changes_nothing(demo: Demo, path: Path) -> None:
    body = gzip.decompress(path.read_bytes()).decode()
    resources = [entry["resource"] for entry in json.loads(body)["entry"]]
    birth_date = next(r["birthDate"] for r in resources if r["resourceType"] == "Patient")
    chart = Chart(demo, birth_date)
    first = chart.send_raw(body)
    assert first.status == 200, first
    assert first.json["rejected"] == []
    assert first.json["created"] + first.json["kept"] == len(resources)
    shown = chart.everything()
    _assert_all_shown(resources, shown)
    again = chart.send_raw(body)
    assert again.json == {
        "created": 0,
        "updated": 0,
        "unchanged": first.json["created"],
        "kept": first.json["kept"],
        "rejected": [],
    }
    assert chart.everything() == shown


def _assert_all_shown(resources: list[Json], shown: Json) -> None:
    """Count what the sections show against what was sent, kind by kind."""
    sent = Counter(resource["resourceType"] for resource in resources)
    in_reports = {
        reference["reference"]
        for resource in resources
        if resource["resourceType"] == "DiagnosticReport"
        for reference in resource.get("result", [])
    }
    assert len(shown["visits"]) == sent["Encounter"]
    assert sum(len(v["diagnoses"]) for v in shown["visits"]) == sent["Condition"]
    assert len(shown["allergies"]) == sent["AllergyIntolerance"]
    in_plans = {
        reference["reference"]
        for resource in resources
        if resource["resourceType"] == "CarePlan"
        for reference in resource.get("goal", [])
    }
    prescribed = ("MedicationRequest", "CarePlan", "Immunization", "Goal")
    expected = sum(sent[kind] for kind in prescribed) - len(in_plans)
    assert len(shown["prescriptions"]) == expected
    alone = sent["Observation"] - len(in_reports)
    others = sum(sent[kind] for kind in ("DiagnosticReport", "Procedure", "ImagingStudy"))
    assert len(shown["results"]) == alone + others


def test_a_diagnosis_sent_later_joins_its_visit_as_a_new_version(chart: Chart) -> None:
    assert chart.send(visit()).json["created"] == 1
    assert chart.send(diagnosis("visit-2026-03-01")).json["created"] == 1
    (shown,) = chart.read("visits")
    assert [each["code"] for each in shown["diagnoses"]] == ["J06.9"]
    assert shown["version"] == 2


def test_a_diagnosis_that_came_before_its_visit_joins_it(chart: Chart) -> None:
    chart.send(diagnosis("visit-2026-03-01"))
    assert chart.read("visits") == []
    chart.send(visit())
    (shown,) = chart.read("visits")
    assert [each["code"] for each in shown["diagnoses"]] == ["J06.9"]


def test_a_correction_replaces_what_is_shown(chart: Chart) -> None:
    chart.send(laboratory(7.8))
    corrected = chart.send(laboratory(5.2, status="corrected"))
    assert (corrected.json["created"], corrected.json["updated"]) == (0, 1)
    (result,) = chart.read("results")
    assert result["observations"][0]["value"] == 5.2
    assert result["version"] == 2
    one = chart.doctor.get(f"{chart.path}/results/{result['record_id']}")
    assert result.items() <= one.json.items()
    replaced = one.json["replaces"]
    assert (replaced["version"], replaced["changed"]["status"]) == (1, "final")
    assert replaced["changed"]["observations"][0]["value"] == 7.8


def test_entered_in_error_takes_the_record_back(chart: Chart) -> None:
    chart.send(laboratory(7.8))
    chart.send(laboratory(7.8, status="entered-in-error"))
    assert chart.read("results") == []


def test_decimals_stay_as_the_laboratory_wrote_them(chart: Chart) -> None:
    body = json.dumps(laboratory(0)).replace('"value": 0,', '"value": 5.60,')
    assert '"value": 5.60' in body
    assert chart.send_raw(body).json["created"] == 1
    page = chart.doctor.get(f"{chart.path}/results")
    assert '"value":5.60' in page.text


def test_interpretation_is_derived_where_the_range_allows_and_marked(chart: Chart) -> None:
    chart.send(laboratory(7.8))
    (result,) = chart.read("results")
    row = result["observations"][0]
    assert (row["interpretation"], row["interpretation_derived"]) == ("high", True)


@pytest.mark.parametrize(
    "patient",
    [
        {"birthDate": "1980-05-06"},
        {"identifier": [{"system": "urn:oid:1.2.643.100.3", "value": "112-233-445 95"}]},
    ],
)
def test_a_bundle_about_somebody_else_is_refused_whole(chart: Chart, patient: Json) -> None:
    whose = {"resourceType": "Patient", "id": "me", **patient}
    refused = chart.send(whose, visit())
    assert (refused.status, refused.json["code"]) == (422, "wrong_patient")
    assert chart.read("visits") == []


def test_two_patients_in_a_bundle_are_refused_whole(chart: Chart) -> None:
    other = visit("2026-03-05", subject={"reference": "Patient/other"})
    refused = chart.send(visit(), other)
    assert (refused.status, refused.json["code"]) == (422, "wrong_patient")
    assert chart.read("visits") == []


def test_a_bad_resource_is_rejected_by_name_and_the_rest_is_taken(chart: Chart) -> None:
    bad = {k: v for k, v in laboratory(5).items() if k != "code"}
    answer = chart.send(visit(), bad, {"resourceType": "Nonsense"})
    assert answer.json["created"] == 1
    assert [each["index"] for each in answer.json["rejected"]] == [1, 2]
    assert all(each["message"] and each["code"] for each in answer.json["rejected"])
    assert len(chart.read("visits")) == 1


def test_a_transaction_is_all_or_nothing(chart: Chart) -> None:
    bad = {k: v for k, v in laboratory(5).items() if k != "code"}
    answer = chart.send(visit(), bad, kind="transaction")
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert answer.json["errors"][0]["field"].startswith("entry[1]")
    assert chart.read("visits") == []


def test_what_is_no_fhir_is_malformed_and_the_answer_says_where(chart: Chart) -> None:
    for body, field, code in (
        ("", "body", "not_json"),
        ("{", "body", "not_json"),
        ("[]", "body", "not_an_object"),
        ("1", "body", "not_an_object"),
        ("{}", "resourceType", "no_resource_type"),
        ('{"resourceType":"Nothing"}', "resourceType", "unknown_resource_type"),
        ('{"resourceType":"Bundle"}', "type", "unsupported_bundle_type"),
        ('{"resourceType":"Bundle","type":"message"}', "type", "unsupported_bundle_type"),
        ('{"resourceType":"Bundle","type":"batch","entry":{}}', "entry", "invalid_bundle"),
    ):
        answer = chart.send_raw(body)
        assert (answer.status, answer.json["code"]) == (400, "malformed"), body
        (error,) = answer.json["errors"]
        assert (error["field"], error["code"]) == (field, code), body
        assert error["message"]


def test_a_body_above_five_megabytes_is_too_large(chart: Chart) -> None:
    answer = chart.send_raw(" " * (5 * 1024 * 1024 + 1))
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")


def test_filters_find_by_doctor_diagnosis_kind_code_and_period(chart: Chart) -> None:
    chart.send(
        visit("2026-03-01"),
        visit("2026-04-01"),
        diagnosis("visit-2026-04-01", "E11.9"),
        laboratory(5.0),
    )
    path = chart.path

    def dates(query: str) -> list[str]:
        return [v["date"] for v in chart.doctor.get(f"{path}/visits?{query}").json["items"]]

    assert dates("") == ["2026-04-01", "2026-03-01"]
    assert dates("from=2026-03-01&to=2026-03-01") == ["2026-03-01"]
    assert dates("from=2026-03-02") == ["2026-04-01"]
    assert dates("diagnosis=E11.9") == ["2026-04-01"]
    assert dates("diagnosis=e11") == ["2026-04-01"]
    assert dates("diagnosis=J06.9") == []
    results = chart.doctor.get(f"{path}/results?code=14771-0&kind=laboratory").json["items"]
    assert len(results) == 1
    assert chart.doctor.get(f"{path}/results?kind=diagnostic").json["items"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("from=yesterday", "from"),
        ("from=2026-05-01&to=2026-01-01", "from"),
        ("form=2026-01-01", "query"),
        ("limit=5&limit=6", "limit"),
    ],
)
def test_a_wrong_query_names_its_field(chart: Chart, query: str, field: str) -> None:
    answer = chart.doctor.get(f"{chart.path}/visits?{query}")
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert answer.json["errors"][0]["field"] == field


def test_pages_go_on_where_the_last_one_ended_and_cursors_are_bound(chart: Chart) -> None:
    days = [f"2026-01-{day:02}" for day in range(1, 8)]
    chart.send(*(visit(day) for day in days))
    first = chart.doctor.get(f"{chart.path}/visits?limit=3").json
    second = chart.doctor.get(f"{chart.path}/visits?limit=3&cursor={first['next_cursor']}").json
    third = chart.doctor.get(f"{chart.path}/visits?limit=3&cursor={second['next_cursor']}").json
    seen = [v["date"] for page in (first, second, third) for v in page["items"]]
    assert seen == days[::-1]
    assert third["next_cursor"] is None
    cursor = first["next_cursor"]
    changed = cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")
    for path in (
        f"{chart.path}/visits?cursor={changed}",
        f"{chart.path}/results?cursor={cursor}",
        f"{chart.path}/visits?cursor={cursor}&from=2026-01-01",
        f"{chart.path}/visits?cursor=nonsense",
    ):
        answer = chart.doctor.get(path)
        assert (answer.status, answer.json["code"]) == (400, "cursor_invalid"), path


def test_an_unchanged_page_is_not_sent_again(chart: Chart) -> None:
    chart.send(*(visit(f"2026-01-{day:02}") for day in range(1, 6)))
    page = chart.doctor.get(f"{chart.path}/visits?limit=2")
    headers = {"If-None-Match": page.headers["etag"]}
    again = chart.doctor.get(f"{chart.path}/visits?limit=2", headers=headers)
    assert (again.status, again.text) == (304, "")
    chart.send(visit("2026-02-01"))
    assert chart.doctor.get(f"{chart.path}/visits?limit=2", headers=headers).status == 200
