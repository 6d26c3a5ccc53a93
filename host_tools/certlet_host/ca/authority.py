"""The keys and certificates of the lab CA.

Root (pathLen 1) -> issuing CA (pathLen 0) -> device certificates, CMP signers and the key generation authority. CMP
messages are signed with a key of their own, because a CA's signing key must not protect messages (RFC 9810, 8.6).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from .credential import (
    BACKDATE,
    Credential,
    ca_extensions,
    certify,
    common_name,
    end_extensions,
    open_credential,
    read_certificate,
    write_certificate,
    write_key,
)
from .signatures import KEY_KINDS, PrivateKey

_CMC_RA = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.28")
_CM_KGA = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.32")
_ROOT_DAYS = 3650


def _root(key: PrivateKey, name: str) -> x509.Certificate:
    return certify(common_name(name), key.public_key(), common_name(name), key, ca_extensions(1), days=_ROOT_DAYS)


def _issuing(
    key: PrivateKey, root: Credential, start: datetime | None = None, end: datetime | None = None
) -> x509.Certificate:
    name, issuer = common_name("certlet lab issuing CA"), root.certificate.subject
    return certify(name, key.public_key(), issuer, root.key, ca_extensions(0), start=start, end=end, days=1825)


def _another(key: PrivateKey) -> PrivateKey:
    """A new key of the same kind."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ec.generate_private_key(key.curve)
    return KEY_KINDS["rsa" if isinstance(key, rsa.RSAPrivateKey) else "ed25519"]()


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


@dataclass(frozen=True)
class RootUpdate:
    """What a rollover of the root left (RFC 9810, 4.4): the old root, and each key certified by the other."""

    old: x509.Certificate
    new_with_old: x509.Certificate
    old_with_new: x509.Certificate


@dataclass
class Authority:
    """The CA in a state folder; what is missing there is made when it is opened."""

    folder: Path
    default_days: int = 90
    max_days: int = 365
    ca_key: str = "p256"
    root: Credential = field(init=False)
    issuing: Credential = field(init=False)
    signer: Credential = field(init=False)

    def __post_init__(self) -> None:
        self.root = open_credential(self.folder, "root", self.ca_key, lambda key: _root(key, "certlet lab root CA"))
        self.issuing = open_credential(self.folder, "issuing", self.ca_key, lambda key: _issuing(key, self.root))
        if not _issued_by(self.issuing.certificate, self.root.certificate):
            self._reissue()
        self.signer = self.signer_for("p256")

    def signer_for(self, kind: str) -> Credential:
        """The signer of CMP messages with this kind of key."""
        kind = kind.removesuffix("-pss")
        name = "cmp" if kind == "p256" else f"cmp-{kind}"
        return self._end_entity(name, kind, "certlet lab CMP signer", _CMC_RA)

    @cached_property
    def generator(self) -> Credential:
        """The key generation authority, which signs the keys it makes for devices (RFC 9810, 4.5)."""
        return self._end_entity("kga", "p256", "certlet lab key generation", _CM_KGA)

    def _end_entity(self, file: str, kind: str, name: str, purpose: x509.ObjectIdentifier) -> Credential:
        return open_credential(
            self.folder, file, kind, lambda key: self._certify(key, common_name(name), purpose), renew=True
        )

    def _certify(
        self, key: PrivateKey, name: x509.Name, purpose: x509.ObjectIdentifier,
        usages: tuple[str, ...] = ("digital_signature",),
    ) -> x509.Certificate:
        extensions = end_extensions(purpose, usages=usages)
        return certify(name, key.public_key(), self.issuing.certificate.subject, self.issuing.key, extensions)

    # The root's rollover

    @property
    def update(self) -> RootUpdate | None:
        """The last rollover of the root, None when there was none."""
        names = ("root-old", "root-new-with-old", "root-old-with-new")
        found = [read_certificate(self.folder / f"{name}.pem") for name in names]
        return RootUpdate(*found) if all(found) else None

    def issuing_certificates(self) -> list[x509.Certificate]:
        """The issuing CA as the root certified it, and, after a rollover, as the root before it did."""
        older = read_certificate(self.folder / "issuing-old.pem")
        return [self.issuing.certificate, *([older] if older else [])]

    def roll_over(self) -> None:
        """Makes a new root of the same name, certifies the issuing CA under it, and keeps what links old and new."""
        old, key = self.root, _another(self.root.key)
        name, end = old.certificate.subject, old.certificate.not_valid_after_utc
        new = Credential(_root(key, "certlet lab root CA"), key)
        links = {
            "root-old": old.certificate,
            "root-new-with-old": certify(name, key.public_key(), name, old.key, ca_extensions(1), end=end),
            "root-old-with-new": certify(name, old.key.public_key(), name, key, ca_extensions(1), end=end),
            "issuing-old": self.issuing.certificate,
        }
        for file, certificate in links.items():
            write_certificate(self.folder / f"{file}.pem", certificate)
        # A cut from here on heals when the folder is opened next.
        write_key(self.folder / "root.key", key)
        write_certificate(self.folder / "root.pem", new.certificate)
        self.root = new
        self._reissue()

    def _reissue(self) -> None:
        self.issuing = Credential(_issuing(self.issuing.key, self.root), self.issuing.key)
        write_certificate(self.folder / "issuing.pem", self.issuing.certificate)

    # What only provocations use

    @cached_property
    def expired(self) -> Credential:
        """An issuing CA under the real root whose certificate has expired, with a key of its own."""
        now, key = datetime.now(UTC), KEY_KINDS["p256"]()
        return Credential(_issuing(key, self.root, now - timedelta(days=400), now - timedelta(days=35)), key)

    @cached_property
    def unknown(self) -> Credential:
        """An issuing CA under a root that nobody has seen."""
        root_key, key = KEY_KINDS["p256"](), KEY_KINDS["p256"]()
        return Credential(_issuing(key, Credential(_root(root_key, "some other root CA"), root_key)), key)

    @cached_property
    def mute_signer(self) -> Credential:
        """A CMP signer whose keyUsage lacks digitalSignature."""
        key = KEY_KINDS["p256"]()
        name = common_name("certlet lab CMP signer")
        return Credential(self._certify(key, name, _CMC_RA, usages=("key_agreement",)), key)

    @cached_property
    def long_named_signer(self) -> Credential:
        """A CMP signer whose name has three parts, so that their order can be wrong."""
        key, name = KEY_KINDS["p256"](), x509.Name.from_rfc4514_string("CN=CMP signer,OU=lab,O=certlet")
        return Credential(self._certify(key, name, _CMC_RA), key)

    @cached_property
    def bystanders(self) -> list[bytes]:
        """Certificates that have nothing to do with anything, for long lists of extraCerts."""
        key = KEY_KINDS["p256"]()
        end = datetime.now(UTC) + timedelta(days=1)
        names = (common_name(f"bystander {number}") for number in range(40))
        made = (certify(name, key.public_key(), name, key, [], start=end - BACKDATE * 25, end=end) for name in names)
        return [Credential(certificate, key).der for certificate in made]
