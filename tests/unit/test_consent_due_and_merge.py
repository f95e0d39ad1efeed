"""Which consents are due, and what governs after two histories became one."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from consent.notifications import due
from kernel.consent_acts import Consent, History
from kernel.consent_merge import scopes
from kernel.consents import Document, current_document
from kernel.identity import AccountId, ClinicId, ConsentId, PatientId

NOW = datetime(2026, 11, 23, 5, tzinfo=UTC)
CURRENT = current_document("ru", NOW.date())


def consent(name: str, clinic: str | None = None, **other: Any) -> Consent:
    values: dict[str, Any] = {
        "document_version": CURRENT.version,
        "expires_at": "2031-01-01T00:00:00Z",
        "recorded_at": "2026-11-01T00:00:00.000000Z",
        **other,
    }
    return Consent(
        consent_id=ConsentId(name),
        patient_id=PatientId("p"),
        clinic_id=ClinicId(clinic) if clinic else None,
        document_sha256="",
        purpose="",
        method="electronic",
        amr=(),
        given_at="2026-11-01T00:00:00Z",
        recorded_by=AccountId("a"),
        receipt="",
        **values,
    )


def history(*given: Consent) -> History:
    """The history in which these were given, the last of each scope standing there."""
    standing = {
        one.scope: {
            "consent_id": one.consent_id,
            "given_at": one.recorded_at,
            "status": "withdrawn" if one.withdrawn_at else "active",
            "expires_at": one.expires_at,
            "document_version": one.document_version,
            **({"withdrawn_at": one.withdrawn_at} if one.withdrawn_at else {}),
        }
        for one in sorted(given, key=lambda each: each.recorded_at)
    }
    return History(list(given), standing, len(given))


def newer(effective: date) -> Document:
    return CURRENT._replace(version="next", effective_from=effective, grace_days=30)


@pytest.mark.parametrize(
    ("expires", "why"),
    [
        ("2026-12-23T05:00:00Z", "expiring"),
        ("2026-12-23T05:00:01Z", None),
        ("2026-11-23T05:00:01Z", "expiring"),
        ("2026-11-23T05:00:00Z", "expired"),
    ],
)
def test_thirty_days_before_the_end_and_after_it(expires: str, why: str | None) -> None:
    found = due(history(consent("x", expires_at=expires)), CURRENT, NOW)
    assert [each.why for each in found] == ([why] if why else [])


def test_an_older_text_asks_from_the_day_of_the_new_one_until_its_grace_ends() -> None:
    (one,) = due(history(consent("x")), newer(date(2026, 11, 20)), NOW)
    assert (one.why, one.since, one.due_at) == (
        "outdated",
        "2026-11-20T00:00:00Z",
        "2026-12-20T00:00:00Z",
    )


def test_what_is_withdrawn_or_superseded_is_not_due() -> None:
    soon = "2026-11-30T00:00:00Z"
    gone = consent("x", expires_at=soon, withdrawn_at="2026-11-02T00:00:00Z")
    assert due(history(gone), CURRENT, NOW) == []
    old = consent("old", "c", expires_at=soon)
    wide = consent("wide", recorded_at="2026-11-02T00:00:00.000000Z")
    assert due(history(old, wide), CURRENT, NOW) == []


def at(day: int) -> str:
    return f"2026-11-{day:02}T00:00:00.000000Z"


def governs(one: History, other: History, scope: str = "*") -> tuple[str, str]:
    item = scopes(one, other)[scope]
    return item["consent_id"], item["status"]


def test_of_two_consents_the_later_one_governs() -> None:
    first = history(consent("first", recorded_at=at(1)))
    second = history(consent("second", recorded_at=at(2)))
    assert governs(first, second) == governs(second, first) == ("second", "active")


def test_a_later_withdrawal_governs_over_an_earlier_consent() -> None:
    gone = consent("gone", recorded_at=at(1), withdrawn_at="2026-11-03T00:00:00Z")
    stays = history(consent("stays", recorded_at=at(2)))
    assert governs(history(gone), stays) == governs(stays, history(gone)) == ("gone", "withdrawn")
    again = history(consent("again", recorded_at=at(4)))
    assert governs(history(gone), again) == ("again", "active")


def test_in_the_same_second_the_withdrawal_governs() -> None:
    gone = consent("gone", recorded_at=at(1), withdrawn_at="2026-11-02T00:00:00Z")
    same = history(consent("same", recorded_at="2026-11-02T00:00:00.500000Z"))
    assert governs(history(gone), same) == ("gone", "withdrawn")


def test_a_clinic_closed_for_itself_stays_closed_under_the_others_wide_consent() -> None:
    narrow = consent("narrow", "c", recorded_at=at(1), withdrawn_at="2026-11-03T00:00:00Z")
    wide = consent("wide", recorded_at=at(2))
    found = scopes(history(narrow), history(wide))
    merged = History([narrow, wide], found, 2)
    assert merged.governs(narrow, ClinicId("c"))
    later = history(consent("later", recorded_at=at(4)))
    found = scopes(history(narrow), later)
    assert found["*"]["given_at"] > found["c"]["given_at"]


def test_scopes_of_one_side_alone_come_along() -> None:
    one = history(consent("one", "c"))
    other = history(consent("other", "d"))
    assert {scope: item["consent_id"] for scope, item in scopes(one, other).items()} == {
        "c": "one",
        "d": "other",
    }
