"""The app factory: routes, their access, their bodies, and how facts become answers (RFC 9457).

API Gateway has already matched the route, so dispatch is one look-up of (method, resource). A route
cannot be registered without saying who may use it; what it says is enforced here, by the gate, and
not in the route.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from kernel import aws, clock, errors, log, settings, texts
from kernel import body as body_guard
from kernel.access import CODES, Action, Step
from kernel.errors import FieldProblem, MedkartaError
from kernel.gate import Attempt, Gate, OpenCard
from kernel.idempotency import Idempotency, key_of
from kernel.identity import Actor, CardId, Claims, Role
from kernel.journal import Entry
from kernel.query import Query
from kernel.texts import Language

if TYPE_CHECKING:
    from kernel.model import Model

JSON = "application/json"
FHIR_JSON = "application/fhir+json"
PROBLEM_JSON = "application/problem+json"
PURPOSES = ("treatment", "laboratory", "administration")
Method = Literal["GET", "POST", "PUT", "DELETE"]


# --- who may use a route -----------------------------------------------------------------------


class Public:
    """Anybody."""


class SignedIn(NamedTuple):
    """Any account with a living session; `verified` asks for the level that opens cards."""

    verified: bool = False
    fresh: bool = False


class Staff(NamedTuple):
    """A worker who holds one of these roles now."""

    roles: tuple[Role, ...]


class CardRead(NamedTuple):
    """A read of the card in the path: runs beside the decision, given out only if it allows."""

    action: Action
    section: str


class CardWrite(NamedTuple):
    """A change to the card in the path: decided before, journaled by the route's own change."""

    action: Action
    section: str


Access = Public | SignedIn | Staff | CardRead | CardWrite


# --- requests and answers ------------------------------------------------------------------------


@dataclass(eq=False, repr=False, slots=True)
class Request:
    """What a route sees of a request. `card`, `actor` and `entry` are there where its access
    reads them: `card` on card routes, `actor` on all but public routes and card reads, `entry`
    on card writes (to be written together with the change). `wants_fhir` is true only on routes
    that declare `fhir`, where the client asked for FHIR R4: the body must be a resource then."""

    method: str
    route: str
    path: Mapping[str, str]
    headers: Mapping[str, str]
    language: Language
    now: datetime
    request_id: str
    ip: str
    query: Any = None
    body: Any = None
    raw: bytes = b""
    wants_fhir: bool = False
    _claims: Claims | None = None
    _actor: Actor | None = None
    _card: OpenCard | None = None
    _entry: Entry | None = None

    @property
    def claims(self) -> Claims:
        assert self._claims is not None, "a public route asked for claims"
        return self._claims

    @property
    def actor(self) -> Actor:
        assert self._actor is not None, "this route's access reads no actor"
        return self._actor

    @property
    def card(self) -> OpenCard:
        assert self._card is not None, "not a card route"
        return self._card

    @property
    def entry(self) -> Entry:
        assert self._entry is not None, "not a card write"
        return self._entry

    @property
    def user_agent(self) -> str:
        return self.headers.get("user-agent", "")[:256]

    def binding(self, *parts: object) -> str:
        """What a cursor of this request is bound to: account, route, path, and `parts`."""
        account = self._claims.account_id if self._claims else "-"
        return json.dumps([account, self.route, dict(self.path), [str(p) for p in parts]])


class Answer(NamedTuple):
    """What a route gives back. `body` is JSON-ready, ready bytes, or None for no content; without
    a status it is the one that the route declares."""

    body: Any = None
    status: int | None = None
    headers: Mapping[str, str] = {}
    media: str = JSON


class RouteFunction(Protocol):
    __module__: str
    __name__: str
    __doc__: str | None

    def __call__(self, request: Request, /) -> Answer: ...


class Route(NamedTuple):
    """One route, with all that the dispatch and the OpenAPI document need to know of it."""

    method: Method
    path: str
    access: Access
    function: RouteFunction
    answer: str | None
    status: int
    also: Mapping[int, str]
    body: str | None
    query: type[Query] | None
    errors: tuple[str, ...]
    limit: int
    media: tuple[str, ...]
    fhir: bool
    idempotent: bool
    etag: bool
    cache: str
    extra_headers: tuple[str, ...]
    larger: str | None
    location: str | None

    def model(self) -> "type[Model] | None":
        """The model of the body. It is imported with the first body that comes: pydantic is a
        quarter of a cold start, and most requests bring none."""
        if self.body is None:
            return None
        package = self.function.__module__.partition(".")[0]
        model: type[Model] = getattr(import_module(f"{package}.models"), self.body)
        return model


# --- errors ------------------------------------------------------------------------------------

# The nearest class in an exception's ancestry decides.
STATUSES: Mapping[type[MedkartaError], int] = {
    errors.Malformed: 400,
    errors.CursorInvalid: 400,
    errors.Unauthenticated: 401,
    errors.Refused: 403,
    errors.NotFound: 404,
    errors.NotAcceptable: 406,
    errors.Conflict: 409,
    errors.BodyTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.Invalid: 422,
    errors.Limited: 429,
    errors.Unavailable: 503,
}
CODE_STATUSES: Mapping[str, int] = {
    **{
        c.code: STATUSES[next(p for p in c.__mro__ if p in STATUSES)]
        for c in vars(errors).values()
        if isinstance(c, type) and issubclass(c, MedkartaError) and c is not MedkartaError
    },
    **dict.fromkeys([*CODES.values(), "consent_outdated"], 403),
    "method_not_allowed": 405,
}


def status_of(error: MedkartaError) -> int:
    """The HTTP status of a fact."""
    return next(STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES)


def problem(error: MedkartaError, language: Language, request_id: str) -> Answer:
    """The problem document of a fact."""
    status = status_of(error)
    values: dict[str, object] = {}
    document: dict[str, Any] = {
        "type": f"urn:medkarta:problem:{error.code}",
        "title": texts.text(language, _text_of(error, "title")),
        "status": status,
        "detail": "",
        "code": error.code,
        "request_id": request_id,
    }
    headers: dict[str, str] = {}
    if isinstance(error, errors.Limited | errors.Unavailable):
        values["retry_after"] = document["retry_after"] = error.retry_after
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.Invalid | errors.Malformed) and error.problems:
        document["errors"] = [_field(each, language) for each in error.problems]
    if isinstance(error, errors.AccessStepFailed) and error.support:
        document["support"] = dict(error.support)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    document["detail"] = texts.text(language, _text_of(error, "detail"), **values)
    if isinstance(error, errors.BodyTooLarge) and error.instead:
        document["detail"] = texts.text(
            language, "problem.body_too_large.instead", route=error.instead
        )
    return Answer(document, status, headers, PROBLEM_JSON)


def _text_of(error: MedkartaError, part: str) -> str:
    special = f"problem.{error.code}.{error.reason}.{part}"
    return special if texts.has(special) else f"problem.{error.code}.{part}"


def _field(each: FieldProblem, language: Language) -> dict[str, str]:
    key = f"field.{each.code}" if texts.has(f"field.{each.code}") else "field.invalid"
    message = each.message or texts.text(language, key, **(each.params or {}))
    return {"field": each.field, "code": each.code, "message": message}


def _unexpected(language: Language, request_id: str) -> Answer:
    document = {
        "type": "urn:medkarta:problem:internal",
        "title": texts.text(language, "problem.internal.title"),
        "status": 500,
        "detail": texts.text(language, "problem.internal.detail"),
        "code": "internal",
        "request_id": request_id,
    }
    return Answer(document, 500, {}, PROBLEM_JSON)


# --- the app -----------------------------------------------------------------------------------


class _Distribution(NamedTuple):
    """What only the distribution and the functions of routes know."""

    distribution_secret: str


class App:
    """The routes of one function. `gate` is needed by all routes but public ones."""

    def __init__(
        self, name: str, *, gate: Gate | None = None, idempotency: Idempotency | None = None
    ) -> None:
        self.name = name
        self.routes: dict[tuple[str, str], Route] = {}
        self._gate = gate
        self._idempotency = idempotency
        self._distribution = settings.load(_Distribution)
        aws.prime()

    def route(
        self,
        method: Method,
        path: str,
        *,
        access: Access,
        answer: str | None = None,
        status: int | None = None,
        also: Mapping[int, str] | None = None,
        body: str | None = None,
        query: type[Query] | None = None,
        errors: Sequence[type[MedkartaError] | str] = (),
        limit: int = body_guard.DEFAULT_LIMIT,
        media: tuple[str, ...] = (JSON,),
        fhir: bool = False,
        idempotent: bool = False,
        cache: str = "no-store",
        headers: tuple[str, ...] = (),
        larger: str | None = None,
        location: str | None = None,
    ) -> Callable[[RouteFunction], RouteFunction]:
        """Register a route.

        Args:
            answer: the name of the answer's model in the package's `answers` module, for OpenAPI.
            also: other good answers by status, e.g. `{202: "ConfirmationRequired"}`.
            body: the name of its body's model in the package's `models` module.
            errors: what it may raise beyond what its access and body already imply.
            limit: the most bytes that its body may have.
            media: the body's media types. A body that is not JSON text comes as `request.raw`.
            fhir: also answers in FHIR R4 where `Accept` asks for `application/fhir+json`
                (`request.wants_fhir`); reads only.
            idempotent: takes `Idempotency-Key`.
            cache: `Cache-Control` of a good answer.
            headers: request headers of its own, for OpenAPI.
            larger: the route that takes what is above `limit`, for the refusal to name.
            location: the route at which what was made is read, for the header `Location`; its
                parameters come from the answer or from the path.
        """
        if not isinstance(access, Public | SignedIn | Staff | CardRead | CardWrite):
            raise TypeError(f"{method} {path} does not say who may use it")
        if not isinstance(access, Public) and self._gate is None:
            raise TypeError(f"{method} {path} is closed, and {self.name} has no gate")
        if isinstance(access, CardRead | CardWrite) and "{card_id}" not in path:
            raise TypeError(f"{method} {path} names no card")
        if idempotent and (self._idempotency is None or isinstance(access, Public)):
            raise TypeError(f"{method} {path} cannot keep an Idempotency-Key")
        if fhir and method != "GET":
            raise TypeError(f"{method} {path} is no read: it cannot answer in FHIR")
        if (method, path) in self.routes:
            raise TypeError(f"{method} {path} is registered twice")
        default = {"GET": 200, "POST": 200, "PUT": 200, "DELETE": 204}[method]

        def register(function: RouteFunction) -> RouteFunction:
            route = self.routes[method, path] = Route(
                method=method,
                path=path,
                access=access,
                function=function,
                answer=answer,
                status=status or default,
                also=also or {},
                body=body,
                query=query,
                errors=tuple(e if isinstance(e, str) else e.code for e in errors),
                limit=limit,
                media=media,
                fhir=fhir,
                idempotent=idempotent,
                etag=method == "GET" and isinstance(access, CardRead),
                cache=cache,
                extra_headers=headers,
                larger=larger,
                location=location,
            )
            if aws.before_snapshot():
                route.model()
            return function

        return register

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event of API Gateway (REST, proxy integration)."""
        started = time.perf_counter()
        headers = {k.lower(): v for k, v in (event.get("headers") or {}).items()}
        gateway = event["requestContext"]
        request = Request(
            method=event["httpMethod"],
            route=event["resource"],
            # Longer than any id of ours, so what is cut is unknown; DynamoDB's keys have limits.
            path={k: v[:128] for k, v in (event.get("pathParameters") or {}).items()},
            headers=headers,
            language=texts.preferred(headers.get("accept-language")),
            now=clock.now(),
            request_id=gateway["requestId"],
            ip=_address(headers, gateway, self._distribution.distribution_secret),
        )
        try:
            answer = self._answer(event, request)
        except MedkartaError as error:
            answer = problem(error, request.language, request.request_id)
        except Exception as error:  # the last resort: nothing of the inside leaves
            log.failure("unexpected", error, route=request.route, request_id=request.request_id)
            answer = _unexpected(request.language, request.request_id)
        code = answer.body.get("code") if answer.media == PROBLEM_JSON else None
        log.info(
            "answered",
            request_id=request.request_id,
            method=request.method,
            route=request.route,
            status=answer.status,
            code=code,
            duration_ms=round((time.perf_counter() - started) * 1000),
        )
        return _gateway_answer(answer, request)

    def _answer(self, event: Mapping[str, Any], request: Request) -> Answer:
        route = self.routes.get((request.method, request.route))
        if route is None:
            raise errors.NotFound
        if not isinstance(route.access, Public):
            try:
                request._claims = Claims.from_authorizer(gateway_authorizer(event))
            except (KeyError, ValueError, TypeError) as error:
                raise errors.Unauthenticated from error
        offered = (JSON, FHIR_JSON) if route.fhir else (JSON,)
        media = acceptable(request.headers.get("accept"), offered)
        request.wants_fhir = media == FHIR_JSON
        answer = self._admit(route, event, request)
        merged = {"Cache-Control": route.cache, **answer.headers}
        if route.fhir:
            merged.setdefault("Vary", "Accept, Accept-Language, Authorization")
        if request.wants_fhir:
            answer = Answer(answer.body, answer.status, media=FHIR_JSON)
        answer = Answer(answer.body, answer.status, merged, answer.media)
        return _conditional(answer, request) if route.etag else answer

    def _admit(self, route: Route, event: Mapping[str, Any], request: Request) -> Answer:
        access = route.access
        if isinstance(access, Public):
            self._read_input(route, event, request)
            return self._run(route, request)
        assert self._gate is not None
        if isinstance(access, CardRead | CardWrite):
            return self._card(route, access, event, request, self._gate)
        actor = request._actor = self._gate.actor(request.claims, request.now)
        if isinstance(access, Staff):
            if not any(actor.appointment(role) for role in access.roles):
                raise errors.Forbidden
        else:
            if access.verified and actor.level != "verified":
                raise errors.AccessStepFailed(CODES[Step.ACCOUNT_VERIFIED])
            if access.fresh and actor.fresh_until <= clock.epoch(request.now):
                raise errors.StepUpRequired
        self._read_input(route, event, request)
        return self._run(route, request)

    def _card(
        self,
        route: Route,
        access: CardRead | CardWrite,
        event: Mapping[str, Any],
        request: Request,
        gate: Gate,
    ) -> Answer:
        card_id = CardId(request.path["card_id"])
        attempt = Attempt(
            claims=request.claims,
            action=access.action,
            section=access.section,
            now=request.now,
            purpose=_purpose(request) if not access.action.own else None,
        )
        if isinstance(access, CardRead):

            def work(card: OpenCard) -> Answer:
                request._card = card
                self._read_input(route, event, request)
                return self._run(route, request)

            return gate.read(attempt, card_id, work)
        request._card, request._actor, request._entry = gate.enter(attempt, card_id)
        self._read_input(route, event, request)
        return self._run(route, request)

    def _read_input(self, route: Route, event: Mapping[str, Any], request: Request) -> None:
        request.query = _query(route.query, event)
        model = route.model()
        if route.method in ("POST", "PUT"):
            try:
                request.raw = body_guard.raw(event, route.limit)
            except errors.BodyTooLarge as error:
                raise errors.BodyTooLarge(route.larger) from error
            if model and not request.raw and not required(model):
                request.body = model()  # nothing has to be said, and nothing was
                return
            if model or request.raw:
                body_guard.require_media(request.headers.get("content-type"), route.media)
            takes_nothing = model is None and request.raw and route.media == (JSON,)
            # Whatever is said in vain was meant to be heard.
            if takes_nothing and body_guard.parse_json(request.raw) not in (None, {}):
                raise errors.ValidationFailed([FieldProblem("body", "extra_forbidden")])
        if model is not None:
            body_guard.parse_json(request.raw)
            request.body = model.of_json(request.raw)

    def _run(self, route: Route, request: Request) -> Answer:
        key = key_of(request.headers) if route.idempotent else None
        if key is None:
            return _called(route, request)
        assert self._idempotency is not None

        def work() -> dict[str, Any]:
            answer = _called(route, request)
            return {
                "body": answer.body,
                "status": answer.status,
                "headers": dict(answer.headers),
            }

        name = f"{route.method} {route.path} {json.dumps(dict(request.path))}"
        kept = self._idempotency.once(
            request.claims.account_id, name, key, request.raw, request.now, work
        )
        return Answer(**kept)


def _called(route: Route, request: Request) -> Answer:
    answer = route.function(request)
    headers = dict(answer.headers)
    if route.location:
        headers["Location"] = route.location.format(**{**request.path, **answer.body})
    return Answer(answer.body, answer.status or route.status, headers, answer.media)


def gateway_authorizer(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The authorizer's context. Raises KeyError where there is none: such a request is nobody's."""
    context: Mapping[str, Any] = event["requestContext"]["authorizer"]
    return context


def required(model: "type[Model]") -> bool:
    """Whether a body must be sent."""
    return any(field.is_required() for field in model.model_fields.values())


def acceptable(accept: str | None, offered: Sequence[str]) -> str:
    """The media type to answer in, of those offered, the preferred first (RFC 9110 §12.5.1).

    Of types that the client likes equally the one that it names itself goes before one that only
    a wildcard covers, and the one named earlier before a later one.

    Raises:
        NotAcceptable: it takes none of them.
    """
    ranges: dict[str, tuple[float, int]] = {}
    for place, part in enumerate((accept or "*/*").split(",")):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights = [p.removeprefix("q=") for p in parameters if p.startswith("q=")]
        try:
            quality = float(weights[0]) if weights else 1.0
        except ValueError:
            quality = 0.0
        ranges.setdefault(name, (quality, place))
    best: tuple[float, bool, int] = (0.0, False, 0)
    chosen = None
    for media in offered:
        for covering in (media, f"{media.partition('/')[0]}/*", "*/*"):
            if covering in ranges:
                quality, place = ranges[covering]
                rank = (quality, covering == media, -place)
                if quality > 0 and rank > best:
                    best, chosen = rank, media
                break
    if chosen is None:
        raise errors.NotAcceptable
    return chosen


def _address(headers: Mapping[str, str], gateway: Mapping[str, Any], secret: str) -> str:
    """The network address of who calls: what the distribution says, if it is the distribution.

    Whoever calls the gateway itself may send the same header, but does not know the secret.
    """
    shown = headers.get("x-distribution-secret", "")
    if hmac.compare_digest(shown.encode(), secret.encode()):
        return headers.get("x-viewer-address", "")
    return (gateway.get("identity") or {}).get("sourceIp") or ""


def _purpose(request: Request) -> str:
    purpose = request.headers.get("x-purpose", "treatment")
    if purpose not in PURPOSES:
        expected = ", ".join(PURPOSES)
        raise errors.ValidationFailed([FieldProblem("X-Purpose", "enum", {"expected": expected})])
    return purpose


def _query(query: type[Query] | None, event: Mapping[str, Any]) -> Query | None:
    given = event.get("multiValueQueryStringParameters") or {}
    if query is not None:
        return query.read(given)
    if given:
        raise errors.ValidationFailed([FieldProblem("query", "extra_forbidden")])
    return None


@cache
def _encoder() -> json.JSONEncoder:
    return json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _body_bytes(answer: Answer) -> bytes:
    if answer.body is None:
        return b""
    if isinstance(answer.body, bytes):
        return answer.body
    return _encoder().encode(answer.body).encode()


def _conditional(answer: Answer, request: Request) -> Answer:
    """Add an `ETag`, and answer 304 to one that still holds (RFC 9110 §13.1.2)."""
    data = _body_bytes(answer)
    digest = hashlib.sha256(request.language.encode() + answer.media.encode() + data).digest()
    etag = f'"{base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")}"'
    headers = {**answer.headers, "ETag": etag, "Vary": "Accept, Accept-Language, Authorization"}
    known = [
        t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")
    ]
    if etag in known or "*" in known:
        return Answer(None, 304, headers, answer.media)
    return Answer(data, answer.status, headers, answer.media)


def _gateway_answer(answer: Answer, request: Request) -> dict[str, Any]:
    data = _body_bytes(answer)
    headers = {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": request.request_id,
        **answer.headers,
    }
    if data:
        headers["Content-Type"] = (
            answer.media if "charset" in answer.media else f"{answer.media}; charset=utf-8"
        )
        headers["Content-Language"] = request.language
    return {
        "statusCode": answer.status,
        "headers": headers,
        "body": data.decode(),
        "isBase64Encoded": False,
    }
