"""Signing in by an outside identity provider, and whose account that opens.

In this order: the account that signed in by this provider before; the verified account whose СНИЛС
the provider vouches for; a new account. A phone or a name never finds an account: that somebody
else may hold. What a provider says raises an account's level and never lowers it, for a level may
also come from a desk.
"""

import hashlib
import hmac
from functools import cached_property
from typing import Any, NamedTuple

from auth import esia, oidc, passwords, policy
from auth.caller import Caller
from auth.challenges import Challenges
from auth.esia import Vouched
from auth.limits import Limits
from auth.models import Callback
from auth.oidc import NotVouched, Provider
from auth.registry import Patient, Registry
from auth.repository import Account, Action, Repository
from auth.sessions import Sessions
from auth.signin import Verified, device_hash, new_device
from kernel import clock, dynamo, hashing, ids, log
from kernel.dynamo import Item
from kernel.errors import ChallengeExpired, Conflict, CredentialsInvalid, NotFound
from kernel.identity import AccountId
from kernel.profiles import Profile, Profiles, owner
from kernel.sealing import Keyring
from kernel.signatures import b64url

_QUARTER = 900
_AMR = ["fed"]


class Started(NamedTuple):
    """`binding` is what the browser that started must show again; apps keep `state` themselves."""

    authorization_url: str
    binding: str


class Federation:
    """Sign-in by the providers of the setting, which is read on first use: other routes of the
    function start without it."""

    def __init__(
        self,
        providers: str,
        client: oidc.Client,
        registry: Registry,
        repository: Repository,
        profiles: Profiles,
        keys: Keyring,
        challenges: Challenges,
        sessions: Sessions,
        limits: Limits,
        *,
        lookup_key: str,
        attempts_cap: int,
    ) -> None:
        self._setting = providers
        self._client = client
        self._registry = registry
        self._repository = repository
        self._profiles = profiles
        self._keys = keys
        self._challenges = challenges
        self._sessions = sessions
        self._limits = limits
        self._lookup_key = lookup_key
        self._cap = attempts_cap

    def start(self, name: str, caller: Caller) -> Started:
        """Where to go to sign in; it must be done within ten minutes.

        Raises:
            NotFound: no such provider.
            RateLimited
        """
        provider = self._provider(name)
        self._count("start", caller)
        state, binding = ids.secret(), ids.secret()
        action = self._repository.create_challenge(
            state,
            "oidc",
            account_id=None,
            methods=(),
            until=clock.epoch(caller.now) + policy.CHALLENGE,
            tries=1,
            facts={"provider": name, "web": caller.is_web, "binding": _hash(binding)},
        )
        dynamo.transact(action)
        address = self._client.authorization_url(
            provider,
            state=state,
            nonce=self._derived("nonce", state),
            verifier=self._derived("verifier", state),
        )
        return Started(address, binding)

    def callback(self, name: str, body: Callback, binding: str | None, caller: Caller) -> Verified:
        """Sign in with what the provider gave to the person's browser or app.

        Raises:
            NotFound: no such provider.
            ChallengeExpired: the state is unknown, used, too old, another provider's, or was
                begun in another browser.
            CredentialsInvalid: the provider vouches for nobody, or the account is disabled.
            Conflict: what is vouched for contradicts the account that it leads to.
            Unavailable: the provider did not answer.
            RateLimited
        """
        provider = self._provider(name)
        self._count("callback", caller)
        challenge = self._repository.challenge(body.state, caller.now)
        facts = challenge.item
        if challenge.kind != "oidc" or facts["provider"] != name or facts["web"] != caller.is_web:
            raise ChallengeExpired
        if caller.is_web and not hmac.compare_digest(facts["binding"], _hash(binding or "")):
            raise ChallengeExpired
        if body.iss not in (None, provider.issuer):  # RFC 9207 §2.4
            raise ChallengeExpired
        # Used before the code is: of many who bring the same state one goes on.
        self._commit([self._repository.use_challenge(challenge, ids.secret(), caller.now)])
        try:
            granted = self._client.exchange(
                provider,
                body.code,
                nonce=self._derived("nonce", body.state),
                verifier=self._derived("verifier", body.state),
                now=caller.now,
            )
            person = esia.vouched(granted.claims, self._client.userinfo(provider, granted))
        except NotVouched as error:
            log.info("identity provider vouched for nobody", code=str(error), kind=name)
            raise CredentialsInvalid from error
        return self._sign_in(provider, person, body.device_token, caller)

    def _sign_in(
        self, provider: Provider, person: Vouched, device_token: str | None, caller: Caller
    ) -> Verified:
        link = self._repository.link(
            hashing.lookup_hash(self._lookup_key, "oidc", f"{provider.issuer}|{person.subject}")
        )
        for _ in range(2):
            account_id = self._repository.linked(link)
            if account_id is None and person.confirmed and person.snils:
                account_id = self._profiles.find(person.snils)
            try:
                if account_id is None:
                    return self._sign_up(link, person, caller)
                return self._enter(account_id, link, person, device_token, caller)
            except dynamo.ConditionFailed:
                continue  # the same person, at the same moment, elsewhere: look again
        raise Conflict

    def _enter(
        self,
        account_id: AccountId,
        link: dict[str, str],
        person: Vouched,
        device_token: str | None,
        caller: Caller,
    ) -> Verified:
        account = self._repository.account(account_id)
        state = self._repository.state(account_id)
        if account is None or state is None or state.get("disabled"):
            raise CredentialsInvalid
        profile = self._profiles.opened(account.profile)
        if profile.birth_date != person.birth_date:
            raise Conflict("provider_differs")
        verifying, state = self._verify(account, profile, state, person, caller)
        device = device_hash(device_token)
        added: tuple[str, Action] | None = None
        if device not in account.devices:
            added = new_device(self._repository, account_id, caller.now)
        opened = self._sessions.open(
            account_id,
            state,
            amr=_AMR,
            password_changed_at=account.password["changed_at"],
            caller=caller,
        )
        linked_before = self._repository.linked(link) == account_id
        dynamo.transact(
            self._repository.link_action(link, account_id),
            *(verifying or [self._repository.state_enabled(account_id)]),
            *([added[1]] if added else []),
            opened.action,
        )
        if not linked_before:
            self._challenges.notify(profile.phone, "sms.factor_changed", caller)
        elif added:
            self._challenges.notify(profile.phone, "sms.new_device", caller)
        log.info("signed in by a provider", account_id=account_id)
        return _verified(opened.answer, opened.refresh_token, added)

    def _verify(
        self, account: Account, profile: Profile, state: Item, person: Vouched, caller: Caller
    ) -> tuple[list[Action], Item]:
        """What the provider's word changes of the account, and its state after."""
        if not person.confirmed or person.snils is None:
            return [], state
        if profile.snils_verified and profile.snils != person.snils:
            raise Conflict("provider_differs")
        patient = None if state.get("patient_id") else self._registry.unbound(person.snils)
        if state["level"] == "verified" and patient is None:
            return [], state
        actions: list[Action] = []
        if not profile.snils_verified:
            actions += self._profiles.verify_actions(profile, person.snils)
        patient_id = patient.patient_id if patient else None
        actions.append(self._repository.verify_state(account.account_id, patient_id, caller.now))
        if patient:
            actions += self._registry.bind(patient, account.account_id, caller.now)
        return actions, {**state, **_level(person, patient)}

    def _sign_up(self, link: dict[str, str], person: Vouched, caller: Caller) -> Verified:
        account_id = AccountId(ids.time_ordered(caller.now))
        place = self._keys.lookup(owner(account_id))
        key, key_item = self._keys.new(owner(account_id))
        # What is another account's login stays theirs.
        phone, email = (
            login if login is not None and self._profiles.find(login) is None else None
            for login in (person.phone, person.email)
        )
        profile = Profile(
            account_id=account_id,
            last_name=person.last_name,
            first_name=person.first_name,
            middle_name=person.middle_name,
            birth_date=person.birth_date,
            phone=phone or "",
            email=email,
            email_confirmed=email is not None,
            snils=person.snils,
            snils_verified=person.confirmed,
        )
        patient = None
        if person.confirmed and person.snils:
            patient = self._registry.unbound(person.snils)
        state: Item = {"appointments": [], **_level(person, patient)}
        opened = self._sessions.open(
            account_id,
            state,
            amr=_AMR,
            password_changed_at=clock.epoch(caller.now),
            caller=caller,
        )
        added = new_device(self._repository, account_id, caller.now)
        # Nobody knows this password. Who wants one sets it by a reset.
        password = passwords.hashed(ids.secret())
        dynamo.transact(
            self._repository.link_action(link, account_id),
            {"Put": dynamo.put_request(place.table, key_item, "attribute_not_exists(pk)")},
            self._profiles.create_action(profile, key),
            self._repository.create_password(account_id, password, caller.now),
            self._repository.create_state(account_id, state["level"], state.get("patient_id")),
            *(self._profiles.login_action(login, account_id) for login in profile.logins if login),
            *(self._registry.bind(patient, account_id, caller.now) if patient else []),
            added[1],
            opened.action,
        )
        log.info("account created by a provider", account_id=account_id)
        return _verified(opened.answer, opened.refresh_token, added)

    @cached_property
    def _providers(self) -> oidc.Providers:
        return oidc.providers(self._setting)

    def _provider(self, name: str) -> Provider:
        provider = self._providers.get(name)
        if provider is None:
            raise NotFound
        return provider

    def _derived(self, purpose: str, state: str) -> str:
        """The nonce and the PKCE verifier of a state: nothing that could be stolen is stored."""
        key = hashing.process_key(self._lookup_key, "oidc/v1")
        return b64url(hmac.digest(key, f"{purpose}\x00{state}".encode(), hashlib.sha256))

    def _count(self, what: str, caller: Caller) -> None:
        self._limits.count(
            f"oidc/{what}", caller.network, cap=self._cap, seconds=_QUARTER, now=caller.now
        )

    @staticmethod
    def _commit(actions: list[Action]) -> None:
        try:
            dynamo.transact(*actions)
        except dynamo.ConditionFailed as lost:
            raise ChallengeExpired from lost


def _level(person: Vouched, patient: Patient | None) -> Item:
    level = "verified" if person.confirmed else policy.level(person.snils)
    return {"level": level, **({"patient_id": patient.patient_id} if patient else {})}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _verified(
    answer: dict[str, Any], refresh_token: str | None, added: tuple[str, Action] | None
) -> Verified:
    return Verified({**answer, **({"device_token": added[0]} if added else {})}, refresh_token)
