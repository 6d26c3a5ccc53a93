"""The frames of the console transport, against a host in memory; the real one is in tests/host/test_relay.py."""

from binascii import b2a_base64, hexlify
from hashlib import sha256

from certlet.errors import ConfigError, TransportError
from certlet.transport.serial import Serial
from support import raises

URL = "http://ca.example/cmp"


class Wired(Serial):
    """A Serial whose host sends `lines`, one each time it is asked; `written` is what the board wrote."""

    def __init__(self, lines, limit=300):
        Serial.__init__(self, URL, "application/x", 7, limit)
        self.lines = list(lines)
        self.written = []
        self.waiting = b""

    def _open(self):
        pass

    def _byte(self):
        if not self.waiting:
            raise TransportError(661)
        byte = self.waiting[0]
        self.waiting = self.waiting[1:]
        return byte

    def _write(self, text):
        self.written.append(text)
        if text[0] in "EN" and self.lines:
            self.waiting += self.lines.pop(0)


def digest(head, body):
    return b"~E " + hexlify(sha256(head + body).digest()) + b"\n"


def frame(body, head=None, end=b"\n"):
    """The lines of a reply frame."""
    head = head or b"1 0 0 %d" % len(body)
    lines = [b"~R " + head + end]
    for at in range(0, len(body), 96):
        lines.append(b"~D " + b2a_base64(body[at : at + 96])[:-1] + end)
    return lines + [digest(head, body)]


REPLY = bytes(range(200))
GOOD = (
    ("short", frame(b"x"), b"x"),
    ("three lines", frame(REPLY), REPLY),
    ("to the limit", frame(REPLY + REPLY[:100]), REPLY + REPLY[:100]),
    ("CR LF", frame(REPLY, None, b"\r\n"), REPLY),
    ("all at once", [b"".join(frame(REPLY))], REPLY),
    ("other lines between", [b"\r\n>>> hello\r\n" + frame(b"x")[0], b"x\n" + frame(b"x")[1], frame(b"x")[2]], b"x"),
)
BAD = (
    ("nothing", [], 661),
    ("a line without end", [b"~R 1 0 0 1"], 661),
    ("ends after the head", frame(REPLY)[:1], 661),
    ("ends in the data", frame(REPLY)[:2], 661),
    ("ends before the digest", frame(REPLY)[:4], 661),
    ("an endless line", [b"~R " + b"1" * 500 + b"\n"], 662),
    ("another kind of line", [b"~D AAAA\n"], 662),
    ("another request's number", frame(b"x", b"2 0 0 1"), 662),
    ("too few numbers", frame(b"x", b"1 0 1"), 662),
    ("too many numbers", frame(b"x", b"1 0 0 1 1"), 662),
    ("a negative number", frame(b"x", b"1 0 0 -1"), 662),
    ("two spaces", frame(b"x", b"1 0  1"), 662),
    ("a code of no transport", frame(b"", b"1 407 0 0"), 662),
    ("neither code nor message", frame(b"", b"1 0 0 0"), 662),
    ("no base64", [b"~R 1 0 0 1\n", b"~D AAA\n", b""], 662),
    ("an empty data line", [b"~R 1 0 0 1\n", b"~D \n", b""], 662),
    ("more data than announced", frame(b"xy", b"1 0 0 1"), 662),
    ("less data than announced", frame(b"xy", b"1 0 0 3"), 662),
    ("a changed octet", frame(b"x")[:1] + frame(b"y")[1:2] + frame(b"x")[2:], 663),
    ("a changed head", [b"~R 1 0 0 1\n"] + frame(b"x", b"1 0 5 1")[1:], 663),
    ("a changed digest", frame(b"x")[:2] + [b"~E 00\n"], 663),
    ("over the limit", frame(REPLY + REPLY[:101]), 664),
    ("a huge announcement", frame(b"x", b"1 0 0 999999999"), 664),
)


def test_replies():
    for name, lines, expected in GOOD:
        board = Wired(lines)
        assert board.exchange(b"request") == expected, name
        assert board.written[3:] == ["N"] * (1 + (len(expected) + 95) // 96), name


def test_bad_replies():
    for name, lines, code in BAD:
        assert raises(TransportError, code, Wired(lines).exchange, b"request").detail is None, name


def test_errors_of_the_host():
    assert raises(TransportError, 631, Wired(frame(b"", b"1 631 404 0")).exchange, b"x").detail == 404
    assert raises(TransportError, 613, Wired(frame(b"", b"1 613 0 0")).exchange, b"x").detail is None
    assert not raises(ConfigError, 665, Wired(frame(b"", b"1 665 0 0")).exchange, b"x").retry
    raises(TransportError, 663, Wired([b"~R 1 613 0 0\n", digest(b"1 631 404 0", b"")]).exchange, b"x")


def test_requests():
    board = Wired(frame(b"x") + frame(b"y", b"2 0 0 1"))
    assert board.exchange(memoryview(REPLY)) == b"x"
    head = "1 200 300 7 application/x " + URL
    assert board.written[0] == "Q " + head
    assert [line[:2] for line in board.written] == ["Q ", "D ", "D ", "D ", "E ", "N", "N"]
    assert max([len(line) for line in board.written]) == 130
    assert board.written[4] == "E " + hexlify(sha256(head.encode() + REPLY).digest()).decode()
    assert board.exchange(b"z") == b"y"
    assert board.written[7] == "Q 2 1 300 7 application/x " + URL
    assert board.trips == 2


def test_configuration():
    for url in ("coap://h/", "http://h/ x", "http://h/\n~Q"):
        raises(ConfigError, 601, Serial, url, "application/x")
