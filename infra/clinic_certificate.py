"""The certificate under which a clinic's extracts are signed: ask for one, and put it in place.

The key is ExtractsSigningKey of the stack and never leaves KMS, which signs the request.

    PYTHONPATH=functions python infra/clinic_certificate.py request --key ARN --name "Clinic" \
        > clinic.csr
    PYTHONPATH=functions python infra/clinic_certificate.py put --key ARN --table TABLE \
        --clinic CLINIC_ID chain.pem

`chain.pem` holds the clinic's own certificate first, then those that vouch for it. Until one is put
there, the worker signs under a certificate that it made itself and that nobody vouches for.
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from asn1crypto import pem

from extracts import certificates
from extracts.signing import sign_raw
from kernel import aws, dynamo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    acts = parser.add_subparsers(dest="act", required=True)
    asking = acts.add_parser("request", help="write a certificate request (PEM)")
    asking.add_argument("--key", required=True, help="ARN of ExtractsSigningKey")
    asking.add_argument("--name", required=True, help="the clinic's name")
    putting = acts.add_parser("put", help="let a clinic's extracts be signed under a certificate")
    putting.add_argument("--key", required=True, help="ARN of ExtractsSigningKey")
    putting.add_argument("--table", required=True, help="name of ExtractsTable")
    putting.add_argument("--clinic", required=True, help="the clinic's id")
    putting.add_argument("chain", type=Path)
    given = parser.parse_args()
    public_key = aws.kms().get_public_key(KeyId=given.key)["PublicKey"]
    if given.act == "request":
        asked = certificates.request(given.name, public_key, lambda data: sign_raw(given.key, data))
        sys.stdout.write(pem.armor("CERTIFICATE REQUEST", asked).decode())
        return
    chain = [der for _, _, der in pem.unarmor(given.chain.read_bytes(), multiple=True)]
    if not certificates.is_for(chain[0], public_key):
        sys.exit("The first certificate is not for this key.")
    if certificates.ends(chain[0]) <= datetime.now(UTC):
        sys.exit("The first certificate is not valid any more.")
    item = {
        "pk": f"CLINIC#{given.clinic}",
        "sk": "CERTIFICATE",
        "key_id": given.key,
        "chain": chain,
    }
    dynamo.put(given.table, item)


if __name__ == "__main__":
    main()
