"""What a month costs, from what every route really calls; what binds first, and what to do then.

python -m bench.cost > cost.md

Each route of docs/openapi.json is sent a request that succeeds, through the real handlers (moto),
by processes that are warm but hold no data key, and everything that follows is done: messages
sent, extracts made, journal entries linked. `bench/metering.py` counts it by AWS's rules. Money
comes from bench/prices.toml; how often things happen stands in the table below, and is assumed.

Lambda's time is no measurement of Lambda: it is the CPU time of this machine outside of AWS's
calls, stretched to the share of a core that the function's memory buys, and for the calls that wait
for each other an assumed time each.
"""

import os
import re
import statistics
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench import metering, world

REGION, COUNTRY = 1_000_000, 146_000_000
MONTH = 30 * 24 * 3600
CORE = 1769  # MB of memory at which Lambda gives a whole core (its developer guide, "memory")
# Milliseconds that a call takes inside a region; assumed, for nothing here can measure them.
LATENCY = {"dynamodb": 5.0, "kms": 8.0, "s3": 30.0, "sqs": 10.0, "sns": 30.0}
PEAK = (
    6  # the busiest second against the month's mean: a Monday's ten o'clock, and chance within it
)
LARGEST_CLINIC = 50_000  # people; a large city's
LARGEST_REGION = 13_000_000  # Moscow
PREFIX = 10_000  # numbers that begin with the same six digits: pumped messages are capped for them
AUTHORIZED_ANEW = 0.25  # of signed-in requests: the gateway remembers a token for five minutes
SHARED = {"prefix": PREFIX, "clinic": LARGEST_CLINIC, "region": LARGEST_REGION}
# Keys that a hash spreads over so many (journal/repository.py, kernel/extracts.py).
SPREAD = {"PENDING#": 16, "DUE#": 8}
RESTORED = 0.002  # of requests start a process from a snapshot
PLATFORM_LINES = 900  # bytes of Lambda's own start, end and report lines, in JSON
ACCESS_LINE = 450  # bytes of the gateway's access log line
LOG_MONTHS = 6  # LogDays of production, 180
TRACED = 0.05  # of requests, X-Ray's default beside one a second
ROUNDS = 5


@dataclass(frozen=True)
class Use:
    """Something that people do `monthly` times, for each person of the population, and why so."""

    what: str
    monthly: float
    why: str
    routes: Mapping[str, float]


CARD = "/v1/cards/{card_id}"
DESK = "/v1/clinic/cards/{card_id}"
VERIFY = "POST /v1/auth/challenges/{challenge_id}/verify"
NEW_DEVICE = "from a new device"
USES = (
    Use(
        "looks at the portal",
        0.3,
        "15 of 100 people look twice a month: for results, before and after a visit",
        {
            "GET /v1/access": 1,
            "GET /v1/cards": 1,
            "GET /v1/auth/account": 1,
            "GET /v1/notifications": 2,
            "POST /v1/notifications/{notification_id}/read": 1,
            "GET /v1/consents": 0.2,
            f"GET {CARD}/summary": 1,
            f"GET {CARD}/visits": 1,
            f"GET {CARD}/visits/{{record_id}}": 1,
            f"GET {CARD}/results": 1.5,
            f"GET {CARD}/results/{{record_id}}": 1,
            f"GET {CARD}/results/series": 0.5,
            f"GET {CARD}/prescriptions": 1,
            f"GET {CARD}/prescriptions/{{record_id}}": 0.3,
            f"GET {CARD}/journal": 0.2,
            "POST /v1/auth/token": 1,
        },
    ),
    Use(
        "signs in",
        0.2,
        "two of three looks, the third finds a session; one of ten has an app or a passkey",
        {
            "POST /v1/auth/login": 1,
            "POST /v1/auth/challenges/{challenge_id}/send": 0.9,
            VERIFY: 0.9,
            f"{VERIFY} {NEW_DEVICE}": 0.1,
        },
    ),
    Use(
        "public pages",
        0.3,
        "as many people who only look what there is, or have not signed in yet",
        {
            "GET /v1/services": 1,
            "GET /v1/regions": 0.5,
            "GET /v1/clinics": 0.5,
            "GET /v1/help": 0.3,
            "GET /v1/consents/documents/current": 0.1,
        },
    ),
    Use(
        "sees a doctor",
        0.8,
        "nine to ten outpatient visits a year",
        {
            "POST /v1/clinic/cards/search": 1,
            f"GET {DESK}/summary": 1,
            f"GET {DESK}/visits": 1,
            f"GET {DESK}/results": 1,
            f"GET {DESK}/results/{{record_id}}": 0.5,
            f"GET {DESK}/prescriptions": 1,
            "POST /v1/auth/token": 1,
        },
    ),
    Use(
        "is sent by the clinic",
        1.6,
        "each visit, and as many reports of laboratories and departments",
        {f"POST {DESK}/fhir": 0.9, f"POST {DESK}/cda": 0.1},
    ),
    Use(
        "is taken in",
        1 / 12,
        "everybody once, in the first year",
        {
            "POST /v1/clinic/patients/search": 1,
            "POST /v1/clinic/patients": 1,
            "PUT /v1/clinic/patients/{patient_id}/attachment": 1,
            "POST /v1/clinic/patients/{patient_id}/card": 1,
            "POST /v1/clinic/patients/{patient_id}/consents": 0.5,
        },
    ),
    Use(
        "opens an account",
        0.3 / 12,
        "three of ten, in the first year",
        {
            "POST /v1/auth/register": 1,
            f"{VERIFY} {NEW_DEVICE}": 1,
            "POST /v1/clinic/accounts/verify/start": 1,
            "POST /v1/clinic/accounts/verify": 1,
            "POST /v1/consents": 1,
        },
    ),
    Use(
        "orders an extract",
        0.02,
        "one of fifty: for a school, a trip, another doctor",
        {
            f"POST {CARD}/extracts": 1,
            "GET /v1/extracts/{extract_id}": 3,
            "GET /v1/extracts/{extract_id}/file": 1.2,
            "GET /v1/verify/{verification_code}": 0.5,
        },
    ),
    Use(
        "rare things",
        0.002,
        "one of five hundred does each of these",
        {
            "POST /v1/auth/password/reset": 5,
            "POST /v1/auth/password/reset/confirm": 5,
            "POST /v1/auth/password": 1,
            "POST /v1/auth/phone": 1,
            "POST /v1/auth/phone/confirm": 1,
            "POST /v1/auth/totp": 1,
            "POST /v1/auth/totp/confirm": 1,
            "POST /v1/auth/passkeys/options": 1,
            "POST /v1/auth/passkeys": 1,
            "POST /v1/consents/{consent_id}/withdraw": 1,
            f"PUT {CARD}/records/{{record_id}}/hidden": 1,
            f"POST {CARD}/journal/{{entry_id}}/contest": 1,
            "POST /v1/clinic/cases/{case_id}/answer": 1,
            "POST /v1/clinic/cards/emergency": 1,
        },
    ),
)
# What runs without anybody's request, in a month.
SCHEDULED = {"extracts.sweeper.handler": MONTH / 60, "journal.checkpoints.handler": MONTH / 300}


@dataclass
class Measured:
    """What one request of a route costs, everything that follows included."""

    counts: dict[str, float]
    milliseconds: float
    gigabyte_seconds: float
    invocations: float
    log: float
    stored: float
    out: int
    partitions: list[dict[tuple[str, str, str], float]] = field(default_factory=list)


def main() -> None:
    """Print the report, in Markdown."""
    prices = tomllib.loads((Path(__file__).parent / "prices.toml").read_text("utf-8"))
    meter = metering.Meter()
    with world.running(meter) as memory, pytest.MonkeyPatch.context() as patch:
        meter.memory = memory
        routes, scopes, checkpoint, authorizer = _measure(meter, memory, patch)
    monthly = _monthly()
    _print_month(routes, monthly, prices, checkpoint, authorizer)
    _print_limits(routes, monthly, prices, scopes, checkpoint, authorizer)
    _print_routes(routes, monthly, prices)


# --- measuring ------------------------------------------------------------------------------------


def _measure(
    meter: metering.Meter, memory: world.Memory, patch: pytest.MonkeyPatch
) -> tuple[dict[str, Measured], "Scopes", Measured, Measured]:
    from tests.gateway import drain, drain_stream, function
    from tests.integration import route_world

    def settle() -> None:
        for queue in ("MessagesQueue", "ExtractsQueue"):
            drain(queue)
        drain_stream("JournalTable")

    worlds = [route_world.World() for _ in range(2)]
    scopes = Scopes({each.clinic.clinic_id for each in worlds})
    scopes.name_caps(patch)
    routes: dict[str, Measured] = {}
    authorizers: list[metering.Bill] = []
    for route in (*world.routes(), f"{VERIFY} {NEW_DEVICE}"):
        bills = []
        for number in range(ROUNDS):
            people = worlds[number % 2]
            if route.startswith("PUT") or route.endswith("/callback"):
                # To put it again changes what is there; whoever comes again has an account.
                _prepare(people, route).send()
            call = _known(people) if route == VERIFY else _prepare(people, route)
            settle()
            memory.drop_data_keys()
            with meter.billing() as bill:
                answer = call.send()
                settle()
            assert answer.status < 300, (route, answer)
            # The gateway asks the authorizer once in five minutes: it is counted apart.
            mine = [i for i in bill.invocations if i.handler == "auth.authorizer.handler"]
            bill.invocations = [i for i in bill.invocations if i not in mine]
            if mine:
                authorizers.append(metering.Bill(invocations=mine))
            bills.append((bill, len(answer.text.encode()), number % 2))
        # The first request of a route imports what only it needs.
        kept = [bill for bill, _, _ in bills[1:]]
        routes[route] = _median(kept, bills[-1][1])
        routes[route].partitions = [bill.partitions for bill in kept]
        scopes.learn(route, [(bill.partitions, which) for bill, _, which in bills])
    settle()
    with meter.billing() as bill:
        handled = function("journal.checkpoints.handler")({}, None)
    checkpoint = _median([bill], 0)
    each = handled["count"]
    for name in ("reads", "writes"):
        checkpoint.counts[name] /= each
    checkpoint.milliseconds /= each
    checkpoint.gigabyte_seconds /= each
    return routes, scopes, checkpoint, _median(authorizers, 0)


def _prepare(people: Any, route: str) -> Any:
    from tests.integration import route_world

    return route_world.prepare(people, route.removesuffix(f" {NEW_DEVICE}"))


def _known(people: Any) -> Any:
    """The second step of somebody whose device has signed in before: no notice is sent."""
    from tests.gateway import Api
    from tests.integration import route_world, test_auth_journey

    person = people.person()
    device = test_auth_journey.sign_in(person.phone)["device_token"]
    begun = test_auth_journey.login(Api(), person.phone, device_token=device)
    path = f"/v1/auth/challenges/{begun.json['challenge_id']}"
    assert Api().post(f"{path}/send", {"method": "sms"}).status == 202
    code = test_auth_journey.code_for(person.phone)
    return route_world.Call(Api(), "POST", f"{path}/verify", {"method": "sms", "code": code})


def _median(bills: list[metering.Bill], out: int) -> Measured:
    names = sorted({name for bill in bills for name in bill.counts})
    times = [[_milliseconds(each) for each in bill.invocations] for bill in bills]
    memory = [[_memory(each.handler) / 1024 for each in bill.invocations] for bill in bills]
    return Measured(
        counts={n: statistics.median(bill.counts.get(n, 0) for bill in bills) for n in names},
        milliseconds=statistics.median(map(sum, times)),
        gigabyte_seconds=statistics.median(
            sum(t * m for t, m in zip(*pair, strict=True)) / 1000
            for pair in zip(times, memory, strict=True)
        ),
        invocations=statistics.median(len(bill.invocations) for bill in bills),
        log=statistics.median(bill.log for bill in bills),
        stored=statistics.median(bill.stored for bill in bills),
        out=out,
    )


def _milliseconds(invocation: metering.Invocation) -> float:
    slower = max(1.0, CORE / _memory(invocation.handler))
    return invocation.cpu * 1000 * slower + invocation.waits(LATENCY)


def _memory(handler: str) -> int:
    from tests import template

    functions = template.resources("AWS::Serverless::Function").values()
    usual = template.load()["Globals"]["Function"]["MemorySize"]
    return next(int(f.get("MemorySize", usual)) for f in functions if f["Handler"] == handler)


class Scopes:
    """Who share a partition key: everybody, a region's or a clinic's people, or one person alone.

    A key that names a region or a clinic is theirs; one that requests of both worlds met is
    everybody's. Keys that a hash spreads, `PENDING#<0..f>`, are one here, with a part of the load.
    """

    def __init__(self, clinics: set[str]) -> None:
        self._clinics = clinics
        self._caps: dict[str, str] = {}
        self.load: dict[tuple[str, str, str, str], dict[str, float]] = defaultdict(dict)

    def name_caps(self, patch: pytest.MonkeyPatch) -> None:
        """Note what is behind the hashes in the keys of counters."""
        from kernel.caps import Caps

        make = Caps._key

        def noting(caps: Caps, kind: str, *parts: str) -> dict[str, str]:
            key = make(caps, kind, *parts)
            self._caps[key["pk"]] = f"{kind}# {parts[0]}"
            return key

        patch.setattr(Caps, "_key", noting)

    def learn(
        self, route: str, found: list[tuple[Mapping[tuple[str, str, str], float], int]]
    ) -> None:
        """Take what the requests of a route read and wrote; the number says in which world."""
        worlds: dict[tuple[str, str, str, str], set[int]] = defaultdict(set)
        units: dict[tuple[str, str, str, str], float] = {}
        for partitions, which in found:
            of_one: dict[tuple[str, str, str, str], float] = defaultdict(float)
            for (kind, table, pk), amount in partitions.items():
                name, scope, share = self._name(pk)
                of_one[kind, table, name, scope] += amount * share
            for key, amount in of_one.items():
                worlds[key].add(which)
                units[key] = max(amount, units.get(key, 0.0))
        for key, amount in units.items():
            if key[-1] != "one" or len(worlds[key]) == 2:
                kind, table, name, scope = key
                name = self._caps.get(name, name)
                if scope == "one":
                    scope = "prefix" if "/prefix/" in name else "everybody"
                self.load[kind, table, name, scope][route] = amount

    def _name(self, pk: str) -> tuple[str, str, float]:
        """What to call a key, who may share it, and what part of the load it has."""
        if clinic := next((each for each in self._clinics if each in pk), None):
            return pk.replace(clinic, "<clinic>"), "clinic", 1.0
        if "RU-MOW" in pk:
            return pk.replace("RU-MOW", "<region>"), "region", 1.0
        for prefix, shards in SPREAD.items():
            if pk.startswith(prefix):
                return f"{prefix}<1 of {shards}>", "everybody", 1 / shards
        return pk, "one", 1.0


# --- money ------------------------------------------------------------------------------------


def _monthly() -> dict[str, float]:
    """Requests of each route, for one person and month."""
    found: dict[str, float] = defaultdict(float)
    for use in USES:
        for route, times in use.routes.items():
            found[route] += use.monthly * times
    return found


def _public(route: str) -> bool:
    from tests import template

    method, _, path = route.partition(" ")
    return any(r.public for r in template.routes() if (r.method, r.path) == (method, path))


def _lines(
    counts: Mapping[str, float], requests: float, prices: Any, **more: float
) -> dict[str, float]:
    """Dollars by what they are for; counts and requests as they are, of a month."""
    million, gigabyte = prices["million"], prices["gigabyte"]

    def of(name: str, times: float) -> float:
        return times / 1e6 * float(million[name]["price"])

    kms = sum(of(name, counts.get(name, 0)) for name in million if name.startswith("kms"))
    kept = more.get("log", 0.0) / 1e9
    log_price = gigabyte["log"]["price"] + LOG_MONTHS * gigabyte["log month"]["price"]
    return {
        "text messages": counts.get("sms parts", 0) * prices["sms"]["part"]["price"],
        "gateway": _tiers(requests, million["gateway"]["tiers"]),
        "firewall": of("waf", requests),
        "Lambda": of("lambda", more.get("invocations", 0))
        + more.get("gigabyte_seconds", 0) * gigabyte["lambda second"]["price"],
        "DynamoDB writes": of("writes", counts.get("writes", 0)),
        "DynamoDB reads": of("reads", counts.get("reads", 0)),
        "KMS": kms,
        "S3, SQS, SNS": sum(of(n, counts.get(n, 0)) for n in ("s3 put", "s3 get", "sqs", "sns")),
        "logs": kept * log_price,
        "traces": of("traces", requests * TRACED),
        "CloudFront": of("cloudfront", more.get("by_distribution", 0))
        + more.get("out", 0.0) / 1e9 * gigabyte["out"]["price"],
    }


def _tiers(requests: float, tiers: list[list[float]]) -> float:
    total, left = 0.0, requests / 1e6
    for room, price in tiers:
        taken = min(left, room)
        total, left = total + taken * price, left - taken
    return total


def _one(measured: Measured, route: str, prices: Any) -> dict[str, float]:
    """Dollars of a million requests of a route."""
    scaled = {name: count * 1e6 for name, count in measured.counts.items()}
    return _lines(scaled, 1e6, prices, **_more(measured, route, 1e6))


def _more(measured: Measured, route: str, times: float) -> dict[str, float]:
    logged = measured.log + ACCESS_LINE + PLATFORM_LINES * measured.invocations
    return {
        "invocations": measured.invocations * times,
        "gigabyte_seconds": measured.gigabyte_seconds * times,
        "milliseconds": measured.milliseconds * times,
        "log": logged * times,
        "out": measured.out * times,
        "by_distribution": 0 if "/v1/clinic/" in route else times,
    }


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    names, cells = list(heads), [list(map(str, row)) for row in rows]
    numbers = [
        all(re.fullmatch(r"[-*\d.,%]*( million)?", row[column]) for row in cells)
        for column in range(len(names))
    ]
    print("| " + " | ".join(names) + " |")
    print("|" + "".join(" ---: |" if number else " --- |" for number in numbers))
    for row in cells:
        print("| " + " | ".join(row) + " |")
    print()


def _print_routes(
    routes: Mapping[str, Measured], monthly: Mapping[str, float], prices: Any
) -> None:
    print("## Each route\n")
    heads = ["route", "a month, for 1,000 people", "Lambda ms", "RRU", "WRU", "KMS", "of them sign"]
    heads += ["S3", "SQS", "text parts", "log bytes", "stored bytes", "USD a million"]
    rows = []
    for route, found in sorted(routes.items(), key=lambda each: each[0].split(" ")[::-1]):
        c = found.counts
        kms = sum(c.get(n, 0) for n in ("kms symmetric", "kms sign", "kms public key"))
        dollars = sum(_one(found, route, prices).values())
        rows.append(
            [
                f"`{route}`",
                f"{monthly[route] * 1000:,.0f}" if monthly.get(route) else "",
                f"{found.milliseconds:.0f}",
                f"{c.get('reads', 0):g}",
                f"{c.get('writes', 0):g}",
                f"{kms:g}",
                f"{c.get('kms sign', 0):g}",
                f"{c.get('s3 put', 0) + c.get('s3 get', 0):g}",
                f"{c.get('sqs', 0):g}",
                f"{c.get('sms parts', 0):g}",
                f"{found.log:.0f}",
                f"{found.stored:.0f}",
                f"{dollars:,.0f}",
            ]
        )
    _table(heads, rows)
    print(f"{ROUNDS - 1} requests of each route, medians; {os.uname().machine}.")


@dataclass
class Month:
    """Everything of a month, for one person."""

    counts: dict[str, float]
    requests: float = 0.0
    stored: float = 0.0
    more: dict[str, float] = field(default_factory=lambda: defaultdict(float))


def _sum(
    routes: Mapping[str, Measured],
    monthly: Mapping[str, float],
    checkpoint: Measured,
    authorizer: Measured,
) -> Month:
    month = Month(defaultdict(float))
    for route, times in monthly.items():
        found = routes[route]
        for name, count in found.counts.items():
            month.counts[name] += count * times
        month.requests += times
        month.stored += found.stored * times
        for name, value in _more(found, route, times).items():
            month.more[name] += value
        entries = sum(
            units
            for (kind, table, pk), units in found.partitions[-1].items()
            if (kind, table) == ("writes", "JournalTable") and pk.startswith("CARD#")
        )
        month.counts["journal entries"] += entries * times
        if not _public(route):
            month.more["invocations"] += AUTHORIZED_ANEW * times
            month.more["gigabyte_seconds"] += AUTHORIZED_ANEW * times * authorizer.gigabyte_seconds
            month.more["log"] += AUTHORIZED_ANEW * times * PLATFORM_LINES
    # A message is received and deleted too, by Lambda's poller.
    month.counts["sqs"] *= 3
    for name in ("reads", "writes"):
        month.counts[name] += checkpoint.counts[name] * month.counts["journal entries"]
    month.more["gigabyte_seconds"] += checkpoint.gigabyte_seconds * month.counts["journal entries"]
    return month


def _print_month(
    routes: Mapping[str, Measured],
    monthly: Mapping[str, float],
    prices: Any,
    checkpoint: Measured,
    authorizer: Measured,
) -> None:
    month = _sum(routes, monthly, checkpoint, authorizer)
    print("## What people are assumed to do\n")
    rows: list[list[str]] = [[use.what, f"{use.monthly * 1000:,.0f}", use.why] for use in USES]
    _table(["what", "a month, of 1,000 people", "why so many"], rows)
    print("## A month\n")
    columns = []
    for people in (REGION, COUNTRY):
        counts = {name: count * people for name, count in month.counts.items()}
        more = {name: value * people for name, value in month.more.items()}
        more["invocations"] += sum(SCHEDULED.values())
        lines = _lines(counts, month.requests * people, prices, **more)
        lines["snapshots"] = _snapshots(month.requests * people, prices)
        lines["keys, rules, alarms"] = _standing(prices)
        year = month.stored * people * 12 / 1e9
        for name in ("table month", "recovery month"):
            lines["tables after a year"] = (
                lines.get("tables after a year", 0) + year * prices["gigabyte"][name]["price"]
            )
        columns.append(lines)
    one, many = columns
    rows = [
        [name, f"{one[name]:,.0f}", f"{many[name]:,.0f}"]
        for name in sorted(one, key=lambda each: -one[each])
    ]
    totals = [sum(each.values()) for each in columns]
    without = [t - each["text messages"] for t, each in zip(totals, columns, strict=True)]
    rows.append(["**all**", *(f"**{each:,.0f}**" for each in totals)])
    rows.append(["without text messages", *(f"{each:,.0f}" for each in without)])
    a_head = [t / p for t, p in zip(totals, (REGION, COUNTRY), strict=True)]
    rows.append(["USD a head", *(f"{each:.3f}" for each in a_head)])
    _table(["US dollars", "a region, 1 million", "the country, 146 million"], rows)
    unread = [
        f"{part}: {name}"
        for part, entries in prices.items()
        for name, entry in entries.items()
        if entry.get("memory")
    ]
    print(f"From memory (`memory` in bench/prices.toml), to be checked: {', '.join(unread)}.\n")


def _snapshots(requests: float, prices: Any) -> float:
    from tests import template

    functions = template.resources("AWS::Serverless::Function").values()
    sizes = [_memory(f["Handler"]) / 1024 for f in functions if "SnapStart" in f]
    gigabyte = prices["gigabyte"]
    restored = requests * RESTORED * statistics.mean(sizes) * gigabyte["snapshot restored"]["price"]
    return float(sum(sizes) * MONTH * gigabyte["snapshot second"]["price"] + restored)


def _standing(prices: Any) -> float:
    from tests import template

    each = prices["month"]
    rules = len(template.resources("AWS::WAFv2::WebACL")["Firewall"]["Rules"])
    keys = len(template.resources("AWS::KMS::Key"))
    alarms = len(template.resources("AWS::CloudWatch::Alarm"))
    return float(
        keys * each["key"]["price"]
        + each["acl"]["price"]
        + rules * each["rule"]["price"]
        + alarms * each["alarm"]["price"]
    )


# --- what binds -----------------------------------------------------------------------------------


def _print_limits(
    routes: Mapping[str, Measured],
    monthly: Mapping[str, float],
    prices: Any,
    scopes: Scopes,
    checkpoint: Measured,
    authorizer: Measured,
) -> None:
    quota = {name: each["limit"] for name, each in prices["quota"].items()}
    month = _sum(routes, monthly, checkpoint, authorizer)
    a_second = PEAK / MONTH  # of the busiest second, for what one person does in a month
    print("## The hottest partitions\n")
    rows = []
    for (kind, table, pk, scope), load in scopes.load.items():
        units = sum(monthly.get(route, 0) * each for route, each in load.items()) * a_second
        loads = []
        for people in (REGION, COUNTRY):
            loads.append(units * min(people, SHARED.get(scope, people)))
        limit = quota[f"partition_{kind}"]
        if loads[1] >= limit / 1000:
            rows.append(
                [
                    f"{table} `{pk}`",
                    kind,
                    scope,
                    *(f"{each:,.0f}" for each in loads),
                    limit,
                    f"{loads[1] / limit:.0%}",
                ]
            )
    rows.sort(key=lambda row: -float(row[-1].rstrip("%")))
    heads = ["partition", "units of", "shared by", "region, a second", "country, a second", "limit"]
    _table([*heads, "country"], rows[:12])

    print("## What binds first\n")
    tables: dict[tuple[str, str], float] = defaultdict(float)
    for route, times in monthly.items():
        for (kind, place, _), units in routes[route].partitions[-1].items():
            tables[kind, place.partition("/")[0]] += units * times
    hot = {
        kind: max(((u, t) for (k, t), u in tables.items() if k == kind), default=(0.0, ""))
        for kind in ("reads", "writes")
    }
    at_once = month.more["milliseconds"] / 1000 * a_second
    a_checkpoint = month.counts["journal entries"] * a_second * 300 * checkpoint.milliseconds / 1000
    from tests import template

    asked = [
        (
            "USD of text messages a month (SNS)",
            month.counts["sms parts"] * prices["sms"]["part"]["price"],
            quota["sms dollars a month"],
            "ask for more before the first day; alarm by SmsBudget; offer app and passkey first",
        ),
        (
            "text messages a second (SNS)",
            month.counts["sms"] * a_second,
            quota["sms"],
            "ask for more, or another gateway in auth/messenger.py; the queue waits 5 minutes",
        ),
        (
            "text messages a day (MessagesPerDay)",
            month.counts["sms"] / 30,
            template.load()["Parameters"]["MessagesPerDay"]["Default"],
            "the template's parameter, against pumping: raise it with the people served",
        ),
        (
            "seconds of a checkpoint of five minutes",
            a_checkpoint,
            _timeout("journal.checkpoints.handler"),
            "a stack for each region; more often than five minutes; checkpoints by shard",
        ),
        (
            "requests, this template's throttle",
            month.requests * a_second,
            _throttle(),
            "ThrottlingRateLimit: a bound for what a flood may cost, raised with the people served",
        ),
        (
            "requests at the gateway",
            month.requests * a_second,
            quota["gateway"],
            "ask for more, or an account for each region",
        ),
        (
            "functions at once (Lambda)",
            at_once,
            quota["concurrency"],
            "ask for more; ReserveConcurrency keeps room for those signed in",
        ),
        (
            "symmetric KMS calls",
            month.counts["kms symmetric"] * a_second,
            quota["kms symmetric"],
            "ask for more; counted as if no process had the key still, which it has for 5 minutes",
        ),
        (
            "P-256 signatures (KMS)",
            month.counts["kms sign"] * a_second,
            quota["kms sign"],
            "ask for more; each token is one, and may live ten minutes at most",
        ),
        *(
            (
                f"{kind} of {hot[kind][1]}",
                hot[kind][0] * a_second,
                quota[f"table_{kind}"],
                "ask for more for the table, and warm it before the first day",
            )
            for kind in ("reads", "writes")
        ),
    ]
    rows = []
    for name, load, limit, then in sorted(asked, key=lambda each: -each[1] / each[2]):
        one, many = load * REGION, load * COUNTRY
        rows.append(
            [
                name,
                f"{one:,.1f}",
                f"{many:,.0f}",
                f"{limit:,}",
                f"{one / limit:,.2f}",
                f"{many / limit:,.1f}",
                _people(limit / load),
                then,
            ]
        )
    heads = ["at the busiest second", "region", "country", "limit", "region to limit"]
    _table([*heads, "country to limit", "carries, people", "what to do"], rows)


def _people(number: float) -> str:
    return f"{number / 1e6:,.1f} million" if number >= 1e5 else f"{number:,.0f}"


def _throttle() -> int:
    from tests import template

    api = template.resources("AWS::Serverless::Api")["Api"]
    return int(api["MethodSettings"][0]["ThrottlingRateLimit"])


def _timeout(handler: str) -> int:
    from tests import template

    functions = template.resources("AWS::Serverless::Function").values()
    usual = template.load()["Globals"]["Function"]["Timeout"]
    return next(int(f.get("Timeout", usual)) for f in functions if f["Handler"] == handler)


if __name__ == "__main__":
    main()
