"""The sources of an RPI_PICO image: files of the Debian archive, pinned by SHA-256, from the machine's own mirror."""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_APT_HELPER = "/usr/lib/apt/apt-helper"


class ImageError(Exception):
    """An image cannot be made; one line that says what is missing."""


@dataclass(frozen=True)
class Source:
    """One file of the archive and where its content belongs in the tree of MicroPython."""

    name: str
    version: str
    path: str  # below the mirror's pool/main/
    sha256: str
    target: str
    inner: str = ""  # the folder of a .deb that is meant; the top folder of a tarball always is


# All of trixie, unpatched: Debian's patches make MicroPython use libraries of the system, which a board does not have.
SOURCES = (
    Source("MicroPython", "1.25.0", "m/micropython/micropython_1.25.0+ds.orig.tar.xz",
           "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea", "."),
    Source("pico-sdk", "2.1.1", "p/pico-sdk/pico-sdk-source_2.1.1-1_all.deb",
           "507a3ca37636641bc90239d7c04dc9dc28c5008087a8162102ea94d2273153d3", "lib/pico-sdk", "usr/src/pico-sdk"),
    Source("TinyUSB", "0.18.0", "t/tinyusb/tinyusb-source_0.18.0+dfsg-1_all.deb",
           "01ce2c645df68f14a8a7dcfc8fb355713152543757955820479a87949a61154e", "lib/tinyusb", "usr/src/tinyusb"),
    Source("Mbed TLS", "3.6.6", "m/mbedtls/mbedtls_3.6.6.orig.tar.bz2",
           "8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a", "lib/mbedtls"),
    Source("lwIP", "2.2.1", "l/lwip/lwip_2.2.1+dfsg1.orig.tar.xz",
           "83729c274c499d3348e9fbbe043a3113f3fa8953e7efddc7c21c7fcbb1f2b7b1", "lib/lwip"),
)  # fmt: skip


def mirror() -> str:
    """Return the URL of the Debian archive that this machine installs from; ImageError if there is none."""
    with tempfile.TemporaryDirectory() as empty:
        try:
            command = ["apt-get", "update", "--print-uris", f"-oDir::State::Lists={empty}"]
            listed = subprocess.run(command, check=False, capture_output=True, text=True).stdout
        except FileNotFoundError:
            listed = ""
    for line in listed.splitlines():
        base, dists, _ = line.lstrip("'").partition("/dists/")
        if dists and base.endswith("/debian"):
            return base
    raise ImageError("apt names no Debian mirror on this machine; nothing was built; give one by --mirror URL")


def fetch(source: Source, folder: Path, find_mirror: Callable[[], str] = mirror) -> Path:
    """Return the file of `source` in `folder`, downloaded if it is not there already; its SHA-256 always holds."""
    file = folder / Path(source.path).name
    if file.exists() and _sha256(file) == source.sha256:
        return file
    folder.mkdir(parents=True, exist_ok=True)
    url = f"{find_mirror()}/pool/main/{source.path}"
    try:
        done = subprocess.run(
            [_APT_HELPER, "download-file", url, file.name, f"SHA256:{source.sha256}"],
            check=False,
            cwd=folder,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise ImageError(f"{_APT_HELPER} is absent (package apt); nothing was built; put {url} into {folder}") from None
    file.with_name(file.name + ".FAILED").unlink(missing_ok=True)
    if done.returncode or _sha256(file) != source.sha256:
        file.unlink(missing_ok=True)
        raise ImageError(
            f"{url} cannot be had with SHA-256 {source.sha256[:16]}..; nothing was built; "
            "see that the mirror is reached, or put the file there yourself"
        )
    return file


def unpack(tree: Path, downloads: Path, find_mirror: Callable[[], str] = mirror) -> None:
    """Lay all sources out in `tree`, which appears whole or not at all."""
    files = [fetch(source, downloads, find_mirror) for source in SOURCES]
    shutil.rmtree(tree, ignore_errors=True)
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tree.parent) as scratch:
        whole = Path(scratch, "tree")
        for source, file in zip(SOURCES, files, strict=True):
            loose = Path(scratch, source.name)
            content = _extract(file, loose, source.inner)
            shutil.copytree(content, whole / source.target, symlinks=True, dirs_exist_ok=True)
        _join(whole / "lib")
        whole.rename(tree)


def _extract(file: Path, folder: Path, inner: str) -> Path:
    """Unpack an archive into `folder` and return the folder within that holds the sources."""
    folder.mkdir()
    if file.suffix == ".deb":
        subprocess.run(["dpkg-deb", "-x", file, folder], check=True)
        return folder / inner
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


def _join(lib: Path) -> None:
    """Make of the parts what the port expects to find as submodules."""
    of_sdk = lib / "pico-sdk" / "lib" / "tinyusb"
    if of_sdk.is_symlink():
        of_sdk.unlink()
    else:
        shutil.rmtree(of_sdk, ignore_errors=True)
    of_sdk.parent.mkdir(parents=True, exist_ok=True)
    of_sdk.symlink_to("../../tinyusb")
    readme = lib / "micropython-lib" / "README.md"  # the port checks that it is there and reads nothing else
    readme.parent.mkdir(parents=True, exist_ok=True)
    readme.touch()


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
