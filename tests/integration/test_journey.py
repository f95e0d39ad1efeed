"""The journey of the contract through the real handlers: from sign-in to the paper."""

import hashlib
import io
from typing import Any
from urllib.parse import urlsplit

import boto3
import pypdf

from tests.gateway import Api, drain
from tests.integration.conftest import Demo


def test_the_patients_way(demo: Demo) -> None:
    anna = demo.patient("open card, rich")
    services = anna.get("/v1/services?category=health").json["items"]
    assert "electronic-medical-card" in [service["service_id"] for service in services]
    (clinic,) = anna.get("/v1/access").json["clinics"]
    assert clinic["open"]
    (card,) = anna.get("/v1/cards").json["items"]
    assert card["card_id"] == clinic["card_id"]
    path = f"/v1/cards/{card['card_id']}"

    summary = anna.get(f"{path}/summary").json
    assert summary["blood_group"]["label"].startswith("A(II) Rh+")
    assert "Пенициллин" in " ".join(each["text"] for each in summary["allergies"])
    assert {each["code"] for each in summary["chronic_conditions"]} >= {"E11.9"}
    for section in ("visits", "results", "prescriptions"):
        page = anna.get(f"{path}/{section}?limit=100").json
        items = page["items"]
        # One of the demo's reports is preliminary: it is not counted, but said to be pending.
        assert len(items) == card["counts"][section]
        left_out = [card["withheld"], card["pending"]] if section == "results" else [0, 0]
        assert [page["withheld"], page["pending"]] == left_out
        assert [each["date"] for each in items] == sorted((e["date"] for e in items), reverse=True)
        one = anna.get(f"{path}/{section}/{items[0]['record_id']}")
        assert one.json == items[0]


def test_each_kind_of_extract_is_a_paper_with_the_records_on_it(demo: Demo) -> None:
    anna = demo.patient("open card, rich")
    (card,) = anna.get("/v1/cards").json["items"]
    path = f"/v1/cards/{card['card_id']}"
    period = {"from": "2026-01-01", "to": "2026-11-30"}
    for kind, section in (("visit", "visits"), ("results", "results"), ("summary", None)):
        order = {"kind": kind, "language": "ru"} | (period if section else {})
        ready = _ordered(anna, path, order)
        text = _text(ready["url"], ready["sha256"])
        assert "Петрова" in text
        assert "Берёзовая роща" in text
        if section:
            query = f"?from={period['from']}&to={period['to']}"
            newest = anna.get(f"{path}/{section}{query}").json["items"][0]
            words = newest["diagnoses"][0]["code"] if kind == "visit" else newest["title"]
            assert words.split()[0] in text
    named = anna.get(f"{path}/prescriptions?limit=2").json["items"]
    order = {"kind": "prescriptions", "language": "en"}
    ready = _ordered(anna, path, order | {"record_ids": [each["record_id"] for each in named]})
    text = _text(ready["url"], ready["sha256"])
    assert all(each["text"].split(",")[0] in text for each in named)


def test_a_paper_is_checked_by_anybody_and_says_nothing_of_the_patient(demo: Demo) -> None:
    anna = demo.patient("open card, rich")
    (card,) = anna.get("/v1/cards").json["items"]
    path = f"/v1/cards/{card['card_id']}"
    ready = _ordered(anna, path, {"kind": "summary", "language": "ru"})
    by_code = Api().get(f"/v1/verify/{ready['verification_code']}")
    assert by_code.json["status"] == "valid"
    assert set(by_code.json) == {"status", "kind", "clinic", "issued_at", "sha256"}
    assert Api().post("/v1/verify", {"sha256": ready["sha256"]}).json == by_code.json
    assert Api().post("/v1/verify", {"sha256": "0" * 64}).status == 404
    assert anna.delete(f"/v1/extracts/{ready['extract_id']}").status == 204
    assert Api().get(f"/v1/verify/{ready['verification_code']}").json["status"] == "revoked"
    assert anna.get(f"/v1/extracts/{ready['extract_id']}").json["status"] == "revoked"
    assert anna.get(f"/v1/extracts/{ready['extract_id']}/file").status == 404


def test_withdrawal_closes_the_card_at_once_and_takes_the_extracts_back(demo: Demo) -> None:
    maxim = demo.patient("open card, small")
    (card,) = maxim.get("/v1/cards").json["items"]
    path = f"/v1/cards/{card['card_id']}"
    ready = _ordered(maxim, path, {"kind": "summary", "language": "ru"})
    consents = maxim.get("/v1/consents").json["items"]
    active = next(each for each in consents if each["status"] == "active")
    withdrawn = maxim.post(f"/v1/consents/{active['consent_id']}/withdraw")
    assert withdrawn.json["status"] == "withdrawn"
    refused = maxim.get(f"{path}/summary")
    assert (refused.status, refused.json["code"]) == (403, "consent_required")
    assert maxim.get(f"/v1/extracts/{ready['extract_id']}").json["status"] == "revoked"
    assert maxim.get(f"{path}/journal").status == 200  # one's own journal stays readable
    document = maxim.get("/v1/consents/documents/current").json
    given = {"document_version": document["version"], "document_sha256": document["sha256"]}
    assert maxim.post("/v1/consents", given).status == 201
    assert maxim.get(f"{path}/summary").status == 200


def test_the_patient_sees_who_opened_the_card(demo: Demo) -> None:
    anna = demo.patient("open card, rich")
    (card,) = anna.get("/v1/cards").json["items"]
    doctor = demo.worker("clinician of clinic 1")
    headers = {"X-Purpose": "treatment"}
    read = doctor.get(f"/v1/clinic/cards/{card['card_id']}/visits", headers=headers)
    assert read.status == 200
    newest = anna.get(f"/v1/cards/{card['card_id']}/journal?limit=5").json["items"]
    entry = next(each for each in newest if each["actor"]["role"] == "clinician")
    assert entry["actor"]["name"] == "Лебедева Екатерина Викторовна"
    assert entry["section"] == "visits"


def test_an_idempotency_key_orders_once(demo: Demo) -> None:
    anna = demo.patient("open card, rich")
    (card,) = anna.get("/v1/cards").json["items"]
    path = f"/v1/cards/{card['card_id']}/extracts"
    order = {"kind": "summary", "language": "ru"}
    headers = {"Idempotency-Key": "the-same-key"}
    first, second = (anna.post(path, order, headers=headers) for _ in range(2))
    assert first.status == second.status == 202
    assert first.json == second.json
    assert first.headers["location"] == second.headers["location"]
    other = anna.post(path, {"kind": "summary", "language": "en"}, headers=headers)
    assert (other.status, other.json["code"]) == (422, "idempotency_mismatch")


def _ordered(patient: Api, path: str, order: dict[str, Any]) -> dict[str, Any]:
    ordered = patient.post(f"{path}/extracts", order)
    assert ordered.status == 202, ordered
    assert ordered.json["status"] == "pending"
    drain("ExtractsQueue")
    ready: dict[str, Any] = patient.get(ordered.headers["location"]).json
    assert ready["status"] == "ready", ready
    link = patient.get(f"/v1/extracts/{ready['extract_id']}/file")
    assert link.json["expires_in"] <= 300
    return {**ready, "url": link.json["url"]}


def _text(url: str, sha256: str) -> str:
    """The text of the file that the link leads to, whose hash must be the one told."""
    bucket, key = urlsplit(url).path.removeprefix("/").split("/", 1)
    pdf = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert hashlib.sha256(pdf).hexdigest() == sha256
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)
