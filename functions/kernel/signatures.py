"""JWS in compact form (RFC 7515), ES256, by KMS keys that no process holds.

`kid` names a key in every header and in the published key set (`/.well-known/jwks.json`).
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from kernel import aws
from kernel.errors import Unavailable

# What KMS takes as a message that is not hashed before.
_LARGEST = 4096


def kid(key_id: str) -> str:
    """The public name of the KMS key `key_id` (its ARN): stable, and telling nothing of it."""
    return b64url(hashlib.sha256(key_id.encode()).digest()[:12])


def sign(key_id: str, payload: Mapping[str, Any], typ: str) -> str:
    """A compact JWS over the canonical JSON of `payload` (keys sorted, no spaces, UTF-8).

    Raises:
        Unavailable: KMS did not answer.
    """
    message = _signed(key_id, payload, typ)
    if len(message) > _LARGEST:  # KMS refuses it, the emulators do not
        raise ValueError(f"a JWS of {len(message)} bytes is more than KMS signs")
    try:
        answer = aws.kms().sign(
            KeyId=key_id,
            Message=message.encode(),
            MessageType="RAW",
            SigningAlgorithm="ECDSA_SHA_256",
        )
    except (ClientError, BotoCoreError) as error:
        raise Unavailable from error
    # KMS gives DER; JWS wants the two numbers of 32 bytes each (RFC 7518 §3.4).
    r, s = decode_dss_signature(answer["Signature"])
    return f"{message}.{b64url(r.to_bytes(32) + s.to_bytes(32))}"


def fits(key_id: str, payload: Mapping[str, Any], typ: str) -> bool:
    """Whether KMS signs a payload of this length."""
    return len(_signed(key_id, payload, typ)) <= _LARGEST


def _signed(key_id: str, payload: Mapping[str, Any], typ: str) -> str:
    header = {"alg": "ES256", "kid": kid(key_id), "typ": typ}
    return f"{b64url(canonical(header))}.{b64url(canonical(payload))}"


def canonical(value: Mapping[str, Any]) -> bytes:
    """JSON with one form for one value, so that two readers hash the same bytes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
