"""A clock that never jumps, alike on both runtimes."""

import time

try:
    from time import ticks_diff, ticks_ms
except ImportError:  # CPython

    def ticks_ms():
        """Return milliseconds of a clock that never jumps."""
        return int(time.monotonic() * 1000)

    def ticks_diff(end, start):
        """Return the milliseconds from `start` to `end`."""
        return end - start
