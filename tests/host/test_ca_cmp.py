"""The lab CA's CMP responder in memory: every row is a request, and what must come of it."""

import dataclasses
import ipaddress
import os
import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from certlet_host.ca.cmp_responder import Responder
from certlet_host.ca.provoke import parse
from certlet_host.ca.state import open_state
from host.cmp_peer import HMAC_SHA1, HMAC_SHA1_CMP, HMAC_SHA512, NULL, SHA1, SHA384, SHA512, Answer, Ask, p256

SECRET = b"0123456789abcdef0123456789abcdef"
RSA = rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    state = open_state(tmp_path_factory.mktemp("ca"))
    state.store.add_secret("dev1", SECRET, reusable=True)
    return state


@pytest.fixture
def once(state):
    """A reference whose secret serves one device."""
    reference = os.urandom(4).hex()
    state.store.add_secret(reference, SECRET)
    return reference.encode()


def ask(**fields):
    return Ask(**{"secret": SECRET, **fields})


def exchange(state, request, **options):
    return Answer(Responder(state, **options).respond(request))


def row_of(state, certificate):
    serial = f"{certificate.serial_number:x}"
    return next(row for row in state.store.certificates() if row["serial"] == serial)


def identity(state, key=None, **fields):
    """A key and its confirmed certificate."""
    wish = ask(key=key or p256(), implicit=True, **fields)
    return wish.key, exchange(state, wish.message()).certificate


ACCEPTED = [
    ("ir", "ip 0", {}),
    ("cr", "cp 0", {"kind": "cr"}),
    ("p10cr", "cp 0", {"kind": "p10cr"}),
    ("pvno 3", "ip 0", {"pvno": 3}),
    ("certReqId 5", "ip 0", {"req_id": 5}),
    ("P-384", "ip 0", {"key": ec.generate_private_key(ec.SECP384R1())}),
    ("RSA-2048", "ip 0", {"key": RSA}),
    ("Ed25519", "ip 0", {"key": ed25519.Ed25519PrivateKey.generate()}),
    ("SHA-1 and HMAC-SHA1 of RFC 4210", "ip 0", {"owf": SHA1, "mac": HMAC_SHA1_CMP}),
    ("HMAC-SHA1 of PKCS #5, parameters NULL", "ip 0", {"mac": HMAC_SHA1, "parameters": NULL}),
    ("SHA-384", "ip 0", {"owf": SHA384}),
    ("SHA-512", "ip 0", {"owf": SHA512, "mac": HMAC_SHA512}),
    ("fewest iterations", "ip 0", {"iterations": 100}),
    ("most iterations", "ip 0", {"iterations": 100_000}),
    ("empty subject with a name", "cp 0", {"kind": "p10cr", "subject": "", "sans": (x509.DNSName("a.example"),)}),
    ("clipped validity", "ip 1", {"not_after": "20990101000000Z"}),
]
REFUSED = [
    ("wrong secret", "error badMessageCheck", {"secret": b"x" * 32}),
    ("unknown reference", "error badMessageCheck", {"reference": b"nobody"}),
    ("reference that is not UTF-8", "error badMessageCheck", {"reference": b"\xff\xfe"}),
    ("no senderKID", "error badMessageCheck", {"reference": None}),
    ("one bit of the MAC", "error badMessageCheck", {"flip": True}),
    ("unprotected", "error badMessageCheck", {"protect": False}),
    ("99 iterations", "error badAlg", {"iterations": 99}),
    ("100,001 iterations", "error badAlg", {"iterations": 100_001}),
    ("2^40 iterations", "error badAlg", {"iterations": 2**40}),
    ("short salt", "error badAlg", {"salt": b"1234567"}),
    ("long salt", "error badAlg", {"salt": b"1" * 129}),
    ("MD5 as one-way function", "error badAlg", {"owf": "1.2.840.113549.2.5"}),
    ("HMAC-MD5", "error badAlg", {"mac": "1.2.840.113549.2.6"}),
    ("odd MAC parameters", "error badAlg", {"parameters": b"\x02\x01\x00"}),
    ("pvno 1", "error unsupportedVersion", {"pvno": 1}),
    ("pvno 4", "error unsupportedVersion", {"pvno": 4}),
    ("no transactionID", "error badRequest", {"transaction_id": None}),
    ("transactionID of 15 bytes", "error badRequest", {"transaction_id": b"1" * 15}),
    ("transactionID of 65 bytes", "error badRequest", {"transaction_id": b"1" * 65}),
    ("no senderNonce", "error badSenderNonce", {"sender_nonce": None}),
    ("two requests", "error badRequest", {"requests": 2}),
    ("negative certReqId", "error badRequest", {"req_id": -2}),
    ("kur", "kup badCertId", {"kind": "kur"}),
    ("raVerified", "ip badPOP", {"popo": "raVerified"}),
    ("raVerified in cr", "cp badPOP", {"popo": "raVerified", "kind": "cr"}),
    ("no proof", "ip badPOP", {"popo": ""}),
    ("keyEncipherment", "ip badPOP", {"popo": "keyEncipherment"}),
    ("proof by another key", "ip badPOP", {"popo_key": p256()}),
    ("proof by another kind of key", "ip badPOP", {"popo_key": RSA}),
    ("p10cr, one bit of the signature", "cp badPOP", {"kind": "p10cr", "popo_key": p256()}),
    ("no subject", "ip badCertTemplate", {"subject": None}),
    ("no public key", "ip badCertTemplate", {"public_key": False}),
    ("nameless", "cp badCertTemplate", {"kind": "p10cr", "subject": ""}),
    ("P-224", "ip badCertTemplate", {"key": ec.generate_private_key(ec.SECP224R1()), "popo_key": RSA}),
    ("RSA-1024", "ip badCertTemplate", {"key": rsa.generate_private_key(65537, 1024)}),
    ("validity in the past", "ip badCertTemplate", {"not_after": "20200101000000Z"}),
]


@pytest.mark.parametrize(("outcome", "fields"), [pytest.param(*row[1:], id=row[0]) for row in ACCEPTED])
def test_accepted(state, outcome, fields):
    wish = ask(**fields)
    answer = exchange(state, wish.message())
    assert answer.outcome == outcome
    assert answer.is_maced(SECRET)
    assert bytes(answer.header["transactionID"]) == wish.transaction_id
    assert bytes(answer.header["recipNonce"]) == wish.sender_nonce
    assert bytes(answer.header["senderKID"]) == b"dev1"
    assert int(answer.header["pvno"]) == wish.pvno
    certificate = answer.certificate
    assert certificate.public_key() == wish.key.public_key()
    certificate.verify_directly_issued_by(answer.extra_certs[0])
    assert row_of(state, certificate)["status"] == "pending"
    assert exchange(state, wish.confirm(answer)).outcome == "pkiconf"
    assert row_of(state, certificate)["status"] == "confirmed"


@pytest.mark.parametrize(("outcome", "fields"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED])
def test_refused(state, outcome, fields):
    before = len(state.store.certificates())
    answer = exchange(state, ask(**fields).message())
    assert answer.outcome == outcome
    assert len(state.store.certificates()) == before
    if answer.kind == "error":
        assert answer.is_signed()
        assert [extra.subject for extra in answer.extra_certs] == [
            state.authority.signer.certificate.subject, state.authority.issuing.certificate.subject,
        ]
    else:
        assert answer.is_maced(SECRET)


def test_profile(state):
    other = x509.OtherName(x509.ObjectIdentifier("1.2.3.4"), b"\x0c\x03abc")
    names = (x509.DNSName("a.example"), x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
             x509.UniformResourceIdentifier("urn:dev:1"), x509.RFC822Name("a@b.example"),
             x509.DirectoryName(x509.Name.from_rfc4514_string("CN=x,O=y")), other)
    certificate = exchange(state, ask(sans=names).message()).certificate
    extensions = certificate.extensions
    assert tuple(extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == names
    basic = extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca) == (True, False)
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [x509.OID_CLIENT_AUTH]
    issuer_id = state.authority.issuing.key_id
    assert extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == issuer_id
    assert 64 < certificate.serial_number.bit_length() < 160
    now = datetime.now(UTC)
    assert timedelta(minutes=59) < now - certificate.not_valid_before_utc < timedelta(minutes=61)
    assert timedelta(days=89, hours=23) < certificate.not_valid_after_utc - now < timedelta(days=90, hours=1)


def test_asked_validity_is_honoured(state):
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=7)
    answer = exchange(state, ask(not_after=end.strftime("%Y%m%d%H%M%SZ")).message())
    assert answer.outcome == "ip 0"
    assert answer.certificate.not_valid_after_utc == end


def test_ca_certificates(state):
    root, issuing, signer = (getattr(state.authority, part).certificate for part in ("root", "issuing", "signer"))
    for certificate, issuer, length in ((root, root, 1), (issuing, root, 0)):
        certificate.verify_directly_issued_by(issuer)
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == length
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        assert usage.key_cert_sign
        assert not usage.digital_signature
    signer.verify_directly_issued_by(issuing)
    purposes = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [purpose.dotted_string for purpose in purposes] == ["1.3.6.1.5.5.7.3.28"]
    assert {file.stat().st_mode & 0o777 for file in state.folder.glob("*.key")} == {0o600}


CONFIRM = [
    ("wrong hash", "error badCertId", {"cert_hash": b"x" * 32}, "pending"),
    ("wrong certReqId", "error badRequest", {"req_id": 1}, "pending"),
    ("wrong recipNonce", "error badRecipientNonce", {"recip_nonce": b"x" * 16}, "pending"),
    ("no recipNonce", "error badRecipientNonce", {"recip_nonce": None}, "pending"),
    ("unknown transaction", "error badRequest", {"transaction_id": b"y" * 16}, "pending"),
    ("wrong secret", "error badMessageCheck", {"secret": b"x" * 32}, "pending"),
    ("hashAlg in pvno 2", "error badAlg", {"hash_alg": "2.16.840.1.101.3.4.2.1"}, "pending"),
    ("hashAlg in pvno 3", "pkiconf", {"hash_alg": "2.16.840.1.101.3.4.2.1", "pvno": 3}, "confirmed"),
    ("rejection", "pkiconf", {"accept": False}, "rejected"),
    ("no CertStatus at all", "pkiconf", {"empty": True}, "rejected"),
]


@pytest.mark.parametrize(("outcome", "changes", "status"), [pytest.param(*row[1:], id=row[0]) for row in CONFIRM])
def test_confirmation(state, outcome, changes, status):
    wish = ask()
    answer = exchange(state, wish.message())
    assert exchange(state, wish.confirm(answer, **changes)).outcome == outcome
    assert row_of(state, answer.certificate)["status"] == status


def test_confirmation_repeated_and_taken_back(state):
    wish = ask()
    answer = exchange(state, wish.message())
    for _ in range(3):
        assert exchange(state, wish.confirm(answer)).outcome == "pkiconf"
    assert exchange(state, wish.confirm(answer, accept=False)).outcome == "error certConfirmed"
    assert row_of(state, answer.certificate)["status"] == "confirmed"


def test_confirmation_of_another_reference(state, once):
    wish = ask()
    answer = exchange(state, wish.message())
    assert exchange(state, wish.confirm(answer, reference=once)).outcome == "error badRequest"
    assert row_of(state, answer.certificate)["status"] == "pending"


def test_implicit_confirmation(state):
    answer = exchange(state, ask(implicit=True).message())
    assert answer.implicit
    assert row_of(state, answer.certificate)["status"] == "confirmed"
    answer = exchange(state, ask(implicit=True).message(), implicit_confirm=False)
    assert not answer.implicit
    assert row_of(state, answer.certificate)["status"] == "pending"


def test_same_message_again_gets_the_same_reply(state, once):
    request = ask(reference=once, implicit=True).message()
    responder = Responder(state)
    assert responder.respond(request) == responder.respond(request)


def test_other_message_under_the_same_transaction_id(state):
    wish = ask()
    exchange(state, wish.message())
    other = dataclasses.replace(wish, sender_nonce=os.urandom(16))
    assert exchange(state, other.message()).outcome == "error transactionIdInUse"


def test_secret_serves_one_key(state, once):
    first = ask(reference=once)
    second = ask(reference=once)
    pending = exchange(state, second.message())
    answer = exchange(state, first.message())
    assert exchange(state, first.confirm(answer)).outcome == "pkiconf"
    assert exchange(state, first.confirm(answer)).outcome == "pkiconf"
    assert exchange(state, ask(reference=once).message()).outcome == "ip notAuthorized"
    assert exchange(state, second.confirm(pending)).outcome == "error notAuthorized"
    assert exchange(state, ask(reference=once, key=first.key).message()).outcome == "ip 0"


def test_transaction_survives_a_restart(state):
    wish = ask()
    answer = exchange(state, wish.message())
    again = open_state(state.folder)
    assert exchange(again, wish.confirm(answer)).outcome == "pkiconf"
    assert row_of(state, answer.certificate)["status"] == "confirmed"


def test_late_confirmation(state, monkeypatch):
    wish = ask()
    answer = exchange(state, wish.message())
    later = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: later)
    assert exchange(state, wish.confirm(answer)).outcome == "error certRevoked"
    assert exchange(state, ask().message()).outcome == "ip 0"
    assert row_of(state, answer.certificate)["status"] == "unconfirmed"


def test_signature_protection(state):
    key, certificate = identity(state)
    wish = ask(kind="cr", signer=key, certs=(certificate,), reference=None)
    answer = exchange(state, wish.message())
    assert answer.outcome == "cp 0"
    assert answer.is_signed()
    assert not answer.ca_pubs
    assert [extra.subject for extra in answer.extra_certs] == [
        state.authority.signer.certificate.subject, state.authority.issuing.certificate.subject,
    ]
    assert exchange(state, wish.confirm(answer)).outcome == "pkiconf"
    rooted = exchange(state, dataclasses.replace(wish, transaction_id=os.urandom(16)).message(), send_root=True)
    assert rooted.extra_certs[2] == state.authority.root.certificate


@pytest.mark.parametrize("key", [RSA, ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())])
def test_signature_protection_by_other_keys(state, key):
    key, certificate = identity(state, key=key)
    answer = exchange(state, ask(signer=key, certs=(certificate,), reference=None).message())
    assert answer.outcome == "ip 0"
    assert answer.is_signed()


def self_signed(key, subject="dev1", *, end=1, usage=None, ca=None):
    now = datetime.now(UTC)
    name = x509.Name.from_rfc4514_string(f"CN={subject}")
    start, end = now - timedelta(days=2), now + timedelta(days=end)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, start, end)
    if usage:
        builder = builder.add_extension(usage, True)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), True)
    return builder.sign(key, hashes.SHA256())


def test_signers_that_are_not_trusted(state):
    key, certificate = identity(state)
    other = p256()
    rows = (
        ("error signerNotTrusted", {"signer": other, "certs": (self_signed(other),)}),
        ("error signerNotTrusted", {"signer": other, "certs": (self_signed(other), certificate)}),
        ("error badMessageCheck", {"signer": other, "certs": (certificate,)}),
        ("error badMessageCheck", {"signer": key, "certs": (certificate,), "flip": True}),
        ("error badMessageCheck", {"signer": key, "certs": (certificate,), "sender": "somebody else"}),
        ("error badRequest", {"signer": key, "certs": (certificate,) * 11}),
        ("error signerNotTrusted", {"signer": key, "certs": (self_signed(other, end=-1),)}),
        ("ip 0", {"signer": key, "certs": (certificate,), "sender": " DEV1"}),
    )
    for outcome, fields in rows:
        assert exchange(state, ask(reference=None, **fields).message()).outcome == outcome, fields


def test_certificate_that_was_not_confirmed_signs_nothing(state):
    wish = ask()
    answer = exchange(state, wish.message())
    signed = {"signer": wish.key, "certs": (answer.certificate,), "reference": None}
    assert exchange(state, ask(**signed).message()).outcome == "error certRevoked"
    exchange(state, wish.confirm(answer, accept=False))
    assert exchange(state, ask(**signed).message()).outcome == "error certRevoked"


def test_device_certificate_is_no_ca(state):
    key, certificate = identity(state)
    now = datetime.now(UTC)
    child = p256()
    forged = x509.CertificateBuilder(
        certificate.subject, x509.Name.from_rfc4514_string("CN=child"), child.public_key(), 9, now - timedelta(days=1),
        now + timedelta(days=1),
    ).sign(key, hashes.SHA256())
    answer = exchange(state, ask(signer=child, certs=(forged, certificate), reference=None).message())
    assert answer.outcome == "error signerNotTrusted"


def test_added_anchors(state):
    usage = x509.KeyUsage(False, False, False, False, True, False, False, False, False)
    for outcome, options in (("ip 0", {}), ("error signerNotTrusted", {"end": -1}),
                             ("error signerNotTrusted", {"usage": usage})):
        key = p256()
        anchor = self_signed(key, **options)
        state.trust(anchor.public_bytes(serialization.Encoding.PEM))
        assert exchange(state, ask(signer=key, certs=(anchor,), reference=None).message()).outcome == outcome, options


def test_chain_over_an_added_root(state):
    """An IDevID: device <- factory CA <- factory root; the CA in between comes in the extraCerts, in any order."""
    now = datetime.now(UTC)
    root_key, sub_key, key = p256(), p256(), ed25519.Ed25519PrivateKey.generate()
    root = self_signed(root_key, "factory root", ca=True)
    state.trust(root.public_bytes(serialization.Encoding.PEM))

    def issue(subject, public_key, issuer, issuer_key, ca):
        builder = x509.CertificateBuilder(
            issuer.subject, x509.Name.from_rfc4514_string(f"CN={subject}"), public_key, x509.random_serial_number(),
            now - timedelta(days=1), now + timedelta(days=1),
        )
        return builder.add_extension(x509.BasicConstraints(ca, None), True).sign(issuer_key, hashes.SHA256())

    sub = issue("factory CA", sub_key.public_key(), root, root_key, True)
    device = issue("dev1", key.public_key(), sub, sub_key, False)
    bystander = self_signed(p256(), "factory CA", ca=True)
    for outcome, certs in (("ip 0", (device, bystander, sub)), ("error signerNotTrusted", (device, bystander))):
        assert exchange(state, ask(signer=key, certs=certs, reference=None).message()).outcome == outcome


GARBAGE = [b"", b"\x30", b"\x30\x00", b"\x30\x80\x00\x00", b"hello", b"\x30\x84\xff\xff\xff\xff", b"\xa0" * 5000,
           b"\x30\x82\x10\x00" * 1000]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_gets_a_signed_error(state, garbage):
    answer = exchange(state, garbage)
    assert answer.outcome == "error badDataFormat"
    assert answer.is_signed()


def test_every_truncation_and_many_mutations(state):
    request = ask().message()
    responder = Responder(state)
    before = len(state.store.certificates())
    for length in range(0, len(request), 3):
        assert Answer(responder.respond(request[:length])).kind == "error"
    for index in range(0, len(request), 2):
        mutated = request[:index] + bytes((request[index] ^ 0x81,)) + request[index + 1 :]
        assert Answer(responder.respond(mutated)).kind == "error", index
    assert len(state.store.certificates()) == before


PROVOKED = {
    "swapped-key": lambda answer, wish: answer.certificate.public_key() != wish.key.public_key(),
    "expired-chain": lambda answer, wish: answer.extra_certs[0].not_valid_after_utc < datetime.now(UTC),
    "other-ca": lambda answer, wish: answer.ca_pubs[0].subject != answer.extra_certs[0].issuer,
    "reject=badTime:late": lambda answer, wish: answer.outcome == "ip badTime",
    "error=systemUnavail": lambda answer, wish: answer.outcome == "error systemUnavail" and answer.is_signed(),
    "wrong-body": lambda answer, wish: answer.kind == "cp",
    "with-mods": lambda answer, wish: answer.outcome == "ip 1",
    "no-ca-pubs": lambda answer, wish: not answer.ca_pubs,
    "no-implicit-confirm": lambda answer, wish: not answer.implicit,
    "pvno=1": lambda answer, wish: int(answer.header["pvno"]) == 1,
    "wrong-transaction-id": lambda answer, wish: bytes(answer.header["transactionID"]) != wish.transaction_id,
    "wrong-nonce": lambda answer, wish: bytes(answer.header["recipNonce"]) != wish.sender_nonce,
    "unprotected": lambda answer, wish: not answer.protection_oid and not answer.message["protection"].hasValue(),
    "signed-reply": lambda answer, wish: answer.is_signed() and answer.outcome == "ip 0",
    "bad-protection": lambda answer, wish: answer.protection_oid and not answer.is_maced(SECRET),
}


@pytest.mark.parametrize("word", PROVOKED)
def test_provocation(state, word):
    wish = ask(implicit=True)
    assert not PROVOKED[word](exchange(state, wish.message()), wish)
    wish = ask(implicit=True)
    assert PROVOKED[word](exchange(state, wish.message(), provoke=parse([word])), wish)


def test_provocations_of_the_octets(state):
    whole = len(Responder(state).respond(ask().message()))
    assert len(Responder(state, provoke=parse(["truncated"])).respond(ask().message())) < whole * 2 / 3
    oversized = Responder(state, provoke=parse(["oversized"])).respond(ask().message())
    assert len(oversized) > 65536
    assert Answer(oversized).is_maced(SECRET)
    assert Responder(state, provoke=parse(["http-status=500"])).exchange(ask().message())[0] == 500


def test_provocation_of_some_replies_only(state):
    responder = Responder(state, provoke=parse(["unprotected", "only=pkiconf", "times=1"]))
    wish = ask()
    answer = Answer(responder.respond(wish.message()))
    assert answer.is_maced(SECRET)
    replies = [Answer(responder.respond(wish.confirm(answer))) for _ in range(2)]
    assert [reply.is_maced(SECRET) for reply in replies] == [False, True]


@pytest.mark.parametrize("word", ["", "nonsense", "reject", "reject=nonsense", "truncated=1", "http-status=9", "pvno=x",
                                  "only=nonsense"])
def test_unknown_provocations(word):
    with pytest.raises(ValueError, match=r"\w"):
        parse([word])
