"""The finished file as it lies in the bucket: signed, with its data inside, found by its hash."""

import hashlib
import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pypdf
import pytest
from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import SignatureCoverageLevel, validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from tests.gateway import Api, drain
from tests.integration import desk_world, records_world
from tests.integration.conftest import Demo

PERIOD = {"from": "2026-01-01", "to": "2026-11-30"}
PAPERS: list[tuple[str, dict[str, str], str]] = [
    (kind, period, language)
    for kind, period in (
        ("visit", PERIOD),
        ("results", PERIOD),
        ("prescriptions", PERIOD),
        ("summary", {}),
    )
    for language in ("ru", "en")
]


class Paper:
    """One extract, made, and its file fetched by the link."""

    def __init__(self, patient: Api, kind: str, period: dict[str, str], language: str) -> None:
        (card,) = patient.get("/v1/cards").json["items"]
        self.path = f"/v1/cards/{card['card_id']}"
        order = {"kind": kind, "language": language, **period}
        ordered = patient.post(f"{self.path}/extracts", order)
        assert ordered.status == 202, ordered
        drain("ExtractsQueue")
        self.state: dict[str, Any] = patient.get(ordered.headers["location"]).json
        assert self.state["status"] == "ready", self.state
        self.link: str = patient.get(f"{ordered.headers['location']}/file").json["url"]
        bucket, self.key = urlsplit(self.link).path.removeprefix("/").split("/", 1)
        self.stored = boto3.client("s3").get_object(Bucket=bucket, Key=self.key)
        self.pdf: bytes = self.stored["Body"].read()


@pytest.fixture(scope="module")
def papers(demo: Demo) -> dict[tuple[str, str], Paper]:
    anna = demo.patient("open card, rich")
    return {(kind, lang): Paper(anna, kind, period, lang) for kind, period, lang in PAPERS}


@pytest.fixture(params=[(kind, language) for kind, _, language in PAPERS])
def paper(papers: dict[tuple[str, str], Paper], request: pytest.FixtureRequest) -> Paper:
    return papers[request.param]


def certificates() -> list[x509.Certificate]:
    items = boto3.client("dynamodb").scan(TableName=os.environ["EXTRACTS_TABLE"])["Items"]
    chains = [item["chain"]["L"] for item in items if item["sk"]["S"] == "CERTIFICATE"]
    return [x509.Certificate.load(chain[0]["B"]) for chain in chains]


def signature(pdf: bytes) -> Any:
    (embedded,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    return validate_pdf_signature(embedded, ValidationContext(trust_roots=certificates()))


def test_the_signature_holds_for_the_whole_file(paper: Paper) -> None:
    found = signature(paper.pdf)
    assert found.bottom_line, found.summary()
    assert found.coverage is SignatureCoverageLevel.ENTIRE_FILE
    assert found.md_algorithm == "sha256"
    (embedded,) = PdfFileReader(io.BytesIO(paper.pdf)).embedded_signatures
    assert embedded.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    attributes = {each["type"].native for each in embedded.signer_info["signed_attrs"]}
    assert "signing_certificate_v2" in attributes  # ETSI EN 319 142-1 §6.3, level B-B


def test_a_flipped_byte_breaks_the_signature_and_the_check(
    papers: dict[tuple[str, str], Paper],
) -> None:
    paper = papers["summary", "ru"]
    for place in range(200, len(paper.pdf) - 12_000, len(paper.pdf) // 9):
        forged = bytearray(paper.pdf)
        forged[place] ^= 1
        sha256 = hashlib.sha256(forged).hexdigest()
        assert Api().post("/v1/verify", {"sha256": sha256}).status == 404
        try:
            intact = signature(bytes(forged)).bottom_line
        except Exception:  # it is not even a PDF any more
            intact = False
        assert not intact, place


def test_the_file_is_the_one_that_the_check_knows(paper: Paper) -> None:
    sha256 = hashlib.sha256(paper.pdf).hexdigest()
    assert (sha256, len(paper.pdf)) == (paper.state["sha256"], paper.state["size"])
    assert Api().post("/v1/verify", {"sha256": sha256.upper()}).json["status"] == "valid"
    code = paper.state["verification_code"]
    assert len(code) == 20  # letters and digits of 5 bits each: 100 bits
    grouped = "-".join(code[at : at + 4] for at in range(0, 20, 4))
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(paper.pdf)).pages)
    assert grouped in text.replace("\n", "")
    typed = Api().get(f"/v1/verify/{grouped.lower()}")
    assert typed.json["sha256"] == sha256


def test_the_records_are_inside_and_are_those_of_the_card(
    papers: dict[tuple[str, str], Paper], demo: Demo
) -> None:
    anna = demo.patient("open card, rich")
    for kind, section, count in (
        ("visit", "visits", "Encounter"),
        ("results", "results", "DiagnosticReport"),
        ("prescriptions", "prescriptions", "MedicationRequest"),
    ):
        paper = papers[kind, "ru"]
        query = f"?from={PERIOD['from']}&to={PERIOD['to']}&limit=100"
        items = anna.get(f"{paper.path}/{section}{query}").json["items"]
        inside = pypdf.PdfReader(io.BytesIO(paper.pdf)).attachments["extract.fhir.json"]
        resources = [each["resource"] for each in json.loads(inside[0])["entry"]]
        kinds = [each["resourceType"] for each in resources]
        wanted = [e for e in items if kind != "prescriptions" or e["kind"] == "medication"]
        assert kinds.count(count) == len(wanted) > 0
        assert f"{len(items)}" in _text(paper)


def test_the_text_is_what_the_records_say(
    papers: dict[tuple[str, str], Paper], demo: Demo, tmp_path: Path
) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is missing: apt-get install poppler-utils")
    anna = demo.patient("open card, rich")
    for language in ("ru", "en"):
        for kind, section in (("visit", "visits"), ("prescriptions", "prescriptions")):
            paper = papers[kind, language]
            file = tmp_path / "paper.pdf"
            file.write_bytes(paper.pdf)
            done = subprocess.run(
                ["pdftotext", "-raw", str(file), "-"], capture_output=True, check=True
            )
            words = set(done.stdout.decode().split())
            query = f"?from={PERIOD['from']}&to={PERIOD['to']}&limit=100"
            for item in anna.get(f"{paper.path}/{section}{query}").json["items"]:
                said = [item.get("complaints"), item.get("text"), item.get("dosage")]
                said += [each["text"] for each in item.get("diagnoses", ())]
                said += [each["text"] for each in item.get("orders", ())]
                for text in filter(None, said):
                    missing = [word for word in text.split() if word not in words]
                    assert not missing, (kind, language, missing)


def test_the_claims_still_hold_after_signing(paper: Paper, tmp_path: Path) -> None:
    validation = pytest.importorskip("page")
    for profile in ("3a", "ua1"):
        report = validation.validate_pdf_bytes(paper.pdf, profile=profile)
        assert {each.rule_id for each in report.failures} <= {"PDFA3A-STREAM-LENGTH-001"}
    qpdf = shutil.which("qpdf")
    if qpdf is None:
        pytest.skip("qpdf is missing: apt-get install qpdf")
    file = tmp_path / "paper.pdf"
    file.write_bytes(paper.pdf)
    done = subprocess.run([qpdf, "--check", str(file)], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


def test_care_for_the_file(paper: Paper) -> None:
    assert paper.stored["ServerSideEncryption"] == "aws:kms"
    assert paper.stored["SSEKMSKeyId"] == os.environ["EXTRACTS_KEY_ID"]
    extract_id, code = paper.state["extract_id"], paper.state["verification_code"]
    assert not any(part in paper.key for part in (extract_id, code, paper.state["card_id"]))
    query = parse_qs(urlsplit(paper.link).query)
    assert int(query["X-Amz-Expires"][0]) <= 300
    (disposition,) = query["response-content-disposition"]
    assert 'filename="extract.pdf"' in disposition
    assert disposition.isascii()
    assert "Петрова" not in disposition


def test_the_address_on_the_paper_opens_a_page_in_a_browser(
    papers: dict[tuple[str, str], Paper],
) -> None:
    code = papers["visit", "ru"].state["verification_code"]
    accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = Api().get(f"/v1/verify/{code}", headers=accept)
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "script" not in page.text
    assert "подлинная" in page.text
    assert "Петрова" not in page.text
    unknown = Api(language="en").get("/v1/verify/AAAABBBBCCCCDDDDEEEE", headers=accept)
    assert (unknown.status, "no such extract" in unknown.text) == (404, True)


def test_every_order_and_every_fetch_is_in_the_journal(demo: Demo) -> None:
    anna = demo.patient("open card, rich")
    (card,) = anna.get("/v1/cards").json["items"]

    seen: set[str] = set()

    def added() -> int:
        """Entries of extracts since the last call; the card is shared, its journal long."""
        items = anna.get(f"/v1/cards/{card['card_id']}/journal?limit=50").json["items"]
        new = [each for each in items if each["entry_id"] not in seen]
        seen.update(each["entry_id"] for each in items)
        return sum(each["section"] == "extracts" for each in new)

    added()
    made = Paper(anna, "summary", {}, "ru")  # an order and a fetch
    assert added() == 2
    assert anna.get(f"/v1/extracts/{made.state['extract_id']}/file").status == 200
    assert anna.delete(f"/v1/extracts/{made.state['extract_id']}").status == 204
    assert added() == 2


def test_no_known_allergies_is_said_only_where_nothing_may_contradict_it(aws: None) -> None:
    card = records_world.OpenCard(desk_world.clinic())
    known = "Известных аллергий нет: «Аллергоанамнез не отягощён»"
    unknown = "Сведений об аллергии в выписке нет"
    assert unknown in _text(Paper(card.patient, "summary", {}, "ru"))
    card.send(_allergy("none", "Аллергоанамнез не отягощён"))
    assert known in _text(Paper(card.patient, "summary", {}, "ru"))
    card.send(_allergy("one", "Пенициллин"))
    text = _text(Paper(card.patient, "summary", {}, "ru"))
    assert "Пенициллин" in text
    assert known not in text
    (allergy,) = card.get("summary").json["allergies"]
    path = f"/v1/cards/{card.card_id}/records/{allergy['record_id']}/hidden"
    assert card.patient.put(path).status == 200
    text = _text(Paper(card.patient, "summary", {}, "ru"))
    assert (known in text, unknown in text, "Пенициллин" in text) == (False, True, False)


def _allergy(name: str, text: str) -> dict[str, Any]:
    return {
        "resourceType": "AllergyIntolerance",
        "id": name,
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"text": text},
        "patient": {"reference": "Patient/me"},
        "recordedDate": "2026-10-05",
    }


def _text(paper: Paper) -> str:
    pages = pypdf.PdfReader(io.BytesIO(paper.pdf)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())
