"""Times cryptography on the emulated Pico, by the chip's own clock: `make bench-board`.

Milliseconds are emulated ones, scaled from the 125 MHz of the emulated core to 133. The emulator does not model misses
of the flash cache, so silicon is somewhat slower. With the seed fixed, a run repeats to the microsecond or so.

The heap of an operation is the room that it needs: the least free heap of ROOMS with which it ends well and is not held
up by the collector for more than three seconds, every module being loaded already.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from certlet_host.device import DeviceError, NoDevice
from certlet_host.emulator import PicoEmulator

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "build" / "bench-board.json"
MEGAHERTZ = 133
ROOMS = (32768, 24576, 16384, 12288, 8192, 6144, 4096, 3072, 2048, 1024)
_EMULATED = 125
_PATIENCE = 3_000_000  # microseconds

SETUP = """
import gc, time
from certlet import crypto
c = crypto.select()
key = c.generate("p256")
peer = c.generate("p256").public()
public = key.public()
digest = c.digest("sha256", b"certlet")
signature = key.sign(digest)

def timed(operation):
    gc.collect()
    start = time.ticks_us()
    operation()
    return time.ticks_diff(time.ticks_us(), start)

def within(operation, room):
    ballast = []
    gc.collect()
    for step in (8192, 1024, 128):  # a fragmented heap may not have the large ones
        try:
            for _ in range((gc.mem_free() - room) // (step + 48)):
                ballast.append(bytearray(step))
        except MemoryError:
            pass
    start = time.ticks_us()
    try:
        operation()
    except MemoryError:
        return None
    return time.ticks_diff(time.ticks_us(), start)
"""


@dataclass(frozen=True)
class Operation:
    """`code` does it on the board, `times` says how often for the mean; `anchors` are others' figures in ms."""

    name: str
    capability: str
    code: str
    times: int
    anchors: dict[str, float]


# Anchors: the same core model at 133 MHz, C compiled with -O2 and run from RAM.
OPERATIONS = (
    Operation("p256_keygen", "p256", "c.generate('p256').public()", 3, {"micro-ecc": 117.6, "mbedtls": 66.3}),
    Operation("ecdsa_p256_sign", "p256", "key.sign(digest)", 3, {"micro-ecc": 123.8, "mbedtls": 80.5}),
    Operation(
        "ecdsa_p256_verify", "p256_verify", "c.verify('p256', public, signature, digest)", 2,
        {"micro-ecc": 142.9, "mbedtls": 280.7},
    ),
    Operation("ecdh_p256", "p256", "c.ecdh(key, peer)", 2, {"micro-ecc": 117.6, "mbedtls": 187.0}),
    Operation("pbm_500", "sha256", "c.repeat_digest('sha256', b'secret and salt', 500)", 2, {}),
)  # fmt: skip


def run(board: PicoEmulator, operation: Operation, backends: dict[str, str]) -> dict:
    """Return the row of the report for one operation."""
    board.exec(f"operation = lambda: {operation.code}\noperation()", timeout=120)
    micros = [int(board.exec("print(timed(operation))", timeout=120)) for _ in range(operation.times)]
    return {
        "op": operation.name,
        "ms": round(sum(micros) / len(micros) / 1000 * _EMULATED / MEGAHERTZ, 2),
        "heap": room(board, min(micros) + _PATIENCE),
        "backend": backends[operation.capability],
        "anchor_ms": operation.anchors,
    }


def room(board: PicoEmulator, limit: int) -> int | None:
    """Return the least of ROOMS in which the board's `operation` ends within `limit` microseconds; None: in none."""
    found = None
    for size in ROOMS:
        micros = board.exec(f"print(within(operation, {size}))", timeout=120).strip()
        if micros == "None" or int(micros) > limit:
            break
        found = size
    return found


def table(rows: list[dict]) -> str:
    """Return the report as a table."""
    lines = [f"{'operation':20}{'ms':>9}{'heap':>8}  {'backend':10}beside"]
    for row in rows:
        anchors = ", ".join(f"{name} {ms} ms" for name, ms in row["anchor_ms"].items())
        lines.append(f"{row['op']:20}{row['ms']:9.2f}{row['heap']:8}  {row['backend']:10}{anchors}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Time cryptography on the emulated Pico.")
    parser.add_argument("names", nargs="*", metavar="OPERATION", help="all by default")
    options = parser.parse_args()
    wanted = [operation for operation in OPERATIONS if not options.names or operation.name in options.names]
    if unknown := set(options.names) - {operation.name for operation in OPERATIONS}:
        print(f"bench: no operation {' '.join(sorted(unknown))}; nothing was run", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory() as flash, PicoEmulator(Path(flash), seed=1) as board:
            board.exec(SETUP, timeout=60)
            backends = dict(json.loads(board.exec("import json; print(json.dumps(c.backends()))")))
            engine = board.engine
            rows = [run(board, operation, backends) for operation in wanted]
    except (NoDevice, DeviceError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(f"Emulated RP2040 ({engine}), {MEGAHERTZ} MHz, MicroPython with certlet frozen in")
    print(table(rows))
    if not options.names:
        REPORT.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
