"""`openssl cmp` as the client of a `certlet ca run` process, one row of openssl_client.csv after the other.

Columns: exit status of openssl; text in what it prints; text in the certificate (`days N`: its validity), which must
chain to the root of the CA; how the CA misbehaves; options, with {mac}, {signature} and {new} as below.
"""

import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from host.cmp_peer import Answer, Ask

HERE = Path(__file__).resolve().parent
HOST_TOOLS = HERE.parent.parent / "host_tools"
CERTLET = (sys.executable, "-m", "certlet_host", "ca")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HOST_TOOLS)}
SHORT = {
    "mac": "-ref dev1 -secret file:secret",
    "signature": "-cert signer.crt -key signer.key -trusted root.pem",
    "new": "-newkey new.key -subject /CN=dev1",
}
with (HERE / "openssl_client.csv").open(newline="") as file:
    ROWS = list(csv.DictReader(file))


def _no_cmp():
    openssl = shutil.which("openssl")
    return not openssl or subprocess.run([openssl, "cmp", "-help"], capture_output=True, check=False).returncode != 0


pytestmark = pytest.mark.skipif(_no_cmp(), reason="no openssl with the command cmp (3.0 or later) in PATH")


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
    """A folder with keys and certificates, and `certlet ca run` processes on one state, by how they misbehave."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = {}

    def url(self, provoke):
        if provoke not in self.processes:
            words = ["--provoke", provoke] if provoke else []
            process = subprocess.Popen(
                [*CERTLET, "run", "--state", "state", "--port", "0", *words], cwd=self.folder, env=ENVIRONMENT,
                text=True, stdout=subprocess.PIPE, stderr=(self.folder / "ca.log").open("a"),
            )
            line = process.stdout.readline()
            assert line.startswith("listening on http://127.0.0.1:"), line
            self.processes[provoke] = process, line.split()[2]
        return self.processes[provoke][1]

    def stop(self, provoke):
        process, _ = self.processes.pop(provoke)
        process.terminate()
        assert process.wait(10) in (0, -15)
        process.stdout.close()

    def openssl(self, words):
        return run("openssl", *words, cwd=self.folder)

    def cmp(self, provoke, options):
        words = shlex.split(options.format(**SHORT))
        path = [] if "-path" in words else ["-path", "pkix/"]
        return self.openssl(["cmp", "-config", "", "-server", self.url(provoke), *path, *words])


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    must(*CERTLET, "secret", "--state", "state", "--ref", "dev1", "--out", "secret", "--reusable", cwd=lab.folder)
    shutil.copy(lab.folder / "state" / "root.pem", lab.folder / "root.pem")
    for key, kind in (("new", "EC"), ("signer", "EC"), ("foreign", "EC"), ("agree", "EC"), ("p384", "P-384"),
                      ("rsa", "RSA"), ("ed", "ED25519")):
        curve = {"EC": "prime256v1", "P-384": "secp384r1"}.get(kind)
        option = ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}"] if curve else ["-algorithm", kind]
        must("openssl", "genpkey", *option, "-out", f"{key}.key", cwd=lab.folder)
    for name, extension in (("foreign", "keyUsage=digitalSignature"), ("agree", "keyUsage=keyAgreement")):
        must("openssl", "req", "-x509", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-days", "2", "-out",
             f"{name}.crt", "-addext", extension, cwd=lab.folder)
    must(*CERTLET, "trust", "--state", "state", "agree.crt", cwd=lab.folder)
    must("openssl", "req", "-new", "-key", "new.key", "-subj", "/CN=csr", "-addext", "subjectAltName=DNS:csr.example",
         "-out", "new.csr", cwd=lab.folder)
    status, output = lab.cmp("", "-cmd ir {mac} -newkey signer.key -subject /CN=signer -certout signer.crt")
    assert status == 0, output
    yield lab
    for provoke in list(lab.processes):
        lab.stop(provoke)


@pytest.mark.parametrize("row", ROWS, ids=[row["description"] for row in ROWS])
def test_row(lab, row):
    (lab.folder / "out.crt").unlink(missing_ok=True)
    (lab.folder / "extra.pem").unlink(missing_ok=True)
    status, output = lab.cmp(row["provoke"], row["options"] + " -certout out.crt -extracertsout extra.pem")
    if row["provoke"]:
        lab.stop(row["provoke"])
    assert (status, row["output"] in output) == (int(row["exit"]), True), output
    assert (lab.folder / "out.crt").exists() == (status == 0)
    if status == 0:
        must("openssl", "verify", "-CAfile", "root.pem", "-untrusted", "extra.pem", "out.crt", cwd=lab.folder)
        check_certificate(lab, row["certificate"])


def check_certificate(lab, wanted):
    if wanted.startswith("days "):
        certificate = x509.load_pem_x509_certificate((lab.folder / "out.crt").read_bytes())
        validity = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        # notBefore lies an hour back.
        assert abs(validity - timedelta(days=int(wanted[5:]), hours=1)) < timedelta(minutes=10)
    else:
        assert wanted in must("openssl", "x509", "-in", "out.crt", "-noout", "-text", cwd=lab.folder)


def status_of(lab, name):
    rows = must(*CERTLET, "list", "--state", "state", "--json", cwd=lab.folder).splitlines()
    return next(row["status"] for row in map(json.loads, rows) if row["subject"] == f"CN={name}")


def test_rejected_certificate_is_recorded(lab):
    status, _ = lab.cmp("swapped-key", "-cmd ir {mac} -newkey new.key -subject /CN=wrong -certout out.crt")
    lab.stop("swapped-key")
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
    answer = Answer(post(lab.url("times=1"), wish.message()))
    process, _ = lab.processes.pop("times=1")
    process.kill()
    process.wait(10)
    process.stdout.close()
    assert Answer(post(lab.url(""), wish.confirm(answer))).outcome == "pkiconf"
    assert status_of(lab, "killed") == "confirmed"


def post(url, body):
    request = urllib.request.Request(url, body, {"Content-Type": "application/pkixcmp"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return reply.read()


def test_log_holds_no_secret(lab):
    text = (lab.folder / "ca.log").read_text()
    assert "certificate" in text
    assert (lab.folder / "secret").read_text().strip() not in text
