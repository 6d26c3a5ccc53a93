"""The lab CA's state folder, command line and HTTP front: secrets stay secret, faults are one line, limits hold."""

import contextlib
import http.client
import io
import json
import logging
import socket
import sqlite3
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from certlet_host.ca import http as front
from certlet_host.ca.cmp_codec import parse_message
from certlet_host.ca.cmp_responder import Responder
from certlet_host.ca.provoke import PROVOCATIONS, parse
from certlet_host.ca.state import open_state
from certlet_host.cli.ca import ca
from host.cmp_peer import Answer, Ask

CANARY = b"canary-5f1d7a-canary-5f1d7a"


def command(*words, **options):
    return CliRunner().invoke(ca, [str(word) for word in words], **options)


def test_secret_shows_nowhere(tmp_path, caplog):
    """Not in any file but the sealed one's key holder, not in logs, texts of errors, or reprs; and yet it serves."""
    caplog.set_level(logging.DEBUG)
    state = open_state(tmp_path)
    state.store.add_secret("dev1", CANARY)
    responder = Responder(state)
    wish = Ask(secret=CANARY)
    answer = Answer(responder.respond(wish.message()))
    assert answer.is_maced(CANARY)
    assert Answer(responder.respond(wish.confirm(answer))).kind == "pkiconf"
    assert Answer(responder.respond(Ask(secret=CANARY + b"x").message())).outcome == "error badMessageCheck"
    peer = responder._authenticator.authenticate(parse_message(wish.message()))
    shown = [repr(thing) for thing in (state, state.store, state.authority, responder, peer, peer.mac)]
    dump = "\n".join(sqlite3.connect(tmp_path / "ca.sqlite").iterdump())
    for text in [dump, caplog.text, *shown]:
        assert CANARY.decode() not in text
        assert CANARY.hex() not in text.lower()
        assert repr(CANARY)[2:-1] not in text
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {"ca.sqlite", "ca.sqlite-wal", "secrets.key"} <= {file.name for file in files}
    for file in files:
        assert CANARY not in file.read_bytes(), file
        if file.suffix not in (".pem", "") and not file.name.endswith("-shm"):
            assert file.stat().st_mode & 0o077 == 0, file


def test_sealed_under_its_own_reference(tmp_path):
    """Swapping the sealed secrets of two references in the database opens neither."""
    state = open_state(tmp_path)
    state.store.add_secret("one", CANARY)
    state.store.add_secret("two", CANARY[::-1])
    state.store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "ca.sqlite")) as database:
        sealed = dict(database.execute("select reference, sealed from device").fetchall())
        database.execute("update device set sealed = ? where reference = 'one'", (sealed["two"],))
        database.commit()
    with pytest.raises(Exception, match=r"secrets\.key is not the key"):
        open_state(tmp_path).store.secret("one")


def test_secret_command(tmp_path):
    out = tmp_path / "secret"
    done = command("secret", "--state", tmp_path / "s", "--ref", "dev1", "--out", out)
    assert done.exit_code == 0
    value = out.read_bytes().strip()
    assert len(value) == 32
    assert out.stat().st_mode & 0o777 == 0o600
    assert value.decode() not in done.output
    assert open_state(tmp_path / "s").store.secret("dev1") == value
    again = command("secret", "--state", tmp_path / "s", "--ref", "dev1", "--out", tmp_path / "other")
    assert (again.exit_code, again.stderr.count("\n")) == (1, 1)
    assert "nothing was changed" in again.stderr
    assert not (tmp_path / "other").exists()
    assert open_state(tmp_path / "s").store.secret("dev1") == value
    replaced = command("secret", "--state", tmp_path / "s", "--ref", "dev1", "--from", "-", "--replace",
                       input=CANARY + b"\n")
    assert replaced.exit_code == 0
    assert open_state(tmp_path / "s").store.secret("dev1") == CANARY


FAULTS = [
    (2, ["secret", "--ref", "x"]),
    (2, ["secret", "--ref", "x" * 65, "--out", "new"]),
    (2, ["secret", "--ref", "x", "--out", "new", "--from", "-"]),
    (2, ["run", "--provoke", "nonsense"]),
    (2, ["run", "--port", "65536"]),
    (1, ["secret", "--ref", "x", "--from", "-"]),
    (1, ["secret", "--ref", "x", "--out", "full"]),
    (1, ["trust", "full"]),
    (1, ["list"]),
    (1, ["list", "--state", "full/s"]),
    (1, ["secret", "--state", "full/s", "--ref", "x", "--out", "new"]),
]


@pytest.mark.parametrize(("code", "words"), FAULTS, ids=[" ".join(words)[:60] for _, words in FAULTS])
def test_faults_of_the_command_line(tmp_path, monkeypatch, code, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").write_text("no PEM")
    done = command(*words, input="short")
    assert done.exit_code == code
    assert "Traceback" not in done.output
    if code == 1:
        assert done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "new").exists()


def test_list(tmp_path):
    state = open_state(tmp_path)
    state.store.add_secret("dev1", CANARY)
    Responder(state).respond(Ask(secret=CANARY, implicit=True).message())
    rows = [json.loads(line) for line in command("list", "--state", tmp_path, "--json").output.splitlines()]
    assert [(row["subject"], row["requester"], row["status"]) for row in rows] == [
        ("CN=dev1", "reference dev1", "confirmed")
    ]
    assert "confirmed" in command("list", "--state", tmp_path).output


def test_state_heals_after_a_cut(tmp_path):
    """A key without its certificate, as a cut leaves it, gets one; nothing else changes."""
    first = open_state(tmp_path).authority
    (tmp_path / "issuing.pem").unlink()
    (tmp_path / "cmp.pem").unlink()
    second = open_state(tmp_path).authority
    assert second.root.certificate == first.root.certificate
    assert second.issuing.key.private_numbers() == first.issuing.key.private_numbers()
    second.signer.certificate.verify_directly_issued_by(second.issuing.certificate)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The HTTP front in a thread: (port, state)."""
    monkeypatch.setattr(front, "_HEADER_SECONDS", 0.5)
    monkeypatch.setattr(front, "_BODY_SECONDS", 0.5)
    state = open_state(tmp_path)
    state.store.add_secret("dev1", CANARY, reusable=True)
    listener = front.listen(0)
    server = front.server(Responder(state, provoke=parse(["http-status=503", "only=cp"])))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def post(port, body, path="/pkix/", kind=front.CONTENT_TYPE, method="POST"):
    with contextlib.closing(http.client.HTTPConnection(front.HOST, port, timeout=10)) as connection:
        # a server may answer and close before it was told everything, RFC 9112 9.6
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, path, body, {"Content-Type": kind})
        reply = connection.getresponse()
        return reply.status, reply.headers.get_content_type(), reply.read()


def test_http(served):
    for path in ("/", "/pkix", "/pkix/", "/.well-known/cmp", "/.well-known/cmp/p/lab", "/.well-known/cmp/p/lab/"):
        status, kind, body = post(served, Ask(secret=CANARY).message(), path)
        assert (status, kind, Answer(body).outcome) == (200, front.CONTENT_TYPE, "ip 0"), path
    status, kind, body = post(served, Ask(secret=CANARY, kind="cr").message())
    assert (status, kind, Answer(body).outcome) == (503, front.CONTENT_TYPE, "cp 0")
    assert Answer(post(served, b"hello", kind="Application/PKIXCMP; x=y")[2]).outcome == "error badDataFormat"
    assert post(served, b"hello", kind="text/plain")[0] == 415
    assert post(served, b"", method="GET")[0] == 405
    assert post(served, b"x", "/other")[0] == 404
    assert post(served, b"x" * (100 * 1024))[0] == 200
    assert post(served, b"x" * (100 * 1024 + 1))[0] == 413
    assert post(served, io.BytesIO(b"x" * (100 * 1024 + 1)))[0] == 413  # chunked


@pytest.mark.parametrize(("sent", "answer"), [
    (b"POST / HTTP/1.1\r\nHost", b""),
    (b"", b""),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkixcmp\r\nContent-Length: 9\r\n\r\nabc", b"408"),
], ids=["head", "nothing", "body"])
def test_slow_clients_are_cut_off(served, sent, answer):
    with socket.create_connection((front.HOST, served), timeout=5) as slow:
        slow.sendall(sent)
        text = b""
        while chunk := slow.recv(4096):
            text += chunk
        assert answer in text
        assert bool(text) == bool(answer)
    assert post(served, Ask(secret=CANARY).message())[0] == 200


def test_many_at_once(served):
    outcomes = []

    def enrol():
        wish = Ask(secret=CANARY)
        answer = Answer(post(served, wish.message())[2])
        outcomes.append((answer.outcome, Answer(post(served, wish.confirm(answer))[2]).outcome))

    threads = [threading.Thread(target=enrol) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [("ip 0", "pkiconf")] * 20


def test_every_provocation_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "lab-ca.md").read_text()
    for name, (_, setting, _) in PROVOCATIONS.items():
        assert f"| `{name}{'=VALUE' if callable(setting) else ''}` |" in page


def test_replies_are_not_held_back():
    """Nagle's algorithm is off on connections that were accepted; it costs 40 ms a reply."""
    with contextlib.closing(front.listen(0)) as listener:
        assert listener.proto == socket.IPPROTO_TCP
        assert listener.getsockname()[0] == "127.0.0.1"
