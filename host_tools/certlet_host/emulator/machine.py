"""The process that emulates: started, asked for its clock, and ended, by a pipe to its standard input."""

import json
import os
import select
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from . import install
from .install import EmulatorError

__all__ = ["EmulatorError", "Machine"]

_HERE = Path(__file__).resolve().parent
_COMMANDS = {
    "rp2040js": ("node", _HERE / "rp2040.mjs", f"--modules={install.FOLDER}", f"--bootrom={install.BOOTROM}"),
    "rp2040py": (sys.executable, "-m", f"{__package__}.rp2040"),
}
_START = 60  # seconds until the chip shows its serial port
_ANSWER = 20  # seconds for a command


class Machine:
    """An emulated RP2040 that boots `image`; its file system lives in the file `flash`.

    `console` is an open descriptor for the serial console, or the number of a port on 127.0.0.1 (0: any, then `port`
    says which). `seed` makes the chip's random bits the same in every run: for benchmarks, never for keys. `engine` is
    what emulates, "rp2040js" or "rp2040py"; without it `install.engine` decides.
    """

    def __init__(
        self, image: Path, flash: Path, console: socket.socket | int, seed: int | None = None, engine: str | None = None
    ):
        self.engine = engine or install.engine()
        by_descriptor = isinstance(console, socket.socket)
        options = {
            "image": image,
            "flash": flash,
            "console": f"fd:{console.fileno()}" if by_descriptor else console,
            "seed": seed,
        }
        command = [*_COMMANDS[self.engine]]
        command += [f"--{name}={value}" for name, value in options.items() if value is not None]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[console.fileno()] if by_descriptor else [],
            start_new_session=True,  # a Ctrl-C at the terminal is the host's to handle
            umask=0o077,  # its flash holds private keys
        )
        self._unread = bytearray()
        try:
            self.port = self._answer(_START).get("port")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def clock(self) -> dict:
        """Return the cycles that the core has run and the nanoseconds of the chip's time since it was switched on."""
        try:
            self._process.stdin.write(b"clock\n")
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None
        return self._answer(_ANSWER)

    def wait(self) -> None:
        """Return when the process has ended by itself, which is an error."""
        self._process.stdout.read()
        raise self._ended()

    def close(self) -> None:
        """Switch the chip off, as a power cut would; more than once does no harm."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):
                stream.close()

    def _answer(self, seconds: float) -> dict:
        """Return the next line that the process prints, which is JSON."""
        descriptor = self._process.stdout.fileno()
        end = time.monotonic() + seconds
        while b"\n" not in self._unread:
            if not select.select([descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
                raise EmulatorError("the emulator did not answer in time; it was ended")
            data = os.read(descriptor, 4096)
            if not data:
                raise self._ended()
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def _ended(self) -> EmulatorError:
        self._process.kill()
        lines = self._process.communicate()[1].decode("utf-8", "replace").split("\n")
        words = [line.strip() for line in lines if "Error" in line] or ["no reason given"]
        return EmulatorError(f"the emulator ended: {words[0][:200]}")
