"""Commands start without what they do not use."""

import subprocess
import sys

import pytest

HEAVY = ("sqlalchemy", "pyasn1_alt_modules", "uvicorn", "starlette")
PROGRAM = """
import sys
sys.argv = ["certlet", *sys.argv[1:]]
try:
    import certlet_host.cli
    certlet_host.cli.main()
except SystemExit:
    pass
print("loaded:", *(name for name in HEAVY if name in sys.modules))
"""


@pytest.mark.parametrize("words", ["--version", "--help", "cmp ir --help", "ca run --help", "ca secret --ref x"])
def test_light_start(words):
    program = f"HEAVY = {HEAVY!r}{PROGRAM}"
    done = subprocess.run([sys.executable, "-c", program, *words.split()], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"
