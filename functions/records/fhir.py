"""Records as FHIR R4: the resources as they were sent, under the card's own ids and references.

A resource's id is the `record_id` of its record. What leads elsewhere in the card is a relative
reference; what leads out of it stays what was sent, as a logical reference (FHIR R4 §2.3.0.3).
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kernel import terminology
from kernel.hiding import Hidden
from kernel.people import Person
from records.repository import ChangedRecord, OpenRecord

Resource = dict[str, Any]
_INTERPRETATIONS = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_WORDS = {
    "normal": "N",
    "low": "L",
    "high": "H",
    "critical_low": "LL",
    "critical_high": "HH",
    "abnormal": "A",
}
# A resource above this size does not fit into an answer: its attachments are named, not given.
_LARGEST = 4_000_000
_LONG_DATA = 10_000
_TOO_LARGE = {
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode": "unsupported",
        }
    ]
}
# Stands in a list that has no second page and no room for the rest (FHIR R4 §3.1.1.4.4).
INCOMPLETE: Resource = {
    "resourceType": "OperationOutcome",
    "id": "incomplete",
    "issue": [
        {
            "severity": "warning",
            "code": "incomplete",
            "diagnostics": "Older results are left out: ask for them by `to`.",
        }
    ],
}
# Of which section a resource is that stands in another section's record as well.
_ORDERED = {"MedicationRequest", "MedicationStatement", "CarePlan", "Immunization", "Goal"}


class Reading:
    """The resources of some records. `token` hides source keys, `resting` holds the sources."""

    def __init__(
        self,
        resting: Mapping[str, Mapping[str, Any]],
        token: Callable[..., str],
        patient_id: str,
        withheld: Hidden,
    ) -> None:
        self.resting = resting
        self.token = token
        self.patient_id = patient_id
        self.withheld = withheld
        self._made: dict[str, Resource] = {}

    def split(self, found: Iterable[OpenRecord]) -> tuple[list[Resource], list[Resource]]:
        """The records' own resources, and those that they are made of besides."""
        matches: dict[str, Resource] = {}
        others: dict[str, None] = {}
        for record in found:
            root, *members = record.sources
            if root in self.resting:
                matches[root] = self._own(record)
                others |= dict.fromkeys(m for m in members if self._shown(m))
        included = [self._resource(key) for key in others if key not in matches]
        return list(matches.values()), included

    def one(self, record: OpenRecord) -> Resource:
        """A record's own resource, with what it is made of contained in it."""
        members = record.sources[1:]
        own = self._own(record)
        inner = [self._resource(key) for key in members if self._shown(key)]
        # Contained resources may not contain others (FHIR R4 §2.7): those move up.
        moved = [each.pop("contained", []) for each in inner]
        contained = [*own.get("contained", []), *inner, *(r for rs in moved for r in rs)]
        names = {f"{r['resourceType']}/{r['id']}": f"#{r['id']}" for r in inner}
        for each in (own, *inner):
            for _, reference in _references(each):
                if reference.get("reference") in names:
                    reference["reference"] = names[reference["reference"]]
        if contained:
            for each in inner:
                each.pop("meta", None)
            own["contained"] = contained
        return own

    def _own(self, record: OpenRecord) -> Resource:
        body = json.loads(record.body)
        own = self._resource(record.sources[0])
        for key in record.sources:
            if key in self.resting and self._shown(key):
                _interpret(self._resource(key), body.get("observations") or ())
        meta = {"versionId": str(body["version"]), "lastUpdated": body["received_at"]}
        own["meta"] = {**own.get("meta", {}), **meta}
        return own

    def _shown(self, key: str) -> bool:
        """Whether a member may be told: it rests, and is not withheld from this reader."""
        if key not in self.resting:
            return False
        kind = self.resting[key]["resource_type"]
        return self._visible("prescriptions" if kind in _ORDERED else "", key)

    def _visible(self, section: str, key: str) -> bool:
        return not self.withheld.has(section, self._id(key))

    def _id(self, key: str) -> str:
        return self.token("record", key)

    def _resource(self, key: str) -> Resource:
        if key in self._made:
            return self._made[key]
        source = self.resting[key]
        resource: Resource = _copied(source["resource"])
        if source["size"] > _LARGEST:
            _empty_attachments(resource)
        self._made[key] = resource
        resource["id"] = self._id(key)
        links: Mapping[str, str] = source.get("links") or {}
        subject = (resource.get("subject") or resource.get("patient") or {}).get("reference")
        for name, reference in list(_references(resource)):
            url = reference.get("reference")
            if url is None or url.startswith("#"):
                continue
            found = links.get(url)
            if name in ("subject", "patient") or url == subject:
                reference["reference"] = f"Patient/{self.patient_id}"
            elif found is not None and found in self.resting and self._shown(found):
                kind = self.resting[found]["resource_type"]
                reference["reference"] = f"{kind}/{self._id(found)}"
            elif name in ("encounter", "context") and found and self._visible("visits", found):
                reference["reference"] = f"Encounter/{self._id(found)}"
            else:
                # Elsewhere this text leads to nothing, or to something else.
                del reference["reference"]
                reference.setdefault("identifier", {"value": url})
        _name(resource)
        return resource


def patient(person: Person, patient_id: str) -> Resource:
    """Whose card it is, as far as the summary tells it."""
    given = [person.first_name, *([person.middle_name] if person.middle_name else [])]
    return {
        "resourceType": "Patient",
        "id": patient_id,
        "name": [{"use": "official", "family": person.last_name, "given": given}],
        "gender": person.sex,
        "birthDate": person.birth_date.isoformat(),
    }


def history(
    changed: Sequence[ChangedRecord], reading: Reading, *, base: str, here: str, following: str
) -> Resource:
    """Changes as a Bundle of the type `history` (FHIR R4 §3.1.0.9), oldest first."""
    entries: list[Resource] = []
    for each in changed:
        if each.record is None:
            root = each.sources[0] if each.sources else ""
            kind = reading.resting.get(root, {}).get("resource_type", "Basic")
            name = f"{kind}/{each.record_id}"
            request = {"method": "DELETE", "url": name}
            entries.append({"fullUrl": f"{base}/{name}", "request": request})
            continue
        matches, included = reading.split([each.record])
        for resource in (*matches, *included):
            name = f"{resource['resourceType']}/{resource['id']}"
            entry = {"fullUrl": f"{base}/{name}", "resource": resource}
            entries.append({**entry, "request": {"method": "PUT", "url": name}})
    for entry in entries:
        entry["response"] = {"status": "200" if "resource" in entry else "204"}
    bundle: Resource = {
        "resourceType": "Bundle",
        "type": "history",
        "link": [{"relation": "self", "url": here}, {"relation": "next", "url": following}],
    }
    return {**bundle, "entry": entries} if entries else bundle


def _references(node: object, name: str = "") -> Iterable[tuple[str, Resource]]:
    """Every Reference below a node with the element that holds it."""
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield name, node
        for key, value in node.items():
            if isinstance(value, dict | list):
                yield from _references(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value, name)


def _copied(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _copied(value) for key, value in node.items()}
    return [_copied(value) for value in node] if isinstance(node, list) else node


def _empty_attachments(node: Any) -> None:
    """Take long data out of a resource, and say there that they are missing (FHIR R4 §2.24.0.1)."""
    if isinstance(node, list):
        for value in node:
            _empty_attachments(value)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("data"), str) and len(node["data"]) > _LONG_DATA:
        del node["data"]
        node["_data"] = _TOO_LARGE
    for value in node.values():
        _empty_attachments(value)


def _interpret(resource: Resource, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add the interpretations that we derived to the values from which we did."""
    derived = [row for row in rows if row.get("interpretation_derived")]
    for part in (resource, *resource.get("component", ())):
        amount = part.get("valueQuantity")
        if resource["resourceType"] != "Observation" or not derived or not amount:
            continue
        codes = {coding.get("code") for coding in (part.get("code") or {}).get("coding", ())}
        for row in derived:
            same = float(row["value"]) == float(amount.get("value") or "nan")
            if row["code"] in codes and same and "interpretation" not in part:
                coding = {"system": _INTERPRETATIONS, "code": _WORDS[row["interpretation"]]}
                text = "derived from the reference range"
                part["interpretation"] = [{"coding": [coding], "text": text}]


def _name(resource: Resource) -> None:
    """Say a diagnosis's Russian name where its sender gave only the code."""
    if resource["resourceType"] != "Condition":
        return
    for coding in (resource.get("code") or {}).get("coding", ()):
        found = terminology.name(coding.get("system"), coding.get("code"))
        if found and "display" not in coding:
            coding["display"] = found
