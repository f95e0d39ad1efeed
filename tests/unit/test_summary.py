"""The summary: its entries put together."""

from typing import Any

import pytest

from kernel.summary import summary_of


def condition(code: str | None, since: str | None, text: str = "Диабет") -> dict[str, Any]:
    return {"entry": "condition", "system": "s", "code": code, "text": text, "since": since}


def test_a_condition_that_several_visits_state_is_shown_once_since_its_first() -> None:
    entries = [
        condition("E11", "2026-01-01"),
        condition("I10", None),
        condition("E11", "2024-05-01"),
    ]
    shown = summary_of(entries, "ru")["chronic_conditions"]
    assert [(each["code"], each["since"]) for each in shown] == [
        ("E11", "2024-05-01"),
        ("I10", None),
    ]


def test_conditions_without_a_code_are_told_apart_by_their_text() -> None:
    entries = [condition(None, None, "Астма"), condition(None, None, "Мигрень")]
    assert len(summary_of(entries, "ru")["chronic_conditions"]) == 2


@pytest.mark.parametrize(
    ("entries", "label"),
    [
        ([{"abo": "A"}, {"rhesus": "+"}], "A(II) Rh+ — вторая положительная"),
        ([{"abo": "O", "rhesus": "-"}], "0(I) Rh− — первая отрицательная"),
        ([{"rhesus": "+"}], "Rh+ — резус-фактор положительный, группа не указана"),
    ],
)
def test_the_blood_group_is_put_together(entries: list[dict[str, str]], label: str) -> None:
    group = summary_of([{"entry": "blood_group", **each} for each in entries], "ru")["blood_group"]
    assert group["label"] == label


def test_nothing_known_is_said_as_such() -> None:
    assert summary_of([], "ru") == {
        "blood_group": None,
        "allergies": [],
        "no_known_allergies": False,
        "chronic_conditions": [],
    }
    assert summary_of([{"entry": "no_known_allergy"}], "ru")["no_known_allergies"]
