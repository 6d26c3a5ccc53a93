"""Does a certificate chain to an anchor? (RFC 5280, 6.1, without policies; name constraints are refused.)

The anchors of devices include Ed25519 keys and certificates without subjectAltName, which a web profile refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtensionOID, SignatureAlgorithmOID

from .status import Refused

_MAX_DEPTH = 6
_KNOWN = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
}
_DIGESTS = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


def load(certificates: Iterable[bytes]) -> list[x509.Certificate]:
    """The certificates among these DER values that can be read; the rest are only hints, so they are left out."""
    loaded = []
    for der in certificates:
        try:
            loaded.append(x509.load_der_x509_certificate(der))
        except ValueError:
            continue
    return loaded


def require_trusted(
    leaf: x509.Certificate, hints: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]
) -> None:
    """Refused(signerNotTrusted) unless the leaf chains to an anchor, by way of the hints."""
    now = datetime.now(UTC)
    if leaf in anchors:
        # A self-signed certificate that the operator named is its own anchor.
        if not _fit(leaf, now):
            raise Refused("signerNotTrusted", "the signer's certificate is outside its validity")
        return
    if not _reaches(leaf, hints, anchors, now):
        raise Refused("signerNotTrusted", "the signer's certificate does not chain to a trusted certificate")


def _reaches(
    leaf: x509.Certificate, hints: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], now: datetime
) -> bool:
    """Breadth first from the leaf; each hint is taken once, which bounds the work a stranger can cause."""
    frontier, left = [leaf], list(hints)
    for below in range(_MAX_DEPTH):
        frontier = [certificate for certificate in frontier if _fit(certificate, now)]
        if any(_issued(subject, anchor, below) and _fit(anchor, now) for subject in frontier for anchor in anchors):
            return True
        issuers = [hint for hint in left if any(_issued(subject, hint, below) for subject in frontier)]
        left = [hint for hint in left if hint not in issuers]
        frontier = issuers
    return False


def _issued(subject: x509.Certificate, issuer: x509.Certificate, below: int) -> bool:
    """The issuer's key signed the subject, and the issuer may act as a CA with this many CAs below it."""
    if subject.issuer != issuer.subject:
        return False
    try:
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not basic.ca or (basic.path_length is not None and below > basic.path_length):
            return False
        if not _usage(issuer, "key_cert_sign"):
            return False
        subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    return True


def _fit(certificate: x509.Certificate, now: datetime) -> bool:
    """Within its validity, no critical extension left unread, no weak digest."""
    try:
        critical = {extension.oid for extension in certificate.extensions if extension.critical}
        digest = certificate.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return False
    strong = isinstance(digest, _DIGESTS) or certificate.signature_algorithm_oid == SignatureAlgorithmOID.ED25519
    return critical <= _KNOWN and strong and certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _usage(certificate: x509.Certificate, name: str) -> bool:
    """True when keyUsage is absent or allows this use."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return bool(getattr(usage, name))


def may_sign(certificate: x509.Certificate) -> bool:
    """True when keyUsage is absent or allows digitalSignature."""
    return _usage(certificate, "digital_signature")
