"""Keyed hashes by which a person is found without their identifiers being stored in the open."""

from functools import cache

from botocore.exceptions import BotoCoreError, ClientError

from kernel import aws
from kernel.errors import Unavailable


def lookup_hash(kms_key: str, kind: str, value: str) -> str:
    """HMAC-SHA-256 (hex) by a KMS key that no process holds: nobody can try values offline.

    Raises:
        Unavailable: KMS did not answer.
    """
    return _mac(kms_key, looked_up(kind, value)).hex()


def looked_up(kind: str, value: str) -> bytes:
    """What KMS is asked to hash for a look-up."""
    return f"{kind}|{value}".encode()


@cache
def process_key(kms_key: str, purpose: str) -> bytes:
    """A 256-bit key that KMS derives once a process, the same in every process."""
    return _mac(kms_key, f"process key|{purpose}".encode())


def _mac(kms_key: str, message: bytes) -> bytes:
    try:
        answer = aws.kms().generate_mac(KeyId=kms_key, MacAlgorithm="HMAC_SHA_256", Message=message)
    except (ClientError, BotoCoreError) as error:
        raise Unavailable from error
    return bytes(answer["Mac"])
