"""`make demo`: a simulated board enrols at a lab CA that it did not know, and uses its certificate.

Everything is real but the board's silicon: MicroPython runs the device code unchanged, the CA is another process, HTTP
and TLS go through sockets on 127.0.0.1. Results stay in build/demo.
"""

import contextlib
import datetime
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from rich.console import Console

from . import codes, credentials, device, exits, operation, results
from .timeline import Timeline, printable

CERTLET = (sys.executable, "-m", "certlet_host")
FOLDER = Path("build") / "demo"
REFERENCE = "board-0001"
GREETING = "hello from board-0001"


class DemoFailed(Exception):
    """A step did not end as it must; the message is one line."""


def main() -> None:
    """Run the demo; the exit code tells whether every step ended as it must."""
    console = Console(highlight=False, soft_wrap=True)
    started = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        run(console)
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
    except (DemoFailed, device.DeviceError, device.NoDevice, credentials.InputError, OSError) as e:
        print(f"demo: {e}", file=sys.stderr)
        raise SystemExit(exits.FAILED) from None
    console.print(f"\nDone in {time.monotonic() - started:.1f} s. Everything that passed is in {FOLDER}/.")


def stop(number: int, frame: object) -> None:
    """End by an exception, so that every process that was started is ended too."""
    raise SystemExit(128 + number)


def run(console: Console) -> None:
    """All steps, in order."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    timeline = Timeline(console)
    with device.open_board("sim", folder=FOLDER / "flash") as board:
        about = device.call(board, "identify", {}, ignore)
        version = ".".join(map(str, about["micropython"])).rstrip(".")
        runs = f"MicroPython {version} ({about['platform']}) runs certlet {about['certlet']}"
        title(console, "A board, simulated", runs)
        with lab_ca(FOLDER / "ca") as url:
            title(console, "A lab CA that the board has never heard of", f"{url}, keys made a moment ago")
            secret = new_secret(FOLDER / "ca", REFERENCE)
            console.print(f"The CA made a one-time secret for {REFERENCE!r}; the board gets it, and nothing else.")
            title(console, "Enrolment", "CMP ir under a password-based MAC; times are the board's own")
            answer = enrol(board, url, secret, FOLDER / "enrolment", timeline)
            show_certificate(console, answer)
            title(console, "Renewal", "CMP kur with a new key, signed with the identity that the board has")
            renew(board, url, timeline)
        title(console, "Mutual TLS", "a server that demands a client certificate of that CA")
        show_tls(console, board)
        title(console, "An impostor", "another CA answers the next enrolment; it does not have the secret")
        show_impostor(console, board, secret)


def title(console: Console, head: str, text: str) -> None:
    console.print(f"\n[bold]{head}[/bold]: {text}")


def ignore(event: dict) -> None:
    """A listener for verbs whose steps are not shown."""


@contextlib.contextmanager
def lab_ca(state: Path) -> Iterator[str]:
    """A lab CA as a process of its own, on a free port, ended with the block."""
    ready = state.with_suffix(".url")
    command = [*CERTLET, "ca", "run", "--state", state, "--port", "0", "--ready-file", ready]
    with open(state.with_suffix(".log"), "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 20
            while not (ready.exists() and ready.read_text()):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise DemoFailed(f"the lab CA did not start; its last words are in {log.name}")
                time.sleep(0.02)
            yield ready.read_text().strip()
        finally:
            process.terminate()
            process.wait(10)
            ready.unlink(missing_ok=True)


def new_secret(state: Path, reference: str) -> credentials.Secret:
    """Have the CA make a secret, by the command that a person would use."""
    file = state / f"{reference}.secret"
    command = [*CERTLET, "ca", "secret", "--state", state, "--ref", reference, "--out", file]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return credentials.read_secret(reference, file)


def wish(url: str, secret: credentials.Secret) -> operation.Operation:
    """What the board asks for: no anchor is pinned, the MAC vouches for the CA."""
    settings = {
        "subject": [["O", "Example"], ["CN", REFERENCE]],
        "san": [["dns", f"{REFERENCE}.example"]],
        "days": 30,
    }
    return operation.Operation("ir", url + "/.well-known/cmp", secret, settings)


def enrol(board: device.Board, url: str, secret: credentials.Secret, out: Path, timeline: Timeline) -> dict:
    answer = operation.run_cmp(board, wish(url, secret), out, timeline.event)
    if not answer["ok"]:
        raise DemoFailed(codes.explain(answer["code"]))
    return answer


def renew(board: device.Board, url: str, timeline: Timeline) -> None:
    """The anchor is the root that came with the first certificate: it is what the board has pinned since."""
    root = (FOLDER / "enrolment" / "chain.pem").read_text().split("-----BEGIN")[-1]
    settings = {"trusted": ["-----BEGIN" + root]}
    task = operation.Operation("kur", url + "/.well-known/cmp", None, settings)
    answer = operation.run_cmp(board, task, FOLDER / "renewal", timeline.event)
    if not answer["ok"]:
        raise DemoFailed(codes.explain(answer["code"]))


def show_certificate(console: Console, answer: dict) -> None:
    certificate = x509.load_der_x509_certificate(bytes.fromhex(answer["certificate"]))
    console.print(f"\n  subject   {certificate.subject.rfc4514_string()}")
    console.print(f"  issuer    {certificate.issuer.rfc4514_string()}")
    console.print(f"  serial    {certificate.serial_number:x}")
    console.print(f"  until     {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
    console.print(
        f"  cost      {answer['round_trips']} round trips, {answer['bytes_up']} bytes up and {answer['bytes_down']} "
        f"down with HTTP headers, {answer['ms']} ms, {answer['heap_peak']} bytes of heap at the peak"
    )


class TlsServer(threading.Thread):
    """Accepts one connection, demands a client certificate of the lab CA, echoes one line."""

    def __init__(self, client_anchors: list[Path]):
        super().__init__(daemon=True)
        self.anchor, certificate, key = site_ca(FOLDER / "site")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.verify_mode = ssl.CERT_REQUIRED
        for file in client_anchors:
            context.load_verify_locations(file)
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(15)
        self.port = self.listener.getsockname()[1]
        self.seen: str | None = None
        self.peer: x509.Certificate | None = None

    def run(self) -> None:
        try:
            with self.listener, self.listener.accept()[0] as raw:
                raw.settimeout(15)
                with self.context.wrap_socket(raw, server_side=True) as stream:
                    self.peer = x509.load_der_x509_certificate(stream.getpeercert(binary_form=True))
                    self.seen = stream.makefile("r").readline().strip()
                    self.cipher = f"{stream.version()} {stream.cipher()[0]}"
                    stream.sendall(f"welcome, {self.peer.subject.rfc4514_string()}\n".encode())
        except (OSError, ssl.SSLError) as e:
            self.seen = f"refused: {e}"


def site_ca(folder: Path) -> tuple[x509.Certificate, Path, Path]:
    """The PKI of the TLS server, which has nothing to do with the lab CA: (anchor, certificate file, key file)."""
    folder.mkdir()
    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("site root", "localhost")]
    made = []
    for name, key in zip(names, keys, strict=True):
        builder = (
            x509.CertificateBuilder().subject_name(name).issuer_name(names[0]).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=not made, path_length=None), critical=True)
        )  # fmt: skip
        if made:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()))
    certificate, key_file = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(made[1].public_bytes(Encoding.PEM))
    key_pem = keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    results.write_whole(key_file, key_pem, 0o600)
    return made[0], certificate, key_file


def show_tls(console: Console, board: device.Board) -> None:
    server = TlsServer([FOLDER / "ca" / "root.pem", FOLDER / "ca" / "issuing.pem"])
    server.start()
    job = {
        "folder": operation.STORE,
        "host": "localhost",
        "port": server.port,
        "trusted": [server.anchor.public_bytes(Encoding.DER).hex()],
        "timeout": 15,
        "line": GREETING,
    }
    answer = device.call(board, "tls", job, ignore)
    server.join(20)
    if not answer["ok"]:
        raise DemoFailed(codes.explain(answer["code"]))
    if server.peer is None or server.seen != GREETING:
        raise DemoFailed(f"the TLS server saw {server.seen!r}")
    console.print(f"  {server.cipher}; the board checked the server against its pinned anchor and the name 'localhost'")
    console.print(f"  server    accepted {server.peer.subject.rfc4514_string()}, serial {server.peer.serial_number:x}")
    console.print(f"  board     sent {server.seen!r}, got {printable(answer['line'])!r}")


def show_impostor(console: Console, board: device.Board, secret: credentials.Secret) -> None:
    before = device.call(board, "status", {"folder": operation.STORE}, ignore)
    with lab_ca(FOLDER / "impostor") as url:
        new_secret(FOLDER / "impostor", REFERENCE)
        answer = operation.run_cmp(board, wish(url, secret), FOLDER / "refused", ignore)
    after = device.call(board, "status", {"folder": operation.STORE}, ignore)
    if answer["ok"] or exits.of_answer(answer) != exits.UNVERIFIED:
        raise DemoFailed("the board believed the impostor")
    if before != after or not before.get("certificate"):
        raise DemoFailed("the board's identity did not survive the impostor")
    console.print(f"  board     refused it: {codes.explain(answer['code'])}")
    console.print("  board     still has the identity it had before")


if __name__ == "__main__":
    main()
