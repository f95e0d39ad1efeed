"""infra/template.yaml as the tests read it: routes, handlers, environment, resources."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from local.build import TEMPLATE, Loader


@dataclass(frozen=True)
class Route:
    """One route of the template."""

    method: str
    path: str
    public: bool
    function: str
    handler: str

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The path parameters if this route serves `method path`, else None."""
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found and method == self.method else None


@cache
def load() -> dict[str, Any]:
    """The whole template."""
    document: dict[str, Any] = yaml.load(TEMPLATE.read_text("utf-8"), Loader)
    return document


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Properties of every resource of a type, by logical id."""
    found = load()["Resources"].items()
    return {name: r.get("Properties", {}) for name, r in found if r["Type"] == kind}


@cache
def routes() -> tuple[Route, ...]:
    """Every route, the ones without parameters first (as the gateway prefers them)."""

    def each() -> Iterator[Route]:
        for name, function in resources("AWS::Serverless::Function").items():
            for event in function.get("Events", {}).values():
                if event["Type"] == "Api":
                    properties = event["Properties"]
                    yield Route(
                        method=properties["Method"].upper(),
                        path=properties["Path"],
                        public=properties.get("Auth", {}).get("Authorizer") == "NONE",
                        function=name,
                        handler=function["Handler"],
                    )

    return tuple(sorted(each(), key=lambda route: (route.path.count("{"), route.path)))


def queue_handlers() -> dict[str, str]:
    """The handler that consumes each queue, by the queue's logical id."""
    return {
        event["Properties"]["Queue"]["Fn::GetAtt"][0]: function["Handler"]
        for function in resources("AWS::Serverless::Function").values()
        for event in function.get("Events", {}).values()
        if event["Type"] == "SQS"
    }


def stream_handlers() -> dict[str, str]:
    """The handler that consumes each table's stream, by the table's logical id."""
    return {
        event["Properties"]["Stream"]["Fn::GetAtt"][0]: function["Handler"]
        for function in resources("AWS::Serverless::Function").values()
        for event in function.get("Events", {}).values()
        if event["Type"] == "DynamoDB"
    }


def environment() -> dict[str, Any]:
    """Every variable of every function, unresolved. One name means one thing everywhere."""
    merged: dict[str, Any] = {}
    functions = resources("AWS::Serverless::Function").values()
    for each in [load()["Globals"]["Function"], *functions]:
        for name, value in each.get("Environment", {}).get("Variables", {}).items():
            assert merged.setdefault(name, value) == value, f"{name} means two things"
    return merged
