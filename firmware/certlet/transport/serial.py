"""Posts by way of the host at the other end of the console: for boards without a network. Frames: firmware/SPEC.md.

Requests go out on standard output, replies come in on standard input, while code runs that the host started over the
raw REPL. All is text in short lines: octet 03 in a reply would otherwise interrupt the program, as Ctrl-C does and
still shall. The host sends each line of a reply only when asked, because a board's input buffer holds no more than one
(260 octets on most ports) and a UART has no flow control.
"""

import sys
from binascii import a2b_base64, b2a_base64, hexlify
from hashlib import sha256

from micropython import const

from ..errors import ConfigError, TransportError
from .ticks import ticks_diff, ticks_ms
from .url import split

_SERIAL_TIMEOUT = const(661)
_SERIAL_FRAME = const(662)
_SERIAL_DAMAGED = const(663)
_SERIAL_LIMIT = const(664)
_RELAY_REFUSED = const(665)

_OCTETS = const(96)  # of the message in one line: 128 characters
_LINE = const(160)  # characters of the longest line that the host may send
_GRACE = const(5000)  # ms that the host may take beyond its own time limit
_POLLIN = const(1)


class Serial:
    """Posts messages of one content type to one URL; the host decides whether it does that for us.

    `url`, `content_type` and `limit` (bytes of a reply's body) are as in `transport.http.Http`, `timeout` is in seconds
    for the host's exchange with the server. `sent` and `received` count characters on the line, `trips` requests.

    Raises ConfigError URL_FORM.
    """

    def __init__(self, url, content_type, timeout=15, limit=16384):
        split(url, {"http": 80, "https": 443})
        self._head = "{} {} {} {}".format(limit, timeout, content_type, url)
        self._timeout = int(timeout * 1000) + _GRACE
        self._limit = limit
        self._number = 0
        self._poll = None
        self.sent = self.received = self.trips = 0

    def close(self):
        """Nothing is open between exchanges."""

    def exchange(self, body):
        """Have the host post `body` (any buffer) and return the body of the reply as bytes.

        Raises TransportError with the codes of `transport.http` as the host reports them, or another code of this
        module; ConfigError RELAY_REFUSED.
        """
        self._begin = ticks_ms()
        self._open()
        self._number += 1
        self.trips += 1
        head = "{} {} {}".format(self._number, len(body), self._head)
        digest = sha256(head.encode())
        digest.update(body)
        self._write("Q " + head)
        body = memoryview(body)
        for at in range(0, len(body), _OCTETS):
            self._write("D " + b2a_base64(body[at : at + _OCTETS])[:-1].decode())
        self._write("E " + hexlify(digest.digest()).decode())
        return self._reply()

    def _reply(self):
        """Read the reply frame; return its body, or raise the error that it reports."""
        head = self._line(b"R ")
        number, code, detail, size = _numbers(head)
        if number != self._number or not (code == 0 or 600 < code < 700):
            raise TransportError(_SERIAL_FRAME)
        if size > self._limit:
            raise TransportError(_SERIAL_LIMIT)
        digest = sha256(head)
        body = bytearray()
        while len(body) < size:
            self._write("N")
            try:
                part = a2b_base64(self._line(b"D "))
            except ValueError:
                raise TransportError(_SERIAL_FRAME)
            if not 0 < len(part) <= size - len(body):
                raise TransportError(_SERIAL_FRAME)
            digest.update(part)
            body.extend(part)
        self._write("N")
        if self._line(b"E ") != hexlify(digest.digest()):
            raise TransportError(_SERIAL_DAMAGED)
        if code == _RELAY_REFUSED:
            raise ConfigError(code)
        if code:
            raise TransportError(code, detail or None)
        if not body:
            raise TransportError(_SERIAL_FRAME)
        return bytes(body)

    def _line(self, kind):
        """Return what follows `kind` in the next line that begins with a tilde; others belong to the terminal."""
        while True:
            line = bytearray()
            while True:
                byte = self._byte()
                if byte == 10:
                    break
                if byte != 13:
                    line.append(byte)
                if len(line) > _LINE:
                    raise TransportError(_SERIAL_FRAME)
            if line[:1] == b"~":
                if line[1 : 1 + len(kind)] != kind:
                    raise TransportError(_SERIAL_FRAME)
                return bytes(line[1 + len(kind) :])

    def _open(self):
        """Find the console; forget what it holds from an exchange that was broken off."""
        if not self._poll:
            import select

            self._input = sys.stdin.buffer
            self._poll = select.poll()
            self._poll.register(self._input, _POLLIN)
            self._one = bytearray(1)
        for _ in range(1024):
            if not (self._poll.poll(0) and self._input.readinto(self._one)):
                break

    def _byte(self):
        """Return the next octet of the console."""
        left = self._timeout - ticks_diff(ticks_ms(), self._begin)
        if left <= 0 or not self._poll.poll(left) or not self._input.readinto(self._one):
            raise TransportError(_SERIAL_TIMEOUT)
        self.received += 1
        return self._one[0]

    def _write(self, text):
        self.sent += sys.stdout.write("~" + text + "\n")


def _numbers(line):
    """Return the four decimal numbers of a reply's head line; raise SERIAL_FRAME."""
    words = line.split(b" ")
    if len(words) != 4 or not all(0 < len(word) < 10 and all(48 <= c <= 57 for c in word) for word in words):
        raise TransportError(_SERIAL_FRAME)
    return [int(word) for word in words]
