"""Do readers of one card wait for each other at the journal? Measured on the local platform.

python -m bench.journal

Three ways to keep the journal, each with 1 to 16 readers of one card at once:
  off     an entry is written, nothing is chained
  stream  the same, while the linker chains the entries from the table's stream (what we do)
  inline  each reader extends the chain itself, in the transaction of its entry (what we do not do)
Times are of the entry's write alone, in milliseconds, after a warm-up; `lag` is how long after the
last entry the last link stood. The emulator is one process, so what the linker asks of it beside
the readers counts against `stream` here, and not on AWS.
"""

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
READERS = (1, 2, 4, 8, 16)
WRITES = 120
ROUNDS = 3
JOURNAL, CHAIN, PLAIN = "journal", "chain", "journal-without-a-stream"


def main() -> int:
    """Start a platform of its own, measure, print the table."""
    sys.path.insert(0, str(ROOT / "functions"))
    from local import deploy, stack

    with tempfile.TemporaryDirectory() as folder, stack._platform(Path(folder), keep=False) as url:
        os.environ |= {
            "AWS_ENDPOINT_URL": url,
            "AWS_DEFAULT_REGION": deploy.REGION,
            "AWS_ACCESS_KEY_ID": deploy.CREDENTIALS[0],
            "AWS_SECRET_ACCESS_KEY": deploy.CREDENTIALS[1],
            "CHAIN_TABLE": CHAIN,
        }
        _create_tables()
        for table in (JOURNAL, PLAIN):
            _write(_entry(table, "warm"), 4)
        linker = multiprocessing.get_context("spawn").Process(target=_consume, daemon=True)
        linker.start()
        print(f"{'readers':>7}  {'off':^22}  {'stream':^22}  {'inline':^29}")
        print(
            " " * 9
            + "".join(f"{'p50':>7}{'p95':>7}{'per s':>8}  " for _ in range(3))
            + "tries  lag s"
        )
        for readers in READERS:
            off = [_write(_entry(PLAIN, f"off-{readers}-{n}"), readers) for n in range(ROUNDS)]
            on = [_write(_entry(JOURNAL, f"on-{readers}-{n}"), readers) for n in range(ROUNDS)]
            lag = _linked(f"on-{readers}-{ROUNDS - 1}")
            tries: list[int] = []
            inline = [
                _write(_inline_entry(f"in-{readers}-{n}", tries), readers) for n in range(ROUNDS)
            ]
            columns = "".join(_column(rounds) for rounds in (off, on, inline))
            print(f"{readers:>7}  {columns}{statistics.mean(tries):>5.1f}{lag:>7.1f}", flush=True)
        linker.terminate()
        linker.join()
    return 0


Measured = tuple[list[float], float]


def _column(rounds: list[Measured]) -> str:
    """The median round's figures."""
    times, seconds = sorted(rounds, key=lambda each: each[1])[len(rounds) // 2]
    ordered = sorted(times)
    p50, p95 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    return f"{p50 * 1000:>7.1f}{p95 * 1000:>7.1f}{len(times) / seconds:>8.0f}  "


def _write(entry: Callable[[], None], readers: int) -> Measured:
    """Write entries by so many readers at once: each one's seconds, and all together."""

    def timed(_: int) -> float:
        started = time.perf_counter()
        entry()
        return time.perf_counter() - started

    with ThreadPoolExecutor(readers) as pool:
        started = time.perf_counter()
        times = list(pool.map(timed, range(WRITES)))
        return times, time.perf_counter() - started


def _new_entry(card: str) -> Any:
    from kernel import clock
    from kernel.identity import AccountId, CardId
    from kernel.journal import Journal

    return Journal(JOURNAL).entry(
        CardId(card),
        now=clock.now(),
        account_id=AccountId("account"),
        capacity="clinician",
        action="read_as_clinician",
        section="visits",
    )


def _entry(table: str, card: str) -> Callable[[], None]:
    from kernel.journal import Journal

    return lambda: Journal(table).write(_new_entry(card))


def _inline_entry(card: str, tries: list[int]) -> Callable[[], None]:
    from journal.chain import extend, row_hash
    from journal.repository import Chains
    from kernel import clock, dynamo
    from kernel.errors import Unavailable

    chains = Chains(CHAIN)

    def write() -> None:
        entry = _new_entry(card)
        item = entry.item()
        hashed = row_hash(dynamo.to_item(item))
        for attempt in range(1, 1000):
            head, _ = chains.read(card, [])
            links, new = extend(card, head, [(item["sk"], hashed)], clock.rfc3339(clock.now()))
            try:
                chains.extend(head, links, new)
            except (dynamo.ConditionFailed, Unavailable):
                continue
            tries.append(attempt)
            dynamo.put(PLAIN, item)
            return

    return write


def _consume() -> None:
    """The stream's consumer, in a process of its own as on Lambda: link until ended."""
    sys.path.insert(0, str(ROOT / "functions"))
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # log lines
    for records in _records():
        _link(records)


def _records() -> Any:
    from botocore.session import get_session

    streams: Any = get_session().create_client("dynamodbstreams")
    (found,) = streams.list_streams(TableName=JOURNAL)["Streams"]
    arn = found["StreamArn"]
    shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterators = [
        streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        for shard in shards
    ]
    while True:
        got = []
        for place, iterator in enumerate(iterators):
            page = streams.get_records(ShardIterator=iterator, Limit=100)
            iterators[place] = page["NextShardIterator"]
            got += page["Records"]
        if got:
            yield got
        else:
            time.sleep(0.2)


def _link(records: list[Any]) -> None:
    from journal import linker

    linker.handler({"Records": records}, None)


def _linked(card: str) -> float:
    """Seconds until every entry of a card is linked; fails after two minutes."""
    from kernel import dynamo

    started = time.monotonic()
    while time.monotonic() < started + 120:
        head = dynamo.get(CHAIN, {"pk": f"CARD#{card}", "sk": "HEAD"}) or {"seq": 0}
        if head["seq"] == WRITES:
            return time.monotonic() - started
        time.sleep(0.05)
    raise RuntimeError(f"{head['seq']} of {WRITES} entries were linked")


def _create_tables() -> None:
    from kernel import aws

    for name in (JOURNAL, CHAIN, PLAIN):
        streams: Any = {}
        if name == JOURNAL:
            view = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
            streams = {"StreamSpecification": view}
        aws.dynamodb().create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            **streams,
        )


if __name__ == "__main__":
    sys.exit(main())
