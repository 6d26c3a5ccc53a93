"""CMP transactions, replayed: the same requests on every runtime, and the due end of each."""

from binascii import unhexlify

import replay
from certlet.cmp import client, msg, protect, request, status
from certlet.der import Reader, Writer
from certlet.errors import BadSignature, ConfigError, CryptoError, Error, ProtocolError, Rejected, Untrusted
from support import raises, vectors

CMP_STATE, CMP_SUBJECT, CMP_MAC_PARAMETER = 418, 420, 410


def case(title):
    return [c for c in vectors("cmp") if c["title"] == title][0]


def play(c, replies=None):
    """Replay a case; returns (transaction, error or None, requests)."""
    requests = []
    left = [unhexlify(r) for r in replies or c["replies"]]

    def exchange(request):
        requests.append(request)
        return left.pop(0)

    transaction, error = replay.run(c, exchange)
    return transaction, error, requests


def test_every_case_ends_as_it_must():
    for c in vectors("cmp"):
        transaction, error, requests = play(c)
        assert (error.code if error else 0) == c["code"], (c["title"], error)
        assert len(requests) == c["sent"], c["title"]
        assert requests == [unhexlify(r) for r in c["requests"]], c["title"]
        assert transaction.state == (client.FAILED if error else client.DONE), c["title"]
        if error and c["code"] != 416:
            assert c["sent"] == 2 or transaction.certificate is None, c["title"]


def test_what_a_certificate_comes_with():
    c = case("MAC, the CA's root by caPubs")
    transaction, _, _ = play(c)
    assert len(transaction.chain) == 2
    assert transaction.anchors == transaction.chain[-1:]
    assert transaction.status == status.ACCEPTED
    c = case("MAC")
    transaction, _, _ = play(c)
    assert transaction.anchors == ()
    assert transaction.chain[-1] == unhexlify(c["anchors"][0])


def test_a_refused_certificate_is_refused_aloud():
    """certConf carries status rejection and failInfo incorrectData, RFC 9810 5.3.18."""
    for title in ("MAC, certificate for another key", "MAC, certificate for another key, implicitConfirm", "MAC, expired issuing CA"):
        transaction, error, requests = play(case(title))
        message = msg.Message(requests[1])
        assert message.body == msg.CERT_CONF
        r = Reader(message.content)
        r.enter(0x30)
        r.enter(0x30)
        r.octets()
        assert r.integer() == 0
        assert status.read_status(r) == (status.REJECTION, status.INCORRECT_DATA, "")
        assert isinstance(error, Untrusted)
        assert transaction.certificate is None


def test_the_words_of_the_ca():
    _, error, _ = play(case("MAC, rejected"))
    assert isinstance(error, Rejected)
    assert (error.status, status.fail_names(error.fail_info), error.text) == (2, ["badCertTemplate"], "no such subject")
    _, error, _ = play(case("MAC, error message"))
    assert status.fail_names(error.fail_info) == ["systemUnavail"]
    assert "closed for lunch" in error.text
    _, error, _ = play(case("MAC, wrong secret"))
    assert status.fail_names(error.fail_info) == ["badMessageCheck"]


def test_a_reply_to_another_transaction_is_refused():
    """The replies of one run answer no other, whatever protects them."""
    for kind in ("MAC", "signature"):
        for other in (kind + ", implicitConfirm",):
            _, error, _ = play(case(kind), case(other)["replies"])
            assert error.code == 403


def test_a_reply_twice_is_refused():
    for kind in ("MAC", "signature"):
        c = case(kind)
        _, error, _ = play(c, [c["replies"][0], c["replies"][0]])
        assert error.code == 404


def test_no_changed_octet_is_accepted():
    """One bit of each octet of the reply is turned over: an error of a documented class, and no certificate.

    What stands behind the protection (extraCerts) is a hint only: there a change may leave the chain to be found
    by other means, but never bring another certificate.
    """
    c = case("MAC")
    whole, _, _ = play(c)
    reply = bytearray(unhexlify(c["replies"][0]))
    message = msg.Message(reply)
    head = len(message.protected[1]) + 8
    for i in range(0, len(reply), 3):
        reply[i] ^= 1 << (i % 8)
        transaction = replay.start(c)
        transaction.send(c["now"])
        try:
            transaction.receive(bytes(reply), c["now"])
            assert i >= head, i
            assert transaction.certificate in (None, whole.certificate)
        except (ProtocolError, Untrusted, Rejected, CryptoError):
            assert transaction.state == client.FAILED
        reply[i] ^= 1 << (i % 8)


def test_every_truncation_is_refused():
    c = case("MAC")
    reply = unhexlify(c["replies"][0])
    for i in range(0, len(reply), 7):
        raises(ProtocolError, None, msg.Message, reply[:i])
    raises(ProtocolError, 104, msg.Message, reply + b"\0")


def test_calls_out_of_turn():
    c = case("MAC")
    transaction = replay.start(c)
    raises(ConfigError, CMP_STATE, transaction.receive, b"", c["now"])
    assert transaction.send(c["now"]) is not None
    assert transaction.send(c["now"]) is None
    raises(Error, None, transaction.receive, b"", c["now"])
    assert transaction.send(c["now"]) is None
    raises(ConfigError, CMP_STATE, transaction.receive, b"", c["now"])


def test_a_subject_is_needed():
    raises(ConfigError, CMP_SUBJECT, request.CertificateRequest, msg.IR, None, ())


def test_parameters_of_the_mac_are_bounded_before_the_work():
    """Iterations outside 100 to 10,000 and unknown algorithms are refused; no digest is computed for them."""
    c = replay.scripted(b"bounds")
    for iterations, code in ((99, CMP_MAC_PARAMETER), (10001, CMP_MAC_PARAMETER), (2**31, CMP_MAC_PARAMETER), (100, 407)):
        mac = protect.Mac(c, "dev1", b"secret", 100)
        calls = []
        repeat_digest = c.repeat_digest
        c.repeat_digest = lambda alg, data, count: calls.append(count) or bytes(32)
        mac.iterations = iterations
        try:
            raises(Untrusted, code, mac.verify, _Protected(mac))
        finally:
            c.repeat_digest = repeat_digest
        assert calls == ([100] if code == 407 else [])


class _Protected:
    """As much of a Message as `Mac.verify` looks at."""

    def __init__(self, mac):
        w = Writer()
        mac.write_algorithm(w)
        self.protection_alg = w.bytes()
        self.protected = (b"", b"")
        self.protection = bytes(32)


def test_a_wiped_secret_is_gone():
    c = replay.scripted(b"wipe")
    mac = protect.Mac(c, "dev1", b"secret", 100)
    before = mac.protect(b"x")
    mac.wipe()
    assert mac.secret == bytes(6)
    assert mac.protect(b"x") != before


def test_fail_names():
    assert status.fail_names(0) == []
    assert status.fail_names(1 | 1 << 9 | 1 << 26) == ["badAlg", "badPOP", "duplicateCertReq"]
    assert status.fail_names(1 << 30) == ["30"]


def test_status_texts_are_bounded():
    w = Writer(limit=4000)
    m = w.open(0x30)
    w.integer(2)
    a = w.open(0x30)
    for _ in range(10):
        w.utf8("x" * 200)
    w.close(a)
    w.close(m)
    _, _, text = status.read_status(Reader(w.bytes()))
    assert len(text) < 280 and text.startswith("xxx")


def test_bad_signature_is_a_crypto_error():
    assert issubclass(BadSignature, CryptoError)
