"""What a history of consents says, without any table."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from kernel import consents
from kernel.consent_acts import History
from kernel.identity import ClinicId

NOW = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
DOCUMENT = consents.current_document("ru", NOW.date())
HERE, THERE = ClinicId("here"), ClinicId("there")


def items(*given: tuple[str | None, int, str], **changes: Any) -> list[dict[str, Any]]:
    """Items as acts leave them: (clinic, minute, status) in the order of the acts."""
    found: dict[str, dict[str, Any]] = {}
    for number, (clinic_id, minute, status) in enumerate(given):
        at = f"2026-11-01T09:{minute:02d}:00.000000Z"
        consent_id = f"c{number}"
        found[f"CONSENT#{consent_id}"] = {
            "consent_id": consent_id,
            "patient_id": "p",
            "clinic_id": clinic_id,
            "document_version": DOCUMENT.version,
            "document_sha256": DOCUMENT.sha256,
            "purpose": "",
            "method": "electronic",
            "amr": [],
            "given_at": at,
            "expires_at": "2031-11-01T00:00:00Z",
            "recorded_at": at,
            "recorded_by": "a",
            "receipt": "",
            "signed_on": None,
            "withdrawn_at": at if status == "withdrawn" else None,
            "closed": [],
        }
        found[f"SCOPE#{clinic_id or '*'}"] = {
            "consent_id": consent_id,
            "given_at": at,
            "status": status,
            "expires_at": "2031-11-01T00:00:00Z",
            "document_version": DOCUMENT.version,
            **changes,
        }
    return [{"sk": sk, **item} for sk, item in found.items()]


def statuses(history: History) -> dict[str, str]:
    return {c.consent_id: history.status(c, NOW) for c in history.consents}


def test_the_later_of_narrow_and_wide_governs() -> None:
    wide_last = History.from_items(items((HERE, 1, "active"), (None, 2, "active")))
    assert statuses(wide_last) == {"c1": "active", "c0": "superseded"}
    narrow_last = History.from_items(items((None, 1, "active"), (HERE, 2, "active")))
    assert statuses(narrow_last) == {"c0": "active", "c1": "active"}
    assert narrow_last.governs(narrow_last.find("c1"), HERE)
    assert narrow_last.governs(narrow_last.find("c0"), THERE)
    assert not narrow_last.governs(narrow_last.find("c0"), HERE)


def test_what_repeats_and_what_does_not() -> None:
    def repeats(clinic_id: ClinicId | None, *given: Any, **changes: Any) -> bool:
        return History.from_items(items(*given, **changes)).repeats(clinic_id, DOCUMENT, NOW)

    assert not repeats(None)
    assert repeats(None, (None, 1, "active"))
    assert repeats(HERE, (HERE, 1, "active"))
    assert repeats(HERE, (None, 1, "active"))
    assert not repeats(None, (HERE, 1, "active"))
    assert not repeats(None, (None, 1, "withdrawn"))
    assert repeats(HERE, (HERE, 1, "active"), (None, 2, "active"))
    # A narrow one supersedes a wide one that does not cover the clinic any more.
    assert not repeats(HERE, (None, 1, "withdrawn"))
    assert not repeats(HERE, (None, 1, "active"), document_version="0.9")
    # The wide one is repeated only where no clinic was taken out of it and closed.
    assert repeats(None, (None, 1, "active"), (HERE, 2, "active"))
    assert not repeats(None, (None, 1, "active"), (HERE, 2, "withdrawn"))
    assert repeats(None, (HERE, 1, "withdrawn"), (None, 2, "active"))
    # Another version of the text, or a consent that ran out, asks anew.
    assert not repeats(None, (None, 1, "active"), document_version="0.9")
    assert not repeats(None, (None, 1, "active"), expires_at="2026-10-31T00:00:00Z")


def test_acts_are_recorded_in_their_order_whatever_the_clock_says() -> None:
    behind = History(last_act_at="2026-11-01T09:30:00.500000Z")
    assert behind.next_moment(NOW) == "2026-11-01T09:30:00.500001Z"
    ahead = History(last_act_at="2026-11-01T09:29:59.999999Z")
    assert ahead.next_moment(NOW) == "2026-11-01T09:30:00.000000Z"


def test_a_consent_is_valid_for_calendar_years() -> None:
    assert DOCUMENT.valid_until(NOW) == NOW.replace(year=2031)
    leap = datetime(2028, 2, 29, tzinfo=UTC)
    assert DOCUMENT.valid_until(leap) == datetime(2033, 2, 28, tzinfo=UTC)


def test_an_older_text_is_asked_for_anew_after_its_grace(monkeypatch: Any) -> None:

    effective = date(2026, 12, 1)
    newer = DOCUMENT._replace(version="2.0", effective_from=effective)
    known = dict(consents.documents()) | {("2.0", "ru"): newer}
    monkeypatch.setattr(consents, "documents", lambda: known)
    scope = items((None, 1, "active"))[1]
    day = datetime(2026, 12, 1, tzinfo=UTC)
    assert consents.state([scope], day - timedelta(days=1)) == "given"
    assert consents.state([scope], day + timedelta(days=newer.grace_days)) == "given"
    assert consents.state([scope], day + timedelta(days=newer.grace_days + 1)) == "outdated"
    # While the grace lasts, the new text is no repeat.
    history = History.from_items(items((None, 1, "active")))
    assert not history.repeats(None, newer, day)
