"""`certlet cmp` on a simulated board against the mock server of `openssl cmp`, one row of openssl_server.csv after
the other.

Columns: version of openssl that the server needs; operation; exit status of certlet; error_code of its JSON; messages that the board sent; text in what it says; options of
the server beside those of SERVER (a later one wins) and of certlet, with {mac} and {signature} as below.
"""

import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pyasn1.codec.der import decoder
from pyasn1_alt_modules import rfc9480

from interop import openssl35

HERE = Path(__file__).resolve().parent
CERTLET = (sys.executable, "-m", "certlet_host", "cmp")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent.parent / "host_tools")}
SERVER = (
    "-port 0 -srv_ref ref1 -srv_secret pass:0123456789abcdef -rsp_cert new.crt -srv_cert srv.crt -srv_key srv.key "
    "-srv_trusted root.crt -srv_untrusted root.crt"
)
SHORT = {"mac": "--ref ref1 --secret-file secret", "signature": "--cert dev.crt --key dev.key --trusted root.crt"}
CERT_CONF_REJECTED = 2
HTTP_CONNECT = 612
KEPT = (417, HTTP_CONNECT, 905)  # the CA is waiting, or gone before pkiConf: the transaction is kept for `resume`
with (HERE / "openssl_server.csv").open(newline="") as file:
    ROWS = list(csv.DictReader(file))


def _no_cmp():
    openssl = shutil.which("openssl")
    return not openssl or subprocess.run([openssl, "cmp", "-help"], capture_output=True, check=False).returncode != 0


pytestmark = pytest.mark.skipif(_no_cmp(), reason="no openssl with the command cmp (3.0 or later) in PATH")


class Pki:
    """A root, a stranger, and certificates of the server, of a board and of the board's next key."""

    EXTENSIONS = (
        "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )

    def __init__(self, folder):
        self.folder = folder
        (folder / "ee.ext").write_text(self.EXTENSIONS)
        (folder / "secret").write_text("0123456789abcdef\n")
        (folder / "wrong").write_text("fedcba9876543210\n")
        for name in ("root", "other"):
            self.key(name)
            self.openssl(f"req -x509 -new -key {name}.key -subj /CN={name} -days 30 -out {name}.crt "
                         "-addext keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
        authority = self.EXTENSIONS + "extendedKeyUsage=1.3.6.1.5.5.7.3.28\n"  # id-kp-cmcRA
        (folder / "srv.ext").write_text(authority)
        (folder / "agree.ext").write_text(authority.replace("digitalSignature", "keyAgreement"))
        (folder / "kga.ext").write_text(authority.replace("3.28", "3.28,1.3.6.1.5.5.7.3.32"))  # id-kp-cmKGA too
        both = self.EXTENSIONS.replace("digitalSignature", "digitalSignature,keyAgreement,keyEncipherment")
        (folder / "ecdev.ext").write_text(both)
        (folder / "rsadev.ext").write_text(both)
        # srv, agree, kga: of the server; mate: of another device, with the server's name and key; old: expired
        keys = {"old": "new", "agree": "srv", "mate": "srv", "kga": "srv", "ecdev": "dev"}
        self.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsadev.key")
        days_of = {"old": 0}
        for name in ("srv", "dev", "new", "old", "agree", "mate", "kga", "ecdev", "rsadev"):
            days = days_of.get(name, 30)
            self.key(keys.get(name, name), name)
            extensions = name if (folder / f"{name}.ext").exists() else "ee"
            self.openssl(f"x509 -req -in {name}.csr -CA root.crt -CAkey root.key -CAcreateserial -days {days} "
                         f"-extfile {extensions}.ext -out {name}.crt")  # fmt: skip

        self.new_root()

    def new_root(self):
        """root2 with the name of the root, link: root2's key certified by the root, root.crl, ref.cnf."""
        self.key("root2")
        self.openssl("req -x509 -new -key root2.key -subj /CN=root -days 30 -out root2.crt "
                     "-addext keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
        (self.folder / "ca.ext").write_text(
            "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
            "authorityKeyIdentifier=keyid\n"
        )
        self.openssl("req -new -key root2.key -subj /CN=root -out link.csr")
        self.openssl("x509 -req -in link.csr -CA root.crt -CAkey root.key -CAcreateserial -days 30 -extfile ca.ext "
                     "-out link.crt")  # fmt: skip
        (self.folder / "index.txt").write_text("")
        (self.folder / "crl.cnf").write_text(
            "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=30\n"
        )
        self.openssl("ca -config crl.cnf -gencrl -keyfile root.key -cert root.crt -out root.crl")
        (self.folder / "ref.cnf").write_text("[cmp]\nref_cert = dev.crt\n")

    def key(self, name, request=None):
        if not (self.folder / f"{name}.key").exists():
            self.openssl(f"genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out {name}.key")
        self.openssl(f"req -new -key {name}.key -subj /CN={name} -out {request or name}.csr")

    def openssl(self, words):
        subprocess.run(["openssl", *words.split()], cwd=self.folder, check=True, capture_output=True)

    def serve(self, version, options):
        """Start the mock server of this version or later; returns (process, port)."""
        words = [openssl(version), "cmp", "-config", "", *SERVER.split(), *options.split()]
        process = subprocess.Popen(
            words, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for line in process.stdout:
            if line.startswith("ACCEPT"):
                return process, int(line.split()[1].rpartition(":")[2])
        raise AssertionError("the server did not start")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


def openssl(version):
    """The command of this version or later; skips the test when there is none."""
    try:
        return "openssl" if version == "3.0" else openssl35.command()
    except openssl35.Missing as reason:
        pytest.skip(str(reason))


def run(pki, op, server, client, version="3.0"):
    """Run one operation, a certificate being for the key new.key; returns (exit status, JSON object, stderr, output folder)."""
    process, port = pki.serve(version, server)
    try:
        out = pki.folder / f"out{port}"
        options = shlex.split(client.format(**SHORT))
        path = [] if "--path" in options else ["--path", "pkix/"]
        wish = [] if op in ("rr", "genm") else ["--subject", "/CN=new"]
        wish += ["--newkey", "new.key"] if wish and "--centralkeygen" not in options else []
        done = subprocess.run(
            [*CERTLET, op, "--server", f"http://127.0.0.1:{port}", *path, *wish, "--out", out, "--json", *options],
            cwd=pki.folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    return done.returncode, json.loads(done.stdout), done.stderr, out


def confirmations(out):
    """The statuses of all certConf messages that the board sent, None for accepted."""
    found = []
    for file in sorted(out.glob("transcript/*-req.der")):
        message, rest = decoder.decode(file.read_bytes(), asn1Spec=rfc9480.PKIMessage())
        assert not rest
        if message["body"].getName() == "certConf":
            info = message["body"]["certConf"][0]["statusInfo"]
            found.append(int(info["status"]) if info.isValue else None)
    return found


@pytest.mark.parametrize("row", ROWS, ids=[row["description"] for row in ROWS])
def test_row(pki, row):
    status, report, errors, out = run(pki, row["op"], row["server"], row["client"], row["openssl"])
    assert (status, report["error_code"] or "") == (int(row["exit"]), int(row["code"]) if row["code"] else ""), errors
    assert report["ok"] == (status == 0)
    assert len(list(out.glob("transcript/*-req.der"))) == int(row["sent"])
    if status:
        assert len(errors.splitlines()) == 1 and row["output"] in errors, errors
        assert not [p.name for p in out.iterdir() if p.name not in ("flash", "transcript")]
        kept = [p.name for p in (out / "flash").rglob("*.rec")]
        assert kept == (["pending.rec"] if report["error_code"] in KEPT else [])
        # a connection that breaks after certConf is the only failure of a certificate that was accepted
        assert set(confirmations(out)) <= {None if report["error_code"] == HTTP_CONNECT else CERT_CONF_REJECTED}
    elif row["op"] not in ("rr", "genm"):
        assert (out / "key.pem").stat().st_mode & 0o777 == 0o600
        assert [p.name for p in (out / "flash").rglob("*.rec")] == ["active.rec"]
        assert confirmations(out) == ([] if "--implicit-confirm" in row["client"] and "-grant" in row["server"] else [None])
        pki.openssl(f"verify -CAfile root.crt -untrusted {out}/chain.pem {out}/cert.pem")


def test_bytes_on_the_wire(pki):
    """No more than OpenSSL's own client sends: 942 bytes with HTTP headers, one round trip with implicitConfirm."""
    mac = "{mac} --trusted root.crt --iterations 500"
    _, report, _, _ = run(pki, "ir", "", mac)
    assert report["ok"] and report["bytes_up"] <= 942 and report["round_trips"] == 2, report
    _, report, _, _ = run(pki, "ir", "-grant_implicitconf", mac + " --implicit-confirm")
    assert report["ok"] and report["bytes_up"] <= 574 and report["round_trips"] == 1, report
