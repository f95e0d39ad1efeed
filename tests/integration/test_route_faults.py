"""Every route, every AWS call that it makes, every way in which that call fails.

A route that answers 503 has lost nothing and done nothing by halves: repeated, it leaves what one
undisturbed request leaves, and whatever it changed stands in the journal. Nobody who is refused
gets in while something fails.
"""

import re
from collections import Counter
from datetime import timedelta
from itertools import count

import pytest

from kernel import clock
from tests import route_faults
from tests.gateway import Api, Response
from tests.integration import route_world
from tests.integration.route_world import Call, World
from tests.integration.test_auth_oidc import provider, running
from tests.integration.test_matrix import EXPECTATIONS, ROUTES, bare, everybody
from tests.route_faults import DONE, NOT_DONE, How, Run

__all__ = ["provider", "running"]
pytestmark = pytest.mark.usefixtures("provider")

# What trying again may leave besides: nothing that anybody sees or that stays.
HARMLESS = re.compile(
    r"JournalTable .* made .*"  # each try is an act of its own, and stands there
    r"|IdentityTable (CHALLENGE|CODE)#.*"  # codes that nobody enters; they expire
    r"|IdentityTable .* \| PASSKEY_PENDING changed taken_by=.*"  # and options of an enrolment
    r"|IdentityTable .* counted"
    r"|message in MessagesQueue"  # a text may come twice, but not be missing
    r"|KeysTable .* made wrapped=B"  # the next try finds the key
    r"|IdempotencyTable .* made .*"  # the claim of a key is no effect
    r"|message in ExtractsQueue"  # whoever comes second finds it done (test_extract_faults)
    # As with the journal: who opened a card twice, not knowing, was seen twice.
    r"|NoticesTable CARD#\* \| NOTICE#\* made .*kind=emergency_access.*"
)
# What is said to whoever does again what can be done once, and was done: by code, link or token.
ONCE = {"challenge_expired", "session_revoked", "credentials_invalid"}
# Messages without which the answer is still right. The sweeper queues an order that the request
# could not (test_extract_faults); a notice of what was done must not keep the answer back.
NOTICE = Counter({"message in MessagesQueue": 1})
OPTIONAL = {
    "POST /v1/cards/{card_id}/extracts": Counter({"message in ExtractsQueue": 1}),
    "POST /v1/auth/challenges/{challenge_id}/verify": NOTICE,
    "POST /v1/auth/oidc/{provider}/callback": NOTICE,
    "POST /v1/auth/password": NOTICE,
    "POST /v1/auth/password/reset/confirm": NOTICE,
    "POST /v1/auth/phone": NOTICE,
    "POST /v1/auth/phone/confirm": NOTICE,
    "POST /v1/auth/totp/confirm": NOTICE,
    "DELETE /v1/auth/totp": NOTICE,
    "POST /v1/auth/passkeys": NOTICE,
    "DELETE /v1/auth/passkeys/{passkey_id}": NOTICE,
}
# What the ordinary run tries: where something is told or done once, and one of each other kind.
OFTEN = {
    "GET /v1/access",
    "GET /v1/auth/account",
    "POST /v1/auth/login",
    "POST /v1/auth/challenges/{challenge_id}/send",
    "POST /v1/auth/challenges/{challenge_id}/verify",
    "POST /v1/auth/oidc/{provider}/callback",
    "POST /v1/auth/password",
    "POST /v1/auth/password/reset",
    "POST /v1/auth/password/reset/confirm",
    "POST /v1/auth/phone/confirm",
    "POST /v1/auth/passkeys",
    "DELETE /v1/auth/passkeys/{passkey_id}",
    "POST /v1/consents",
    "GET /v1/cards/{card_id}/visits",
    "POST /v1/clinic/staff",
}
CLOSED = [route for route in ROUTES if EXPECTATIONS[bare(route)].rule is not everybody]
# Each takes something that can be taken once, under a condition of its own: an idempotency key, the
# sending of a code, a passkey's challenge.
REPEATED = [
    "POST /v1/consents",
    "POST /v1/auth/challenges/{challenge_id}/send",
    "POST /v1/auth/passkeys",
]
CHANGING = [route for route in ROUTES if route in route_world.MAKERS]


@pytest.fixture(scope="module")
def world(aws: None) -> World:
    world = World()
    world.once("case", world.contested)  # what the first of its kind makes besides is there
    return world


def unavailable(answer: Response) -> bool:
    """Whether it is the contract's 503."""
    if answer.status != 503:
        return False
    assert answer.json["code"] == "unavailable", answer
    assert int(answer.headers["retry-after"]) > 0
    assert not re.search(r"Traceback|botocore|dynamodb|kms", answer.text, re.I), answer
    return True


def undisturbed(world: World, route: str) -> tuple[Counter[str], list[str]]:
    """What one request leaves, and what it calls."""
    if route.startswith("PUT") or route.endswith(("/callback", "/register")):
        # To put it again changes what is there; whoever comes again has an account; and the first
        # to register calls for a key that the process keeps.
        route_world.prepare(world, route).send()
    call = route_world.prepare(world, route)
    with route_faults.recorded() as run:
        run.begin()
        answer = call.send()
        assert answer.status < 300, answer
        return run.changes(), run.calls


def judged(changes: Counter[str], expected: Counter[str]) -> str:
    """What is lost, and what is there too often."""
    lost = expected - changes
    double = {what: n for what, n in (changes - expected).items() if not HARMLESS.fullmatch(what)}
    found = (("lost", dict(lost)), ("twice", double))
    return "; ".join(f"{name} {what}" for name, what in found if what)


def by_halves(changes: Counter[str], expected: Counter[str]) -> str:
    """What was done and does not stand in the journal, where it should."""
    journal = {what for what in expected if what.startswith("JournalTable")}
    effects = {what for what in expected if not HARMLESS.fullmatch(what)} & changes.keys()
    if not effects or journal <= changes.keys():
        return ""
    return f"done without its entry: {sorted(effects)}"


def not_carried_out(world: World, route: str, how: How) -> list[str]:
    """Each call of a request fails in turn and is not carried out: 503 and again, until it ends."""
    (expected, _), found, at = undisturbed(world, route), list[str](), 0
    while True:
        call, begun = route_world.prepare(world, route), at
        with route_faults.recorded(how) as run:
            while True:
                run.begin(at)
                answer = call.send()
                where = f"{how} at {at} {run.calls[at]}" if run.reached else f"{how}, in the end"
                if not run.reached or not unavailable(answer):
                    break
                if halves := by_halves(run.changes(), expected):
                    found.append(f"{where}: {halves}")
                at += 1
            if answer.status in (401, 429) and at > begun:
                continue  # its tries are spent: the same call, with things of its own
            wrong = ""
            if answer.status < 300:
                unsent = run.reached and run.calls[at] == "sqs.SendMessage"
                optional = OPTIONAL.get(route, Counter()) if unsent else Counter()
                wrong = judged(run.changes() + optional, expected)
            if wrong or answer.status >= 300:
                found.append(f"{where}: {answer.status} {wrong}")
            if not run.reached:
                return found
            at += 1


def carried_out(world: World, route: str, how: How) -> list[str]:
    """Each call that changes something is carried out and its answer lost."""
    (expected, calls), found = undisturbed(world, route), list[str]()
    for at in (n for n, name in enumerate(calls) if name in route_faults.CHANGING):
        call = route_world.prepare(world, route)
        with route_faults.recorded(how) as run:
            run.begin(at)
            answer = call.send()
            assert run.lost, run.calls
            where = f"{how} at {at} {run.calls[at]}"
            halves = by_halves(run.changes(), expected)
            last = answer
            if unavailable(answer) and how == "lost":
                last = again(run, call)
            changes = run.changes()
        # To do again what was done may be told so.
        told = last is not answer and (
            last.status in (404, 409) or (last.status == 401 and last.json["code"] in ONCE)
        )
        wrong = judged(changes, expected)
        if told:
            wrong = judged(changes + spared(route, changes, expected), expected)
        if wrong or halves or not (told or last.status < 300):
            found.append(f"{where}: {answer.status}, then {last} {wrong} {halves}")
    return found


def again(run: Run, call: Call) -> Response:
    """The same once more, and after the wait where it comes too early."""
    run.begin()
    answer = call.send()
    if answer.status == 429:
        later = clock.now() + timedelta(seconds=int(answer.headers["retry-after"]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(clock, "now", lambda: later)
            run.begin()
            answer = call.send()
    return answer


def spared(route: str, changes: Counter[str], expected: Counter[str]) -> Counter[str]:
    """What may be missing where a repeat is told that it was done, or that it has to begin anew:
    all of it, if nothing was done; else a notice, and what the next repeat would be answered."""
    effects = {what for what in expected if not HARMLESS.fullmatch(what)}
    if not effects & changes.keys():
        return expected
    kept = [what for what in expected if what.startswith("IdempotencyTable")]
    return Counter(kept) + OPTIONAL.get(route, Counter())


def doors(world: World, route: str, how: How) -> list[str]:
    """Somebody whose session has ended asks, while each call fails in turn."""
    ended = world.once("ended", lambda: _ended(world))
    found = []
    call = route_world.prepare(world, route)
    with route_faults.recorded(how) as run:
        for at in count():
            run.begin(at)
            answer = call.send(Api(token=ended))
            if not unavailable(answer) and answer.status != 401:
                found.append(f"{how} at {at}: {answer}")
            if not run.reached:
                break
        if effects := {what for what in run.changes() if not HARMLESS.fullmatch(what)}:
            found.append(f"changed: {sorted(effects)}")
    return found


def _ended(world: World) -> str:
    person = world.person()
    assert person.api.post("/v1/auth/logout").status == 204
    return str(person.api.token)


def mostly_long(routes: list[str]) -> pytest.MarkDecorator:
    """Those of `OFTEN` in the ordinary run, the others in the long one."""
    marks = {True: (), False: (pytest.mark.long,)}
    return pytest.mark.parametrize(
        "route", [pytest.param(route, marks=marks[route in OFTEN]) for route in routes]
    )


def test_every_route_has_its_request(world: World) -> None:
    """A new route of docs/openapi.json must get one, and one that is gone lose it."""
    assert route_world.MAKERS.keys() <= set(ROUTES)
    for route in ROUTES:
        assert route in CHANGING or route_world.prepare(world, route).path, route


@mostly_long(ROUTES)
def test_each_call_of_a_route_is_throttled(world: World, route: str) -> None:
    found = not_carried_out(world, route, "throttle")
    assert not found, "\n".join(found)


@mostly_long(CLOSED)
def test_no_door_opens(world: World, route: str) -> None:
    found = doors(world, route, "throttle")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("route", REPEATED)
def test_what_the_sdk_repeats_is_known_as_our_own(world: World, route: str) -> None:
    found = carried_out(world, route, "repeated")
    assert not found, "\n".join(found)


@pytest.mark.long
@pytest.mark.parametrize("how", DONE)
@pytest.mark.parametrize("route", CHANGING)
def test_each_answer_is_lost(world: World, route: str, how: How) -> None:
    found = carried_out(world, route, how)
    assert not found, "\n".join(found)


@pytest.mark.long
@pytest.mark.parametrize("how", NOT_DONE[1:])
@pytest.mark.parametrize("route", ROUTES)
def test_each_call_of_a_route_fails(world: World, route: str, how: How) -> None:
    found = not_carried_out(world, route, how)
    assert not found, "\n".join(found)
