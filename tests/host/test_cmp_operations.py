"""The life of one simulated board at the lab CA by `certlet cmp`: every operation, waits, a killed board, a new root."""

import json
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from certlet_host.ca.state import open_state
from certlet_host.demo import site_ca
from host.test_cmp_ir import ROOT, Lab

CERTLET = (sys.executable, "-m", "certlet_host")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "host_tools")}


class Board(Lab):
    """A board with its flash, and the lab CA that it talks to."""

    def command(self, op, url, out, *options):
        trusted = () if "--no-anchor" in options else ("--trusted", "ca/root.pem")
        options = [option for option in options if option != "--no-anchor"]
        return [*CERTLET, "cmp", op, "--server", url, "--flash", "flash", "--out", out, "--json", *trusted, *options]

    def run(self, op, url, out, *options):
        done = subprocess.run(
            self.command(op, url, out, *options), cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True,
            check=False, timeout=90,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout), done.stderr

    def good(self, op, url, out, *options):
        status, report, errors = self.run(op, url, out, *options)
        assert status == 0, errors
        return report

    def records(self):
        return sorted(p.stem for p in (self.folder / "flash" / "identity").glob("*.rec"))

    def certificate(self, out):
        return x509.load_pem_x509_certificate((self.folder / out / "cert.pem").read_bytes())

    def status_of(self, serial):
        rows = {row["serial"].lstrip("0"): row["status"] for row in self.state.store.certificates()}
        return rows[serial]


MAC = ("--ref", "dev1", "--secret-file", "secret")
WISH = (*MAC, "--subject", "/CN=dev1")


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    return Board(tmp_path_factory.mktemp("board"))


def test_the_life_of_a_board(board):
    with board.serve("") as url:
        first = board.good("ir", url, "first", *WISH)
        assert board.records() == ["active"]
        second = board.good("kur", url, "second")
        assert board.records() == ["active", "previous"]
        assert board.certificate("second").public_key() != board.certificate("first").public_key()
        assert board.certificate("second").subject == board.certificate("first").subject
        assert board.status_of(first["serial"]) == "superseded"
        board.good("kur", url, "third", "--samekey", "--implicit-confirm")
        assert board.certificate("third").public_key() == board.certificate("second").public_key()
        another = board.good("cr", url, "another", "--subject", "/CN=dev1 too")
        assert board.status_of(another["serial"]) == "confirmed"
        board.good("p10cr", url, "pkcs10", *WISH)
        board.good("genm", url, "info", *MAC, "--infotype", "caCerts", "--infotype", "currentCRL",
                   "--infotype", "1.3.6.1.5.5.7.4.99")  # fmt: skip
        assert len(x509.load_pem_x509_certificates((board.folder / "info/caCerts.pem").read_bytes())) == 2
        assert x509.load_pem_x509_crl((board.folder / "info/currentCRL.pem").read_bytes()).is_signature_valid
        board.good("rr", url, "gone", *MAC, "--oldcert", "second/cert.pem", "--revreason", "superseded")
        assert board.status_of(second["serial"]) == "revoked"
        status, report, _ = board.run("rr", url, "gone", *MAC, "--oldcert", "second/cert.pem")
        assert (status, report["error_code"], report["fail_info"]) == (1, 415, ["certRevoked"])
        serial = f"{board.certificate('third').serial_number:x}"
        issuer = "/CN=" + board.certificate("third").issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
        board.good("rr", url, "gone", *MAC, "--issuer", issuer, "--serial", serial, "--revreason", "keyCompromise")
        assert board.status_of(serial) == "revoked"
        own = board.good("ir", url, "own", *WISH)
        board.good("rr", url, "gone", "--revreason", "cessationOfOperation")
        assert board.status_of(own["serial"]) == "revoked"
        board.good("genm", url, "crls", *MAC, "--infotype", "crlStatusList", "--crlcert", "own/cert.pem")
        crl = x509.load_pem_x509_crl((board.folder / "crls/crls.pem").read_bytes())
        assert crl.get_revoked_certificate_by_serial_number(int(own["serial"], 16))


def test_the_ca_makes_the_key(board):
    with board.serve("") as url:
        board.good("ir", url, "central", *WISH, "--centralkeygen")
        key = load_pem_private_key((board.folder / "central/key.pem").read_bytes(), None)
        assert key.public_key() == board.certificate("central").public_key()
        board.good("kur", url, "agreed", "--popo", "keyAgreement")


def test_a_template_rules(board):
    (board.folder / "ca" / "profiles.json").write_text(
        json.dumps({"gate": {"subject": [["common_name", ""], ["organization_name", "lab"]], "keys": ["rsa2048"]}})
    )
    with board.serve("") as url:
        board.good("genm", url, "wishes", *MAC, "--infotype", "certReqTemplate", "--profile", "gate")
        template = next((board.folder / "wishes/infos").glob("*certReqTemplate.der"))
        board.good("ir", url, "gate", *WISH, "--template", template, "--total-timeout", "120")
    certificate = board.certificate("gate")
    assert certificate.subject.rfc4514_string() == "O=lab,CN=dev1"
    assert isinstance(certificate.public_key(), rsa.RSAPublicKey)


def test_waiting_and_resuming(board):
    with board.serve("") as url:
        board.good("ir", url, "before", *WISH)
    before = (board.folder / "flash/identity/active.rec").read_bytes()
    with board.serve("wait=3:1") as url:
        status, report, errors = board.run("ir", url, "later", *WISH, "--no-wait")
        assert (status, report["error_code"]) == (1, 905), errors
        assert board.records() == ["active", "pending", "previous"]
    with board.serve("") as url:
        board.good("resume", url, "later", *WISH)
    assert board.records() == ["active", "previous"]
    assert (board.folder / "flash/identity/active.rec").read_bytes() != before
    with board.serve("") as url:
        status, report, _ = board.run("resume", url, "later", *WISH)
        assert (status, report["error_code"]) == (2, 904)


# operation, options, record of what waits
WAITING = [
    ("kur", ("--subject", "/CN=dev1"), "pending"),
    ("kur", (), "pending"),
    ("p10cr", WISH, "pending"),
    ("ir", (*WISH, "--centralkeygen"), "pending"),
    ("genm", (*MAC, "--infotype", "caCerts"), "asked"),
    ("rr", (), "asked"),
]


@pytest.mark.parametrize("row", WAITING, ids=[f"{op} {' '.join(options)}" for op, options, _ in WAITING])
def test_every_operation_resumes(board, row):
    """The CA lets the operation wait; the board stops, and goes on in another run with nothing but its credentials."""
    op, options, record = row
    with board.serve("") as url:
        board.good("ir", url, "owner", *WISH)
    with board.serve("wait=2:1") as url:
        status, report, errors = board.run(op, url, "waits", *options, "--no-wait")
        assert (status, report["error_code"]) == (1, 905), errors
        assert record in board.records()
        board.good("resume", url, "waits", *(MAC if "--ref" in options else ()))
    assert record not in board.records()


@pytest.mark.parametrize("provoked", ["wait=5:1", "wait=5:1;only=pkiconf"], ids=["ip", "pkiConf"])
def test_a_board_that_is_killed_while_it_waits(board, provoked):
    """SIGKILL of the whole process group in the middle of the polling; the next run finishes the transaction."""
    with board.serve(provoked) as url:
        command = board.command("ir", url, "killed", *WISH, "--total-timeout", "60")
        process = subprocess.Popen(
            command, cwd=board.folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, start_new_session=True
        )
        pending = board.folder / "flash/identity/pending.rec"
        deadline = time.monotonic() + 30
        polled = board.folder / "killed/transcript" / ("03-rsp.der" if "pkiconf" in provoked else "02-rsp.der")
        while not (pending.exists() and polled.exists()):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    time.sleep(0.5)
    with board.serve("") as url:
        report = board.good("resume", url, "killed", *WISH)
    assert board.status_of(report["serial"]) == "confirmed"
    assert "pending" not in board.records()


class TlsFront(threading.Thread):
    """Takes TLS for a lab CA, from whoever shows a certificate of that CA, and passes the octets on."""

    def __init__(self, folder, target):
        super().__init__(daemon=True)
        anchor, certificate, key = site_ca(folder / "site")
        (folder / "site.pem").write_bytes(anchor.public_bytes(Encoding.PEM))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.verify_mode = ssl.CERT_REQUIRED
        for file in ("root.pem", "issuing.pem"):
            self.context.load_verify_locations(folder / "ca" / file)
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self.listener.getsockname()[1]}"
        self.peers = []

    def run(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            raw.settimeout(10)
            try:
                with self.context.wrap_socket(raw, server_side=True) as stream:
                    self.peers.append(stream.getpeercert()["serialNumber"])
                    self.pass_on(stream)
            except OSError:
                raw.close()

    def pass_on(self, stream):
        with socket.create_connection(self.target) as ca:
            while True:
                for ready in select.select([stream, ca], [], [], 10)[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    (ca if ready is stream else stream).sendall(data)


def test_over_https_with_a_client_certificate(board):
    with board.serve("") as url:
        board.good("ir", url, "tls", *WISH)
        front = TlsFront(board.folder, ("127.0.0.1", int(url.rpartition(":")[2])))
        front.start()
        try:
            tls = ("--tls-trusted", "site.pem")
            status, report, _ = board.run("kur", front.url, "tls next", *tls)
            assert (status, report["error_code"]) == (1, 615), report
            board.good("kur", front.url, "tls next", *tls, "--tls-identity")
        finally:
            front.listener.close()
    serial = f"{board.certificate('tls').serial_number:x}"
    assert {peer.lower().lstrip("0") for peer in front.peers} == {serial}


def test_a_new_root(board):
    """The board pins the new root only when the old one vouches for it, and then renews under it."""
    with board.serve("") as url:
        board.good("ir", url, "old", *WISH)
    shutil.copy(board.folder / "ca/root.pem", board.folder / "root.pem")
    board.state.store.close()
    subprocess.run([*CERTLET, "ca", "rollover", "--state", "ca"], cwd=board.folder, env=ENVIRONMENT, check=True)
    board.state = open_state(board.folder / "ca")
    ask = ("--no-anchor", "--trusted", "root.pem", *MAC, "--infotype", "rootCaCert", "--oldwithold", "root.pem", "--update-root")
    for fault in ("bad-new", "bad-link", "other-key", "no-link"):
        with board.serve(f"root-update={fault}") as url:
            status, report, _ = board.run("genm", url, "refused", *ask)
            assert (status, report["error_code"]) == (5, 426), fault
            assert "anchors" not in board.records()
    with board.serve("") as url:
        board.good("genm", url, "update", *ask)
        assert "anchors" in board.records()
        new = x509.load_pem_x509_certificates((board.folder / "update/rootCaKeyUpdate.pem").read_bytes())[0]
        board.good("kur", url, "renewed", "--no-anchor")
    chain = x509.load_pem_x509_certificates((board.folder / "renewed/chain.pem").read_bytes())
    assert chain[-1] == new
