"""What is new in a patient's account.

Results, emergency accesses and answered cases are notices that were written with what they tell of.
That a consent is due follows from the consents: it is said as long as it is true, and stands first.
"""

from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple

from consent.repository import Inbox
from kernel import clock, consents, texts
from kernel.consent_acts import ConsentActs, History
from kernel.consents import Document
from kernel.dynamo import Item
from kernel.errors import NotFound
from kernel.identity import Actor, ClinicId, PatientId
from kernel.registry import Clinic
from kernel.texts import Language

_DUE = timedelta(days=30)


Why = Literal["outdated", "expiring", "expired"]


class Due(NamedTuple):
    """A consent that wants the patient: why, since when, and until when it may wait."""

    consent_id: str
    clinic_id: ClinicId | None
    why: Why
    since: str
    due_at: str

    @property
    def notification_id(self) -> str:
        return f"consent-{self.why}-{self.consent_id}"


def due(history: History, current: Document, now: datetime) -> list[Due]:
    """The consents in force that end within 30 days, have ended, or stand to an older text."""
    found = []
    for consent in history.consents:
        why: Why
        status = history.status(consent, now)
        if status not in ("active", "expired"):
            continue
        expires = datetime.fromisoformat(consent.expires_at)
        if status == "expired":
            why, since, until = "expired", consent.expires_at, consent.expires_at
        elif consent.document_version != current.version:
            why = "outdated"
            since = _day(current.effective_from)
            until = _day(current.effective_from + timedelta(days=current.grace_days))
        elif expires - now <= _DUE:
            why, since, until = "expiring", clock.rfc3339(expires - _DUE), consent.expires_at
        else:
            continue
        found.append(Due(consent.consent_id, consent.clinic_id, why, since, until))
    return sorted(found, key=lambda each: each.notification_id)


def page(
    actor: Actor,
    now: datetime,
    after: dict[str, str] | None,
    limit: int,
    language: Language,
    *,
    acts: ConsentActs,
    inbox: Inbox,
) -> tuple[list[dict[str, Any]], dict[str, str] | None]:
    """A page of notifications, and the position to go on after."""
    if actor.patient_id is None:
        return [], None
    relations, clinics = inbox.around(actor.patient_id)
    after = after or {"due": ""}
    shown: list[dict[str, Any]] = []
    if "due" in after:
        waiting = _waiting(actor.patient_id, now, acts)
        waiting = [each for each in waiting if each.notification_id > after["due"]]
        read = inbox.read_marks(actor.patient_id, [each.notification_id for each in waiting])
        shown = [_due_shown(each, read, clinics, language) for each in waiting[:limit]]
        if len(waiting) > limit:
            return shown, {"due": waiting[limit - 1].notification_id}
        after = {"notice": "~"}
    at = {card_id: relation.clinic_id for relation in relations for card_id in relation.cards}
    notices = inbox.notices(list(at), after["notice"], limit - len(shown) + 1, now)
    fitting = notices[: limit - len(shown)]
    position = None
    if len(notices) > len(fitting):
        # Nothing fitted beside what is due: the next page begins with the first notice.
        position = {"notice": _id(fitting[-1]) if fitting else "~"}
    shown += [_shown(item, clinics.get(at[item["card_id"]]), language) for item in fitting]
    return shown, position


def read(
    actor: Actor,
    notification_id: str,
    now: datetime,
    language: Language,
    *,
    acts: ConsentActs,
    inbox: Inbox,
) -> dict[str, Any]:
    """Mark a notification as read; again changes nothing. Raises NotFound."""
    if actor.patient_id is None:
        raise NotFound
    relations, clinics = inbox.around(actor.patient_id)
    for each in _waiting(actor.patient_id, now, acts):
        if each.notification_id == notification_id:
            marks = inbox.mark_read(actor.patient_id, notification_id, now)
            return _due_shown(each, marks, clinics, language)
    at = {card_id: relation.clinic_id for relation in relations for card_id in relation.cards}
    item = inbox.mark_notice(list(at), notification_id, now)
    if item is None:
        raise NotFound
    return _shown(item, clinics.get(at[item["card_id"]]), language)


def _waiting(patient_id: PatientId, now: datetime, acts: ConsentActs) -> list[Due]:
    return due(acts.history(patient_id), consents.current_document("ru", now.date()), now)


def _shown(item: Item, clinic: Clinic | None, language: Language) -> dict[str, Any]:
    details: dict[str, Any] = item["details"]
    name = clinic.name if clinic else ""
    return {
        "notification_id": _id(item),
        "kind": item["kind"],
        "at": item["at"],
        "title": texts.text(language, f"notice.{item['kind']}.title"),
        "text": texts.text(language, f"notice.{item['kind']}.text", clinic=name, **details),
        "read": item["read_at"] is not None,
        "read_at": item["read_at"],
        "card_id": item["card_id"],
        "clinic": clinic.brief if clinic else None,
        **details,
    }


def _due_shown(
    one: Due,
    read: dict[str, str],
    clinics: dict[ClinicId, Clinic],
    language: Language,
) -> dict[str, Any]:
    clinic = clinics.get(one.clinic_id) if one.clinic_id else None
    name = clinic.name if clinic else texts.text(language, "notice.every_clinic")
    read_at = read.get(one.notification_id)
    return {
        "notification_id": one.notification_id,
        "kind": "consent_due",
        "at": one.since,
        "title": texts.text(language, f"notice.consent_{one.why}.title"),
        "text": texts.text(
            language, f"notice.consent_{one.why}.text", clinic=name, day=one.due_at[:10]
        ),
        "read": read_at is not None,
        "read_at": read_at,
        "card_id": None,
        "clinic": clinic.brief if clinic else None,
        "consent_id": one.consent_id,
        "why": one.why,
        "due_at": one.due_at,
    }


def _id(item: Item) -> str:
    return str(item["sk"]).removeprefix("NOTICE#")


def _day(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"
