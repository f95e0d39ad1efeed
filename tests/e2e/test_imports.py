"""Imports, documents and large sources on the whole system: form, S3, queue, worker, roles."""

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from local import stack
from tests.cda import Consultation

PEOPLE = json.loads((Path(stack.__file__).parent / "demo" / "people.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def doctor(running: stack.Running) -> Iterator[httpx.Client]:
    """The clinician of clinic 1, signed in."""
    assert running.demo is not None
    accounts = running.demo["accounts"]
    account = next(a for a in accounts if a["note"].startswith("clinician of clinic 1"))
    with httpx.Client(base_url=running.base_url, timeout=30, trust_env=False) as client:
        login = {"login": account["login"], "password": account["password"]}
        challenge = ok(client.post("/v1/auth/login", json=login))["challenge_id"]
        app = pyotp.TOTP(account["totp_secret"])
        path = f"/v1/auth/challenges/{challenge}/verify"
        for wait in (30, 60):  # a step that was used already serves no more
            code = app.at(time.time() + wait)
            answer = client.post(path, json={"method": "totp", "code": code})
            if answer.status_code == 200:
                break
            time.sleep(30)
        client.headers["Authorization"] = f"Bearer {ok(answer)['access_token']}"
        yield client


@pytest.fixture(scope="module")
def person() -> dict[str, Any]:
    """The demo's patient whose card is open."""
    found: dict[str, Any] = next(p for p in PEOPLE["patients"] if p["snils"])
    return found


@pytest.fixture(scope="module")
def card(doctor: httpx.Client, person: dict[str, Any]) -> str:
    found = ok(doctor.post("/v1/clinic/cards/search", json={"snils": person["snils"]}))
    return f"/v1/clinic/cards/{found['items'][0]['card_id']}"


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def visits(count: int, mark: str) -> bytes:
    entries = [
        {
            "resource": {
                "resourceType": "Encounter",
                "id": f"{mark}-{n}",
                "status": "finished",
                "class": {"code": "AMB"},
                "type": [{"text": f"Приём {n}"}],
                "period": {"start": f"2019-{n % 12 + 1:02}-{n % 28 + 1:02}T10:00:00+03:00"},
            }
        }
        for n in range(count)
    ]
    return json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()


def wait_for(doctor: httpx.Client, path: str) -> Any:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        state = ok(doctor.get(path))
        if state["status"] in ("done", "failed"):
            return state
        time.sleep(0.5)
    raise AssertionError("the import did not end")


def test_an_uploaded_file_is_taken_by_the_worker(doctor: httpx.Client, card: str) -> None:
    ordered = ok(doctor.post(f"{card}/imports"), 201)
    path = f"{card}/imports/{ordered['import_id']}"
    assert ok(doctor.get(path))["status"] == "waiting"
    form = ordered["upload"]
    file = {"file": ("bundle.json", visits(300, secrets.token_hex(4)), "application/fhir+json")}
    sent = httpx.post(form["url"], data=form["fields"], files=file, trust_env=False, timeout=30)
    assert sent.status_code in (200, 204), sent.text
    done = wait_for(doctor, path)
    assert (done["status"], done["created"], done["rejected"]) == ("done", 300, [])


def test_the_form_takes_nothing_else(doctor: httpx.Client, card: str) -> None:
    form = ok(doctor.post(f"{card}/imports"), 201)["upload"]
    file = {"file": ("bundle.json", b"{}", "application/fhir+json")}
    for changed in ({"key": "payloads/x"}, {"Content-Type": "text/html"}):
        fields = {**form["fields"], **changed}
        refused = httpx.post(form["url"], data=fields, files=file, trust_env=False)
        assert refused.status_code == 403, refused.text


def test_a_document_and_a_large_source_go_in_under_the_functions_role(
    doctor: httpx.Client, card: str, person: dict[str, Any]
) -> None:
    born = person["birth_date"].replace("-", "")
    number = secrets.token_hex(4)
    document = Consultation(person["snils"], born, number=number, set_number=number)
    headers = {"Content-Type": "application/xml"}
    answer = ok(doctor.post(f"{card}/cda", content=str(document), headers=headers))
    assert answer["rejected"] == []
    assert answer["created"] > 3
    large = {
        "resourceType": "DocumentReference",
        "id": number,
        "status": "current",
        "description": secrets.token_hex(300_000),
        "content": [{"attachment": {"contentType": "application/pdf"}}],
    }
    for date in ("2026-01-01", "2026-01-02", "2026-01-03"):
        sent = doctor.post(f"{card}/fhir", json={**large, "date": f"{date}T00:00:00Z"})
        assert ok(sent)["kept"] == 1


def test_ops_erase_a_card(running: stack.Running, doctor: httpx.Client, card: str) -> None:
    client = running.deployed.client("lambda")
    event = {"card_id": card.rpartition("/")[2], "order": "№ 1", "by": "проверка"}
    try:
        answer = client.invoke(
            FunctionName=running.deployed.resources["EraseFunction"],
            Payload=json.dumps({**event, "card_id": "nobody"}).encode(),
        )
        with answer["Payload"] as payload:
            assert "no such card" in payload.read().decode()
    finally:
        client.close()
