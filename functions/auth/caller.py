"""Who sends a request, as far as it can be seen from outside."""

from datetime import datetime
from typing import NamedTuple

from auth import policy
from kernel.texts import Language

WEB = "medkarta-web"
APP = "medkarta-app"


class Caller(NamedTuple):
    """`client` is what tokens name as `client_id` (RFC 9068 §2.2)."""

    ip: str
    user_agent: str
    language: Language
    now: datetime
    client: str

    @property
    def is_web(self) -> bool:
        """Whether it is a browser that asked for cookies."""
        return self.client == WEB

    @property
    def network(self) -> str:
        return policy.network(self.ip)
