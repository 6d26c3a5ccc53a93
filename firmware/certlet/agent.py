"""Joins engine, transport, store and clock: the only module that knows them all.

An identity is one record of the store: key reference, certificate, chain and
anchors together, so that a power cut never parts a key from its certificate.
`pending` is written before the CA is told that the certificate arrived, `active`
after; the one before stays as `previous`.
"""

from .cmp import client, msg
from .der import Writer
from .errors import Error, TransportError
from .store import pack, unpack
from .x509.name import write_name


class Identity:
    """key_ref (for `crypto.load`), certificate (DER), chain (DER up to the anchor), anchors (DER, from caPubs)."""

    def __init__(self, key_ref, certificate, chain=(), anchors=()):
        self.key_ref = key_ref
        self.certificate = certificate
        self.chain = chain
        self.anchors = anchors

    def to_bytes(self):
        """The record for the store."""
        return pack((self.key_ref, self.certificate, pack(self.chain), pack(self.anchors)))


def load_identity(store, name="active"):
    """The Identity of a record, or None; StoreError when the record is damaged."""
    data = store.load(name)
    if data is None:
        return None
    key_ref, certificate, chain, anchors = unpack(data)
    return Identity(key_ref, certificate, unpack(chain), unpack(anchors))


def tls_credentials(crypto, identity):
    """(certificate, private key) in DER, as `ssl.SSLContext.load_cert_chain` takes them; software keys only."""
    from .x509.algorithm import write_private_key

    w = Writer(128)
    write_private_key(w, crypto.load(identity.key_ref))
    return identity.certificate, w.bytes()


def decode_anchors(texts):
    """The DER of all certificates in a list of PEM texts; ProtocolError PEM_FORMAT."""
    from . import pem

    anchors = []
    for text in texts:
        anchors += pem.decode_all(text, "CERTIFICATE")
    return anchors


def transaction(settings, crypto, protection, key, on_check=None):
    """A CMP `ir` transaction as the checked configuration `settings` wants it.

    `protection` is a `cmp.protect.Mac` or `Signer`, `key` the Key to be certified.
    """
    request = client.CertificateRequest(
        msg.IR,
        key,
        settings["subject"],
        settings["san"],
        days=settings["days"],
        implicit_confirm=settings["implicit_confirm"],
    )
    recipient = None
    if settings["recipient"]:
        w = Writer(64)
        write_name(w, settings["recipient"])
        recipient = w.bytes()
    anchors = decode_anchors(settings["trusted"])
    return client.Transaction(crypto, protection, request, anchors, recipient, on_check)


def http(settings):
    """The transport for CMP messages to the CA of `settings`."""
    from .transport.http import Http

    anchors = decode_anchors(settings["tls_trusted"])
    return Http(settings["url"], "application/pkixcmp", anchors, settings["timeout"], settings["limit"])


def enrol(run, transport, store, now, on_event=None):
    """Drive the transaction `run` to its end; returns the new active Identity.

    `now()` gives seconds since 1970 or None; `on_event(name, value, octets)` hears of "sent" and "received" with the
    number of the body (None if unreadable) and the message, before anything of it is checked, and of "saved" with the
    record's name. On any error the active identity is what it was. A certificate that came but could not be confirmed
    for lack of a connection is kept as `pending`.
    """
    on_event = on_event or _ignore
    try:
        while True:
            due = run.send(now())
            if due is None:
                break
            on_event("sent", due[0], due[1])
            reply = transport.exchange(due[1])
            on_event("received", msg.peek_body(reply), reply)
            run.receive(reply, now())
            if run.state == client.CONFIRM and not run.failure:
                store.save("pending", _identity(run).to_bytes())
                on_event("saved", "pending", None)
    except Error as e:
        if not isinstance(e, TransportError):
            store.remove("pending")
        raise run.failure or e
    identity = _identity(run)
    _promote(store, identity)
    on_event("saved", "active", None)
    return identity


def _identity(run):
    return Identity(run.request.key.ref, run.certificate, run.chain, run.anchors)


def _promote(store, identity):
    """pending becomes active and active becomes previous; after a cut between the steps every record is whole."""
    old = store.load("active")
    if old is not None:
        store.save("previous", old)
    store.save("active", identity.to_bytes())
    store.remove("pending")


def _ignore(name, value, octets):
    pass
