"""Who works where. Kept when somebody leaves, so that the journal can still name them.

Registry table:
    CLINIC#<id> | STAFF#<account>    name, role, specialty, appointed_at, appointed_by, removed_at
The index `listing` has them all, by account.
"""

from typing import Any, NamedTuple

from kernel.dynamo import Item, Lookup
from kernel.identity import AccountId, Appointment, ClinicId, Role

LISTING = "STAFF"


class Worker(NamedTuple):
    """One appointment of one account at one clinic, past ones included."""

    account_id: AccountId
    clinic_id: ClinicId
    role: Role
    name: str
    specialty: str | None
    appointed_at: str
    appointed_by: AccountId
    removed_at: str | None = None
    removed_by: AccountId | None = None

    @classmethod
    def from_item(cls, item: Item) -> "Worker":
        return cls(**{name: item[name] for name in cls._fields})

    def to_item(self) -> dict[str, Any]:
        place = lookup("", self.clinic_id, self.account_id)
        listed = {"listing_pk": LISTING, "listing_sk": self.account_id}
        return {"pk": place.pk, "sk": place.sk, **listed, **self._asdict()}

    @property
    def appointment(self) -> Appointment:
        return Appointment(self.role, self.clinic_id, self.name, self.specialty)

    def answer(self) -> dict[str, Any]:
        """The form of the contract."""
        return {
            "account_id": self.account_id,
            "clinic_id": self.clinic_id,
            "role": self.role,
            "name": self.name,
            "specialty": self.specialty,
            "appointed_at": self.appointed_at,
        }


def lookup(table: str, clinic_id: ClinicId, account_id: AccountId) -> Lookup:
    return Lookup(table, f"CLINIC#{clinic_id}", f"STAFF#{account_id}")
