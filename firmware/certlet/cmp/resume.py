"""A waiting transaction as octets, so that it outlives a reset or a power cut.

`dump` is for the flash that the identity lies on, whose records carry a digest; it
holds no secret. `load` continues with the same key, protection and request; the
time for the whole transaction counts anew.
"""

from micropython import const

from ..der import Reader, Writer
from ..errors import Error, StoreError, Untrusted
from ..x509.certificate import Certificate
from . import client

_CMP_DUMP = const(425)

_SEQUENCE = const(0x30)
_VERSION = const(1)

# A message whose reply is lost is sent again; the CA recognises it by its transactionID. The first request is not:
# the CA would take it for a transactionID that is in use, so that transaction starts anew (RFC 9810 5.1.1).
_AFTER_RESET = {
    client.IDLE: client.IDLE,
    client.SENT: client.IDLE,
    client.CONFIRM: client.CONFIRM,
    client.CONFIRMING: client.CONFIRM,
    client.POLL: client.POLL,
    client.POLLING: client.POLL,
}

_SENT = (client.SENT, client.CONFIRMING, client.POLLING)


def dump(t):
    """The octets of Transaction `t`."""
    w = Writer(512)
    m = w.open(_SEQUENCE)
    refused = t.failure.code if t.failure else 0
    for number in (_VERSION, t.state, t.phase, t.poll_id, t.not_before, t.status, t.fail_info, refused):
        w.integer(number)
    w.boolean(t.by_mac)
    header = t.header
    for octets in (header.transaction_id, header.sender_nonce, t.first_nonce, header.recip_nonce):
        w.octets(octets or b"")
    w.octets(t.leaf.der if t.leaf else b"")
    for ders in (t.chain, t.anchors, [c.der for c in t.verifier.certificates]):
        a = w.open(_SEQUENCE)
        for der in ders:
            w.octets(der)
        w.close(a)
    w.close(m)
    return w.bytes()


def load(t, data, sent=b""):
    """Put a new Transaction `t` where the dumped one was; StoreError CMP_DUMP when `data` is no dump.

    `sent` is the last message that left, if its reply may still come: if it is the one that the dumped transaction had
    sent, then that is what `t` waits for, and `sent` stands in `t.unanswered`.
    """
    try:
        _load(t, Reader(data), sent)
    except Error:
        raise StoreError(_CMP_DUMP)


def _load(t, r, sent):
    end = r.enter(_SEQUENCE)
    if r.integer() != _VERSION:
        raise StoreError(_CMP_DUMP)
    was = r.integer()
    state = _AFTER_RESET.get(was)
    if state is None:
        raise StoreError(_CMP_DUMP)
    phase, poll_id, not_before, t.status, t.fail_info, refused = [r.integer() for _ in range(6)]
    t.by_mac = r.boolean()
    transaction_id, nonce, first_nonce, peer_nonce, leaf = [bytes(r.octets()) for _ in range(5)]
    chain, anchors, certificates = _octets(r), _octets(r), _octets(r)
    r.leave(end)
    r.finish()
    if was in _SENT and nonce and nonce in sent:
        state, t.unanswered = was, sent
    if state == client.IDLE:
        return
    t.state, t.phase, t.poll_id, t.not_before = state, phase, poll_id, not_before
    t.header.transaction_id, t.header.sender_nonce, t.first_nonce = transaction_id, nonce, first_nonce
    t.header.recip_nonce = peer_nonce or None
    t.failure = Untrusted(refused) if refused else None
    t.leaf = Certificate(leaf) if leaf else None
    t.certificate = leaf if leaf and not refused else None
    t.chain, t.anchors = chain, anchors
    t.verifier.remember(certificates)


def _octets(r):
    end = r.enter(_SEQUENCE)
    out = []
    while r.more():
        out.append(bytes(r.octets()))
    r.leave(end)
    return out
