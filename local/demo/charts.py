"""How a clinic's system writes a chart as a FHIR R4 transaction. The charts are in `clinical`."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Resource = dict[str, Any]

LOINC = "http://loinc.org"
MKB10 = "urn:oid:1.2.643.5.1.13.13.11.1005"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
ATC = "http://www.whocc.no/atc"
SNILS = "urn:oid:1.2.643.100.3"
POLICY = "urn:oid:1.2.643.2.69.1.1.1.6.228"
HL7 = "http://terminology.hl7.org/CodeSystem"
LOCAL = "https://mis.berezovaya.example/id"
ZONE = "+03:00"
LENGTH = timedelta(minutes=20)


@dataclass(frozen=True)
class Doctor:
    """A medical worker; `specialty` as in the staff list."""

    key: str
    family: str
    first: str
    middle: str
    specialty: str

    @property
    def name(self) -> str:
        return f"{self.family} {self.first} {self.middle}"


@dataclass(frozen=True)
class Clinic:
    key: str
    name: str
    phone: str
    address: str


@dataclass(frozen=True)
class Analyte:
    """One laboratory quantity: LOINC code, UCUM unit, reference range for adults."""

    loinc: str
    name: str
    unit: str
    ucum: str
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Dose:
    """How to take a medicine: `times` a day, `quantity` of `unit` each time."""

    text: str
    times: int
    quantity: float
    unit: str
    route: str = "Внутрь"
    as_needed: bool = False


def concept(text: str, *codings: tuple[str, str, str]) -> Resource:
    """A CodeableConcept from its text and (system, code, display) triples."""
    coding = [{"system": s, "code": c, "display": d} for s, c, d in codings]
    return {"coding": coding, "text": text} if coding else {"text": text}


def coded(system: str, code: str) -> Resource:
    return {"coding": [{"system": f"{HL7}/{system}", "code": code}]}


def moment(day: str, time: str) -> str:
    return f"{day}T{time}:00{ZONE}"


def interpretation(value: float, analyte: Analyte) -> str:
    if analyte.low is not None and value < analyte.low:
        return "L"
    return "H" if analyte.high is not None and value > analyte.high else "N"


@dataclass
class Chart:
    """One patient's chart at one clinic; methods add resources and return their references."""

    person: dict[str, Any]
    clinic: Clinic
    entries: list[Resource] = field(default_factory=list)
    doctors: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.organization = self._add(
            {
                "resourceType": "Organization",
                "identifier": [{"system": f"{LOCAL}/organization", "value": self.clinic.key}],
                "active": True,
                "name": self.clinic.name,
                "telecom": [{"system": "phone", "value": self.clinic.phone}],
                "address": [{"text": self.clinic.address}],
            },
            "self",
            method="POST",
        )
        self.patient = self._add(
            {
                "resourceType": "Patient",
                "identifier": [
                    {"system": SNILS, "value": "".join(filter(str.isdigit, self.person["snils"]))},
                    {"system": POLICY, "value": self.person["policy_number"]},
                ],
                "active": True,
                "name": [
                    {
                        "use": "official",
                        "family": self.person["last_name"],
                        "given": [self.person["first_name"], self.person["middle_name"]],
                    }
                ],
                "gender": self.person["sex"],
                "birthDate": self.person["birth_date"],
                "managingOrganization": {"reference": self.organization},
            },
            "self",
        )

    def bundle(self) -> Resource:
        """The chart as a transaction Bundle."""
        return {"resourceType": "Bundle", "type": "transaction", "entry": self.entries}

    def visit(
        self,
        day: str,
        time: str,
        doctor: Doctor,
        kind: str,
        complaints: str,
        *diagnoses: tuple[str, str, str],
        resolved: str | None = None,
    ) -> str:
        """An encounter with its complaints and (code, name, wording) diagnoses, the main first.

        `resolved`: the day on which the main diagnosis, an acute one, was over.
        """
        name = f"{day}-{doctor.key}"
        encounter: Resource = {
            "resourceType": "Encounter",
            "identifier": [{"system": f"{LOCAL}/encounter", "value": f"{self._number}-{name}"}],
            "status": "finished",
            "class": {"system": f"{HL7}/v3-ActCode", "code": "AMB", "display": "ambulatory"},
            "type": [concept(kind)],
            "subject": {"reference": self.patient},
            "participant": [{"individual": self._by(doctor)}],
            "period": {
                "start": moment(day, time),
                "end": (datetime.fromisoformat(moment(day, time)) + LENGTH).isoformat(),
            },
            "reasonCode": [concept(complaints)],
            "serviceProvider": {"reference": self.organization, "display": self.clinic.name},
        }
        reference = self._add(encounter, name)
        for rank, (code, title, wording) in enumerate(diagnoses, start=1):
            over = resolved if rank == 1 else None
            condition: Resource = {
                "resourceType": "Condition",
                "clinicalStatus": coded("condition-clinical", "resolved" if over else "active"),
                "verificationStatus": coded("condition-ver-status", "confirmed"),
                "category": [coded("condition-category", "encounter-diagnosis")],
                "code": concept(wording, (MKB10, code, title)),
                "subject": {"reference": self.patient},
                "encounter": {"reference": reference},
                "onsetDateTime": day,
                "recordedDate": day,
                "recorder": self._by(doctor),
            }
            if over:
                condition["abatementDateTime"] = over
            diagnosis = self._add(condition, f"{name}-{code}")
            encounter.setdefault("diagnosis", []).append(
                {
                    "condition": {"reference": diagnosis},
                    "use": coded("diagnosis-role", "CC" if rank == 1 else "CM"),
                    "rank": rank,
                }
            )
        return reference

    def problem(self, code: str, title: str, wording: str, since: str, doctor: Doctor) -> str:
        """A chronic disease on the problem list."""
        return self._add(
            {
                "resourceType": "Condition",
                "clinicalStatus": coded("condition-clinical", "active"),
                "verificationStatus": coded("condition-ver-status", "confirmed"),
                "category": [coded("condition-category", "problem-list-item")],
                "code": concept(wording, (MKB10, code, title)),
                "subject": {"reference": self.patient},
                "onsetDateTime": since,
                "recordedDate": since,
                "recorder": self._by(doctor),
            },
            f"problem-{code}",
        )

    def allergy(
        self,
        text: str,
        category: str,
        criticality: str,
        reactions: list[str],
        recorded: str,
        *codings: tuple[str, str, str],
    ) -> str:
        return self._add(
            {
                "resourceType": "AllergyIntolerance",
                "clinicalStatus": coded("allergyintolerance-clinical", "active"),
                "verificationStatus": coded("allergyintolerance-verification", "confirmed"),
                "type": "allergy",
                "category": [category],
                "criticality": criticality,
                "code": concept(text, *codings),
                "patient": {"reference": self.patient},
                "recordedDate": recorded,
                "reaction": [{"manifestation": [concept(reaction) for reaction in reactions]}],
            },
            f"allergy-{text}",
        )

    def no_allergies(self, recorded: str) -> str:
        return self._add(
            {
                "resourceType": "AllergyIntolerance",
                "clinicalStatus": coded("allergyintolerance-clinical", "active"),
                "verificationStatus": coded("allergyintolerance-verification", "confirmed"),
                "code": concept(
                    "Аллергии не выявлены", (SNOMED, "716186003", "No known allergy (situation)")
                ),
                "patient": {"reference": self.patient},
                "recordedDate": recorded,
            },
            "no-allergies",
        )

    def blood_group(self, day: str, group: tuple[str, str, str], rhesus: bool) -> None:
        """`group`: text, SNOMED code and display."""
        text, code, display = group
        rh = (
            concept("Rh+ (положительный)", (SNOMED, "165747007", "RhD positive (finding)"))
            if rhesus
            else concept("Rh− (отрицательный)", (SNOMED, "165746003", "RhD negative (finding)"))
        )
        for loinc, name, value in (
            ("883-9", "Группа крови по системе AB0", concept(text, (SNOMED, code, display))),
            ("10331-7", "Резус-фактор", rh),
        ):
            self._add(
                self._observation(loinc, name, day, None) | {"valueCodeableConcept": value}, loinc
            )

    def vitals(self, visit: str, day: str, systolic: int, diastolic: int, weight: float) -> None:
        """Blood pressure in mm Hg and weight in kg, measured at the visit."""
        pressure = self._observation("85354-9", "Артериальное давление", day, visit, "vital-signs")
        pressure["component"] = [
            {
                "code": concept(name, (LOINC, loinc, name)),
                "valueQuantity": quantity(value, "мм рт. ст.", "mm[Hg]"),
            }
            for loinc, name, value in (
                ("8480-6", "Систолическое артериальное давление", systolic),
                ("8462-4", "Диастолическое артериальное давление", diastolic),
            )
        ]
        self._add(pressure, f"bp-{day}")
        mass = self._observation("29463-7", "Масса тела", day, visit, "vital-signs")
        self._add(mass | {"valueQuantity": quantity(weight, "кг", "kg")}, f"weight-{day}")

    def laboratory(
        self,
        day: str,
        title: str,
        values: list[tuple[Analyte, float]],
        *,
        visit: str | None = None,
        panel: tuple[str, str] | None = None,
        conclusion: str | None = None,
        status: str = "final",
        interpreted: bool = True,
    ) -> str:
        """A laboratory report with its measurements. `panel`: LOINC code and name."""
        results = []
        for analyte, value in values:
            observation = self._observation(analyte.loinc, analyte.name, day, visit)
            observation["status"] = status
            observation["valueQuantity"] = quantity(value, analyte.unit, analyte.ucum)
            if analyte.low is not None or analyte.high is not None:
                observation["referenceRange"] = [reference_range(analyte)]
                if interpreted:
                    flag = interpretation(value, analyte)
                    observation["interpretation"] = [coded("v3-ObservationInterpretation", flag)]
            results.append(self._add(observation, f"{day}-{title}-{analyte.loinc}"))
        return self._report(day, title, "LAB", panel, visit, conclusion, None, results, status)

    def study(
        self,
        day: str,
        title: str,
        category: str,
        code: tuple[str, str],
        conclusion: str,
        doctor: Doctor,
        visit: str | None = None,
    ) -> str:
        """A diagnostic report without measurements. `category`: HL7 v2 table 0074."""
        return self._report(day, title, category, code, visit, conclusion, doctor, [], "final")

    def drug(
        self,
        visit: str,
        day: str,
        doctor: Doctor,
        text: str,
        atc: tuple[str, str],
        dose: Dose,
        until: str,
        *,
        status: str = "active",
        stopped_because: str | None = None,
    ) -> str:
        """A prescribed medicine, valid from `day` to `until`."""
        instruction: Resource = {
            "sequence": 1,
            "text": dose.text,
            "route": concept(dose.route),
            "doseAndRate": [{"doseQuantity": {"value": dose.quantity, "unit": dose.unit}}],
        }
        if dose.as_needed:
            instruction["asNeededBoolean"] = True
        else:
            repeat = {"frequency": dose.times, "period": 1, "periodUnit": "d"}
            instruction["timing"] = {"repeat": repeat}
        request: Resource = {
            "resourceType": "MedicationRequest",
            "status": status,
            "intent": "order",
            "medicationCodeableConcept": concept(text, (ATC, *atc)),
            "subject": {"reference": self.patient},
            "encounter": {"reference": visit},
            "authoredOn": day,
            "requester": self._by(doctor),
            "dosageInstruction": [instruction],
            "dispenseRequest": {"validityPeriod": {"start": day, "end": until}},
        }
        if stopped_because:
            request["statusReason"] = concept(stopped_because)
        return self._add(request, f"{day}-{text}")

    def advice(
        self, visit: str, day: str, doctor: Doctor, *recommendations: str, active: bool = True
    ) -> str:
        """What the doctor recommends, as a care plan."""
        activity = "in-progress" if active else "completed"
        return self._add(
            {
                "resourceType": "CarePlan",
                "status": "active" if active else "completed",
                "intent": "plan",
                "title": "Рекомендации врача",
                "subject": {"reference": self.patient},
                "encounter": {"reference": visit},
                "period": {"start": day},
                "created": day,
                "author": self._by(doctor),
                "activity": [
                    {"detail": {"status": activity, "description": recommendation}}
                    for recommendation in recommendations
                ],
            },
            f"{day}-{doctor.key}",
        )

    def referral(
        self, visit: str, day: str, doctor: Doctor, text: str, *, done: bool = False, why: str = ""
    ) -> str:
        """An order for a consultation or an examination."""
        request: Resource = {
            "resourceType": "ServiceRequest",
            "status": "completed" if done else "active",
            "intent": "order",
            "code": concept(text),
            "subject": {"reference": self.patient},
            "encounter": {"reference": visit},
            "authoredOn": day,
            "requester": self._by(doctor),
        }
        if why:
            request["reasonCode"] = [concept(why)]
        return self._add(request, f"{day}-{text}")

    def vaccine(self, day: str, text: str, lot: str, visit: str | None = None) -> str:
        immunization: Resource = {
            "resourceType": "Immunization",
            "status": "completed",
            "vaccineCode": concept(text),
            "patient": {"reference": self.patient},
            "occurrenceDateTime": day,
            "primarySource": True,
            "lotNumber": lot,
        }
        if visit:
            immunization["encounter"] = {"reference": visit}
        return self._add(immunization, f"{day}-{text}")

    @property
    def _number(self) -> str:
        return str(self.person["policy_number"])[-5:]

    def _report(
        self,
        day: str,
        title: str,
        category: str,
        code: tuple[str, str] | None,
        visit: str | None,
        conclusion: str | None,
        doctor: Doctor | None,
        results: list[str],
        status: str,
    ) -> str:
        report: Resource = {
            "resourceType": "DiagnosticReport",
            "identifier": [{"system": f"{LOCAL}/report", "value": f"{self._number}-{day}-{title}"}],
            "status": status,
            "category": [coded("v2-0074", category)],
            "code": concept(title, (LOINC, *code)) if code else concept(title),
            "subject": {"reference": self.patient},
            "effectiveDateTime": moment(day, "08:15" if category == "LAB" else "16:30"),
            "issued": moment(day, "17:40"),
            "performer": [self._by(doctor) if doctor else {"reference": self.organization}],
        }
        if visit:
            report["encounter"] = {"reference": visit}
        if results:
            report["result"] = [{"reference": result} for result in results]
        if conclusion:
            report["conclusion"] = conclusion
        return self._add(report, f"{day}-{title}")

    def _observation(
        self, loinc: str, name: str, day: str, visit: str | None, category: str = "laboratory"
    ) -> Resource:
        observation: Resource = {
            "resourceType": "Observation",
            "status": "final",
            "category": [coded("observation-category", category)],
            "code": concept(name, (LOINC, loinc, name)),
            "subject": {"reference": self.patient},
            "effectiveDateTime": moment(day, "08:15") if category == "laboratory" else day,
        }
        if visit:
            observation["encounter"] = {"reference": visit}
        return observation

    def _by(self, doctor: Doctor) -> Resource:
        if doctor.key not in self.doctors:
            practitioner = self._add(
                {
                    "resourceType": "Practitioner",
                    "identifier": [{"system": f"{LOCAL}/practitioner", "value": doctor.key}],
                    "active": True,
                    "name": [
                        {
                            "family": doctor.family,
                            "given": [doctor.first, doctor.middle],
                            "text": doctor.name,
                        }
                    ],
                    "qualification": [{"code": concept(doctor.specialty)}],
                },
                doctor.key,
                method="POST",
            )
            self._add(
                {
                    "resourceType": "PractitionerRole",
                    "active": True,
                    "practitioner": {"reference": practitioner, "display": doctor.name},
                    "organization": {"reference": self.organization},
                    "specialty": [concept(doctor.specialty)],
                },
                doctor.key,
                method="POST",
            )
            self.doctors[doctor.key] = practitioner
        return {"reference": self.doctors[doctor.key], "display": doctor.name}

    def _add(self, resource: Resource, name: str, method: str = "PUT") -> str:
        kind = resource["resourceType"]
        shared = kind in ("Organization", "Practitioner", "PractitionerRole")
        owner = self.clinic.key if shared else self.person["key"]
        resource_id = str(uuid5(NAMESPACE_URL, f"{LOCAL}/{owner}/{kind}/{name}"))
        resource["id"] = resource_id
        url = f"{kind}/{resource_id}" if method == "PUT" else kind
        self.entries.append(
            {
                "fullUrl": f"urn:uuid:{resource_id}",
                "resource": resource,
                "request": {"method": method, "url": url},
            }
        )
        return f"urn:uuid:{resource_id}"


def quantity(value: float, unit: str, ucum: str) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": ucum}


def reference_range(analyte: Analyte) -> Resource:
    limits: Resource = {}
    if analyte.low is not None:
        limits["low"] = quantity(analyte.low, analyte.unit, analyte.ucum)
    if analyte.high is not None:
        limits["high"] = quantity(analyte.high, analyte.unit, analyte.ucum)
    return limits
