"""Cursors: where a list goes on, sealed and bound to who asked for what.

A cursor is AES-SIV (RFC 5297) over the position, with actor, route, card and filters as associated
data: a changed one, or one used elsewhere, does not open. It is deterministic, so that a page that
did not change keeps its `ETag`. `limit` is not bound and may change.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from kernel import hashing
from kernel.errors import CursorInvalid


class Cursors:
    """Makes and reads cursors with a key that KMS derives from `kms_key` once a process."""

    def __init__(self, kms_key: str) -> None:
        self._kms_key = kms_key

    def make(self, position: Mapping[str, Any] | None, binding: str) -> str | None:
        """The cursor for `position` (JSON-ready), or None at the end of a list."""
        if position is None:
            return None
        payload = json.dumps(position, separators=(",", ":")).encode()
        sealed = self._cipher().encrypt(payload, [binding.encode()])
        return _spelled(sealed)

    def read(self, cursor: str | None, binding: str) -> dict[str, Any] | None:
        """The position that `make` put in.

        Raises:
            CursorInvalid: changed, or made for another actor, route, card or filters.
        """
        if cursor is None:
            return None
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
            if _spelled(sealed) != cursor:  # unused bits, padding: a changed cursor all the same
                raise CursorInvalid
            position: dict[str, Any] = json.loads(
                self._cipher().decrypt(sealed, [binding.encode()])
            )
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise CursorInvalid from error
        return position

    def _cipher(self) -> AESSIV:
        return AESSIV(hashing.process_key(self._kms_key, "cursors/v1"))


def _spelled(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")
