"""The state folder of a lab CA: opened, or made on first use."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from .authority import Authority
from .credential import write_certificate
from .faults import StoreError
from .profiles import Profiles
from .store import Store


@dataclass(frozen=True)
class State:
    """An open state folder."""

    folder: Path
    authority: Authority
    store: Store
    profiles: Profiles

    def anchors(self) -> list[x509.Certificate]:
        """The certificates that signers of requests may chain to: the CA's own roots and those added by `trust`."""
        added = sorted((self.folder / "trust").glob("*.pem"))
        update = self.authority.update
        own = [self.authority.root.certificate, *([update.old] if update else [])]
        return own + [x509.load_pem_x509_certificate(file.read_bytes()) for file in added]

    def trust(self, pem: bytes) -> list[str]:
        """Adds every certificate of a PEM file as an anchor; returns their subjects."""
        try:
            certificates = x509.load_pem_x509_certificates(pem)
        except ValueError:
            raise StoreError("the file holds no PEM certificate; nothing was added") from None
        for certificate in certificates:
            name = certificate.fingerprint(hashes.SHA256()).hex()[:32]
            write_certificate(self.folder / "trust" / f"{name}.pem", certificate)
        return [certificate.subject.rfc4514_string() for certificate in certificates]


def open_state(folder: Path, *, default_days: int = 90, max_days: int = 365, ca_key: str = "p256") -> State:
    """Opens a state folder and makes what is missing in it; `ca_key` is the kind of the CA's keys, once made."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "trust").mkdir(exist_ok=True)
        with _alone(folder):
            authority = Authority(folder, default_days, max_days, ca_key)
            return State(folder, authority, Store(folder), Profiles(folder))
    except (OSError, ValueError) as fault:
        raise StoreError(f"the state folder {folder} cannot be used: {fault}") from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two processes must not make the same folder at once."""
    with open(folder / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
