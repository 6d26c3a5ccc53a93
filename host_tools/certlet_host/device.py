"""Boards, driven over their raw REPL by mpremote's own transports.

Nothing of what is sent to a board ever stands in an exception: it may hold secrets.
"""

import errno
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from mpremote import transport_serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport
from serial import SerialException

from . import micropython as unix_port

Listener = Callable[[str], bytes | None]

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"

_EOT = b"\x04"  # the raw REPL ends output, and then the traceback, with it
_MAX_OUTPUT = 1 << 24  # bytes of one exec; a board that prints more is out of its mind
_SILENT = "the board stopped answering; connect it anew, nothing else is known of what it did"

transport_serial.print = lambda *_: None  # what mpremote says of a failure would land on our stdout


class DeviceError(Exception):
    """A board failed, or was asked for what it cannot do; one line."""


class NoDevice(DeviceError):
    """There is no such board, or it does not answer."""


class Board:
    """A board in its raw REPL. Use it in a `with` statement; one thread at a time."""

    simulated = False

    def __init__(self, transport: SerialTransport):
        self._transport = transport
        try:
            transport.enter_raw_repl(soft_reset=False, timeout_overall=3)
        except (TransportError, OSError):
            raise NoDevice("the board does not answer; nothing was done; see that it runs MicroPython") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the board; more than once does no harm."""
        with suppress(OSError):
            self._transport.close()

    def exec(self, code: str, on_line: Listener | None = None, timeout: float = 10) -> str:
        """Run `code` and return what it printed; `on_line` gets each line as soon as it is complete.

        What `on_line` returns, if not None, is written to the board's standard input.

        DeviceError: the code raised (its message is that of the device's exception), or did not end within `timeout`
        seconds; the board is of no use after the latter.
        """
        end = time.monotonic() + timeout
        with self._answering():
            self._transport.exec_raw_no_follow(code)
        pending = bytearray()
        output = self._section(pending, end, on_line or _ignore)
        failure = self._section(pending, end, _ignore)
        if failure:
            raise DeviceError(_last_line(failure))
        return output

    def set_clock(self) -> None:
        """Set the board's clock, if it has one, to this computer's; without a battery it starts years ago."""
        now = time.gmtime()
        date = (now.tm_year, now.tm_mon, now.tm_mday, now.tm_wday, now.tm_hour, now.tm_min, now.tm_sec, 0)
        self.exec(
            f"try:\n import machine\n machine.RTC().datetime({date})\nexcept (ImportError, AttributeError):\n pass"
        )

    def put(self, path: str, data: bytes) -> None:
        """Write `data` to the file `path` of the board."""
        with self._answering():
            self._transport.fs_writefile(path, data)

    def get(self, path: str) -> bytes:
        """Return the content of the file `path` of the board."""
        with self._answering():
            return bytes(self._transport.fs_readfile(path))

    def _section(self, pending: bytearray, end: float, on_line: Listener) -> str:
        """Return the text up to the next EOT, reading on from what is `pending`; EOT and text are taken out of it."""
        serial = self._transport.serial
        start = scanned = 0
        while True:
            stop = pending.find(_EOT, scanned)
            scanned = len(pending)
            known = scanned if stop < 0 else stop
            while (feed := pending.find(b"\n", start, known)) >= 0:
                self._answer(on_line(_text(pending[start:feed])))
                start = feed + 1
            if stop >= 0:
                if start < stop:
                    self._answer(on_line(_text(pending[start:stop])))
                text = _text(pending[:stop])
                del pending[: stop + 1]
                return text
            if len(pending) > _MAX_OUTPUT:
                raise DeviceError("the board prints without end; disconnect it")
            if time.monotonic() > end:
                raise DeviceError("the board did not finish in time; it may still be at work, so reset it")
            with self._answering():  # not around on_line: its errors are the caller's
                # Never the last byte of several: it could be the prompt, which mpremote waits for in the next exec.
                pending += serial.read(max(1, serial.inWaiting() - 1))

    def _answer(self, data: bytes | None) -> None:
        if data is not None:
            with self._answering():
                self._transport.serial.write(data)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn what mpremote, pyserial and the system raise into DeviceError."""
        try:
            yield
        except TransportExecError as error:
            raise DeviceError(_last_line(error.error_output)) from None
        except (TransportError, SerialException, struct.error, SyntaxError, ValueError):
            raise DeviceError(_SILENT) from None
        except OSError as error:  # mpremote's translation of the board's own: errno and path
            raise DeviceError(f"{error.strerror} on the board: {os.strerror(error.errno or 0)}") from None


class SimBoard(Board):
    """A board that is a MicroPython process: the unix port on a pty, with `folder` as its flash.

    `micropython` is the interpreter, if not the usual one, and `heap` the size of its heap, e.g. "200k". `firmware` is
    the folder with the package `certlet`, which a real board would have frozen in.
    """

    simulated = True

    def __init__(
        self, folder: Path, micropython: Path | None = None, heap: str | None = None, firmware: Path = FIRMWARE
    ):
        try:
            interpreter = micropython or unix_port.find()
        except unix_port.NotFoundError as error:
            raise NoDevice(str(error)) from None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        options = ["-X", f"heapsize={heap}"] if heap else []
        master, slave = pty.openpty()
        tty.setraw(slave)  # also the state that MicroPython goes back to while code runs
        try:
            self._process = subprocess.Popen(
                [interpreter, *options, "-i"],
                stdin=slave,
                stdout=slave,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                env={**os.environ, "MICROPYPATH": f"{firmware}{os.pathsep}.frozen"},
                start_new_session=True,  # a Ctrl-C at the terminal is the host's to handle
                umask=0o077,  # its records hold private keys
            )
        except OSError as error:
            os.close(master)
            raise NoDevice(f"{interpreter}: {error.strerror}; nothing was run") from None
        finally:
            os.close(slave)  # so the board's copy is the only one, and either end sees when the other is gone
        try:
            super().__init__(DescriptorTransport(master))
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process of the board."""
        return self._process.pid

    def close(self) -> None:
        super().close()
        self._process.kill()
        self._process.wait()


class DescriptorTransport(SerialTransport):
    """mpremote over a pty or socket that is open already: a port opened by its name cannot be the master's end."""

    def __init__(self, descriptor: int):
        self.in_raw_repl = False
        self.use_raw_paste = True
        self.device_name = "sim"
        self.mounted = False
        self.serial = _Stream(descriptor)
        self.is_pty = True  # read_until() then waits in read() and does not poll

    def close(self) -> None:
        self.serial.close()


class _Stream:
    """The part of pyserial's `Serial` that mpremote uses, over a file descriptor."""

    timeout = 1.0

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)

    def inWaiting(self) -> int:  # noqa: N802 - pyserial's name
        try:
            return struct.unpack("i", fcntl.ioctl(self._descriptor, termios.FIONREAD, bytes(4)))[0]
        except OSError as error:
            raise SerialException(error.errno, "gone") from None

    def read(self, size: int = 1) -> bytes:
        """Return `size` bytes, fewer after `timeout` seconds."""
        data = bytearray()
        end = time.monotonic() + self.timeout
        while len(data) < size:
            if not select.select([self._descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
                break
            data += self._do(os.read, size - len(data))
        return bytes(data)

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            if not select.select([], [self._descriptor], [], 10)[1]:
                raise SerialException(errno.ETIMEDOUT, "not read")
            view = view[self._do(os.write, view) :]
        return len(data)

    def _do(self, call: Callable, argument: object) -> bytes | int:
        try:
            done = call(self._descriptor, argument)
        except BlockingIOError:
            return b"" if call is os.read else 0
        except OSError as error:  # EIO: the process has ended (Linux)
            raise SerialException(error.errno, "gone") from None
        if call is os.read and not done:  # the same elsewhere
            raise SerialException(errno.EIO, "gone")
        return done

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def open_board(spec: str, folder: Path | None = None) -> Board:
    """Open the board that `spec` names; raise NoDevice.

    `sim` is a simulated board with its flash in `folder`, `sim:HEAP` one with so large a heap, e.g. `sim:200k`;
    `pico-emu` is an emulated Raspberry Pi Pico, `pico-emu:FILE` one with another image than the built one;
    `port:DEVICE` is a board at a serial port.
    """
    kind, colon, rest = spec.partition(":")
    if kind == "sim" and folder is not None and (not colon or re.fullmatch(r"[1-9][0-9]{0,8}[km]?", rest)):
        return SimBoard(folder, heap=rest or None)
    if kind == "pico-emu" and folder is not None:
        from .emulator import PicoEmulator

        return _in_time(PicoEmulator(folder, image=Path(rest) if rest else None))
    if kind == "port" and rest:
        try:
            transport = SerialTransport(rest, timeout=1)
        except (TransportError, OSError, ValueError):
            raise NoDevice(f"{rest} cannot be opened; nothing was done; see that it is connected and free") from None
        return _in_time(Board(transport))
    raise NoDevice(f"{spec} names no board; nothing was done; use sim, sim:HEAP, pico-emu or port:DEVICE")


def _in_time(board: Board) -> Board:
    """Set the clock of a board that has just been opened."""
    try:
        board.set_clock()
    except DeviceError:
        board.close()
        raise
    return board


def call(
    board: Board, verb: str, job: dict, on_event: Callable[[dict], None] | None = None, timeout: float = 120,
    relay: Listener | None = None,
) -> dict:  # fmt: skip
    """Have the board do `verb` with `job` and return its result; `on_event` gets each event as it comes.

    The board prints JSON objects, one a line: any number with the key "event", then one with "result", whose value is
    returned. Lines that begin with a tilde go to `relay`, if there is one, and what it returns goes to the board. Other
    lines are skipped. `job` may hold secrets. Raises DeviceError.
    """
    if not verb.isidentifier():
        raise ValueError("a verb is a name")
    results = []

    def line(text: str) -> bytes | None:
        if relay and text.startswith("~"):
            return relay(text)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict):
            return None
        if "event" in value and on_event:
            on_event(value)
        if "result" in value:
            results.append(value["result"])
        return None

    job_bytes = json.dumps(job).encode()
    board.exec(f"from certlet.factory import run\nrun({verb!r}, {job_bytes!r})", line, timeout)
    if not (results and isinstance(results[-1], dict)):
        raise DeviceError("the board ended the job without a result")
    return results[-1]


def _ignore(_: str) -> None:
    pass


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r", "")


def _last_line(text: str) -> str:
    """Return the last line of a traceback, the exception: the others quote file names and line numbers only."""
    lines = [line for line in text.splitlines() if line.strip()]
    return f"the board raised {lines[-1].strip()[:200]}" if lines else "the board raised an exception"
