"""Requests drawn from docs/openapi.json, against the running stack (Schemathesis, all its checks).

python -m tests.contract.run [--long | --part PART] [--url URL] [options of `schemathesis run` …]

The ordinary run sends the same cases each time; `--long` draws many more, by `--seed`, and sends
sequences of requests for ten minutes. What is narrowed of the checks stands in schemathesis.toml,
who asks and about what in hooks.py.
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
PARTS = {
    # Each value of each schema that may or may not be sent: no chance is in it.
    "values": ["--phases", "coverage", "--generation-deterministic"],
    "draws": ["--phases", "fuzzing", "--max-examples", "170", "--workers", "2"],
    # Requests with what the ones before them answered. One pass ends after some twenty sequences;
    # with a time, in seconds, it is begun anew until that is over.
    "sequences": ["--phases", "stateful", "--max-time", "600"],
}
_COUNTED = re.compile(r"([\d,]+) generated(?:.* ([\d,]+) skipped)?")


def main() -> int:
    """1 where a check failed, or where there were fewer cases than there must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract.run")
    parser.add_argument("--long", action="store_true", help="all parts: 20,000 cases")
    parser.add_argument("--part", choices=PARTS, help="this part alone")
    parser.add_argument("--url", help="a stack that runs already, with the demo's people")
    parser.add_argument("--seed", help="what chance begins with")
    chosen, more = parser.parse_known_args()
    parts = [chosen.part] if chosen.part else list(PARTS) if chosen.long else ["values"]
    with contextlib.ExitStack() as cleanup:
        url = chosen.url
        if url is None:
            url = cleanup.enter_context(stack.start(say=lambda line: _say(f"{line}\n"))).base_url
        chance = ["--generation-database", "none"]
        chance += ["--seed", chosen.seed] if chosen.seed else []
        drawn = [
            run(url, [*PARTS[part], *([] if part == "values" else chance)], more) for part in parts
        ]
    cases, fewest = sum(each.cases for each in drawn), FEWEST[chosen.long]
    _say(f"{cases:,} cases in all.\n")
    if cases < fewest and not chosen.part and not more:
        sys.exit(f"{cases} cases are fewer than {fewest}.")
    return max(each.code for each in drawn)


class Drawn:
    """What a run said.

    Not counted are the requests of a check itself, which it calls skipped: an operation's first
    good answer is asked for again without a token. How many there are depends on the answers.
    """

    def __init__(self, code: int, said: str) -> None:
        counted = _COUNTED.search(said)
        generated, skipped = counted.groups("0") if counted else ("0", "0")
        self.code = code
        self.cases = int(generated.replace(",", "")) - int(skipped.replace(",", ""))


def run(url: str, part: list[str], more: list[str]) -> Drawn:
    """One run of Schemathesis; what it says is shown as it says it."""
    command = [str(PROGRAM), "--config-file", str(FOLDER / "schemathesis.toml")]
    command += ["run", "docs/openapi.json", "--url", url, "--no-color", "--continue-on-failure"]
    command += [*part, *more]
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
