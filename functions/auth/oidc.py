"""Signing in by an outside OpenID provider: the protocol (OpenID Connect Core 1.0 §3.1, RFC 9700).

Authorization code with PKCE (S256), state and nonce. We prove ourselves to the provider by a
signed assertion (`private_key_jwt`, RFC 7523 §2.2, made by the token key in KMS), so that no shared
secret exists. A provider is configuration: its addresses, our client id there, and the algorithms
that it may sign with. Nothing that a client sends ever becomes an address.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from kernel import body as body_guard
from kernel import clock, ids, log, signatures
from kernel.errors import Malformed, Unavailable
from kernel.signatures import b64url

if TYPE_CHECKING:
    from jwt import PyJWK
    from urllib3 import PoolManager

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SKEW = 60
# An ID token is read right after it was made, so an old one was meant for another occasion.
_OLDEST = 600
_ASSERTION_SECONDS = 60
_MOST_BYTES = 64 * 1024
_KEYS_SECONDS = 600
_KEYS_PAUSE = 30
_SMALLEST_RSA = 2048
_REQUIRED = ["iss", "aud", "sub", "exp", "iat", "nonce"]


class NotVouched(Exception):
    """The provider did not vouch for anybody: it refused, or what it says does not hold."""


class Provider(BaseModel):
    """One provider of the setting `OIDC_PROVIDERS`, a JSON object by provider's name.

    In addresses `{sub}` stands for the subject, for providers that keep a person's data under it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str
    client_id: str
    redirect_uri: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    scope: str = "openid"
    algorithms: tuple[Literal["ES256", "RS256", "PS256"], ...] = ("ES256", "RS256")
    plain_http_on_loopback: bool = False

    @model_validator(mode="after")
    def _encrypted(self) -> "Provider":
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
            parts = urlsplit(getattr(self, name) or "https://unused")
            on_loopback = self.plain_http_on_loopback and parts.hostname in _LOOPBACK
            if parts.scheme != "https" and not (parts.scheme == "http" and on_loopback):
                raise ValueError(f"{name} is not https")
        return self


Providers = dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")], Provider]


def providers(setting: str) -> Providers:
    """The providers of a deployment.

    Raises:
        ValueError: the setting is wrong.
    """
    return TypeAdapter(Providers).validate_json(setting)


class Granted(NamedTuple):
    """What a provider gave for a code; `claims` are those of the ID token, checked."""

    claims: Mapping[str, Any]
    access_token: str


class Client:
    """We as a client of outside providers. `token_key` signs our assertions."""

    def __init__(self, token_key: str) -> None:
        self._token_key = token_key
        self._keys: dict[str, tuple[float, list[Any]]] = {}
        self._pool: PoolManager | None = None

    @staticmethod
    def authorization_url(provider: Provider, *, state: str, nonce: str, verifier: str) -> str:
        """Where the person goes to sign in."""
        challenge = b64url(hashlib.sha256(verifier.encode()).digest())
        query = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": provider.redirect_uri,
            "scope": provider.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        mark = "&" if urlsplit(provider.authorization_endpoint).query else "?"
        return f"{provider.authorization_endpoint}{mark}{urlencode(query)}"

    def exchange(
        self, provider: Provider, code: str, *, nonce: str, verifier: str, now: datetime
    ) -> Granted:
        """Exchange an authorization code.

        Raises:
            NotVouched: the provider refuses the code, or its ID token does not hold.
            Unavailable: the provider did not answer.
        """
        moment = clock.epoch(now)
        assertion = {
            "iss": provider.client_id,
            "sub": provider.client_id,
            "aud": provider.token_endpoint,
            "iat": moment,
            "exp": moment + _ASSERTION_SECONDS,
            "jti": ids.secret(),
        }
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": provider.redirect_uri,
            "client_id": provider.client_id,
            "code_verifier": verifier,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": signatures.sign(self._token_key, assertion, "JWT"),
        }
        answer = self._json("POST", provider.token_endpoint, body=urlencode(form))
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise NotVouched("no tokens")
        return Granted(self._claims(provider, id_token, nonce, moment), access_token)

    def userinfo(self, provider: Provider, granted: Granted) -> dict[str, Any]:
        """What the provider tells of the person; empty where it has no such address.

        Raises:
            NotVouched, Unavailable: as `exchange`.
        """
        if provider.userinfo_endpoint is None:
            return {}
        subject = str(granted.claims["sub"])
        address = provider.userinfo_endpoint.replace("{sub}", quote(subject, safe=""))
        found = self._json("GET", address, authorization=f"Bearer {granted.access_token}")
        # OpenID Connect Core 1.0 §5.3.2: another's data must not be taken for this person's.
        if str(found.get("sub", subject)) != subject:
            raise NotVouched("somebody else's data")
        return found

    def _claims(
        self, provider: Provider, id_token: str, nonce: str, moment: int
    ) -> Mapping[str, Any]:
        """The claims of an ID token that holds (OpenID Connect Core 1.0 §3.1.3.7)."""
        import jwt  # on first use: an import of 100 ms

        try:
            header = jwt.get_unverified_header(id_token)
            if header.get("alg") not in provider.algorithms:
                raise NotVouched("algorithm")
            key = usable(self._named(provider, header), header["alg"])
            found: dict[str, Any] = jwt.decode(
                id_token,
                key,
                algorithms=[header["alg"]],
                issuer=provider.issuer,
                options={
                    "require": _REQUIRED,
                    # Judged below: by our clock, and more strictly.
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    # ЕСИА's subjects are numbers.
                    "verify_sub": False,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise NotVouched("ID token") from error
        if found["aud"] not in (provider.client_id, [provider.client_id]):
            raise NotVouched("audience")
        if found.get("azp", provider.client_id) != provider.client_id:
            raise NotVouched("authorized party")
        if found["nonce"] != nonce:
            raise NotVouched("nonce")
        if type(found["sub"]) not in (str, int) or not str(found["sub"]):
            raise NotVouched("subject")
        issued, expires = found["iat"], found["exp"]
        if type(issued) is not int or type(expires) is not int:
            raise NotVouched("times")
        if not moment - _OLDEST <= issued <= moment + _SKEW or expires <= moment - _SKEW:
            raise NotVouched("too old, or not yet")
        return found

    def _named(self, provider: Provider, header: Mapping[str, Any]) -> dict[str, Any]:
        """The provider's key that a header names; the set is asked again for a name that is new."""
        known = self._keys.get(provider.jwks_uri)
        age = time.monotonic() - known[0] if known else _KEYS_SECONDS
        found = named(known[1] if known else [], header)
        if age >= _KEYS_SECONDS or (len(found) != 1 and age >= _KEYS_PAUSE):
            keys = self._json("GET", provider.jwks_uri).get("keys")
            if not isinstance(keys, list):
                raise NotVouched("key set")
            self._keys[provider.jwks_uri] = (time.monotonic(), keys)
            found = named(keys, header)
        if len(found) != 1:
            raise NotVouched("unknown key")
        return found[0]

    def _json(
        self, method: str, address: str, *, body: str | None = None, authorization: str = ""
    ) -> dict[str, Any]:
        """One call, without redirects or repeats; the JSON object of a 200."""
        import urllib3

        if self._pool is None:
            timeout = urllib3.Timeout(connect=2, read=5)
            self._pool = urllib3.PoolManager(timeout=timeout, retries=False, maxsize=4)
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if authorization:
            headers["Authorization"] = authorization
        try:
            answer = self._pool.request(
                method, address, body=body, headers=headers, redirect=False, preload_content=False
            )
            try:
                data = answer.read(_MOST_BYTES + 1)
            finally:
                answer.close()
        except urllib3.exceptions.HTTPError as error:
            log.failure("identity provider did not answer", error)
            raise Unavailable from error
        if answer.status >= 500 or answer.status == 429:
            raise Unavailable
        if answer.status != 200 or len(data) > _MOST_BYTES:
            raise NotVouched(f"status {answer.status}")
        try:
            found = body_guard.parse_json(data)
        except Malformed as error:
            raise NotVouched("not JSON") from error
        if not isinstance(found, dict):
            raise NotVouched("not an object")
        return found


def named(keys: Sequence[Any], header: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The keys for signatures that a header can mean: those of its `kid`, or all where it names
    none (ЕСИА's do not); and of its `alg`, where a key says what it is for (RFC 7517 §4)."""
    return [
        key
        for key in keys
        if isinstance(key, dict)
        and key.get("kty") in ("EC", "RSA")
        and key.get("use", "sig") == "sig"
        and "verify" in key.get("key_ops", ["verify"])
        and key.get("alg", header["alg"]) == header["alg"]
        and (header.get("kid") is None or key.get("kid") == header["kid"])
    ]


def usable(key: dict[str, Any], algorithm: str) -> "PyJWK":
    """The key, if it fits the algorithm and is strong enough (RFC 7518 §3.3).

    Raises:
        NotVouched: too short. PyJWTError: not a key of this algorithm.
    """
    import jwt

    found = jwt.PyJWK(key, algorithm=algorithm)
    if algorithm != "ES256" and found.key.key_size < _SMALLEST_RSA:
        raise NotVouched("weak key")
    return found
