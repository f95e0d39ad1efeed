"""A stack's data in another region: what comes along, what stays, and a move that broke off.

Two regions of moto, each with tables, buckets and keys of its own. What people can do afterwards is
in tests/e2e/test_move.py.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra import move, ops
from tests import template
from tests.conftest import REGION

WEST = "eu-west-1"
FUNCTIONS = Path(__file__).parents[2] / "functions"
Json = dict[str, Any]


class Made(ops.Stack):
    """The template's tables, buckets and keys in one region, without a stack around them."""

    def __init__(self, region: str) -> None:
        super().__init__(f"stack-{secrets.token_hex(4)}", region=region)
        self.made = {
            name: f"{self.name}-{name}" for name in template.resources("AWS::DynamoDB::Table")
        }
        for name in self.made.values():
            self.client("dynamodb").create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")
                ],
            )
        for name in template.resources("AWS::S3::Bucket"):
            self.made[name] = f"{self.name}-{name}".lower()
            where = {"LocationConstraint": region}
            self.client("s3").create_bucket(Bucket=self.made[name], CreateBucketConfiguration=where)
        for name in (*move.WRAPPING.values(), "LookupKey"):
            kind = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
            made = self.client("kms").create_key(**(kind if name == "LookupKey" else {}))
            self.made[name] = made["KeyMetadata"]["Arn"]

    def described(self) -> Json:
        return {"StackId": f"arn:of:{self.name}"}

    def resources(self) -> dict[str, str]:
        return self.made

    def resource(self, logical_id: str) -> str:
        return self.made[logical_id]

    def put(self, table: str, pk: str, sk: str, **values: Any) -> None:
        from kernel import dynamo

        item = dynamo.to_item({"pk": pk, "sk": sk, **values})
        self.client("dynamodb").put_item(TableName=self.made[table], Item=item)

    def items(self, table: str) -> list[Json]:
        from kernel import dynamo

        pages = ops.read(self.client("dynamodb"), self.made[table], None)
        return [dynamo.from_item(item) for page in pages for item in page]

    def one(self, table: str, pk: str, sk: str) -> Json | None:
        return next((i for i in self.items(table) if (i["pk"], i["sk"]) == (pk, sk)), None)


@pytest.fixture
def old(aws: None) -> Iterator[Made]:
    with_clients = Made(REGION)
    yield with_clients
    with_clients.close()


@pytest.fixture
def new(aws: None) -> Iterator[Made]:
    with_clients = Made(WEST)
    yield with_clients
    with_clients.close()


def fill(old: Made, people: int = 2) -> list[Json]:
    """People with accounts and cards, as the functions write them; what is known of each."""
    from clinic.repository import snils_key
    from kernel import dynamo, profiles, sealing
    from kernel import people as registry
    from kernel.identity import AccountId, PatientId

    made = old.made
    medical = sealing.Keyring(
        table=made["KeysTable"], kms_key=made["MedicalKey"], purpose="medical"
    )
    identity = profiles.keyring(made["KeysTable"], made["IdentityKey"])
    notes = sealing.Keyring(table=made["KeysTable"], kms_key=made["NotesKey"], purpose="notes")
    known = profiles.Profiles(made["IdentityTable"], identity, made["LookupKey"])
    found = []
    for n in range(people):
        who = secrets.token_hex(6)
        account, patient = AccountId(f"a{who}"), PatientId(f"p{who}")
        owner = profiles.owner(account)
        profile = profiles.Profile(
            account, "Новикова", "Анна", None, "1980-01-01", f"+7900{n:07}",
            email=f"{who}@example.ru", email_confirmed=True, snils=f"{n:011}", snils_verified=True,
        )  # fmt: skip
        key = identity.create(owner)
        dynamo.transact(
            known.create_action(profile), *(known.login_action(x, account) for x in profile.logins)
        )
        person = registry.Person(
            f"{n:011}", "Новикова", "Анна", None, date(1980, 1, 1), "female",
            other_snils=(f"9{n:010}",),
        )  # fmt: skip
        sealed = registry.seal(person, patient, medical.create(registry.owner(patient)))
        old.put("RegistryTable", f"PATIENT#{patient}", "PATIENT", patient_id=patient, sealed=sealed)
        for snils in person.all_snils:
            place = snils_key(made["LookupKey"], snils)
            old.put("RegistryTable", place["pk"], place["sk"], patient_id=patient)
        card = f"CARD#c{who}"
        visit = medical.create(card).seal(b"visit", f"records/{card}/1")
        old.put("RecordsTable", card, "visits#1", body=visit, tags={"b", "a"}, more=[{"n": 1}])
        old.put("JournalTable", card, "ENTRY#1", note=notes.create(card).seal(b"why", "note"))
        old.put("ChainTable", card, "HEAD", seq=1, hash="0" * 64)
        old.put("IdentityTable", owner, "PASSWORD", hash="$argon2id$…", version=1)
        old.put("IdentityTable", owner, "TOTP", sealed=key.seal(b"secret", "totp"), last_step=1)
        old.put("IdentityTable", owner, "RECOVERY", hashes={"one", "two"})
        old.put("IdentityTable", owner, f"PASSKEY#{n}", public_key=b"key", sign_count=n)
        old.put("AccountsTable", owner, "STATE", level="verified", appointments=[])
        old.put("AccountsTable", owner, "SESSION#1", refresh_hash="hash")
        found.append({"account": account, "patient": patient, "card": card, "profile": profile,
                      "person": person})  # fmt: skip
    now = int(time.time())
    old.put("IdentityTable", "OIDC#hash", "LINK", account_id="a1")
    old.put("IdentityTable", "CHALLENGE#1", "CHALLENGE", valid_until=now + 600)
    old.put("IdentityTable", "CAP#1", "CAP", n=1)
    old.put("IdempotencyTable", "a|b|c", "REQUEST", answer="{}")
    old.put("RecordsTable", "CARD#1#I", "old", expires_at=now - 1)
    old.put("RecordsTable", "CARD#1#I", "soon", expires_at=now + 600)
    old.put("RecordsTable", "CARD#1#I", "later", expires_at=now + 10 * 86400)
    old.put("ExtractsTable", "CLINIC#1", "CERTIFICATE", key_id="old", chain=[b"der"])
    old.put("ExtractsTable", "CODE#1", "VERIFY", patient_id="p", extract_id="e")
    # A copy that was restored after the erasure: its key is there again.
    gone = "CARD#erased"
    old.put("JournalTable", "ERASURE#erased", "ORDER", order="№ 1")
    old.put("JournalTable", "ERASURE#erased", "DONE", keys=1)
    medical.create(gone)
    old.put("RecordsTable", gone, "visits#1", body=b"sealed")
    for bucket, keys in {
        "JournalBucket": ["checkpoints/000000000001.json"],
        "RecordsBucket": ["payloads/c/1/a", "payloads/c/1/b", "imports/c/1"],
        "ExtractsBucket": ["extracts/1.pdf"],
    }.items():
        for name in keys:
            old.client("s3").put_object(
                Bucket=made[bucket], Key=name, Body=name.encode(), ContentType="text/x"
            )
    return found


def run(old: Made, new: Made, *, yes: bool = True) -> None:
    move.move(old, new, yes=yes, threads=2)


def test_what_is_sealed_opens_there_and_everybody_is_found(old: Made, new: Made) -> None:
    from kernel import people as registry
    from kernel import profiles, sealing

    found = fill(old)
    run(old, new)

    west = move.Side(new)
    assert new.made["LookupKey"].split(":")[3] == WEST

    def key(owner: str, purpose: str) -> sealing.DataKey:
        item = {"pk": {"S": owner}, "sk": {"S": f"KEY#{purpose}"}}
        stored = new.one("KeysTable", owner, f"KEY#{purpose}")
        assert stored is not None
        return sealing.DataKey(owner, west.unwrapped({**item, "wrapped": {"B": stored["wrapped"]}}))

    for one in found:
        owner = profiles.owner(one["account"])
        item = new.one("IdentityTable", owner, "PROFILE")
        assert item is not None
        assert profiles.open_item(item, key(owner, "identity")) == one["profile"]
        for login in one["profile"].logins:
            place = f"LOGIN#{west.mac('login', login)}"
            assert (new.one("IdentityTable", place, "LOGIN") or {})["account_id"] == one["account"]
        totp = new.one("IdentityTable", owner, "TOTP")
        assert totp is not None
        assert key(owner, "identity").open(totp["sealed"], "totp") == b"secret"
        for sk in ("PASSWORD", f"PASSKEY#{found.index(one)}"):
            there = new.one("IdentityTable", owner, sk)
            assert there is not None
            assert there == old.one("IdentityTable", owner, sk)

        person = f"PATIENT#{one['patient']}"
        item = new.one("RegistryTable", person, "PATIENT")
        assert item is not None
        assert registry.open_item(item, key(person, "medical")) == one["person"]
        for snils in one["person"].all_snils:
            place = f"SNILS#{west.mac('snils', snils)}"
            assert (new.one("RegistryTable", place, "SNILS") or {})["patient_id"] == one["patient"]

        card = one["card"]
        visit, entry = (
            new.one("RecordsTable", card, "visits#1"),
            new.one("JournalTable", card, "ENTRY#1"),
        )
        assert visit is not None
        assert entry is not None
        assert key(card, "medical").open(visit["body"], f"records/{card}/1") == b"visit"
        assert key(card, "notes").open(entry["note"], "note") == b"why"
    for table in ("JournalTable", "ChainTable"):
        assert sorted(map(repr, new.items(table))) == sorted(map(repr, old.items(table)))


def test_what_stays_behind_is_told_and_stays(
    old: Made, new: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    found = fill(old)
    run(old, new, yes=False)
    told = capsys.readouterr().out
    assert "Nothing was done: add --yes." in told
    assert not any(new.items(table) for table in move.TABLES)
    run(old, new)
    told = capsys.readouterr().out
    assert "All is there, and nothing else." in told
    (line,) = (x for x in told.partition("Comparing:")[2].splitlines() if x.startswith("Identity"))
    assert line == (
        "IdentityTable: 14 the same; left: 1 challenges and codes, for minutes, 1 counters, which "
        "begin anew, 1 links to a provider's subject, which is kept as a hash alone, 2 recovery "
        "codes, which are kept as hashes alone"
    )
    assert not new.items("IdempotencyTable")
    assert {i["sk"] for i in new.items("AccountsTable")} == {"STATE"}
    assert {i["sk"] for i in new.items("RecordsTable")} == {"visits#1", "later"}
    assert {i["sk"] for i in new.items("ExtractsTable")} == {"VERIFY"}
    assert {i["sk"] for i in new.items("IdentityTable")} == {
        "PROFILE", "PASSWORD", "TOTP", "LOGIN", "PASSKEY#0", "PASSKEY#1",
    }  # fmt: skip
    erased = [i for i in new.items("KeysTable") + new.items("RecordsTable") if "erased" in i["pk"]]
    assert erased == []
    assert len(new.items("KeysTable")) == 4 * len(found)  # and the mark is gone

    def objects(stack: Made) -> dict[str, tuple[bytes, str]]:
        s3 = stack.client("s3")
        return {
            key: (read["Body"].read(), read["ContentType"])
            for bucket in ("JournalBucket", "RecordsBucket", "ExtractsBucket")
            for each in s3.list_objects_v2(Bucket=stack.made[bucket]).get("Contents", [])
            for key in [each["Key"]]
            for read in [s3.get_object(Bucket=stack.made[bucket], Key=key)]
        }

    assert objects(new) == {k: v for k, v in objects(old).items() if not k.startswith("imports/")}


def test_a_move_that_broke_off_goes_on(
    old: Made, new: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(old)
    put, left = move.Side.put, 9

    def breaks(self: move.Side, table: str, items: list[Json]) -> None:
        nonlocal left
        left -= bool(items)
        if left < 0:
            raise ClientError({"Error": {"Code": "InternalServerError"}}, "BatchWriteItem")
        put(self, table, items)

    monkeypatch.setattr(move.Side, "put", breaks)
    with pytest.raises(ClientError):
        run(old, new)
    monkeypatch.undo()
    before = {(table, i["pk"], i["sk"]): i for table in move.TABLES for i in new.items(table)}
    assert len(before) > 1
    assert not new.items("AccountsTable")
    capsys.readouterr()
    run(old, new)
    assert "All is there, and nothing else." in capsys.readouterr().out
    after = {(table, i["pk"], i["sk"]): i for table in move.TABLES for i in new.items(table)}
    mark = ("KeysTable", "MOVE", "MOVE")
    del before[mark]
    assert mark not in after
    assert before.items() <= after.items()  # wrapped keys too: what was there was not made again


def test_what_changed_while_people_were_served_is_brought_by_the_next_run_or_told(
    old: Made, new: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = fill(old, people=1)[0]
    owner = f"ACCOUNT#{one['account']}"
    go_through = move.go_through

    def meanwhile(change: Callable[[], None]) -> None:
        def changing(*args: Any, write: bool, **options: Any) -> Any:
            if not write:
                change()
            return go_through(*args, write=write, **options)

        monkeypatch.setattr(move, "go_through", changing)

    meanwhile(lambda: old.put("AccountsTable", owner, "STATE", level="verified", disabled=True))
    with pytest.raises(ops.Refused, match="AccountsTable: 1 different"):
        run(old, new)
    gone = {"pk": {"S": "CODE#1"}, "sk": {"S": "VERIFY"}}
    extracts = old.made["ExtractsTable"]
    meanwhile(lambda: old.client("dynamodb").delete_item(TableName=extracts, Key=gone))
    with pytest.raises(ops.Refused, match="ExtractsTable: holds 1, of which 0 came from there"):
        run(old, new)
    assert (new.one("AccountsTable", owner, "STATE") or {})["disabled"] is True


def test_a_place_that_holds_something_else_is_refused(old: Made, new: Made) -> None:
    fill(old, people=1)
    with pytest.raises(ops.Refused, match="one stack"):
        run(old, old)
    new.client("s3").put_object(Bucket=new.made["ExtractsBucket"], Key="extracts/x", Body=b"x")
    new.put("NoticesTable", "CARD#1", "NOTICE#1")
    with pytest.raises(ops.Refused, match=r"is not empty: NoticesTable, ExtractsBucket\."):
        run(old, new)
    assert not new.items("KeysTable")
    new.put("KeysTable", "MOVE", "MOVE", **{"from": "arn:of:another"}, began=1)
    with pytest.raises(ops.Refused, match="a part of another stack: arn:of:another"):
        run(old, new)
    del new.made["LookupKey"]
    with pytest.raises(ops.Refused, match=r"has no LookupKey\."):
        run(old, new, yes=False)


def test_what_is_not_finished_or_explained_keeps_a_move_from_being_whole(
    old: Made, new: Made
) -> None:
    one = fill(old, people=1)[0]
    owned = {"account_id": one["account"], "patient_id": one["patient"]}
    old.put("JournalTable", "ERASURE#x", "ORDER")
    wrong = {
        "ChainTable": ("PENDING#a", "card"),
        "IdentityTable": ("LOGIN#unknown", "LOGIN"),
        "RegistryTable": ("SNILS#unknown", "SNILS"),
    }
    for table, (pk, sk) in wrong.items():
        old.put(table, pk, sk, **owned)
    with pytest.raises(ops.Refused) as refused:
        run(old, new)
    assert str(refused.value).splitlines()[:-1] == [
        f"ChainTable: 1 {move.WAIT}",
        f"JournalTable: 1 {move.WAIT}",
        f"RegistryTable: 1 {move.LOST}",
        f"IdentityTable: 1 {move.LOST}",
    ]
    for table, (pk, sk) in wrong.items():
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        old.client("dynamodb").delete_item(TableName=old.made[table], Key=key)
    old.put("JournalTable", "ERASURE#x", "DONE")
    run(old, new)


def test_an_object_that_stands_there_is_not_written_again(old: Made, new: Made) -> None:
    """A checkpoint has one version: the verifier takes a second one for a forgery."""
    moving = move.Moving(move.Side(old), move.Side(new), write=True, ends=0)
    for stack, body in ((old, b"old"), (new, b"new")):
        stack.client("s3").put_object(Bucket=stack.made["JournalBucket"], Key="1", Body=body)
    moving.object("JournalBucket", "1")
    read = new.client("s3").get_object(Bucket=new.made["JournalBucket"], Key="1")
    assert read["Body"].read() == b"new"


def test_nothing_that_holds_data_is_forgotten() -> None:
    """Each table, bucket and kind of data key has its rule, and so has each hash by LookupKey."""
    assert set(move.TABLES) == set(template.resources("AWS::DynamoDB::Table"))
    assert set(move.BUCKETS) == set(template.resources("AWS::S3::Bucket"))
    code = "\n".join(path.read_text("utf-8") for path in FUNCTIONS.rglob("*.py"))
    purposes = set(re.findall(r'purpose="(\w+)"|^PURPOSE = "(\w+)"', code, re.MULTILINE))
    assert {one or other for one, other in purposes} == set(move.WRAPPING)
    assert set(re.findall(r'lookup_hash\(\s*[\w.]+, ["\'](.+?)["\']', code)) == {
        "login",  # made anew
        "snils",  # made anew
        "oidc",  # left behind: IdentityTable
        "consent receipt",  # stands in receipts that are signed already; new ones get a new one
    }
    assert set(re.findall(r'process_key\(\s*[\w.]+, ["\'](.+?)["\']', code)) == {
        "recovery/v1",  # left behind: IdentityTable
        # What these made is left behind, or is a client's and ends soon.
        "caps/v1", "challenges/v1", "codes/v1", "cursors/v1", "oidc/v1", "refresh/v1",
    }  # fmt: skip
