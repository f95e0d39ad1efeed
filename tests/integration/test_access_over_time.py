"""Consent, attachment, connection and emergency over time, in any order.

At no point is a card readable without every step being true, emergency access aside; and whenever
they are all true, it is. The model below knows nothing of the code: it keeps what was done.
"""

import os
import secrets
import string
import threading
import time
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kernel import clock, dynamo
from tests.gateway import Api, Response
from tests.integration import desk_world as world
from tests.integration.desk_world import Account

LONG_AGO = "2020-01-01T00:00:00Z"


def region_code() -> str:
    """A region that no other test turns off."""
    return "RU-" + "".join(secrets.choice(string.ascii_uppercase) for _ in range(3))


@dataclass
class Given:
    """A consent that was given: which one, in which order, and whether it has ended."""

    consent_id: str
    order: int
    ended: bool = False


class CardOverTime(RuleBasedStateMachine):
    """One card at the clinic `here`, its patient, and two clinicians: of `here` and of `there`."""

    @initialize()
    def world(self) -> None:
        self.region = region_code()
        self.here = world.clinic(region=self.region)
        self.there = world.clinic(by=self.here.operator)
        self.patient = self.here.patient()
        self.connected = {"region": True, "clinic": True}
        self.attached: str | None = self.here.clinic_id
        self.consents: dict[str, Given] = {}  # by scope
        self.emergencies: set[str] = set()
        self.appointed = True
        self.acts = self.moves = self.asked = 0

    # --- what may happen -------------------------------------------------------------------------

    @rule(narrow=st.booleans())
    def give(self, narrow: bool) -> None:
        body: dict[str, str] = world.document()
        scope = self.here.clinic_id if narrow else "*"
        if narrow:
            body["clinic_id"] = scope
        answer = self.patient.api.post("/v1/consents", body)
        if answer.status == 409:
            assert answer.json["code"] == "already_exists"
            assert self.covered()  # only what adds nothing is refused
            return
        assert answer.status == 201, answer
        self.acts += 1
        self.consents[scope] = Given(answer.json["consent_id"], self.acts)

    @precondition(lambda self: any(not each.ended for each in self.consents.values()))
    @rule(choice=st.integers(0, 1))
    def withdraw(self, choice: int) -> None:
        standing = [each for each in self.consents.values() if not each.ended]
        one = standing[choice % len(standing)]
        answer = self.patient.api.post(f"/v1/consents/{one.consent_id}/withdraw")
        if answer.status == 409:  # a narrow one that a later, wider one took the place of
            assert one is not self.governing()
            return
        assert answer.status == 200, answer
        one.ended = True

    @precondition(lambda self: self.consents)
    @rule()
    def years_pass(self) -> None:
        """Every consent runs out. The items are set back, which is the same as time going on."""
        pk = f"PATIENT#{self.patient.patient_id}"
        for scope, one in self.consents.items():
            for sk in (f"SCOPE#{scope}", f"CONSENT#{one.consent_id}"):
                key = {"pk": pk, "sk": sk}
                values = {":end": LONG_AGO}
                dynamo.update(os.environ["CONSENTS_TABLE"], key, "SET expires_at = :end", values)
            one.ended = True

    @precondition(lambda self: self.attached is not None)
    @rule()
    def detach(self) -> None:
        desk = self.here if self.attached == self.here.clinic_id else self.there
        path = f"/v1/clinic/patients/{self.patient.patient_id}/attachment"
        assert desk.registrar.api.delete(path).status == 204
        self.attached = None

    @precondition(lambda self: self.moves < 5)
    @rule(away=st.booleans())
    def attach(self, away: bool) -> None:
        desk = self.there if away else self.here
        path = f"/v1/clinic/patients/{self.patient.patient_id}/attachment"
        answer = desk.registrar.api.put(path, {})
        if answer.status == 202:
            assert self.attached not in (None, desk.clinic_id)
            self.moves += 1
            code = world.code_sent_to(self.patient.account.phone)
            answer = desk.registrar.api.put(path, {"code": code})
        assert answer.status == 200, answer
        self.attached = desk.clinic_id

    @rule(connected=st.booleans())
    def connect_region(self, connected: bool) -> None:
        body = {"name": "Край", "connected": connected, "support": {"phone": "122", "url": None}}
        answer = self.here.operator.api.put(f"/v1/clinic/regions/{self.region}", body)
        assert answer.status == 200
        self.connected["region"] = connected

    @rule(connected=st.booleans())
    def connect_clinic(self, connected: bool) -> None:
        body = {
            "name": "Поликлиника",
            "region": self.region,
            "phone": "122",
            "address": "Лесная ул., 5",
            "connected": connected,
        }
        path = f"/v1/clinic/clinics/{self.here.clinic_id}"
        assert self.here.operator.api.put(path, body).status == 200
        self.connected["clinic"] = connected

    @precondition(lambda self: self.asked < 9)
    @rule(outside=st.booleans(), right=st.booleans())
    def emergency(self, outside: bool, right: bool) -> None:
        who = self.there.clinician if outside else self.here.clinician
        body = {
            "snils": self.patient.snils,
            "birth_date": "1980-04-12" if right else "1980-04-13",
            "reason": "Без сознания.",
        }
        self.asked += 1
        answer = who.api.post("/v1/clinic/cards/emergency", body)
        if outside and not self.appointed:
            assert answer.status == 403
        elif right and all(self.connected.values()):
            assert answer.status == 201, answer
            self.emergencies.add(who.account_id)
        else:
            assert answer.status == 404, answer

    @precondition(lambda self: self.emergencies)
    @rule()
    def an_hour_passes(self) -> None:
        for account_id in self.emergencies:
            key = {"pk": f"CARD#{self.patient.card_id}", "sk": f"EMERGENCY#{account_id}"}
            values = {":end": clock.epoch(clock.now())}
            names = {"#until": "until"}
            table = os.environ["CONSENTS_TABLE"]
            dynamo.update(table, key, "SET #until = :end", values, names=names)
        self.emergencies.clear()

    @rule()
    def dismiss_or_appoint(self) -> None:
        medic, desk = self.there.clinician, self.there.registrar
        if self.appointed:
            path = f"/v1/clinic/staff/{medic.account_id}"
            assert desk.api.delete(path).status == 204
        else:
            body = {"role": "clinician", "name": "Врач В. В.", "specialty": "терапевт"}
            assert world.appoint(desk, medic, self.there.clinic_id, **body).status == 201
        self.appointed = not self.appointed

    # --- what must be true -----------------------------------------------------------------------

    def governing(self) -> Given | None:
        return max(self.consents.values(), key=lambda each: each.order, default=None)

    def covered(self) -> bool:
        governing = self.governing()
        return governing is not None and not governing.ended

    @invariant()
    def the_patient_reads_if_every_step_is_true(self) -> None:
        if not hasattr(self, "patient"):
            return
        steps = [*self.connected.values(), self.attached == self.here.clinic_id, self.covered()]
        answer = self.patient.api.get(f"/v1/cards/{self.patient.card_id}/visits")
        assert answer.status == (200 if all(steps) else 403), answer
        shown = [c["card_id"] for c in self.patient.api.get("/v1/cards").json["items"]]
        assert shown == ([self.patient.card_id] if all(steps) else [])

    @invariant()
    def a_clinician_reads_with_relation_and_consent_or_in_an_emergency(self) -> None:
        if not hasattr(self, "patient"):
            return
        there = self.attached == self.there.clinic_id
        for who, related, holds in (
            (self.here.clinician, True, True),
            (self.there.clinician, there, self.appointed),
        ):
            emergency = who.account_id in self.emergencies
            may = holds and all(self.connected.values())
            may = may and (emergency or (related and self.covered()))
            assert self.read(who).status == (200 if may else 403)

    def read(self, who: Account) -> Response:
        return who.api.get(f"/v1/clinic/cards/{self.patient.card_id}/visits")


CardOverTime.TestCase.settings = settings(
    max_examples=8,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@pytest.mark.usefixtures("aws")
@pytest.mark.long
class TestCardOverTime(CardOverTime.TestCase):  # type: ignore[misc,valid-type]
    pass


@pytest.mark.usefixtures("aws")
def test_no_read_that_starts_after_a_withdrawal_was_answered_succeeds() -> None:
    clinic = world.clinic()
    patient = clinic.patient()
    given = patient.api.post("/v1/consents", world.document()).json
    barrier = threading.Barrier(51)
    answered = threading.Event()
    reads: list[tuple[float, int]] = []

    def reading(api: Api, path: str) -> None:
        barrier.wait()
        while True:
            last = answered.is_set()
            started = time.monotonic()
            reads.append((started, api.get(path).status))
            if last:
                return

    mine = (patient.api, f"/v1/cards/{patient.card_id}/visits")
    theirs = (clinic.clinician.api, f"/v1/clinic/cards/{patient.card_id}/visits")
    threads = [
        threading.Thread(target=reading, args=mine if number % 2 else theirs)
        for number in range(50)
    ]
    for thread in threads:
        thread.start()
    barrier.wait()
    while 200 not in [status for _, status in list(reads)]:
        time.sleep(0.01)
    withdrawn = patient.api.post(f"/v1/consents/{given['consent_id']}/withdraw")
    moment = time.monotonic()
    answered.set()
    for thread in threads:
        thread.join()
    assert withdrawn.status == 200
    after = [status for started, status in reads if started > moment]
    assert len(after) >= 50
    assert set(after) == {403}
    assert {status for _, status in reads} == {200, 403}
