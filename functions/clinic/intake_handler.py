"""The routes by which clinics' systems send records."""

from typing import NamedTuple

from clinic.imports import Imports
from clinic.imports import Tables as ImportTables
from clinic.intake import Intake
from clinic.intake_repository import IntakeRepository
from clinic.payloads import Payloads
from kernel import settings
from kernel.access import Action
from kernel.api import FHIR_JSON, JSON, Answer, App, CardWrite, Request
from kernel.errors import BodyTooLarge, Conflict, NotFound, ValidationFailed, WrongPatient
from kernel.gate import Gate, Tables
from kernel.idempotency import key_of
from kernel.identity import RecordId
from kernel.sealing import Keyring

# Lambda takes 6 MB; what is larger goes by upload.
INLINE_LIMIT = 5 * 1024 * 1024
CDA_MEDIA = ("application/xml", "text/xml", "application/cda+xml", "application/hl7-cda+xml")
IMPORTS = "/v1/clinic/cards/{card_id}/imports"


class Settings(NamedTuple):
    accounts_table: str
    registry_table: str
    consents_table: str
    records_table: str
    keys_table: str
    notices_table: str
    journal_table: str
    medical_key_id: str
    records_bucket: str


_settings = settings.load(Settings)
_gate = Gate(
    Tables(
        accounts=_settings.accounts_table,
        registry=_settings.registry_table,
        consents=_settings.consents_table,
        journal=_settings.journal_table,
    )
)
_keyring = Keyring(table=_settings.keys_table, kms_key=_settings.medical_key_id, purpose="medical")
_intake = Intake(
    IntakeRepository(
        records_table=_settings.records_table,
        registry_table=_settings.registry_table,
        keyring=_keyring,
        journal=_gate.journal,
        payloads=Payloads(_settings.records_bucket),
        notices_table=_settings.notices_table,
    )
)
_imports = Imports(
    tables=ImportTables(
        accounts=_settings.accounts_table,
        registry=_settings.registry_table,
        records=_settings.records_table,
    ),
    bucket=_settings.records_bucket,
    keyring=_keyring,
    journal=_gate.journal,
)
app = App("clinic", gate=_gate)


@app.route(
    "POST",
    "/v1/clinic/cards/{card_id}/fhir",
    access=CardWrite(Action.WRITE_AS_CLINICIAN, "records"),
    answer="IntakeOutcome",
    media=(FHIR_JSON, JSON),
    limit=INLINE_LIMIT,
    larger=IMPORTS,
    errors=(Conflict, WrongPatient),
)
def take_fhir(request: Request) -> Answer:
    """Send a FHIR R4 Bundle, or one resource, into a card of one's own clinic."""
    try:
        outcome = _intake.take(
            request.card, request.raw, entry=request.entry, language=request.language
        )
    except BodyTooLarge as error:
        raise BodyTooLarge(IMPORTS) from error
    return Answer(outcome.answer())


@app.route(
    "POST",
    "/v1/clinic/cards/{card_id}/cda",
    access=CardWrite(Action.WRITE_AS_CLINICIAN, "records"),
    answer="IntakeOutcome",
    media=CDA_MEDIA,
    limit=INLINE_LIMIT,
    errors=(Conflict, WrongPatient),
)
def take_cda(request: Request) -> Answer:
    """Send one CDA R2 document (СЭМД) into a card of one's own clinic."""
    outcome = _intake.take_cda(
        request.card, request.raw, entry=request.entry, language=request.language
    )
    return Answer(outcome.answer())


@app.route(
    "POST",
    "/v1/clinic/cards/{card_id}/results/{record_id}/seen",
    access=CardWrite(Action.WRITE_AS_CLINICIAN, "results"),
    status=204,
    errors=(Conflict, NotFound),
)
def post_seen(request: Request) -> Answer:
    """Say that a doctor has seen a held result: its patient is shown it from now on."""
    _intake.seen(request.card, RecordId(request.path["record_id"]), entry=request.entry)
    return Answer()


@app.route(
    "POST",
    IMPORTS,
    access=CardWrite(Action.WRITE_AS_CLINICIAN, "imports"),
    answer="ImportOrdered",
    status=201,
    location=IMPORTS + "/{import_id}",
    headers=("Idempotency-Key",),
    errors=(ValidationFailed,),
)
def post_import(request: Request) -> Answer:
    """Order an import: the answer holds the form by which the file is uploaded, up to 50 MB."""
    key = key_of(request.headers)
    return Answer(_imports.order(request.card, request.actor, request.entry, request.language, key))


@app.route(
    "GET",
    "/v1/clinic/cards/{card_id}/imports/{import_id}",
    access=CardWrite(Action.WRITE_AS_CLINICIAN, "imports"),
    answer="ImportState",
    errors=(NotFound,),
)
def get_import(request: Request) -> Answer:
    """How far an import is, and what became of its entries."""
    return Answer(_imports.state(request.card, request.path["import_id"]))
