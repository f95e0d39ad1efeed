"""Emergency access in the pure decision, and what is hidden."""

import pytest

from kernel.access import Action, CardFacts, ClinicFacts, decide
from kernel.hiding import NOTHING, Hidden
from kernel.identity import AccountId, Actor, Appointment, ClinicId, PatientId, SessionId

CLOSED = ClinicFacts(
    region_connected=True,
    clinic_connected=True,
    attached=False,
    activated=True,
    consent="missing",
)
MEDIC = Actor(
    account_id=AccountId("a"),
    session_id=SessionId("s"),
    level="verified",
    patient_id=None,
    appointments=(Appointment("clinician", ClinicId("away"), "Врач"),),
    amr=("pwd", "otp"),
    fresh_until=0,
)
OPENED = CardFacts(PatientId("p"), ClinicId("c"), CLOSED, None, ClinicId("away"))


def code(actor: Actor, action: Action, card: CardFacts) -> str | None:
    refusal = decide(actor, action, card).refusal
    return refusal.code if refusal else None


def test_an_emergency_takes_the_place_of_relation_and_consent() -> None:
    assert code(MEDIC, Action.READ_AS_CLINICIAN, OPENED) is None
    without = OPENED._replace(emergency_at=None)
    assert code(MEDIC, Action.READ_AS_CLINICIAN, without) == "forbidden"


def test_nothing_is_written_in_an_emergency() -> None:
    assert code(MEDIC, Action.WRITE_AS_CLINICIAN, OPENED) == "forbidden"
    here = OPENED._replace(clinic_id=ClinicId("away"))
    assert code(MEDIC, Action.WRITE_AS_CLINICIAN, here) == "forbidden"


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        ("region_connected", "region_not_connected"),
        ("clinic_connected", "clinic_not_connected"),
        ("activated", "card_not_activated"),
    ],
)
def test_what_is_not_relation_or_consent_must_still_be(fact: str, expected: str) -> None:
    facts = CLOSED._replace(**{fact: False})  # type: ignore[arg-type]
    card = OPENED._replace(facts=facts)
    assert code(MEDIC, Action.READ_AS_CLINICIAN, card) == expected


@pytest.mark.parametrize("role", ["registrar", "operator"])
def test_it_is_worth_nothing_in_another_role(role: str) -> None:
    held = (Appointment(role, ClinicId("away"), "Имя"),)  # type: ignore[arg-type]
    actor = MEDIC._replace(appointments=held)
    assert code(actor, Action.READ_AS_CLINICIAN, OPENED) == "forbidden"


def test_it_is_worth_nothing_for_another_clinic_even_with_a_relation() -> None:
    """Else what is hidden would be shown to somebody who reads by relation alone."""
    moved = MEDIC._replace(appointments=(Appointment("clinician", ClinicId("c"), "Врач"),))
    given = CLOSED._replace(consent="given")
    card = OPENED._replace(facts=given, treated_at=ClinicId("c"))
    assert code(moved, Action.READ_AS_CLINICIAN, card) == "forbidden"
    over = card._replace(emergency_at=None)
    assert code(moved, Action.READ_AS_CLINICIAN, over) is None


@pytest.mark.parametrize("action", [a for a in Action if a.own])
def test_it_opens_nothing_to_a_patient(action: Action) -> None:
    patient = MEDIC._replace(patient_id=PatientId("q"), appointments=())
    assert code(patient, action, OPENED) == "not_found"


def test_a_contest_needs_no_open_card_and_hiding_does() -> None:
    patient = MEDIC._replace(patient_id=PatientId("p"), appointments=())
    assert code(patient, Action.CONTEST_OWN, OPENED) is None
    assert code(patient, Action.HIDE_OWN, OPENED) == "not_attached"


def test_what_is_hidden() -> None:
    hidden = Hidden.from_item({"records": {"results#r", "visits#v"}, "sections": {"summary"}})
    assert hidden
    assert hidden.has("results", "r")
    assert hidden.has("prescriptions", "r")  # the same source, shown in another section since
    assert not hidden.has("results", "x")
    assert not hidden.has("results", None)
    assert hidden.has("summary", "anything")
    assert [s for s in ("summary", "visits", "results", "prescriptions") if hidden.touches(s)] == [
        "summary",
        "visits",
        "results",
    ]
    assert hidden.touches("changes")
    assert not NOTHING
    assert not NOTHING.touches("changes")
    assert Hidden.from_item(None) == Hidden.from_item({"pk": "x"}) == NOTHING
