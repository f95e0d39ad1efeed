"""Who may see a card: tables of cases for the pure decision."""

import itertools
from typing import Any

import pytest

from kernel.access import Action, CardFacts, ClinicFacts, decide, steps
from kernel.identity import (
    AccountId,
    Actor,
    Appointment,
    ClinicId,
    Level,
    PatientId,
    Role,
    SessionId,
)

ALL = ClinicFacts(
    region_connected=True, clinic_connected=True, attached=True, activated=True, consent="given"
)
PATIENT = Actor(
    account_id=AccountId("a"),
    session_id=SessionId("s"),
    level="verified",
    patient_id=PatientId("p"),
    appointments=(),
    amr=("pwd", "sms"),
    fresh_until=0,
)
CLINICIAN = PATIENT._replace(
    patient_id=None,
    appointments=(Appointment("clinician", ClinicId("c"), "Врач"),),
)
OWN = CardFacts(PatientId("p"), ClinicId("c"), ALL, treated_at=ClinicId("c"))
# In the order of the contract: the fact that fails, and the code that it gives.
FAILURES: list[tuple[dict[str, Any], str]] = [
    ({"region_connected": False}, "region_not_connected"),
    ({"clinic_connected": False}, "clinic_not_connected"),
    ({"attached": False}, "not_attached"),
    ({"activated": False}, "card_not_activated"),
    ({"consent": "missing"}, "consent_required"),
    ({"consent": "outdated"}, "consent_outdated"),
]


def code(actor: Actor, action: Action, card: CardFacts | None) -> str | None:
    refusal = decide(actor, action, card).refusal
    return refusal.code if refusal else None


def card(**facts: Any) -> CardFacts:
    return OWN._replace(facts=ALL._replace(**facts))


@pytest.mark.parametrize("action", [Action.READ_OWN, Action.EXTRACT_OWN, Action.JOURNAL_OWN])
def test_own_card_opens_when_every_step_is_true(action: Action) -> None:
    assert code(PATIENT, action, OWN) is None


@pytest.mark.parametrize(("facts", "expected"), FAILURES)
def test_one_failing_step_gives_its_own_code(facts: dict[str, Any], expected: str) -> None:
    assert code(PATIENT, Action.READ_OWN, card(**facts)) == expected


def test_of_several_failing_steps_the_first_in_the_order_names_the_refusal() -> None:
    for (first, expected), (second, _) in itertools.combinations(FAILURES[:-1], 2):
        assert code(PATIENT, Action.READ_OWN, card(**first, **second)) == expected


@pytest.mark.parametrize("level", ["simplified", "standard"])
@pytest.mark.parametrize("whose", [OWN, OWN._replace(patient_id=PatientId("q")), None])
def test_an_unverified_account_learns_nothing_of_any_card(level: Level, whose: CardFacts) -> None:
    actor = PATIENT._replace(level=level)
    assert code(actor, Action.READ_OWN, whose) == "account_not_verified"


def test_somebody_elses_card_and_an_unknown_one_are_alike() -> None:
    other = OWN._replace(patient_id=PatientId("q"))
    assert code(PATIENT, Action.READ_OWN, other) == "not_found"
    assert code(PATIENT, Action.READ_OWN, None) == "not_found"


def test_ones_own_journal_stays_readable_while_the_card_is_closed() -> None:
    for facts, _ in FAILURES:
        assert code(PATIENT, Action.JOURNAL_OWN, card(**facts)) is None


def test_a_clinician_with_relation_and_consent_reads() -> None:
    assert code(CLINICIAN, Action.READ_AS_CLINICIAN, OWN) is None


@pytest.mark.parametrize("action", [Action.READ_AS_CLINICIAN, Action.WRITE_AS_CLINICIAN])
def test_without_a_relation_every_card_is_refused_alike(action: Action) -> None:
    for whose in (
        None,
        OWN._replace(treated_at=None),
        OWN._replace(treated_at=ClinicId("d")),
    ):
        assert code(CLINICIAN, action, whose) == "forbidden"


@pytest.mark.parametrize("role", ["registrar", "operator"])
def test_other_workers_see_no_card(role: Role) -> None:
    worker = CLINICIAN._replace(
        appointments=(Appointment(role, ClinicId("c"), "Регистратор"),),
    )
    assert code(worker, Action.READ_AS_CLINICIAN, OWN) == "forbidden"
    assert code(worker, Action.WRITE_AS_CLINICIAN, OWN) == "forbidden"


def test_intake_needs_the_relation_and_reads_need_the_consent_too() -> None:
    assert code(CLINICIAN, Action.WRITE_AS_CLINICIAN, card(consent="missing")) is None
    assert code(CLINICIAN, Action.READ_AS_CLINICIAN, card(consent="missing")) == "consent_required"
    assert code(CLINICIAN, Action.READ_AS_CLINICIAN, card(consent="outdated")) == "consent_outdated"


def test_a_clinic_writes_only_into_the_card_that_it_keeps() -> None:
    elsewhere = OWN._replace(clinic_id=ClinicId("d"))
    assert code(CLINICIAN, Action.WRITE_AS_CLINICIAN, elsewhere) == "forbidden"


def test_the_patients_role_does_not_open_the_clinicians_side() -> None:
    assert code(PATIENT, Action.READ_AS_CLINICIAN, OWN) == "forbidden"


def test_the_steps_come_in_the_order_of_the_contract() -> None:
    expected = [
        "account_verified",
        "region_connected",
        "clinic_connected",
        "attached",
        "card_activated",
        "consent_given",
    ]
    assert [str(result.step) for result in steps("verified", ALL)] == expected
    without = steps("standard", None)
    assert [str(result.step) for result in without] == expected
    assert not any(result.ok for result in without)
