"""The routes by which clinics' systems send records."""

from dataclasses import dataclass

from clinic.intake import Intake
from clinic.intake_repository import IntakeRepository
from kernel import settings
from kernel.access import Action
from kernel.api import FHIR_JSON, JSON, Answer, App, CardWrite, Request
from kernel.errors import Conflict, WrongPatient
from kernel.gate import Gate, Tables
from kernel.sealing import Keyring

# Lambda takes 6 MB; what is larger goes by upload.
INLINE_LIMIT = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    accounts_table: str
    registry_table: str
    consents_table: str
    records_table: str
    keys_table: str
    journal_table: str
    medical_key_id: str


_settings = settings.load(Settings)
_gate = Gate(
    Tables(
        accounts=_settings.accounts_table,
        registry=_settings.registry_table,
        consents=_settings.consents_table,
        journal=_settings.journal_table,
    )
)
_intake = Intake(
    IntakeRepository(
        records_table=_settings.records_table,
        registry_table=_settings.registry_table,
        keyring=Keyring(
            table=_settings.keys_table, kms_key=_settings.medical_key_id, purpose="medical"
        ),
        journal=_gate.journal,
    )
)
app = App("clinic", gate=_gate)


@app.route(
    "POST",
    "/v1/clinic/cards/{card_id}/fhir",
    access=CardWrite(Action.WRITE_AS_CLINICIAN, "records"),
    answer="IntakeOutcome",
    media=(FHIR_JSON, JSON),
    limit=INLINE_LIMIT,
    errors=(Conflict, WrongPatient),
)
def take_fhir(request: Request) -> Answer:
    """Send a FHIR R4 Bundle, or one resource, into a card of one's own clinic."""
    outcome = _intake.take(
        request.card, request.raw, entry=request.entry, language=request.language
    )
    return Answer(outcome.answer())
