"""The tables of the lab CA's database, and the steps by which their rows change. Times are seconds since 1970."""

from __future__ import annotations

import json
import time
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

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
    """An issued certificate.

    Status: pending, confirmed, superseded (by a confirmed key update), revoked (`reason` says why), rejected (by the
    client), unconfirmed (in time). `owner` is whoever enrolled it or its predecessors first, `replaces` the serial
    number of the certificate that it updates, `details` a JSON object of what else came with the request.
    """

    __tablename__ = "certificate"
    serial: Mapped[str] = mapped_column(primary_key=True)
    der: Mapped[bytes]
    fingerprint: Mapped[bytes] = mapped_column(unique=True)
    subject: Mapped[str]
    not_before: Mapped[int]
    not_after: Mapped[int]
    requester: Mapped[str]
    owner: Mapped[str]
    status: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    issued: Mapped[int]
    changed: Mapped[int]
    replaces: Mapped[str | None]
    details: Mapped[str] = mapped_column(default="{}")

    def become(self, status: str, reason: str = "") -> None:
        """Changes the status, and notes when."""
        self.status, self.reason, self.changed = status, reason, int(time.time())

    def load(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)


class Transaction(Base):
    """A CMP transaction, with its last request and reply.

    State: waiting (for certConf), confirmed, implicit, rejected, refused, unconfirmed, done (no certificate).
    `nonce` is that of our last reply and `earlier` of the one before it. `pending` is the request whose answer is
    delayed; it comes after `polls` more polls for `poll_id`, or, where `polls` is negative, after approval.
    """

    __tablename__ = "cmp_transaction"
    identifier: Mapped[str] = mapped_column(primary_key=True)
    requester: Mapped[str]
    request_digest: Mapped[bytes]
    reply: Mapped[bytes]
    req_id: Mapped[int]
    nonce: Mapped[bytes]
    earlier: Mapped[bytes]
    state: Mapped[str]
    deadline: Mapped[int]
    serial: Mapped[str | None] = mapped_column(ForeignKey("certificate.serial"))
    pending: Mapped[bytes | None]
    label: Mapped[str] = mapped_column(default="")
    poll_id: Mapped[int] = mapped_column(default=-1)
    polls: Mapped[int] = mapped_column(default=0)
    check_after: Mapped[int] = mapped_column(default=0)


def public_key_digest(key: CertificatePublicKeyTypes) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo."""
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    return digest.finalize()


def serial_text(number: int) -> str:
    """A serial number as the tables hold it."""
    return f"{number:x}"


def find_certificate(session: Session, certificate: x509.Certificate) -> Certificate | None:
    """The row of a certificate, None when this CA did not issue it to a device."""
    query = select(Certificate).where(Certificate.fingerprint == certificate.fingerprint(hashes.SHA256()))
    return session.scalar(query)


def sweep(session: Session, now: int) -> None:
    """Ends what was not confirmed in time and forgets what ended long ago; what is delayed stays."""
    idle = select(Transaction).where(Transaction.pending.is_(None))
    for transaction in session.scalars(idle.where(Transaction.state == "waiting", Transaction.deadline < now)).all():
        settle(session, transaction, "unconfirmed")
    for transaction in session.scalars(idle.where(Transaction.deadline < now - _KEEP)).all():
        session.delete(transaction)


def record(
    session: Session, certificate: x509.Certificate, requester: str, *, owner: str = "", replaces: str | None = None,
    details: dict[str, Any] | None = None,
) -> Certificate:
    """Adds an issued certificate, status pending."""
    now = int(time.time())
    row = Certificate(
        serial=serial_text(certificate.serial_number),
        der=certificate.public_bytes(serialization.Encoding.DER),
        fingerprint=certificate.fingerprint(hashes.SHA256()),
        subject=certificate.subject.rfc4514_string(),
        not_before=int(certificate.not_valid_before_utc.timestamp()),
        not_after=int(certificate.not_valid_after_utc.timestamp()),
        requester=requester,
        owner=owner or requester,
        status="pending",
        reason="",
        issued=now,
        changed=now,
        replaces=replaces,
        details=json.dumps(details or {}),
    )
    session.add(row)
    session.flush()
    return row


def settle(session: Session, transaction: Transaction, state: str) -> None:
    """Ends a transaction and gives its certificate the matching status.

    A confirmed certificate binds the secret to its key and supersedes the one that it updates.
    """
    transaction.state = state
    row = session.get(Certificate, transaction.serial) if transaction.serial else None
    if row is None:
        return
    row.become("confirmed" if state == "implicit" else state)
    if row.status != "confirmed":
        return
    old = session.get(Certificate, row.replaces) if row.replaces else None
    if old is not None and old.status == "confirmed":
        old.become("superseded")
    if transaction.requester.startswith("reference "):
        device = session.get(Device, transaction.requester.removeprefix("reference "))
        if device is not None:
            device.enrolled_key = public_key_digest(row.load().public_key())


def revoked(session: Session) -> tuple[list[tuple[int, int, str]], int]:
    """What belongs on the CRL, as (serial number, time, reason), and the time of the last change."""
    rows = session.scalars(select(Certificate)).all()
    listed = [row for row in rows if row.status in ("revoked", "rejected", "unconfirmed")]
    return [(int(row.serial, 16), row.changed, row.reason) for row in listed], max((r.changed for r in rows), default=0)
