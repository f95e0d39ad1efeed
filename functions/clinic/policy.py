"""Rules of the desk. Pure."""

import unicodedata
from datetime import date

from kernel.consent_acts import History
from kernel.errors import Forbidden
from kernel.identity import AccountId, Actor, ClinicId, PatientId, Role
from kernel.people import Person
from kernel.profiles import Profile


def may_appoint(actor: Actor, role: Role, clinic_id: ClinicId | None) -> bool:
    """An operator appoints registrars; a registrar appoints clinicians of the same clinic.

    The same rule says who may end an appointment.
    """
    if role == "registrar":
        return actor.appointment("operator") is not None
    registrar = actor.appointment("registrar")
    return (
        role == "clinician"
        and registrar is not None
        and clinic_id is not None
        and registrar.clinic_id == clinic_id
    )


def is_oneself(
    actor: Actor, *, account_id: AccountId | None = None, patient_id: PatientId | None = None
) -> bool:
    """Whether a worker is about to act on themselves: nobody appoints or serves themselves."""
    return actor.account_id == account_id or (
        actor.patient_id is not None and actor.patient_id == patient_id
    )


def mismatches(profile: Profile, person: Person, snils: str) -> list[str]:
    """Where an account's claims differ from the person whose passport was seen.

    A patronymic that the account leaves out is no difference: it is optional there.
    """
    wrong = [
        name
        for name in ("last_name", "first_name")
        if same_name(getattr(profile, name)) != same_name(getattr(person, name))
    ]
    if profile.middle_name and same_name(profile.middle_name) != same_name(person.middle_name):
        wrong.append("middle_name")
    if profile.birth_date != person.birth_date.isoformat():
        wrong.append("birth_date")
    if profile.snils and profile.snils != snils:
        wrong.append("snils")
    return wrong


def differences(one: Person, other: Person) -> list[str]:
    """Where two entries of the registry cannot be one person, but for their СНИЛС.

    A patronymic that one entry leaves out, and a sex that is not known, are no difference.
    """
    wrong = [
        name
        for name in ("last_name", "first_name")
        if same_name(getattr(one, name)) != same_name(getattr(other, name))
    ]
    middle_names = {same_name(p.middle_name) for p in (one, other) if p.middle_name}
    if len(middle_names) > 1:
        wrong.append("middle_name")
    if one.birth_date != other.birth_date:
        wrong.append("birth_date")
    if len({one.sex, other.sex} - {"unknown"}) > 1:
        wrong.append("sex")
    return wrong


def clinic_of(actor: Actor) -> ClinicId:
    """The clinic for which a registrar acts. Raises Forbidden."""
    appointment = actor.appointment("registrar")
    if appointment is None or appointment.clinic_id is None:
        raise Forbidden
    return appointment.clinic_id


def same_name(name: str | None) -> str:
    """The form in which two spellings of one name are equal: case, ё, spaces and dashes."""
    text = unicodedata.normalize("NFKC", name or "").casefold().replace("ё", "е")
    for dash in "‐‑–—":
        text = text.replace(dash, "-")
    return " ".join(text.split())


def acted_since(history: History, clinic_id: ClinicId, signed_on: date) -> bool:
    """Whether the patient gave or withdrew a consent for this clinic after a paper was signed.

    Such a paper is history: what the patient did last stands.
    """
    day = signed_on.isoformat()
    return any(
        (one.given_at[:10] > day or (one.withdrawn_at or "")[:10] > day)
        for one in history.consents
        if one.clinic_id in (None, clinic_id)
    )
