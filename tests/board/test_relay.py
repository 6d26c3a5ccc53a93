"""A Pico has no network: it reaches the lab CA through the console, over USB, and stays open to Ctrl-C meanwhile."""

import contextlib

import pytest

from certlet_host.device import DeviceError
from certlet_host.operation import run_cmp
from certlet_host.relay import Relay
from host.test_http import Server, reply
from host.test_transports import Ca, operation, subject

CODE = """
from hashlib import sha256
from certlet.transport.serial import Serial
serial = Serial({url!r}, "application/pkixcmp", 60)
print(sha256(serial.exchange(bytes(range(256)) * 4)).digest().hex(), serial.trips)
"""


def test_long_messages(shared):
    body = bytes(range(256)) * 43
    with Server([[reply(body)]]) as server:
        guard = Relay(f"http://127.0.0.1:{server.port}/")
        output = shared.exec(CODE.format(url=guard.url), lambda line: guard(line) if line[:1] == "~" else None, 100)
    assert output.splitlines()[-1] == "441fe7758a2754f8696ee6318560c255efcd57e6aefd486509b6c9df843a44a9 1"
    assert server.requests[0].endswith(b"\r\n\r\n" + bytes(range(256)) * 4)


def test_an_exchange_can_be_interrupted(shared):
    code = CODE.format(url="http://ca.example/")
    with pytest.raises(DeviceError, match="the board raised KeyboardInterrupt"):
        shared.exec(code, lambda line: b"\x03" if line[:2] == "~E" else None, 60)
    assert shared.exec("print(1)") == "1\n"


def test_enrolment(board, tmp_path):
    board.set_clock()
    with contextlib.ExitStack() as stack:
        ca = Ca(tmp_path / "ca", stack)
        answer = run_cmp(board, operation(ca.http, "serial", "pico"), tmp_path, lambda event: None, 300)
        assert answer["ok"], answer
        assert subject(tmp_path) == "CN=pico" and ca.issued() == {"CN=pico": "confirmed"}
    assert not (tmp_path / "key.pem").exists()  # it stays on the board
