"""CoAP client that posts one message and returns the reply (RFC 7252 over UDP, RFC 7959; RFC 9482 for CMP).

Each request is confirmable and waited for before the next one goes out; what does not fit a datagram goes and comes in
blocks. One deadline covers a whole exchange. What a server can make us hold: one datagram, a body of `limit` bytes.

Who can spoof datagrams can end an exchange, and no more: what an answer holds is checked by the protocol above. A
request that is sent again keeps its message ID, by which the server knows it (RFC 7252 4.2).
"""

import os
from binascii import unhexlify
from errno import EAGAIN

from micropython import const

from ..errors import ConfigError, TransportError
from .ticks import ticks_diff, ticks_ms
from .url import split

_URL_FORM = const(601)
_HTTP_DNS = const(611)
_COAP_FORMAT = const(641)
_COAP_UNREACHABLE = const(642)
_COAP_TIMEOUT = const(643)
_COAP_RESET = const(644)
_COAP_OPTION = const(645)
_COAP_BLOCK = const(646)
_COAP_LIMIT = const(647)
_COAP_STATUS = const(648)
_COAP_TYPE = const(649)

_CON = const(0)  # message types (RFC 7252 3)
_ACK = const(2)
_RST = const(3)
_POST = const(2)  # codes: class in the upper 3 bits, detail in the lower 5 (RFC 7252 12.1)
_CONTINUE = const(0x5F)  # 2.31
_TOO_LARGE = const(0x8D)  # 4.13
_URI_HOST = const(3)  # options (RFC 7252 5.10, RFC 7959 2.1)
_ETAG = const(4)
_URI_PATH = const(11)
_CONTENT_FORMAT = const(12)
_URI_QUERY = const(15)
_BLOCK2 = const(23)
_BLOCK1 = const(27)
_SIZE1 = const(60)

_ACK_TIMEOUT = const(2000)  # ms; times 1 to 1.5 by chance, then doubled with each retransmission (RFC 7252 4.8)
_MAX_RETRANSMIT = const(4)
_DATAGRAM = const(1280)  # bytes of the longest one that we take: a block of 1024 and ample options
_POLLIN = const(1)

_FORMATS = (("application/pkixcmp", 259),)  # Content-Formats (IANA, RFC 9482 4)


class Coap:
    """Posts messages of one content type to one URL.

    `url` is `coap://`, a host name, IPv4 address or [IPv6 address], optionally a port, path and query. `timeout` is in
    seconds for one whole exchange, `limit` in bytes of a reply's body, `block` in bytes of the largest block: 16, 32
    and so on to 1024; a server may ask for smaller ones. `sent` and `received` count bytes inside UDP, retransmissions
    and duplicates included; `trips` counts requests, one for each block.

    Raises ConfigError URL_FORM, COAP_FORMAT.
    """

    def __init__(self, url, content_type, timeout=15, limit=16384, block=1024):
        _, self._host, self._port, _, target = split(url, {"coap": 5683})
        self._format = dict(_FORMATS).get(content_type)
        if self._format is None:
            raise ConfigError(_COAP_FORMAT)
        self._options = _target_options(self._host, target) + [(_CONTENT_FORMAT, uint(self._format))]
        self._options.sort(key=_number_of)
        self._timeout = int(timeout * 1000)
        self._limit = limit
        self._szx = 0
        while 32 << self._szx <= min(block, 1024):
            self._szx += 1
        self._number = int.from_bytes(os.urandom(2), "big")  # of the last message
        self.sent = self.received = self.trips = 0

    def close(self):
        """Nothing is open between exchanges."""

    def exchange(self, body):
        """Post `body` (any buffer) and return the body of the reply as bytes.

        A reply of our content type is returned whatever its code, as with HTTP. Raises TransportError: COAP_STATUS
        with the code as detail (404 for 4.04), or another code of this module.
        """
        self._begin = ticks_ms()
        self._szx_now = self._szx
        self._answered = None  # number of the last separate response that we acknowledged
        self._connect()
        try:
            return self._download(self._upload(memoryview(body)))
        finally:
            self._poll = None
            self._sock.close()

    # Blocks (RFC 7959)

    def _upload(self, body):
        """Send `body`, in blocks if it is too long for one; return (code, options, payload) of the last response."""
        at = 0
        while True:
            szx = self._szx_now
            part = body[at : at + (16 << szx)]
            end = at + len(part)
            more = end < len(body)
            options = []
            if more or at:
                options.append((_BLOCK1, block(at >> (szx + 4), more, szx)))
            if more and not at:
                options.append((_SIZE1, uint(len(body))))
            if not more and szx < 6:
                options.append((_BLOCK2, block(0, False, szx)))  # the reply's first block, too, shall suit us
            response = self._request(options, part)
            code, found, _ = response
            asked = unblock(found.get(_BLOCK1))
            if code == _TOO_LARGE and asked and asked[2] < szx:
                self._szx_now, at = asked[2], 0  # RFC 7959 2.9.3: again, in smaller blocks
                continue
            if code >> 5 != 2 or not (more or code == _CONTINUE):
                return response
            good = more and code == _CONTINUE and asked
            if not good or asked[2] > szx or (asked[2] == szx and asked[0] << (szx + 4) != at):
                raise TransportError(_COAP_BLOCK)
            self._szx_now, at = asked[2], end

    def _download(self, response):
        """Return the body of which `response` is the first part, fetching the others."""
        code, found, payload = response
        body = bytearray()
        etag = found.get(_ETAG)
        kind = _unsigned(found.get(_CONTENT_FORMAT))
        if not payload or kind != self._format:
            raise TransportError(_COAP_TYPE if code >> 5 == 2 else _COAP_STATUS, _decimal(code))
        while True:
            if len(body) + len(payload) > self._limit:
                raise TransportError(_COAP_LIMIT)
            number, more, szx = unblock(found.get(_BLOCK2)) or (0, False, 6 if not body else 7)
            if szx > 6 or number << (szx + 4) != len(body) or found.get(_ETAG) != etag:
                raise TransportError(_COAP_BLOCK)
            if more and len(payload) != 16 << szx:
                raise TransportError(_COAP_BLOCK)
            body.extend(payload)
            if not more:
                return bytes(body)
            self._szx_now = min(szx, self._szx_now)
            options = [(_BLOCK2, block(len(body) >> (self._szx_now + 4), False, self._szx_now))]
            status, found, payload = self._request(options, b"")
            if status != code:
                raise TransportError(_COAP_STATUS, _decimal(status))

    # One request and its response (RFC 7252 4.2, 5.2, 5.3)

    def _request(self, options, payload):
        """Send a confirmable POST until it is answered; return (code, options, payload) of the response."""
        token = os.urandom(4)
        self._number = (self._number + 1) & 0xFFFF
        options = self._options + options
        options.sort(key=_number_of)
        message = encode(_CON, _POST, self._number, token, options, payload)
        wait = _ACK_TIMEOUT + int.from_bytes(os.urandom(2), "big") % (_ACK_TIMEOUT // 2)
        again = _MAX_RETRANSMIT  # retransmissions left, None once the server has the request
        self.trips += 1
        self._send(message)
        start = ticks_ms()
        while True:
            due = None if again is None else wait - ticks_diff(ticks_ms(), start)
            datagram = self._receive(due)
            if datagram is None:
                if not again:
                    raise TransportError(_COAP_TIMEOUT)
                again -= 1
                wait *= 2
                start = ticks_ms()
                self._send(message)
                continue
            response = self._match(decode(datagram), token)
            if response is True:
                again = None
            elif response:
                return response

    def _match(self, message, token):
        """Return (code, options, payload) if `message` is our response, True for its empty announcement, else None."""
        if message is None:  # not CoAP: as if it had not come (RFC 7252 3)
            return None
        kind, code, number, its_token, options, payload = message
        ours = number == self._number
        if kind == _RST:
            if ours:
                raise TransportError(_COAP_RESET)
            return None
        if kind == _ACK and code == 0:
            return True if ours else None
        if code >> 5 not in (2, 4, 5) or its_token != token or (kind == _ACK and not ours):
            if kind == _CON:  # what we have had is acknowledged again, anything else refused (RFC 7252 4.2)
                self._send(encode(_ACK if number == self._answered else _RST, 0, number))
            return None
        if kind == _CON:
            self._answered = number
            self._send(encode(_ACK, 0, number))
        for option in options:
            if option & 1 and option not in (_BLOCK1, _BLOCK2):  # critical and unknown (RFC 7252 5.4.1)
                raise TransportError(_COAP_OPTION, option)
        return code, options, payload

    # Datagrams

    def _connect(self):
        """Open a socket that takes datagrams of the server only."""
        import select
        import socket

        try:
            info = socket.getaddrinfo(self._host, self._port, 0, socket.SOCK_DGRAM)[0]
        except (OSError, ValueError, IndexError):
            raise TransportError(_HTTP_DNS)
        self._sock = socket.socket(info[0], socket.SOCK_DGRAM)
        try:
            self._sock.connect(info[-1])
            self._sock.setblocking(False)
        except OSError as error:
            self._sock.close()
            raise TransportError(_COAP_UNREACHABLE, error.errno)
        self._poll = select.poll()
        self._poll.register(self._sock, _POLLIN)

    def _send(self, message):
        try:
            self.sent += self._sock.send(message)
        except OSError as error:
            raise TransportError(_COAP_UNREACHABLE, error.errno)

    def _receive(self, due):
        """Return the next datagram, None if none comes in `due` milliseconds (None: before the deadline)."""
        left = self._timeout - ticks_diff(ticks_ms(), self._begin)
        if left <= 0:
            raise TransportError(_COAP_TIMEOUT)
        wait = left if due is None else min(left, max(due, 0))
        if not self._poll.poll(wait):
            if wait == left:
                raise TransportError(_COAP_TIMEOUT)
            return None
        try:
            datagram = self._sock.recv(_DATAGRAM + 1)
        except OSError as error:
            if error.errno == EAGAIN:  # the system dropped it after all
                return b""
            raise TransportError(_COAP_UNREACHABLE, error.errno)  # a closed port shows like this (ICMP)
        self.received += len(datagram)
        if len(datagram) > _DATAGRAM:
            raise TransportError(_COAP_LIMIT)
        return datagram


def encode(kind, code, number, token=b"", options=(), payload=b""):
    """Return a message (RFC 7252 3); `options` are (number, value) in the order of their numbers."""
    out = bytearray((0x40 | kind << 4 | len(token), code, number >> 8, number & 0xFF))
    out.extend(token)
    last = 0
    for option, value in options:
        delta, delta_more = _nibble(option - last)
        length, length_more = _nibble(len(value))
        out.append(delta << 4 | length)
        out.extend(delta_more)
        out.extend(length_more)
        out.extend(value)
        last = option
    if payload:
        out.append(0xFF)
        out.extend(payload)
    return bytes(out)


def decode(datagram):
    """Return (type, code, number, token, options, payload) of a datagram, None if it is not well-formed (RFC 7252 3).

    `options` is a dict; of an elective option that comes more than once the first counts, a critical one must not.
    """
    size = len(datagram)
    if size < 4 or datagram[0] >> 6 != 1 or datagram[0] & 15 > 8:
        return None
    kind, code, at = datagram[0] >> 4 & 3, datagram[1], 4 + (datagram[0] & 15)
    if at > size or (code == 0 and size > 4):
        return None
    token = datagram[4:at]
    option, options, payload = 0, {}, b""
    while at < size:
        head = datagram[at]
        at += 1
        if head == 0xFF:
            payload = datagram[at:]
            if not payload:
                return None
            break
        delta, at = _extended(head >> 4, datagram, at)
        length, at = _extended(head & 15, datagram, at)
        if at is None or at + length > size:
            return None
        option += delta
        if option in options and option & 1:
            return None
        options[option] = options.get(option, datagram[at : at + length])
        at += length
    return kind, code, datagram[2] << 8 | datagram[3], token, options, payload


def _nibble(value):
    """Return (4-bit value, further bytes) of an option's delta or length (RFC 7252 3.1)."""
    if value < 13:
        return value, b""
    if value < 269:
        return 13, bytes((value - 13,))
    return 14, (value - 269).to_bytes(2, "big")


def _extended(value, datagram, at):
    """Return (delta or length, where the datagram goes on); (0, None) if there is none."""
    size = {13: 1, 14: 2, 15: 9}.get(value, 0)
    if at is None or at + size > len(datagram) or size > 2:
        return 0, None
    if size:
        value = int.from_bytes(datagram[at : at + size], "big") + (13 if size == 1 else 269)
    return value, at + size


def uint(value):
    """Return the shortest bytes of a number, none for 0 (RFC 7252 3.2)."""
    out = value.to_bytes(4, "big")
    while out[:1] == b"\0":
        out = out[1:]
    return out


def block(number, more, szx):
    """Return the value of a Block option (RFC 7959 2.2); a block has 16 << szx bytes."""
    return uint(number << 4 | more << 3 | szx)


def unblock(value):
    """Return (number, whether more blocks follow, szx) of a Block option, None if it is absent; raise COAP_BLOCK."""
    if value is None:
        return None
    number = _unsigned(value)
    if len(value) > 3 or number & 7 == 7:  # szx 7 is for TCP (RFC 8323)
        raise TransportError(_COAP_BLOCK)
    return number >> 4, bool(number & 8), number & 7


def _unsigned(value):
    return None if value is None else int.from_bytes(value, "big")


def _decimal(code):
    """Return a code as people write it, without the dot: 404 for 4.04."""
    return (code >> 5) * 100 + (code & 31)


def _number_of(option):
    return option[0]


def _target_options(host, target):
    """Return the options that name the target (RFC 7252 6.4); an address needs no Uri-Host."""
    path, _, query = target.partition("?")
    options = []
    if not (":" in host or all(c in "0123456789." for c in host)):
        options.append((_URI_HOST, host.lower().encode()))
    if path != "/":
        options += [(_URI_PATH, _unescaped(part)) for part in path[1:].split("/")]
    if query:
        options += [(_URI_QUERY, _unescaped(part)) for part in query.split("&")]
    return options


def _unescaped(text):
    """Return the bytes of a part of a URL, %XX decoded; raise ConfigError URL_FORM."""
    pieces = text.encode().split(b"%")
    out = bytearray(pieces[0])
    for piece in pieces[1:]:
        try:
            out.extend(unhexlify(piece[:2]))
        except ValueError:
            raise ConfigError(_URL_FORM)
        if len(piece) < 2:
            raise ConfigError(_URL_FORM)
        out.extend(piece[2:])
    if len(out) > 255:
        raise ConfigError(_URL_FORM)
    return bytes(out)
