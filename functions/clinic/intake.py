"""The intake: what a clinic's system sends becomes records of a card, all at once or not at all.

    parse → whose is it? → lock → load what it touches → derive → write unseen → commit
Sources (the resources as sent) are kept sealed; records are views derived from them. A resource is
known again by any of its aliases, so a re-send changes nothing, an update finds its record, and
something sent later finds the visit that it belongs to.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from clinic.fhir.bundle import Entry, Parsed, Rejection, parse
from clinic.fhir.errors import NotFhir
from clinic.fhir.exact_json import dumps
from clinic.fhir.mapping import HUBS, Derived, Draft, derive
from clinic.intake_repository import Change, IntakeRepository, Source, View
from kernel import clock, records
from kernel.errors import FieldProblem, Malformed, ValidationFailed, WrongPatient
from kernel.gate import OpenCard
from kernel.identity import RecordId
from kernel.journal import Entry as JournalEntry
from kernel.people import Person
from kernel.registry import Clinic
from kernel.sealing import DataKey
from kernel.texts import Language

# From a visit to its doctor's role, to the doctor, to the organization.
_NAME_ROUNDS = 3
# DynamoDB's items hold 400 KB: the sealed source, what it replaced for a while, and the keys.
_LARGEST = 180_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the entries; the numbers and the rejections add up to the entries sent."""

    created: int
    updated: int
    unchanged: int
    kept: int
    rejected: list[dict[str, Any]]

    def answer(self) -> dict[str, Any]:
        return {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "kept": self.kept,
            "rejected": self.rejected,
        }


class Intake:
    """Takes FHIR R4 into one card at a time."""

    def __init__(self, repository: IntakeRepository) -> None:
        self._repository = repository

    def take(
        self, opened: OpenCard, body: bytes, *, entry: JournalEntry, language: Language
    ) -> Outcome:
        """Take a Bundle or a single resource.

        Raises:
            Malformed: the body is no FHIR JSON.
            ValidationFailed: a `transaction` with an entry that cannot be taken: nothing is done.
            WrongPatient: it is about somebody else, or about two people: nothing is done.
            Conflict: another intake into this card is under way.
        """
        try:
            parsed = parse(body)
        except NotFhir as error:
            raise Malformed from error
        person, clinic, key = self._repository.whose(opened)
        check_patient(parsed, person)
        entries, rejections = _sift(parsed)
        if parsed.transaction and rejections:
            raise ValidationFailed([_problem(each, language) for each in rejections])
        rejected = [
            {"index": each.index, "code": each.code, "message": each.say(language)}
            for each in rejections
        ]
        with self._repository.lock(opened, entry) as lock:
            work = _Work(self._repository, key, entries)
            work.load(lock.head)
            try:
                derived = work.derive()
            except NotFhir as error:  # members of members without end
                raise Malformed from error
            change = _change(work, derived, clinic, received_at=clock.rfc3339(opened.now))
            lock.commit(key, change)
        return _outcome(work, derived, rejected)


def check_patient(parsed: Parsed, person: Person) -> None:
    """Refuse what is about somebody else.

    Raises:
        WrongPatient: another СНИЛС, another birth date, or two patients.
    """
    if len(parsed.subjects) > 1 or len({facts.key for facts in parsed.patients}) > 1:
        raise WrongPatient([FieldProblem("subject", "wrong_patient")])
    for facts in parsed.patients:
        if facts.snils is not None and facts.snils != person.snils:
            raise WrongPatient([FieldProblem("Patient.identifier", "wrong_patient")])
        born = facts.birth_date
        if born is not None and not person.birth_date.isoformat().startswith(born):
            raise WrongPatient([FieldProblem("Patient.birthDate", "wrong_patient")])


def _sift(parsed: Parsed) -> tuple[list[Entry], list[Rejection]]:
    """The entries to take and those to refuse, the ones too large for one item among these."""
    taken: list[Entry] = []
    refused = list(parsed.rejections)
    for entry in parsed.entries:
        if len(dumps(entry.resource).encode()) <= _LARGEST:
            taken.append(entry)
        else:
            message = f"The {entry.resource_type} is larger than {_LARGEST} bytes."
            refused.append(Rejection(entry.index, "too_large", message, entry.resource_type))
    return taken, sorted(refused, key=lambda rejection: rejection.index)


def _problem(rejection: Rejection, language: Language) -> FieldProblem:
    place = f"entry[{rejection.index}]"
    if rejection.element:
        place = f"{place}.{rejection.element}"
    return FieldProblem(place, rejection.code, message=rejection.say(language))


@dataclass
class _Work:
    """The entries of one intake, together with the stored sources that they touch."""

    repository: IntakeRepository
    key: DataKey
    sent: Sequence[Entry]
    keys: dict[int, str] = field(default_factory=dict)  # index of an entry -> source key
    names: dict[str, str] = field(default_factory=dict)  # alias -> source key
    stored: dict[str, Source] = field(default_factory=dict)  # what rests, as far as it is touched
    entries: dict[str, Entry] = field(default_factory=dict)  # source key -> as it is from now on
    roots: set[str] = field(default_factory=set)  # whose views are derived anew

    def load(self, head: records.Head) -> None:
        """Find the keys of all entries, and load what their records are made of.

        Anew derived are the records of what was sent; those in which a changed resource is shown;
        those to which something sent refers (a visit that gets one more diagnosis); and those that
        waited for something sent (a diagnosis that came before its visit).
        """
        self._load_names(self.sent, head)
        for entry in self.sent:
            known = next((self.names[a] for a in entry.aliases if a in self.names), None)
            source_key = known or self.key.token("source", entry.aliases[0])
            self.keys[entry.index] = source_key
            self.names.update(dict.fromkeys(entry.aliases, source_key))
            self.entries[source_key] = entry
        sent_keys = set(self.entries)
        referenced = self._referenced(self.sent)
        self._load_sources(sent_keys | referenced, head)
        self.roots = sent_keys | {
            k for k in referenced if k in self.stored and self.stored[k].views
        }
        for source_key in sent_keys & self.stored.keys():
            if self.stored[source_key].digest != _digest(self.entries[source_key].resource):
                self.roots.update(self.stored[source_key].shown_in)
        waiting = self.repository.waiting(self.key, (a for e in self.sent for a in e.aliases))
        self._load_sources(waiting, head)
        for source_key in waiting & self.stored.keys():
            self.roots |= {source_key, *self.stored[source_key].shown_in}
        self._load_sources(self.roots, head)
        members = {m for root in self.roots & self.stored.keys() for m in self.stored[root].members}
        self._load_sources(members, head)
        # The names that they show: a visit's doctor, a prescription's medicine.
        for _ in range(_NAME_ROUNDS):
            self._load_names(self.entries.values(), head)
            self._load_sources(self._referenced(self.entries.values()), head)

    def derive(self) -> Derived:
        return derive(self.entries, resolve=self.names.get, record_id=self.record_id)

    def record_id(self, root: str) -> str:
        return self.key.token("record", root)

    def _load_names(self, entries: Iterable[Entry], head: records.Head) -> None:
        unknown = {a for e in entries for a in (*e.aliases, *e.references)} - self.names.keys()
        self.names.update(self.repository.aliases(self.key, unknown, head))

    def _load_sources(self, wanted: Iterable[str], head: records.Head) -> None:
        fresh = self.repository.sources(self.key, set(wanted) - self.stored.keys(), head)
        self.stored.update(fresh)
        for source_key, source in fresh.items():
            self.entries.setdefault(source_key, source.entry)

    def _referenced(self, entries: Iterable[Entry]) -> set[str]:
        return {self.names[a] for e in entries for a in e.references if a in self.names}


def _change(work: _Work, derived: Derived, clinic: Clinic, *, received_at: str) -> Change:
    """What has to be written so that the card shows what was derived."""
    drafts: dict[str, dict[records.Section, Draft]] = {}
    for draft in derived.drafts:
        drafts.setdefault(draft.root, {})[draft.section] = draft
    change = Change()
    sent_keys = set(work.keys.values())
    for source_key in work.roots | sent_keys:
        entry = work.entries.get(source_key)
        if entry is None:  # shown in something that is not there any more
            continue
        before = work.stored.get(source_key)
        own = drafts.get(source_key, {})
        views = _views(work, change, source_key, own, before, clinic.brief, received_at)
        shown_in = set(derived.placed.get(source_key, ()))
        if before is not None:
            shown_in |= set(before.shown_in) - work.roots
        source = Source(
            entry=entry,
            digest=_digest(entry.resource),
            views=views,
            members=tuple(sorted({m for draft in own.values() for m in draft.members})),
            shown_in=tuple(sorted(shown_in)),
        )
        if before is None or source.differs(before):
            change.sources[source_key] = source
        dangling = {a for a in entry.references if a not in work.names and not _names_hub(a)}
        if dangling and source_key in sent_keys:
            change.waiting[source_key] = dangling
        for alias in entry.aliases:
            if before is None or alias not in before.entry.aliases:
                change.aliases[alias] = source_key
    return change


def _names_hub(alias: str) -> bool:
    """Whether an alias names something that many point to, and no record is made anew for."""
    return any(alias.startswith((f"{hub}/", f"{hub}|")) or f"/{hub}/" in alias for hub in HUBS)


def _views(
    work: _Work,
    change: Change,
    source_key: str,
    drafts: dict[records.Section, Draft],
    stored: Source | None,
    clinic: dict[str, str],
    received_at: str,
) -> dict[records.Section, View]:
    """The views of one root: drafts that differ get a new version, views without a draft go."""
    before = stored.views if stored else {}
    after: dict[records.Section, View] = {}
    record_id = RecordId(work.record_id(source_key))
    for section, draft in drafts.items():
        old = before.get(section)
        digest = _digest([draft.sort_at, draft.body])
        if old is not None and old.digest == digest:
            after[section] = old
            continue
        version = old.version + 1 if old else 1
        body = {
            "record_id": record_id,
            "clinic": clinic,
            "received_at": received_at,
            "version": version,
            **draft.body,
        }
        after[section] = change.show(draft, record_id, version, digest, body)
        if old is not None:
            change.replaced.append((section, old))
    change.withdrawn += [(s, view) for s, view in before.items() if s not in after]
    return after


def _outcome(work: _Work, derived: Derived, rejected: list[dict[str, Any]]) -> Outcome:
    counts = {"created": 0, "updated": 0, "unchanged": 0, "kept": 0}
    for entry in work.sent:
        source_key = work.keys[entry.index]
        before = work.stored.get(source_key)
        if source_key in derived.kept:
            counts["kept"] += 1
        elif before is None:
            counts["created"] += 1
        elif before.digest != _digest(entry.resource):
            counts["updated"] += 1
        else:
            counts["unchanged"] += 1
    return Outcome(rejected=rejected, **counts)


def _digest(value: Any) -> str:
    return hashlib.sha256(dumps(value).encode()).hexdigest()
