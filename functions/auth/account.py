"""What people do to their own account: password, phone number, authenticator app."""

from typing import Any

from auth import passwords, policy, totp
from auth.caller import Caller
from auth.challenges import Challenges, Recipient
from auth.limits import Limits
from auth.models import (
    ChangePassword,
    ChangePhone,
    ConfirmPhone,
    ConfirmReset,
    ConfirmTotp,
    NewPasskey,
)
from auth.passkeys import Passkeys
from auth.repository import Account, Action, Challenge, Repository
from auth.sessions import Sessions, brief
from auth.signin import Given, SigningIn, personal, same
from kernel import clock, dynamo, identifiers, ids, log
from kernel import snils as snils_rule
from kernel.dynamo import Item
from kernel.errors import (
    AlreadyExists,
    ChallengeExpired,
    CodeInvalid,
    Conflict,
    CredentialsInvalid,
    FieldProblem,
    Locked,
    MedkartaError,
    NotFound,
    SessionRevoked,
    ValidationFailed,
)
from kernel.identity import AccountId, Actor
from kernel.profiles import Profile, Profiles, owner
from kernel.sealing import Keyring
from kernel.texts import text

_QUARTER = 900


class OwnAccount:
    """The account's own routes. What changes a factor ends every other session and is told."""

    def __init__(
        self,
        repository: Repository,
        profiles: Profiles,
        keys: Keyring,
        challenges: Challenges,
        sessions: Sessions,
        signing_in: SigningIn,
        limits: Limits,
        passkeys: Passkeys,
        *,
        attempts_cap: int,
    ) -> None:
        self._repository = repository
        self._profiles = profiles
        self._keys = keys
        self._challenges = challenges
        self._sessions = sessions
        self._signing_in = signing_in
        self._limits = limits
        self._passkeys = passkeys
        self._cap = attempts_cap

    def show(self, actor: Actor, caller: Caller) -> dict[str, Any]:
        """Who am I: names, masked identifiers, level, roles, factors."""
        account, profile = self._own(actor)
        days = (clock.epoch(caller.now) - account.password["changed_at"]) // 86400
        return {
            **brief(actor),
            "last_name": profile.last_name,
            "first_name": profile.first_name,
            "middle_name": profile.middle_name,
            "birth_date": profile.birth_date,
            "phone": identifiers.masked_phone(profile.phone) if profile.phone else None,
            "email": identifiers.masked_email(profile.email) if profile.email else None,
            "email_confirmed": profile.email_confirmed,
            "snils": snils_rule.masked(profile.snils) if profile.snils else None,
            "snils_verified": profile.snils_verified,
            "appointments": [
                {
                    "role": each.role,
                    "clinic_id": each.clinic_id,
                    "name": each.name,
                    "specialty": each.specialty,
                }
                for each in actor.appointments
            ],
            "factors": {
                "sms": bool(profile.phone),
                "totp": account.totp is not None,
                "passkeys": len(account.passkeys),
                "recovery_codes_left": len(account.recovery),
            },
            "password_age_days": days,
            "password_change_advised": days >= policy.PASSWORD_ADVISED_DAYS,
        }

    # --- password ------------------------------------------------------------------------------

    def change_password(self, actor: Actor, body: ChangePassword, caller: Caller) -> None:
        """Change the password; every other session ends.

        Raises:
            CredentialsInvalid: the current password is another one.
            ValidationFailed: the new one is refused.
            Locked: too many wrong tries.
        """
        account, profile = self._own(actor)
        here = f"{actor.account_id}|session {actor.session_id}"
        self._limits.attempt("password", here, free=5, now=caller.now)
        if not passwords.matches(account.password["hash"], body.current_password):
            raise CredentialsInvalid
        self._limits.clear("password", here)
        passwords.check(body.new_password, personal(profile), "new_password")
        if passwords.normalised(body.new_password) == passwords.normalised(body.current_password):
            raise ValidationFailed([FieldProblem("new_password", "unchanged")])
        self._commit(
            [
                self._repository.replace_password(
                    actor.account_id,
                    passwords.hashed(body.new_password),
                    account.password["version"],
                    caller.now,
                )
            ],
            ends=self._sessions.ending(actor.account_id, caller, but=actor.session_id),
        )
        self._signing_in.forget_password_failures(actor.account_id)
        self._challenges.notify(profile.phone, "sms.password_changed", caller)
        log.info("password changed", account_id=actor.account_id)

    def reset_password(self, typed: str, caller: Caller) -> dict[str, Any]:
        """Begin a reset: a code to the phone of the account, if there is one that may.

        Workers' passwords are reset at the desk, so theirs get no code (NIST SP 800-63B-4 §4.2).

        Raises:
            RateLimited
        """
        self._limits.count("reset", caller.network, cap=self._cap, seconds=_QUARTER, now=caller.now)
        login, account_id = self._signing_in.find(typed)
        nobody = AccountId("nobody")
        account = self._repository.account(account_id or nobody)
        state = self._repository.state(account_id or nobody)
        may = state is not None and not state.get("appointments") and not state.get("disabled")
        phone = self._signing_in.phone(account) if may else self._signing_in.phone(None)
        challenge_id = self._challenges.create_and_send(
            "reset",
            account_id=account_id if phone else None,
            recipient=Recipient(phone, counted=login),
            caller=caller,
        )
        return {"challenge_id": challenge_id, "expires_in": policy.CHALLENGE}

    def confirm_reset(self, body: ConfirmReset, caller: Caller) -> None:
        """Set a new password by the code and one thing more: the app or a passkey where there is
        one, else the birth date. Every session ends.

        Raises:
            ChallengeExpired, CodeInvalid: as `verify`; a wrong birth date is a wrong code.
            ValidationFailed: the new password is refused.
            RateLimited, Locked: too many tries.
        """
        self._limits.count(
            "verify", caller.network, cap=4 * self._cap, seconds=_QUARTER, now=caller.now
        )
        passwords.check(body.new_password, field="new_password")
        challenge = self._repository.challenge(body.challenge_id, caller.now)
        if challenge.kind != "reset":
            raise ChallengeExpired
        subject = str(challenge.account_id or challenge.challenge_id)
        total = self._limits.tally("reset/all", subject, now=caller.now)
        if total > policy.FAILURES_IN_A_ROW:
            raise Locked(_QUARTER)
        self._repository.take_try(challenge, caller.now)
        used = self._challenges.match(challenge, body.code, caller.now)
        account_id = challenge.account_id
        account = self._repository.account(account_id) if account_id else None
        if account is None or account_id is None:
            raise CodeInvalid  # a code that went to nobody was guessed
        profile = self._profiles.opened(account.profile)
        proof = self._second_of_reset(challenge, account, profile, body, caller)
        passwords.check(body.new_password, personal(profile), "new_password")
        self._commit(
            [
                self._repository.use_challenge(challenge, ids.secret(), caller.now),
                self._repository.state_enabled(account_id),
                used,
                *proof,
                self._repository.replace_password(
                    account_id,
                    passwords.hashed(body.new_password),
                    account.password["version"],
                    caller.now,
                ),
            ],
            ends=self._sessions.ending(account_id, caller),
            failure=ChallengeExpired(),
        )
        self._limits.clear("reset/all", subject)
        self._signing_in.forget_password_failures(account_id)
        self._challenges.notify(profile.phone, "sms.password_changed", caller)
        log.info("password reset", account_id=account_id)

    def _second_of_reset(
        self,
        challenge: Challenge,
        account: Account,
        profile: Profile,
        body: ConfirmReset,
        caller: Caller,
    ) -> list[Action]:
        if body.credential and account.passkeys:
            given = Given("passkey", credential=body.credential)
            return self._signing_in.prove(challenge, account, given, caller)
        if account.totp or account.passkeys:
            given = Given("totp", code=body.totp_code or "")
            return self._signing_in.prove(challenge, account, given, caller)
        birth_date = body.birth_date.isoformat() if body.birth_date else ""
        if not same(birth_date, profile.birth_date):
            raise CodeInvalid
        return []

    # --- phone ---------------------------------------------------------------------------------

    def change_phone(self, actor: Actor, body: ChangePhone, caller: Caller) -> dict[str, Any]:
        """A code to the new number, a notice to the old one. A number that is another account's
        gets a notice and no code, and the answer does not tell.

        Raises:
            ValidationFailed: it is the account's own number.
            RateLimited
        """
        account, profile = self._own(actor)
        if body.phone == profile.phone:
            raise ValidationFailed([FieldProblem("phone", "unchanged")])
        taken = self._profiles.find(body.phone) is not None
        key = self._keys.get(owner(actor.account_id))
        sealed = key.seal(body.phone.encode(), _phone_place(actor.account_id))
        until = clock.epoch(caller.now) + policy.CHALLENGE
        challenge_id = self._challenges.create_and_send(
            "phone",
            account_id=actor.account_id,
            recipient=Recipient(
                phone=body.phone,
                counted=body.phone,
                notice=text(caller.language, "sms.phone_claimed") if taken else None,
            ),
            caller=caller,
            facts={"sealed": sealed, "password_version": account.password["version"]},
        )
        pending = self._repository.pend_phone(actor.account_id, challenge_id, sealed, until)
        dynamo.transact(pending)
        self._challenges.notify(profile.phone, "sms.phone_changing", caller)
        return {
            "challenge_id": challenge_id,
            "methods": [{"method": "sms", "hint": identifiers.masked_phone(body.phone)}],
            "expires_in": policy.CHALLENGE,
        }

    def confirm_phone(self, actor: Actor, body: ConfirmPhone, caller: Caller) -> dict[str, Any]:
        """Take the new number: it becomes the login, the old one is none any more.

        Raises:
            ChallengeExpired, CodeInvalid: as `verify`.
        """
        account, profile = self._own(actor)
        pending = account.phone_change
        if pending is None:
            raise ChallengeExpired
        challenge = self._repository.challenge(
            body.challenge_id or pending["challenge_id"], caller.now
        )
        mine = challenge.kind == "phone" and challenge.account_id == actor.account_id
        if not mine or challenge.challenge_id != pending["challenge_id"]:
            raise ChallengeExpired
        self._repository.take_try(challenge, caller.now)
        used = self._challenges.match(challenge, body.code, caller.now)
        key = self._keys.get(owner(actor.account_id))
        phone = key.open(pending["sealed"], _phone_place(actor.account_id)).decode()
        self._commit(
            [
                self._repository.use_challenge(challenge, ids.secret(), caller.now),
                used,
                self._repository.drop_phone_change(actor.account_id, challenge.challenge_id),
                self._profiles.replace_action(profile._replace(phone=phone)),
                *self._dropped(profile),
                self._profiles.login_action(phone, actor.account_id),
            ],
            ends=self._sessions.ending(actor.account_id, caller, but=actor.session_id),
            failure=ChallengeExpired(),
        )
        self._limits.clear("second/all", actor.account_id)
        self._limits.clear("reset/all", actor.account_id)
        # To the old number: its owner is who must learn of it.
        self._challenges.notify(profile.phone, "sms.phone_changed", caller)
        log.info("phone changed", account_id=actor.account_id)
        return {"phone": identifiers.masked_phone(phone)}

    def _dropped(self, profile: Profile) -> list[Action]:
        """The old number is no login any more; who came by a provider may have had none."""
        if not profile.phone:
            return []
        return [self._profiles.drop_login_action(profile.phone, profile.account_id)]

    # --- authenticator app ---------------------------------------------------------------------

    def enrol_totp(self, actor: Actor, caller: Caller) -> dict[str, str]:
        """A secret for an authenticator app; it counts once a code of it was confirmed."""
        _, profile = self._own(actor)
        secret = totp.new_secret()
        key = self._keys.get(owner(actor.account_id))
        sealed = key.seal(secret.encode(), f"identity/{owner(actor.account_id)}/totp")
        until = clock.epoch(caller.now) + policy.ENROLMENT
        self._repository.pend_totp(actor.account_id, sealed, until)
        return {
            "secret": secret,
            "otpauth_uri": totp.uri(secret, identifiers.masked_phone(profile.phone)),
        }

    def confirm_totp(self, actor: Actor, body: ConfirmTotp, caller: Caller) -> dict[str, list[str]]:
        """Bind the app, in the place of an earlier one. The recovery codes are shown this once.

        Who confirms the app has just proven to hold it, so the session counts as opened by it.

        Raises:
            ChallengeExpired: no enrolment was begun, or it is over.
            CodeInvalid: not a code of this app at this time.
        """
        _, profile = self._own(actor)
        pending: Item | None = self._repository.take_totp_try(actor.account_id, caller.now)
        if pending is None:
            raise ChallengeExpired
        secret = self._signing_in.totp_secret(pending)
        step = totp.matching_step(secret, body.code, caller.now)
        if step is None:
            raise CodeInvalid
        codes = totp.new_recovery_codes()
        hashed = {
            totp.recovery_hash(code, actor.account_id, self._signing_in.recovery_key())
            for code in codes
        }
        amr = policy.amr(actor.amr, "totp")
        until = clock.epoch(caller.now) + policy.FRESH
        self._commit(
            [
                *self._repository.enrol_totp(
                    actor.account_id, pending, pending["sealed"], step, hashed
                ),
                self._repository.step_up(
                    actor.account_id, actor.session_id, amr, until, caller.now
                ),
            ],
            ends=self._sessions.ending(actor.account_id, caller, but=actor.session_id),
            failure=ChallengeExpired(),
        )
        self._limits.clear("second/all", actor.account_id)
        self._challenges.notify(profile.phone, "sms.factor_changed", caller)
        log.info("app enrolled", account_id=actor.account_id)
        return {"recovery_codes": codes}

    def remove_totp(self, actor: Actor, caller: Caller) -> None:
        """Unbind the app; its recovery codes go with it, and so do the roles that this session has
        by it.

        Raises:
            NotFound: there is none.
            Conflict: the session's methods were changed at the same time.
        """
        account, profile = self._own(actor)
        if account.totp is None:
            raise NotFound
        self._commit(
            [
                *self._repository.remove_totp(actor.account_id),
                self._repository.narrow(actor, policy.amr_without(actor.amr, "totp")),
            ],
            ends=self._sessions.ending(actor.account_id, caller, but=actor.session_id),
        )
        self._challenges.notify(profile.phone, "sms.factor_changed", caller)
        log.info("app removed", account_id=actor.account_id)

    # --- passkeys ------------------------------------------------------------------------------

    def passkey_options(self, actor: Actor, caller: Caller) -> dict[str, Any]:
        """Options for making a passkey in the browser.

        Raises:
            Conflict: there are as many as one account may have.
        """
        account, profile = self._own(actor)
        if len(account.passkeys) >= policy.PASSKEYS:
            raise Conflict("passkeys_full")
        name = identifiers.masked_phone(profile.phone)
        options, challenge = self._passkeys.registration_options(account, name)
        until = clock.epoch(caller.now) + policy.ENROLMENT
        self._repository.pend_passkey(actor.account_id, challenge, until)
        return {"options": options}

    def add_passkey(self, actor: Actor, body: NewPasskey, caller: Caller) -> dict[str, Any]:
        """Bind a passkey; the session counts as opened by it, every other session ends.

        Raises:
            ChallengeExpired: none was begun, or it is over.
            CodeInvalid: the credential does not answer to it.
            AlreadyExists: the passkey is bound already.
        """
        _, profile = self._own(actor)
        challenge = self._repository.take_pending_passkey(actor.account_id, caller.now)
        if challenge is None:
            raise ChallengeExpired
        made = self._passkeys.registered(body.credential, challenge)
        until = clock.epoch(caller.now) + policy.FRESH
        self._commit(
            [
                self._repository.add_passkey(
                    actor.account_id,
                    made.passkey_id,
                    public_key=made.public_key,
                    sign_count=made.sign_count,
                    name=body.name,
                    now=caller.now,
                ),
                self._repository.step_up(
                    actor.account_id,
                    actor.session_id,
                    policy.amr(actor.amr, "passkey"),
                    until,
                    caller.now,
                ),
            ],
            ends=self._sessions.ending(actor.account_id, caller, but=actor.session_id),
            failure=AlreadyExists(),
        )
        self._challenges.notify(profile.phone, "sms.factor_changed", caller)
        log.info("passkey added", account_id=actor.account_id)
        return {
            "passkey_id": made.passkey_id,
            "name": body.name,
            "created_at": clock.rfc3339(caller.now),
            "last_used_at": None,
        }

    def passkeys(self, actor: Actor) -> dict[str, Any]:
        """One's passkeys, the newest first; there are never more than fit one page."""
        account, _ = self._own(actor)
        items = [
            {
                "passkey_id": passkey_id,
                "name": item["name"],
                "created_at": clock.from_epoch(item["created_at"]),
                "last_used_at": (
                    clock.from_epoch(item["last_used_at"]) if item["last_used_at"] else None
                ),
            }
            for passkey_id, item in account.passkeys.items()
        ]
        return {
            "items": sorted(items, key=lambda each: str(each["created_at"]), reverse=True),
            "next_cursor": None,
        }

    def remove_passkey(self, actor: Actor, passkey_id: str, caller: Caller) -> None:
        """Unbind a passkey; every other session ends. With the last one go the roles that this
        session has by it.

        Raises:
            NotFound
            Conflict: another one was removed at the same time.
        """
        account, profile = self._own(actor)
        if passkey_id not in account.passkeys:
            raise NotFound
        others = [each for each in account.passkeys if each != passkey_id]
        self._commit(
            [
                self._repository.remove_passkey(actor.account_id, passkey_id),
                self._repository.keep_passkey(actor.account_id, others[0])
                if others
                else self._repository.narrow(actor, policy.amr_without(actor.amr, "passkey")),
            ],
            ends=self._sessions.ending(actor.account_id, caller, but=actor.session_id),
        )
        self._challenges.notify(profile.phone, "sms.factor_changed", caller)
        log.info("passkey removed", account_id=actor.account_id)

    def _own(self, actor: Actor) -> tuple[Account, Profile]:
        account = self._repository.account(actor.account_id)
        if account is None:
            raise SessionRevoked
        return account, self._profiles.opened(account.profile)

    @staticmethod
    def _commit(
        actions: list[Action], *, ends: list[Action], failure: MedkartaError | None = None
    ) -> None:
        """Write the change and the end of the sessions together.

        A transaction holds 100 actions; nobody has more sessions than that by fair means, and
        those beyond are ended right after.
        """
        room = 100 - len(actions)
        try:
            dynamo.transact(*actions, *ends[:room])
        except dynamo.ConditionFailed as lost:
            raise (failure or Conflict()) from lost
        for action in ends[room:]:
            dynamo.transact(action)


def _phone_place(account_id: AccountId) -> str:
    return f"identity/{owner(account_id)}/phone_change"
