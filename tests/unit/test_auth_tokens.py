"""Access tokens, refresh tokens and app codes against vectors and forgeries."""

import base64
import hashlib
import hmac
import json
import re
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
SETTINGS = TokenSettings("arn:token-key", "arn:second", "https://portal.example", "medkarta-test")
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


# What our code answers otherwise than Wycheproof's, and why.
OTHERWISE = {
    # Valid, but of algorithms that no provider may use here, or with keys that say another one.
    *((name, case) for name in ("rs384", "rs512") for case in range(264, 272)),
    *((name, case) for name in ("ps384", "ps512") for case in range(320, 329)),
    *(("rfc7520", case) for case in (346, 347)),
    *(("rfc7520WithKeyOps", case) for case in (350, 351)),
    # A key that a broken smart card made (CVE-2017-15361). The keys are the provider's own, and
    # come by TLS from the address in the configuration: we do not look for the flaw.
    ("jws_rsa_roca_key", 46),
    ("jws_rsa_roca_key", 7),
}


def _accepted(jws: Any, keys: list[Any]) -> bool:
    """Whether the sign-in by a provider with these keys takes this signature."""
    import jwt

    from auth import oidc

    algorithms = ("ES256", "RS256", "PS256")
    try:
        header = jwt.get_unverified_header(jws)
        if header.get("alg") not in algorithms:
            return False
        found = oidc.named(keys, header)
        if len(found) != 1:
            return False
        key = oidc.usable(found[0], header["alg"])
        jwt.PyJWS().decode(jws, key, algorithms=[header["alg"]])
    except (jwt.PyJWTError, oidc.NotVouched, ValueError, TypeError):
        return False
    return True


@pytest.mark.parametrize("name", ["signature", "key", "crypto"])
def test_the_keys_and_signatures_of_providers_are_judged_as_wycheproof_does(name: str) -> None:
    path = VECTORS / f"json_web_{name}_test.json"
    if not path.exists():
        pytest.skip("the Wycheproof vectors are not beside the repository")
    wrong, count = [], 0
    for group in json.loads(path.read_text("utf-8"))["testGroups"]:
        public = group.get("public") or group["private"]
        keys = public.get("keys", [public])
        for case in (case for case in group["tests"] if "jws" in case):
            count += 1
            known = (group.get("comment", ""), case["tcId"])
            # Shared secrets (`oct`) are nobody's keys here: nothing of theirs is taken.
            secret = all(key["kty"] == "oct" for key in keys)
            expected = case["result"] == "valid" and not secret
            if known not in OTHERWISE and _accepted(case["jws"], keys) is not expected:
                wrong.append((*known, case["comment"]))
    assert wrong == []
    assert count > 20


def test_no_foreign_signature_is_an_access_token() -> None:
    """Each of Wycheproof's, signed by the very key that we trust: none has our form."""
    from jwt.algorithms import ECAlgorithm

    path = VECTORS / "json_web_signature_test.json"
    if not path.exists():
        pytest.skip("the Wycheproof vectors are not beside the repository")
    for group in json.loads(path.read_text("utf-8"))["testGroups"]:
        public = group.get("public") or group["private"]
        keys = tokens.KeySet(SETTINGS.token_key_id)
        if public.get("crv") == "P-256":
            keys._keys[kid(SETTINGS.token_key_id)] = ECAlgorithm.from_jwk(public)  # type: ignore[assignment]
        for case in group["tests"]:
            with pytest.raises(Unauthenticated):
                tokens.verify(str(case["jws"]), keys, SETTINGS, NOW)


# --- our own keys --------------------------------------------------------------------------------


@pytest.fixture
def kms_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Two signing keys in KMS."""
    import boto3
    from moto import mock_aws

    from kernel import aws as clients

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        clients.forget_clients()
        kms: Any = boto3.client("kms")
        yield [
            kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
            for _ in range(2)
        ]
        clients.forget_clients()


def test_either_key_signs_and_both_are_published(kms_keys: list[str]) -> None:
    """What a rotation stands on: tokens of both keys hold before, during and after it."""
    import jwt

    keys = tokens.KeySet(*kms_keys)
    published = keys.jwks()
    assert [key["kid"] for key in published["keys"]] == [kid(key_id) for key_id in kms_keys]
    for key in published["keys"]:
        assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    for key_id in kms_keys:
        token = tokens.sign(key_id, claims())
        assert tokens.verify(token, keys, SETTINGS, NOW) == claims()
        assert tokens.verify(token, tokens.KeySet(*kms_keys), SETTINGS, NOW) == claims()
        key = next(k for k in published["keys"] if k["kid"] == kid(key_id))
        assert jwt.decode(
            token,
            jwt.PyJWK(key),
            algorithms=["ES256"],
            audience=SETTINGS.audience,
            options={"verify_exp": False},
        )
        # Once a key is taken out of the set, its tokens are nobody's.
        other = next(each for each in kms_keys if each != key_id)
        with pytest.raises(Unauthenticated):
            tokens.verify(token, tokens.KeySet(other), SETTINGS, NOW)


def test_a_key_is_fetched_once_a_process(
    kms_keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tokens.KeySet(*kms_keys)
    token = tokens.sign(kms_keys[0], claims())
    tokens.verify(token, keys, SETTINGS, NOW)
    monkeypatch.setattr(tokens, "_fetch", lambda _: pytest.fail("fetched again"))
    tokens.verify(token, keys, SETTINGS, NOW)


def test_a_kms_that_does_not_answer_is_unavailable(kms_keys: list[str]) -> None:
    from kernel.errors import Unavailable

    gone = kms_keys[0][:-4] + "0000"
    with pytest.raises(Unavailable):
        tokens.sign(gone, claims())
    with pytest.raises(Unavailable):
        tokens.KeySet(gone).jwks()


def test_a_token_tells_who_and_where_to_look() -> None:
    from kernel.identity import Actor, Appointment, ClinicId, PatientId

    actor = Actor(
        account_id=AccountId("acc"),
        session_id=SessionId("ses"),
        level="verified",
        patient_id=PatientId("pat"),
        appointments=(
            Appointment("registrar", ClinicId("c2"), "Ростова"),
            Appointment("clinician", ClinicId("c1"), "Ростова", "терапевт"),
            Appointment("clinician", ClinicId("c2"), "Ростова", "терапевт"),
            Appointment("operator", None, "Ростова"),
        ),
        amr=("pwd", "otp", "mfa"),
        fresh_until=0,
    )
    made = tokens.claims(actor, issuer="i", audience="a", client="app", now=NOW)
    assert len(made.pop("jti")) == 32
    assert made == {
        "iss": "i",
        "aud": "a",
        "client_id": "app",
        "sub": "acc",
        "sid": "ses",
        "iat": MOMENT,
        "exp": MOMENT + 600,
        "level": "verified",
        "roles": ["clinician", "operator", "registrar"],
        "amr": ["pwd", "otp", "mfa"],
        "patient_id": "pat",
        "clinics": ["c1", "c2"],
    }
    plain = Actor(AccountId("acc"), SessionId("ses"), "simplified", None, (), ("pwd",), 0)
    made = tokens.claims(plain, issuer="i", audience="a", client="app", now=NOW)
    assert not {"patient_id", "clinics"} & made.keys()


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({"iat": MOMENT + 60, "exp": MOMENT + 660}, True),
        ({"iat": MOMENT + 61, "exp": MOMENT + 661}, False),
        ({"iat": MOMENT, "exp": MOMENT + 600}, True),
        ({"iat": MOMENT, "exp": MOMENT + 601}, False),
        ({"iat": MOMENT - 87_000, "exp": MOMENT - 86_400}, True),
        ({"iat": MOMENT - 87_001, "exp": MOMENT - 86_401}, False),
        ({"iat": str(MOMENT)}, False),
        ({"iat": True}, False),
        *(({name: 1}, False) for name in ("sub", "sid", "client_id", "jti")),
        *(
            ({name: None}, False)
            for name in ("iss", "aud", "client_id", "sub", "sid", "iat", "exp", "jti")
        ),
        ({"nbf": MOMENT + 9999}, True),
    ],
)
def test_the_edges_of_a_token(changes: dict[str, Any], taken: bool) -> None:
    token = signed(claims(**changes))
    if taken:
        assert verify(token)["sub"] == "a"
    else:
        with pytest.raises(Unauthenticated):
            verify(token)


@pytest.mark.parametrize("year", [2001, 2099])
def test_the_time_is_the_callers_and_not_the_librarys(year: int) -> None:
    now = datetime(year, 1, 1, tzinfo=UTC)
    moment = int(now.timestamp())
    token = signed(claims(iat=moment, exp=moment + 600, nbf=moment + 5))
    assert tokens.verify(token, key_set(), SETTINGS, now)["iat"] == moment


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


def test_the_form_of_refresh_tokens_is_known() -> None:
    """Known answers: another form would sign everybody out at the next deployment."""
    key = bytes(32)
    token = refresh.RefreshToken(AccountId("acc"), SessionId("sid"), b"\x01" * 32)
    secret = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
    assert token.text(key) == f"mkr1.acc.sid.{secret}.UJJOt69L_72M5-ztFfQLKw"
    assert token.hash == "72cd6e8422c407fb6d098690f1130b7ded7ec2f7f5e1d30bd9d521f015363793"
    assert token.successor(key, "salt").text(key) == (
        "mkr1.acc.sid.Jt1CMMRxQGQKwN66YjirCeUOmpuf8Z2SOgTBgO1nkEI.DPt0ScZGCWPNVwwfofT9dg"
    )


def test_every_secret_reads_back() -> None:
    """Also one whose letters are `-` and `_` (RFC 4648 §5)."""
    key = bytes(32)
    for secret in (b"\xfb\xef\xbe" * 10 + b"\xff\xff", b"\xff" * 32, bytes(32)):
        token = refresh.RefreshToken(AccountId("acc"), SessionId("sid"), secret)
        assert refresh.read(token.text(key), key) == token


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


def test_app_codes_are_taken_with_a_space_in_them() -> None:
    import pyotp

    code = pyotp.TOTP(SECRET).generate_otp(MOMENT // 30)
    assert totp.matching_step(SECRET, f"{code[:3]} {code[3:]}", NOW) == MOMENT // 30
    assert totp.matching_step(SECRET, f" {code} ", NOW) == MOMENT // 30
    assert totp.matching_step(SECRET, f"{code[:3]}-{code[3:]}", NOW) is None


def test_a_secret_is_160_bits_and_its_address_names_us() -> None:
    secrets = {totp.new_secret() for _ in range(20)}
    assert len(secrets) == 20
    assert {len(base64.b32decode(secret)) for secret in secrets} == {20}
    uri = totp.uri(SECRET, "+7 *** ***-12-34")
    assert uri.startswith("otpauth://totp/Medkarta:")
    assert f"secret={SECRET}" in uri
    assert "issuer=Medkarta" in uri
    assert "-12-34" in uri


def test_recovery_codes_are_ten_and_found_in_any_spelling() -> None:
    codes = totp.new_recovery_codes()
    assert len(codes) == len(set(codes)) == 10
    letters = "[23456789abcdefghjkmnpqrstuvwxyz]{5}"
    assert all(re.fullmatch(f"{letters}-{letters}", code) for code in codes)
    key = bytes(32)
    hashes = {totp.recovery_hash(code, "a", key) for code in codes}
    assert len(hashes) == 10
    # Known answers: another form would void every code that is out.
    assert (
        totp.recovery_hash("abcde-fgh23", "a", key)
        == hmac.new(key, b"a\x00abcdefgh23", hashlib.sha256).hexdigest()
    )
    spelled = codes[0].upper().replace("-", " ")
    assert totp.recovery_hash(spelled, "a", key) == totp.recovery_hash(codes[0], "a", key)
    assert totp.recovery_hash(codes[0], "b", key) != totp.recovery_hash(codes[0], "a", key)
