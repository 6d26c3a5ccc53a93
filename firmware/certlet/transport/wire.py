"""One TCP or TLS connection, read and written against a deadline: all that knows the sockets of both runtimes.

Sockets are non-blocking and every wait ends at the deadline, TLS handshakes included; only the name look-up is out of
its reach. TLS always demands a certificate for the host name under one of the given anchors: there is no other mode.
"""

from micropython import const

from ..errors import ConfigError, TransportError
from .ticks import ticks_diff, ticks_ms

_TLS_ANCHORS = const(602)
_TLS_CLIENT = const(603)
_HTTP_DNS = const(611)
_HTTP_CONNECT = const(612)
_HTTP_TIMEOUT = const(613)
_HTTP_CLOSED = const(614)
_TLS_FAILED = const(615)
_TLS_UNTRUSTED = const(616)
_HTTP_HEADER = const(622)

_INPUT = const(512)  # bytes read from the socket at once
_LINE = const(256)  # bytes kept of a line; what we look for is shorter, the rest of a long line is skipped
_POLLIN = const(1)  # select's, alike on every platform with poll()
_POLLOUT = const(4)


class Wire:
    """A connection to `host` and `port`, made when it is needed.

    `trust` is None for TCP, or (anchors, client) as `transport.http.Http` takes them. Every method may raise
    TransportError. `sent` and `received` count bytes over all connections; `overhead` is how many more bytes `line`
    may read.
    """

    def __init__(self, host, port, trust):
        self._host = host
        self._port = port
        self._trust = trust  # None: plain TCP
        self._context = None
        self._sock = None
        self._input = memoryview(bytearray(_INPUT))
        self._at = self._end = 0  # what is left of the input
        self.sent = self.received = 0
        self.overhead = 0

    def start(self, timeout):
        """Set the deadline, `timeout` milliseconds from now."""
        self._begin, self._timeout = ticks_ms(), timeout

    def _left(self):
        """Return the milliseconds until the deadline; raise HTTP_TIMEOUT after it."""
        left = self._timeout - ticks_diff(ticks_ms(), self._begin)
        if left <= 0:
            raise TransportError(_HTTP_TIMEOUT)
        return left

    def open(self):
        """Connect, unless the last exchange left a connection; return whether it did."""
        if self._sock:
            if not self._poll.poll(0):
                return True
            self.close()  # readable before we asked: closed by the server, or out of step
        import select

        if self._trust and not self._context:
            self._context = _context(*self._trust)
        sock = self._connect()
        self._handshake = bool(self._trust)
        if self._trust:
            try:  # the handshake comes with the first write, so that the deadline covers it
                sock = self._context.wrap_socket(sock, server_hostname=self._host, do_handshake_on_connect=False)
            except (OSError, ValueError):
                sock.close()
                raise TransportError(_TLS_FAILED)
        self._sock = sock
        self._poll = select.poll()
        # A board's sockets are streams; CPython names the same calls differently.
        self._readinto = getattr(sock, "recv_into", None) or sock.readinto
        self._write = getattr(sock, "write", None) or sock.send
        return False

    def _connect(self):
        """Return a non-blocking socket, connected to the first address that answers."""
        import socket

        try:
            found = socket.getaddrinfo(self._host, self._port, 0, socket.SOCK_STREAM)
        except (OSError, ValueError):
            raise TransportError(_HTTP_DNS)
        code = None
        for info in found:
            left = self._left()
            sock = socket.socket(info[0])
            try:
                sock.settimeout(left / 1000)
                sock.connect(info[-1])
                sock.setblocking(False)
                return sock
            except OSError as error:
                sock.close()
                code = error.errno
        self._left()
        raise TransportError(_HTTP_CONNECT, code)

    def close(self):
        """Close the connection, if there is one."""
        sock, self._sock = self._sock, None
        self._at = self._end = 0
        if sock:
            self._poll = self._readinto = self._write = None
            try:
                sock.close()
            except OSError:
                pass  # the peer was faster

    def _transfer(self, call, view, event):
        """Return how many bytes `call(view)` moved, as soon as it can move any before the deadline."""
        while True:
            left = self._left()
            try:
                count = call(view)
            except ValueError:  # the server's certificate, on either runtime
                raise TransportError(_TLS_UNTRUSTED)
            except OSError as error:
                count, event = None, _wanted(error, event)
                if not event:
                    raise TransportError(_TLS_FAILED if self._handshake else _HTTP_CLOSED, error.errno)
            if count is not None:
                return count
            self._poll.register(self._sock, event)
            self._poll.poll(left)

    def write(self, data):
        """Send all of `data`."""
        view = memoryview(data)
        while view:
            count = self._transfer(self._write, view, _POLLOUT)
            self._handshake = False
            self.sent += count
            view = view[count:]
        self._poll.register(self._sock, _POLLIN)

    def _fill(self):
        """Read into the empty input; return whether there was anything before the end of the connection."""
        self._at = 0
        self._end = self._transfer(self._readinto, self._input, _POLLIN)
        self.received += self._end
        return self._end > 0

    def take(self, size):
        """Return a view of up to `size` bytes, empty at the end of the connection; valid until the next call."""
        if self._at == self._end and not self._fill():
            return b""
        start = self._at
        self._at = min(self._end, start + size)
        return self._input[start : self._at]

    def line(self):
        """Return the next line without its end, cut to 256 bytes.

        Raises HTTP_CLOSED at the end of the connection, HTTP_HEADER when `overhead` is used up.
        """
        line = bytearray()
        while True:
            if self._at == self._end and not self._fill():
                raise TransportError(_HTTP_CLOSED)
            byte = self._input[self._at]
            self._at += 1
            self.overhead -= 1
            if self.overhead < 0:
                raise TransportError(_HTTP_HEADER)
            if byte == 10:
                break
            if len(line) < _LINE:
                line.append(byte)
        line = bytes(line)
        return line[:-1] if line.endswith(b"\r") else line

    def drained(self):
        """Return whether all that was received has been used."""
        return self._at == self._end


def _wanted(error, event):
    """Return the poll event that a non-blocking call waits for, None if `error` is a real one."""
    import errno

    name = type(error).__name__
    if name == "SSLWantReadError":  # CPython; MicroPython's poll() on a TLS socket knows by itself
        return _POLLIN
    if name == "SSLWantWriteError":
        return _POLLOUT
    return event if error.errno == errno.EAGAIN else None


def _context(anchors, client):
    """Return a TLS context that demands a server certificate for the host name, issued under one of `anchors`."""
    try:
        import tls as ssl  # MicroPython's own; its `ssl` is a wrapper that resets verify_mode
    except ImportError:
        import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    cpython = hasattr(context, "check_hostname")
    for index, anchor in enumerate(anchors):
        try:
            if cpython:
                context.load_verify_locations(cadata=bytes(anchor))
            else:
                context.load_verify_locations(anchor)  # each call adds one certificate
        except (OSError, ValueError):
            raise ConfigError(_TLS_ANCHORS, index)
    if client:
        try:
            context.load_cert_chain(*client)
        except (OSError, ValueError, TypeError):
            raise ConfigError(_TLS_CLIENT)
    return context
