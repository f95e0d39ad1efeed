"""A real OpenID provider on loopback, made of Authlib's server: what the sign-in is tested with.

It checks what a provider must: the client's assertion by our published keys, PKCE, the redirect
address, the code used once. `forge` lets a test make it hostile.
"""

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749.errors import OAuth2Error
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

CLIENT_ID = "MEDKARTA"
REDIRECT_URI = "https://portal.example/signing-in/esia"

Json = dict[str, Any]
Forge = Callable[[Json, Json], str | None]


def esia_person(**changes: Any) -> tuple[Json, Json]:
    """A person as ЕСИА tells of one: claims of the ID token, and the answer of `/rs/prns/{oid}`."""
    subject = changes.pop("sub", 1_000_000_000 + secrets.randbelow(10**9))
    is_tru, lvl = changes.pop("is_tru", True), changes.pop("lvl", "PR")
    facts = {
        "urn:esia:sbj:typ": changes.pop("typ", "P"),
        "urn:esia:sbj:oid": subject,
        "urn:esia:sbj:nam": f"OID.{subject}",
        "urn:esia:sbj:lvl": lvl,
        "urn:esia:sbj:is_tru": is_tru,
    }
    claims = {
        "sub": subject,
        "urn:esia:sbj": {name: value for name, value in facts.items() if value is not None},
        "amr": ["PWD"],
    }
    info = {
        "firstName": "Пьер",
        "lastName": "Безухов",
        "middleName": "Кириллович",
        "birthDate": "01.05.1986",
        "snils": None,
        "trusted": True,
        "status": "REGISTERED",
        **changes,
    }
    return claims, info


class _Request(OAuth2Request):  # type: ignore[misc]
    def __init__(self, method: str, path: str, values: Json, headers: Any) -> None:
        super().__init__(method, f"https://provider.example{path}", headers=headers)
        self.payload = BasicOAuth2Payload(values)
        self._values = values

    @property
    def args(self) -> Json:
        return self._values

    @property
    def form(self) -> Json:
        return self._values


@dataclass
class _Code:
    """What was granted, until the code is exchanged."""

    request: _Request
    user: tuple[Json, Json]

    def get_redirect_uri(self) -> Any:
        return self.request.payload.redirect_uri

    def get_scope(self) -> Any:
        return self.request.payload.scope

    def get_nonce(self) -> Any:
        return self.request.payload.data.get("nonce")

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None

    @property
    def code_challenge(self) -> Any:
        return self.request.payload.data.get("code_challenge")

    @property
    def code_challenge_method(self) -> Any:
        return self.request.payload.data.get("code_challenge_method")


class _Client:
    """Us, as the provider has registered us."""

    client_id = CLIENT_ID
    id_token_signed_response_alg = "ES256"

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return REDIRECT_URI

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == REDIRECT_URI

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return bool(method == JWTBearerClientAssertion.CLIENT_AUTH_METHOD)


@dataclass
class OpenIDProvider:
    """A provider that runs. `our_keys` gives our published key set."""

    our_keys: Callable[[], Json]
    base: str = ""
    person: tuple[Json, Json] = field(default_factory=esia_person)
    forge: Forge | None = None
    down: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    codes: dict[str, _Code] = field(default_factory=dict)
    granted: dict[str, tuple[Json, Json]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "esia-1"}))
    rsa: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "esia-rsa"}))

    def configuration(self, **changes: Any) -> Json:
        """The JSON setting by which we know this provider."""
        return {
            "issuer": "http://esia.gosuslugi.ru/",
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "authorization_endpoint": f"{self.base}/aas/oauth2/ac",
            "token_endpoint": f"{self.base}/aas/oauth2/te",
            "userinfo_endpoint": f"{self.base}/rs/prns/{{sub}}?embed=(contacts.elements)",
            "jwks_uri": f"{self.base}/jwks",
            "scope": "openid fullname birthdate snils mobile",
            "plain_http_on_loopback": True,
            **changes,
        }

    def keys(self) -> Json:
        return dict(KeySet([self.key, self.rsa]).as_dict(private=False))

    def id_token(self, claims: Json, header: Json) -> str:
        """The ID token of these claims, as a test bends it or as it should be."""
        if self.forge and (forged := self.forge(claims, header)) is not None:
            return forged
        return str(jwt.encode(header, claims, self.key))


def _server(provider: OpenIDProvider) -> AuthorizationServer:
    class Server(AuthorizationServer):  # type: ignore[misc]
        def query_client(self, client_id: str) -> _Client | None:
            return _Client() if client_id == CLIENT_ID else None

        def save_token(self, token: Json, request: Any) -> None:
            provider.granted[token["access_token"]] = request.user

        def create_oauth2_request(self, request: Any) -> Any:
            return request

        def handle_response(self, status: int, body: Any, headers: Any) -> Any:
            return status, body, headers

        def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
            return

    class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = (JWTBearerClientAssertion.CLIENT_AUTH_METHOD,)

        def save_authorization_code(self, code: str, request: Any) -> None:
            provider.codes[code] = _Code(request, request.user)

        def query_authorization_code(self, code: str, client: Any) -> _Code | None:
            return provider.codes.get(code)

        def delete_authorization_code(self, authorization_code: _Code) -> None:
            for code, each in list(provider.codes.items()):
                if each is authorization_code:
                    del provider.codes[code]

        def authenticate_user(self, authorization_code: _Code) -> Any:
            return authorization_code.user

    class Assertion(JWTBearerClientAssertion):  # type: ignore[misc]
        def get_audiences(self) -> list[str]:
            return [f"{provider.base}/aas/oauth2/te"]

        def validate_jti(self, claims: Any, jti: str) -> bool:
            fresh = jti not in provider.seen
            provider.seen.add(jti)
            return fresh

        def resolve_client_public_key(self, client: Any) -> Any:
            return KeySet.import_key_set(provider.our_keys())  # type: ignore[arg-type]

    class IDToken(OpenIDCode):  # type: ignore[misc]
        def exists_nonce(self, nonce: str, request: Any) -> bool:
            return False

        def encode_id_token(self, token: Json, request: Any) -> str:
            now = int(time.time())
            claims = {
                **request.user[0],
                **self.get_authorization_code_claims(request.authorization_code),
                "iss": provider.configuration()["issuer"],
                "aud": CLIENT_ID,
                "iat": now,
                "nbf": now,
                "exp": now + 3600,
            }
            return provider.id_token(claims, {"alg": "ES256", "typ": "JWT", "kid": "esia-1"})

    server = Server()
    server.register_token_generator(
        "default",
        lambda **_: {
            "access_token": secrets.token_urlsafe(),
            "token_type": "Bearer",
            "scope": "openid",
        },
    )
    server.register_client_auth_method(Assertion.CLIENT_AUTH_METHOD, Assertion())
    server.register_grant(Grant, [CodeChallenge(required=True), IDToken(require_nonce=True)])
    return server


@contextlib.contextmanager
def running(our_keys: Callable[[], Json]) -> Iterator[OpenIDProvider]:
    """The provider, until the block ends."""
    provider = OpenIDProvider(our_keys)
    server = _server(provider)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            return

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            provider.calls.append(parts.path)
            if parts.path in provider.down:
                self._answer(500, {})
            elif parts.path == "/jwks":
                self._answer(200, provider.keys())
            elif parts.path == "/aas/oauth2/ac":
                request = _Request("GET", self.path, dict(parse_qsl(parts.query)), self.headers)
                try:
                    grant = server.get_consent_grant(request, end_user=provider.person)
                    self._send(
                        *server.create_authorization_response(
                            request, grant_user=provider.person, grant=grant
                        )
                    )
                except OAuth2Error as error:
                    self._answer(400, {"error": error.error})
            elif parts.path.startswith("/rs/prns/"):
                bearer = (self.headers["Authorization"] or "").removeprefix("Bearer ")
                claims, info = provider.granted.get(bearer, ({}, {}))
                own = bearer in provider.granted and parts.path == f"/rs/prns/{claims['sub']}"
                self._answer(200 if own else 403, info if own else {})
            else:
                self._answer(404, {})

        def do_POST(self) -> None:
            provider.calls.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            request = _Request("POST", self.path, dict(parse_qsl(body)), self.headers)
            if self.path in provider.down:
                self._answer(500, {})
            else:
                self._send(*server.create_token_response(request))

        def _send(self, status: int, body: Any, headers: Any) -> None:
            data = json.dumps(body).encode() if isinstance(body, dict) else str(body or "").encode()
            self.send_response(status)
            for name, value in dict(headers).items():
                if name.lower() != "content-length":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _answer(self, status: int, body: Json) -> None:
            self._send(status, body, {"Content-Type": "application/json"})

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.base = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
