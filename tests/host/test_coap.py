"""The device's CoAP client, on both runtimes: against the lab CA's CoAP front end, also by way of a bad network, and
against a server that plays tricks. Both write and read messages with aiocoap, none with the device's codec.
"""

import errno
import random
import select
import socket
import threading
import time
from contextlib import contextmanager
from itertools import pairwise

import aiocoap
import pytest
from aiocoap import ACK, CHANGED, CON, CONTENT, CONTINUE, EMPTY, NON, RST, Message

from certlet_host.ca import coap
from host.runtimes import BOTH, on_cpython, on_unix

TYPE = "application/pkixcmp"
FORMAT = 259


@pytest.fixture(**BOTH)
def post(request):
    return request.param


@pytest.fixture
def impatient(monkeypatch):
    """Let the client on CPython send again after 40 ms instead of 2 s."""
    monkeypatch.setattr("certlet.transport.coap._ACK_TIMEOUT", 40)


def job(port, *bodies, **more):
    return {"url": f"coap://127.0.0.1:{port}/.well-known/cmp", "type": TYPE, "bodies": bodies, **more}


def error(code: int, detail: int | None = None) -> list:
    return ["TransportError", code, detail]


# Against the front end of the lab CA


class Echo:
    """Stands for the responder: each request comes back, `times` over and with this HTTP status."""

    def __init__(self, times=1, status=200, pause=0.0):
        self.times, self.status, self.pause = times, status, pause
        self.requests = []

    def __call__(self, body: bytes) -> tuple[int, bytes]:
        self.requests.append(body)
        time.sleep(self.pause)
        return self.status, body * self.times


def text(size: int) -> str:
    return "".join(f"{i:07} " for i in range(size // 8 + 1))[:size]


SIZES = [
    ("short", 10, 1, 1024, 1),
    ("one block", 1024, 1, 1024, 1),
    ("a little more", 1200, 1, 1024, 2 + 1),
    ("11 KB back", 700, 16, 1024, 11),
    ("both in blocks", 3000, 4, 1024, 3 + 11),
    ("blocks of 512", 1000, 3, 512, 2 + 5),
    ("blocks of 16", 100, 2, 16, 7 + 12),
    ("to the limit", 1024, 16, 1024, 16),
]


@pytest.mark.parametrize(("size", "times", "block", "trips"), [row[1:] for row in SIZES], ids=[row[0] for row in SIZES])
def test_sizes(post, size, times, block, trips):
    echo = Echo(times)
    with coap.serve(echo, 0) as port:
        done = post(job(port, text(size), block=block))
    assert done["results"] == [text(size) * times]
    assert echo.requests == [text(size).encode()]
    assert done["trips"] == trips
    overhead = 45 * trips
    assert size <= done["sent"] <= size + overhead and size * times <= done["received"] <= size * times + overhead


def test_several_exchanges(post):
    echo = Echo(20)
    with coap.serve(echo, 0) as port:
        bodies = [text(n) for n in (5, 200, 1500 // 2, 3)]
        assert post(job(port, *bodies))["results"] == [body * 20 for body in bodies]
    assert len(echo.requests) == 4


def test_separate_response(post):
    """aiocoap acknowledges after 0.1 s and sends the response when it is ready."""
    echo = Echo(5, pause=0.3)
    with coap.serve(echo, 0) as port:
        assert post(job(port, text(300)))["results"] == [text(300) * 5]
    assert len(echo.requests) == 1


@pytest.mark.parametrize(("status", "size", "expected"), [(400, 5, None), (500, 5, None), (404, 0, error(648, 404)),
                                                          (503, 0, error(648, 503)), (599, 0, error(648, 500))])
def test_statuses(post, status, size, expected):
    """As with HTTP, a message that comes with an error counts as the reply."""
    with coap.serve(Echo(size, status), 0) as port:
        assert post(job(port, "hello"))["results"] == [expected or "hello" * 5]


def test_too_long_a_reply(post):
    echo = Echo(17)
    with coap.serve(echo, 0) as port:
        assert post(job(port, text(1024), text(100)))["results"] == [error(647), text(100) * 17]


def test_paths_and_methods():
    with coap.serve(Echo(), 0) as port:
        for path, expected in (("/.well-known/cmp/p/label/ir", "hi"), ("/", error(648, 404)), ("/cmp", error(648, 404))):
            assert on_cpython({**job(port, "hi"), "url": f"coap://127.0.0.1:{port}{path}"})["results"] == [expected]
        named = {**job(port, "hi"), "url": f"coap://localhost:{port}/.well-known/cmp?x=y"}
        assert on_cpython(named)["results"] == ["hi"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"code": aiocoap.GET}, "4.05"),
        ({"content_format": 60}, "4.15"),
        ({"content_format": None}, "4.15"),
        ({"size1": 200_000, "block1": (0, True, 6), "payload": bytes(1024)}, "4.13"),
        ({"block1": (100, True, 6), "payload": bytes(1024)}, "4.13"),
        ({"block1": (1, True, 6), "payload": bytes(1024)}, "4.08"),
        ({"block2": (3, False, 6), "payload": b""}, "4.08"),
    ],
)
def test_front_end_refuses(fields, code):
    echo = Echo()
    fields = {"code": aiocoap.POST, "content_format": FORMAT, "payload": b"x", **fields}
    request = Message(_mtype=CON, _mid=7, _token=b"t", uri_path=(".well-known", "cmp"), **fields)
    with coap.serve(echo, 0) as port, socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(request.encode(), ("127.0.0.1", port))
        assert str(Message.decode(sock.recv(2000)).code).startswith(code)
    assert not echo.requests


def test_port_in_use():
    with coap.serve(Echo(), 0) as port, pytest.raises(OSError, match="in use"), coap.serve(Echo(), port):
        pass


def test_port_is_free_again():
    for _ in range(3):
        with coap.serve(Echo(), 0) as port:
            pass
        with coap.serve(Echo(), port) as again:
            assert again == port


# By way of a bad network


@contextmanager
def network(server: int, fate):
    """A UDP proxy; `fate(direction, n)` tells how many copies of the n-th datagram of a direction get through."""
    stop = threading.Event()
    with socket.socket(type=socket.SOCK_DGRAM) as front, socket.socket(type=socket.SOCK_DGRAM) as back:
        front.bind(("127.0.0.1", 0))
        back.connect(("127.0.0.1", server))

        def carry() -> None:
            seen, client = {"up": 0, "down": 0}, None
            while not stop.is_set():
                for sock in select.select([front, back], [], [], 0.05)[0]:
                    data, address = sock.recvfrom(2000)
                    way = "up" if sock is front else "down"
                    client = address if sock is front else client
                    for _ in range(fate(way, seen[way])):
                        back.send(data) if way == "up" else front.sendto(data, client)
                    seen[way] += 1

        thread = threading.Thread(target=carry)
        thread.start()
        try:
            yield front.getsockname()[1]
        finally:
            stop.set()
            thread.join(5)
            assert not thread.is_alive()


# name, what gets through, seconds that the responder takes: 0.15 make the response a separate one
FATES = [
    ("first of each lost", lambda way, n: int(n > 0), 0),
    ("first of each lost, separate", lambda way, n: int(n > 0), 0.15),
    ("every third lost", lambda way, n: int(n % 3 != 2), 0),
    ("two of three requests lost", lambda way, n: int(way == "down" or n % 3 == 2), 0),
    ("all doubled", lambda way, n: 2, 0),
    ("all doubled, separate", lambda way, n: 2, 0.15),
    ("responses tripled, separate", lambda way, n: 3 if way == "down" else 1, 0.15),
]


@pytest.mark.parametrize(("fate", "pause"), [row[1:] for row in FATES], ids=[row[0] for row in FATES])
@pytest.mark.usefixtures("impatient")
def test_bad_network(fate, pause):
    """What is sent again is known by its message ID: the responder sees each request once."""
    echo = Echo(3, pause=pause)
    with coap.serve(echo, 0) as server, network(server, fate) as port:
        done = on_cpython(job(port, text(2500), "x", timeout=20))
    assert done["results"] == [text(2500) * 3, "xxx"]
    assert echo.requests == [text(2500).encode(), b"x"]


@pytest.mark.usefixtures("impatient")
def test_random_losses():
    dice = random.Random(7)
    echo = Echo(5)
    with coap.serve(echo, 0) as server, network(server, lambda way, n: dice.choice((0, 1, 1, 1, 2))) as port:
        done = on_cpython(job(port, *[text(n * 400) for n in range(1, 8)], timeout=20))
    assert done["results"] == [text(n * 400) * 5 for n in range(1, 8)]
    assert len(echo.requests) == 7


def test_retransmission_on_a_board():
    """Real times: 2 to 3 s to the retransmission, with a request and a response lost."""
    echo = Echo(2)
    lost = {("up", 0), ("down", 1)}
    start = time.monotonic()
    with coap.serve(echo, 0) as server, network(server, lambda way, n: int((way, n) not in lost)) as port:
        done = on_unix(job(port, "a", "b", timeout=20))
    assert done["results"] == ["aa", "bb"]
    assert 4 <= time.monotonic() - start < 9
    assert echo.requests == [b"a", b"b"]


# Against a server that plays tricks


class Peer:
    """Answers the n-th datagram with what `script(message, n)` returns: messages or bytes; keeps all it received."""

    def __init__(self, script):
        self.script = script
        self.datagrams: list[bytes] = []
        self.received: list[Message] = []
        self.times: list[float] = []
        self.sock = socket.socket(type=socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(5)
        self.sock.close()
        assert not self.thread.is_alive()

    def run(self) -> None:
        while not self.stop.is_set():
            if not select.select([self.sock], [], [], 0.02)[0]:
                continue
            data, self.client = self.sock.recvfrom(2000)
            message = Message.decode(data)
            self.times.append(time.monotonic())
            self.datagrams.append(data)
            self.received.append(message)
            for answer in self.script(message, len(self.received) - 1):
                self.sock.sendto(answer if isinstance(answer, bytes) else answer.encode(), self.client)


def to(request, payload=b"reply", *, kind=ACK, code=CONTENT, mid=None, token=None, **options):
    """A response to `request`; `options` are aiocoap's names."""
    mid = (request.mid if kind is ACK else 0x7777) if mid is None else mid
    options = {"content_format": FORMAT, **options}
    token = request.token if token is None else token
    return Message(_mtype=kind, _mid=mid, _token=token, code=code, payload=payload, **options)


def empty(request, kind=ACK, mid=None):
    return Message(_mtype=kind, _mid=request.mid if mid is None else mid, code=EMPTY)


def once(function):
    """A script that answers requests by `function`, and nothing else."""
    return lambda m, n: function(m) if m.code is aiocoap.POST else []


def blocks(*responses):
    """A script that answers the n-th message by the n-th response: (payload, fields)."""

    def script(m, n):
        payload, fields = responses[min(n, len(responses) - 1)]
        return [to(m, payload, **fields)]

    return script


def raw_option(m, number, value=b""):
    """A response with an option that aiocoap may not know, after all others."""
    head = bytes((0x60 | len(m.token), CONTENT)) + m.mid.to_bytes(2, "big") + m.token
    assert number < 12 + 13 and number != 12
    first, second = sorted(((12, FORMAT.to_bytes(2, "big")), (number, value)))
    options = bytes((first[0] << 4 | len(first[1]),)) + first[1]
    options += bytes((second[0] - first[0] << 4 | len(second[1]),)) + second[1]
    return head + options + b"\xffreply"


K = b"x" * 1024
B = "block2"
OK = ["reply"]
# name, script, result of a short request
TRICKS = [
    ("piggybacked", once(lambda m: [to(m)]), OK),
    ("2.01", once(lambda m: [to(m, code=aiocoap.CREATED)]), OK),
    ("2.04", once(lambda m: [to(m, code=CHANGED)]), OK),
    ("separate", once(lambda m: [empty(m), to(m, kind=CON)]), OK),
    ("separate, acknowledgement lost", once(lambda m: [to(m, kind=CON)]), OK),
    ("separate, acknowledgement late", once(lambda m: [to(m, kind=CON), empty(m)]), OK),
    ("non-confirmable", once(lambda m: [empty(m), to(m, kind=NON)]), OK),
    ("wrong token first", once(lambda m: [to(m, b"evil", token=b"abcd"), to(m)]), OK),
    ("short token first", once(lambda m: [to(m, b"evil", token=m.token[:3]), to(m)]), OK),
    ("no token first", once(lambda m: [to(m, b"evil", token=b""), to(m)]), OK),
    ("wrong message ID first", once(lambda m: [to(m, b"evil", mid=m.mid ^ 1), to(m)]), OK),
    ("confirmable with a wrong token first", once(lambda m: [to(m, b"evil", kind=CON, token=b"abcd"), to(m)]), OK),
    ("acknowledgement of something else", once(lambda m: [empty(m, mid=m.mid ^ 1), to(m)]), OK),
    ("reset of something else", once(lambda m: [empty(m, RST, m.mid ^ 1), to(m)]), OK),
    ("ping first", once(lambda m: [empty(m, CON, 9), to(m)]), OK),
    ("a request first", once(lambda m: [to(m, b"evil", kind=CON, code=aiocoap.GET), to(m)]), OK),
    ("no CoAP first", once(lambda m: [b"", b"\0", b"HTTP/1.1 200 OK", b"\x80" + to(m).encode()[1:], to(m)]), OK),
    ("an unknown elective option", once(lambda m: [raw_option(m, 10)]), OK),
    ("only wrong tokens", once(lambda m: [to(m, token=b"abcd")]), [error(643)]),
    ("acknowledged, never answered", once(lambda m: [empty(m)]), [error(643)]),
    ("silence", once(lambda m: []), [error(643)]),
    ("reset", once(lambda m: [empty(m, RST)]), [error(644)]),
    ("reset after the acknowledgement", once(lambda m: [empty(m), empty(m, RST)]), [error(644)]),
    ("an unknown critical option", once(lambda m: [raw_option(m, 9)]), [error(645, 9)]),
    ("4.04", once(lambda m: [to(m, code=aiocoap.NOT_FOUND, content_format=None)]), [error(648, 404)]),
    ("5.03 without a body", once(lambda m: [to(m, b"", code=aiocoap.SERVICE_UNAVAILABLE)]), [error(648, 503)]),
    ("4.00 with a message", once(lambda m: [to(m, code=aiocoap.BAD_REQUEST)]), OK),
    ("2.05 of another type", once(lambda m: [to(m, content_format=0)]), [error(649, 205)]),
    ("2.05 of no type", once(lambda m: [to(m, content_format=None)]), [error(649, 205)]),
    ("2.05 without a body", once(lambda m: [to(m, b"")]), [error(649, 205)]),
    ("2.31 for a whole request", once(lambda m: [to(m, b"", code=CONTINUE)]), [error(646)]),
    ("two blocks", blocks((K, {B: (0, True, 6)}), (b"yz", {B: (1, False, 6)})), ["x" * 1024 + "yz"]),
    ("smaller from the second", blocks((K, {B: (0, True, 6)}), (b"y" * 64, {B: (16, True, 2)}),
                                       (b"z", {B: (17, False, 2)})), ["x" * 1024 + "y" * 64 + "z"]),
    ("one block and the option", blocks((b"reply", {B: (0, False, 6)})), OK),
    ("starts at the second block", blocks((K, {B: (1, True, 6)})), [error(646)]),
    ("skips a block", blocks((K, {B: (0, True, 6)}), (K, {B: (2, False, 6)})), [error(646)]),
    ("repeats a block", blocks((K, {B: (0, True, 6)})), [error(646)]),
    ("a short block in the middle", blocks((K[1:], {B: (0, True, 6)})), [error(646)]),
    ("an empty block in the middle", blocks((K, {B: (0, True, 6)}), (b"", {B: (1, True, 6)})), [error(646)]),
    ("no option on the second", blocks((K, {B: (0, True, 6)}), (b"y", {})), [error(646)]),
    ("another ETag", blocks((K, {B: (0, True, 6), "etag": b"1"}), (b"y", {B: (1, False, 6), "etag": b"2"})),
     [error(646)]),
    ("an ETag too late", blocks((K, {B: (0, True, 6)}), (b"y", {B: (1, False, 6), "etag": b"2"})), [error(646)]),
    ("size exponent 7", blocks((K, {B: (0, True, 7)})), [error(646)]),
    ("4.08 at the second", blocks((K, {B: (0, True, 6)}), (b"", {"code": aiocoap.REQUEST_ENTITY_INCOMPLETE})),
     [error(648, 408)]),
    ("endless blocks", lambda m, n: [to(m, K, block2=(n, True, 6))], [error(647)]),
    ("a datagram of 1281", once(lambda m: [to(m, b"x" * 1300)]), [error(647)]),
]  # fmt: skip


@pytest.mark.parametrize(("script", "expected"), [row[1:] for row in TRICKS], ids=[row[0] for row in TRICKS])
def test_tricks(post, script, expected):
    with Peer(script) as peer:
        start = time.monotonic()
        assert post(job(peer.port, "hello", timeout=1.0))["results"] == expected
    assert time.monotonic() - start < 3


def up(*responses):
    """A script for requests in blocks: the n-th is answered by (code, Block1), later ones like the last."""

    def script(m, n):
        code, block1 = responses[min(n, len(responses) - 1)]
        block1 = m.opt.block1 if block1 == "same" else block1
        return [to(m, b"reply" if code is CONTENT else b"", code=code, block1=block1, content_format=FORMAT)]

    return script


TOO_LARGE = aiocoap.REQUEST_ENTITY_TOO_LARGE
MORE = (CONTINUE, "same")
# name, script, result, the Block1 options (number, more, szx) of a request of 2100 bytes
UPLOADS = [
    ("in three blocks", up(MORE, MORE, (CONTENT, "same")), OK, [(0, 1, 6), (1, 1, 6), (2, 0, 6)]),
    ("smaller on acknowledgement", up((CONTINUE, (0, True, 5)), MORE, MORE, (CONTENT, None)), OK,
     [(0, 1, 6), (2, 1, 5), (3, 1, 5), (4, 0, 5)]),
    ("smaller after refusal", up((TOO_LARGE, (0, True, 5)), MORE, MORE, MORE, MORE, (CONTENT, None)), OK,
     [(0, 1, 6), (0, 1, 5), (1, 1, 5), (2, 1, 5), (3, 1, 5), (4, 0, 5)]),
    ("too large without a hint", up((TOO_LARGE, None)), [error(648, 413)], [(0, 1, 6)]),
    ("too large with our size as the hint", up((TOO_LARGE, (0, True, 6))), [error(648, 413)], [(0, 1, 6)]),
    ("smaller and smaller", lambda m, n: up((TOO_LARGE, (0, True, max(0, 5 - n))))(m, 0), [error(648, 413)],
     [(0, 1, 6 - n) for n in range(7)]),
    ("larger", up((CONTINUE, (0, True, 7))), [error(646)], [(0, 1, 6)]),
    ("answer to another block", up((CONTINUE, (1, True, 6))), [error(646)], [(0, 1, 6)]),
    ("2.31 without Block1", up((CONTINUE, None)), [error(646)], [(0, 1, 6)]),
    ("2.31 for the last", up(MORE), [error(646)], [(0, 1, 6), (1, 1, 6), (2, 0, 6)]),
    ("success too early", up(MORE, (CONTENT, "same")), [error(646)], [(0, 1, 6), (1, 1, 6)]),
    ("4.08 on the way", up(MORE, (aiocoap.REQUEST_ENTITY_INCOMPLETE, None)), [error(648, 408)], [(0, 1, 6), (1, 1, 6)]),
]  # fmt: skip


@pytest.mark.parametrize(("script", "expected", "sent"), [row[1:] for row in UPLOADS], ids=[row[0] for row in UPLOADS])
def test_uploads(post, script, expected, sent):
    with Peer(script) as peer:
        assert post(job(peer.port, text(2100)))["results"] == expected
    assert [tuple(m.opt.block1) for m in peer.received] == sent
    body = {m.opt.block1.start: m.payload for m in peer.received if expected == OK}
    assert b"".join(body[at] for at in sorted(body)) == (text(2100).encode() if body else b"")


def test_what_a_request_is(post):
    with Peer(once(lambda m: [to(m)])) as peer:
        done = post(job(peer.port, "one", "two"))
    assert done["results"] == ["reply", "reply"]
    first, second = peer.received
    assert [m.payload for m in peer.received] == [b"one", b"two"]
    for m in peer.received:
        assert m.mtype is CON and m.code is aiocoap.POST
        assert m.opt.uri_path == (".well-known", "cmp") and m.opt.content_format == FORMAT
        assert (m.opt.uri_host, m.opt.block1, m.opt.block2, m.opt.size1) == (None, None, None, None)
    assert second.mid == (first.mid + 1) & 0xFFFF
    assert len(first.token) == len(second.token) == 4 and first.token != second.token
    assert (done["sent"], done["trips"]) == (sum(map(len, peer.datagrams)), 2)


def test_separate_responses_are_acknowledged(post):
    """One acknowledgement for each copy; what belongs to nothing is refused with a Reset."""

    def script(m, n):
        return [empty(m), to(m, b"r", kind=CON, token=b"none", mid=5), *[to(m, kind=CON, mid=6)]] if n == 0 else []

    with Peer(script) as peer:
        assert post(job(peer.port, "a"))["results"] == OK
        time.sleep(0.1)
    assert [(m.mtype, m.mid) for m in peer.received[1:]] == [(RST, 5), (ACK, 6)]


def test_a_copy_of_a_separate_response_is_acknowledged_again():
    """The copy of the first block's response comes while the client waits for the second."""

    def script(m, n):
        if m.code is not aiocoap.POST:
            return []
        if m.opt.block2 is None:
            return [to(m, K, kind=CON, mid=6, block2=(0, True, 6))]
        copy = to(m, K, kind=CON, mid=6, token=peer.received[0].token, block2=(0, True, 6))
        return [copy, to(m, b"y", block2=(1, False, 6))]

    with Peer(script) as peer:
        assert on_cpython(job(peer.port, "a"))["results"] == [K.decode() + "y"]
        time.sleep(0.1)
    assert [(m.mtype, m.mid) for m in peer.received if m.code is EMPTY] == [(ACK, 6), (ACK, 6)]


@pytest.mark.usefixtures("impatient")
def test_five_transmissions():
    """Then the client gives up; the waits double (RFC 7252 4.2), the message stays the same."""
    with Peer(once(lambda m: [])) as peer:
        assert on_cpython(job(peer.port, "a"))["results"] == [error(643)]
    assert len(set(peer.datagrams)) == 1
    waits = [b - a for a, b in pairwise(peer.times)]
    assert len(waits) == 4
    assert all(0.04 * 2**n <= wait < 0.06 * 2**n + 0.03 for n, wait in enumerate(waits))


def test_no_server(post):
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    start = time.monotonic()
    assert post(job(port, "a", timeout=9))["results"] == [error(642, errno.ECONNREFUSED)]
    assert post({**job(port, "a"), "url": "coap://no-such-host.invalid/"})["results"] == [error(611)]
    assert time.monotonic() - start < 5


def test_only_the_server_is_heard(post):
    """A datagram from elsewhere is not taken, right as it may look."""

    def script(m, n):
        with socket.socket(type=socket.SOCK_DGRAM) as other:
            other.sendto(to(m, b"evil").encode(), peer.client)
        time.sleep(0.05)
        return [to(m)]

    with Peer(script) as peer:
        assert post(job(peer.port, "a"))["results"] == OK
