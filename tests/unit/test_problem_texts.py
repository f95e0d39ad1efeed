"""Situations that share a code are told in words of their own, in both languages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel import texts
from kernel.api import problem
from kernel.errors import AccessStepFailed, Conflict, Forbidden
from kernel.texts import LANGUAGES, Language

FUNCTIONS = Path(__file__).parents[2] / "functions"
TOLD_APART = {"Conflict": Conflict, "Forbidden": Forbidden}


def reasons() -> Iterator[tuple[str, str]]:
    """(class, reason) of every `Conflict("...")` and `Forbidden("...")` in the code."""
    for path in FUNCTIONS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                for given in node.args:
                    if node.func.id in TOLD_APART and isinstance(given, ast.Constant):
                        yield node.func.id, str(given.value)


REASONS = sorted(set(reasons()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_reason_has_words_of_its_own(language: Language) -> None:
    said = [problem(TOLD_APART[name](why), language, "-").body["detail"] for name, why in REASONS]
    said += [problem(each(), language, "-").body["detail"] for each in TOLD_APART.values()]
    assert len(set(said)) == len(REASONS) + len(TOLD_APART)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_words_are_left_without_a_reason(language: Language) -> None:
    known = {f"problem.{TOLD_APART[name].code}.{why}.detail" for name, why in REASONS}
    codes = tuple(f"problem.{each.code}." for each in TOLD_APART.values())
    written = {key for key in texts._catalogue(language) if key.startswith(codes)}
    general = {f"{code}{part}" for code in codes for part in ("title", "detail")}
    assert written - general == known


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "code",
    [
        "region_not_connected",
        "clinic_not_connected",
        "card_not_activated",
        "consent_required",
        "consent_outdated",
    ],
)
def test_a_clinician_is_not_spoken_to_as_the_patient(language: Language, code: str) -> None:
    patients = problem(AccessStepFailed(code), language, "-").body
    clinicians = problem(AccessStepFailed(code, reason="clinician"), language, "-").body
    assert clinicians["code"] == patients["code"] == code
    assert clinicians["detail"] != patients["detail"]
    said = f"{clinicians['title']} {clinicians['detail']}".lower()
    assert not any(words in said for words in ("вашего", "ваше ", "your "))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_goes_as_one_text_message(language: Language) -> None:
    """Each part is paid for: 70 letters that are not all Latin, else 160 (3GPP TS 23.038)."""
    sent = texts.text(language, "sms.code", code="123456", minutes=5)
    assert len(sent) <= (160 if sent.isascii() else 70), sent
