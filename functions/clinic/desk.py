"""The registry desk and those who set it up: operators, registrars, and a clinician's search."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from clinic import policy
from clinic.models import (
    CLINIC_ID,
    REGION_CODE,
    Appoint,
    EnterPerson,
    PaperConsent,
    PutClinic,
    PutRegion,
    ReleaseRules,
    Verify,
)
from clinic.repository import Patient, Registry
from kernel import clock, codes, consents, ids, texts
from kernel.caps import HOUR, Caps
from kernel.codes import Codes
from kernel.consent_acts import Act, ConsentActs, Gift
from kernel.dynamo import Item
from kernel.errors import (
    AlreadyExists,
    ChallengeExpired,
    Conflict,
    FieldProblem,
    Forbidden,
    NotFound,
    ValidationFailed,
)
from kernel.identity import AccountId, Actor, CardId, ClinicId, PatientId, Role
from kernel.journal import Entry, Journal
from kernel.messages import Messages
from kernel.people import Person
from kernel.profiles import Profiles
from kernel.registry import Card, Clinic, Region
from kernel.staff import Worker
from kernel.texts import Language

# In an hour. A person at the desk needs one or two; a busy desk serves one person a minute.
_MESSAGES_TO_NUMBER = 6
_MESSAGES_BY_REGISTRAR = 60


class Desk:
    """What workers do at the desk. Each act is by an actor whose role the route has checked."""

    def __init__(
        self,
        registry: Registry,
        *,
        journal: Journal,
        acts: ConsentActs,
        profiles: Profiles,
        codes: Codes,
        messages: Messages,
        caps: Caps,
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._acts = acts
        self._profiles = profiles
        self._codes = codes
        self._messages = messages
        self._caps = caps

    # --- operators: regions and clinics ----------------------------------------------------------

    def put_region(self, code: str, given: PutRegion) -> dict[str, Any]:
        """Enter or change a region. Raises ValidationFailed: the code is not of ISO 3166-2."""
        if not REGION_CODE.fullmatch(code):
            raise ValidationFailed([FieldProblem("code", "pattern")])
        region = Region(
            code=code,
            name=given.name,
            connected=given.connected,
            support_phone=given.support.phone,
            support_url=given.support.url,
        )
        self._registry.put_region(region)
        return region.answer()

    def put_clinic(self, clinic_id: str, given: PutClinic) -> dict[str, Any]:
        """Enter or change a clinic. Raises ValidationFailed: its region is not known."""
        if not CLINIC_ID.fullmatch(clinic_id):
            raise ValidationFailed([FieldProblem("clinic_id", "pattern")])
        clinic = Clinic(
            clinic_id=ClinicId(clinic_id),
            name=given.name,
            region=given.region,
            phone=given.phone,
            address=given.address,
            connected=given.connected,
        )
        if not self._registry.put_clinic(clinic):
            raise ValidationFailed([FieldProblem("region", "value")])
        return clinic.answer()

    def release_rules(self, actor: Actor) -> dict[str, int]:
        """For how many days one's own clinic holds results until a doctor has seen them."""
        return ReleaseRules(**self._registry.release_days(policy.clinic_of(actor))).model_dump()

    def put_release_rules(self, actor: Actor, rules: ReleaseRules) -> dict[str, int]:
        """Set them for the results that come from now on."""
        self._registry.put_release_days(policy.clinic_of(actor), rules.model_dump())
        return rules.model_dump()

    # --- staff -----------------------------------------------------------------------------------

    def staff(
        self, actor: Actor, clinic_id: str | None, after: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Who works at a clinic now, and the account to go on after.

        An operator who names no clinic sees the workers of all.

        Raises:
            Forbidden: a registrar asks for another clinic.
        """
        registrar = actor.appointment("registrar")
        if registrar:
            if clinic_id not in (None, registrar.clinic_id):
                raise Forbidden
            clinic_id = registrar.clinic_id
        after = after or ""
        if clinic_id is None:
            workers = self._registry.everybody(after, limit + 1)
        else:
            here = self._registry.workers(ClinicId(clinic_id))
            workers = [worker for worker in here if worker.account_id > after]
        shown = workers[:limit]
        more = len(workers) > limit
        return [worker.answer() for worker in shown], shown[-1].account_id if more else None

    def appoint(self, actor: Actor, given: Appoint, now: datetime) -> dict[str, Any]:
        """Appoint the account of a phone number.

        Raises:
            Forbidden: not this actor's to give, or to themselves.
            ValidationFailed: there is no such clinic.
            NotFound: the phone number has no account.
            AlreadyExists: the account holds this appointment. Conflict: it holds another.
        """
        clinic_id = ClinicId(given.clinic_id)
        if not policy.may_appoint(actor, given.role, clinic_id):
            raise Forbidden
        account_id = self._profiles.find(given.phone)
        if account_id is None:
            raise NotFound
        if policy.is_oneself(actor, account_id=account_id):
            raise Forbidden("oneself")
        if self._registry.clinic(clinic_id) is None:
            raise ValidationFailed([FieldProblem("clinic_id", "value")])
        worker = Worker(
            account_id=account_id,
            clinic_id=clinic_id,
            role=given.role,
            name=given.name,
            specialty=given.specialty,
            appointed_at=clock.rfc3339(now),
            appointed_by=actor.account_id,
        )
        if not self._registry.appoint(worker):
            same = [h for h in self._held(account_id) if _role_at(h) == (given.role, clinic_id)]
            raise AlreadyExists if same else Conflict("appointed_elsewhere")
        return worker.answer()

    def dismiss(self, actor: Actor, account_id: AccountId, now: datetime) -> None:
        """End the appointment of an account; it counts no more from the next request on.

        Raises:
            NotFound: it holds none that this actor may end.
            Conflict: it changed meanwhile.
        """
        held = self._held(account_id)
        mine = [h for h in held if policy.may_appoint(actor, *_role_at(h))]
        worker = self._registry.worker(mine[0]["clinic_id"], account_id) if mine else None
        if worker is None:
            raise NotFound
        at = clock.rfc3339(now)
        if not self._registry.dismiss(worker, held, at=at, by=actor.account_id):
            raise Conflict

    def _held(self, account_id: AccountId) -> list[Item]:
        state = self._registry.account_state(account_id) or {}
        held: list[Item] = state.get("appointments") or []
        return held

    # --- registrars: people ----------------------------------------------------------------------

    def enter(self, actor: Actor, given: EnterPerson, now: datetime) -> dict[str, Any]:
        """Enter a person. Raises AlreadyExists: the СНИЛС is known."""
        patient_id = PatientId(ids.time_ordered(now))
        person = Person(**given.model_dump())
        at = clock.rfc3339(now)
        if not self._registry.enter(patient_id, person, at=at, by=actor.account_id):
            raise AlreadyExists
        return {"patient_id": patient_id}

    def search(self, actor: Actor, snils: str, now: datetime) -> list[dict[str, Any]]:
        """The person of a СНИЛС, and how they stand with the registrar's clinic."""
        patient = self._registry.find(snils)
        if patient is None:
            return []
        mine = policy.clinic_of(actor)
        clinics = self._registry.clinics([patient.attached_to] if patient.attached_to else [])
        scopes = self._registry.scopes(patient.patient_id, mine)
        relation = patient.relations.get(mine)
        attached = clinics.get(patient.attached_to) if patient.attached_to else None
        return [
            {
                "patient_id": patient.patient_id,
                **patient.person.shown(),
                "attached_to": attached.brief if attached else None,
                "card_id": relation.card_id if relation else None,
                "consent": consents.state(scopes, now),
                "consent_withdrawn_at": consents.withdrawn_at(scopes),
                "account_bound": patient.account_id is not None,
                "died_on": patient.died_on.isoformat() if patient.died_on else None,
            }
        ]

    def attach(
        self,
        actor: Actor,
        patient_id: PatientId,
        code: str | None,
        now: datetime,
        language: Language,
    ) -> dict[str, Any] | None:
        """Attach a patient to the registrar's clinic; None if a code was sent to them first.

        Raises:
            NotFound: no such patient.
            Conflict: attached elsewhere, without an account that a code could go to; or it
                changed meanwhile.
            CodeInvalid, ChallengeExpired: as `Codes.match`.
        """
        patient = self._served(actor, patient_id)
        patient_id = patient.patient_id  # of somebody entered twice: the one who stays
        clinic = self._clinic(actor)
        if patient.attached_to == clinic.clinic_id:
            return _attachment(patient_id, clinic)
        confirmation = None
        if patient.attached_to:
            subject = f"ATTACH#{patient_id}#{clinic.clinic_id}"
            if code is None:
                self._send_attachment_code(actor, patient, clinic, subject, now, language)
                return None
            confirmation = self._codes.match(subject, "attachment", code, now)
        entries = self._entries(actor, patient, [clinic.clinic_id], "attached", now)
        if patient.attached_to:
            entries += self._entries(actor, patient, [patient.attached_to], "detached", now)
        at = clock.rfc3339(now)
        done = self._registry.attach(
            patient,
            clinic,
            at=at,
            by=actor.account_id,
            entries=entries,
            confirmation=confirmation,
        )
        if not done:
            raise Conflict
        return _attachment(patient_id, clinic)

    def detach(self, actor: Actor, patient_id: PatientId, now: datetime) -> None:
        """Detach a patient from the registrar's clinic. Raises NotFound: not attached here."""
        patient = self._served(actor, patient_id)
        clinic_id = policy.clinic_of(actor)
        if patient.attached_to != clinic_id:
            raise NotFound
        done = self._registry.detach(
            patient,
            clinic_id,
            at=clock.rfc3339(now),
            by=actor.account_id,
            entries=self._entries(actor, patient, [clinic_id], "detached", now),
        )
        if not done:
            raise Conflict

    def activate(self, actor: Actor, patient_id: PatientId, now: datetime) -> dict[str, Any]:
        """Activate the electronic card of somebody attached to the registrar's clinic.

        Raises:
            NotFound: no such patient.
            Forbidden: not attached here. AlreadyExists: there is a card.
        """
        patient = self._served(actor, patient_id)
        patient_id = patient.patient_id  # of somebody entered twice: the one who stays
        clinic = self._clinic(actor)
        relation = patient.relations.get(clinic.clinic_id)
        if relation and relation.card_id:
            raise AlreadyExists
        if relation is None or not relation.attached:
            raise Forbidden("not_attached_here")
        card = Card(
            card_id=CardId(ids.time_ordered(now)),
            patient_id=patient_id,
            clinic_id=clinic.clinic_id,
            region=relation.region,
            activated_at=clock.rfc3339(now),
        )
        if not self._registry.activate(card, self._entry(actor, card.card_id, "activated", now)):
            raise Conflict
        return {
            "card_id": card.card_id,
            "patient_id": patient_id,
            "clinic": clinic.brief,
            "activated_at": card.activated_at,
        }

    def paper_consent(
        self, actor: Actor, patient_id: PatientId, given: PaperConsent, now: datetime
    ) -> dict[str, Any]:
        """Enter a consent that a patient of the registrar's clinic signed on paper.

        Raises:
            NotFound: no such patient here.
            Conflict: the version was not in force that day, or the patient acted since.
            ValidationFailed: the hash or the day is wrong.
            AlreadyExists: it repeats what is in force.
        """
        patient = self._served(actor, patient_id)
        patient_id = patient.patient_id  # of somebody entered twice: the one who stays
        clinic_id = policy.clinic_of(actor)
        if clinic_id not in patient.relations:
            raise NotFound
        document = _signed_document(given, now)
        # Signed before today: from that day's first moment; today: from now, which is later.
        signed = datetime.combine(given.signed_on, time(), UTC)
        given_at = now if given.signed_on >= now.date() else signed
        if document.valid_until(given_at) <= now:
            raise ValidationFailed([FieldProblem("signed_on", "value")])
        if policy.acted_since(self._acts.history(patient_id), clinic_id, given.signed_on):
            raise Conflict("patient_acted_since")
        act = Act(
            patient_id=patient_id,
            account_id=actor.account_id,
            capacity="registrar",
            now=now,
            clinic_id=clinic_id,
        )
        gift = Gift(
            document=document,
            clinic_id=clinic_id,
            method="written",
            amr=(),
            given_at=given_at,
            signed_on=given.signed_on.isoformat(),
        )
        return self._acts.give(act, gift).answer("active")

    def note_death(
        self, actor: Actor, patient_id: PatientId, died_on: date | None, now: datetime
    ) -> dict[str, Any]:
        """Note the day of the death of a patient of this clinic; None takes a mistake back.

        The attachment ends and the account is closed. Cards and consents stay as they are: records
        are kept, and who treated the patient may still need them.

        Raises:
            NotFound: no such patient here.
            ValidationFailed: the day is to come, or before their birth.
            Conflict: it changed meanwhile.
        """
        patient = self._served(actor, patient_id, dead=True)
        if policy.clinic_of(actor) not in patient.relations:
            raise NotFound
        if died_on and died_on > now.date() + timedelta(days=1):  # east of Greenwich it is tomorrow
            raise ValidationFailed([FieldProblem("date", "in_future")])
        if died_on and died_on < patient.person.birth_date:
            raise ValidationFailed([FieldProblem("date", "value")])
        if patient.died_on != died_on:
            action = "death_noted" if died_on else "death_taken_back"
            done = self._registry.note_death(
                patient,
                died_on,
                at=clock.rfc3339(now),
                by=actor.account_id,
                entries=self._entries(actor, patient, None, action, now),
            )
            if not done:
                raise Conflict
        return {
            "patient_id": patient.patient_id,
            "date": died_on.isoformat() if died_on else None,
        }

    # --- registrars: accounts --------------------------------------------------------------------

    def start_verification(
        self, actor: Actor, phone: str, now: datetime, language: Language
    ) -> dict[str, Any]:
        """Send a code to the phone of the person at the desk.

        Whether the number has an account shows by the code alone.

        Raises:
            Forbidden: it is the registrar's own number.
            RateLimited: no more codes for now.
        """
        self._count_message(actor, phone, now)
        account_id = self._profiles.find(phone)
        if account_id:
            if policy.is_oneself(actor, account_id=account_id):
                raise Forbidden("oneself")
            code = self._codes.issue(_verification(actor, account_id), "verify", now)
            minutes = codes.SECONDS // 60
            self._messages.send(
                phone, texts.text(language, "sms.verify_code", code=code, minutes=minutes)
            )
        return {"expires_in": codes.SECONDS}

    def verify(self, actor: Actor, given: Verify, now: datetime) -> dict[str, Any]:
        """Verify an account: the person showed a passport, and has the account's phone.

        Raises:
            Forbidden: the registrar themselves.
            ChallengeExpired, CodeInvalid: as `Codes.match`.
            NotFound: the СНИЛС is not in the registry.
            ValidationFailed: names, birth date or СНИЛС differ; the fields are named.
            AlreadyExists: bound to each other already. Conflict: one of them is bound elsewhere.
        """
        account_id = self._profiles.find(given.phone)
        if account_id is None:
            raise ChallengeExpired
        if policy.is_oneself(actor, account_id=account_id):
            raise Forbidden("oneself")
        used = self._codes.match(_verification(actor, account_id), "verify", given.code, now)
        patient = self._registry.find(given.snils)
        if patient is None:
            raise NotFound
        if patient.died_on:
            raise Conflict("patient_died")
        profile = self._profiles.get(account_id)
        state = self._registry.account_state(account_id)
        if profile is None or state is None:
            raise ChallengeExpired
        bound = state.get("patient_id")
        if bound == patient.patient_id and patient.account_id == account_id:
            raise AlreadyExists
        if bound or patient.account_id:
            raise Conflict("bound_elsewhere")
        wrong = policy.mismatches(profile, patient.person, given.snils)
        if wrong:
            raise ValidationFailed([FieldProblem(name, "mismatch") for name in wrong])
        done = self._registry.bind(
            account_id,
            patient.patient_id,
            at=clock.rfc3339(now),
            by=actor.account_id,
            entries=self._entries(actor, patient, None, "account_verified", now),
            identity=[used, *self._profiles.verify_actions(profile, given.snils)],
        )
        if not done:
            raise Conflict
        return {
            "account_id": account_id,
            "level": "verified",
            "patient_id": patient.patient_id,
        }

    # --- clinicians ------------------------------------------------------------------------------

    def cards(self, actor: Actor, snils: str, now: datetime) -> list[dict[str, Any]]:
        """The cards of a patient who is attached to the clinician's clinic or has a card there.

        Empty for everybody else, whether they are known or not. The search stands in the journal.
        """
        appointment = actor.appointment("clinician")
        patient = self._registry.find(snils)
        if patient is None or appointment is None or appointment.clinic_id is None:
            return []
        relation = patient.relations.get(appointment.clinic_id)
        if relation is None or not (relation.attached or relation.card_id):
            return []
        clinics = self._registry.clinics(clinic_id for _, clinic_id in patient.cards)
        scopes = {c: self._registry.scopes(patient.patient_id, c) for _, c in patient.cards}
        for card_id, _ in patient.cards:
            self._journal.write(
                self._journal.entry(
                    card_id,
                    now=now,
                    account_id=actor.account_id,
                    capacity="clinician",
                    clinic_id=appointment.clinic_id,
                    action="found",
                )
            )
        return [
            {
                "card_id": card_id,
                "clinic": clinics[clinic_id].brief if clinic_id in clinics else None,
                "consent": consents.state(scopes[clinic_id], now),
                "consent_withdrawn_at": consents.withdrawn_at(scopes[clinic_id]),
                "patient": {"patient_id": patient.patient_id, **patient.person.shown()},
            }
            for card_id, clinic_id in patient.cards
        ]

    # --- parts -----------------------------------------------------------------------------------

    def _served(self, actor: Actor, patient_id: PatientId, *, dead: bool = False) -> Patient:
        patient = self._registry.patient(patient_id)
        if patient is None:
            raise NotFound
        if patient.died_on and not dead:
            raise Conflict("patient_died")
        if policy.is_oneself(actor, patient_id=patient.patient_id):
            raise Forbidden("oneself")
        return patient

    def _clinic(self, actor: Actor) -> Clinic:
        clinic = self._registry.clinic(policy.clinic_of(actor))
        if clinic is None:
            raise Forbidden
        return clinic

    def _count_message(self, actor: Actor, phone: str, now: datetime) -> None:
        """Count a text message, whether it goes out or not: its number may have no account.

        Raises:
            RateLimited: too many to this number, or by this registrar.
        """
        for name, subject, cap in (
            ("desk message to", phone, _MESSAGES_TO_NUMBER),
            ("desk message by", actor.account_id, _MESSAGES_BY_REGISTRAR),
        ):
            self._caps.count(name, subject, cap=cap, seconds=HOUR, now=now)

    def _send_attachment_code(
        self,
        actor: Actor,
        patient: Patient,
        clinic: Clinic,
        subject: str,
        now: datetime,
        language: Language,
    ) -> None:
        profile = self._profiles.get(patient.account_id) if patient.account_id else None
        if profile is None:
            raise Conflict("attached_elsewhere")
        self._count_message(actor, profile.phone, now)
        code = self._codes.issue(subject, "attachment", now)
        text = texts.text(language, "sms.attachment_code", code=code, clinic=clinic.name)
        self._messages.send(profile.phone, text)

    def _entries(
        self,
        actor: Actor,
        patient: Patient,
        clinics: Sequence[ClinicId] | None,
        action: str,
        now: datetime,
    ) -> list[Entry]:
        """An entry for each of the patient's cards, at these clinics or at all."""
        return [
            self._entry(actor, card_id, action, now)
            for card_id, clinic_id in patient.cards
            if clinics is None or clinic_id in clinics
        ]

    def _entry(self, actor: Actor, card_id: CardId, action: str, now: datetime) -> Entry:
        return self._journal.entry(
            card_id,
            now=now,
            account_id=actor.account_id,
            capacity="registrar",
            clinic_id=policy.clinic_of(actor),
            action=action,
        )


def _role_at(held: Item) -> tuple[Role, ClinicId | None]:
    return held["role"], held["clinic_id"]


def _verification(actor: Actor, account_id: AccountId) -> str:
    """The two people at the desk: the code of one registrar does not serve another."""
    return f"DESK#{actor.account_id}#{account_id}"


def _attachment(patient_id: PatientId, clinic: Clinic) -> dict[str, Any]:
    return {"patient_id": patient_id, "clinic": clinic.brief, "attached": True}


def _signed_document(given: PaperConsent, now: datetime) -> consents.Document:
    """The text that was signed: the version in force on that day, in the language of the hash."""
    # East of Greenwich it is already tomorrow.
    if given.signed_on > now.date() + timedelta(days=1):
        raise ValidationFailed([FieldProblem("signed_on", "in_future")])
    try:
        return consents.chosen(given.document_version, given.document_sha256, given.signed_on)
    except Conflict:
        raise Conflict("document_of_another_day") from None
    except ValueError:  # before there was any text
        raise ValidationFailed([FieldProblem("signed_on", "value")]) from None
