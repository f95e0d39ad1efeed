"""checkov and cfn-guard on the template as the SAM transform expands it: `make lint` runs this.

A linter that reads the SAM form misses the roles and permissions that SAM makes. cfn-guard judges
by AWS Control Tower's rules. What a check is told to leave alone stands in suppressions.toml, for
which resources and why; a suppression that nothing needs is a finding itself.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKS = ROOT / ".venv-checks"
SUPPRESSIONS = ROOT / "infra" / "suppressions.toml"
# Groups of Control Tower's rules: those of services that the template uses.
GROUPS = (
    "apigateway", "cloudwatch", "dynamodb", "identityandaccessmanagement",
    "keymanagementservice", "lambda", "s3", "sqs", "waf",
)  # fmt: skip

Findings = dict[str, set[str]]  # logical ids by check


def expanded(folder: Path) -> Path:
    """The expanded template as a file; the transform lives where the tests use it."""
    sys.path.insert(0, str(ROOT))
    from tests import privileges

    path = folder / "template.json"
    path.write_text(json.dumps(privileges.expanded(), ensure_ascii=False), "utf-8")
    return path


def checkov(template: Path) -> Findings:
    """What checkov finds. It would ask its maker's server for texts: it is told not to."""
    done = subprocess.run(
        [CHECKS / "bin" / "checkov", "-f", template, "--framework", "cloudformation",
         "--compact", "--output", "json", "--soft-fail"],
        env={**os.environ, "BC_SKIP_MAPPING": "TRUE", "LOG_LEVEL": "ERROR"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert report["summary"]["resource_count"] > 200, "not the whole template was judged"
    assert not report["summary"]["parsing_errors"]
    found: Findings = defaultdict(set)
    for failed in report["results"]["failed_checks"]:
        found[f"{failed['check_id']} {failed['check_name']}"].add(failed["resource"].split(".")[-1])
    return found


def cfn_guard(template: Path) -> Findings:
    """What cfn-guard finds by Control Tower's rules."""
    package = next(CHECKS.glob("lib/python3*/site-packages/cdklabs/cdk_validator_cfnguard/_jsii"))
    system = "macos" if sys.platform == "darwin" else "ubuntu"
    machine = "aarch64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    with tarfile.open(next(package.glob("*.tgz"))) as archive:
        archive.extractall(template.parent, filter="data")
    program = template.parent / "package" / "bin" / system / machine / "cfn-guard"
    program.chmod(0o755)
    rules = template.parent / "package" / "rules" / "control-tower" / "cfn-guard"
    command: list[str | Path] = [
        program,
        "validate",
        "--data",
        template,
        "--structured",
        "--output-format",
        "json",
    ]
    command += ["--show-summary", "none"]
    for group in GROUPS:
        command += ["--rules", rules / group]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 19), done.stderr[-1500:]  # 19: something does not comply
    (report,) = json.loads(done.stdout)
    assert report["compliant"], "no rule was judged at all"
    found: Findings = defaultdict(set)
    for failed in report["not_compliant"]:
        text = json.dumps(failed)
        number = re.search(r"\[(CT\.\w+\.PR\.\d+)\]: ([^\\\"]*)", text)
        name = f"{number[1]} {number[2].strip()}" if number else failed["Rule"]["name"]
        found[name] |= set(re.findall(r"/Resources/(\w+)[/\"]", text))
    return found


def left(found: Findings, suppressions: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What no suppression covers, and the suppressions that cover nothing."""
    lines, used = [], set()
    for check, resources in sorted(found.items()):
        rule = check.split()[0]
        for resource in sorted(resources):
            patterns = [p for p in suppressions.get(rule, {}) if fnmatchcase(resource, p)]
            used |= {(rule, pattern) for pattern in patterns}
            if not patterns:
                lines.append(f"{check}: {resource}")
    for rule, reasons in suppressions.items():
        for pattern in reasons:
            if (rule, pattern) not in used:
                lines.append(f"{rule}: suppressed for {pattern}, where nothing is found")
    return lines


def main() -> None:
    suppressions = tomllib.loads(SUPPRESSIONS.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        template = expanded(Path(folder))
        found = {**checkov(template), **cfn_guard(template)}
    if lines := left(found, suppressions):
        sys.exit("\n".join(lines))
    print(f"checkov and cfn-guard: {sum(map(len, found.values()))} findings, each with its reason")


if __name__ == "__main__":
    main()
