"""Both sample sets over HTTP into a running `make run`, and every resource of them accounted for.

    python -m tests.sets [--port N]

Each of the 24 Synthea patients and 27 IPS summaries becomes a person of their own: an account by
text message, verified at the desk of clinic 1, a card, a consent given by themselves. Its Bundle
is sent by the clinician; then the card is read as FHIR and as JSON, by doctor and patient, and:
- each resource is found in a section, or kept or rejected for the reason that the documents name;
- what is read is what was sent, whole, and its references lead to what they led to;
- the same Bundle again changes nothing: neither numbers nor a byte of any page, and no change
  is told to those who keep a copy.
Prints one line a Bundle and the table of what became of each type; the first difference ends it.
"""

import argparse
import contextlib
import gzip
import json
import secrets
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pyotp

sys.path.insert(0, str(Path(__file__).parent.parent / "functions"))

from clinic.fhir import bundle as parsing
from clinic.fhir.mapping import derive
from clinic.fhir.resource_types import KEPT_REASONS, TREATMENTS
from kernel import snils
from kernel.terminology import ICD10
from local.demo.load import Session
from tests import samples

# ruff: noqa: T201

Json = dict[str, Any]
PATHS = [*samples.SYNTHEA, *samples.IPS]
# Two patients of one Bundle, or one with facts of another: refused whole.
ABOUT_TWO = {"CY_194315", "CY_Andreas_Ioannou_01"}
SECTIONS = ("summary", "visits", "results", "prescriptions")
FHIR = {"Accept": "application/fhir+json"}
_ICD10_NAMES = (f"urn:oid:{ICD10}", "http://hl7.org/fhir/sid/icd-10")


@dataclass
class Report:
    """What became of the resources: by type, then by fate."""

    fates: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    bundles: int = 0
    references: Counter[str] = field(default_factory=Counter)

    def table(self) -> str:
        lines = ["| resource | sent | became |", "| --- | ---: | --- |"]
        for kind in sorted(self.fates):
            became = ", ".join(f"{fate} {n:,}" for fate, n in self.fates[kind].most_common())
            lines.append(f"| {kind} | {self.fates[kind].total():,} | {became} |")
        return "\n".join(lines)

    def total(self) -> int:
        return sum(counter.total() for counter in self.fates.values())


class Client:
    """One person at the API, with tokens that are renewed before they end."""

    def __init__(self, session: Session, http: httpx.Client) -> None:
        self.session = session
        self._http = http
        self._since = time.monotonic()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        if time.monotonic() - self._since > 400:
            self.session.refresh()
            self._since = time.monotonic()
        return self._http.request(method, path, **options)

    def ok(self, method: str, path: str, body: Json | None = None, **options: Any) -> Json:
        answer = self.request(method, path, json=body, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:800]}"
        return json.loads(answer.content) if answer.content else {}


class Clinic:
    """Clinic 1 of the demo: its desk and its doctor."""

    def __init__(self, base_url: str, opened: contextlib.ExitStack) -> None:
        self._base_url, self._opened = base_url, opened
        accounts = self._get("/_local/demo")["accounts"]
        self.desk = self._worker(accounts, "registrar of clinic 1")
        self.doctor = self._worker(accounts, "clinician of clinic 1")
        self._phones = iter(range(secrets.randbelow(900) * 10_000, 10_000_000))

    def _get(self, path: str, **query: str) -> Any:
        return httpx.get(
            f"{self._base_url}{path}", params=query, trust_env=False, timeout=60
        ).json()

    def _session(self, person: Json) -> Client:
        headers = {"User-Agent": "Medkarta sets"}
        http = self._opened.enter_context(
            httpx.Client(base_url=self._base_url, timeout=120, trust_env=False, headers=headers)
        )
        return Client(
            Session(http, lambda to: list(self._get("/_local/outbox", to=to)), person), http
        )

    def _worker(self, accounts: list[Json], note: str) -> Client:
        account = next(a for a in accounts if a["note"].startswith(note))
        client = self._session({"phone": account["login"], "password": account["password"]})
        app = pyotp.TOTP(account["totp_secret"])
        for _ in range(4):
            try:
                # The next time step is accepted too; one that somebody used before serves no more.
                client.session.sign_in(app.at(time.time() + 30))
                return client
            except RuntimeError:
                time.sleep(25)
        raise AssertionError(f"cannot sign in as {note}")

    def patient(self, birth_date: str) -> tuple[Client, str]:
        """A new person with an open card: their client, and the card's id."""
        number = f"{secrets.randbelow(800_000_000) + 100_000_000:09}"
        person = {
            "snils": number + snils.check_digits(number),
            "last_name": "Образцов",
            "first_name": "Пример",
            "birth_date": birth_date,
        }
        phone = f"+7999{next(self._phones):07}"
        client = self._session({**person, "phone": phone, "password": secrets.token_urlsafe(16)})
        client.session.register()
        desk = self.desk
        patient_id = desk.ok("POST", "/v1/clinic/patients", {**person, "sex": "male"})["patient_id"]
        desk.ok("POST", "/v1/clinic/accounts/verify/start", {"phone": phone})
        checked = {
            "phone": phone,
            "code": client.session.next_code(),
            "snils": person["snils"],
            "document_checked": True,
        }
        desk.ok("POST", "/v1/clinic/accounts/verify", checked)
        client.session.refresh()
        desk.ok("PUT", f"/v1/clinic/patients/{patient_id}/attachment", {})
        card_id = desk.ok("POST", f"/v1/clinic/patients/{patient_id}/card")["card_id"]
        document = client.ok("GET", "/v1/consents/documents/current")
        given = {"document_version": document["version"], "document_sha256": document["sha256"]}
        client.ok("POST", "/v1/consents", given)
        return client, card_id


def run(base_url: str, paths: Iterable[Path] = PATHS) -> Report:
    """Send, account for, send again and read back. Raises AssertionError at a difference."""
    report = Report()
    with contextlib.ExitStack() as opened:
        clinic = Clinic(base_url, opened)
        for path in paths:
            began = time.monotonic()
            body = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            one_bundle(clinic, path.name.partition(".")[0], body, report)
            report.bundles += 1
            print(f"{path.name[:60]:<60} {time.monotonic() - began:5.1f} s", flush=True)
    return report


def one_bundle(clinic: Clinic, name: str, body: bytes, report: Report) -> None:
    """One Bundle's way in, out, and in again."""
    bundle = exact(body.decode("utf-8-sig"))
    sent: list[Json] = [entry["resource"] for entry in bundle["entry"]]
    patient, card_id = clinic.patient(_born(sent))
    sides = {clinic.doctor: f"/v1/clinic/cards/{card_id}", patient: f"/v1/cards/{card_id}"}
    path = f"/v1/clinic/cards/{card_id}/fhir"
    headers = {"Content-Type": "application/fhir+json"}
    answer = clinic.doctor.request("POST", path, content=body, headers=headers)
    if name in ABOUT_TWO:
        assert (answer.status_code, answer.json()["code"]) == (422, "wrong_patient"), answer.text
        assert not any(_items(clinic.doctor, f"{sides[clinic.doctor]}/{s}") for s in SECTIONS[1:])
        for resource in sent:
            report.fates[resource["resourceType"]]["refused with its Bundle: wrong_patient"] += 1
        return
    assert answer.status_code == 200, f"{name}: {answer.status_code} {answer.text[:800]}"
    first = answer.json()
    pages = {client: _pages(client, root) for client, root in sides.items()}
    token = patient.ok("GET", f"{sides[patient]}/changes")["since"]
    _account(name, sent, first, _resources(clinic.doctor, sides[clinic.doctor]), body, report)
    _patients_view(pages[clinic.doctor], pages[patient])
    again = clinic.doctor.ok("POST", path, content=body, headers=headers)
    assert again == {**first, "created": 0, "unchanged": first["created"]}, (name, again)
    for client, root in sides.items():
        assert _pages(client, root) == pages[client], f"{name}: a re-send changed the card"
    changes = patient.ok("GET", f"{sides[patient]}/changes?since={token}")
    assert changes["items"] == [], f"{name}: a re-send told changes"


def _account(
    name: str,
    sent: list[Json],
    answer: Json,
    read: dict[str, list[Json]],
    body: bytes,
    report: Report,
) -> None:
    """Each resource that was sent: shown, kept or rejected; and all that is read was sent."""
    rejected = {each["index"]: each["code"] for each in answer["rejected"]}
    sections: dict[str, set[str]] = defaultdict(set)
    by_id: dict[str, Json] = {}
    for section, resources in read.items():
        for resource in resources:
            if resource["resourceType"] == "Patient":
                continue
            key = f"{resource['resourceType']}/{resource['id']}"
            by_id[key] = resource
            sections[comparable(resource)].add(section)
    reasons = _kept_reasons(body)
    shown: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for index, resource in enumerate(sent):
        kind, spelled = resource["resourceType"], comparable(resource)
        if index in rejected:
            fate, number = f"rejected: {rejected[index]}", "rejected"
        elif spelled in sections and index not in reasons:
            fate, number = f"in {' and '.join(sorted(sections[spelled]))}", "created"
            shown[spelled] += 1
        else:
            # Neither read back nor rejected: then there must be a reason that the documents name.
            assert index in reasons, f"{name}: entry {index} ({kind}) is lost"
            fate, number = f"kept: {reasons[index]}", "kept"
        numbers[number] += 1
        report.fates[kind][fate] += 1
    told = {name: answer[name] for name in ("created", "kept")}
    assert told == {name: numbers[name] for name in told}, (name, told, numbers)
    assert len(rejected) == numbers["rejected"]
    assert (answer["updated"], answer["unchanged"]) == (0, 0)
    given = Counter(map(comparable, by_id.values()))
    kept = Counter(comparable(sent[index]) for index in reasons)
    assert not shown - given, f"{name}: something is shown less often than it was sent"
    # A visit's Composition is kept, and given with the visit.
    assert not given - shown - kept, f"{name}: something is shown that was not sent"
    _check_references(sent, by_id, report)


def _kept_reasons(body: bytes) -> dict[int, str]:
    """Why an entry is kept, by its index: of its type, or what the mapping says of this one."""
    parsed = parsing.parse(body)
    sources = {entry.aliases[0]: entry for entry in parsed.entries}
    names = {alias: key for key, entry in sources.items() for alias in entry.aliases}
    derived = derive(sources, resolve=names.get, record_id=lambda root: root)
    found = {sources[key].index: reason for key, reason in derived.kept.items()}
    for index, reason in found.items():
        kind = next(e.resource_type for e in parsed.entries if e.index == index)
        assert reason in {TREATMENTS[kind].why, *KEPT_REASONS}, reason
    return found


def _check_references(sent: list[Json], read: dict[str, Json], report: Report) -> None:
    """A reference that leads to a resource of the card leads to the one that was meant; all others
    say by a logical reference what was sent."""
    meant: dict[str, list[Json]] = defaultdict(list)
    for resource in sent:
        meant[comparable(resource)].append(resource)
    for resource in read.values():
        originals = meant[comparable(resource)]
        for place, found in _references(resource):
            url = found.get("reference")
            if url is None:
                logical = (found.get("identifier") or {}).get("value")
                report.references["logical" if logical else "without a reference"] += 1
                continue
            if url.startswith(("#", "Patient/")):
                report.references["to the patient, or contained"] += 1
                continue
            assert url in read, f"{url} leads to nothing that was read"
            wanted = {dict(_references(each))[place]["reference"] for each in originals}
            target = comparable(read[url])
            assert any(_named(u) & _names_of(t) for u in wanted for t in meant[target]) or all(
                u.startswith(("urn:", "http")) for u in wanted
            ), (url, wanted)
            report.references["to another record"] += 1


def _named(url: str) -> set[str]:
    return {url, "/".join(url.split("/")[-2:])}


def _names_of(resource: Json) -> set[str]:
    return {f"{resource['resourceType']}/{resource.get('id')}", f"urn:uuid:{resource.get('id')}"}


def _is_logical(node: Json) -> bool:
    """Whether this is a Reference without `reference`."""
    named = node.keys() - {"extension", "id"}
    return isinstance(node.get("identifier"), dict) and named <= {"identifier", "display", "type"}


def _references(node: Any, place: str = "") -> Iterator[tuple[str, Json]]:
    """Every Reference of a resource with its place."""
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str) or _is_logical(node):
            yield place, node
        for key, value in node.items():
            yield from _references(value, f"{place}.{key}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _references(value, f"{place}[{number}]")


def comparable(resource: Json) -> str:
    """A whole resource in one spelling, without what is ours: its id and meta, the references
    (looked at by themselves), derived interpretations, and names of МКБ-10."""
    kept = {name: value for name, value in resource.items() if name not in ("id", "meta")}
    return json.dumps(_plain(kept), sort_keys=True, ensure_ascii=False, default=str)


def _plain(node: Any) -> Any:
    if isinstance(node, list):
        return [_plain(value) for value in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("reference"), str) or _is_logical(node):
        node = {k: v for k, v in node.items() if k not in ("reference", "identifier")}
    if node.get("system") in _ICD10_NAMES:
        node = {k: v for k, v in node.items() if k != "display"}
    plain = {key: _plain(value) for key, value in node.items()}
    derived = plain.get("interpretation")
    if derived is not None and "derived from" in json.dumps(derived, default=str):
        del plain["interpretation"]
    return plain


def exact(text: str) -> Any:
    """JSON with its numbers digit by digit."""
    return json.loads(text, parse_float=Decimal)


def _born(sent: list[Json]) -> str:
    found = (r.get("birthDate", "") for r in sent if r["resourceType"] == "Patient")
    return next((day for day in found if len(day) == 10), "1980-05-05")


def _items(client: Client, path: str) -> list[Json]:
    return [item for page in _walk(client, f"{path}?limit=100") for item in page["items"]]


def _walk(client: Client, path: str) -> Iterator[Json]:
    """A list, page after page."""
    following: str | None = path
    while following:
        page = client.ok("GET", following)
        yield page
        cursor = page["next_cursor"]
        following = f"{path}&cursor={cursor}" if cursor else None


def _pages(client: Client, root: str) -> Json:
    """All that a card shows, as JSON, without what is new at each reading."""
    pages: Json = {"summary": client.ok("GET", f"{root}/summary")}
    for section in SECTIONS[1:]:
        read = list(_walk(client, f"{root}/{section}?limit=100"))
        pages[section] = [item for page in read for item in page["items"]]
        pages[f"{section} left out"] = [read[0]["withheld"], read[0]["pending"]]
    return pages


def _resources(client: Client, root: str) -> dict[str, list[Json]]:
    """All that a card shows, as FHIR, section by section."""
    read: dict[str, list[Json]] = {}
    for section in SECTIONS:
        found: list[Json] = []
        url: str | None = f"{root}/{section}" + ("" if section == "summary" else "?limit=100")
        while url:
            answer = client.request("GET", url, headers=FHIR)
            assert answer.status_code == 200, f"{url}: {answer.status_code} {answer.text[:800]}"
            bundle = exact(answer.text)
            found += [entry["resource"] for entry in bundle.get("entry", ())]
            links = {link["relation"]: link["url"] for link in bundle["link"]}
            url = f"/v1/{links['next'].partition('/v1/')[2]}" if "next" in links else None
        read[section] = found
    return read


def _patients_view(doctors: Json, patients: Json) -> None:
    """The patient sees what the doctor sees, but for what is counted as not final yet."""
    for section in SECTIONS[1:]:
        shown = {item["record_id"] for item in patients[section]}
        unseen = [item for item in doctors[section] if item["record_id"] not in shown]
        assert patients[section] == [i for i in doctors[section] if i["record_id"] in shown]
        assert [0, len(unseen)] == patients[f"{section} left out"], section
    assert patients["summary"] == doctors["summary"]


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m tests.sets")
    arguments.add_argument("--port", type=int, default=8080)
    arguments.add_argument("--only", default="", help="Bundles whose file name holds this")
    chosen = arguments.parse_args()
    if not PATHS:
        sys.exit(f"The sample sets are not on this machine ({samples.DATA}).")
    paths = [path for path in PATHS if chosen.only in path.name]
    began = time.monotonic()
    report = run(f"http://127.0.0.1:{chosen.port}", paths)
    seconds = time.monotonic() - began
    print(f"\n{report.bundles} Bundles, {report.total():,} resources, {seconds:.0f} s\n")
    print(report.table())
    led = ", ".join(f"{where} {n:,}" for where, n in report.references.items())
    print(f"\nReferences read back: {led}")


if __name__ == "__main__":
    main()
