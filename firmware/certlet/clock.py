"""The time of day, whatever a port counts from."""

import time

from micropython import const

_EPOCH_2000 = const(946684800)  # seconds from 1970 to 2000


def now():
    """Return whole seconds since 1970-01-01 UTC; a board whose clock was never set gives a date in its first years."""
    seconds = int(time.time())
    return seconds + _EPOCH_2000 if time.gmtime(0)[0] == 2000 else seconds
