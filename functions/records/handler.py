"""The routes of a card's records, for its patient and for clinicians."""

from collections.abc import Callable
from dataclasses import dataclass

from kernel import settings
from kernel.access import Action
from kernel.api import Answer, App, CardRead, Paging, Request, SignedIn
from kernel.cursors import Cursors
from kernel.errors import CursorInvalid
from kernel.gate import Gate, Tables
from kernel.identity import RecordId
from kernel.records import Section
from kernel.sealing import Keyring
from records.models import ListQuery, PrescriptionsQuery, ResultsQuery, VisitsQuery
from records.repository import RecordsRepository
from records.service import Records


@dataclass(frozen=True, slots=True)
class Settings:
    accounts_table: str
    registry_table: str
    consents_table: str
    records_table: str
    keys_table: str
    journal_table: str
    medical_key_id: str
    lookup_key_id: str


_settings = settings.load(Settings)
_repository = RecordsRepository(
    records_table=_settings.records_table,
    registry_table=_settings.registry_table,
    consents_table=_settings.consents_table,
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


@app.route("GET", "/v1/cards", access=SignedIn(), answer="CardList", query=Paging)
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


def _summary(request: Request) -> Answer:
    """Blood group, allergies and chronic conditions."""
    return Answer(_records.summary(request.card, request.language))


def _listing(section: Section) -> Callable[[Request], Answer]:
    def listing(request: Request) -> Answer:
        query = request.query
        binding = request.binding(query.from_, query.to, sorted(query.filters().items()))
        return Answer(_records.listing(request.card, section, query, binding))

    listing.__doc__ = f"A page of {section}, newest first."
    return listing


def _one(section: Section) -> Callable[[Request], Answer]:
    def one(request: Request) -> Answer:
        return Answer(_records.one(request.card, section, RecordId(request.path["record_id"])))

    one.__doc__ = f"One record of {section}."
    return one


def _register(root: str, action: Action) -> None:
    app.route("GET", f"{root}/summary", access=CardRead(action, "summary"), answer="Summary")(
        _summary
    )
    for section, query, answer in _LISTS:
        reading = CardRead(action, section)
        app.route(
            "GET",
            f"{root}/{section}",
            access=reading,
            answer=f"{answer}List",
            query=query,
            errors=(CursorInvalid,),
        )(_listing(section))
        app.route("GET", f"{root}/{section}/{{record_id}}", access=reading, answer=answer)(
            _one(section)
        )


for _root, _action in _SIDES:
    _register(_root, _action)
