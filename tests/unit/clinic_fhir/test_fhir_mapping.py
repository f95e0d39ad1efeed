"""Resources -> records, as a Russian clinic sends them."""

from decimal import Decimal
from typing import Any

import pytest

from clinic.fhir.exact_json import dumps, loads
from clinic.fhir.observations import read_group_text
from tests.unit.clinic_fhir.intake import Card, body, bundle, drafts, record_id

ICD = "urn:oid:1.2.643.5.1.13.13.11.1005"
LOINC = "http://loinc.org"
CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"


def concept(text: str | None = None, code: str | None = None, system: str = LOINC) -> Any:
    coding = [{"system": system, "code": code}] if code else None
    return {k: v for k, v in (("text", text), ("coding", coding)) if v}


def state(code: str) -> Any:
    return concept(None, code, "http://terminology.hl7.org/CodeSystem/condition-clinical")


def visit(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": "v",
        "status": "finished",
        "class": {"code": "AMB"},
        "type": [{"text": "Приём врача-терапевта"}],
        "period": {"start": "2026-03-01T00:30:00+03:00", "end": "2026-03-01T01:00:00+03:00"},
        **more,
    }


def condition(text: str = "Гипертензивная болезнь", code: str = "I11.9", **more: Any) -> Any:
    return {
        "resourceType": "Condition",
        "id": code,
        "subject": {"reference": "Patient/p"},
        "clinicalStatus": state("active"),
        "code": {
            "text": text,
            "coding": [
                {"system": "http://snomed.info/sct", "code": "1"},
                {"system": ICD, "code": code},
            ],
        },
        **more,
    }


def observation(name: str = "Глюкоза", **more: Any) -> dict[str, Any]:
    return {
        **{"resourceType": "Observation", "id": "o", "status": "final"},
        **{"code": concept(name, "2345-7"), "effectiveDateTime": "2026-03-01"},
        **more,
    }


AT_VISIT: dict[str, Any] = {"encounter": {"reference": "Encounter/v"}}


def test_a_visit_with_all_that_belongs_to_it() -> None:
    card = Card()
    card.take(
        bundle(
            visit(participant=[{"individual": {"reference": "PractitionerRole/r"}}]),
            {
                "resourceType": "PractitionerRole",
                "id": "r",
                "practitioner": {"reference": "Practitioner/d"},
                "specialty": [{"text": "Терапия"}],
            },
            {
                "resourceType": "Practitioner",
                "id": "d",
                "name": [{"family": "Орлова", "given": ["Анна", "Сергеевна"]}],
            },
            observation("Жалобы", code=concept("Жалобы", "10154-3"), valueString="Головная боль")
            | AT_VISIT,
            condition(**AT_VISIT),
            condition("Острый ринит", "J00", **AT_VISIT),
            {
                "resourceType": "MedicationRequest",
                "id": "m",
                "status": "active",
                "intent": "order",
                "subject": {"reference": "Patient/p"},
                "medicationCodeableConcept": {"text": "Лозартан 50 мг"},
                **AT_VISIT,
            },
            {
                "resourceType": "ServiceRequest",
                "id": "s",
                "status": "active",
                "intent": "order",
                "subject": {"reference": "Patient/p"},
                "code": {"text": "ЭКГ"},
                **AT_VISIT,
            },
        )
    )
    derived = card.derive()
    (found,) = [draft for draft in derived.drafts if draft.section == "visits"]
    order = record_id(card.names["MedicationRequest/m"])
    assert found.sort_at == "2026-02-28T21:30:00Z"
    assert found.body == {
        "date": "2026-03-01",
        "started_at": "2026-02-28T21:30:00Z",
        "ended_at": "2026-02-28T22:00:00Z",
        "doctor": {"name": "Орлова Анна Сергеевна", "specialty": "Терапия"},
        "title": "Приём врача-терапевта",
        "class": "AMB",
        "complaints": "Головная боль",
        "diagnoses": [
            {"code": "I11.9", "system": ICD, "text": "Гипертензивная болезнь"},
            {"code": "J00", "system": ICD, "text": "Острый ринит"},
        ],
        "orders": [
            {"kind": "medication", "text": "Лозартан 50 мг", "record_id": order},
            {"kind": "service", "text": "ЭКГ", "record_id": None},
        ],
        "status": "finished",
    }
    assert set(found.members) == set(card.sources)
    assert [d.body["text"] for d in derived.drafts if d.section == "summary"] == [
        "Гипертензивная болезнь"
    ]
    assert [d.body["visit_id"] for d in derived.drafts if d.section == "prescriptions"] == [
        record_id(card.names["Encounter/v"])
    ]
    chronic = card.names["Condition/I11.9"]
    assert derived.placed[chronic] == (card.names["Encounter/v"], chronic)
    assert derived.kept == {
        card.names["PractitionerRole/r"]: "names",
        card.names["Practitioner/d"]: "names",
    }


def document(number: str, **more: Any) -> dict[str, Any]:
    attachment = {"contentType": "application/pdf", "creation": "2026-03-02T10:00:00+03:00"}
    return {
        "resourceType": "DocumentReference",
        "id": number,
        "status": "current",
        "description": f"Выписка {number}",
        "content": [{"attachment": attachment}],
        **more,
    }


def test_documents_are_files_of_their_visit_or_of_what_they_are_about() -> None:
    at_visit, about = [{"reference": "Encounter/v"}], [{"reference": "DiagnosticReport/r"}]
    scan = {"contentType": "image/jpeg", "title": "Снимок"}
    card = Card()
    card.take(
        bundle(
            visit(),
            {
                "resourceType": "DiagnosticReport",
                "id": "r",
                "status": "final",
                "code": {"text": "Рентген"},
                "presentedForm": [scan, {"contentType": "text/plain", "data": "bm9ybWE="}],
            },
            document("1", context={"encounter": at_visit, "related": about}),
            {**document("2", context={"related": about}), "description": "Протокол"},
            document("3", status="superseded", context={"encounter": at_visit}),
            document("4", status="entered-in-error", context={"encounter": at_visit}),
            document("5"),
        )
    )
    derived = card.derive()
    files = {draft.section: draft.body.get("files") for draft in derived.drafts}
    pdf = {"date": "2026-03-02", "content_type": "application/pdf"}
    assert files["visits"] == [{"title": "Выписка 1", **pdf}]
    assert files["results"] == [
        {"title": "Снимок", "date": None, "content_type": "image/jpeg"},
        {"title": "Протокол", **pdf},
    ]
    kept = {n: derived.kept.get(card.names[f"DocumentReference/{n}"]) for n in "12345"}
    assert kept == {"1": None, "2": None, "3": "document", "4": "entered_in_error", "5": "document"}


def test_complaints_from_a_composition_and_from_the_reason() -> None:
    composition = {
        "resourceType": "Composition",
        "status": "final",
        "type": {"text": "Протокол консультации"},
        "date": "2026-03-01",
        "author": [{"display": "Орлова"}],
        "title": "Протокол",
        "section": [
            {
                "code": concept("Жалобы", "10154-3"),
                "text": {
                    "status": "generated",
                    "div": "<div><script>x</script><p>Кашель &amp; насморк</p><p>3 дня</p></div>",
                },
            }
        ],
        **AT_VISIT,
    }
    assert body("visits", visit(), composition)["complaints"] == "Кашель & насморк\n3 дня"
    reason = visit(reasonCode=[{"text": "Кашель"}])
    assert body("visits", reason)["complaints"] == "Кашель"


def test_the_visits_own_list_of_diagnoses_by_rank_and_from_contained() -> None:
    found = body(
        "visits",
        visit(
            contained=[condition("Ангина", "J03.9", id="c")],
            diagnosis=[
                {"condition": {"reference": "Condition/E11.9"}, "rank": 2},
                {"condition": {"reference": "#c"}, "rank": 1},
                {"condition": {"reference": "Condition/none", "display": "Миопия"}, "rank": 3},
            ],
        ),
        condition("Сахарный диабет 2 типа", "E11.9"),
    )
    assert [d["text"] for d in found["diagnoses"]] == ["Ангина", "Сахарный диабет 2 типа", "Миопия"]


@pytest.mark.parametrize(
    ("more", "in_summary"),
    [
        ({}, True),
        ({"code": concept("Острый бронхит", "J20.9", ICD)}, False),
        ({"code": concept("Ушиб", "S00.0", ICD)}, False),
        ({"clinicalStatus": state("resolved")}, False),
        ({"abatementDateTime": "2026-03-05"}, False),
        ({"clinicalStatus": state("remission")}, True),
        (
            {
                "code": concept("Ушиб", "S00.0", ICD),
                "category": [concept(None, "problem-list-item", CONDITION_CATEGORY)],
            },
            True,
        ),
    ],
)
def test_which_diagnoses_of_a_visit_are_chronic(more: dict[str, Any], in_summary: bool) -> None:
    found = drafts(visit(), condition(**AT_VISIT) | more)
    assert ("summary" in {draft.section for draft in found}) == in_summary


def test_a_condition_without_a_visit_is_in_the_summary_whatever_its_state() -> None:
    found = body("summary", condition(clinicalStatus=state("resolved"), onsetDateTime="2015-06"))
    assert found == {
        "entry": "condition",
        "text": "Гипертензивная болезнь",
        "code": "I11.9",
        "system": ICD,
        "since": "2015-06-01",
        "since_precision": "month",
        "status": "resolved",
        "recorded_on": None,
    }


def allergy(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "AllergyIntolerance",
        "id": "a",
        "patient": {"reference": "Patient/p"},
        "clinicalStatus": state("active"),
        **more,
    }


def test_allergies() -> None:
    reaction = {"manifestation": [{"text": "Крапивница"}, {"text": "Отёк"}]}
    found = body(
        "summary",
        allergy(
            code={"text": "Пенициллин\u200b"},
            criticality="high",
            recordedDate="2020-05-06",
            reaction=[reaction],
        ),
    )
    assert found == {
        "entry": "allergy",
        "text": "Пенициллин",
        "code": None,
        "system": None,
        "criticality": "high",
        "reactions": ["Крапивница, Отёк"],
        "status": "active",
        "recorded_on": "2020-05-06",
    }


@pytest.mark.parametrize(
    ("code", "entry"),
    [
        (concept(None, "716186003", "http://snomed.info/sct"), "no_known_allergy"),
        (concept(None, "no-known-allergies", "http://absent"), "no_known_allergy"),
        (concept("Аллергологический анамнез не отягощён"), "no_known_allergy"),
        (concept(None, "no-allergy-info", "http://absent"), None),
        (concept("Нет данных о непереносимости лактозы"), "allergy"),
    ],
)
def test_no_known_allergy(code: Any, entry: str | None) -> None:
    assert [d.body["entry"] for d in drafts(allergy(code=code))] == ([entry] if entry else [])


def test_a_report_shows_its_observations_in_order_with_panels_and_components() -> None:
    part = {"code": {"text": "Верхнее"}, "valueInteger": 120}
    members = [{"reference": "Observation/l"}, {"reference": "Observation/bp"}]
    found = body(
        "results",
        {
            "resourceType": "DiagnosticReport",
            "id": "r",
            "status": "final",
            "category": [concept(None, "LAB", "http://terminology.hl7.org/CodeSystem/v2-0074")],
            "code": {"text": "Общий анализ крови"},
            "effectiveDateTime": "2026-03-01T08:00:00+03:00",
            "conclusion": "Норма",
            "result": [
                {"reference": "Observation/panel"},
                {"reference": "#inner"},
                {"reference": "Observation/none"},
            ],
            "contained": [observation("СОЭ", id="inner", valueInteger=5)],
        },
        observation("Лейкоциты", id="l", valueQuantity={"value": 6, "unit": "10*9/л"}),
        observation("АД", id="bp", component=[part]),
        observation("Панель", id="panel", hasMember=members),
    )
    rows = [(row["name"], row["value"]) for row in found.pop("observations")]
    assert rows == [("Лейкоциты", 6), ("Верхнее", 120), ("СОЭ", 5)]
    assert found == {
        "kind": "laboratory",
        "date": "2026-03-01",
        "title": "Общий анализ крови",
        "status": "final",
        "conclusion": "Норма",
        "visit_id": None,
        "doctor": None,
        "missing_observations": 1,
    }


def test_interpretation_sent_and_derived() -> None:
    limits = [{"low": {"value": 3.3, "unit": "ммоль/л"}, "high": {"value": 5.5}}]

    def row(**more: Any) -> dict[str, Any]:
        resource = observation(id="o", referenceRange=limits, **more)
        return dict(body("results", resource)["observations"][0])

    def amount(value: float, **more: Any) -> dict[str, Any]:
        return {"valueQuantity": {"value": value, "unit": "ммоль/л", **more}}

    assert row(**amount(6.1)) == {
        "code": "2345-7",
        "system": LOINC,
        "name": "Глюкоза",
        "value": Decimal("6.1"),
        "unit": "ммоль/л",
        "reference_range": {"low": Decimal("3.3"), "high": Decimal("5.5"), "text": None},
        "interpretation": "high",
        "interpretation_derived": True,
    }
    assert row(**amount(3))["interpretation"] == "low"
    assert row(**amount(5.5))["interpretation"] == "normal"
    sent = row(**amount(9), interpretation=[concept(None, "HH", "http://v3")])
    assert (sent["interpretation"], sent["interpretation_derived"]) == ("critical_high", False)
    # With a comparator or another unit the number cannot be compared.
    below = row(**amount(3, comparator="<"))
    assert (below["value"], below["interpretation"]) == ("< 3", None)
    assert row(valueQuantity={"value": 90, "unit": "мг/дл"})["interpretation"] is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"valueQuantity": {"value": 5}}, 5),
        ({"valueCodeableConcept": {"text": "обнаружено"}}, "обнаружено"),
        ({"valueString": "следы"}, "следы"),
        ({"valueInteger": 3}, 3),
        ({"valueBoolean": False}, False),
        ({"valueRange": {"low": {"value": 1}, "high": {"value": 2, "unit": "мг"}}}, "1–2 мг"),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}, "1:128"),
        ({"valueTime": "10:00:00"}, "10:00:00"),
        ({"valueDateTime": "2026-03-01T10:00:00+03:00"}, "2026-03-01T07:00:00Z"),
        ({"dataAbsentReason": {"text": "не выполнено"}}, None),
    ],
)
def test_values(value: dict[str, Any], shown: object) -> None:
    row = body("results", observation(id="o", **value))["observations"][0]
    assert row["value"] == shown
    assert row.get("absent_reason") == ("не выполнено" if shown is None else None)


def test_decimals_stay_exact_on_their_way() -> None:
    text = b'{"a":5.60,"b":[1,1.0,-0.00,1e-7],"c":"5.60"}'
    value = loads(text)
    assert dumps(value) == '{"a":5.60,"b":[1,1.0,-0.00,1E-7],"c":"5.60"}'
    assert loads(dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"category": [concept(None, "laboratory", "http://c")]}, "laboratory"),
        ({"category": [concept("Лабораторные исследования")]}, "laboratory"),
        ({"category": [concept(None, "vital-signs", "http://c")]}, "diagnostic"),
        ({"code": concept("x", "1", "urn:oid:1.2.643.5.1.13.13.11.1080")}, "laboratory"),
        ({"specimen": {"display": "кровь"}}, "laboratory"),
        ({"valueQuantity": {"value": 1, "code": "mmol/L"}}, "laboratory"),
        ({"valueQuantity": {"value": 1, "code": "kg/m2"}}, "diagnostic"),
        ({}, "diagnostic"),
    ],
)
def test_laboratory_or_diagnostic(more: dict[str, Any], kind: str) -> None:
    assert body("results", observation(id="o", **more))["kind"] == kind


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("A(II) Rh+", ("A", "+")),
        ("А (II) Rh (−)", ("A", "-")),
        ("В(III) Rh-", ("B", "-")),
        ("0(I)", ("O", None)),
        ("AB(IV) Rh отр.", ("AB", "-")),
        ("II группа, Rh(+)", ("A", "+")),
        ("Вторая (A) положительная", ("A", "+")),
        ("A(II)β, Rh(D)+ полож.", ("A", "+")),
        ("O Rh negative", ("O", "-")),
        ("Blood group A (finding)", ("A", None)),
        ("A2B", ("AB", None)),
        # What is not understood word for word is no blood group.
        ("не определена", (None, None)),
        ("не O", (None, None)),
        ("Вторая (B)", (None, None)),
        ("В работе", (None, None)),
        ("A или B", (None, None)),
        ("", (None, None)),
    ],
)
def test_texts_of_blood_groups(text: str, group: tuple[str | None, str | None]) -> None:
    assert read_group_text(text) == group


@pytest.mark.parametrize(
    ("resource", "group"),
    [
        (
            observation("Группа крови", id="o", code=concept("Группа крови"), valueString="0(I)"),
            ("O", None, "O(I)"),
        ),
        (
            observation(
                "Резус-фактор",
                id="o",
                code=concept("Резус-фактор"),
                valueCodeableConcept={"text": "отрицательный"},
            ),
            (None, "-", "Rh-"),
        ),
        (
            observation(
                id="o",
                code=concept(None, "882-1"),
                valueCodeableConcept=concept(None, "278149003", "http://snomed.info/sct"),
            ),
            ("A", "+", "A(II) Rh+"),
        ),
        (
            observation(
                id="o",
                code=concept(None, "883-9"),
                component=[
                    {"code": concept("ABO"), "valueString": "AB"},
                    {"code": concept("Rh"), "valueString": "положительный"},
                ],
            ),
            ("AB", "+", "AB(IV) Rh+"),
        ),
    ],
)
def test_blood_groups(resource: dict[str, Any], group: tuple[str | None, ...]) -> None:
    found = body("summary", resource)
    assert (found["abo"], found["rhesus"], found["label"]) == group


def test_what_is_about_antibodies_or_cannot_be_read_is_no_blood_group() -> None:
    antibodies = concept("Антитела к резус-фактору")
    for more in ({"code": antibodies, "valueString": "отриц."}, {"valueString": "см. бланк"}):
        resource = observation(id="o") | {"code": concept("Группа крови")} | more
        assert [draft.section for draft in drafts(resource)] == ["results"]


def test_a_blood_group_in_a_report_stands_in_both() -> None:
    report = {
        **{"resourceType": "DiagnosticReport", "id": "r", "status": "final"},
        "code": {"text": "Группа крови"},
        "result": [{"reference": "Observation/o"}],
    }
    group = observation(id="o", code=concept(None, "883-9"), valueString="A")
    assert {draft.section for draft in drafts(report, group)} == {"results", "summary"}


def order(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": "m",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p"},
        "authoredOn": "2026-03-01",
        **more,
    }


@pytest.mark.parametrize(
    "medication",
    [
        {"medicationCodeableConcept": {"text": "Амоксициллин 500 мг"}},
        {
            "medicationReference": {"reference": "#x"},
            "contained": [
                {"resourceType": "Medication", "id": "x", "code": {"text": "Амоксициллин 500 мг"}}
            ],
        },
        {"medicationReference": {"reference": "Medication/none", "display": "Амоксициллин 500 мг"}},
    ],
)
def test_prescriptions(medication: dict[str, Any]) -> None:
    found = body(
        "prescriptions",
        order(
            **medication,
            requester={"reference": "Practitioner/none", "display": "Орлова А. С."},
            dispenseRequest={"validityPeriod": {"end": "2026-04-01"}},
            dosageInstruction=[
                {
                    "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "таблетка"}}],
                    "timing": {
                        "repeat": {
                            "frequency": 3,
                            "period": 1,
                            "periodUnit": "d",
                            "when": ["PC"],
                            "boundsDuration": {"value": 7, "code": "d"},
                        }
                    },
                    "route": {"text": "внутрь"},
                }
            ],
        ),
    )
    assert found == {
        "kind": "medication",
        "date": "2026-03-01",
        "status": "active",
        "text": "Амоксициллин 500 мг",
        "dosage": "1 таблетка, 3 раза в день, после еды, в течение 7 дней, внутрь",
        "doctor": {"name": "Орлова А. С.", "specialty": None},
        "valid_until": "2026-04-01",
        "visit_id": None,
    }


@pytest.mark.parametrize(
    ("dosage", "russian", "english"),
    [
        ({"text": "По схеме"}, "По схеме", "По схеме"),
        (
            {"timing": {"repeat": {"frequency": 1, "period": 6, "periodUnit": "h"}}},
            "1 раз в 6 часов",
            "once every 6 hours",
        ),
        (
            {
                "asNeededBoolean": True,
                "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "wk"}},
            },
            "2 раза в неделю, при необходимости",
            "2 times per week, as needed",
        ),
        (
            {"timing": {"repeat": {"timeOfDay": ["08:00:00"], "dayOfWeek": ["mon"]}}},
            "понедельник, в 08:00",
            "Monday, at 08:00",
        ),
        ({"timing": {"repeat": {"when": ["HS"]}}}, "перед сном", "before sleep"),
    ],
)
def test_dosages(dosage: dict[str, Any], russian: str, english: str) -> None:
    for name, words in (("Кетонал", russian), ("Ketonal", english)):
        resource = order(medicationCodeableConcept={"text": name}, dosageInstruction=[dosage])
        assert body("prescriptions", resource)["dosage"] == words


def test_what_is_forbidden_does_not_read_as_an_order() -> None:
    found = body(
        "prescriptions", order(medicationCodeableConcept={"text": "Аспирин"}, doNotPerform=True)
    )
    assert found["text"] == "Не применять: Аспирин"


def test_an_order_of_an_unknown_medication_waits_for_it() -> None:
    card = Card()
    card.take(bundle(order(medicationReference={"reference": "Medication/x"})))
    assert list(card.derive().kept.values()) == ["medication_unknown"]
    card.take({"resourceType": "Medication", "id": "x", "code": {"text": "Аспирин"}})
    assert [draft.body["text"] for draft in card.derive().drafts] == ["Аспирин"]


def test_a_plan_with_its_goals_and_a_service_without_a_visit() -> None:
    plan = {
        **{"resourceType": "CarePlan", "id": "c", "status": "active", "intent": "plan"},
        "subject": {"reference": "Patient/p"},
        "title": "Диета",
        "period": {"start": "2026-03-01", "end": "2026-06-01"},
        "activity": [{"detail": {"status": "in-progress", "code": {"text": "Стол № 9"}}}],
        "goal": [{"reference": "Goal/g"}],
    }
    goal = {
        **{"resourceType": "Goal", "id": "g", "lifecycleStatus": "active"},
        "subject": {"reference": "Patient/p"},
        "description": {"text": "Снизить вес"},
    }
    service = {
        **{"resourceType": "ServiceRequest", "id": "s", "status": "active", "intent": "order"},
        "subject": {"reference": "Patient/p"},
        "code": {"text": "УЗИ"},
        **AT_VISIT,
    }
    found = body("prescriptions", plan, goal)
    assert (found["kind"], found["text"]) == (
        "recommendation",
        "Диета: Стол № 9\nЦели: Снизить вес",
    )
    assert (found["date"], found["valid_until"]) == ("2026-03-01", "2026-06-01")
    assert body("prescriptions", goal)["text"] == "Снизить вес"
    assert body("prescriptions", service)["kind"] == "recommendation"


# What changes what stands in the card


def retracted_after(*bundles: dict[str, Any]) -> tuple[dict[str, str], Card]:
    card = Card()
    for one in bundles:
        card.take(one)
    return card.derive().retracted, card


def test_entered_in_error_takes_a_record_back() -> None:
    wrong = observation(id="o", valueInteger=1)
    retracted, card = retracted_after(bundle(wrong), bundle(wrong | {"status": "entered-in-error"}))
    key = card.names["Observation/o"]
    derived = card.derive()
    assert retracted == {key: "entered_in_error"}
    assert derived.kept == retracted
    assert derived.drafts == ()


def test_a_visit_in_error_leaves_its_diagnoses_and_results() -> None:
    found = drafts(
        visit(status="entered-in-error"),
        condition(**AT_VISIT),
        observation(id="o", **AT_VISIT),
    )
    assert {draft.section for draft in found} == {"summary", "results"}
    assert all(draft.body.get("visit_id") is None for draft in found)


def test_a_result_that_becomes_part_of_a_report_is_no_record_any_more() -> None:
    report = {
        **{"resourceType": "DiagnosticReport", "id": "r", "status": "final"},
        "code": {"text": "Анализ"},
        "result": [{"reference": "Observation/o"}],
    }
    retracted, card = retracted_after(bundle(observation(id="o")), bundle(report))
    assert retracted == {card.names["Observation/o"]: "shown_elsewhere"}
    assert card.derive().placed[card.names["Observation/o"]] == (card.names["DiagnosticReport/r"],)


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (allergy(code={"text": "x"}, verificationStatus=state("refuted")), "refuted"),
        (condition(verificationStatus=state("refuted")), "refuted"),
        (observation(id="o", focus=[{"reference": "RelatedPerson/1"}]), "other_focus"),
        (
            condition() | {"code": concept(None, "no-known-problems", "http://a")},
            "absence_statement",
        ),
        (
            {"resourceType": "Condition", "subject": {"reference": "Patient/p"}},
            "nothing_to_show",
        ),
    ],
)
def test_kept_and_not_shown(resource: dict[str, Any], reason: str) -> None:
    card = Card()
    card.take(resource)
    derived = card.derive()
    assert list(derived.kept.values()) == [reason]
    assert list(derived.retracted.values()) == [reason]


def test_a_circle_of_members_loses_nothing() -> None:
    found = drafts(
        observation(id="a", hasMember=[{"reference": "Observation/b"}], valueInteger=1),
        observation(id="b", hasMember=[{"reference": "Observation/a"}], valueInteger=2),
        observation(id="c", hasMember=[{"reference": "Observation/c"}], valueInteger=3),
    )
    assert [[row["value"] for row in draft.body["observations"]] for draft in found] == [
        [1, 2],
        [3],
    ]


def test_the_order_in_which_sources_are_given_does_not_matter() -> None:
    card = Card()
    illnesses = [condition(code=f"I1{i}", **AT_VISIT) for i in range(5)]
    card.take(bundle(visit(), *illnesses, observation(id="o", **AT_VISIT)))
    first = card.derive()
    card.sources = dict(reversed(card.sources.items()))
    assert card.derive() == first


@pytest.mark.parametrize(
    ("individual", "name"),
    [
        ({"display": "Орлова А. С."}, "Орлова А. С."),
        ({"reference": "urn:uuid:1", "display": "Орлова А. С."}, "Орлова А. С."),
        ({"reference": "RelatedPerson/1", "display": "Мать"}, None),
        ({"reference": "Practitioner/none"}, None),
    ],
)
def test_doctors_that_were_not_sent(individual: dict[str, Any], name: str | None) -> None:
    doctor = body("visits", visit(participant=[{"individual": individual}]))["doctor"]
    assert doctor == (name and {"name": name, "specialty": None})


def test_what_has_no_date_comes_last_and_says_so() -> None:
    (found,) = drafts(condition())
    assert (found.sort_at, found.body["recorded_on"]) == ("0001-01-01T00:00:00Z", None)
    (dated,) = drafts(condition(meta={"lastUpdated": "2026-03-01T10:00:00Z"}))
    assert dated.sort_at == "2026-03-01T10:00:00Z"


def test_a_reference_that_hits_another_type_is_no_hit() -> None:
    card = Card()
    card.take(bundle(visit(participant=[{"individual": {"reference": "Practitioner/x"}}])))
    card.take({"resourceType": "Organization", "id": "x", "name": "ООО"})
    card.names["Practitioner/x"] = card.names["Organization/x"]
    assert card.derive().drafts[0].body["doctor"] is None
