"""DynamoDB in process, as much of it as counters, codes and challenges ask for; a queue and a key.

A hundred times quicker than moto, for the mutation run, which repeats tests a thousand times. What
runs on this also runs on moto in `make test`, so that the two say the same. What it does not know
it refuses, as DynamoDB does: nothing passes for want of a feature.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from kernel.dynamo import from_value, to_value

_TOKEN = re.compile(r"\s*(?:([A-Za-z_][A-Za-z0-9_]*|[:#][A-Za-z0-9_]+|<=|>=|<>|[=<>(),+-])|(\S))")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "<>": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}
_ABSENT = object()
Item = dict[str, Any]


def _refused(code: str, operation: str, **more: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}, **more}
    return ClientError(answer, operation)


class _Expression:
    """One expression, read from left to right over an item and the request's values."""

    def __init__(self, text: str, item: Item, request: Mapping[str, Any], used: set[str]) -> None:
        self._tokens: list[str] = []
        for token, wrong in _TOKEN.findall(text):
            if wrong:
                raise _refused("ValidationException", "Expression")
            self._tokens.append(token)
        self._item = item
        self._values = request.get("ExpressionAttributeValues", {})
        self._names = request.get("ExpressionAttributeNames", {})
        self._used = used

    def condition(self) -> bool:
        found = self._either()
        self._end()
        return found

    def update(self) -> Item:
        """The item after the clauses; each reads the item as it was before."""
        after = dict(self._item)
        while self._tokens:
            match self._take().upper():
                case "SET":
                    for name in self._list():
                        self._expect("=")
                        after[name] = to_value(self._sum())
                case "REMOVE":
                    for name in self._list():
                        after.pop(name, None)
                case _:
                    raise _refused("ValidationException", "UpdateItem")
        return after

    def _list(self) -> Any:
        yield self._name()
        while self._tokens[:1] == [","]:
            self._take()
            yield self._name()

    def _sum(self) -> Any:
        found = self._operand()
        while self._tokens[:1] in (["+"], ["-"]):
            sign = 1 if self._take() == "+" else -1
            other = self._operand()
            if type(found) is not int or type(other) is not int:
                raise _refused("ValidationException", "UpdateItem")
            found += sign * other
        if found is _ABSENT:
            raise _refused("ValidationException", "UpdateItem")
        return found

    def _operand(self) -> Any:
        if self._tokens[:2] == ["if_not_exists", "("]:
            self._take()
            self._take()
            there = self._value()
            self._expect(",")
            other = self._operand()
            self._expect(")")
            return other if there is _ABSENT else there
        return self._value()

    def _either(self) -> bool:
        found = self._both()
        while self._word("OR"):
            other = self._both()
            found = found or other
        return found

    def _both(self) -> bool:
        found = self._term()
        while self._word("AND"):
            other = self._term()
            found = found and other
        return found

    def _term(self) -> bool:
        if self._word("NOT"):
            return not self._term()
        if self._tokens[:1] == ["("]:
            self._take()
            found = self._either()
            self._expect(")")
            return found
        if self._tokens[:1] in (["attribute_exists"], ["attribute_not_exists"]):
            wanted = self._take() == "attribute_exists"
            self._expect("(")
            there = self._name() in self._item
            self._expect(")")
            return there is wanted
        left, sign, right = self._value(), self._take(), self._value()
        if sign not in _COMPARE:
            raise _refused("ValidationException", "Expression")
        if type(left) is not type(right):
            return sign == "<>"
        return left is not _ABSENT and _COMPARE[sign](left, right)

    def _value(self) -> Any:
        if self._tokens and self._tokens[0].startswith(":"):
            token = self._take()
            if token not in self._values:
                raise _refused("ValidationException", "Expression")
            self._used.add(token)
            return from_value(self._values[token])
        name = self._name()
        return from_value(self._item[name]) if name in self._item else _ABSENT

    def _name(self) -> str:
        token = self._take()
        if token.startswith("#"):
            if token not in self._names:
                raise _refused("ValidationException", "Expression")
            self._used.add(token)
            return str(self._names[token])
        if not token[0].isalpha() and token[0] != "_":
            raise _refused("ValidationException", "Expression")
        return token

    def _word(self, word: str) -> bool:
        if self._tokens and self._tokens[0].upper() == word:
            self._take()
            return True
        return False

    def _expect(self, token: str) -> None:
        if self._take() != token:
            raise _refused("ValidationException", "Expression")

    def _take(self) -> str:
        if not self._tokens:
            raise _refused("ValidationException", "Expression")
        return self._tokens.pop(0)

    def _end(self) -> None:
        if self._tokens:
            raise _refused("ValidationException", "Expression")


class Tables:
    """A client of DynamoDB whose tables have the keys `pk` and `sk`."""

    def __init__(self, *names: str) -> None:
        self._tables: dict[str, dict[tuple[str, str], Item]] = {name: {} for name in names}

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool) -> dict[str, Any]:
        found = self._table(TableName).get(_key(Key))
        return {"Item": dict(found)} if found else {}

    def put_item(self, **request: Any) -> dict[str, Any]:
        self._write({"Put": request})
        return {}

    def update_item(self, *, ReturnValues: str, **request: Any) -> dict[str, Any]:
        self._write({"Update": request})
        return {"Attributes": dict(self._table(request["TableName"])[_key(request["Key"])])}

    def delete_item(self, **request: Any) -> dict[str, Any]:
        self._write({"Delete": request})
        return {}

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        lost = [self._judged(action) for action in TransactItems]
        if any(lost):
            reasons = [{"Code": "ConditionalCheckFailed"} if each else {} for each in lost]
            raise _refused(
                "TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons
            )
        for action in TransactItems:
            self._write(action)
        return {}

    def _table(self, name: str) -> dict[tuple[str, str], Item]:
        if name not in self._tables:
            raise _refused("ResourceNotFoundException", "Table")
        return self._tables[name]

    def _judged(self, action: dict[str, Any]) -> bool:
        """Whether the action's condition is lost; an expression that is wrong is refused first."""
        ((kind, request),) = action.items()
        there = self._table(request["TableName"]).get(_key(request.get("Key") or request["Item"]))
        used: set[str] = set()
        condition = request.get("ConditionExpression")
        met = condition is None or _Expression(condition, there or {}, request, used).condition()
        if kind == "Update" and met:
            before = there or dict(request["Key"])
            _Expression(request["UpdateExpression"], before, request, used).update()
        given = {
            *request.get("ExpressionAttributeValues", {}),
            *request.get("ExpressionAttributeNames", {}),
        }
        if met and given != used:
            raise _refused("ValidationException", kind)
        return not met

    def _write(self, action: dict[str, Any]) -> None:
        ((kind, request),) = action.items()
        table = self._table(request["TableName"])
        if self._judged(action):
            raise _refused("ConditionalCheckFailedException", kind)
        if kind == "Put":
            table[_key(request["Item"])] = dict(request["Item"])
        elif kind == "Update":
            key = _key(request["Key"])
            before = table.get(key) or dict(request["Key"])
            update = _Expression(request["UpdateExpression"], before, request, set())
            table[key] = update.update()
        elif kind == "Delete":
            table.pop(_key(request["Key"]), None)
        else:
            raise _refused("ValidationException", kind)


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


class Macs:
    """A client of KMS that has one key for message authentication codes."""

    def generate_mac(self, *, KeyId: str, MacAlgorithm: str, Message: bytes) -> dict[str, bytes]:
        assert MacAlgorithm == "HMAC_SHA_256"
        return {"Mac": hmac.digest(KeyId.encode(), Message, hashlib.sha256)}


class Queue:
    """A client of SQS that has one queue."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> dict[str, Any]:
        if not QueueUrl:
            raise _refused("QueueDoesNotExist", "SendMessage")
        self.bodies.append(MessageBody)
        return {}
