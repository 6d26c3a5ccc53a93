"""`make demo`, as a newcomer runs it: every step ends well, quickly, and nothing keeps running."""

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def processes_with(marker):
    """Command lines of all processes whose environment holds `marker`."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker.encode() in environ.read_bytes():
                found.append((environ.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # ended meanwhile, or another user's
    return found


def run_demo(folder, marker, **environment):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "host_tools"), "CERTLET_TEST": marker, **environment}
    command = [sys.executable, "-m", "certlet_host.demo"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=90)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to look for processes left behind")
def test_demo(tmp_path):
    marker = uuid.uuid4().hex
    started = time.monotonic()
    done = run_demo(tmp_path, marker)
    assert done.returncode == 0, done.stderr
    for text in ("Enrolment", "pkiConf", "public key in the certificate: ours", "accepted CN=board-0001", "still has the identity"):
        assert text in done.stdout, done.stdout
    assert processes_with(marker) == []
    secret = (tmp_path / "build/demo/ca/board-0001.secret").read_text().strip()
    assert secret not in done.stdout + done.stderr
    print(f"{time.monotonic() - started:.1f} s")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to look for processes left behind")
def test_demo_without_an_interpreter(tmp_path):
    marker = uuid.uuid4().hex
    done = run_demo(tmp_path, marker, MICROPYTHON="/nowhere/micropython")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("demo: ") and "/nowhere/micropython" in done.stderr
    assert processes_with(marker) == []
