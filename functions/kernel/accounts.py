"""What the gate needs to know of an account and its session. Secrets rest in another table.

Accounts table:
    ACCOUNT#<id> | STATE            level, patient_id, appointments, disabled
    ACCOUNT#<id> | SESSION#<sid>    since when, by which methods, until when, refresh token's hash

Methods of a session (`amr`) are those of RFC 8176: `pwd`, `sms`, `otp` (authenticator app), `pop`
(passkey), besides `recovery` and `fed` of our own. Appointments count only in a session that was
opened or stepped up by an app or a passkey, or in which one was enrolled: a worker who has neither
signs in as a plain person, enrols one, and has their roles from then on, until the last one of that
kind is removed (NIST SP 800-63B-4 §2.2.1; text messages are a restricted authenticator, §3.1.3.4).
"""

from typing import Any, cast

from kernel.dynamo import Item, Lookup
from kernel.identity import (
    AccountId,
    Actor,
    Appointment,
    ClinicId,
    Level,
    PatientId,
    SessionId,
)

# The methods without which a session carries no worker's role.
STAFF_METHODS = frozenset({"otp", "pop"})


def state_lookup(table: str, account_id: AccountId) -> Lookup:
    return Lookup(table, f"ACCOUNT#{account_id}", "STATE")


def session_lookup(table: str, account_id: AccountId, session_id: SessionId) -> Lookup:
    return Lookup(table, f"ACCOUNT#{account_id}", f"SESSION#{session_id}")


def appointments(state: Item) -> tuple[Appointment, ...]:
    """The worker's roles that this account holds now."""
    return tuple(
        Appointment(
            role=each["role"],
            clinic_id=ClinicId(each["clinic_id"]) if each.get("clinic_id") else None,
            name=each["name"],
            specialty=each.get("specialty"),
        )
        for each in state.get("appointments", [])
    )


def appointment_item(appointment: Appointment) -> dict[str, Any]:
    """The form in which `appointments` reads an appointment back."""
    return {
        "role": appointment.role,
        "clinic_id": appointment.clinic_id,
        "name": appointment.name,
        "specialty": appointment.specialty,
    }


def session_alive(session: Item | None, now: int) -> bool:
    """Whether a session still counts. DynamoDB's TTL deletes late, so times are checked here."""
    return (
        session is not None
        and not session.get("revoked_at")
        and session["absolute_expires_at"] > now
        and session["idle_expires_at"] > now
    )


def actor(account_id: AccountId, session_id: SessionId, state: Item, session: Item) -> Actor:
    """The person as they may act in this session: roles need one of `STAFF_METHODS`."""
    patient_id = state.get("patient_id")
    amr = tuple(session["amr"])
    return Actor(
        account_id=account_id,
        session_id=session_id,
        level=cast(Level, state["level"]),
        patient_id=PatientId(patient_id) if patient_id else None,
        appointments=appointments(state) if STAFF_METHODS.intersection(amr) else (),
        amr=amr,
        fresh_until=session["fresh_until"],
    )
