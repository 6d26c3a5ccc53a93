"""PEM: what is a block and what is not."""

from certlet import pem
from certlet.errors import ProtocolError
from support import raises

ONE = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"
TWO = "-----BEGIN CERTIFICATE-----\nAwQ=\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nBQ==\n-----END PRIVATE KEY-----\n"


def test_decode():
    octets = ONE.encode()
    for text in (ONE, octets, bytearray(octets), ONE.replace("\n", "\r\n"), ONE[:-1], "subject=x\n\n" + ONE):
        assert pem.decode(text, "CERTIFICATE") == b"\0\1\2"
    spread = ONE.replace("AAEC", "AA\n\n  E\nC ")
    assert pem.decode(spread, "CERTIFICATE") == b"\0\1\2"


def test_decode_all():
    text = KEY + ONE + "between\n" + TWO
    assert pem.decode_all(text, "CERTIFICATE") == [b"\0\1\2", b"\3\4"]
    assert pem.decode_all(text, "PRIVATE KEY") == [b"\5"]
    assert pem.decode(text, "CERTIFICATE") == b"\0\1\2"


def test_encode():
    assert pem.encode(b"\3\4", "CERTIFICATE") == TWO
    for size in (1, 47, 48, 49, 500):
        data = bytes(range(256)) * 2
        text = pem.encode(memoryview(data)[:size], "X")
        assert max(len(line) for line in text.split("\n")[1:-2]) <= 64
        assert pem.decode(text, "X") == data[:size]


def test_refused():
    def block(text):
        return "-----BEGIN X-----\n" + text + "\n-----END X-----\n"

    for text in (
        "",
        "AAEC",
        ONE,
        block(""),
        block("AAE"),
        block("A"),
        block("AwR="),  # bits beyond the last octet
        block("AwQ"),
        block("AwQ=="),
        block("AwQ=AAEC"),
        block("AA*C"),
        block("AAE\xe9"),
        block("Proc-Type: 4,ENCRYPTED\n\nAAEC"),
        block("AAEC").replace("END X", "END Y"),
        block("AAEC")[:-20],
        block("AAEC") + "-----BEGIN X-----\nAAEC\n",
        block("-----BEGIN X-----\nAAEC"),
        block("AAEC") + block("AA*C"),
        block("AAEC").replace("-----BEGIN X", "----BEGIN X"),
        b"\xff" + block("AAEC").encode(),
    ):
        raises(ProtocolError, 111, pem.decode, text, "X")
