"""The routes of a card's records, for its patient and for clinicians."""

from typing import Any, NamedTuple

from kernel import exact_json, settings
from kernel.access import Action
from kernel.api import Answer, App, CardRead, Request, RouteFunction, SignedIn
from kernel.cursors import Cursors
from kernel.errors import CursorInvalid
from kernel.fhir import address, searchset
from kernel.gate import Gate, Tables
from kernel.identity import RecordId
from kernel.query import Paging
from kernel.records import Section
from kernel.sealing import Keyring
from records.fhir import history
from records.models import (
    ChangesQuery,
    ListQuery,
    OneQuery,
    PrescriptionsQuery,
    ResultsQuery,
    SeriesQuery,
    VisitsQuery,
)
from records.repository import RecordsRepository
from records.service import Changed, Listed, Read, Records


class Settings(NamedTuple):
    accounts_table: str
    registry_table: str
    consents_table: str
    records_table: str
    keys_table: str
    journal_table: str
    medical_key_id: str
    lookup_key_id: str
    portal_url: str
    records_bucket: str


_settings = settings.load(Settings)
_repository = RecordsRepository(
    records_table=_settings.records_table,
    registry_table=_settings.registry_table,
    consents_table=_settings.consents_table,
    bucket=_settings.records_bucket,
    keyring=Keyring(
        table=_settings.keys_table, kms_key=_settings.medical_key_id, purpose="medical"
    ),
)
_records = Records(_repository, Cursors(_settings.lookup_key_id))
app = App(
    "records",
    gate=Gate(
        Tables(
            accounts=_settings.accounts_table,
            registry=_settings.registry_table,
            consents=_settings.consents_table,
            journal=_settings.journal_table,
        ),
        with_card=_repository.with_card,
    ),
)


@app.route("GET", "/v1/access", access=SignedIn(), answer="AccessAnswer")
def why(request: Request) -> Answer:
    """Why do I (not) see my card."""
    return Answer(_records.access(request.actor, request.now, request.language))


@app.route(
    "GET",
    "/v1/cards",
    access=SignedIn(),
    answer="CardList",
    query=Paging,
    errors=(CursorInvalid,),
)
def cards(request: Request) -> Answer:
    """The cards that I can open: never so many that there is a second page."""
    if request.query.cursor is not None:
        raise CursorInvalid
    return Answer({"items": _records.cards(request.actor, request.now), "next_cursor": None})


# The same reads for the patient and for the clinicians of the clinic.
_SIDES = (
    ("/v1/cards/{card_id}", Action.READ_OWN),
    ("/v1/clinic/cards/{card_id}", Action.READ_AS_CLINICIAN),
)
_LISTS: tuple[tuple[Section, type[ListQuery], str], ...] = (
    ("visits", VisitsQuery, "Visit"),
    ("results", ResultsQuery, "Result"),
    ("prescriptions", PrescriptionsQuery, "Prescription"),
)
_FHIR_BASE = f"{_settings.portal_url}/fhir"


def _read(request: Request, section: Section, action: Action) -> Read:
    return Read(request.card, section, patient=action.own, fhir=request.wants_fhir)


def _answered(request: Request, found: Listed | dict[str, Any] | bytes) -> Answer:
    if not isinstance(found, Listed):
        return Answer(found)
    bundle = searchset(request, _FHIR_BASE, found.resources, found.cursor, found.included)
    return Answer(exact_json.dumps(bundle).encode())


def _summary(action: Action) -> RouteFunction:
    def summary(request: Request) -> Answer:
        """Blood group, allergies and chronic conditions."""
        read = _read(request, "summary", action)
        return _answered(request, _records.summary(read, request.language))

    return summary


def _listing(section: Section, action: Action) -> RouteFunction:
    def listing(request: Request) -> Answer:
        query = request.query
        binding = request.binding(query.from_, query.to, sorted(query.filters().items()))
        return _answered(request, _records.listing(_read(request, section, action), query, binding))

    listing.__doc__ = f"A page of {section}, newest first."
    return listing


def _one(section: Section, action: Action) -> RouteFunction:
    def one(request: Request) -> Answer:
        read, query = _read(request, section, action), request.query
        return Answer(_records.one(read, RecordId(request.path["record_id"]), query.version))

    one.__doc__ = f"One record of {section}, with what it replaced; `version`: an earlier one."
    return one


def _series(action: Action) -> RouteFunction:
    def series(request: Request) -> Answer:
        """One quantity over time, for a plot: values that convert share a series."""
        read = _read(request, "results", action)
        return _answered(request, _records.series(read, request.query))

    return series


def _register(root: str, action: Action) -> None:
    app.route(
        "GET",
        f"{root}/summary",
        access=CardRead(action, "summary"),
        answer="Summary",
        fhir=True,
    )(_summary(action))
    for section, query, answer in _LISTS:
        reading = CardRead(action, section)
        app.route(
            "GET",
            f"{root}/{section}",
            access=reading,
            answer=f"{answer}List",
            query=query,
            errors=(CursorInvalid,),
            fhir=True,
        )(_listing(section, action))
        app.route(
            "GET",
            f"{root}/{section}/{{record_id}}",
            access=reading,
            answer=f"One{answer}",
            query=OneQuery,
            fhir=True,
        )(_one(section, action))
    app.route(
        "GET",
        f"{root}/results/series",
        access=CardRead(action, "results"),
        answer="SeriesAnswer",
        query=SeriesQuery,
        fhir=True,
    )(_series(action))


for _root, _action in _SIDES:
    _register(_root, _action)


@app.route(
    "GET",
    "/v1/cards/{card_id}/changes",
    access=CardRead(Action.READ_OWN, "changes"),
    answer="ChangeList",
    query=ChangesQuery,
    errors=(CursorInvalid,),
    fhir=True,
)
def changes(request: Request) -> Answer:
    """What came, changed or was taken back since then; without `since`, the token of now."""
    read = _read(request, "summary", Action.READ_OWN)
    found = _records.changes(read, request.query, request.binding())
    if not isinstance(found, Changed):
        return Answer(found)
    bundle = history(
        found.changed,
        found.reading,
        base=_FHIR_BASE,
        here=address(request, None),
        following=address(request, found.token),
    )
    return Answer(exact_json.dumps(bundle).encode())
