"""A body -> entries, aliases, references, patients; and what is refused."""

import json
from typing import Any

import pytest

from clinic.fhir import errors
from clinic.fhir.bundle import parse
from clinic.fhir.errors import NotFhir
from tests.unit.clinic_fhir.intake import bundle

PATIENT = {"resourceType": "Patient", "id": "p", "birthDate": "1980-02-03"}
SECRET = "Иванов"


def sent(resource: dict[str, Any], **entry: Any) -> dict[str, Any]:
    return {"resource": resource, **entry}


def of(kind: str, *entries: dict[str, Any]) -> bytes:
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": list(entries)}).encode()


def observation(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **more}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b"\xff\xfe", "not_utf8"),
        (b'{"resourceType": "Patient", "name": [{"family": "\\ud800"}]}', "not_json"),
        (b'{"resourceType": "Patient", "id": "a\\u0000"}', "not_json"),
        (b'{"resourceType": "Patient", "resourceType": "Patient"}', "duplicate_key"),
        (b'{"x": {"a": 1, "a": 1}}', "duplicate_key"),
        (b"[" * 1_000_000, "too_deep"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "too_deep"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "number_too_long"),
        (b'{"a": 1e99999}', "number_too_long"),
        (b'{"a": 0.' + b"1" * 5_000 + b"}", "number_too_long"),
        (b"null", "not_an_object"),
        (b'"Patient"', "not_an_object"),
        (b"[]", "not_an_object"),
        (b"{}", "no_resource_type"),
        (b'{"resourceType": 1}', "no_resource_type"),
        (b'{"resourceType": "Kitten"}', "unknown_resource_type"),
        (b'{"resourceType": "Bundle"}', "unsupported_bundle_type"),
        (b'{"resourceType": "Bundle", "type": "message"}', "unsupported_bundle_type"),
        (b'{"resourceType": "Bundle", "type": "history"}', "unsupported_bundle_type"),
        (b'{"resourceType": "Bundle", "type": "batch", "entry": {}}', "invalid_bundle"),
        (b"<Patient xmlns='http://hl7.org/fhir'/>", "not_json"),
    ],
)
def test_a_body_that_is_no_fhir_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(NotFhir) as refused:
        parse(body)
    assert refused.value.code == code


@pytest.mark.parametrize("kind", ["transaction", "batch", "collection", "document", "searchset"])
def test_bundle_types(kind: str) -> None:
    parsed = parse(of(kind, sent(PATIENT)))
    assert (parsed.bundle_type, parsed.transaction) == (kind, kind == "transaction")
    assert (parsed.total, len(parsed.entries)) == (1, 1)


def test_a_single_resource_and_an_empty_bundle() -> None:
    parsed = parse(json.dumps(PATIENT).encode())
    assert (parsed.total, parsed.bundle_type, parsed.entries[0].index) == (1, None, 0)
    assert parse(b'{"resourceType": "Bundle", "type": "batch"}').total == 0
    assert parse(b'\xef\xbb\xbf{"resourceType": "Patient", "active": true}').total == 1


def test_every_entry_is_taken_or_rejected_by_name() -> None:
    parsed = parse(
        of(
            "batch",
            sent(PATIENT),
            sent({"resourceType": "Kitten"}),
            sent({"resourceType": "Measure", "status": "draft"}),
            sent(observation(status="finished")),
            sent(observation(effectiveDateTime="2020-01-01T10:00:00")),
            sent(observation(kitten=True)),
            sent(observation(implicitRules="http://example.org/rules")),
            sent(observation(modifierExtension=[{"url": "http://x", "valueCode": "not"}])),
            sent(observation(valueString="a", valueInteger=1)),
            sent(observation(effectivePeriod={"start": "2020-02-01", "end": "2020-01-01"})),
            sent(observation(subject={"reference": "Group/1"})),
            sent(observation(hasMember=[{"reference": "#none"}])),
            sent(observation(category=[])),
            sent(observation(category={})),
            sent({"resourceType": "Observation", "status": "final"}),
            {"fullUrl": "urn:uuid:x"},
            {"fullUrl": 5, "resource": PATIENT},
            sent(observation(), request={"method": "DELETE", "url": "Observation/1"}),
            sent(observation(id="a"), request={"method": "PUT", "url": "Observation/b"}),
            sent(observation(), request={}),
            sent(PATIENT),
        )[:-2]
        + b", 5]}"
    )
    assert [(r.index, r.code, r.element or r.resource_type) for r in parsed.rejections] == [
        (1, "unknown_type", "Resource"),
        (2, "unsupported_type", "Measure"),
        (3, "unknown_code", "Observation.status"),
        (4, "invalid_value", "Observation.effectiveDateTime"),
        (5, "unknown_element", "Observation"),
        (6, "unknown_modifier", "Observation"),
        (7, "unknown_modifier", "Observation"),
        (8, "choice_repeated", "Observation.value[x]"),
        (9, "dates_reversed", "Observation.effectivePeriod"),
        (10, "not_about_patient", "Observation.subject"),
        (11, "reference_unresolved", "Observation.hasMember"),
        (12, "empty_element", "Observation.category"),
        (13, "wrong_type", "Observation.category"),
        (14, "missing_element", "Observation.code"),
        (15, "missing_resource", None),
        (16, "invalid_value", "Bundle.entry.fullUrl"),
        (17, "unsupported_method", "Observation"),
        (18, "id_mismatch", "Observation"),
        (19, "invalid_entry", "Bundle.entry.request"),
        (20, "duplicate_entry", "Patient"),
        (21, "invalid_entry", "Bundle.entry"),
    ]
    assert parsed.total == 22 == len(parsed.entries) + len(parsed.rejections)
    for rejection in parsed.rejections:
        assert rejection.message == rejection.say("en")
        assert rejection.say("ru") != rejection.message
        assert "{" not in rejection.say("ru") + rejection.message


def test_no_message_echoes_what_was_sent() -> None:
    for resource in (
        {**PATIENT, "birthDate": SECRET},
        {**PATIENT, SECRET: 1},
        {**PATIENT, "gender": SECRET},
        {**PATIENT, "id": SECRET},
        {**PATIENT, "extension": [{"url": "http://x", SECRET: 1}]},
        {"resourceType": SECRET},
    ):
        for rejection in parse(of("batch", sent(resource))).rejections:
            assert SECRET not in f"{rejection} {rejection.say('ru')}"


def test_every_code_has_its_sentences() -> None:
    for code, (english, russian) in errors.MESSAGES.items():
        assert english.endswith("."), code
        assert russian.endswith("."), code


# Aliases and references


def test_aliases_best_first() -> None:
    (entry,) = parse(
        of(
            "transaction",
            sent(
                observation(
                    id="7",
                    identifier=[
                        {"system": "urn:lab", "value": "A-1"},
                        {"system": "urn:lab", "value": "old", "use": "old"},
                        {"type": {"coding": [{"code": "PLAC"}]}, "system": "urn:o", "value": "5"},
                        {"value": "alone"},
                    ],
                ),
                fullUrl="urn:uuid:61EBE359-BFDC-4613-8BF2-C5E300945F0A",
                request={"method": "PUT", "url": "Observation?identifier=urn:mis%7C9"},
            ),
        )
    ).entries
    assert entry.aliases == (
        "Observation|urn:lab|A-1",
        "Observation|urn:mis|9",
        "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a",
        "Observation/7",
    )


def test_a_resource_without_any_name_is_known_by_its_content() -> None:
    one, again = (parse(json.dumps(observation()).encode()).entries[0] for _ in "ab")
    assert one.aliases == again.aliases
    assert one.aliases[0].startswith("hash:Observation:")
    other = parse(json.dumps(observation(valueInteger=1)).encode()).entries[0]
    assert other.aliases != one.aliases


def test_a_name_claimed_twice_in_a_bundle_names_neither() -> None:
    number = [{"system": "urn:lab", "value": "order 5"}]
    parsed = parse(
        json.dumps(
            bundle(observation(id="a", identifier=number), observation(id="b", identifier=number))
        ).encode()
    )
    assert [entry.aliases for entry in parsed.entries] == [("Observation/a",), ("Observation/b",)]


def test_ids_of_two_servers_are_kept_apart() -> None:
    parsed = parse(
        of(
            "collection",
            sent(observation(id="1"), fullUrl="http://a.example/fhir/Observation/1"),
            sent(observation(id="1"), fullUrl="http://b.example/fhir/Observation/1"),
            sent(
                observation(id="2", hasMember=[{"reference": "Observation/1/_history/3"}]),
                fullUrl="http://b.example/fhir/Observation/2",
            ),
        )
    )
    first, second, panel = parsed.entries
    assert first.aliases == ("http://a.example/fhir/Observation/1",)
    assert panel.references == ("http://b.example/fhir/Observation/1", "Observation/1")
    assert panel.references[0] in second.aliases


def test_forms_of_references() -> None:
    (entry,) = parse(
        json.dumps(
            observation(
                subject={"identifier": {"system": "urn:oid:1.2.643.100.3", "value": "112-233"}},
                encounter={"reference": "urn:uuid:61EBE359-BFDC-4613-8BF2-C5E300945F0A"},
                performer=[
                    {"reference": "Practitioner?identifier=http://npi|99"},
                    {"reference": "http://a.example/Organization/4"},
                    {"type": "Practitioner", "identifier": {"system": "urn:d", "value": "8"}},
                    {"display": "Somebody"},
                ],
                hasMember=[{"reference": "#inner"}],
                contained=[observation(id="inner", device={"reference": "Device/9"})],
            )
        ).encode()
    ).entries
    assert set(entry.references) == {
        "Patient|urn:oid:1.2.643.100.3|112233",
        "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a",
        "Practitioner|http://npi|99",
        "http://a.example/Organization/4",
        "Practitioner|urn:d|8",
        "Device/9",
    }


# Whom it is about

SNILS = {"system": "urn:oid:1.2.643.100.3", "value": "112-233-445 95"}


@pytest.mark.parametrize(
    ("identifier", "digits"),
    [
        (SNILS, "11223344595"),
        ({"system": "http://fhir.ru/sid/snils", "value": "11223344595"}, "11223344595"),
        ({"type": {"text": "СНИЛС"}, "system": "urn:x", "value": "112 233 445-95"}, "11223344595"),
        ({"type": {"coding": [{"code": "SS"}]}, "value": "11223344595"}, "11223344595"),
        # Synthea: an American social number is no СНИЛС.
        (
            {
                "type": {"coding": [{"code": "SS"}]},
                "system": "http://hl7.org/fhir/sid/us-ssn",
                "value": "99912345678",
            },
            None,
        ),
        ({"system": "urn:oid:1.2.643.100.3", "value": "112"}, None),
        ({"system": "urn:mrn", "value": "11223344595"}, None),
    ],
)
def test_snils(identifier: dict[str, Any], digits: str | None) -> None:
    parsed = parse(json.dumps({**PATIENT, "identifier": [identifier]}).encode())
    (facts,) = parsed.patients
    assert (facts.snils, facts.birth_date) == (digits, "1980-02-03")


def test_names_and_facts_of_a_refused_patient_count_too() -> None:
    name = [{"family": "Иванов", "given": ["Пётр", "Ильич"]}, {"text": "И. П."}]
    parsed = parse(json.dumps({**PATIENT, "name": name, "gender": "?"}).encode())
    assert not parsed.entries
    assert parsed.patients[0].names == ("Иванов Пётр Ильич", "И. П.")


def test_subjects_are_told_apart_across_the_forms_of_one_reference() -> None:
    parsed = parse(
        of(
            "collection",
            sent(
                {**PATIENT, "identifier": [SNILS]},
                fullUrl="http://a.example/Patient/p",
            ),
            sent(observation(id="1", subject={"reference": "Patient/p"})),
            sent(observation(id="2", subject={"reference": "http://a.example/Patient/p"})),
            sent(observation(id="3", subject={"identifier": SNILS})),
            sent(observation(id="4")),
        )
    )
    assert parsed.subjects == ("Patient|urn:oid:1.2.643.100.3|11223344595",)
    assert [facts.key for facts in parsed.patients] == list(parsed.subjects)


def test_two_patients_are_two_subjects() -> None:
    parsed = parse(
        json.dumps(
            bundle(
                PATIENT,
                {**PATIENT, "id": "q"},
                observation(id="1", subject={"reference": "Patient/p"}),
                observation(id="2", subject={"reference": "Patient/q"}),
            )
        ).encode()
    )
    assert parsed.subjects == ("Patient/p", "Patient/q")


@pytest.mark.parametrize(
    "subject",
    [
        {"identifier": SNILS},
        {"reference": "Patient?identifier=urn:oid:1.2.643.100.3|11223344595"},
        {"reference": "Patient?identifier=http%3A%2F%2Ffhir.ru%2Fsid%2Fsnils%7C112-233-445%2095"},
    ],
)
def test_a_reference_by_snils_tells_whose_it_is(subject: dict[str, Any]) -> None:
    parsed = parse(json.dumps(observation(subject=subject)).encode())
    assert [facts.snils for facts in parsed.patients] == ["11223344595"]
    assert parsed.subjects == (parsed.patients[0].key,)


def test_a_contained_patient_without_an_identifier_gives_facts_but_is_no_second_patient() -> None:
    inner = {"resourceType": "Patient", "id": "x", "birthDate": "1999-01-01"}
    resource = observation(id="o", contained=[inner], subject={"reference": "#x"})
    parsed = parse(of("batch", sent(resource), sent(PATIENT)))
    assert [(facts.key, facts.birth_date) for facts in parsed.patients] == [
        ("Patient/p", "1980-02-03"),
        ("Patient/p", "1999-01-01"),
    ]
