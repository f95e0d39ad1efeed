"""Each of the six access steps failing: its own code, message and remedy, in both languages."""

import pytest

from tests.gateway import Api
from tests.integration.conftest import Demo

ORDER = [
    "account_verified",
    "region_connected",
    "clinic_connected",
    "attached",
    "card_activated",
    "consent_given",
]
CASES = [
    ("region_connected fails", "region_connected", "region_not_connected"),
    ("clinic_connected fails", "clinic_connected", "clinic_not_connected"),
    ("attached fails", "attached", "not_attached"),
    ("consent_given fails", "consent_given", "consent_required"),
]


@pytest.mark.parametrize(("note", "step", "code"), CASES)
def test_one_failing_step_closes_the_card_by_its_own_code(
    demo: Demo, note: str, step: str, code: str
) -> None:
    patient = demo.patient(note)
    (clinic,) = patient.get("/v1/access").json["clinics"]
    assert not clinic["open"]
    assert [each["step"] for each in clinic["steps"]] == ORDER
    assert [each["step"] for each in clinic["steps"] if not each["ok"]] == [step]
    refused = patient.get(f"/v1/cards/{clinic['card_id']}/summary")
    assert (refused.status, refused.json["code"]) == (403, code)
    assert refused.json["support"]["phone"]
    ordered = patient.post(
        f"/v1/cards/{clinic['card_id']}/extracts", {"kind": "summary", "language": "ru"}
    )
    assert (ordered.status, ordered.json["code"]) == (403, code)
    assert patient.get("/v1/cards").json["items"] == []


def test_a_card_that_is_not_activated_has_no_id_and_says_so(demo: Demo) -> None:
    patient = demo.patient("card_activated fails")
    (clinic,) = patient.get("/v1/access").json["clinics"]
    assert "card_id" not in clinic
    assert [each["step"] for each in clinic["steps"] if not each["ok"]] == ["card_activated"]


def test_an_unverified_account_is_told_to_verify_whatever_card_it_asks_for(demo: Demo) -> None:
    patient = demo.patient("account_verified fails")
    (clinic,) = patient.get("/v1/access").json["clinics"]
    assert clinic["clinic"] is None
    assert clinic["steps"][0]["step"] == "account_verified"
    assert not clinic["steps"][0]["ok"]
    card_id = demo.patient("open card, rich").get("/v1/cards").json["items"][0]["card_id"]
    for any_card in (card_id, "unknown"):
        refused = patient.get(f"/v1/cards/{any_card}/visits")
        assert (refused.status, refused.json["code"]) == (403, "account_not_verified")


@pytest.mark.parametrize("note", [case[0] for case in CASES] + ["card_activated fails"])
def test_what_fails_is_explained_in_both_languages(demo: Demo, note: str) -> None:
    patient = demo.patient(note)
    texts = {}
    for language, alphabet in (("ru", "абвгдеёжзиклмнопрстуфхцчшщыэюя"), ("en", "abcdefghijk")):
        patient.language = language
        (clinic,) = patient.get("/v1/access").json["clinics"]
        (failed,) = [each for each in clinic["steps"] if not each["ok"]]
        assert set(failed["message"].lower()) & set(alphabet)
        assert failed["remedy"]["text"]
        assert failed["remedy"]["contact"]["phone"]
        assert "{" not in failed["message"] + failed["remedy"]["text"]
        texts[language] = failed["message"]
    assert texts["ru"] != texts["en"]


def test_somebody_elses_card_and_an_unknown_one_are_not_found(demo: Demo) -> None:
    maxim = demo.patient("open card, small")
    annas = demo.patient("open card, rich").get("/v1/cards").json["items"][0]["card_id"]
    for card_id in (annas, "unknown", "x" * 3000):
        refused = maxim.get(f"/v1/cards/{card_id}/summary")
        assert (refused.status, refused.json["code"]) == (404, "not_found")


def test_a_clinician_of_another_clinic_cannot_tell_whether_a_card_exists(demo: Demo) -> None:
    stranger = demo.worker("clinician of clinic 2")
    annas = demo.patient("open card, rich").get("/v1/cards").json["items"][0]["card_id"]
    answers = [stranger.get(f"/v1/clinic/cards/{c}/summary") for c in (annas, "unknown")]
    assert [(a.status, a.json["code"]) for a in answers] == [(403, "forbidden")] * 2
    shown = [{k: v for k, v in a.json.items() if k != "request_id"} for a in answers]
    assert shown[0] == shown[1]


def test_without_a_token_everything_closed_is_closed(demo: Demo) -> None:
    for path in ("/v1/access", "/v1/cards", "/v1/cards/x/visits", "/v1/extracts", "/v1/consents"):
        assert Api().get(path).status == 401
        assert Api(token="a.b.c").get(path).status == 401
