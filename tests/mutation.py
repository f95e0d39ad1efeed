"""The mutation run of `make test-long`: mutmut over what guards the sign-in.

    python -m tests.mutation [mutmut's names of mutants]

mutmut mutates a copy and takes a module's name from its path, where `functions/` is the root of
imports here: so the copy calls that folder `src`. Prints the score, and each survivor as a diff.
"""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

# ruff: noqa: T201

ROOT = Path(__file__).parent.parent
WORK = ROOT / ".cache" / "mutation"
MUTATED = (
    "auth/challenges.py",
    "auth/limits.py",
    "auth/passwords.py",
    "auth/policy.py",
    "auth/refresh.py",
    "auth/tokens.py",
    "auth/totp.py",
    "kernel/caps.py",
    "kernel/codes.py",
)
# Quick ones: each mutant runs those that reach it, in a process of its own.
TESTS = (
    "tests/unit/test_auth_passwords.py",
    "tests/unit/test_auth_rules.py",
    "tests/unit/test_auth_tokens.py",
    "tests/integration/test_auth_counting.py",
)
# What runs on moto runs on a table in process too, a hundred times quicker; and a run that lasts
# milliseconds need not look through all memory for what was not closed, again and again.
QUICKLY = (
    *("-p", "no:cacheprovider", "-p", "no:hypothesispytest"),
    *("-p", "no:unraisableexception", "-p", "no:threadexception"),
    *("-q", "-k", "not moto"),
)
LEAST = 90  # per cent
KILLED = ("killed", "timeout")
NOT_RUN = "not checked"


def copy() -> None:
    """Lay out what mutmut wants; earlier results stay, for a run that goes on."""
    WORK.mkdir(parents=True, exist_ok=True)
    for name, source in (("src", "functions"), *((n, n) for n in ("tests", "infra", "local"))):
        shutil.rmtree(WORK / name, ignore_errors=True)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / source, WORK / name, ignore=ignored)
    shared = WORK / "shared"
    if not shared.is_symlink() and (ROOT.parent / "shared").exists():
        shared.symlink_to(ROOT.parent / "shared")
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    project = project.replace('pythonpath = ["functions", "."]', 'pythonpath = ["src", "."]')
    project += "\n".join(
        (
            "",
            "[tool.mutmut]",
            'source_paths = ["src"]',
            f"only_mutate = {[f'src/{name}' for name in MUTATED]}",
            'also_copy = ["infra", "local"]',
            f"pytest_add_cli_args_test_selection = {list(TESTS)}",
            f"pytest_add_cli_args = {list(QUICKLY)}",
            "use_git_change_detection = false",
            # On a busy machine the least is 300 s of waiting; what is killed by time is in a loop.
            "timeout_constant = 20.0",
            "",
        )
    )
    (WORK / "pyproject.toml").write_text(project, "utf-8")


def mutmut(*arguments: str) -> str:
    """What mutmut prints."""
    command = [str(Path(sys.executable).parent / "mutmut"), *arguments]
    done = subprocess.run(command, cwd=WORK, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def main(names: list[str]) -> int:
    copy()
    said = mutmut("run", "--max-children", "1", *names)
    if "Traceback" in said or "Stopping early" in said or "Failed to run" in said:
        print(said[-4000:])
        return 2
    listed = mutmut("results", "--all", "true")
    results = dict(re.findall(r"^\s*(\S+__mutmut_\d+): (.+)$", listed, re.MULTILINE))
    counts = Counter(state for state in results.values() if state != NOT_RUN)
    for name, state in sorted(results.items()):
        if state not in (*KILLED, NOT_RUN):
            print(f"\n# {name}: {state}\n{mutmut('show', name)}")
    killed, judged = sum(counts[state] for state in KILLED), sum(counts.values())
    print("\n" + ", ".join(f"{state}: {count}" for state, count in sorted(counts.items())))
    print(f"killed {killed} of {judged}: {100 * killed / max(judged, 1):.1f} %")
    return 0 if 100 * killed >= LEAST * judged else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
