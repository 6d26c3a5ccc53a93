"""Builds the RPI_PICO image without a checkout of MicroPython: `build()`.

All is made below build/: the sources once, the image again whenever anything changed that it is made from.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import sources, uf2
from .sources import SOURCES, ImageError

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
FOLDER = BUILD / "firmware"
BOARD = "RPI_PICO"
IMAGE = FOLDER / f"{BOARD}.uf2"
REPORT = FOLDER / f"{BOARD}.json"

_TREE = FOLDER / "micropython"
_WORK = FOLDER / BOARD
_DATE = "1744675200"  # 2025-04-15, of MicroPython 1.25.0: the image tells the date of its sources, not of its building

# What is run, or looked for by the compiler, and the Debian package that has it.
_TOOLS = (
    ("cmake", "cmake"),
    ("ninja", "ninja-build"),
    ("make", "build-essential"),
    ("g++", "build-essential"),
    ("dpkg-deb", "dpkg"),
    ("arm-none-eabi-gcc", "gcc-arm-none-eabi"),
)
_LIBRARIES = (
    ("libc.a", "libnewlib-arm-none-eabi"),
    ("libstdc++.a", "libstdc++-arm-none-eabi-newlib"),
)


def missing_packages() -> list[str]:
    """Return the Debian packages that the build needs and this machine lacks."""
    missing = [package for command, package in _TOOLS if shutil.which(command) is None]
    if "gcc-arm-none-eabi" in missing:
        missing += [package for _, package in _LIBRARIES]
    else:
        missing += [package for library, package in _LIBRARIES if not _compiler_finds(library)]
    return list(dict.fromkeys(missing))


def _compiler_finds(library: str) -> bool:
    found = subprocess.run(
        ["arm-none-eabi-gcc", "-mcpu=cortex-m0plus", "-mthumb", f"-print-file-name={library}"],
        check=False,
        capture_output=True,
        text=True,
    )
    return os.sep in found.stdout


def build(
    jobs: int, say: Callable[[str], None], mirror: Callable[[], str] = sources.mirror, always: bool = False
) -> dict:
    """Make build/firmware/RPI_PICO.uf2, .sha256 and .json if they are not current; return the report in the last."""
    missing = missing_packages()
    if missing:
        raise ImageError(f"compilers are missing, nothing was built; apt-get install {' '.join(missing)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with _alone(FOLDER / ".lock"):
        inputs = _inputs()
        report = None if always else current(inputs)
        if report:
            return report
        _lay_out(say, mirror)
        _compile(jobs, say)
        return _publish(inputs)


def current(inputs: str | None = None) -> dict | None:
    """Return the report of the image that is there, None without one; with `inputs`, only if it was made from them."""
    try:
        report = json.loads(REPORT.read_text())
        whole = hashlib.sha256(IMAGE.read_bytes()).hexdigest() == report["sha256"]
    except (OSError, ValueError, KeyError):
        return None
    return report if whole and inputs in (None, report["inputs"]) else None


def _inputs() -> str:
    """Return a digest of all that the image is made from."""
    compiler = subprocess.run(["arm-none-eabi-gcc", "--version"], capture_output=True, check=True).stdout
    files = [
        ROOT / "manifest.py",
        *(ROOT / "boards" / BOARD).iterdir(),
        *Path(__file__).parent.glob("*.py"),
        *(path for path in (ROOT / "firmware").rglob("*") if path.suffix in (".py", ".json", ".mpy")),
    ]
    state = hashlib.sha256(compiler)
    for file in sorted(path for path in files if path.is_file()):
        state.update(f"{file.relative_to(ROOT)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return state.hexdigest()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One build at a time in one checkout."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lay_out(say: Callable[[str], None], mirror: Callable[[], str]) -> None:
    """Unpack the sources, unless the tree that is there came from the same ones."""
    stamp = _TREE / "sources.json"
    wanted = json.dumps([source.sha256 for source in SOURCES])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say("sources: " + ", ".join(f"{source.name} {source.version}" for source in SOURCES))
    shutil.rmtree(_WORK, ignore_errors=True)
    sources.unpack(_TREE, BUILD / "downloads", mirror)
    stamp.write_text(wanted)


def _compile(jobs: int, say: Callable[[str], None]) -> None:
    """Run the port's own build; what it prints goes to a log beside the image."""
    _WORK.mkdir(exist_ok=True)
    manifest = _WORK / "manifest.py"
    manifest.write_text(f'include("{ROOT}/boards/{BOARD}/manifest.py", lib=False)\n')
    mpy_cross = _TREE / "mpy-cross"
    output = _WORK / "cmake"
    configure = [
        "cmake", "-S", _TREE / "ports" / "rp2", "-B", output, "-G", "Ninja", f"-DMICROPY_BOARD={BOARD}",
        "-DPICO_BUILD_DOCS=0", "-DPICO_NO_PICOTOOL=1", f"-DMICROPY_FROZEN_MANIFEST={manifest}",
        f"-DMICROPY_MPYCROSS={mpy_cross}/build/mpy-cross", f"-DPython3_EXECUTABLE={sys.executable}",
    ]  # fmt: skip
    steps = (
        ("mpy-cross", ["make", "-C", mpy_cross, f"-j{jobs}"]),
        ("configuration", configure),
        ("firmware", ["cmake", "--build", output, f"-j{jobs}"]),
    )
    here = f"-ffile-prefix-map={FOLDER}=."
    environment = {
        **os.environ,
        "SOURCE_DATE_EPOCH": _DATE,
        "PYTHONHASHSEED": "0",  # no order in what the tools write is left to chance
        "GIT_CEILING_DIRECTORIES": str(FOLDER),  # git would take the checkout of certlet for that of MicroPython
        "CFLAGS": here,
        "CXXFLAGS": here,
    }
    for name, command in steps:
        say(f"{name} ..")
        log = _WORK / f"{name}.log"
        with log.open("wb") as file:
            done = subprocess.run(command, check=False, stdout=file, stderr=subprocess.STDOUT, env=environment)
            if done.returncode:
                where = log.relative_to(ROOT)
                raise ImageError(f"{name} failed; the image of before, if any, is unchanged; the reason is in {where}")


def _publish(inputs: str) -> dict:
    """Write image, checksum and report under their names, the report last."""
    output = _WORK / "cmake"
    image = (output / "firmware.bin").read_bytes()
    file = uf2.pack(image)
    digest = hashlib.sha256(file).hexdigest()
    symbols = _symbols(output / "firmware.elf")
    heap_start, heap_end = symbols["__GcHeapStart"], symbols["__GcHeapEnd"]
    report = {
        "board": BOARD,
        "uf2": IMAGE.name,
        "sha256": digest,
        "flash": {"image": len(image), "certlet": _frozen(output / "frozen_mpy", "certlet")},
        "ram": {"static": heap_start - 0x20000000, "heap": heap_end - heap_start},
        "sources": {source.name: source.version for source in SOURCES},
        "inputs": inputs,
    }
    REPORT.unlink(missing_ok=True)
    _write(IMAGE, file)
    _write(IMAGE.with_suffix(".sha256"), f"{digest}  {IMAGE.name}\n".encode())
    _write(REPORT, (json.dumps(report, indent=2) + "\n").encode())
    return report


def _symbols(elf: Path) -> dict[str, int]:
    listed = subprocess.run(["arm-none-eabi-nm", elf], capture_output=True, text=True, check=True).stdout
    defined = (line.split() for line in listed.splitlines() if not line.startswith(" "))
    return {name: int(address, 16) for address, _, name in defined}


def _frozen(folder: Path, package: str) -> int:
    """Return the octets of the .mpy files of a package that were frozen."""
    return sum(path.stat().st_size for path in (folder / package).rglob("*.mpy"))


def _write(path: Path, data: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(data)
    fresh.replace(path)
