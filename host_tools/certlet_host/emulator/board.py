"""The board `pico-emu`."""

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from ..device import Board, NoDevice
from ..device import DescriptorTransport as Transport
from ..image import pico, uf2
from .machine import EmulatorError, Machine

FLASH = "pico-flash.img"

_RESET = 10  # seconds of the host's time
_MAIN = 5  # and those that a main.py gets


@dataclass(frozen=True)
class Clock:
    """The chip's own time: microseconds since it was switched on, and cycles in which the core was at work."""

    cycles: int
    micros: int

    def milliseconds(self, since: "Clock", megahertz: int = 125) -> float:
        """Return the working time since an earlier reading, at a clock of so many MHz."""
        return (self.cycles - since.cycles) / megahertz / 1000


class PicoEmulator(Board):
    """A Raspberry Pi Pico in the emulator; `folder` keeps its flash when it is switched off.

    `image` is the UF2 file that it boots, otherwise what `make firmware-pico` built. `seed`, `engine`: see `Machine`.
    """

    def __init__(self, folder: Path, image: Path | None = None, seed: int | None = None, engine: str | None = None):
        image = image or pico.IMAGE
        if not image.is_file():
            raise NoDevice(f"{image} is absent; nothing was started; build it by make firmware-pico")
        try:
            uf2.unpack(image.read_bytes())
        except ValueError:
            raise NoDevice(f"{image} is no UF2 image for an RP2040; nothing was started") from None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ours, its = socket.socketpair()
        try:
            self._machine = Machine(image, folder / FLASH, its, seed, engine)
        except EmulatorError as error:
            ours.close()
            raise NoDevice(str(error)) from None
        except OSError as error:
            ours.close()
            raise NoDevice(f"{error.filename}: {error.strerror}; nothing was started") from None
        finally:
            its.close()  # so the chip's copy is the only one, and either end sees when the other is gone
        try:
            super().__init__(Transport(os.dup(ours.fileno())))
        except BaseException:
            self.close()
            raise
        finally:
            ours.close()

    @property
    def pid(self) -> int:
        """The process of the emulator."""
        return self._machine.pid

    @property
    def engine(self) -> str:
        """What emulates."""
        return self._machine.engine

    def clock(self) -> Clock:
        """Return the chip's time."""
        try:
            reading = self._machine.clock()
        except EmulatorError as error:
            raise NoDevice(str(error)) from None
        return Clock(int(reading["cycles"]), int(reading["nanos"] // 1000))

    def reset(self) -> None:
        """Reset the chip as `machine.reset()` does, by its watchdog, and enter the raw REPL when main.py has ended.

        A main.py that does not end within seconds is interrupted.
        """
        before = self.clock().micros
        self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
        end = time.monotonic() + _RESET
        while self.clock().micros >= before:
            if time.monotonic() > end:
                raise NoDevice("the board did not reset; switch it off and on")
            time.sleep(0.01)
        end = time.monotonic() + _MAIN
        while not self._transport.read_until(1, b">>> ", timeout_overall=0.5).endswith(b">>> "):
            if time.monotonic() > end:
                break
            self._transport.serial.write(b"\r")  # a prompt that was printed before the chip was on the bus is lost
        self._transport.in_raw_repl = False
        self._transport.enter_raw_repl(soft_reset=False, timeout_overall=_RESET)

    def close(self) -> None:
        """Switch the board off, as a power cut would."""
        super().close()
        self._machine.close()
