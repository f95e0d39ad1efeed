"""The stack is changed, fails to change and goes back, and is deleted: nobody loses anything.

Through CloudFormation of the local platform, on the template as `make run` deploys it, and by the
operator's own command. What that platform cannot show stands in docs/verification.md.
"""

import io
import json
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest

from infra import ops
from local import stack
from local.deploy import PACKAGES_BUCKET


@dataclass
class Patient:
    """One of the demo's patients at the portal."""

    running: stack.Running
    http: httpx.Client
    account: dict[str, Any]
    token: str = ""

    def sign_in(self) -> str:
        """Sign in anew; which key signed the token."""
        login = {"login": self.account["login"], "password": self.account["password"]}
        challenge = self.ok("POST", "/v1/auth/login", json=login)["challenge_id"]
        before = len(self.running.outbox(self.account["login"]))
        path = f"/v1/auth/challenges/{challenge}"
        self.ok("POST", f"{path}/send", json={"method": "sms"})
        deadline = time.monotonic() + 60
        while len(messages := self.running.outbox(self.account["login"])) == before:
            assert time.monotonic() < deadline, "no code came"
            time.sleep(0.2)
        code = re.search(r"(?<!\d)\d{6}(?!\d)", messages[0]["text"])
        assert code is not None
        body = {"method": "sms", "code": code.group()}
        self.token = self.ok("POST", f"{path}/verify", json=body)["access_token"]
        return str(jwt.get_unverified_header(self.token)["kid"])

    def card(self) -> Any:
        """All that the card shows, without what differs from one answer to the next."""
        card_id = self.ok("GET", "/v1/cards")["items"][0]["card_id"]
        parts = ("summary", "visits", "results", "prescriptions")
        return {part: self.ok("GET", f"/v1/cards/{card_id}/{part}") for part in parts}

    def ok(self, method: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = self.http.request(method, path, headers=headers, **body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@pytest.fixture(scope="module")
def patient(running: stack.Running) -> Iterator[Patient]:
    assert running.demo is not None
    accounts = running.demo["accounts"]
    account = next(each for each in accounts if each["note"].startswith("open card, small"))
    with httpx.Client(base_url=running.base_url, timeout=60, trust_env=False) as http:
        found = Patient(running, http, account)
        found.sign_in()
        yield found


def test_another_key_signs_and_nobody_is_signed_out(
    cloud: ops.Stack, patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    first, card, token = patient.sign_in(), patient.card(), patient.token

    assert ops.main([cloud.name, "set", "SigningKey=2"]) == 0
    told = capsys.readouterr().out
    assert "SigningKey: 1 -> 2" in told
    assert "modify AWS::Lambda::Version" in told
    assert "Of what holds data nothing is changed or removed." in told
    assert "add --yes" in told
    assert patient.sign_in() == first  # it has only told

    patient.token = token
    try:
        assert ops.main([cloud.name, "set", "SigningKey=2", "--yes"]) == 0
        assert patient.card() == card  # with a token of the key that rests now
        second = patient.sign_in()
        assert second != first
        assert patient.card() == card
    finally:
        assert ops.main([cloud.name, "set", "SigningKey=1", "--yes"]) == 0
    assert patient.card() == card
    assert patient.sign_in() == first


def test_what_cannot_be_set_is_refused(
    cloud: ops.Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in ("SigningKee=2", "SigningKey=1"):
        assert ops.main([cloud.name, "set", wrong, "--yes"]) == 1
    told = capsys.readouterr().err
    assert "no parameter SigningKee" in told
    assert "No change set" in told  # nothing would change


def test_an_update_that_fails_is_taken_back(cloud: ops.Stack, patient: Patient) -> None:
    first, card = patient.sign_in(), patient.card()
    cloudformation = cloud.client("cloudformation")
    whole = cloudformation.get_template(StackName=cloud.name, TemplateStage="Original")[
        "TemplateBody"
    ]
    # A queue, then what Lambda refuses: a second version of what has not changed since the first.
    broken = whole.replace(
        "\nResources:\n",
        "\nResources:\n"
        "  NewQueue:\n    Type: AWS::SQS::Queue\n"
        "  Impossible:\n    Type: AWS::Lambda::Version\n"
        "    DependsOn: [NewQueue, AuthFunctionAliaslive, MessengerFunctionAliaslive]\n"
        "    Properties: {FunctionName: !Ref MessengerFunction}\n",
    )
    assert broken != whole
    url = f"{cloudformation.meta.endpoint_url}/{PACKAGES_BUCKET}/broken.yaml"
    cloud.client("s3").put_object(Bucket=PACKAGES_BUCKET, Key="broken.yaml", Body=broken.encode())
    names = [each["ParameterKey"] for each in cloud.described()["Parameters"]]
    parameters = [
        {"ParameterKey": name, "ParameterValue": "2"}
        if name == "SigningKey"
        else {"ParameterKey": name, "UsePreviousValue": True}
        for name in names
    ]

    with pytest.raises(ops.Refused, match="UPDATE_ROLLBACK_COMPLETE") as refused:
        ops.change(cloud, yes=True, TemplateURL=url, Parameters=parameters)

    assert "Impossible" in str(refused.value)
    events = [
        (event["LogicalResourceId"], event["ResourceStatus"])
        for page in cloudformation.get_paginator("describe_stack_events").paginate(
            StackName=cloud.name
        )
        for event in page["StackEvents"]
    ]
    these = events[: events.index((cloud.name, "UPDATE_IN_PROGRESS"))]  # the newest stands first
    assert ("NewQueue", "DELETE_COMPLETE") in these
    assert these.count(("AuthFunctionAliaslive", "UPDATE_COMPLETE")) == 2  # changed, changed back
    kept = {
        each["ParameterKey"]: each["ParameterValue"] for each in cloud.described()["Parameters"]
    }
    assert kept["SigningKey"] == "1"
    with pytest.raises(cloudformation.exceptions.ClientError, match="NewQueue"):
        cloud.resource("NewQueue")
    assert patient.card() == card
    assert patient.sign_in() == first


def test_items_that_were_lost_are_put_back_and_what_was_erased_is_not(
    cloud: ops.Stack, patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    card, dynamodb = patient.card(), cloud.client("dynamodb")
    table, journal = cloud.resource("AccountsTable"), cloud.resource("JournalTable")
    erased = {"pk": {"S": f"ACCOUNT#{secrets.token_hex(8)}"}, "sk": {"S": "STATE"}}
    expired = {**erased, "sk": {"S": "SESSION#old"}, "expires_at": {"N": "1"}}
    owner = {**erased, "pk": {"S": f"ACCOUNT#{secrets.token_hex(8)}"}}
    owner["patient_id"] = {"S": erased["pk"]["S"].partition("#")[2]}  # an account stays its owner's
    for item in (erased, expired, owner):
        dynamodb.put_item(TableName=table, Item=item)
    # The local platform has no point in time to go back to, but a backup.
    backup = dynamodb.create_backup(TableName=table, BackupName="before")["BackupDetails"]
    subject = erased["pk"]["S"].partition("#")[2]
    order = {"pk": {"S": f"ERASURE#{subject}"}, "sk": {"S": "ORDER"}}
    dynamodb.put_item(TableName=journal, Item=order)
    mine = f"ACCOUNT#{jwt.decode(patient.token, options={'verify_signature': False})['sub']}"
    lost = [*next(ops.read(dynamodb, table, mine)), erased, expired, owner]
    for item in lost:
        dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})
    headers = {"Authorization": f"Bearer {patient.token}"}
    assert patient.http.get("/v1/cards", headers=headers).status_code == 401

    copy = f"restored-{secrets.token_hex(4)}"
    dynamodb.restore_table_from_backup(TargetTableName=copy, BackupArn=backup["BackupArn"])
    assert ops.main([cloud.name, "put-back", copy, "AccountsTable"]) == 0
    told = capsys.readouterr().out
    assert f"{len(lost) - 2} missing" in told
    assert "1 expired since" in told
    assert "1 erased by order" in told
    assert patient.http.get("/v1/cards", headers=headers).status_code == 401  # it has only told

    assert ops.main([cloud.name, "put-back", copy, "AccountsTable", "--yes"]) == 0
    assert f"{len(lost) - 2} put back" in capsys.readouterr().out
    assert patient.card() == card
    assert "Item" not in dynamodb.get_item(
        TableName=table, Key={"pk": erased["pk"], "sk": erased["sk"]}
    )
    dynamodb.delete_table(TableName=copy)


def test_a_leaked_token_opens_nothing_from_then_on(
    cloud: ops.Stack, patient: Patient, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    patient.sign_in()
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    patient.card()
    headers = {"Authorization": f"Bearer {patient.token}"}
    claims = jwt.decode(patient.token, options={"verify_signature": False})
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{patient.token}\n"))
    assert ops.main([cloud.name, "sessions", "-", "--disable", "--yes"]) == 0
    assert "open sessions" in capsys.readouterr().out
    assert patient.http.get("/v1/cards", headers=headers).status_code == 401
    login = {"login": patient.account["login"], "password": patient.account["password"]}
    challenge = patient.http.post("/v1/auth/login", json=login)
    assert challenge.status_code == 401

    whole = ["--from", began, "--to", "9999", "--account", claims["sub"]]
    assert ops.main([cloud.name, "journal", *whole]) == 0
    acts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"summary", "visits"} <= {act.get("section") for act in acts}
    assert ops.main([cloud.name, "journal", *whole, "--cards"]) == 0
    (seen,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert seen["acts"] == len(acts)
    assert seen["patient_id"]
    assert seen["clinic_id"]

    assert ops.main([cloud.name, "sessions", claims["sub"], "--enable", "--yes"]) == 0
    patient.sign_in()
    assert patient.card()


def test_dead_letters_go_back_to_where_they_came_from(
    cloud: ops.Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """Orders that nobody gave, which the worker takes and forgets."""
    sqs = cloud.client("sqs")
    dead = cloud.resource("ExtractsDeadLetters")
    body = json.dumps({"patient_id": "nobody", "extract_id": "none"})
    for _ in range(12):
        sqs.send_message(QueueUrl=dead, MessageBody=body)
    assert ops.main([cloud.name, "replay", "ExtractsDeadLetters"]) == 0
    assert "12 messages to" in capsys.readouterr().out
    assert ops.main([cloud.name, "replay", "ExtractsDeadLetters", "--yes"]) == 0
    assert "12 moved." in capsys.readouterr().out
    counted = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]
    assert counted["ApproximateNumberOfMessages"] == "0"


def test_what_holds_data_outlives_its_stack(cloud: ops.Stack, running: stack.Running) -> None:
    """A second stack of the same template: made by a change set, used, and deleted."""
    cloudformation = cloud.client("cloudformation")
    other = ops.Stack(f"medkarta-t{secrets.token_hex(3)}")
    stage = f"t{secrets.token_hex(3)}"
    parameters = [
        {"ParameterKey": "Stage", "ParameterValue": stage}
        if each["ParameterKey"] == "Stage"
        else {"ParameterKey": each["ParameterKey"], "ParameterValue": each["ParameterValue"]}
        for each in cloud.described()["Parameters"]
    ]
    url = f"{running.deployed.endpoint}/{PACKAGES_BUCKET}/template.yaml"
    wanted = {"TemplateURL": url, "Parameters": parameters}
    ops.change(other, yes=True, ChangeSetType="CREATE", **wanted)
    try:
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=other.name)
        resources = [each for page in pages for each in page["StackResourceSummaries"]]
        holding = {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in resources
            if each["ResourceType"] in {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key"}
        }
        function = other.resource("AuthFunction")
        key = {"pk": {"S": "ACCOUNT#one"}, "sk": {"S": "STATE"}}
        other.client("dynamodb").put_item(TableName=holding["AccountsTable"], Item=key)
        with pytest.raises(cloudformation.exceptions.ClientError, match="protect"):
            other.client("dynamodb").delete_table(TableName=holding["AccountsTable"])
    finally:
        cloudformation.delete_stack(StackName=other.name)
        gone = ops.wait(lambda: _status(cloudformation, other.name), lambda it: it["StackStatus"])

    assert gone["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(cloudformation.exceptions.ClientError):
        other.client("lambda").get_function(FunctionName=function)
    for name, physical in holding.items():
        if name.endswith("Table"):
            other.client("dynamodb").describe_table(TableName=physical)
        elif name.endswith("Bucket"):
            other.client("s3").head_bucket(Bucket=physical)
        else:
            described = other.client("kms").describe_key(KeyId=physical)["KeyMetadata"]
            assert described["KeyState"] == "Enabled", name
    assert len(holding) > 20
    found = other.client("dynamodb").get_item(TableName=holding["AccountsTable"], Key=key)
    assert found["Item"] == key
    other.close()


def _status(cloudformation: Any, name: str) -> dict[str, Any]:
    """The stack's description; a deleted one is found by its id only, or not at all."""
    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except cloudformation.exceptions.ClientError:
        return {"StackStatus": "DELETE_COMPLETE"}
    return found
