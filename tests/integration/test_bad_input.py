"""Bad input at every route there is: 4xx as docs/openapi.json declares it, a problem document, and
never what was sent."""

import json
from typing import Any

import pytest

from local import openapi
from tests.gateway import Api, Response
from tests.integration.conftest import Demo
from tests.integration.test_auth_journey import register

MARK = "mark-of-the-sender"
DEEP = 5_000
# Beyond every route's limit but the intake's, which is 5 MB.
MEGABYTE = 1_000_000

BODIES: dict[str, str | bytes] = {
    "nothing": "",
    "half of an object": '{"x": ',
    "text behind": '{} "' + MARK + '"',
    "a list": f'["{MARK}"]',
    "a text": f'"{MARK}"',
    "a number": "1",
    "true": "true",
    "an unknown field": f'{{"{MARK}": "{MARK}"}}',
    "a key twice": f'{{"login": "{MARK}", "login": "{MARK}"}}',
    "not a number of JSON": '{"limit": NaN}',
    "5,000 digits": '{"limit": ' + "9" * 5_000 + "}",
    "deep lists": "[" * DEEP + "]" * DEEP,
    "deep objects": '{"a":' * DEEP + "1" + "}" * DEEP,
    "a lone surrogate": '{"login": "\\ud800", "' + MARK + '": "\\u0000"}',
    "not UTF-8": b'{"login": "\xff\xfe' + MARK.encode() + b'"}',
    "UTF-16": '{"login": 1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}x",
    "zeros": b"\x00" * 64,
    "a megabyte": '{"x": "' + MARK + "y" * MEGABYTE + '"}',
}
MEDIA = (
    None,
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/json-seq",
    "text/html; charset=utf-8",
    "application/json" + "x" * 2000,
    MARK,
)
WRONG: tuple[Any, ...] = (None, True, 1, -1.5, [], [MARK], {}, {"a": MARK}, MARK * 500, "\u0000")
REFUSED = {400, 413, 415, 422}


def _declared() -> dict[tuple[str, str], dict[int, set[str]]]:
    """The codes that the document has for each status of each operation."""
    document = json.loads(openapi.DOCUMENT.read_text("utf-8"))
    return {
        (method.upper(), path): {
            int(status): set(form["schema"]["allOf"][1]["properties"]["code"]["enum"])
            for status, response in operation["responses"].items()
            if (form := response.get("content", {}).get("application/problem+json"))
        }
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


DECLARED = _declared()
ROUTES = list(DECLARED)
WITH_BODY = [route for route in ROUTES if route[0] in ("POST", "PUT")]


def named(routes: list[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("place", routes, ids=[" ".join(route) for route in routes])


@pytest.fixture(scope="module")
def world(demo: Demo) -> "World":
    return World(demo)


class World:
    """Somebody for each kind of route, and what stands in its path."""

    def __init__(self, demo: Demo) -> None:
        self.routes = {(r.method, r.path): r for app in openapi.apps() for r in app.routes.values()}
        self.anybody = Api()
        self.person = register().api
        self.patient = demo.patient("open card, rich")
        self.workers = {
            role: demo.worker(f"{role}")
            for role in ("operator", "registrar of clinic 1", "clinician of clinic 1")
        }
        (self.card, *_) = self.patient.get("/v1/cards").json["items"]

    def sender(self, place: tuple[str, str]) -> Api:
        """Who may use the route, as far as its input; each from an address of its own."""
        from kernel.api import CardRead, CardWrite, Public, SignedIn, Staff

        access = self.routes[place].access
        match access:
            case Public():
                found = self.anybody
            case SignedIn(verified=True):
                found = self.patient
            case SignedIn():
                # Logging out without a body would be the end of it.
                found = self.person
            case Staff(roles=roles):
                found = next(api for role, api in self.workers.items() if role.startswith(roles))
            case CardRead() | CardWrite():
                clinicians = place[1].startswith("/v1/clinic/")
                found = self.workers["clinician of clinic 1"] if clinicians else self.patient
            case _:
                raise AssertionError(access)
        return Api(token=found.token)

    def path(self, place: tuple[str, str]) -> str:
        return place[1].replace("{card_id}", self.card["card_id"])


def refused(place: tuple[str, str], answer: Response, statuses: set[int]) -> None:
    """It is a problem document of ours, declared for the operation, and holds nothing of what was
    sent."""
    assert answer.status in statuses, answer
    assert answer.headers["content-type"].startswith("application/problem+json"), answer
    assert MARK not in answer.text
    assert "Traceback" not in answer.text
    assert len(answer.text) < 6_000
    document = answer.json
    assert {"type", "title", "status", "detail", "code", "request_id"} <= document.keys()
    assert document["status"] == answer.status
    assert document["code"] in DECLARED[place].get(answer.status, ()), f"not declared: {answer}"


@named(WITH_BODY)
def test_bad_bodies_are_refused(world: World, place: tuple[str, str]) -> None:
    route, path = world.routes[place], world.path(place)
    for name, raw in BODIES.items():
        if not _is_bad(route, name):
            continue
        answer = world.sender(place).request(
            place[0], path, raw=raw, headers={"Content-Type": "application/json"}
        )
        try:
            refused(place, answer, REFUSED)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


def _is_bad(route: Any, name: str) -> bool:
    from kernel.api import JSON, required

    if name == "nothing":
        return route.media != (JSON,) or bool(route.body and required(route.model()))
    return not (name == "a megabyte" and route.limit > MEGABYTE)


@named(WITH_BODY)
def test_other_media_types_are_refused(world: World, place: tuple[str, str]) -> None:
    for media in MEDIA:
        headers = {"Content-Type": media} if media else {}
        answer = world.sender(place).request(
            place[0], world.path(place), raw='{"x": "' + MARK + '"}', headers=headers
        )
        refused(place, answer, {415})


@named(WITH_BODY)
def test_fields_of_wrong_types_are_refused(world: World, place: tuple[str, str]) -> None:
    """Each field in turn with values that it does not take; where it takes one, others lack."""
    model = world.routes[place].model()
    if model is None:
        pytest.skip("takes no fields")
    for name in model.model_fields:
        for value in WRONG:
            answer = world.sender(place).request(
                place[0], world.path(place), {name: value, "and-one-more": MARK}
            )
            refused(place, answer, {400, 413, 422})


@named(ROUTES)
def test_bad_queries_are_refused(world: World, place: tuple[str, str]) -> None:
    queries = [f"{MARK}=1", f"limit={MARK}", "limit=" + "9" * 5_000, "limit=1&limit=2", "%FF=%FF"]
    if world.routes[place].query is not None and place[0] == "GET":
        queries += [f"cursor={MARK}", "limit=0", "limit=-1", "limit=1e3"]
    for query in queries:
        answer = world.sender(place).request(place[0], f"{world.path(place)}?{query}")
        refused(place, answer, {*REFUSED, 404})


@named([route for route in ROUTES if "{" in route[1].replace("{card_id}", "")])
def test_bad_ids_are_refused(world: World, place: tuple[str, str]) -> None:
    for identifier in (MARK, "%00", "%2e%2e%2f", "x" * 3_000, "%F0%9F%A6%8A", "'%22%3B--"):
        parts = [
            identifier if part.startswith("{") else part for part in world.path(place).split("/")
        ]
        answer = world.sender(place).request(place[0], "/".join(parts))
        if place[0] == "DELETE" and answer.status == 204:
            continue  # taking away what is not there
        refused(place, answer, {*REFUSED, 401, 403, 404, 409})


@named(ROUTES)
def test_odd_headers_are_borne(world: World, place: tuple[str, str]) -> None:
    for headers in (
        {"Accept": "image/png"},
        {"Accept": "x" * 5_000},
        {"Accept-Language": "x" * 5_000 + ", *;q=a", "Accept": "image/png"},
    ):
        answer = world.sender(place).request(place[0], world.path(place), headers=headers)
        refused(place, answer, {406})
