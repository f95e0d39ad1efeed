"""DynamoDB in plain Python values, and its failures as facts.

Strings, whole numbers, booleans, None, bytes, lists, dicts and sets of strings are all that our
items hold, so the conversion is small; boto3's own costs twice the time and the import of boto3.
"""

import time
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from kernel import aws, log
from kernel.errors import Unavailable

Item = dict[str, Any]
Key = Mapping[str, str]


class ConditionFailed(Exception):
    """A conditional write lost. `old` is the item that stood there, where DynamoDB told it."""

    def __init__(self, olds: Sequence[Item | None]) -> None:
        super().__init__("condition failed")
        self.olds = list(olds)

    @property
    def old(self) -> Item | None:
        return next((old for old in self.olds if old), None)


def to_value(value: Any) -> dict[str, Any]:
    """One attribute value in DynamoDB's wire form."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case set() | frozenset():
            return {"SS": sorted(value)}
        case Mapping():
            return {"M": to_item(value)}
        case list() | tuple():
            return {"L": [to_value(each) for each in value]}
    raise TypeError(f"no DynamoDB type for {type(value).__name__}")


def from_value(value: Mapping[str, Any]) -> Any:
    """The Python value of one attribute in wire form."""
    ((kind, raw),) = value.items()
    match kind:
        case "S" | "BOOL":
            return raw
        case "N":
            return int(raw)
        case "B":
            # Base64 in answers (aws.dynamodb), bytes where botocore has parsed: in errors.
            return b64decode(raw) if isinstance(raw, str) else bytes(raw)
        case "NULL":
            return None
        case "SS":
            return set(raw)
        case "M":
            return from_item(raw)
        case "L":
            return [from_value(each) for each in raw]
    raise TypeError(f"DynamoDB type {kind} is not in use here")


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to_value(value) for name, value in values.items()}


def from_item(item: Mapping[str, Any]) -> Item:
    return {name: from_value(value) for name, value in item.items()}


@contextmanager
def failures() -> Iterator[None]:
    """Translate AWS failures: a lost condition is a fact, all else is `Unavailable`."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ConditionalCheckFailedException":
            old: Any = error.response.get("Item")
            raise ConditionFailed([from_item(old) if old else None]) from error
        if code == "TransactionCanceledException":
            reasons: list[Any] = error.response.get("CancellationReasons") or []
            codes = {reason.get("Code") for reason in reasons} - {None, "None"}
            # A conflict with a running transaction is not an answer to the condition.
            if codes == {"ConditionalCheckFailed"}:
                raise ConditionFailed(
                    [from_item(r["Item"]) if r.get("Item") else None for r in reasons]
                ) from error
        log.failure("aws refused", error, action=error.operation_name, code=code)
        raise Unavailable from error
    except BotoCoreError as error:
        log.failure("aws did not answer", error)
        raise Unavailable from error


def get(table: str, key: Key) -> Item | None:
    """One item, strongly consistent."""
    with failures():
        answer = aws.dynamodb().get_item(TableName=table, Key=to_item(key), ConsistentRead=True)
    return from_item(answer["Item"]) if "Item" in answer else None


class Lookup(NamedTuple):
    """One item to read in a batch: the table, and its key's two values."""

    table: str
    pk: str
    sk: str


def batch_get(lookups: Iterable[Lookup]) -> dict[Lookup, Item]:
    """Up to any number of items from several tables, strongly consistent; absent ones left out.

    Keys that the service leaves unprocessed are asked for twice more.

    Raises:
        Unavailable: some were still unprocessed.
    """
    found: dict[Lookup, Item] = {}
    waiting = list(dict.fromkeys(lookups))
    while waiting:
        chunk, waiting = waiting[:100], waiting[100:]
        request: dict[str, Any] = {}
        for each in chunk:
            table = request.setdefault(each.table, {"Keys": [], "ConsistentRead": True})
            table["Keys"].append({"pk": {"S": each.pk}, "sk": {"S": each.sk}})
        for attempt in range(3):
            _pause(attempt)
            with failures():
                answer = aws.dynamodb().batch_get_item(RequestItems=request)
            for table_name, items in answer["Responses"].items():
                for raw in items:
                    item = from_item(raw)
                    found[Lookup(table_name, item["pk"], item["sk"])] = item
            request = dict(answer.get("UnprocessedKeys") or {})
            if not request:
                break
        else:
            raise Unavailable
    return found


class Page(NamedTuple):
    """Items of one Query call, and where the next one starts."""

    items: list[Item]
    next_key: Item | None


def query(
    table: str,
    condition: str,
    values: Mapping[str, Any],
    *,
    index: str | None = None,
    limit: int | None = None,
    forward: bool = True,
    start: Mapping[str, Any] | None = None,
    filter: str | None = None,
    names: Mapping[str, str] | None = None,
    projection: str | None = None,
    consistent: bool = True,
) -> Page:
    """One Query call. `consistent` must be off for a global index."""
    request: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": to_item(values),
        "ScanIndexForward": forward,
        "ConsistentRead": consistent,
    }
    if index:
        request["IndexName"] = index
    if limit:
        request["Limit"] = limit
    if start:
        request["ExclusiveStartKey"] = to_item(start)
    if filter:
        request["FilterExpression"] = filter
    if projection:
        request["ProjectionExpression"] = projection
    if names:
        request["ExpressionAttributeNames"] = dict(names)
    with failures():
        answer = aws.dynamodb().query(**request)
    last = answer.get("LastEvaluatedKey")
    return Page([from_item(item) for item in answer["Items"]], from_item(last) if last else None)


def query_all(table: str, condition: str, values: Mapping[str, Any], **options: Any) -> list[Item]:
    """Every item of a Query, page after page: for partitions that are small by nature."""
    items: list[Item] = []
    start: Mapping[str, Any] | None = None
    while True:
        page = query(table, condition, values, start=start, **options)
        items += page.items
        if page.next_key is None:
            return items
        start = page.next_key


def put(
    table: str,
    item: Mapping[str, Any],
    *,
    condition: str | None = None,
    values: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
) -> None:
    """Put one item.

    Raises:
        ConditionFailed: with the item that stood there.
    """
    with failures():
        aws.dynamodb().put_item(**put_request(table, item, condition, values, names))


def put_request(
    table: str,
    item: Mapping[str, Any],
    condition: str | None = None,
    values: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
) -> Any:
    """The arguments of a Put, alone or inside a transaction."""
    request: dict[str, Any] = {"TableName": table, "Item": to_item(item)}
    return request | _condition(condition, values, names)


def update_request(
    table: str,
    key: Key,
    update: str,
    values: Mapping[str, Any] | None = None,
    *,
    condition: str | None = None,
    names: Mapping[str, str] | None = None,
) -> Any:
    """The arguments of an Update, alone or inside a transaction."""
    request: dict[str, Any] = {
        "TableName": table,
        "Key": to_item(key),
        "UpdateExpression": update,
    }
    return request | _condition(condition, values, names)


def delete_request(
    table: str,
    key: Key,
    *,
    condition: str | None = None,
    values: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
) -> Any:
    """The arguments of a Delete, alone or inside a transaction."""
    request: dict[str, Any] = {"TableName": table, "Key": to_item(key)}
    return request | _condition(condition, values, names)


def check_request(
    table: str,
    key: Key,
    condition: str,
    values: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
) -> Any:
    """The arguments of a ConditionCheck inside a transaction."""
    request: dict[str, Any] = {"TableName": table, "Key": to_item(key)}
    return request | _condition(condition, values, names)


def _condition(
    condition: str | None, values: Mapping[str, Any] | None, names: Mapping[str, str] | None
) -> dict[str, Any]:
    request: dict[str, Any] = {}
    if condition:
        request["ConditionExpression"] = condition
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    if values:
        request["ExpressionAttributeValues"] = to_item(values)
    if names:
        request["ExpressionAttributeNames"] = dict(names)
    return request


def update(
    table: str,
    key: Key,
    expression: str,
    values: Mapping[str, Any] | None = None,
    *,
    condition: str | None = None,
    names: Mapping[str, str] | None = None,
) -> Item:
    """Update one item and return it as it stands after.

    Raises:
        ConditionFailed: with the item that stood there.
    """
    request = update_request(table, key, expression, values, condition=condition, names=names)
    with failures():
        answer = aws.dynamodb().update_item(**request, ReturnValues="ALL_NEW")
    return from_item(answer["Attributes"])


def delete(
    table: str,
    key: Key,
    *,
    condition: str | None = None,
    values: Mapping[str, Any] | None = None,
) -> None:
    """Delete one item, whether it is there or not. Raises ConditionFailed."""
    with failures():
        aws.dynamodb().delete_item(**delete_request(table, key, condition=condition, values=values))


def transact(*actions: Mapping[str, Any]) -> None:
    """Write all or nothing: up to 100 of `{"Put": put_request(...)}`, Update, Delete, Check.

    Raises:
        ConditionFailed: with the old items, in the order of the actions.
        Unavailable: a conflict with another transaction, or the service did not answer.
    """
    with failures():
        aws.dynamodb().transact_write_items(TransactItems=list(actions))  # type: ignore[arg-type]


def batch_put(table: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Put many items, 25 a call, in no order and without conditions.

    Raises:
        Unavailable: some were still unprocessed; the caller's items may be partly written.
    """
    for start in range(0, len(items), 25):
        request: dict[str, Any] = {
            table: [{"PutRequest": {"Item": to_item(i)}} for i in items[start : start + 25]]
        }
        for attempt in range(6):
            _pause(attempt)
            with failures():
                answer = aws.dynamodb().batch_write_item(RequestItems=request)
            request = _again(answer.get("UnprocessedItems") or {})
            if not request:
                break
        else:
            raise Unavailable


def _again(unprocessed: Mapping[str, Any]) -> dict[str, Any]:
    """Puts that an answer gives back, as a request: what is binary is base64 in answers alone."""
    return {
        table: [
            {"PutRequest": {"Item": to_item(from_item(each["PutRequest"]["Item"]))}}
            for each in puts
        ]
        for table, puts in unprocessed.items()
    }


def _pause(attempt: int) -> None:
    """Wait before trying again what was left unprocessed: 0, 50, 100, 200 … ms."""
    if attempt:
        time.sleep(0.05 * 2 ** (attempt - 1))
