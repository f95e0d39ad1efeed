"""Deploy the built template into the embedded platform, and prove that its routes are there."""

import contextlib
import copy
import hashlib
import io
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError

from local.build import CODE, Built
from local.errors import CannotStart
from local.unemulated import without

REGION = "eu-central-1"
CREDENTIALS = ("medkarta", "local")  # Of the platform's root; it listens on loopback only.
PACKAGES_BUCKET = "medkarta-packages"
STACK_TIMEOUT = 120  # seconds

Json = dict[str, Any]
Route = tuple[str, str, bool]  # method, path, behind the authorizer


@dataclass(frozen=True)
class Deployed:
    """A stack that runs: `resources` are physical ids by logical id."""

    endpoint: str
    resources: dict[str, str]
    api_id: str
    stage: str
    gateway_responses: list[Json]
    routes: set[Route]

    def client(self, service: str) -> Any:
        """A botocore client with the platform's root credentials."""
        return root_client(self.endpoint, service)


def root_client(endpoint: str, service: str) -> Any:
    session = botocore.session.get_session()
    session.set_credentials(*CREDENTIALS)
    return session.create_client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        verify=False,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def deploy(built: Built, endpoint: str, *, stack: str, parameters: dict[str, str]) -> Deployed:
    """Create or update the stack from the built template.

    Raises CannotStart when the stack fails or its routes are not the template's.
    """
    cloudformation = root_client(endpoint, "cloudformation")
    s3 = root_client(endpoint, "s3")
    template = without(_with_code_in(s3, built))
    known = template.get("Parameters", {})
    _create_or_update(
        cloudformation,
        StackName=stack,
        TemplateURL=_upload_template(template, s3),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in parameters.items()
            if name in known
        ],
    )
    described = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    resources = {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in described}
    api_id, stage = (
        next(item["PhysicalResourceId"] for item in described if item["ResourceType"] == kind)
        for kind in ("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage")
    )
    gateway = root_client(endpoint, "apigateway")
    routes = deployed_routes(gateway, api_id)
    _assert_same(template_routes(template), routes)
    responses = gateway.get_gateway_responses(restApiId=api_id, limit=500)["items"]
    return Deployed(endpoint, resources, api_id, stage, responses, routes)


def template_routes(template: Json) -> set[Route]:
    """The routes that the template's functions declare as events."""
    routes = set()
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        for event in resource["Properties"].get("Events", {}).values():
            if event["Type"] == "Api":
                route = event["Properties"]
                closed = route.get("Auth", {}).get("Authorizer") != "NONE"
                routes.add((route["Method"].upper(), route["Path"], closed))
    return routes


def deployed_routes(gateway: Any, api_id: str) -> set[Route]:
    """The routes that the deployed API serves; preflights are the gateway's own."""
    items = gateway.get_resources(restApiId=api_id, limit=500, embed=["methods"])["items"]
    return {
        (method, item["path"], served.get("authorizationType", "NONE") != "NONE")
        for item in items
        for method, served in item.get("resourceMethods", {}).items()
        if method != "OPTIONS"
    }


def _assert_same(wanted: set[Route], found: set[Route]) -> None:
    if wanted == found:
        return
    lines = [f"  {_said(route)}: in the template, not deployed" for route in wanted - found]
    lines += [f"  {_said(route)}: deployed, not in the template" for route in found - wanted]
    raise CannotStart("The deployed routes are not the template's:\n" + "\n".join(sorted(lines)))


def _said(route: Route) -> str:
    method, path, closed = route
    return f"{method} {path} ({'closed' if closed else 'public'})"


def _with_code_in(s3: Any, built: Built) -> Json:
    """Put each distinct folder into the platform's bucket; the template that points there."""
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(
            Bucket=PACKAGES_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
    keys = {folder: _upload(folder, s3) for folder in set(built.folders.values())}
    for kept in s3.list_objects_v2(Bucket=PACKAGES_BUCKET).get("Contents", []):
        if kept["Key"] not in keys.values():
            s3.delete_object(Bucket=PACKAGES_BUCKET, Key=kept["Key"])
    template = copy.deepcopy(built.template)
    template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    for name, folder in built.folders.items():
        resource = template["Resources"][name]
        resource["Properties"][CODE[resource["Type"]]] = f"s3://{PACKAGES_BUCKET}/{keys[folder]}"
    return template


def _upload(folder: Path, s3: Any) -> str:
    """Pack a folder, stored and not deflated since it goes no further; its key is its content's."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    key = f"{digest.hexdigest()}.zip"
    if not _exists(s3, key):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for path in files:
                archive.write(path, path.relative_to(folder))
        s3.put_object(Bucket=PACKAGES_BUCKET, Key=key, Body=packed.getvalue())
    return key


def _upload_template(template: Json, s3: Any) -> str:
    """A request may hold a template of 51,200 bytes at most; a bucket holds larger ones."""
    body = yaml.safe_dump(template, allow_unicode=True).encode()
    s3.put_object(Bucket=PACKAGES_BUCKET, Key="template.yaml", Body=body)
    return f"{s3.meta.endpoint_url}/{PACKAGES_BUCKET}/template.yaml"


def _exists(s3: Any, key: str) -> bool:
    try:
        s3.head_object(Bucket=PACKAGES_BUCKET, Key=key)
    except ClientError:
        return False
    return True


def _create_or_update(cloudformation: Any, **stack: Any) -> None:
    name = stack["StackName"]
    status = _status(cloudformation, name)
    if status is not None and ("ROLLBACK" in status or status.endswith("FAILED")):
        cloudformation.delete_stack(StackName=name)
        _wait(lambda: _status(cloudformation, name))
        status = None
    try:
        if status is None:
            cloudformation.create_stack(**stack)
        else:
            cloudformation.update_stack(**stack)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise CannotStart(f"The template cannot be deployed: {str(error)[:600]}") from error
    status = _wait(lambda: _status(cloudformation, name))
    if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise CannotStart(f"The stack ended as {status}:\n{_failures(cloudformation, name)}")


def _status(cloudformation: Any, name: str) -> str | None:
    try:
        stacks = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError:
        return None
    status: str = stacks[0]["StackStatus"]
    return None if status == "DELETE_COMPLETE" else status


def _wait(status: Callable[[], str | None]) -> str | None:
    deadline = time.monotonic() + STACK_TIMEOUT
    while (now := status()) is not None and now.endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise CannotStart(f"The stack is still {now} after {STACK_TIMEOUT} seconds.")
        time.sleep(0.1)
    return now


def _failures(cloudformation: Any, name: str) -> str:
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    events = [event for page in pages for event in page["StackEvents"]]
    return "\n".join(
        f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        for event in events
        if event["ResourceStatus"].endswith("_FAILED")
    )
