"""Regions, clinics, patients' relations to clinics, and cards, as several functions know them.

Registry table:
    REGION#<code>    | REGION              name, connected, support       (list index)
    CLINIC#<id>      | CLINIC              name, region, contact, connected (list index)
    CLINIC#<id>      | RELEASE             which results it holds for how long (kernel.release)
    CLINIC#<id>      | STAFF#<account>     who works there
    PATIENT#<id>     | PATIENT             sealed personal data
    PATIENT#<id>     | ATTACHMENT          the one clinic where they are attached
    PATIENT#<id>     | CLINIC#<clinic>     their relation to a clinic: attached?, card,
                                           merged_cards (a list) of somebody entered twice
    SNILS#<hash>     | SNILS               finds the patient
    CARD#<id>        | CARD                whose card, at which clinic
The index `listing` (listing_pk, listing_sk) lists regions, and clinics by region.
"""

from typing import Any, NamedTuple

from kernel.dynamo import Item, Lookup
from kernel.identity import CardId, ClinicId, PatientId


class Region(NamedTuple):
    """A region; `code` is ISO 3166-2, e.g. `RU-MOW`."""

    code: str
    name: str
    connected: bool
    support_phone: str | None
    support_url: str | None

    @staticmethod
    def lookup(table: str, code: str) -> Lookup:
        return Lookup(table, f"REGION#{code}", "REGION")

    @classmethod
    def from_item(cls, item: Item) -> "Region":
        return cls(
            code=item["code"],
            name=item["name"],
            connected=item["connected"],
            support_phone=item.get("support_phone"),
            support_url=item.get("support_url"),
        )

    def to_item(self) -> dict[str, Any]:
        return {
            "pk": f"REGION#{self.code}",
            "sk": "REGION",
            "listing_pk": "REGIONS",
            "listing_sk": self.code,
            "code": self.code,
            "name": self.name,
            "connected": self.connected,
            "support_phone": self.support_phone,
            "support_url": self.support_url,
        }

    @property
    def support(self) -> dict[str, str | None]:
        return {"phone": self.support_phone, "url": self.support_url}

    def answer(self) -> dict[str, Any]:
        """The form of the contract."""
        return {
            "code": self.code,
            "name": self.name,
            "connected": self.connected,
            "support": self.support,
        }


class Clinic(NamedTuple):
    """A clinic; phone and address are those of its registry desk."""

    clinic_id: ClinicId
    name: str
    region: str
    phone: str
    address: str
    connected: bool

    @staticmethod
    def lookup(table: str, clinic_id: ClinicId) -> Lookup:
        return Lookup(table, f"CLINIC#{clinic_id}", "CLINIC")

    @classmethod
    def from_item(cls, item: Item) -> "Clinic":
        return cls(
            clinic_id=ClinicId(item["clinic_id"]),
            name=item["name"],
            region=item["region"],
            phone=item["phone"],
            address=item["address"],
            connected=item["connected"],
        )

    def to_item(self) -> dict[str, Any]:
        return {
            "pk": f"CLINIC#{self.clinic_id}",
            "sk": "CLINIC",
            "listing_pk": "CLINICS",
            "listing_sk": f"{self.region}#{self.clinic_id}",
            "clinic_id": self.clinic_id,
            "name": self.name,
            "region": self.region,
            "phone": self.phone,
            "address": self.address,
            "connected": self.connected,
        }

    @property
    def brief(self) -> dict[str, str]:
        """How a record names its clinic."""
        return {"clinic_id": self.clinic_id, "name": self.name}

    def contact(self) -> dict[str, str]:
        """Where a patient finds the clinic: the form of the access steps."""
        return {
            "clinic_id": self.clinic_id,
            "name": self.name,
            "region": self.region,
            "phone": self.phone,
            "address": self.address,
        }

    def answer(self) -> dict[str, Any]:
        """The form of the contract."""
        return {**self.contact(), "connected": self.connected}


class Relation(NamedTuple):
    """What a patient and a clinic have to do with each other."""

    patient_id: PatientId
    clinic_id: ClinicId
    region: str
    attached: bool
    card_id: CardId | None = None
    activated_at: str | None = None
    merged_cards: tuple[CardId, ...] = ()

    @property
    def cards(self) -> tuple[CardId, ...]:
        """The card, and those that came from a person who was entered twice."""
        return ((self.card_id,) if self.card_id else ()) + self.merged_cards

    def by_card(self) -> list["Relation"]:
        """The relation for each of its cards; itself where there is none."""
        each = [self._replace(card_id=card_id, merged_cards=()) for card_id in self.cards]
        return each or [self]

    def holds(self, card_id: CardId) -> bool:
        return card_id in self.cards

    @staticmethod
    def lookup(table: str, patient_id: PatientId, clinic_id: ClinicId) -> Lookup:
        return Lookup(table, f"PATIENT#{patient_id}", f"CLINIC#{clinic_id}")

    @classmethod
    def from_item(cls, item: Item) -> "Relation":
        return cls(
            patient_id=PatientId(item["patient_id"]),
            clinic_id=ClinicId(item["clinic_id"]),
            region=item["region"],
            attached=item["attached"],
            card_id=CardId(item["card_id"]) if item.get("card_id") else None,
            activated_at=item.get("activated_at"),
            merged_cards=tuple(map(CardId, item.get("merged_cards", ()))),
        )


class Card(NamedTuple):
    """Whose card it is and which clinic keeps it. The region is fixed when it is activated."""

    card_id: CardId
    patient_id: PatientId
    clinic_id: ClinicId
    region: str
    activated_at: str

    @staticmethod
    def lookup(table: str, card_id: CardId) -> Lookup:
        return Lookup(table, f"CARD#{card_id}", "CARD")

    @classmethod
    def from_item(cls, item: Item) -> "Card":
        return cls(
            card_id=CardId(item["card_id"]),
            patient_id=PatientId(item["patient_id"]),
            clinic_id=ClinicId(item["clinic_id"]),
            region=item["region"],
            activated_at=item["activated_at"],
        )

    def to_item(self) -> dict[str, Any]:
        return {
            "pk": f"CARD#{self.card_id}",
            "sk": "CARD",
            "card_id": self.card_id,
            "patient_id": self.patient_id,
            "clinic_id": self.clinic_id,
            "region": self.region,
            "activated_at": self.activated_at,
        }
