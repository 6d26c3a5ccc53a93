"""X.509: what is written, what is read, which chains are refused and why."""

from binascii import unhexlify

from certlet import crypto, oid
from certlet.der import Reader, Writer
from certlet.errors import BadSignature, ConfigError, Error, ProtocolError, Unsupported
from certlet.x509 import algorithm, chain, name, request, validity
from certlet.x509.certificate import NO_LIMIT, Certificate
from support import raises, vectors

X509_TIME, X509_VERSION, X509_EXTENSION, X509_ALGORITHM, X509_NAME, X509_KEY, X509_SIGNATURE = 301, 302, 303, 304, 305, 306, 307
DIGITAL_SIGNATURE, KEY_AGREEMENT = 1, 16


def all_of(hex_list):
    return [Certificate(unhexlify(h)) for h in hex_list]


def test_chains():
    v = vectors("x509")
    c = crypto.select()
    for row in v["chains"]:
        try:
            path = chain.check_chain(
                c, Certificate(unhexlify(row["leaf"])), all_of(row["candidates"]), all_of(row["anchors"]), v["now"]
            )
            code = 0
            assert path[0].der == unhexlify(row["leaf"])
            assert path[-1].der in [unhexlify(a) for a in row["anchors"]], row["title"]
        except Error as e:
            code = e.code
        assert code == row["code"], (row["title"], code)


def test_a_search_among_many_certificates_of_one_name_ends_soon():
    """20 issuers of one name: no more than the bound of signature checks is made."""
    v = vectors("x509")
    row = [r for r in v["chains"] if r["title"] == "leaf signed by another key"][0]
    c = crypto.select()
    calls = []
    verify = c.verify
    c.verify = lambda *a: calls.append(1) or verify(*a)
    leaf = Certificate(unhexlify(row["leaf"]))
    middle = unhexlify(row["candidates"][0])
    pool = [Certificate(middle) for _ in range(40)]
    raises(Error, 319, chain.check_chain, c, leaf, pool, all_of(row["anchors"]), v["now"])
    assert len(calls) <= 12


def test_fields_of_a_certificate():
    v = vectors("x509")["fields"]
    c = Certificate(unhexlify(v["der"]))
    for field in ("subject", "issuer", "spki", "ski", "aki"):
        assert getattr(c, field) == unhexlify(v[field]), field
    assert bytes(c.serial) == unhexlify(v["serial"])[-len(c.serial) :]
    assert (c.not_before, c.not_after) == (v["not_before"], v["not_after"])
    assert c.key_usage == DIGITAL_SIGNATURE | KEY_AGREEMENT
    assert (c.is_ca, c.path_len) == (False, NO_LIMIT)
    assert [bytes(e)[-1] for e in c.extended] == [2, 1]
    assert not c.unknown_critical
    assert Certificate(unhexlify(v["root"])).is_ca


def test_every_truncation_of_a_certificate_is_refused():
    der = unhexlify(vectors("x509")["fields"]["der"])
    for i in range(len(der)):
        raises(ProtocolError, None, Certificate, der[:i])
    raises(ProtocolError, 104, Certificate, der + b"\0")


def test_every_changed_octet_is_refused_or_breaks_the_signature():
    """One bit of each octet is turned over: the certificate is not read, or what was signed or the signature differs."""
    v = vectors("x509")["fields"]
    der = bytearray(unhexlify(v["der"]))
    whole = Certificate(bytes(der))
    for i in range(len(der)):
        der[i] ^= 1 << (i % 8)
        try:
            c = Certificate(bytes(der))
            assert c.tbs != whole.tbs or c.signature != whole.signature or c.signature_algorithm != whole.signature_algorithm
        except (ProtocolError, Unsupported):
            pass
        der[i] ^= 1 << (i % 8)


def test_outer_and_inner_signature_algorithm_must_agree():
    der = unhexlify(vectors("x509")["fields"]["der"])
    at = der.rfind(oid.ECDSA_SHA256)
    raises(ProtocolError, X509_ALGORITHM, Certificate, der[:at] + oid.ECDSA_SHA384 + der[at + len(oid.ECDSA_SHA256) :])


def test_signatures():
    v = vectors("x509")["fields"]
    c = crypto.select()
    leaf, root = Certificate(unhexlify(v["der"])), Certificate(unhexlify(v["root"]))
    algorithm.verify(c, leaf.signature_algorithm, root.spki, leaf.signature, leaf.tbs)
    algorithm.verify(c, leaf.signature_algorithm, root.spki, leaf.signature, leaf.tbs[:100], leaf.tbs[100:])
    raises(BadSignature, None, algorithm.verify, c, leaf.signature_algorithm, leaf.spki, leaf.signature, leaf.tbs)
    raises(BadSignature, None, algorithm.verify, c, leaf.signature_algorithm, root.spki, leaf.signature[:-1], leaf.tbs)
    raises(BadSignature, None, algorithm.verify, c, leaf.signature_algorithm, root.spki, b"", leaf.tbs)


# (content of a signature AlgorithmIdentifier, (digest, scheme)), None: refused. PSS parameters: RFC 4055 3.1
_PSS = "06092a864886f70d01010a"
_SHA256_ID, _SHA512_ID = "300d06096086480165030402010500", "300d06096086480165030402030500"
SIGNATURE_ALGORITHMS = (
    ("06082a8648ce3d040302", ("sha256", "ecdsa")),
    ("06082a8648ce3d040303", ("sha384", "ecdsa")),
    ("06082a8648ce3d040304", ("sha512", "ecdsa")),
    ("06082a8648ce3d0403020500", None),
    ("06082a8648ce3d040301", None),
    ("06072a8648ce3d0401", None),
    ("06092a864886f70d01010b0500", ("sha256", "rsa")),
    ("06092a864886f70d01010b", ("sha256", "rsa")),
    ("06092a864886f70d01010c0500", ("sha384", "rsa")),
    ("06092a864886f70d01010d0500", ("sha512", "rsa")),
    ("06092a864886f70d01010d050000", None),
    ("06092a864886f70d01010b0400", None),
    ("06092a864886f70d01010b3000", None),
    ("06092a864886f70d0101050500", None),
    ("06092a864886f70d01010e0500", None),
    ("06092a864886f70d0101010500", None),
    ("06032b6570", ("sha512", "ed25519")),
    ("06032b65700500", None),
    ("06032b6571", None),
    (_PSS, None),
    (_PSS + "0500", None),
    (_PSS + "3000", None),
    (_PSS + "3034a00f" + _SHA256_ID + "a11c301a06092a864886f70d010108" + _SHA256_ID + "a203020120", ("sha256", "rsa-pss")),
    (_PSS + "3030a00d300b0609608648016503040201a11a301806092a864886f70d010108300b0609608648016503040201a203020120", ("sha256", "rsa-pss")),
    (_PSS + "3034a00f" + _SHA512_ID + "a11c301a06092a864886f70d010108" + _SHA512_ID + "a203020140", ("sha512", "rsa-pss")),
    (_PSS + "3034a00f" + _SHA512_ID + "a11c301a06092a864886f70d010108" + _SHA256_ID + "a203020140", None),
    (_PSS + "3034a00f" + _SHA256_ID + "a11c301a06092a864886f70d010108" + _SHA256_ID + "a203020140", None),
    (_PSS + "3034a00f" + _SHA256_ID + "a11c301a06092a864886f70d010109" + _SHA256_ID + "a203020120", None),
    (_PSS + "3039a00f" + _SHA256_ID + "a11c301a06092a864886f70d010108" + _SHA256_ID + "a203020120a303020101", None),
    (_PSS + "302fa00f" + _SHA256_ID + "a11c301a06092a864886f70d010108" + _SHA256_ID, None),
    (_PSS + "3005a203020120", None),
    (_PSS + "302ca00b300906052b0e03021a0500a118301606092a864886f70d010108300906052b0e03021a0500a203020114", None),
    (_PSS + "3034a00f" + _SHA256_ID + "a11c301a06092a864886f70d010108" + _SHA256_ID + "a2030201200500", None),
)  # fmt: skip


def test_signature_algorithms():
    for content, expected in SIGNATURE_ALGORITHMS:
        w = Writer()
        w.tlv(0x30, unhexlify(content))
        if expected is None:
            assert raises(Unsupported, X509_SIGNATURE, algorithm.signature_digest, w.bytes()), content
        else:
            assert algorithm.signature_digest(w.bytes()) == expected, content
            assert algorithm.signature_digest(w.view()) == expected
            assert algorithm.certificate_digest(w.bytes()) == expected[0]


def test_keys_of_each_kind():
    """SubjectPublicKeyInfo and private key are the octets that another library writes of the same key."""
    c = crypto.select()
    rows = vectors("x509")["keys"]
    assert [row["alg"] for row in rows] == ["p256", "p384", "ed25519", "rsa", "rsa"]
    for row in rows:
        key = c.load(b"soft:" + row["alg"].encode() + b":" + unhexlify(row["secret"]))
        spki = unhexlify(row["spki"])
        assert _spki(key) == spki, row["alg"]
        alg, public = algorithm.read_spki(spki)
        assert alg == key.alg == row["alg"] and public == key.public()
        w = Writer()
        algorithm.write_private_key(w, key)
        assert w.bytes() == unhexlify(row["private"]), row["alg"]
        w = Writer()
        algorithm.write_signature_algorithm(w, key)
        identifier = w.bytes()
        signature = algorithm.sign(c, key, b"one", memoryview(b"two"))
        algorithm.verify(c, identifier, spki, signature, b"onetwo")
        algorithm.verify(c, identifier, memoryview(spki), memoryview(signature), b"o", b"netwo")
        raises(BadSignature, None, algorithm.verify, c, identifier, spki, signature, b"onetw")
        raises(BadSignature, None, algorithm.verify, c, identifier, spki, signature[:-1], b"onetwo")
        raises(BadSignature, None, algorithm.verify, c, identifier, spki, signature + b"\0", b"onetwo")
        for other in rows:
            if other["alg"] != row["alg"]:
                raises(BadSignature, None, algorithm.verify, c, identifier, unhexlify(other["spki"]), signature, b"onetwo")


def test_keys_that_are_not_known():
    for content, octets in (
        ("06072a8648ce3d020106052b81040023", bytes(133)),  # P-521
        ("06072a8648ce3d020106052b8104000a", bytes(65)),  # secp256k1
        ("06072a8648ce3d0201", bytes(65)),
        ("06072a8648ce3d020106082a8648ce3d0301070500", bytes(65)),
        ("06032b65700500", bytes(32)),
        ("06032b656e", bytes(32)),  # X25519
        ("06092a864886f70d010101", bytes(270)),
        ("06092a864886f70d01010a", bytes(270)),
    ):
        w = Writer()
        m = w.open(0x30)
        w.tlv(0x30, unhexlify(content))
        w.bits(octets)
        w.close(m)
        assert raises(Unsupported, X509_KEY, algorithm.read_spki, w.bytes()), content


def test_rsa_keys_that_are_malformed():
    n = "02820101" + "00" + "c1" * 256
    for content in (
        "3082010a" + n + "0203010001" + "0500",
        "3082010a" + n + "0203010001"[:-2],
        "30820106" + n,
        "3082010d" + n + "02060100010001ff",
        "30820109" + "02820100" + "c1" * 256 + "0203010001",
        "3082010b" + "02820102" + "0000" + "c1" * 256 + "0203010001",
        "308205090282050200" + "c1" * 1281 + "0203010001",
        "",
        "3000",
    ):
        w = Writer()
        m = w.open(0x30)
        w.tlv(0x30, unhexlify("06092a864886f70d0101010500"))
        w.bits(unhexlify(content))
        w.close(m)
        assert raises(ProtocolError, None, algorithm.read_spki, w.bytes()), content[:8]


def test_key_info_without_a_key():
    for alg, expected in (
        ("p256", "3018301306072a8648ce3d020106082a8648ce3d030107030100"),
        ("p384", "3015301006072a8648ce3d020106052b81040022030100"),
        ("ed25519", "300a300506032b6570030100"),
        ("rsa2048", "3012300d06092a864886f70d0101010500030100"),
    ):
        w = Writer()
        algorithm.write_empty_spki(w, alg)
        assert w.bytes() == unhexlify(expected), alg
    raises(Unsupported, X509_KEY, algorithm.write_empty_spki, Writer(), "p521")


def test_request_carries_subject_key_and_extensions():
    """The PKCS#10 request is taken apart again field by field; `tests/host` has it read by another library."""
    c = crypto.select()
    key = c.generate("p256")
    w = Writer()
    request.write_request(w, c, key, (("O", "Example"), ("CN", "d1")), (("dns", "d1.example"),), DIGITAL_SIGNATURE, challenge="pw")
    r = Reader(w.bytes())
    end = r.enter(0x30)
    info = r.element(0x30)
    identifier = r.element(0x30)
    signature = r.bits()
    r.leave(end)
    r.finish()
    algorithm.verify(c, identifier, _spki(key), signature, info)
    r = Reader(info)
    r.enter(0x30)
    assert r.integer() == 0
    n = Writer()
    name.write_name(n, (("O", "Example"), ("CN", "d1")))
    assert r.element() == n.bytes()
    assert r.element() == _spki(key)
    assert r.peek() == 0xA0


def _spki(key):
    w = Writer()
    algorithm.write_spki(w, key)
    return w.bytes()


# (kind, value, GeneralName as DER), None: refused
GENERAL_NAMES = (
    ("dns", "a.b", "8203612e62"),
    ("uri", "x://y", "8605783a2f2f79"),
    ("email", "a@b", "8103614062"),
    ("ip", "192.168.1.2", "8704c0a80102"),
    ("ip", "2001:db8::1", "871020010db8000000000000000000000001"),
    ("ip", "::", "8710" + "00" * 16),
    ("ip", "1:2:3:4:5:6:7:8", "871000010002000300040005000600070008"),
    ("ip", "fe80::", "8710fe80" + "00" * 14),
    ("ip", "1.2.3", None),
    ("ip", "1.2.3.256", None),
    ("ip", "1.2.3.4.5", None),
    ("ip", "a.b.c.d", None),
    ("ip", "1::2::3", None),
    ("ip", "1:2:3:4:5:6:7:8:9", None),
    ("ip", "1:2:3:4:5:6:7:8::", None),
    ("ip", "12345::", None),
    ("ip", "", None),
    ("dns", "", None),
    ("x400", "a", None),
)


def test_general_names():
    for kind, value, expected in GENERAL_NAMES:
        w = Writer()
        if expected is None:
            raises(ConfigError, X509_NAME, name.write_general_names, w, ((kind, value),))
        else:
            name.write_general_names(w, ((kind, value),))
            assert w.view(2) == unhexlify(expected), value


def test_names():
    w = Writer()
    name.write_name(w, (("C", "DE"), ("CN", "a")))
    assert w.bytes() == unhexlify("3019310b3009060355040613024445310a300806035504030c0161")
    raises(ConfigError, X509_NAME, name.write_name, Writer(), (("XX", "a"),))
    raises(ConfigError, X509_NAME, name.write_name, Writer(), (("CN", ""),))


# (one name, another, do they mean the same?): RDNs of one attribute CN each as (string tag, text)
NAMES = (
    (((12, "a"),), ((12, "a"),), True),
    (((12, "a"),), ((19, "a"),), True),
    (((12, "Test  Root"),), ((19, " test root "),), True),
    (((12, "a"),), ((12, "b"),), False),
    (((12, "a"),), ((12, "a"), (12, "a")), False),
    (((12, "a"), (12, "b")), ((12, "b"), (12, "a")), False),
    ((), (), True),
    (((12, "a"),), (), False),
    (((4, "A"),), ((4, "a"),), False),
)


def test_same_name():
    for one, other, same in NAMES:
        assert name.same_name(_name(one), _name(other)) is same, (one, other)


def _name(rdns):
    w = Writer()
    m = w.open(0x30)
    for tag, text in rdns:
        a = w.open(0x31)
        b = w.open(0x30)
        w.raw(oid.AT_CN)
        w.utf8(text, tag)
        w.close(b)
        w.close(a)
    w.close(m)
    return w.bytes()


def test_times():
    for text, seconds in vectors("x509")["moments"]:
        w = Writer()
        w.tlv(0x18, text.encode())
        assert validity.read_time(Reader(w.bytes())) == seconds, text
        w = Writer()
        validity.write_time(w, seconds, True)
        assert w.view(2) == text.encode()
        w = Writer()
        validity.write_time(w, seconds)
        assert w.bytes()[0] == (0x17 if "1950" <= text[:4] < "2050" else 0x18)
        assert validity.read_time(Reader(w.bytes())) == seconds


# (tag, text): every one refused
TIMES = (
    (0x17, "2611231200Z"), (0x17, "261123120000"), (0x17, "261123120000+0100"), (0x17, "261323120000Z"), (0x17, "260230120000Z"),
    (0x17, "261123240000Z"), (0x17, "261123126000Z"), (0x17, "261123120060Z"), (0x17, "26112312000xZ"), (0x17, ""),
    (0x18, "20261123120000"), (0x18, "20261123120000.5Z"), (0x18, "20260001120000Z"), (0x18, "202611231200Z"), (0x04, "20261123120000Z"),
)  # fmt: skip


def test_times_that_are_refused():
    for tag, text in TIMES:
        w = Writer()
        w.tlv(tag, text.encode())
        raises(ProtocolError, X509_TIME, validity.read_time, Reader(w.bytes()))
    w = Writer()
    w.tlv(0x18, b"20261123120000.25Z")
    assert validity.read_time(Reader(w.bytes()), True) == validity.days_from_civil(2026, 11, 23) * 86400 + 43200


def test_private_key_for_the_tls_stack():
    c = crypto.select()
    key = c.generate("p256")
    w = Writer()
    algorithm.write_private_key(w, key)
    r = Reader(w.bytes())
    end = r.enter(0x30)
    assert r.integer() == 1
    assert r.octets() == key.export()
    outer = r.enter(0xA0)
    assert r.oid() == oid.CURVE_P256
    r.leave(outer)
    outer = r.enter(0xA1)
    assert r.bits() == key.public()
    r.leave(outer)
    r.leave(end)
    r.finish()
