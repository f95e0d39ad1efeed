"""`sam build`, without Docker and only when something changed.

Functions with the same code and settings are built once: `make run` builds one of each kind and
ships it for all. `python -m local.build arm64` (`make build`) builds the whole template for the
cloud, into .aws-sam/build, where `sam deploy` finds it.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.errors import CannotStart

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra" / "template.yaml"
FUNCTIONS = ROOT / "functions"
SAM = ROOT / ".venv-sam" / "bin" / "sam"
OUTPUT = ROOT / ".aws-sam"
CLOUD_BUILD = OUTPUT / "build"
LOCAL_BUILD = OUTPUT / "local"
FINGERPRINT = "fingerprint"

HOST_ARCHITECTURE = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"

# Where each kind of resource names its code.
CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Built:
    """A built template, and the folder that holds each function's code by logical id."""

    template: Json
    folders: dict[str, Path]


def build_local(log: Path) -> Built:
    """Build one function of each kind for this machine.

    Raises CannotStart with the last lines of `sam build` when it fails; all of it is in `log`.
    """
    source = _template_for_this_python()
    groups = same_builds(yaml.load(source.read_text(), Loader=_Loader))
    if not _is_current(LOCAL_BUILD, HOST_ARCHITECTURE):
        shutil.rmtree(LOCAL_BUILD, ignore_errors=True)
        for first, *_ in groups:
            _sam_build(source, LOCAL_BUILD / first, HOST_ARCHITECTURE, log, only=first)
            _compile(LOCAL_BUILD / first / first)
        _set_current(LOCAL_BUILD, HOST_ARCHITECTURE)
    built = (LOCAL_BUILD / groups[0][0] / "template.yaml").read_text()
    folders = {name: LOCAL_BUILD / group[0] / group[0] for group in groups for name in group}
    return Built(yaml.safe_load(built), folders)


def build_cloud(architecture: str, log: Path) -> Path:
    """Build the whole template and return the built one. Raises CannotStart as above."""
    _sam_build(TEMPLATE, CLOUD_BUILD, architecture, log)
    for group in same_builds(yaml.load(TEMPLATE.read_text(), Loader=_Loader)):
        first, *others = [CLOUD_BUILD / name for name in group]
        _compile(first)
        for other in others:
            shutil.rmtree(other)
            shutil.copytree(first, other, copy_function=os.link)
    return CLOUD_BUILD / "template.yaml"


def same_builds(template: Json) -> list[list[str]]:
    """The logical ids of functions and layers, those whose builds are the same in one list."""
    settings = template.get("Globals", {}).get("Function", {})
    groups: dict[str, list[str]] = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] not in CODE:
            continue
        own = {**settings, **resource["Properties"]}
        kind = [resource["Type"], resource.get("Metadata")]
        kind += [own.get(key) for key in (CODE[resource["Type"]], "Runtime", "Architectures")]
        groups.setdefault(json.dumps(kind, default=str), []).append(name)
    return list(groups.values())


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms, `!Ref x` and the like, as what stands behind the tag."""


def _tagged(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _tagged)


def _sam_build(
    template: Path, target: Path, architecture: str, log: Path, *, only: str | None = None
) -> None:
    if not SAM.exists():
        raise CannotStart(f"{SAM.relative_to(ROOT)} is missing: run `make install` first.")
    command = [str(SAM), "build", *([only] if only else []), "--template-file", str(template)]
    command += ["--build-dir", str(target), "--cached", "--cache-dir", str(OUTPUT / "cache")]
    command += ["--parameter-overrides", f"Architecture={architecture}"]
    # The interpreter of .venv-sam comes first on PATH: `sam build` runs `python3.x -m pip`.
    path = f"{SAM.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0"}
    with log.open("w") as output:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode != 0:
        last_lines = "\n".join(log.read_text().strip().splitlines()[-12:])
        raise CannotStart(f"`sam build` failed (all of it: {log}):\n{last_lines}")


def _template_for_this_python() -> Path:
    """The template; where this is another Python than its Runtime, a copy that says so."""
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    text = TEMPLATE.read_text()
    for_this_python = re.sub(r"(?m)^(\s*Runtime:\s*)python3\.\d+\s*$", rf"\g<1>{runtime}", text)
    if for_this_python == text:
        return TEMPLATE
    OUTPUT.mkdir(exist_ok=True)
    copy = OUTPUT / "template.yaml"  # As deep as infra/, so that its relative paths hold.
    copy.write_text(for_this_python)
    return copy


def _compile(folder: Path) -> None:
    """Add .pyc files, whatever the sources' times: a cold start without them takes 2.2 times."""
    options = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([sys.executable, "-m", "compileall", *options, str(folder)], check=True)


def _is_current(target: Path, architecture: str) -> bool:
    kept = target / FINGERPRINT
    return kept.exists() and kept.read_text() == _fingerprint(architecture)


def _set_current(target: Path, architecture: str) -> None:
    (target / FINGERPRINT).write_text(_fingerprint(architecture))


def _fingerprint(architecture: str) -> str:
    digest = hashlib.sha256(f"{sys.version}\0{architecture}".encode())
    sources = [path for path in FUNCTIONS.rglob("*") if "__pycache__" not in path.parts]
    for path in [TEMPLATE, Path(__file__), *sorted(sources)]:
        if path.is_file():
            digest.update(f"{path.relative_to(ROOT)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


if __name__ == "__main__":
    OUTPUT.mkdir(exist_ok=True)
    try:
        print(build_cloud(sys.argv[1], OUTPUT / "build.log"))
    except CannotStart as problem:
        sys.exit(str(problem))
