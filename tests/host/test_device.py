"""Boards over the raw REPL, each a real process of the unix port."""

import os
import pty
import signal
import subprocess
import sys
import time
import tty
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from certlet_host import device
from certlet_host.device import DeviceError, NoDevice, SimBoard, open_board

SECRET = "hush-7f3a"
VERBS = """
import json, sys
def run(verb, job):
    job = json.loads(job)
    if verb == "fail":
        raise ValueError("no")
    if verb == "silent":
        return
    print("noise")
    print("[1]")
    for i in range(job["events"]):
        print(json.dumps({"event": "step", "i": i}))
    print(json.dumps({"result": {"verb": verb, "job": job}}))
"""


@pytest.fixture
def board(tmp_path):
    with SimBoard(tmp_path / "flash") as board:
        yield board


@pytest.fixture
def worker(tmp_path):
    """A board whose certlet.factory is VERBS."""
    package = tmp_path / "firmware" / "certlet"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "factory.py").write_text(VERBS)
    with SimBoard(tmp_path / "flash", firmware=tmp_path / "firmware") as board:
        yield board


def gone(pid: int) -> bool:
    """Whether there is no such process, not even as a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_exec(board):
    assert board.exec("x = 6 * 7") == ""
    assert board.exec("print(x); print('é', end='')") == "42\né"
    assert board.exec("import certlet.errors; print(certlet.errors.Error(1).code)") == "1\n"


def test_flash_is_the_folder(board, tmp_path):
    board.put("a.bin", bytes(range(256)) * 9)
    assert (tmp_path / "flash" / "a.bin").read_bytes() == bytes(range(256)) * 9
    assert (tmp_path / "flash" / "a.bin").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "flash").stat().st_mode & 0o777 == 0o700
    assert board.get("a.bin") == bytes(range(256)) * 9
    with pytest.raises(DeviceError, match=r"^b\.bin on the board: No such file or directory$"):
        board.get("b.bin")
    assert board.exec("print(1)") == "1\n"


def test_lines_come_as_they_are_printed(board):
    seen = []
    code = "import time\nfor i in range(3):\n    print('line', i)\n    time.sleep(0.3)\nprint('end', end='')"
    board.exec(code, lambda line: seen.append((line, time.monotonic())))
    assert [line for line, _ in seen] == ["line 0", "line 1", "line 2", "end"]
    moments = [moment for _, moment in seen]
    assert all(0.2 < b - a < 2 for a, b in pairwise(moments))


def test_much_output(board):
    lines = []
    output = board.exec("for i in range(2000): print(i, 'x' * 95)", lines.append)
    assert output == "".join(f"{i} {'x' * 95}\n" for i in range(2000))
    assert lines == output.splitlines()
    assert len(output) > 200_000


def test_much_code(board):
    assert board.exec(f"print(len({'x' * 50000!r}))") == "50000\n"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (f"x = '{SECRET}'\n1/0", "the board raised ZeroDivisionError: divide by zero"),
        (f"x = '{SECRET}' +", "the board raised SyntaxError: invalid syntax"),
        ("raise OSError(2)", "the board raised OSError: [Errno 2] ENOENT"),
        ("from certlet.errors import *\nraise StoreError(703, 28)", "the board raised StoreError: (703, 28)"),
    ],
)
def test_exception(board, code, message):
    with pytest.raises(DeviceError) as caught:
        board.exec(code)
    assert str(caught.value) == message
    assert not isinstance(caught.value, NoDevice)
    assert board.exec("print('alive')") == "alive\n"


def test_errors_of_the_listener_are_its_own(board):
    def listen(line):
        raise OSError(28, line)

    with pytest.raises(OSError, match="first"):
        board.exec("print('first')", listen)


def test_killed_while_idle(board):
    os.kill(board.pid, signal.SIGKILL)
    with pytest.raises(DeviceError, match="stopped answering"):
        board.exec(f"x = '{SECRET}'")
    with pytest.raises(DeviceError, match="stopped answering"):
        board.put("a", b"x")


def test_killed_at_work(board):
    seen = []

    def kill(line):
        seen.append(line)
        os.kill(board.pid, signal.SIGKILL)

    with pytest.raises(DeviceError, match="stopped answering") as caught:
        board.exec(f"x = '{SECRET}'\nimport time\nprint('go')\ntime.sleep(60)", kill)
    assert seen == ["go"]
    assert SECRET not in str(caught.value)
    board.close()
    assert gone(board.pid)


def test_timeout(board):
    start = time.monotonic()
    with pytest.raises(DeviceError, match="did not finish in time"):
        board.exec("while True: pass", timeout=0.5)
    assert time.monotonic() - start < 3
    board.close()
    board.close()
    assert gone(board.pid)


def test_boards_in_parallel(tmp_path):
    def job(name):
        with SimBoard(tmp_path / name) as board:
            board.put("name", name.encode() * 500)
            return board.pid, board.exec("print(open('name').read()[-1])", timeout=20), board.get("name")

    names = ["a", "b", "c", "d"]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(job, names))
    assert [(text, data) for _, text, data in done] == [(f"{name}\n", name.encode() * 500) for name in names]
    assert len({pid for pid, _, _ in done}) == 4
    assert all(gone(pid) for pid, _, _ in done)


def test_no_process_or_descriptor_is_left(tmp_path):
    before = set(os.listdir("/dev/fd"))
    pids = []
    for _ in range(3):
        with SimBoard(tmp_path) as board:
            pids.append(board.pid)
            with pytest.raises(DeviceError):
                board.exec("1/0")
    assert all(gone(pid) for pid in pids)
    assert set(os.listdir("/dev/fd")) == before


def test_a_board_ends_with_its_host(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from certlet_host.device import SimBoard\n"
        "board = SimBoard(Path(sys.argv[1])); board.exec('x = 1'); print(board.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    path = os.pathsep.join(filter(None, [str(device.FIRMWARE.parent / "host_tools"), os.environ.get("PYTHONPATH")]))
    host = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        timeout=20,
        check=False,
    )
    pid = int(host.stdout)
    end = time.monotonic() + 5
    while running(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not running(pid)


def running(pid: int) -> bool:
    """Whether the process is more than a zombie, which is what nobody's child may stay as in a container."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip()[:1] not in ("", "Z")


def test_heap(tmp_path):
    with open_board("sim:200k", tmp_path) as board:
        assert 100_000 < int(board.exec("import gc; print(gc.mem_free())")) < 210_000


@pytest.mark.parametrize("spec", ["", "sim2", "sim:", "sim:0", "sim:lots", "sim:1;2", "/dev/ttyACM0", "port", "port:"])
def test_unknown_spec(spec, tmp_path):
    with pytest.raises(NoDevice, match="names no board; nothing was done"):
        open_board(spec, tmp_path)


def test_no_interpreter(tmp_path, monkeypatch):
    with pytest.raises(NoDevice, match="No such file"):
        SimBoard(tmp_path, Path("/nonexistent/micropython"))
    monkeypatch.setenv("MICROPYTHON", "/nonexistent/micropython")
    with pytest.raises(NoDevice, match="MICROPYTHON="):
        open_board("sim", tmp_path)


def test_something_else_in_the_place_of_the_interpreter(tmp_path, capfd):
    with pytest.raises(NoDevice, match="does not answer"):
        SimBoard(tmp_path, Path("/bin/true"))
    assert capfd.readouterr() == ("", "")


def test_serial_ports(tmp_path, capfd):
    with pytest.raises(NoDevice, match="cannot be opened"):
        open_board(f"port:{tmp_path}/none")
    master, slave = pty.openpty()
    tty.setraw(slave)
    with pytest.raises(NoDevice, match="does not answer"):
        open_board(f"port:{os.ttyname(slave)}")
    os.close(master)
    os.close(slave)
    assert capfd.readouterr() == ("", "")


def test_a_board_at_a_serial_port(tmp_path):
    """The unix port behind the master's end of a pty, mpremote's own port handling at the other."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    process = subprocess.Popen(
        [device.unix_port.find(), "-i"], stdin=master, stdout=master, stderr=subprocess.DEVNULL, cwd=tmp_path
    )
    os.close(master)
    try:
        with open_board(f"port:{os.ttyname(slave)}") as board:
            assert not board.simulated
            assert board.exec("print(1)") == "1\n"
            board.put("a", b"abc")
            assert (tmp_path / "a").read_bytes() == b"abc"
            process.kill()
            with pytest.raises(DeviceError, match="stopped answering"):
                board.exec("print(1)")
    finally:
        os.close(slave)
        process.kill()
        process.wait()


def test_call(worker):
    events = []
    job = {"events": 3, "secret": SECRET, "text": "quote ' \" \\ newline \n ä"}
    assert device.call(worker, "enrol", job, events.append) == {"verb": "enrol", "job": job}
    assert events == [{"event": "step", "i": i} for i in range(3)]
    assert device.call(worker, "again", {"events": 1})["verb"] == "again"


@pytest.mark.parametrize(
    ("verb", "message"),
    [("silent", "the board ended the job without a result"), ("fail", "the board raised ValueError: no")],
)
def test_call_without_a_result(worker, verb, message):
    with pytest.raises(DeviceError) as caught:
        device.call(worker, verb, {"events": 1, "secret": SECRET})
    assert str(caught.value) == message


def test_a_verb_is_a_name(worker):
    with pytest.raises(ValueError, match="a name"):
        device.call(worker, "x'); import os", {})
