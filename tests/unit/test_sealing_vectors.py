"""Sealing against Wycheproof's AES-GCM vectors, and how long an unwrapped key is used."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from kernel import aws, sealing
from kernel.sealing import DEFLATED, VERSION, DataKey, Keyring, SealBroken

VECTORS = (
    Path(__file__).parents[3] / "shared" / "data" / "verify" / "wycheproof" / "aes_gcm_test.json"
)


def _vectors() -> list[dict[str, Any]]:
    """Those of our own form: a 256-bit key, a 96-bit nonce, a 128-bit tag."""
    if not VECTORS.exists():
        pytest.skip("the vectors (../shared/data/verify) are not on this machine")
    groups = json.loads(VECTORS.read_text())["testGroups"]
    ours = [g for g in groups if (g["keySize"], g["ivSize"], g["tagSize"]) == (256, 96, 128)]
    return [test for group in ours for test in group["tests"]]


class _Place(str):
    """A place whose bytes are any: the vectors' associated data are no text."""

    raw: bytes

    def encode(self, *_: Any) -> bytes:
        return self.raw


def _place(raw: bytes) -> _Place:
    place = _Place()
    place.raw = raw
    return place


def test_wycheproof_vectors_open_or_break_as_they_must() -> None:
    counted = {"valid": 0, "invalid": 0}
    for test in _vectors():
        key = DataKey("CARD#1", bytes.fromhex(test["key"]))
        sealed = VERSION + bytes.fromhex(test["iv"] + test["ct"] + test["tag"])
        place = _place(bytes.fromhex(test["aad"]))
        counted[test["result"]] += 1
        if test["result"] == "valid":
            assert key.open(sealed, place) == bytes.fromhex(test["msg"]), test["tcId"]
        else:
            with pytest.raises(SealBroken):
                key.open(sealed, place)
    assert counted["valid"] > 30
    assert counted["invalid"] > 20


def test_what_we_seal_is_what_the_vectors_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for test in _vectors():
        if test["result"] == "valid":
            nonce = bytes.fromhex(test["iv"])
            monkeypatch.setattr(os, "urandom", lambda _, nonce=nonce: nonce)
            key = DataKey("CARD#1", bytes.fromhex(test["key"]))
            sealed = key.seal(bytes.fromhex(test["msg"]), _place(bytes.fromhex(test["aad"])))
            assert sealed == VERSION + nonce + bytes.fromhex(test["ct"] + test["tag"])


def test_long_payloads_are_deflated_and_their_form_is_bound() -> None:
    key = DataKey("CARD#1", bytes(32))
    payload = b'{"observations":[]}' * 5000
    sealed = key.seal(payload, "a")
    assert sealed[:1] == DEFLATED
    assert len(sealed) < len(payload) / 20
    assert key.open(sealed, "a") == payload
    with pytest.raises(SealBroken):
        key.open(VERSION + sealed[1:], "a")
    with pytest.raises(SealBroken):
        key.open(sealed, "b")
    with pytest.raises(SealBroken):
        key.open(DEFLATED + key.seal(b"short", "a")[1:], "a")


class _Kms:
    """Counts how often a key is unwrapped."""

    def __init__(self) -> None:
        self.unwrapped = 0

    def decrypt(self, **asked: Any) -> dict[str, bytes]:
        assert asked["EncryptionContext"] == {"owner": "CARD#1", "purpose": "medical"}
        self.unwrapped += 1
        return {"Plaintext": bytes(32)}


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> _Kms:
    kms = _Kms()
    monkeypatch.setattr(aws, "kms", lambda: kms)
    return kms


def test_an_unwrapped_key_serves_a_number_of_times_and_no_more(
    kms: _Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "_CACHE_USES", 10)
    ring = Keyring(table="KeysTable", kms_key="key", purpose="medical")
    for _ in range(11):
        ring.unwrap("CARD#1", {"wrapped": b"x"})
    assert kms.unwrapped == 1
    ring.unwrap("CARD#1", {"wrapped": b"x"})
    assert kms.unwrapped == 2


def test_an_unwrapped_key_serves_for_five_minutes(
    kms: _Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    ring = Keyring(table="KeysTable", kms_key="key", purpose="medical")
    for moment[0] in (1000.0, 1299.0):
        ring.unwrap("CARD#1", {"wrapped": b"x"})
    assert kms.unwrapped == 1
    moment[0] = 1301.0
    ring.unwrap("CARD#1", {"wrapped": b"x"})
    assert kms.unwrapped == 2


def test_no_more_than_a_thousand_keys_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    class Any_:
        def decrypt(self, **_: Any) -> dict[str, bytes]:
            return {"Plaintext": bytes(32)}

    monkeypatch.setattr(aws, "kms", Any_)
    ring = Keyring(table="KeysTable", kms_key="key", purpose="medical")
    for number in range(1200):
        ring.unwrap(f"CARD#{number}", {"wrapped": b"x"})
    assert len(ring._cache) <= 1000
