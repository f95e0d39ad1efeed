"""The access answer: every step in both languages, with whom to ask."""

import itertools
import re

import pytest

from kernel import texts
from kernel.access import ClinicFacts, Step, StepResult, steps
from kernel.identity import ClinicId
from kernel.registry import Clinic, Region
from kernel.texts import LANGUAGES, Language
from records.explain import explain

CLINIC = Clinic(
    clinic_id=ClinicId("p5"),
    name="Поликлиника № 5",
    region="RU-MOW",
    phone="+7 495 000-00-05",
    address="Москва, Лесная ул., 5",
    connected=True,
)
REGION = Region("RU-MOW", "Москва", True, "+7 495 000-00-01", "https://help.example")
BARE_REGION = Region("RU-MOW", "Москва", False, None, None)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("step", list(Step))
def test_a_step_that_is_true_says_so_and_asks_nothing(step: Step, language: Language) -> None:
    (answer,) = explain([StepResult(step, True)], CLINIC, REGION, language)
    message = texts.text(language, f"access.{step}.ok")
    assert answer == {"step": step.value, "ok": True, "message": message}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("step", list(Step))
def test_a_step_that_fails_says_why_what_to_do_and_whom_to_ask(
    step: Step, language: Language
) -> None:
    (answer,) = explain([StepResult(step, False)], CLINIC, REGION, language)
    assert answer["step"] == step.value
    assert answer["ok"] is False
    assert answer["message"] == texts.text(language, f"access.{step}.message")
    # Everything is known, so the text is exactly the catalogue's.
    assert answer["remedy"]["text"] == texts.text(
        language,
        f"access.{step}.remedy",
        clinic=CLINIC.name,
        address=CLINIC.address,
        phone=CLINIC.phone,
        region=REGION.name,
        support_phone=REGION.support_phone,
        support_url=REGION.support_url,
    )
    contact = answer["remedy"]["contact"]
    if step is Step.REGION_CONNECTED:
        assert contact["phone"] == REGION.support_phone
        assert contact["url"] == REGION.support_url
    else:
        assert contact["name"] == CLINIC.name
        assert contact["phone"] == CLINIC.phone
        assert contact["address"] == CLINIC.address


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_outdated_consent_has_words_of_its_own(language: Language) -> None:
    facts = ClinicFacts(True, True, True, True, "outdated")
    answer = explain(steps("verified", facts), CLINIC, REGION, language)[-1]
    assert answer["step"] == "consent_given"
    assert answer["message"] == texts.text(language, "access.consent_outdated.message")
    assert CLINIC.phone in answer["remedy"]["text"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_clinic_the_move_is_to_choose_one(language: Language) -> None:
    answer = explain(steps("verified", None), None, None, language)
    assert [a["ok"] for a in answer] == [True, False, False, False, False, False]
    for each in answer[1:]:
        assert each["message"] == texts.text(language, "access.no_clinic.message")
        assert each["remedy"] == {"text": texts.text(language, "access.no_clinic.remedy")}


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_clinic_and_unverified_verification_comes_first(language: Language) -> None:
    first = explain(steps("simplified", None), None, None, language)[0]
    assert first["message"] == texts.text(language, "access.account_verified.message")
    assert "contact" not in first["remedy"]


def _parts() -> list[tuple[Clinic | None, Region | None]]:
    clinics: list[Clinic | None] = [None]
    clinics += [
        CLINIC._replace(phone=phone, address=address)
        for phone, address in itertools.product(("", CLINIC.phone), ("", CLINIC.address))
    ]
    regions: list[Region | None] = [None, BARE_REGION, REGION]
    regions += [REGION._replace(support_phone=None), REGION._replace(support_url=None)]
    return list(itertools.product(clinics, regions))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("step", list(Step))
def test_what_is_not_known_leaves_no_hole_in_the_sentence(step: Step, language: Language) -> None:
    for clinic, region in _parts():
        for outdated in (False, True):
            (answer,) = explain([StepResult(step, False, outdated)], clinic, region, language)
            text = answer["remedy"]["text"]
            assert not re.search(r"None|\x00|[{}]|\(\)|,,|, ?\.|: ?[.,]|  |\s[,.]|,\S", text), text
            assert not re.search(r"(тел|tel)\.(?! \+7)", text), text
            assert text.endswith("."), text


def test_the_region_is_asked_only_by_what_is_known() -> None:
    (answer,) = explain([StepResult(Step.REGION_CONNECTED, False)], CLINIC, BARE_REGION, "ru")
    assert answer["remedy"]["text"] == (
        "От вас ничего не требуется: подключением занимается регион (Москва). Узнать о сроках "
        "можно в службе поддержки региона. До подключения выписку из карты можно получить в "
        "поликлинике: Поликлиника № 5, тел. +7 495 000-00-05."
    )
