"""`openssl cmp` as the client of the lab CA, one row of openssl_client.csv after the other.

Columns: version of OpenSSL (empty: that of the system; 3.5: see openssl35.py); its exit status; text in what it prints;
text in the certificate (`days N`: its validity), which must chain to the root of the CA; provocations, or options of
`certlet ca run` where they begin with `--`; what it is about; options, with the words of SHORT in braces. A row that
names old.crt gets a new certificate of that name first. The CA is a `certlet ca run` process where it does nothing
special, and else a server in a thread, on the same state folder.
"""

import contextlib
import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from certlet_host.ca import http as front
from certlet_host.ca.cmp_responder import Responder
from certlet_host.ca.provoke import parse
from certlet_host.ca.state import open_state
from host.cmp_peer import Answer, Ask
from interop import openssl35

HERE = Path(__file__).resolve().parent
HOST_TOOLS = HERE.parent.parent / "host_tools"
CERTLET = (sys.executable, "-m", "certlet_host", "ca")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HOST_TOOLS)}
SHORT = {
    "mac": "-ref dev1 -secret file:secret",
    "signature": "-cert signer.crt -key signer.key -trusted root.pem",
    "old": "-cert old.crt -key old.key -trusted root.pem",
    "new": "-newkey new.key -subject /CN=dev1",
}
PROFILES = {
    "transport": {"usages": ["digital_signature", "key_encipherment"]},
    "agreement": {"usages": ["digital_signature", "key_agreement"]},
}
with (HERE / "openssl_client.csv").open(newline="") as file:
    ROWS = list(csv.DictReader(file))


def _no_cmp():
    openssl = shutil.which("openssl")
    return not openssl or subprocess.run([openssl, "cmp", "-help"], capture_output=True, check=False).returncode != 0


pytestmark = pytest.mark.skipif(_no_cmp(), reason="no openssl with the command cmp (3.0 or later) in PATH")


def command(version):
    """The openssl to run."""
    try:
        return openssl35.command() if version else "openssl"
    except openssl35.Missing as reason:
        pytest.skip(str(reason))


def run(*words, **options):
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=60, env=ENVIRONMENT, **options
    )
    return done.returncode, done.stdout + done.stderr


def must(*words, **options):
    status, output = run(*words, **options)
    assert status == 0, output
    return output


class Lab:
    """A folder with keys and certificates, and a `certlet ca run` process on a state folder in it."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        self.state = None
        self.urls = {}
        self.servers = contextlib.ExitStack()

    def start(self, *words):
        """Starts the process; returns its URL."""
        self.process = subprocess.Popen(
            [*CERTLET, "run", "--state", "state", "--port", "0", *words], cwd=self.folder, env=ENVIRONMENT,
            text=True, stdout=subprocess.PIPE, stderr=(self.folder / "ca.log").open("a"),
        )
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        self.url = line.split()[2]
        return self.url

    def stop(self):
        self.process.terminate()
        assert self.process.wait(10) in (0, -15)
        self.process.stdout.close()

    def served(self, provoke):
        """The URL of a CA that does as the words of `provoke` say."""
        if not provoke:
            return self.url
        if provoke in self.urls:
            return self.urls[provoke]
        words = shlex.split(provoke)
        options = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
        options = {name.replace("-", "_"): value or True for name, value in options.items()}
        responder = Responder(
            self.state, provoke=parse(word for word in words if not word.startswith("--")), **options
        )
        self.urls[provoke] = self.servers.enter_context(serve(responder))
        return self.urls[provoke]

    def openssl(self, words, version=""):
        return run(command(version), *words, cwd=self.folder)

    def cmp(self, provoke, options, version=""):
        words = shlex.split(options.format(**SHORT))
        path = [] if "-path" in words else ["-path", "pkix/"]
        return self.openssl(["cmp", "-config", "", "-server", self.served(provoke), *path, *words], version)

    def enrol(self, name, key, path="pkix/"):
        status, output = self.cmp(
            "", f"-cmd ir {{mac}} -newkey {key} -subject /CN={name} -certout {name}.crt -implicit_confirm -path {path}"
        )
        assert status == 0, output


@contextlib.contextmanager
def serve(responder):
    """The URL of a server in a thread, which ends soon after the block."""
    listener = front.listen(0)
    server = front.server(responder)
    threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
    try:
        yield f"http://{front.HOST}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    must(*CERTLET, "secret", "--state", "state", "--ref", "dev1", "--out", "secret", "--reusable", cwd=lab.folder)
    shutil.copy(lab.folder / "state" / "root.pem", lab.folder / "root.pem")
    (lab.folder / "state" / "profiles.json").write_text(json.dumps(PROFILES))
    for key, kind in (("new", "EC"), ("signer", "EC"), ("foreign", "EC"), ("agree", "EC"), ("old", "EC"),
                      ("p384", "P-384"), ("rsa", "RSA"), ("ed", "ED25519")):
        curve = {"EC": "prime256v1", "P-384": "secp384r1"}.get(kind)
        option = ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}"] if curve else ["-algorithm", kind]
        must("openssl", "genpkey", *option, "-out", f"{key}.key", cwd=lab.folder)
    for name, extension in (("foreign", "keyUsage=digitalSignature"), ("agree", "keyUsage=keyAgreement")):
        must("openssl", "req", "-x509", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-days", "2", "-out",
             f"{name}.crt", "-addext", extension, cwd=lab.folder)
    must(*CERTLET, "trust", "--state", "state", "agree.crt", cwd=lab.folder)
    must("openssl", "req", "-new", "-key", "new.key", "-subj", "/CN=csr", "-addext", "subjectAltName=DNS:csr.example",
         "-out", "new.csr", cwd=lab.folder)
    lab.start()
    lab.state = open_state(lab.folder / "state")
    lab.enrol("signer", "signer.key")
    lab.enrol("ktri", "rsa.key", ".well-known/cmp/p/transport")
    lab.enrol("kari", "signer.key", ".well-known/cmp/p/agreement")
    yield lab
    lab.servers.close()
    lab.stop()


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['openssl']} {row['description']}".strip() for row in ROWS])
def test_row(lab, row):
    command(row["openssl"])
    (lab.folder / "out.crt").unlink(missing_ok=True)
    if "old" in row["options"]:
        lab.enrol("old", "old.key")
    enrols = "-cmd rr" not in row["options"] and "-cmd genm" not in row["options"]
    files = " -certout out.crt" if enrols else ""
    status, output = lab.cmp(row["provoke"], row["options"] + files, row["openssl"])
    assert (status, row["output"] in output) == (int(row["exit"]), True), output
    assert (lab.folder / "out.crt").exists() == (status == 0 and enrols)
    if status == 0 and enrols:
        must("openssl", "verify", "-CAfile", "root.pem", "-untrusted", "state/issuing.pem", "out.crt", cwd=lab.folder)
        check_certificate(lab, row["certificate"])


def check_certificate(lab, wanted):
    if wanted.startswith("days "):
        certificate = x509.load_pem_x509_certificate((lab.folder / "out.crt").read_bytes())
        validity = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        # notBefore lies an hour back.
        assert abs(validity - timedelta(days=int(wanted[5:]), hours=1)) < timedelta(minutes=10)
    else:
        assert wanted in must("openssl", "x509", "-in", "out.crt", "-noout", "-text", cwd=lab.folder)


def test_generated_key_fits_its_certificate(lab):
    words = "-cmd cr -cert kari.crt -key signer.key -trusted root.pem -subject /CN=dev1 -centralkeygen"
    status, output = lab.cmp("bare-key", f"{words} -newkeyout ck.pem -certout ck.crt", "3.5")
    assert status == 0, output
    key = must("openssl", "pkey", "-in", "ck.pem", "-pubout", cwd=lab.folder)
    assert key == must("openssl", "x509", "-in", "ck.crt", "-noout", "-pubkey", cwd=lab.folder)


def test_second_revocation(lab):
    lab.enrol("old", "old.key")
    assert lab.cmp("", "-cmd rr {old} -oldcert old.crt -revreason 1")[0] == 0
    for protection in ("{old}", "{mac}"):
        status, output = lab.cmp("", f"-cmd rr {protection} -oldcert old.crt")
        assert (status, "certRevoked" in output) == (1, True), output
    must(*CERTLET, "crl", "--state", "state", "--out", "crl.der", cwd=lab.folder)
    listed = must("openssl", "crl", "-inform", "DER", "-in", "crl.der", "-noout", "-text", cwd=lab.folder)
    serial = must("openssl", "x509", "-in", "old.crt", "-noout", "-serial", cwd=lab.folder).strip().split("=")[1]
    assert f"Serial Number: {serial}" in listed
    assert "Key Compromise" in listed
    with urllib.request.urlopen(f"{lab.url}/crl", timeout=10) as reply:
        assert x509.load_der_x509_crl(reply.read()).get_revoked_certificate_by_serial_number(int(serial, 16))


@pytest.mark.parametrize("kind", ["p384", "rsa", "ed25519"])
def test_kinds_of_ca(lab, tmp_path, kind):
    state = open_state(tmp_path, ca_key=kind)
    state.store.add_secret("dev1", (lab.folder / "secret").read_bytes().strip())
    shutil.copy(tmp_path / "root.pem", lab.folder / "kind.pem")
    words = f"cmp -config '' -path pkix/ -cmd ir {SHORT['mac']} {SHORT['new']} -certout kind.crt -extracertsout kindx.pem"
    with serve(Responder(state, signer=kind, provoke=parse(["signed-reply"]))) as url:
        status, output = lab.openssl([*shlex.split(words), "-server", url, "-trusted", "kind.pem"])
    assert (status, "received PKICONF" in output) == (0, True), output
    must("openssl", "verify", "-CAfile", "kind.pem", "-untrusted", "kindx.pem", "kind.crt", cwd=lab.folder)
    assert state.store.certificates()[0]["status"] == "confirmed"


def test_root_update(lab, tmp_path):
    """OpenSSL 3.5, trusting the old root, fetches the new one; the links are checked, and forged ones refused."""
    state = open_state(tmp_path)
    state.store.add_secret("dev1", (lab.folder / "secret").read_bytes().strip(), reusable=True)
    shutil.copy(tmp_path / "root.pem", lab.folder / "was.pem")
    state.authority.roll_over()
    words = f"cmp -config '' -path pkix/ -cmd genm {SHORT['mac']} -infotype rootCaCert"
    for provoke, due in (([], 0), (["root-update=bad-new"], 1), (["root-update=bad-link"], 1),
                         (["root-update=other-key"], 1)):
        (lab.folder / "is.pem").unlink(missing_ok=True)
        with serve(Responder(state, provoke=parse(provoke))) as url:
            status, output = lab.openssl(
                [*shlex.split(words), "-server", url, "-oldwithold", "was.pem", "-newwithnew", "is.pem"], "3.5"
            )
        assert (status, (lab.folder / "is.pem").exists()) == (due, due == 0), output
        if due == 0:
            assert (lab.folder / "is.pem").read_text().strip() == (tmp_path / "root.pem").read_text().strip()


def status_of(lab, name):
    rows = must(*CERTLET, "list", "--state", "state", "--json", cwd=lab.folder).splitlines()
    return next(row["status"] for row in map(json.loads, rows) if row["subject"] == f"CN={name}")


def test_rejected_certificate_is_recorded(lab):
    status, _ = lab.cmp("swapped-key", "-cmd ir {mac} -newkey new.key -subject /CN=wrong -certout out.crt")
    assert status == 1
    assert status_of(lab, "wrong") == "rejected"


def test_secret_that_was_used_enrols_no_other_key(lab):
    must(*CERTLET, "secret", "--state", "state", "--ref", "once", "--out", "once", cwd=lab.folder)
    wish = "-cmd ir -ref once -secret file:once -subject /CN=once -certout out.crt -newkey "
    assert lab.cmp("", wish + "new.key")[0] == 0
    assert lab.cmp("", wish + "new.key")[0] == 0
    status, output = lab.cmp("", wish + "rsa.key")
    assert (status, "notAuthorized" in output) == (1, True), output


def test_kill_between_ip_and_certconf(lab):
    """The CA dies after its ip; its successor on the same state takes the certConf."""
    wish = Ask(secret=(lab.folder / "secret").read_bytes().strip(), subject="killed")
    answer = Answer(post(lab.url, wish.message()))
    lab.process.kill()
    lab.process.wait(10)
    lab.process.stdout.close()
    assert Answer(post(lab.start(), wish.confirm(answer))).outcome == "pkiconf"
    assert status_of(lab, "killed") == "confirmed"


def test_approval_by_hand(lab, tmp_path):
    """A CA process of other keys, which issues when the operator says so, while openssl polls."""
    other = Lab(tmp_path)
    url = other.start("--ca-key", "p384", "--signer", "rsa", "--manual", "--provoke", "check-after=1")
    try:
        must(*CERTLET, "secret", "--state", "state", "--ref", "dev1", "--from", lab.folder / "secret", cwd=tmp_path)
        words = f"openssl cmp -config '' -path pkix/ -server {url} -cmd ir {SHORT['mac']} {SHORT['new']} -certout hand.crt"
        with subprocess.Popen(shlex.split(words), cwd=lab.folder, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as client:
            for _ in range(50):
                if run(*CERTLET, "approve", "--state", "state", "dev1", cwd=tmp_path)[0] == 0:
                    break
            assert client.wait(30) == 0
        text = must("openssl", "x509", "-in", "hand.crt", "-noout", "-text", cwd=lab.folder)
        assert "ecdsa-with-SHA384" in text
    finally:
        other.stop()


def post(url, body):
    request = urllib.request.Request(url, body, {"Content-Type": "application/pkixcmp"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return reply.read()


def test_log_holds_no_secret(lab):
    text = (lab.folder / "ca.log").read_text()
    assert "certificate" in text
    assert (lab.folder / "secret").read_text().strip() not in text
