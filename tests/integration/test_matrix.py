"""The authorization matrix: every route × every principal × every relation to what is asked for.

The rules below are written from the contract and import nothing from `functions/`. Each route of
docs/openapi.json has exactly one; a route without one fails the run, and so does any answer that
differs, any refusal that holds more than a problem document, and any data of somebody else.

What would change something is sent with an unknown query parameter where it is allowed: access is
judged before the request is read, so 422 is the answer of a door that opened. Where it is refused
it is sent as it is.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import Response
from tests.integration import matrix_world
from tests.integration.matrix_world import Principal, Target, World

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"
PROBLEM = {
    "type",
    "title",
    "status",
    "detail",
    "code",
    "request_id",
    "errors",
    "retry_after",
    "support",
}
Refusal = tuple[int, frozenset[str]]
Rule = Callable[[Principal, Target], Refusal | None]


def refusal(status: int, *codes: str) -> Refusal:
    return status, frozenset(codes)


# --- the rules -----------------------------------------------------------------------------------


def without_session(who: Principal) -> Refusal | None:
    """What is told to somebody whose session does not live, whatever they ask for."""
    match who.session:
        case "none" | "forged":
            return refusal(401, "unauthenticated")
        case "revoked":
            return refusal(401, "session_revoked")
        case "expired":
            return refusal(401, "token_expired")
    return None


def everybody(who: Principal, what: Target) -> Refusal | None:
    return None


def signed_in(who: Principal, what: Target) -> Refusal | None:
    return without_session(who)


def verified(who: Principal, what: Target) -> Refusal | None:
    if ended := without_session(who):
        return ended
    return None if who.level == "verified" else refusal(403, "account_not_verified")


def own_thing(who: Principal, what: Target) -> Refusal | None:
    """Something of one's own that has an id: anybody else's is not there."""
    if ended := without_session(who):
        return ended
    return None if what.patient and who.patient == what.patient else refusal(404, "not_found")


def verified_own_thing(who: Principal, what: Target) -> Refusal | None:
    return verified(who, what) or own_thing(who, what)


def own_card_while_closed(who: Principal, what: Target) -> Refusal | None:
    return verified_own_thing(who, what)


def own_card(who: Principal, what: Target) -> Refusal | None:
    """One's own card opens when every step is true; the first that fails says so."""
    if refused := own_card_while_closed(who, what):
        return refused
    if not what.attached:
        return refusal(403, "not_attached")
    return None if what.consented else refusal(403, "consent_required")


def worker(*roles: str) -> Rule:
    def rule(who: Principal, what: Target) -> Refusal | None:
        if ended := without_session(who):
            return ended
        return None if who.role in roles else refusal(403, "forbidden")

    return rule


def clinicians_read(who: Principal, what: Target) -> Refusal | None:
    """Where the patient is attached or was treated, with consent; or in an emergency."""
    if refused := worker("clinician")(who, what):
        return refused
    if who.name in what.emergency:
        return None
    if what.patient is None or who.clinic != what.clinic:
        return refusal(403, "forbidden")
    return None if what.consented else refusal(403, "consent_required")


def clinicians_write(who: Principal, what: Target) -> Refusal | None:
    """Into the cards that their clinic keeps; consent is not asked for."""
    if refused := worker("clinician")(who, what):
        return refused
    kept = what.patient is not None and who.clinic == what.clinic
    return None if kept else refusal(403, "forbidden")


def registrars_own_patients(who: Principal, what: Target) -> Refusal | None:
    """People who are attached to the registrar's clinic; others are refused, known or not."""
    if refused := worker("registrar")(who, what):
        return refused
    if what.patient and what.attached and who.clinic == what.clinic:
        return None
    return 0, frozenset({"forbidden", "not_found", "conflict", "already_exists"})


# --- what is asked for ---------------------------------------------------------------------------

CARDS = ("owner", "another", "former", "unconsented", "elsewhere", "emergency", "unknown")
THINGS = ("owner", "another", "unknown")
NOTHING = ("unknown",)


@dataclass(frozen=True)
class Expectation:
    """A route's rule, the things that it is tried on, and what a good answer may be.

    `real`: sent as it is even where it is allowed, since it changes nothing.
    `body`: what a request needs to get as far as the question whose thing it is.
    """

    rule: Rule
    targets: tuple[str, ...] = NOTHING
    good: tuple[int, ...] = (200,)
    real: bool = False
    body: Any = None


def get(rule: Rule, targets: tuple[str, ...] = NOTHING, *good: int) -> Expectation:
    return Expectation(rule, targets, good or (200,), real=True)


def change(rule: Rule, targets: tuple[str, ...] = NOTHING, body: Any = None) -> Expectation:
    return Expectation(rule, targets, (422,), body=body)


CONSENT = {"document_version": "v", "document_sha256": "0" * 64, "signed_on": "2026-11-01"}
EXPECTATIONS: dict[str, Expectation] = {
    # catalogue and what anybody may check
    "GET /v1/services": get(everybody),
    "GET /v1/regions": get(everybody),
    "GET /v1/clinics": get(everybody),
    "GET /v1/help": get(everybody),
    "GET /v1/consents/documents/current": get(everybody),
    "GET /v1/verify/{}": get(everybody, NOTHING, 404),
    "POST /v1/verify": change(everybody),
    "GET /.well-known/jwks.json": get(everybody),
    "GET /.well-known/openid-configuration": get(everybody),
    # signing in
    "POST /v1/auth/register": change(everybody),
    "POST /v1/auth/login": change(everybody),
    "POST /v1/auth/challenges/{}/send": change(everybody),
    "POST /v1/auth/challenges/{}/verify": change(everybody),
    "POST /v1/auth/token": change(everybody),
    "POST /v1/auth/password/reset": change(everybody),
    "POST /v1/auth/password/reset/confirm": change(everybody),
    "POST /v1/auth/oidc/{}/start": change(everybody),
    "POST /v1/auth/oidc/{}/callback": change(everybody),
    # one's own account
    "POST /v1/auth/step-up": change(signed_in),
    "POST /v1/auth/logout": change(signed_in),
    "GET /v1/auth/sessions": get(signed_in),
    "DELETE /v1/auth/sessions": change(signed_in),
    "DELETE /v1/auth/sessions/{}": change(own_thing, THINGS),
    "GET /v1/auth/account": get(signed_in),
    "POST /v1/auth/password": change(signed_in),
    "POST /v1/auth/phone": change(signed_in),
    "POST /v1/auth/phone/confirm": change(signed_in),
    "POST /v1/auth/totp": change(signed_in),
    "POST /v1/auth/totp/confirm": change(signed_in),
    "DELETE /v1/auth/totp": change(signed_in),
    "POST /v1/auth/passkeys/options": change(signed_in),
    "POST /v1/auth/passkeys": change(signed_in),
    "GET /v1/auth/passkeys": get(signed_in),
    "DELETE /v1/auth/passkeys/{}": change(own_thing),
    # consents, notifications
    "POST /v1/consents": change(verified),
    "GET /v1/consents": get(signed_in),
    "GET /v1/consents/{}": get(own_thing, THINGS),
    "POST /v1/consents/{}/withdraw": change(verified_own_thing, THINGS),
    "GET /v1/notifications": get(signed_in),
    "POST /v1/notifications/{}/read": change(own_thing),
    # one's own card
    "GET /v1/access": get(signed_in),
    "GET /v1/cards": get(signed_in),
    "GET /v1/cards/{}/summary": get(own_card, CARDS),
    "GET /v1/cards/{}/visits": get(own_card, CARDS),
    "GET /v1/cards/{}/visits/{}": get(own_card, CARDS),
    "GET /v1/cards/{}/results": get(own_card, CARDS),
    "GET /v1/cards/{}/results/{}": get(own_card, CARDS),
    "GET /v1/cards/{}/results/series": get(own_card, CARDS, 200, 422),
    "GET /v1/cards/{}/prescriptions": get(own_card, CARDS),
    "GET /v1/cards/{}/prescriptions/{}": get(own_card, CARDS),
    "GET /v1/cards/{}/changes": get(own_card, CARDS, 200, 422),
    "GET /v1/cards/{}/journal": get(own_card_while_closed, CARDS),
    "POST /v1/cards/{}/journal/{}/contest": change(own_card_while_closed, CARDS),
    "GET /v1/cards/{}/journal/{}/contest": get(own_card_while_closed, CARDS, 404),
    "PUT /v1/cards/{}/records/{}/hidden": change(own_card, CARDS),
    "DELETE /v1/cards/{}/records/{}/hidden": change(own_card, CARDS),
    "PUT /v1/cards/{}/sections/{}/hidden": change(own_card, CARDS),
    "DELETE /v1/cards/{}/sections/{}/hidden": change(own_card, CARDS),
    # extracts
    "POST /v1/cards/{}/extracts": change(own_card, CARDS),
    "GET /v1/extracts": get(verified),
    "GET /v1/extracts/{}": get(verified_own_thing, THINGS),
    "GET /v1/extracts/{}/file": get(verified_own_thing, THINGS, 200, 409, 404),
    "DELETE /v1/extracts/{}": change(verified_own_thing, THINGS),
    # a clinic's cards
    "POST /v1/clinic/cards/search": change(worker("clinician")),
    "POST /v1/clinic/cards/emergency": change(worker("clinician")),
    "GET /v1/clinic/cards/{}/summary": get(clinicians_read, CARDS),
    "GET /v1/clinic/cards/{}/visits": get(clinicians_read, CARDS),
    "GET /v1/clinic/cards/{}/visits/{}": get(clinicians_read, CARDS),
    "GET /v1/clinic/cards/{}/results": get(clinicians_read, CARDS),
    "GET /v1/clinic/cards/{}/results/{}": get(clinicians_read, CARDS),
    "GET /v1/clinic/cards/{}/results/series": get(clinicians_read, CARDS, 200, 422),
    "GET /v1/clinic/cards/{}/prescriptions": get(clinicians_read, CARDS),
    "GET /v1/clinic/cards/{}/prescriptions/{}": get(clinicians_read, CARDS),
    "POST /v1/clinic/cards/{}/fhir": change(clinicians_write, CARDS),
    "POST /v1/clinic/cards/{}/cda": change(clinicians_write, CARDS),
    "POST /v1/clinic/cards/{}/imports": change(clinicians_write, CARDS),
    "GET /v1/clinic/cards/{}/imports/{}": get(clinicians_write, CARDS, 404),
    "POST /v1/clinic/cards/{}/results/{}/seen": change(clinicians_write, CARDS),
    # the desk
    "GET /v1/clinic/release-rules": get(worker("registrar")),
    "PUT /v1/clinic/release-rules": change(worker("registrar")),
    "PUT /v1/clinic/regions/{}": change(worker("operator")),
    "PUT /v1/clinic/clinics/{}": change(worker("operator")),
    "GET /v1/clinic/staff": get(worker("operator", "registrar")),
    "POST /v1/clinic/staff": change(worker("operator", "registrar")),
    "DELETE /v1/clinic/staff/{}": change(worker("operator", "registrar")),
    "POST /v1/clinic/patients": change(worker("registrar")),
    "POST /v1/clinic/patients/search": change(worker("registrar")),
    "PUT /v1/clinic/patients/{}/attachment": change(worker("registrar"), CARDS),
    "DELETE /v1/clinic/patients/{}/attachment": change(registrars_own_patients, CARDS),
    "POST /v1/clinic/patients/{}/card": change(registrars_own_patients, CARDS),
    "POST /v1/clinic/patients/{}/consents": change(registrars_own_patients, CARDS, CONSENT),
    "POST /v1/clinic/patients/{}/merge": change(worker("registrar"), CARDS),
    "POST /v1/clinic/patients/{}/death": change(worker("registrar"), CARDS),
    "POST /v1/clinic/accounts/verify/start": change(worker("registrar")),
    "POST /v1/clinic/accounts/verify": change(worker("registrar")),
    "GET /v1/clinic/cases": get(worker("registrar")),
    "POST /v1/clinic/cases/{}/answer": change(worker("registrar")),
}


# --- the cells -----------------------------------------------------------------------------------


def routes() -> list[str]:
    """Every route that is served, as `GET /v1/cards/{card_id}/visits`."""
    paths = json.loads(DOCUMENT.read_text("utf-8"))["paths"]
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]


def bare(route: str) -> str:
    return re.sub(r"\{\w+\}", "{}", route)


ROUTES = routes()


@pytest.fixture(scope="module")
def world(aws: None) -> World:
    return matrix_world.build()


def cells(world: World, route: str) -> Iterator[tuple[Principal, Target]]:
    for name in EXPECTATIONS[bare(route)].targets:
        for principal in world.principals.values():
            yield principal, world.targets[name]


def path_of(route: str, target: Target) -> str:
    path = route.partition(" ")[2]
    section = next((s for s in matrix_world.SECTIONS if f"/{s}/" in path), "visits")
    values = {**target.ids, "record_id": target.ids[section]}
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found.group(1), "unknown"), path)


def send(route: str, principal: Principal, target: Target, expected: Refusal | None) -> Response:
    expectation = EXPECTATIONS[bare(route)]
    path = path_of(route, target)
    # Whoever lacks a session or a role is refused before anything is read: they too may probe.
    harmless = expectation.real or (expected is not None and expected[0] not in (401,))
    if not harmless:
        path += "?probe=1"
    body = expectation.body
    if body is None and route.startswith(("POST", "PUT")):
        body = {}
    return principal.api.request(route.partition(" ")[0], path, body)


def wrong(
    route: str, principal: Principal, target: Target, expected: Refusal | None, answer: Response
) -> str | None:
    """What is wrong with an answer, or None."""
    good = EXPECTATIONS[bare(route)].good
    if expected is None:
        if answer.status not in good:
            return f"expected {good}"
    else:
        status, codes = expected
        if answer.status not in ((status,) if status else (403, 404, 409)):
            return f"expected {status or '403, 404 or 409'}"
        if answer.json["code"] not in codes:
            return f"expected {sorted(codes)}"
    if answer.status >= 400 and set(answer.json) - PROBLEM:
        return "a refusal with more than a problem in it"
    return None


def leaked(
    world: World, principal: Principal, target: Target, expected: Refusal | None, text: str
) -> str | None:
    """Whose data stand in an answer that may not hold them."""
    for name, other in world.targets.items():
        allowed = expected is None and name in (principal.patient, target.patient)
        if not allowed and any(canary in text for canary in other.canaries):
            return name
    return None


@pytest.mark.parametrize("route", ROUTES)
def test_every_cell_of_a_route(world: World, route: str) -> None:
    assert bare(route) in EXPECTATIONS, "a new route: say here who may use it"
    rule, found = EXPECTATIONS[bare(route)].rule, []
    for principal, target in cells(world, route):
        expected = rule(principal, target)
        answer = send(route, principal, target, expected)
        cell = f"{principal.name} → {target.name}: {answer.status} {answer.text[:160]}"
        if reason := wrong(route, principal, target, expected, answer):
            found.append(f"{cell} — {reason}")
        if whose := leaked(world, principal, target, expected, answer.text):
            found.append(f"{cell} — LEAK of {whose}")
    assert not found, "\n".join(found)


def test_the_matrix_is_as_large_as_promised(world: World) -> None:
    assert sum(1 for route in ROUTES for _ in cells(world, route)) >= 1500


def test_a_card_that_does_not_exist_looks_like_one_that_is_not_shown(world: World) -> None:
    """Refusals of strangers differ in nothing but the request's id."""
    for name, path in (("clinician", "/v1/clinic/cards"), ("owner", "/v1/cards")):
        answers = []
        for target in ("elsewhere", "unknown"):
            card = world.targets[target].ids["card_id"]
            answers.append(world.principals[name].api.get(f"{path}/{card}/summary").json)
        assert len({json.dumps({**a, "request_id": ""}, sort_keys=True) for a in answers}) == 1


def test_nothing_was_changed_by_asking(world: World) -> None:
    """Last: whatever was refused or only probed has left everything as it was."""
    for name in ("owner", "another"):
        card = world.targets[name].ids["card_id"]
        api = world.principals[name].api
        assert api.get(f"/v1/cards/{card}/visits").status == 200
        assert api.get(f"/v1/consents/{world.targets[name].ids['consent_id']}").json["status"] == (
            "active"
        )
    staff = world.principals["registrar"].api.get("/v1/clinic/staff").json["items"]
    assert {each["role"] for each in staff} == {"clinician", "registrar"}
