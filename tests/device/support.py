"""Helpers of the device tests, alike on CPython and MicroPython."""

import json

# os.path is absent on MicroPython. Kept vectors come first: a generated file must not shadow one.
_HERE = __file__.replace("\\", "/").rpartition("/")[0] or "."
_VECTORS = (_HERE + "/../vectors/", _HERE + "/../../build/vectors/")


class Skip(Exception):
    """Raised by `skip`: the test has nothing to say on this runtime."""


def skip(reason):
    """End the running test without a verdict; `reason` is shown."""
    raise Skip(reason)


def raises(error_class, code, function, *args, **kwargs):
    """Call `function` and return the `error_class` (or subclass) that it raises with `code`; None: any code.

    Fails if nothing is raised or the code is another; an error of another class passes through.
    """
    try:
        function(*args, **kwargs)
    except error_class as error:
        if code is not None and error.code != code:
            raise AssertionError("%s %s raised, code %s expected" % (type(error).__name__, error.args, code))
        return error
    raise AssertionError("%s %s not raised" % (error_class.__name__, code))


def _open(name):
    for folder in _VECTORS:
        try:
            return open(folder + name)
        except OSError:
            continue
    raise ValueError("no vectors named " + name)


def vectors(name):
    """Return the parsed `NAME.json` of tests/vectors, else of build/vectors (made by tests/vectors/gen)."""
    with _open(name + ".json") as file:
        return json.load(file)


def each_vector(name):
    """Yield the values of `NAME.jsonl`, one a line, for lists that no heap should hold as a whole."""
    with _open(name + ".jsonl") as file:
        for line in file:
            yield json.loads(line)
