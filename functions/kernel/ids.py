"""Identifiers: time-ordered ones for things that are listed, random ones for things that open."""

import secrets
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32


def time_ordered(now: datetime) -> str:
    """A ULID (26 characters, lower case): 48 bits of milliseconds, then 80 random bits."""
    number = int(now.timestamp() * 1000) << 80 | secrets.randbits(80)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def secret() -> str:
    """192 random bits, URL-safe: for identifiers that open something by being known."""
    return secrets.token_urlsafe(24)
