"""Certificates and certificate requests for a key that never leaves KMS.

`cryptography` builds them only with the private key at hand; here the caller's `sign` is asked for
the signature (ECDSA on P-256 with SHA-256, DER), and the rest is put together by hand.
"""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from asn1crypto import algos, core, csr, keys, x509

Sign = Callable[[bytes], bytes]

VALID_FOR = timedelta(days=10 * 365)
_DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"  # RFC 9336
_LONGEST_NAME = 64  # RFC 5280, appendix A.1: ub-common-name


def self_signed(name: str, public_key: bytes, sign: Sign, now: datetime) -> bytes:
    """A certificate (DER) of `public_key` (DER) for `name`, for which nobody else vouches.

    Source: RFC 5280 §4.1.
    """
    owner = keys.PublicKeyInfo.load(public_key)
    subject = _name(name)
    contents = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": secrets.randbits(127) + 1,
            "signature": _algorithm(),
            "issuer": subject,
            "validity": {
                "not_before": x509.Time({"general_time": now - timedelta(minutes=5)}),
                "not_after": x509.Time({"general_time": now + VALID_FOR}),
            },
            "subject": subject,
            "subject_public_key_info": owner,
            "extensions": _extensions(owner),
        }
    )
    certificate = x509.Certificate(
        {
            "tbs_certificate": contents,
            "signature_algorithm": _algorithm(),
            "signature_value": sign(contents.dump()),
        }
    )
    return bytes(certificate.dump())


def request(name: str, public_key: bytes, sign: Sign) -> bytes:
    """A request (DER) for a certificate that names `name`, for a certification authority.

    Source: RFC 2986.
    """
    owner = keys.PublicKeyInfo.load(public_key)
    wishes = csr.CRIAttribute({"type": "extension_request", "values": [_extensions(owner)]})
    contents = csr.CertificationRequestInfo(
        {
            "version": "v1",
            "subject": _name(name),
            "subject_pk_info": owner,
            "attributes": [wishes],
        }
    )
    whole = csr.CertificationRequest(
        {
            "certification_request_info": contents,
            "signature_algorithm": _algorithm(),
            "signature": sign(contents.dump()),
        }
    )
    return bytes(whole.dump())


def ends(certificate: bytes) -> datetime:
    """The last moment at which a certificate (DER) is valid."""
    until: datetime = x509.Certificate.load(certificate).not_valid_after
    return until


def is_for(certificate: bytes, public_key: bytes) -> bool:
    """Whether a certificate (DER) is for this public key (DER)."""
    owner = x509.Certificate.load(certificate).public_key
    return bool(owner.dump() == keys.PublicKeyInfo.load(public_key).dump())


def _name(name: str) -> x509.Name:
    short = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1].rstrip() + "…"
    return x509.Name.build({"common_name": short, "organization_name": short}, use_printable=False)


def _algorithm() -> algos.SignedDigestAlgorithm:
    return algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"})


def _extensions(owner: keys.PublicKeyInfo) -> list[x509.Extension]:
    """Document signatures and nothing else (RFC 5280 §4.2.1.3, RFC 9336)."""
    identifier = hashlib.sha256(bytes(owner["public_key"])).digest()[:20]
    given = [
        ("basic_constraints", True, x509.BasicConstraints({"ca": False})),
        ("key_usage", True, x509.KeyUsage({"digital_signature", "non_repudiation"})),
        ("extended_key_usage", False, x509.ExtKeyUsageSyntax([_DOCUMENT_SIGNING])),
        ("key_identifier", False, core.OctetString(identifier)),
    ]
    return [
        x509.Extension({"extn_id": name, "critical": critical, "extn_value": value})
        for name, critical, value in given
    ]
