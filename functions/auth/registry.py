"""The registry's patients, as far as signing in knows them: found by СНИЛС, bound to an account.

Nothing sealed is opened here: this function has no right to the medical key.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from kernel import dynamo, hashing, people
from kernel.identity import AccountId, CardId, ClinicId, PatientId
from kernel.journal import Journal

Action = dict[str, Any]


class Patient(NamedTuple):
    """A patient who may be bound, and their cards, each with its clinic."""

    patient_id: PatientId
    cards: tuple[tuple[CardId, ClinicId], ...]


class Registry:
    """The registry table, read by СНИЛС; and the journal of the cards."""

    def __init__(self, table: str, journal: str, *, lookup_key: str) -> None:
        self._table = table
        self._journal = Journal(journal)
        self._lookup_key = lookup_key

    def unbound(self, snils: str) -> Patient | None:
        """The living patient of this СНИЛС, if there is one and no account is bound to them."""
        hashed = hashing.lookup_hash(self._lookup_key, "snils", snils)
        known = dynamo.get(self._table, {"pk": f"SNILS#{hashed}", "sk": "SNILS"})
        if known is None:
            return None
        items = dynamo.query_all(self._table, "pk = :pk", {":pk": f"PATIENT#{known['patient_id']}"})
        person: Mapping[str, Any] = next((i for i in items if i["sk"] == "PATIENT"), {})
        if not person or person.get("account_id") or person.get("died_on"):
            return None
        cards = [
            (CardId(item["card_id"]), ClinicId(item["clinic_id"]))
            for item in items
            if item["sk"].startswith("CLINIC#") and item.get("card_id")
        ]
        return Patient(PatientId(known["patient_id"]), tuple(cards))

    def bind(self, patient: Patient, account_id: AccountId, now: datetime) -> list[Action]:
        """Bind the patient to the account, and note it in the journal of each of their cards."""
        place = people.lookup(self._table, patient.patient_id)
        binding: Action = {
            "Update": dynamo.update_request(
                place.table,
                {"pk": place.pk, "sk": place.sk},
                "SET account_id = :account",
                {":account": account_id},
                condition="attribute_exists(pk) AND attribute_not_exists(account_id)"
                " AND attribute_not_exists(died_on) AND attribute_not_exists(merged_into)",
            )
        }
        entries = [
            self._journal.entry(
                card_id,
                now=now,
                account_id=account_id,
                capacity="patient",
                clinic_id=clinic_id,
                action="account_verified",
            )
            for card_id, clinic_id in patient.cards
        ]
        return [binding, *(self._journal.in_transaction(entry) for entry in entries)]
