"""What a cold start costs: import and first request of every function, as it is built.

python -m bench.cold_start [rounds, 15 unless given]
python -m bench.cold_start instructions

Each run is a new process of the functions' bare interpreter with the built package alone (.pyc
files, trimmed data). It answers a request that succeeds, with what AWS answered when the same
request was sent once in this process (moto): so it costs imports, clients, signed calls and their
parsing, the decision and the answer, and no network. The measure beside it is a process that
imports boto3 with what it needs (and no more: beside pyOpenSSL it takes longer) and makes one
DynamoDB client, with .pyc files too; all take turns.
CPU time is that of all threads; `wall` has the machine's other work in it. `instructions` counts
those of one process each (valgrind), less those of a Python that does nothing: a busy machine adds
none.
"""

import json
import marshal
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from moto.core.botocore_stubber import MockRawResponse

from bench import world
from local.build import ROOT, build_local
from local.stack import FUNCTION_PYTHON
from tests import template

BOTO3 = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")
BASELINE = """
import time
began = time.process_time(), time.perf_counter()
import boto3
boto3.client("dynamodb", region_name="eu-central-1")
ended = time.process_time(), time.perf_counter()
print(ended[0] - began[0], ended[1] - began[1], 0, 0)
"""
# The answers come in where botocore would open its connection. A call that is not the recorded one
# to the byte (it holds a time, or something drawn) gets the next answer of its operation.
FUNCTION = """
import marshal, sys, time
with open(sys.argv[1], "rb") as file:
    handler, event, answers = marshal.load(file)
began = time.process_time(), time.perf_counter()
from importlib import import_module
module, _, name = handler.rpartition(".")
handler = getattr(import_module(module), name)
imported = time.process_time()
calls = []
from kernel import aws
from botocore.awsrequest import AWSResponse, HeadersDict
class Raw:
    def __init__(self, body): self.body = body
    def stream(self, **_): yield self.body
    def read(self, *_): body, self.body = self.body, b""; return body
def answer(event_name, request, **_):
    operation = event_name.partition(".")[2]
    calls.append(operation)
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""
    same = [each for each in answers if each[0] == operation]
    found = next((each for each in same if each[1] == body), same[0])
    if len(same) > 1:
        answers.remove(found)
    status, headers, content = found[2:]
    return AWSResponse(request.url, status, HeadersDict(headers), Raw(content))
aws._session().register("before-send", answer)
answered = handler(event, None)
ended = time.process_time(), time.perf_counter()
status = answered.get("statusCode", 200) if isinstance(answered, dict) else 200
assert status < 300 and not answered.get("batchItemFailures"), answered
print(ended[0] - began[0], ended[1] - began[1], imported - began[0], len(calls))
"""
FIRST = {
    "AuthFunction": "POST /v1/auth/token",
    "CatalogueFunction": "GET /v1/clinics",
    "ConsentFunction": "GET /v1/consents",
    "RecordsFunction": "GET /v1/cards/{card_id}/results",
    "ExtractsFunction": "GET /v1/extracts/{extract_id}",
    "ClinicFunction": "POST /v1/clinic/patients/search",
    "IntakeFunction": "POST /v1/clinic/cards/{card_id}/fhir",
}
BOTO3_ALONE = "boto3 and one client"
WANTED = "at most 1.00 is wanted"
VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
# By name: the code, its argument, and its environment.
Runs = dict[str, tuple[str, str, dict[str, str]]]
# Operation, body, and what came: status, headers, content.
Answer = tuple[str, bytes, int, dict[str, str], bytes]


class Recording(world.Around):
    """The last invocation of each handler, and what AWS answered to it."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[Any, list[Answer]]] = {}
        self._running: list[str] = []

    def function(self, handler: str, event: Any, go_on: world.GoOn) -> Any:
        self.kept[handler] = (json.loads(json.dumps(event, default=str)), [])
        self._running.append(handler)
        try:
            return go_on()
        finally:
            self._running.pop()

    def aws(self, event_name: str, request: AWSPreparedRequest, go_on: world.GoOn) -> Any:
        answer = go_on()
        if self._running:
            body: Any = request.body or b""
            body = body.encode() if isinstance(body, str) else body
            content = answer.content
            answer.raw = MockRawResponse(content)  # which may have been a stream
            self.kept[self._running[-1]][1].append(
                (
                    event_name.partition(".")[2],
                    body if isinstance(body, bytes) else b"",
                    answer.status_code,
                    {str(name): str(value) for name, value in answer.headers.items()},
                    content,
                )
            )
        return answer


def main(rounds: int) -> None:
    """Print what time each function took, one line each, in Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        spent = _measure(_runs(Path(folder)), rounds)
    base, wall = (_quartile(spent[BOTO3_ALONE], column) for column in (0, 1))
    load = f"{os.getloadavg()[0]:.1f} load on {os.cpu_count()} cores"
    print(f"Lower quartiles of {rounds} processes each, in turns; {load}.\n")
    heads = ("function", "import, CPU ms", "and first request", "of boto3", "wall, ms", "of boto3")
    print("| " + " | ".join(heads) + " | AWS calls |\n| --- " + "| ---: " * 6 + "|")
    for name, runs in spent.items():
        cpu, clock, imported, calls = (_quartile(runs, each) for each in range(4))
        spent_cpu = f"{imported * 1e3:.0f} | {cpu * 1e3:.0f} | {cpu / base:.2f}"
        print(f"| {name} | {spent_cpu} | {clock * 1e3:.0f} | {clock / wall:.2f} | {calls:.0f} |")
    records = spent["RecordsFunction"]
    ratio, quickest = _quartile(records, 0) / base, min(records)[0] / min(spent[BOTO3_ALONE])[0]
    print(f"\nCPU time of records, of boto3 and one client: {ratio:.2f} ({WANTED}).")
    print(f"By the quickest process of each: {quickest:.2f}.")


def count() -> None:
    """Print how many instructions each function took, one line each, in Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        counted = _count(_runs(Path(folder)))
    base = counted[BOTO3_ALONE]
    print("| function | instructions, millions | of boto3 |\n| --- | ---: | ---: |")
    for name, instructions in counted.items():
        print(f"| {name} | {instructions / 1e6:,.0f} | {instructions / base:.2f} |")
    ratio = counted["RecordsFunction"] / base
    print(f"\nInstructions of records, of boto3 and one client: {ratio:.2f} ({WANTED}).")


def _runs(place: Path) -> Runs:
    """The measure's process and each function's, as template.yaml lists them."""
    built = build_local(place / "build.log")
    recording = Recording()
    handlers = template.resources("AWS::Serverless::Function")
    runs = {BOTO3_ALONE: (BASELINE, "", {"PYTHONPATH": str(_boto3_alone(place / "boto3"))})}
    everywhere = template.load()["Globals"]["Function"]["Environment"]["Variables"]
    with world.running(recording) as memory:
        for name in _requests(memory):
            handler = handlers[name]["Handler"]
            event, answers = recording.kept[handler]
            (place / name).write_bytes(marshal.dumps((handler, event, answers)))
        for name, properties in handlers.items():
            if (place / name).exists():
                variables = properties.get("Environment", {}).get("Variables", {})
                environment = {each: os.environ[each] for each in (*variables, *everywhere)}
                environment["PYTHONPATH"] = str(built.folders[name])
                runs[name] = (FUNCTION, str(place / name), environment)
    return runs


def _boto3_alone(folder: Path) -> Path:
    """boto3 and what it depends on, as they are installed here."""
    folder.mkdir()
    site = next(ROOT.glob(".venv/lib/python3*/site-packages"))
    for name in BOTO3:
        (folder / name).symlink_to(site / name)
    return folder


def _requests(memory: world.Memory) -> Iterator[str]:
    """Send each function's first request; the name of each that was answered."""
    from tests.gateway import Api, drain, drain_stream, function
    from tests.integration import route_world, test_imports

    people = route_world.World()
    calls = {name: route_world.prepare(people, route) for name, route in FIRST.items()}
    for name, call in calls.items():
        memory.drop()
        answer = call.send()
        assert answer.status < 300, answer
        yield name
    memory.drop()
    assert people.patient.api.get("/v1/cards").status == 200
    yield "AuthorizerFunction"
    call = route_world.prepare(people, "POST /v1/auth/challenges/{challenge_id}/send")
    drain("MessagesQueue")
    assert call.send().status == 202
    memory.drop()
    drain("MessagesQueue")
    yield "MessengerFunction"
    people.order()
    memory.drop()
    drain("ExtractsQueue")
    yield "ExtractsWorkerFunction"
    path = f"/v1/clinic/cards/{people.patient.card_id}/imports"
    key = test_imports.upload(people.clinic.clinician.api.post(path).json, people.bundle().encode())
    memory.drop()
    event = test_imports.notice(key)
    done = function(template.queue_handlers()["ImportsQueue"])(event, None)
    assert not done["batchItemFailures"]
    yield "ImportWorkerFunction"
    drain_stream("JournalTable")
    assert people.patient.api.get(path.replace("/clinic", "").replace("imports", "visits")).status
    memory.drop()
    drain_stream("JournalTable")
    yield "JournalLinkerFunction"
    for name in ("JournalCheckpointsFunction", "ExtractsSweeperFunction"):
        memory.drop()
        function(template.resources("AWS::Serverless::Function")[name]["Handler"])({}, None)
        yield name
    phone = {"phone": people.anybody().phone}
    assert Api().get("/v1/help").status == 200
    memory.drop()
    function("auth.bootstrap.handler")(phone, None)
    yield "BootstrapFunction"
    memory.drop()
    erase = {"patient_id": people.stranger.patient_id, "order": "1", "by": "bench"}
    function("clinic.erasure.handler")(erase, None)
    yield "EraseFunction"


def _measure(runs: Runs, rounds: int) -> dict[str, list[tuple[float, ...]]]:
    """CPU, wall, CPU of the import (seconds) and AWS calls of each run of each, in turns."""
    spent: dict[str, list[tuple[float, ...]]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            done = _done(name, *run)
            if number:  # the first fills the caches of files, and writes boto3's .pyc files
                spent[name].append(tuple(map(float, done.stdout.splitlines()[-1].split())))
    return spent


def _count(runs: Runs) -> dict[str, int]:
    """The instructions of each, less those of a Python that does nothing."""

    def counted(name: str, *run: Any) -> int:
        done = _done(name, *run, under=VALGRIND)
        found = re.search(r"I\s+refs:\s+([0-9,]+)", done.stderr)
        assert found, done.stderr
        return int(found[1].replace(",", ""))

    nothing = counted("Python", "import time", "", {})
    _done(BOTO3_ALONE, *runs[BOTO3_ALONE])  # writes boto3's .pyc files
    return {name: counted(name, *run) - nothing for name, run in runs.items()}


def _done(
    name: str, code: str, argument: str, environment: dict[str, str], *, under: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    known = {"PATH": os.defpath, "AWS_DEFAULT_REGION": "eu-central-1", "LANG": "C.UTF-8"}
    known |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
    known |= {"PYTHONHASHSEED": "0"} if under else {}
    done = subprocess.run(
        [*under, str(FUNCTION_PYTHON), "-c", code, argument],
        env=known | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{name}: {done.stderr[-1500:]}")
    return done


def _quartile(runs: list[tuple[float, ...]], column: int) -> float:
    """What the machine's other work, which only ever adds, has added least to."""
    return sorted(run[column] for run in runs)[len(runs) // 4]


if __name__ == "__main__":
    if sys.argv[1:] == ["instructions"]:
        count()
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
