"""The operator's acts that are too long to be typed right at night: `./medkarta ops … --help`.

    ./medkarta ops STACK set Name=Value …          parameters, by a change set
    ./medkarta ops STACK put-back COPY TABLE       items of a restored copy, into the stack's table
    ./medkarta ops STACK replay QUEUE              dead letters, back to where they came from
    ./medkarta ops STACK sessions ACCOUNT          end an account's sessions
    ./medkarta ops STACK journal --from … --to …   who did what with whose card

TABLE and QUEUE are the template's names. Each tells what it would do and does it with `--yes` only;
it ends with 1 where something went wrong. Credentials, region and endpoint come from the
environment, as for `aws`. What is printed are ids, never a name.
"""

import argparse
import base64
import binascii
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

Json = dict[str, Any]

# What holds data: a change set that touches one of these is to be read twice.
DATA = {
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
}
# The log of what was destroyed, and what is never destroyed.
JOURNAL = {"JournalTable", "ChainTable"}
LONGEST = 3600  # seconds; a gradual deployment takes a quarter of it
# Whoever moves a table waits for its throughput to grow; a thread of theirs has a connection.
_PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 10}, max_pool_connections=64)
# A stack that stands and can be changed.
STEADY = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


class Refused(Exception):
    """The act cannot be done; the text says why."""


class Stack:
    """A deployed stack and the clients of its account.

    Region and profile are the environment's where none is given. `calls` counts what was called.
    """

    def __init__(self, name: str, *, region: str | None = None, profile: str | None = None) -> None:
        self.name = name
        self.region = region
        self.profile = profile
        self._session = get_session()
        if profile:
            self._session.set_config_variable("profile", profile)
        self._clients: dict[str, Any] = {}
        self.calls: Counter[str] = Counter()
        self._counting = threading.Lock()

    def client(self, service: str) -> Any:
        if service not in self._clients:
            client = self._session.create_client(service, region_name=self.region, config=_PATIENT)
            client.meta.events.register("before-call", self._count)
            self._clients[service] = client
        return self._clients[service]

    def _count(self, model: Any, **_: Any) -> None:
        with self._counting:
            self.calls[f"{model.service_model.service_id} {model.name}"] += 1

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def described(self) -> Json:
        described = self.client("cloudformation").describe_stacks(StackName=self.name)
        found: Json = described["Stacks"][0]
        return found

    def all_of(self, kind: str) -> list[str]:
        """The physical ids of all resources of a type."""
        return [
            each["PhysicalResourceId"] for each in self._listed() if each["ResourceType"] == kind
        ]

    def resources(self) -> dict[str, str]:
        """All physical ids by logical id."""
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in self._listed()}

    def _listed(self) -> list[Json]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return [
            each
            for page in pages.paginate(StackName=self.name)
            for each in page["StackResourceSummaries"]
        ]

    def resource(self, logical_id: str) -> str:
        """The physical id of a resource."""
        answer = self.client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical_id
        )
        physical: str = answer["StackResourceDetail"]["PhysicalResourceId"]
        return physical


# --- parameters ----------------------------------------------------------------------------------
def set_parameters(stack: Stack, values: dict[str, str], *, yes: bool) -> None:
    """Change parameters of the template as it is deployed: no code is built or replaced."""
    described = stack.described()
    if described["StackStatus"] not in STEADY:
        raise Refused(f"{stack.name} is {described['StackStatus']}: wait, or mend that first.")
    now = {each["ParameterKey"]: each["ParameterValue"] for each in described["Parameters"]}
    if unknown := values.keys() - now.keys():
        raise Refused(f"The template has no parameter {', '.join(sorted(unknown))}.")
    for name, value in values.items():
        say(f"{name}: {now[name]} -> {value}")
    parameters: list[Json] = [
        {"ParameterKey": name, "ParameterValue": values[name]}
        if name in values
        else {"ParameterKey": name, "UsePreviousValue": True}
        for name in now
    ]
    change(stack, yes=yes, UsePreviousTemplate=True, Parameters=parameters)


def change(stack: Stack, *, yes: bool, **wanted: Any) -> None:
    """Make a change set, tell what it would do, and carry it out or drop it.

    Raises Refused when there is nothing to change, and when the stack went back.
    """
    cloudformation = stack.client("cloudformation")
    made = f"ops-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    named = {"StackName": stack.name, "ChangeSetName": made}
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    cloudformation.create_change_set(**named, Capabilities=capabilities, **wanted)
    ready = wait(lambda: cloudformation.describe_change_set(**named), lambda it: it["Status"])
    if ready["Status"] != "CREATE_COMPLETE":
        cloudformation.delete_change_set(**named)
        raise Refused(f"No change set: {ready.get('StatusReason', ready['Status'])}")
    changes = [ready]
    while token := changes[-1].get("NextToken"):
        changes.append(cloudformation.describe_change_set(**named, NextToken=token))
    tell_changes(each["ResourceChange"] for page in changes for each in page["Changes"])
    if not yes:
        cloudformation.delete_change_set(**named)
        say("Nothing was done: add --yes.")
        return
    began = datetime.now(UTC)
    cloudformation.execute_change_set(**named)
    status = wait(stack.described, lambda it: it["StackStatus"])["StackStatus"]
    if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise Refused("\n".join([f"{stack.name} is {status}.", *failures(stack, began)]))
    say(f"{stack.name} is {status}.")


def tell_changes(changes: Iterator[Json]) -> None:
    counted: Counter[str] = Counter()
    data = []
    for each in changes:
        counted[f"{each['Action'].lower()} {each['ResourceType']}"] += 1
        if each["ResourceType"] in DATA and each["Action"] != "Add":
            data.append(f"{each['Action'].lower()} {each['LogicalResourceId']}, replacement: "
                        f"{each.get('Replacement', 'no')}")  # fmt: skip
    for what, number in sorted(counted.items()):
        say(f"  {number:4} x {what}")
    for line in data:
        say(f"  HOLDS DATA: {line}")
    if not data:
        say("  Of what holds data nothing is changed or removed.")


def failures(stack: Stack, since: datetime) -> list[str]:
    """Why an update failed, the first reason first."""
    events = [
        event
        for page in stack.client("cloudformation")
        .get_paginator("describe_stack_events")
        .paginate(StackName=stack.name)
        for event in page["StackEvents"]
        if event["Timestamp"].timestamp() >= since.timestamp() - 5
        and event["ResourceStatus"].endswith("_FAILED")
    ]
    return [
        f"  {each['LogicalResourceId']}: {each.get('ResourceStatusReason', 'no reason given')}"
        for each in reversed(events)
    ]


def wait(look: Callable[[], Json], status: Callable[[Json], str]) -> Json:
    """Look until nothing is in progress any more."""
    deadline = time.monotonic() + LONGEST
    while status(seen := look()).endswith(("_IN_PROGRESS", "_PENDING")):
        if time.monotonic() > deadline:
            raise Refused(f"It is still {status(seen)} after an hour; it goes on without us.")
        time.sleep(0.5)
    return seen


# --- tables --------------------------------------------------------------------------------------
def put_back(
    stack: Stack, copy: str, logical_id: str, *, pk: str | None, over: bool, yes: bool
) -> None:
    """Put what the stack's table has not, of a restored copy; with `over` also what differs there.

    What has expired since stays out, and what was erased by order; nothing is deleted.
    """
    dynamodb, table = stack.client("dynamodb"), stack.resource(logical_id)
    orders = stack.resource("JournalTable")
    moment = int(time.time())
    counted: Counter[str] = Counter()
    for page in read(dynamodb, copy, pk):
        live = [
            each for each in page if not 0 < int(each.get("expires_at", {}).get("N", 0)) < moment
        ]
        counted["expired since"] += len(page) - len(live)
        kept = live if logical_id in JOURNAL else not_erased(dynamodb, orders, live)
        counted["erased by order"] += len(live) - len(kept)
        live = kept
        there = standing(dynamodb, table, live)
        for item in live:
            known = there.get(key_of(item))
            kind = "missing" if known is None else "the same" if known == item else "different"
            counted[kind] += 1
            if not yes or kind == "the same" or (kind == "different" and not over):
                continue
            request: Json = {"TableName": table, "Item": item}
            if kind == "missing":  # who wrote there meanwhile knows better
                request["ConditionExpression"] = "attribute_not_exists(pk)"
            try:
                dynamodb.put_item(**request)
                counted["put back"] += 1
            except dynamodb.exceptions.ConditionalCheckFailedException:
                counted["written meanwhile"] += 1
    say(", ".join(f"{number} {kind}" for kind, number in counted.items() if number) or "no items")
    if not yes:
        say("Nothing was done: add --yes.")


def read(dynamodb: Any, table: str, pk: str | None) -> Iterator[list[Json]]:
    """All of a table in pages of at most 100, or one partition."""
    request: Json = {"TableName": table, "Limit": 100, "ConsistentRead": True}
    if pk:
        request["KeyConditionExpression"] = "pk = :pk"
        request["ExpressionAttributeValues"] = {":pk": {"S": pk}}
    for page in dynamodb.get_paginator("query" if pk else "scan").paginate(**request):
        yield page["Items"]


def standing(dynamodb: Any, table: str, items: list[Json]) -> dict[tuple[str, str], Json]:
    """What stands now at the keys of these items."""
    found: dict[tuple[str, str], Json] = {}
    keys = [{"pk": item["pk"], "sk": item["sk"]} for item in items]
    while keys:
        asked, keys = keys[:100], keys[100:]
        request = {table: {"Keys": asked, "ConsistentRead": True}}
        answer = dynamodb.batch_get_item(RequestItems=request)
        found |= {key_of(item): item for item in answer["Responses"].get(table, [])}
        keys += answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
    return found


def not_erased(dynamodb: Any, journal_table: str, items: list[Json]) -> list[Json]:
    """Those of whose card or person no order says that it is destroyed (152-ФЗ art. 21).

    An account stays its owner's, whoever was destroyed of the patient that they are.
    """
    about = [
        {item["pk"]["S"].partition("#")[2]}
        | {
            item[name]["S"]
            for name in ("patient_id", "card_id")
            if "S" in item.get(name, {}) and not item["pk"]["S"].startswith("ACCOUNT#")
        }
        for item in items
    ]
    orders = [
        {"pk": {"S": f"ERASURE#{subject}"}, "sk": {"S": "ORDER"}}
        for subject in sorted(set().union(*about))
    ]
    found = standing(dynamodb, journal_table, orders)
    erased = {pk.partition("#")[2] for pk, _ in found}
    return [item for item, subjects in zip(items, about, strict=True) if not subjects & erased]


def key_of(item: Json) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


# --- dead letters --------------------------------------------------------------------------------
def replay(stack: Stack, logical_id: str, *, yes: bool) -> None:
    """Move dead letters back to the queue that names this one as the place of its dead."""
    sqs = stack.client("sqs")
    dead = stack.resource(logical_id)
    told = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]
    arn, waiting = told["QueueArn"], int(told["ApproximateNumberOfMessages"])
    sources = [url for url in stack.all_of("AWS::SQS::Queue") if dead_go_to(sqs, url) == arn]
    if len(sources) != 1:
        raise Refused(f"{logical_id} takes the dead letters of {len(sources)} queues.")
    say(f"{waiting} messages to {sources[0].rpartition('/')[2]}")
    if not yes:
        say("Nothing was done: add --yes.")
        return
    try:
        sqs.start_message_move_task(SourceArn=arn)
    except ClientError as error:
        if "NotFound" in error.response["Error"]["Code"]:
            raise
        moved = by_hand(sqs, dead, sources[0])
    else:
        done = wait(
            lambda: sqs.list_message_move_tasks(SourceArn=arn)["Results"][0],
            lambda it: "_IN_PROGRESS" if it["Status"] == "RUNNING" else it["Status"],
        )
        if done["Status"] != "COMPLETED":
            raise Refused(f"The move is {done['Status']}: {done.get('FailureReason', '')}")
        moved = done["ApproximateNumberOfMessagesMoved"]
    say(f"{moved} moved.")


def dead_go_to(sqs: Any, url: str) -> str | None:
    """The queue to which a queue gives up its messages. Not every store lists it the other way."""
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    policy = told.get("Attributes", {}).get("RedrivePolicy", "{}")
    target: str | None = json.loads(policy).get("deadLetterTargetArn")
    return target


def by_hand(sqs: Any, dead: str, source: str) -> int:
    """The same where a store has no move task."""
    moved = 0
    while messages := sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.send_message(QueueUrl=source, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


# --- sessions ------------------------------------------------------------------------------------
def end_sessions(stack: Stack, account_id: str, *, disable: bool, enable: bool, yes: bool) -> None:
    """End an account's sessions at once; with `disable` nobody opens a new one."""
    dynamodb, table = stack.client("dynamodb"), stack.resource("AccountsTable")
    pk = f"ACCOUNT#{account_id}"
    items = [item for page in read(dynamodb, table, pk) for item in page]
    state = next((item for item in items if item["sk"]["S"] == "STATE"), None)
    if state is None:
        raise Refused(f"There is no account {account_id}.")
    moment = int(time.time())
    open_now = [
        item
        for item in items
        if item["sk"]["S"].startswith("SESSION#")
        and "revoked_at" not in item
        and int(item["absolute_expires_at"]["N"]) > moment
    ]
    say(f"{len(open_now)} open sessions; the account is "
        f"{'disabled' if state.get('disabled', {}).get('BOOL') else 'enabled'}")  # fmt: skip
    if not yes:
        say("Nothing was done: add --yes.")
        return
    if disable or enable:  # before the sessions, so that none is opened in between
        dynamodb.update_item(
            TableName=table,
            Key={"pk": state["pk"], "sk": state["sk"]},
            UpdateExpression="SET disabled = :is",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":is": {"BOOL": disable}},
        )
    for item in open_now:
        dynamodb.update_item(
            TableName=table,
            Key={"pk": item["pk"], "sk": item["sk"]},
            UpdateExpression="SET revoked_at = if_not_exists(revoked_at, :now)",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":now": {"N": str(moment)}},
        )
    say(f"{len(open_now)} ended{', disabled' * disable}{', enabled' * enable}.")


def account_of(token: str) -> str:
    """The account of an access or refresh token, or of an id. Nothing is verified."""
    parts = token.strip().split(".")
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 5:
        return parts[1]
    try:
        text = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return str(json.loads(text)["sub"])
    except (IndexError, KeyError, ValueError, binascii.Error) as error:
        raise Refused("That is no token of ours.") from error


# --- the journal ---------------------------------------------------------------------------------
def journal(
    stack: Stack, since: str, until: str, *, account: str | None, clinic: str | None, cards: bool
) -> None:
    """Print what stands in the journal of a time: a line of JSON for each act, or for each card.

    Times are RFC 3339 in UTC and compared as text, the end left out. It reads the whole table.
    """
    dynamodb, table = stack.client("dynamodb"), stack.resource("JournalTable")
    keys = {}
    by_card: dict[str, Json] = {}
    for page in read(dynamodb, table, None):
        for item in page:
            row = {name: next(iter(value.values())) for name, value in item.items()}
            if not since <= str(row.get("at", "")) < until:
                continue
            if account and account not in (row.get("account_id"), row["pk"].partition("#")[2]):
                continue
            if clinic and row.get("clinic_id") != clinic:
                continue
            card_id = row.get("card_id") or row["pk"].partition("#")[2]
            if not cards:
                shown = (
                    "at",
                    "account_id",
                    "capacity",
                    "clinic_id",
                    "action",
                    "section",
                    "outcome",
                )
                told = {name: row[name] for name in shown if row.get(name) not in (None, True)}
                say(json.dumps({"card_id": card_id, **told}))
                continue
            seen = by_card.setdefault(
                card_id, {"card_id": card_id, "acts": 0, "first": row["at"], "last": row["at"]}
            )
            seen["acts"] += 1
            seen["first"], seen["last"] = (
                min(seen["first"], row["at"]), max(seen["last"], row["at"]),
            )  # fmt: skip
            keys[card_id] = {"pk": {"S": f"CARD#{card_id}"}, "sk": {"S": "CARD"}}
    registry = stack.resource("RegistryTable") if by_card else ""
    for card_id, seen in sorted(by_card.items()):
        owner = standing(dynamodb, registry, [keys[card_id]]).get((f"CARD#{card_id}", "CARD"), {})
        told = {n: owner[n]["S"] for n in ("patient_id", "clinic_id", "region") if n in owner}
        say(json.dumps({**seen, **told}))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(
        prog="./medkarta ops", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    described.add_argument("stack", metavar="STACK")
    acts = described.add_subparsers(dest="act", required=True)

    def act(name: str, told: str) -> argparse.ArgumentParser:
        made = acts.add_parser(name, help=told)
        if name != "journal":
            made.add_argument("--yes", action="store_true", help="do it")
        return made

    setting = act("set", "change parameters")
    setting.add_argument("values", nargs="+", metavar="Name=Value")
    putting = act("put-back", "put a restored copy's items into the stack's table")
    putting.add_argument("copy", metavar="COPY")
    putting.add_argument("table", metavar="TABLE")
    putting.add_argument("--pk", help="of this partition only")
    putting.add_argument("--over", action="store_true", help="also what differs in the table")
    act("replay", "put dead letters back").add_argument("queue", metavar="QUEUE")
    ending = act("sessions", "end an account's sessions")
    ending.add_argument("account", metavar="ACCOUNT", help="an id, or - for a token on stdin")
    which = ending.add_mutually_exclusive_group()
    which.add_argument("--disable", action="store_true", help="and let nobody sign in")
    which.add_argument("--enable", action="store_true", help="let them sign in again")
    reading = act("journal", "who did what with whose card")
    reading.add_argument("--from", required=True, dest="since", metavar="2026-11-23T00:00:00Z")
    reading.add_argument("--to", required=True, dest="until", metavar="2026-11-24T00:00:00Z")
    reading.add_argument("--account")
    reading.add_argument("--clinic")
    reading.add_argument("--cards", action="store_true", help="a line for each card and patient")
    return described


def main(arguments: list[str] | None = None) -> int:
    """Do one act; 0 when it is done or told, 1 when it was refused or failed."""
    given = parser().parse_args(arguments)
    stack = Stack(given.stack)
    try:
        match given.act:
            case "set":
                values = dict(each.partition("=")[::2] for each in given.values)
                set_parameters(stack, values, yes=given.yes)
            case "put-back":
                put_back(
                    stack, given.copy, given.table, pk=given.pk, over=given.over, yes=given.yes
                )
            case "replay":
                replay(stack, given.queue, yes=given.yes)
            case "sessions":
                account = sys.stdin.read() if given.account == "-" else given.account
                end_sessions(
                    stack, account_of(account),
                    disable=given.disable, enable=given.enable, yes=given.yes,
                )  # fmt: skip
            case "journal":
                journal(
                    stack, given.since, given.until,
                    account=given.account, clinic=given.clinic, cards=given.cards,
                )  # fmt: skip
    except BrokenPipeError:  # whoever reads has seen enough
        sys.stdout = None
    except (Refused, ClientError, BotoCoreError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    finally:
        stack.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
