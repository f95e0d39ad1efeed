"""The consents of somebody who was entered twice become one history.

The acts of both are those of one person, so at each scope the last act decides: the later consent,
or a later withdrawal. Nothing is rewritten: the duplicate's consents stay where they are, and their
copies stand in the survivor's history.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from kernel import dynamo
from kernel.consent_acts import Consent, History
from kernel.consents import EVERY_CLINIC
from kernel.dynamo import Item
from kernel.identity import PatientId


def scopes(survivor: History, duplicate: History) -> dict[str, Item]:
    """What governs after the merge, by scope, as the survivor's items without their keys."""
    found = {}
    for scope in survivor.scopes.keys() | duplicate.scopes.keys():
        candidates = [
            (_last_act(item, history), item["status"] != "active", index, item)
            for index, history in enumerate((survivor, duplicate))
            if (item := history.scopes.get(scope))
        ]
        # Of two acts at one moment the withdrawal counts.
        at, withdrawn, _, item = max(candidates, key=lambda each: each[:3])
        values = {name: value for name, value in item.items() if name not in ("pk", "sk")}
        if withdrawn and scope != EVERY_CLINIC:
            # A clinic closed for itself stays closed under a wide consent of the other history
            # that was given before.
            values["given_at"] = _micro(at)
        found[scope] = values
    return found


def actions(
    table: str,
    survivor_id: PatientId,
    duplicate_id: PatientId,
    pair: tuple[History, History],
    now: datetime,
) -> list[dict[str, Any]]:
    """The changes of the merge; `pair` are the two histories, the survivor's first.

    `ConditionFailed`: one of the two acted meanwhile. The duplicate acts no more from then on.
    """
    survivor, duplicate = pair
    changes = []
    for consent in duplicate.consents:
        copy: Consent = consent._replace(patient_id=survivor_id)
        changes.append({"Put": dynamo.put_request(table, copy.to_item())})
    for scope, values in scopes(survivor, duplicate).items():
        item = {"pk": f"PATIENT#{survivor_id}", "sk": f"SCOPE#{scope}", **values}
        changes.append({"Put": dynamo.put_request(table, item)})
    changes.append(_moved_on(table, survivor_id, survivor, _latest(survivor, duplicate, now), {}))
    merged: dict[str, str] = {"merged_into": survivor_id}
    changes.append(_moved_on(table, duplicate_id, duplicate, duplicate.next_moment(now), merged))
    return changes


def _moved_on(
    table: str, patient_id: PatientId, history: History, moment: str, also: dict[str, str]
) -> dict[str, Any]:
    head = {
        "pk": f"PATIENT#{patient_id}",
        "sk": "HEAD",
        "acts": history.acts + 1,
        "last_act_at": moment,
        **also,
    }
    condition = "acts = :acts" if history.acts else "attribute_not_exists(pk)"
    values = {":acts": history.acts} if history.acts else None
    return {"Put": dynamo.put_request(table, head, condition, values)}


def _latest(survivor: History, duplicate: History, now: datetime) -> str:
    return max(survivor.next_moment(now), duplicate.next_moment(now))


def _last_act(scope: Item, history: History) -> datetime:
    """When this scope was last acted on: its consent given, or withdrawn."""
    given = datetime.fromisoformat(scope["given_at"])
    if scope["status"] == "active":
        return given
    consent = next((c for c in history.consents if c.consent_id == scope["consent_id"]), None)
    withdrawn = scope.get("withdrawn_at") or (consent.withdrawn_at if consent else None)
    if not withdrawn:
        return given
    # Kept to the second: its end counts, so that it is not taken for earlier than it was.
    return max(given, datetime.fromisoformat(withdrawn) + timedelta(microseconds=999_999))


def _micro(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
