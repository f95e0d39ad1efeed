"""A card's records as they rest: versions, seen only once the intake that wrote them is committed.

Records table:
    CARD#<id>            | HEAD                         committed and aborted intakes, counts, lock
    CARD#<id>#<letter>   | <instant>#<record>#<intake>  one version of one record, sealed
    CARD#<id>#<letter>#T | <token>#<version's key>      the same, found by what it is tagged with
    CARD#<id>#C          | <intake>#<letter>#<record>   the same, found by when it came or went
    CARD#<id>#L          | p#<version's key>            a result that is not final yet
    CARD#<id>#L          | h#<until>#<version's key>    a result held until a doctor has seen it
    CARD#<id>#S          | <source key>                 what a clinic sent, sealed (clinic.intake)
    CARD#<id>#A          | <hash of an alias>           which source an alias names (clinic.intake)
    CARD#<id>#W          | <source key>                 aliases it refers to that nothing has yet
The index `by_record` (pk, record_id) finds the versions of one record.

Every intake has a number. A version is visible when the intake that wrote it is committed and the
one that replaced it, if any, is not. So an intake becomes visible at once, by one write of HEAD,
and one that broke off leaves nothing to be seen: its number is listed as aborted.

Rows that find a version by its tags or by its intake hold its sealed body too, so that a page is
one Query whatever it is found by; a body that is long is fetched from its version instead. Tokens
are hashes by the card's key, so that rows of an erased card tell nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple

from kernel import clock
from kernel.dynamo import Item, Lookup
from kernel.identity import CardId, RecordId
from kernel.sealing import DataKey

Section = Literal["summary", "visits", "results", "prescriptions"]
LETTERS: dict[Section, str] = {"summary": "s", "visits": "v", "results": "r", "prescriptions": "p"}


class Head(NamedTuple):
    """What of a card is visible, how much of it there is, and since when.

    `counts` has the visible records of each section, the results that bear a mark (`left_out`),
    and the versions that were replaced or taken back (`ended`): rows that a page reads in vain.
    """

    committed: int = 0
    aborted: frozenset[int] = frozenset()
    counts: Mapping[str, int] = {}
    updated_at: str | None = None

    @staticmethod
    def lookup(table: str, card_id: CardId) -> Lookup:
        return Lookup(table, f"CARD#{card_id}", "HEAD")

    @classmethod
    def from_item(cls, item: Item | None) -> "Head":
        """The head; a card into which nothing came yet has none."""
        if item is None:
            return cls()
        return cls(
            committed=item.get("committed", 0),
            aborted=frozenset(item.get("aborted", ())),
            counts=item.get("counts", {}),
            updated_at=item.get("updated_at"),
        )

    def sees(self, intake: int) -> bool:
        """Whether what the intake `intake` did counts."""
        return intake <= self.committed and intake not in self.aborted

    def shows(self, item: Item) -> bool:
        """Whether this version of a record is the one to show."""
        until = item.get("until")
        return self.sees(item["since"]) and not (until is not None and self.sees(until))


def partition(card_id: CardId, section: Section) -> str:
    return f"CARD#{card_id}#{LETTERS[section]}"


def tagged(card_id: CardId, section: Section) -> str:
    """The partition in which a section's versions are found by their tags."""
    return f"{partition(card_id, section)}#T"


def changes(card_id: CardId) -> str:
    """The partition in which versions are found by the intake that made or ended them."""
    return f"CARD#{card_id}#C"


def left_out(card_id: CardId) -> str:
    """The partition of the results that their patient is not shown yet."""
    return f"CARD#{card_id}#L"


def sort_key(sort_at: str, record_id: RecordId, intake: int) -> str:
    return f"{sort_at}#{record_id}#{intake:010d}"


def record_of(sk: str) -> RecordId:
    """The record of a version's sort key."""
    return RecordId(sk.split("#")[-2])


def days(start: date | None, end: date | None) -> tuple[str, str]:
    """The sort keys between which all records of a period of days lie, both included.

    Keys order by the instant in UTC, `day` is the clinic's: 14 hours before it to 12 after it.
    """
    first = f"{start - timedelta(1)}T10" if start and start > date.min else str(date.min)
    last = f"{end + timedelta(1)}T12" if end and end < date.max else str(date.max)
    return first, last


def within(version: Item, start: date | None, end: date | None) -> bool:
    """Whether the day of a version lies in the period."""
    day = version["day"]
    return (start is None or day >= str(start)) and (end is None or (day and day <= str(end)))


def place(pk: str, sk: str) -> str:
    """What a version's sealed body is bound to."""
    return f"records/{pk}/{sk}/body"


# --- what a patient is not shown yet -------------------------------------------------------------

Why = Literal["withheld", "pending"]
PENDING = "p"
_NOT_FINAL = ("registered", "preliminary", "partial")


def held(until: datetime) -> str:
    """The mark of a version that is held until a doctor has seen it, at most until then."""
    return f"h#{clock.rfc3339(until)}"


def not_final(section: Section, body: Mapping[str, Any]) -> bool:
    """Whether a result is preliminary or only registered (FHIR R4, diagnostic-report-status)."""
    return section == "results" and body.get("status") in _NOT_FINAL


def why_left_out(version: Item, now: datetime) -> Why | None:
    """Why this version is not shown to its patient now; clinicians are shown all of them."""
    mark = version.get("out")
    if mark is None:
        return None
    if mark == PENDING:
        return "pending"
    return "withheld" if mark > held(now) else None


def shown_from(mark: str | None) -> datetime | None:
    """Until when what bears this mark is held; None if it is not."""
    return datetime.fromisoformat(mark.partition("#")[2]) if mark and mark != PENDING else None


def held_until(version: Item, now: datetime) -> str | None:
    """Until when a version is held, if it is (RFC 3339)."""
    withheld = why_left_out(version, now) == "withheld"
    return str(version["out"]).partition("#")[2] if withheld else None


# --- versions and the rows that find them --------------------------------------------------------

# A sealed body up to this size rests in every row that finds it.
COPIED = 16_384


def rows(
    *,
    card_id: CardId,
    key: DataKey,
    section: Section,
    sort_at: str,
    record_id: RecordId,
    intake: int,
    body: Mapping[str, Any],
    sealed_body: bytes,
    sources: Iterable[str] = (),
    out: str | None = None,
    first: bool = True,
) -> list[dict[str, Any]]:
    """A version of a record and the rows that find it.

    Args:
        sources: keys of what it is made of, its root first.
        out: the mark of what is not shown to the patient yet.
        first: the record was not there before.
    """
    sk = sort_key(sort_at, record_id, intake)
    found_by = sorted(tags(key, section, body))
    shared: dict[str, Any] = {"since": intake, "day": body.get("date") or ""}
    if out is not None:
        shared["out"] = out
    if found_by:
        shared["tags"] = bytes.fromhex("".join(found_by))
    made_of = {**shared, "sources": bytes.fromhex("".join(sources))}
    copied = {**made_of, "body": sealed_body} if len(sealed_body) <= COPIED else made_of
    version = {
        "pk": partition(card_id, section),
        "sk": sk,
        "record_id": record_id,
        **made_of,
        "body": sealed_body,
    }
    made = [version]
    made += [{"pk": tagged(card_id, section), "sk": f"{t}#{sk}", **copied} for t in found_by]
    made.append(change(card_id, section, intake, sk, "created" if first else "changed", copied))
    if out is not None:
        made.append({"pk": left_out(card_id), "sk": f"{out}#{sk}", **shared})
    return made


def change(
    card_id: CardId,
    section: Section,
    intake: int,
    sk: str,
    kind: Literal["created", "changed", "deleted"],
    copied: Mapping[str, Any],
) -> dict[str, Any]:
    """What an intake did to a record, for those who keep a copy. `sk` is the version's."""
    letter, record_id = LETTERS[section], record_of(sk)
    kept = {name: value for name, value in copied.items() if name != "tags"}
    return {
        **kept,
        "pk": changes(card_id),
        "sk": f"{intake:010d}#{letter}#{record_id}",
        "since": intake,
        "kind": kind,
        "version": sk,
    }


def found_by(card_id: CardId, section: Section, version: Item) -> list[dict[str, str]]:
    """The keys of the rows, besides the version itself, that say whether it is the one to show."""
    sk = version["sk"]
    keys = [{"pk": tagged(card_id, section), "sk": f"{t}#{sk}"} for t in tokens(version)]
    if "out" in version:
        keys.append({"pk": left_out(card_id), "sk": f"{version['out']}#{sk}"})
    return keys


def tokens(version: Item) -> list[str]:
    """The tokens under which a version is found."""
    joined = version.get("tags", b"").hex()
    return [joined[start : start + 32] for start in range(0, len(joined), 32)]


def source_keys(version: Item) -> list[str]:
    """The keys of the sources that a version is made of, its root first."""
    joined = version.get("sources", b"").hex()
    return [joined[start : start + 32] for start in range(0, len(joined), 32)]


def normal(value: str) -> str:
    """A value as filters compare it: case, ё and runs of spaces do not count."""
    return " ".join(value.casefold().replace("ё", "е").split())


def tags(key: DataKey, section: Section, body: Mapping[str, Any]) -> set[str]:
    """Keyed hashes of what a section's records are found by: kind, doctor, diagnosis, code."""
    found: set[tuple[str, str]] = set()
    if section in ("results", "prescriptions") and body.get("kind"):
        found.add(("kind", body["kind"]))
    if section == "visits" and body.get("doctor"):
        name = normal(body["doctor"]["name"])
        found.update(("doctor", each) for each in (name, *name.split()))
    for diagnosis in body.get("diagnoses", ()):
        if diagnosis.get("code"):
            code = normal(diagnosis["code"])
            found.update([("diagnosis", code), ("diagnosis", code.partition(".")[0])])
    for observation in body.get("observations", ()):
        if observation.get("code"):
            found.add(("code", normal(observation["code"])))
    return {key.token(kind, value) for kind, value in found}
