"""Signing papers: PAdES (ETSI EN 319 142-1), level B-B, by a KMS key and the clinic's certificate.

Only the worker imports this: pyHanko takes long to import. A time stamp (level B-T and up) needs a
time-stamping authority over the network; the signing time is what this system's clock says.

Extracts table, CLINIC#<id> | CERTIFICATE:
    chain       DER, the clinic's own certificate first, then those that vouch for it
    key_id      the KMS key that it is for
"""

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from asn1crypto import x509
from asn1crypto.algos import SignedDigestAlgorithm
from botocore.exceptions import BotoCoreError, ClientError

from extracts import certificates
from extracts.lean_pyhanko import (
    IncrementalPdfFileWriter,
    SimpleCertificateStore,
    attributes,
    fields,
    signers,
)
from kernel import aws, dynamo
from kernel.errors import Unavailable
from kernel.registry import Clinic

_LONGEST_SIGNATURE = 72  # bytes, of an ECDSA signature on P-256 in DER
# Bytes of a CMS without its certificates: attributes, names, signature. What pyHanko would estimate
# by making the whole once in vain.
_BESIDE_CERTIFICATES = 2048
# Beside the page, where PDF/UA-1 (7.18.1) wants no tag for it; the paper itself tells of it.
_FIELD = fields.SigFieldSpec(
    "Signature",
    readable_field_name="Электронная подпись / Electronic signature",
    invis_sig_settings=fields.InvisSigSettings(
        set_print_flag=True, set_hidden_flag=False, box_out_of_bounds=True
    ),
)


class Signing:
    """Signs files with one KMS key, under the certificate of the clinic that each is of."""

    def __init__(self, *, table: str, key_id: str) -> None:
        self._table = table
        self._key_id = key_id
        self._public_key: bytes | None = None

    def sign(self, pdf: bytes, clinic: Clinic, now: datetime) -> bytes:
        """The file with its signature, as an incremental update: what was rendered stays as it is.

        Raises:
            Unavailable: KMS or the table did not answer.
        """
        chain = self._chain(clinic, now)
        own, *others = map(x509.Certificate.load, chain)
        room = sum(map(len, chain)) + _BESIDE_CERTIFICATES
        signer = _KmsSigner(self._key_id, own, others)
        described = signers.PdfSignatureMetadata(
            field_name=_FIELD.sig_field_name,
            md_algorithm="sha256",
            subfilter=fields.SigSeedSubFilter.PADES,
            name=clinic.name,
        )
        signed = io.BytesIO()
        signers.PdfSigner(described, signer, new_field_spec=_FIELD).sign_pdf(
            _Update(io.BytesIO(pdf)),
            output=signed,
            bytes_reserved=2 * room,  # it is written in hexadecimal
        )
        return signed.getvalue()

    def _chain(self, clinic: Clinic, now: datetime) -> list[bytes]:
        """The clinic's certificates; made here, self-signed, where nobody has put any."""
        key = {"pk": f"CLINIC#{clinic.clinic_id}", "sk": "CERTIFICATE"}
        item = dynamo.get(self._table, key)
        if item is not None and item["key_id"] == self._key_id:
            chain: list[bytes] = item["chain"]
            if certificates.ends(chain[0]) > now:
                return chain
        made = certificates.self_signed(clinic.name, self._public(), self._raw, now)
        unchanged = "attribute_not_exists(pk)" if item is None else "chain = :seen"
        try:
            dynamo.put(
                self._table,
                {**key, "key_id": self._key_id, "chain": [made]},
                condition=unchanged,
                values=None if item is None else {":seen": item["chain"]},
            )
        except dynamo.ConditionFailed as lost:
            # Another run was faster, or this is our own write, repeated after a lost answer.
            stored: list[bytes] = (lost.old or {})["chain"]
            return stored
        return [made]

    def _public(self) -> bytes:
        if self._public_key is None:
            try:
                answer = aws.kms().get_public_key(KeyId=self._key_id)
            except (ClientError, BotoCoreError) as error:
                raise Unavailable from error
            self._public_key = answer["PublicKey"]
        return self._public_key

    def _raw(self, data: bytes) -> bytes:
        return sign_raw(self._key_id, data)


def sign_raw(key_id: str, data: bytes) -> bytes:
    """ECDSA on P-256 with SHA-256 over at most 4,096 bytes, in DER, by KMS. Raises Unavailable."""
    try:
        answer = aws.kms().sign(
            KeyId=key_id, Message=data, MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256"
        )
    except (ClientError, BotoCoreError) as error:
        raise Unavailable from error
    return answer["Signature"]


class _Update(IncrementalPdfFileWriter):
    def _update_meta(self) -> None:
        """Keep the metadata: pyHanko's own XMP drops what PDF/A wants said of its extensions."""


class _KmsSigner(signers.Signer):
    def __init__(
        self, key_id: str, certificate: x509.Certificate, others: list[x509.Certificate]
    ) -> None:
        store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
        store.register_multiple(others)
        super().__init__(
            signing_cert=certificate,
            cert_registry=store,
            signature_mechanism=SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
        )
        self.signed_attr_prov_spec = _SignedAttributes(certificate)
        self._key_id = key_id

    async def signed_attrs(self, *args: Any, **options: Any) -> Any:
        """The signed attributes, ready: they are asked for their DER over and over."""
        return _ready(await super().signed_attrs(*args, **options))

    async def async_sign_raw(
        self, data: bytes, digest_algorithm: str, dry_run: bool = False
    ) -> Any:
        """What pyHanko asks for: the signature over the signed attributes (RFC 5652 §5.4)."""
        return bytes(_LONGEST_SIGNATURE) if dry_run else sign_raw(self._key_id, data)


class _SignedAttributes(attributes.SignedAttributeProviderSpec):
    """Those of level B-B besides the two of every CMS (EN 319 142-1 §6.3): which certificate."""

    def __init__(self, certificate: x509.Certificate) -> None:
        self._certificate = certificate

    def signed_attr_providers(
        self, data_digest: bytes, digest_algorithm: str
    ) -> Iterator[attributes.CMSAttributeProvider]:
        yield _SigningCertificate(self._certificate)


class _SigningCertificate(attributes.SigningCertificateV2Provider):
    async def build_attr_value(self, dry_run: bool = False) -> Any:
        return _ready(await super().build_attr_value(dry_run))


def _ready(value: Any) -> Any:
    """The same, read from its DER. What was put together in asn1crypto is encoded anew whenever an
    outer level is, twice at each: ten levels up that is most of what signing costs."""
    return type(value).load(value.dump())
