"""HTTP/1.1 client that posts one message and returns the reply (RFC 9110, RFC 9112; RFC 9811 3 for CMP).

The connection stays open between exchanges. One deadline covers a whole exchange, so a server that drips single bytes
gains nothing. What a server can make us hold: a 512-byte input buffer, one line of 256 bytes, a body of `limit` bytes.

Repeating a POST. A server may have acted on a POST whose reply is lost, so it is sent again in one case only: the
connection was left over from the previous exchange and broke before any byte of a reply. That is how a server's idle
timeout looks from here (RFC 9112 9.3.1). Should the server have acted all the same, it gets the same bytes again: CMP
and SCEP recognise them by their transactionID.
"""

from micropython import const

from ..errors import ConfigError, TransportError
from .url import split
from .wire import Wire

_TLS_ANCHORS = const(602)
_HTTP_CLOSED = const(614)
_HTTP_STATUS_LINE = const(621)
_HTTP_HEADER = const(622)
_HTTP_LENGTH = const(623)
_HTTP_CHUNK = const(624)
_HTTP_LIMIT = const(625)
_HTTP_STATUS = const(631)
_HTTP_TYPE = const(632)
_HTTP_REDIRECT = const(633)

_OVERHEAD = const(16384)  # bytes of one reply that are not body: status lines, headers, chunk sizes, trailers


class Http:
    """Posts messages of one content type to one URL.

    `url` is `http://` or `https://`, a host name, IPv4 address or [IPv6 address], optionally a port, path and query;
    user information and fragments are refused. `anchors` are the DER certificates of the CAs that may vouch for an
    https server; the platform's own list is never used. `client` is (certificate, key) in DER for client
    authentication, on MicroPython only. `timeout` is in seconds for one whole exchange, `limit` in bytes of a reply's
    body. `sent` and `received` count bytes inside TCP or TLS, HTTP headers included; `trips` counts POSTs.

    Raises ConfigError URL_FORM, TLS_ANCHORS.
    """

    def __init__(self, url, content_type, anchors=(), timeout=15, limit=16384, client=None):
        scheme, host, port, authority, target = split(url, {"http": 80, "https": 443})
        tls = scheme == "https"
        if tls and not anchors:
            raise ConfigError(_TLS_ANCHORS)
        self._wire = Wire(host, port, (anchors, client) if tls else None)
        self._head = "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: {}\r\nContent-Length: ".format(
            target, authority, content_type
        )
        self._type = content_type.lower().encode()
        self._timeout = int(timeout * 1000)
        self._limit = limit
        self.trips = 0

    @property
    def sent(self):
        """Bytes sent so far."""
        return self._wire.sent

    @property
    def received(self):
        """Bytes received so far."""
        return self._wire.received

    def close(self):
        """Close the connection; the next exchange opens another."""
        self._wire.close()

    def exchange(self, body):
        """Post `body` (any buffer) and return the body of the reply as bytes.

        A reply of our content type is returned whatever its status, 3xx apart (RFC 9811 3.1: error messages come with
        4xx and 5xx too). Raises TransportError: HTTP_TYPE (2xx with nothing of our type), HTTP_REDIRECT, HTTP_STATUS,
        each with the status as detail, or another code of this module; ConfigError TLS_ANCHORS, TLS_CLIENT.
        """
        wire = self._wire
        wire.start(self._timeout)
        message = (self._head + str(len(body)) + "\r\n\r\n").encode() + body
        while True:
            keep = False
            try:
                reused = wire.open()
                mark = wire.received
                wire.write(message)
                self.trips += 1
                reply, keep = self._reply()
                return reply
            except TransportError as error:
                if not (error.code == _HTTP_CLOSED and reused and wire.received == mark):
                    raise
            finally:
                if not keep:
                    wire.close()

    def _reply(self):
        """Read one reply; return (body, whether the connection may be used again)."""
        wire = self._wire
        wire.overhead = _OVERHEAD
        status = 100
        while status < 200:  # 1xx: interim, the reply is still to come (RFC 9110 15.2)
            status, minor = _status(wire.line())
            length, chunked, kind, keep = self._headers(minor)
        if 300 <= status < 400:
            raise TransportError(_HTTP_REDIRECT, status)
        body = bytearray()
        if kind == self._type and status not in (204, 304):
            if chunked:
                self._chunks(body)
            else:
                self._append(body, length)
        if not body:
            raise TransportError(_HTTP_TYPE if status < 300 else _HTTP_STATUS, status)
        return bytes(body), keep and (chunked or length is not None) and wire.drained()

    def _headers(self, minor):
        """Read header lines up to the empty one; return (Content-Length or None, chunked, content type, keep)."""
        length, chunked, kind, keep, close = None, False, b"", minor > 0, False
        while True:
            line = self._wire.line()
            if not line:
                break
            name, colon, value = line.partition(b":")
            if not (name and colon) or name[0] in b" \t" or name[-1] in b" \t":  # folded lines end here too
                raise TransportError(_HTTP_HEADER)
            name, value = name.lower(), value.strip().lower()
            if name == b"content-length":
                number = _number(value, 10, _HTTP_LENGTH)
                if length not in (None, number):
                    raise TransportError(_HTTP_LENGTH)
                length = number
            elif name == b"transfer-encoding":
                if chunked or value != b"chunked":
                    raise TransportError(_HTTP_LENGTH)
                chunked = True
            elif name == b"content-type":
                kind = value.split(b";")[0].strip()
            elif name == b"connection":
                options = [option.strip() for option in value.split(b",")]
                keep = keep or b"keep-alive" in options
                close = close or b"close" in options
        if chunked and length is not None:  # two answers to where the body ends (RFC 9112 6.3)
            raise TransportError(_HTTP_LENGTH)
        return length, chunked, kind, keep and not close

    def _chunks(self, body):
        """Append a chunked body (RFC 9112 7.1); extensions and trailers are skipped."""
        wire = self._wire
        while True:
            size = _number(wire.line().split(b";")[0].strip(), 16, _HTTP_CHUNK)
            if size == 0:
                break
            self._append(body, size)
            if wire.line():
                raise TransportError(_HTTP_CHUNK)
        while wire.line():
            pass

    def _append(self, body, size):
        """Append `size` bytes to `body`; None: all bytes until the server closes."""
        wire = self._wire
        end = self._limit + 1 if size is None else len(body) + size
        if size is not None and end > self._limit:
            raise TransportError(_HTTP_LIMIT)
        while len(body) < end:
            part = wire.take(end - len(body))
            if not part:
                if size is None:
                    return
                raise TransportError(_HTTP_CLOSED)
            body.extend(part)
        if len(body) > self._limit:
            raise TransportError(_HTTP_LIMIT)


def _status(line):
    """Return (status code, minor version) of a status line (RFC 9112 4)."""
    if not line.startswith(b"HTTP/1.") or line[8:9] != b" " or line[12:13] not in (b"", b" "):
        raise TransportError(_HTTP_STATUS_LINE)
    status = _number(line[9:12], 10, _HTTP_STATUS_LINE)
    minor = _number(line[7:8], 10, _HTTP_STATUS_LINE)
    if not 100 <= status < 600:
        raise TransportError(_HTTP_STATUS_LINE)
    return status, minor


def _number(text, base, code):
    """Return the number that `text` is, digits only (int() takes signs, spaces and underscores); else raise `code`."""
    if not 0 < len(text) <= 15:
        raise TransportError(code)
    number = 0
    for byte in text.lower():
        digit = b"0123456789abcdef".find(bytes((byte,)))
        if not 0 <= digit < base:
            raise TransportError(code)
        number = number * base + digit
    return number
