"""A route that does not ask the gate cannot be registered."""

from typing import Any

import pytest

from kernel.access import Action
from kernel.api import Answer, App, CardRead, CardWrite, Public, Request, SignedIn, Staff
from kernel.gate import Gate, Tables

CARD = "/v1/cards/{card_id}/visits"
CLOSED = [
    SignedIn(),
    SignedIn(verified=True),
    Staff(("registrar",)),
    CardRead(Action.READ_OWN, "visits"),
    CardWrite(Action.WRITE_AS_CLINICIAN, "records"),
]


def nothing(request: Request) -> Answer:
    """What a route does that never gets as far."""
    return Answer(None)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTRIBUTION_SECRET", "s" * 48)


@pytest.fixture
def gate() -> Gate:
    return Gate(Tables(accounts="a", registry="r", consents="c", journal="j"))


def test_a_route_must_say_who_may_use_it(gate: Gate) -> None:
    with pytest.raises(TypeError, match="access"):
        App("x", gate=gate).route("GET", "/v1/x")(nothing)  # type: ignore[call-arg]


@pytest.mark.parametrize("access", [None, True, "public", object(), Public, SignedIn])
def test_what_says_it_must_be_one_of_the_five_ways(gate: Gate, access: Any) -> None:
    with pytest.raises(TypeError, match="does not say who may use it"):
        App("x", gate=gate).route("GET", CARD, access=access)


@pytest.mark.parametrize("access", CLOSED)
def test_a_closed_route_needs_a_gate(access: Any) -> None:
    with pytest.raises(TypeError, match="has no gate"):
        App("x").route("GET", CARD, access=access)
    assert App("x").routes == {}


@pytest.mark.parametrize("access", CLOSED[3:])
def test_a_card_route_names_the_card(gate: Gate, access: Any) -> None:
    with pytest.raises(TypeError, match="names no card"):
        App("x", gate=gate).route("GET", "/v1/visits", access=access)


def test_a_route_is_registered_once(gate: Gate) -> None:
    app = App("x", gate=gate)
    app.route("GET", CARD, access=SignedIn())(nothing)
    with pytest.raises(TypeError, match="registered twice"):
        app.route("GET", CARD, access=Public())


def test_only_reads_answer_in_fhir(gate: Gate) -> None:
    with pytest.raises(TypeError, match="no read"):
        App("x", gate=gate).route("POST", CARD, access=SignedIn(), fhir=True)


@pytest.mark.parametrize("access", CLOSED)
def test_a_closed_route_is_not_run_without_claims(gate: Gate, access: Any) -> None:
    """Nobody's request ends before the route, whatever the gateway let through."""
    app = App("x", gate=gate)
    ran = []

    def route(request: Request) -> Answer:
        ran.append(request)
        return Answer({})

    app.route("GET", CARD, access=access)(route)
    event: dict[str, Any] = {
        "httpMethod": "GET",
        "resource": CARD,
        "pathParameters": {"card_id": "c"},
        "requestContext": {"requestId": "r"},
    }
    contexts: list[dict[str, Any]] = [{}, {"authorizer": {}}, {"authorizer": {"claims": "{}"}}]
    for context in contexts:
        answer = app({**event, "requestContext": {"requestId": "r", **context}}, None)
        assert answer["statusCode"] == 401
    assert ran == []


def test_every_served_route_of_a_card_asks_for_that_card(aws: None) -> None:
    """No route has a card in its path and an access that does not judge it."""
    from local import openapi

    routes = [route for app in openapi.apps() for route in app.routes.values()]
    assert len(routes) > 60
    for route in routes:
        if "{card_id}" in route.path:
            assert type(route.access).__name__ in ("CardRead", "CardWrite"), route.path
