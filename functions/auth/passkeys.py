"""Passkeys (WebAuthn Level 3), judged by the `webauthn` library; user verification is required.

A passkey is bound to the portal's host name: a page of another host cannot ask for it, and so
nobody can be talked into giving it away (NIST SP 800-63B-4 §3.2.5, phishing resistance).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from auth.repository import Account
from kernel import log
from kernel.errors import CodeInvalid
from kernel.signatures import b64url

NAME = "Medkarta"


class NewPasskey(NamedTuple):
    """A passkey whose making was checked. `passkey_id` is the credential's id, base64url."""

    passkey_id: str
    public_key: bytes
    sign_count: int


class UsedPasskey(NamedTuple):
    """A passkey that answered; counters of zero mean that it keeps none."""

    passkey_id: str
    old_count: int
    new_count: int


class Passkeys:
    """The relying party. `origins` are the portal's; the first one's host is its id."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = list(origins)
        self._id = urlsplit(origins[0]).hostname or ""

    def registration_options(self, account: Account, name: str) -> tuple[dict[str, Any], bytes]:
        """Options for `navigator.credentials.create()`, and the challenge to remember."""
        import webauthn  # on first use: most requests need none of it
        from webauthn.helpers import base64url_to_bytes, structs

        options = webauthn.generate_registration_options(
            rp_id=self._id,
            rp_name=NAME,
            user_id=account.account_id.encode(),
            user_name=name,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.PREFERRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[
                structs.PublicKeyCredentialDescriptor(id=base64url_to_bytes(each))
                for each in account.passkeys
            ],
        )
        return json.loads(webauthn.options_to_json(options)), options.challenge

    def registered(self, credential: Mapping[str, Any], challenge: bytes) -> NewPasskey:
        """Check what an authenticator made for `challenge`.

        Raises:
            CodeInvalid
        """
        import webauthn

        try:
            found = webauthn.verify_registration_response(
                credential=dict(credential),
                expected_challenge=challenge,
                expected_rp_id=self._id,
                expected_origin=self._origins,
                require_user_verification=True,
            )
        except Exception as error:  # the library lets parsers' errors of all kinds through
            raise _refused(error) from error
        return NewPasskey(
            b64url(found.credential_id), found.credential_public_key, found.sign_count
        )

    def authentication_options(self, passkey_ids: Sequence[str]) -> tuple[dict[str, Any], bytes]:
        """Options for `navigator.credentials.get()`, and the challenge to remember."""
        import webauthn
        from webauthn.helpers import base64url_to_bytes, structs

        options = webauthn.generate_authentication_options(
            rp_id=self._id,
            allow_credentials=[
                structs.PublicKeyCredentialDescriptor(id=base64url_to_bytes(each))
                for each in passkey_ids
            ],
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )
        return json.loads(webauthn.options_to_json(options)), options.challenge

    def authenticated(
        self, credential: Mapping[str, Any], challenge: bytes, account: Account
    ) -> UsedPasskey:
        """Check a passkey's answer to `challenge`.

        Raises:
            CodeInvalid
        """
        import webauthn

        passkey_id = str(credential.get("id"))
        known = account.passkeys.get(passkey_id)
        if known is None:
            raise CodeInvalid
        try:
            found = webauthn.verify_authentication_response(
                credential=dict(credential),
                expected_challenge=challenge,
                expected_rp_id=self._id,
                expected_origin=self._origins,
                credential_public_key=known["public_key"],
                credential_current_sign_count=known["sign_count"],
                require_user_verification=True,
            )
        except Exception as error:  # the library lets parsers' errors of all kinds through
            raise _refused(error) from error
        return UsedPasskey(passkey_id, known["sign_count"], found.new_sign_count)


def _refused(error: Exception) -> CodeInvalid:
    log.info("passkey refused", exception=type(error).__name__)
    return CodeInvalid()
