"""The imports' worker: S3 tells the queue of an upload, the queue calls this."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from clinic.imports import Tables, Worker, parse_object
from clinic.intake import Intake
from clinic.intake_repository import IntakeRepository
from clinic.payloads import Payloads
from kernel import log, settings
from kernel.identity import CardId
from kernel.journal import Journal
from kernel.sealing import Keyring

# The queue's redrive policy: after so many tries a message goes to the dead letters.
_TRIES = 5
# The worker renews its hold while it writes; deriving a large file takes the longest without.
_LOCK_SECONDS = 180


class Settings(NamedTuple):
    accounts_table: str
    registry_table: str
    records_table: str
    keys_table: str
    notices_table: str
    journal_table: str
    medical_key_id: str
    records_bucket: str


_settings = settings.load(Settings)
_keyring = Keyring(table=_settings.keys_table, kms_key=_settings.medical_key_id, purpose="medical")
_journal = Journal(_settings.journal_table)
_payloads = Payloads(_settings.records_bucket)
_worker = Worker(
    tables=Tables(
        accounts=_settings.accounts_table,
        registry=_settings.registry_table,
        records=_settings.records_table,
    ),
    bucket=_settings.records_bucket,
    intake=Intake(
        IntakeRepository(
            records_table=_settings.records_table,
            registry_table=_settings.registry_table,
            keyring=_keyring,
            journal=_journal,
            payloads=_payloads,
            notices_table=_settings.notices_table,
            lock_seconds=_LOCK_SECONDS,
        )
    ),
    keyring=_keyring,
    journal=_journal,
    payloads=_payloads,
)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Take every uploaded file that the messages tell of; the ones that failed come again."""
    failures = []
    for record in event["Records"]:
        tries = int(record["attributes"]["ApproximateReceiveCount"])
        try:
            for card_id, import_id in _uploads(json.loads(record["body"])):
                _worker.run(card_id, import_id, last=tries >= _TRIES)
        except Exception as error:  # the queue's boundary: one bad message must not stop others
            log.failure("import not taken", error, attempt=tries)
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def _uploads(notice: Mapping[str, Any]) -> Iterator[tuple[CardId, str]]:
    """The imports of an S3 notice; the test notice that S3 sends once has none."""
    for each in notice.get("Records", ()):
        found = parse_object(unquote_plus(each["s3"]["object"]["key"]))
        if found is not None:
            yield found
