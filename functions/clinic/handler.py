"""Routes of the desk: operators, registrars, and a clinician's search for a card."""

from typing import NamedTuple

from clinic.contested import Contested
from clinic.desk import Desk
from clinic.emergencies import Emergencies
from clinic.merge_repository import MergeRepository
from clinic.merging import Merging
from clinic.models import (
    CasesQuery,
    StaffQuery,
)
from clinic.repository import Registry
from clinic.repository import Tables as DeskTables
from kernel.api import Answer, App, Request, Staff
from kernel.caps import Caps
from kernel.cases import Cases
from kernel.codes import Codes
from kernel.consent_acts import ConsentActs
from kernel.cursors import Cursors
from kernel.errors import (
    AlreadyExists,
    ChallengeExpired,
    CodeInvalid,
    Conflict,
    CursorInvalid,
    NotFound,
    RateLimited,
)
from kernel.extracts import Revoking
from kernel.gate import Gate, Tables
from kernel.idempotency import Idempotency
from kernel.identity import AccountId, PatientId
from kernel.messages import Messages
from kernel.notes import Notes
from kernel.profiles import Profiles, keyring
from kernel.sealing import Keyring
from kernel.settings import load
from kernel.withdrawals import Withdrawals


class Settings(NamedTuple):
    accounts_table: str
    identity_table: str
    registry_table: str
    consents_table: str
    keys_table: str
    extracts_table: str
    notices_table: str
    journal_table: str
    idempotency_table: str
    identity_key_id: str
    medical_key_id: str
    lookup_key_id: str
    receipt_key_id: str
    notes_key_id: str
    extracts_bucket: str
    messages_queue_url: str
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
keys = Keyring(table=settings.keys_table, kms_key=settings.medical_key_id, purpose="medical")
registry = Registry(
    DeskTables(
        accounts=settings.accounts_table,
        registry=settings.registry_table,
        consents=settings.consents_table,
        keys=settings.keys_table,
    ),
    journal=gate.journal,
    keyring=keys,
    lookup_key=settings.lookup_key_id,
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
profiles = Profiles(
    settings.identity_table,
    keyring(settings.keys_table, settings.identity_key_id),
    settings.lookup_key_id,
)
messages = Messages(settings.messages_queue_url)
caps = Caps(settings.identity_table, settings.lookup_key_id)
notes = Notes(keys_table=settings.keys_table, notes_key=settings.notes_key_id)
desk = Desk(
    registry,
    journal=gate.journal,
    acts=acts,
    profiles=profiles,
    codes=Codes(settings.identity_table, settings.lookup_key_id),
    messages=messages,
    caps=caps,
)
merging = Merging(
    registry,
    MergeRepository(
        registry_table=settings.registry_table,
        accounts_table=settings.accounts_table,
        extracts_table=settings.extracts_table,
        keyring=keys,
        journal=gate.journal,
        lookup_key=settings.lookup_key_id,
    ),
    acts,
    gate.journal,
    settings.consents_table,
)
emergencies = Emergencies(
    registry, gate.journal, notes, profiles, messages, caps, settings.notices_table
)
contested = Contested(
    registry, Cases(settings.notices_table, notes), gate.journal, settings.notices_table
)
cursors = Cursors(settings.lookup_key_id)
app = App("clinic", gate=gate, idempotency=Idempotency(settings.idempotency_table))

OPERATOR = Staff(("operator",))
REGISTRAR = Staff(("registrar",))
APPOINTERS = Staff(("operator", "registrar"))
CLINICIAN = Staff(("clinician",))


@app.route("PUT", "/v1/clinic/regions/{code}", access=OPERATOR, answer="Region", body="PutRegion")
def put_region(request: Request) -> Answer:
    """Enter a region, or connect and disconnect it."""
    return Answer(desk.put_region(request.path["code"], request.body))


@app.route(
    "PUT", "/v1/clinic/clinics/{clinic_id}", access=OPERATOR, answer="Clinic", body="PutClinic"
)
def put_clinic(request: Request) -> Answer:
    """Enter a clinic, or connect and disconnect it."""
    return Answer(desk.put_clinic(request.path["clinic_id"], request.body))


@app.route("GET", "/v1/clinic/release-rules", access=REGISTRAR, answer="ReleaseRules")
def get_release_rules(request: Request) -> Answer:
    """For how many days my clinic holds results until a doctor has seen them."""
    return Answer(desk.release_rules(request.actor))


@app.route(
    "PUT",
    "/v1/clinic/release-rules",
    access=REGISTRAR,
    answer="ReleaseRules",
    body="ReleaseRules",
)
def put_release_rules(request: Request) -> Answer:
    """Set that for the results that come from now on."""
    return Answer(desk.put_release_rules(request.actor, request.body))


@app.route(
    "GET",
    "/v1/clinic/staff",
    access=APPOINTERS,
    answer="WorkerList",
    query=StaffQuery,
    errors=[CursorInvalid],
)
def get_staff(request: Request) -> Answer:
    """Who works at a clinic now: a registrar's own; for an operator the one named, or all."""
    query = request.query
    binding = request.binding(query.clinic_id)
    position = cursors.read(query.cursor, binding)
    after = position["after"] if position else None
    items, last = desk.staff(request.actor, query.clinic_id, after, query.limit)
    cursor = cursors.make({"after": last} if last else None, binding)
    return Answer({"items": items, "next_cursor": cursor})


@app.route(
    "POST",
    "/v1/clinic/staff",
    access=APPOINTERS,
    answer="Worker",
    status=201,
    body="Appoint",
    errors=[NotFound, AlreadyExists, Conflict],
    idempotent=True,
)
def post_staff(request: Request) -> Answer:
    """Appoint a registrar (operator), or a clinician of one's own clinic (registrar)."""
    return Answer(desk.appoint(request.actor, request.body, request.now))


@app.route(
    "DELETE",
    "/v1/clinic/staff/{account_id}",
    access=APPOINTERS,
    errors=[NotFound, Conflict],
)
def delete_staff(request: Request) -> Answer:
    """End an appointment; it counts no more from the next request on."""
    desk.dismiss(request.actor, AccountId(request.path["account_id"]), request.now)
    return Answer(None)


@app.route(
    "POST",
    "/v1/clinic/patients",
    access=REGISTRAR,
    answer="PatientEntered",
    status=201,
    body="EnterPerson",
    errors=[AlreadyExists],
    idempotent=True,
)
def post_patient(request: Request) -> Answer:
    """Enter a person into the registry."""
    return Answer(desk.enter(request.actor, request.body, request.now))


@app.route(
    "POST",
    "/v1/clinic/patients/search",
    access=REGISTRAR,
    answer="PatientList",
    body="BySnils",
)
def post_patient_search(request: Request) -> Answer:
    """Find a person by their СНИЛС."""
    items = desk.search(request.actor, request.body.snils, request.now)
    return Answer({"items": items, "next_cursor": None})


@app.route(
    "PUT",
    "/v1/clinic/patients/{patient_id}/attachment",
    access=REGISTRAR,
    answer="Attachment",
    also={202: "ConfirmationRequired"},
    body="Attach",
    errors=[NotFound, Conflict, CodeInvalid, ChallengeExpired, RateLimited],
)
def put_attachment(request: Request) -> Answer:
    """Attach a patient to my clinic; 202 if they must first confirm by the code sent to them."""
    attached = desk.attach(
        request.actor,
        PatientId(request.path["patient_id"]),
        request.body.code,
        request.now,
        request.language,
    )
    if attached is None:
        return Answer({"status": "confirmation_required"}, 202)
    return Answer(attached)


@app.route(
    "DELETE",
    "/v1/clinic/patients/{patient_id}/attachment",
    access=REGISTRAR,
    errors=[NotFound, Conflict],
)
def delete_attachment(request: Request) -> Answer:
    """Detach a patient from my clinic."""
    desk.detach(request.actor, PatientId(request.path["patient_id"]), request.now)
    return Answer(None)


@app.route(
    "POST",
    "/v1/clinic/patients/{patient_id}/card",
    access=REGISTRAR,
    answer="CardActivated",
    status=201,
    errors=[NotFound, AlreadyExists, Conflict],
    idempotent=True,
)
def post_card(request: Request) -> Answer:
    """Activate the electronic card of a patient attached to my clinic."""
    patient_id = PatientId(request.path["patient_id"])
    return Answer(desk.activate(request.actor, patient_id, request.now))


@app.route(
    "POST",
    "/v1/clinic/patients/{patient_id}/consents",
    access=REGISTRAR,
    answer="PaperConsent",
    status=201,
    body="PaperConsent",
    errors=[NotFound, AlreadyExists, Conflict],
    idempotent=True,
)
def post_paper_consent(request: Request) -> Answer:
    """Enter a consent that a patient of my clinic signed on paper."""
    patient_id = PatientId(request.path["patient_id"])
    return Answer(desk.paper_consent(request.actor, patient_id, request.body, request.now))


@app.route(
    "POST",
    "/v1/clinic/accounts/verify/start",
    access=REGISTRAR,
    answer="VerificationStarted",
    status=202,
    body="StartVerification",
    errors=[RateLimited],
)
def post_verify_start(request: Request) -> Answer:
    """Send a code to the phone of the person at the desk."""
    body = desk.start_verification(request.actor, request.body.phone, request.now, request.language)
    return Answer(body)


@app.route(
    "POST",
    "/v1/clinic/accounts/verify",
    access=REGISTRAR,
    answer="AccountVerified",
    body="Verify",
    errors=[NotFound, AlreadyExists, Conflict, CodeInvalid, ChallengeExpired],
)
def post_verify(request: Request) -> Answer:
    """Verify the account of a person whose passport and phone are at the desk."""
    return Answer(desk.verify(request.actor, request.body, request.now))


@app.route("POST", "/v1/clinic/cards/search", access=CLINICIAN, answer="CardList", body="BySnils")
def post_card_search(request: Request) -> Answer:
    """Find the cards of a patient of my clinic by their СНИЛС."""
    items = desk.cards(request.actor, request.body.snils, request.now)
    return Answer({"items": items, "next_cursor": None})


@app.route(
    "POST",
    "/v1/clinic/cards/emergency",
    access=CLINICIAN,
    answer="OpenedInEmergency",
    status=201,
    body="OpenInEmergency",
    errors=[NotFound, RateLimited],
    idempotent=True,
)
def post_emergency(request: Request) -> Answer:
    """Open the cards of somebody who cannot be asked, for 60 minutes; they are told at once."""
    return Answer(emergencies.open(request.actor, request.body, request.now))


@app.route(
    "POST",
    "/v1/clinic/patients/{patient_id}/merge",
    access=REGISTRAR,
    answer="Merged",
    body="Merge",
    errors=[NotFound, Conflict],
)
def post_merge(request: Request) -> Answer:
    """Somebody was entered twice: make all that is the duplicate's theirs."""
    patient_id = PatientId(request.path["patient_id"])
    duplicate_id = PatientId(request.body.duplicate_patient_id)
    return Answer(merging.merge(request.actor, patient_id, duplicate_id, request.now))


@app.route(
    "POST",
    "/v1/clinic/patients/{patient_id}/death",
    access=REGISTRAR,
    answer="DeathNoted",
    body="Death",
    errors=[NotFound, Conflict],
)
def post_death(request: Request) -> Answer:
    """Note the death of a patient of my clinic."""
    patient_id = PatientId(request.path["patient_id"])
    return Answer(desk.note_death(request.actor, patient_id, request.body.date, request.now))


@app.route(
    "GET",
    "/v1/clinic/cases",
    access=REGISTRAR,
    answer="ContestedCaseList",
    query=CasesQuery,
    errors=[CursorInvalid],
)
def get_cases(request: Request) -> Answer:
    """Contested accesses of my clinic, the newest first."""
    query = request.query
    binding = request.binding(query.status)
    position = cursors.read(query.cursor, binding)
    before = position["before"] if position else None
    items, last = contested.page(request.actor, query.status, before, query.limit, request.now)
    cursor = cursors.make({"before": last} if last else None, binding)
    return Answer({"items": items, "next_cursor": cursor})


@app.route(
    "POST",
    "/v1/clinic/cases/{case_id}/answer",
    access=REGISTRAR,
    answer="ContestedCase",
    body="AnswerCase",
    errors=[NotFound, Conflict],
)
def post_case_answer(request: Request) -> Answer:
    """Answer a contested access; the patient is notified."""
    case_id = request.path["case_id"]
    return Answer(contested.answer(request.actor, case_id, request.body.text, request.now))


handler = app
