"""The keys and certificates of the lab CA, and the profile of what it issues.

Root (pathLen 1) -> issuing CA (pathLen 0) -> device certificates and the CMP signer. CMP messages are signed with the
CMP signer's own key, because a CA's signing key must not protect messages (RFC 9810, 8.6).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from .request import Wanted
from .status import Refused

_BACKDATE = timedelta(hours=1)
_CMC_RA = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.28")
Extensions = list[tuple[x509.ExtensionType, bool]]  # each with "critical"
_KEY_USAGES = (
    "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
    "encipher_only decipher_only"
).split()


def key_usage(*names: str) -> x509.KeyUsage:
    """The KeyUsage with these bits."""
    return x509.KeyUsage(**{name: name in names for name in _KEY_USAGES})


@dataclass(frozen=True)
class Credential:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def subject(self) -> bytes:
        return self.certificate.subject.public_bytes()

    @property
    def key_id(self) -> bytes:
        return self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def write_private(path: Path, data: bytes) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    fresh.replace(path)


def _sign(
    subject: x509.Name, public_key: CertificatePublicKeyTypes, issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey, start: datetime, end: datetime, extensions: Extensions,
) -> x509.Certificate:
    start, end = start.replace(microsecond=0), end.replace(microsecond=0)
    builder = x509.CertificateBuilder(issuer, subject, public_key, x509.random_serial_number(), start, end)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(authority, False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _ca_extensions(path_length: int) -> Extensions:
    return [(x509.BasicConstraints(True, path_length), True), (key_usage("key_cert_sign", "crl_sign"), True)]


def _end_extensions(purpose: x509.ObjectIdentifier) -> Extensions:
    return [
        (x509.BasicConstraints(False, None), True),
        (key_usage("digital_signature"), True),
        (x509.ExtendedKeyUsage([purpose]), False),
    ]


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _root(key: ec.EllipticCurvePrivateKey, common_name: str) -> Credential:
    now, name = datetime.now(UTC), _name(common_name)
    certificate = _sign(
        name, key.public_key(), name, key, now - _BACKDATE, now + timedelta(days=3650), _ca_extensions(1)
    )
    return Credential(certificate, key)


def _issuing(key: ec.EllipticCurvePrivateKey, root: Credential, start: datetime, end: datetime) -> Credential:
    name = _name("certlet lab issuing CA")
    certificate = _sign(name, key.public_key(), root.certificate.subject, root.key, start, end, _ca_extensions(0))
    return Credential(certificate, key)


@dataclass(frozen=True)
class Issued:
    """A certificate and what differs from the wish: an empty text when nothing does."""

    certificate: x509.Certificate
    modifications: str = ""


@dataclass
class Authority:
    """The CA in a state folder; what is missing there is made when it is opened."""

    folder: Path
    default_days: int = 90
    max_days: int = 365
    root: Credential = field(init=False)
    issuing: Credential = field(init=False)
    signer: Credential = field(init=False)

    def __post_init__(self) -> None:
        now = datetime.now(UTC)
        self.root = self._open("root", lambda key: _root(key, "certlet lab root CA"))
        five_years = now + timedelta(days=1825)
        self.issuing = self._open("issuing", lambda key: _issuing(key, self.root, now - _BACKDATE, five_years))
        self.signer = self._open("cmp", self._make_signer)
        if self.signer.certificate.not_valid_after_utc < now + timedelta(days=30):
            (self.folder / "cmp.pem").unlink()
            self.signer = self._open("cmp", self._make_signer)

    def _open(self, name: str, make: Callable[[ec.EllipticCurvePrivateKey], Credential]) -> Credential:
        """Reads NAME.key and NAME.pem, or makes them: the key first, so that a cut between the two heals itself."""
        key_file, certificate_file = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        if not key_file.exists():
            fresh = ec.generate_private_key(ec.SECP256R1())
            pem = fresh.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            write_private(key_file, pem)
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key_file} is not an EC key")
        if not certificate_file.exists():
            certificate = make(key).certificate
            write_private(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
            certificate_file.chmod(0o644)
        return Credential(x509.load_pem_x509_certificate(certificate_file.read_bytes()), key)

    def _make_signer(self, key: ec.EllipticCurvePrivateKey) -> Credential:
        now, issuer = datetime.now(UTC), self.issuing
        certificate = _sign(
            _name("certlet lab CMP signer"), key.public_key(), issuer.certificate.subject, issuer.key, now - _BACKDATE,
            now + timedelta(days=365), _end_extensions(_CMC_RA),
        )
        return Credential(certificate, key)

    @cached_property
    def expired(self) -> Credential:
        """An issuing CA under the real root whose certificate has expired, with a key of its own."""
        now = datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        return _issuing(key, self.root, now - timedelta(days=400), now - timedelta(days=35))

    @cached_property
    def unknown(self) -> Credential:
        """An issuing CA under a root that nobody has seen."""
        now = datetime.now(UTC)
        root = _root(ec.generate_private_key(ec.SECP256R1()), "some other root CA")
        return _issuing(ec.generate_private_key(ec.SECP256R1()), root, now - _BACKDATE, now + timedelta(days=365))

    def issue(self, wanted: Wanted, issuer: Credential) -> Issued:
        """Issues by the device profile; Refused(badCertTemplate) when the wish cannot be met at all."""
        names, critical, ignored = _alternative_names(wanted)
        start, end, clipped = self._validity(wanted, issuer)
        extensions = _end_extensions(ExtendedKeyUsageOID.CLIENT_AUTH)
        if names is not None:
            extensions.append((names, critical))
        try:
            certificate = _sign(
                wanted.subject, wanted.public_key, issuer.certificate.subject, issuer.key, start, end, extensions
            )
        except (ValueError, TypeError):
            raise Refused("badCertTemplate", "no certificate can be made of this subject and these names") from None
        changes = [text for text in (clipped, ignored) if text]
        return Issued(certificate, "; ".join(changes))

    def _validity(self, wanted: Wanted, issuer: Credential) -> tuple[datetime, datetime, str]:
        """The wish, cut to the maximum and the issuer's validity; notBefore lies back for boards with slow clocks."""
        now = datetime.now(UTC)
        start = now - _BACKDATE
        if wanted.not_before is not None and wanted.not_before > now:
            start = wanted.not_before
        end = wanted.not_after or start + _BACKDATE + timedelta(days=self.default_days)
        latest = now + timedelta(days=self.max_days, minutes=5)
        if issuer is self.issuing:
            latest = min(latest, issuer.certificate.not_valid_after_utc)
        if end <= now or end <= start or start > latest:
            raise Refused("badCertTemplate", "the validity asked for is empty or in the past")
        return start, min(end, latest), "the validity was shortened" if end > latest else ""


def _alternative_names(wanted: Wanted) -> tuple[x509.SubjectAlternativeName | None, bool, str]:
    """The names asked for, whether they are critical, and a note when other extensions were left out."""
    names = None
    ignored = []
    given = {extension.oid: extension for extension, _ in _end_extensions(ExtendedKeyUsageOID.CLIENT_AUTH)}
    for extension in wanted.extensions:
        if extension.oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME:
            names = extension.value
        elif given.get(extension.oid) != extension.value:
            ignored.append(extension.oid.dotted_string)
    nameless = not list(wanted.subject)
    if nameless and names is None:
        raise Refused("badCertTemplate", "both the subject and the subjectAltName are empty")
    return names, nameless, f"extensions not honoured: {', '.join(ignored)}" if ignored else ""
