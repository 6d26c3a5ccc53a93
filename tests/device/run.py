"""Run one file of device tests on MicroPython: `micropython run.py FILE [NAME ...]`.

Prints per test a line `@@ start NAME`, then whatever the test prints and, on failure, its traceback, then
`@@ ok|fail|skip NAME MILLISECONDS`. The exit status is 1 when a test failed.
"""

import sys
import time


def _names(path):
    """Names of the tests in definition order (a module's dict has no order here)."""
    with open(path) as file:
        lines = file.read().split("\n")
    return [line[4 : line.index("(")] for line in lines if line.startswith("def test_")]


def _run(function, skipped):
    """Return the outcome of one test; the traceback of a failure goes to standard output."""
    try:
        function()
    except skipped as reason:
        print(reason)
        return "skip"
    except Exception as error:
        sys.print_exception(error, sys.stdout)
        return "fail"
    return "ok"


def main(path, names):
    """Run `names`, or all tests of the file; return the exit status."""
    folder, _, name = path.replace("\\", "/").rpartition("/")
    sys.path.insert(0, folder or ".")
    from support import Skip

    module = __import__(name[:-3])
    failed = 0
    for test in names or _names(path):
        print("@@ start", test)
        start = time.ticks_ms()
        outcome = _run(getattr(module, test), Skip)
        failed += outcome == "fail"
        print("@@", outcome, test, time.ticks_diff(time.ticks_ms(), start))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
