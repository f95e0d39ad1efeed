"""The journey of the contract through the real handlers: from sign-in to the paper."""

from typing import Any

from tests.gateway import Api, drain
from tests.integration.conftest import Demo


def test_the_patients_way(demo: Demo) -> None:
    anna = demo.patient("open card, rich")
    services = anna.get("/v1/services?category=health").json["items"]
    assert "electronic-medical-card" in [service["service_id"] for service in services]
    access = anna.get("/v1/access").json["clinics"][0]
    assert access["open"], access
    card = anna.get("/v1/cards").json["items"][0]
    print(card)
    for section in ("summary", "visits", "results", "prescriptions"):
        answer = anna.get(f"/v1/cards/{card['card_id']}/{section}")
        assert answer.status == 200, answer
        print(section, str(answer)[:600])
    ordered = anna.post(
        f"/v1/cards/{card['card_id']}/extracts",
        {"kind": "results", "language": "ru", "from": "2026-01-01", "to": "2026-11-30"},
    )
    assert ordered.status == 202, ordered
    drain("ExtractsQueue")
    one = anna.get(ordered.headers["location"])
    print(one)
    assert one.json["status"] == "ready"
    link = anna.get(f"/v1/extracts/{one.json['extract_id']}/file")
    print(link)
