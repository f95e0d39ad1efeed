"""How local/ reads the template."""

from local.build import same_builds
from local.deploy import template_routes

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
