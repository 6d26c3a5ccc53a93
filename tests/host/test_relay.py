"""Posting for a board: the post itself, the relay's policy, and a simulated board that reaches a server through it."""

import base64
import hashlib
import ssl
import time

import pytest

from certlet_host import relay
from certlet_host.device import SimBoard
from certlet_host.relay import PostError, Relay
from host.test_http import ELSEWHERE, HEAD, LOCAL, WAIT, Lab, Server, chunked, repeat, reply, reset, silence, status

URL = "http://ca.example/cmp"
TYPE = relay.CMP


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp("tls"))


# The post


OK = b"reply"
# name, script, result: the reply, or code and detail
POSTS = [
    ("length", [reply(), WAIT], OK),
    ("chunked", [chunked(b"3\r\nrep\r\n2\r\nly\r\n0\r\n\r\n")], OK),
    ("until close", [HEAD + b"\r\nreply"], OK),
    ("100 first", [b"HTTP/1.1 100 Continue\r\n\r\n" + reply()], OK),
    ("to the limit", [reply(b"x" * 9999)], b"x" * 9999),
    ("400 with a message", [status(400, b"application/pkixcmp", b"reply")], OK),
    ("over the limit", [reply(b"x" * 10000)], (625, 0)),
    ("over the limit, chunked", [repeat(b"400\r\n" + b"x" * 1024 + b"\r\n", chunked(b""))], (625, 0)),
    ("over the limit, without length", [repeat(b"x" * 999, HEAD + b"\r\n")], (625, 0)),
    ("500", [status(500, b"text/html")], (631, 500)),
    ("404 without a body", [status(404, b"application/pkixcmp", b"")], (631, 404)),
    ("another type", [status(200, b"text/html")], (632, 200)),
    ("redirect", [status(302, b"application/pkixcmp", more=b"Location: http://127.0.0.1/\r\n")], (633, 302)),
    ("closed", [lambda sock: None], (614, 0)),
    ("reset", [reset], (614, 104)),
    ("closed in the body", [reply()[:-1]], (614, 0)),
    ("closed in a chunk", [chunked(b"5\r\nrep")], (614, 0)),
    ("not HTTP", [b"SSH-2.0-x\r\n"], (621, 0)),
    ("endless header", [repeat(b"x" * 9999, HEAD + b"X: ")], (622, 0)),
    ("endless headers", [repeat(b"A: b\r\n", HEAD)], (622, 0)),
    ("silence", [silence], (613, 0)),
    ("drip in the headers", [repeat(b"x", b"HTTP/1.1 200 OK\r\nX: ", 0.1)], (613, 0)),
    ("drip in the body", [repeat(b"x", HEAD + b"Content-Length: 9999\r\n\r\n", 0.1)], (613, 0)),
    ("drip until close", [repeat(b"x", HEAD + b"\r\n", 0.1)], (613, 0)),
]


def outcome(url, **options):
    """What `post` returns, or the code and detail that it raises."""
    try:
        return relay.post(url, b"request", **options)
    except PostError as error:
        return error.code, error.detail


@pytest.mark.parametrize(("script", "expected"), [row[1:] for row in POSTS], ids=[row[0] for row in POSTS])
def test_post(script, expected):
    start = time.monotonic()
    with Server([script]) as server:
        assert outcome(f"http://127.0.0.1:{server.port}/", timeout=0.6, limit=9999) == expected
    assert time.monotonic() - start < 3


def test_request():
    with Server([[reply()]]) as server:
        assert relay.post(f"http://127.0.0.1:{server.port}/a%20b?c=d", b"request") == OK
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    assert (line, body) == ("POST /a%20b?c=d HTTP/1.1", b"request")
    names = [name.lower() for name, _, _ in (header.partition(":") for header in headers)]
    assert sorted(names) == ["accept-encoding", "connection", "content-length", "content-type", "host"]
    assert f"Host: 127.0.0.1:{server.port}" in headers


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ftp://h/", (601, 0)),
        ("http:///x", (601, 0)),
        ("http://user:secret@h/", (601, 0)),
        ("http://h:x/", (601, 0)),
        ("http://h/a b", (601, 0)),
        ("http://h/\r\nX: 1", (601, 0)),
        ("http://no-such-host.invalid/", (611, 0)),
        ("http://127.0.0.1:1/", (612, 111)),
    ],
)
def test_urls(url, expected):
    assert outcome(url, timeout=5) == expected


UNTRUSTED = (616, 0)
# name, issuer, names, days, anchors ([]: the system's), host, result
TLS = [
    ("good", "ours", LOCAL, (-1, 1), ["ours"], "localhost", OK),
    ("second of two anchors", "ours", LOCAL, (-1, 1), ["other", "ours"], "localhost", OK),
    ("wrong CA", "other", LOCAL, (-1, 1), ["ours"], "localhost", UNTRUSTED),
    ("not under the system's", "ours", LOCAL, (-1, 1), [], "localhost", UNTRUSTED),
    ("wrong name", "ours", ELSEWHERE, (-1, 1), ["ours"], "localhost", UNTRUSTED),
    ("expired", "ours", LOCAL, (-3, -2), ["ours"], "localhost", UNTRUSTED),
]


@pytest.mark.parametrize(
    ("issuer", "names", "days", "anchors", "host", "expected"), [row[1:] for row in TLS], ids=[row[0] for row in TLS]
)
def test_tls(lab, issuer, names, days, anchors, host, expected):
    pem = [ssl.DER_cert_to_PEM_cert(bytes.fromhex(lab.anchors[name])) for name in anchors]
    with Server([[reply(), WAIT]], lab.context(issuer, names, days)) as server:
        assert outcome(f"https://{host}:{server.port}/", anchors=pem, timeout=5) == expected
    assert len(server.requests) == (expected == OK)


@pytest.mark.parametrize(("answer", "code"), [(silence, 613), (b"HTTP/1.1 400 x\r\n\r\n", 615)], ids=["mute", "no TLS"])
def test_tls_handshake(answer, code):
    class Raw(Server):
        @staticmethod
        def request(sock):
            return sock.recv(10)

    with Raw([[answer]]) as server:
        assert outcome(f"https://localhost:{server.port}/", timeout=0.6)[0] == code


def test_bad_anchors():
    assert outcome("https://localhost:1/", anchors=["no certificate"])[0] == 616


# The relay's policy


def request(body=b"request", number=1, size=None, limit=9999, timeout=5, kind=TYPE, url=URL):
    """The lines of a request frame."""
    head = f"{number} {len(body) if size is None else size} {limit} {timeout} {kind} {url}"
    data = [base64.b64encode(body[at : at + 96]).decode() for at in range(0, len(body), 96)]
    digest = hashlib.sha256(head.encode() + body).hexdigest()
    return [f"~Q {head}", *(f"~D {line}" for line in data), f"~E {digest}"]


def told(to: Relay, lines: list[str]) -> list[str]:
    """The lines of the reply frame."""
    answers = [to(line) for line in lines]
    assert answers[:-1] == [None] * (len(lines) - 1)
    reply = [answers[-1]]
    while (line := to("~N")) is not None:
        reply.append(line)
    assert all(line.endswith(b"\n") and len(line) <= 132 for line in reply)
    return [line.decode()[:-1] for line in reply]


REFUSED = [
    ("another host", request(url="http://evil.example/cmp"), "1 665 0 0"),
    ("another path", request(url=URL + "/x"), "1 665 0 0"),
    ("another scheme", request(url="https://ca.example/cmp"), "1 665 0 0"),
    ("another port", request(url="http://ca.example:80/cmp"), "1 665 0 0"),
    ("another case", request(url="http://CA.example/cmp"), "1 665 0 0"),
    ("user information", request(url="http://x@ca.example/cmp"), "1 665 0 0"),
    ("another type", request(kind="text/plain"), "1 665 0 0"),
    ("too long", request(b"x" * 1001), "1 665 0 0"),
    ("a line of data lost", request(b"x" * 200)[:2] + request(b"x" * 200)[3:], "1 663 0 0"),
    ("a line of data too many", request(b"x" * 200)[:2] + request(b"x" * 200)[1:], "1 663 0 0"),
    ("changed data", [*request(b"x")[:1], *request(b"y")[1:2], *request(b"x")[2:]], "1 663 0 0"),
    ("a changed head", [*request(number=2)[:1], *request()[1:]], "2 663 0 0"),
    ("a changed digest", [*request()[:2], "~E 00"], "1 663 0 0"),
    ("no base64", [request()[0], "~D !", request()[2]], "1 663 0 0"),
    ("no head", ["~Q ", *request()[1:]], "0 662 0 0"),
    ("a negative size", request(size=-1), "0 662 0 0"),
    ("a head of words", ["~Q a b c d e f", *request()[1:]], "0 662 0 0"),
    ("a seventh word", request(url=URL + " x"), "0 662 0 0"),
]


@pytest.mark.parametrize(("lines", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(lines, expected):
    guard = Relay(URL, request_limit=1000)
    digest = hashlib.sha256(expected.encode()).hexdigest()
    assert told(guard, lines) == [f"~R {expected}", f"~E {digest}"]
    assert guard.posts == 0


def test_lines_out_of_order():
    guard = Relay(URL)
    for line in ("~N", "~D AAAA", "~E 00", "~", "~X", "~Q", "~R 1 0 0 1"):
        assert guard(line) is None
    assert guard.posts == 0


def test_the_relay_has_limits_of_its_own():
    with Server([[reply(b"x" * 600)], [silence]]) as server:
        url = f"http://127.0.0.1:{server.port}/"
        guard = Relay(url, timeout=1, limit=599)
        assert told(guard, request(url=url, limit=99999))[0] == "~R 1 625 0 0"
        start = time.monotonic()
        assert told(guard, request(url=url, timeout=600))[0] == "~R 1 613 0 0"
        assert time.monotonic() - start < 3
    assert guard.posts == 2


def test_a_reply_not_taken_is_dropped():
    with Server([[reply(b"first" * 99)], [reply(b"second")]]) as server:
        url = f"http://127.0.0.1:{server.port}/"
        guard = Relay(url)
        assert [guard(line) for line in request(url=url)][-1] == b"~R 1 0 0 495\n"
        assert told(guard, request(url=url, number=2))[:2] == ["~R 2 0 0 6", "~D c2Vjb25k"]


# A board


CODE = """
import sys
from binascii import unhexlify, hexlify
from certlet.errors import Error
from certlet.transport.serial import Serial
serial = Serial({url!r}, "application/pkixcmp", {timeout}, {limit})
for body in {bodies!r}:
    try:
        print(hexlify(serial.exchange(memoryview(unhexlify(body)))).decode())
    except Error as error:
        print(type(error).__name__, error.code, error.detail)
print(serial.trips, serial.sent, serial.received)
print([name for name in sys.modules if name.endswith((".http", ".wire", ".coap"))])
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    with SimBoard(tmp_path_factory.mktemp("flash"), heap="200k") as board:
        yield board


def exchange(board, url, bodies, listen, limit=16384, timeout=5):
    """What the board prints, frames left out."""
    code = CODE.format(url=url, timeout=timeout, limit=limit, bodies=[body.hex() for body in bodies])
    *results, counters, modules = [line for line in board.exec(code, listen, 30).splitlines() if line[:1] != "~"]
    assert modules == "[]"  # nothing that could use a network is loaded
    return results, [int(number) for number in counters.split()]


def frames_only(guard):
    return lambda line: guard(line) if line.startswith("~") else None


def test_a_board_posts(board):
    bodies = [bytes(range(256)) * 4 + bytes([n]) * n for n in range(4)] + [b"\x03", b"\x04\x03" * 48, b"z" * 97]
    replies = [b"\x03", bytes(range(256)) * 43, b"\x04" * 95, b"\r\n" * 48, b"~" * 97, b"\x03" * 192, b"r"]
    with Server([[reply(body)] for body in replies]) as server:
        guard = Relay(f"http://127.0.0.1:{server.port}/cmp")
        results, counters = exchange(board, guard.url, bodies, frames_only(guard))
    assert [bytes.fromhex(result) for result in results] == replies
    assert [request.partition(b"\r\n\r\n")[2] for request in server.requests] == bodies
    sizes = sum(map(len, bodies)), sum(map(len, replies))
    assert counters[0] == 7
    assert sizes[0] * 4 / 3 < counters[1] < sizes[0] * 1.45 + 7 * 200 + 2 * sum(len(r) / 96 + 2 for r in replies)
    assert sizes[1] * 4 / 3 < counters[2] < sizes[1] * 1.45 + 7 * 100


def test_a_board_is_told_what_went_wrong(board):
    with Server([[status(500, b"text/html")], [lambda sock: None], [reply(b"x" * 300)], [reply()]]) as server:
        guard = Relay(f"http://127.0.0.1:{server.port}/")
        results, _ = exchange(board, guard.url, [b"x"] * 4, frames_only(guard), limit=299)
    dead, _ = exchange(board, guard.url, [b"x"], frames_only(guard))
    assert results == ["TransportError 631 500", "TransportError 614 None", "TransportError 625 None", OK.hex()]
    assert dead == ["TransportError 612 111"]


def test_a_board_cannot_choose_the_url(board):
    with Server([[reply()], [reply()]]) as server:
        url = f"http://127.0.0.1:{server.port}/"
        for asked, allowed in ((url + "x", url), (url, url + "x"), (url, URL)):
            guard = Relay(allowed)
            assert exchange(board, asked, [b"x"], frames_only(guard))[0] == ["ConfigError 665 None"]
            assert guard.posts == 0
    assert not server.requests


def test_a_slow_server(board):
    start = time.monotonic()
    with Server([[silence]]) as server:
        guard = Relay(f"http://127.0.0.1:{server.port}/")
        assert exchange(board, guard.url, [b"x"], frames_only(guard), timeout=1)[0] == ["TransportError 613 None"]
    assert time.monotonic() - start < 4


def test_a_host_that_does_not_answer(board):
    start = time.monotonic()
    assert exchange(board, URL, [b"x"], lambda line: None, timeout=0)[0] == ["TransportError 661 None"]
    assert 4.5 < time.monotonic() - start < 8
    assert board.exec("print(1)") == "1\n"


def test_noise_on_the_console(board):
    """What somebody types, and what is left of an exchange that was broken off, does no harm."""
    with Server([[reply(b"first")], [reply(b"second")]]) as server:
        guard = Relay(f"http://127.0.0.1:{server.port}/")

        def listen(line):
            answer = guard(line)
            if line.startswith("~E"):
                return b"hello\r\n" + answer
            if line == "~N" and answer.startswith(b"~E"):
                return answer + b"~R 2 0 0 5\n~D AAAA\nrest"
            return answer

        assert exchange(board, guard.url, [b"x", b"y"], listen)[0] == [b"first".hex(), b"second".hex()]


def test_a_damaged_line(board):
    with Server([[reply(b"first")]]) as server:
        guard = Relay(f"http://127.0.0.1:{server.port}/")

        def listen(line):
            answer = guard(line)
            return answer.replace(b"~D Zml", b"~D Zmk") if answer else None

        assert exchange(board, guard.url, [b"x"], listen)[0] == ["TransportError 663 None"]
