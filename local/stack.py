"""The whole system on this machine: platform, deployed template, front, demo data.

    with stack.start(port=8080) as running:
        httpx.get(f"{running.base_url}/v1/services")

Nothing of the system is described here: routes, tables, roles and environments are the template's.
"""

import contextlib
import fcntl
import importlib
import json
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import uvicorn

from local.build import HOST_ARCHITECTURE, ROOT, build_local
from local.deploy import CREDENTIALS, REGION, Deployed, deploy
from local.errors import CannotStart
from local.front import Front, Json

PLATFORM_PYTHON = ROOT / ".venv-platform" / "bin" / "python"
FUNCTION_PYTHON = ROOT / ".venv-function" / "bin" / "python"
PLATFORM_START = 30  # seconds
PLATFORM_STOP = 120  # seconds; it writes its state

Say = Callable[[str], None]


class DemoLoader(Protocol):
    """`load` of local/demo/load.py: fills an empty stack over HTTP and tells the accounts."""

    def __call__(
        self, base_url: str, outbox: Callable[[str], list[Json]], deployed: Deployed
    ) -> Json: ...


@dataclass
class Running:
    """A stack that answers at `base_url`; `folder` holds its logs.

    Browsers come to `portal_url`: WebAuthn knows localhost, but no address, as a relying party.
    """

    base_url: str
    portal_url: str
    deployed: Deployed
    folder: Path
    demo: Json | None = field(default=None)
    ready: bool = field(default=False)

    def outbox(self, to: str | None = None) -> list[Json]:
        """Text messages, newest first: `{"to", "text", "sent_at"}`, to one number or to all."""
        query = {"phoneNumber": to} if to else {}
        answer = httpx.get(
            f"{self.deployed.endpoint}/_ministack/sns/sms-messages",
            params=query,
            trust_env=False,
            verify=False,
        )
        messages = [
            {"to": number, "text": record["Message"], "sent_at": record["SentAt"]}
            for number, records in answer.raise_for_status().json()["sms_messages"].items()
            for record in reversed(records)
        ]
        return sorted(messages, key=lambda message: message["sent_at"], reverse=True)


@contextlib.contextmanager
def start(
    port: int = 0, *, state: Path | None = None, demo: bool = True, say: Say = lambda _line: None
) -> Iterator[Running]:
    """Build, deploy and serve on 127.0.0.1 until the block ends; port 0 takes a free one.

    With `state`, data live in that folder and survive a restart. Raises CannotStart.
    """
    with contextlib.ExitStack() as cleanup:
        listener = cleanup.enter_context(_listen(port))
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        folder = cleanup.enter_context(_run_folder(state))
        portal_url = base_url.replace("127.0.0.1", "localhost")
        settings = local_settings(portal_url)
        say("Building the functions …")
        built = build_local(folder / "build.log")
        say("Starting the platform …")
        endpoint = cleanup.enter_context(_platform(folder, keep=state is not None))
        say("Deploying the template …")
        deployed = deploy(built, endpoint, stack=settings.stack, parameters=settings.parameters)
        running = Running(base_url, portal_url, deployed, folder)
        front = Front(
            deployed, portal_url, running.outbox, lambda: running.demo, lambda: running.ready
        )
        cleanup.enter_context(_serve(front, listener))
        if demo:
            running.demo = _demo(running, say)
        running.ready = True
        yield running


@dataclass(frozen=True)
class Settings:
    """Values, and no more than values, for the template's parameters."""

    stack: str
    parameters: dict[str, str]


def local_settings(portal_url: str) -> Settings:
    """The `local` environment of samconfig.toml, and what only this machine knows."""
    with (ROOT / "samconfig.toml").open("rb") as file:
        values = tomllib.load(file)["local"]["deploy"]["parameters"]
    parameters = dict(pair.split("=", 1) for pair in values["parameter_overrides"])
    here = {"Architecture": HOST_ARCHITECTURE, "PortalUrl": portal_url}
    return Settings(values["stack_name"], {**parameters, **here})


@contextlib.contextmanager
def _listen(port: int) -> Iterator[socket.socket]:
    # With the protocol named, asyncio turns Nagle's algorithm off: 40 ms a request.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(128)
        except OSError as error:
            raise CannotStart(
                f"Port {port} cannot be used ({error.strerror}): choose one with `make run PORT=n`."
            ) from error
        yield listener


@contextlib.contextmanager
def _run_folder(state: Path | None) -> Iterator[Path]:
    """The folder of this run: a temporary one, or the state's, which one run may hold at a time."""
    if state is None:
        folder = Path(tempfile.mkdtemp(prefix="medkarta-"))
        try:
            yield folder
        except CannotStart:
            raise  # The logs stay, for whoever reads the message.
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
        return
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotStart(f"Another run already uses the state in {state}.") from error
        yield state.resolve()


@contextlib.contextmanager
def _platform(folder: Path, *, keep: bool) -> Iterator[str]:
    """The platform as a process of its own; yields its endpoint."""
    for python in (PLATFORM_PYTHON, FUNCTION_PYTHON):
        if not python.exists():
            raise CannotStart(f"{python.relative_to(ROOT)} is missing: run `make install` first.")
    port = _free_port()
    scratch = folder / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    # Nothing of the developer's environment: the functions would inherit it.
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch),
        "LANG": "C.UTF-8",
        "TMPDIR": str(scratch),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": CREDENTIALS[0],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS[1],
        "AUTH": "true",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1" if keep else "0",
        "S3_PERSIST": "1" if keep else "0",
        "STATE_DIR": str(folder / "platform"),
        "S3_DATA_DIR": str(folder / "platform" / "s3"),
        "MEDKARTA_FUNCTION_LOG": str(folder / "functions.log"),
        "MEDKARTA_FUNCTION_PYTHON": str(FUNCTION_PYTHON),
    }
    log = folder / "platform.log"
    with log.open("w") as output:
        # The pipe is held open for the process's life: it ends when we do, however we end.
        process = subprocess.Popen(
            [str(PLATFORM_PYTHON), "-m", "local.emulator"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait_for_platform(process, endpoint, log)
        yield endpoint
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(PLATFORM_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def _wait_for_platform(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + PLATFORM_START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last_lines = "\n".join(log.read_text().strip().splitlines()[-5:])
            raise CannotStart(f"The platform stopped at once (its log: {log}):\n{last_lines}")
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{endpoint}/_ministack/health", trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    raise CannotStart(f"The platform did not start in {PLATFORM_START} seconds; its log: {log}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _serve(front: Front, listener: socket.socket) -> Iterator[None]:
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    config = uvicorn.Config(
        front.app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="front")
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()


def _demo(running: Running, say: Say) -> Json | None:
    """Load the demo's data once per state, by the routes that a clinic's system would use."""
    kept = running.folder / "demo.json"
    if kept.exists():
        known: Json = json.loads(kept.read_text())
        return {**known, "api": running.base_url}
    try:
        module: Any = importlib.import_module("local.demo.load")
    except ModuleNotFoundError as missing:
        if missing.name not in {"local.demo", "local.demo.load"}:
            raise
        return None
    say("Loading demo data …")
    load: DemoLoader = module.load
    try:
        accounts = load(running.base_url, running.outbox, running.deployed)
    except (RuntimeError, httpx.HTTPError) as problem:
        raise CannotStart(
            f"The demo data could not be loaded: {problem}\n"
            f"What the functions said: {running.folder}/functions.log"
        ) from problem
    kept.write_text(json.dumps(accounts, ensure_ascii=False, indent=2))
    return {**accounts, "api": running.base_url}
