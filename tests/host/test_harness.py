"""Device tests that fail, crash or hang are reported as failed, on the runtime where they do, and nothing else is."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from certlet_host import micropython

ROOT = Path(__file__).resolve().parent.parent.parent

DEVICE_TESTS = """
import sys
from support import skip

UNIX = sys.implementation.name == "micropython"

def test_good():
    pass

def test_fails():
    assert 1 == 2

def test_raises():
    raise ValueError("seen")

def test_skips():
    skip("not here")

def test_crashes():
    if UNIX:
        import os
        os.system("kill -9 $PPID")
    raise OSError("crash")

def test_hangs():
    while UNIX:
        pass
    raise OSError("hang")

def test_after_all_that():
    pass
"""


def run(folder: Path, source: str, *args: str, **env: str) -> tuple[dict[str, str], str]:
    """Run `source` as a device test file under this harness; return the outcome by item name, and the output."""
    (folder / "device").mkdir(exist_ok=True)
    (folder / "device" / "test_made.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-c", ROOT / "pytest.ini", f"--rootdir={folder}", "-p", "conftest"]
    options = ["-p", "no:cacheprovider", "-o", "device_timeout=2", "-v", *args, folder / "device"]
    path = os.pathsep.join((str(ROOT / "tests"), str(ROOT / "host_tools")))
    env = {**os.environ, "PYTHONPATH": path, **env}
    done = subprocess.run([*command, *options], env=env, capture_output=True, text=True, timeout=60, check=False)
    return dict(re.findall(r"::(\S+) (PASSED|FAILED|SKIPPED)", done.stdout)), done.stdout + done.stderr


def test_each_outcome_is_reported_by_its_own_item(tmp_path):
    outcomes, output = run(tmp_path, DEVICE_TESTS)
    expected = {
        "test_good": "PASSED",
        "test_fails": "FAILED",
        "test_raises": "FAILED",
        "test_skips": "SKIPPED",
        "test_crashes": "FAILED",
        "test_hangs": "FAILED",
        "test_after_all_that": "PASSED",
    }
    assert outcomes == {f"{name}[{runtime}]": o for name, o in expected.items() for runtime in ("cpython", "unix")}
    assert "no result within 2 s" in output
    assert "the interpreter ended with status" in output
    assert output.count("ValueError: seen") >= 2
    assert "Traceback (most recent call last)" in output


def test_one_item_can_be_chosen(tmp_path):
    outcomes, _ = run(tmp_path, DEVICE_TESTS, "-k", "test_after_all_that and unix")
    assert outcomes == {"test_after_all_that[unix]": "PASSED"}


def test_a_file_that_does_not_load_fails_by_name(tmp_path):
    outcomes, output = run(tmp_path, "import certlet.nothing\n\ndef test_a():\n    pass\n\ndef test_b():\n    pass\n")
    assert outcomes == {f"test_{n}[{runtime}]": "FAILED" for n in "ab" for runtime in ("cpython", "unix")}
    assert "ImportError: no module named 'certlet.nothing'" in output


@pytest.mark.parametrize("interpreter", ["/nowhere/micropython", sys.executable])
def test_a_wrong_interpreter_fails(tmp_path, interpreter):
    outcomes, output = run(tmp_path, "def test_a():\n    pass\n", MICROPYTHON=interpreter)
    assert outcomes == {"test_a[cpython]": "PASSED", "test_a[unix]": "FAILED"}, output


def test_interpreter_is_found_in_order(tmp_path, monkeypatch):
    def executable(folder):
        path = tmp_path / folder / "micropython"
        path.parent.mkdir()
        path.touch(mode=0o755)
        return path

    named, beside, on_path = map(executable, ("named", "beside", "on_path"))
    monkeypatch.setenv("MICROPYTHON", str(named))
    monkeypatch.setenv("PATH", str(on_path.parent))
    monkeypatch.setattr(sys, "executable", str(beside.with_name("python")))
    assert micropython.find() == named
    monkeypatch.delenv("MICROPYTHON")
    assert micropython.find() == beside
    beside.unlink()
    assert micropython.find() == on_path
    on_path.unlink()
    with pytest.raises(micropython.NotFoundError, match=r"make setup.*apt-get install micropython.*MICROPYTHON"):
        micropython.find()
    monkeypatch.setenv("MICROPYTHON", str(on_path))
    with pytest.raises(micropython.NotFoundError, match="is no executable"):
        micropython.find()
