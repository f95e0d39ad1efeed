"""Real bundles: every entry is shown in a section, kept with a reason, or rejected by name."""

import gzip
import json
import time
from collections import Counter

from clinic.fhir.exact_json import dumps
from clinic.fhir.resource_types import KEPT_REASONS, TREATMENTS
from tests.unit.clinic_fhir.intake import Card, data

MUST_BE_SHOWN = {
    "Condition": 146,
    "AllergyIntolerance": 57,
    "Encounter": 473,
    "Observation": 2529,
    "DiagnosticReport": 133,
    "MedicationRequest": 132,
    "CarePlan": 54,
    "Immunization": 340,
    "Procedure": 275,
}


def test_the_24_synthea_patients_are_shown_entry_by_entry() -> None:
    shown: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    sections: Counter[tuple[str, str]] = Counter()
    files = sorted(data("dev/synthea-2019-r4").glob("*.json.gz"))
    assert len(files) == 24
    for path in files:
        card = Card()
        parsed = card.take(gzip.decompress(path.read_bytes()))
        assert not parsed.rejections
        assert parsed.transaction
        assert len(parsed.subjects) == len(parsed.patients) == 1
        derived = card.derive()
        for key, entry in card.sources.items():
            if key in derived.placed:
                shown[entry.resource_type] += 1
            else:
                kept[f"{entry.resource_type} {derived.kept[key]}"] += 1
        for draft in derived.drafts:
            sections[draft.section, card.sources[draft.root].resource_type] += 1
            assert "\u200b" not in dumps(draft.body)
    assert dict(shown) == {**MUST_BE_SHOWN, "Goal": 28, "ImagingStudy": 11}
    assert dict(kept) == {
        "Patient identity": 24,
        "Practitioner names": 37,
        "Organization names": 37,
        "Claim financial": 605,
        "ExplanationOfBenefit financial": 473,
    }
    assert sections["visits", "Encounter"] == 473
    assert sections["results", "DiagnosticReport"] == 133
    assert sections["results", "Procedure"] == 275
    assert sections["prescriptions", "MedicationRequest"] == 132
    assert sections["prescriptions", "CarePlan"] == 54
    assert sections["prescriptions", "Immunization"] == 340
    assert sections["summary", "AllergyIntolerance"] == 57


def test_the_largest_bundle_takes_less_than_a_second() -> None:
    bodies = [
        gzip.decompress(path.read_bytes()) for path in data("dev/synthea-2019-r4").glob("*.json.gz")
    ]
    started = time.process_time()
    card = Card()
    card.take(max(bodies, key=len))
    card.derive()
    assert time.process_time() - started < 1


def test_sent_again_it_is_the_same() -> None:
    path = min(data("dev/synthea-2019-r4").glob("*.json.gz"))
    card = Card()
    card.take(gzip.decompress(path.read_bytes()))
    sources, first = dict(card.sources), card.derive()
    card.take(gzip.decompress(path.read_bytes()))
    assert card.sources == sources
    assert card.derive() == first


def test_the_27_summaries_are_accounted_for() -> None:
    rejected = {}
    several = set()
    for path in sorted(data("dev/ips-r4").glob("*.json")):
        card = Card()
        parsed = card.take(path.read_bytes())
        if parsed.rejections:
            rejected[path.stem] = [f"{r.code} {r.element}" for r in parsed.rejections]
        if len(parsed.subjects) > 1:
            several.add(path.stem)
        derived = card.derive()
        for key, entry in card.sources.items():
            assert (key in derived.placed) != (key in derived.kept)
            reason = derived.kept.get(key)
            assert reason in (None, TREATMENTS[entry.resource_type].why, *KEPT_REASONS)
        for draft in derived.drafts:
            json.loads(dumps(draft.body))
    assert rejected == {
        "AR_Repository_Example_01": [
            "wrong_type Patient.active",
            "unknown_element Medication.ingredient[0]",
            "unknown_element Immunization",
        ]
    }
    # These are about two and about ten patients, so the service refuses them whole.
    assert several == {"CY_194315", "CY_Andreas_Ioannou_01"}
