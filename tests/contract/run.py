"""Requests drawn from docs/openapi.json, against the running stack (Schemathesis, all its checks).

python -m tests.contract.run [--long] [--url URL] [options of `schemathesis run` …]

The ordinary run sends the same cases each time; `--long` draws many more, by `--seed`. What is
narrowed of the checks stands in schemathesis.toml, who asks and about what in hooks.py.
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

from local import stack

ROOT = Path(__file__).parent.parent.parent
FOLDER = Path(__file__).parent
PROGRAM = ROOT / ".venv-cases" / "bin" / "schemathesis"
FEWEST = {False: 2_000, True: 20_000}
# "Coverage" goes through each value of each schema that may or may not be sent: no chance is in it.
ORDINARY = ["--phases", "coverage", "--generation-deterministic"]
LONG = ["--phases", "coverage,fuzzing,stateful", "--max-examples", "170", "--workers", "2"]
LONG += ["--generation-database", "none"]


def main() -> int:
    """1 where a check failed, or where there were fewer cases than there must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract.run")
    parser.add_argument("--long", action="store_true", help="20,000 cases")
    parser.add_argument("--url", help="a stack that runs already, with the demo's people")
    chosen, more = parser.parse_known_args()
    with contextlib.ExitStack() as cleanup:
        url = chosen.url
        if url is None:
            url = cleanup.enter_context(stack.start(say=lambda line: _say(f"{line}\n"))).base_url
        drawn = run(url, chosen.long, more)
    fewest = FEWEST[chosen.long]
    if drawn.cases < fewest and not more:
        sys.exit(f"{drawn.cases} cases are fewer than {fewest}.")
    return drawn.code


class Drawn:
    """What a run said."""

    def __init__(self, code: int, said: str) -> None:
        found = re.search(r"([\d,]+) generated", said)
        self.code = code
        self.cases = int(found[1].replace(",", "")) if found else 0


def run(url: str, long: bool, more: list[str]) -> Drawn:
    """One run of Schemathesis; what it says is shown as it says it."""
    command = [str(PROGRAM), "--config-file", str(FOLDER / "schemathesis.toml")]
    command += ["run", "docs/openapi.json", "--url", url, "--no-color", "--continue-on-failure"]
    command += [*(LONG if long else ORDINARY), *more]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "MEDKARTA_API": url,
        "SCHEMATHESIS_HOOKS": "tests.contract.hooks",
    }
    said = []
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            _say(line)
            said.append(line)
    return Drawn(process.returncode, "".join(said))


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
