"""What the auth function keeps, and every condition under which it is written.

Identity table (the profile, logins and codes are in kernel.profiles and kernel.codes):
    ACCOUNT#<id>     | PASSWORD          hash, changed_at, version
    ACCOUNT#<id>     | TOTP              sealed secret, last_step
    ACCOUNT#<id>     | TOTP_PENDING      sealed secret, valid_until
    ACCOUNT#<id>     | RECOVERY          keyed hashes of the codes that are left
    ACCOUNT#<id>     | PHONE_CHANGE      sealed number, challenge_id, valid_until
    ACCOUNT#<id>     | DEVICE#<hash>     a device that has signed in before
    ACCOUNT#<id>     | PASSKEY#<id>      public key, sign_count, name, created_at, last_used_at
    ACCOUNT#<id>     | PASSKEY_PENDING   the challenge of a registration, valid_until
    OIDC#<hash>      | LINK              account_id: who signs in by an outside provider's subject
    CHALLENGE#<id>   | CHALLENGE         what is to be proven, by which methods, how many tries left
Accounts table: STATE and SESSION#<sid> (kernel.accounts).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from kernel import accounts, clock, dynamo, ids
from kernel.dynamo import Item
from kernel.errors import ChallengeExpired
from kernel.identity import AccountId, Actor, PatientId, SessionId

Kind = Literal["login", "register", "step_up", "reset", "phone", "oidc"]
Action = dict[str, Any]


class Challenge(NamedTuple):
    """Something to be proven by a second step."""

    challenge_id: str
    kind: Kind
    valid_until: int
    methods: tuple[str, ...]
    account_id: AccountId | None
    item: Item


class Account(NamedTuple):
    """All that the identity table holds of one account, read in one Query."""

    account_id: AccountId
    profile: Item
    password: Item
    totp: Item | None
    totp_pending: Item | None
    recovery: frozenset[str]
    phone_change: Item | None
    devices: dict[str, Item]
    passkeys: dict[str, Item]


class Repository:
    """The two tables of accounts."""

    def __init__(self, accounts_table: str, identity_table: str) -> None:
        self.accounts = accounts_table
        self.identity = identity_table

    # --- accounts ------------------------------------------------------------------------------

    def account(self, account_id: AccountId) -> Account | None:
        """The account's secrets and sealed data."""
        items = {
            item["sk"]: item
            for item in dynamo.query_all(
                self.identity, "pk = :pk", {":pk": f"ACCOUNT#{account_id}"}
            )
        }
        if "PROFILE" not in items or "PASSWORD" not in items:
            return None
        return Account(
            account_id=account_id,
            profile=items["PROFILE"],
            password=items["PASSWORD"],
            totp=items.get("TOTP"),
            totp_pending=items.get("TOTP_PENDING"),
            recovery=frozenset(items.get("RECOVERY", {}).get("hashes", ())),
            phone_change=items.get("PHONE_CHANGE"),
            devices=_starting(items, "DEVICE#"),
            passkeys=_starting(items, "PASSKEY#"),
        )

    def state(self, account_id: AccountId) -> Item | None:
        """The account's STATE."""
        place = accounts.state_lookup(self.accounts, account_id)
        return dynamo.get(place.table, {"pk": place.pk, "sk": place.sk})

    def create_state(
        self, account_id: AccountId, level: str, patient_id: PatientId | None = None
    ) -> Action:
        item = {"pk": f"ACCOUNT#{account_id}", "sk": "STATE", "level": level, "appointments": []}
        if patient_id:
            item["patient_id"] = patient_id
        return {"Put": dynamo.put_request(self.accounts, item, "attribute_not_exists(pk)")}

    def state_enabled(self, account_id: AccountId) -> Action:
        """The account stands and is not disabled."""
        return {
            "ConditionCheck": dynamo.check_request(
                self.accounts,
                {"pk": f"ACCOUNT#{account_id}", "sk": "STATE"},
                "attribute_exists(pk) AND (attribute_not_exists(disabled) OR disabled = :no)",
                {":no": False},
            )
        }

    def verify_state(
        self, account_id: AccountId, patient_id: PatientId | None, now: datetime
    ) -> Action:
        """An enabled account becomes verified by a provider's word, and a patient's if given."""
        change = "SET #level = :verified, verified_at = :at, verified_by = :by"
        condition = "attribute_exists(pk) AND (attribute_not_exists(disabled) OR disabled = :no)"
        values: dict[str, Any] = {
            ":verified": "verified",
            ":at": clock.rfc3339(now),
            ":by": "oidc",
            ":no": False,
        }
        if patient_id:
            change += ", patient_id = :patient"
            condition += " AND attribute_not_exists(patient_id)"
            values[":patient"] = patient_id
        return {
            "Update": dynamo.update_request(
                self.accounts,
                {"pk": f"ACCOUNT#{account_id}", "sk": "STATE"},
                change,
                values,
                condition=condition,
                names={"#level": "level"},
            )
        }

    # --- outside providers ---------------------------------------------------------------------

    @staticmethod
    def link(hashed: str) -> dict[str, str]:
        """The key under which a provider's subject finds an account."""
        return {"pk": f"OIDC#{hashed}", "sk": "LINK"}

    def linked(self, link: dict[str, str]) -> AccountId | None:
        item = dynamo.get(self.identity, link)
        return AccountId(item["account_id"]) if item else None

    def link_action(self, link: dict[str, str], account_id: AccountId) -> Action:
        """Let a provider's subject find this account, unless it finds another one."""
        return {
            "Put": dynamo.put_request(
                self.identity,
                {**link, "account_id": account_id},
                "attribute_not_exists(pk) OR account_id = :me",
                {":me": account_id},
            )
        }

    # --- passwords -----------------------------------------------------------------------------

    def create_password(self, account_id: AccountId, hashed: str, now: datetime) -> Action:
        item = {
            **_account_key(account_id, "PASSWORD"),
            "hash": hashed,
            "changed_at": clock.epoch(now),
            "version": 1,
        }
        return {"Put": dynamo.put_request(self.identity, item, "attribute_not_exists(pk)")}

    def replace_password(
        self, account_id: AccountId, hashed: str, version: int, now: datetime
    ) -> Action:
        """Put a new password in the place of the version that was checked."""
        return {
            "Update": dynamo.update_request(
                self.identity,
                _account_key(account_id, "PASSWORD"),
                "SET #hash = :hash, changed_at = :now, version = :next",
                {":hash": hashed, ":now": clock.epoch(now), ":next": version + 1, ":v": version},
                condition="version = :v",
                names={"#hash": "hash"},
            )
        }

    def rehash(self, account_id: AccountId, hashed: str, old: str) -> None:
        """Keep the same password under today's parameters, unless it was changed meanwhile."""
        try:
            dynamo.update(
                self.identity,
                _account_key(account_id, "PASSWORD"),
                "SET #hash = :hash",
                {":hash": hashed, ":old": old},
                condition="#hash = :old",
                names={"#hash": "hash"},
            )
        except dynamo.ConditionFailed:
            return

    def password_unchanged(self, account_id: AccountId, version: int) -> Action:
        return {
            "ConditionCheck": dynamo.check_request(
                self.identity,
                _account_key(account_id, "PASSWORD"),
                "version = :v",
                {":v": version},
            )
        }

    # --- second factors ------------------------------------------------------------------------

    def pend_totp(self, account_id: AccountId, sealed: bytes, until: int) -> None:
        item = {
            **_account_key(account_id, "TOTP_PENDING"),
            "sealed": sealed,
            "tries_left": 5,
            "valid_until": until,
            "expires_at": until,
        }
        dynamo.put(self.identity, item)

    def take_totp_try(self, account_id: AccountId, now: datetime) -> Item | None:
        """Take one of the tries at a new app; None when there is none left, or no new app."""
        try:
            return dynamo.update(
                self.identity,
                _account_key(account_id, "TOTP_PENDING"),
                "SET tries_left = tries_left - :one",
                {":one": 1, ":zero": 0, ":now": clock.epoch(now)},
                condition="tries_left > :zero AND valid_until > :now",
            )
        except dynamo.ConditionFailed:
            return None

    def enrol_totp(
        self, account_id: AccountId, pending: Item, sealed: bytes, step: int, recovery: set[str]
    ) -> list[Action]:
        """Put the confirmed app and its recovery codes in the place of the pending one."""
        totp = {**_account_key(account_id, "TOTP"), "sealed": sealed, "last_step": step}
        codes = {**_account_key(account_id, "RECOVERY"), "hashes": recovery}
        return [
            {
                "Delete": dynamo.delete_request(
                    self.identity,
                    _account_key(account_id, "TOTP_PENDING"),
                    condition="sealed = :sealed",
                    values={":sealed": pending["sealed"]},
                )
            },
            {"Put": dynamo.put_request(self.identity, totp)},
            {"Put": dynamo.put_request(self.identity, codes)},
        ]

    def use_totp_step(self, account_id: AccountId, sealed: bytes, step: int) -> Action:
        """Accept a time step once, and none before it (RFC 6238 §5.2)."""
        return {
            "Update": dynamo.update_request(
                self.identity,
                _account_key(account_id, "TOTP"),
                "SET last_step = :step",
                {":step": step, ":sealed": sealed},
                condition="last_step < :step AND sealed = :sealed",
            )
        }

    def remove_totp(self, account_id: AccountId) -> list[Action]:
        return [
            {
                "Delete": dynamo.delete_request(
                    self.identity,
                    _account_key(account_id, "TOTP"),
                    condition="attribute_exists(pk)",
                )
            },
            {"Delete": dynamo.delete_request(self.identity, _account_key(account_id, "RECOVERY"))},
        ]

    def use_recovery_code(self, account_id: AccountId, hashed: str) -> Action:
        """Accept a recovery code once."""
        return {
            "Update": dynamo.update_request(
                self.identity,
                _account_key(account_id, "RECOVERY"),
                "DELETE hashes :codes",
                {":codes": {hashed}, ":code": hashed},
                condition="contains(hashes, :code)",
            )
        }

    def pend_phone(
        self, account_id: AccountId, challenge_id: str, sealed: bytes, until: int
    ) -> Action:
        item = {
            **_account_key(account_id, "PHONE_CHANGE"),
            "challenge_id": challenge_id,
            "sealed": sealed,
            "valid_until": until,
            "expires_at": until,
        }
        return {"Put": dynamo.put_request(self.identity, item)}

    def drop_phone_change(self, account_id: AccountId, challenge_id: str) -> Action:
        return {
            "Delete": dynamo.delete_request(
                self.identity,
                _account_key(account_id, "PHONE_CHANGE"),
                condition="challenge_id = :id",
                values={":id": challenge_id},
            )
        }

    def pend_passkey(self, account_id: AccountId, challenge: bytes, until: int) -> None:
        item = {
            **_account_key(account_id, "PASSKEY_PENDING"),
            "challenge": challenge,
            "valid_until": until,
            "expires_at": until,
        }
        dynamo.put(self.identity, item)

    def take_pending_passkey(self, account_id: AccountId, now: datetime) -> bytes | None:
        """The challenge of the registration that was begun; it is good for one answer."""
        key, taker = _account_key(account_id, "PASSKEY_PENDING"), ids.secret()
        try:
            item = dynamo.update(
                self.identity,
                key,
                "SET valid_until = :zero, taken_by = :taker",
                {":zero": 0, ":now": clock.epoch(now), ":taker": taker},
                condition="valid_until > :now",
            )
        except dynamo.ConditionFailed as lost:
            # The SDK repeats what got no answer, and meets what it took itself.
            if lost.old is None or lost.old.get("taken_by") != taker:
                return None
            item = lost.old
        return bytes(item["challenge"])

    def add_passkey(
        self,
        account_id: AccountId,
        passkey_id: str,
        *,
        public_key: bytes,
        sign_count: int,
        name: str,
        now: datetime,
    ) -> Action:
        item = {
            **_account_key(account_id, f"PASSKEY#{passkey_id}"),
            "public_key": public_key,
            "sign_count": sign_count,
            "name": name,
            "created_at": clock.epoch(now),
            "last_used_at": None,
        }
        return {"Put": dynamo.put_request(self.identity, item, "attribute_not_exists(pk)")}

    def use_passkey(
        self, account_id: AccountId, passkey_id: str, old_count: int, new_count: int, now: datetime
    ) -> Action:
        """Note a passkey's use over the count that was judged (WebAuthn §6.1.1)."""
        return {
            "Update": dynamo.update_request(
                self.identity,
                _account_key(account_id, f"PASSKEY#{passkey_id}"),
                "SET sign_count = :new, last_used_at = :now",
                {":new": new_count, ":old": old_count, ":now": clock.epoch(now)},
                condition="sign_count = :old",
            )
        }

    def remove_passkey(self, account_id: AccountId, passkey_id: str) -> Action:
        return {
            "Delete": dynamo.delete_request(
                self.identity,
                _account_key(account_id, f"PASSKEY#{passkey_id}"),
                condition="attribute_exists(pk)",
            )
        }

    def keep_passkey(self, account_id: AccountId, passkey_id: str) -> Action:
        """Holds while this passkey is bound."""
        return {
            "ConditionCheck": dynamo.check_request(
                self.identity,
                _account_key(account_id, f"PASSKEY#{passkey_id}"),
                "attribute_exists(pk)",
            )
        }

    def ask_passkey(self, challenge: Challenge, asked: bytes, now: datetime) -> None:
        """Remember what a passkey is asked to sign for a challenge; the latest counts.

        Raises:
            ChallengeExpired
        """
        try:
            dynamo.update(
                self.identity,
                _challenge_key(challenge.challenge_id),
                "SET asked = :asked",
                {":asked": asked, ":now": clock.epoch(now)},
                condition="valid_until > :now AND attribute_not_exists(used_by)",
            )
        except dynamo.ConditionFailed as lost:
            raise ChallengeExpired from lost

    def add_device(self, account_id: AccountId, hashed: str, now: datetime) -> Action:
        item = {
            **_account_key(account_id, f"DEVICE#{hashed}"),
            "created_at": clock.epoch(now),
            "expires_at": clock.epoch(now) + 400 * 86400,
        }
        return {"Put": dynamo.put_request(self.identity, item)}

    # --- challenges ----------------------------------------------------------------------------

    def create_challenge(
        self,
        challenge_id: str,
        kind: Kind,
        *,
        account_id: AccountId | None,
        methods: Iterable[str],
        until: int,
        tries: int,
        facts: Mapping[str, Any],
    ) -> Action:
        item = {
            **_challenge_key(challenge_id),
            "kind": kind,
            "account_id": account_id,
            "methods": list(methods),
            "valid_until": until,
            "expires_at": until + 3600,
            "tries_left": tries,
            "sends": 0,
            "next_send_at": 0,
            **facts,
        }
        return {"Put": dynamo.put_request(self.identity, item, "attribute_not_exists(pk)")}

    def challenge(self, challenge_id: str, now: datetime) -> Challenge:
        """A challenge that may still be met.

        Raises:
            ChallengeExpired
        """
        item = dynamo.get(self.identity, _challenge_key(challenge_id[:64]))
        if (
            item is None
            or item.get("used_by")
            or item["tries_left"] <= 0
            or item["valid_until"] <= clock.epoch(now)
        ):
            raise ChallengeExpired
        return Challenge(
            challenge_id=challenge_id,
            kind=item["kind"],
            valid_until=item["valid_until"],
            methods=tuple(item["methods"]),
            account_id=AccountId(item["account_id"]) if item["account_id"] else None,
            item=item,
        )

    def take_try(self, challenge: Challenge, now: datetime) -> None:
        """Take one of the challenge's tries before the code is looked at.

        Raises:
            ChallengeExpired: there is none left.
        """
        try:
            dynamo.update(
                self.identity,
                _challenge_key(challenge.challenge_id),
                "SET tries_left = tries_left - :one",
                {":one": 1, ":zero": 0, ":now": clock.epoch(now)},
                condition="tries_left > :zero AND valid_until > :now"
                " AND attribute_not_exists(used_by)",
            )
        except dynamo.ConditionFailed as lost:
            raise ChallengeExpired from lost

    def use_challenge(self, challenge: Challenge, user: str, now: datetime) -> Action:
        """Meet a challenge, once."""
        return {
            "Update": dynamo.update_request(
                self.identity,
                _challenge_key(challenge.challenge_id),
                "SET used_by = :user",
                {":user": user, ":now": clock.epoch(now)},
                condition="valid_until > :now AND attribute_not_exists(used_by)",
            )
        }

    def take_send(self, challenge: Challenge, next_at: int, now: datetime) -> bool:
        """Take the next sending of a code; False if another request took it, or it is too early."""
        taker = ids.secret()
        try:
            dynamo.update(
                self.identity,
                _challenge_key(challenge.challenge_id),
                "SET sends = sends + :one, next_send_at = :next, send_taken_by = :taker",
                {
                    ":one": 1,
                    ":taker": taker,
                    ":next": next_at,
                    ":sends": challenge.item["sends"],
                    ":now": clock.epoch(now),
                },
                condition="sends = :sends AND next_send_at <= :now"
                " AND attribute_not_exists(used_by)",
            )
        except dynamo.ConditionFailed as lost:
            # The SDK repeats what got no answer, and meets what it took itself.
            return lost.old is not None and lost.old.get("send_taken_by") == taker
        return True

    # --- sessions ------------------------------------------------------------------------------

    def create_session(self, account_id: AccountId, session: Mapping[str, Any]) -> Action:
        place = accounts.session_lookup(self.accounts, account_id, session["session_id"])
        item = {"pk": place.pk, "sk": place.sk, **session}
        return {"Put": dynamo.put_request(self.accounts, item, "attribute_not_exists(pk)")}

    def session(self, account_id: AccountId, session_id: SessionId) -> Item | None:
        place = accounts.session_lookup(self.accounts, account_id, session_id)
        return dynamo.get(place.table, {"pk": place.pk, "sk": place.sk})

    def sessions(self, account_id: AccountId, now: datetime) -> list[Item]:
        """The sessions that are alive, the newest first."""
        items = dynamo.query_all(
            self.accounts,
            "pk = :pk AND begins_with(sk, :session)",
            {":pk": f"ACCOUNT#{account_id}", ":session": "SESSION#"},
            forward=False,
        )
        moment = clock.epoch(now)
        return [item for item in items if accounts.session_alive(item, moment)]

    def rotate(
        self,
        account_id: AccountId,
        session_id: SessionId,
        *,
        old: str,
        new: str,
        idle_until: int,
        now: datetime,
    ) -> Item:
        """Put the hash of the successor in the place of the one that was presented.

        Raises:
            ConditionFailed: with the session as it stands.
        """
        place = accounts.session_lookup(self.accounts, account_id, session_id)
        moment = clock.epoch(now)
        return dynamo.update(
            place.table,
            {"pk": place.pk, "sk": place.sk},
            "SET refresh_hash = :new, rotated_at = :now, last_seen_at = :now,"
            " idle_expires_at = :idle",
            {":new": new, ":old": old, ":now": moment, ":idle": idle_until},
            condition="refresh_hash = :old AND attribute_not_exists(revoked_at)"
            " AND idle_expires_at > :now AND absolute_expires_at > :now",
        )

    def step_up(
        self,
        account_id: AccountId,
        session_id: SessionId,
        amr: list[str],
        until: int,
        now: datetime,
    ) -> Action:
        """Make a living session fresh."""
        place = accounts.session_lookup(self.accounts, account_id, session_id)
        return {
            "Update": dynamo.update_request(
                place.table,
                {"pk": place.pk, "sk": place.sk},
                "SET fresh_until = :until, amr = :amr",
                {":until": until, ":amr": amr, ":now": clock.epoch(now)},
                condition="attribute_exists(pk) AND attribute_not_exists(revoked_at)"
                " AND absolute_expires_at > :now",
            )
        }

    def narrow(self, actor: Actor, amr: list[str]) -> Action:
        """Leave a session these methods only; it may have ended meanwhile, but not changed them:
        two removals at once would each leave what the other took."""
        place = accounts.session_lookup(self.accounts, actor.account_id, actor.session_id)
        return {
            "Update": dynamo.update_request(
                place.table,
                {"pk": place.pk, "sk": place.sk},
                "SET amr = :amr",
                {":amr": amr, ":was": list(actor.amr)},
                condition="amr = :was",
            )
        }

    def end_session(self, account_id: AccountId, session_id: SessionId, now: datetime) -> Action:
        """End a session, whether it had ended before or not."""
        place = accounts.session_lookup(self.accounts, account_id, session_id)
        return {
            "Update": dynamo.update_request(
                place.table,
                {"pk": place.pk, "sk": place.sk},
                "SET revoked_at = if_not_exists(revoked_at, :now)",
                {":now": clock.epoch(now)},
                condition="attribute_exists(pk)",
            )
        }


def _starting(items: Mapping[str, Item], prefix: str) -> dict[str, Item]:
    return {sk.removeprefix(prefix): item for sk, item in items.items() if sk.startswith(prefix)}


def _account_key(account_id: AccountId, sk: str) -> dict[str, str]:
    return {"pk": f"ACCOUNT#{account_id}", "sk": sk}


def _challenge_key(challenge_id: str) -> dict[str, str]:
    return {"pk": f"CHALLENGE#{challenge_id}", "sk": "CHALLENGE"}
