"""Patients' personal data: sealed in the registry, opened where a paper or a desk needs them.

Registry table:
    PATIENT#<id> | PATIENT    patient_id, sealed (JSON of `Person`), created_at, account_id?,
                              died_on?, merged_into? (entered twice: the survivor's id),
                              merged_patients? (a set: whose survivor this is)
"""

import json
from datetime import date
from typing import Any, NamedTuple

from kernel.dynamo import Item, Lookup
from kernel.identity import PatientId
from kernel.sealing import DataKey


class Person(NamedTuple):
    """Who a patient is. `snils` is eleven digits, `sex` FHIR's administrative gender.

    `other_snils`: under which they were entered a second time by mistake.
    """

    snils: str
    last_name: str
    first_name: str
    middle_name: str | None
    birth_date: date
    sex: str
    policy_number: str | None = None
    other_snils: tuple[str, ...] = ()

    @property
    def all_snils(self) -> tuple[str, ...]:
        return (self.snils, *self.other_snils)

    @property
    def full_name(self) -> str:
        return " ".join(n for n in (self.last_name, self.first_name, self.middle_name) if n)

    @property
    def masked_snils(self) -> str:
        """`***-***-445 95`: enough to recognise one's own."""
        return f"***-***-{self.snils[6:9]} {self.snils[9:]}"

    def shown(self) -> dict[str, Any]:
        """What patient and staff see of who it is, the СНИЛС masked."""
        return {
            "last_name": self.last_name,
            "first_name": self.first_name,
            "middle_name": self.middle_name,
            "birth_date": self.birth_date.isoformat(),
            "sex": self.sex,
            "snils": self.masked_snils,
        }


def owner(patient_id: PatientId) -> str:
    """Whose data key seals a patient's personal data."""
    return f"PATIENT#{patient_id}"


def lookup(table: str, patient_id: PatientId) -> Lookup:
    return Lookup(table, f"PATIENT#{patient_id}", "PATIENT")


def seal(person: Person, patient_id: PatientId, key: DataKey) -> bytes:
    """The sealed form that `open_item` reads."""
    values: dict[str, Any] = {**person._asdict(), "birth_date": person.birth_date.isoformat()}
    return key.seal(json.dumps(values, ensure_ascii=False).encode(), _place(patient_id))


def open_item(item: Item, key: DataKey) -> Person:
    """The person of a registry item. Raises SealBroken."""
    values = json.loads(key.open(item["sealed"], _place(PatientId(item["patient_id"]))))
    values["birth_date"] = date.fromisoformat(values["birth_date"])
    values["other_snils"] = tuple(values.get("other_snils", ()))
    return Person(**values)


def _place(patient_id: PatientId) -> str:
    return f"registry/PATIENT#{patient_id}/person"
