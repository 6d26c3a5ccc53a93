"""An emulated Raspberry Pi Pico: the RPI_PICO image on the RP2040's own instructions, driven like a board.

`PicoEmulator` is the board, `install` gets what it runs on, `python -m certlet_host.emulator` serves its console to
mpremote.
"""

from .board import Clock, PicoEmulator
from .machine import EmulatorError

__all__ = ["Clock", "EmulatorError", "PicoEmulator"]
