"""medkarta journal verify: is the journal whole, in order and as it was signed?

./medkarta journal verify --keys jwks.json --journal TABLE --chain TABLE --bucket BUCKET
./medkarta journal verify --keys jwks.json --export FOLDER

`--keys` is a JSON Web Key Set that was fetched and kept beforehand. Credentials and endpoint come
from the environment, as for every AWS tool; reading is all that is needed. Ends with 0 if nothing
was found, 1 if something was, 2 if the journal could not be read.
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from verifier import checks, sources
from verifier.checks import Limits, Report

# Whoever writes while the tables are read may look like a gap; what is one stays.
_LOOKS = 3


def main(arguments: list[str] | None = None) -> int:
    """Read, check, and tell."""
    given = _parser().parse_args(arguments)
    try:
        jwks = json.loads(given.keys.read_text("utf-8"))
        report = _report(given, jwks)
    except (OSError, ValueError, KeyError, ClientError, BotoCoreError) as error:
        print(f"the journal could not be read: {error}", file=sys.stderr)  # noqa: T201
        return 2
    _tell(report, as_json=given.json)
    return 1 if report.findings else 0


def _report(given: argparse.Namespace, jwks: checks.Json) -> Report:
    cards = list(given.card or [])
    for look in range(_LOOKS):
        if given.export:
            data = sources.from_export(given.export)
        else:
            data = sources.from_tables(given.journal, given.chain, given.bucket, cards)
        limits = Limits(
            given.at or datetime.now(UTC),
            timedelta(seconds=given.link_within),
            timedelta(seconds=given.sign_within),
        )
        report = checks.verify(
            data.journal, data.chain, data.checkpoints, jwks, limits, frozenset(cards)
        )
        if given.export or not report.findings or look == _LOOKS - 1:
            break
        time.sleep(given.pause)
    if given.save:
        sources.save(data, given.save)
    return report


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_values(report), ensure_ascii=False, indent=2))  # noqa: T201
        return
    for finding in report.findings:
        print(finding)  # noqa: T201
    until = report.signed_until
    print(  # noqa: T201
        f"{report.cards} cards, {report.entries} rows, {report.linked} linked, "
        f"{report.waiting} waiting for their link, {report.checkpoints} checkpoints"
        + (f", signed until {until:%Y-%m-%d %H:%M:%S} UTC" if until else "")
    )
    print(f"{len(report.findings)} findings" if report.findings else "whole")  # noqa: T201


def _values(report: Report) -> checks.Json:
    values = {**vars(report), "findings": [vars(finding) for finding in report.findings]}
    values["signed_until"] = report.signed_until and report.signed_until.isoformat()
    return values


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("medkarta journal verify", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--keys", type=Path, required=True, help="JSON Web Key Set with the journal's public key")
    add("--journal", help="name of the journal table")
    add("--chain", help="name of the chain table")
    add("--bucket", help="name of the bucket with the checkpoints")
    add("--export", type=Path, help="folder with journal.jsonl, chain.jsonl, checkpoints/")
    add("--save", type=Path, help="keep what was read in this folder, as an export")
    add("--card", action="append", help="look at this card only; may be given again")
    add("--at", type=datetime.fromisoformat, help="judge delays as of then (RFC 3339)")
    add("--link-within", type=int, default=900, help="seconds that a row may wait for its link")
    add("--sign-within", type=int, default=3600, help="seconds that a link may wait unsigned")
    add("--pause", type=float, default=2, help="seconds between looks at something suspicious")
    add("--json", action="store_true", help="tell it as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
