"""The device's CMS against `openssl cms`, and against octets of hypothesis' choice."""

import contextlib
import importlib.util
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certlet import crypto, oid
from certlet.cms import content, oids
from certlet.cms.ber import to_der
from certlet.cms.envelope import open_enveloped
from certlet.cms.keypackage import read_key_package
from certlet.cms.signed import verify_signed
from certlet.cms.write import write_certificates, write_enveloped, write_signed
from certlet.der import Writer
from certlet.errors import Error, ProtocolError
from certlet.x509.certificate import Certificate
from certlet_host.ca import cms, credential

GENERATOR = Path(__file__).resolve().parent.parent / "vectors" / "gen" / "cms.py"
C = crypto.select()
SECRET = "correct horse battery"
NOW = 1795435200  # 2026-11-23, as in the generator
many = settings(max_examples=200, deadline=None)


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("cms_vectors", GENERATOR)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bench(generator, tmp_path_factory):
    return generator.Bench(tmp_path_factory.mktemp("cms"))


@pytest.fixture
def written(bench):
    """Return a function that writes what a writer of the device makes to a file of the bench."""

    def write(writer, *arguments, **options) -> bytes:
        w = Writer()
        writer(w, *arguments, **options)
        (bench.folder / "written").write_bytes(w.bytes())
        return w.bytes()

    return write


def openssl(bench, *arguments: str) -> subprocess.CompletedProcess:
    command = ["openssl", *arguments, "-inform", "DER", "-in", "written"]
    return subprocess.run(command, cwd=bench.folder, capture_output=True, check=False)


def verify(bench, *options: str) -> subprocess.CompletedProcess:
    trust = ("-CAfile", "root.pem", "-purpose", "any", "-no_check_time")
    return openssl(bench, "cms", "-verify", "-binary", *trust, *options)


def certificate(bench, name: str) -> Certificate:
    return Certificate(bench.parties[name].der)


def key(bench, name: str):
    return C.load(bench.parties[name].reference)


@pytest.mark.parametrize("size", [0, 1, 16, 1000, 10000])
@pytest.mark.parametrize("cipher", ["aes128-cbc", "aes256-cbc"])
def test_openssl_decrypts_by_key(bench, written, cipher, size):
    data = C.random(size)
    written(write_enveloped, C, data, certificate(bench, "rsa"), cipher=cipher)
    found = openssl(bench, "cms", "-decrypt", "-binary", "-recip", "rsa.pem", "-inkey", "rsa.key")
    assert (found.returncode, found.stdout) == (0, data)


@pytest.mark.parametrize("cipher", ["aes128-cbc", "aes256-cbc"])
def test_openssl_decrypts_by_password(bench, written, cipher):
    written(write_enveloped, C, b"text", password=SECRET.encode(), cipher=cipher)
    found = openssl(bench, "cms", "-decrypt", "-binary", "-pwri_password", SECRET)
    assert (found.returncode, found.stdout) == (0, b"text")
    assert openssl(bench, "cms", "-decrypt", "-binary", "-pwri_password", SECRET.upper()).stdout != b"text"


@pytest.mark.parametrize("signer", ["signer", "rsa", "p384"])
def test_openssl_verifies(bench, written, signer):
    attributes = [(oid.CHALLENGE_PASSWORD, b"\x13\x01x"), (oid.AT_CN, b"\x0c\x05other")]
    der = written(write_signed, C, key(bench, signer), certificate(bench, signer), b"text", attributes=attributes)
    found = verify(bench)
    assert (found.returncode, found.stdout) == (0, b"text"), found.stderr
    at = der.index(b"other")
    (bench.folder / "written").write_bytes(der[:at] + b"Other" + der[at + 5 :])
    assert verify(bench).returncode != 0


def test_openssl_verifies_another_type(bench, written):
    """And finds it to be DER: what it writes anew from what it read is the same."""
    der = written(write_signed, C, key(bench, "signer"), certificate(bench, "signer"), b"text", oids.KEY_PACKAGE)
    assert verify(bench).returncode == 0
    assert openssl(bench, "cms", "-cmsout", "-outform", "DER").stdout == der


def test_openssl_lists_certificates(bench, written):
    der = written(write_certificates, [bench.parties[name].der for name in ("rsa", "root")])
    found = openssl(bench, "pkcs7", "-print_certs")
    assert found.returncode == 0
    assert found.stdout.count(b"BEGIN CERTIFICATE") == 2
    assert openssl(bench, "cms", "-cmsout", "-outform", "DER").stdout == der


def test_what_openssl_makes_of_streams_is_what_to_der_makes(bench):
    """OpenSSL writes indefinite lengths out again, so its plain output is what to compare with."""
    plain = bench.sign("signer")
    streamed = bench.sign("signer", options=("-stream",))
    assert b"\x24\x80" in streamed
    read = verify_signed(
        C, content.read_content_info(to_der(streamed), oids.SIGNED_DATA), [certificate(bench, "root")], NOW
    )
    again = verify_signed(C, content.read_content_info(plain, oids.SIGNED_DATA), [certificate(bench, "root")], NOW)
    assert read[0] == again[0]


@many
@given(st.binary(max_size=200))
def test_any_octets_are_refused_or_come_out_as_der(data):
    try:
        der = to_der(data)
    except ProtocolError:
        return
    assert to_der(der) == der
    assert len(der) <= len(data)


@many
@given(st.data())
def test_damaged_envelopes_end_in_our_errors(bench, generator, data):
    der = bytearray(generator.enveloped(data.draw(st.sampled_from([generator.password(), generator.password(wrap="aes128-wrap")]))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(der) - 1))
        match data.draw(st.sampled_from(["change", "remove", "insert"])):
            case "change":
                der[at] = data.draw(st.integers(0, 255))
            case "remove":
                del der[at : at + data.draw(st.integers(1, 8))]
            case "insert":
                der[at:at] = data.draw(st.binary(max_size=4))
        if not der:
            break
    for octets in (bytes(der), generator.seq(bytes(der))):
        with contextlib.suppress(Error):
            open_enveloped(Quick(), octets, secret=generator.SECRET)


class Quick:
    """A crypto whose derivation costs nothing."""

    def __getattr__(self, name):
        return getattr(C, name)

    def pbkdf2(self, alg, secret, salt, iterations, length):
        return bytes(length)


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa", "ed25519"])
@pytest.mark.parametrize("recipient", ["p256", "p384", "rsa", "secret", "secret, RFC 3211"])
def test_keys_of_the_lab_ca(bench, recipient, kind):
    """Both codecs at once: what the lab CA packs, signs and envelopes is opened, verified and unpacked by the device."""
    made = bench.parties[kind].private
    signer = credential.Credential(bench.parties["signer"].certificate, bench.parties["signer"].private)
    signed = cms.signed_data(cms.key_package(made), signer, ())
    if recipient.startswith("secret"):
        target, arguments = cms.to_secret(b"secret", 2048, pwri_kek=recipient != "secret"), (None, b"secret")
    else:
        target = cms.to_certificate(bench.parties[recipient].certificate)
        arguments = (key(bench, recipient), None, certificate(bench, recipient))
    enveloped = cms.enveloped_data(signed, cms.ID_SIGNED_DATA, target)
    content_type, opened = open_enveloped(C, enveloped, *arguments, tag=0xA0)
    assert (content_type, opened) == (oids.SIGNED_DATA, signed)
    package, found = verify_signed(C, opened, [certificate(bench, "root")], NOW, expected_type=oids.KEY_PACKAGE)
    assert found.der == bench.parties["signer"].der
    assert read_key_package(package) == (kind, bench.parties[kind].reference)


@pytest.mark.parametrize("recipient", ["p256", "p384", "rsa"])
def test_encrypted_certificates_of_the_lab_ca(bench, recipient):
    """The recipient has no certificate yet: what comes is the certificate, for the holder of its key."""
    party = bench.parties[recipient]
    enveloped = cms.enveloped_data(party.der, cms.ID_DATA, cms.to_public_key(party.private.public_key()))
    assert open_enveloped(C, enveloped, key(bench, recipient), tag=0xA0) == (oids.DATA, party.der)
