"""Many at once on a running `make run`: nothing is lost, doubled, or done without journal entry.

    python -m tests.load [--port N] [--people 6] [--clients 16] [--seconds 60]

People with open cards and their clinic's doctor do, each client one thing after another, what they
do all day: look at the card and the journal, add a visit, order an extract. Afterwards each card
holds the visits that were taken, each once; its journal has an entry for every look, by whom it
was; and every extract that was accepted is ready. Bounded in clients and in time. An answer is a
success, or puts the client off: 429 or 503 with `Retry-After`, or 409 where a card is taking
another Bundle.
Prints what was done, how often and how quickly; the first difference ends it.
"""

import argparse
import contextlib
import itertools
import random
import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.sets import Client, Clinic

# ruff: noqa: T201

SECTIONS = ("summary", "visits", "results", "prescriptions")
TREATMENT = {"X-Purpose": "treatment"}
READY_SECONDS = 180


@dataclass
class Card:
    """One person's card, and what was done with it."""

    patient: Client
    card_id: str
    looks: Counter[tuple[str, str]] = field(default_factory=Counter)  # (role, section)
    visits: set[str] = field(default_factory=set)
    extracts: set[str] = field(default_factory=set)


@dataclass
class Report:
    """How often each thing was done and how long it took, and what was put off."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    put_off: Counter[str] = field(default_factory=Counter)

    def table(self) -> str:
        lines = ["| what | times | median, ms | 95 %, ms |", "| --- | ---: | ---: | ---: |"]
        for what, taken in sorted(self.seconds.items()):
            ordered = sorted(taken)
            late = ordered[int(len(ordered) * 0.95)]
            median = statistics.median(ordered)
            lines.append(f"| {what} | {len(taken):,} | {median * 1e3:.0f} | {late * 1e3:.0f} |")
        return "\n".join(lines)

    def total(self) -> int:
        return sum(map(len, self.seconds.values()))


class Load:
    """The clients, and what they counted. Raises AssertionError at what must not be."""

    def __init__(self, doctor: Client, cards: list[Card]) -> None:
        self.report = Report()
        self._doctor = doctor
        self._cards = cards
        self._lock = threading.Lock()
        self._numbers = itertools.count()

    def client(self, seed: int, until: float) -> None:
        """One client, until the time is over."""
        choose = random.Random(seed)
        acts: list[tuple[Callable[[Card, random.Random], None], int]] = [
            (self._look, 10),
            (self._look_as_doctor, 6),
            (self._access, 3),
            (self._add_visit, 4),
            (self._order, 1),
        ]
        names, weights = zip(*acts, strict=True)
        while time.monotonic() < until:
            (act,) = choose.choices(names, weights)
            act(choose.choice(self._cards), choose)

    def _look(self, card: Card, choose: random.Random) -> None:
        section = choose.choice(SECTIONS)
        if self._send("a section", card.patient, "GET", f"/v1/cards/{card.card_id}/{section}"):
            with self._lock:
                card.looks["patient", section] += 1

    def _look_as_doctor(self, card: Card, choose: random.Random) -> None:
        section = choose.choice(SECTIONS)
        path = f"/v1/clinic/cards/{card.card_id}/{section}"
        if self._send("a section, doctor", self._doctor, "GET", path, headers=TREATMENT):
            with self._lock:
                card.looks["clinician", section] += 1

    def _access(self, card: Card, choose: random.Random) -> None:
        paths = ("/v1/access", "/v1/cards", f"/v1/cards/{card.card_id}/journal", "/v1/extracts")
        self._send("access, cards, journal", card.patient, "GET", choose.choice(paths))

    def _add_visit(self, card: Card, choose: random.Random) -> None:
        name = f"Приём {next(self._numbers)}"
        visit = {
            "resourceType": "Encounter",
            "id": name.replace("Приём ", "load-"),
            "status": "finished",
            "class": {"code": "AMB"},
            "type": [{"text": name}],
            "period": {"start": f"2024-{choose.randint(1, 12):02}-{choose.randint(1, 28):02}"},
        }
        path = f"/v1/clinic/cards/{card.card_id}/fhir"
        answer = self._send("a visit in", self._doctor, "POST", path, json=visit)
        if answer:
            assert answer.json()["created"] == 1, answer.text
            with self._lock:
                card.visits.add(name)

    def _order(self, card: Card, choose: random.Random) -> None:
        answer = self._send(
            "an extract ordered",
            card.patient,
            "POST",
            f"/v1/cards/{card.card_id}/extracts",
            json={"kind": "summary", "language": choose.choice(("ru", "en"))},
        )
        if answer:
            with self._lock:
                card.extracts.add(answer.json()["extract_id"])

    def _send(
        self, what: str, client: Client, method: str, path: str, **options: Any
    ) -> httpx.Response | None:
        """The answer, or None where it was put off as the contract says."""
        began = time.monotonic()
        answer = client.request(method, path, **options)
        taken = time.monotonic() - began
        with self._lock:
            busy = answer.status_code == 409 and what == "a visit in"
            if answer.status_code in (429, 503) or busy:
                assert busy or int(answer.headers["Retry-After"]) > 0, answer.headers
                self.report.put_off[f"{what}: {answer.status_code}"] += 1
                return None
            assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:400]}"
            self.report.seconds[what].append(taken)
        return answer

    def check(self) -> None:
        """Everything that was answered stands, once; nothing else does."""
        for card in self._cards:
            root = f"/v1/cards/{card.card_id}"
            entries = Counter(
                (entry["actor"]["role"], entry["section"])
                for entry in _all(card.patient, f"{root}/journal")
                if entry["action"] in ("read_own", "read_as_clinician")
                and entry["outcome"] == "done"
            )
            for look, times in card.looks.items():
                # What was put off may have been written down before it failed.
                put_off = self.report.put_off.total()
                assert times <= entries[look] <= times + put_off, (look, times, entries[look])
            visits = [visit["title"] for visit in _all(card.patient, f"{root}/visits")]
            assert len(visits) == len(set(visits)), "a visit stands twice"
            assert card.visits <= set(visits), f"lost: {card.visits - set(visits)}"
            assert len(set(visits) - card.visits) <= self.report.put_off.total()
            self._check_extracts(card)

    def _check_extracts(self, card: Card) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            found = {e["extract_id"]: e["status"] for e in _all(card.patient, "/v1/extracts")}
            assert card.extracts <= found.keys(), f"lost: {card.extracts - found.keys()}"
            waiting = {name for name in card.extracts if found[name] == "pending"}
            if not waiting:
                break
            assert time.monotonic() < deadline, f"still pending: {waiting}"
            time.sleep(1)
        assert {found[name] for name in card.extracts} <= {"ready"}


def _all(client: Client, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = client.ok("GET", f"{path}?limit=100{cursor}")
        items += page["items"]
        if not page["next_cursor"]:
            return items
        cursor = f"&cursor={page['next_cursor']}"


def run(base_url: str, *, people: int = 6, clients: int = 16, seconds: float = 60) -> Report:
    """Make the people, set the clients going, check. Raises AssertionError."""
    with contextlib.ExitStack() as opened:
        clinic = Clinic(base_url, opened)
        cards = [Card(*clinic.patient("1980-03-08")) for _ in range(people)]
        load = Load(clinic.doctor, cards)
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(clients) as pool:
            for done in [pool.submit(load.client, seed, until) for seed in range(clients)]:
                done.result()
        load.check()
        return load.report


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m tests.load")
    arguments.add_argument("--port", type=int, default=8080)
    arguments.add_argument("--people", type=int, default=6)
    arguments.add_argument("--clients", type=int, default=16)
    arguments.add_argument("--seconds", type=float, default=60)
    chosen = arguments.parse_args()
    report = run(
        f"http://127.0.0.1:{chosen.port}",
        people=chosen.people,
        clients=min(chosen.clients, 64),
        seconds=min(chosen.seconds, 600),
    )
    print(f"{report.total():,} requests by {chosen.clients} clients in {chosen.seconds:.0f} s\n")
    print(report.table())
    if report.put_off:
        print("\nPut off:", ", ".join(f"{what} ×{n}" for what, n in report.put_off.items()))


if __name__ == "__main__":
    main()
