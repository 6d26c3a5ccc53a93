"""The device's transports on both runtimes: each function takes a job of post.py and returns what came of it."""

import json
import os
import runpy
import subprocess
from pathlib import Path

from certlet_host import micropython

HERE = Path(__file__).resolve().parent
FIRMWARE = HERE.parent.parent / "firmware"


def on_cpython(job: dict) -> dict:
    return runpy.run_path(str(HERE / "post.py"))["run"](job)


def on_unix(job: dict) -> dict:
    done = subprocess.run(
        [micropython.find(), "-X", "heapsize=256k", HERE / "post.py"],
        input=json.dumps(job).encode() + b"\n",
        env={**os.environ, "MICROPYPATH": f"{FIRMWARE}{os.pathsep}.frozen"},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return json.loads(done.stdout)


BOTH = {"params": [on_cpython, on_unix], "ids": ["cpython", "unix"]}
