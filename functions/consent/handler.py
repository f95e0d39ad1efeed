"""Routes of consents and of the card's journal."""

from dataclasses import dataclass

from consent import service
from consent.models import GiveConsent
from consent.repository import JournalReader
from kernel.access import Action
from kernel.api import Answer, App, CardRead, Paging, Public, Request, SignedIn
from kernel.consent_acts import ConsentActs
from kernel.cursors import Cursors
from kernel.errors import AlreadyExists, Conflict, CursorInvalid, NotFound
from kernel.extracts import Revoking
from kernel.gate import Gate, Tables
from kernel.idempotency import Idempotency
from kernel.settings import load


@dataclass(frozen=True)
class Settings:
    accounts_table: str
    registry_table: str
    consents_table: str
    journal_table: str
    idempotency_table: str
    extracts_table: str
    extracts_bucket: str
    receipt_key_id: str
    lookup_key_id: str
    issuer: str


settings = load(Settings)
gate = Gate(
    Tables(
        accounts=settings.accounts_table,
        registry=settings.registry_table,
        consents=settings.consents_table,
        journal=settings.journal_table,
    )
)
acts = ConsentActs(
    consents_table=settings.consents_table,
    registry_table=settings.registry_table,
    journal=gate.journal,
    receipt_key=settings.receipt_key_id,
    lookup_key=settings.lookup_key_id,
    issuer=settings.issuer,
    revoke_extracts=Revoking(
        table=settings.extracts_table, bucket=settings.extracts_bucket
    ).revoke_all,
)
journal_reader = JournalReader(settings.journal_table, settings.registry_table)
cursors = Cursors(settings.lookup_key_id)
app = App("consent", gate=gate, idempotency=Idempotency(settings.idempotency_table))


@app.route(
    "GET",
    "/v1/consents/documents/current",
    access=Public(),
    answer="ConsentDocument",
    cache="public, max-age=300",
)
def get_current_document(request: Request) -> Answer:
    """The text that consent is asked for now, in the reader's language."""
    body = service.current_document(request.language, request.now)
    return Answer(body, headers={"Vary": "Accept-Language"})


@app.route(
    "POST",
    "/v1/consents",
    access=SignedIn(verified=True),
    answer="Consent",
    status=201,
    body=GiveConsent,
    errors=[AlreadyExists, Conflict],
    idempotent=True,
)
def post_consent(request: Request) -> Answer:
    """Give consent to the current text, for one clinic or for every clinic of mine."""
    return Answer(service.give(request.actor, request.body, request.now, acts))


@app.route(
    "GET",
    "/v1/consents",
    access=SignedIn(),
    answer="ConsentList",
    query=Paging,
    errors=[CursorInvalid],
)
def get_consents(request: Request) -> Answer:
    """The whole history of my consents, the newest first."""
    binding = request.binding()
    after = cursors.read(request.query.cursor, binding)
    items, position = service.consent_page(
        request.actor, request.now, after, request.query.limit, acts
    )
    return Answer({"items": items, "next_cursor": cursors.make(position, binding)})


@app.route(
    "GET",
    "/v1/consents/{consent_id}",
    access=SignedIn(),
    answer="Consent",
    errors=[NotFound],
)
def get_consent(request: Request) -> Answer:
    """One of my consents."""
    return Answer(service.consent(request.actor, request.path["consent_id"], request.now, acts))


@app.route(
    "POST",
    "/v1/consents/{consent_id}/withdraw",
    access=SignedIn(verified=True),
    answer="Consent",
    errors=[NotFound, Conflict],
)
def post_withdraw(request: Request) -> Answer:
    """Withdraw a consent: what it covered is closed, and its extracts are gone."""
    return Answer(service.withdraw(request.actor, request.path["consent_id"], request.now, acts))


@app.route(
    "GET",
    "/v1/cards/{card_id}/journal",
    access=CardRead(Action.JOURNAL_OWN, "journal"),
    answer="JournalList",
    query=Paging,
    errors=[CursorInvalid],
)
def get_journal(request: Request) -> Answer:
    """Who opened or changed my card, the newest first; readable while the card is closed."""
    binding = request.binding()
    before = cursors.read(request.query.cursor, binding)
    items, position = service.journal_page(
        request.card.card.card_id, before, request.query.limit, journal_reader
    )
    return Answer({"items": items, "next_cursor": cursors.make(position, binding)})


handler = app
