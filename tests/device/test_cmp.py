"""CMP transactions, replayed: the same requests on every runtime, and the due end of each."""

from binascii import unhexlify

import replay
from certlet import agent
from certlet.cmp import client, msg, protect, request, response, resume, status
from certlet.der import Reader, Writer
from certlet.errors import (
    BadSignature,
    ConfigError,
    CryptoError,
    Error,
    ProtocolError,
    Rejected,
    StoreError,
    TransportError,
    Untrusted,
)
from certlet.x509.certificate import Certificate
from support import each_vector, raises

CMP_STATE, CMP_SUBJECT, CMP_MAC_PARAMETER = 418, 420, 410


def case(title):
    for c in each_vector("cmp"):
        if c["title"] == title:
            return c
    raise ValueError(title)


def play(c, replies=None):
    """Replay a case; returns (transaction, error or None, requests)."""
    requests = []
    left = [unhexlify(r) for r in replies or c["replies"]]

    def exchange(request):
        requests.append(request)
        return left.pop(0)

    transaction, error = replay.run(c, exchange)
    return transaction, error, requests


def test_every_case_under_a_mac():
    check_cases(lambda c: "signer" not in c and ":" not in c["title"])


def test_every_case_under_a_signature():
    check_cases(lambda c: "signer" in c and ":" not in c["title"])


def test_every_fault_at_every_operation_under_a_mac():
    check_cases(lambda c: "signer" not in c and ":" in c["title"])


def test_every_fault_at_every_operation_under_a_signature():
    check_cases(lambda c: "signer" in c and ":" in c["title"])


def check_cases(wanted):
    """Replay the cases that are wanted: each must end as its row says, after as many messages, the same octets each."""
    count = 0
    for c in each_vector("cmp"):
        if not wanted(c):
            continue
        count += 1
        transaction, error, requests = play(c)
        assert (error.code if error else 0) == c["code"], (c["title"], error)
        assert len(requests) == c["sent"], c["title"]
        assert requests == [unhexlify(r) for r in c["requests"]], c["title"]
        assert transaction.state == (client.FAILED if error else client.DONE), c["title"]
        if error and c["code"] != 416:
            assert c["sent"] > 1 or transaction.certificate is None, c["title"]
    assert count > 20


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
    for title in ("MAC, ir: certificate for another key", "MAC, certificate for another key, implicitConfirm", "MAC, expired issuing CA"):
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
    _, error, _ = play(case("MAC, rejected with a text"))
    assert isinstance(error, Rejected)
    assert (error.status, status.fail_names(error.fail_info), error.text) == (2, ["badCertTemplate"], "no such subject")
    _, error, _ = play(case("MAC, error message with a text"))
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


def forge(transaction, signer, body, write, now):
    """A message to `transaction` signed by whoever `signer` is."""
    header = msg.Header(b"\x30\x00", transaction.header.transaction_id)
    header.sender_nonce = bytes(16)
    header.recip_nonce = transaction.header.sender_nonce
    w = Writer()
    m = w.open(0x30)
    start = w.n
    header.write(w, signer, now)
    a = w.open(0xA0 | body)
    write(w)
    w.close(a)
    part = w.view(start)
    protection = signer.protect(msg.header(0x30, len(part)), part)
    a = w.open(0xA0)
    w.bits(protection)
    w.close(a)
    a = w.open(0xA1)
    b = w.open(0x30)
    for der in signer.extra_certs:
        w.raw(der)
    w.close(b)
    w.close(a)
    w.close(m)
    return w.bytes()


def test_another_device_is_not_the_ca():
    """Its certificate is of the right PKI and may sign: that makes it no CA, RFC 9810 4.5."""
    mate = case("signature")
    for c in (case("MAC"), mate):
        for body, write in ((msg.PKI_CONF, Writer.null), (msg.ERROR, lambda w: response.write_error(w, 4, "sorry"))):
            transaction = replay.start(c)
            transaction.send(c["now"])
            transaction.receive(unhexlify(c["replies"][0]), c["now"])
            transaction.send(c["now"])
            key = transaction.crypto.load(unhexlify(mate["signer"]["key"]))
            signer = protect.Signer(transaction.crypto, key, unhexlify(mate["signer"]["certificate"]), transaction.chain[:1])
            raises(Untrusted, 429, transaction.receive, forge(transaction, signer, body, write, c["now"]), c["now"])


def test_a_signer_is_the_one_that_sender_kid_names():
    """The CA's own message with the senderKID of another certificate beside it: no certificate fits."""
    c = case("signature")
    reply = bytearray(unhexlify(c["replies"][0]))
    kid = bytes(msg.Message(bytes(reply)).sender_kid)
    at = bytes(reply).find(kid)
    reply[at] ^= 1
    transaction = replay.start(c)
    transaction.send(c["now"])
    raises(Untrusted, 409, transaction.receive, bytes(reply), c["now"])


def test_work_for_one_reply_is_bounded():
    """Ten certificates of one name and key: the signature checks of all of them together stay within the budget."""
    c = case("signature, 8 unrelated extraCerts")
    transaction = replay.start(c)
    calls = []
    verify = transaction.crypto.verify
    transaction.crypto.verify = lambda *a: calls.append(1) or verify(*a)
    mate = case("signature")
    key = transaction.crypto.load(unhexlify(mate["signer"]["key"]))
    signer = protect.Signer(transaction.crypto, key, unhexlify(mate["signer"]["certificate"]))
    signer.extra_certs = signer.extra_certs * 10
    transaction.trust.sender = bytes(signer.sender)
    transaction.trust.anchors = [Certificate(unhexlify(c["anchors"][0]))]
    transaction.send(c["now"])
    reply = forge(transaction, signer, msg.PKI_CONF, Writer.null, c["now"])
    try:
        raises(Untrusted, None, transaction.receive, reply, c["now"])
        assert len(calls) <= 12, len(calls)
    finally:
        transaction.crypto.verify = verify


def test_a_pollrep_twice_is_refused():
    c = case("MAC, ir: polled twice")
    replies = c["replies"][:2] + c["replies"][1:2]
    _, error, requests = play(c, replies)
    assert (error.code, len(requests)) == (404, 3)


def test_waiting_is_clamped():
    c = case("MAC, checkAfter of a year")
    transaction = replay.start(c)
    transaction.send(c["now"])
    for reply in c["replies"][:2]:
        transaction.receive(unhexlify(reply), c["now"])
        if transaction.state == client.POLL and transaction.not_before == c["now"]:
            transaction.send(c["now"])
    assert transaction.not_before == c["now"] + 86400
    assert transaction.send(c["now"] + 86399) is None
    assert transaction.send(c["now"] + 86400)[0] == msg.POLL_REQ


def test_a_certificate_that_cannot_be_named_is_refused_by_an_error_message():
    """Its signature algorithm is unknown, so no certHash can be made of it: the CA hears of it all the same."""
    c = case("MAC")
    transaction = replay.start(c)
    transaction.send(c["now"])
    verifier = transaction.verifier
    verifier.verify = lambda message, now: "mac"
    reply = unhexlify(c["replies"][0]).replace(unhexlify("2a8648ce3d040302"), unhexlify("2a8648ce3d040301"))
    transaction.receive(reply, c["now"])
    body, message = transaction.send(c["now"])
    assert body == msg.ERROR
    assert status.fail_names(response.read_error(msg.Message(message).content)[1]) == ["badDataFormat"]
    raises(Error, 307, transaction.receive, forge_confirmation(transaction, c), c["now"])


def forge_confirmation(transaction, c):
    """A pkiConf that passes, for the verifier of the transaction takes everything."""
    return forge(transaction, _mate(transaction), msg.PKI_CONF, Writer.null, c["now"])


def test_dumps():
    """What is no dump is refused; a transaction whose first request is out starts anew."""
    c = case("MAC, ir: polled twice")
    transaction = replay.start(c)
    transaction.send(c["now"])
    sent = resume.dump(transaction)
    fresh = replay.start(c)
    resume.load(fresh, sent)
    assert fresh.state == client.IDLE
    transaction.receive(unhexlify(c["replies"][0]), c["now"])
    waiting = resume.dump(transaction)
    assert c["secret"].encode() not in waiting
    for i in range(len(waiting)):
        raises(StoreError, 425, resume.load, replay.start(c), waiting[:i])
    raises(StoreError, 425, resume.load, replay.start(c), waiting + b"\0")
    resume.load(fresh, waiting)
    assert (fresh.state, fresh.header.transaction_id) == (client.POLL, transaction.header.transaction_id)


class Records:
    """As much of a store as the agent uses, in memory."""

    def __init__(self):
        self.data = {}
        self.saves = []

    def save(self, name, data):
        self.saves.append(name)
        self.data[name] = data

    def load(self, name):
        return self.data.get(name)

    def remove(self, name):
        self.data.pop(name, None)


class Line:
    """A transport whose replies are given, octets or an exception each."""

    def __init__(self, replies):
        self.replies = list(replies)

    def exchange(self, message):
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def test_what_is_not_of_the_ca_costs_no_transaction():
    """A web page, an unprotected error and a broken line in place of pkiConf or pollRep: `pending` stays for `resume`."""
    waiting, plain = case("MAC, ir: polled twice"), case("MAC")
    unprotected = unhexlify(case("MAC, unprotected error")["replies"][0])
    for c in (waiting, plain):
        first = unhexlify(c["replies"][0])
        for bad in (b"<html>", unprotected, TransportError(614)) + ((first,) if c is plain else ()):
            store = Records()
            raises(Error, None, agent.enrol, replay.start(c), Line([first, bad]), store, lambda: c["now"], lambda s: True)
            assert list(store.data) == ["pending"], bad
    for title in ("MAC, error message for certConf",):
        c = case(title)
        store = Records()
        line = Line([unhexlify(r) for r in c["replies"]])
        raises(Rejected, 416, agent.enrol, replay.start(c), line, store, lambda: c["now"])
        assert store.data == {}


def test_an_earlier_pending_transaction_is_not_ours_to_remove():
    c = case("MAC, rejected with a text")
    store = Records()
    store.save("pending", b"of another run")
    raises(Rejected, 415, agent.enrol, replay.start(c), Line([unhexlify(c["replies"][0])]), store, lambda: c["now"])
    assert store.data == {"pending": b"of another run"}


def test_a_ca_that_never_answers_is_not_asked_without_end():
    """Without `wait` the first pause ends the run; pauses that a CA wants to be zero or less are a second."""
    c = case("MAC, ir: polled twice")
    store = Records()
    run = replay.start(c)
    assert agent.enrol(run, Line([unhexlify(r) for r in c["replies"][:2]]), store, lambda: c["now"]) is None
    assert run.not_before >= c["now"] + 1
    assert list(store.data) == ["pending"]


def test_a_clock_that_fell_back_waits_a_day_at_most():
    c = case("MAC, ir: polled twice")
    waits = []
    run = replay.start(c)
    replies = Line([unhexlify(r) for r in c["replies"][:2]])
    times = [c["now"]] * 6 + [0] * 10
    assert agent.enrol(run, replies, Records(), lambda: times.pop(0), lambda s: waits.append(s)) is None
    assert max(waits) <= 86400


def test_confirmed_already_is_done():
    """pkiConf was lost, certConf goes out again, and the CA answers that the certificate is confirmed."""
    c = case("MAC")
    for fail_info, state in ((status.CERT_CONFIRMED, client.DONE), (status.BAD_DATA_FORMAT, client.FAILED)):
        transaction = replay.start(c)
        transaction.send(c["now"])
        transaction.receive(unhexlify(c["replies"][0]), c["now"])
        transaction.send(c["now"])
        transaction.verifier.verify = lambda message, now: "mac"
        signer = _mate(transaction)
        reply = forge(transaction, signer, msg.ERROR, lambda w: response.write_error(w, fail_info, "no"), c["now"])
        try:
            transaction.receive(reply, c["now"])
        except Rejected as e:
            assert e.code == 416
        assert transaction.state == state


def _mate(transaction):
    mate = case("signature")["signer"]
    key = transaction.crypto.load(unhexlify(mate["key"]))
    return protect.Signer(transaction.crypto, key, unhexlify(mate["certificate"]))


def test_statuses_of_a_revocation():
    """Only what grants it is success, RFC 9810 5.2.3."""
    c = case("MAC, rr: all well")
    for number, code in ((0, 0), (1, 0), (4, 0), (5, 0), (2, 415), (6, 415), (7, 413), (99, 413), (-1, 413)):
        transaction = replay.start(c)
        transaction.send(c["now"])
        transaction.verifier.verify = lambda message, now: "mac"

        def write(w):
            m = w.open(0x30)
            a = w.open(0x30)
            status.write_status(w, number)
            w.close(a)
            w.close(m)

        reply = forge(transaction, _mate(transaction), msg.RP, write, c["now"])
        try:
            transaction.receive(reply, c["now"])
            assert code == 0, number
            assert transaction.state == client.DONE
        except Error as e:
            assert e.code == code, number


def test_the_work_for_pbmac1_is_bounded():
    """Two digests an iteration and block; a long key and a slow digest count."""
    rows = (
        ("sha256", 10000, 32, True), ("sha256", 10000, 64, False), ("sha256", 5000, 64, True), ("sha256", 10001, 32, False),
        ("sha1", 10000, 20, True), ("sha1", 10000, 32, False), ("sha1", 5000, 32, True), ("sha512", 200, 64, False),
        ("sha384", 100, 32, False), ("sha256", 1000, 19, False), ("sha256", 1000, 65, False),
    )  # fmt: skip
    for digest, iterations, length, good in rows:
        cheap = protect._cheap(digest, iterations, length) and iterations <= 10000
        assert cheap is good, (digest, iterations, length)


def test_give_up():
    """A client-sent error carries our protection and the transactionID."""
    c = case("MAC")
    transaction = replay.start(c)
    transaction.send(c["now"])
    message = msg.Message(transaction.give_up(c["now"], status.BAD_DATA_FORMAT, "enough"))
    assert message.body == msg.ERROR
    assert message.transaction_id == transaction.header.transaction_id
    assert response.read_error(message.content)[:3] == (2, status.BAD_DATA_FORMAT, "enough")
    assert transaction.state == client.FAILED


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
