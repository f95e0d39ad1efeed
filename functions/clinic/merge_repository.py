"""Two people of the registry become one, in one transaction.

Everything that points to the duplicate points to the survivor from then on: СНИЛС, cards,
relations to clinics, account, consents. What is left at the duplicate's keys says where they went,
and refuses every change that was under way. Cards keep their ids, and with them records, keys and
journals.
"""

from collections.abc import Sequence
from typing import Any

from clinic.repository import Patient, snils_key
from kernel import accounts, dynamo, extracts, people
from kernel.dynamo import Lookup
from kernel.identity import AccountId, PatientId
from kernel.journal import Entry, Journal
from kernel.people import Person
from kernel.registry import Card, Relation
from kernel.sealing import Keyring

# DynamoDB's limit of actions in a transaction.
_TRANSACTION = 100


class Merge:
    """One merge: the two as they were read, and who does it when (RFC 3339)."""

    def __init__(self, survivor: Patient, duplicate: Patient, *, at: str, by: AccountId) -> None:
        self.survivor = survivor
        self.duplicate = duplicate
        self.at = at
        self.by = by
        self._ids = {":survivor": survivor.patient_id, ":duplicate": duplicate.patient_id}

    def people(self, table: str, sealed: bytes) -> list[dict[str, Any]]:
        """The survivor with all that is known of them, and the duplicate's way to them."""
        one, other = self.survivor, self.duplicate
        update = "SET sealed = :new"
        values: dict[str, Any] = {":new": sealed, ":old": one.sealed}
        account_id, died_on = one.account_id or other.account_id, one.died_on or other.died_on
        if account_id:
            update, values = f"{update}, account_id = :account", {**values, ":account": account_id}
        if died_on:
            update, values = f"{update}, died_on = :died", {**values, ":died": died_on.isoformat()}
        same, known = _same_account(one)
        kept = _update(
            people.lookup(table, one.patient_id),
            f"{update} ADD merged_patients :gone",
            {**values, **known, ":gone": {other.patient_id}},
            f"sealed = :old AND attribute_not_exists(merged_into) AND {same}",
        )
        same, known = _same_account(other)
        gone = _update(
            people.lookup(table, other.patient_id),
            "SET merged_into = :survivor, merged_at = :at, merged_by = :by REMOVE account_id",
            {":survivor": one.patient_id, ":at": self.at, ":by": self.by, **known},
            f"attribute_not_exists(merged_into) AND {same}",
        )
        return [kept, gone]

    def pointers(self, table: str, lookup_key: str) -> list[dict[str, Any]]:
        """СНИЛС and cards of the duplicate find the survivor."""
        numbers = self.duplicate.person.all_snils
        keys = [snils_key(lookup_key, snils) for snils in numbers]
        places = [Lookup(table, key["pk"], key["sk"]) for key in keys]
        places += [Card.lookup(table, card_id) for card_id, _ in self.duplicate.cards]
        return [self._points_on(place) for place in places]

    def account(self, table: str) -> list[dict[str, Any]]:
        """The duplicate's account is the survivor's."""
        account_id = self.duplicate.account_id
        return [self._points_on(accounts.state_lookup(table, account_id))] if account_id else []

    def attachments(self, table: str) -> list[dict[str, Any]]:
        """One attachment is left. The duplicate's says `merged`, so nothing attaches it again."""
        stays = self.survivor.attached_to or self.duplicate.attached_to
        actions = []
        for patient, clinic_id in ((self.survivor, stays), (self.duplicate, "merged")):
            update = "SET patient_id = :patient, changed_at = :at, changed_by = :by"
            values = {":patient": patient.patient_id, ":at": self.at, ":by": self.by}
            if clinic_id:
                update, values[":clinic"] = f"{update}, clinic_id = :clinic", clinic_id
            condition = "attribute_not_exists(clinic_id)"
            if patient.attached_to:
                condition, values[":before"] = "clinic_id = :before", patient.attached_to
            place = Lookup(table, f"PATIENT#{patient.patient_id}", "ATTACHMENT")
            actions.append(_update(place, update, values, condition))
        return actions

    def relations(self, table: str) -> list[dict[str, Any]]:
        """What both had to do with each clinic; where both had a card, both are kept."""
        attached_to = self.survivor.attached_to or self.duplicate.attached_to
        actions: list[dict[str, Any]] = []
        for clinic_id, gone in self.duplicate.relations.items():
            own = self.survivor.relations.get(clinic_id)
            place = Relation.lookup(table, self.duplicate.patient_id, clinic_id)
            condition, values = _same_relation(gone)
            delete = dynamo.delete_request(table, _key(place), condition=condition, values=values)
            place = Relation.lookup(table, self.survivor.patient_id, clinic_id)
            item: dict[str, Any] = {
                **_key(place),
                "patient_id": self.survivor.patient_id,
                "clinic_id": clinic_id,
                "region": (own or gone).region,
                "attached": clinic_id == attached_to,
            }
            cards = (*(own.cards if own else ()), *gone.cards)
            if cards:
                item["card_id"], item["merged_cards"] = cards[0], list(cards[1:])
                item["activated_at"] = (own.activated_at if own else None) or gone.activated_at
            condition, values = _same_relation(own) if own else ("attribute_not_exists(pk)", {})
            put = dynamo.put_request(table, item, condition, values)
            actions += [{"Delete": delete}, {"Put": put}]
        return actions

    def _points_on(self, place: Lookup) -> dict[str, Any]:
        return _update(place, "SET patient_id = :survivor", self._ids, "patient_id = :duplicate")


class MergeRepository:
    """Writes a merge."""

    def __init__(
        self,
        *,
        registry_table: str,
        accounts_table: str,
        extracts_table: str,
        keyring: Keyring,
        journal: Journal,
        lookup_key: str,
    ) -> None:
        self._registry = registry_table
        self._accounts = accounts_table
        self._extracts = extracts_table
        self._keyring = keyring
        self._journal = journal
        self._lookup_key = lookup_key

    def merge(
        self,
        merge: Merge,
        person: Person,
        *,
        consents: Sequence[dict[str, Any]],
        entries: Sequence[Entry],
    ) -> bool:
        """Write it; False if something changed meanwhile, or there is too much of it.

        `person` is the survivor as they are known from now on.
        """
        patient_id = merge.survivor.patient_id
        key = self._keyring.get(people.owner(patient_id))
        actions = [
            *merge.people(self._registry, people.seal(person, patient_id, key)),
            *merge.pointers(self._registry, self._lookup_key),
            *merge.account(self._accounts),
            *merge.attachments(self._registry),
            *merge.relations(self._registry),
            *consents,
            *(self._journal.in_transaction(entry) for entry in entries),
        ]
        if len(actions) > _TRANSACTION:
            return False
        try:
            dynamo.transact(*actions)
        except dynamo.ConditionFailed:
            return False
        return True

    def finish(self, survivor: PatientId, duplicate: PatientId) -> None:
        """Bring the extracts along; safe to repeat. Raises Unavailable: repeat."""
        extracts.move(self._extracts, duplicate, survivor)


def _same_account(patient: Patient) -> tuple[str, dict[str, Any]]:
    if patient.account_id:
        return "account_id = :bound", {":bound": patient.account_id}
    return "attribute_not_exists(account_id)", {}


def _same_relation(relation: Relation) -> tuple[str, dict[str, Any]]:
    """The condition that a relation is as it was read."""
    condition, values = "attached = :attached", {":attached": relation.attached}
    if relation.card_id is None:
        return f"{condition} AND attribute_not_exists(card_id)", values
    return f"{condition} AND card_id = :card", {**values, ":card": relation.card_id}


def _update(place: Lookup, update: str, values: dict[str, Any], condition: str) -> dict[str, Any]:
    request = dynamo.update_request(place.table, _key(place), update, values, condition=condition)
    return {"Update": request}


def _key(place: Lookup) -> dict[str, str]:
    return {"pk": place.pk, "sk": place.sk}
