"""What the lab CA remembers, in one SQLite file: devices' secrets (sealed), transactions and certificates.

Secrets lie in it only under AES-GCM, with a key that is kept in another file (0600). Times are seconds since 1970.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ForeignKey, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from .authority import write_private
from .faults import StoreError

_KEEP = 86_400  # seconds a finished transaction is remembered, for repeated messages


class Base(DeclarativeBase):
    """The tables of the lab CA."""


class Device(Base):
    """A reference and its sealed secret; `enrolled_key` (SHA-256 of SPKI) is the key a used secret is bound to."""

    __tablename__ = "device"
    reference: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    reusable: Mapped[bool] = mapped_column(default=False)
    created: Mapped[int]
    enrolled_key: Mapped[bytes | None]


class Certificate(Base):
    """An issued certificate. Status: pending, confirmed, rejected (by the client), unconfirmed (in time)."""

    __tablename__ = "certificate"
    serial: Mapped[str] = mapped_column(primary_key=True)
    der: Mapped[bytes]
    fingerprint: Mapped[bytes] = mapped_column(unique=True)
    subject: Mapped[str]
    not_before: Mapped[int]
    not_after: Mapped[int]
    requester: Mapped[str]
    status: Mapped[str]
    issued: Mapped[int]


class Transaction(Base):
    """A CMP transaction. State: waiting (for certConf), confirmed, implicit, rejected, refused, unconfirmed."""

    __tablename__ = "cmp_transaction"
    identifier: Mapped[str] = mapped_column(primary_key=True)
    requester: Mapped[str]
    request_digest: Mapped[bytes]
    reply: Mapped[bytes]
    req_id: Mapped[int]
    nonce: Mapped[bytes]
    state: Mapped[str]
    deadline: Mapped[int]
    serial: Mapped[str | None] = mapped_column(ForeignKey("certificate.serial"))


def public_key_digest(key: CertificatePublicKeyTypes) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo."""
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


class Store:
    """The database in a state folder."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        key_file = folder / "secrets.key"
        if not key_file.exists():
            write_private(key_file, AESGCM.generate_key(256))
        self._seal = AESGCM(key_file.read_bytes())
        database = folder / "ca.sqlite"
        if not database.exists():
            write_private(database, b"")
        self._engine = create_engine(f"sqlite:///{database}", connect_args={"timeout": 30}, hide_parameters=True)
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        Base.metadata.create_all(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One writing transaction; committed when the block ends without an exception."""
        with self._lock, Session(self._engine) as session, session.begin():
            yield session

    def add_secret(self, reference: str, secret: bytes, *, reusable: bool = False, replace: bool = False) -> None:
        """Keeps a device's secret; StoreError when the reference exists already."""
        nonce = os.urandom(12)
        sealed = nonce + self._seal.encrypt(nonce, secret, reference.encode())
        with self.session() as session:
            if not replace and session.get(Device, reference) is not None:
                raise StoreError(f"reference {reference!r} exists already; nothing was changed (see --replace)")
            fresh = Device(reference=reference, sealed=sealed, reusable=reusable, created=int(time.time()))
            session.merge(fresh).enrolled_key = None

    def secret(self, reference: str) -> bytes | None:
        """The secret of a reference, None when there is no such reference."""
        with self.session() as session:
            device = session.get(Device, reference)
            sealed = device.sealed if device else None
        if sealed is None:
            return None
        try:
            return self._seal.decrypt(sealed[:12], sealed[12:], reference.encode())
        except InvalidTag:
            raise StoreError("secrets.key is not the key that the secrets in ca.sqlite were sealed with") from None

    def status_of(self, certificate: x509.Certificate) -> str | None:
        """The status of a certificate that this CA issued to a device, None for any other."""
        with self.session() as session:
            query = select(Certificate.status).where(
                Certificate.fingerprint == certificate.fingerprint(hashes.SHA256())
            )
            return session.scalar(query)

    def certificates(self) -> list[dict[str, Any]]:
        """All issued certificates, oldest first, without their DER."""
        columns = ("serial", "subject", "not_before", "not_after", "requester", "status", "issued")
        with self.session() as session:
            rows = session.scalars(select(Certificate).order_by(Certificate.issued, Certificate.serial)).all()
            return [{name: getattr(row, name) for name in columns} for row in rows]


def sweep(session: Session, now: int) -> None:
    """Ends what was not confirmed in time and forgets what ended long ago."""
    late = select(Transaction).where(Transaction.state == "waiting", Transaction.deadline < now)
    for transaction in session.scalars(late).all():
        settle(session, transaction, "unconfirmed")
    for transaction in session.scalars(select(Transaction).where(Transaction.deadline < now - _KEEP)).all():
        session.delete(transaction)


def record(session: Session, certificate: x509.Certificate, requester: str) -> Certificate:
    """Adds an issued certificate, status pending."""
    row = Certificate(
        serial=f"{certificate.serial_number:x}",
        der=certificate.public_bytes(serialization.Encoding.DER),
        fingerprint=certificate.fingerprint(hashes.SHA256()),
        subject=certificate.subject.rfc4514_string(),
        not_before=int(certificate.not_valid_before_utc.timestamp()),
        not_after=int(certificate.not_valid_after_utc.timestamp()),
        requester=requester,
        status="pending",
        issued=int(time.time()),
    )
    session.add(row)
    session.flush()
    return row


def settle(session: Session, transaction: Transaction, state: str) -> None:
    """Ends a transaction and gives its certificate the matching status; a confirmed one binds the secret to its key."""
    transaction.state = state
    row = session.get(Certificate, transaction.serial) if transaction.serial else None
    if row is None:
        return
    row.status = "confirmed" if state == "implicit" else state
    if row.status == "confirmed" and transaction.requester.startswith("reference "):
        device = session.get(Device, transaction.requester.removeprefix("reference "))
        if device is not None:
            device.enrolled_key = public_key_digest(x509.load_der_x509_certificate(row.der).public_key())


def new_secret() -> bytes:
    """128 random bits as 32 hexadecimal digits; the digits are the octets of the secret."""
    return secrets.token_hex(16).encode()


def _configure(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN comes too late for read-then-write; see _begin.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
