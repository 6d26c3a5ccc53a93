"""SignedData: which signatures count, which are refused with which code."""

from binascii import unhexlify

from certlet import crypto
from certlet.cms import oids
from certlet.cms.signed import SignedData, verify_signed
from certlet.errors import BadSignature, Error, ProtocolError, Unsupported, Untrusted
from certlet.x509.certificate import Certificate
from support import raises, vectors

V = vectors("cms")
C = crypto.select()
TEXT = unhexlify(V["text"])


def certificate(name):
    return Certificate(unhexlify(V["certificates"][name]))


ROOT = certificate("root")


def row_of(title):
    return unhexlify([r for r in V["signed"] if r["title"] == title][0]["der"])


def test_rows():
    for row in V["signed"]:
        try:
            data, signer = verify_signed(C, unhexlify(row["der"]), [ROOT], V["now"])
            code = 0
        except Error as e:
            code = e.code
        assert code == row["code"], (row["title"], code)
        if code == 0:
            assert type(data) is bytes and data == TEXT
            assert signer.der == unhexlify(V["certificates"][row["signer"]]), row["title"]


def test_the_signer_may_be_held_already():
    der = row_of("openssl, certificate not sent")
    candidates = (certificate("rsa"), certificate("signer"))
    assert verify_signed(C, der, [ROOT], V["now"], candidates)[1].der == candidates[1].der
    raises(Untrusted, 311, verify_signed, C, der, [], V["now"], candidates)


def test_a_pinned_signer_needs_no_chain_but_must_be_valid():
    own = certificate("signer")
    assert verify_signed(C, row_of("openssl, certificate not sent"), [own], V["now"])[1] is own
    raises(Untrusted, 313, verify_signed, C, row_of("plain"), [own], own.not_after + 1)
    raises(Untrusted, 312, verify_signed, C, row_of("plain"), [ROOT], own.not_before - 1)


def test_the_check_of_key_usage_can_be_left_out():
    """Some CAs sign by a root that has keyCertSign and cRLSign only."""
    for title in ("signed by the anchor itself", "signer must not sign"):
        assert verify_signed(C, row_of(title), [ROOT], V["now"], check_usage=False)[0] == TEXT


def test_the_type_of_content_is_asked_for():
    raises(ProtocolError, 351, verify_signed, C, row_of("plain"), [ROOT], V["now"], (), oids.KEY_PACKAGE)
    raises(ProtocolError, 351, verify_signed, C, row_of("plain"), [ROOT], V["now"], (), (oids.KEY_PACKAGE, oids.SIGNED_DATA))
    assert verify_signed(C, row_of("plain"), [ROOT], V["now"], (), (oids.KEY_PACKAGE, oids.DATA))[0] == TEXT
    der = row_of("other type, no attributes")
    raises(ProtocolError, 360, verify_signed, C, der, [ROOT], V["now"], (), oids.KEY_PACKAGE)


def test_attributes():
    (signer,) = SignedData(row_of("further attributes")).signers
    assert signer.attribute(oids.CONTENT_TYPE) == oids.DATA
    assert signer.attribute(oids.MESSAGE_DIGEST) == b"\x04\x20" + C.digest("sha256", TEXT)
    assert signer.attribute(oids.KEY_PACKAGE) is None
    for title in ("messageDigest twice", "messageDigest with two values", "messageDigest with no value"):
        (signer,) = SignedData(row_of(title)).signers
        raises(ProtocolError, 360, signer.attribute, oids.MESSAGE_DIGEST)


def test_sha1_is_for_those_who_ask_for_it():
    signed = SignedData(row_of("openssl, RSA, SHA-1"))
    signed.signers[0].verify(C, signed, certificate("rsa"), sha1=True)
    raises(Unsupported, 354, signed.signers[0].verify, C, signed, certificate("rsa"))
    raises(Untrusted, 362, signed.signers[0].verify, C, signed, certificate("rsa-other"), True)


def test_certificates_without_signers():
    """What `openssl crl2pkcs7` makes: SignedData of certificates alone, RFC 5652 5.2."""
    signed = SignedData(row_of("no signer"))
    assert signed.signers == [] and [bytes(c) for c in signed.certificates] == [bytes(certificate("signer").der)]


class Recorded:
    """A crypto that believes the signatures that were good once, so that hundreds of changes are tried in no time."""

    def __init__(self):
        self.good = []
        self.recording = True
        self.calls = 0

    def __getattr__(self, name):
        return getattr(C, name)

    def verify(self, *args):
        self.calls += 1
        if self.recording:
            C.verify(*args)
            self.good.append(args)
        elif args not in self.good:
            raise BadSignature(211)


def test_every_truncation_and_every_changed_octet_is_refused():
    """But for the version, the unused digestAlgorithms, and parts of the certificate that no signature covers."""
    for title in ("plain", "openssl", "openssl, without attributes"):
        der = bytearray(row_of(title))
        c = Recorded()
        verify_signed(c, bytes(der), [ROOT], V["now"])
        c.recording = False
        for i in range(len(der)):
            raises(ProtocolError, None, verify_signed, c, bytes(der[:i]), [ROOT], V["now"])
        passed = []
        for i in range(len(der)):
            der[i] ^= 1 << (i & 7)
            try:
                data, signer = verify_signed(c, bytes(der), [ROOT], V["now"])
                assert data == TEXT and signer.der == certificate("signer").der
                passed.append(i)
            except Error:
                pass
            der[i] ^= 1 << (i & 7)
        # version, digestAlgorithms, and the version of SignerInfo
        assert len(passed) < 20, (title, passed)


def test_many_signers_of_many_certificates_cost_little():
    """Ten times the signer's certificate, each a possible signer: four tries at most."""
    der = row_of("signed by another key")
    c = Recorded()
    c.recording = False
    raises(Untrusted, 362, verify_signed, c, der, [ROOT], V["now"], [certificate("signer") for _ in range(20)])
    assert c.calls == 4
