"""`certlet cmp ir` as a user runs it, against the lab CA: what can go wrong ends in one line, a code, and nothing lost."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from certlet_host.ca import http
from certlet_host.ca.cmp_responder import Responder
from certlet_host.ca.provoke import parse
from certlet_host.ca.state import open_state

ROOT = Path(__file__).resolve().parents[2]
CERTLET = (sys.executable, "-m", "certlet_host", "cmp", "ir")
SECRET = "canary-5f0a1c3e9b7d4862"
WRONG = "canary-of-another-board"
ROW = ("--ref", "dev1", "--secret-file", "secret", "--subject", "/O=Example/CN=dev1", "--trusted", "ca/root.pem")
KEYS = (
    "ok op pki_status fail_info status_string error_code error_detail serial not_after round_trips bytes_up bytes_down ms heap_peak"
).split()


class Lab:
    """A folder with the files that the commands name, and lab CAs on its one state, by how they misbehave."""

    def __init__(self, folder):
        self.folder = folder
        self.state = open_state(folder / "ca")
        self.state.store.add_secret("dev1", SECRET.encode(), reusable=True)
        (folder / "secret").write_text(SECRET + "\n")
        (folder / "wrong").write_text(WRONG + "\n")
        (folder / "empty").write_text("\n")
        other = open_state(folder / "other").authority.root.certificate
        (folder / "other.pem").write_bytes(other.public_bytes(Encoding.PEM))

    @contextlib.contextmanager
    def serve(self, provoked):
        listener = http.listen(0)
        started = threading.Event()
        server = http.server(Responder(self.state, provoke=parse(provoked.split(";") if provoked else [])), started.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            assert started.wait(10)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)

    def enrol(self, url, out, *options):
        """Run the command; returns (exit status, stdout, stderr)."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "host_tools")}
        done = subprocess.run(
            [*CERTLET, "--server", url, "--out", out, *options],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def enrolled(lab):
    """The output folder of a board that has an identity, and what `--json` printed when it got it."""
    with lab.serve("") as url:
        status, output, errors = lab.enrol(url, "good", *ROW, "--days", "7", "--san", "dev1.example", "--json")
    assert (status, errors) == (0, "")
    return lab.folder / "good", json.loads(output)


def test_what_an_enrolment_leaves(enrolled):
    out, report = enrolled
    certificate = x509.load_pem_x509_certificate((out / "cert.pem").read_bytes())
    assert certificate.subject.rfc4514_string() == "CN=dev1,O=Example"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["dev1.example"]
    assert list(report) == KEYS
    assert (report["ok"], report["op"], report["pki_status"], report["error_code"]) == (True, "ir", 0, None)
    assert int(report["serial"], 16) == certificate.serial_number
    assert report["round_trips"] == 2
    assert 0 < report["bytes_up"] < 2000 and 0 < report["bytes_down"] < 4000
    assert report["ms"] > 0 and 1000 < report["heap_peak"] < 100_000
    key = load_pem_private_key((out / "key.pem").read_bytes(), None)
    assert key.public_key() == certificate.public_key()
    assert [p.name for p in sorted((out / "transcript").iterdir())] == [
        "01-req.der", "01-rsp.der", "02-req.der", "02-rsp.der",
    ]  # fmt: skip
    chain = x509.load_pem_x509_certificates((out / "chain.pem").read_bytes())
    assert chain[-1] == x509.load_pem_x509_certificate((out.parent / "ca" / "root.pem").read_bytes())


# what is wrong, how the CA misbehaves, options that come last (and win), exit status, error code, a word of the line
BAD = [
    ("wrong secret", "", "--secret-file wrong", 1, 430, "badMessageCheck"),
    ("wrong CA pinned", "", "--trusted other.pem", 5, 311, "anchor"),
    ("certificate of an unknown CA", "other-ca", "", 5, 311, "anchor"),
    ("expired chain", "expired-chain", "", 5, 313, "expired"),
    ("swapped key", "swapped-key", "", 1, 414, "public key"),
    ("truncated reply", "truncated", "", 1, 101, "ends beyond"),
    ("oversized reply", "oversized", "", 1, 625, "limit"),
    ("rejected", "reject=badCertTemplate:no [bold]such[/bold] \x1b[31mname", "", 1, 415, "no [bold]such[/bold] ?[31mname"),
    ("refused in an HTTP error", "http-status=500;reject=notAuthorized:not you", "", 1, 415, "not you"),
    ("wrong MAC", "bad-protection", "", 5, 407, "MAC"),
    ("unprotected", "unprotected", "", 5, 405, "not protected"),
    ("wrong nonce", "wrong-nonce", "", 5, 404, "recipNonce"),
    ("confirmation refused", "error=systemFailure:disk;only=pkiconf", "", 1, 416, "disk"),
]


@pytest.mark.parametrize("row", BAD, ids=[row[0] for row in BAD])
def test_bad_input_loses_nothing(lab, enrolled, row, tmp_path):
    _, provoked, options, status, code, word = row
    before = contents(enrolled[0])
    with lab.serve(provoked) as url:
        fresh = lab.enrol(url, tmp_path / "fresh", *ROW, *options.split(), "--json")
        again = lab.enrol(url, enrolled[0], *ROW, *options.split())
    report = json.loads(fresh[1])
    assert (fresh[0], report["error_code"], report["ok"]) == (status, code, False), fresh
    assert report["serial"] is None and list(report) == KEYS
    for _, output, errors in (fresh, again):
        assert len(errors.splitlines()) == 1 and word in errors and errors.startswith(f"certlet: {code} "), errors
        assert "Traceback" not in output + errors and "\x1b[31m" not in output + errors
        assert SECRET not in output + errors and WRONG not in output + errors
    assert again[0] == status
    assert not [p for p in (tmp_path / "fresh").rglob("*") if p.suffix in (".rec", ".new", ".pem")]
    assert contents(enrolled[0]) == before


def contents(out):
    return {p: p.read_bytes() for p in out.rglob("*") if p.is_file() and p.parent.name != "transcript"}


def test_a_dead_server(lab, enrolled):
    with socket.create_server(("127.0.0.1", 0)) as dead:
        url = f"http://127.0.0.1:{dead.getsockname()[1]}"
    before = contents(enrolled[0])
    status, output, errors = lab.enrol(url, enrolled[0], *ROW, "--json")
    assert (status, json.loads(output)["error_code"]) == (1, 612)
    assert len(errors.splitlines()) == 1
    assert contents(enrolled[0]) == before


def test_a_silent_server(lab, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        status, output, _ = lab.enrol(url, tmp_path / "out", *ROW, "--timeout", "1", "--json")
    assert (status, json.loads(output)["error_code"]) == (1, 613)


def test_renewed_by_signature_with_the_identity_before(lab, enrolled, tmp_path):
    """The certificate just issued protects the next request; its chain goes along."""
    out, _ = enrolled
    options = ("--cert", out / "cert.pem", "--key", out / "key.pem", "--trusted", "ca/root.pem", "--subject", "/CN=dev1")
    with lab.serve("") as url:
        status, output, errors = lab.enrol(url, tmp_path / "next", *options)
    assert status == 0, errors
    assert "certConf" in output and "pkiConf" in output and "signature" in output


# why, options, exit status, a word of the line
USAGE = [
    ("no credential", "--subject /CN=x", 2, "--ref"),
    ("both credentials", "--subject /CN=x --ref a --secret-file secret --cert a --key b", 2, "either"),
    ("secret without reference", "--subject /CN=x --secret-file secret", 2, "together"),
    ("signature without anchor", "--subject /CN=x --cert a --key b", 2, "--trusted"),
    ("no such file", "--subject /CN=x --ref a --secret-file nothing", 2, "nothing cannot be read"),
    ("empty secret", "--subject /CN=x --ref a --secret-file empty", 2, "empty"),
    ("not a certificate", "--subject /CN=x --ref a --secret-file secret --trusted secret", 2, "no readable PEM certificate"),
    ("not a key", "--subject /CN=x --ref a --secret-file secret --newkey secret", 2, "no readable PEM key"),
    ("key of another certificate", "--subject /CN=x --cert ca/root.pem --key ca/issuing.key --trusted ca/root.pem", 2, "belong"),
    ("bad subject", "--subject CN=x --ref a --secret-file secret", 2, "start with"),
    ("unknown attribute", "--subject /XX=x --ref a --secret-file secret", 2, "305"),
    ("bad address", "--subject /CN=x --ref a --secret-file secret --san ip:1.2.3", 2, "305"),
    ("no such board", "--subject /CN=x --ref a --secret-file secret --board pigeon", 4, "pigeon"),
    ("no such port", "--subject /CN=x --ref a --secret-file secret --board port:/dev/nothing", 4, "/dev/nothing"),
]  # fmt: skip


@pytest.mark.parametrize("row", USAGE, ids=[row[0] for row in USAGE])
def test_usage(lab, tmp_path, row):
    _, options, status, word = row
    found, output, errors = lab.enrol("http://127.0.0.1:9", tmp_path / "out", *options.split())
    assert found == status, errors
    assert word in " ".join((output + errors).replace("│", " ").split())
    assert "Traceback" not in output + errors and SECRET not in output + errors
    assert not list(tmp_path.rglob("*.pem"))


def test_https_needs_an_anchor(lab, tmp_path):
    status, _, errors = lab.enrol("https://127.0.0.1:9", tmp_path / "out", *ROW)
    assert status == 2 and "602" in errors
