"""The worker as a process that gets SIGKILL before and after each of its AWS calls.

On the local platform, which the processes share; test_extract_faults.py proves the same in process,
where it is an exception that ends the worker, and much more beside it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from local.build import ROOT
from tests import gateway, platform, template
from tests.integration import desk_world
from tests.integration.test_extract_faults import World, assert_made_once

_WORKER = """
import json, os, signal, sys
from botocore.httpsession import URLLib3Session

at, when, message = int(sys.argv[1]), sys.argv[2], sys.argv[3]
send, calls = URLLib3Session.send, 0


def counting(self, request):
    global calls
    number, calls = calls, calls + 1
    if number == at and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = send(self, request)
    if number == at and when == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer


URLLib3Session.send = counting
from extracts.worker import handler

record = {"messageId": "1", "body": message, "attributes": {"ApproximateReceiveCount": "1"}}
answer = handler({"Records": [record]}, None)
assert answer == {"batchItemFailures": []}, answer
print(calls)
"""


@pytest.fixture(scope="module")
def clinic() -> Iterator[desk_world.Clinic]:
    handlers = [
        each["Handler"] for each in template.resources("AWS::Serverless::Function").values()
    ]
    modules = {handler.rpartition(".")[0] for handler in handlers}
    with pytest.MonkeyPatch.context() as patch, platform.running() as found:
        # They read their settings when they are imported.
        for name in modules:
            patch.delitem(sys.modules, name, raising=False)
        patch.setattr(gateway, "outbox", lambda phone: [found.newest(phone)])
        yield desk_world.clinic()
        for name in modules:
            sys.modules.pop(name, None)


def work(message: str, at: int = -1, when: str = "") -> subprocess.CompletedProcess[str]:
    """A worker's process, which is killed at its call number `at`."""
    return subprocess.run(
        [sys.executable, "-c", _WORKER, str(at), when, message],
        env={**os.environ, "PYTHONPATH": "functions"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_workers_process_is_killed_at_every_call(
    clinic: desk_world.Clinic, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    world = World(clinic, monkeypatch)
    world.messages()
    for at in range(100):
        before, entries = world.objects(), world.entries()
        world.forget_certificate()
        extract = world.ordered()
        killed = work(extract["message"], at, when)
        if killed.returncode == 0:  # it makes no more calls than that
            assert at == json.loads(killed.stdout.splitlines()[-1]) > 10
            return
        assert killed.returncode == -9, killed.stderr
        again = work(extract["message"])
        assert again.returncode == 0, again.stderr
        assert_made_once(world, extract, before, entries)
