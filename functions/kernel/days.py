"""Days as the contract writes them: `YYYY-MM-DD`, and nothing that merely means one."""

import re
from datetime import date


def read(text: str) -> date | None:
    """The day; None where it is not written like one, or there is no such day."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
