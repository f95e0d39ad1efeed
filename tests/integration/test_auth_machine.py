"""Sign-in and sessions as a state machine: any order of calls, compared with a model after each.

The model knows which passwords, challenges, sessions and refresh tokens count. hypothesis looks for
an order of calls in which the real handlers know better.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from tests.gateway import Api, Response, outbox
from tests.integration.test_auth_journey import login, refreshed, register, verify

pytestmark = pytest.mark.usefixtures("aws")

TRIES = 5


@dataclass(eq=False)
class Session:
    """A session as it should be; `refresh` is the token that counts, `spent` those before."""

    session_id: str
    access: str
    refresh: str
    alive: bool = True
    spent: list[str] = field(default_factory=list)

    @property
    def api(self) -> Api:
        return Api(token=self.access)


@dataclass(eq=False)
class Challenge:
    """A challenge as it should be. `code` is known once it was sent."""

    challenge_id: str
    password_version: int
    session: Session | None = None
    code: str | None = None
    tries: int = TRIES
    used: bool = False


class SigningIn(RuleBasedStateMachine):
    """One person with any number of devices."""

    sessions = Bundle("sessions")
    challenges = Bundle("challenges")

    @initialize(target=sessions)
    def start(self) -> Session:
        person = register()
        self.phone, self.password, self.version = person.phone, person.body["password"], 1
        self.all: list[Session] = []
        return self._opened(person.answer)

    # --- the first step ---

    @rule(target=challenges)
    def log_in(self) -> Challenge:
        answer = login(Api(), self.phone, self.password)
        assert answer.status == 200, answer
        return Challenge(answer.json["challenge_id"], self.version)

    @rule(wrong=st.sampled_from(["", "высокий тополь", "x" * 200]))
    def log_in_by_a_wrong_password(self, wrong: str) -> None:
        _is(login(Api(), self.phone, wrong), 401, "credentials_invalid")

    @rule(target=challenges, session=sessions)
    def step_up(self, session: Session) -> Any:
        answer = session.api.post("/v1/auth/step-up")
        if not session.alive:
            _is(answer, 401, "session_revoked")
            return multiple()
        assert answer.status == 200, answer
        return Challenge(answer.json["challenge_id"], self.version, session)

    # --- the second step ---

    @rule(challenge=challenges)
    def send(self, challenge: Challenge) -> None:
        path = f"/v1/auth/challenges/{challenge.challenge_id}/send"
        answer = Api().post(path, {"method": "sms"})
        if challenge.used or challenge.tries == 0:
            _is(answer, 401, "challenge_expired")
        elif challenge.code is not None:
            _is(answer, 429, "rate_limited")
        else:
            assert answer.status == 202, answer
            (challenge.code,) = re.findall(r"(?<!\d)\d{6}(?!\d)", outbox(self.phone)[0])

    @rule(target=sessions, challenge=challenges)
    def meet(self, challenge: Challenge) -> Any:
        code = challenge.code or "000000"
        answer = verify(Api(), challenge.challenge_id, "sms", code)
        if challenge.used or challenge.tries == 0:
            _is(answer, 401, "challenge_expired")
            return multiple()
        challenge.tries -= 1
        if challenge.code is None:
            _is(answer, 401, "code_invalid")
            return multiple()
        if challenge.session and not challenge.session.alive:
            assert answer.status == 401, answer
            return multiple()
        if challenge.password_version != self.version:
            _is(answer, 401, "challenge_expired")
            return multiple()
        assert answer.status == 200, answer
        challenge.used = True
        if challenge.session:
            assert answer.json["session_id"] == challenge.session.session_id
            challenge.session.access = answer.json["access_token"]
            return multiple()
        return self._opened(answer.json)

    @rule(challenge=challenges)
    def miss(self, challenge: Challenge) -> None:
        wrong = "999999" if challenge.code != "999999" else "000000"
        answer = verify(Api(), challenge.challenge_id, "sms", wrong)
        if challenge.used or challenge.tries == 0:
            _is(answer, 401, "challenge_expired")
        else:
            _is(answer, 401, "code_invalid")
        if not challenge.used and challenge.tries:
            challenge.tries -= 1

    @rule(challenge=challenges)
    def try_a_method_that_was_not_offered(self, challenge: Challenge) -> None:
        answer = verify(Api(), challenge.challenge_id, "totp", "000000")
        assert answer.status in (401, 422), answer

    # --- carrying on ---

    @rule(session=sessions)
    def refresh(self, session: Session) -> None:
        answer = refreshed(session.refresh)
        if not session.alive:
            _is(answer, 401, "session_revoked")
            return
        self._renewed(session, answer)

    @rule(session=sessions)
    def refresh_and_repeat(self, session: Session) -> None:
        key = {"Idempotency-Key": session.refresh[-20:]}
        first, again = (refreshed(session.refresh, **key) for _ in range(2))
        if not session.alive:
            _is(first, 401, "session_revoked")
            return
        assert first.json["refresh_token"] == again.json["refresh_token"]
        self._renewed(session, again)

    @rule(session=sessions, which=st.integers(0, 5))
    def reuse(self, session: Session, which: int) -> None:
        if session.spent:
            old = session.spent[which % len(session.spent)]
            _is(refreshed(old), 401, "session_revoked")
            session.alive = False

    # --- ending ---

    @rule(session=consumes(sessions))
    def log_out(self, session: Session) -> None:
        answer = session.api.post("/v1/auth/logout")
        assert answer.status == (204 if session.alive else 401), answer
        session.alive = False

    @rule(session=sessions, other=sessions)
    def end_one(self, session: Session, other: Session) -> None:
        answer = session.api.delete(f"/v1/auth/sessions/{other.session_id}")
        if not session.alive:
            _is(answer, 401, "session_revoked")
            return
        assert answer.status == 204, answer
        other.alive = False

    @rule(session=sessions)
    def end_the_others(self, session: Session) -> None:
        answer = session.api.delete("/v1/auth/sessions")
        if session.alive:
            assert answer.status == 204, answer
            self._end(but=session)

    @rule(session=sessions)
    def change_the_password(self, session: Session) -> None:
        new = f"дуб и клён номер {self.version}"
        body = {"current_password": self.password, "new_password": new}
        answer = session.api.post("/v1/auth/password", body)
        if not session.alive:
            _is(answer, 401, "session_revoked")
            return
        assert answer.status == 204, answer
        self.password, self.version = new, self.version + 1
        self._end(but=session)

    @rule()
    def reset_the_password(self) -> None:
        begun = Api().post("/v1/auth/password/reset", {"login": self.phone}).json
        (code,) = re.findall(r"(?<!\d)\d{6}(?!\d)", outbox(self.phone)[0])
        new = f"ольха и ива номер {self.version}"
        body = {"code": code, "birth_date": "1980-03-08", "new_password": new, **begun}
        del body["expires_in"]
        answer = Api().post("/v1/auth/password/reset/confirm", body)
        assert answer.status == 204, answer
        self.password, self.version = new, self.version + 1
        self._end()

    # --- what always holds ---

    @invariant()
    def tokens_open_what_is_alive_and_nothing_else(self) -> None:
        alive = [session for session in getattr(self, "all", []) if session.alive]
        for session in getattr(self, "all", [])[-4:]:
            answer = session.api.get("/v1/auth/sessions?limit=100")
            if session.alive:
                listed = {each["session_id"] for each in answer.json["items"]}
                assert listed == {each.session_id for each in alive}
            else:
                _is(answer, 401, "session_revoked")

    def _opened(self, answer: dict[str, Any]) -> Session:
        session = Session(answer["session_id"], answer["access_token"], answer["refresh_token"])
        self.all.append(session)
        return session

    def _renewed(self, session: Session, answer: Response) -> None:
        assert answer.status == 200, answer
        assert answer.json["session_id"] == session.session_id
        session.spent.append(session.refresh)
        session.refresh, session.access = answer.json["refresh_token"], answer.json["access_token"]

    def _end(self, but: Session | None = None) -> None:
        for session in self.all:
            session.alive = session.alive and session is but


def _is(answer: Response, status: int, code: str) -> None:
    assert (answer.status, answer.json.get("code")) == (status, code), answer


OPTIONS: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
}


@pytest.mark.parametrize(
    ("examples", "steps"), [(6, 20), pytest.param(100, 50, marks=pytest.mark.long)]
)
def test_any_order_of_calls(
    aws: None, monkeypatch: pytest.MonkeyPatch, examples: int, steps: int
) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    from kernel import clock

    # The model knows no time: none passes, or a wait would be over when the machine is slow.
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    run_state_machine_as_test(
        SigningIn,
        settings=settings(max_examples=examples, stateful_step_count=steps, **OPTIONS),
    )
