"""What becomes of each R4 resource type; docs/intake.md shows this table, a test compares them."""

from __future__ import annotations

from typing import Literal, NamedTuple

Fate = Literal["shown", "kept", "rejected"]


class Treatment(NamedTuple):
    """`why`: for shown the sections, for kept the reason code, for rejected the rejection's."""

    fate: Fate
    why: str


def words(text: str) -> frozenset[str]:
    """The words of a list written as one text."""
    return frozenset(text.split())


def _each(fate: Fate, why: str, names: str) -> dict[str, Treatment]:
    return {name: Treatment(fate, why) for name in names.split()}


TREATMENTS: dict[str, Treatment] = {
    **_each("shown", "visits", "Encounter"),
    **_each("shown", "visits, summary", "Condition"),
    **_each("shown", "summary", "AllergyIntolerance"),
    **_each("shown", "results, summary, visits", "Observation"),
    **_each("shown", "results", "DiagnosticReport ImagingStudy Procedure"),
    **_each("shown", "prescriptions", "Immunization MedicationStatement Goal"),
    **_each("shown", "prescriptions, visits", "MedicationRequest CarePlan ServiceRequest"),
    # Says whose data these are; compared with the card, not copied from.
    **_each("kept", "identity", "Patient"),
    # Their names are shown where a shown resource points to them.
    **_each(
        "kept",
        "names",
        "Practitioner PractitionerRole Organization Location Medication Device Specimen "
        "Substance HealthcareService",
    ),
    # A Composition's complaints go to its visit; the rest points to what is sent by itself.
    **_each("kept", "document", "Composition DocumentReference DocumentManifest List Media Binary"),
    **_each("kept", "provenance", "Provenance AuditEvent"),
    **_each(
        "kept",
        "financial",
        "Account ChargeItem Claim ClaimResponse Coverage CoverageEligibilityRequest "
        "CoverageEligibilityResponse EnrollmentRequest EnrollmentResponse ExplanationOfBenefit "
        "Invoice",
    ),
    **_each(
        "kept",
        "administrative",
        "Appointment AppointmentResponse CareTeam Communication CommunicationRequest Consent "
        "EpisodeOfCare Group Person RelatedPerson Schedule Slot SupplyDelivery SupplyRequest Task",
    ),
    # Data of the patient for which the card has no section yet.
    **_each(
        "kept",
        "no_section",
        "AdverseEvent Basic BodyStructure ClinicalImpression DetectedIssue DeviceRequest "
        "DeviceUseStatement FamilyMemberHistory Flag ImmunizationEvaluation "
        "ImmunizationRecommendation MeasureReport MedicationAdministration MedicationDispense "
        "MolecularSequence NutritionOrder QuestionnaireResponse RequestGroup ResearchSubject "
        "RiskAssessment VisionPrescription",
    ),
    # No data of a patient: definitions, knowledge, exchange, directories, substances and products.
    **_each(
        "rejected",
        "unsupported_type",
        "ActivityDefinition BiologicallyDerivedProduct Bundle CapabilityStatement CatalogEntry "
        "ChargeItemDefinition CodeSystem CompartmentDefinition ConceptMap Contract "
        "DeviceDefinition DeviceMetric EffectEvidenceSynthesis Endpoint EventDefinition Evidence "
        "EvidenceVariable ExampleScenario GraphDefinition GuidanceResponse ImplementationGuide "
        "InsurancePlan Library Linkage Measure MedicationKnowledge MedicinalProduct "
        "MedicinalProductAuthorization MedicinalProductContraindication "
        "MedicinalProductIndication MedicinalProductIngredient MedicinalProductInteraction "
        "MedicinalProductManufactured MedicinalProductPackaged MedicinalProductPharmaceutical "
        "MedicinalProductUndesirableEffect MessageDefinition MessageHeader NamingSystem "
        "ObservationDefinition OperationDefinition OperationOutcome OrganizationAffiliation "
        "Parameters PaymentNotice PaymentReconciliation PlanDefinition Questionnaire "
        "ResearchDefinition ResearchElementDefinition ResearchStudy RiskEvidenceSynthesis "
        "SearchParameter SpecimenDefinition StructureDefinition StructureMap Subscription "
        "SubstanceNucleicAcid SubstancePolymer SubstanceProtein SubstanceReferenceInformation "
        "SubstanceSourceMaterial SubstanceSpecification TerminologyCapabilities TestReport "
        "TestScript ValueSet VerificationResult",
    ),
}
R4_TYPES = frozenset(TREATMENTS)

# Why one resource of a shown type is kept and not shown.
KEPT_REASONS: dict[str, str] = {
    "absence_statement": "says that nothing is known, or that there is nothing to tell",
    "entered_in_error": "its sender took it back",
    "medication_unknown": "an order of a Medication that was not sent, or was rejected",
    "nothing_to_show": "has neither a text nor a code to show",
    "other_focus": "an observation of somebody or something else than the patient (focus)",
    "refuted": "a diagnosis or an allergy that was refuted",
}
