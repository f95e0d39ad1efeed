"""What docs/journal.md demands of rows, links and checkpoints, and every way to break it."""

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

Json = dict[str, Any]
ZEROS = "0" * 64
BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"
CHECKPOINT_TYPE = "medkarta-journal-checkpoint+jwt"
# Machines' clocks differ by less.
SKEW = timedelta(minutes=2)


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong: which rule, at which card, where exactly."""

    code: str
    card: str
    place: str
    detail: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.code, self.card, self.place, self.detail) if part)


@dataclass
class Limits:
    """How long an entry may wait for its link, and a link for its checkpoint."""

    now: datetime
    link: timedelta = timedelta(minutes=15)
    checkpoint: timedelta = timedelta(hours=1)


@dataclass
class Checkpoint:
    """One file of the bucket: every version that it has, the oldest first."""

    key: str
    versions: list[bytes]
    deleted: bool = False


@dataclass
class Card:
    """All that the two tables hold on one card."""

    rows: dict[str, Json] = field(default_factory=dict)
    links: list[Json] = field(default_factory=list)
    head: Json | None = None
    foreign: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What was looked at, and what is wrong."""

    findings: list[Finding] = field(default_factory=list)
    cards: int = 0
    entries: int = 0
    linked: int = 0
    waiting: int = 0
    checkpoints: int = 0
    signed_until: datetime | None = None


# --- the format -----------------------------------------------------------------------------------


def encode(value: Any) -> str:
    """Canonical JSON (RFC 8785) of strings, whole numbers, booleans, lists and objects."""
    if isinstance(value, Mapping):
        # RFC 8785 sorts by UTF-16 code units.
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{encode(n)}:{encode(value[n])}" for n in names) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(encode, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def digest(label: str, value: Any) -> str:
    return hashlib.sha256(f"medkarta/journal/{label}/v1\n{encode(value)}".encode()).hexdigest()


def hash_of_row(item: Mapping[str, Any]) -> str:
    return digest("row", {name: _with_sorted_sets(value) for name, value in item.items()})


def _with_sorted_sets(attribute: Mapping[str, Any]) -> Json:
    kind = next(iter(attribute))
    content = attribute[kind]
    if kind.endswith("S") and isinstance(content, list):
        content = sorted(content)
    elif kind == "L":
        content = [_with_sorted_sets(each) for each in content]
    elif kind == "M":
        content = {name: _with_sorted_sets(each) for name, each in content.items()}
    return {kind: content}


def hash_of_link(link: Mapping[str, Any]) -> str:
    names = ("card_id", "linked_at", "prev", "row", "row_hash", "seq")
    return digest("link", {name: link[name] for name in names})


def plain(item: Mapping[str, Any]) -> Json:
    """A chain item without DynamoDB's types: strings and whole numbers are all it has."""
    return {n: int(v["N"]) if "N" in v else v.get("S") for n, v in item.items()}


def time_of_id(entry_id: str) -> datetime:
    """The time in a ULID. Raises ValueError."""
    number = 0
    for letter in entry_id[:10]:
        number = number * 32 + BASE32.index(letter)
    return datetime.fromtimestamp(number / 1000, UTC)


# --- one card -------------------------------------------------------------------------------------


def gather(journal: Iterable[Json], chain: Iterable[Json]) -> tuple[dict[str, Card], Json | None]:
    """Rows and chain items (DynamoDB JSON) by card, and the tables' last checkpoint."""
    cards: dict[str, Card] = defaultdict(Card)
    last: Json | None = None
    for item in chain:
        values = plain(item)
        place, sort = values["pk"], values["sk"]
        if place == "CHECKPOINTS":
            last = values
        if not place.startswith("CARD#"):
            continue
        card = cards[place.removeprefix("CARD#")]
        if sort == "HEAD":
            card.head = values
        elif sort.startswith("LINK#"):
            card.links.append(values)
        else:
            card.foreign.append(sort)
    for item in journal:
        place, sort = item["pk"]["S"], item["sk"]["S"]
        if place.startswith("CARD#") and sort.startswith("ENTRY#"):
            cards[place.removeprefix("CARD#")].rows[sort] = item
    return dict(cards), last


def check_card(name: str, card: Card, limits: Limits) -> tuple[list[Finding], list[str], int]:
    """Findings, the chain's hashes as computed (by place, from 1), and how many rows wait."""
    found: list[Finding] = [Finding("foreign_item", name, each) for each in card.foreign]
    links = sorted(card.links, key=lambda link: (link["seq"], link["sk"]))
    hashes = [ZEROS]
    moment = datetime(2000, 1, 1, tzinfo=UTC)
    for link in links:
        place = f"link {link['seq']}"
        if link["seq"] < len(hashes):
            found.append(Finding("link_twice", name, place, link["row"]))
            continue
        if link["seq"] > len(hashes):
            missing = f"{len(hashes)}..{link['seq'] - 1}"
            found.append(Finding("gap", name, place, f"links {missing} are not there"))
            hashes += [""] * (link["seq"] - len(hashes))
        computed = hash_of_link(link)
        if computed != link["hash"]:
            found.append(Finding("link_changed", name, place))
        if link["card_id"] != name or link["sk"] != f"LINK#{link['row']}":
            found.append(Finding("link_moved", name, place, link["sk"]))
        if hashes[-1] and link["prev"] != hashes[-1]:
            found.append(Finding("link_broken", name, place))
        hashes.append(computed)
        linked_at = datetime.fromisoformat(link["linked_at"])
        if linked_at < moment - SKEW:
            found.append(Finding("link_back_in_time", name, place))
        moment = max(moment, linked_at)
        found += _check_linked_row(name, link, card.rows.get(link["row"]), limits)
    found += _check_head(name, card.head, links, hashes, limits)
    linked = {link["row"] for link in links}
    waiting = 0
    for sort, row in card.rows.items():
        found += _check_row(name, sort, row, card.rows)
        if sort not in linked:
            try:
                fresh = time_of_id(sort.split("#")[1]) > limits.now - limits.link
            except ValueError:
                fresh = False
            waiting += fresh
            if not fresh:
                found.append(Finding("row_not_linked", name, sort))
    return found, hashes, waiting


def _check_linked_row(name: str, link: Json, row: Json | None, limits: Limits) -> Iterator[Finding]:
    if row is None:
        yield Finding("row_missing", name, link["row"])
        return
    if hash_of_row(row) != link["row_hash"]:
        yield Finding("row_changed", name, link["row"])
    linked_at = datetime.fromisoformat(link["linked_at"])
    try:
        made = time_of_id(link["row"].split("#")[1])
    except (ValueError, IndexError):
        return  # said of the row itself
    if made > linked_at + SKEW:
        yield Finding("row_from_the_future", name, link["row"])
    if linked_at - made > limits.link and not link["row"].endswith("#OUTCOME"):
        yield Finding("linked_late", name, link["row"], f"after {linked_at - made}")


def _check_row(name: str, sort: str, row: Json, rows: Mapping[str, Json]) -> Iterator[Finding]:
    entry_id = sort.split("#")[1]
    try:
        made = time_of_id(entry_id)
    except ValueError:
        yield Finding("row_malformed", name, sort, "its id is no ULID")
        return
    if row.get("entry_id", {}).get("S") != entry_id:
        yield Finding("row_malformed", name, sort, "its id is not its key")
    if sort.endswith("#OUTCOME"):
        if sort.removesuffix("#OUTCOME") not in rows:
            yield Finding("outcome_without_entry", name, sort)
        return
    said = row.get("at", {}).get("S", "")
    if said != made.strftime("%Y-%m-%dT%H:%M:%SZ"):
        yield Finding("row_malformed", name, sort, "its time is not its id's")


def _check_head(
    name: str, head: Json | None, links: Sequence[Json], hashes: Sequence[str], limits: Limits
) -> Iterator[Finding]:
    if head is None:
        if links:
            yield Finding("head_wrong", name, "head", "there is none")
        return
    if head["seq"] >= len(hashes):
        yield Finding("tail_missing", name, "head", f"{len(hashes) - 1} links of {head['seq']}")
    elif hashes[head["seq"]] and head["hash"] != hashes[head["seq"]]:
        yield Finding("head_wrong", name, "head", "its hash is not the link's")
    # Links may be added while the tables are read, head first; older ones may not go beyond it.
    for link in links:
        old = datetime.fromisoformat(link["linked_at"]) < limits.now - limits.link
        if link["seq"] > head["seq"] and old:
            yield Finding("head_wrong", name, "head", f"link {link['seq']} is beyond it")


# --- checkpoints ----------------------------------------------------------------------------------


def public_keys(jwks: Mapping[str, Any]) -> dict[str, Any]:
    """The P-256 keys of a JSON Web Key Set by `kid`."""
    found = {}
    for key in jwks["keys"]:
        if key.get("kty") == "EC" and key.get("crv") == "P-256":
            x, y = (int.from_bytes(_from_base64url(key[n])) for n in ("x", "y"))
            found[key["kid"]] = EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
    return found


def open_statement(statement: str, keys: Mapping[str, Any]) -> Json:
    """The payload of a signed statement. Raises ValueError: it is not signed by one of `keys`."""
    try:
        head, body, signature = statement.split(".")
        header = json.loads(_from_base64url(head))
        if header["alg"] != "ES256" or header["typ"] != CHECKPOINT_TYPE:
            raise ValueError("it is no checkpoint")
        raw = _from_base64url(signature)
        if len(raw) != 64:
            raise ValueError("its signature has a wrong length")
        numbers = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
        signed = f"{head}.{body}".encode()
        keys[header["kid"]].verify(encode_dss_signature(*numbers), signed, ECDSA(SHA256()))
        payload: Json = json.loads(_from_base64url(body))
    except (InvalidSignature, KeyError, TypeError) as error:
        raise ValueError("its signature does not hold") from error
    return payload


def check_checkpoints(
    checkpoints: Iterable[Checkpoint], keys: Mapping[str, Any]
) -> tuple[list[Finding], dict[str, dict[int, str]], int, datetime | None]:
    """Findings; what was signed of each card (links -> hash); the last number and its time."""
    found: list[Finding] = []
    signed: dict[str, dict[int, str]] = defaultdict(dict)
    number, previous, at = 0, ZEROS, None
    for each in sorted(checkpoints, key=lambda each: each.key):
        if each.deleted or len(each.versions) != 1:
            found.append(Finding("checkpoint_replaced", "", each.key))
        if not each.versions:
            continue
        try:
            document = json.loads(each.versions[0])
            statement = document["statement"]
            payload = open_statement(statement, keys)
            heads = [(str(card), int(seq), str(hash)) for card, seq, hash in document["heads"]]
        except (ValueError, KeyError, TypeError) as error:
            found.append(Finding("checkpoint_forged", "", each.key, str(error)))
            continue
        if payload["number"] != number + 1 or each.key != _key(payload["number"]):
            found.append(Finding("checkpoint_gap", "", each.key, f"{number} is before it"))
        elif payload["previous"] != previous:
            found.append(Finding("checkpoint_broken", "", each.key))
        number = payload["number"]
        previous = hashlib.sha256(statement.encode()).hexdigest()
        at = datetime.fromtimestamp(payload["iat"], UTC)
        if payload["heads_sha256"] != digest("heads", heads) or payload["count"] != len(heads):
            found.append(Finding("checkpoint_changed", "", each.key))
            continue
        for card, seq, hash in heads:
            if signed[card] and max(signed[card]) >= seq:
                # Signed again further back: the tables were rolled back in between.
                found.append(Finding("checkpoint_goes_back", card, each.key))
            signed[card].setdefault(seq, hash)
    return found, dict(signed), number, at


def _key(number: int) -> str:
    return f"checkpoints/{number:012d}.json"


def _from_base64url(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)


def check_signed(name: str, hashes: Sequence[str], signed: Mapping[int, str]) -> Iterator[Finding]:
    """A card's chain against what was signed of it."""
    for seq, hash in signed.items():
        if seq >= len(hashes):
            yield Finding("rolled_back", name, f"link {seq}", "signed, and not there")
        elif hashes[seq] != hash:
            yield Finding("rewritten", name, f"link {seq}", "another one was signed")


def check_unsigned(
    name: str, card: Card, signed: Mapping[int, str], limits: Limits
) -> Iterator[Finding]:
    """Links that should have been signed by now."""
    covered = max(signed, default=0)
    for link in card.links:
        age = limits.now - datetime.fromisoformat(link["linked_at"])
        if link["seq"] > covered and age > limits.checkpoint:
            yield Finding("not_signed", name, f"link {link['seq']}")
            return


# --- everything -----------------------------------------------------------------------------------


def verify(
    journal: Iterable[Json],
    chain: Iterable[Json],
    checkpoints: Iterable[Checkpoint],
    jwks: Mapping[str, Any],
    limits: Limits,
    only: frozenset[str] = frozenset(),
) -> Report:
    """All checks on all cards, or on `only` those."""
    report = Report()
    found, signed, report.checkpoints, report.signed_until = check_checkpoints(
        checkpoints, public_keys(jwks)
    )
    cards, last = gather(journal, chain)
    # The bucket may hold one whose run broke off before it was noted.
    if last is not None and not report.checkpoints - 1 <= last["number"] <= report.checkpoints:
        detail = f"the table knows {last['number']}, the bucket {report.checkpoints}"
        found.append(Finding("checkpoint_gap", "", "last", detail))
    for name in sorted(cards.keys() | signed.keys()):
        if only and name not in only:
            continue
        card = cards.get(name, Card())
        waiting = 0
        try:
            its, hashes, waiting = check_card(name, card, limits)
            found += its
            found += check_signed(name, hashes, signed.get(name, {}))
            found += check_unsigned(name, card, signed.get(name, {}), limits)
        except (KeyError, TypeError, ValueError) as error:
            found.append(Finding("unreadable", name, "", repr(error)))
        report.cards += 1
        report.entries += len(card.rows)
        report.linked += len(card.links)
        report.waiting += waiting
    report.findings = sorted(f for f in set(found) if not only or f.card in only or not f.card)
    return report
