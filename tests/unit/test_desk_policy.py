"""Rules of the desk."""

from datetime import date

import pytest

from clinic import policy
from kernel.consent_acts import Consent, History
from kernel.identity import AccountId, Actor, Appointment, ClinicId, ConsentId, PatientId, SessionId
from kernel.people import Person
from kernel.profiles import Profile

SNILS = "11223344595"
PERSON = Person(
    snils=SNILS,
    last_name="Соловьёва",
    first_name="Анна-Мария",
    middle_name="Петровна",
    birth_date=date(1980, 4, 12),
    sex="female",
)
PROFILE = Profile(
    account_id=AccountId("a"),
    last_name="СОЛОВЬЕВА",
    first_name="анна‑мария",
    middle_name=None,
    birth_date="1980-04-12",
    phone="+79000000000",
)


def actor(*appointments: Appointment, patient_id: str | None = None) -> Actor:
    return Actor(
        account_id=AccountId("me"),
        session_id=SessionId("s"),
        level="standard",
        patient_id=PatientId(patient_id) if patient_id else None,
        appointments=appointments,
        amr=("pwd", "otp"),
        fresh_until=0,
    )


OPERATOR = actor(Appointment("operator", None, "О"))
REGISTRAR = actor(Appointment("registrar", ClinicId("here"), "Р"))
CLINICIAN = actor(Appointment("clinician", ClinicId("here"), "К"))
NOBODY = actor()


@pytest.mark.parametrize(
    ("who", "role", "clinic_id", "allowed"),
    [
        (OPERATOR, "registrar", "here", True),
        (OPERATOR, "clinician", "here", False),
        (OPERATOR, "operator", None, False),
        (REGISTRAR, "clinician", "here", True),
        (REGISTRAR, "clinician", "there", False),
        (REGISTRAR, "clinician", None, False),
        (REGISTRAR, "registrar", "here", False),
        (REGISTRAR, "operator", None, False),
        (CLINICIAN, "clinician", "here", False),
        (CLINICIAN, "registrar", "here", False),
        (NOBODY, "registrar", "here", False),
        (NOBODY, "clinician", "here", False),
    ],
)
def test_who_appoints_whom(who: Actor, role: str, clinic_id: str | None, allowed: bool) -> None:
    assert policy.may_appoint(who, role, clinic_id) is allowed  # type: ignore[arg-type]


def test_oneself_is_known_by_account_and_by_patient() -> None:
    me = actor(patient_id="p")
    assert policy.is_oneself(me, account_id=AccountId("me"))
    assert policy.is_oneself(me, patient_id=PatientId("p"))
    assert not policy.is_oneself(me, account_id=AccountId("other"), patient_id=PatientId("q"))
    assert not policy.is_oneself(NOBODY, patient_id=PatientId("p"))


def test_case_yo_and_dashes_make_no_other_name() -> None:
    assert policy.mismatches(PROFILE, PERSON, SNILS) == []


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"last_name": "Петрова"}, ["last_name"]),
        ({"first_name": "Анна"}, ["first_name"]),
        ({"middle_name": "Ивановна"}, ["middle_name"]),
        ({"middle_name": "ПЕТРОВНА"}, []),
        ({"birth_date": "1980-12-04"}, ["birth_date"]),
        ({"snils": "08765430300"}, ["snils"]),
        ({"snils": SNILS}, []),
        ({"last_name": "Петрова", "birth_date": "1981-04-12"}, ["last_name", "birth_date"]),
    ],
)
def test_what_differs_is_named(change: dict[str, str], wrong: list[str]) -> None:

    assert policy.mismatches(PROFILE._replace(**change), PERSON, SNILS) == wrong  # type: ignore[arg-type]


def consent(clinic_id: str | None, given: str, withdrawn: str | None = None) -> Consent:
    return Consent(
        consent_id=ConsentId(given),
        patient_id=PatientId("p"),
        clinic_id=ClinicId(clinic_id) if clinic_id else None,
        document_version="1.0",
        document_sha256="",
        purpose="",
        method="electronic",
        amr=(),
        given_at=f"{given}T12:00:00Z",
        expires_at="2031-01-01T00:00:00Z",
        recorded_at=f"{given}T12:00:00.000000Z",
        recorded_by=AccountId("a"),
        receipt="",
        withdrawn_at=f"{withdrawn}T12:00:00Z" if withdrawn else None,
    )


@pytest.mark.parametrize(
    ("given", "stale"),
    [
        ([], False),
        ([consent("here", "2026-03-01")], False),
        ([consent("here", "2026-03-05")], False),  # the same day: the paper is shown now
        ([consent("here", "2026-03-06")], True),
        ([consent(None, "2026-03-06")], True),
        ([consent("there", "2026-03-06")], False),
        ([consent("here", "2026-03-01", "2026-03-06")], True),
        ([consent("here", "2026-03-01", "2026-03-04")], False),
    ],
)
def test_a_paper_does_not_undo_what_the_patient_did_after_signing_it(
    given: list[Consent], stale: bool
) -> None:
    history = History(consents=given)
    assert policy.acted_since(history, ClinicId("here"), date(2026, 3, 5)) is stale
