"""What a cold start costs: import and first request of each function, as it is built.

python -m bench.cold_start [rounds, 5 unless given]

Each figure is the median CPU time of new processes with the functions' bare interpreter and the
built package (.pyc files, trimmed data), against a process that imports boto3 and makes one
DynamoDB client, with .pyc files too. AWS's answers to the first request are made in the process:
nothing is found, no session is known. So it costs the import, the clients, a signed request and its
parsing, the decision and the problem document, and no network.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from local.build import ROOT, build_local
from local.stack import FUNCTION_PYTHON

BASELINE = """
import time
began = time.process_time()
import boto3
boto3.client("dynamodb", region_name="eu-central-1")
print((time.process_time() - began) * 1000, 0, 0)
"""
# The answers come in where botocore would open its connection.
FUNCTION = """
import time
began = time.process_time()
import base64, importlib, json, sys
module, _, name = sys.argv[1].rpartition(".")
handler = getattr(importlib.import_module(module), name)
imported = time.process_time()
event = json.loads(sys.argv[2])
calls = []
if event:
    from kernel import aws
    from botocore.awsrequest import AWSResponse, HeadersDict
    answers = {
        "BatchGetItem": {"Responses": {}, "UnprocessedKeys": {}},
        "Query": {"Items": [], "Count": 0, "ScannedCount": 0},
        "GenerateMac": {"Mac": base64.b64encode(bytes(32)).decode()},
    }
    class Raw:
        def __init__(self, body): self.body = body
        def stream(self, **_): yield self.body
    def answer(event_name, request, **_):
        operation = event_name.rpartition(".")[2]
        calls.append(operation)
        body = json.dumps(answers.get(operation, {})).encode()
        headers = HeadersDict({"content-type": "application/x-amz-json-1.0"})
        return AWSResponse(request.url, 200, headers, Raw(body))
    aws._session().register("before-send", answer)
    try:
        status = handler(event, None)["statusCode"]
    except Exception as refused:
        status = type(refused).__name__
else:
    status = "-"
print((time.process_time() - began) * 1000, len(calls), status, (imported - began) * 1000)
"""
FIRST = {
    "AuthFunction": ("POST", "/v1/auth/token", {"refresh_token": "mkr1." + "x" * 80}),
    "CatalogueFunction": ("GET", "/v1/regions", None),
    "ConsentFunction": ("GET", "/v1/consents", None),
    "RecordsFunction": ("GET", "/v1/cards", None),
    "ExtractsFunction": ("GET", "/v1/extracts", None),
    "ClinicFunction": ("GET", "/v1/clinic/staff", None),
    "IntakeFunction": ("POST", "/v1/clinic/cards/{card_id}/fhir", {"resourceType": "Bundle"}),
}


def main(rounds: int) -> None:
    """Print one line a function."""
    with tempfile.TemporaryDirectory() as folder:
        built = build_local(Path(folder) / "build.log")
    site = next(ROOT.glob(".venv/lib/python3*/site-packages"))
    base, *_ = _median(BASELINE, [], {"PYTHONPATH": str(site)}, rounds)
    print(f"{'boto3 and one client':<28} {base:7.0f} ms CPU")
    functions = {
        name: resource["Properties"]
        for name, resource in built.template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    print(
        f"{'function':<28} {'import':>7} {'and first request':>17} {'ratio':>6}  AWS calls, status"
    )
    for name, properties in functions.items():
        variables = properties.get("Environment", {}).get("Variables", {})
        environment = {key: _value(value) for key, value in variables.items()}
        environment |= {
            "PYTHONPATH": str(built.folders[name]),
            "POWERTOOLS_SERVICE_NAME": "medkarta",
        }
        arguments = [properties["Handler"], json.dumps(_event(name))]
        whole, calls, status, imported = _median(FUNCTION, arguments, environment, rounds)
        print(f"{name:<28} {imported:7.0f} {whole:17.0f} {whole / base:6.2f}  {calls}, {status}")


def _event(name: str) -> dict[str, Any]:
    if name not in FIRST:
        return {}
    method, route, body = FIRST[name]
    claims = {"sub": "a", "sid": "s", "role": "patient", "verified": "true", "exp": "9999999999"}
    return {
        "httpMethod": method,
        "resource": route,
        "path": route,
        "pathParameters": {"card_id": "c"} if "{" in route else None,
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "headers": {"Content-Type": "application/json", "Idempotency-Key": "k" * 22},
        "body": json.dumps(body) if body is not None else None,
        "isBase64Encoded": False,
        "requestContext": {
            "requestId": "r",
            "identity": {"sourceIp": "192.0.2.1"},
            "authorizer": claims,
        },
    }


def _value(value: Any) -> str:
    return value if isinstance(value, str) else "1"


def _median(
    code: str, arguments: list[str], environment: dict[str, str], rounds: int
) -> tuple[float, str, str, float]:
    """CPU time to the first answer, AWS calls, status, CPU time of the import; in milliseconds."""
    known = {"PATH": os.defpath, "AWS_DEFAULT_REGION": "eu-central-1", "LANG": "C.UTF-8"}
    known |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
    runs = []
    for number in range(rounds + 1):
        done = subprocess.run(
            [str(FUNCTION_PYTHON), "-c", code, *arguments],
            env=known | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{arguments}: {done.stderr[-1500:]}")
        if number:  # The first one fills caches of files, and writes .pyc files for the baseline.
            runs.append(done.stdout.splitlines()[-1].split())
    middle = [statistics.median(float(run[place]) for run in runs) for place in (0, -1)]
    return middle[0], runs[-1][1], runs[-1][2], middle[1]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
