"""Routes of consents and of the card's journal."""

from typing import NamedTuple

from consent import contests, fhir, notifications, service
from consent.hiding import Hiding
from consent.repository import Inbox, JournalReader
from kernel.access import Action
from kernel.api import Answer, App, CardRead, CardWrite, Public, Request, SignedIn
from kernel.cases import Cases
from kernel.consent_acts import ConsentActs
from kernel.cursors import Cursors
from kernel.errors import (
    AlreadyExists,
    Conflict,
    CursorInvalid,
    NotFound,
    ValidationFailed,
)
from kernel.extracts import Revoking
from kernel.fhir import searchset
from kernel.gate import Gate, Tables
from kernel.idempotency import Idempotency
from kernel.identity import RecordId
from kernel.notes import Notes
from kernel.query import Paging
from kernel.settings import load
from kernel.withdrawals import Withdrawals


class Settings(NamedTuple):
    accounts_table: str
    registry_table: str
    consents_table: str
    records_table: str
    keys_table: str
    notices_table: str
    journal_table: str
    idempotency_table: str
    extracts_table: str
    extracts_bucket: str
    receipt_key_id: str
    lookup_key_id: str
    notes_key_id: str
    withdrawals_topic_arn: str
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
    tell_clinics=Withdrawals(settings.withdrawals_topic_arn).tell,
)
journal_reader = JournalReader(settings.journal_table, settings.registry_table)
notes = Notes(keys_table=settings.keys_table, notes_key=settings.notes_key_id)
cases = Cases(settings.notices_table, notes)
inbox = Inbox(settings.notices_table, settings.registry_table)
hiding = Hiding(
    consents_table=settings.consents_table,
    records_table=settings.records_table,
    journal=gate.journal,
)
cursors = Cursors(settings.lookup_key_id)
fhir_base = f"{settings.issuer}/fhir"
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
    body="GiveConsent",
    errors=[AlreadyExists, Conflict],
    idempotent=True,
    location="/v1/consents/{consent_id}",
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
    fhir=True,
)
def get_consents(request: Request) -> Answer:
    """The whole history of my consents, the newest first."""
    binding = request.binding()
    after = cursors.read(request.query.cursor, binding)
    items, position = service.consent_page(
        request.actor, request.now, after, request.query.limit, acts
    )
    cursor = cursors.make(position, binding)
    if request.wants_fhir:
        resources = service.consents_as_fhir(request.actor, items)
        return Answer(searchset(request, fhir_base, resources, cursor))
    return Answer({"items": items, "next_cursor": cursor})


@app.route(
    "GET",
    "/v1/consents/{consent_id}",
    access=SignedIn(),
    answer="Consent",
    errors=[NotFound],
    fhir=True,
)
def get_consent(request: Request) -> Answer:
    """One of my consents."""
    body = service.consent(request.actor, request.path["consent_id"], request.now, acts)
    if request.wants_fhir:
        (body,) = service.consents_as_fhir(request.actor, [body])
    return Answer(body)


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
    fhir=True,
)
def get_journal(request: Request) -> Answer:
    """Who opened or changed my card, the newest first; readable while the card is closed."""
    binding = request.binding()
    before = cursors.read(request.query.cursor, binding)
    items, position = service.journal_page(
        request.card.card.card_id, before, request.query.limit, journal_reader, notes
    )
    cursor = cursors.make(position, binding)
    if request.wants_fhir:
        resources = [fhir.audit_event(item, request.card.card.card_id) for item in items]
        return Answer(searchset(request, fhir_base, resources, cursor))
    return Answer({"items": items, "next_cursor": cursor})


@app.route(
    "POST",
    "/v1/cards/{card_id}/journal/{entry_id}/contest",
    access=CardWrite(Action.CONTEST_OWN, "journal"),
    answer="Case",
    status=201,
    body="Contest",
    errors=[NotFound, AlreadyExists],
    idempotent=True,
    location="/v1/cards/{card_id}/journal/{entry_id}/contest",
)
def post_contest(request: Request) -> Answer:
    """Contest an entry of my card's journal: the clinic answers by a day."""
    body = contests.contest(
        request.card.card,
        request.path["entry_id"],
        request.body.text,
        now=request.now,
        entry=request.entry,
        reader=journal_reader,
        cases_of=cases,
        journal=gate.journal,
    )
    return Answer(body)


@app.route(
    "GET",
    "/v1/cards/{card_id}/journal/{entry_id}/contest",
    access=CardRead(Action.JOURNAL_OWN, "journal"),
    answer="Case",
    errors=[NotFound],
)
def get_contest(request: Request) -> Answer:
    """How far my contest of an entry is."""
    card_id = request.card.card.card_id
    return Answer(contests.state(card_id, request.path["entry_id"], cases))


@app.route(
    "PUT",
    "/v1/cards/{card_id}/records/{record_id}/hidden",
    access=CardWrite(Action.HIDE_OWN, "records"),
    answer="HiddenRecord",
    errors=[NotFound, ValidationFailed],
)
def put_hidden_record(request: Request) -> Answer:
    """Hide a record from clinicians."""
    record_id = RecordId(request.path["record_id"])
    return Answer(hiding.hide_record(request.card.card.card_id, record_id, request.entry))


@app.route(
    "DELETE",
    "/v1/cards/{card_id}/records/{record_id}/hidden",
    access=CardWrite(Action.HIDE_OWN, "records"),
    errors=[NotFound],
)
def delete_hidden_record(request: Request) -> Answer:
    """Show a record to clinicians again."""
    opened, record_id = request.card, RecordId(request.path["record_id"])
    hiding.show_record(opened.card.card_id, opened.hidden, record_id, request.entry)
    return Answer(None)


@app.route(
    "PUT",
    "/v1/cards/{card_id}/sections/{section}/hidden",
    access=CardWrite(Action.HIDE_OWN, "sections"),
    answer="HiddenSection",
    errors=[NotFound],
)
def put_hidden_section(request: Request) -> Answer:
    """Hide a section from clinicians, with all that will come into it."""
    card_id = request.card.card.card_id
    return Answer(hiding.hide_section(card_id, request.path["section"], request.entry))


@app.route(
    "DELETE",
    "/v1/cards/{card_id}/sections/{section}/hidden",
    access=CardWrite(Action.HIDE_OWN, "sections"),
    errors=[NotFound],
)
def delete_hidden_section(request: Request) -> Answer:
    """Show a section to clinicians again."""
    hiding.show_section(request.card.card.card_id, request.path["section"], request.entry)
    return Answer(None)


@app.route(
    "GET",
    "/v1/notifications",
    access=SignedIn(),
    answer="NotificationList",
    query=Paging,
    errors=[CursorInvalid],
)
def get_notifications(request: Request) -> Answer:
    """What is new in my account: what is due first, then the newest."""
    binding = request.binding()
    after = cursors.read(request.query.cursor, binding)
    items, position = notifications.page(
        request.actor,
        request.now,
        after,
        request.query.limit,
        request.language,
        acts=acts,
        inbox=inbox,
    )
    return Answer({"items": items, "next_cursor": cursors.make(position, binding)})


@app.route(
    "POST",
    "/v1/notifications/{notification_id}/read",
    access=SignedIn(),
    answer="Notification",
    errors=[NotFound],
)
def post_notification_read(request: Request) -> Answer:
    """Mark a notification as read."""
    body = notifications.read(
        request.actor,
        request.path["notification_id"],
        request.now,
        request.language,
        acts=acts,
        inbox=inbox,
    )
    return Answer(body)


handler = app
