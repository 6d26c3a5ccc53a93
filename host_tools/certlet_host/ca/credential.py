"""A certificate with its private key, and how the lab CA makes one and keeps it in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from .signatures import KEY_KINDS, PrivateKey, certificate_hash

BACKDATE = timedelta(hours=1)
Extensions = list[tuple[x509.ExtensionType, bool]]  # each with "critical"
KEY_USAGES = (
    "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
    "encipher_only decipher_only"
).split()


@dataclass(frozen=True)
class Credential:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    @property
    def der(self) -> bytes:
        return to_der(self.certificate)

    @property
    def subject(self) -> bytes:
        return self.certificate.subject.public_bytes()

    @property
    def key_id(self) -> bytes:
        return self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def to_der(certificate: x509.Certificate) -> bytes:
    """The DER of a certificate."""
    return certificate.public_bytes(serialization.Encoding.DER)


def key_usage(*names: str) -> x509.KeyUsage:
    """The KeyUsage with these bits."""
    return x509.KeyUsage(**{name: name in names for name in KEY_USAGES})


def common_name(text: str) -> x509.Name:
    """The name CN=text."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def ca_extensions(path_length: int) -> Extensions:
    """Those of a CA."""
    return [(x509.BasicConstraints(True, path_length), True), (key_usage("key_cert_sign", "crl_sign"), True)]


def end_extensions(*purposes: x509.ObjectIdentifier, usages: tuple[str, ...] = ("digital_signature",)) -> Extensions:
    """Those of an end entity with these extended key usages; an extension for none would have to be empty."""
    extended: Extensions = [(x509.ExtendedKeyUsage(purposes), False)] if purposes else []
    return [(x509.BasicConstraints(False, None), True), (key_usage(*usages), True), *extended]


def certify(
    subject: x509.Name, public_key: CertificatePublicKeyTypes, issuer: x509.Name, issuer_key: PrivateKey,
    extensions: Extensions, *, start: datetime | None = None, end: datetime | None = None, days: int = 365,
) -> x509.Certificate:
    """Signs a certificate; without `start` from an hour ago, without `end` until `days` from now."""
    now = datetime.now(UTC)
    start, end = start or now - BACKDATE, end or now + timedelta(days=days)
    builder = x509.CertificateBuilder(
        issuer, subject, public_key, x509.random_serial_number(), start.replace(microsecond=0),
        end.replace(microsecond=0),
    )
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(authority, False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, certificate_hash(issuer_key))


def write_private(path: Path, data: bytes) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    fresh.replace(path)


def write_certificate(path: Path, certificate: x509.Certificate) -> None:
    """Writes a PEM file for everybody to read."""
    write_private(path, certificate.public_bytes(serialization.Encoding.PEM))
    path.chmod(0o644)


def read_certificate(path: Path) -> x509.Certificate | None:
    """The certificate in a PEM file, None when there is no such file."""
    return x509.load_pem_x509_certificate(path.read_bytes()) if path.exists() else None


def write_key(path: Path, key: PrivateKey) -> None:
    """Writes a private key as PEM, mode 0600."""
    plain = serialization.NoEncryption()
    write_private(path, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))


def open_credential(
    folder: Path, name: str, kind: str, make: Callable[[PrivateKey], x509.Certificate], *, renew: bool = False
) -> Credential:
    """Reads NAME.key and NAME.pem, or makes them: the key first, so that a cut between the two heals itself.

    A certificate of another key is made anew; with `renew`, one that ends within 30 days too.
    """
    key_file, certificate_file = folder / f"{name}.key", folder / f"{name}.pem"
    if not key_file.exists():
        write_key(key_file, KEY_KINDS[kind]())
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    if not isinstance(key, PrivateKey):
        raise ValueError(f"{key_file} is of no kind that the CA uses")
    certificate = read_certificate(certificate_file)
    if certificate and certificate.public_key() != key.public_key():
        certificate = None
    if certificate and renew and certificate.not_valid_after_utc < datetime.now(UTC) + timedelta(days=30):
        certificate = None
    if certificate is None:
        certificate = make(key)
        write_certificate(certificate_file, certificate)
    return Credential(certificate, key)
