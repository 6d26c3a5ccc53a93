"""What breaks CMP between implementations, one test a trap where the transactions of test_cmp.py do not show it.

tests/traps.csv lists the traps by number and names the tests of each.
"""

from binascii import unhexlify
from hashlib import sha256

import replay
from certlet import agent, oid
from certlet.cmp import client, general, msg, protect, response, status
from certlet.cmp.request import GeneralRequest, Revocation
from certlet.cmp.verify import Trust
from certlet.der import Reader, Writer
from certlet.errors import BadSignature, ProtocolError, Rejected, TransportError, Untrusted
from certlet.store import Store
from certlet.x509 import algorithm
from certlet.x509.certificate import Certificate
from certlet.x509.name import write_name
from support import each_vector, raises, vectors
from test_store import Folder

NULL_DN = b"\x30\x00"
WANTED = (
    "MAC", "PBMAC1", "signature", "signature by an RSA key", "signature by an Ed25519 key", "MAC, raVerified by a device",
    "MAC, encrypted certificate for an EC key", "MAC, encrypted certificate for an RSA key", "MAC, the CA makes the key",
    "MAC, implicitConfirm", "MAC, P-384 CA", "MAC, Ed25519 CA", "MAC, granted with modifications", "MAC, ir: polled twice",
    "MAC, p10cr: polled twice", "MAC, genm: polled twice", "MAC, kur: all well", "MAC, rr: all well", "MAC, p10cr: all well",
    "MAC, genm: all well", "signature, kur: all well", "signature, rr: all well",
)  # fmt: skip
_cases = {}


def case(title):
    if not _cases:
        for c in each_vector("cmp"):
            if c["title"] in WANTED:
                _cases[c["title"]] = c
    return _cases[title]


def sent(title, i=0):
    """A request of a case as octets."""
    return unhexlify(case(title)["requests"][i])


def received(title, i=0):
    return unhexlify(case(title)["replies"][i])


def waiting(title):
    """(case, transaction that waits for its first reply)."""
    c = case(title)
    transaction = replay.start(c)
    transaction.send(c["now"])
    return c, transaction


def secret_of(c, transaction):
    """The CA's side of the shared secret."""
    return protect.Mac(transaction.crypto, "dev1", c["secret"].encode(), 100)


def forge(transaction, signer, body, content, now, nonce=None, infos=(), recipient=NULL_DN):
    """A reply to `transaction` protected by `signer`, with `content` (DER) as its body."""
    header = msg.Header(recipient, transaction.header.transaction_id)
    header.sender_nonce = bytes(16)
    header.recip_nonce = nonce or transaction.header.sender_nonce
    header.general_info = infos
    w = Writer(2048)
    m = w.open(0x30)
    start = w.n
    header.write(w, signer, now)
    w.tlv(0xA0 | body, content)
    part = w.view(start)
    protection = signer.protect(msg.header(0x30, len(part)), part)
    a = w.open(0xA0)
    w.bits(protection)
    w.close(a)
    w.close(m)
    return w.bytes()


def cert_req(message):
    """(DER of certReq, Reader behind it) of the request in a Message."""
    r = Reader(message.content)
    r.enter(0x30)
    r.enter(0x30)
    return r.element(0x30), r


def refused(code, transaction, reply, now):
    return raises(Untrusted, code, transaction.receive, reply, now)


def test_trap_01_tags_are_explicit_in_cmp_and_implicit_in_crmf():
    message = msg.Message(sent("MAC"))
    request, _ = cert_req(message)
    octets = bytes(request)
    assert unhexlify("a511300f") in octets  # subject [5]: Name is a CHOICE
    assert unhexlify("a6593013") in octets  # publicKey [6]: in the place of the SEQUENCE of SubjectPublicKeyInfo
    assert unhexlify("a422a00f170d") in octets  # validity [4], notBefore [0] around a UTCTime
    whole = sent("MAC")
    assert bytes(message.protection_alg) in whole
    at = whole.find(bytes(message.protection_alg))
    assert whole[at - 2] == 0xA1 and whole[at] == 0x30  # protectionAlg [1] keeps its SEQUENCE
    old = Certificate(unhexlify(case("MAC, rr: all well")["old"]))
    r = Reader(msg.Message(sent("MAC, rr: all well")).content)
    for _ in range(3):
        r.enter(0x30)
    assert r.tlv(0x81) == old.serial
    r.enter(0xA3)  # issuer [3]: explicit again
    assert r.element(0x30) == old.issuer


def test_trap_02_proofs_of_possession():
    for title, wire in (
        ("MAC, raVerified by a device", "8000"),
        ("MAC, encrypted certificate for an RSA key", "a203810100"),
        ("MAC, encrypted certificate for an EC key", "a303810100"),
    ):
        _, r = cert_req(msg.Message(sent(title)))
        assert r.element() == unhexlify(wire), title
    _, r = cert_req(msg.Message(sent("MAC, the CA makes the key")))
    assert not r.more()


def test_trap_03_the_proof_signs_cert_request():
    """POPOSigningKey [1] without poposkInput, over the DER of certReq with its own tag."""
    transaction = waiting("MAC")[1]
    request, r = cert_req(msg.Message(sent("MAC")))
    r.enter(0xA1)
    identifier = r.element(0x30)  # poposkInput [0] would stand before it
    signature = r.bits()
    spki = transaction.request.spki()
    algorithm.verify(transaction.crypto, identifier, spki, signature, request)
    raises(BadSignature, None, algorithm.verify, transaction.crypto, identifier, spki, signature, request[2:])


def test_trap_04_the_protection_covers_header_and_body_as_received():
    message = msg.Message(sent("MAC"))
    whole = sent("MAC")
    at = whole.find(bytes(message.protection))
    assert whole[at - 5 : at] == unhexlify("a023032100")  # BIT STRING in [0], no unused bits
    crypto = replay.scripted(b"4")
    inner = whole[4 : at - 5]  # header and body, between the outer head and the protection
    length = bytes([0x30, 0x82, len(inner) >> 8, len(inner) & 255])
    salt, _, count = parameters(message)
    key = hand_made(case("MAC")["secret"].encode() + salt, count)
    assert crypto.hmac("sha256", key, length, inner) == message.protection


def parameters(message):
    """(salt, DER of the digest, iterationCount) of PBMParameter."""
    _, r = algorithm.read_algorithm(message.protection_alg)
    r.enter(0x30)
    return bytes(r.octets()), r.element(), r.integer()


def hand_made(data, count):
    for _ in range(count):
        data = sha256(data).digest()
    return data


def test_trap_05_encrypted_value_is_refused():
    """EncryptedKey is EncryptedValue, a bare SEQUENCE, or EnvelopedData under [0]; the old one is not taken."""
    for tag, element, code in ((0xA1, "3000", 419), (0xA1, "a000", 0), (0xA0, "3000", 0)):
        w = Writer()
        marks = [w.open(0x30), w.open(0x30), w.open(0x30)]
        w.integer(0)
        w.raw(unhexlify("3003020100"))
        marks.append(w.open(0x30))
        w.tlv(tag, unhexlify(element))
        for m in marks[::-1]:
            w.close(m)
        if code:
            raises(ProtocolError, code, response.CertResponse, w.bytes())
            continue
        reply = response.CertResponse(w.bytes())
        assert (reply.encrypted or reply.certificate) == unhexlify(element)


def test_trap_06_nothing_empty_and_no_trailing_zero_bits():
    message = msg.Message(sent("MAC", 1))
    content = bytes(message.content)
    assert content[:6] == unhexlify("302730250420") and content[38:] == unhexlify("020100")  # accepted: no statusInfo
    for title in ("MAC", "MAC, rr: all well", "MAC, genm: all well"):
        whole = sent(title)
        message = msg.Message(whole)
        assert whole[-len(message.protection) :] == message.protection  # no extraCerts
        r = Reader(whole)
        r.enter(0x30)
        r.enter(0x30)
        tags = []
        while r.more():
            tags.append(r.peek())
            r.element()
        assert 0xA8 not in tags, tags  # no generalInfo
    for mask, wire in ((1, "03020780"), (1 << 7, "03020001"), (1 << 26, "030505000000" + "20")):
        w = Writer()
        w.named_bits(mask)
        assert w.bytes() == unhexlify(wire)
    for wire in ("03020001", "0303000100", "03050001000000"):
        assert Reader(unhexlify(wire)).named_bits() == 1 << 7


def test_trap_07_free_text_with_a_language_tag():
    tag = unhexlify("f3a08081f3a081a5f3a081ae")  # U+E0001 and the tag letters e, n
    w = Writer()
    m = w.open(0x30)
    w.tlv(0x0C, tag + b"closed")
    w.tlv(0x0C, b"for lunch")
    w.close(m)
    assert status.read_free_text(Reader(w.bytes())).endswith("closed; for lunch")


def test_trap_08_two_identifiers_of_hmac_sha1():
    """Either OID, with the parameters of digest and MAC absent or NULL."""
    crypto = replay.scripted(b"8")
    mac = protect.Mac(crypto, "dev1", b"secret", 100)
    seen = 0
    for digest, name, identifier, of_mac in (
        (oid.SHA1, "sha1", oid.HMAC_SHA1, "sha1"),
        (oid.SHA1, "sha1", oid.HMAC_SHA1_IPSEC, "sha1"),
        (oid.SHA256, "sha256", oid.HMAC_SHA1, "sha1"),
        (oid.SHA256, "sha256", oid.HMAC_SHA1_IPSEC, "sha1"),
        (oid.SHA256, "sha256", oid.HMAC_SHA256, "sha256"),
        (oid.SHA384, "sha384", oid.HMAC_SHA384, "sha384"),
        (oid.SHA512, "sha512", oid.HMAC_SHA512, "sha512"),
    ):
        for null in (b"", b"\x05\x00"):
            w = Writer()
            a = w.open(0x30)
            w.raw(oid.PASSWORD_BASED_MAC)
            b = w.open(0x30)
            w.octets(b"saltsalt")
            w.tlv(0x30, digest + null)
            w.integer(100)
            w.tlv(0x30, identifier + null)
            w.close(b)
            w.close(a)
            key = crypto.repeat_digest(name, b"secretsaltsalt", 100)
            mac.verify(Protected(w.bytes(), crypto.hmac(of_mac, key, b"text")))
            raises(Untrusted, 407, mac.verify, Protected(w.bytes(), bytes(20)))
            seen += 1
    assert seen == 14


class Protected:
    """As much of a Message as `Mac.verify` looks at."""

    def __init__(self, protection_alg, protection):
        self.protection_alg = protection_alg
        self.protected = (b"te", b"xt")
        self.protection = protection


def test_trap_09_cert_req_id():
    """0 for one request, -1 for PKCS #10; a poll names the certReqId that waits, or -1 for the whole reply."""
    r = Reader(cert_req(msg.Message(sent("MAC")))[0])
    r.enter(0x30)
    assert r.integer() == 0
    assert bytes(msg.Message(sent("MAC", 1)).content)[-3:] == unhexlify("020100")
    assert bytes(msg.Message(sent("MAC, p10cr: all well", 1)).content)[-3:] == unhexlify("0201ff")
    for title, wire in (
        ("MAC, ir: polled twice", "30053003020100"),
        ("MAC, p10cr: polled twice", "300530030201ff"),
        ("MAC, genm: polled twice", "300530030201ff"),
    ):
        poll = msg.Message(sent(title, 1))
        assert (poll.body, bytes(poll.content)) == (msg.POLL_REQ, unhexlify(wire)), title


def test_trap_10_sender():
    """MAC: a name whose CN is the reference; signature: the subject of the certificate, octet for octet."""
    w = Writer()
    write_name(w, (("CN", "dev1"),))
    for title in ("MAC", "PBMAC1", "MAC, p10cr: all well", "MAC, genm: all well", "MAC, rr: all well"):
        assert msg.Message(sent(title)).sender == w.view(), title
    for title in ("signature", "signature by an RSA key", "signature, kur: all well", "signature, rr: all well"):
        certificate = Certificate(unhexlify(case(title)["signer"]["certificate"]))
        assert msg.Message(sent(title)).sender == certificate.subject, title


def test_trap_11_sender_kid():
    for title in ("MAC", "PBMAC1", "MAC, p10cr: all well", "MAC, genm: all well"):
        assert msg.Message(sent(title)).sender_kid == b"dev1", title
    for title in ("signature", "signature, kur: all well"):
        certificate = Certificate(unhexlify(case(title)["signer"]["certificate"]))
        assert len(certificate.ski) == 20 and msg.Message(sent(title)).sender_kid == certificate.ski, title


def test_trap_12_identifiers_through_a_transaction():
    c = case("MAC, ir: polled twice")
    requests = [msg.Message(unhexlify(r)) for r in c["requests"]]
    replies = [msg.Message(unhexlify(r)) for r in c["replies"]]
    assert len(requests[0].transaction_id) == 16
    nonces = []
    for i, request in enumerate(requests):
        assert request.transaction_id == requests[0].transaction_id
        assert len(request.sender_nonce) == 16 and bytes(request.sender_nonce) not in nonces
        nonces.append(bytes(request.sender_nonce))
        assert request.recip_nonce == (replies[i - 1].sender_nonce if i else None)


def test_trap_12_a_poll_is_answered_with_its_own_nonce():
    """The final answer may carry the nonce of the first request; pollRep may not."""
    for body, content, code in (
        (msg.POLL_REP, unhexlify("30083006020100020105"), 404),
        (msg.IP, bytes(msg.Message(received("MAC, ir: polled twice", 3)).content), 0),
    ):
        c, transaction = waiting("MAC, ir: polled twice")
        transaction.receive(received("MAC, ir: polled twice"), c["now"])
        transaction.send(c["now"])
        reply = forge(transaction, secret_of(c, transaction), body, content, c["now"], transaction.first_nonce)
        if code:
            refused(code, transaction, reply, c["now"])
        else:
            transaction.verifier.remember(msg.Message(received("MAC, ir: polled twice", 3)).extra_certs)
            transaction.receive(reply, c["now"])
            assert transaction.state == client.CONFIRM and transaction.certificate


def test_trap_13_message_time():
    """GeneralizedTime to the second; left out without a clock; fractions are read."""
    c = case("MAC")
    whole = sent("MAC")
    at = whole.find(b"\xa0\x11\x18\x0f")
    assert whole[at + 18 : at + 19] == b"Z" and whole[at + 4 : at + 18].isdigit()
    assert msg.Message(whole).message_time == c["now"]
    transaction = replay.start(c)
    transaction.timed = False
    message = msg.Message(transaction.send(c["now"])[1])
    assert message.message_time is None
    assert unhexlify("a422a00f170d") not in bytes(cert_req(message)[0])  # no validity either
    w = Writer()
    m = w.open(0x30)
    a = w.open(0x30)
    w.integer(2)
    w.tlv(0xA4, NULL_DN)
    w.tlv(0xA4, NULL_DN)
    w.tlv(0xA0, b"\x18\x1320200102030405.678Z")
    w.close(a)
    w.raw(b"\xb3\x02\x05\x00")
    w.close(m)
    assert msg.Message(w.bytes()).message_time == 1577934245


def test_trap_14_version():
    """2, and 3 only where the request or its reply needs EnvelopedData."""
    for title, pvno in (
        ("MAC", 2), ("signature", 2), ("MAC, genm: all well", 2), ("MAC, raVerified by a device", 2), ("MAC, Ed25519 CA", 2),
        ("MAC, the CA makes the key", 3), ("MAC, encrypted certificate for an EC key", 3),
    ):  # fmt: skip
        for i in range(len(case(title)["requests"])):
            r = Reader(sent(title, i))
            r.enter(0x30)
            r.enter(0x30)
            assert r.integer() == pvno, title


def test_trap_15_recipient():
    """NULL-DN unless configured; whom a reply names does not matter."""
    w = Writer()
    write_name(w, (("CN", "CA"),))
    for name in (None, w.bytes()):
        c = case("MAC, genm: all well")
        crypto = replay.scripted(b"15")
        mac = protect.Mac(crypto, "dev1", c["secret"].encode(), 100)
        run = client.Transaction(crypto, mac, GeneralRequest([(oid.info_type(general.CA_CERTS), None)]), Trust(), name)
        r = Reader(run.send(c["now"])[1])
        for _ in range(2):
            r.enter(0x30)
        r.integer()
        r.element()
        assert r.tlv(0xA4) == (name or NULL_DN)
        run.receive(forge(run, secret_of(c, run), msg.GENP, b"\x30\x00", c["now"], recipient=w.bytes()), c["now"])
        assert run.state == client.DONE and run.infos == []


def test_trap_16_iterations_in_all_and_a_new_salt_each_message():
    crypto = replay.scripted(b"16")
    for count in (1, 2, 100):
        assert crypto.repeat_digest("sha256", b"secretsalt", count) == hand_made(b"secretsalt", count)
    salts = [parameters(msg.Message(received("MAC", i)))[0] for i in (0, 1)]
    assert salts[0] != salts[1] and len(salts[0]) >= 8
    ours = [parameters(msg.Message(sent("MAC", i))) for i in (0, 1)]
    assert ours[0] == ours[1] and len(ours[0][0]) == 16 and ours[0][2] >= 100


def test_trap_18_parameters_of_signature_algorithms():
    for title, wire in (
        ("signature", "300a06082a8648ce3d040302"),
        ("signature by an RSA key", "300d06092a864886f70d01010b0500"),
        ("signature by an Ed25519 key", "300506032b6570"),
    ):
        assert msg.Message(sent(title)).protection_alg == unhexlify(wire), title


def test_trap_19_extra_certs_are_sent_signer_first_and_remembered():
    for title in ("signature", "signature, kur: all well"):
        for i in (0, 1):
            assert msg.Message(sent(title, i)).extra_certs[0] == unhexlify(case(title)["signer"]["certificate"])
    c, transaction = waiting("signature")
    transaction.receive(received("signature"), c["now"])
    transaction.send(c["now"])
    bare = stripped(received("signature", 1))
    assert not msg.Message(bare).extra_certs
    transaction.receive(bare, c["now"])
    assert transaction.state == client.DONE
    c, transaction = waiting("signature")
    refused(409, transaction, stripped(received("signature")), c["now"])


def stripped(whole):
    """A message without its extraCerts, which nothing protects."""
    r = Reader(whole)
    r.enter(0x30)
    w = Writer(2048)
    m = w.open(0x30)
    for _ in range(3):
        w.raw(r.element())
    w.close(m)
    return w.bytes()


def test_trap_21_ca_pubs_under_a_signature_are_no_anchors():
    """The signer is pinned, so the reply is authentic; the root that it brings along is data all the same."""
    mate = case("signature")["signer"]
    for by_mac in (False, True):
        c, transaction = waiting("MAC")
        signer = protect.Signer(transaction.crypto, transaction.crypto.load(unhexlify(mate["key"])), unhexlify(mate["certificate"]))
        transaction.trust.anchors = []
        transaction.trust.server = Certificate(unhexlify(mate["certificate"]))
        content = bytes(msg.Message(received("MAC")).content)
        assert response.CertResponse(content).ca_pubs
        who = secret_of(c, transaction) if by_mac else signer
        transaction.verifier.remember(msg.Message(received("MAC")).extra_certs)
        transaction.receive(forge(transaction, who, msg.IP, content, c["now"]), c["now"])
        if by_mac:
            assert transaction.certificate and len(transaction.anchors) == 1
        else:
            assert transaction.certificate is None and transaction.anchors == ()
            assert transaction.failure.code == 311


def test_trap_21_cve_2026_42769_a_root_update_needs_the_old_root():
    """newWithOld by the pinned key, newWithNew by itself, the same key in both; else the anchors stay as they are."""
    data = vectors("root_update")
    crypto = replay.scripted(b"21")
    old, new = unhexlify(data["old"]), unhexlify(data["new"])
    for row in data["cases"]:
        update = general.RootUpdate(unhexlify(row["value"]))
        with Folder() as folder:
            store = Store(folder)
            if row["good"]:
                anchors = agent.update_root(store, crypto, update, old, data["now"])
                assert anchors[0] == new and agent.pinned(store) == anchors, row["title"]
                store.save("anchors", agent.pack((old, b"another root")))
                anchors = agent.update_root(store, crypto, update, old, data["now"])
                assert anchors[0] == new and anchors[-1] == b"another root", row["title"]
            else:
                raises(Untrusted, 426, agent.update_root, store, crypto, update, old, data["now"])
                assert agent.pinned(store) is None, row["title"]
            raises(Untrusted, 426, update.check, crypto, old, data["now"] + 100 * 365 * 86400)
            stranger = unhexlify(data["stranger"])
            if "another CA" not in row["title"]:
                raises(Untrusted, 426, update.check, crypto, stranger, data["now"])


def test_trap_22_implicit_confirm_counts_in_the_reply_only():
    """Asked and granted: no certConf. Granted but not asked, or asked but not granted: certConf."""
    for title, infos, state in (
        ("MAC", (), client.CONFIRM),
        ("MAC", ((oid.IT_IMPLICIT_CONFIRM, b"\x05\x00"),), client.CONFIRM),
        ("MAC, implicitConfirm", (), client.CONFIRM),
        ("MAC, implicitConfirm", ((oid.IT_IMPLICIT_CONFIRM, b"\x05\x00"),), client.DONE),
    ):
        c, transaction = waiting(title)
        transaction.verifier.remember(msg.Message(received(title)).extra_certs)
        content = bytes(msg.Message(received(title)).content)
        transaction.receive(
            forge(transaction, secret_of(c, transaction), msg.IP, content, c["now"], None, infos), c["now"]
        )
        assert transaction.state == state and transaction.certificate, (title, infos)


def test_trap_23_cert_hash_by_the_signature_of_the_certificate():
    """A P-256 key certified by P-384: SHA-384; by Ed25519: SHA-512, without hashAlg and in version 2."""
    crypto = replay.scripted(b"23")
    for title, digest in (("MAC", "sha256"), ("MAC, P-384 CA", "sha384"), ("MAC, Ed25519 CA", "sha512")):
        certificate = response.CertResponse(msg.Message(received(title)).content).certificate
        r = Reader(msg.Message(sent(title, 1)).content)
        r.enter(0x30)
        r.enter(0x30)
        assert r.octets() == crypto.digest(digest, certificate), title
        assert r.integer() == 0 and not r.more(), title


def test_trap_24_granted_with_modifications_is_success():
    c = case("MAC, granted with modifications")
    replies = [unhexlify(r) for r in c["replies"]]
    transaction, error = replay.run(c, lambda _: replies.pop(0))
    assert error is None and transaction.status == status.GRANTED_WITH_MODS


def test_trap_25_old_cert_id():
    """Issuer and serial number with the octets of the old certificate."""
    c = case("MAC, kur: all well")
    old = Certificate(unhexlify(c["old"]))
    r = Reader(cert_req(msg.Message(sent("MAC, kur: all well")))[0])
    r.enter(0x30)
    assert r.integer() == 0
    r.element(0x30)
    for _ in range(2):
        r.enter(0x30)
    assert r.oid() == oid.OLD_CERT_ID
    r.enter(0x30)
    assert r.tlv(0xA4) == old.issuer
    assert r.tlv(0x02) == old.serial


class Played:
    """A transport that plays replies and then has no connection."""

    def __init__(self, replies):
        self.replies = list(replies)

    def exchange(self, message):
        if not self.replies:
            raise TransportError(612)
        return self.replies.pop(0)


def test_trap_25_the_old_identity_stays_until_the_new_one_is_confirmed():
    """Power or network goes after kup, before pkiConf: the old key and certificate are in force, the new ones wait."""
    c = case("MAC, kur: all well")
    replies = [unhexlify(r) for r in c["replies"]]
    with Folder() as folder:
        store = Store(folder)
        before = agent.Identity(b"soft:p256:" + bytes(31) + b"\1", unhexlify(c["old"]))
        store.save("active", before.to_bytes())
        raises(TransportError, 612, agent.enrol, replay.start(c), Played(replies[:1]), store, lambda: c["now"])
        assert agent.load_identity(store).key_ref == before.key_ref
        assert store.load("pending") is not None
        agent.enrol(replay.start(c), Played(replies), store, lambda: c["now"])
        assert agent.load_identity(store).key_ref == unhexlify(c["key"])
        assert agent.load_identity(store, "previous").key_ref == before.key_ref
        assert store.load("pending") is None


def test_trap_26_any_other_reply_ends_the_polling():
    """After a poll an error message is the final answer, not another wait."""
    c, transaction = waiting("MAC, ir: polled twice")
    transaction.receive(received("MAC, ir: polled twice"), c["now"])
    transaction.send(c["now"])
    w = Writer()
    response.write_error(w, 1 << 25, "broken")
    reply = forge(transaction, secret_of(c, transaction), msg.ERROR, w.bytes(), c["now"])
    assert status.fail_names(raises(Rejected, 416, transaction.receive, reply, c["now"]).fail_info) == ["systemFailure"]
    assert transaction.state == client.FAILED and transaction.send(c["now"]) is None


def test_trap_27_revocations():
    """The reason is ENUMERATED; rp may hold nothing but a status; a second rr is certRevoked."""
    assert unhexlify("0603551d1504030a0104") in sent("MAC, rr: all well")
    for reason in (0, 1, 2, 3, 4, 5, 6, 8, 9, 10):
        w = Writer()
        Revocation(NULL_DN, b"\1", reason).write(w, None, 0)
        assert w.bytes()[-10:] == unhexlify("0603551d1504030a01%02x" % reason)[-10:]
    c, transaction = waiting("MAC, rr: all well")
    reply = forge(transaction, secret_of(c, transaction), msg.RP, unhexlify("300730053003020100"), c["now"])
    transaction.receive(reply, c["now"])
    assert transaction.state == client.DONE
    w = Writer()
    marks = [w.open(0x30), w.open(0x30)]
    status.write_status(w, status.REJECTION, 1 << 10)
    for m in marks[::-1]:
        w.close(m)
    c, transaction = waiting("MAC, rr: all well")
    reply = forge(transaction, secret_of(c, transaction), msg.RP, w.bytes(), c["now"])
    error = raises(Rejected, 415, transaction.receive, reply, c["now"])
    assert status.fail_names(error.fail_info) == ["certRevoked"]


def test_trap_33_replies_are_parsed_in_place():
    """What a Message holds are slices of the received octets; counts and depth are bounded."""
    whole = received("MAC")
    message = msg.Message(whole)
    for part in (message.content, message.protection, message.extra_certs[0]):
        assert isinstance(part, memoryview)
    w = Writer(4096)
    m = w.open(0x30)
    for _ in range(11):
        w.raw(NULL_DN)
    w.close(m)
    raises(ProtocolError, 421, msg.read_certificates, Reader(w.bytes()))
    raises(ProtocolError, None, msg.Message, b"\x30\x80" * 40)
