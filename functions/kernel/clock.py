"""Time as the contract writes it."""

from datetime import UTC, datetime


def now() -> datetime:
    """This moment in UTC, to the second as the contract shows it."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """`2026-03-01T09:30:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_epoch(seconds: int) -> str:
    """RFC 3339 of a Unix time in seconds."""
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


def epoch(moment: datetime) -> int:
    """Unix time in whole seconds."""
    return int(moment.timestamp())
