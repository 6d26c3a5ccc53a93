"""What each operation of CMP costs on the wire, and what cryptography takes on the unix port: `make bench`.

A simulated board runs the device code against a `certlet ca run` process. Bytes are those of TCP, HTTP headers
included, and the same on every run but for the length of ECDSA signatures; milliseconds are those of this computer.

The conditions are those of the baseline: P-256, subject /CN=dev1 without subjectAltName, a MAC of 500 iterations,
certificates with keyUsage and without extendedKeyUsage, the signer's certificate without its chain, and a port of
four digits, for it stands in every Host header.
"""

import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from certlet_host import credentials, demo, device, results
from certlet_host.operation import Operation, run_cmp

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "build" / "bench.json"
ITERATIONS = 500  # of the MAC, as OpenSSL 3.0 to 3.5 has it
REFERENCE = "ref1"


@dataclass(frozen=True)
class Row:
    """One operation; the baseline is what `openssl cmp` 3.0 sends, with HTTP headers, and its round trips."""

    name: str
    title: str
    op: str
    by_signature: bool
    implicit: bool
    baseline: int
    trips: int


ROWS = (
    Row("cmp_ir", "ir, MAC", "ir", False, False, 942, 2),
    Row("cmp_ir_implicit", "ir, MAC, implicitConfirm", "ir", False, True, 574, 1),
    Row("cmp_p10cr", "p10cr, MAC", "p10cr", False, False, 905, 2),
    Row("cmp_kur", "kur, signature", "kur", True, False, 1874, 2),
    Row("cmp_kur_implicit", "kur, signature, implicitConfirm", "kur", True, True, 1085, 1),
    Row("cmp_rr", "rr, signature", "rr", True, False, 794, 1),
    Row("cmp_rr_mac", "rr, MAC", "rr", False, False, 370, 1),
    Row("cmp_genm", "genm caCerts, MAC", "genm", False, False, 318, 1),
)

SETUP = """
import gc, time
from certlet import crypto
c = crypto.select()
key = c.generate("p256")
peer = c.generate("p256").public()
public = key.public()
digest = c.digest("sha256", b"certlet")
signature = key.sign(digest)
rsa = c.generate("rsa2048")
rsa_public = rsa.public()
rsa_signature = rsa.sign(digest, "sha256")

def timed(operation):
    gc.collect()
    start = time.ticks_us()
    operation()
    return time.ticks_diff(time.ticks_us(), start)
"""
# name, what does it on the board, how often for the median
CRYPTO = (
    ("p256_keygen", "c.generate('p256').public()", 9),
    ("ecdsa_p256_sign", "key.sign(digest)", 9),
    ("ecdsa_p256_verify", "c.verify('p256', public, signature, digest)", 9),
    ("ecdh_p256", "c.ecdh(key, peer)", 9),
    ("pbm_500", "c.repeat_digest('sha256', b'secret and salt', 500)", 9),
    ("rsa2048_public", "c.verify('rsa', rsa_public, rsa_signature, digest, 'sha256')", 9),
    ("rsa2048_private", "rsa.sign(digest, 'sha256')", 5),
    ("rsa2048_keygen", "c.generate('rsa2048')", 5),
)


class Bench:
    """A board, and a lab CA that knows its secret."""

    def __init__(self, folder: Path, url: str, board: device.Board):
        self.folder = folder
        self.url = url + "/pkix/"  # the path of the baseline
        self.board = board
        self.count = 0
        self.secret = credentials.read_secret(REFERENCE, folder / "secret")

    def run(self, row: Row) -> dict:
        """Run an operation; returns its row of the report."""
        enrolled = self._do("ir", self.secret, {}, True) if row.op in ("kur", "rr") else None
        request: dict = {}
        if row.op == "genm":
            request["infos"] = [[results.info_oid("caCerts"), None]]
        if enrolled:
            old = credentials.read_certificates(enrolled / "cert.pem")[0]
            request["old"] = credentials.certificate_der(old).hex()
        credential = self.secret
        if row.by_signature:
            credential = credentials.read_signature(enrolled / "cert.pem", enrolled / "key.pem")
        answer = self._answer(row.op, credential, request, row.implicit)[0]
        names = ("bytes_up", "bytes_down", "round_trips", "ms")
        return {"op": row.name, **{name: answer[name] for name in names}, "heap": answer["heap_peak"]}

    def _do(self, *words: object) -> Path:
        return self._answer(*words)[1]

    def _answer(self, op: str, credential: object, request: dict, implicit: bool) -> tuple[dict, Path]:
        settings: dict = {"trusted": credentials.read_anchors(self.folder / "ca" / "root.pem"), "pbm_iterations": ITERATIONS}
        if op in ("ir", "p10cr", "kur"):
            settings |= {"subject": [["CN", "dev1"]], "implicit_confirm": implicit}
        self.count += 1
        out = self.folder / str(self.count)
        answer = run_cmp(self.board, Operation(op, self.url, credential, settings, request), out, demo.ignore)
        if not answer["ok"]:
            raise device.DeviceError(f"{op} failed with error {answer['code']}")
        return answer, out


@contextmanager
def bench() -> Iterator[Bench]:
    """A lab CA and a board, ended with the block."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with lab_ca(folder) as url, device.open_board("sim", folder / "flash") as board:
            yield Bench(folder, url, board)


@contextmanager
def lab_ca(folder: Path) -> Iterator[str]:
    """A lab CA as a process, ended with the block; its secret is in the folder too. Gives its URL."""
    common = ("--state", folder / "ca")
    secret = ("secret", "--ref", REFERENCE, "--out", folder / "secret", "--reusable")
    subprocess.run([*demo.CERTLET, "ca", *secret, *common], check=True, stdout=subprocess.DEVNULL)
    (folder / "ca" / "profiles.json").write_text(json.dumps({"default": {"purposes": []}}))
    command = [*demo.CERTLET, "ca", "run", *common, "--port", str(short_port())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        words = process.stdout.readline().split()
        if words[:2] != ["listening", "on"]:
            raise demo.DemoFailed("the lab CA did not start")
        yield words[2]
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def short_port() -> int:
    """A free port of four digits."""
    for port in random.sample(range(2000, 10000), 50):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise demo.DemoFailed("no free port of four digits")


def cryptography(board: device.Board) -> list[dict]:
    """Time cryptography on the board."""
    board.exec(SETUP, timeout=120)
    rows = []
    for name, code, times in CRYPTO:
        board.exec(f"operation = lambda: {code}\noperation()", timeout=120)
        micros = [int(board.exec("print(timed(operation))", timeout=120)) for _ in range(times)]
        rows.append({"op": name, "ms": round(statistics.median(micros) / 1000, 3)})
    return rows


def wire_table(rows: list[dict]) -> Table:
    """The operations beside the baseline."""
    table = Table(title="CMP on the wire, HTTP headers included; subject /CN=dev1")
    for heading in ("operation", "bytes up", "openssl cmp", "saved", "bytes down", "round trips", "openssl cmp", "ms", "heap"):
        table.add_column(heading, justify="left" if heading == "operation" else "right")
    for row, found in zip(ROWS, rows, strict=True):
        saved = f"{1 - found['bytes_up'] / row.baseline:.0%}"
        numbers = (found["bytes_up"], row.baseline, saved, found["bytes_down"], found["round_trips"], row.trips)
        table.add_row(row.title, *map(str, (*numbers, found["ms"], found["heap"])))
    return table


def crypto_table(rows: list[dict]) -> Table:
    """The times of cryptography."""
    table = Table("operation", title="Cryptography on the unix port, median")
    table.add_column("ms", justify="right")
    for row in rows:
        table.add_row(row["op"], f"{row['ms']:.2f}")
    return table


def main() -> int:
    """Print both tables and write the report."""
    try:
        with bench() as running:
            wire = [running.run(row) for row in ROWS]
            crypto = cryptography(running.board)
    except (demo.DemoFailed, device.DeviceError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    console = Console(highlight=False)
    console.print(wire_table(wire))
    console.print(crypto_table(crypto))
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(wire + crypto, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
