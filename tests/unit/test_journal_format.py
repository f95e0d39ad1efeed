"""docs/journal.md's test vectors hold for the writer and for the verifier."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from journal import chain
from verifier import checks

TEXT = (Path(__file__).parents[2] / "docs" / "journal.md").read_text("utf-8")
CARD = "01jd0000000000000000000000"
AT = "2026-11-23T04:42:36Z"
VECTORS = re.findall(r"`([0-9a-f]{64})` \|", TEXT)


@pytest.fixture(scope="module")
def row() -> Any:
    found = re.search(r"```json\n(.*?)\n```", TEXT, re.DOTALL)
    assert found
    return json.loads(found.group(1))


def test_the_row(row: Any) -> None:
    turned = dict(reversed(row.items()))
    assert chain.row_hash(row) == checks.hash_of_row(row) == VECTORS[0]
    assert chain.row_hash(turned) == checks.hash_of_row(turned) == VECTORS[0]


def test_the_links_and_the_heads(row: Any) -> None:
    sort = row["sk"]["S"]
    rows = [(sort, VECTORS[0]), (f"{sort}#OUTCOME", "a" * 64)]
    links, head = chain.extend(CARD, chain.Head(), rows, AT)
    assert [link.hash for link in links] == VECTORS[1:3]
    names = ("card_id", "seq", "row", "row_hash", "linked_at", "prev")
    assert [checks.hash_of_link({n: getattr(link, n) for n in names}) for link in links] == (
        VECTORS[1:3]
    )
    heads = [(CARD, head.seq, head.hash)]
    assert chain.heads_hash(heads) == checks.digest("heads", heads) == VECTORS[3]


def test_every_finding_is_explained() -> None:
    source = (Path(__file__).parents[2] / "verifier" / "checks.py").read_text("utf-8")
    codes = set(re.findall(r'Finding\(\s*"(\w+)"', source))
    assert len(codes) > 20
    assert codes == set(re.findall(r"`(\w+)`", TEXT.partition("## Findings")[2].partition("##")[0]))
