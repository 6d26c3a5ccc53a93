"""One protocol operation on a board: builds the job, keeps the transcript, writes what came of it."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from . import device
from .credentials import Secret, Signature

STORE = "identity"  # folder of the records on the board's flash; one named "certlet" would hide the package
Events = Callable[[dict], None]


@dataclass(frozen=True)
class Enrolment:
    """What `cmp ir` needs to know, checked already."""

    url: str
    credential: Secret | Signature
    subject: list[list[str]]
    san: list[list[str]] = field(default_factory=list)
    days: int | None = None
    trusted: list[str] = field(default_factory=list)  # PEM
    tls_trusted: list[str] = field(default_factory=list)  # PEM
    recipient: list[list[str]] | None = None
    implicit_confirm: bool = False
    iterations: int = 1024
    timeout: int = 15
    new_key: bytes | None = field(default=None, repr=False)  # a key reference

    def job(self) -> dict:
        """Return the job of the device verb `cmp`; it holds the credential."""
        config = {
            "url": self.url,
            "subject": self.subject,
            "san": self.san,
            "days": self.days,
            "trusted": self.trusted,
            "tls_trusted": self.tls_trusted,
            "recipient": self.recipient,
            "implicit_confirm": self.implicit_confirm,
            "pbm_iterations": self.iterations,
            "timeout": self.timeout,
            "folder": STORE,
        }
        new_key = self.new_key.hex() if self.new_key else None
        return {"config": config, "new_key": new_key, **self.credential.job()}


def cmp_ir(board: device.Board, enrolment: Enrolment, out: Path, on_event: Events) -> dict:
    """Enrol by CMP `ir` on the board; returns the answer of the device verb.

    Writes out/transcript/NN-{req,rsp}.der as the messages pass; cert.pem, chain.pem and, of a simulated board,
    key.pem only when all went well: files of an earlier run stay what they were otherwise.
    """
    transcript = Transcript(out / "transcript")
    figures: dict = {"round_trips": 0, "bytes_up": 0, "bytes_down": 0, "ms": None, "heap_peak": None}

    def watch(event: dict) -> None:
        transcript.keep(event)
        if event["event"] == "end":
            figures.update({name: event[name] for name in figures})
        else:
            on_event(event)

    job = enrolment.job()
    job["export"] = board.simulated
    answer = device.call(board, "cmp", job, watch) | figures
    if answer["ok"]:
        write_identity(out, answer)
    return answer


class Transcript:
    """Keeps every message of an operation as a DER file, requests and replies by turns."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.number = 0
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("[0-9][0-9]-r??.der"):
            old.unlink()

    def keep(self, event: dict) -> None:
        suffix = {"sent": "req", "received": "rsp"}.get(event["event"])
        if suffix:
            self.number += suffix == "req"
            (self.folder / f"{self.number:02}-{suffix}.der").write_bytes(bytes.fromhex(event["der"]))


def write_identity(out: Path, answer: dict) -> None:
    """Write cert.pem, chain.pem and, if the board gave it, key.pem (0600); each appears whole or not at all."""
    pem = [x509.load_der_x509_certificate(bytes.fromhex(h)) for h in (answer["certificate"], *answer["chain"])]
    texts = [certificate.public_bytes(Encoding.PEM) for certificate in pem]
    if "key" in answer:
        key = ec.derive_private_key(int(answer.pop("key"), 16), ec.SECP256R1())
        write_whole(out / "key.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    write_whole(out / "chain.pem", b"".join(texts[1:]))
    write_whole(out / "cert.pem", texts[0])


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file by way of a temporary one beside it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(data)
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise


def summary(op: str, answer: dict) -> dict:
    """Return the one JSON object that a command prints with --json."""
    certificate = None
    if answer["ok"]:
        certificate = x509.load_der_x509_certificate(bytes.fromhex(answer["certificate"]))
    return {
        "ok": answer["ok"],
        "op": op,
        "pki_status": answer.get("pki_status"),
        "fail_info": answer.get("fail_info", []),
        "status_string": answer.get("status_string", ""),
        "error_code": answer.get("code"),
        "serial": f"{certificate.serial_number:x}" if certificate else None,
        "not_after": certificate.not_valid_after_utc.isoformat() if certificate else None,
        "round_trips": answer.get("round_trips", 0),
        "bytes_up": answer.get("bytes_up", 0),
        "bytes_down": answer.get("bytes_down", 0),
        "ms": answer.get("ms"),
        "heap_peak": answer.get("heap_peak"),
    }
