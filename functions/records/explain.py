"""The answer to «почему не отображается карта»: each step, whose move it is, and whom to ask."""

import re
from collections.abc import Sequence
from typing import Any

from kernel import texts
from kernel.access import Step, StepResult
from kernel.registry import Clinic, Region
from kernel.texts import Language

# Stands for what is not known, until the words around it are taken out with it.
_UNKNOWN = "\x00"
_WITHOUT = re.compile(
    rf" ?\({_UNKNOWN}\)|(?<!:),? ?(?:тел\. |tel\. )?{_UNKNOWN}|(?<=:) ?(?:тел\. |tel\. )?{_UNKNOWN}"
)
_LEFT_OVER = re.compile(r":[\s,]*(?=[.;]|$)|(?<=:),")


def explain(
    results: Sequence[StepResult],
    clinic: Clinic | None,
    region: Region | None,
    language: Language,
) -> list[dict[str, Any]]:
    """The steps in the contract's form; what fails says why, what to do and whom to ask."""
    return [_explained(each, clinic, region, language) for each in results]


def _explained(
    result: StepResult, clinic: Clinic | None, region: Region | None, language: Language
) -> dict[str, Any]:
    step: dict[str, Any] = {"step": result.step.value, "ok": result.ok}
    if result.ok:
        return step | {"message": texts.text(language, f"access.{result.step}.ok")}
    key = _key(result, clinic)
    remedy: dict[str, Any] = {"text": _filled(language, f"access.{key}.remedy", clinic, region)}
    contact = _contact(result.step, clinic, region)
    if contact:
        remedy["contact"] = contact
    return step | {"message": texts.text(language, f"access.{key}.message"), "remedy": remedy}


def _key(result: StepResult, clinic: Clinic | None) -> str:
    if clinic is None and result.step is not Step.ACCOUNT_VERIFIED:
        return "no_clinic"  # until there is a clinic, the other steps cannot be taken
    return "consent_outdated" if result.outdated else result.step.value


def _contact(
    step: Step, clinic: Clinic | None, region: Region | None
) -> dict[str, str | None] | None:
    if step is Step.REGION_CONNECTED and region:
        return {
            "name": region.name,
            "phone": region.support_phone or None,
            "address": None,
            "url": region.support_url or None,
        }
    if clinic:
        return {
            "name": clinic.name,
            "phone": clinic.phone or None,
            "address": clinic.address or None,
            "url": None,
        }
    return None


def _filled(language: Language, key: str, clinic: Clinic | None, region: Region | None) -> str:
    """A text with what is known; what is not known is left out with its punctuation."""
    values = {
        "clinic": clinic.name if clinic else None,
        "address": clinic.address if clinic else None,
        "phone": clinic.phone if clinic else None,
        "region": region.name if region else None,
        "support_phone": region.support_phone if region else None,
        "support_url": region.support_url if region else None,
    }
    known = {name: value or _UNKNOWN for name, value in values.items()}
    return _LEFT_OVER.sub("", _WITHOUT.sub("", texts.text(language, key, **known)))
