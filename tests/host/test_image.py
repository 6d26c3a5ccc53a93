"""Packages for mip, UF2 files, and what the image builder says when something is missing; nothing is downloaded."""

import json
import shutil
import stat
import subprocess

import pytest

from certlet_host import __version__, micropython
from certlet_host.image import __main__ as command
from certlet_host.image import packages, ports, sources, uf2
from certlet_host.image.sources import ImageError


@pytest.mark.parametrize("size", [1, 255, 256, 257, 5000])
def test_uf2(size):
    image = bytes(i * 7 & 255 for i in range(size))
    file = uf2.pack(image)
    assert len(file) == -(-size // 256) * 512
    assert uf2.unpack(file) == image.ljust(-(-size // 256) * 256, b"\0")


@pytest.mark.parametrize(
    "file",
    [b"", b"x" * 512, uf2.pack(b"abc")[:-1], uf2.pack(b"abc")[:-4] + bytes(4), uf2.pack(b"abc", base=0x0FFFFF00)],
    ids=["empty", "other", "short", "no end", "below flash"],
)
def test_uf2_refuses(file):
    with pytest.raises(ValueError, match=r"UF2|flash"):
        uf2.unpack(file)


@pytest.mark.parametrize("file", packages.VARIANTS)
def test_package_files_are_those_of_the_tree(file):
    names = packages.without(packages.modules(), packages.VARIANTS[file])
    text = (packages.FIRMWARE / file).read_text()
    assert text == packages.package(names, __version__), "run: make packages"
    for target, url in json.loads(text)["urls"]:
        assert target == url and (packages.FIRMWARE / url).is_file()


def test_a_variant_leaves_its_parts_out():
    names = ["certlet/cmp/msg.py", "certlet/cms/data.py", "certlet/der.py", "certlet/scep/msg.py"]
    assert packages.without(names, ("scep", "cms")) == ["certlet/cmp/msg.py", "certlet/der.py"]
    assert packages.without(names, ()) == names


def test_compiled_packages_name_compiled_modules(tmp_path):
    sizes = packages.compile_all(tmp_path, "rv32imc")
    packages.write_packages(tmp_path, sorted(sizes), "1")
    assert len(sizes) == len(packages.modules())
    for file in packages.VARIANTS:
        for _, url in json.loads((tmp_path / file).read_text())["urls"]:
            assert (tmp_path / url).stat().st_size == sizes[url] > 0


def test_a_module_that_does_not_compile(tmp_path, monkeypatch):
    (tmp_path / "certlet").mkdir()
    (tmp_path / "certlet" / "bad.py").write_text("def")
    monkeypatch.setattr(packages, "FIRMWARE", tmp_path)
    with pytest.raises(ImageError, match=r"^certlet/bad\.py does not compile for x64; .*SyntaxError"):
        packages.compile_all(tmp_path / "out", "x64")


@pytest.fixture
def checkout(tmp_path):
    for port, board in (("rp2", "RPI_PICO_W"), ("esp32", "ESP32_GENERIC_C3")):
        (tmp_path / "ports" / port / "boards" / board).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(("board", "port"), [("RPI_PICO_W", "rp2"), ("ESP32_GENERIC_C3", "esp32")])
def test_commands_for_a_checkout(checkout, board, port, capsys):
    assert command.main(["board", board, "--micropython", str(checkout), "--jobs", "3", "--dry-run"]) == 0
    cross, submodules, build = capsys.readouterr().out.splitlines()
    common = f"make -C {checkout}/ports/{port} BOARD={board} BUILD={ports.output(board)}"
    assert cross == f"make -C {checkout}/mpy-cross -j3"
    assert submodules == f"{common} submodules"
    assert build == f"{common} -j3 FROZEN_MANIFEST={ports.BOARDS}/{board}/manifest.py"
    assert not ports.output(board).exists()


@pytest.mark.parametrize(
    ("board", "fault"),
    [
        ("RPI_PICO", "is no checkout of MicroPython with a board RPI_PICO; nothing was built"),
        ("NUCLEO", "no board NUCLEO; nothing was built; known are ARDUINO"),
        ("SIM", "no board SIM; nothing was built"),
    ],
)
def test_commands_refused(checkout, board, fault, capsys):
    assert command.main(["board", board, "--micropython", str(checkout), "--dry-run"]) == 1
    assert fault in capsys.readouterr().err


def test_a_port_without_its_compiler(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ImageError, match=r"idf\.py is not on PATH; nothing was built; install ESP-IDF"):
        ports.build("ESP32_GENERIC_C3", checkout, 1, print)


SOURCE = sources.Source("x", "1", "x/x/x_1.tar.xz", "0" * 64, "x")


def helper(folder, script):
    """A stand-in for apt's downloader."""
    file = folder / "helper"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


@pytest.mark.parametrize("script", ["exit 100", "echo other > $3"], ids=["not found", "other content"])
def test_a_source_that_cannot_be_had(tmp_path, monkeypatch, script):
    monkeypatch.setattr(sources, "_APT_HELPER", helper(tmp_path, script))
    with pytest.raises(ImageError, match=r"^m/pool/main/x/x/x_1\.tar\.xz cannot be had with SHA-256 0{16}\.\.; nothing"):
        sources.fetch(SOURCE, tmp_path / "downloads", lambda: "m")
    assert list((tmp_path / "downloads").iterdir()) == []


def test_a_source_that_is_there_is_not_fetched_again(tmp_path):
    (tmp_path / "x_1.tar.xz").write_bytes(b"")
    known = sources.Source("x", "1", "x_1.tar.xz", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "x")
    assert sources.fetch(known, tmp_path, lambda: pytest.fail("asked for a mirror")) == tmp_path / "x_1.tar.xz"


def test_the_mirror_is_that_of_apt(monkeypatch):
    lines = "'http://s/debian-security/dists/a/InRelease' s 0\n'http://m.example/debian/dists/a/InRelease' m 0\n"
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, lines, ""))
    assert sources.mirror() == "http://m.example/debian"
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, "", ""))
    with pytest.raises(ImageError, match="apt names no Debian mirror on this machine; nothing was built; give one by"):
        sources.mirror()


@pytest.mark.parametrize("file", packages.VARIANTS)
def test_a_variant_loads_without_what_it_leaves_out(tmp_path, file):
    """Every module of the variant is imported by MicroPython, with nothing else at hand, and a key is made and used."""
    names = packages.without(packages.modules(), packages.VARIANTS[file])
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(packages.FIRMWARE / name, tmp_path / name)
    imports = "\n".join(f"import {name[:-3].replace('/', '.').removesuffix('.__init__')}" for name in names)
    code = f"{imports}\nc = certlet.crypto.select()\nk = c.generate('p256')\nprint(len(k.sign(c.digest('sha256', b''))))"
    done = subprocess.run(
        [micropython.find(), "-c", code], check=False, capture_output=True, text=True,
        env={"MICROPYPATH": f"{tmp_path}:.frozen"},
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("64\n", 0), done.stdout + done.stderr
