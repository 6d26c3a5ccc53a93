"""The lab CA's HTTP front and commands: odd transports, labels of the path, CRLs, approval, a new root."""

import contextlib
import http.client
import sqlite3
import threading

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certlet_host.ca import http as front
from certlet_host.ca.cmp_responder import Responder
from certlet_host.ca.provoke import parse
from certlet_host.ca.state import open_state
from certlet_host.cli.ca import ca
from host.cmp_peer import Answer, Ask

SECRET = b"0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    state = open_state(tmp_path_factory.mktemp("ca"))
    state.store.add_secret("dev1", SECRET, reusable=True)
    return state


@contextlib.contextmanager
def served(state, *provoke):
    listener = front.listen(0)
    server = front.server(Responder(state, provoke=parse(provoke)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)


def exchanges(port, count=2, path="/pkix/"):
    """(status, headers, body, whether the connection stays) of requests over one connection while it lasts."""
    found = []
    with contextlib.closing(http.client.HTTPConnection(front.HOST, port, timeout=10)) as connection:
        for _ in range(count):
            connection.request("POST", path, Ask(secret=SECRET).message(), {"Content-Type": front.CONTENT_TYPE})
            reply = connection.getresponse()
            found.append((reply.status, dict(reply.getheaders()), reply.read(), connection.sock is not None))
    return found


TRANSPORTS = {
    "with-mods": (True, "content-length"), "chunked": (True, "transfer-encoding"), "close": (False, "content-length"),
    "close-delimited": (False, "connection"),
}


@pytest.mark.parametrize("word", TRANSPORTS)
def test_transports(state, word):
    stays, header = TRANSPORTS[word]
    with served(state, word) as port:
        for status, headers, body, stayed in exchanges(port):
            names = {name.lower() for name in headers}
            assert (status, stayed, header in names) == (200, stays, True)
            assert Answer(body).kind == "ip"
            if word in ("chunked", "close-delimited"):
                assert "content-length" not in names
                assert ("transfer-encoding" in names) == (word == "chunked")


def test_redirect(state):
    with served(state, "redirect") as port:
        (status, headers, body, _), = exchanges(port, 1)
    assert (status, headers["location"], body) == (307, "/pkix/elsewhere", b"")


def test_labels_of_the_path(state):
    with served(state) as port:
        for path, purpose in (("/.well-known/cmp/p/server", "serverAuth"), ("/.well-known/cmp/p/server/ir", "serverAuth"),
                              ("/.well-known/cmp/server", "clientAuth"), ("/.well-known/cmp/p/other", "clientAuth")):
            answer = Answer(exchanges(port, 1, path)[0][2])
            purposes = answer.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            assert [item._name for item in purposes] == [purpose], path


def command(*words):
    return CliRunner().invoke(ca, [str(word) for word in words])


def test_crl(state, tmp_path):
    wish = Ask(secret=SECRET)
    answer = Answer(Responder(state).respond(wish.message()))
    Responder(state).respond(wish.confirm(answer, accept=False))
    out = tmp_path / "crl.der"
    done = command("crl", "--state", state.folder, "--out", out)
    assert (done.exit_code, "revoked certificates" in done.output) == (0, True)
    with served(state) as port, contextlib.closing(http.client.HTTPConnection(front.HOST, port)) as connection:
        connection.request("GET", "/crl")
        reply = connection.getresponse()
        assert (reply.status, reply.headers.get_content_type()) == (200, "application/pkix-crl")
        for data in (reply.read(), out.read_bytes()):
            found = x509.load_der_x509_crl(data)
            assert found.get_revoked_certificate_by_serial_number(answer.certificate.serial_number)
            assert found.is_signature_valid(state.authority.issuing.key.public_key())


def test_approve(state):
    wish = Ask(secret=SECRET)
    answer = Answer(Responder(state, manual=True).respond(wish.message()))
    listed = command("approve", "--state", state.folder)
    assert listed.output == f"{wish.transaction_id.hex()} reference dev1\n"
    assert command("approve", "--state", state.folder, "dev1").output == f"approved: {wish.transaction_id.hex()}\n"
    assert Answer(Responder(state).respond(wish.poll(answer))).outcome == "ip 0"
    for word in ("dev1", "nobody"):
        done = command("approve", "--state", state.folder, word)
        assert (done.exit_code, done.stderr.count("\n")) == (1, 1)


def test_list_shows_reasons(state):
    wish = Ask(secret=SECRET, implicit=True)
    mine = Answer(Responder(state).respond(wish.message())).certificate
    Responder(state).respond(Ask(secret=SECRET).revoke(mine, 1))
    listed = command("list", "--state", state.folder, "--json").output
    assert f'"serial": "{mine.serial_number:x}"' in listed
    assert '"status": "revoked", "reason": "keyCompromise"' in listed


def test_rollover_command(tmp_path):
    old = open_state(tmp_path).authority.root.certificate
    assert command("rollover", "--state", tmp_path).exit_code == 0
    new = open_state(tmp_path).authority
    assert new.root.certificate != old
    assert new.update.old == old
    assert (tmp_path / "root.pem").read_bytes() == new.root.certificate.public_bytes(Encoding.PEM)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.glob("*.key")} == {0o600}
    for verb in ("rollover", "approve"):
        assert command(verb, "--state", tmp_path / "none").exit_code == 1


def test_state_of_another_version(tmp_path):
    open_state(tmp_path).store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "ca.sqlite")) as database:
        database.execute("alter table certificate drop column owner")
        database.commit()
    done = command("list", "--state", tmp_path)
    assert (done.exit_code, "another version" in done.stderr, done.stderr.count("\n")) == (1, True, 1)
