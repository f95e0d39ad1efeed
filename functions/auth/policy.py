"""The pure rules of signing in: which second steps, which waits, which level."""

import ipaddress
from collections.abc import Sequence
from typing import Literal

from kernel.identity import Level

Method = Literal["sms", "totp", "passkey", "recovery_code"]

# How a session names its methods (RFC 8176, see kernel.accounts).
AMR: dict[str, str] = {
    "sms": "sms",
    "totp": "otp",
    "passkey": "pop",
    "recovery_code": "recovery",
}
# NIST SP 800-63B-4 §3.2.2: no more than 100 consecutive failures of one authenticator.
FAILURES_IN_A_ROW = 100
_LONGEST_WAIT = 900

# Times in seconds. NIST SP 800-63B-4 §2.2.3 (AAL2): an hour idle, a day in all.
SESSION_IDLE = 3600
SESSION_LONGEST = 24 * 3600
# NIST SP 800-63B-4 §5.2 leaves the length of a fresh authentication to us: the contract says so.
FRESH = 600
CHALLENGE = 600
CHALLENGE_TRIES = 5
REPEAT = 30
# Wrong tries in a row of one address after which the person is told.
TOLD_AFTER = 5
# So many such messages a day, from however many addresses they try.
TOLD_A_DAY = 3
RESEND = 30
ENROLMENT = 600
PASSKEYS = 10
# The portal recommends to change the password; nobody is made to (NIST SP 800-63B-4 §3.1.1.2).
PASSWORD_ADVISED_DAYS = 180


def methods(
    *, phone: bool, staff: bool, totp: bool, passkeys: int, recovery_codes: int
) -> list[Method]:
    """The second steps that are offered; `phone`: there is one to send a text message to.

    Workers who have an app or a passkey are not offered the weaker text message; those who have
    neither get in by it to enrol one.
    """
    offered: list[Method] = []
    if phone and not (staff and (totp or passkeys)):
        offered.append("sms")
    if totp:
        offered.append("totp")
    if passkeys:
        offered.append("passkey")
    if recovery_codes:
        offered.append("recovery_code")
    return offered


def amr(first: Sequence[str], method: Method) -> list[str]:
    """The methods of a session after a second step: what it had, this one, and `mfa`."""
    return list(dict.fromkeys([*first, AMR[method], "mfa"]))


def amr_without(methods: Sequence[str], method: Method) -> list[str]:
    """The methods of a session whose authenticator of this kind is bound no more."""
    return [each for each in methods if each != AMR[method]]


def level(snils: str | None) -> Level:
    """The level of a new account, as Госуслуги have them; `verified` is given elsewhere."""
    return "standard" if snils else "simplified"


def delay(failures: int, free: int) -> int:
    """Seconds to wait after so many failures: none for the first ones, then doubling to 15 min."""
    if failures < free:
        return 0
    return min(15 << min(failures - free, 10), _LONGEST_WAIT)


def resend_delay(sends: int, base: int) -> int:
    """Seconds until a text message may be sent again after the `sends`-th one."""
    return min(base << min(sends - 1, 10), _LONGEST_WAIT)


def network(ip: str) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), 64), strict=False).network_address)
    return str(address)
