"""OpenSSL 3.5 for tests, unpacked from Debian packages into build/openssl35; nothing is installed.

    python tests/interop/openssl35.py        prints the path of the command, or why there is none

A system whose own openssl is 3.5 or later needs none of this. Only Debian on x86-64 can unpack it.
"""

from __future__ import annotations

import fcntl
import functools
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "build" / "openssl35"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_PACKAGES = ("openssl", "libssl3t64", "libc6", "libzstd1", "zlib1g")
_WRAPPER = """#!/bin/sh
R={root}
export OPENSSL_CONF=$R/etc/ssl/openssl.cnf OPENSSL_MODULES=$R/usr/lib/x86_64-linux-gnu/ossl-modules
L=$R/usr/lib/x86_64-linux-gnu
exec $L/ld-linux-x86-64.so.2 --library-path $L $R/usr/bin/openssl "$@"
"""


class Missing(Exception):
    """There is no OpenSSL 3.5; the text says why."""


def version(command: str) -> tuple[int, ...]:
    """The version of an openssl command, (0,) when there is none."""
    try:
        text = subprocess.run([command, "version"], capture_output=True, text=True, check=True).stdout
        return tuple(int(part) for part in text.split()[1].split("-")[0].split("."))
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
        return (0,)


@functools.cache
def command() -> str:
    """The path of an openssl of 3.5 or later; Missing when there is none and none can be fetched."""
    own = shutil.which("openssl")
    if own and version(own) >= (3, 5):
        return own
    wrapper, failed = FOLDER / "openssl", FOLDER / "missing"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wrapper.exists() and not failed.exists():
            try:
                _unpack(wrapper)
            except Missing as reason:
                failed.write_text(str(reason))  # once a checkout: `make clean` forgets it
    if not wrapper.exists():
        raise Missing(failed.read_text())
    return str(wrapper)


def _mirror() -> str:
    """The Debian archive that apt uses on this machine."""
    from certlet_host.image import sources

    try:
        return sources.mirror()
    except sources.ImageError as error:
        raise Missing(str(error)) from None


def _unpack(wrapper: Path) -> None:
    if platform.machine() != "x86_64" or not Path(_KEYRING).exists() or not shutil.which("apt-get"):
        raise Missing("OpenSSL 3.5 can be fetched on Debian for x86-64 only")
    for name in ("lists/partial", "cache/archives/partial", "root"):
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
    (FOLDER / "debian.list").write_text(f"deb [signed-by={_KEYRING}] {_mirror()} trixie main\n")
    options = {
        "Dir::Etc::sourcelist": FOLDER / "debian.list", "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": FOLDER / "lists", "Dir::Cache": FOLDER / "cache", "APT::Sandbox::User": "root",
        "Acquire::http::Timeout": 20, "Acquire::Retries": 1, "Acquire::Languages": "none",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    _run("apt-get", "-q", *words, "update")
    _run("apt-get", "-q", *words, "download", *(f"{name}/trixie" for name in _PACKAGES))
    for package in FOLDER.glob("*.deb"):
        _run("dpkg", "-x", str(package), str(FOLDER / "root"))
    fresh = wrapper.with_suffix(".new")
    fresh.write_text(_WRAPPER.format(root=FOLDER / "root"))
    fresh.chmod(0o755)
    if version(str(fresh)) < (3, 5):
        raise Missing("the openssl that was unpacked does not run")
    for leftover in (*FOLDER.glob("*.deb"), FOLDER / "lists", FOLDER / "cache"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    fresh.replace(wrapper)


def _run(*words: str) -> None:
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(
        words, cwd=FOLDER, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        raise Missing(f"{words[0]} failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")


if __name__ == "__main__":
    try:
        print(command())
    except Missing as reason:
        sys.exit(str(reason))
