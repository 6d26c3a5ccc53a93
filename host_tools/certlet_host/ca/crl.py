"""The certificate revocation list of the issuing CA (RFC 5280, 5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509

from .authority import Authority
from .signatures import certificate_hash

_DAY = 86_400
# CRLReason numbers by the names of `cryptography`, which has no numbers (RFC 5280, 5.3.1); removeFromCRL is no status.
REASONS = {
    0: x509.ReasonFlags.unspecified,
    1: x509.ReasonFlags.key_compromise,
    2: x509.ReasonFlags.ca_compromise,
    3: x509.ReasonFlags.affiliation_changed,
    4: x509.ReasonFlags.superseded,
    5: x509.ReasonFlags.cessation_of_operation,
    6: x509.ReasonFlags.certificate_hold,
    8: x509.ReasonFlags.remove_from_crl,
    9: x509.ReasonFlags.privilege_withdrawn,
    10: x509.ReasonFlags.aa_compromise,
}


def make(
    authority: Authority, listed: list[tuple[int, int, str]], last: int
) -> x509.CertificateRevocationList:
    """The CRL of what `tables.revoked` found; thisUpdate moves with the last change and once a day."""
    issuing = authority.issuing
    now = int(datetime.now(UTC).timestamp())
    updated = datetime.fromtimestamp(max(last, now - now % _DAY), UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuing.certificate.subject)
    builder = builder.last_update(updated).next_update(updated + timedelta(days=7))
    for serial, moment, reason in listed:
        builder = builder.add_revoked_certificate(_entry(serial, moment, reason))
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing.key.public_key())
    builder = builder.add_extension(issuer, False)
    builder = builder.add_extension(x509.CRLNumber(int(updated.timestamp())), False)
    return builder.sign(issuing.key, certificate_hash(issuing.key))


def _entry(serial: int, moment: int, reason: str) -> x509.RevokedCertificate:
    entry = x509.RevokedCertificateBuilder().serial_number(serial)
    entry = entry.revocation_date(datetime.fromtimestamp(moment, UTC))
    if reason not in ("", "unspecified"):
        entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(reason)), False)
    return entry.build()
