"""Builds an image by a checkout of MicroPython, for the boards of boards/ that its ports know."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from .sources import ImageError

ROOT = Path(__file__).resolve().parents[3]
BOARDS = ROOT / "boards"

# port: (the command that must be on PATH, what to do when it is not, what the build leaves)
_PORTS = {
    "rp2": ("arm-none-eabi-gcc", "install the package gcc-arm-none-eabi", "firmware.uf2"),
    "esp32": ("idf.py", "install ESP-IDF and source its export.sh", "firmware.bin"),
}


def names() -> list[str]:
    """Return the boards that an image can be built for."""
    return sorted(path.parent.name for path in BOARDS.glob("*/board.json") if _port(path.parent.name) in _PORTS)


def _port(board: str) -> str:
    return json.loads((BOARDS / board / "board.json").read_text())["port"]


def commands(board: str, checkout: Path, jobs: int) -> list[list[str]]:
    """Return the command lines that build the image of `board`; ImageError if the board or the checkout is unknown."""
    if board not in names():
        raise ImageError(f"no board {board}; nothing was built; known are {' '.join(names())}")
    folder = checkout / "ports" / _port(board)
    if not (folder / "boards" / board).is_dir():
        raise ImageError(f"{checkout} is no checkout of MicroPython with a board {board}; nothing was built")
    port = ["make", "-C", str(folder), f"BOARD={board}", f"BUILD={output(board)}"]
    return [
        ["make", "-C", str(checkout / "mpy-cross"), f"-j{jobs}"],
        [*port, "submodules"],
        [*port, f"-j{jobs}", f"FROZEN_MANIFEST={BOARDS / board / 'manifest.py'}"],
    ]


def output(board: str) -> Path:
    return ROOT / "build" / "firmware" / f"{board}-checkout"


def build(board: str, checkout: Path, jobs: int, say: Callable[[str], None], dry: bool = False) -> Path:
    """Run the commands, or with `dry` only say them; return the image."""
    lines = commands(board, checkout.resolve(), jobs)
    tool, remedy, image = _PORTS[_port(board)]
    if not dry and shutil.which(tool) is None:
        raise ImageError(f"{tool} is not on PATH; nothing was built; {remedy}")
    for line in lines:
        say(" ".join(line))
        if not dry and subprocess.run(line, check=False).returncode:
            raise ImageError(f"the build of {board} failed; no image was made; the reason stands above")
    return output(board) / image
