"""The worker: makes the files of ordered extracts, from the queue."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from extracts.making import NOT_MADE, Making
from extracts.signing import Signing
from extracts.sources import Sources
from kernel import dynamo, extracts, log, settings
from kernel.errors import Unavailable
from kernel.identity import ExtractId, PatientId
from kernel.sealing import Keyring


class Settings(NamedTuple):
    registry_table: str
    consents_table: str
    records_table: str
    keys_table: str
    extracts_table: str
    medical_key_id: str
    extracts_bucket: str
    extracts_key_id: str
    extracts_signing_key_id: str
    portal_url: str
    extracts_tries: int


_settings = settings.load(Settings)
_making = Making(
    Sources(
        registry_table=_settings.registry_table,
        consents_table=_settings.consents_table,
        records_table=_settings.records_table,
        keyring=Keyring(
            table=_settings.keys_table, kms_key=_settings.medical_key_id, purpose="medical"
        ),
    ),
    Signing(table=_settings.extracts_table, key_id=_settings.extracts_signing_key_id),
    table=_settings.extracts_table,
    bucket=_settings.extracts_bucket,
    bucket_key_id=_settings.extracts_key_id,
    portal_url=_settings.portal_url,
)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Make the extract of each message; the ones that failed come again.

    The last try that fails says so in the extract, and its message goes to the dead letters.
    """
    failures = []
    for record in event["Records"]:
        order = json.loads(record["body"])
        patient_id, extract_id = PatientId(order["patient_id"]), ExtractId(order["extract_id"])
        attempt = int(record["attributes"]["ApproximateReceiveCount"])
        try:
            _making.make(patient_id, extract_id)
        except Exception as error:  # the queue's boundary: one bad message must not stop others
            log.failure("extract not made", error, extract_id=extract_id, attempt=attempt)
            failures.append({"itemIdentifier": record["messageId"]})
            if attempt >= _settings.extracts_tries:
                _give_up(patient_id, extract_id)
    return {"batchItemFailures": failures}


def _give_up(patient_id: PatientId, extract_id: ExtractId) -> None:
    try:
        item = dynamo.get(_settings.extracts_table, extracts.key(patient_id, extract_id))
        if item is not None:
            _making.fail(item, NOT_MADE)
    except Unavailable as error:  # the sweeper says it later
        log.failure("extract not given up", error, extract_id=extract_id)
