"""The sample sets beside the repository, and which of them every run takes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[2] / "shared" / "data"
SYNTHEA = sorted((DATA / "dev" / "synthea-2019-r4").glob("*.json.gz"))
IPS = sorted((DATA / "dev" / "ips-r4").glob("*.json"))

# A child, and the two smallest of the others: Synthea's patients differ in size, hardly in kind.
_SYNTHEA = ("Bill_Reinger", "Enda_Schaefer", "Kermit_Trantow")
# Of two patients; with lists and absences; of three countries' makers; with what is rejected.
_IPS = (
    "CY_194315",
    "DE_no_info_with_Advance_Directive",
    "EU_Giorgio_Cangioli_02",
    "IPS_IG-bundle-01",
    "NL_Curavista_01",
    "US_MEDITECH_ips_2",
)


def some(paths: Iterable[Path]) -> list[Any]:
    """The files as parameters of a test: a few always, the others where time is no matter."""
    return [
        pytest.param(
            path,
            id=path.stem[:24],
            marks=() if path.name.startswith((*_SYNTHEA, *_IPS)) else pytest.mark.long,
        )
        for path in paths
    ]
