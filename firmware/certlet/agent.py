"""Joins engine, transport, store and clock: the only module that knows them all.

An identity is one record of the store: key reference, certificate, chain and
anchors together, so that a power cut never parts a key from its certificate. A
transaction that waits, or whose certificate the CA has not heard of yet, is the
record `pending`: key reference and `cmp.resume.dump`. The certificate becomes
`active` when the transaction is done; the one before stays as `previous`.
"""

from micropython import const

from . import profile
from .cmp import client, msg, status
from .cmp.request import Resumed
from .der import Writer
from .errors import Error, ProtocolError, StoreError, TransportError
from .store import pack, unpack

_STORE_FIELDS = const(706)

_DAY = const(86400)
_FIELDS = const(4)  # of an identity
_FILE_WAITING = const(681)
_FILE_SECONDS = const(1)  # from one look for a reply to the next
_CMP = "application/pkixcmp"


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
    fields = unpack(data)
    if len(fields) != _FIELDS:
        raise StoreError(_STORE_FIELDS, len(fields))
    key_ref, certificate, chain, anchors = fields
    return Identity(key_ref, certificate, unpack(chain), unpack(anchors))


def tls_credentials(crypto, identity):
    """(certificate, private key) in DER, as `ssl.SSLContext.load_cert_chain` takes them; software keys only."""
    from .x509.algorithm import write_private_key

    w = Writer(128)
    write_private_key(w, crypto.load(identity.key_ref))
    return identity.certificate, w.bytes()


def transaction(settings, crypto, protection, request, anchors=None, on_check=None, timed=True):
    """A CMP transaction as the checked configuration `settings` wants it.

    `protection` is a `cmp.protect.Mac` or `Signer`, `request` one of `cmp.request`; `anchors` (DER) replace those of
    the configuration. `timed` False leaves messageTime and validity out: a wrong time is worse than none.
    """
    from .cmp.keys import open_encrypted

    return client.Transaction(
        crypto,
        protection,
        request,
        profile.trust(settings, anchors),
        profile.name(settings["recipient"]),
        settings["total_timeout"],
        timed,
        on_check,
        open_encrypted,
    )


def transport(settings, client=None):
    """The transport for CMP messages to the CA of `settings`; ConfigError when URL and transport do not fit.

    `client` is what `tls_credentials` gives, for an https server that wants a client certificate.
    Files go to a folder beside the store: its name and "-messages".
    """
    kind, limit = settings["transport"], settings["limit"]
    if kind == "file":
        from .transport.file import File

        return File(settings["folder"] + "-messages", limit)
    url, timeout = settings["url"], settings["timeout"]
    if kind == "coap":
        from .transport.coap import Coap

        return Coap(url, _CMP, timeout, limit)
    if kind == "serial":
        from .transport.serial import Serial

        return Serial(url, _CMP, timeout, limit)
    from .transport.http import Http

    return Http(url, _CMP, profile.certificates(settings["tls_trusted"]), timeout, limit, client)


def drive(run, transport, now, wait=None, save=None, on_event=None):
    """Take the transaction `run` to its end, or to where it waits; returns whether it is done.

    `now()` gives seconds since 1970. `wait(seconds)` sleeps and returns True, or returns False to stop here.
    `save()` is called whenever there is something that a power cut must not lose. `on_event(name, value, octets)`
    hears of "sent" and "received" with the number of the body (None if unreadable) and the message, before anything
    of it is checked, of "waiting" with the seconds, and of "file" with the number of the file that waits for a reply.
    """
    on_event = on_event or _ignore
    while run.state != client.DONE:
        due = run.send(now()) if run.unanswered is None else (msg.peek_body(run.unanswered), run.unanswered)
        if due is None:
            seconds = min(max(1, run.not_before - now()), _DAY)  # a clock that fell back waits a day, not years
            on_event("waiting", seconds, None)
            if not (wait and wait(seconds)):
                return False
            continue
        on_event("sent", due[0], due[1])
        try:
            reply = _exchange(run, transport, due[1], now, wait, save, on_event)
        except TransportError as e:
            raise run.failure or e
        run.unanswered = None
        on_event("received", msg.peek_body(reply), reply)
        try:
            run.receive(reply, now())
        except ProtocolError:
            if run.authentic and not run.failure:
                _give_up(run, transport, now, on_event)
            raise
        if save and run.state in (client.CONFIRM, client.POLL) and not run.failure:
            save()
    return True


def _exchange(run, transport, message, now, wait, save, on_event):
    """The reply to `message`; one that is to come as a file is looked for as long as `wait` and the deadline agree."""
    saved = False
    while True:
        try:
            return transport.exchange(message)
        except TransportError as e:
            if e.code != _FILE_WAITING:
                raise
            if not saved:
                on_event("file", e.detail, None)
                if save:
                    save()
                saved = True
            late = run.deadline is not None and now() > run.deadline
            if late or not (wait and wait(_FILE_SECONDS)):
                raise


def _give_up(run, transport, now, on_event):
    """Tell the CA that its reply is of no use to us; what it says to that changes nothing (RFC 9810 5.3.21)."""
    try:
        error = run.give_up(now(), status.BAD_DATA_FORMAT, "reply not understood")
        on_event("sent", msg.ERROR, error)
        reply = transport.exchange(error)
        on_event("received", msg.peek_body(reply), reply)
    except Error:
        pass


def enrol(run, transport, store, now, wait=None, on_event=None):
    """Drive the transaction `run` for a certificate; returns the new active Identity, or None while the CA is waiting.

    As `drive`, and `on_event` hears of "saved" with a record's name. On any error the active identity is what it was.
    A transaction that could not go on for lack of a connection stays as `pending`, for `resume`.
    """
    on_event = on_event or _ignore
    if not _kept(run, transport, store, "pending", now, wait, on_event):
        return None
    identity = Identity(run.key.ref, run.certificate, run.chain, run.anchors)
    _promote(store, identity)
    on_event("saved", "active", None)
    return identity


def ask(run, transport, store, now, wait=None, on_event=None):
    """Drive the transaction `run` of an rr or genm; returns whether it is done. What waits stays as `asked`."""
    done = _kept(run, transport, store, "asked", now, wait, on_event or _ignore)
    if done:
        store.remove("asked")
    return done


def _kept(run, transport, store, record, now, wait, on_event):
    """`drive` with a record of what waits, which goes when the CA ends it all, or we refuse what it sent.

    A lost connection and a reply that is not the CA's leave the record: anybody on the way can make those.
    """
    ours = [isinstance(run.request, Resumed)]

    def save():
        from .cmp.resume import dump

        request = run.request
        key = run.key.ref if run.key else b""
        head = bytes([request.body, request.implicit_confirm, run.header.pvno])
        store.save(record, pack((head, key, dump(run))))
        ours[0] = True
        on_event("saved", record, None)

    try:
        return drive(run, transport, now, wait, save, on_event)
    except Error as e:
        if ours[0] and not isinstance(e, TransportError) and (run.authentic or run.failure):
            store.remove(record)
        raise


def resume(settings, crypto, protection, store, record="pending", anchors=None, on_check=None):
    """The transaction of the record, ready for `enrol` (`pending`) or `ask` (`asked`), or None if there is none.

    Trust and protection must be those that it was started with. StoreError CMP_DUMP, STORE_DAMAGED.
    """
    from .cmp.resume import load

    data = store.load(record)
    if data is None:
        return None
    fields = unpack(data)
    if len(fields) != 3 or len(fields[0]) != 3:
        raise StoreError(_STORE_FIELDS, len(fields))
    head, key_ref, dumped = fields
    body, implicit_confirm, pvno = head
    request = Resumed(body, crypto.load(key_ref) if key_ref else None, bool(implicit_confirm), pvno)
    run = transaction(settings, crypto, protection, request, anchors, on_check)
    load(run, dumped, transport(settings).outstanding() if settings["transport"] == "file" else b"")
    return None if run.state == client.IDLE else run  # its first request was lost: nothing to go on with


def pinned(store):
    """The trust anchors that a root update left in the store (DER), or None."""
    data = store.load("anchors")
    return None if data is None else list(unpack(data))


def update_root(store, crypto, update, old, now):
    """Replace the pinned root `old` (DER) by the new one of a `cmp.general.RootUpdate`, in one write.

    Without oldWithNew the old root stays beside the new one, for what it has issued; other roots that an earlier
    update left stay too. Untrusted CMP_ROOT_UPDATE.
    """
    update.check(crypto, old, now)
    kept = [der for der in pinned(store) or () if der != old]
    anchors = [update.new_with_new] + ([] if update.old_with_new else [old]) + kept
    store.save("anchors", pack(anchors))
    return anchors


def _promote(store, identity):
    """pending becomes active and active becomes previous; after a cut between the steps every record is whole."""
    try:
        old = store.load("active")
    except StoreError:
        old = None  # damaged: nothing to keep, and no reason to go without an identity
    if old is not None:
        store.save("previous", old)
    store.save("active", identity.to_bytes())
    store.remove("pending")


def _ignore(name, value, octets):
    pass
