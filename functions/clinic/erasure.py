"""Erases a card, or a person with all their cards. Invoked by those who run the deployment only:

aws lambda invoke --function-name … --payload '{"card_id": "…", "order": "…", "by": "…"}' …

Journal table:
    ERASURE#<card or patient> | ORDER    by whose order, on what ground, since when
    ERASURE#<card or patient> | DONE     what was destroyed, and when

What is sealed is destroyed with its data key (docs/operations.md, "Erasing a person"). The record
holds what Roskomnadzor's order № 179 of 28.10.2022 asks of the log of destruction (152-ФЗ art. 21).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from clinic.payloads import Payloads
from clinic.repository import snils_key
from kernel import clock, dynamo, log, people, settings
from kernel.errors import Unavailable
from kernel.extracts import Revoking
from kernel.identity import CardId, PatientId
from kernel.journal import Journal
from kernel.notes import key_of_notes
from kernel.registry import Card, Relation
from kernel.sealing import KeyDestroyed, Keyring

# Point-in-time recovery of the table of keys reaches back so far.
_RECOVERABLE = timedelta(days=7)
_OF_A_CARD = "visits, results, prescriptions, summary, sent documents, extracts"
_OF_A_PERSON = "names, birth date, sex, СНИЛС, policy number, attachments"


class Settings(NamedTuple):
    registry_table: str
    keys_table: str
    extracts_table: str
    journal_table: str
    records_bucket: str
    extracts_bucket: str
    medical_key_id: str
    lookup_key_id: str


_settings = settings.load(Settings)
_journal = Journal(_settings.journal_table)
_keyring = Keyring(table=_settings.keys_table, kms_key=_settings.medical_key_id, purpose="medical")
_payloads = Payloads(_settings.records_bucket)
_revoking = Revoking(table=_settings.extracts_table, bucket=_settings.extracts_bucket)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Erase a card (`card_id`) or a person (`patient_id`); safe to repeat until it says `done`.

    `order`: the number and date of the decision; `by`: who carries it out. Neither may name the
    person: both stay for as long as the log of destruction does.

    Raises:
        ValueError: something is missing, or there is no such card or person.
        Unavailable: it broke off; repeat.
    """
    order, by = str(event.get("order") or "").strip(), str(event.get("by") or "").strip()
    if not 1 <= len(order) <= 200 or not 1 <= len(by) <= 200:
        raise ValueError("order and by are needed, of up to 200 characters each")
    if ("card_id" in event) == ("patient_id" in event):
        raise ValueError("either card_id or patient_id is needed")
    ground = {"order": order, "by": by}
    if "card_id" in event:
        return _erase_card(CardId(str(event["card_id"])), ground)
    return _erase_person(PatientId(str(event["patient_id"])), ground)


def _erase_card(card_id: CardId, ground: Mapping[str, str]) -> dict[str, Any]:
    place = Card.lookup(_settings.registry_table, card_id)
    item = dynamo.get(place.table, {"pk": place.pk, "sk": place.sk})
    if item is None:
        raise ValueError("there is no such card")
    card = Card.from_item(item)
    now = clock.now()
    _order(card_id, ground, _OF_A_CARD, now)
    _close(card, now)
    _revoking.revoke_all(card.patient_id, [card.clinic_id])
    _destroy_key(f"CARD#{card_id}")
    dynamo.delete(_settings.keys_table, key_of_notes(card_id))
    objects = _payloads.drop_card(card_id)
    return _done(card_id, {"keys": 1, "objects": objects})


def _close(card: Card, now: datetime) -> None:
    """Close the card together with the journal's entry: from here on nobody reads it.

    Functions that are warm may hold its key for minutes, and none will be asked to use it.
    """
    place = Relation.lookup(_settings.registry_table, card.patient_id, card.clinic_id)
    key = {"pk": place.pk, "sk": place.sk}
    item = dynamo.get(place.table, key)
    relation = Relation.from_item(item) if item else None
    if relation is None or not relation.holds(card.card_id):
        return  # closed by a run before this one
    left = [card_id for card_id in relation.cards if card_id != card.card_id]
    change = "REMOVE card_id, activated_at, merged_cards"
    values: dict[str, Any] = {":card": relation.card_id, ":merged": list(relation.merged_cards)}
    if left:  # of somebody entered twice, who had two cards here
        change = "SET card_id = :first, merged_cards = :rest"
        values |= {":first": left[0], ":rest": left[1:]}
    same = "merged_cards = :merged"
    if not relation.merged_cards:
        same = f"(attribute_not_exists(merged_cards) OR {same})"
    update = dynamo.update_request(
        place.table, key, change, values, condition=f"card_id = :card AND {same}"
    )
    entry = _journal.entry(
        card.card_id, now=now, account_id=None, capacity="system", action="erased"
    )
    try:
        dynamo.transact({"Update": update}, _journal.in_transaction(entry))
    except dynamo.ConditionFailed as lost:  # it has just changed: another run closes it
        raise Unavailable from lost


def _erase_person(patient_id: PatientId, ground: Mapping[str, str]) -> dict[str, Any]:
    registry = _settings.registry_table
    pk = f"PATIENT#{patient_id}"
    items = dynamo.query_all(registry, "pk = :pk", {":pk": pk})
    if not items:
        raise ValueError("there is no such person")
    _order(patient_id, ground, _OF_A_PERSON, clock.now())
    relations = [Relation.from_item(each) for each in items if each["sk"].startswith("CLINIC#")]
    cards = [card_id for relation in relations for card_id in relation.cards]
    for card_id in cards:
        _erase_card(card_id, ground)
    person = next((each for each in items if each["sk"] == "PATIENT"), None)
    if person is not None:
        try:
            key = _keyring.get(people.owner(patient_id))
            for snils in people.open_item(person, key).all_snils:
                dynamo.delete(registry, snils_key(_settings.lookup_key_id, snils))
        except KeyDestroyed:
            pass  # a run before this one came so far
        for merged in sorted(person.get("merged_patients", ())):
            _erase_duplicate(PatientId(merged))
    _destroy_key(people.owner(patient_id))
    for each in items:
        dynamo.delete(registry, {"pk": pk, "sk": each["sk"]})
    return _done(patient_id, {"keys": 1, "cards": len(cards)})


def _erase_duplicate(patient_id: PatientId) -> None:
    """What is left of somebody who was entered twice, at the keys of the second entry."""
    pk = f"PATIENT#{patient_id}"
    items = dynamo.query_all(_settings.registry_table, "pk = :pk", {":pk": pk})
    for each in items:
        for merged in sorted(each.get("merged_patients", ())):
            _erase_duplicate(PatientId(merged))
        dynamo.delete(_settings.registry_table, {"pk": pk, "sk": each["sk"]})
    _destroy_key(people.owner(patient_id))


def _order(subject: str, ground: Mapping[str, str], categories: str, now: datetime) -> None:
    """Write the order before anything is destroyed; the first one stands."""
    item = {
        "pk": f"ERASURE#{subject}",
        "sk": "ORDER",
        "system": "Medkarta",
        "categories": categories,
        "ordered_at": clock.rfc3339(now),
        **ground,
    }
    try:
        dynamo.put(_settings.journal_table, item, condition="attribute_not_exists(pk)")
    except dynamo.ConditionFailed:
        return


def _destroy_key(owner: str) -> None:
    place = _keyring.lookup(owner)
    dynamo.delete(place.table, {"pk": place.pk, "sk": place.sk})


def _done(subject: str, destroyed: Mapping[str, int]) -> dict[str, Any]:
    now = clock.now()
    done = {
        "destroyed_at": clock.rfc3339(now),
        "final_at": clock.rfc3339(now + _RECOVERABLE),
        **destroyed,
    }
    item = {"pk": f"ERASURE#{subject}", "sk": "DONE", **done}
    try:
        dynamo.put(_settings.journal_table, item, condition="attribute_not_exists(pk)")
    except dynamo.ConditionFailed as before:
        done = {name: (before.old or done)[name] for name in done}
    log.info("erased", outcome="done")
    return {"status": "done", "subject": subject, **done}
