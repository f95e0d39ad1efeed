"""Signing in: password, then a second step; registration; the fresh second step of a session.

No answer and no work tells whether a person is known: unknown logins are looked up, hashed and
counted like known ones (OWASP ASVS 5.0 §6.3.8).
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from auth import passwords, policy, totp
from auth.caller import Caller
from auth.challenges import Challenges, Recipient
from auth.limits import Limits
from auth.models import Register, SignIn, Verify
from auth.passkeys import Passkeys
from auth.repository import Account, Action, Challenge, Repository
from auth.sessions import Opened, Sessions
from kernel import clock, dynamo, hashing, identifiers, ids, log
from kernel.caps import DAY
from kernel.dynamo import Item
from kernel.errors import (
    ChallengeExpired,
    CodeInvalid,
    CredentialsInvalid,
    FieldProblem,
    Locked,
    RateLimited,
    SessionRevoked,
    ValidationFailed,
)
from kernel.identity import AccountId, Actor, SessionId
from kernel.profiles import Profile, Profiles, owner
from kernel.sealing import Keyring
from kernel.signatures import b64url
from kernel.texts import text

_QUARTER = 900
# Whom nobody is: read in place of an account that does not exist.
_NOBODY = AccountId("nobody")


class Verified(NamedTuple):
    """What a met challenge gives: the contract's answer and the refresh token, if there is one."""

    answer: dict[str, Any]
    refresh_token: str | None


class Given(NamedTuple):
    """What somebody brings as their second step: a code, or a passkey's answer."""

    method: policy.Method
    code: str = ""
    credential: Mapping[str, Any] | None = None


class SigningIn:
    """The ways to a session."""

    def __init__(
        self,
        repository: Repository,
        profiles: Profiles,
        keys: Keyring,
        challenges: Challenges,
        sessions: Sessions,
        limits: Limits,
        passkeys: Passkeys,
        *,
        lookup_key: str,
        attempts_cap: int,
    ) -> None:
        self._repository = repository
        self._profiles = profiles
        self._keys = keys
        self._challenges = challenges
        self._sessions = sessions
        self._limits = limits
        self._passkeys = passkeys
        self._lookup_key = lookup_key
        self._cap = attempts_cap

    # --- the first step ------------------------------------------------------------------------

    def login(self, body: SignIn, caller: Caller) -> dict[str, Any]:
        """Check login and password; a challenge for the second step.

        Raises:
            CredentialsInvalid: no such login, wrong password, or the account is disabled.
            RateLimited, Locked: too many tries.
        """
        self._count("login", caller)
        login, account_id = self.find(body.login)
        account = self._repository.account(account_id or _NOBODY)
        state = self._repository.state(account_id or _NOBODY)
        subject = str(account_id or login)
        device = device_hash(body.device_token)
        known_device = account is not None and device in account.devices
        if known_device:
            subject_here = f"{subject}|device {device}"
        else:
            subject_here = f"{subject}|{caller.network}"
        failures = self._attempt("password", subject, subject_here, known_device, caller)
        stored = account.password["hash"] if account else None
        if not passwords.matches(stored, body.password) or not account or _closed(state):
            self._tell_of_failures(failures, subject, account, caller)
            raise CredentialsInvalid
        assert account_id is not None
        assert state is not None
        self._succeeded("password", subject, subject_here)
        if passwords.outdated(account.password["hash"]):
            old = account.password["hash"]
            self._repository.rehash(account_id, passwords.hashed(body.password), old)
        return self._ask(
            "login",
            account,
            state,
            caller,
            facts={"device": device if known_device else None},
        )

    def step_up(self, actor: Actor, caller: Caller) -> dict[str, Any]:
        """A challenge whose verification makes the session fresh."""
        account = self._repository.account(actor.account_id)
        state = self._repository.state(actor.account_id)
        if account is None or state is None:
            raise SessionRevoked
        return self._ask("step_up", account, state, caller, facts={"session_id": actor.session_id})

    def register(self, body: Register, caller: Caller) -> dict[str, Any]:
        """Begin an account; it exists only when the code is entered.

        Raises:
            ValidationFailed: the password is refused.
            RateLimited
        """
        self._count("register", caller)
        passwords.check(body.password, personal(body))
        known = self._profiles.find(body.phone) is not None
        account_id = AccountId(ids.time_ordered(caller.now))
        key, key_item = self._keys.new(owner(account_id))
        profile = Profile(
            account_id=account_id,
            last_name=body.last_name,
            first_name=body.first_name,
            middle_name=body.middle_name,
            birth_date=body.birth_date.isoformat(),
            phone=body.phone,
            email=body.email,
            snils=body.snils,
        )
        challenge_id = self._challenges.create_and_send(
            "register",
            account_id=None,
            recipient=Recipient(
                phone=body.phone,
                counted=body.phone,
                notice=text(caller.language, "sms.known_phone_notice") if known else None,
            ),
            caller=caller,
            facts={
                "new_account_id": account_id,
                "wrapped": key_item["wrapped"],
                "sealed": self._profiles.item(profile, key)["sealed"],
                "password_hash": passwords.hashed(body.password),
                "level": policy.level(body.snils),
            },
        )
        return {
            "challenge_id": challenge_id,
            "methods": [{"method": "sms", "hint": identifiers.masked_phone(body.phone)}],
            "expires_in": policy.CHALLENGE,
        }

    def send(self, challenge_id: str, caller: Caller) -> dict[str, int]:
        """Send a challenge's code by text message."""
        self._count("verify", caller)
        challenge = self._repository.challenge(challenge_id, caller.now)
        resend_in = self._challenges.send(challenge, caller)
        left = challenge.valid_until - clock.epoch(caller.now)
        return {"expires_in": min(300, left), "resend_in": resend_in}

    def ask_passkey(self, challenge_id: str, caller: Caller) -> dict[str, Any]:
        """What a passkey is to sign for a challenge.

        A reset's challenge gives the same to everybody: it names no passkey, so that the answer
        does not tell whether there is one.

        Raises:
            ChallengeExpired
            ValidationFailed: the challenge does not offer a passkey.
        """
        self._count("verify", caller)
        challenge = self._repository.challenge(challenge_id, caller.now)
        allowed: list[str] = []
        if challenge.kind != "reset":
            if "passkey" not in challenge.methods or challenge.account_id is None:
                raise ValidationFailed([FieldProblem("method", "value")])
            account = self._repository.account(challenge.account_id)
            allowed = list(account.passkeys) if account else []
        options, asked = self._passkeys.authentication_options(allowed)
        self._repository.ask_passkey(challenge, asked, caller.now)
        return {"options": options}

    # --- the second step -----------------------------------------------------------------------

    def verify(self, challenge_id: str, body: Verify, caller: Caller) -> Verified:
        """Meet a challenge: sign in, make the account, or make the session fresh.

        Raises:
            ChallengeExpired: unknown, used, expired or exhausted.
            CodeInvalid: another code.
            ValidationFailed: the challenge does not offer this method.
            RateLimited, Locked: too many tries.
        """
        self._count("verify", caller)
        challenge = self._repository.challenge(challenge_id, caller.now)
        if challenge.kind not in ("login", "register", "step_up"):
            raise ChallengeExpired
        if body.method not in challenge.methods:
            raise ValidationFailed([FieldProblem("method", "value")])
        given = _given(body)
        if challenge.kind == "register":
            return self._finish_registration(challenge, given, caller)
        return self._finish_sign_in(challenge, given, caller)

    def _finish_sign_in(self, challenge: Challenge, given: Given, caller: Caller) -> Verified:
        assert challenge.account_id is not None
        account_id = challenge.account_id
        account = self._repository.account(account_id)
        state = self._repository.state(account_id)
        if account is None or state is None or _closed(state):
            raise ChallengeExpired
        device = challenge.item.get("device")
        known_device = challenge.kind == "step_up" or device in account.devices
        here = f"{account_id}|{device or caller.network}"
        # A passkey cannot be guessed, so others' guesses at codes do not keep it out.
        trusted = known_device or given.method == "passkey"
        failures = self._attempt("second", account_id, here, trusted, caller)
        self._repository.take_try(challenge, caller.now)
        try:
            proof = self.prove(challenge, account, given, caller)
        except CodeInvalid:
            self._tell_of_failures(failures, account_id, account, caller)
            raise
        changed_at = account.password["changed_at"]
        actions = [
            self._repository.use_challenge(challenge, ids.secret(), caller.now),
            self._repository.state_enabled(account_id),
            self._repository.password_unchanged(account_id, challenge.item["password_version"]),
            *proof,
        ]
        token: str | None = None
        opened: Opened
        if challenge.kind == "step_up":
            opened = self._sessions.step_up(
                account_id,
                SessionId(challenge.item["session_id"]),
                state,
                method=given.method,
                password_changed_at=changed_at,
                caller=caller,
            )
        else:
            opened = self._sessions.open(
                account_id,
                state,
                amr=policy.amr(["pwd"], given.method),
                password_changed_at=changed_at,
                caller=caller,
            )
            if not known_device:
                token, action = new_device(self._repository, account_id, caller.now)
                actions.append(action)
        self._commit([*actions, opened.action])
        self._succeeded("second", account_id, here)
        if token:
            phone = self._profiles.opened(account.profile).phone
            self._challenges.notify(phone, "sms.new_device", caller)
        log.info("second step passed", account_id=account_id, kind=challenge.kind)
        return _verified(opened, token)

    def _finish_registration(self, challenge: Challenge, given: Given, caller: Caller) -> Verified:
        self._repository.take_try(challenge, caller.now)
        used = self._challenges.match(challenge, given.code, caller.now)
        facts = challenge.item
        account_id = AccountId(facts["new_account_id"])
        place = self._keys.lookup(owner(account_id))
        key_item = {"pk": place.pk, "sk": place.sk, "wrapped": facts["wrapped"]}
        key = self._keys.unwrap(owner(account_id), key_item)
        profile_item = {"pk": owner(account_id), "sk": "PROFILE", "version": 1}
        profile = self._profiles.opened({**profile_item, "sealed": facts["sealed"]}, key)
        state: Item = {"level": facts["level"], "appointments": []}
        opened = self._sessions.open(
            account_id,
            state,
            amr=policy.amr(["pwd"], "sms"),
            password_changed_at=clock.epoch(caller.now),
            caller=caller,
        )
        device, add_device = new_device(self._repository, account_id, caller.now)
        self._commit(
            [
                self._repository.use_challenge(challenge, ids.secret(), caller.now),
                used,
                {"Put": dynamo.put_request(place.table, key_item, "attribute_not_exists(pk)")},
                self._profiles.create_action(profile, key),
                self._repository.create_password(account_id, facts["password_hash"], caller.now),
                self._repository.create_state(account_id, facts["level"]),
                self._profiles.login_action(profile.phone, account_id),
                add_device,
                opened.action,
            ]
        )
        log.info("account created", account_id=account_id)
        return _verified(opened, device)

    def prove(
        self, challenge: Challenge, account: Account, given: Given, caller: Caller
    ) -> list[Action]:
        """Judge what was given by its method; the actions that use it up, so that it serves once.

        Raises:
            CodeInvalid, ChallengeExpired
        """
        account_id, method, code = account.account_id, given.method, given.code
        if method == "sms":
            return [self._challenges.match(challenge, code, caller.now)]
        if method == "totp" and account.totp:
            step = totp.matching_step(self.totp_secret(account.totp), code, caller.now)
            if step is None or step <= account.totp["last_step"]:
                raise CodeInvalid
            return [self._repository.use_totp_step(account_id, account.totp["sealed"], step)]
        if method == "passkey" and given.credential is not None and challenge.item.get("asked"):
            used = self._passkeys.authenticated(given.credential, challenge.item["asked"], account)
            return [
                self._repository.use_passkey(
                    account_id, used.passkey_id, used.old_count, used.new_count, caller.now
                )
            ]
        if method == "recovery_code":
            hashed = totp.recovery_hash(code, account_id, self.recovery_key())
            if hashed not in account.recovery:
                raise CodeInvalid
            return [self._repository.use_recovery_code(account_id, hashed)]
        raise CodeInvalid

    # --- shared with the account's own routes ----------------------------------------------------

    def find(self, typed: str) -> tuple[str, AccountId | None]:
        """The inner form of a login in any usual spelling, and whose it is."""
        forms = identifiers.logins(typed) or [typed]
        lookups = {form: self._profiles.login_lookup(form) for form in forms}
        found = dynamo.batch_get(lookups.values())
        for form, lookup in lookups.items():
            if lookup in found:
                return form, AccountId(found[lookup]["account_id"])
        return forms[0], None

    def phone(self, account: Account | None) -> str:
        """The account's phone number; empty, after as much work, where there is no account.

        Nobody has a data key too, and none is taken from memory: a key that was already there
        would tell that somebody is known.
        """
        account_id = account.account_id if account else _NOBODY
        key = self._keys.without_memory().create(owner(account_id))
        return self._profiles.opened(account.profile, key).phone if account else ""

    def totp_secret(self, item: Item) -> str:
        """The opened secret of a TOTP item, pending or confirmed."""
        account_owner = item["pk"]
        key = self._keys.get(account_owner)
        return key.open(item["sealed"], f"identity/{account_owner}/totp").decode()

    def recovery_key(self) -> bytes:
        return hashing.process_key(self._lookup_key, "recovery/v1")

    def forget_password_failures(self, account_id: AccountId) -> None:
        """A password that was set anew starts without failures."""
        self._limits.clear("password/all", account_id)

    def _ask(
        self,
        kind: Any,
        account: Account,
        state: Item,
        caller: Caller,
        facts: dict[str, Any],
    ) -> dict[str, Any]:
        phone = self._profiles.opened(account.profile).phone
        offered = policy.methods(
            phone=bool(phone),
            staff=bool(state.get("appointments")),
            totp=account.totp is not None,
            passkeys=len(account.passkeys),
            recovery_codes=len(account.recovery),
        )
        challenge_id, action = self._challenges.create(
            kind,
            account_id=account.account_id,
            methods=offered,
            recipient=Recipient(phone, counted=phone),
            caller=caller,
            facts={"password_version": account.password["version"], **facts},
        )
        dynamo.transact(action)
        hints = {"sms": {"hint": identifiers.masked_phone(phone)}}
        return {
            "challenge_id": challenge_id,
            "expires_in": policy.CHALLENGE,
            "methods": [{"method": each, **hints.get(each, {})} for each in offered],
        }

    def _attempt(
        self, what: str, subject: str, here: str, known_device: bool, caller: Caller
    ) -> int:
        """Count a try from here, and in all. See `policy.FAILURES_IN_A_ROW`."""
        free = max(5, min(self._cap // 3, 10))
        failures = self._limits.attempt(what, here, free=free, now=caller.now)
        total = self._limits.tally(f"{what}/all", subject, now=caller.now)
        if total > policy.FAILURES_IN_A_ROW and not known_device:
            raise Locked(_QUARTER)
        return failures

    def _succeeded(self, what: str, subject: str, here: str) -> None:
        self._limits.clear(what, here)
        # Beyond the limit only a password or factor that is set anew counts from zero again.
        self._limits.clear(f"{what}/all", subject, below=policy.FAILURES_IN_A_ROW)

    def _tell_of_failures(
        self, failures: int, subject: str, account: Account | None, caller: Caller
    ) -> None:
        if failures != policy.TOLD_AFTER:
            return
        try:
            self._limits.count("told", subject, cap=policy.TOLD_A_DAY, seconds=DAY, now=caller.now)
        except RateLimited:
            return
        self._challenges.notify(self.phone(account), "sms.failed_tries", caller)

    def _count(self, what: str, caller: Caller) -> None:
        # A sign-in is one login and a few calls to its challenge.
        cap = self._cap * (4 if what == "verify" else 1)
        self._limits.count(what, caller.network, cap=cap, seconds=_QUARTER, now=caller.now)

    @staticmethod
    def _commit(actions: list[Action]) -> None:
        try:
            dynamo.transact(*actions)
        except dynamo.ConditionFailed as lost:
            # Another request met the challenge, or what it stood on changed meanwhile.
            raise ChallengeExpired from lost


def personal(body: Register | Profile) -> list[str | None]:
    """The words of a person that their password must not hold."""
    email = (body.email or "").partition("@")[0]
    born = str(body.birth_date)
    year, month, day = born.split("-")
    return [
        body.last_name,
        body.first_name,
        body.middle_name,
        body.phone[2:],
        email if len(email) > 3 else None,
        f"{day}{month}{year}",
        f"{year}{month}{day}",
        f"{day}.{month}.{year}",
        born,
        body.snils,
    ]


def same(a: str, b: str) -> bool:
    """Equality that takes the same time whatever differs."""
    return hmac.compare_digest(a.encode(), b.encode())


def _given(body: Verify) -> Given:
    """What the body brings, if it is what its method takes.

    Raises:
        ValidationFailed
    """
    wanted, other = ("credential", "code") if body.method == "passkey" else ("code", "credential")
    if getattr(body, wanted) is None:
        raise ValidationFailed([FieldProblem(wanted, "missing")])
    if getattr(body, other) is not None:
        raise ValidationFailed([FieldProblem(other, "value")])
    return Given(body.method, code=body.code or "", credential=body.credential)


def _closed(state: Item | None) -> bool:
    return state is None or bool(state.get("disabled"))


def new_device(repository: Repository, account_id: AccountId, now: datetime) -> tuple[str, Action]:
    """A token by which a device is known again, and the action that remembers it."""
    token = b64url(secrets.token_bytes(32))
    hashed = device_hash(token)
    assert hashed is not None
    return token, repository.add_device(account_id, hashed, now)


def device_hash(token: str | None) -> str | None:
    """How a device's token is remembered."""
    return hashlib.sha256(token.encode()).hexdigest() if token else None


def _verified(opened: Opened, device_token: str | None) -> Verified:
    answer = dict(opened.answer)
    if device_token:
        answer["device_token"] = device_token
    return Verified(answer, opened.refresh_token)
