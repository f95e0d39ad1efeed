"""Sealing: what was sealed for one place opens there and nowhere else."""

import pytest

from kernel.sealing import DataKey, SealBroken

KEY = DataKey("CARD#1", bytes(range(32)))


def test_what_was_sealed_opens_in_its_place() -> None:
    assert KEY.open(KEY.seal("тайна".encode(), "a/b"), "a/b").decode() == "тайна"


def test_two_seals_of_the_same_differ() -> None:
    assert KEY.seal(b"x", "a") != KEY.seal(b"x", "a")


def test_moved_payloads_do_not_open() -> None:
    sealed = KEY.seal(b"x", "records/CARD#1/a/body")
    with pytest.raises(SealBroken):
        KEY.open(sealed, "records/CARD#1/b/body")
    with pytest.raises(SealBroken):
        DataKey("CARD#2", bytes(32)).open(sealed, "records/CARD#1/a/body")


def test_every_flipped_bit_is_found() -> None:
    sealed = KEY.seal(b"value", "a")
    for place in range(len(sealed)):
        for bit in range(8):
            changed = bytearray(sealed)
            changed[place] ^= 1 << bit
            with pytest.raises(SealBroken):
                KEY.open(bytes(changed), "a")


@pytest.mark.parametrize("short", [b"", b"\x01", b"\x01" + bytes(12), b"\x01" + bytes(27)])
def test_truncated_payloads_do_not_open(short: bytes) -> None:
    with pytest.raises(SealBroken):
        KEY.open(short, "a")


def test_tokens_hide_the_value_and_keep_parts_apart() -> None:
    assert KEY.token("code", "I10") == KEY.token("code", "I10")
    assert KEY.token("ab", "c") != KEY.token("a", "bc")
    assert KEY.token("code", "I10") != DataKey("CARD#2", bytes(32)).token("code", "I10")
    assert "I10" not in KEY.token("code", "I10")


def test_the_secret_does_not_show() -> None:
    assert bytes(range(32)).hex() not in repr(KEY)
    assert "secret" not in repr(KEY)
