"""What the auth routes answer: for the OpenAPI document and the tests."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel

from kernel.identity import Level, Role


class OfferedMethod(BaseModel):
    method: Literal["sms", "totp", "passkey", "recovery_code"]
    hint: str | None = None


class ChallengeMade(BaseModel):
    challenge_id: str
    expires_in: int
    methods: list[OfferedMethod]


class ResetBegun(BaseModel):
    challenge_id: str
    expires_in: int


class CodeSent(BaseModel):
    expires_in: int
    resend_in: int


class AccountBrief(BaseModel):
    account_id: str
    level: Level
    patient_id: str | None = None
    roles: list[Role]


class SignedIn(BaseModel):
    """`refresh_token` is in a cookie for browsers, and missing after a step-up, which keeps the
    session's own. `device_token` comes to a device that was not known; `login` takes it back."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str | None = None
    session_id: str
    account: AccountBrief
    password_age_days: int
    password_change_advised: bool
    device_token: str | None = None


class AuthorizationAddress(BaseModel):
    authorization_url: str


class Session(BaseModel):
    session_id: str
    created_at: datetime
    last_seen_at: datetime
    user_agent: str
    current: bool


class SessionList(BaseModel):
    items: list[Session]
    next_cursor: str | None


class HeldAppointment(BaseModel):
    role: Role
    clinic_id: str | None
    name: str
    specialty: str | None


class Factors(BaseModel):
    sms: bool
    totp: bool
    passkeys: int
    recovery_codes_left: int


class OwnAccount(AccountBrief):
    last_name: str
    first_name: str
    middle_name: str | None
    birth_date: date
    phone: str | None
    email: str | None
    email_confirmed: bool
    snils: str | None
    snils_verified: bool
    appointments: list[HeldAppointment]
    factors: Factors
    password_age_days: int
    password_change_advised: bool


class PhoneChanged(BaseModel):
    phone: str


class TotpSecret(BaseModel):
    secret: str
    otpauth_uri: str


class RecoveryCodes(BaseModel):
    recovery_codes: list[str]


class PasskeyOptions(BaseModel):
    """Options as `navigator.credentials.create()` takes them in JSON (WebAuthn Level 3)."""

    options: dict[str, Any]


class Passkey(BaseModel):
    passkey_id: str
    name: str
    created_at: datetime
    last_used_at: datetime | None


class PasskeyList(BaseModel):
    items: list[Passkey]
    next_cursor: str | None


class KeySet(BaseModel):
    keys: list[dict[str, str]]


class Metadata(BaseModel):
    issuer: str
    jwks_uri: str
    token_endpoint: str
    grant_types_supported: list[str]
    response_types_supported: list[str]
    subject_types_supported: list[str]
    id_token_signing_alg_values_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
