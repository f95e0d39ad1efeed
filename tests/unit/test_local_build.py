"""How local/ reads the template."""

import os
import subprocess
import sys
from pathlib import Path

from local.build import (
    FUNCTIONS,
    NEVER_FOUND,
    NEVER_IMPORTED,
    ROOT,
    compile_all,
    same_builds,
    trim,
)
from local.deploy import template_routes
from tests import template

API = {"Type": "Api", "Properties": {"Method": "get", "Path": "/v1/a/{id}"}}
PUBLIC = {
    "Type": "Api",
    "Properties": {"Method": "POST", "Path": "/v1/b", "Auth": {"Authorizer": "NONE"}},
}
QUEUE = {"Type": "SQS", "Properties": {"Queue": "q"}}


def function(**properties: object) -> dict[str, object]:
    return {"Type": "AWS::Serverless::Function", "Properties": properties}


def test_functions_of_one_kind_are_built_once() -> None:
    template = {
        "Globals": {"Function": {"CodeUri": "../functions", "Runtime": "python3.13"}},
        "Resources": {
            "A": function(Handler="a.handler", MemorySize=512),
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {}},
            "B": function(Handler="b.handler"),
            "C": function(Handler="c.handler", CodeUri="../other"),
            "D": {**function(Handler="d.handler"), "Metadata": {"BuildMethod": "makefile"}},
        },
    }

    assert same_builds(template) == [["A", "B"], ["C"], ["D"]]


def test_routes_are_the_api_events_with_their_doors() -> None:
    template = {
        "Resources": {
            "F": function(Events={"One": API, "Two": PUBLIC, "Three": QUEUE}),
            "Key": {"Type": "AWS::KMS::Key", "Properties": {}},
        }
    }

    assert template_routes(template) == {("GET", "/v1/a/{id}", True), ("POST", "/v1/b", False)}


def test_what_is_never_imported_is_cut_and_nothing_else(tmp_path: Path) -> None:
    kept = {"lxmlish", "extracts", "pyhanko", "multidictionary-1.0.dist-info"}
    for name in {"lxml", "lxml-6.1.dist-info", "aiohttp", "aiohttp-3.14.5.dist-info", *kept}:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.py").touch()
    trim(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_what_would_be_used_if_it_were_there_is_cut(tmp_path: Path) -> None:
    found = [tmp_path / f"{module.replace('.', '/')}.py" for module in NEVER_FOUND]
    for path in found:
        path.parent.mkdir(parents=True)
        path.touch()
        path.with_name("kept.py").touch()
    trim(tmp_path)
    assert not any(path.exists() for path in found)
    assert all(path.with_name("kept.py").exists() for path in found)


def test_compiled_files_are_taken_whatever_the_sources_times(tmp_path: Path) -> None:
    """Those of an archive are its own; one that is not taken is compiled anew at every start."""
    source = tmp_path / "module.py"
    source.write_text("value = 'compiled'")
    compile_all(tmp_path)
    source.write_text("value = 'read again'")
    os.utime(source, (0, 0))
    done = subprocess.run(
        [sys.executable, "-c", "import module; print(module.value)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "compiled\n", done.stderr


def test_every_handler_starts_and_a_paper_is_signed_without_what_is_cut() -> None:
    handlers = template.resources("AWS::Serverless::Function").values()
    modules = sorted({each["Handler"].rpartition(".")[0] for each in handlers})
    assert "extracts.worker" in modules
    environment = {name: _setting(value) for name, value in template.environment().items()}
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, *NEVER_IMPORTED, *NEVER_FOUND, "--", *modules],
        env={**os.environ, **environment, "PYTHONPATH": f"{FUNCTIONS}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("signed\n")


def _setting(value: object) -> str:
    return value if isinstance(value, str) else "1"


_WITHOUT = """
import sys

at = sys.argv.index("--")
cut, modules = sys.argv[1:at], sys.argv[at + 1 :]


class Cut:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in cut or name in cut:
            raise ModuleNotFoundError(name, name=name)


sys.meta_path.insert(0, Cut())
import importlib

for module in modules:
    importlib.import_module(module)
assert "OpenSSL" not in sys.modules
# On first use.
import argon2, defusedxml.ElementTree, jwt, pyotp, segno, ucumvert, webauthn

hasher = argon2.PasswordHasher()
assert hasher.verify(hasher.hash("password"), "password")
from bench import extracts

pdf = extracts.measure("typst, signed", 1)
print("signed")
"""
