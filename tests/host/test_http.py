"""The device's HTTP client, on both runtimes, against a server that plays a script over real sockets.

A script lists connections; a connection lists what the server does after each request: bytes to send, or a function of
the socket. After its last entry the server closes the connection, or with WAIT leaves that to the client.
"""

import datetime
import ipaddress
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from host.runtimes import BOTH, on_unix

TYPE = "application/pkixcmp"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\n"
WAIT = None


def reply(body: bytes = b"reply", head: bytes = HEAD) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(text: bytes) -> bytes:
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + text


def status(number: int, kind: bytes, body: bytes = b"text", more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %d x\r\nContent-Type: %s\r\n%s" % (number, kind, more)
    return reply(body, head)


def repeat(data: bytes, start: bytes, pause: float = 0):
    """Send `start`, then `data` for ever."""

    def play(sock: socket.socket) -> None:
        sock.sendall(start)
        while True:
            sock.sendall(data)
            time.sleep(pause)

    return play


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def silence(sock: socket.socket) -> None:
    while sock.recv(4096):
        pass


class Server:
    """Plays a script on a free port; `requests` holds the requests as they came, `opened` counts connections."""

    def __init__(self, script, context: ssl.SSLContext | None = None):
        self.script, self.context = script, context
        self.requests: list[bytes] = []
        self.opened = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)
        assert not self.thread.is_alive()

    def run(self) -> None:
        for entries in self.script:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.opened += 1
            sock.settimeout(10)
            with sock:
                try:
                    if self.context:
                        sock = self.context.wrap_socket(sock, server_side=True)
                    with sock:
                        self.talk(sock, entries)
                except OSError:
                    continue  # the client went away, as many rows want it to

    def talk(self, sock: socket.socket, entries) -> None:
        for entry in entries:
            if entry is WAIT:
                sock.recv(1)
                return
            request = self.request(sock)
            if not request:
                return
            self.requests.append(request)
            if callable(entry):
                entry(sock)
            else:
                sock.sendall(entry)

    @staticmethod
    def request(sock: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data or len(data) < data.index(b"\r\n\r\n") + 4 + length(data):
            part = sock.recv(4096)
            if not part:
                return b""
            data += part
        return data


def length(request: bytes) -> int:
    return int(request.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])


@pytest.fixture(**BOTH)
def post(request):
    return request.param


def error(code: int, detail: int | None = None) -> list:
    return ["TransportError", code, detail]


OK = "reply"
FINE = [reply(), WAIT]
# name, script, results; one exchange for each result
ROWS = [
    ("length", [FINE], [OK]),
    ("kept alive", [[reply(), reply(b"two"), reply(b"three")]], [OK, "two", "three"]),
    ("type in capitals", [[reply(head=b"HTTP/1.1 200\r\ncontent-TYPE:Application/PKIXCMP ; v=1\r\n")]], [OK]),
    ("bare LF", [[reply().replace(b"\r\n", b"\n")]], [OK]),
    ("until close", [[HEAD + b"\r\nreply"]], [OK]),
    ("HTTP/1.0 until close", [[HEAD.replace(b"1.1", b"1.0") + b"\r\nreply"], FINE], [OK, OK]),
    ("HTTP/1.0 with a length", [[reply(head=HEAD.replace(b"1.1", b"1.0")), WAIT], FINE], [OK, OK]),
    (
        "HTTP/1.0 kept alive",
        [[reply(head=HEAD.replace(b"1.1", b"1.0") + b"Connection: Keep-Alive\r\n"), reply(b"two")]],
        [OK, "two"],
    ),
    ("connection: close", [[reply(head=HEAD + b"Connection: x, Close\r\n"), WAIT], FINE], [OK, OK]),
    ("closed while idle", [[reply()], FINE], [OK, OK]),
    ("closed on the second request", [[reply(), lambda sock: None], [reply(b"again")]], [OK, "again"]),
    ("reset on the second request", [[reply(), reset], [reply(b"again")]], [OK, "again"]),
    ("closed on every second request", [[reply(), reset], [reset], FINE], [OK, error(614)]),
    ("closed after one byte of the second reply", [[reply(), b"H"], FINE], [OK, error(614)]),
    ("closed on the first request", [[lambda sock: None], FINE], [error(614), OK]),
    ("bytes after the reply", [[reply() + b"HTTP/1.1 200 OK\r\n", WAIT], FINE], [OK, OK]),
    ("100 and 103 first", [[b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + reply()]], [OK]),
    ("chunked", [[chunked(b"3\r\nrep\r\n02;a=b;c\r\nly\r\n0\r\n\r\n"), reply(b"two")]], [OK, "two"]),
    ("chunked with trailers", [[chunked(b"5\r\nreply\r\n0\r\nA: b\r\nC: d\r\n\r\n"), reply(b"two")]], [OK, "two"]),
    ("one-byte chunks", [[chunked(b"1\r\nx\r\n" * 2000 + b"0\r\n\r\n")]], ["x" * 2000]),
    ("chunked to the limit", [[chunked(b"4000\r\n" + b"x" * 16384 + b"\r\n0\r\n\r\n")]], ["x" * 16384]),
    ("exactly the limit", [[reply(b"x" * 16384)]], ["x" * 16384]),
    ("until close, exactly the limit", [[HEAD + b"\r\n" + b"x" * 16384]], ["x" * 16384]),
    ("a long header line", [[reply(head=HEAD + b"X: " + b"x" * 8000 + b"\r\n")]], [OK]),
    ("the same length twice", [[reply(head=HEAD + b"Content-Length: 5\r\n")]], [OK]),
    ("400 with a message", [[status(400, b"application/pkixcmp", b"reply")]], [OK]),
    ("503 with a message", [[status(503, b"application/pkixcmp", b"reply")]], [OK]),
    ("200 with a page", [[status(200, b"text/html"), WAIT], FINE], [error(632, 200), OK]),
    ("200 without a body", [[reply(b"")]], [error(632, 200)]),
    ("204", [[b"HTTP/1.1 204 No Content\r\nContent-Type: application/pkixcmp\r\n\r\n", WAIT]], [error(632, 204)]),
    ("404 with a page", [[status(404, b"text/html")]], [error(631, 404)]),
    ("500 without a body", [[status(500, b"application/pkixcmp", b"")]], [error(631, 500)]),
    ("redirect", [[status(302, b"text/html", more=b"Location: /x\r\n")]], [error(633, 302)]),
    ("redirect with a message", [[status(308, b"application/pkixcmp")]], [error(633, 308)]),
    ("not HTTP", [[b"SSH-2.0-x\r\n"]], [error(621)]),
    ("HTTP/2", [[reply(head=b"HTTP/2 200\r\n")]], [error(621)]),
    ("status of two digits", [[b"HTTP/1.1 20 OK\r\n\r\n"]], [error(621)]),
    ("status of four digits", [[b"HTTP/1.1 2000 OK\r\n\r\n"]], [error(621)]),
    ("status 700", [[b"HTTP/1.1 700 OK\r\n\r\n"]], [error(621)]),
    ("status +20", [[b"HTTP/1.1 +20 OK\r\n\r\n"]], [error(621)]),
    ("header without a colon", [[reply(head=HEAD + b"nothing\r\n")]], [error(622)]),
    ("folded header", [[reply(head=HEAD + b" folded: x\r\n")]], [error(622)]),
    ("space before the colon", [[HEAD + b"Content-Length : 5\r\n\r\nreply"]], [error(622)]),
    ("endless header line", [[repeat(b"x" * 999, HEAD + b"X: ")]], [error(622)]),
    ("endless headers", [[repeat(b"A: b\r\n", HEAD)]], [error(622)]),
    ("endless 1xx", [[repeat(b"HTTP/1.1 100 Continue\r\n\r\n", b"")]], [error(622)]),
    ("endless trailers", [[repeat(b"A: b\r\n", chunked(b"1\r\nx\r\n0\r\n"))]], [error(622)]),
    ("endless chunk extension", [[repeat(b"x" * 999, chunked(b"1;"))]], [error(622)]),
    ("two lengths", [[reply(head=HEAD + b"Content-Length: 4\r\n")]], [error(623)]),
    ("length and chunked", [[reply(head=HEAD + b"Transfer-Encoding: chunked\r\n")]], [error(623)]),
    ("gzip, chunked", [[HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n"]], [error(623)]),
    ("negative length", [[HEAD + b"Content-Length: -5\r\n\r\nreply"]], [error(623)]),
    ("length with an underscore", [[HEAD + b"Content-Length: 0_5\r\n\r\nreply"]], [error(623)]),
    ("empty length", [[HEAD + b"Content-Length:\r\n\r\nreply"]], [error(623)]),
    ("length of 300 digits", [[HEAD + b"Content-Length: " + b"9" * 300 + b"\r\n\r\nreply"]], [error(623)]),
    ("length of 4 GiB", [[repeat(b"x" * 9999, HEAD + b"Content-Length: 4294967296\r\n\r\n")]], [error(625)]),
    ("one byte over the limit", [[reply(b"x" * 16385)]], [error(625)]),
    ("endless chunks", [[repeat(b"400\r\n" + b"x" * 1024 + b"\r\n", chunked(b""))]], [error(625)]),
    ("endless without length", [[repeat(b"x" * 999, HEAD + b"\r\n")]], [error(625)]),
    ("one huge chunk", [[chunked(b"ffffffff\r\n")]], [error(625)]),
    ("chunk size is no number", [[chunked(b"reply\r\n")]], [error(624)]),
    ("chunk size with a sign", [[chunked(b"-5\r\nreply\r\n0\r\n\r\n")]], [error(624)]),
    ("chunk longer than its size", [[chunked(b"4\r\nreply\r\n0\r\n\r\n")]], [error(624)]),
    ("closed in the headers", [[HEAD], FINE], [error(614), OK]),
    ("closed in the body", [[reply()[:-1]], FINE], [error(614), OK]),
    ("closed in a chunk", [[chunked(b"5\r\nrep")]], [error(614)]),
    ("closed before the last chunk", [[chunked(b"5\r\nreply\r\n")]], [error(614)]),
    ("closed in the trailer", [[chunked(b"5\r\nreply\r\n0\r\n")]], [error(614)]),
]
TIMEOUTS = [
    ("silence", [[silence], FINE]),
    ("drip in the headers", [[repeat(b"x", b"HTTP/1.1 200 OK\r\nX: ", 0.1)], FINE]),
    ("drip in the body", [[repeat(b"x", HEAD + b"Content-Length: 9999\r\n\r\n", 0.1)], FINE]),
    ("drip of chunks", [[repeat(b"1\r\nx\r\n", chunked(b""), 0.1)], FINE]),
    ("drip of 1xx", [[repeat(b"HTTP/1.1 100 Continue\r\n\r\n", b"", 0.1)], FINE]),
]


def named(rows):
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


@pytest.mark.parametrize(("script", "expected"), named(ROWS))
def test_reply(post, script, expected):
    bodies = [f"request {i}" for i in range(len(expected))]
    with Server(script) as server:
        # The pause lets what a script does after a reply arrive before the next request.
        done = post({"url": f"http://127.0.0.1:{server.port}/x", "type": TYPE, "bodies": bodies, "pause": 0.03})
    # Whether a closed connection shows as its end or as an errno is a race that the server cannot decide.
    assert [error(614) if e[:2] == error(614)[:2] else e for e in done["results"]] == expected


@pytest.mark.parametrize("script", [pytest.param(script, id=name) for name, script in TIMEOUTS])
def test_deadline(post, script):
    start = time.monotonic()
    with Server(script) as server:
        job = {"url": f"http://127.0.0.1:{server.port}", "type": TYPE, "bodies": ["a", "b"], "timeout": 0.6}
        done = post(job)
    assert done["results"] == [error(613), OK]
    assert time.monotonic() - start < 2


def test_request_bytes_and_counters(post):
    with Server([[reply(), reply(b"two")]]) as server:
        url = f"http://127.0.0.1:{server.port}/.well-known/cmp?a=b"
        done = post({"url": url, "type": TYPE, "bodies": ["one", "x" * 20000]})
    head = f"POST /.well-known/cmp?a=b HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: {TYPE}\r\n"
    expected = [f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode() for body in ("one", "x" * 20000)]
    assert server.requests == expected
    assert server.opened == 1
    assert done == {
        "results": [OK, "two"],
        "sent": sum(map(len, expected)),
        "received": len(reply() + reply(b"two")),
        "trips": 2,
    }


@pytest.mark.parametrize(
    ("script", "opened", "requests"),
    [
        ([[reply(), reply(), reply()]], 1, 3),
        ([[reply()], [reply()], [reply()]], 3, 3),
        ([[reply(), reset], [reply(), reply()]], 2, 4),
    ],
    ids=["kept alive", "closed each time", "broken once"],
)
def test_connections(post, script, opened, requests):
    with Server(script) as server:
        job = {"url": f"http://127.0.0.1:{server.port}", "type": TYPE, "bodies": ["a", "b", "c"], "pause": 0.03}
        assert post(job)["results"] == [OK] * 3
    assert (server.opened, len(server.requests)) == (opened, requests)


def test_no_connection(post):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    job = {"type": TYPE, "bodies": ["x"]}
    (refused,) = post({**job, "url": f"http://127.0.0.1:{port}"})["results"]
    assert refused[:2] == ["TransportError", 612]
    assert post({**job, "url": "http://no-such-host.invalid"})["results"] == [error(611)]


def test_ipv6(post):
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    server = Server([FINE])
    server.listener.close()
    server.listener, server.port = listener, listener.getsockname()[1]
    with server:
        done = post({"url": f"http://[::1]:{server.port}/", "type": TYPE, "bodies": ["x"]})
    assert done["results"] == [OK]
    assert f"\r\nHost: [::1]:{server.port}\r\n".encode() in server.requests[0]


def der(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.DER).hex()


class Lab:
    """Certificates for the TLS rows."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.now = datetime.datetime.now(datetime.UTC)
        self.issuers = {name: self.issue(name, None, []) for name in ("ours", "other")}
        self.anchors = {name: der(issuer[0]) for name, issuer in self.issuers.items()}

    def issue(self, name: str, issuer, names: list, start: int = -1, end: int = 1):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer[0].subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now + datetime.timedelta(days=start))
            .not_valid_after(self.now + datetime.timedelta(days=end))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key

    def context(self, issuer: str, names: list, days: tuple = (-1, 1)) -> ssl.SSLContext:
        certificate, key = self.issue("server", self.issuers[issuer], names, *days)
        path = self.folder / "server.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp("tls"))


LOCAL = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
ELSEWHERE = [x509.DNSName("elsewhere.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.2"))]
UNTRUSTED = error(616)
# name, server's issuer, its names, its validity in days from now, anchors, host in the URL, result
TLS = [
    ("good", "ours", LOCAL, (-1, 1), ["ours"], "localhost", OK),
    ("good by address", "ours", LOCAL, (-1, 1), ["ours"], "127.0.0.1", OK),
    ("first of two anchors", "ours", LOCAL, (-1, 1), ["ours", "other"], "localhost", OK),
    ("second of two anchors", "ours", LOCAL, (-1, 1), ["other", "ours"], "localhost", OK),
    ("wrong CA", "other", LOCAL, (-1, 1), ["ours"], "localhost", UNTRUSTED),
    ("wrong host name", "ours", ELSEWHERE, (-1, 1), ["ours"], "localhost", UNTRUSTED),
    ("wrong address", "ours", ELSEWHERE, (-1, 1), ["ours"], "127.0.0.1", UNTRUSTED),
    ("expired", "ours", LOCAL, (-3, -2), ["ours"], "localhost", UNTRUSTED),
    ("not yet valid", "ours", LOCAL, (2, 3), ["ours"], "localhost", UNTRUSTED),
]


@pytest.mark.parametrize(("issuer", "names", "days", "anchors", "host", "expected"), named(TLS))
def test_tls(post, lab, issuer, names, days, anchors, host, expected):
    with Server([[reply(), reply(), WAIT]], lab.context(issuer, names, days)) as server:
        job = {"url": f"https://{host}:{server.port}/", "type": TYPE, "bodies": ["a", "b"][: 1 + (expected == OK)]}
        done = post({**job, "anchors": [lab.anchors[name] for name in anchors]})
    assert done["results"] == [expected] * len(done["results"])
    assert len(server.requests) == (2 if expected == OK else 0)  # nothing leaves before the server is trusted


def test_tls_large_and_closed(post, lab):
    with Server([[reply(b"x" * 16384)], [reply()[:-1]]], lab.context("ours", LOCAL)) as server:
        job = {"url": f"https://localhost:{server.port}/", "type": TYPE, "anchors": [lab.anchors["ours"]]}
        done = post({**job, "bodies": ["y" * 20000, "b"], "pause": 0.05})
    assert done["results"][0] == "x" * 16384
    assert done["results"][1][:2] == ["TransportError", 614]
    assert len(server.requests[0]) > 20000


@pytest.mark.parametrize(
    ("script", "expected"),
    [([[silence]], 613), ([[repeat(b"\2", b"\x16\3\3\x40\0", 0.1)]], 613), ([[b"HTTP/1.1 400 x\r\n\r\n"]], 615)],
    ids=["silent", "dripping", "no TLS"],
)
def test_tls_handshake_is_bounded(post, lab, script, expected):
    class Raw(Server):
        @staticmethod
        def request(sock: socket.socket) -> bytes:
            return sock.recv(10)

    start = time.monotonic()
    with Raw(script) as server:
        job = {"url": f"https://localhost:{server.port}/", "type": TYPE, "bodies": ["x"], "timeout": 0.6}
        done = post({**job, "anchors": [lab.anchors["ours"]]})
    assert done["results"][0][:2] == ["TransportError", expected]
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    ("url", "anchors", "expected"),
    [
        ("https://localhost", [], [602, None]),
        ("https://localhost", ["3000"], [602, 0]),
        ("http://user:secret@localhost", [], [601, None]),
    ],
)
def test_configuration(post, url, anchors, expected):
    done = post({"url": url, "type": TYPE, "bodies": ["x"], "anchors": anchors})
    assert done["results"] == [["ConfigError", *expected]]


def test_client_certificate(lab):
    context = lab.context("ours", LOCAL)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=bytes.fromhex(lab.anchors["other"]))
    certificate, key = lab.issue("device", lab.issuers["other"], [])
    client = [
        der(certificate),
        key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ).hex(),
    ]
    peers = []

    def show(sock):
        peers.append(sock.getpeercert()["subject"])
        sock.sendall(reply())

    with Server([[show]], context) as server:
        job = {"url": f"https://localhost:{server.port}/", "type": TYPE, "bodies": ["x"]}
        job["anchors"] = [lab.anchors["ours"]]
        assert on_unix({**job, "client": client})["results"] == [OK]
        assert on_unix({**job, "client": [client[0], "00"]})["results"] == [["ConfigError", 603, None]]
    assert peers == [((("commonName", "device"),),)]
