"""The template and the code say the same: routes, who may use them, and settings."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from local import openapi
from local.build import ROOT
from tests import template

FUNCTIONS = template.resources("AWS::Serverless::Function")
GLOBALS = set(template.load()["Globals"]["Function"]["Environment"]["Variables"])
# Imports a handler as Lambda does, and tells which settings it read. What is drawn or asked for
# then would be the same in every process that a snapshot is restored to, so nothing may be.
_IMPORT = """
import importlib, json, os, secrets, socket, sys, uuid
from kernel import clock, settings
def forbid(owner, name):
    def forbidden(*args, **kwargs):
        raise AssertionError(f"{name} is called at import: a snapshot would repeat it")
    setattr(owner, name, forbidden)
forbid(os, "urandom"), forbid(uuid, "uuid4"), forbid(clock, "now"), forbid(socket.socket, "connect")
forbid(secrets, "token_bytes"), forbid(secrets, "token_urlsafe"), forbid(secrets, "randbits")
read, load = set(), settings.load
def recording(model):
    read.update(name.upper() for name in model._fields)
    return load(model)
settings.load = recording
module, _, name = sys.argv[1].rpartition(".")
assert callable(getattr(importlib.import_module(module), name))
print(json.dumps(sorted(read)))
"""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_settings_that_it_reads_and_no_others(name: str) -> None:
    variables = set(FUNCTIONS[name].get("Environment", {}).get("Variables", {}))
    environment = dict.fromkeys(variables | GLOBALS, "1")
    environment |= {"PATH": os.defpath, "PYTHONPATH": "functions"}
    imported = subprocess.run(
        [sys.executable, "-c", _IMPORT, FUNCTIONS[name]["Handler"]],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert imported.returncode == 0, imported.stderr[-1500:]
    assert set(json.loads(imported.stdout)) == variables


def _registered() -> dict[tuple[str, str], Any]:
    return {(r.method, r.path): r for app in openapi.apps() for r in app.routes.values()}


def test_the_templates_routes_are_the_handlers(aws: None) -> None:
    declared = {(route.method, route.path) for route in template.routes()}
    assert declared == set(_registered())


def test_a_route_is_open_in_the_template_if_and_only_if_it_is_in_the_code(aws: None) -> None:
    from kernel.api import Public

    registered = _registered()
    for route in template.routes():
        access = registered[route.method, route.path].access
        assert route.public == isinstance(access, Public), f"{route.method} {route.path}"


def test_a_routes_code_is_in_the_function_that_the_template_routes_to(aws: None) -> None:
    registered = _registered()
    for route in template.routes():
        module = registered[route.method, route.path].function.__module__
        package = route.handler.partition(".")[0]
        assert module.partition(".")[0] == package, f"{route.method} {route.path}"
