"""Bring all that a stack holds into an empty stack of another region or account.

    ./medkarta move STACK NEW_STACK --to-region eu-west-1           tell what there is
    ./medkarta move STACK NEW_STACK --to-region eu-west-1 --yes     bring it, then compare

KMS keys never leave their region. So wrapped data keys are opened by the old keys and wrapped by
the new ones, and look-ups by СНИЛС, phone and e-mail are hashed anew from what rests sealed; all
else is copied as it is. What is left behind, and why, stands in TABLES and BUCKETS.

It may be broken off and run again: what is there already is compared, not written again. It ends
with 1 unless all is there and nothing else. Credentials come from the environment, those of the
new stack's account from `--to-profile`. What is printed are counts.
"""

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from itertools import repeat
from multiprocessing import get_context
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from infra.ops import Json, Refused, Stack, key_of, not_erased, say, standing
from kernel import dynamo, hashing, people, profiles, sealing

COPY, REWRAP, LOGIN, PATIENT = "copy", "rewrap", "login", "patient"
# Whatever else is said of an item is why it stays behind. These two stop the move from being whole:
WAIT = "not finished: wait for it (or see to it), and run this again"
LOST = "LOST: nothing that is sealed explains this look-up"
ENDED = "expired, or about to"
COMPARED = ("brought", "the same", "missing", "different")
THERE = "there"
DAY = 86400

# What becomes of a table's items, by `pk|sk`; of those not named, a copy. The chain goes before the
# journal, whose stream has the new stack's linker look for links.
TABLES: dict[str, dict[str, str]] = {
    "ChainTable": {r"PENDING#": WAIT},
    "JournalTable": {},
    "KeysTable": {r".*\|KEY#": REWRAP},
    "RegistryTable": {r"SNILS#": PATIENT},
    "ConsentsTable": {},
    "RecordsTable": {},
    "NoticesTable": {},
    "IdentityTable": {
        r"LOGIN#": LOGIN,
        r"OIDC#": "links to a provider's subject, which is kept as a hash alone",
        r"ACCOUNT#.*\|RECOVERY": "recovery codes, which are kept as hashes alone",
        r"ACCOUNT#.*\|(TOTP_PENDING|PASSKEY_PENDING|PHONE_CHANGE)": "begun, for minutes",
        r"(CHALLENGE|CODE)#": "challenges and codes, for minutes",
        r"(CAP|FAILURES)#": "counters, which begin anew",
    },
    "AccountsTable": {r"ACCOUNT#.*\|SESSION#": "sessions: people sign in anew"},
    "IdempotencyTable": {r"": "answers kept for a day"},
    # Last: the new stack's sweeper looks after what stands here.
    "ExtractsTable": {r"CLINIC#.*\|CERTIFICATE": "certificates of the old signing key"},
}
# What is copied of a bucket: what begins with this. None of it: why.
BUCKETS: dict[str, str | None] = {
    "JournalBucket": "checkpoints/",
    "RecordsBucket": "payloads/",  # and no uploads: they are gone after two days
    "ExtractsBucket": "extracts/",
    "PortalBucket": None,  # `make publish` puts the pages there
}
# Which key wraps the data keys of a purpose (`kernel.sealing`).
WRAPPING = {"medical": "MedicalKey", "identity": "IdentityKey", "notes": "NotesKey"}
# What an erasure destroys, and what it leaves to be opened by nobody: both stay behind where an
# order says so. The rest of the source is as the erasure left it.
ERASED = {"KeysTable", "RecordsTable"}
MARK = {"pk": {"S": "MOVE"}, "sk": {"S": "MOVE"}}
PAGE, BATCH = 100, 25  # items of a BatchGetItem, of a BatchWriteItem


class Side:
    """One of the two stacks: its clients, and its resources by logical id."""

    def __init__(self, stack: Stack) -> None:
        self.dynamodb, self.kms, self.s3 = map(stack.client, ("dynamodb", "kms", "s3"))
        self.names = stack.resources()
        asked = {*TABLES, *BUCKETS, *WRAPPING.values(), "LookupKey"}
        if missing := asked - self.names.keys():
            raise Refused(f"{stack.name} has no {', '.join(sorted(missing))}.")

    def mac(self, kind: str, value: str) -> str:
        """The hash under which a value is looked up in this stack."""
        answer = self.kms.generate_mac(
            KeyId=self.names["LookupKey"],
            MacAlgorithm="HMAC_SHA_256",
            Message=hashing.looked_up(kind, value),
        )
        return bytes(answer["Mac"]).hex()

    def unwrapped(self, item: Json) -> bytes:
        """The data key of an item of KeysTable."""
        answer = self.kms.decrypt(
            CiphertextBlob=item["wrapped"]["B"],
            KeyId=self.names[WRAPPING[_purpose(item)]],
            EncryptionContext=sealing.context(item["pk"]["S"], _purpose(item)),
        )
        return bytes(answer["Plaintext"])

    def wrapped(self, item: Json, secret: bytes) -> Json:
        """The same item with its data key under this stack's key."""
        answer = self.kms.encrypt(
            Plaintext=secret,
            KeyId=self.names[WRAPPING[_purpose(item)]],
            EncryptionContext=sealing.context(item["pk"]["S"], _purpose(item)),
        )
        return {**item, "wrapped": {"B": answer["CiphertextBlob"]}}

    def put(self, table: str, items: list[Json]) -> None:
        for start in range(0, len(items), BATCH):
            left = [{"PutRequest": {"Item": item}} for item in items[start : start + BATCH]]
            pause = 0.05
            while left:
                answer = self.dynamodb.batch_write_item(RequestItems={self.names[table]: left})
                left = answer.get("UnprocessedItems", {}).get(self.names[table], [])
                if left:  # a new table grows by and by
                    time.sleep(pause)
                    pause = min(pause * 2, 10)


class Moving:
    """Brings items and objects from one side to the other, or tells how they compare."""

    def __init__(self, source: Side, target: Side, *, write: bool, ends: int) -> None:
        self.source = source
        self.target = target
        self.write = write
        self.ends = ends

    # --- tables ----------------------------------------------------------------------------------
    def segment(self, table: str, number: int, of: int) -> Counter[str]:
        """One segment of a table."""
        counted: Counter[str] = Counter()
        share = {"Segment": number, "TotalSegments": of, "ConsistentRead": True}
        for page in self.source.dynamodb.get_paginator("scan").paginate(
            TableName=self.source.names[table], Limit=PAGE, **share
        ):
            counted += self.page(table, page["Items"])
        if not self.write:
            for page in self.target.dynamodb.get_paginator("scan").paginate(
                TableName=self.target.names[table], Select="COUNT", **share
            ):
                counted[THERE] += page["Count"]
        return counted

    def page(self, table: str, items: list[Json]) -> Counter[str]:
        """A page of a table."""
        counted: Counter[str] = Counter()
        going = list(self.going(table, items, counted))
        there = standing(self.target.dynamodb, self.target.names[table], going)
        put = []
        for item in going:
            known = there.get(key_of(item))
            if table == "KeysTable":
                item = self.rewrapped(item, known)
            kind = "missing" if known is None else "the same" if alike(known, item) else "different"
            counted["brought" if self.write and kind != "the same" else kind] += 1
            if kind != "the same":
                put.append(item)
        if self.write:
            self.target.put(table, put)
        return counted

    def going(self, table: str, items: list[Json], counted: Counter[str]) -> Iterator[Json]:
        """What goes along, under the keys that it has there; the rest is counted by why not."""
        found: dict[str, list[Json]] = {way: [] for way in (COPY, REWRAP, LOGIN, PATIENT)}
        for item in items:
            ended = 0 < int(item.get("expires_at", {}).get("N", 0)) < self.ends
            way = ENDED if ended else fate(table, item)
            if way in found:
                found[way].append(item)
            else:
                counted[way] += 1
        if table == "JournalTable":
            counted[WAIT] += self.unfinished(items)
        for way, some in found.items():
            kept = some
            if table in ERASED:
                kept = not_erased(self.source.dynamodb, self.source.names["JournalTable"], some)
            counted["erased by order"] += len(some) - len(kept)
            if way in (COPY, REWRAP):
                yield from kept
                continue
            for made in self.found_anew(way, kept):
                counted[LOST] += made is None
                if made is not None:
                    yield made

    def found_anew(self, way: str, items: list[Json]) -> Iterator[Json | None]:
        """Look-ups under the new key's hashes; None for what no sealed value explains."""
        if way == LOGIN:
            owners = [f"ACCOUNT#{item['account_id']['S']}" for item in items]
            sealed = self._owned("IdentityTable", owners, "PROFILE")
            keys = self._owned("KeysTable", owners, f"KEY#{profiles.PURPOSE}")
        else:
            owners = [f"PATIENT#{item['patient_id']['S']}" for item in items]
            sealed = self._owned("RegistryTable", owners, "PATIENT")
            keys = self._owned("KeysTable", owners, "KEY#medical")
        for item, owner in zip(items, owners, strict=True):
            prefix, _, hashed = item["pk"]["S"].partition("#")
            values: Iterable[str] = ()
            if owner in sealed and owner in keys:
                key = sealing.DataKey(owner, self.source.unwrapped(keys[owner]))
                values = _values(way, sealed[owner], key)
            kind = "login" if way == LOGIN else "snils"
            value = next((each for each in values if self.source.mac(kind, each) == hashed), None)
            if value is None:
                yield None
            else:
                yield {**item, "pk": {"S": f"{prefix}#{self.target.mac(kind, value)}"}}

    def _owned(self, table: str, owners: list[str], sk: str) -> dict[str, Json]:
        keys = [{"pk": {"S": each}, "sk": {"S": sk}} for each in dict.fromkeys(owners)]
        found = standing(self.source.dynamodb, self.source.names[table], keys)
        return {pk: item for (pk, _), item in found.items()}

    def rewrapped(self, item: Json, known: Json | None) -> Json:
        """A data key under the new key; as it stands there if it opens to the same."""
        secret = self.source.unwrapped(item)
        if known is not None:
            try:
                if self.target.unwrapped(known) == secret:
                    return known
            except self.target.kms.exceptions.InvalidCiphertextException:
                pass
        return self.target.wrapped(item, secret) if self.write else item

    def unfinished(self, items: list[Json]) -> int:
        """How many erasures were ordered and have not come to their end."""
        orders = [each for each in items if matches(r"ERASURE#.*\|ORDER", each)]
        done = [{"pk": each["pk"], "sk": {"S": "DONE"}} for each in orders]
        found = standing(self.source.dynamodb, self.source.names["JournalTable"], done)
        return len(orders) - len(found)

    # --- buckets ---------------------------------------------------------------------------------
    def objects(self, bucket: str, prefix: str, pool: ThreadPoolExecutor) -> Counter[str]:
        """What a bucket holds, encrypted by the new bucket's key on its way in."""
        counted: Counter[str] = Counter()
        place, last = self.target.names[bucket], prefix
        for page in self.source.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.source.names[bucket], Prefix=prefix
        ):
            held = {each["Key"]: each["Size"] for each in page.get("Contents", [])}
            # As many keys as there can be up to this page's last, of what only this has put there.
            listed = self.target.s3.list_objects_v2(Bucket=place, Prefix=prefix, StartAfter=last)
            there = {each["Key"]: each["Size"] for each in listed.get("Contents", [])}
            missing = [key for key in held if key not in there]
            counted["the same"] += sum(there.get(key) == size for key, size in held.items())
            counted["different"] += sum(there.get(k, size) != size for k, size in held.items())
            counted["brought" if self.write else "missing"] += len(missing)
            if self.write:
                list(pool.map(self.object, repeat(bucket), missing))
            last = max(held, default=last)
        if not self.write:
            for page in self.target.s3.get_paginator("list_objects_v2").paginate(
                Bucket=place, Prefix=prefix
            ):
                counted[THERE] += len(page.get("Contents", []))
        return counted

    def object(self, bucket: str, key: str) -> None:
        """Copy an object; one that stands there stays: a checkpoint has one version."""
        read = self.source.s3.get_object(Bucket=self.source.names[bucket], Key=key)
        try:
            self.target.s3.put_object(
                Bucket=self.target.names[bucket],
                Key=key,
                Body=read["Body"].read(),
                ContentType=read["ContentType"],
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("PreconditionFailed", "412"):
                raise


def fate(table: str, item: Json) -> str:
    """What becomes of an item: one of the ways above, or why it stays behind."""
    rules = TABLES[table].items()
    return next((way for pattern, way in rules if matches(f"{pattern}.*", item)), COPY)


def matches(pattern: str, item: Json) -> bool:
    return re.fullmatch(pattern, "|".join(key_of(item)), re.DOTALL) is not None


def alike(one: Json, other: Json) -> bool:
    """Whether two items say the same: a store gives sets in any order."""
    return dynamo.from_item(one) == dynamo.from_item(other)


def _purpose(item: Json) -> str:
    return str(item["sk"]["S"].removeprefix("KEY#"))


def _values(way: str, item: Json, key: sealing.DataKey) -> Iterable[str]:
    """Under which values this account or patient may be found."""
    opened = dynamo.from_item(item)
    if way == LOGIN:
        return profiles.open_item(opened, key).logins
    return people.open_item(opened, key).all_snils


# --- all of it -----------------------------------------------------------------------------------
class Share(NamedTuple):
    """What one process does of a table or bucket."""

    name: str
    threads: int
    number: int = 0
    of: int = 1


def do(moving: Moving, share: Share) -> Counter[str]:
    """Bring or compare a share; what became of it."""
    with ThreadPoolExecutor(share.threads) as pool:
        if prefix := BUCKETS.get(share.name):
            return moving.objects(share.name, prefix, pool)
        of = share.of * share.threads
        mine = range(share.number, of, share.of)
        return sum(pool.map(moving.segment, repeat(share.name), mine, repeat(of)), Counter())


# Name, region and profile of a stack: what another process needs to reach it.
Place = tuple[str, str | None, str | None]
Called = tuple[Counter[str], Counter[str]]


def do_alone(
    share: Share, source: Place, target: Place, write: bool, ends: int
) -> tuple[Counter[str], Called]:
    """The same in a process of its own; besides, what it called on either side."""
    here, there = (
        Stack(name, region=region, profile=profile) for name, region, profile in (source, target)
    )
    with closing(here), closing(there):
        found = do(Moving(Side(here), Side(there), write=write, ends=ends), share)
        return found, (here.calls, there.calls)


def go_through(
    source: Stack, target: Stack, *, write: bool, ends: int, processes: int, threads: int
) -> dict[str, Counter[str]]:
    """Bring or compare everything; what became of each table and bucket."""
    found: dict[str, Counter[str]] = {}
    moving = Moving(Side(source), Side(target), write=write, ends=ends)
    places = [(each.name, each.region, each.profile) for each in (source, target)]
    same = [repeat(each) for each in (*places, write, ends)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for name in [*(name for name, prefix in BUCKETS.items() if prefix), *TABLES]:
            if processes == 1 or name in BUCKETS:
                found[name] = do(moving, Share(name, threads))
            else:
                found[name] = Counter()
                shares = [Share(name, threads, n, processes) for n in range(processes)]
                for counted, (read, written) in pool.map(do_alone, shares, *same):
                    found[name] += counted
                    source.calls += read
                    target.calls += written
            tell(name, found[name])
    return found


def tell(name: str, counted: Counter[str]) -> None:
    first = (*COMPARED, WAIT, LOST)
    told = [f"{counted[what]} {what}" for what in first if counted[what]] or ["nothing"]
    left = ", ".join(
        f"{number} {what}"
        for what, number in sorted(counted.items())
        if number and what not in (*first, THERE)
    )
    say(f"{name}: {'; '.join(told)}" + (f"; left: {left}" if left else ""))


def move(source: Stack, target: Stack, *, yes: bool, processes: int = 1, threads: int = 16) -> None:
    """Bring everything into the target, then compare.

    Raises:
        Refused: the target holds something else, or not all has come there.
    """
    began = mark(source, target) if yes else int(time.time())
    # What expires while this runs would be looked for in vain.
    how = {"ends": began + DAY, "processes": processes, "threads": threads}
    if yes:
        say("Bringing:")
        go_through(source, target, write=True, **how)
        say("Comparing:")
    found = go_through(source, target, write=False, **how)
    for stack in (source, target):
        called = ", ".join(f"{number} {call}" for call, number in sorted(stack.calls.items()))
        say(f"Called of {stack.name}: {called}")
    if not yes:
        say("Nothing was done: add --yes.")
        return
    if wrong := list(problems(found)):
        raise Refused("\n".join([*wrong, "Not all is there and nothing else: run this again."]))
    target.client("dynamodb").delete_item(TableName=target.resource("KeysTable"), Key=MARK)
    say("All is there, and nothing else.")


def problems(found: dict[str, Counter[str]]) -> Iterator[str]:
    """Why a comparison does not show a whole move."""
    for name, counted in found.items():
        for what in ("missing", "different", WAIT, LOST):
            if counted[what]:
                yield f"{name}: {counted[what]} {what}"
        there = counted[THERE] - (name == "KeysTable")  # the mark
        came = counted["the same"] + counted["different"]
        if there != came:
            yield f"{name}: holds {there}, of which {came} came from there"


def mark(source: Stack, target: Stack) -> int:
    """Note in an empty target from where a move begins; when it began.

    Raises:
        Refused: it is not empty, and not by an earlier run of the same move.
    """
    origin, place = source.described()["StackId"], target.described()["StackId"]
    if origin == place:
        raise Refused("That is one stack.")
    dynamodb, s3 = target.client("dynamodb"), target.client("s3")
    keys = target.resource("KeysTable")
    begun = dynamodb.get_item(TableName=keys, Key=MARK, ConsistentRead=True).get("Item")
    if begun is None:
        full = [name for name in TABLES if dynamodb.scan(
            TableName=target.resource(name), Limit=1, ConsistentRead=True)["Items"]]  # fmt: skip
        full += [
            name
            for name, prefix in BUCKETS.items()
            if prefix
            and s3.list_objects_v2(Bucket=target.resource(name), Prefix=prefix, MaxKeys=1)[
                "KeyCount"
            ]
        ]
        if full:
            raise Refused(f"{target.name} is not empty: {', '.join(full)}.")
        begun = {**MARK, "from": {"S": origin}, "began": {"N": str(int(time.time()))}}
        dynamodb.put_item(TableName=keys, Item=begun)
    elif begun["from"]["S"] != origin:
        raise Refused(f"{target.name} has a part of another stack: {begun['from']['S']}.")
    return int(begun["began"]["N"])


def main(arguments: list[str] | None = None) -> int:
    """Move, or tell; 0 when it is done or told, 1 when it was refused or is not whole."""
    described = argparse.ArgumentParser(
        prog="./medkarta move", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    described.add_argument("stack", metavar="STACK")
    described.add_argument("new", metavar="NEW_STACK")
    described.add_argument("--to-region", metavar="REGION", help="where the new stack is")
    described.add_argument("--to-profile", metavar="PROFILE", help="whose the new stack is")
    described.add_argument("--processes", type=int, default=1, help="side by side (1)")
    described.add_argument("--threads", type=int, default=16, help="of each process (16)")
    described.add_argument("--yes", action="store_true", help="do it")
    given = described.parse_args(arguments)
    source = Stack(given.stack)
    target = Stack(given.new, region=given.to_region, profile=given.to_profile)
    try:
        move(source, target, yes=given.yes, processes=given.processes, threads=given.threads)
    except (Refused, ClientError, BotoCoreError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    finally:
        source.close()
        target.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
