"""The registry as the desk writes it, and the accounts' roles and bindings.

Every change is one transaction with its journal entries. A lost condition is told as False or as
None: somebody else was faster, and the service looks again or says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from kernel import accounts, consents, dynamo, hashing, people, release, staff
from kernel.dynamo import Item, Lookup
from kernel.emergency import Grant
from kernel.identity import AccountId, CardId, ClinicId, PatientId
from kernel.journal import Entry, Journal
from kernel.people import Person
from kernel.registry import Card, Clinic, Region, Relation
from kernel.sealing import Keyring
from kernel.staff import Worker

# An account that stands and may sign in.
_ENABLED = "attribute_exists(pk) AND (attribute_not_exists(disabled) OR disabled = :no)"


class Patient(NamedTuple):
    """A person of the registry: who, attached where, bound to which account, and their clinics."""

    patient_id: PatientId
    person: Person
    account_id: AccountId | None
    attached_to: ClinicId | None
    relations: dict[ClinicId, Relation]
    died_on: date | None
    sealed: bytes

    @property
    def cards(self) -> list[tuple[CardId, ClinicId]]:
        """All cards, those of the clinic of attachment first."""
        found = sorted(self.relations.values(), key=lambda relation: not relation.attached)
        return [(card_id, r.clinic_id) for r in found for card_id in r.cards]


class Tables(NamedTuple):
    accounts: str
    registry: str
    consents: str
    keys: str


class Registry:
    """Regions, clinics, staff, patients and cards."""

    def __init__(
        self, tables: Tables, *, journal: Journal, keyring: Keyring, lookup_key: str
    ) -> None:
        self._tables = tables
        self._journal = journal
        self._keyring = keyring
        self._lookup_key = lookup_key

    # --- regions and clinics ---------------------------------------------------------------------

    def put_region(self, region: Region) -> None:
        dynamo.put(self._tables.registry, region.to_item())

    def release_days(self, clinic_id: ClinicId) -> dict[str, int]:
        """For how many days a clinic holds which kind of result."""
        place = release.lookup(self._tables.registry, clinic_id)
        days: dict[str, int] = (dynamo.get(place.table, _key(place)) or {}).get("days", {})
        return days

    def put_release_days(self, clinic_id: ClinicId, days: Mapping[str, int]) -> None:
        place = release.lookup(self._tables.registry, clinic_id)
        dynamo.put(place.table, {**_key(place), "days": dict(days)})

    def put_clinic(self, clinic: Clinic) -> bool:
        """False if its region is not known."""
        region = Region.lookup(self._tables.registry, clinic.region)
        try:
            dynamo.transact(
                {"Put": dynamo.put_request(self._tables.registry, clinic.to_item())},
                {
                    "ConditionCheck": dynamo.check_request(
                        region.table, _key(region), "attribute_exists(pk)"
                    )
                },
            )
        except dynamo.ConditionFailed:
            return False
        return True

    def clinic(self, clinic_id: ClinicId) -> Clinic | None:
        return self.clinics([clinic_id]).get(clinic_id)

    def clinics(self, clinic_ids: Iterable[ClinicId]) -> dict[ClinicId, Clinic]:
        """The clinics of these ids that there are."""
        places = [Clinic.lookup(self._tables.registry, each) for each in set(clinic_ids)]
        found = map(Clinic.from_item, dynamo.batch_get(places).values())
        return {clinic.clinic_id: clinic for clinic in found}

    # --- staff -----------------------------------------------------------------------------------

    def workers(self, clinic_id: ClinicId) -> list[Worker]:
        """Who works at a clinic now, by account."""
        items = dynamo.query_all(
            self._tables.registry,
            "pk = :pk AND begins_with(sk, :staff)",
            {":pk": f"CLINIC#{clinic_id}", ":staff": "STAFF#"},
        )
        return [worker for worker in map(Worker.from_item, items) if not worker.removed_at]

    def everybody(self, after: str, enough: int) -> list[Worker]:
        """Workers of all clinics, by account, from behind `after` until there are enough."""
        found: list[Worker] = []
        start: Item | None = None
        while len(found) < enough:
            page = dynamo.query(
                self._tables.registry,
                "listing_pk = :staff AND listing_sk > :after",
                {":staff": staff.LISTING, ":after": after or " "},
                index="listing",
                start=start,
                consistent=False,
            )
            found += [w for w in map(Worker.from_item, page.items) if not w.removed_at]
            start = page.next_key
            if start is None:
                break
        return found

    def account_state(self, account_id: AccountId) -> Item | None:
        place = accounts.state_lookup(self._tables.accounts, account_id)
        return dynamo.get(place.table, _key(place))

    def appoint(self, worker: Worker) -> bool:
        """Give an account its appointment; False if it holds one already, or is no more."""
        state = accounts.state_lookup(self._tables.accounts, worker.account_id)
        try:
            dynamo.transact(
                {"Put": dynamo.put_request(self._tables.registry, worker.to_item())},
                {
                    "Update": dynamo.update_request(
                        state.table,
                        _key(state),
                        "SET appointments = :one",
                        {
                            ":one": [accounts.appointment_item(worker.appointment)],
                            ":zero": 0,
                            ":no": False,
                        },
                        condition=f"{_ENABLED} AND (attribute_not_exists(appointments)"
                        " OR size(appointments) = :zero)",
                    )
                },
            )
        except dynamo.ConditionFailed:
            return False
        return True

    def dismiss(self, worker: Worker, held: list[Item], *, at: str, by: AccountId) -> bool:
        """End an appointment among those `held` by an account; False if they changed meanwhile.

        The worker's name is kept for the journal.
        """
        state = accounts.state_lookup(self._tables.accounts, worker.account_id)
        left = [each for each in held if each["clinic_id"] != worker.clinic_id]
        gone = worker._replace(removed_at=at, removed_by=by)
        try:
            dynamo.transact(
                {
                    "Put": dynamo.put_request(
                        self._tables.registry,
                        gone.to_item(),
                        "removed_at = :none",
                        {":none": None},
                    )
                },
                {
                    "Update": dynamo.update_request(
                        state.table,
                        _key(state),
                        "SET appointments = :left",
                        {":left": left, ":held": held},
                        condition="appointments = :held",
                    )
                },
            )
        except dynamo.ConditionFailed:
            return False
        return True

    def worker(self, clinic_id: ClinicId, account_id: AccountId) -> Worker | None:
        """Somebody who works, or worked, at a clinic."""
        place = staff.lookup(self._tables.registry, clinic_id, account_id)
        item = dynamo.get(place.table, _key(place))
        return Worker.from_item(item) if item else None

    # --- patients --------------------------------------------------------------------------------

    def enter(self, patient_id: PatientId, person: Person, *, at: str, by: AccountId) -> bool:
        """Enter a person with a data key of their own; False if the СНИЛС is known."""
        key, key_item = self._keyring.new(people.owner(patient_id))
        place = people.lookup(self._tables.registry, patient_id)
        item = {
            **_key(place),
            "patient_id": patient_id,
            "sealed": people.seal(person, patient_id, key),
            "created_at": at,
            "created_by": by,
        }
        found = {**self._snils_key(person.snils), "patient_id": patient_id}
        try:
            dynamo.transact(
                _new(self._tables.registry, found),
                _new(self._tables.registry, item),
                _new(self._tables.keys, key_item),
            )
        except dynamo.ConditionFailed:
            return False
        return True

    def find(self, snils: str) -> Patient | None:
        """The patient of a СНИЛС (11 digits)."""
        item = dynamo.get(self._tables.registry, self._snils_key(snils))
        return self.patient(PatientId(item["patient_id"])) if item else None

    def patient(self, patient_id: PatientId) -> Patient | None:
        """A patient with all that the desk needs to know of them.

        Of somebody who was entered twice it is the one who stays, whichever id is asked for.
        """
        items = dynamo.query_all(
            self._tables.registry, "pk = :pk", {":pk": f"PATIENT#{patient_id}"}
        )
        by_key = {item["sk"]: item for item in items}
        if "PATIENT" not in by_key:
            return None
        if "merged_into" in by_key["PATIENT"]:
            return self.patient(PatientId(by_key["PATIENT"]["merged_into"]))
        relations = [Relation.from_item(i) for i in items if i["sk"].startswith("CLINIC#")]
        attached_to = by_key.get("ATTACHMENT", {}).get("clinic_id")
        account_id = by_key["PATIENT"].get("account_id")
        died_on = by_key["PATIENT"].get("died_on")
        return Patient(
            patient_id=patient_id,
            person=people.open_item(by_key["PATIENT"], self._keyring.get(people.owner(patient_id))),
            account_id=AccountId(account_id) if account_id else None,
            attached_to=ClinicId(attached_to) if attached_to else None,
            relations={relation.clinic_id: relation for relation in relations},
            died_on=date.fromisoformat(died_on) if died_on else None,
            sealed=by_key["PATIENT"]["sealed"],
        )

    def of_card(self, card_id: CardId) -> Patient | None:
        """Whose card it is."""
        place = Card.lookup(self._tables.registry, card_id)
        item = dynamo.get(place.table, _key(place))
        return self.patient(Card.from_item(item).patient_id) if item else None

    def scopes(self, patient_id: PatientId, clinic_id: ClinicId) -> list[Item | None]:
        """The two items that say whether a clinic is covered by a consent."""
        places = consents.scope_lookups(self._tables.consents, patient_id, clinic_id)
        found = dynamo.batch_get(places)
        return [found.get(place) for place in places]

    def attach(
        self,
        patient: Patient,
        clinic: Clinic,
        *,
        at: str,
        by: AccountId,
        entries: Sequence[Entry],
        confirmation: dict[str, Any] | None,
    ) -> bool:
        """Attach a patient to a clinic, and detach them elsewhere; False if it changed meanwhile.

        `confirmation` uses up the patient's code, where one was needed.
        """
        values: dict[str, Any] = {
            ":clinic": clinic.clinic_id,
            ":patient": patient.patient_id,
            ":at": at,
            ":by": by,
        }
        condition = "attribute_not_exists(clinic_id)"
        if patient.attached_to:
            condition = "clinic_id = :before"
            values[":before"] = patient.attached_to
        actions = [
            {
                "Update": dynamo.update_request(
                    self._tables.registry,
                    _attachment_key(patient.patient_id),
                    "SET clinic_id = :clinic, patient_id = :patient, changed_at = :at,"
                    " changed_by = :by",
                    values,
                    condition=condition,
                )
            },
            self._relate(patient.patient_id, clinic),
        ]
        if patient.attached_to:
            actions.append(self._unrelate(patient.patient_id, patient.attached_to))
        return self._try(actions, entries, confirmation)

    def detach(
        self,
        patient: Patient,
        clinic_id: ClinicId,
        *,
        at: str,
        by: AccountId,
        entries: Sequence[Entry],
    ) -> bool:
        """Detach a patient from a clinic; False if they are not attached there any more."""
        actions = self._detachment(patient.patient_id, clinic_id, at=at, by=by)
        return self._try(actions, entries, None)

    def _detachment(
        self, patient_id: PatientId, clinic_id: ClinicId, *, at: str, by: AccountId
    ) -> list[dict[str, Any]]:
        return [
            {
                "Update": dynamo.update_request(
                    self._tables.registry,
                    _attachment_key(patient_id),
                    "SET changed_at = :at, changed_by = :by REMOVE clinic_id",
                    {":at": at, ":by": by, ":before": clinic_id},
                    condition="clinic_id = :before",
                )
            },
            self._unrelate(patient_id, clinic_id),
        ]

    def activate(self, card: Card, entry: Entry) -> bool:
        """Make a card with a data key of its own; False if there is one, or no attachment."""
        _, key_item = self._keyring.new(f"CARD#{card.card_id}")
        relation = Relation.lookup(self._tables.registry, card.patient_id, card.clinic_id)
        actions = [
            {
                "Update": dynamo.update_request(
                    relation.table,
                    _key(relation),
                    "SET card_id = :card, activated_at = :at",
                    {":card": card.card_id, ":at": card.activated_at, ":yes": True},
                    condition="attached = :yes AND attribute_not_exists(card_id)",
                )
            },
            _new(self._tables.registry, card.to_item()),
            _new(self._tables.keys, key_item),
        ]
        return self._try(actions, [entry], None)

    def bind(
        self,
        account_id: AccountId,
        patient_id: PatientId,
        *,
        at: str,
        by: AccountId,
        entries: Sequence[Entry],
        identity: Sequence[dict[str, Any]],
    ) -> bool:
        """Bind an account to a patient as verified; False if one of the two is bound already.

        `identity` are the changes of the identity table: the code is used, the СНИЛС a login.
        """
        state = accounts.state_lookup(self._tables.accounts, account_id)
        place = people.lookup(self._tables.registry, patient_id)
        actions = [
            {
                "Update": dynamo.update_request(
                    state.table,
                    _key(state),
                    "SET #level = :verified, patient_id = :patient, verified_at = :at,"
                    " verified_by = :by",
                    {
                        ":verified": "verified",
                        ":patient": patient_id,
                        ":at": at,
                        ":by": by,
                        ":no": False,
                    },
                    condition=f"{_ENABLED} AND attribute_not_exists(patient_id)",
                    names={"#level": "level"},
                )
            },
            {
                "Update": dynamo.update_request(
                    place.table,
                    _key(place),
                    "SET account_id = :account",
                    {":account": account_id},
                    condition="attribute_exists(pk) AND attribute_not_exists(account_id)"
                    " AND attribute_not_exists(merged_into) AND attribute_not_exists(died_on)",
                )
            },
            *identity,
        ]
        return self._try(actions, entries, None)

    def connected(self, patient: Patient) -> set[ClinicId]:
        """The patient's clinics that are connected, in a region that is."""
        relations = patient.relations.values()
        places = {r.region: Region.lookup(self._tables.registry, r.region) for r in relations}
        found = dynamo.batch_get(places.values())
        regions = {code for code, p in places.items() if p in found and found[p]["connected"]}
        clinics = self.clinics(patient.relations)
        return {
            r.clinic_id
            for r in relations
            if r.region in regions and r.clinic_id in clinics and clinics[r.clinic_id].connected
        }

    def open_in_emergency(
        self, grants: Sequence[Grant], entries: Sequence[Entry], notice: dict[str, Any]
    ) -> None:
        """Let a clinician read cards, with their journals and the notice to the patient."""
        dynamo.transact(
            *({"Put": dynamo.put_request(self._tables.consents, g.to_item())} for g in grants),
            *(self._journal.in_transaction(entry) for entry in entries),
            notice,
        )

    def note_death(
        self,
        patient: Patient,
        died_on: date | None,
        *,
        at: str,
        by: AccountId,
        entries: Sequence[Entry],
    ) -> bool:
        """Note the day of a death, or take it back (None); False if it changed meanwhile.

        The attachment ends and the account is closed; taken back, the account opens again.
        """
        place = people.lookup(self._tables.registry, patient.patient_id)
        update, values = "SET death_noted_at = :at, death_noted_by = :by", {":at": at, ":by": by}
        if died_on:
            update, values[":day"] = f"{update}, died_on = :day", died_on.isoformat()
        else:
            update += " REMOVE died_on"
        condition = "attribute_not_exists(died_on)"
        if patient.died_on:
            condition, values[":before"] = "died_on = :before", patient.died_on.isoformat()
        condition += " AND attribute_not_exists(merged_into)"
        request = dynamo.update_request(
            place.table, _key(place), update, values, condition=condition
        )
        actions = [{"Update": request}]
        if died_on and patient.attached_to:
            actions += self._detachment(patient.patient_id, patient.attached_to, at=at, by=by)
        if patient.account_id and (died_on is None) != (patient.died_on is None):
            actions += self._account_closed(patient.account_id, died_on is not None)
        return self._try(actions, entries, None)

    def _account_closed(self, account_id: AccountId, closed: bool) -> list[dict[str, Any]]:
        """Close an account because of a death, or open it again; one closed otherwise stays so."""
        state = self.account_state(account_id)
        disabled = bool(state and state.get("disabled"))
        for_death = disabled and state is not None and state.get("disabled_because") == "death"
        if state is None or (disabled if closed else not for_death):
            return []
        place = accounts.state_lookup(self._tables.accounts, account_id)
        update, values = "REMOVE disabled, disabled_because", None
        if closed:
            update = "SET disabled = :yes, disabled_because = :death"
            values = {":yes": True, ":death": "death"}
        request = dynamo.update_request(
            place.table, _key(place), update, values, condition="attribute_exists(pk)"
        )
        return [{"Update": request}]

    def _try(
        self,
        actions: Sequence[dict[str, Any]],
        entries: Sequence[Entry],
        confirmation: dict[str, Any] | None,
    ) -> bool:
        journal = [self._journal.in_transaction(entry) for entry in entries]
        extra = [confirmation] if confirmation else []
        try:
            dynamo.transact(*actions, *extra, *journal)
        except dynamo.ConditionFailed:
            return False
        return True

    def _relate(self, patient_id: PatientId, clinic: Clinic) -> dict[str, Any]:
        place = Relation.lookup(self._tables.registry, patient_id, clinic.clinic_id)
        return {
            "Update": dynamo.update_request(
                place.table,
                _key(place),
                "SET patient_id = :patient, clinic_id = :clinic, attached = :yes,"
                " #region = if_not_exists(#region, :region)",
                {
                    ":patient": patient_id,
                    ":clinic": clinic.clinic_id,
                    ":yes": True,
                    ":region": clinic.region,
                },
                names={"#region": "region"},
            )
        }

    def _unrelate(self, patient_id: PatientId, clinic_id: ClinicId) -> dict[str, Any]:
        place = Relation.lookup(self._tables.registry, patient_id, clinic_id)
        return {
            "Update": dynamo.update_request(
                place.table,
                _key(place),
                "SET attached = :no",
                {":no": False},
                condition="attribute_exists(pk)",
            )
        }

    def _snils_key(self, snils: str) -> dict[str, str]:
        return snils_key(self._lookup_key, snils)


def snils_key(lookup_key: str, snils: str) -> dict[str, str]:
    """Where a СНИЛС finds its patient."""
    return {"pk": f"SNILS#{hashing.lookup_hash(lookup_key, 'snils', snils)}", "sk": "SNILS"}


def _key(place: Lookup) -> dict[str, str]:
    return {"pk": place.pk, "sk": place.sk}


def _attachment_key(patient_id: PatientId) -> dict[str, str]:
    return {"pk": f"PATIENT#{patient_id}", "sk": "ATTACHMENT"}


def _new(table: str, item: dict[str, Any]) -> dict[str, Any]:
    return {"Put": dynamo.put_request(table, item, "attribute_not_exists(pk)")}
