"""Refresh tokens: opaque, 256 bits, hashed at rest, each good for one use (RFC 9700 §4.14).

Form: `mkr1.<account>.<session>.<secret>.<tag>`. The tag shows that we made the token, so a made-up
one cannot end somebody's session as a reused one does. The successor is derived from its forerunner
and a salt: a client that lost the answer and repeats itself under the same `Idempotency-Key` gets
the same successor, and nothing that could be used rests anywhere.
"""

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple

from kernel.errors import Unauthenticated
from kernel.identity import AccountId, SessionId
from kernel.signatures import b64url

_VERSION = "mkr1"


class RefreshToken(NamedTuple):
    """One token of a session's family."""

    account_id: AccountId
    session_id: SessionId
    secret: bytes

    @property
    def hash(self) -> str:
        """What is stored of it. A plain hash is enough for 256 random bits."""
        return hashlib.sha256(self.secret).hexdigest()

    def text(self, key: bytes) -> str:
        """The form that the client keeps."""
        return f"{self._body()}.{self._tag(key)}"

    def successor(self, key: bytes, salt: str) -> "RefreshToken":
        """The next token of the family; the same for the same salt."""
        message = b"successor\x00" + self.secret + salt.encode()
        secret = hmac.digest(key, message, hashlib.sha256)
        return RefreshToken(self.account_id, self.session_id, secret)

    def _body(self) -> str:
        return f"{_VERSION}.{self.account_id}.{self.session_id}.{b64url(self.secret)}"

    def _tag(self, key: bytes) -> str:
        digest = hmac.digest(key, b"tag\x00" + self._body().encode(), hashlib.sha256)
        return b64url(digest[:16])


def read(text: str, key: bytes) -> RefreshToken:
    """The token of its text.

    Raises:
        Unauthenticated: we did not make it.
    """
    parts = text.split(".")
    if len(parts) != 5 or not text.isascii():
        raise Unauthenticated
    _, account_id, session_id, encoded, _ = parts
    try:
        secret = base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unauthenticated from error
    token = RefreshToken(AccountId(account_id), SessionId(session_id), secret)
    if not hmac.compare_digest(token.text(key), text):
        raise Unauthenticated
    return token
