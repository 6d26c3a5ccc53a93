"""What the device writes in CMS it can read; that others can is shown by tests/host/test_cms_cross.py."""

from binascii import unhexlify

from certlet import crypto, oid
from certlet.cms import content, oids
from certlet.cms.envelope import open_enveloped
from certlet.cms.signed import SignedData, verify_signed
from certlet.cms.write import write_certificates, write_enveloped, write_signed
from certlet.der import Reader, Writer
from certlet.errors import ConfigError, CryptoError, Unsupported
from certlet.x509.certificate import Certificate
from support import raises, vectors

V = vectors("cms")
C = crypto.select()
TEXT = unhexlify(V["text"])


def certificate(name):
    return Certificate(unhexlify(V["certificates"][name]))


def key(name):
    return C.load(unhexlify(V["keys"][name]))


def version(der):
    r = Reader(der)
    r.enter(0x30)
    return r.integer()


def test_signed():
    for name, digest in (("signer", oid.SHA256), ("rsa", oid.SHA256), ("p384", oid.SHA384), ("ed25519", oid.SHA512)):
        w = Writer()
        write_signed(w, C, key(name), certificate(name), TEXT)
        der = content.read_content_info(w.view(), oids.SIGNED_DATA)
        data, signer = verify_signed(C, der, [certificate("root")], V["now"], check_usage=False)
        assert data == TEXT and signer.der == certificate(name).der and version(der) == 1
        (info,) = SignedData(der).signers
        if name == "rsa":
            assert info.signature_algorithm[2:] == oid.RSA_ENCRYPTION + b"\x05\x00"
        assert info.digest_algorithm[2:] == digest + b"\x05\x00", name


def test_attributes_are_sorted_and_signed():
    rows = [(oid.AT_SERIAL_NUMBER, b"\x0c\x02no"), (oid.CHALLENGE_PASSWORD, b"\x04\x10" + bytes(16)), (oid.AT_CN, b"\x13\x01x")]
    w = Writer()
    write_signed(w, C, key("signer"), certificate("signer"), TEXT, oids.KEY_PACKAGE, rows)
    der = content.read_content_info(w.view(), oids.SIGNED_DATA)
    verify_signed(C, der, [certificate("root")], V["now"], expected_type=oids.KEY_PACKAGE)
    assert version(der) == 3
    (info,) = SignedData(der).signers
    assert len(info.attributes) == 5
    for identifier, value in rows:
        assert info.attribute(identifier) == value
    encoded = [len(values) + len(kind) for kind, values in info.attributes]
    assert encoded == sorted(encoded)  # their lengths stand first in what is compared


def test_certificates_go_along_in_the_order_of_der():
    more = [unhexlify(V["certificates"]["root"])]
    w = Writer()
    write_signed(w, C, key("signer"), certificate("signer"), b"", certificates=more)
    signed = SignedData(content.read_content_info(w.view(), oids.SIGNED_DATA))
    assert [bytes(c) for c in signed.certificates] == sorted([bytes(certificate("signer").der)] + more)
    assert signed.content is not None and len(signed.content) == 0


def test_certificates_alone():
    ders = [unhexlify(V["certificates"][name]) for name in ("rsa", "root")]
    w = Writer()
    write_certificates(w, ders)
    signed = SignedData(content.read_content_info(w.view(), oids.SIGNED_DATA))
    assert [bytes(c) for c in signed.certificates] == sorted(ders)
    assert signed.content is None and signed.signers == []


def test_enveloped_by_key_transport():
    for cipher in ("aes128-cbc", "aes256-cbc"):
        w = Writer()
        write_enveloped(w, C, TEXT, certificate("rsa"), cipher=cipher, content_type=oids.SIGNED_DATA)
        der = content.read_content_info(w.view(), oids.ENVELOPED_DATA)
        assert open_enveloped(C, der, key("rsa"), None, certificate("rsa")) == (oids.SIGNED_DATA, TEXT)
        assert version(der) == 0


def test_enveloped_by_password():
    for size in (0, 15, 16, 17, 5000):
        w = Writer()
        data = C.random(size)
        write_enveloped(w, C, data, password=b"secret", cipher="aes256-cbc", iterations=1000)
        der = content.read_content_info(w.view(), oids.ENVELOPED_DATA)
        assert open_enveloped(C, der, secret=b"secret") == (oids.DATA, data)
        assert version(der) == 3
        raises(CryptoError, 356, open_enveloped, C, der, None, b"Secret")


def test_keys_and_salts_are_never_used_twice():
    seen = []
    for _ in range(2):
        w = Writer()
        write_enveloped(w, C, TEXT, password=b"secret", iterations=1000)
        seen.append(w.bytes())
    assert len(seen[0]) == len(seen[1])
    differ = sum([a != b for a, b in zip(seen[0], seen[1])])
    assert differ > 16 + 16 + 16 + 32 + 40  # salt, two IVs, wrapped key, content


def test_what_cannot_be_written():
    w = Writer()
    raises(ConfigError, 353, write_enveloped, w, C, TEXT)
    raises(ConfigError, 353, write_enveloped, w, C, TEXT, certificate("rsa"), b"secret")
    raises(Unsupported, 354, write_enveloped, w, C, TEXT, certificate("rsa"), None, "des-ede3-cbc")
    raises(Unsupported, 354, write_enveloped, w, C, TEXT, certificate("p256"))
