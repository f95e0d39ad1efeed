"""A FHIR R4 body -> entries with their aliases and references, rejections, and whom it is about."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from clinic.fhir import errors, references
from clinic.fhir.errors import Invalid, NotFhir
from clinic.fhir.exact_json import dumps, loads
from clinic.fhir.resource_types import R4_TYPES, TREATMENTS
from clinic.fhir.validation import check_resource

Resource = dict[str, Any]

SNILS_ALIAS = "Patient|urn:oid:1.2.643.100.3|"

# A searchset is a collection of what was found: some systems export a summary as one.
BUNDLE_TYPES = frozenset({"transaction", "batch", "collection", "document", "searchset"})
# Memory, and the time in which a worker must have written them all.
MAX_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource that was understood.

    `aliases`: names it is known by again, best first; never empty. `references`: aliases it may
    point to (several for one Reference: the same thing under its server's URL and relative).
    """

    index: int
    resource_type: str
    resource: Resource
    aliases: tuple[str, ...]
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rejection:
    """One entry that cannot be taken; `message` is English, `say` gives it in a language."""

    index: int
    code: str
    message: str
    resource_type: str | None = None
    element: str | None = None

    def say(self, language: str) -> str:
        """The message in "ru" or "en"."""
        return errors.message(self.code, self.resource_type, self.element, language)


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """What the body says of one patient. `key`: the same for two Patients that share a name.

    `snils`: eleven digits, not checked; `birth_date`: as sent, perhaps only a year or a month.
    """

    index: int
    key: str
    snils: str | None
    birth_date: str | None
    names: tuple[str, ...]


class Parsed(NamedTuple):
    """`total` entries were sent = len(entries) + len(rejections). `bundle_type` None: one resource.

    `subjects`: whom the resources are about, distinct; more than one is a Bundle of two patients.
    A subject is the key of a Patient in `patients` where it is one, else an alias to resolve.
    """

    entries: tuple[Entry, ...]
    rejections: tuple[Rejection, ...]
    bundle_type: str | None
    transaction: bool
    total: int
    patients: tuple[PatientFacts, ...]
    subjects: tuple[str, ...]


def parse(body: bytes) -> Parsed:
    """Parse a FHIR R4 JSON body: a Bundle or a single resource. Raises NotFhir."""
    return read(loads(body))


def read(root: Any) -> Parsed:
    """Take a Bundle or a single resource apart. Raises NotFhir."""
    if not isinstance(root, dict):
        raise NotFhir("not_an_object", "The body is not a JSON object.")
    kind = root.get("resourceType")
    if not isinstance(kind, str):
        raise NotFhir("no_resource_type", "The body has no resourceType.")
    if kind not in R4_TYPES:
        raise NotFhir("unknown_resource_type", "The resourceType is none of FHIR R4.")
    if kind != "Bundle":
        return _gather([_Sent(0, root)], None)
    bundle_type = root.get("type")
    if not isinstance(bundle_type, str) or bundle_type not in BUNDLE_TYPES:
        raise NotFhir(
            "unsupported_bundle_type",
            "Bundle.type must be transaction, batch, collection, document or searchset.",
        )
    given = root.get("entry", [])
    if not isinstance(given, list):
        raise NotFhir("invalid_bundle", "Bundle.entry must be an array.")
    if len(given) > MAX_ENTRIES:
        raise NotFhir("too_many_entries", f"A Bundle may have {MAX_ENTRIES} entries.")
    return _gather([_open(i, entry, bundle_type) for i, entry in enumerate(given)], bundle_type)


@dataclass(slots=True)
class _Sent:
    """An entry on its way; `problem` once it is known that it cannot be taken."""

    index: int
    resource: Any
    full_url: str | None = None
    request_aliases: tuple[str, ...] = ()
    problem: Invalid | None = None
    aliases: tuple[str, ...] = ()

    @property
    def kind(self) -> str | None:
        kind = self.resource.get("resourceType") if isinstance(self.resource, dict) else None
        return kind if isinstance(kind, str) and kind in R4_TYPES else None


def _open(index: int, entry: object, bundle_type: str) -> _Sent:
    """Take an entry of a Bundle apart; the request counts in a transaction and a batch only."""
    sent = _Sent(index, entry.get("resource") if isinstance(entry, dict) else None)
    if not isinstance(entry, dict):
        sent.problem = Invalid("invalid_entry", "Bundle", "entry")
        return sent
    full_url = entry.get("fullUrl")
    if full_url is not None and not (isinstance(full_url, str) and full_url.strip()):
        sent.problem = Invalid("invalid_value", "Bundle", "entry", "fullUrl")
        return sent
    sent.full_url = full_url
    request = entry.get("request")
    if bundle_type in ("transaction", "batch") and request is not None:
        _read_request(sent, request)
    if sent.problem is None and sent.resource is None:
        sent.problem = Invalid("missing_resource")
    return sent


def _read_request(sent: _Sent, request: object) -> None:
    url = request.get("url") if isinstance(request, dict) else None
    method = request.get("method") if isinstance(request, dict) else None
    exists = request.get("ifNoneExist") if isinstance(request, dict) else None
    if not isinstance(url, str) or not isinstance(method, str):
        sent.problem = Invalid("invalid_entry", "Bundle", "entry", "request")
        return
    if method not in ("POST", "PUT"):
        sent.problem = Invalid("unsupported_method")
        return
    if sent.kind is None:
        return
    path, _, query = url.partition("?")
    asked = query if method == "PUT" else exists
    if isinstance(asked, str):
        sent.request_aliases = tuple(references.conditional(sent.kind, asked.lstrip("?")))
    own = sent.resource.get("id")
    if method == "PUT" and not query:
        named = path.rstrip("/").rpartition(f"{sent.kind}/")[2]
        if not isinstance(own, str):
            sent.request_aliases = (f"{sent.kind}/{named}",)
        elif named != own:
            sent.problem = Invalid("id_mismatch")


def _gather(sent: Sequence[_Sent], bundle_type: str | None) -> Parsed:
    for item in sent:
        if item.problem is None:
            item.problem = _problem_of(item)
    taken = [item for item in sent if item.problem is None]
    _name(taken)
    subjects = _Subjects(sent)
    entries = []
    for item in taken:
        if item.problem is None:
            entry = _entry(item, item.resource["resourceType"])
            try:
                subjects.add(entry)
            except Invalid as problem:
                item.problem = problem
            else:
                entries.append(entry)
    return Parsed(
        entries=tuple(entries),
        rejections=tuple(_reject(item, item.problem) for item in sent if item.problem is not None),
        bundle_type=bundle_type,
        transaction=bundle_type == "transaction",
        total=len(sent),
        patients=tuple(subjects.facts),
        subjects=tuple(subjects.about),
    )


def _problem_of(item: _Sent) -> Invalid | None:
    kind = item.kind
    if kind is not None and TREATMENTS[kind].fate == "rejected":
        return Invalid(TREATMENTS[kind].why)
    try:
        check_resource(item.resource)
        _check_fragments(item.resource)
    except Invalid as problem:
        return problem
    return None


def _check_fragments(resource: Resource) -> None:
    inside = {f"#{c['id']}" for c in resource.get("contained", ()) if isinstance(c, dict)} | {"#"}
    for name, reference in references.walk(resource):
        url = reference.get("reference")
        if isinstance(url, str) and url.startswith("#") and url not in inside:
            raise Invalid("reference_unresolved", resource["resourceType"], name)


def _reject(item: _Sent, problem: Invalid) -> Rejection:
    element = problem.element or None
    return Rejection(
        item.index,
        problem.code,
        errors.message(problem.code, item.kind, element, "en"),
        item.kind,
        element,
    )


def _name(taken: Iterable[_Sent]) -> None:
    """Give each its aliases. One claimed twice names neither, and a name sent twice is refused."""
    seen: set[str] = set()
    single = []
    for item in taken:
        item.aliases = tuple(dict.fromkeys(_claims(item))) or (_hash(item.resource),)
        full = item.full_url and references.normal(item.full_url)
        identity = full if full and references.is_absolute(full) else item.aliases[-1]
        if identity in seen:
            item.problem = Invalid("duplicate_entry")
            continue
        seen.add(identity)
        single.append(item)
    claimed = Counter(alias for item in single for alias in item.aliases)
    for item in single:
        if item.kind != "Patient":
            item.aliases = tuple(a for a in item.aliases if claimed[a] == 1)
            if not item.aliases:
                item.aliases = (_hash(item.resource),)


def _claims(item: _Sent) -> Iterator[str]:
    """Every alias that an entry has by what it says of itself, best first; perhaps none."""
    resource = item.resource
    yield from references.identifiers(resource)
    yield from item.request_aliases
    full = references.normal(item.full_url or "")
    if references.is_absolute(full):
        yield full
    if isinstance(resource.get("id"), str):
        yield f"{resource['resourceType']}/{resource['id']}"
    elif full.startswith(f"{resource['resourceType']}/"):
        yield full


def _hash(resource: Resource) -> str:
    digest = hashlib.sha256(dumps(resource).encode()).hexdigest()
    return f"hash:{resource['resourceType']}:{digest}"


def _entry(item: _Sent, kind: str) -> Entry:
    base = references.base_of(item.aliases, kind)
    pointed = dict.fromkeys(
        alias
        for name, reference in references.walk(item.resource)
        for alias in references.candidates(name, reference, base)
    )
    for alias in item.aliases:
        pointed.pop(alias, None)
    return Entry(item.index, kind, item.resource, item.aliases, tuple(pointed))


class _Subjects:
    """Whom the resources are about. Patients that share an alias are one."""

    def __init__(self, sent: Iterable[_Sent]) -> None:
        self.about: dict[str, None] = {}
        self.facts: list[PatientFacts] = []
        self._keys: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self._numbers: set[tuple[str, str]] = set()
        # A Patient that was refused still says whose Bundle this is.
        known = [item for item in sent if item.kind is not None]
        for item in known:
            aliases = item.aliases or tuple(_claims(item)) or (f"entry:{item.index}",)
            self._kinds.update(dict.fromkeys(aliases, str(item.kind)))
            if item.kind == "Patient":
                self._add_patient(item.index, item.resource, aliases)
        for item in known:
            contained = item.resource.get("contained")
            for inner in contained if isinstance(contained, list) else ():
                if isinstance(inner, dict) and inner.get("resourceType") == "Patient":
                    # Without an identifier it is no second patient: its facts have to do.
                    nameless = self.facts[0].key if self.facts else "contained"
                    names = tuple(references.identifiers(inner)) or (nameless,)
                    self._add_patient(item.index, inner, names)

    def _add_patient(self, index: int, patient: Resource, aliases: tuple[str, ...]) -> None:
        known = next((self._keys[a] for a in aliases if a in self._keys), None)
        facts = _facts(index, known or aliases[0], patient)
        self._keys.update(dict.fromkeys(aliases, facts.key))
        self.facts.append(facts)
        if facts.snils is not None:
            self._numbers.add((facts.key, facts.snils))

    def add(self, entry: Entry) -> None:
        """Note whom an entry is about. Raises Invalid when that is no Patient."""
        if TREATMENTS[entry.resource_type].why in ("names", "identity"):
            return
        for name in ("subject", "patient"):
            reference = entry.resource.get(name)
            if isinstance(reference, dict):
                self._add_subject(entry, name, reference)

    def _add_subject(self, entry: Entry, name: str, reference: Resource) -> None:
        base = references.base_of(entry.aliases, entry.resource_type)
        found = references.candidates(name, reference, base)
        kinds = {self._kinds[a] for a in found if a in self._kinds} or {
            kind for a in found if (kind := _kind_of(a)) is not None
        }
        shown = TREATMENTS[entry.resource_type].fate == "shown"
        if kinds and "Patient" not in kinds:
            if shown:
                raise Invalid("not_about_patient", entry.resource_type, name)
            return
        known = next((self._keys[a] for a in found if a in self._keys), None)
        # What is only kept is seen by nobody, so a patient unknown here is no second patient.
        if known is None and not (found and (shown or entry.resource_type == "Composition")):
            return
        key = known or found[-1]
        self.about[key] = None
        numbers = (a.removeprefix(SNILS_ALIAS) for a in found if a.startswith(SNILS_ALIAS))
        number = next((n for n in numbers if len(n) == 11), None)
        if number and (key, number) not in self._numbers:
            self._numbers.add((key, number))
            self.facts.append(PatientFacts(entry.index, key, number, None, ()))


def _kind_of(alias: str) -> str | None:
    """The type that an alias names by itself."""
    head = alias.partition("|")[0] if "|" in alias else alias.rpartition("/")[0].rpartition("/")[2]
    return head if head in R4_TYPES else None


def _facts(index: int, key: str, patient: Resource) -> PatientFacts:
    given = patient.get("identifier")
    numbers = (
        references.snils(identifier)
        for identifier in (given if isinstance(given, list) else ())
        if isinstance(identifier, dict)
    )
    born = patient.get("birthDate")
    return PatientFacts(
        index,
        key,
        next((number for number in numbers if number), None),
        born if isinstance(born, str) else None,
        tuple(_names(patient.get("name"))),
    )


def _names(given: object) -> Iterator[str]:
    for name in given if isinstance(given, list) else ():
        if not isinstance(name, dict):
            continue
        text, family, first = name.get("text"), name.get("family"), name.get("given")
        parts = [family, *(first if isinstance(first, list) else ())]
        whole = " ".join(part for part in parts if isinstance(part, str))
        if whole or isinstance(text, str):
            yield whole or str(text)
