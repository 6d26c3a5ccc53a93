"""Posts by HTTP for a board that has no network: takes request frames from its console, answers with reply frames.

The frames are those of firmware/SPEC.md. A board decides nothing here but the content of a message: the one URL that it
may name is the one that the user named.
"""

import base64
import binascii
import hashlib
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from .credentials import InputError
from .results import write_whole

CMP = "application/pkixcmp"
MAX_BODY = 65536

# Codes of firmware/certlet/errors.py, which is where the board raises them.
URL_FORM, DNS, CONNECT, TIMEOUT, CLOSED, TLS_FAILED, TLS_UNTRUSTED = 601, 611, 612, 613, 614, 615, 616
STATUS_LINE, HEADER, LIMIT, STATUS, TYPE, REDIRECT = 621, 622, 625, 631, 632, 633
FRAME, DAMAGED, REFUSED = 662, 663, 665

_OCTETS = 96  # of the message in one line
_MAX_LINES = 2000


class PostError(Exception):
    """A post that brought no reply: an error code of the device and its detail, 0 for none."""

    def __init__(self, code: int, detail: int | None = 0):
        super().__init__(code, detail)
        self.code = code
        self.detail = detail or 0


def post(
    url: str, body: bytes, *, content_type: str = CMP, anchors: Sequence[str] = (), timeout: float = 15,
    limit: int = MAX_BODY,
) -> bytes:  # fmt: skip
    """Post `body` and return the body of the reply; raise PostError.

    The rules are those of the device's own client: a reply of our content type counts whatever its status, redirects
    apart, which are not followed. An https server must have a certificate for its name under one of `anchors` (PEM), or
    if there are none, under one that the system trusts. `timeout` is in seconds for all of it but the name look-up.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (KeyError, ValueError):
        raise PostError(URL_FORM) from None
    if not parts.hostname or parts.username is not None or parts.fragment or not re.fullmatch(r"[!-~]+", url):
        raise PostError(URL_FORM)
    context = _context(anchors) if parts.scheme == "https" else None
    end = time.monotonic() + timeout
    sock = _connect(parts.hostname, port, end)
    watch = _Watch(sock, end)
    try:
        if context:
            sock = watch.sock = context.wrap_socket(
                sock, server_hostname=parts.hostname, do_handshake_on_connect=False
            )
            _handshake(sock)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = {"Host": parts.netloc, "Content-Type": content_type, "Connection": "close"}
        return _exchange(sock, target, body, head, limit)
    finally:
        watch.cancel()
        sock.close()
        if watch.expired:  # whatever it looked like: a body without a length ends where it was cut
            raise PostError(TIMEOUT) from None


def post_file(source: Path, url: str, out: Path, *, anchors: Sequence[str] = (), timeout: float = 60) -> int:
    """Post the message in `source` and write the reply to `out`, whole or not at all; return its length.

    Raises PostError, InputError.
    """
    with source.open("rb") as file:
        body = file.read(MAX_BODY + 1)
    if not 0 < len(body) <= MAX_BODY:
        raise InputError(f"{source} is empty or longer than {MAX_BODY} bytes; nothing was sent")
    reply = post(url, body, anchors=anchors, timeout=timeout)
    write_whole(out, reply)
    return len(reply)


def _context(anchors: Sequence[str]) -> ssl.SSLContext:
    """A context that demands a certificate for the host name under one of `anchors`, or else the system's."""
    try:
        return ssl.create_default_context(cadata="\n".join(anchors) or None)
    except (ssl.SSLError, ValueError):
        raise PostError(TLS_UNTRUSTED) from None


def _connect(host: str, port: int, end: float) -> socket.socket:
    try:
        return socket.create_connection((host, port), max(0.001, end - time.monotonic()))
    except (socket.gaierror, UnicodeError):
        raise PostError(DNS) from None
    except TimeoutError:
        raise PostError(TIMEOUT) from None
    except OSError as error:
        raise PostError(CONNECT, error.errno) from None


class _Watch:
    """Cuts the connection at the deadline: a server that drips bytes gains nothing."""

    def __init__(self, sock: socket.socket, end: float):
        self.sock = sock
        self.expired = False
        sock.settimeout(max(0.001, end - time.monotonic()) + 1)
        self._timer = threading.Timer(max(0.0, end - time.monotonic()), self._expire)
        self._timer.daemon = True
        self._timer.start()

    def _expire(self) -> None:
        self.expired = True
        with suppress(OSError):  # past SSLSocket.shutdown(), which would take TLS off the connection
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def cancel(self) -> None:
        self._timer.cancel()


def _handshake(sock: ssl.SSLSocket) -> None:
    try:
        sock.do_handshake()
    except ssl.SSLCertVerificationError:
        raise PostError(TLS_UNTRUSTED) from None
    except OSError as error:  # SSLError is one
        raise PostError(TLS_FAILED, error.errno) from None


def _exchange(sock: socket.socket, target: str, body: bytes, head: dict[str, str], limit: int) -> bytes:
    """Send one request over `sock`, read the reply and judge it."""
    connection = http.client.HTTPConnection("")
    connection.sock = sock
    try:
        connection.request("POST", target, body, head)
        response = connection.getresponse()
        if 300 <= response.status < 400:
            raise PostError(REDIRECT, response.status)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        reply = response.read(limit + 1) if kind == head["Content-Type"] else b""
        cut = response.length  # what is left of Content-Length
    except http.client.RemoteDisconnected:
        raise PostError(CLOSED) from None
    except http.client.BadStatusLine:
        raise PostError(STATUS_LINE) from None
    except http.client.IncompleteRead:
        raise PostError(CLOSED) from None
    except http.client.HTTPException:
        raise PostError(HEADER) from None
    except OSError as error:
        raise PostError(CLOSED, error.errno) from None
    if len(reply) > limit:
        raise PostError(LIMIT)
    if reply and cut:
        raise PostError(CLOSED)
    if not reply:
        raise PostError(TYPE if response.status < 300 else STATUS, response.status)
    return reply


@dataclass
class Relay:
    """Answers the frames of one board, line by line: called with what the board prints, returns what to write back.

    `url` is all that the board may post to, `content_type` all that it may post; `anchors` are as in `post`. `timeout`
    (seconds), `limit` and `request_limit` (bytes of a reply and a request) bound what a board may ask for itself.
    """

    url: str
    content_type: str = CMP
    anchors: Sequence[str] = ()
    timeout: int = 60
    limit: int = MAX_BODY
    request_limit: int = MAX_BODY
    posts: int = 0
    _head: str | None = field(default=None, repr=False)
    _body: list[bytes] = field(default_factory=list, repr=False)
    _reply: list[bytes] = field(default_factory=list, repr=False)

    def __call__(self, line: str) -> bytes | None:
        """Return the line to write to the board; None if `line` asks for none."""
        kind, rest = line[:3], line[3:]
        if kind == "~Q ":
            self._head, self._body, self._reply = rest, [], []
        elif kind == "~D " and self._head is not None and len(self._body) < _MAX_LINES:
            self._body.append(rest.encode())
        elif kind == "~E " and self._head is not None:
            self._answer(rest)
            return self._reply.pop(0)
        elif line == "~N" and self._reply:
            return self._reply.pop(0)
        return None

    def _answer(self, digest: str) -> None:
        """Do what the request frame asks for and make the lines of the reply frame."""
        head, self._head = self._head or "", None
        number, code, detail, body = 0, 0, 0, b""
        try:
            match = re.fullmatch(r"(\d{1,9}) (\d{1,9}) (\d{1,9}) (\d{1,4}) (\S+) (\S+)", head, re.A)
            if match is None:
                raise PostError(FRAME)
            number, size, limit, timeout = map(int, match.groups()[:4])
            request = _join(self._body)
            if len(request) != size or _digest(head.encode(), request) != digest.encode():
                raise PostError(DAMAGED)
            if match[6] != self.url or match[5] != self.content_type or size > self.request_limit:
                raise PostError(REFUSED)
            self.posts += 1
            body = post(
                self.url, request, content_type=self.content_type, anchors=self.anchors,
                timeout=min(timeout, self.timeout), limit=min(limit, self.limit),
            )  # fmt: skip
        except PostError as error:
            code, detail = error.code, error.detail
        first = f"{number} {code} {detail} {len(body)}".encode()
        data = [base64.b64encode(body[at : at + _OCTETS]) for at in range(0, len(body), _OCTETS)]
        self._reply = [
            b"~R " + first + b"\n", *(b"~D " + line + b"\n" for line in data), b"~E " + _digest(first, body) + b"\n"
        ]  # fmt: skip


def _join(lines: list[bytes]) -> bytes:
    try:
        return b"".join(base64.b64decode(line, validate=True) for line in lines)
    except binascii.Error:
        raise PostError(DAMAGED) from None


def _digest(head: bytes, body: bytes) -> bytes:
    return hashlib.sha256(head + body).hexdigest().encode()
