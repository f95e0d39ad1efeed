"""The routes of extracts and of the public check of papers."""

from typing import NamedTuple

from extracts import check_page
from extracts.repository import ExtractsRepository, OrderKey
from extracts.service import Extracts
from kernel import settings
from kernel.access import Action
from kernel.api import (
    JSON,
    Answer,
    App,
    CardWrite,
    Public,
    Request,
    SignedIn,
    acceptable,
)
from kernel.cursors import Cursors
from kernel.errors import (
    AccessStepFailed,
    CursorInvalid,
    ExtractTooBroad,
    NotFound,
    NotReady,
    Unavailable,
)
from kernel.extracts import Revoking
from kernel.gate import Gate, Tables
from kernel.idempotency import Idempotency
from kernel.identity import ExtractId, PatientId
from kernel.query import Paging


class Settings(NamedTuple):
    accounts_table: str
    registry_table: str
    consents_table: str
    records_table: str
    extracts_table: str
    journal_table: str
    idempotency_table: str
    lookup_key_id: str
    extracts_bucket: str
    extracts_queue_url: str


_settings = settings.load(Settings)
_repository = ExtractsRepository(
    extracts_table=_settings.extracts_table,
    records_table=_settings.records_table,
    bucket=_settings.extracts_bucket,
    queue_url=_settings.extracts_queue_url,
)
_gate = Gate(
    Tables(
        accounts=_settings.accounts_table,
        registry=_settings.registry_table,
        consents=_settings.consents_table,
        journal=_settings.journal_table,
    ),
    with_card=lambda card_id: [_repository.head_lookup(card_id)],
)
_extracts = Extracts(
    _repository,
    Revoking(table=_settings.extracts_table, bucket=_settings.extracts_bucket),
    _gate,
    Cursors(_settings.lookup_key_id),
)
app = App("extracts", gate=_gate, idempotency=Idempotency(_settings.idempotency_table))
_OWN = SignedIn(verified=True)


@app.route(
    "POST",
    "/v1/cards/{card_id}/extracts",
    access=CardWrite(Action.EXTRACT_OWN, "extracts"),
    answer="Extract",
    status=202,
    body="OrderExtract",
    idempotent=True,
    errors=(ExtractTooBroad, Unavailable),
    location="/v1/extracts/{extract_id}",
)
def order(request: Request) -> Answer:
    """Order an extract: named records, or a period of at most 12 months."""
    given = request.headers.get("idempotency-key")
    card = request.card
    key = OrderKey.of(given, request.raw, card.card.card_id, request.now) if given else None
    made = _extracts.order(request.actor, card, request.body, request.entry, key, request.language)
    return Answer(made)


@app.route(
    "GET",
    "/v1/extracts",
    access=_OWN,
    answer="ExtractList",
    query=Paging,
    errors=(CursorInvalid,),
)
def listing(request: Request) -> Answer:
    """My extracts, newest first."""
    answer = _extracts.listing(
        _patient(request), request.query, request.binding(), request.now, request.language
    )
    return Answer(answer)


@app.route("GET", "/v1/extracts/{extract_id}", access=_OWN, answer="Extract", errors=(NotFound,))
def one(request: Request) -> Answer:
    """How far an extract is."""
    return Answer(
        _extracts.one(_patient(request), _extract(request), request.now, request.language)
    )


@app.route(
    "GET",
    "/v1/extracts/{extract_id}/file",
    access=_OWN,
    answer="ExtractLink",
    errors=(NotFound, NotReady, AccessStepFailed),
)
def file(request: Request) -> Answer:
    """A link to the PDF that lives for five minutes."""
    link = _extracts.link(request.claims, _patient(request), _extract(request), request.now)
    return Answer(link)


@app.route("DELETE", "/v1/extracts/{extract_id}", access=_OWN, errors=(NotFound,))
def delete(request: Request) -> Answer:
    """Take an extract back: its file is gone, its paper is no longer confirmed."""
    _extracts.delete(request.actor, _patient(request), _extract(request), request.now)
    return Answer(status=204)


@app.route(
    "GET",
    "/v1/verify/{verification_code}",
    access=Public(),
    answer="Verification",
    errors=(NotFound,),
)
def verify_code(request: Request) -> Answer:
    """Is the paper with this code genuine? Says nothing about the patient. In a browser: a page."""
    code = request.path["verification_code"]
    wanted = acceptable(request.headers.get("accept"), (JSON, check_page.MEDIA))
    if wanted == JSON:
        return Answer(_extracts.verify_code(code, request.now))
    headers, media = check_page.HEADERS, check_page.MEDIA
    try:
        found = _extracts.verify_code(code, request.now)
    except NotFound:
        return Answer(check_page.page(None, request.language), 404, headers, media)
    return Answer(check_page.page(found, request.language), 200, headers, media)


@app.route(
    "POST",
    "/v1/verify",
    access=Public(),
    answer="Verification",
    body="CheckFile",
    errors=(NotFound,),
)
def verify_file(request: Request) -> Answer:
    """Is the file with this SHA-256 genuine? Says nothing about the patient."""
    return Answer(_extracts.verify_file(request.body.sha256, request.now))


def _patient(request: Request) -> PatientId:
    patient_id = request.actor.patient_id
    if patient_id is None:
        raise NotFound
    return patient_id


def _extract(request: Request) -> ExtractId:
    return ExtractId(request.path["extract_id"])
