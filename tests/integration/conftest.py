"""The demo's people, brought in through the real handlers: what the integration tests walk with."""

import re
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import pyotp
import pytest

from local.demo import load
from tests.gateway import Api, Transport, function, outbox
from tests.integration import desk_world as world
from tests.integration.desk_world import Clinic


@dataclass
class Demo:
    """The accounts of the demo, and how to sign in as one of them."""

    accounts: list[dict[str, Any]]
    _workers: dict[str, Api] = field(default_factory=dict)

    def account(self, note: str) -> dict[str, Any]:
        """The first account whose note begins with `note`."""
        return next(a for a in self.accounts if a["note"].startswith(note))

    def patient(self, note: str, language: str = "ru") -> Api:
        """A patient, signed in by password and text message."""
        account = self.account(note)
        api = Api(language=language)
        path = self._challenge(api, account)
        assert api.post(f"{path}/send", {"method": "sms"}).status == 202
        code = re.search(r"\b\d{6}\b", outbox(account["login"])[0])
        assert code is not None
        return self._verify(api, path, {"method": "sms", "code": code.group()})

    def worker(self, note: str) -> Api:
        """A worker, signed in by password and app; once, since a time step serves once."""
        account = self.account(note)
        if note not in self._workers:
            api = Api()
            path = self._challenge(api, account)
            # The loader used up the present step; the next one is taken too.
            code = pyotp.TOTP(account["totp_secret"]).at(time.time() + 30)
            self._workers[note] = self._verify(api, path, {"method": "totp", "code": code})
        return self._workers[note]

    def _challenge(self, api: Api, account: dict[str, Any]) -> str:
        credentials = {"login": account["login"], "password": account["password"]}
        challenge = api.post("/v1/auth/login", credentials)
        assert challenge.status == 200, challenge
        return f"/v1/auth/challenges/{challenge.json['challenge_id']}"

    def _verify(self, api: Api, path: str, credential: dict[str, str]) -> Api:
        verified = api.post(f"{path}/verify", credential)
        assert verified.status == 200, verified
        api.token = verified.json["access_token"]
        refresh_token = verified.json["refresh_token"]

        def renew() -> str:
            nonlocal refresh_token
            body = {"grant_type": "refresh_token", "refresh_token": refresh_token}
            answer = api.post("/v1/auth/token", body)
            if answer.status != 200:  # the session has ended, as its token will be told
                return str(api.token)
            refresh_token = answer.json["refresh_token"]
            return str(answer.json["access_token"])

        api.renew = renew
        return api


@pytest.fixture(scope="session")
def demo(aws: None) -> Demo:
    """The demo, loaded once a session by the loader that `make run` uses."""

    def client() -> httpx.Client:
        return httpx.Client(transport=Transport(), base_url="https://api.test")

    def messages(to: str) -> list[dict[str, Any]]:
        return [{"to": to, "text": text} for text in outbox(to)]

    def appoint(phone: str) -> None:
        function("auth.bootstrap.handler")({"phone": phone}, None)

    return Demo(load.fill(client, messages, appoint))


@pytest.fixture(scope="module")
def here(aws: None) -> Clinic:
    """A clinic with its workers, a module's own."""
    return world.clinic()


@pytest.fixture(scope="module")
def there(here: Clinic) -> Clinic:
    """Another clinic, entered by the same operator."""
    return world.clinic(by=here.operator)
