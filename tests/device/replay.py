"""Runs the CMP engine on a case of build/vectors/cmp.jsonl with scripted randomness."""

from binascii import unhexlify
from hashlib import sha256

from certlet import crypto, oid
from certlet.cmp import client, general, keys, msg, protect, resume
from certlet.cmp.request import CertificateRequest, GeneralRequest, Pkcs10Request, Revocation
from certlet.cmp.verify import Trust
from certlet.der import Writer
from certlet.errors import Error
from certlet.x509.certificate import Certificate
from certlet.x509.request import write_request

ITERATIONS = 100
_crypto = crypto.select()


def scripted(seed):
    """A Crypto whose `random` gives the same octets for the same seed on every runtime."""
    count = [0]

    def random(n):
        count[0] += 1
        return sha256(seed + bytes([count[0]])).digest()[:n]

    _crypto.random = random
    return _crypto


def start(case):
    """The Transaction of a case."""
    c = scripted(case["title"].encode())
    if "signer" in case:
        signer = case["signer"]
        protection = protect.Signer(c, c.load(unhexlify(signer["key"])), unhexlify(signer["certificate"]))
    else:
        protection = protect.Mac(c, "dev1", case["secret"].encode(), ITERATIONS, case["pbmac1"])
    trust = Trust([unhexlify(a) for a in case["anchors"]], None, None, case["lax"], case["read"])
    request = _request(case, c)
    return client.Transaction(c, protection, request, trust, timeout=case["timeout"], cms=keys.open_encrypted)


def _request(case, c):
    op = case["op"]
    old = case.get("old") and Certificate(unhexlify(case["old"]))
    if op == "rr":
        return Revocation(old.issuer, old.serial, 4)
    if op == "genm":
        return GeneralRequest([(oid.info_type(general.CA_CERTS), None)])
    key = case["key"] and c.load(unhexlify(case["key"]))
    if op == "p10cr":
        w = Writer()
        write_request(w, c, key, (("CN", "dev1"),), (("dns", "dev1.example"),))
        return Pkcs10Request(w.bytes(), key, implicit_confirm=case["implicit"])
    body = {"ir": msg.IR, "cr": msg.CR, "kur": msg.KUR}[op]
    san = (("dns", "dev1.example"),)
    old = old if op == "kur" else None
    implicit = case["implicit"]
    return CertificateRequest(
        body, key, (("CN", "dev1"),), san, days=30, old=old, popo=case["popo"], implicit_confirm=implicit
    )


def run(case, exchange):
    """Drive the transaction by `exchange(request) -> reply`; returns (transaction, error or None).

    Time passes only while it waits. With "reset" it is dumped and loaded into a new one whenever that may happen.
    """
    transaction = start(case)
    now = case["now"]
    try:
        while transaction.state != client.DONE:
            due = transaction.send(now)
            if due is None:
                now = transaction.not_before
                continue
            transaction.receive(exchange(due[1]), now)
            if case["reset"] and transaction.state in (client.POLL, client.CONFIRM):
                transaction = _reset(case, transaction)
    except Error as e:
        return transaction, e
    return transaction, None


def _reset(case, old):
    random = _crypto.random
    new = start(case)
    resume.load(new, resume.dump(old))
    _crypto.random = random  # the octets of the dumped one go on
    return new
