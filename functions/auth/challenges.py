"""Challenges: something to be proven by a second step, and the text messages that help to it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from auth import policy
from auth.caller import Caller
from auth.limits import Limits
from auth.repository import Action, Challenge, Kind, Repository
from kernel import clock, codes, dynamo, hashing, ids, log
from kernel.caps import DAY, HOUR
from kernel.codes import Codes
from kernel.errors import (
    ChallengeExpired,
    CodeInvalid,
    FieldProblem,
    RateLimited,
    Unavailable,
    ValidationFailed,
)
from kernel.identity import AccountId
from kernel.messages import Messages
from kernel.sealing import DataKey
from kernel.texts import text

# What goes to a number that its sender need not own is counted apart, so that a stranger cannot use
# up the messages that the owner needs to sign in.
_ANONYMOUS: frozenset[Kind] = frozenset({"register", "reset", "phone"})


class Recipient(NamedTuple):
    """Where a code goes, or nowhere if `phone` is empty. Caps are counted on `counted`: the phone,
    or what the caller typed.

    `notice`: a text that goes there in the place of the code, the first time.
    """

    phone: str
    counted: str
    notice: str | None = None


class Challenges:
    """Makes challenges and sends their codes. Nothing here depends on whether a person is known:
    where nobody is to get a code, one is made all the same and sent to nobody."""

    def __init__(
        self,
        repository: Repository,
        limits: Limits,
        messages: Messages,
        *,
        lookup_key: str,
        messages_cap: int,
        messages_a_day: int,
    ) -> None:
        self._repository = repository
        self._limits = limits
        self._messages = messages
        self._lookup_key = lookup_key
        self._cap = messages_cap
        self._a_day = messages_a_day
        self.codes = Codes(repository.identity, lookup_key)

    def create(
        self,
        kind: Kind,
        *,
        account_id: AccountId | None,
        methods: Iterable[str],
        recipient: Recipient,
        caller: Caller,
        facts: Mapping[str, Any] | None = None,
    ) -> tuple[str, Action]:
        """A new challenge's id, and the action that keeps it."""
        challenge_id = ids.secret()
        action = self._repository.create_challenge(
            challenge_id,
            kind,
            account_id=account_id,
            methods=methods,
            until=clock.epoch(caller.now) + policy.CHALLENGE,
            tries=policy.CHALLENGE_TRIES,
            facts={
                # Where a notice went, no code follows.
                "phone": self._seal("" if recipient.notice else recipient.phone, challenge_id),
                "counted": self._seal(recipient.counted, challenge_id),
                **(facts or {}),
            },
        )
        return challenge_id, action

    def create_and_send(
        self,
        kind: Kind,
        *,
        account_id: AccountId | None,
        recipient: Recipient,
        caller: Caller,
        facts: Mapping[str, Any] | None = None,
        with_it: Iterable[Action] = (),
    ) -> str:
        """A new challenge whose code goes out at once; the first `send` then adds no message.

        Raises:
            RateLimited
        """
        self._count(kind, recipient, caller)
        challenge_id, action = self.create(
            kind,
            account_id=account_id,
            methods=["sms"],
            recipient=recipient,
            caller=caller,
            facts={
                **(facts or {}),
                "sends": 1,
                "sent_at_once": True,
                "next_send_at": clock.epoch(caller.now),
            },
        )
        dynamo.transact(action, *with_it)
        self._send(challenge_id, kind, recipient, caller)
        return challenge_id

    def send(self, challenge: Challenge, caller: Caller) -> int:
        """Send the challenge's code by text message. Seconds until it may be sent again.

        Raises:
            ChallengeExpired: its tries are used up.
            RateLimited: too early, or too many.
        """
        if "sms" not in challenge.methods:
            raise ValidationFailed([FieldProblem("method", "value")])
        moment = clock.epoch(caller.now)
        wait = policy.resend_delay(challenge.item["sends"] + 1, policy.RESEND)
        if challenge.item["next_send_at"] > moment:
            raise RateLimited(challenge.item["next_send_at"] - moment)
        if not self._repository.take_send(challenge, moment + wait, caller.now):
            raise RateLimited(wait)
        if challenge.item.get("sent_at_once") and challenge.item["sends"] == 1:
            return wait  # it is on its way since the challenge was made
        recipient = Recipient(
            self._open(challenge, "phone"), counted=self._open(challenge, "counted")
        )
        self._count(challenge.kind, recipient, caller)
        try:
            self._send(challenge.challenge_id, challenge.kind, recipient, caller)
        except RateLimited as error:
            raise ChallengeExpired from error
        return wait

    def notify(self, phone: str, key: str, caller: Caller) -> None:
        """Tell the person of something that was done to their account.

        It is done: where the queue does not take the message, whoever did it is still answered. A
        503 would keep recovery codes from them, or tell them that the old password is still good.
        """
        try:
            self._messages.send(phone, text(caller.language, key) if phone else "")
        except Unavailable as error:
            log.failure("notice not queued", error, kind=key)

    def match(self, challenge: Challenge, code: str, now: datetime) -> Action:
        """See `Codes.match`; before a code was sent every code is a wrong one."""
        if not challenge.item["sends"]:
            raise CodeInvalid
        return self.codes.match(challenge.challenge_id, challenge.kind, code, now)

    def _send(self, challenge_id: str, kind: Kind, recipient: Recipient, caller: Caller) -> None:
        code = self.codes.issue(challenge_id, kind, caller.now)
        message = recipient.notice or text(
            caller.language, "sms.code", code=code, minutes=codes.SECONDS // 60
        )
        self._messages.send(recipient.phone, message)

    def _count(self, kind: Kind, recipient: Recipient, caller: Caller) -> None:
        now = caller.now
        group = "anonymous" if kind in _ANONYMOUS else "known"
        subject = recipient.counted
        caps = (
            ("address", caller.network, self._cap, HOUR),
            (f"phone/{group}", subject, self._cap, HOUR),
            (f"prefix/{group}", subject[:8], 20 * self._cap, HOUR),
            ("day", "all", self._a_day, DAY),
        )
        for name, counted, cap, seconds in caps:
            self._limits.count(f"messages/{name}", counted, cap=cap, seconds=seconds, now=now)

    def _seal(self, value: str, challenge_id: str) -> bytes:
        return self._key().seal(value.encode(), _place(challenge_id))

    def _open(self, challenge: Challenge, field: str) -> str:
        return self._key().open(challenge.item[field], _place(challenge.challenge_id)).decode()

    def _key(self) -> DataKey:
        return DataKey("challenges", hashing.process_key(self._lookup_key, "challenges/v1"))


def _place(challenge_id: str) -> str:
    return f"identity/CHALLENGE#{challenge_id}/phone"
