"""Enrolment at the lab CA over every transport, by a simulated board."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from cryptography import x509

from certlet_host import device, relay
from certlet_host.ca import coap, http
from certlet_host.ca.cmp_responder import Responder
from certlet_host.ca.state import open_state
from certlet_host.credentials import Secret
from certlet_host.operation import Operation, run_cmp
from host.test_coap import network

ROOT = device.FIRMWARE.parent
SECRET = b"canary-5f0a1c3e9b7d4862"


class Ca:
    """A lab CA at `http` and `coap`, the URLs."""

    def __init__(self, folder, stack):
        self.state = open_state(folder)
        self.state.store.add_secret("dev1", SECRET, reusable=True)
        responder = Responder(self.state)
        listener, started = http.listen(0), threading.Event()
        server = http.server(responder, started.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        stack.callback(thread.join, 10)
        stack.callback(setattr, server, "should_exit", True)
        assert started.wait(10)
        self.http = f"http://127.0.0.1:{listener.getsockname()[1]}/.well-known/cmp"
        self.coap_port = stack.enter_context(coap.serve(responder.exchange, 0))
        self.coap = f"coap://127.0.0.1:{self.coap_port}/.well-known/cmp"

    def issued(self):
        return {row["subject"]: row["status"] for row in self.state.store.certificates()}


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield Ca(tmp_path_factory.mktemp("ca"), stack)


def operation(url, via, name, op="ir", wait=False):
    settings = {"subject": [["CN", name]], "transport": via, "timeout": 15}
    return Operation(op, url, Secret("dev1", SECRET), settings, {"wait": wait})


def enrol(folder, task, firmware=device.FIRMWARE):
    """The answer, and the events of a board that is switched on for this operation."""
    events = []
    with device.SimBoard(folder / "flash", firmware=firmware) as board:
        return run_cmp(board, task, folder, events.append), events


def subject(folder):
    return x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes()).subject.rfc4514_string()


@pytest.mark.parametrize("via", ["http", "serial", "coap"])
def test_enrolment(ca, tmp_path, via):
    answer, _ = enrol(tmp_path, operation(ca.coap if via == "coap" else ca.http, via, via))
    assert answer["ok"], answer
    assert subject(tmp_path) == f"CN={via}"
    assert sorted(path.name for path in (tmp_path / "transcript").iterdir()) == [
        "01-req.der", "01-rsp.der", "02-req.der", "02-rsp.der",
    ]  # fmt: skip
    sizes = {path.name[3:6]: 0 for path in (tmp_path / "transcript").iterdir()}
    for path in (tmp_path / "transcript").iterdir():
        sizes[path.name[3:6]] += path.stat().st_size
    assert answer["bytes_up"] > sizes["req"] and answer["bytes_down"] > sizes["rsp"]
    assert answer["round_trips"] == (3 if via == "coap" else 2)  # 1,575 octets of ip are two blocks


def test_a_board_that_cannot_use_a_network(ca, tmp_path):
    """Its firmware lacks the modules for that."""
    shutil.copytree(device.FIRMWARE, tmp_path / "firmware", ignore=shutil.ignore_patterns("http.py", "wire.py", "coap.py"))
    answer, _ = enrol(tmp_path, operation(ca.http, "serial", "bare"), tmp_path / "firmware")
    assert answer["ok"], answer
    assert subject(tmp_path) == "CN=bare"


def test_a_bad_network(ca, tmp_path):
    """Each message's first datagram is lost, in either direction; the CA issues one certificate all the same."""
    with network(ca.coap_port, lambda way, n: int(n > 0)) as port:
        answer, _ = enrol(tmp_path, operation(f"coap://127.0.0.1:{port}/.well-known/cmp", "coap", "lossy"))
    assert answer["ok"], answer
    assert list(ca.issued()).count("CN=lossy") == 1


@pytest.mark.parametrize(
    ("via", "url", "code"),
    [
        ("coap", "http://127.0.0.1:1/", 601),
        ("http", "coap://127.0.0.1:1/", 601),
        ("serial", "coap://127.0.0.1:1/", 601),
        ("coap", "coap://127.0.0.1:1/", 642),
        ("serial", "http://127.0.0.1:1/", 612),
        ("file", "http://127.0.0.1:1/", 681),
    ],
)
def test_what_goes_wrong(tmp_path, via, url, code):
    answer, _ = enrol(tmp_path, operation(url, via, "x"))
    assert (answer["ok"], answer["code"]) == (False, code)
    assert not (tmp_path / "cert.pem").exists()


def messages(folder):
    return sorted(path.name for path in (folder / "flash" / "identity-messages").iterdir())


def carry(ca, folder, number):
    """Take a request to the CA and bring its reply."""
    base = folder / "flash" / "identity-messages"
    relay.post_file(base / f"{number:02}-req.der", ca.http, base / f"{number:02}-rsp.der")


def test_files_through_resets(ca, tmp_path):
    """The board is switched off while its messages are carried, and finds out by itself what it waits for."""
    start = operation(ca.http, "file", "filed")
    resume = operation(ca.http, "file", "filed", "resume")
    answer, _ = enrol(tmp_path, start)
    assert answer["code"] == 681 and answer["detail"] == 1
    assert messages(tmp_path) == ["01-req.der"]
    answer, _ = enrol(tmp_path, resume)
    assert answer["code"] == 681 and messages(tmp_path) == ["01-req.der"]
    carry(ca, tmp_path, 1)
    answer, _ = enrol(tmp_path, resume)
    assert answer["code"] == 681 and answer["detail"] == 2
    assert messages(tmp_path) == ["01-req.der", "01-rsp.der", "02-req.der"]
    assert ca.issued()["CN=filed"] != "confirmed" and not (tmp_path / "cert.pem").exists()
    carry(ca, tmp_path, 2)
    answer, _ = enrol(tmp_path, resume)
    assert answer["ok"], answer
    assert subject(tmp_path) == "CN=filed"
    assert messages(tmp_path) == ["01-req.der", "01-rsp.der", "02-req.der", "02-rsp.der"]
    answer, _ = enrol(tmp_path, resume)
    assert answer["code"] == 904  # nothing is pending any more


def test_a_reply_to_another_file_is_refused(ca, tmp_path):
    """Replies that were swapped on the way have another transactionID."""
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        assert enrol(folder, operation(ca.http, "file", folder.name))[0]["code"] == 681
        carry(ca, folder, 1)
    replies = [folder / "flash" / "identity-messages" / "01-rsp.der" for folder in (tmp_path / "a", tmp_path / "b")]
    shutil.copy(replies[0], replies[1])
    answer, _ = enrol(tmp_path / "b", operation(ca.http, "file", "b", "resume"))
    assert answer["code"] == 403 and not (tmp_path / "b" / "cert.pem").exists()


def test_files_while_the_board_waits(ca, tmp_path):
    def courier():
        for number in (1, 2):
            request = tmp_path / "flash" / "identity-messages" / f"{number:02}-req.der"
            while not request.exists():
                time.sleep(0.05)
            carry(ca, tmp_path, number)

    thread = threading.Thread(target=courier, daemon=True)
    thread.start()
    answer, events = enrol(tmp_path, operation(ca.http, "file", "patient", wait=True))
    thread.join(5)
    assert answer["ok"], answer
    assert [event["number"] for event in events if event["event"] == "file"] == [1, 2]


def test_a_power_cut_while_the_board_waits(ca, tmp_path):
    """The key of the request is on the flash before the board begins to wait."""

    def cut(event):
        if event.get("record") == "pending":
            os.kill(board.pid, signal.SIGKILL)

    with device.SimBoard(tmp_path / "flash") as board, pytest.raises(device.DeviceError, match="stopped answering"):
        run_cmp(board, operation(ca.http, "file", "cut", wait=True), tmp_path, cut)
    for number in (1, 2):
        carry(ca, tmp_path, number)
        answer, _ = enrol(tmp_path, operation(ca.http, "file", "cut", "resume"))
    assert answer["ok"], answer
    assert subject(tmp_path) == "CN=cut"


# The commands


def certlet(folder, *words):
    """Exit status, standard output, standard error."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "host_tools")}
    done = subprocess.run(
        [sys.executable, "-m", "certlet_host", *words], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_post_command(ca, tmp_path):
    assert enrol(tmp_path, operation(ca.http, "file", "posted"))[0]["code"] == 681
    request = tmp_path / "flash" / "identity-messages" / "01-req.der"
    assert certlet(tmp_path, "cmp", "post", request, "--server", ca.http, "--out", "reply.der")[::2] == (0, "")
    assert (tmp_path / "reply.der").stat().st_size > 1000
    (tmp_path / "empty").touch()
    rows = (
        (request, ca.http.replace("/.well-known", "/x"), 1),
        (request, "ftp://127.0.0.1/", 2),
        (request, "http://127.0.0.1:1/", 1),
        ("empty", ca.http, 2),
        ("none", ca.http, 1),
    )
    for file, server, expected in rows:
        status, output, line = certlet(tmp_path, "cmp", "post", file, "--server", server, "--out", "other.der")
        assert (status, output) == (expected, ""), line
        assert "Traceback" not in line and not (tmp_path / "other.der").exists()


def test_ca_with_a_coap_port(ca, tmp_path):
    status, _, line = certlet(tmp_path, "ca", "run", "--state", "ca", "--port", "0", "--coap-port", str(ca.coap_port))
    assert status == 1 and "in use" in line and line.count("\n") == 1
    words = ["ca", "run", "--state", "ca", "--port", "0", "--coap-port", "0", "--ready-file", tmp_path / "ready"]
    process = subprocess.Popen(
        [sys.executable, "-m", "certlet_host", *words], cwd=tmp_path, stderr=subprocess.DEVNULL, text=True,
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT / "host_tools")},
    )  # fmt: skip
    with process:
        first, second = process.stdout.readline(), process.stdout.readline()
        end = time.monotonic() + 10
        while not (tmp_path / "ready").exists() and time.monotonic() < end:
            time.sleep(0.05)
        urls = (tmp_path / "ready").read_text().splitlines()
        answer, _ = enrol(tmp_path, operation(urls[1] + "/.well-known/cmp", "coap", "x"))
        process.terminate()
    assert 400 < answer["code"] < 450 and answer["round_trips"] > 0  # that CA does not know the device
    assert [line.split()[2] for line in (first, second)] == urls
    assert urls[0].startswith("http://127.0.0.1:") and urls[1].startswith("coap://127.0.0.1:")
