"""The intake: what a clinic's system sends becomes records of a card, all at once or not at all.

    parse → whose is it? → lock → load what it touches → derive → write unseen → commit
Sources (the resources as sent) are kept sealed; records are views derived from them. A resource is
known again by any of its aliases, so a re-send changes nothing, an update finds its record, and
something sent later finds the visit that it belongs to.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from clinic.cda import document as cda
from clinic.cda import mapping as cda_mapping
from clinic.fhir import readable, references
from clinic.fhir.bundle import Entry, Parsed, Rejection, parse, read
from clinic.fhir.errors import NotFhir, say
from clinic.fhir.exact_json import dumps
from clinic.fhir.mapping import HUBS, Derived, Draft, derive
from clinic.intake_repository import Change, IntakeRepository, Lock, Source, View
from kernel import clock, records, terminology
from kernel.errors import BodyTooLarge, FieldProblem, Malformed, ValidationFailed, WrongPatient
from kernel.gate import OpenCard
from kernel.identity import RecordId
from kernel.journal import Entry as JournalEntry
from kernel.people import Person
from kernel.registry import Clinic
from kernel.sealing import DataKey
from kernel.texts import Language

# From a visit to its doctor's role, to the doctor, to the organization.
_NAME_ROUNDS = 3
# One resource with what is attached to it; above some 150 KB it rests in S3.
_LARGEST = 20_000_000
# What a route's 28 seconds and 6 MB of answer allow; more goes by upload.
INLINE_ENTRIES = 10_000
# Of very many rejections the first are told one by one.
_TOLD = 10_000


class Outcome(NamedTuple):
    """What became of the entries; the numbers and the rejections add up to the entries sent."""

    created: int
    updated: int
    unchanged: int
    kept: int
    rejected: list[dict[str, Any]]

    def answer(self) -> dict[str, Any]:
        told: dict[str, Any] = {"rejected": self.rejected}
        if len(self.rejected) > _TOLD:
            told = {"rejected": self.rejected[:_TOLD], "rejected_total": len(self.rejected)}
        return {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "kept": self.kept,
            **told,
        }


# Makes the actions that become true together with an intake, of its outcome and the card's key.
Finish = Callable[[Outcome, DataKey], Sequence[dict[str, Any]]]


def _nothing_more(_: Outcome, __: DataKey) -> Sequence[dict[str, Any]]:
    return ()


class Intake:
    """Takes FHIR R4 into one card at a time."""

    def __init__(self, repository: IntakeRepository) -> None:
        self._repository = repository

    def seen(self, opened: OpenCard, record_id: RecordId, *, entry: JournalEntry) -> None:
        """Show a held result to its patient, since a doctor has seen it.

        Raises:
            NotFound: there is no such result in this card.
            Conflict: an intake into this card is under way.
        """
        self._repository.show(opened, record_id, entry)

    def take(
        self,
        opened: OpenCard,
        body: bytes,
        *,
        entry: JournalEntry,
        language: Language,
        most: int = INLINE_ENTRIES,
        finish: Finish = _nothing_more,
    ) -> Outcome:
        """Take a Bundle or a single resource.

        Args:
            most: entries that may be sent.
            finish: what else becomes true at the same moment.

        Raises:
            Malformed: the body is no FHIR JSON.
            BodyTooLarge: it has more entries than can be taken at once.
            ValidationFailed: a `transaction` with an entry that cannot be taken: nothing is done.
            WrongPatient: it is about somebody else, or about two people: nothing is done.
            Conflict: another intake into this card is under way.
        """
        try:
            parsed = parse(body)
        except NotFhir as error:
            raise _malformed(error.code, language) from error
        if parsed.total > most:
            raise BodyTooLarge
        person, clinic, key = self._repository.whose(opened)
        check_patient(parsed, person)
        entries, rejected = _sift(parsed, language)
        with self._repository.lock(opened, entry) as lock:
            work = _Work(self._repository, key, entries)
            return _finish(lock, work, clinic, opened, rejected, language, finish)

    def take_cda(
        self, opened: OpenCard, body: bytes, *, entry: JournalEntry, language: Language
    ) -> Outcome:
        """Take one CDA R2 document. A later version takes the place of what it replaces.

        Raises:
            Malformed: the body is no CDA document, or not safe to read.
            ValidationFailed: it does not say whose it is.
            WrongPatient, Conflict: as `take`.
        """
        try:
            document = cda.read(body)
        except cda.NotCda as error:
            raise _malformed(error.code, language) from error
        person, clinic, key = self._repository.whose(opened)
        parsed = _parse_cda(document, cda_mapping.set_key(document))
        if not any(facts.snils or facts.birth_date for facts in parsed.patients):
            raise ValidationFailed([FieldProblem("recordTarget.patientRole", "missing")])
        check_patient(parsed, person)
        with self._repository.lock(opened, entry) as lock:
            versions = _Versions(self._repository, key, document, lock.head)
            if versions.is_old():
                return _refused_whole(parsed, "older_version", language)
            entries, rejected = _sift(versions.parsed(), language)
            work = _Work(self._repository, key, [*entries, *versions.retractions(entries)])
            return _finish(lock, work, clinic, opened, rejected, language, _nothing_more)


def _finish(
    lock: Lock,
    work: "_Work",
    clinic: Clinic,
    opened: OpenCard,
    rejected: list[dict[str, Any]],
    language: Language,
    finish: Finish,
) -> Outcome:
    """Derive, write unseen, commit."""
    work.load(lock.head, lock.number)
    try:
        derived = work.derive()
    except NotFhir as error:  # members of members without end
        raise _malformed(error.code, language) from error
    lock.renew()
    change = _change(work, derived, clinic, received_at=clock.rfc3339(opened.now))
    outcome = _outcome(work, derived, rejected)
    lock.commit(work.key, change, finish(outcome, work.key))
    return outcome


class _Versions:
    """A CDA document among the stored ones: which set it belongs to, and what it replaces."""

    def __init__(
        self,
        repository: IntakeRepository,
        key: DataKey,
        document: cda.Document,
        head: records.Head,
    ) -> None:
        self._repository, self._key, self._head = repository, key, head
        self._document = document
        parents = self._stored(
            f"DocumentReference|urn:oid:{each.root}|{each.extension or '-'}"
            for each in document.parents
        )
        self._set = cda_mapping.set_key(document)
        if document.set_id is None and parents:
            self._set = cda_mapping.set_of(parents[0].entry.resource) or self._set
        self._before = self._stored([f"DocumentReference|{cda_mapping.SET_SYSTEM}|{self._set}"])
        self._replaced = {source.digest: source for source in [*self._before, *parents]}

    def is_old(self) -> bool:
        """Whether a later version of this document is here already (CDA R2, 4.2.3.1)."""
        stored = (cda_mapping.version_of(source.entry.resource) for source in self._before)
        return any(version > self._document.version for version in stored)

    def parsed(self) -> Parsed:
        return _parse_cda(self._document, self._set)

    def retractions(self, entries: Sequence[Entry]) -> list[Entry]:
        """What a replaced version said and this one does not, taken back."""
        said = {alias for entry in entries for alias in entry.aliases}
        made = {
            alias
            for source in self._replaced.values()
            for alias in source.entry.references
            if alias.startswith(cda_mapping.PREFIX)
        }
        found: list[Entry] = []
        for source in self._stored(sorted(made - said)):
            old = source.entry
            resource = cda_mapping.retracted(old.resource)
            if resource is not None and not said.intersection(old.aliases):
                index = len(entries) + len(found)
                entry = Entry(index, old.resource_type, resource, old.aliases, old.references)
                found.append(entry)
        return found

    def _stored(self, aliases: Iterable[str]) -> list[Source]:
        names = self._repository.aliases(self._key, aliases, self._head)
        found = self._repository.sources(self._key, set(names.values()), self._head)
        return [found[source_key] for source_key in sorted(found)]


def _parse_cda(document: cda.Document, key: str) -> Parsed:
    return read(cda_mapping.bundle(document, key))


def _refused_whole(parsed: Parsed, code: str, language: Language) -> Outcome:
    """Every entry rejected for one reason."""
    kinds = {entry.index: entry.resource_type for entry in parsed.entries}
    rejections = [Rejection(i, code, "", kinds.get(i)) for i in range(parsed.total)]
    return Outcome(0, 0, 0, 0, [_told(each, language) for each in rejections])


# Where in the body it is; what cannot be read has no place in it.
_PLACES = {
    "no_resource_type": "resourceType",
    "unknown_resource_type": "resourceType",
    "unsupported_bundle_type": "type",
    "invalid_bundle": "entry",
    "too_many_entries": "entry",
}


def _malformed(code: str, language: Language) -> Malformed:
    place = _PLACES.get(code, "body")
    return Malformed([FieldProblem(place, code, message=say(code, language))])


def check_patient(parsed: Parsed, person: Person) -> None:
    """Refuse what is about somebody else.

    Raises:
        WrongPatient: another СНИЛС, another birth date, or two patients.
    """
    if len(parsed.subjects) > 1 or len({facts.key for facts in parsed.patients}) > 1:
        raise WrongPatient([FieldProblem("subject", "wrong_patient")])
    for facts in parsed.patients:
        if facts.snils is not None and facts.snils not in person.all_snils:
            raise WrongPatient([FieldProblem("Patient.identifier", "wrong_patient")])
        born = facts.birth_date
        if born is not None and not person.birth_date.isoformat().startswith(born):
            raise WrongPatient([FieldProblem("Patient.birthDate", "wrong_patient")])


def _sift(parsed: Parsed, language: Language) -> tuple[list[Entry], list[dict[str, Any]]]:
    """The entries to take, and the rejections as they are told.

    Raises:
        ValidationFailed: one cannot be taken, and it is all or nothing.
    """
    taken: list[Entry] = []
    refused = list(parsed.rejections)
    for entry in parsed.entries:
        if len(dumps(entry.resource).encode()) <= _LARGEST:
            taken.append(entry)
        else:
            refused.append(Rejection(entry.index, "too_large", "", entry.resource_type))
    refused.sort(key=lambda rejection: rejection.index)
    if parsed.transaction and refused:
        raise ValidationFailed([_problem(each, language) for each in refused[:_TOLD]])
    return taken, [_told(each, language) for each in refused]


def _told(rejection: Rejection, language: Language) -> dict[str, Any]:
    message = rejection.say(language)
    told: dict[str, Any] = {"index": rejection.index, "code": rejection.code, "message": message}
    if rejection.resource_type is not None:
        told["resource_type"] = rejection.resource_type
    if rejection.element is not None:
        told["element"] = rejection.element
    return told


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

    def load(self, head: records.Head, number: int) -> None:
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
            # Lists keep the order in which things first came, in whichever Bundle.
            self.entries[source_key] = replace(entry, index=(number << 20) + entry.index)
        sent_keys = set(self.entries)
        referenced = self._referenced(self.sent)
        self._load_sources(sent_keys | referenced, head)
        for source_key in sent_keys & self.stored.keys():
            place = self.stored[source_key].entry.index
            self.entries[source_key] = replace(self.entries[source_key], index=place)
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
    document = _document(work.sent)
    sent_keys = set(work.keys.values())
    for source_key in work.roots | sent_keys:
        entry = work.entries.get(source_key)
        if entry is None:  # shown in something that is not there any more
            continue
        before = work.stored.get(source_key)
        own = drafts.get(source_key, {})
        came = {"clinic": clinic.brief, "received_at": received_at, "document": document}
        views = _views(work, change, source_key, own, before, came)
        shown_in = set(derived.placed.get(source_key, ()))
        if before is not None:
            shown_in |= set(before.shown_in) - work.roots
        source = Source(
            entry=entry,
            digest=_digest(entry.resource),
            views=views,
            members=tuple(sorted({m for draft in own.values() for m in draft.members})),
            shown_in=tuple(sorted(shown_in)),
            links=_links(entry, work.names),
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


def _links(entry: Entry, names: Mapping[str, str]) -> dict[str, str]:
    """The source keys that the References of a resource lead to, by their text."""
    base = references.base_of(entry.aliases, entry.resource_type)
    links: dict[str, str] = {}
    for name, reference in references.walk(entry.resource):
        found = (names[a] for a in references.candidates(name, reference, base) if a in names)
        source_key = next(found, None)
        if source_key is not None and isinstance(reference.get("reference"), str):
            links[reference["reference"]] = source_key
    return links


def _document(sent: Sequence[Entry]) -> dict[str, Any] | None:
    """The document in which something came, where it came in one."""
    found = [e.resource for e in sent if e.resource_type == "Composition"]
    if len(found) != 1:
        return None
    (composition,) = found
    title = readable.clean(composition.get("title")) or readable.text_of(composition.get("type"))
    return {"title": title, "date": readable.day(composition.get("date"))}


def _views(
    work: _Work,
    change: Change,
    source_key: str,
    drafts: dict[records.Section, Draft],
    stored: Source | None,
    came: dict[str, Any],
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
            **came,
            "version": version,
            **terminology.named(draft.body),
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
