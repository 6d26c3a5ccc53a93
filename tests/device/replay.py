"""Runs the CMP engine on a case of build/vectors/cmp.json with scripted randomness."""

from binascii import unhexlify
from hashlib import sha256

from certlet import crypto
from certlet.cmp import client, msg, protect
from certlet.cmp.request import CertificateRequest
from certlet.cmp.verify import Trust
from certlet.errors import Error

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
        protection = protect.Mac(c, "dev1", case["secret"].encode(), ITERATIONS)
    key = c.load(unhexlify(case["key"]))
    request = CertificateRequest(
        msg.IR, key, (("CN", "dev1"),), (("dns", "dev1.example"),), days=30, implicit_confirm=case["implicit"]
    )
    return client.Transaction(c, protection, request, Trust([unhexlify(a) for a in case["anchors"]]))


def run(case, exchange):
    """Drive the transaction by `exchange(request) -> reply`; returns (transaction, error or None)."""
    transaction = start(case)
    try:
        while True:
            due = transaction.send(case["now"])
            if due is None:
                return transaction, None
            transaction.receive(exchange(due[1]), case["now"])
    except Error as e:
        return transaction, e
