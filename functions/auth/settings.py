"""What the auth functions need from their environment."""

from typing import NamedTuple


class TokenSettings(NamedTuple):
    """What checking access tokens needs: all of the authorizer's settings."""

    token_key_id: str
    second_token_key_id: str
    issuer: str
    audience: str


class Settings(NamedTuple):
    """What the auth function needs.

    `login_attempts_per_address` in 15 minutes; a third of them at one account before each next
    one has to wait. `messages_per_address` in an hour, and as many to one phone;
    `messages_per_day` to everybody.
    `signing_key`: 1 or 2, which of the two token keys signs. `oidc_providers`: see `auth.oidc`.
    `allowed_origins`: from which a browser may ask for the cookie, separated by commas.
    """

    accounts_table: str
    identity_table: str
    keys_table: str
    identity_key_id: str
    lookup_key_id: str
    token_key_id: str
    second_token_key_id: str
    signing_key: int
    receipt_key_id: str
    journal_key_id: str
    messages_queue_url: str
    issuer: str
    audience: str
    allowed_origins: str
    login_attempts_per_address: int
    messages_per_address: int
    messages_per_day: int
    registry_table: str
    journal_table: str
    idempotency_table: str
    oidc_providers: str

    @property
    def signs(self) -> str:
        """The key that signs access tokens now; the other one is published and waits."""
        return {1: self.token_key_id, 2: self.second_token_key_id}[self.signing_key]
