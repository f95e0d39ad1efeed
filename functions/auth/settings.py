"""What the auth functions need from their environment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """What checking access tokens needs: all of the authorizer's settings."""

    token_key_id: str
    issuer: str
    audience: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the auth function needs.

    `login_attempts_per_address` in 15 minutes; a third of them at one account before each next
    one has to wait. `messages_per_address` in an hour, and as many to one phone.
    `allowed_origins`: from which a browser may ask for the cookie, separated by commas.
    """

    accounts_table: str
    identity_table: str
    keys_table: str
    identity_key_id: str
    lookup_key_id: str
    token_key_id: str
    receipt_key_id: str
    messages_queue_url: str
    issuer: str
    audience: str
    allowed_origins: str
    login_attempts_per_address: int
    messages_per_address: int
