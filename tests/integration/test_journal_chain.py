"""The journal's chain: built without a queue of writers, and every kind of tampering is found."""

import ast
import copy
import json
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.gateway import Api, drain_stream, function, stream
from verifier import checks, sources
from verifier.__main__ import main
from verifier.checks import Finding, Limits

Json = dict[str, Any]
ENTRIES = 8


class Journaled:
    """A card of its own with entries in its journal."""

    def __init__(self) -> None:
        from kernel import clock, ids

        self.card_id = ids.time_ordered(clock.now())

    def act(self, count: int = 1, *, refused: bool = False) -> list[str]:
        """Write entries as the gate does; their sort keys."""
        from kernel import clock
        from kernel.identity import AccountId, CardId
        from kernel.journal import Journal

        journal, rows = Journal(os.environ["JOURNAL_TABLE"]), []
        for _ in range(count):
            entry = journal.entry(
                CardId(self.card_id),
                now=clock.now(),
                account_id=AccountId("account"),
                capacity="patient",
                action="read_own",
                section="visits",
            )
            journal.write(entry)
            if refused:
                journal.refused(entry, "consent_required")
            rows.append(f"ENTRY#{entry.entry_id}")
        return rows

    def data(self) -> sources.Data:
        journal, chain = os.environ["JOURNAL_TABLE"], os.environ["CHAIN_TABLE"]
        return sources.from_tables(journal, chain, os.environ["JOURNAL_BUCKET"], [self.card_id])

    def findings(self, data: sources.Data | None = None, **later: float) -> list[Finding]:
        """What the verifier says of this card, `later` from now."""
        data = data or self.data()
        limits = Limits(datetime.now(UTC) + timedelta(**later))
        report = checks.verify(
            data.journal, data.chain, data.checkpoints, jwks(), limits, frozenset({self.card_id})
        )
        assert {f.card for f in report.findings} <= {self.card_id, ""}
        return report.findings

    def codes(self, data: sources.Data | None = None, **later: float) -> set[str]:
        return {finding.code for finding in self.findings(data, **later)}

    def key(self, row: str) -> Json:
        return {"pk": {"S": f"CARD#{self.card_id}"}, "sk": {"S": row}}


def jwks() -> Json:
    answer = Api().get("/.well-known/jwks.json")
    assert answer.status == 200, answer
    keys: Json = answer.json
    return keys


def checkpoint() -> Json:
    made: Json = function("journal.checkpoints.handler")({}, None)
    return made


@pytest.fixture
def signed(aws: None) -> Journaled:
    """A card whose entries are all linked and signed."""
    return make_signed()


@pytest.fixture(scope="module")
def kept(aws: None) -> tuple[Journaled, sources.Data]:
    """One more, signed three times, and all that there is of it: to be copied."""
    card = make_signed()
    for _ in range(2):
        card.act(1)
        drain_stream("JournalTable")
        checkpoint()
    data = card.data()
    assert card.findings(data) == []
    return card, data


def make_signed() -> Journaled:
    card = Journaled()
    card.act(ENTRIES - 2)
    card.act(1, refused=True)
    card.act(1)
    drain_stream("JournalTable")
    checkpoint()
    assert card.findings() == []
    return card


def test_entries_and_outcomes_are_linked_and_signed(signed: Journaled) -> None:
    data = signed.data()
    links = [checks.plain(i) for i in data.chain if i["sk"]["S"].startswith("LINK#")]
    assert sorted(link["seq"] for link in links) == list(range(1, ENTRIES + 2))
    assert {link["row"] for link in links} == {item["sk"]["S"] for item in data.journal}
    assert signed.card_id in data.checkpoints[-1].versions[0].decode()
    assert signed.codes(days=3) == set()  # nothing of it grows old


def test_a_head_that_moved_meanwhile_waits_for_the_next_checkpoint(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from journal import repository

    monkeypatch.setattr(repository, "_AT_ONCE", 2)
    chains = repository.Chains(os.environ["CHAIN_TABLE"])
    cards = [Journaled() for _ in range(5)]
    for card in cards:
        card.act()
    drain_stream("JournalTable")
    heads = chains.heads(card.card_id for card in cards)
    cards[2].act()
    drain_stream("JournalTable")
    chains.settle(heads)
    assert chains.pending().keys() & heads.keys() == {cards[2].card_id}


def test_a_real_read_is_linked(aws: None) -> None:
    from tests.integration import desk_world

    patient = desk_world.clinic().patient()
    assert patient.api.get(f"/v1/cards/{patient.card_id}/summary").status == 403
    assert patient.api.get(f"/v1/cards/{patient.card_id}/journal").status == 200
    drain_stream("JournalTable")
    checkpoint()
    card = Journaled()
    card.card_id = patient.card_id
    assert card.findings() == []
    assert len(card.data().journal) >= 3


def test_the_same_records_twice_and_in_any_order_make_one_chain(aws: None) -> None:
    drain_stream("JournalTable")
    card = Journaled()
    card.act(30)
    records = stream("JournalTable")
    handler = function("journal.linker.handler")
    pieces = [records[start : start + 7] for start in range(0, len(records), 7)] * 3
    random.Random(4).shuffle(pieces)
    for piece in pieces:
        assert handler({"Records": piece}, None) == {"batchItemFailures": []}
    links = [i for i in card.data().chain if i["sk"]["S"].startswith("LINK#")]
    assert len(links) == 30
    assert card.findings() == []


def test_batches_of_one_card_at_once_do_not_fork(aws: None) -> None:
    drain_stream("JournalTable")
    card = Journaled()
    card.act(40)
    records = stream("JournalTable")
    handler = function("journal.linker.handler")
    pieces = [records[start : start + 8] for start in range(0, len(records), 4)]  # overlapping
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda piece: handler({"Records": piece}, None), pieces))
    for piece, answer in zip(pieces, answers, strict=True):
        if answer["batchItemFailures"]:  # Lambda sends those again
            assert handler({"Records": piece}, None) == {"batchItemFailures": []}
    links = [checks.plain(i) for i in card.data().chain if i["sk"]["S"].startswith("LINK#")]
    assert sorted(link["seq"] for link in links) == list(range(1, 41))
    assert card.findings() == []


def test_a_batch_that_cannot_be_linked_comes_again(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from journal import linker
    from kernel.errors import Unavailable

    drain_stream("JournalTable")
    card = Journaled()
    card.act(3)
    records = stream("JournalTable")

    def unavailable(*_: Any) -> None:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(linker.chains, "extend", unavailable)
        patch.setattr("time.sleep", lambda _: None)
        answer = linker.handler({"Records": records}, None)
    assert len(answer["batchItemFailures"]) == 3
    assert linker.handler({"Records": records}, None) == {"batchItemFailures": []}
    assert card.findings() == []


def test_an_entry_that_waits_for_its_link_is_no_finding_until_it_waited_too_long(
    aws: None,
) -> None:
    drain_stream("JournalTable")
    card = Journaled()
    card.act(2)
    data = card.data()
    report = checks.verify(
        data.journal,
        data.chain,
        data.checkpoints,
        jwks(),
        Limits(datetime.now(UTC)),
        frozenset({card.card_id}),
    )
    assert (report.findings, report.waiting) == ([], 2)
    assert card.codes(minutes=16) == {"row_not_linked"}
    drain_stream("JournalTable")
    assert card.codes(minutes=16) == set()
    assert card.codes(minutes=61) == {"not_signed"}


@pytest.mark.parametrize("change", ["edit", "delete"])
def test_an_entry_changed_before_it_was_linked_is_found_by_the_streams_image(
    aws: None, change: str
) -> None:
    drain_stream("JournalTable")
    card = Journaled()
    _, row, _ = card.act(3)
    if change == "edit":
        edit(card, row, "section", "results")
    else:
        boto3.client("dynamodb").delete_item(TableName="JournalTable", Key=card.key(row))
    drain_stream("JournalTable")
    expected = "row_changed" if change == "edit" else "row_missing"
    assert [(f.code, f.place) for f in card.findings()] == [(expected, row)]


def test_an_interrupted_checkpoint_is_taken_up_by_the_next_run(aws: None) -> None:
    from kernel import dynamo

    card = Journaled()
    card.act(2)
    drain_stream("JournalTable")
    table = os.environ["CHAIN_TABLE"]
    place = {"pk": "CHECKPOINTS", "sk": "HEAD"}
    before = dynamo.get(table, place)
    number = checkpoint()["number"]
    if before:
        dynamo.put(table, before)
    else:
        dynamo.delete(table, place)
    card.act(2)
    drain_stream("JournalTable")
    assert checkpoint()["number"] == number  # what lies in the bucket stands
    assert checkpoint() == {"number": number + 1, "count": 1}
    assert checkpoint() == {"number": number + 1, "count": 0}
    assert card.findings() == []


def test_checkpoints_lie_under_object_lock(aws: None) -> None:
    s3, bucket = boto3.client("s3"), os.environ["JOURNAL_BUCKET"]
    rule = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]["Rule"]
    assert rule["DefaultRetention"]["Mode"] == "COMPLIANCE"
    assert rule["DefaultRetention"]["Days"] == 30


# --- tampering with the tables -------------------------------------------------------------------


def edit(card: Journaled, row: str, name: str, value: str) -> None:
    boto3.client("dynamodb").update_item(
        TableName="JournalTable",
        Key=card.key(row),
        UpdateExpression="SET #n = :v",
        ExpressionAttributeNames={"#n": name},
        ExpressionAttributeValues={":v": {"S": value}},
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("account_id", "somebody else"), ("outcome", "done!"), ("at", "2020-01-01T00:00:00Z")],
)
def test_an_edited_field_is_found(signed: Journaled, name: str, value: str) -> None:
    row = rows_of(signed)[3]
    edit(signed, row, name, value)
    assert ("row_changed", row) in [(f.code, f.place) for f in signed.findings()]
    drain_stream("JournalTable")  # the stream tells of the change; the chain does not follow it
    assert "row_changed" in signed.codes()


def test_a_field_added_to_a_row_is_found(signed: Journaled) -> None:
    edit(signed, rows_of(signed)[0], "emergency", "no")
    assert signed.codes() == {"row_changed"}


@pytest.mark.parametrize("place", [0, 4, -1])
def test_a_deleted_row_is_found(signed: Journaled, place: int) -> None:
    row = rows_of(signed)[place]
    boto3.client("dynamodb").delete_item(TableName="JournalTable", Key=signed.key(row))
    assert ("row_missing", row) in [(f.code, f.place) for f in signed.findings()]


def test_a_deleted_outcome_is_found(signed: Journaled) -> None:
    row = next(i["sk"]["S"] for i in signed.data().journal if i["sk"]["S"].endswith("#OUTCOME"))
    boto3.client("dynamodb").delete_item(TableName="JournalTable", Key=signed.key(row))
    assert [(f.code, f.place) for f in signed.findings()] == [("row_missing", row)]


def test_two_rows_swapped_are_found(signed: Journaled) -> None:
    first, second = rows_of(signed)[1:3]
    items = {i["sk"]["S"]: i for i in signed.data().journal}
    for target, source in ((first, second), (second, first)):
        item = {**items[source], "sk": {"S": target}}
        boto3.client("dynamodb").put_item(TableName="JournalTable", Item=item)
    found = {(f.code, f.place) for f in signed.findings()}
    assert {("row_changed", first), ("row_changed", second)} <= found


def test_a_row_slipped_in_with_an_old_time_is_found(signed: Journaled) -> None:
    from kernel import ids

    yesterday = datetime.now(UTC) - timedelta(days=1)
    model = signed.data().journal[0]
    entry_id = ids.time_ordered(yesterday)
    item = {
        **model,
        "sk": {"S": f"ENTRY#{entry_id}"},
        "entry_id": {"S": entry_id},
        "at": {"S": yesterday.strftime("%Y-%m-%dT%H:%M:%SZ")},
    }
    boto3.client("dynamodb").put_item(TableName="JournalTable", Item=item)
    assert signed.codes() == {"row_not_linked"}
    drain_stream("JournalTable")
    assert signed.codes() == {"linked_late"}


def rows_of(card: Journaled) -> list[str]:
    return [i["sk"]["S"] for i in card.data().journal if not i["sk"]["S"].endswith("#OUTCOME")]


# --- tampering with chain and checkpoints, in a copy of all there is -----------------------------


def links_of(data: sources.Data) -> list[Json]:
    links = [item for item in data.chain if item["sk"]["S"].startswith("LINK#")]
    return sorted(links, key=lambda item: int(item["seq"]["N"]))


def head_of(data: sources.Data) -> Json:
    return next(i for i in data.chain if i["sk"]["S"] == "HEAD" and i["pk"]["S"][:5] == "CARD#")


def relink(data: sources.Data, links: list[Json]) -> None:
    """Make a chain that is whole in itself out of these links, as an intruder would."""
    previous = "0" * 64
    for seq, link in enumerate(links, 1):
        link["seq"] = {"N": str(seq)}
        link["prev"] = {"S": previous}
        previous = checks.hash_of_link(checks.plain(link))
        link["hash"] = {"S": previous}
    head = head_of(data)
    head["seq"], head["hash"] = {"N": str(len(links))}, {"S": previous}
    kept = {link["sk"]["S"] for link in links} | {"HEAD"}
    data.chain = [i for i in data.chain if i["sk"]["S"] in kept]
    rows = {link["row"]["S"] for link in links}
    data.journal = [item for item in data.journal if item["sk"]["S"] in rows]


def edit_a_link(data: sources.Data) -> None:
    links_of(data)[3]["row_hash"] = {"S": "f" * 64}


def delete_a_link(data: sources.Data) -> None:
    data.chain.remove(links_of(data)[3])


def delete_a_row_and_its_link(data: sources.Data) -> None:
    link = links_of(data)[3]
    data.chain.remove(link)
    data.journal = [item for item in data.journal if item["sk"] != link["row"]]


def delete_a_row_and_renumber(data: sources.Data) -> None:
    links = links_of(data)
    del links[3]
    for seq, link in enumerate(links, 1):
        link["seq"] = {"N": str(seq)}
    relinked = {link["sk"]["S"] for link in links} | {"HEAD"}
    data.chain = [i for i in data.chain if i["sk"]["S"] in relinked]


def swap_two_links(data: sources.Data) -> None:
    links = links_of(data)
    links[2]["seq"], links[3]["seq"] = links[3]["seq"], links[2]["seq"]


def edit_a_row_and_rebuild_the_chain(data: sources.Data) -> None:
    data.journal[2]["action"] = {"S": "nothing"}
    links = links_of(data)
    for link in links:
        if link["row"] == data.journal[2]["sk"]:
            link["row_hash"] = {"S": checks.hash_of_row(data.journal[2])}
    relink(data, links)


def swap_two_and_rebuild_the_chain(data: sources.Data) -> None:
    links = links_of(data)
    links[2], links[3] = links[3], links[2]
    relink(data, links)


def insert_one_and_rebuild_the_chain(data: sources.Data) -> None:
    links = links_of(data)
    item = copy.deepcopy(data.journal[0])
    item["sk"]["S"] = item["sk"]["S"][:-4] + "zzzz"
    item["entry_id"]["S"] = item["sk"]["S"].removeprefix("ENTRY#")
    link = copy.deepcopy(links[0])
    link["row"], link["row_hash"] = item["sk"], {"S": checks.hash_of_row(item)}
    link["sk"] = {"S": f"LINK#{item['sk']['S']}"}
    data.chain.append(link)
    data.journal.append(item)
    keep = [*data.journal]
    relink(data, [links[0], link, *links[1:]])
    data.journal = keep


def truncate_the_tail(data: sources.Data) -> None:
    """Rows, links and head, all to an older state: the tables look whole in themselves."""
    relink(data, links_of(data)[:-2])


def truncate_rows_and_links_only(data: sources.Data) -> None:
    for link in links_of(data)[-2:]:
        data.chain.remove(link)
        data.journal = [item for item in data.journal if item["sk"] != link["row"]]


def remove_the_card(data: sources.Data) -> None:
    data.chain, data.journal = [], []


def remove_the_head(data: sources.Data) -> None:
    data.chain.remove(head_of(data))


def change_a_checkpoint(data: sources.Data) -> None:
    last = data.checkpoints[-1]
    last.versions[0] = last.versions[0].replace(b",9,", b",8,").replace(b",10,", b",9,")
    document = json.loads(last.versions[0])
    document["heads"][0][2] = "0" * 64
    last.versions[0] = json.dumps(document).encode()


def forge_a_checkpoint(data: sources.Data) -> None:
    document = json.loads(data.checkpoints[-1].versions[0])
    header, payload, signature = document["statement"].split(".")
    flipped = ("B" if signature[5] != "B" else "C") + signature[6:]
    document["statement"] = f"{header}.{payload}.{signature[:5]}{flipped}"
    data.checkpoints[-1].versions[0] = json.dumps(document).encode()


def remove_the_last_checkpoints(data: sources.Data) -> None:
    del data.checkpoints[-2:]


def remove_a_checkpoint(data: sources.Data) -> None:
    del data.checkpoints[-2]


def write_over_a_checkpoint(data: sources.Data) -> None:
    data.checkpoints[-1].versions.append(data.checkpoints[0].versions[0])


def hide_a_checkpoint(data: sources.Data) -> None:
    data.checkpoints[-1].deleted = True


def swap_two_checkpoints(data: sources.Data) -> None:
    first, second = data.checkpoints[-2:]
    first.versions, second.versions = second.versions, first.versions


TAMPERING: list[tuple[Callable[[sources.Data], None], set[str]]] = [
    (edit_a_link, {"link_changed", "link_broken", "row_changed"}),
    (delete_a_link, {"gap", "row_not_linked"}),
    (delete_a_row_and_its_link, {"gap"}),
    (delete_a_row_and_renumber, {"link_broken", "link_changed", "tail_missing"}),
    (swap_two_links, {"link_changed", "link_broken"}),
    (edit_a_row_and_rebuild_the_chain, {"rewritten"}),
    (swap_two_and_rebuild_the_chain, {"rewritten"}),
    (insert_one_and_rebuild_the_chain, {"rewritten"}),
    (truncate_the_tail, {"rolled_back"}),
    (truncate_rows_and_links_only, {"tail_missing", "rolled_back"}),
    (remove_the_card, {"rolled_back"}),
    (remove_the_head, {"head_wrong"}),
    (change_a_checkpoint, {"checkpoint_changed"}),
    (forge_a_checkpoint, {"checkpoint_forged"}),
    (remove_the_last_checkpoints, {"checkpoint_gap"}),
    (remove_a_checkpoint, {"checkpoint_gap"}),
    (write_over_a_checkpoint, {"checkpoint_replaced"}),
    (hide_a_checkpoint, {"checkpoint_replaced"}),
    (swap_two_checkpoints, {"checkpoint_gap"}),
]


@pytest.mark.parametrize(("tamper", "codes"), TAMPERING, ids=[t.__name__ for t, _ in TAMPERING])
def test_tampering_is_found(
    kept: tuple[Journaled, sources.Data],
    tamper: Callable[[sources.Data], None],
    codes: set[str],
) -> None:
    card, data = kept[0], copy.deepcopy(kept[1])
    tamper(data)
    assert codes <= card.codes(data, minutes=16)


def test_a_rollback_of_both_tables_is_found(signed: Journaled) -> None:
    older = signed.data()
    signed.act(3)
    drain_stream("JournalTable")
    checkpoint()
    data = signed.data()
    data.chain, data.journal = older.chain, older.journal
    assert "rolled_back" in signed.codes(data)


def test_a_rollback_that_goes_on_and_is_signed_again_is_found(signed: Journaled) -> None:
    """The tables of a card are put back, then new entries hide it; the bucket remembers."""
    from kernel import dynamo

    older = signed.data()
    signed.act(3)
    drain_stream("JournalTable")
    checkpoint()
    client = boto3.client("dynamodb")
    for table, was in (("JournalTable", older.journal), ("ChainTable", older.chain)):
        now = dynamo.query_all(table, "pk = :pk", {":pk": f"CARD#{signed.card_id}"})
        for item in now:
            client.delete_item(TableName=table, Key=signed.key(item["sk"]))
        for wire in was:
            if wire["pk"]["S"] == f"CARD#{signed.card_id}":
                client.put_item(TableName=table, Item=wire)
    signed.act(1)
    drain_stream("JournalTable")
    checkpoint()
    assert {"rolled_back", "checkpoint_goes_back"} <= signed.codes() | {
        f.code for f in signed.findings() if f.card == signed.card_id
    }


# --- the command -------------------------------------------------------------------------------


def test_the_command_verifies_tables_and_exports(
    signed: Journaled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps(jwks()))
    live = ["--keys", str(keys), "--journal", "JournalTable", "--chain", "ChainTable"]
    live += ["--bucket", os.environ["JOURNAL_BUCKET"], "--card", signed.card_id, "--pause", "0"]
    export = tmp_path / "export"
    assert main([*live, "--save", str(export)]) == 0
    assert "whole" in capsys.readouterr().out
    kept = ["--keys", str(keys), "--export", str(export), "--card", signed.card_id]
    assert main(kept) == 0
    path = export / "journal.jsonl"
    path.write_text(path.read_text().replace("read_own", "read_nothing", 1))
    capsys.readouterr()
    assert main([*kept, "--json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["code"] == "row_changed"
    assert main(["--keys", str(keys), "--export", str(tmp_path / "nothing")]) == 2


def test_a_journal_that_nothing_has_signed_yet_is_told_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = tmp_path / "jwks.json"
    keys.write_text('{"keys": []}')
    for name in ("journal.jsonl", "chain.jsonl"):
        (tmp_path / name).touch()
    assert main(["--keys", str(keys), "--export", str(tmp_path)]) == 0
    assert "0 checkpoints\nwhole\n" in capsys.readouterr().out


def test_the_verifier_shares_no_code_with_the_writer() -> None:
    for path in (Path(__file__).parents[2] / "verifier").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.partition(".")[0] not in {
                    "kernel", "journal", "consent", "records", "clinic", "auth", "extracts",
                }, f"{path.name} imports {name}"  # fmt: skip
