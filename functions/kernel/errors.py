"""The facts that can go wrong. No HTTP here: `kernel.api` maps each class to a status and a code.

MedkartaError
├── Malformed, CursorInvalid                            the request cannot be understood
├── Unauthenticated ── TokenExpired, SessionRevoked,
│                      CredentialsInvalid, CodeInvalid, ChallengeExpired
├── Refused ── Forbidden, StepUpRequired, AccessStepFailed (six steps and consent_outdated)
├── NotFound
├── Conflict ── AlreadyExists, NotReady
├── Invalid ── ValidationFailed, IdempotencyMismatch, ExtractTooBroad, WrongPatient
├── BodyTooLarge, UnsupportedMediaType, NotAcceptable
├── Limited ── RateLimited, Locked
└── Unavailable                                         try again later
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class MedkartaError(Exception):
    """Base of all facts that the product itself knows; `code` is stable and machine-readable.

    `reason` tells apart what has one code: the texts `problem.<code>.<reason>` say it to a person.
    """

    code = "unavailable"
    reason: str | None = None


class Malformed(MedkartaError):
    """The request cannot be parsed; `problems` say where, if that is known."""

    code = "malformed"

    def __init__(self, problems: "Sequence[FieldProblem]" = ()) -> None:
        super().__init__(self.code)
        self.problems = tuple(problems)


class CursorInvalid(MedkartaError):
    """The cursor was changed, or belongs to another actor, route, card or filter."""

    code = "cursor_invalid"


class Unauthenticated(MedkartaError):
    """Nobody known is asking."""

    code = "unauthenticated"


class TokenExpired(Unauthenticated):
    code = "token_expired"


class SessionRevoked(Unauthenticated):
    code = "session_revoked"


class CredentialsInvalid(Unauthenticated):
    code = "credentials_invalid"


class CodeInvalid(Unauthenticated):
    code = "code_invalid"


class ChallengeExpired(Unauthenticated):
    """The challenge is unknown, used, expired or exhausted: one answer for all four."""

    code = "challenge_expired"


class Refused(MedkartaError):
    """Known, but not allowed."""

    code = "forbidden"


class Forbidden(Refused):
    code = "forbidden"

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(self.code)
        self.reason = reason


class StepUpRequired(Refused):
    """The act needs a fresh second step."""

    code = "step_up_required"


class AccessStepFailed(Refused):
    """A step between a patient and their card is missing; `code` says which."""

    def __init__(
        self,
        code: str,
        *,
        support: Mapping[str, str | None] | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.support = support
        self.reason = reason


class NotFound(MedkartaError):
    code = "not_found"


class Conflict(MedkartaError):
    """What is there does not allow it; without a `reason` it changed while it was asked for."""

    code = "conflict"

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(self.code)
        self.reason = reason


class AlreadyExists(Conflict):
    code = "already_exists"


class NotReady(Conflict):
    code = "not_ready"


class FieldProblem(NamedTuple):
    """One wrong field: its dotted path, a stable code, and the numbers that its text needs.

    `message` is set where the text is not one of the `field.<code>` texts.
    """

    field: str
    code: str
    params: Mapping[str, object] | None = None
    message: str | None = None


class Invalid(MedkartaError):
    """The request was understood and cannot be done as it stands."""

    code = "validation_failed"

    def __init__(self, problems: Sequence[FieldProblem] = ()) -> None:
        super().__init__(self.code)
        self.problems = tuple(problems)


class ValidationFailed(Invalid):
    code = "validation_failed"


class IdempotencyMismatch(Invalid):
    code = "idempotency_mismatch"


class ExtractTooBroad(Invalid):
    code = "extract_too_broad"


class WrongPatient(Invalid):
    code = "wrong_patient"


class BodyTooLarge(MedkartaError):
    """More than the route takes; `instead` is the route that takes more, where there is one."""

    code = "body_too_large"

    def __init__(self, instead: str | None = None) -> None:
        super().__init__(self.code)
        self.instead = instead


class UnsupportedMediaType(MedkartaError):
    code = "unsupported_media_type"


class NotAcceptable(MedkartaError):
    code = "not_acceptable"


class Limited(MedkartaError):
    """Too often; `retry_after` is in seconds."""

    code = "rate_limited"

    def __init__(self, retry_after: int) -> None:
        super().__init__(self.code)
        self.retry_after = max(1, retry_after)


class RateLimited(Limited):
    code = "rate_limited"


class Locked(Limited):
    code = "locked"


class Unavailable(MedkartaError):
    """A service that we stand on did not answer; nothing was done, or it is safe to repeat."""

    code = "unavailable"
    retry_after = 2
