"""What is new in the account: consents that are due, and the list over several pages."""

import os
from datetime import timedelta
from typing import Any

import pytest

from kernel import clock, dynamo, notices
from kernel.identity import CardId
from kernel.notices import Notice
from tests.gateway import Api
from tests.integration import desk_world as world
from tests.integration.desk_world import Clinic, Patient

pytestmark = pytest.mark.usefixtures("aws")


def give(patient: Patient, **scope: str) -> str:
    answer = patient.api.post("/v1/consents", {**world.document(), **scope})
    assert answer.status == 201, answer
    return str(answer.json["consent_id"])


def ends(patient: Patient, consent_id: str, scope: str, days: int) -> None:
    """Let a consent end in so many days."""
    at = clock.rfc3339(clock.now() + timedelta(days=days))
    for sk in (f"SCOPE#{scope}", f"CONSENT#{consent_id}"):
        key = {"pk": f"PATIENT#{patient.patient_id}", "sk": sk}
        table = os.environ["CONSENTS_TABLE"]
        dynamo.update(table, key, "SET expires_at = :at", {":at": at})


def listed(api: Api, query: str = "limit=100") -> list[dict[str, Any]]:
    answer = api.get(f"/v1/notifications?{query}")
    assert answer.status == 200, answer
    items: list[dict[str, Any]] = answer.json["items"]
    return items


@pytest.mark.parametrize(
    ("days", "why"), [(29, "expiring"), (1, "expiring"), (-1, "expired"), (31, None)]
)
def test_a_consent_that_ends_is_due(here: Clinic, days: int, why: str | None) -> None:
    patient = here.patient()
    consent_id = give(patient)
    assert listed(patient.api) == []
    ends(patient, consent_id, "*", days)
    found = listed(patient.api)
    assert [(n["kind"], n["why"], n["consent_id"]) for n in found] == (
        [("consent_due", why, consent_id)] if why else []
    )
    for language in ("ru", "en"):
        patient.api.language = language
        for notice in listed(patient.api):
            assert notice["title"]
            assert "{" not in notice["title"] + notice["text"]
            assert notice["due_at"][:10] in notice["text"]


def test_what_is_due_stays_until_it_is_done_and_can_be_read(here: Clinic) -> None:
    patient = here.patient()
    consent_id = give(patient, clinic_id=here.clinic_id)
    ends(patient, consent_id, here.clinic_id, 10)
    (notice,) = listed(patient.api)
    assert notice["clinic"]["clinic_id"] == here.clinic_id
    read = patient.api.post(f"/v1/notifications/{notice['notification_id']}/read")
    assert (read.status, read.json["read"]) == (200, True)
    assert listed(patient.api) == [read.json]
    give(patient)
    assert listed(patient.api) == []


def test_a_withdrawn_consent_is_not_due(here: Clinic) -> None:
    patient = here.patient()
    consent_id = give(patient)
    ends(patient, consent_id, "*", 10)
    assert patient.api.post(f"/v1/consents/{consent_id}/withdraw").status == 200
    assert listed(patient.api) == []


def test_page_after_page_each_once_and_what_is_due_first(here: Clinic) -> None:
    patient = here.patient()
    ends(patient, give(patient), "*", 10)
    table = os.environ["NOTICES_TABLE"]
    for number in range(5):
        at = clock.now() - timedelta(minutes=number)
        notice = Notice(CardId(patient.card_id), "new_results", at, {"count": number})
        dynamo.transact(notices.put_action(table, notice))
    later = Notice(CardId(patient.card_id), "new_results", clock.now() + timedelta(1), {"count": 9})
    dynamo.transact(notices.put_action(table, later))
    everything = listed(patient.api)
    assert [n.get("count") for n in everything] == [None, 0, 1, 2, 3, 4]
    for limit in (1, 2, 3, 5):
        found: list[dict[str, Any]] = []
        query = f"limit={limit}"
        while True:
            page = patient.api.get(f"/v1/notifications?{query}").json
            found += page["items"]
            assert len(page["items"]) <= limit
            if page["next_cursor"] is None:
                break
            query = f"limit={limit}&cursor={page['next_cursor']}"
        assert found == everything


def test_who_is_bound_to_nobody_has_none_and_marks_none(here: Clinic) -> None:
    person = world.account()
    assert listed(person.api) == []
    answer = person.api.post("/v1/notifications/x/read")
    assert (answer.status, answer.json["code"]) == (404, "not_found")


def test_they_stay_readable_while_the_card_is_closed(here: Clinic) -> None:
    patient = here.patient()
    body = {"snils": patient.snils, "birth_date": "1980-04-12", "reason": "Срочно."}
    assert here.clinician.api.post("/v1/clinic/cards/emergency", body).status == 201
    assert patient.api.get(f"/v1/cards/{patient.card_id}/visits").status == 403
    assert [n["kind"] for n in listed(patient.api)] == ["emergency_access"]
