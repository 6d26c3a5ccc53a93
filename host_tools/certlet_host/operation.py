"""One protocol operation on a board: builds the job, keeps the transcript, writes what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from . import device, results
from .credentials import Secret, Signature
from .relay import Relay

STORE = "identity"  # folder of the records on the board's flash; one named "certlet" would hide the package
Events = Callable[[dict], None]


@dataclass(frozen=True)
class Operation:
    """One CMP operation, checked already: `settings` are keys of the device's configuration, `request` of its job."""

    op: str
    url: str
    credential: Secret | Signature | None = None  # None: the board's active identity
    settings: dict = field(default_factory=dict)
    request: dict = field(default_factory=dict, repr=False)

    def job(self) -> dict:
        """Return the job of the device verb `cmp`; it holds the credential."""
        config = {"url": self.url, "folder": STORE, **self.settings}
        credential = self.credential.job() if self.credential else {"identity": True}
        return {"op": self.op, "config": config, **self.request, **credential}

    def relay(self) -> Relay | None:
        """Return what posts for the board, if it is to have no network of its own."""
        if self.settings.get("transport") != "serial":
            return None
        timeout = self.settings.get("timeout", Relay.timeout)
        return Relay(self.url, anchors=self.settings.get("tls_trusted", ()), timeout=timeout)


def run_cmp(board: device.Board, operation: Operation, out: Path, on_event: Events, timeout: float = 120) -> dict:
    """Run a CMP operation on the board; returns the answer of the device verb.

    Writes out/transcript/NN-{req,rsp}.der as the messages pass, and what came of it only when all went well: files of
    an earlier run stay what they were otherwise.
    """
    transcript = Transcript(out / "transcript")
    figures: dict = {"round_trips": 0, "bytes_up": 0, "bytes_down": 0, "ms": None, "heap_peak": None}

    def watch(event: dict) -> None:
        transcript.keep(event)
        if event["event"] == "end":
            figures.update({name: event[name] for name in figures})
        else:
            on_event(event)

    job = operation.job()
    job["export"] = board.simulated
    try:
        answer = device.call(board, "cmp", job, watch, timeout, operation.relay()) | figures
        summary(operation.op, answer)
        if answer["ok"]:
            results.write(out, answer)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise device.DeviceError("the board's answer makes no sense; install this version of certlet on it") from None
    return answer


def no_answer(error: device.DeviceError) -> dict:
    """Return what stands for the answer of a board that gave none."""
    return {"ok": False, "class": type(error).__name__, "code": None, "detail": str(error)}


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


def summary(op: str, answer: dict) -> dict:
    """Return the one JSON object that a command prints with --json."""
    certificate = None
    if answer["ok"] and answer.get("certificate"):
        certificate = x509.load_der_x509_certificate(bytes.fromhex(answer["certificate"]))
    return {
        "ok": answer["ok"],
        "op": op,
        "pki_status": answer.get("pki_status"),
        "fail_info": answer.get("fail_info", []),
        "status_string": answer.get("status_string", ""),
        "error_code": answer.get("code"),
        "error_detail": answer.get("detail"),
        "serial": f"{certificate.serial_number:x}" if certificate else None,
        "not_after": certificate.not_valid_after_utc.isoformat() if certificate else None,
        "round_trips": answer.get("round_trips", 0),
        "bytes_up": answer.get("bytes_up", 0),
        "bytes_down": answer.get("bytes_down", 0),
        "ms": answer.get("ms"),
        "heap_peak": answer.get("heap_peak"),
    }
