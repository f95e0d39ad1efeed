"""Who an account belongs to, sealed, and the logins by which it is found.

Identity table:
    ACCOUNT#<id>        | PROFILE    version, sealed names, birth date, phone, e-mail, СНИЛС
    LOGIN#<keyed hash>  | LOGIN      account_id

A login is a phone number (always), an e-mail address (once confirmed) or a СНИЛС (once verified):
what somebody merely claims finds nobody and takes nobody's place.

At a desk, when a registrar has seen the passport:

    account_id = profiles.find(phone)                            # of identifiers.phone(...)
    profile = profiles.get(account_id)                           # compare names and birth date
    dynamo.transact(*profiles.verify_actions(profile, snils), ...the account's STATE...)
"""

import json
from typing import Any, NamedTuple

from kernel import dynamo, hashing
from kernel.identity import AccountId
from kernel.sealing import DataKey, Keyring

PURPOSE = "identity"


class Profile(NamedTuple):
    """A person as they registered. `birth_date` is ISO 8601, `phone` E.164, `snils` 11 digits.

    `version` counts the changes; a change is written only over the version that was read.
    """

    account_id: AccountId
    last_name: str
    first_name: str
    middle_name: str | None
    birth_date: str
    phone: str
    email: str | None = None
    email_confirmed: bool = False
    snils: str | None = None
    snils_verified: bool = False
    version: int = 1

    @property
    def logins(self) -> list[str]:
        """The identifiers that find this account now."""
        found = [self.phone]
        if self.email and self.email_confirmed:
            found.append(self.email)
        if self.snils and self.snils_verified:
            found.append(self.snils)
        return found


def owner(account_id: AccountId) -> str:
    """The owner of an account's data key."""
    return f"ACCOUNT#{account_id}"


def keyring(keys_table: str, identity_key: str) -> Keyring:
    """The data keys of accounts."""
    return Keyring(table=keys_table, kms_key=identity_key, purpose=PURPOSE)


class Profiles:
    """The profiles and logins of the identity table."""

    def __init__(self, table: str, keys: Keyring, lookup_key: str) -> None:
        self._table = table
        self._keys = keys
        self._lookup_key = lookup_key

    def find(self, login: str) -> AccountId | None:
        """The account of a login in its inner form (see `kernel.identifiers`)."""
        return find(self._table, self._lookup_key, login)

    def get(self, account_id: AccountId) -> Profile | None:
        """The profile, opened."""
        item = dynamo.get(self._table, {"pk": owner(account_id), "sk": "PROFILE"})
        return self.opened(item) if item else None

    def opened(self, item: dynamo.Item, key: DataKey | None = None) -> Profile:
        """The profile of an item that was read already; `key` where the caller has it."""
        return open_item(item, key or self._keys.get(item["pk"]))

    def item(self, profile: Profile, key: DataKey | None = None) -> dict[str, Any]:
        """The sealed item. `key` is given where the account's key is not in its table yet."""
        key = key or self._keys.get(owner(profile.account_id))
        values = profile._asdict()
        del values["account_id"], values["version"]
        payload = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
        return {
            "pk": owner(profile.account_id),
            "sk": "PROFILE",
            "version": profile.version,
            "sealed": key.seal(payload, _place(profile.account_id)),
        }

    def create_action(self, profile: Profile, key: DataKey | None = None) -> dict[str, Any]:
        """Put a new account's profile; `key` as for `item`."""
        item = self.item(profile, key)
        return {"Put": dynamo.put_request(self._table, item, "attribute_not_exists(pk)")}

    def replace_action(self, profile: Profile) -> dict[str, Any]:
        """Put a changed profile in the place of the version it was read as."""
        return {
            "Put": dynamo.put_request(
                self._table,
                self.item(profile._replace(version=profile.version + 1)),
                "version = :read",
                {":read": profile.version},
            )
        }

    def login_action(self, login: str, account_id: AccountId) -> dict[str, Any]:
        """Let `login` find the account, unless it finds another one (`ConditionFailed`)."""
        item = {**self._login_key(login), "account_id": account_id}
        return {
            "Put": dynamo.put_request(
                self._table,
                item,
                "attribute_not_exists(pk) OR account_id = :me",
                {":me": account_id},
            )
        }

    def drop_login_action(self, login: str, account_id: AccountId) -> dict[str, Any]:
        """Let `login` no longer find the account."""
        return {
            "Delete": dynamo.delete_request(
                self._table,
                self._login_key(login),
                condition="account_id = :me",
                values={":me": account_id},
            )
        }

    def verify_actions(self, profile: Profile, snils: str) -> list[dict[str, Any]]:
        """What verification changes here: the СНИЛС is proven and becomes a login.

        They belong into one transaction with the account's STATE. `ConditionFailed`: the profile
        changed meanwhile, or the СНИЛС is another account's login.
        """
        return [
            self.replace_action(profile._replace(snils=snils, snils_verified=True)),
            self.login_action(snils, profile.account_id),
        ]

    def login_lookup(self, login: str) -> dynamo.Lookup:
        """Where a login rests, so that several can be read in one batch."""
        key = self._login_key(login)
        return dynamo.Lookup(self._table, key["pk"], key["sk"])

    def _login_key(self, login: str) -> dict[str, str]:
        return login_key(self._lookup_key, login)


def open_item(item: dynamo.Item, key: DataKey) -> Profile:
    """The profile of an item. Raises SealBroken."""
    account_id = AccountId(item["pk"].removeprefix("ACCOUNT#"))
    payload = key.open(item["sealed"], _place(account_id))
    return Profile(account_id=account_id, version=item["version"], **json.loads(payload))


def login_key(lookup_key: str, login: str) -> dict[str, str]:
    """Where a login rests: under a keyed hash that only KMS can make."""
    return {"pk": f"LOGIN#{hashing.lookup_hash(lookup_key, 'login', login)}", "sk": "LOGIN"}


def find(table: str, lookup_key: str, login: str) -> AccountId | None:
    """The account of a login in its inner form, for those who open no profile."""
    item = dynamo.get(table, login_key(lookup_key, login))
    return AccountId(item["account_id"]) if item else None


def _place(account_id: AccountId) -> str:
    return f"identity/{owner(account_id)}/profile"
