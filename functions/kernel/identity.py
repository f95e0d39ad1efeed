"""Who is asking: typed identifiers, the claims of a verified token, and the actor they lead to.

Claims only locate keys. An `Actor` is made by the gate from the current state of session and
account, and every decision is taken on it.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, NewType

AccountId = NewType("AccountId", str)
SessionId = NewType("SessionId", str)
PatientId = NewType("PatientId", str)
ClinicId = NewType("ClinicId", str)
CardId = NewType("CardId", str)
RecordId = NewType("RecordId", str)
ConsentId = NewType("ConsentId", str)
ExtractId = NewType("ExtractId", str)

Level = Literal["simplified", "standard", "verified"]
Role = Literal["clinician", "registrar", "operator"]


class Claims(NamedTuple):
    """What a verified access token says (RFC 9068)."""

    account_id: AccountId
    session_id: SessionId
    expires_at: int
    patient_id: PatientId | None = None
    clinics: tuple[ClinicId, ...] = ()

    @classmethod
    def from_authorizer(cls, context: Mapping[str, Any]) -> "Claims":
        """Read the context that our authorizer handed to the gateway.

        Raises:
            KeyError, ValueError: the context is not ours.
        """
        claims = json.loads(context["claims"])
        return cls(
            account_id=AccountId(claims["sub"]),
            session_id=SessionId(claims["sid"]),
            expires_at=int(claims["exp"]),
            patient_id=PatientId(claims["patient_id"]) if claims.get("patient_id") else None,
            clinics=tuple(ClinicId(clinic) for clinic in claims.get("clinics", ())),
        )


class Appointment(NamedTuple):
    """A role of a worker; an operator belongs to no clinic."""

    role: Role
    clinic_id: ClinicId | None
    name: str
    specialty: str | None = None


class Actor(NamedTuple):
    """A person as the tables know them at this request."""

    account_id: AccountId
    session_id: SessionId
    level: Level
    patient_id: PatientId | None
    appointments: tuple[Appointment, ...]
    amr: tuple[str, ...]
    fresh_until: int

    def appointment(self, role: Role) -> Appointment | None:
        """The appointment under which this person acts in `role`, if there is one."""
        return next((a for a in self.appointments if a.role == role), None)

    @property
    def roles(self) -> list[str]:
        return sorted({a.role for a in self.appointments})
