"""Writes functions/clinic/fhir/r4_elements.py from the models of fhir.resources (BSD-3-Clause).

They are R4B, which changes nothing against R4 in the types taken here. Not a test and not
needed by any: run it by hand (`… > r4_elements.py`, with fhir.resources 8.3 installed)
when a type is added to TYPES.
"""

from __future__ import annotations

import importlib
import re
import sys
from typing import Any


def words(text: str) -> list[str]:
    return text.split()


TYPES = words(
    """AllergyIntolerance CarePlan Composition Condition Device DiagnosticReport
DocumentReference Encounter Goal ImagingStudy Immunization Location Media Medication
MedicationRequest MedicationStatement Observation Organization Patient Practitioner
PractitionerRole Procedure Provenance ServiceRequest Specimen"""
)

# Where the definition's short text breaks off with "+", the codes are R4's value set in full.
CODES = {
    "Observation.status": "registered preliminary final amended corrected cancelled "
    "entered-in-error unknown",
    "DiagnosticReport.status": "registered partial preliminary final amended corrected appended "
    "cancelled entered-in-error unknown",
    "Encounter.status": "planned arrived triaged in-progress onleave finished cancelled "
    "entered-in-error unknown",
    "EncounterStatusHistory.status": "planned arrived triaged in-progress onleave finished "
    "cancelled entered-in-error unknown",
    "TimingRepeat.durationUnit": "s min h d wk mo a",
    "TimingRepeat.periodUnit": "s min h d wk mo a",
    "Narrative.status": "generated extensions additional empty",
    **{
        f"{q}.comparator": "< <= >= >" for q in ("Quantity", "Age", "Count", "Distance", "Duration")
    },
}
# Datatypes that occur in extensions only: their inside is not looked at.
ANY = words(
    """CodeableReference ContactDetail Contributor DataRequirement Expression ParameterDefinition
RatioRange RelatedArtifact TriggerDefinition UsageContext Resource"""
)
FIXED = {
    "SampledData.data": "string",
    "Narrative.div": "xhtml",
    "ImagingStudySeries.uid": "string",
    "Meta.versionId": "string",
}
HEAD = '''"""The elements of the R4 types that the intake reads, generated: do not edit.

Made by tests/unit/clinic_fhir/generate_r4_elements.py. An element is
name:type, then * for a list, ! for required, @choice (@choice! required), =codes.
"""

# ruff: noqa: E501
ELEMENTS: dict[str, str] = {
'''
COMMON = {
    "Element": {"id", "extension"},
    "Backbone": {"id", "extension", "modifierExtension"},
    "Resource": {"id", "meta", "implicitRules", "language"},
    "Domain": {
        *("id", "meta", "implicitRules", "language", "text", "contained"),
        *("extension", "modifierExtension"),
    },
}


def model(name: str) -> Any:
    base = next(t for t in [*MODULES, name] if name == t or name in MODULES.get(t, ()))
    return getattr(importlib.import_module(f"fhir.resources.R4B.{base.lower()}"), name)


MODULES: dict[str, set[str]] = {}


def remember(name: str) -> None:
    if name not in MODULES:
        module = importlib.import_module(f"fhir.resources.R4B.{name.lower()}")
        MODULES[name] = {k for k, v in vars(module).items() if isinstance(v, type)}


def type_of(annotation: Any) -> tuple[str, bool]:
    shown = str(annotation)
    many = "List[" in shown
    found = re.search(r"abc\.(\w+)Type", shown)
    if found:
        return found.group(1), many
    metas = re.search(r"Annotated\[[\w.]+, (\w+)\(", shown)
    if metas:
        return metas.group(1)[0].lower() + metas.group(1)[1:], many
    for python, fhir in (("bool", "boolean"), ("int", "integer"), ("Decimal", "decimal")):
        if python in shown:
            return fhir, many
    return "string", many


def describe(name: str) -> tuple[str, list[str], list[str]]:
    fields = []
    types = []
    present = set()
    for key, info in model(name).model_fields.items():
        alias = info.alias or key
        extra = info.json_schema_extra or {}
        if not extra.get("element_property") or alias.startswith("_"):
            continue
        kind, many = type_of(info.annotation)
        if kind == "encodedBytes":
            kind = "base64Binary"
        kind = FIXED.get(f"{name}.{alias}", "any" if kind in ANY else kind)
        shown = str(info.annotation)
        optional = "None" in shown or "Optional" in shown
        required = extra.get("element_required") or ("abc." in shown and not optional)
        present.add(alias)
        codes = CODES.get(f"{name}.{alias}", " ".join(extra.get("enum_values") or ())).split()
        if "+" in codes or "etc." in codes or kind != "code" or name in ("Device",):
            codes = []
        text = f"{alias}:{kind}" + "*" * many + "!" * bool(required)
        if "one_of_many" in extra:
            text += "@" + extra["one_of_many"] + "!" * bool(extra.get("one_of_many_required"))
        fields.append((alias, text + ("=" + "|".join(codes) if codes else "")))
        types.append(kind)
    base = next(
        (b for b in ("Domain", "Backbone", "Resource", "Element") if COMMON[b] <= present), ""
    )
    keep = [text for alias, text in fields if alias not in COMMON.get(base, set())]
    return base, keep, types


def main() -> None:
    table: dict[str, tuple[str, list[str]]] = {}
    todo = [*TYPES]
    while todo:
        name = todo.pop()
        if name in table or name[0].islower() or name in ("Resource", "any"):
            continue
        if not any(name in names for names in MODULES.values()):
            remember(name)
        base, fields, types = describe(name)
        table[name] = (base, fields)
        todo += types
    lines = [HEAD]
    for name in sorted(table):
        base, fields = table[name]
        lines.append(f'    "{name}": "<{base}> {" ".join(fields)}",\n')
    sys.stdout.write("".join(lines) + "}\n")


if __name__ == "__main__":
    main()
