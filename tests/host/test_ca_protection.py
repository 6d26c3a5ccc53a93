"""The lab CA in memory: every kind of protection, and what can be wrong with a reply on demand."""

import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pyasn1.codec.der import decoder, encoder
from pyasn1_alt_modules import rfc4211, rfc5280

from certlet_host.ca.cmp_responder import Responder
from certlet_host.ca.provoke import parse
from certlet_host.ca.state import open_state
from certlet_host.ca.status import FAILURES
from host.cmp_peer import HMAC_SHA1, HMAC_SHA1_CMP, HMAC_SHA256, HMAC_SHA512, NULL, PBMAC1, RSA_PSS, Answer, Ask

SECRET = b"0123456789abcdef0123456789abcdef"
RSA = rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    state = open_state(tmp_path_factory.mktemp("ca"))
    state.store.add_secret("dev1", SECRET, reusable=True)
    return state


def ask(**fields):
    return Ask(**{"secret": SECRET, **fields})


def exchange(state, request, *provoke, **options):
    return Answer(Responder(state, provoke=parse(provoke), **options).respond(request))


def identity(state, key):
    return exchange(state, ask(key=key, implicit=True).message()).certificate


PBMAC1_ROWS = [
    ("32-byte key", "ip 0", {"pbmac1": 32}),
    ("HMAC-SHA512", "ip 0", {"pbmac1": 64, "mac": HMAC_SHA512}),
    ("shortest key", "ip 0", {"pbmac1": 16}),
    ("keyLength absent: that of the MAC", "ip 0", {"pbmac1": 32, "key_length": False}),
    ("key of 15 bytes", "error badAlg", {"pbmac1": 15}),
    ("key of 1 byte", "error badAlg", {"pbmac1": 1}),
    ("key of 65 bytes", "error badAlg", {"pbmac1": 65}),
    ("99 iterations", "error badAlg", {"pbmac1": 32, "iterations": 99}),
    ("100,001 iterations", "error badAlg", {"pbmac1": 32, "iterations": 100_001}),
    ("short salt", "error badAlg", {"pbmac1": 32, "salt": b"1234567"}),
    ("wrong secret", "error badMessageCheck", {"pbmac1": 32, "secret": b"x" * 32}),
    ("one bit of the MAC", "error badMessageCheck", {"pbmac1": 32, "flip": True}),
]


@pytest.mark.parametrize(("outcome", "fields"), [pytest.param(*row[1:], id=row[0]) for row in PBMAC1_ROWS])
def test_pbmac1(state, outcome, fields):
    wish = ask(**fields)
    answer = exchange(state, wish.message())
    assert answer.outcome == outcome
    if outcome == "ip 0":
        assert answer.protection_oid == PBMAC1
        assert answer.is_maced(SECRET)
        assert exchange(state, wish.confirm(answer)).outcome == "pkiconf"


KEYS = {"p256": ec.generate_private_key(ec.SECP256R1()), "p384": ec.generate_private_key(ec.SECP384R1()), "rsa": RSA,
        "ed25519": ed25519.Ed25519PrivateKey.generate()}  # fmt: skip


@pytest.mark.parametrize("kind", [*KEYS, "rsa-pss"])
def test_signers(state, kind):
    """Requests signed by each kind of key, answered by a signer of the same kind."""
    key = KEYS[kind.removesuffix("-pss")]
    wish = ask(kind="cr", signer=key, certs=(identity(state, key),), reference=None, pss=kind == "rsa-pss")
    answer = exchange(state, wish.message(), signer=kind)
    assert (answer.outcome, answer.is_signed()) == ("cp 0", True)
    assert (answer.protection_oid == RSA_PSS) == (kind == "rsa-pss")
    assert type(answer.extra_certs[0].public_key()) is type(key.public_key())
    assert exchange(state, dataclasses.replace(wish, flip=True).message()).outcome == "error badMessageCheck"


@pytest.mark.parametrize("kind", KEYS)
def test_kinds_of_ca(tmp_path, kind):
    state = open_state(tmp_path, ca_key=kind)
    state.store.add_secret("dev1", SECRET, reusable=True)
    wish = ask()
    answer = exchange(state, wish.message())
    issuer = answer.extra_certs[0]
    assert type(issuer.public_key()) is type(KEYS[kind].public_key())
    answer.certificate.verify_directly_issued_by(issuer)
    hashes = {"p384": "sha384", "ed25519": "sha512"}
    cert_hash = hashlib.new(hashes.get(kind, "sha256"), answer.der).digest()
    assert exchange(state, wish.confirm(answer, cert_hash=cert_hash)).outcome == "pkiconf"
    signed = exchange(state, ask().message(), "signed-by-root", "signed-reply")
    assert signed.is_signed()
    assert signed.extra_certs[0] == state.authority.root.certificate
    state.authority.roll_over()
    assert type(state.authority.root.key) is type(KEYS[kind])


@pytest.mark.parametrize("fail_info", FAILURES)
def test_every_fail_info(state, fail_info):
    assert exchange(state, ask().message(), f"reject={fail_info}").outcome == f"ip {fail_info}"
    assert exchange(state, ask().message(), f"error={fail_info}:text").outcome == f"error {fail_info}"


@pytest.mark.parametrize("number", range(7))
def test_every_status(state, number):
    answer = exchange(state, ask().message(), f"status={number}")
    assert answer.outcome == f"ip {number}"
    assert answer.certificate
    answer = exchange(state, ask().message(), f"status={number}", "no-certificate")
    assert answer.outcome == f"ip {number}"
    assert not answer.body["response"][0]["certifiedKeyPair"].hasValue()


def header(answer, part):
    value = answer.header[part]
    return bytes(value) if value.hasValue() else None


def mac_of(answer):
    value = decoder.decode(bytes(answer.header["protectionAlg"]["parameters"]), asn1Spec=rfc4211.PBMParameter())[0]["mac"]
    return str(value["algorithm"]), bytes(value["parameters"]) if value["parameters"].hasValue() else None


def usage_of_signer(answer):
    return answer.extra_certs[0].extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature


PROVOKED = {
    "wrong-req-id": lambda answer, wish: int(answer.body["response"][0]["certReqId"]) == 1,
    "two-responses": lambda answer, wish: len(answer.body["response"]) == 2,
    "popdecc": lambda answer, wish: answer.kind == "popdecc",
    "nested": lambda answer, wish: answer.kind == "nested",
    "no-nonces": lambda answer, wish: not any(
        header(answer, part) for part in ("transactionID", "senderNonce", "recipNonce")
    ),
    "no-sender-kid": lambda answer, wish: header(answer, "senderKID") is None,
    "long-reply": lambda answer, wish: 11_000 < len(encoder.encode(answer.message)) < 12_500,
    "many-extra-certs=12": lambda answer, wish: len(answer.extra_certs) == 13,
    "reply-pbmac1": lambda answer, wish: answer.protection_oid == PBMAC1,
    "reply-pbmac1-key=8": lambda answer, wish: b"\x02\x01\x08" in bytes(answer.header["protectionAlg"]["parameters"]),
    "reply-pbm-iterations=3000": lambda answer, wish: b"\x02\x02\x0b\xb8" in bytes(
        answer.header["protectionAlg"]["parameters"]
    ),
    "no-message-time": lambda answer, wish: header(answer, "messageTime") is None,
    "fractional-time": lambda answer, wish: header(answer, "messageTime").endswith(b".5Z"),
    "reply-mac=sha1": lambda answer, wish: mac_of(answer) == (HMAC_SHA1, None),
    "reply-mac=sha1-pkix": lambda answer, wish: mac_of(answer) == (HMAC_SHA1_CMP, None),
    "reply-mac=sha256-null": lambda answer, wish: mac_of(answer) == (HMAC_SHA256, NULL),
    "reply-mac=sha512": lambda answer, wish: mac_of(answer) == (HMAC_SHA512, None),
    "strict-sender": lambda answer, wish: answer.outcome == "error badRequest",
    "time-window=60": lambda answer, wish: answer.outcome == "error badTime",
    "wait=1": lambda answer, wish: answer.outcome == "ip 3",
}


@pytest.mark.parametrize("word", PROVOKED)
def test_provocation(state, word):
    wish = ask()
    answer = exchange(state, wish.message())
    assert answer.is_maced(SECRET)
    assert not PROVOKED[word](answer, wish)
    wish = ask()
    answer = exchange(state, wish.message(), word)
    assert PROVOKED[word](answer, wish)
    assert answer.is_maced(SECRET) or answer.kind == "error"


def test_absurd_iteration_count_costs_nothing(state):
    assert b"\x02\x06" in bytes(
        exchange(state, ask().message(), "reply-pbm-iterations=1000000000000").header["protectionAlg"]["parameters"]
    )


def test_no_response(state):
    assert not len(exchange(state, ask().message(), "no-response").body["response"])


def sender(answer):
    return [str(pair["value"]) for rdn in answer.header["sender"]["directoryName"]["rdnSequence"] for pair in rdn]


def sender_due(answer):
    subject = decoder.decode(answer.extra_certs[0].subject.public_bytes(), asn1Spec=rfc5280.Name())[0]
    return [str(pair["value"]) for rdn in subject["rdnSequence"] for pair in rdn]


SIGNED = {
    "signer-without-digital-signature": lambda answer, wish: not usage_of_signer(answer),
    "reversed-dn": lambda answer, wish: sender(answer) == sender_due(answer)[::-1] != sender_due(answer),
    "reflect-sender-kid": lambda answer, wish: header(answer, "senderKID") == b"whoever",
}


@pytest.mark.parametrize("word", SIGNED)
def test_provocation_of_the_signer(state, word):
    wish = ask(signer=KEYS["p256"], certs=(identity(state, KEYS["p256"]),), reference=b"whoever")
    assert not SIGNED[word](exchange(state, wish.message()), wish)
    answer = exchange(state, dataclasses.replace(wish, transaction_id=b"x" * 16 + word.encode()).message(), word)
    assert SIGNED[word](answer, wish)
    assert answer.is_signed()


def test_unprotected_errors(state):
    answer = exchange(state, ask().message(), "unprotected-error", "error=systemFailure")
    assert (answer.outcome, answer.protection_oid) == ("error systemFailure", "")
    assert exchange(state, ask().message(), "unprotected-error").is_maced(SECRET)
    answer = exchange(state, ask().message(), "old-pvno1-error")
    assert (answer.kind, answer.protection_oid, int(answer.header["pvno"])) == ("error", "", 1)


def test_demands_on_the_header(state):
    now = datetime.now(UTC)
    rows = (
        ("ip 0", {"sender": "dev1"}, "strict-sender"),
        ("error badRequest", {"sender": "dev2"}, "strict-sender"),
        ("ip 0", {"time": now.strftime("%Y%m%d%H%M%SZ")}, "time-window=60"),
        ("error badTime", {"time": (now - timedelta(minutes=2)).strftime("%Y%m%d%H%M%SZ")}, "time-window=60"),
        ("error badTime", {"time": (now + timedelta(minutes=2)).strftime("%Y%m%d%H%M%SZ")}, "time-window=60"),
        ("error badTime", {"time": None}, "time-window=60"),
        ("ip 0", {"time": None}, "no-ca-pubs"),
    )
    for outcome, fields, word in rows:
        assert exchange(state, ask(**fields).message(), word).outcome == outcome, fields
