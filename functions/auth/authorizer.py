"""The gateway's Lambda authorizer: is this an access token of ours? No table is read here.

Its answer may be cached for minutes and covers every route of the stage: whether the session still
lives, and what its person may do, the gate reads at every request.
"""

import json
from collections.abc import Mapping
from typing import Any

from auth import tokens
from auth.settings import TokenSettings
from kernel import aws, clock, log, settings
from kernel.errors import MedkartaError

_settings = settings.load(TokenSettings)
aws.prime()
_keys = tokens.KeySet(_settings.token_key_id, _settings.second_token_key_id)
_HANDED_ON = ("sub", "sid", "exp", "patient_id", "clinics", "level", "roles", "amr")


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Answer API Gateway's REQUEST authorizer event.

    Raises:
        Exception: with the text `Unauthorized`, which the gateway makes a 401 of.
    """
    try:
        claims = tokens.verify(_bearer(event), _keys, _settings, clock.now())
    except Exception as error:
        if not isinstance(error, MedkartaError):
            log.failure("authorizer failed", error)
        raise Exception("Unauthorized") from None
    stage = "/".join(str(event["methodArn"]).split("/")[:2])
    return {
        "principalId": claims["sub"],
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{stage}/*"}
            ],
        },
        "context": {"claims": json.dumps({k: claims[k] for k in _HANDED_ON if k in claims})},
    }


def _bearer(event: Mapping[str, Any]) -> str:
    """The token of the one Authorization header (RFC 6750 §2.1); anything else gives nothing."""
    values = [
        value
        for name, values in (event.get("multiValueHeaders") or {}).items()
        if name.lower() == "authorization"
        for value in values
    ]
    if not values:
        headers = event.get("headers") or {}
        values = [v for name, v in headers.items() if name.lower() == "authorization"]
    if len(values) != 1:
        return ""
    scheme, _, token = values[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
