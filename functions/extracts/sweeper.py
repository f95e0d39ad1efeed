"""The sweeper: runs every minute and puts right what a broken run, message or request left.

It goes through the index `due` of the extracts table. A pending extract is queued again, at longer
and longer intervals, and given up after six hours; a file whose time is over is deleted and its
extract expired; files that a taken back, failed or twice made extract left are deleted.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from extracts import queue
from kernel import clock, dynamo, extracts, log, settings
from kernel.dynamo import Item
from kernel.errors import Unavailable
from kernel.identity import ExtractId

LONGEST_WAIT = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(hours=6)


class Settings(NamedTuple):
    extracts_table: str
    extracts_bucket: str
    extracts_queue_url: str


_settings = settings.load(Settings)


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Sweep what is due now; the numbers of extracts that were looked at and that failed."""
    now = clock.now()
    swept = failed = 0
    for key in _due(now):
        try:
            item = dynamo.get(_settings.extracts_table, key)
            if item is not None and item.get("due_sk", "~") <= clock.rfc3339(now) + "#~":
                sweep(item, now)
            swept += 1
        except (Unavailable, dynamo.ConditionFailed) as error:
            # One that cannot be put right now, or that changed meanwhile, must not stop the others.
            log.failure("extract not swept", error, extract_id=key["sk"].partition("#")[2])
            failed += 1
    return {"swept": swept, "failed": failed}


def sweep(item: Item, now: datetime) -> None:
    """Do for one extract what is due; safe to repeat.

    Raises:
        Unavailable: it comes again at the next run.
        ConditionFailed: it changed meanwhile.
    """
    if item["status"] == "pending":
        _push_on(item, now)
    elif item["status"] == "ready" and item["file_expires_at"] > clock.epoch(now):
        _clear_up(item)
    elif item["status"] == "ready":
        _expire(item)
    else:
        _clean(item)


def _push_on(item: Item, now: datetime) -> None:
    """Queue an order again, whose message was lost or whose making takes long; or give it up."""
    if datetime.fromisoformat(item["created_at"]) + GIVEN_UP_AFTER <= now:
        values = {":failed": "failed", ":error": "not_made", **_due_values(item, now)}
        _settle(
            item,
            "SET #status = :failed, #error = :error, due_pk = :due_pk, due_sk = :due_sk",
            values,
            {"#error": "error"},
        )
        log.info("extract given up", extract_id=item["extract_id"])
        return
    sweeps = item.get("sweeps", 0) + 1
    wait = min(queue.FIRST_AFTER * 2**sweeps, LONGEST_WAIT)
    values = {":sweeps": sweeps, **_due_values(item, now + wait)}
    _settle(item, "SET sweeps = :sweeps, due_pk = :due_pk, due_sk = :due_sk", values)
    queue.send(_settings.extracts_queue_url, item)
    log.info("extract queued again", extract_id=item["extract_id"], attempt=sweeps)


def _clear_up(item: Item) -> None:
    """Delete what runs other than the one that counts uploaded; then wait for the file's end."""
    left = item["files"] - {item["file"]}
    extracts.delete_files(_settings.extracts_bucket, sorted(left))
    end = datetime.fromisoformat(clock.from_epoch(item["file_expires_at"]))
    values = {":files": {item["file"]}, **_due_values(item, end)}
    _settle(item, "SET files = :files, due_pk = :due_pk, due_sk = :due_sk", values)


def _clean(item: Item) -> None:
    """Delete all that was uploaded for an extract that gives nothing out."""
    files = item.get("files")
    if not files:
        _settle(item, "REMOVE due_pk, due_sk")
        return
    extracts.delete_files(_settings.extracts_bucket, sorted(files))
    _settle(item, "REMOVE due_pk, due_sk DELETE files :files", {":files": files})


def _expire(item: Item) -> None:
    extracts.delete_files(_settings.extracts_bucket, sorted(item["files"]))
    change = "SET #status = :expired REMOVE due_pk, due_sk, files"
    _settle(item, change, {":expired": "expired"})


def _settle(
    item: Item,
    change: str,
    values: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
) -> None:
    """Change an item if its state is still the one that was read. Raises ConditionFailed."""
    dynamo.update(
        _settings.extracts_table,
        extracts.key_of(item),
        change,
        {**(values or {}), ":status": item["status"], ":seen": item["due_sk"]},
        condition="#status = :status AND due_sk = :seen",
        names={**(names or {}), "#status": "status"},
    )


def _due_values(item: Item, at: datetime) -> dict[str, str]:
    due = extracts.due(ExtractId(item["extract_id"]), at)
    return {f":{name}": value for name, value in due.items()}


def _due(now: datetime) -> Iterator[dict[str, str]]:
    """The keys of all extracts that are due."""
    for shard in range(extracts.SHARDS):
        found = dynamo.query_all(
            _settings.extracts_table,
            "due_pk = :shard AND due_sk <= :now",
            {":shard": extracts.due_partition(shard), ":now": f"{clock.rfc3339(now)}#~"},
            index="due",
            consistent=False,
        )
        yield from ({"pk": item["pk"], "sk": item["sk"]} for item in found)
