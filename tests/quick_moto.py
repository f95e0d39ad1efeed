"""moto without those of its costs that grow with all that a test run has stored.

Its transactions copy every table that they name, whole, to be able to roll back: here they copy the
items that they name. Its queries sort all items of the table: here they look at those that have the
key. And it looks up each attribute of each item under several spellings of all ten DynamoDB types:
here an attribute value is written as it is. The methods of a service are listed once, not at
every call. What moto answers stays the same.
"""

import base64
import copy
from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest
from moto.core import responses
from moto.core.serialize import JSONSerializer
from moto.core.utils import method_names_from_class
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

_transact = DynamoDBBackend.transact_write_items
_query = Table.query
_serialize = JSONSerializer._serialize_type_structure


def apply(patch: pytest.MonkeyPatch) -> None:
    """Make moto quick until the patch is undone."""
    patch.setattr(DynamoDBBackend, "transact_write_items", _transact_write_items)
    patch.setattr(Table, "query", _query_by_key)
    patch.setattr(JSONSerializer, "_serialize_type_structure", _serialize_type_structure)
    patch.setattr(responses, "method_names_from_class", cache(method_names_from_class))


def _transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    named: dict[str, list[dict[str, Any]]] = {}
    for (operation,) in (item.values() for item in transact_items if len(item) == 1):
        key = operation.get("Key") or operation.get("Item") or {}
        named.setdefault(operation.get("TableName", ""), []).append(key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Table,
            "__deepcopy__",
            lambda table, memo: _backup(table, named[table.name]),
            raising=False,
        )
        _transact(self, transact_items)


def _backup(table: Table, keys: Iterable[dict[str, Any]]) -> Table:
    """The table as it is now, for a roll-back: its own copies of the items with these keys, the
    others shared."""
    twin = copy.copy(table)
    twin.items = copy.copy(table.items)
    for key in keys:
        hash_key = DynamoType(key[table.hash_key_attr])
        if table.range_key_attr is None:
            if hash_key in table.items:
                twin.items[hash_key] = copy.deepcopy(table.items[hash_key])
            continue
        if twin.items.get(hash_key) is table.items.get(hash_key):
            twin.items[hash_key] = dict(table.items.get(hash_key, {}))
        range_key = DynamoType(key[table.range_key_attr])
        if range_key in twin.items[hash_key]:
            twin.items[hash_key][range_key] = copy.deepcopy(twin.items[hash_key][range_key])
    if table.stream_shard is not None:
        twin.stream_shard = copy.copy(table.stream_shard)
        twin.stream_shard.table = twin
        twin.stream_shard.items = list(table.stream_shard.items)
    return twin


def _query_by_key(self: Table, hash_key: DynamoType, *args: Any, **kwargs: Any) -> Any:
    index = args[6] if len(args) > 6 else kwargs.get("index_name")
    if index is None:
        found = self.items.get(hash_key, {})
        items = list(found.values()) if isinstance(found, dict) else [found]
    else:
        stored: Any = self.items.values()
        if self.range_key_attr is not None:
            stored = (item for partition in stored for item in partition.values())
        keys = [(name, key.value) for name, key in kwargs["hash_key_conditions"]]
        items = [
            item
            for item in stored
            if all((value := item.attrs.get(name)) and value.value == key for name, key in keys)
        ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(self, "all_items", lambda: items, raising=False)
        return _query(self, hash_key, *args, **kwargs)


def _serialize_type_structure(
    self: JSONSerializer, serialized: Any, value: Any, shape: Any, key: str
) -> None:
    if shape.name == "AttributeValue" and isinstance(value, dict):
        serialized[key] = _attribute(value)
    else:
        _serialize(self, serialized, value, shape, key)


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    ((kind, inner),) = value.items()
    match kind:
        case "M":
            inner = {name: _attribute(each) for name, each in inner.items()}
        case "L":
            inner = [_attribute(each) for each in inner]
        case "B":
            inner = base64.b64encode(inner).decode()
        case "BS":
            inner = [base64.b64encode(each).decode() for each in inner]
    return {kind: inner}
