"""Access tokens: JWT of RFC 9068 (`at+jwt`), ES256 by a KMS key, ten minutes.

Checking follows RFC 8725: one algorithm, the key by `kid` from our own set only, type, issuer and
audience strictly. A token says where to look; what its bearer may do is read from the tables.
"""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from auth.settings import TokenSettings
from kernel import aws, clock, ids, signatures
from kernel.errors import Unauthenticated, Unavailable
from kernel.identity import Actor

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

ALGORITHM = "ES256"
TYPE = "at+jwt"
SECONDS = 600
# The gateway keeps the authorizer's answer for five minutes, so an expired token must reach the
# gate, which alone says `token_expired`. Older ones are nobody's.
TOLERATED = 24 * 3600
_SKEW = 60
_REQUIRED = ["iss", "aud", "client_id", "sub", "sid", "iat", "exp", "jti"]


def claims(actor: Actor, *, issuer: str, audience: str, client: str, now: datetime) -> Any:
    """The claims of a new token of this person in this session."""
    moment = clock.epoch(now)
    clinics = sorted({str(a.clinic_id) for a in actor.appointments if a.clinic_id})
    return {
        "iss": issuer,
        "aud": audience,
        "client_id": client,
        "sub": actor.account_id,
        "sid": actor.session_id,
        "iat": moment,
        "exp": moment + SECONDS,
        "jti": ids.secret(),
        "level": actor.level,
        "roles": actor.roles,
        "amr": list(actor.amr),
        **({"patient_id": actor.patient_id} if actor.patient_id else {}),
        **({"clinics": clinics} if clinics else {}),
    }


def sign(key_id: str, payload: Mapping[str, Any]) -> str:
    """The token, signed in KMS.

    Raises:
        Unavailable: KMS did not answer.
    """
    return signatures.sign(key_id, payload, TYPE)


class KeySet:
    """Public keys by `kid`, fetched from KMS once a process."""

    def __init__(self, *key_ids: str) -> None:
        self._key_ids = {signatures.kid(key_id): key_id for key_id in key_ids}
        self._keys: dict[str, EllipticCurvePublicKey] = {}

    def get(self, kid: str) -> "EllipticCurvePublicKey | None":
        """The key of this name, or None: it is not ours.

        Raises:
            Unavailable: KMS did not answer.
        """
        if kid not in self._keys:
            if kid not in self._key_ids:
                return None
            self._keys[kid] = _fetch(self._key_ids[kid])
        return self._keys[kid]

    def jwks(self) -> dict[str, Any]:
        """All keys as a JSON Web Key Set (RFC 7517)."""
        keys = []
        for kid in self._key_ids:
            key = self.get(kid)
            assert key is not None
            numbers = key.public_numbers()
            keys.append(
                {
                    "kty": "EC",
                    "crv": "P-256",
                    "x": signatures.b64url(numbers.x.to_bytes(32)),
                    "y": signatures.b64url(numbers.y.to_bytes(32)),
                    "kid": kid,
                    "alg": ALGORITHM,
                    "use": "sig",
                }
            )
        return {"keys": keys}


def verify(token: str, keys: KeySet, settings: TokenSettings, now: datetime) -> dict[str, Any]:
    """The claims of a token that we signed; it may have run out up to 24 hours ago.

    Raises:
        Unauthenticated: anything about it is wrong.
        Unavailable: KMS did not answer.
    """
    import jwt  # on first use: an import of 100 ms that signing does without

    key = keys.get(_header(token)["kid"])
    if key is None:
        raise Unauthenticated
    try:
        found: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=settings.audience,
            issuer=settings.issuer,
            options={
                "require": _REQUIRED,
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.PyJWTError as error:
        raise Unauthenticated from error
    moment = clock.epoch(now)
    issued, expires = found["iat"], found["exp"]
    if type(issued) is not int or type(expires) is not int:
        raise Unauthenticated
    if issued > moment + _SKEW or expires > issued + SECONDS or expires + TOLERATED < moment:
        raise Unauthenticated
    if not all(isinstance(found[name], str) for name in ("sub", "sid", "client_id", "jti")):
        raise Unauthenticated
    return found


def _header(token: str) -> dict[str, Any]:
    """The header, if it is exactly of our form; other members are refused (RFC 7515 §4.1.11)."""
    encoded = token.partition(".")[0]
    try:
        header = json.loads(
            base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
        )
    except (ValueError, RecursionError) as error:
        raise Unauthenticated from error
    if not isinstance(header, dict) or header.keys() != {"alg", "kid", "typ"}:
        raise Unauthenticated
    if header["alg"] != ALGORITHM or header["typ"] != TYPE or not isinstance(header["kid"], str):
        raise Unauthenticated
    return header


def _fetch(key_id: str) -> "EllipticCurvePublicKey":
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        answer = aws.kms().get_public_key(KeyId=key_id)
    except (ClientError, BotoCoreError) as error:
        raise Unavailable from error
    key = load_der_public_key(answer["PublicKey"])
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    return key
