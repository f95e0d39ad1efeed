"""Checkpoints: at intervals the heads that moved are signed and put where nobody takes them back.

Each names the one before by its hash. The bucket keeps objects under Object Lock, the signing key
signs nothing else, and only this function may use it.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from journal.chain import Head, heads_hash
from journal.repository import Chains
from kernel import aws, clock, log, signatures
from kernel.errors import Unavailable
from kernel.settings import load

TYPE = "medkarta-journal-checkpoint+jwt"


class Settings(NamedTuple):
    chain_table: str
    journal_bucket: str
    journal_key_id: str
    issuer: str


settings = load(Settings)
chains = Chains(settings.chain_table)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, int]:
    """Sign what moved since the last checkpoint; without anything there is none."""
    number, previous = chains.last_checkpoint()
    heads = chains.heads(chains.pending())
    if not heads:
        return {"number": number, "count": 0}
    number += 1
    listed = sorted((card_id, head.seq, head.hash) for card_id, head in heads.items())
    statement = signatures.sign(
        settings.journal_key_id,
        {
            "iss": settings.issuer,
            "iat": clock.epoch(clock.now()),
            "number": number,
            "previous": previous,
            "count": len(listed),
            "heads_sha256": heads_hash(listed),
        },
        TYPE,
    )
    document = json.dumps({"statement": statement, "heads": listed}, separators=(",", ":"))
    kept = _keep(number, document)
    if kept != document:  # an earlier run wrote it and broke off: its word stands
        statement, heads = _parts(kept)
    chains.note_checkpoint(number, hashlib.sha256(statement.encode()).hexdigest())
    chains.settle(heads)
    log.info("checkpoint", count=len(heads))
    return {"number": number, "count": len(heads)}


def _keep(number: int, document: str) -> str:
    """Write a checkpoint unless there is one of this number; what stands there then."""
    key = f"checkpoints/{number:012d}.json"
    bucket = settings.journal_bucket
    try:
        aws.s3().put_object(
            Bucket=bucket,
            Key=key,
            Body=document.encode(),
            ContentType="application/json",
            IfNoneMatch="*",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("PreconditionFailed", "412"):
            raise Unavailable from error
        return aws.s3().get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    except BotoCoreError as error:
        raise Unavailable from error
    return document


def _parts(document: str) -> tuple[str, dict[str, Head]]:
    values = json.loads(document)
    heads = {card_id: Head(seq, hash) for card_id, seq, hash in values["heads"]}
    return values["statement"], heads
