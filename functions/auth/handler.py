"""The auth routes."""

from http.cookies import CookieError, SimpleCookie
from typing import Any

from auth import oidc, policy, tokens
from auth.account import OwnAccount
from auth.caller import APP, WEB, Caller
from auth.challenges import Challenges
from auth.federation import Federation
from auth.limits import Limits
from auth.passkeys import Passkeys
from auth.registry import Registry
from auth.repository import Repository
from auth.sessions import Sessions
from auth.settings import Settings
from auth.signin import SigningIn
from kernel import profiles, settings
from kernel.api import Answer, App, Public, Request, SignedIn
from kernel.cursors import Cursors
from kernel.errors import (
    AlreadyExists,
    ChallengeExpired,
    CodeInvalid,
    Conflict,
    CredentialsInvalid,
    CursorInvalid,
    FieldProblem,
    Forbidden,
    Locked,
    NotFound,
    RateLimited,
    SessionRevoked,
    Unauthenticated,
    ValidationFailed,
)
from kernel.gate import Gate, Tables
from kernel.idempotency import Idempotency, key_of
from kernel.identity import SessionId
from kernel.messages import Messages
from kernel.query import Paging

_settings = settings.load(Settings)
_origins = [origin.strip() for origin in _settings.allowed_origins.split(",")]
_passkeys = Passkeys(_origins)
_repository = Repository(_settings.accounts_table, _settings.identity_table)
_keys = profiles.keyring(_settings.keys_table, _settings.identity_key_id)
_profiles = profiles.Profiles(_settings.identity_table, _keys, _settings.lookup_key_id)
_limits = Limits(_settings.identity_table, _settings.lookup_key_id)
_challenges = Challenges(
    _repository,
    _limits,
    Messages(_settings.messages_queue_url),
    lookup_key=_settings.lookup_key_id,
    messages_cap=_settings.messages_per_address,
    messages_a_day=_settings.messages_per_day,
)
_sessions = Sessions(
    _repository,
    Cursors(_settings.lookup_key_id),
    lookup_key=_settings.lookup_key_id,
    token_key=_settings.signs,
    issuer=_settings.issuer,
    audience=_settings.audience,
)
_signing_in = SigningIn(
    _repository,
    _profiles,
    _keys,
    _challenges,
    _sessions,
    _limits,
    _passkeys,
    lookup_key=_settings.lookup_key_id,
    attempts_cap=_settings.login_attempts_per_address,
)
_own = OwnAccount(
    _repository,
    _profiles,
    _keys,
    _challenges,
    _sessions,
    _signing_in,
    _limits,
    _passkeys,
    attempts_cap=_settings.login_attempts_per_address,
)
_federation = Federation(
    _settings.oidc_providers,
    oidc.Client(_settings.signs),
    Registry(_settings.registry_table, _settings.journal_table, lookup_key=_settings.lookup_key_id),
    _repository,
    _profiles,
    _keys,
    _challenges,
    _sessions,
    _limits,
    lookup_key=_settings.lookup_key_id,
    attempts_cap=_settings.login_attempts_per_address,
)
_public_keys = tokens.KeySet(
    _settings.token_key_id,
    _settings.second_token_key_id,
    _settings.receipt_key_id,
    _settings.journal_key_id,
)
# Only the gate's part that knows accounts is in use here: no card is read by this function.
app = App(
    "auth",
    gate=Gate(Tables(_settings.accounts_table, registry="", consents="", journal="")),
    idempotency=Idempotency(_settings.idempotency_table),
)

_COOKIE = "__Host-medkarta-refresh"
_STARTED_COOKIE = "__Host-medkarta-signing-in"
_LIMIT = 8 * 1024
_FRESH = SignedIn(fresh=True)


# --- signing in -----------------------------------------------------------------------------------


@app.route(
    "POST",
    "/v1/auth/register",
    access=Public(),
    body="Register",
    answer="ChallengeMade",
    status=202,
    errors=(RateLimited,),
    limit=_LIMIT,
)
def register(request: Request) -> Answer:
    """Begin an account; it exists once the code is entered."""
    return Answer(_signing_in.register(request.body, _caller(request)))


@app.route(
    "POST",
    "/v1/auth/login",
    access=Public(),
    body="SignIn",
    answer="ChallengeMade",
    errors=(CredentialsInvalid, RateLimited, Locked),
    limit=_LIMIT,
)
def login(request: Request) -> Answer:
    """Check login and password; the second step follows."""
    return Answer(_signing_in.login(request.body, _caller(request)))


@app.route(
    "POST",
    "/v1/auth/challenges/{challenge_id}/send",
    access=Public(),
    body="Send",
    answer="CodeSent",
    status=202,
    also={200: "PasskeyOptions"},
    errors=(ChallengeExpired, RateLimited),
    limit=_LIMIT,
)
def send(request: Request) -> Answer:
    """Send the challenge's code by text message; or 200 with what a passkey is to sign."""
    challenge_id = request.path["challenge_id"]
    if request.body.method == "passkey":
        return Answer(_signing_in.ask_passkey(challenge_id, _caller(request)), 200)
    return Answer(_signing_in.send(challenge_id, _caller(request)))


@app.route(
    "POST",
    "/v1/auth/challenges/{challenge_id}/verify",
    access=Public(),
    body="Verify",
    answer="SignedIn",
    errors=(ChallengeExpired, CodeInvalid, SessionRevoked, Forbidden, RateLimited, Locked),
    limit=_LIMIT,
    headers=("X-Client",),
)
def verify(request: Request) -> Answer:
    """Meet a challenge: sign in, finish the registration, or make the session fresh."""
    web = _from_browser(request)
    challenge_id = request.path["challenge_id"]
    verified = _signing_in.verify(challenge_id, request.body, _caller(request))
    return _tokens(verified.answer, verified.refresh_token, web)


@app.route(
    "POST",
    "/v1/auth/token",
    access=Public(),
    body="Refresh",
    answer="SignedIn",
    errors=(Unauthenticated, SessionRevoked, Forbidden, RateLimited),
    limit=_LIMIT,
    headers=("Idempotency-Key", "X-Client"),
)
def token(request: Request) -> Answer:
    """Exchange a refresh token for the next one and a new access token."""
    web = _from_browser(request)
    key = key_of(request.headers)
    text = _cookie(request) if web else request.body.refresh_token
    if not text:
        if web:
            raise Unauthenticated
        raise ValidationFailed([FieldProblem("refresh_token", "missing")])
    caller = _caller(request)
    _limits.count(
        "token",
        caller.network,
        cap=10 * _settings.login_attempts_per_address,
        seconds=900,
        now=request.now,
    )
    answer, successor = _sessions.refresh(text, key, caller)
    return _tokens(answer, successor, web)


@app.route(
    "POST",
    "/v1/auth/oidc/{provider}/start",
    access=Public(),
    answer="AuthorizationAddress",
    errors=(NotFound, RateLimited),
    limit=_LIMIT,
    headers=("X-Client",),
)
def start_oidc(request: Request) -> Answer:
    """Where to go to sign in by an outside provider."""
    web = _from_browser(request)
    started = _federation.start(request.path["provider"], _caller(request))
    cookie = _cookie_header(started.binding, policy.CHALLENGE, _STARTED_COOKIE)
    return Answer(
        {"authorization_url": started.authorization_url},
        headers={"Set-Cookie": cookie} if web else {},
    )


@app.route(
    "POST",
    "/v1/auth/oidc/{provider}/callback",
    access=Public(),
    body="Callback",
    answer="SignedIn",
    errors=(NotFound, ChallengeExpired, CredentialsInvalid, Conflict, Forbidden, RateLimited),
    limit=_LIMIT,
    headers=("X-Client",),
)
def finish_oidc(request: Request) -> Answer:
    """Sign in with what the provider gave."""
    web = _from_browser(request)
    binding = _cookie(request, _STARTED_COOKIE)
    verified = _federation.callback(
        request.path["provider"], request.body, binding, _caller(request)
    )
    return _tokens(verified.answer, verified.refresh_token, web)


@app.route(
    "POST",
    "/v1/auth/step-up",
    access=SignedIn(),
    answer="ChallengeMade",
    limit=_LIMIT,
)
def step_up(request: Request) -> Answer:
    """Ask for a fresh second step."""
    return Answer(_signing_in.step_up(request.actor, _caller(request)))


@app.route("POST", "/v1/auth/logout", access=SignedIn(), status=204, limit=_LIMIT)
def logout(request: Request) -> Answer:
    """End this session; its access tokens end with it."""
    _sessions.end(request.actor, request.actor.session_id, _caller(request))
    return Answer(headers={"Set-Cookie": _cookie_header("", 0)})


# --- sessions -------------------------------------------------------------------------------------


@app.route(
    "GET",
    "/v1/auth/sessions",
    access=SignedIn(),
    query=Paging,
    answer="SessionList",
    errors=(CursorInvalid,),
)
def list_sessions(request: Request) -> Answer:
    """The devices that are signed in."""
    page = request.query
    return Answer(
        _sessions.page(
            request.actor,
            _caller(request),
            limit=page.limit,
            cursor=page.cursor,
            binding=request.binding(),
        )
    )


@app.route("DELETE", "/v1/auth/sessions/{session_id}", access=SignedIn(), errors=(NotFound,))
def end_session(request: Request) -> Answer:
    """End one of one's own sessions."""
    _sessions.end(request.actor, SessionId(request.path["session_id"]), _caller(request))
    return Answer()


@app.route("DELETE", "/v1/auth/sessions", access=SignedIn())
def end_other_sessions(request: Request) -> Answer:
    """End all of one's sessions but this one."""
    _sessions.end_others(request.actor, _caller(request))
    return Answer()


# --- one's own account ----------------------------------------------------------------------------


@app.route("GET", "/v1/auth/account", access=SignedIn(), answer="OwnAccount")
def account(request: Request) -> Answer:
    """Who am I."""
    return Answer(_own.show(request.actor, _caller(request)))


@app.route(
    "POST",
    "/v1/auth/password",
    access=_FRESH,
    body="ChangePassword",
    status=204,
    errors=(CredentialsInvalid, Locked),
    limit=_LIMIT,
)
def change_password(request: Request) -> Answer:
    """Change the password; every other session ends."""
    _own.change_password(request.actor, request.body, _caller(request))
    return Answer()


@app.route(
    "POST",
    "/v1/auth/password/reset",
    access=Public(),
    body="Reset",
    answer="ResetBegun",
    status=202,
    errors=(RateLimited,),
    limit=_LIMIT,
)
def reset_password(request: Request) -> Answer:
    """Begin to set a forgotten password anew."""
    return Answer(_own.reset_password(request.body.login, _caller(request)))


@app.route(
    "POST",
    "/v1/auth/password/reset/confirm",
    access=Public(),
    body="ConfirmReset",
    status=204,
    errors=(ChallengeExpired, CodeInvalid, RateLimited, Locked),
    limit=_LIMIT,
)
def confirm_reset(request: Request) -> Answer:
    """Set a forgotten password anew; every session ends."""
    _own.confirm_reset(request.body, _caller(request))
    return Answer()


@app.route(
    "POST",
    "/v1/auth/phone",
    access=_FRESH,
    body="ChangePhone",
    answer="ChallengeMade",
    errors=(RateLimited,),
    limit=_LIMIT,
)
def change_phone(request: Request) -> Answer:
    """A code to the new number, a notice to the old one."""
    return Answer(_own.change_phone(request.actor, request.body, _caller(request)))


@app.route(
    "POST",
    "/v1/auth/phone/confirm",
    access=_FRESH,
    body="ConfirmPhone",
    answer="PhoneChanged",
    errors=(ChallengeExpired, CodeInvalid),
    limit=_LIMIT,
)
def confirm_phone(request: Request) -> Answer:
    """Take the new number."""
    return Answer(_own.confirm_phone(request.actor, request.body, _caller(request)))


@app.route("POST", "/v1/auth/totp", access=_FRESH, answer="TotpSecret", limit=_LIMIT)
def enrol_totp(request: Request) -> Answer:
    """A secret for an authenticator app."""
    return Answer(_own.enrol_totp(request.actor, _caller(request)))


@app.route(
    "POST",
    "/v1/auth/totp/confirm",
    access=_FRESH,
    body="ConfirmTotp",
    answer="RecoveryCodes",
    errors=(ChallengeExpired, CodeInvalid),
    limit=_LIMIT,
)
def confirm_totp(request: Request) -> Answer:
    """Bind the authenticator app; the recovery codes are shown this once."""
    return Answer(_own.confirm_totp(request.actor, request.body, _caller(request)))


@app.route("DELETE", "/v1/auth/totp", access=_FRESH, errors=(NotFound, Conflict))
def remove_totp(request: Request) -> Answer:
    """Unbind the authenticator app."""
    _own.remove_totp(request.actor, _caller(request))
    return Answer()


@app.route(
    "POST",
    "/v1/auth/passkeys/options",
    access=_FRESH,
    answer="PasskeyOptions",
    errors=(Conflict,),
    limit=_LIMIT,
)
def passkey_options(request: Request) -> Answer:
    """Options for making a passkey in the browser."""
    return Answer(_own.passkey_options(request.actor, _caller(request)))


@app.route(
    "POST",
    "/v1/auth/passkeys",
    access=_FRESH,
    body="NewPasskey",
    answer="Passkey",
    status=201,
    errors=(ChallengeExpired, CodeInvalid, AlreadyExists),
    limit=2 * _LIMIT,
    idempotent=True,
)
def add_passkey(request: Request) -> Answer:
    """Bind a passkey."""
    return Answer(_own.add_passkey(request.actor, request.body, _caller(request)))


@app.route("GET", "/v1/auth/passkeys", access=SignedIn(), answer="PasskeyList")
def list_passkeys(request: Request) -> Answer:
    """One's passkeys."""
    return Answer(_own.passkeys(request.actor))


@app.route("DELETE", "/v1/auth/passkeys/{passkey_id}", access=_FRESH, errors=(NotFound, Conflict))
def remove_passkey(request: Request) -> Answer:
    """Unbind a passkey."""
    _own.remove_passkey(request.actor, request.path["passkey_id"], _caller(request))
    return Answer()


# --- for everybody who checks our signatures ------------------------------------------------------


@app.route(
    "GET",
    "/.well-known/jwks.json",
    access=Public(),
    answer="KeySet",
    cache="public, max-age=300",
)
def jwks(request: Request) -> Answer:
    """The public keys of access tokens and receipts (RFC 7517)."""
    return Answer(_public_keys.jwks())


@app.route(
    "GET",
    "/.well-known/openid-configuration",
    access=Public(),
    answer="Metadata",
    cache="public, max-age=300",
)
def metadata(request: Request) -> Answer:
    """Where the keys are and how tokens are renewed (RFC 8414)."""
    issuer = _settings.issuer.rstrip("/")
    return Answer(
        {
            "issuer": _settings.issuer,
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "token_endpoint": f"{issuer}/v1/auth/token",
            "grant_types_supported": ["refresh_token"],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [tokens.ALGORITHM],
            "token_endpoint_auth_methods_supported": ["none"],
        }
    )


# --- the request as the services see it -----------------------------------------------------------


def _caller(request: Request) -> Caller:
    return Caller(
        ip=request.ip,
        user_agent=request.user_agent,
        language=request.language,
        now=request.now,
        client=WEB if request.headers.get("x-client") == "web" else APP,
    )


def _from_browser(request: Request) -> bool:
    """Whether the refresh token goes by cookie; then the page must be one of ours.

    Raises:
        Forbidden: a browser of another origin.
    """
    if request.headers.get("x-client") != "web":
        return False
    if request.headers.get("origin") not in _origins:
        raise Forbidden
    return True


def _tokens(answer: dict[str, Any], refresh_token: str | None, web: bool) -> Answer:
    if refresh_token is None:
        return Answer(answer)
    if web:
        cookie = _cookie_header(refresh_token, policy.SESSION_LONGEST)
        return Answer(answer, headers={"Set-Cookie": cookie})
    return Answer({**answer, "refresh_token": refresh_token})


def _cookie(request: Request, name: str = _COOKIE) -> str | None:
    try:
        cookies = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return None
    found = cookies.get(name)
    return found.value if found else None


def _cookie_header(value: str, seconds: int, name: str = _COOKIE) -> str:
    return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Strict"
