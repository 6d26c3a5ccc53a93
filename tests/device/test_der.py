"""DER: what the writer writes, what the reader refuses."""

from certlet.der import Reader, Writer, header
from certlet.errors import ProtocolError
from support import raises

TRUNCATED, TAG, LENGTH, TRAILING, DEPTH, VALUE, OVERFLOW = 101, 102, 103, 104, 105, 106, 107

# (number, content octets): X.690 8.3
INTEGERS = (
    (0, "00"), (1, "01"), (127, "7f"), (128, "0080"), (255, "00ff"), (256, "0100"), (32768, "008000"),
    (-1, "ff"), (-128, "80"), (-129, "ff7f"), (-32768, "8000"), (2**31 - 1, "7fffffff"), (2**31, "0080000000"),
    (2**62, "4000000000000000"), (-(2**63), "8000000000000000"),
)  # fmt: skip

# (bits, content octets): X.690 11.2, named bit lists
NAMED_BITS = ((0, "00"), (1, "0780"), (1 << 1, "0640"), (1 << 7, "0001"), (1 << 8, "070080"), (1 << 26, "0500000020"), (516, "062040"), (1 << 127, "00" * 16 + "01"))

# (why, octets, code, method, arguments)
REFUSED = (
    ("nothing", "", TRUNCATED, "tlv", (4,)),
    ("tag alone", "04", TRUNCATED, "tlv", (4,)),
    ("content cut", "040201", TRUNCATED, "tlv", (4,)),
    ("another tag", "0500", TAG, "tlv", (4,)),
    ("high tag number", "1f0100", TAG, "element", ()),
    ("indefinite length", "30800000", LENGTH, "enter", (0x30,)),
    ("length of 4 octets", "048400000001ff", LENGTH, "tlv", (4,)),
    ("long form of a short length", "04817f" + "00" * 127, LENGTH, "tlv", (4,)),
    ("leading zero in a length", "04820080" + "00" * 128, LENGTH, "tlv", (4,)),
    ("length cut", "0482ff", TRUNCATED, "tlv", (4,)),
    ("length beyond the end", "0483ffffff00", TRUNCATED, "tlv", (4,)),
    ("INTEGER without content", "0200", VALUE, "integer", ()),
    ("INTEGER with a leading 00", "02020001", VALUE, "integer", ()),
    ("INTEGER with a leading ff", "0202ff80", VALUE, "integer", ()),
    ("INTEGER of 9 octets", "0209010000000000000000", VALUE, "integer", ()),
    ("negative where unsigned is due", "0201ff", VALUE, "unsigned", (4,)),
    ("unsigned too large", "02050100000000", VALUE, "unsigned", (4,)),
    ("BOOLEAN of 2 octets", "01020000", VALUE, "boolean", ()),
    ("BOOLEAN neither 00 nor ff", "010101", VALUE, "boolean", ()),
    ("NULL with content", "050100", VALUE, "null", ()),
    ("OID without content", "0600", VALUE, "oid", ()),
    ("OID that ends in the middle", "06022a86", VALUE, "oid", ()),
    ("BIT STRING without count", "0300", VALUE, "bits", ()),
    ("BIT STRING with unused bits", "030204f0", VALUE, "bits", ()),
    ("8 unused bits", "03020800", VALUE, "named_bits", ()),
    ("unused bits of no octet", "030101", VALUE, "named_bits", ()),
    ("unused bits that are set", "03020481", VALUE, "named_bits", ()),
    ("bit list too long", "031200" + "00" * 17, VALUE, "named_bits", ()),
    ("not UTF-8", "0c02c328", VALUE, "utf8", (10,)),
)


def test_integers():
    for number, content in INTEGERS:
        content = bytes.fromhex(content)
        w = Writer()
        w.integer(number)
        assert w.bytes() == header(2, len(content)) + content, number
        r = Reader(w.bytes())
        assert r.integer() == number
        r.finish()


def test_named_bits():
    for mask, content in NAMED_BITS:
        w = Writer()
        w.named_bits(mask)
        assert w.view(2) == bytes.fromhex(content), mask
        assert Reader(w.bytes()).named_bits() == mask


def test_named_bits_with_trailing_zeros_are_read():
    assert Reader(bytes.fromhex("0303000200")).named_bits() == 1 << 6


def test_refused():
    for why, octets, code, method, arguments in REFUSED:
        r = Reader(bytes.fromhex(octets))
        try:
            raises(ProtocolError, code, getattr(r, method), *arguments)
        except AssertionError as e:
            raise AssertionError(why + ": " + str(e))


def test_lengths_around_every_boundary():
    for size in (0, 1, 126, 127, 128, 129, 253, 254, 255, 256, 257, 4000):
        w = Writer(4)
        m = w.open(0x30)
        inner = w.open(0xA0)
        w.raw(b"x" * size)
        w.close(inner)
        w.boolean(True)
        w.close(m)
        r = Reader(w.bytes())
        end = r.enter(0x30)
        assert len(r.tlv(0xA0)) == size
        assert r.boolean() is True
        r.leave(end)
        r.finish()


def test_unsigned_round_trip():
    for octets, content in (("00", "00"), ("0000", "00"), ("80", "0080"), ("007f", "7f"), ("00ff01", "00ff01")):
        w = Writer()
        w.unsigned(bytes.fromhex(octets))
        assert w.view(2) == bytes.fromhex(content)
        assert Reader(w.bytes()).unsigned(4) == bytes(4 - len(bytes.fromhex(content).lstrip(b"\0"))) + bytes.fromhex(content).lstrip(b"\0")


def test_trailing_octets():
    r = Reader(bytes.fromhex("3004020101ff"))
    end = r.enter(0x30)
    r.integer()
    raises(ProtocolError, TRAILING, r.leave, end)
    r = Reader(bytes.fromhex("020101ff"))
    r.integer()
    raises(ProtocolError, TRAILING, r.finish)


def test_an_element_must_not_end_beyond_its_parent():
    r = Reader(bytes.fromhex("3003040501ffffff"))
    r.enter(0x30)
    raises(ProtocolError, TRUNCATED, r.octets)


def test_nesting_is_bounded():
    data = b""
    for _ in range(100):
        data = header(0x30, len(data)) + data
    r = Reader(data)

    def dive():
        while True:
            r.enter(0x30)

    raises(ProtocolError, DEPTH, dive)


def test_a_message_beyond_the_limit():
    w = Writer(16, limit=100)
    w.octets(b"x" * 98)
    raises(ProtocolError, OVERFLOW, w.null)


def test_text_is_cut_at_a_character():
    w = Writer()
    w.utf8("a\u00e4\u00e4")
    assert Reader(w.bytes()).utf8(2) == "a"
    assert Reader(w.bytes()).utf8(3) == "a\u00e4"
    assert Reader(w.bytes()).utf8(0) == ""
    assert Reader(w.bytes()).utf8(100) == "a\u00e4\u00e4"
