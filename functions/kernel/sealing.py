"""Sealing: what is personal rests encrypted under a data key of its own owner.

A data key belongs to one owner (a card, a patient, an account). KMS makes and wraps it with the
owner and the purpose as encryption context, so a wrapped key copied elsewhere does not open.
Payloads are AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce; the associated data name
the table, the key and the field, so a payload moved elsewhere does not open either.

Forms of a sealed payload: `0x01 | nonce (12) | ciphertext | tag (16)`, and for long payloads the
same behind `0x02`, where what was encrypted is deflated (RFC 1951) and the form is bound too.
Lengths tell little here: nobody but the sender of a payload can add to it and watch it shrink.
"""

import hashlib
import hmac
import os
import time
import zlib
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel import aws, dynamo
from kernel.errors import Unavailable

VERSION = b"\x01"
DEFLATED = b"\x02"
_LONG = 4096  # bytes: below, deflating costs more than it saves
_CACHE_SECONDS = 300
_CACHE_USES = 100_000


class SealBroken(Exception):
    """The payload was changed, moved, or belongs to another key. Never shown to a client."""


class DataKey:
    """An owner's key, unwrapped."""

    def __init__(self, owner: str, secret: bytes) -> None:
        self.owner = owner
        self.secret = secret

    def seal(self, payload: bytes, place: str) -> bytes:
        """Seal `payload` for `place`, e.g. `records/CARD#1/visits#…/body`."""
        nonce = os.urandom(12)
        if len(payload) > _LONG:
            packed = zlib.compress(payload, 3, wbits=-15)
            bound = DEFLATED + place.encode()
            return DEFLATED + nonce + AESGCM(self.secret).encrypt(nonce, packed, bound)
        return VERSION + nonce + AESGCM(self.secret).encrypt(nonce, payload, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """The payload that was sealed for `place`.

        Raises:
            SealBroken: it does not open.
        """
        form, nonce, body = sealed[:1], sealed[1:13], sealed[13:]
        if form not in (VERSION, DEFLATED):
            raise SealBroken("unknown form")
        bound = place.encode() if form == VERSION else DEFLATED + place.encode()
        try:
            payload = AESGCM(self.secret).decrypt(nonce, body, bound)
        except (InvalidTag, ValueError) as error:  # ValueError: cut short
            raise SealBroken("changed or moved") from error
        return payload if form == VERSION else zlib.decompress(payload, wbits=-15)

    def token(self, *parts: str) -> str:
        """A keyed hash (128 bits, hex) that hides `parts` and still finds them again."""
        # Lengths in front: ("ab", "c") and ("a", "bc") must not meet.
        message = b"".join(len(p.encode()).to_bytes(4) + p.encode() for p in parts)
        key = hmac.digest(self.secret, b"medkarta/index/v1", hashlib.sha256)
        return hmac.digest(key, message, hashlib.sha256)[:16].hex()


def context(owner: str, purpose: str) -> dict[str, str]:
    """What KMS binds a wrapped key to: without it the key does not open."""
    return {"owner": owner, "purpose": purpose}


class _Cached:
    """A key in memory: until when (monotonic time), and how often it was used."""

    def __init__(self, key: DataKey) -> None:
        self.key = key
        self.until = time.monotonic() + _CACHE_SECONDS
        self.uses = 0


class Keyring:
    """The data keys of one purpose: made, wrapped and unwrapped by one KMS key."""

    def __init__(self, *, table: str, kms_key: str, purpose: str) -> None:
        self._table = table
        self._kms_key = kms_key
        self._purpose = purpose
        self._cache: dict[str, _Cached] = {}

    def without_memory(self) -> "Keyring":
        """The same keys, fetched and unwrapped anew: for those whose time must not tell who was
        here before."""
        return Keyring(table=self._table, kms_key=self._kms_key, purpose=self._purpose)

    def lookup(self, owner: str) -> dynamo.Lookup:
        """Where the wrapped key of `owner` rests, so that it can be read in a batch."""
        return dynamo.Lookup(self._table, owner, f"KEY#{self._purpose}")

    def get(self, owner: str) -> DataKey:
        """The key of `owner`, from memory for five minutes, else read, and unwrapped by KMS.

        Raises:
            KeyDestroyed: there is none: nothing of this owner can be read.
        """
        cached = self._cached(owner)
        if cached:
            return cached
        place = self.lookup(owner)
        return self.unwrap(owner, dynamo.get(self._table, {"pk": place.pk, "sk": place.sk}))

    def unwrap(self, owner: str, item: dynamo.Item | None) -> DataKey:
        """The key of `owner`, whose item (`lookup`) the caller has read with others.

        Raises:
            KeyDestroyed: there is no item: nothing of this owner can be read.
        """
        cached = self._cached(owner)
        if cached:
            return cached
        if item is None:
            raise KeyDestroyed(owner)
        try:
            answer = aws.kms().decrypt(
                CiphertextBlob=item["wrapped"],
                KeyId=self._kms_key,
                EncryptionContext=context(owner, self._purpose),
            )
        except (ClientError, BotoCoreError) as error:
            raise Unavailable from error
        return self._remember(DataKey(owner, answer["Plaintext"]))

    def create(self, owner: str) -> DataKey:
        """The key of `owner`, made now if there is none. Two makers at once get the same key."""
        try:
            return self.get(owner)
        except KeyDestroyed:
            pass
        place = self.lookup(owner)
        key, item = self.new(owner)
        try:
            dynamo.put(self._table, item, condition="attribute_not_exists(pk)")
        except dynamo.ConditionFailed:
            return self.get(place.pk)
        return self._remember(key)

    def new(self, owner: str) -> tuple[DataKey, dict[str, Any]]:
        """A fresh key and the item that keeps it wrapped, for the caller to put."""
        place = self.lookup(owner)
        try:
            answer = aws.kms().generate_data_key(
                KeyId=self._kms_key,
                KeySpec="AES_256",
                EncryptionContext=context(owner, self._purpose),
            )
        except (ClientError, BotoCoreError) as error:
            raise Unavailable from error
        item = {"pk": place.pk, "sk": place.sk, "wrapped": answer["CiphertextBlob"]}
        return DataKey(owner, answer["Plaintext"]), item

    def _cached(self, owner: str) -> DataKey | None:
        entry = self._cache.get(owner)
        if entry is None:
            return None
        entry.uses += 1
        if time.monotonic() > entry.until or entry.uses > _CACHE_USES:
            del self._cache[owner]
            return None
        return entry.key

    def _remember(self, key: DataKey) -> DataKey:
        if len(self._cache) >= 1000:
            self._cache.pop(next(iter(self._cache)))
        self._cache[key.owner] = _Cached(key)
        return key


class KeyDestroyed(Exception):
    """The owner has no data key: never made, or destroyed by erasure."""
