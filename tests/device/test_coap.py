"""CoAP: how messages and options are written and read, what URLs become; the rest is in tests/host/test_coap.py."""

from binascii import hexlify, unhexlify

from certlet.errors import ConfigError, TransportError
from certlet.transport import coap
from support import raises

TYPE = "application/pkixcmp"
# type, code, number, token, options, payload; the datagram. The first four are from RFC 7252 appendix A.
MESSAGES = (
    ((0, 1, 0x7D34, b"", ((11, b"temperature"),), b""), "40017d34bb74656d7065726174757265"),
    ((2, 0x45, 0x7D34, b"", (), b"22.3 C"), "60457d34ff32322e332043"),
    ((0, 1, 0x7D35, b" ", ((11, b"temperature"),), b""), "41017d3520bb74656d7065726174757265"),
    ((2, 0x45, 0x7D35, b" ", (), b"22.3 C"), "61457d3520ff32322e332043"),
    ((3, 0, 0xFFFF, b"", (), b""), "7000ffff"),
    ((1, 2, 1, b"12345678", (), b"\xff"), "580200013132333435363738ffff"),
    ((0, 2, 1, b"", ((12, b""), (13, b"x"), (26, b"y")), b""), "40020001c01178d10079"),
    ((0, 2, 1, b"", ((12, b"a" * 12), (281, b"b" * 13)), b""), "40020001cc" + "61" * 12 + "ed000000" + "62" * 13),
    ((0, 2, 1, b"", ((15, b"c" * 268), (65000, b"d" * 269)), b""),
     "40020001dd02ff" + "63" * 268 + "eefccc0000" + "64" * 269),
)  # fmt: skip
MALFORMED = (
    ("empty", ""),
    ("three bytes", "400100"),
    ("version 0", "00010001"),
    ("version 2", "80010001"),
    ("token of 9", "49010001" + "00" * 9),
    ("token cut off", "4401000100"),
    ("an empty message with a token", "4100000100"),
    ("an empty message with an option", "40000001b0"),
    ("a payload marker and no payload", "40450001ff"),
    ("option delta 15", "40450001f0"),
    ("option length 15", "404500010f"),
    ("option value cut off", "40450001c201"),
    ("extended delta cut off", "40450001d0"),
    ("extended delta cut in two", "40450001e000"),
    ("extended length cut off", "40450001cd"),
    ("a critical option twice", "40450001d10a000100"),
)


def test_messages():
    for fields, text in MESSAGES:
        datagram = unhexlify(text)
        assert hexlify(coap.encode(*fields)).decode() == text
        kind, code, number, token, options, payload = coap.decode(datagram)
        assert (kind, code, number, token, payload) == fields[:4] + fields[5:]
        assert sorted(options.items()) == [tuple(option) for option in fields[4]]


def test_malformed():
    for name, text in MALFORMED:
        assert coap.decode(unhexlify(text)) is None, name


def test_every_cut_is_read_or_refused():
    for _, text in MESSAGES:
        datagram = unhexlify(text)
        for end in range(len(datagram)):
            coap.decode(datagram[:end])


def test_repeated_elective_option():
    assert coap.decode(unhexlify("4045000141610162"))[4] == {4: b"a"}


def test_numbers():
    for value, text in ((0, ""), (1, "01"), (255, "ff"), (256, "0100"), (0x1000000, "01000000")):
        assert hexlify(coap.uint(value)).decode() == text


def test_blocks():
    for fields, text in (((0, False, 0), ""), ((0, True, 6), "0e"), ((1, False, 2), "12"), ((4095, True, 6), "fffe"),
                         ((1048575, True, 5), "fffffd")):  # fmt: skip
        assert hexlify(coap.block(*fields)).decode() == text
        assert coap.unblock(unhexlify(text)) == fields
    assert coap.unblock(None) is None
    for text in ("07", "0f", "00000000"):
        raises(TransportError, 646, coap.unblock, unhexlify(text))


def test_targets():
    rows = (
        ("ca.example", "/", [(3, b"ca.example")]),
        ("CA.example", "/.well-known/cmp", [(3, b"ca.example"), (11, b".well-known"), (11, b"cmp")]),
        ("192.0.2.1", "/a/", [(11, b"a"), (11, b"")]),
        ("2001:db8::1", "/a%2Fb%20c?x=1&y", [(11, b"a/b c"), (15, b"x=1"), (15, b"y")]),
        ("1.2.3.4", "/?q", [(15, b"q")]),
    )
    for host, target, options in rows:
        assert coap._target_options(host, target) == options


def test_configuration():
    for url in ("http://h/", "coaps://h/", "coap:/h", "coap://h/%", "coap://h/%4", "coap://h/%zz", "coap://h/#f",
                "coap://u@h/", "coap://h/" + "x" * 256):  # fmt: skip
        assert raises(ConfigError, 601, coap.Coap, url, TYPE).detail is None, url
    raises(ConfigError, 641, coap.Coap, "coap://h/", "text/html")
    for size, szx in ((1024, 6), (1500, 6), (1023, 5), (512, 5), (64, 2), (16, 0), (1, 0)):
        assert coap.Coap("coap://h/", TYPE, block=size)._szx == szx
