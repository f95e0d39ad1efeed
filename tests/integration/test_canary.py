"""Twelve marked values are planted, every route is driven through success, 4xx and 5xx, and none of
the values comes out anywhere but in the field that the contract names for it.

The sinks are those of `tests.sinks`; each is proved by a leak that is planted into a route.
"""

import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from tests import privileges, sinks
from tests.gateway import Api, Response
from tests.integration import route_world
from tests.integration.route_world import Call, Said, World
from tests.integration.test_auth_oidc import provider, running
from tests.integration.test_matrix import ROUTES

__all__ = ["provider", "running"]
pytestmark = pytest.mark.usefixtures("provider")

SAID = Said(
    last_name="Канарейкин-Меченый",
    diagnosis="меченый диагноз",
    drug="меченое лекарство",
    password="меченый пароль у реки",
    email="mecheny@canary.example",
)
KINDS = {
    "name",
    "phone",
    "snils",
    "diagnosis",
    "drug",
    "password",
    "code",
    "token",
    "consent text",
    "object key",
    "cursor",
    "email",
}
# What a request says that is a mark wherever else it turns up.
FIELDS = {
    "phone": "phone",
    "login": "phone",
    "snils": "snils",
    "code": "code",
    "password": "password",
    "current_password": "password",
    "new_password": "password",
    "refresh_token": "token",
}
TOKENS = ("access_token", "refresh_token")
Marks = dict[str, frozenset[str]]

# The answers in which a mark may stand, and the fields: what the contract names.
ALLOWED: tuple[tuple[str, str, str], ...] = (
    ("token", r"POST .*/(verify|token|callback)", r"\.(access|refresh)_token"),
    ("name", "GET /v1/auth/account", r"\.last_name"),
    ("name", r"GET .*/cards/\{card_id\}/summary", r"\.patient\.(last_name|name)"),
    ("name", r"POST /v1/clinic/(patients|cards)/search", r"\.items(\.patient)?\.last_name"),
    ("name", "GET /v1/clinic/cases", r"\.items\.patient\.(last_name|name)"),
    ("name", "POST /v1/clinic/cases/.*", r"\.patient\.(last_name|name)"),
    ("phone", "PUT /v1/clinic/clinics/.*", r"\.phone"),  # the clinic's own
    ("diagnosis", r"GET .*/visits(/\{record_id\})?", r"(\.items)?\.diagnoses\.text"),
    ("drug", r"GET .*/prescriptions(/\{record_id\})?", r"(\.items)?\.text"),
    ("consent text", "GET /v1/consents/documents/current", r"\.text"),
    ("object key", r"GET /v1/extracts/\{extract_id\}/file", r"\.url"),
    ("cursor", "GET .*", r"\.next_cursor"),
)
# What the code itself answers, or what is remembered.
WITHOUT_AWS = {
    "GET /.well-known/jwks.json",
    "GET /.well-known/openid-configuration",
    "GET /v1/consents/documents/current",
    "GET /v1/help",
    "GET /v1/services",
}


@pytest.fixture
def taken_back() -> Iterator[None]:
    """No worker finds a planted message among its own."""
    yield
    sqs, url = boto3.client("sqs"), os.environ["EXTRACTS_QUEUE_URL"]
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for each in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])


@pytest.fixture(scope="module")
def world(aws: None) -> World:
    return World(SAID)


@pytest.fixture(scope="module")
def planted(world: World) -> Marks:
    """The marks that stand in the world; a request adds its own."""
    world.once("extract", world.extract)
    document = Api().get("/v1/consents/documents/current").json["text"]
    middle = len(document) // 2
    objects = boto3.client("s3").list_objects_v2(Bucket="extractsbucket")["Contents"]
    return {
        "name": frozenset({SAID.last_name}),
        "phone": frozenset({world.patient.account.phone}),
        "snils": frozenset({world.patient.snils}),
        "diagnosis": frozenset({SAID.diagnosis}),
        "drug": frozenset({SAID.drug}),
        "password": frozenset({SAID.password}),
        "code": frozenset(),
        "token": frozenset({str(world.patient.api.token).rpartition(".")[2]}),
        "consent text": frozenset({document[middle : middle + 40]}),
        "object key": frozenset(each["Key"] for each in objects),
        "cursor": frozenset(),
        "email": frozenset({str(SAID.email)}),
    }


def test_twelve_values_are_planted(planted: Marks) -> None:
    assert planted.keys() == KINDS


def of_request(marks: Marks, call: Call) -> Marks:
    """With what the request itself says."""
    more: dict[str, set[str]] = {}
    for name, value in (call.body if isinstance(call.body, dict) else {}).items():
        if name in FIELDS and isinstance(value, str):
            more.setdefault(FIELDS[name], set()).add(value)
    if call.api.token:
        more.setdefault("token", set()).add(call.api.token.rpartition(".")[2])
    return joined(marks, more)


def of_answer(marks: Marks, answer: Response, messages: list[tuple[str, str]]) -> Marks:
    """With what the answer gives out: tokens, a cursor, a code by text message."""
    more: dict[str, set[str]] = {}
    found = answer.json if answer.text.startswith("{") else {}
    for name in TOKENS:
        if name in found:
            more.setdefault("token", set()).add(found[name].rpartition(".")[2])
    if found.get("next_cursor"):
        more["cursor"] = {found["next_cursor"]}
    codes = [re.findall(r"(?<!\d)\d{6}(?!\d)", text) for _, text in messages]
    if codes:
        more["code"] = {code for each in codes for code in each}
    return joined(marks, more)


def joined(marks: Marks, more: dict[str, set[str]]) -> Marks:
    return {kind: values | more.get(kind, set()) for kind, values in marks.items()}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for name, each in value.items():
                yield f"{path}.{name}", name
                yield from leaves(each, f"{path}.{name}")
        case list():
            for each in value:
                yield from leaves(each, path)
        case _:
            yield path, str(value)


def in_answer(route: str, answer: Response, marks: Marks) -> list[str]:
    """Marks in fields that are not theirs. A refusal has no field for any."""
    places = list(leaves(answer.json)) if answer.text.startswith("{") else [("", answer.text)]
    places += [(f"({name})", value) for name, value in answer.headers.items()]
    found = []
    for path, text in places:
        for kind in sinks.held(text, marks):
            if answer.status >= 400 or not allowed(route, path, kind):
                found.append(f"{kind} in {answer.status} {path}")
    return found


def allowed(route: str, path: str, kind: str) -> bool:
    return any(
        kind == k and re.fullmatch(r, route) and re.fullmatch(p, path) for k, r, p in ALLOWED
    )


def failing(call: Call) -> Iterator[tuple[Call, int]]:
    """The request, and the number of its AWS call that fails: an early and a late one."""
    yield call, 0
    yield call, 3


def unknown(call: Call) -> Call:
    """The request with what it does not take, a name."""
    path = call.path + ("&" if "?" in call.path else "?") + "probe=1"
    body = {"меченый": SAID.last_name} if call.method in ("POST", "PUT") else None
    return Call(call.api, call.method, path, body)


@pytest.mark.parametrize("route", ROUTES)
def test_nothing_leaks(
    world: World, planted: Marks, capsys: pytest.CaptureFixture[str], route: str
) -> None:
    found: list[str] = []

    def asked(name: str, call: Call, at: int | None) -> int:
        capsys.readouterr()
        with sinks.watched("error", at) as seen:
            answer = call.send()
        marks = of_answer(of_request(planted, call), answer, seen.run.messages)
        leaks = [*seen.leaks(marks, capsys), *in_answer(route, answer, marks)]
        found.extend(f"{name}: {leak}" for leak in leaks)
        return answer.status

    call = route_world.prepare(world, route)
    failed = {asked("5xx", each, at) for each, at in failing(call)}
    refused = asked("4xx", unknown(call), None)
    answered = asked("success", call, None)
    if answered >= 400:  # what failed had taken the only try
        answered = asked("success", route_world.prepare(world, route), None)
    assert not found, "\n".join(found)
    assert (refused // 100, answered // 100) == (4, 2), (refused, answered)
    assert 503 in failed or route in WITHOUT_AWS, failed


# --- other people ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if "/clinic/" in route or "{" in route]
)
def test_nothing_stands_in_anothers_answer(world: World, planted: Marks, route: str) -> None:
    """A stranger who asks for what is somebody's gets nothing of it, whatever they are told."""
    call = route_world.prepare(world, route)
    if call.whose is None:
        pytest.skip("is about nobody")
    for other in (world.stranger.api, world.other.registrar.api, world.other.clinician.api):
        if (route, other) in (
            # A clinician gets in like this in an emergency, and a registrar finds whom to attach.
            ("POST /v1/clinic/cards/emergency", world.other.clinician.api),
            ("POST /v1/clinic/patients/search", world.other.registrar.api),
        ):
            continue
        answer = call.send(other)
        assert not in_answer("a stranger's", answer, of_request(planted, call)), answer


OWN = [
    route
    for route in ROUTES
    if re.fullmatch(r"GET /v1/(access|cards|consents|notifications|extracts|auth/\w+)", route)
]


@pytest.mark.parametrize("route", OWN)
def test_ones_own_lists_hold_nobody_else(world: World, planted: Marks, route: str) -> None:
    answer = world.stranger.api.get(route.partition(" ")[2])
    assert answer.status == 200, answer
    assert not in_answer("a stranger's", answer, planted)


# --- cursors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["results", "journal", "changes"])
def test_a_cursor_is_in_its_own_field_only(
    world: World, planted: Marks, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    route = f"GET /v1/cards/{{card_id}}/{path}"
    url = f"/v1/cards/{world.patient.card_id}/{path}?limit=1"
    first = world.patient.api.get(url)
    cursor = first.json["next_cursor"] or first.json.get("since")
    assert cursor, first
    marks = {**planted, "cursor": frozenset({cursor})}
    for sent in (cursor, cursor[:-2] + "xx"):
        for at in (None, 1):
            capsys.readouterr()
            name = "since" if path == "changes" else "cursor"
            with sinks.watched("error", at) as seen:
                answer = world.patient.api.get(f"{url}&{name}={sent}")
            assert not seen.leaks(marks, capsys)
            assert answer.status < 300 or not in_answer(route, answer, marks)


# --- planted leaks --------------------------------------------------------------------------------


def _logged(text: str) -> None:
    from kernel import log

    log.info("looked", kind=text)


def _measured(text: str) -> None:
    print(json.dumps({"_aws": {"CloudWatchMetrics": []}, "clinic": text}))  # noqa: T201


def _traced(text: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.sendto(json.dumps({"annotations": {"who": text}}).encode(), ("127.0.0.1", 2000))


def _in_a_url(text: str) -> None:
    from kernel import aws

    aws.s3().list_objects_v2(Bucket="extractsbucket", Prefix=text)


def _as_a_key(text: str) -> None:
    from kernel import aws

    aws.s3().put_object(Bucket="recordsbucket", Key=f"cards/{text}", Body=b"-")


def _as_a_message(text: str) -> None:
    from kernel.messages import Messages

    Messages(os.environ["MESSAGES_QUEUE_URL"]).send("+79010000000", f"Здравствуйте, {text}!")


def _as_an_order(text: str) -> None:
    from kernel import aws

    aws.sqs().send_message(QueueUrl=os.environ["EXTRACTS_QUEUE_URL"], MessageBody=text)


@pytest.mark.parametrize(
    ("leak", "sink"),
    [
        (_logged, "log"),
        (_measured, "metric"),
        (_traced, "trace"),
        (_in_a_url, "URL"),
        (_as_a_key, "object key"),
        (_as_a_message, "text message"),
        (_as_an_order, "message of ExtractsQueue"),
    ],
)
@pytest.mark.parametrize("kind", ["name", "snils", "cursor"])
@pytest.mark.usefixtures("taken_back")
def test_a_planted_leak_is_found(
    world: World,
    planted: Marks,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    leak: Callable[[str], None],
    sink: str,
    kind: str,
) -> None:
    """A route that lets something out by the way is caught, for each way."""
    from catalogue import handler

    marks = {**planted, "cursor": frozenset({"b3BhcXVlLWN1cnNvcg"})}
    (value,) = marks[kind]
    route = handler.app.routes["GET", "/v1/regions"]
    original = route.function

    def leaking(request: Any) -> Any:
        function = privileges.running.set(None)  # whose role has no part in what is planted
        leak(value)
        privileges.running.reset(function)
        return original(request)

    leaking.__name__, leaking.__doc__ = original.__name__, original.__doc__
    monkeypatch.setitem(
        handler.app.routes, ("GET", "/v1/regions"), route._replace(function=leaking)
    )
    capsys.readouterr()
    with sinks.watched() as seen:
        assert Api().get("/v1/regions").status == 200
    found = seen.leaks(marks, capsys)
    assert any(kind in each and f"in a {sink}" in each for each in found), found


@pytest.mark.parametrize("field", ["detail", "login"])
def test_a_planted_leak_in_an_answer_is_found(planted: Marks, field: str) -> None:
    """A name where none belongs, and anything at all in a refusal."""
    for status in (200, 404):
        body = json.dumps({field: f"Уважаемая {SAID.last_name}"})
        answer = Response(status, {"content-type": "application/json"}, body)
        assert in_answer("GET /v1/cards", answer, planted) == [f"name in {status} .{field}"]
    escaped = Response(400, {}, json.dumps({"detail": SAID.last_name}, ensure_ascii=True))
    assert in_answer("GET /v1/cards", escaped, planted)
