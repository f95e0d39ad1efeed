"""Access tokens, refresh tokens and app codes against vectors and forgeries."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from auth import refresh, tokens, totp
from auth.settings import TokenSettings
from kernel.errors import Unauthenticated
from kernel.identity import AccountId, SessionId
from kernel.signatures import b64url, kid

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MOMENT = int(NOW.timestamp())
SETTINGS = TokenSettings("arn:token-key", "https://portal.example", "medkarta-test")
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
VECTORS = Path(__file__).parents[3] / "shared" / "data" / "verify" / "wycheproof"


def key_set() -> tokens.KeySet:
    found = tokens.KeySet(SETTINGS.token_key_id)
    found._keys[kid(SETTINGS.token_key_id)] = KEY.public_key()
    return found


def claims(**changes: Any) -> dict[str, Any]:
    found = {
        "iss": SETTINGS.issuer,
        "aud": SETTINGS.audience,
        "client_id": "medkarta-app",
        "sub": "a",
        "sid": "s",
        "iat": MOMENT,
        "exp": MOMENT + 600,
        "jti": "j",
        "level": "verified",
        "roles": [],
        "amr": ["pwd", "sms"],
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}


def signed(
    payload: dict[str, Any] | str, key: ec.EllipticCurvePrivateKey = KEY, **header: Any
) -> str:
    full = {"alg": "ES256", "typ": "at+jwt", "kid": kid(SETTINGS.token_key_id), **header}
    full = {name: value for name, value in full.items() if value is not None}
    text = payload if isinstance(payload, str) else json.dumps(payload)
    message = f"{b64url(json.dumps(full).encode())}.{b64url(text.encode())}"
    r, s = decode_dss_signature(key.sign(message.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{message}.{b64url(r.to_bytes(32) + s.to_bytes(32))}"


def verify(token: str) -> dict[str, Any]:
    return tokens.verify(token, key_set(), SETTINGS, NOW)


def test_a_good_token_gives_its_claims() -> None:
    assert verify(signed(claims())) == claims()


def test_a_token_that_has_just_run_out_reaches_the_gate() -> None:
    old = {"iat": MOMENT - 1200, "exp": MOMENT - 600}
    assert verify(signed(claims(**old)))["exp"] == MOMENT - 600


def _hs256(payload: dict[str, Any]) -> str:
    """The public key taken for a shared secret (RFC 8725 §2.1)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "typ": "at+jwt", "kid": kid(SETTINGS.token_key_id)}
    message = f"{b64url(json.dumps(header).encode())}.{b64url(json.dumps(payload).encode())}"
    return f"{message}.{b64url(hmac.digest(pem, message.encode(), hashlib.sha256))}"


def _unsigned(payload: dict[str, Any]) -> str:
    header = {"alg": "none", "typ": "at+jwt", "kid": kid(SETTINGS.token_key_id)}
    return f"{b64url(json.dumps(header).encode())}.{b64url(json.dumps(payload).encode())}."


FORGERIES: dict[str, Callable[[], str]] = {
    "another key": lambda: signed(claims(), OTHER),
    "an unknown kid": lambda: signed(claims(), kid="other"),
    "no kid": lambda: signed(claims(), kid=None),
    "kid is a list": lambda: signed(claims(), kid=["x"]),
    "a key in the header": lambda: signed(claims(), OTHER, jwk={"kty": "EC"}),
    "a key by address": lambda: signed(claims(), jku="https://evil.example"),
    "crit": lambda: signed(claims(), crit=["exp"]),
    "alg none": lambda: _unsigned(claims()),
    "alg HS256": lambda: _hs256(claims()),
    "alg ES384": lambda: signed(claims(), alg="ES384"),
    "typ JWT": lambda: signed(claims(), typ="JWT"),
    "no typ": lambda: signed(claims(), typ=None),
    "another issuer": lambda: signed(claims(iss="https://evil.example")),
    "another audience": lambda: signed(claims(aud="other")),
    "a list of audiences": lambda: signed(claims(aud=[SETTINGS.audience])),
    "no audience": lambda: signed(claims(aud=None)),
    "no end": lambda: signed(claims(exp=None)),
    "no session": lambda: signed(claims(sid=None)),
    "the session is a number": lambda: signed(claims(sid=1)),
    "ended long ago": lambda: signed(claims(iat=MOMENT - 90000, exp=MOMENT - 86401)),
    "not yet issued": lambda: signed(claims(iat=MOMENT + 120, exp=MOMENT + 600)),
    "too long": lambda: signed(claims(exp=MOMENT + 601)),
    "the end is a text": lambda: signed(claims(exp=str(MOMENT + 600))),
    "the end is a float": lambda: signed(claims(exp=MOMENT + 0.5)),
    "the end is true": lambda: signed(claims(exp=True)),
    "payload is a list": lambda: signed("[]"),
    "payload is no JSON": lambda: signed("{"),
    "payload is deep": lambda: signed("[" * 100_000 + "]" * 100_000),
    "nothing": lambda: "",
    "dots": lambda: "..",
    "text": lambda: "not.a.token",
    "other letters": lambda: "ё.ё.ё",
    "no signature": lambda: signed(claims()).rpartition(".")[0] + ".",
    "a cut signature": lambda: signed(claims())[:-4],
    "four parts": lambda: signed(claims()) + ".x",
    "a changed payload": lambda: _changed_payload(),
    "signature of zeros": lambda: signed(claims()).rpartition(".")[0] + "." + b64url(bytes(64)),
    "DER signature": lambda: _der(),
}


def _changed_payload() -> str:
    header, _, signature = signed(claims()).split(".")
    return f"{header}.{b64url(json.dumps(claims(sub='b')).encode())}.{signature}"


def _der() -> str:
    message = signed(claims()).rpartition(".")[0]
    return f"{message}.{b64url(KEY.sign(message.encode(), ec.ECDSA(hashes.SHA256())))}"


@pytest.mark.parametrize("name", FORGERIES)
def test_forgeries_are_nobodys(name: str) -> None:
    with pytest.raises(Unauthenticated):
        verify(FORGERIES[name]())


def _wycheproof() -> Iterator[tuple[str, ec.EllipticCurvePublicKey, bytes, bytes, bool]]:
    path = VECTORS / "ecdsa_secp256r1_sha256_p1363_test.json"
    if not path.exists():
        return
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    for group in json.loads(path.read_text("utf-8"))["testGroups"]:
        key = load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            yield str(case["tcId"]), key, message, signature, case["result"] == "valid"


def test_the_library_that_verifies_agrees_with_wycheproof() -> None:
    """Our tokens are judged by this very class of pyjwt; a token cannot hold these messages."""
    from jwt.algorithms import ECAlgorithm

    cases = list(_wycheproof())
    if not cases:
        pytest.skip("the Wycheproof vectors are not beside the repository")
    algorithm = ECAlgorithm(ECAlgorithm.SHA256)
    wrong = [
        name
        for name, key, message, signature, valid in cases
        if algorithm.verify(message, key, signature) is not valid
    ]
    assert wrong == []
    assert len(cases) > 200


# --- refresh tokens ------------------------------------------------------------------------------


def test_a_refresh_token_reads_back_and_its_successor_follows_from_it() -> None:
    key = bytes(32)
    token = refresh.RefreshToken(AccountId("acc"), SessionId("sid"), b"\x01" * 32)
    assert refresh.read(token.text(key), key) == token
    successor = token.successor(key, "salt")
    assert successor == token.successor(key, "salt")
    assert successor != token.successor(key, "pepper")
    assert successor != token.successor(b"\x01" * 32, "salt")
    assert len(successor.secret) == 32
    assert successor.hash != token.hash


def test_a_changed_refresh_token_is_not_ours() -> None:
    key = bytes(32)
    text = refresh.RefreshToken(AccountId("acc"), SessionId("sid"), b"\x01" * 32).text(key)
    version, account, session, secret, tag = text.split(".")
    changed = [
        f"{version}.acc2.{session}.{secret}.{tag}",
        f"{version}.{account}.sid2.{secret}.{tag}",
        f"{version}.{account}.{session}.{b64url(bytes(32))}.{tag}",
        f"mkr2.{account}.{session}.{secret}.{tag}",
        f"{version}.{account}.{session}.{secret}.",
        f"{version}.{account}.{session}.{secret}=.{tag}",
        text + ".x",
        text[:-1],
        "",
        "....",
    ]
    for each in changed:
        with pytest.raises(Unauthenticated):
            refresh.read(each, key)


# --- app codes -----------------------------------------------------------------------------------

# RFC 6238 appendix B, SHA-1; the app shows the last six digits.
RFC_6238 = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]
SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(("moment", "code"), RFC_6238)
def test_app_codes_are_those_of_the_rfc(moment: int, code: str) -> None:
    now = datetime.fromtimestamp(moment, UTC)
    assert totp.matching_step(SECRET, code[-6:], now) == moment // 30


def test_app_codes_of_the_neighbouring_steps_are_taken_and_no_others() -> None:
    import pyotp

    app = pyotp.TOTP(SECRET)
    step = MOMENT // 30
    for away, taken in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        found = totp.matching_step(SECRET, app.generate_otp(step + away), NOW)
        assert (found == step + away) is taken
    for other in ("", "12345", "1234567", "abcdef", "١٢٣٤٥٦"):
        assert totp.matching_step(SECRET, other, NOW) is None


def test_recovery_codes_are_ten_and_found_in_any_spelling() -> None:
    codes = totp.new_recovery_codes()
    assert len(set(codes)) == 10
    key = bytes(32)
    spelled = codes[0].upper().replace("-", " ")
    assert totp.recovery_hash(spelled, "a", key) == totp.recovery_hash(codes[0], "a", key)
    assert totp.recovery_hash(codes[0], "b", key) != totp.recovery_hash(codes[0], "a", key)
