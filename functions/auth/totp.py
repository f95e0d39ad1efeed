"""Codes of authenticator apps (RFC 6238: SHA-1, six digits, 30 s) and recovery codes."""

import hashlib
import hmac
import secrets
from datetime import datetime

import pyotp

from kernel import clock

STEP = 30
RECOVERY_CODES = 10
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
ISSUER = "Medkarta"


def new_secret() -> str:
    """160 random bits in base 32 (RFC 4226 §4 recommends as many)."""
    return pyotp.random_base32(32)


def uri(secret: str, account: str) -> str:
    """What an app reads from a QR code; `account` is the masked phone number."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=ISSUER)


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code this is: the present one, or a neighbour (RFC 6238 §5.2).

    Every neighbour is computed, so the time does not tell which one fits.
    """
    current = clock.epoch(now) // STEP
    app = pyotp.TOTP(secret)
    digits = code.replace(" ", "")
    if len(digits) != 6 or not digits.isascii():
        return None
    found = [
        step
        for step in (current - 1, current, current + 1)
        if hmac.compare_digest(app.generate_otp(step), digits)
    ]
    return max(found, default=None)


def new_recovery_codes() -> list[str]:
    """Ten codes of 49 random bits, `xxxxx-xxxxx`."""
    return [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(2))
        for _ in range(RECOVERY_CODES)
    ]


def recovery_hash(code: str, account_id: str, key: bytes) -> str:
    """The keyed hash under which a recovery code rests; spelling with or without marks."""
    bare = "".join(c for c in code.lower() if c in _ALPHABET)
    return hmac.digest(key, f"{account_id}\x00{bare}".encode(), hashlib.sha256).hex()
