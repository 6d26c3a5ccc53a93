"""Where the MicroPython unix port is: the one place that decides it, for tests, demo and simulated boards."""

import os
import shutil
import sys
from pathlib import Path


class NotFoundError(RuntimeError):
    """No MicroPython unix port on this machine; the message names the ways to get one."""


def find() -> Path:
    """Return the executable: `$MICROPYTHON`, else the one beside this Python (`.venv/bin`), else the one on PATH.

    A `$MICROPYTHON` that is set but wrong is an error, never a silent fallback to another interpreter.
    """
    wanted = os.environ.get("MICROPYTHON")
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            raise NotFoundError(f"MICROPYTHON={wanted} is no executable; nothing was run; correct or unset it.")
        return Path(found).absolute()
    found = shutil.which("micropython", path=str(Path(sys.executable).parent)) or shutil.which("micropython")
    if found is None:
        raise NotFoundError(
            "No MicroPython unix port found; nothing was run. Either run `make setup` (it installs one on Linux x86-64 "
            "and macOS arm64), or install the package `micropython` (Debian trixie: apt-get install micropython), "
            "or set MICROPYTHON to the executable."
        )
    return Path(found).absolute()
