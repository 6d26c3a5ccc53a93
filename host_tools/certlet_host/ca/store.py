"""What the lab CA remembers, in one SQLite file: devices' secrets (sealed), transactions and certificates.

Secrets lie in it only under AES-GCM, with a key that is kept in another file (0600).
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import create_engine, event, inspect, or_, select
from sqlalchemy.orm import Session

from .credential import write_private
from .faults import StoreError
from .tables import Base, Certificate, Device, Transaction, revoked

_LISTED = ("serial", "subject", "not_before", "not_after", "requester", "owner", "status", "reason", "issued",
           "replaces")  # fmt: skip


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
        self._require_columns(database)

    def _require_columns(self, database: Path) -> None:
        found = inspect(self._engine)
        for table in Base.metadata.sorted_tables:
            if {column["name"] for column in found.get_columns(table.name)} != set(table.columns.keys()):
                raise StoreError(f"{database} was made by another version of certlet; use another state folder")

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

    def certificates(self) -> list[dict[str, Any]]:
        """All issued certificates, oldest first, without their DER."""
        with self.session() as session:
            rows = session.scalars(select(Certificate).order_by(Certificate.issued, Certificate.serial)).all()
            return [
                {**{name: getattr(row, name) for name in _LISTED}, "details": json.loads(row.details)} for row in rows
            ]

    def delayed(self) -> list[tuple[str, str]]:
        """The transactionID and requester of every answer that is delayed."""
        with self.session() as session:
            query = select(Transaction).where(Transaction.pending.is_not(None))
            return [(row.identifier, row.requester) for row in session.scalars(query).all()]

    def approve(self, word: str) -> list[str]:
        """Lets the next poll of a transaction, or of those of a reference, get its answer; returns transactionIDs."""
        with self.session() as session:
            chosen = or_(Transaction.identifier == word.lower(), Transaction.requester == f"reference {word}")
            rows = session.scalars(select(Transaction).where(Transaction.pending.is_not(None), chosen)).all()
            for row in rows:
                row.polls = 0
            return [row.identifier for row in rows]

    def revoked(self) -> tuple[list[tuple[int, int, str]], int]:
        """What belongs on the CRL, as `tables.revoked` says."""
        with self.session() as session:
            return revoked(session)


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
