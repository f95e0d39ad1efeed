"""What the routes of records answer, for the OpenAPI document and the tests."""

from datetime import date as Day
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field


class Contact(BaseModel):
    phone: str | None = None
    address: str | None = None
    url: str | None = None
    name: str | None = None


class Remedy(BaseModel):
    """What to do, whose move it is, and whom to ask."""

    text: str
    contact: Contact | None = None


class AccessStep(BaseModel):
    step: Literal[
        "account_verified",
        "region_connected",
        "clinic_connected",
        "attached",
        "card_activated",
        "consent_given",
    ]
    ok: bool
    message: str
    remedy: Remedy | None = None


class ClinicContact(BaseModel):
    clinic_id: str
    name: str
    region: str
    phone: str
    address: str


class ClinicAccess(BaseModel):
    """One clinic; `clinic` is null where the person has to do with none."""

    clinic: ClinicContact | None
    card_id: str | None = None
    open: bool
    steps: list[AccessStep] = Field(min_length=6, max_length=6)


class AccessAnswer(BaseModel):
    clinics: list[ClinicAccess] = Field(min_length=1)


class ClinicBrief(BaseModel):
    clinic_id: str
    name: str


class CardCounts(BaseModel):
    visits: int
    results: int
    prescriptions: int


class CardSummary(BaseModel):
    """`counts`: what the lists show; `withheld` and `pending`: results that they leave out."""

    card_id: str
    clinic: ClinicBrief
    activated_at: AwareDatetime
    counts: CardCounts
    withheld: int
    pending: int
    updated_at: AwareDatetime


class CardList(BaseModel):
    items: list[CardSummary]
    next_cursor: str | None


class Document(BaseModel):
    """The document in which a record came."""

    title: str | None
    date: Day | None


class Record(BaseModel):
    """`hidden`: the patient hides it from clinicians. `held_until`: its patient is not shown it
    before a doctor has seen it, or before then."""

    record_id: str
    clinic: ClinicBrief
    received_at: AwareDatetime
    document: Document | None = None
    version: int
    hidden: bool = False
    held_until: AwareDatetime | None = None


class Earlier(BaseModel):
    version: int
    received_at: AwareDatetime


class Replaced(Earlier):
    """The version before: the fields that said something else, as they were."""

    changed: dict[str, Any]


class Corrected(BaseModel):
    """What one record replaced; `history` has its earlier versions, newest first. A record that
    replaced nothing has neither."""

    replaces: Replaced | None = None
    history: list[Earlier] = []


class RecordList(BaseModel):
    """`withheld`: held until a doctor has seen them; `pending`: not final yet. Both left out.

    A page may hold fewer records than `limit`: the list ends where `next_cursor` is null."""

    next_cursor: str | None
    withheld: int
    pending: int


class Doctor(BaseModel):
    name: str
    specialty: str | None = None


class Diagnosis(BaseModel):
    code: str | None
    system: str | None
    text: str
    name: str | None = Field(default=None, description="its Russian name by the ministry's table")


class Order(BaseModel):
    """What a doctor ordered at a visit; `record_id` where it stands among the prescriptions."""

    kind: Literal["medication", "recommendation", "service"]
    text: str
    record_id: str | None


class File(BaseModel):
    """A document of a visit or a report; its data are in the record's FHIR form."""

    title: str | None
    date: Day | None
    content_type: str | None


class Written(BaseModel):
    """A section of a visit's document in its own words: anamnesis, findings, conclusion."""

    title: str
    text: str


class Visit(Record):
    date: Day | None
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    doctor: Doctor | None
    title: str | None
    complaints: str | None
    diagnoses: list[Diagnosis]
    orders: list[Order]
    sections: list[Written] = []
    files: list[File] = []
    status: str


class VisitList(RecordList):
    items: list[Visit]


class OneVisit(Visit, Corrected):
    """One visit and what it replaced."""


class ReferenceRange(BaseModel):
    low: float | None
    high: float | None
    text: str | None


class Observation(BaseModel):
    code: str | None
    system: str | None
    name: str
    value: float | str | bool | None
    unit: str | None
    reference_range: ReferenceRange | None
    interpretation: (
        Literal["normal", "low", "high", "critical_low", "critical_high", "abnormal"] | None
    )
    interpretation_derived: bool


class Result(Record):
    kind: Literal["laboratory", "diagnostic"]
    date: Day | None
    title: str
    status: str
    conclusion: str | None
    visit_id: str | None
    doctor: Doctor | None
    observations: list[Observation]
    files: list[File] = []


class ResultList(RecordList):
    items: list[Result]


class OneResult(Result, Corrected):
    """One result and what it replaced."""


class Prescription(Record):
    kind: Literal["medication", "recommendation"]
    date: Day | None
    status: str
    text: str
    dosage: str | None
    doctor: Doctor | None
    valid_until: Day | None
    visit_id: str | None


class PrescriptionList(RecordList):
    items: list[Prescription]


class OnePrescription(Prescription, Corrected):
    """One prescription and what it replaced."""


class BloodGroup(BaseModel):
    abo: Literal["O", "A", "B", "AB"] | None
    rhesus: Literal["+", "-"] | None
    label: str


class Allergy(Record):
    text: str
    code: str | None
    system: str | None
    criticality: str | None
    reactions: list[str]
    status: str
    recorded_on: Day | None


class ChronicCondition(Record):
    text: str
    code: str | None
    system: str | None
    since: Day | None
    status: str
    recorded_on: Day | None


class Patient(BaseModel):
    last_name: str
    first_name: str
    middle_name: str | None
    birth_date: Day
    sex: str
    snils: str


class Summary(BaseModel):
    blood_group: BloodGroup | None
    allergies: list[Allergy]
    no_known_allergies: bool
    chronic_conditions: list[ChronicCondition]
    patient: Patient


class Given(BaseModel):
    """The value as it was sent, where it was converted."""

    value: float
    unit: str | None


class SeriesPoint(BaseModel):
    date: Day | None
    value: float
    low: float | None
    high: float | None
    interpretation: str | None
    record_id: str
    given: Given | None = None


class Series(BaseModel):
    """Points are oldest first."""

    code: str
    system: str | None
    name: str
    unit: str | None
    points: list[SeriesPoint]


class SeriesAnswer(BaseModel):
    """`not_numeric`: values that are no numbers. `complete`: no results older than these."""

    series: list[Series]
    not_numeric: int
    complete: bool
    withheld: int
    pending: int


class Change(BaseModel):
    """`record` and `version` are null where the record was taken back."""

    section: Literal["summary", "visits", "results", "prescriptions"]
    record_id: str
    change: Literal["created", "changed", "deleted"]
    version: int | None
    record: dict[str, Any] | None


class ChangeList(BaseModel):
    """Oldest first. `since` is the token for the next time; there is more where it is also
    `next_cursor`."""

    items: list[Change]
    next_cursor: str | None
    since: str
