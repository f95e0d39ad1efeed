"""`sam build`, without Docker and only when something changed.

Functions with the same code and settings are built once: `make run` builds one of each kind and
ships it for all. `python -m local.build arm64` (`make build`) builds the whole template for the
cloud, into .aws-sam/build, where `sam deploy` finds it.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local import botocore_data
from local.errors import CannotStart

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra" / "template.yaml"
FUNCTIONS = ROOT / "functions"
REQUIREMENTS = FUNCTIONS / "requirements.txt"
SAM = ROOT / ".venv-sam" / "bin" / "sam"
OUTPUT = ROOT / ".aws-sam"
CLOUD_BUILD = OUTPUT / "build"
LOCAL_BUILD = OUTPUT / "local"
FINGERPRINT = "fingerprint"

# What wheels for Lambda's Amazon Linux 2023 (glibc 2.34) are built on, besides those for any.
LAMBDA_SYSTEMS = ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34")
HOST_ARCHITECTURE = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"

# Where each kind of resource names its code.
CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
# What our packages bring along and no function imports: pyHanko's clients for time stamps and
# revocation lists, its XMP writer and its key stores (extracts/lean_pyhanko.py), what others are
# compiled with.
NEVER_IMPORTED = (
    "aiohappyeyeballs", "aiohttp", "aiosignal", "attr", "attrs", "cffi", "frozenlist", "lxml",
    "multidict", "oscrypto", "propcache", "pycparser", "yarl",
)  # fmt: skip
# Modules that are imported if they are there. botocore would connect by pyOpenSSL, which webauthn
# brings along, and it is a tenth of a cold start.
NEVER_FOUND = ("urllib3.contrib.pyopenssl",)
BUILD_KEYS = {*CODE.values(), "Handler", "Runtime", "Architectures", "CompatibleRuntimes"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Built:
    """A built template, and the folder that holds each function's code by logical id."""

    template: Json
    folders: dict[str, Path]


def build_local(log: Path) -> Built:
    """Build one function of each kind for this machine and this Python.

    Raises CannotStart with the last lines of `sam build` when it fails; all of it is in `log`.
    """
    template = _for_this_python(yaml.load(TEMPLATE.read_text(), Loader=Loader))
    groups = same_builds(template)
    if not _is_current():
        (LOCAL_BUILD / FINGERPRINT).unlink(missing_ok=True)
        OUTPUT.mkdir(exist_ok=True)
        one_of_each = OUTPUT / "one-of-each.yaml"  # As deep as infra/: its relative paths hold.
        one_of_each.write_text(yaml.safe_dump(_only(template, [first for first, *_ in groups])))
        _sam_build(one_of_each, LOCAL_BUILD, HOST_ARCHITECTURE, log)
        for first, *_ in groups:
            trim(LOCAL_BUILD / first)
            compile_all(LOCAL_BUILD / first)
        (LOCAL_BUILD / FINGERPRINT).write_text(_fingerprint())
    folders = {name: LOCAL_BUILD / group[0] for group in groups for name in group}
    return Built(template, folders)


def build_cloud(architecture: str, log: Path) -> Path:
    """Build the whole template and return the built one. Raises CannotStart as above."""
    _sam_build(TEMPLATE, CLOUD_BUILD, architecture, log)
    for group in same_builds(yaml.load(TEMPLATE.read_text(), Loader=Loader)):
        first, *others = [CLOUD_BUILD / name for name in group]
        trim(first)
        compile_all(first)
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


def _for_this_python(template: Json) -> Json:
    """Where this is another Python than the template's Runtime, functions run by this one."""
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    functions = [
        resource["Properties"] for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]  # fmt: skip
    for settings in [template.get("Globals", {}).get("Function", {}), *functions]:
        if "Runtime" in settings:
            settings["Runtime"] = runtime
    return template


def _only(template: Json, names: list[str]) -> Json:
    """The template with these functions and layers alone, and without their events."""
    resources = {}
    for name in names:
        resource = template["Resources"][name]
        kept = {key: value for key, value in resource["Properties"].items() if key in BUILD_KEYS}
        resources[name] = {**resource, "Properties": kept}
    kept_sections = ("Transform", "Parameters", "Mappings", "Conditions", "Globals")
    sections = {key: template[key] for key in kept_sections if key in template}
    return {**sections, "Resources": resources}


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms, `!Ref x` and the like, into their long forms."""


def _long_form(loader: Loader, suffix: str, node: yaml.Node) -> Json:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _long_form)


def _sam_build(template: Path, target: Path, architecture: str, log: Path) -> None:
    if not SAM.exists():
        raise CannotStart(f"{SAM.relative_to(ROOT)} is missing: run `make install` first.")
    wheels = verified_wheels(architecture, log)
    command = [str(SAM), "build", "--template-file", str(template)]
    command += ["--build-dir", str(target), "--cached", "--cache-dir", str(OUTPUT / "cache")]
    command += ["--parameter-overrides", f"Architecture={architecture}"]
    # The interpreter of .venv-sam comes first on PATH: `sam build` runs `python3.x -m pip`.
    path = f"{SAM.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    # It asks pip for some wheels by name and without a hash, so pip may take them from there only.
    # What pip tells of a file on this machine it takes for sources, and builds each again.
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels.resolve().as_uri(), "PIP_QUIET": "1"}
    environment = {**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0", **pip}
    with log.open("a") as output:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode != 0:
        last_lines = "\n".join(log.read_text().strip().splitlines()[-12:])
        raise CannotStart(f"`sam build` failed (all of it: {log}):\n{last_lines}")


def verified_wheels(architecture: str, log: Path) -> Path:
    """A folder with the wheels of functions/requirements.txt, each of which has a hash given there.

    `sam build` looks at those of this machine first, then at those of Lambda's for the rest.
    Raises CannotStart as above; a file that is not what its hash says is a reason.
    """
    lambdas = yaml.load(TEMPLATE.read_text(), Loader=Loader)["Globals"]["Function"]["Runtime"]
    version = lambdas.removeprefix("python")
    wanted: list[tuple[str, ...]] = [()]
    if (architecture, sys.platform) != (HOST_ARCHITECTURE, "linux"):
        machine = {"arm64": "aarch64"}.get(architecture, architecture)
        platforms = [f"--platform={system}_{machine}" for system in LAMBDA_SYSTEMS]
        abis = [f"--abi={abi}" for abi in (f"cp{version.replace('.', '')}", "abi3", "none")]
        wanted.append((*platforms, *abis, "--implementation=cp", f"--python-version={version}"))
    digest = hashlib.sha256(f"{sys.version} {wanted}".encode() + REQUIREMENTS.read_bytes())
    folder = OUTPUT / "wheels" / digest.hexdigest()[:16]
    log.write_text("")
    if folder.exists():
        return folder
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial.parent, ignore_errors=True)  # those of earlier locks too
    pip = [str(SAM.with_name("python")), "-m", "pip", "download", "--quiet", "--no-deps"]
    pip += ["--require-hashes", "--only-binary=:all:", "--requirement", str(REQUIREMENTS)]
    for options in wanted:
        with log.open("a") as output:
            command = [*pip, "--dest", str(partial), *options]
            done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            last_lines = "\n".join(log.read_text().strip().splitlines()[-12:])
            raise CannotStart(f"The packages cannot be fetched (all of it: {log}):\n{last_lines}")
    partial.rename(folder)
    return folder


def trim(folder: Path) -> None:
    """Cut from a built function what is never imported: Lambda takes 250 MB, unzipped."""
    for package in NEVER_IMPORTED:
        for found in (folder / package, *folder.glob(f"{package}-*.dist-info")):
            shutil.rmtree(found, ignore_errors=True)
    for module in NEVER_FOUND:
        (folder / f"{module.replace('.', '/')}.py").unlink(missing_ok=True)
    botocore_data.trim(folder)


def compile_all(folder: Path) -> None:
    """Add .pyc files, whatever the sources' times: a cold start without them takes 2.2 times."""
    options = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([sys.executable, "-m", "compileall", *options, str(folder)], check=True)


def _is_current() -> bool:
    kept = LOCAL_BUILD / FINGERPRINT
    return kept.exists() and kept.read_text() == _fingerprint()


def _fingerprint() -> str:
    """What the local build was made from."""
    digest = hashlib.sha256(sys.version.encode())
    sources = [path for path in FUNCTIONS.rglob("*") if "__pycache__" not in path.parts]
    for path in [TEMPLATE, Path(__file__), Path(botocore_data.__file__), *sorted(sources)]:
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
