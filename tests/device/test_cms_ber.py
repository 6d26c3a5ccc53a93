"""BER becomes DER: what is DER stays as it is, what is not BER is refused, and nothing costs more than its size."""

from binascii import unhexlify

from certlet import crypto
from certlet.cms import content, oids
from certlet.cms.ber import to_der
from certlet.cms.envelope import open_enveloped
from certlet.cms.signed import verify_signed
from certlet.der import Reader
from certlet.errors import Error, ProtocolError
from certlet.x509.certificate import Certificate
from support import raises, vectors

V = vectors("cms")
C = crypto.select()
TEXT = unhexlify(V["text"])
ENCRYPTED = "06022a03" + "30020500"  # what stands before encryptedContent: contentType, contentEncryptionAlgorithm

# title, BER, DER; spaces only part the elements
ROWS = (
    ("DER", "3003020101", "3003020101"),
    ("a primitive element alone", "0400", "0400"),
    ("indefinite length", "3080 020101 0000", "3003020101"),
    ("indefinite length, empty", "3080 0000", "3000"),
    ("indefinite within indefinite", "3080 3080 020101 0000 0000", "30053003020101"),
    ("indefinite within definite", "3007 3080 020101 0000", "30053003020101"),
    ("definite within indefinite", "3080 3003 020101 0000", "30053003020101"),
    ("length not minimal", "308103 020101", "3003020101"),
    ("length of four octets beyond the end", "3084 00000005 0284 00000000", 371),
    ("length of four octets, not minimal", "3084 00000003 020101", "3003020101"),
    ("length of a primitive element not minimal", "3004 02810101", "3003020101"),
    ("octet string in pieces", "2480 0402 0102 0401 03 0000", "0403010203"),
    ("octet string in pieces, definite", "2407 0402 0102 0401 03", "0403010203"),
    ("octet string in pieces of pieces", "2480 2480 0401 01 0000 2404 0402 0203 0400 0000", "0403010203"),
    ("octet string in no pieces", "2480 0000", "0400"),
    ("octet string in no pieces, definite", "2400", "0400"),
    ("encryptedContent in pieces", "3080" + ENCRYPTED + "a080 0401 01 0402 0203 0000 0000", "300d" + ENCRYPTED + "8003010203"),
    ("encryptedContent in one piece", "300d" + ENCRYPTED + "a003 0401 01", "300b" + ENCRYPTED + "800101"),
    ("encryptedContent in no piece", "300a" + ENCRYPTED + "a000", "300a" + ENCRYPTED + "8000"),
    ("encryptedContent in no piece, indefinite", "300c" + ENCRYPTED + "a080 0000", "300a" + ENCRYPTED + "8000"),
    ("encryptedContent whole", "300b" + ENCRYPTED + "8001 01", "300b" + ENCRYPTED + "800101"),
    ("eContent stays explicit", "3080 06022a03 a080 2480 0401 01 0401 02 0000 0000 0000", "300a 06022a03 a004 04020102"),
    ("a [0] that holds NULL stays", "300c" + ENCRYPTED + "a002 0500", "300c" + ENCRYPTED + "a0020500"),
    ("a [0] that holds a SEQUENCE stays", "300c" + ENCRYPTED + "a002 3000", "300c" + ENCRYPTED + "a0023000"),
    ("empty sets stay", "3006 a100 3100 a000", "3006a1003100a000"),
    ("no NULL is added", "3004 06022a03", "300406022a03"),
    ("zeros in a definite element are content", "0404 00000000", "040400000000"),
    ("nothing", "", 371),
    ("tag only", "30", 371),
    ("length missing", "3082 01", 371),
    ("beyond the end", "3004 020101", 371),
    ("beyond the element around it", "3003 020201", 371),
    ("beyond the element around it, in pieces", "2404 0403 0102 03", 371),
    ("beyond the element around it, into the next", "3009 3003 020201 020101 00", 371),
    ("beyond the element around it, by the header", "3007 3003 0500 02 0101", 371),
    ("beyond the element around it, which is at an end", "3080 3002 3080 0000 0000 0000", 372),
    ("end-of-contents missing", "3080 020101", 371),
    ("half an end-of-contents", "3080 020101 00", 371),
    ("end-of-contents beyond the element around it", "3005 3080 020101 0000", 371),
    ("end-of-contents in a definite element", "3002 0000", 372),
    ("end-of-contents with a length", "3080 0001 00", 372),
    ("end-of-contents alone", "0000", 372),
    ("indefinite primitive element", "0480 0401 01 0000", 372),
    ("indefinite primitive element inside", "3080 0480 0000 0000", 372),
    ("length of five octets", "3085 0000000000", 372),
    ("length FF", "30ff" + "00" * 127, 372),
    ("tag of two octets", "3f8101 00", 372),
    ("an integer among the pieces", "2403 020101", 372),
    ("a sequence among the pieces", "2480 3000 0000", 372),
    ("a second element", "3000 3000", 372),
    ("zeros behind the element", "3000 0000", 372),
)


def octets(text):
    return unhexlify(text.replace(" ", ""))


def test_rows():
    for title, ber, due in ROWS:
        try:
            found = to_der(octets(ber))
        except ProtocolError as e:
            found = e.code
        assert found == (due if type(due) is int else octets(due)), (title, found)


def all_der():
    for row in V["open"] + V["signed"] + V["packages"]:
        if row["code"] in (0, 353, 356, 361, 362):
            yield row["title"], unhexlify(row["der"])
    for name in V["certificates"]:
        yield name, unhexlify(V["certificates"][name])


def test_der_comes_out_octet_for_octet():
    count = 0
    for title, der in all_der():
        assert to_der(der) == der, title
        count += 1
    assert count > 60


def loosened(der):
    """`der` with every constructed element of indefinite length, every OCTET STRING in pieces."""
    r = Reader(der)
    out = b""
    while r.more():
        tag = r.peek()
        data = bytes(r.tlv(tag))
        if tag & 0x20:
            out += bytes([tag, 0x80]) + loosened(data) + b"\0\0"
        elif tag in (0x04, 0x80) and (tag == 0x04 or len(data) > 20):
            half = len(data) // 2
            pieces = [b"\x04\x82" + len(p).to_bytes(2, "big") + p for p in (data[:half], data[half:])]
            out += bytes([0x24 if tag == 0x04 else 0xA0, 0x80]) + pieces[0] + b"\x24\x80" + pieces[1] + b"\0\0\0\0"
        else:
            out += bytes([tag, 0x83, 0]) + len(data).to_bytes(2, "big") + data
    return out


def test_loosened_der_comes_back():
    """The worst BER of each structure that opens or verifies."""
    count = 0
    for row in V["open"] + V["signed"]:
        der = unhexlify(row["der"])
        if row["code"] == 0:
            assert to_der(loosened(der)) == der, row["title"]
            count += 1
    assert count > 50


def test_streams_of_openssl():
    """`openssl cms -stream`: they open and verify after `to_der`, and not before."""
    streamed = V["streamed"]
    for name, own, secret in (("transport", "rsa", None), ("password", "", unhexlify(V["secret"]))):
        der = to_der(unhexlify(streamed[name]))
        loaded = C.load(unhexlify(V["keys"][own])) if own else None
        cert = Certificate(unhexlify(V["certificates"][own])) if own else None
        kind, data = open_enveloped(C, content.read_content_info(der, oids.ENVELOPED_DATA), loaded, secret, cert)
        assert kind == oids.DATA and data == TEXT * 100
        raises(ProtocolError, None, content.read_content_info, unhexlify(streamed[name]), oids.ENVELOPED_DATA)
    der = to_der(unhexlify(streamed["signed"]))
    root = Certificate(unhexlify(V["certificates"]["root"]))
    assert verify_signed(C, content.read_content_info(der, oids.SIGNED_DATA), [root], V["now"])[0] == TEXT * 100


def test_depth_of_10000():
    for one in (b"\x30\x80", b"\x24\x80", b"\xa0\x80"):
        raises(ProtocolError, 373, to_der, one * 10000)
    assert to_der(b"\x30\x80" * 24 + bytes(48)) == bytes([octet for n in range(46, -1, -2) for octet in (0x30, n)])
    raises(ProtocolError, 373, to_der, b"\x30\x80" * 25 + bytes(50))
    der = b""
    for _ in range(2000):
        der = b"\x30\x84" + len(der).to_bytes(4, "big") + der
    raises(ProtocolError, 373, to_der, der)


def test_size():
    raises(ProtocolError, 374, to_der, bytes(32769))
    raises(ProtocolError, 374, to_der, b"\x04\x01\x00", 2)
    assert to_der(b"\x04\x01\x00", 3) == b"\x04\x01\x00"
    assert to_der(b"\x04\x82\x10\x00" + bytes(4096)) == b"\x04\x82\x10\x00" + bytes(4096)


def test_every_truncation_and_every_changed_octet_end_in_our_errors():
    ber = unhexlify(V["streamed"]["password"])
    ber = ber[:200]
    for i in range(len(ber)):
        raises(ProtocolError, 371, to_der, ber[:i])
    whole = bytearray(loosened(unhexlify([r for r in V["open"] if r["title"] == "password: HMAC-SHA256"][0]["der"])))
    refused = 0
    for i in range(len(whole)):
        for bit in (1, 0x20, 0x80):
            whole[i] ^= bit
            try:
                to_der(bytes(whole))
            except Error:
                refused += 1
            whole[i] ^= bit
    assert refused > len(whole) // 2
