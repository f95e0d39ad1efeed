"""All that a stack holds is brought into another region, and the old region's keys open nothing.

The local platform keeps regions apart: tables, buckets, keys and functions of one are not found in
the other.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from infra import move, ops
from local import stack
from local.deploy import PACKAGES_BUCKET, deployed_routes
from local.front import Front
from tests.e2e.test_deployment import Patient
from tests.e2e.test_imports import PEOPLE
from verifier.__main__ import main as verify

WEST = "eu-west-1"


@pytest.fixture
def west(cloud: ops.Stack, running: stack.Running) -> Iterator[tuple[ops.Stack, stack.Running]]:
    """The same template in another region, empty, behind a front of its own."""
    new = ops.Stack(f"medkarta-w{secrets.token_hex(3)}", region=WEST)
    bucket = f"{PACKAGES_BUCKET}-{WEST}"
    here, there = cloud.client("s3"), new.client("s3")
    there.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": WEST})
    for each in here.list_objects_v2(Bucket=PACKAGES_BUCKET)["Contents"]:
        body = here.get_object(Bucket=PACKAGES_BUCKET, Key=each["Key"])["Body"].read()
        if each["Key"] == "template.yaml":
            body = body.replace(PACKAGES_BUCKET.encode(), bucket.encode())
        there.put_object(Bucket=bucket, Key=each["Key"], Body=body)
    with stack._listen(0) as listener:
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        portal_url = base_url.replace("127.0.0.1", "localhost")
        changed = {"Stage": f"w{secrets.token_hex(3)}", "PortalUrl": portal_url}
        parameters = [
            {"ParameterKey": name, "ParameterValue": changed.get(name, each["ParameterValue"])}
            for each in cloud.described()["Parameters"]
            for name in [each["ParameterKey"]]
        ]
        url = f"{running.deployed.endpoint}/{bucket}/template.yaml"
        made = {"ChangeSetType": "CREATE", "TemplateURL": url, "Parameters": parameters}
        ops.change(new, yes=True, **made)
        gateway = new.client("apigateway")
        (api_id,) = new.all_of("AWS::ApiGateway::RestApi")
        deployed = replace(
            running.deployed,
            resources=new.resources(),
            api_id=api_id,
            stage=changed["Stage"],
            gateway_responses=gateway.get_gateway_responses(restApiId=api_id, limit=500)["items"],
            routes=deployed_routes(gateway, api_id),
        )
        there_running = replace(
            running, base_url=base_url, portal_url=portal_url, deployed=deployed
        )
        front = Front(deployed, portal_url, running.outbox, lambda: None, lambda: True)
        with stack._serve(front, listener):
            yield new, there_running
    new.client("cloudformation").delete_stack(StackName=new.name)
    ops.wait(lambda: _status(new), lambda it: it["StackStatus"])
    new.close()


def _status(new: ops.Stack) -> dict[str, Any]:
    try:
        return new.described()
    except new.client("cloudformation").exceptions.ClientError:
        return {"StackStatus": "DELETE_COMPLETE"}


@contextmanager
def without_keys(closed: ops.Stack) -> Iterator[None]:
    """Nothing can be opened, hashed or signed by the keys of a stack."""
    kms = closed.client("kms")
    keys = closed.all_of("AWS::KMS::Key")
    for key in keys:
        kms.disable_key(KeyId=key)
    try:
        yield
    finally:
        for key in keys:
            kms.enable_key(KeyId=key)


def sign_checkpoints(signing: ops.Stack) -> None:
    function = signing.resource("JournalCheckpointsFunction")
    answer = signing.client("lambda").invoke(FunctionName=f"{function}:live", Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


def whole(of: ops.Stack, keys: Path, capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether the auditor finds the journal whole, with no row waiting for its link."""
    capsys.readouterr()
    names = of.resources()
    places = {"journal": "JournalTable", "chain": "ChainTable", "bucket": "JournalBucket"}
    given = [part for flag, name in places.items() for part in (f"--{flag}", names[name])]
    with pytest.MonkeyPatch.context() as patch:
        if of.region:
            patch.setenv("AWS_DEFAULT_REGION", of.region)
        ended = verify(["--keys", str(keys), *given, "--pause", "1"])
    told = capsys.readouterr().out
    return ended == 0 and " 0 waiting" in told


@pytest.mark.long
def test_a_region_is_moved_and_the_old_keys_open_nothing(
    cloud: ops.Stack, running: stack.Running, west: tuple[ops.Stack, stack.Running],
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    new, there = west
    assert running.demo is not None
    accounts = running.demo["accounts"]
    account = next(each for each in accounts if each["note"].startswith("open card, small"))
    with httpx.Client(base_url=running.base_url, timeout=60, trust_env=False) as http:
        patient = Patient(running, http, account)
        patient.sign_in()
        card = patient.card()
        card_id = patient.ok("GET", "/v1/cards")["items"][0]["card_id"]
        order = {"kind": "summary", "language": "ru"}
        ordered = patient.ok("POST", f"/v1/cards/{card_id}/extracts", json=order)
        path = f"/v1/extracts/{ordered['extract_id']}"
        extract = _ready(patient, path)
        signed = http.get("/.well-known/jwks.json").json()["keys"]
        entries = patient.ok("GET", f"/v1/cards/{card_id}/journal")["items"]
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps({"keys": signed}))
    deadline = time.monotonic() + 120
    while not whole(cloud, keys, capsys):
        assert time.monotonic() < deadline, "the journal does not come to rest"
    sign_checkpoints(cloud)

    arguments = [cloud.name, new.name, "--to-region", WEST, "--processes=2", "--threads=2", "--yes"]
    # Nobody stops the sweepers here: one may come between bringing and comparing.
    ended = next((each for each in (move.main(arguments) for _ in range(3)) if each == 0), 1)
    told = capsys.readouterr()
    assert ended == 0, told
    assert "All is there, and nothing else." in told.out

    with (
        without_keys(cloud),
        httpx.Client(base_url=there.base_url, timeout=60, trust_env=False) as http,
    ):
        patient = Patient(there, http, account)
        patient.sign_in()
        assert patient.card() == card
        assert _ready(patient, path) == extract
        link = patient.ok("GET", f"{path}/file")["url"]
        paper = httpx.get(link, trust_env=False).content
        assert hashlib.sha256(paper).hexdigest() == extract["sha256"]
        checked = http.get(f"/v1/verify/{extract['verification_code']}")
        assert checked.json()["status"] == "valid"
        read = patient.ok("GET", f"/v1/cards/{card_id}/journal")["items"]
        assert [each for each in read if each in entries] == entries

        person = next(p for p in PEOPLE["patients"] if p["phone"] == account["login"])
        doctor = Patient(there, http, _clinician(accounts))
        doctor.token = _by_app(doctor)
        found = doctor.ok("POST", "/v1/clinic/cards/search", json={"snils": person["snils"]})
        assert [each["card_id"] for each in found["items"]] == [card_id]

        signed += http.get("/.well-known/jwks.json").json()["keys"]
        keys.write_text(json.dumps({"keys": signed}))
        sign_checkpoints(new)
        deadline = time.monotonic() + 120
        while not whole(new, keys, capsys):
            assert time.monotonic() < deadline, "the chain does not go on"

        assert move.main(arguments) == 1  # it serves people by now
        assert "is not empty" in capsys.readouterr().err


def _ready(patient: Patient, path: str) -> Any:
    deadline = time.monotonic() + 120
    while (extract := patient.ok("GET", path))["status"] != "ready":
        assert time.monotonic() < deadline, extract
        time.sleep(0.2)
    return extract


def _clinician(accounts: list[dict[str, Any]]) -> dict[str, Any]:
    return next(a for a in accounts if a["note"].startswith("another clinician of clinic 1"))


def _by_app(worker: Patient) -> str:
    """A token of a session opened by the authenticator app."""
    login = {"login": worker.account["login"], "password": worker.account["password"]}
    challenge = worker.ok("POST", "/v1/auth/login", json=login)["challenge_id"]
    app = pyotp.TOTP(worker.account["totp_secret"])
    body = {"method": "totp", "code": app.at(time.time() + 30)}
    token = worker.ok("POST", f"/v1/auth/challenges/{challenge}/verify", json=body)["access_token"]
    return str(token)
