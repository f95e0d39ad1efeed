"""docs/intake.md and the code say the same of every R4 resource type."""

import re
from pathlib import Path

from clinic.fhir.errors import MESSAGES
from clinic.fhir.mapping import MAKERS
from clinic.fhir.r4_elements import ELEMENTS
from clinic.fhir.resource_types import KEPT_REASONS, TREATMENTS

DOCUMENT = (Path(__file__).parents[3] / "docs" / "intake.md").read_text("utf-8")


def test_the_table_names_each_type_once_with_what_becomes_of_it() -> None:
    rows = re.findall(r"^\| (shown|kept|rejected) \| ([\w, ]+) \| ([\w, ]+) \|$", DOCUMENT, re.M)
    told = [(name, fate, why) for fate, names, why in rows for name in names.split(", ")]
    assert sorted(told) == sorted((name, *treatment) for name, treatment in TREATMENTS.items())
    assert len(TREATMENTS) == 146


def test_what_is_shown_has_a_maker_and_is_validated() -> None:
    shown = {name for name, treatment in TREATMENTS.items() if treatment.fate == "shown"}
    assert shown == set(MAKERS)
    assert shown <= set(ELEMENTS)


def test_every_code_is_documented() -> None:
    for code in {*MESSAGES, *KEPT_REASONS}:
        assert f"`{code}`" in DOCUMENT, code
