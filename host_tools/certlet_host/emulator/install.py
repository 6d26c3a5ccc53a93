"""Gets rp2040js into build/emulator, by npm, and the RP2040's boot ROM out of the package rp2040py."""

import importlib.util
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


def engine() -> str:
    """Return what emulates on this machine: "rp2040js" where there is node, otherwise the slow "rp2040py".

    Raises EmulatorError if neither can.
    """
    wrong = node_fault()
    if wrong is None:
        if not (MODULES / "rp2040js").is_dir() or not BOOTROM.exists():
            raise EmulatorError("the emulator is not installed; nothing was started; make emulator")
        return "rp2040js"
    if importlib.util.find_spec("rp2040py") is None:
        raise EmulatorError(f"{wrong}, and rp2040py is absent too; nothing was started; make setup installs the latter")
    return "rp2040py"


def install() -> str:
    """Install rp2040js exactly as package-lock.json has it, and write the boot ROM; return a line that says so.

    Twice does no harm. Without node nothing is installed: rp2040py then does.
    """
    wrong = node_fault()
    if wrong:
        return f"{wrong} (version {_NODE} or later is needed): rp2040py will emulate, eight times slower"
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in _LISTS:
        shutil.copy(HERE / name, FOLDER / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, check=False, cwd=FOLDER, capture_output=True, text=True)
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EmulatorError(f"npm could not install rp2040js: {words[:200]}; see that its registry is reached")
    _write_bootrom()
    return f"rp2040js is in {FOLDER}"


def _write_bootrom() -> None:
    try:
        from rp2040py.device.bootrom import BOOTROM_B1
    except ImportError:
        raise EmulatorError("rp2040py is absent, and with it the boot ROM; run make setup") from None
    BOOTROM.write_bytes(struct.pack(f"<{len(BOOTROM_B1)}I", *BOOTROM_B1))
