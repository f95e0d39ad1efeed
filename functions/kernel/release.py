"""Release rules: which results a clinic holds back until a doctor has seen them, and how long.

Registry table:
    CLINIC#<id> | RELEASE    days by kind of result, e.g. {"laboratory": 3}
A rule counts for what comes after it was set. 323-ФЗ art. 22 gives patients their results in a form
they can understand: a hold is for a doctor's word to come with them, and ends by itself.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from kernel import records
from kernel.dynamo import Item, Lookup
from kernel.identity import ClinicId
from kernel.records import Section

# No clinic may hold a result for longer.
MOST_DAYS = 14


def lookup(table: str, clinic_id: ClinicId) -> Lookup:
    return Lookup(table, f"CLINIC#{clinic_id}", "RELEASE")


def mark(
    section: Section,
    body: Mapping[str, Any],
    *,
    rules: Mapping[str, int],
    before: Item | None,
    now: datetime,
) -> str | None:
    """The mark of a new version that its patient is not shown yet, or None.

    `before`: the version that it replaces. A correction of what is held is held no longer than it;
    one of what the patient has seen is shown.
    """
    if section != "results":
        return None
    if records.not_final(section, body):
        return records.PENDING
    if before is not None and before.get("out") != records.PENDING:
        return before.get("out")
    days = min(rules.get(body["kind"], 0), MOST_DAYS)
    return records.held(now + timedelta(days)) if days else None
