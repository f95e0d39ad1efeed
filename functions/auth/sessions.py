"""Sessions: opened after a second step, carried on by refresh tokens, ended at once."""

import secrets
from typing import Any, NamedTuple

from auth import policy, refresh, tokens
from auth.caller import Caller
from auth.refresh import RefreshToken
from auth.repository import Action, Repository
from kernel import accounts, clock, dynamo, hashing, ids, log
from kernel.cursors import Cursors
from kernel.dynamo import Item
from kernel.errors import NotFound, SessionRevoked
from kernel.identity import AccountId, Actor, SessionId

_SECRET_BYTES = 32


class Opened(NamedTuple):
    """A session on its way: its answer, its refresh token, and the action that makes it stand."""

    answer: dict[str, Any]
    refresh_token: str | None
    action: Action


class Sessions:
    """The sessions of all accounts."""

    def __init__(
        self,
        repository: Repository,
        cursors: Cursors,
        *,
        lookup_key: str,
        token_key: str,
        issuer: str,
        audience: str,
    ) -> None:
        self._repository = repository
        self._cursors = cursors
        self._lookup_key = lookup_key
        self._token_key = token_key
        self._issuer = issuer
        self._audience = audience

    def open(
        self,
        account_id: AccountId,
        state: Item,
        *,
        amr: list[str],
        password_changed_at: int,
        caller: Caller,
    ) -> Opened:
        """A new session, its tokens already signed, so that nothing can fail after it stands."""
        moment = clock.epoch(caller.now)
        session_id = SessionId(ids.time_ordered(caller.now))
        token = RefreshToken(account_id, session_id, secrets.token_bytes(_SECRET_BYTES))
        session = {
            "session_id": session_id,
            "created_at": moment,
            "last_seen_at": moment,
            "user_agent": caller.user_agent,
            "amr": amr,
            "refresh_hash": token.hash,
            "rotated_at": moment,
            "idle_expires_at": moment + policy.SESSION_IDLE,
            "absolute_expires_at": moment + policy.SESSION_LONGEST,
            "fresh_until": moment + policy.FRESH,
            "expires_at": moment + policy.SESSION_LONGEST,
        }
        actor = accounts.actor(account_id, session_id, state, session)
        return Opened(
            answer=self._answer(actor, password_changed_at, caller),
            refresh_token=token.text(self._key()),
            action=self._repository.create_session(account_id, session),
        )

    def step_up(
        self,
        account_id: AccountId,
        session_id: SessionId,
        state: Item,
        *,
        method: policy.Method,
        password_changed_at: int,
        caller: Caller,
    ) -> Opened:
        """A living session made fresh. It keeps its refresh token; the access token is new,
        because a stronger method may bring roles.

        Raises:
            SessionRevoked: it ended meanwhile.
        """
        session = self._repository.session(account_id, session_id)
        if session is None or not accounts.session_alive(session, clock.epoch(caller.now)):
            raise SessionRevoked
        amr = policy.amr(session["amr"], method)
        until = clock.epoch(caller.now) + policy.FRESH
        actor = accounts.actor(
            account_id, session_id, state, {**session, "amr": amr, "fresh_until": until}
        )
        return Opened(
            answer=self._answer(actor, password_changed_at, caller),
            refresh_token=None,
            action=self._repository.step_up(account_id, session_id, amr, until, caller.now),
        )

    def refresh(
        self, text: str, idempotency_key: str | None, caller: Caller
    ) -> tuple[dict[str, Any], str]:
        """Exchange a refresh token for its successor and a new access token.

        A second use ends the session (RFC 9700 §4.14.2), but for a repeat within 30 s under the
        same `Idempotency-Key`.

        Raises:
            Unauthenticated: not a token of ours.
            SessionRevoked: the session ended, or ends now because the token was used before.
        """
        token = refresh.read(text, self._key())
        # Without a key of the client's nobody but this very call can know the successor, so a
        # write that botocore repeated after a lost answer is still recognised as our own.
        salt = f"repeat {idempotency_key}" if idempotency_key else f"once {ids.secret()}"
        successor = token.successor(self._key(), salt)
        account_id, session_id = token.account_id, token.session_id
        places = {
            "state": accounts.state_lookup(self._repository.accounts, account_id),
            "session": accounts.session_lookup(self._repository.accounts, account_id, session_id),
            "password": dynamo.Lookup(
                self._repository.identity, f"ACCOUNT#{account_id}", "PASSWORD"
            ),
        }
        found = dynamo.batch_get(places.values())
        state, session, password = (found.get(place) for place in places.values())
        moment = clock.epoch(caller.now)
        if state is None or state.get("disabled") or session is None or password is None:
            raise SessionRevoked
        if not accounts.session_alive(session, moment):
            raise SessionRevoked
        actor = accounts.actor(account_id, session_id, state, session)
        answer = self._answer(actor, password["changed_at"], caller)
        try:
            self._repository.rotate(
                account_id,
                session_id,
                old=token.hash,
                new=successor.hash,
                idle_until=moment + policy.SESSION_IDLE,
                now=caller.now,
            )
        except dynamo.ConditionFailed as lost:
            if not _repeated(lost.old, successor, moment):
                self._end_family(account_id, session_id, caller)
                raise SessionRevoked from lost
        return answer, successor.text(self._key())

    def page(
        self, actor: Actor, caller: Caller, *, limit: int, cursor: str | None, binding: str
    ) -> dict[str, Any]:
        """The devices that are signed in, the newest first.

        Raises:
            CursorInvalid
        """
        position = self._cursors.read(cursor, binding)
        alive = self._repository.sessions(actor.account_id, caller.now)
        if position:
            alive = [each for each in alive if each["session_id"] < position["before"]]
        shown, more = alive[:limit], len(alive) > limit
        return {
            "items": [_shown(each, actor.session_id) for each in shown],
            "next_cursor": self._cursors.make(
                {"before": shown[-1]["session_id"]} if more else None, binding
            ),
        }

    def end(self, actor: Actor, session_id: SessionId, caller: Caller) -> None:
        """End one of one's own sessions.

        Raises:
            NotFound
        """
        try:
            dynamo.transact(self._repository.end_session(actor.account_id, session_id, caller.now))
        except dynamo.ConditionFailed as lost:
            raise NotFound from lost
        log.info("session ended", account_id=actor.account_id)

    def end_others(self, actor: Actor, caller: Caller) -> None:
        """End all of one's sessions but this one."""
        for action in self.ending(actor.account_id, caller, but=actor.session_id):
            dynamo.transact(action)
        log.info("other sessions ended", account_id=actor.account_id)

    def ending(
        self, account_id: AccountId, caller: Caller, *, but: SessionId | None = None
    ) -> list[Action]:
        """The actions that end an account's sessions, for the transaction of what ends them."""
        return [
            self._repository.end_session(account_id, each["session_id"], caller.now)
            for each in self._repository.sessions(account_id, caller.now)
            if each["session_id"] != but
        ]

    def _end_family(self, account_id: AccountId, session_id: SessionId, caller: Caller) -> None:
        dynamo.transact(self._repository.end_session(account_id, session_id, caller.now))
        log.info("refresh token used twice, session ended", account_id=account_id)

    def _answer(self, actor: Actor, password_changed_at: int, caller: Caller) -> dict[str, Any]:
        claims = tokens.claims(
            actor,
            issuer=self._issuer,
            audience=self._audience,
            client=caller.client,
            now=caller.now,
        )
        days = (clock.epoch(caller.now) - password_changed_at) // 86400
        return {
            "access_token": tokens.sign(self._token_key, claims),
            "token_type": "Bearer",
            "expires_in": tokens.SECONDS,
            "session_id": actor.session_id,
            "account": brief(actor),
            "password_age_days": days,
            "password_change_advised": days >= policy.PASSWORD_ADVISED_DAYS,
        }

    def _key(self) -> bytes:
        return hashing.process_key(self._lookup_key, "refresh/v1")


def brief(actor: Actor) -> dict[str, Any]:
    """How answers name the account."""
    return {
        "account_id": actor.account_id,
        "level": actor.level,
        **({"patient_id": actor.patient_id} if actor.patient_id else {}),
        "roles": actor.roles,
    }


def _repeated(session: Item | None, successor: RefreshToken, moment: int) -> bool:
    """Is what stands there our own earlier write of the same successor, not long ago?"""
    return (
        session is not None
        and accounts.session_alive(session, moment)
        and session["refresh_hash"] == successor.hash
        and moment - session["rotated_at"] <= policy.REPEAT
    )


def _shown(session: Item, current: SessionId) -> dict[str, Any]:
    return {
        "session_id": session["session_id"],
        "created_at": clock.from_epoch(session["created_at"]),
        "last_seen_at": clock.from_epoch(session["last_seen_at"]),
        "user_agent": session["user_agent"],
        "current": session["session_id"] == current,
    }
