"""Logging by allow-list: only these fields ever leave the process, whatever a caller passes.

Powertools writes the line as JSON. Nothing is appended to the logger, so nothing of one invocation
can stand in the lines of the next.
"""

import traceback
from functools import cache
from pathlib import PurePath

from aws_lambda_powertools import Logger

ALLOWED = frozenset(
    {
        "account_id",
        "action",
        "attempt",
        "card_id",
        "clinic_id",
        "code",
        "consent_id",
        "count",
        "duration_ms",
        "exception",
        "extract_id",
        "frames",
        "import_id",
        "kind",
        "message_id",
        "method",
        "outcome",
        "purpose",
        "request_id",
        "route",
        "session_id",
        "status",
    }
)


@cache
def _logger() -> Logger:
    return Logger(service="medkarta", utc=True, location="")


def info(message: str, **fields: object) -> None:
    """One line of what happened. `message` is a constant of the code, never a value.

    Raises:
        ValueError: a field is not on the allow-list.
    """
    _logger().info(message, extra=_checked(fields))


def failure(message: str, error: BaseException, **fields: object) -> None:
    """One line of what went wrong: the exception's class and where, never its text or values."""
    frames = [
        f"{PurePath(frame.filename).name}:{frame.lineno}:{frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-8:]
    ]
    fields |= {"exception": type(error).__name__, "frames": frames}
    _logger().error(message, extra=_checked(fields))


def _checked(fields: dict[str, object]) -> dict[str, object]:
    unknown = fields.keys() - ALLOWED
    if unknown:
        raise ValueError(f"not allowed in a log: {sorted(unknown)}")
    return fields
