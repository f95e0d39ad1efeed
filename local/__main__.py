"""`make run`: `python -m local [--port N] [--no-demo]`."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from local import stack
from local.deploy import CREDENTIALS, REGION
from local.errors import CannotStart

SCREEN = """
Medkarta is ready: {base_url}   ({seconds:.0f} s)

  The portal       {portal_url}
  Try the API      {base_url}/_local/docs
  Text messages    {base_url}/_local/outbox?to=%2B7…     (all: {base_url}/_local/outbox)
  Logs             {folder}/functions.log
  As an operator   {operator}
{accounts}
  curl -s {base_url}/v1/services
  curl -s {base_url}/v1/auth/login -H 'Content-Type: application/json' \\
       -d '{{"login": "{login}", "password": "{password}"}}'

Ctrl-C stops it{fate}.
"""


def main() -> None:
    """Serve until Ctrl-C or SIGTERM; a reason not to start is one sentence and exit code 1."""
    arguments = argparse.ArgumentParser(prog="make run", description="Medkarta on this machine.")
    arguments.add_argument("--port", type=int, default=8080)
    arguments.add_argument("--no-demo", action="store_true", help="start empty")
    chosen = arguments.parse_args()
    state = os.environ.get("MEDKARTA_STATE")
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    began = time.monotonic()
    folder = Path(state) if state else None

    def say(line: str) -> None:
        print(line, flush=True)

    try:
        with stack.start(chosen.port, state=folder, demo=not chosen.no_demo, say=say) as running:
            say(screen(running, time.monotonic() - began, kept=folder is not None))
            signal.pause()
    except CannotStart as problem:
        sys.exit(str(problem))


def screen(running: stack.Running, seconds: float, *, kept: bool) -> str:
    """The one screen that tells a newcomer everything they need."""
    accounts = (running.demo or {}).get("accounts", [])
    heading = f"\n  Demo logins with their passwords (more at {running.base_url}/_local/demo)\n"
    width = max((len(who["password"]) for who in accounts), default=0)
    lines = [f"  {who['login']}  {who['password']:<{width}}  {who['note']}\n" for who in accounts]
    first = accounts[0] if accounts else {"login": "+7…", "password": "…"}
    reached = {
        "AWS_ENDPOINT_URL": running.deployed.endpoint,
        "AWS_ACCESS_KEY_ID": CREDENTIALS[0],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS[1],
        "AWS_DEFAULT_REGION": REGION,
        "STACK": stack.local_settings(running.base_url).stack,
    }
    return SCREEN.format(
        base_url=running.base_url,
        operator="export " + " ".join(f"{name}={value}" for name, value in reached.items()),
        portal_url=running.portal_url,
        seconds=seconds,
        folder=running.folder,
        accounts=heading + "".join(lines) if accounts else "",
        login=first["login"],
        password=first["password"],
        fate="; the data stay" if kept else " and forgets the data (MEDKARTA_STATE=dir keeps them)",
    )


def _stop(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(0)


if __name__ == "__main__":
    main()
