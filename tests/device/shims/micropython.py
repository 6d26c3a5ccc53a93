"""Stand-in for MicroPython's module `micropython`, so that device code runs on CPython."""


def const(value):
    """MicroPython folds it at compile time; here it is the value."""
    return value


def native(function):
    """Native code emitter; here plain Python."""
    return function


viper = native


def opt_level(level=None):
    """Compiler optimisation level: always 0 here."""
    return 0


def mem_info(verbose=None):
    """Heap report: nothing to say here."""


def heap_lock():
    """Forbids allocation on the device; no effect here."""


def heap_unlock():
    """Counterpart of `heap_lock`."""
    return 0
