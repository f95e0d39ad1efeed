"""Dropped connections: nobody honest is signed out by one."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from moto.core.botocore_stubber import BotocoreStubber

from tests.gateway import Api
from tests.integration.test_auth_journey import refreshed, register

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def lose(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], list[str]]:
    """Lose the answers of the next so many calls whose target and body hold a text: they are
    carried out, and the connection breaks before the answer. What was lost, in order."""

    def arm(text: str, times: int) -> list[str]:
        lost: list[str] = []
        call = BotocoreStubber.__call__

        def breaking(self: BotocoreStubber, event_name: str, request: Any, **kwargs: Any) -> Any:
            answer = call(self, event_name=event_name, request=request, **kwargs)
            said = f"{request.headers.get('X-Amz-Target')} {request.body!r}"
            if text in said and len(lost) < times:
                lost.append(said)
                raise ConnectionClosedError(endpoint_url=request.url)
            return answer

        monkeypatch.setattr(BotocoreStubber, "__call__", breaking)
        return lost

    return arm


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "one"}])
@pytest.mark.parametrize("times", [1, 2])
def test_a_refresh_whose_write_is_repeated_by_the_sdk_is_our_own(
    lose: Callable[[str, int], list[str]], headers: dict[str, str], times: int
) -> None:
    person = register()
    lost = lose("refresh_hash = :new", times)
    answer = refreshed(person.refresh_token, **headers)
    assert (answer.status, len(lost)) == (200, times), answer
    assert answer.status == 200, answer
    assert Api(token=answer.json["access_token"]).get("/v1/auth/account").status == 200
    following = refreshed(answer.json["refresh_token"])
    assert following.status == 200


def test_a_client_that_lost_the_answer_repeats_itself(
    lose: Callable[[str, int], list[str]],
) -> None:
    """All three tries of the SDK break: 503, though the token was used. With its key the client
    gets the same successor; without one it has to sign in again."""
    person, careless = register(), register()
    lost = lose("refresh_hash = :new", 3)
    first = refreshed(person.refresh_token, **{"Idempotency-Key": "one"})
    assert (first.status, len(lost)) == (503, 3)
    again = refreshed(person.refresh_token, **{"Idempotency-Key": "one"})
    assert again.status == 200, again
    lost = lose("refresh_hash = :new", 3)
    assert refreshed(careless.refresh_token).status == 503
    assert refreshed(careless.refresh_token).json["code"] == "session_revoked"


def test_a_lost_answer_does_not_repeat_a_logout(lose: Callable[[str, int], list[str]]) -> None:
    person = register()
    lost = lose("revoked_at", 1)
    assert person.api.post("/v1/auth/logout").status == 204
    assert len(lost) == 1
    assert person.api.get("/v1/auth/account").json["code"] == "session_revoked"
