"""EnvelopedData: what opens, what is refused with which code, and that failed decryption does not tell why."""

from binascii import unhexlify

from certlet import crypto
from certlet.cms import content, keypackage, oids, password
from certlet.cms.envelope import open_enveloped
from certlet.cms.write import write_enveloped
from certlet.der import Writer
from certlet.errors import CryptoError, Error, ProtocolError
from certlet.x509.certificate import Certificate
from support import raises, vectors

V = vectors("cms")
C = crypto.select()
TEXT = unhexlify(V["text"])
SECRET = unhexlify(V["secret"])
LOADED = {}


def key(name):
    if name and name not in LOADED:
        LOADED[name] = C.load(unhexlify(V["keys"][name]))
    return LOADED.get(name)


def certificate(name):
    return Certificate(unhexlify(V["certificates"][name])) if name else None


def rows(*words):
    """The rows whose title begins with one of the words; without words the rest."""
    named = ("key agreement", "password")
    return [r for r in V["open"] if (r["title"].startswith(words) if words else not r["title"].startswith(named))]


def rejected_in_silence(row):
    """RSA gives some key for a wrong padding (implicit rejection); once in 256 times it makes a good padding of its own."""
    return row["key"] == "rsa" and row["code"] == 356


def check(selected):
    assert selected
    for row in selected:
        secret = unhexlify(row["secret"]) if row["secret"] else None
        try:
            kind, data = open_enveloped(C, unhexlify(row["der"]), key(row["key"]), secret, certificate(row["certificate"]))
            code = 0
        except Error as e:
            code = e.code
            if code == 356:  # whatever went wrong, nothing tells of it
                assert type(e) is CryptoError and e.args == (356, None), row["title"]
        if code == 0 and rejected_in_silence(row):
            assert data != TEXT
            continue
        assert code == row["code"], (row["title"], code)
        if code == 0:
            assert kind == oids.DATA, row["title"]
            assert type(data) is bytes and data == (b"" if row["title"].startswith("one block") else TEXT), row["title"]


def test_key_transport_and_content():
    check(rows())


def test_key_agreement():
    check(rows("key agreement"))


def test_passwords():
    check(rows("password"))


class Watch:
    """A crypto that counts what is done with secrets."""

    def __init__(self):
        self.done = []

    def __getattr__(self, name):
        def call(*args):
            self.done.append(name)
            return getattr(C, name)(*args)

        return call


class WatchedKey:
    def __init__(self, alg):
        self.alg = alg
        self.done = 0

    def decrypt(self, data, length):
        self.done += 1
        return bytes(length)

    def ecdh(self, public):
        self.done += 1
        return bytes(32)


def test_cve_2026_42768_one_recipient_is_tried_once():
    """Two RecipientInfos for us, the first of which fails: the second is no second try."""
    tried = 0
    for row in V["open"]:
        if row["key"] and row["certificate"]:
            own = WatchedKey("rsa" if row["key"] == "rsa" else "p256")
            try:
                open_enveloped(C, unhexlify(row["der"]), own, SECRET, certificate(row["certificate"]))
            except Error:
                pass
            assert own.done <= 1, row["title"]
            tried += own.done
    assert tried > 20


def test_nothing_is_decrypted_before_all_is_read():
    for row in V["open"]:
        if row["code"] in (0, 356):
            continue
        watch = Watch()
        own = WatchedKey(key(row["key"]).alg) if row["key"] else None
        secret = unhexlify(row["secret"]) if row["secret"] else None
        raises(Error, row["code"], open_enveloped, watch, unhexlify(row["der"]), own, secret, certificate(row["certificate"]))
        assert not watch.done and (own is None or not own.done), row["title"]


def test_neither_key_nor_secret():
    der = unhexlify(rows("password: HMAC-SHA256")[0]["der"])
    raises(ProtocolError, 353, open_enveloped, C, der)


def test_tag_of_encrypted_key_in_cmp():
    """EncryptedKey envelopedData is [0] IMPLICIT, RFC 9810 5.2.2."""
    der = bytearray(unhexlify(rows("password: HMAC-SHA256")[0]["der"]))
    der[0] = 0xA0
    assert open_enveloped(C, der, secret=SECRET, tag=0xA0)[1] == TEXT
    raises(ProtocolError, 102, open_enveloped, C, der, secret=SECRET)


class Quick:
    """A crypto whose derivation costs nothing."""

    def __getattr__(self, name):
        return getattr(C, name)

    def pbkdf2(self, alg, secret, salt, iterations, length):
        return C.digest("sha256", alg.encode(), secret, salt, str(iterations).encode())[:length]


def sample():
    w = Writer()
    write_enveloped(w, Quick(), TEXT, password=SECRET)
    return bytes(content.read_content_info(w.view(), oids.ENVELOPED_DATA))


def row_of(title):
    return [r for r in V["open"] if r["title"] == title][0]


def test_every_truncation_is_refused():
    rsa, ec = row_of("key transport, AES-128"), row_of("key agreement: ukm")
    own = certificate("rsa"), certificate("p256")
    for i in range(len(sample())):
        raises(ProtocolError, None, open_enveloped, Quick(), sample()[:i], secret=SECRET)
    for row, alg, cert in ((rsa, "rsa", own[0]), (ec, "p256", own[1])):
        der = unhexlify(row["der"])
        for i in range(len(der)):
            raises(ProtocolError, None, open_enveloped, C, der[:i], WatchedKey(alg), None, cert)
        raises(ProtocolError, 104, open_enveloped, C, der + b"\0", WatchedKey(alg), None, cert)


def test_every_changed_octet_is_refused_or_changes_only_the_text():
    """CBC does not authenticate: what matters is that nothing but our errors comes out, and no other length but by 1-16."""
    opened = 0
    for der, own, secret, cert in (
        (sample(), None, SECRET, None),
        (unhexlify(row_of("key transport, AES-128")["der"]), WatchedKey("rsa"), None, certificate("rsa")),
        (unhexlify(row_of("key agreement: ukm")["der"]), WatchedKey("p256"), None, certificate("p256")),
    ):
        changed = bytearray(der)
        for i in range(len(changed)):
            for bit in (1, 0x80):
                changed[i] ^= bit
                try:
                    data = open_enveloped(Quick(), bytes(changed), own, secret, cert)[1]
                    opened += data != TEXT
                except Error:
                    pass
                changed[i] ^= bit
    assert opened > 16  # the IV at least


def test_lengths_that_reach_beyond():
    """A length of 4 octets, an indefinite one, one that is not minimal."""
    for head in ("3084000000010000", "3080020100", "308100", "30820001"):
        raises(ProtocolError, None, open_enveloped, C, unhexlify(head), secret=SECRET)
    raises(ProtocolError, 101, open_enveloped, C, b"", secret=SECRET)


def test_the_wrap_of_rfc_3211():
    """Its example in section 2.3.4 has DES only: here every length that a key can have, and one changed octet."""
    kek, iv = bytes(range(16)), bytes(range(50, 66))
    for size in (16, 32):
        k = C.random(size)
        wrapped = password.wrap(C, kek, iv, k)
        assert len(wrapped) == 32 if size == 16 else 48
        assert password.unwrap(C, kek, iv, wrapped, size) == k
        raises(CryptoError, 356, password.unwrap, C, kek, iv, wrapped, 48 - size)
        raises(CryptoError, 356, password.unwrap, C, iv, iv, wrapped, size)
        changed = bytearray(wrapped)
        changed[0] ^= 1
        raises(CryptoError, 356, password.unwrap, C, kek, iv, bytes(changed), size)


def test_key_packages():
    for row in V["packages"]:
        try:
            kind, reference = keypackage.read_key_package(unhexlify(row["der"]))
            assert (kind, reference) == (row["kind"], unhexlify(row["reference"])), row["title"]
            assert C.load(reference).alg == kind
            code = 0
        except Error as e:
            code = e.code
        assert code == row["code"], (row["title"], code)


def test_every_truncation_of_a_key_package_is_refused():
    for row in V["packages"][:4]:
        der = unhexlify(row["der"])
        for i in range(0, len(der), 1 + len(der) // 300):
            raises(ProtocolError, None, keypackage.read_key_package, der[:i])
