"""The verbs that a host calls over the console: `run(verb, job)`.

`job` is JSON text. Every answer is one line of JSON on the console: any number of
lines with "event", then one with "result". Octets travel as hexadecimal text.
"""

import gc
import json
import sys
import time
from binascii import hexlify, unhexlify

from micropython import const

from .errors import ConfigError, Error, Rejected, StoreError, TransportError

_FACTORY_VERB = const(901)
_FACTORY_EXPORT = const(902)
_FACTORY_NO_IDENTITY = const(903)
_FACTORY_NO_PENDING = const(904)
_FACTORY_WAITING = const(905)
_FACTORY_MEMORY = const(906)

_LINE = const(256)  # octets of a line that the peer of `tls` may answer


def run(verb, job):
    """Do what `verb` names and write its answer; an `errors.Error` becomes part of the answer."""
    for name, function in _VERBS:
        if name == verb:
            break
    else:
        function = _unknown
    try:
        answer = function(json.loads(job))
        answer["ok"] = True
    except Error as e:
        answer = _failure(e)
    except MemoryError:
        gc.collect()
        answer = _failure(Error(_FACTORY_MEMORY))
    _write({"result": answer})


def _unknown(job):
    raise ConfigError(_FACTORY_VERB)


def _failure(e):
    answer = {"ok": False, "class": type(e).__name__, "code": e.code, "detail": e.detail}
    if isinstance(e, Rejected):
        from .cmp.status import fail_names

        answer["pki_status"] = e.status
        answer["fail_info"] = fail_names(e.fail_info)
        answer["status_string"] = e.text
    return answer


def _write(line):
    sys.stdout.write(json.dumps(line) + "\n")


def _hex(data):
    return hexlify(data).decode()


class _Meter:
    """Milliseconds since the start, and the live heap at the events on the way, above that at the start."""

    def __init__(self):
        self.start = time.ticks_ms()
        self.base = self.peak = 0
        self.base = self.sample()

    def sample(self):
        """The live heap now; also remembers the highest."""
        gc.collect()
        now = gc.mem_alloc()
        self.peak = max(self.peak, now)
        return now

    def event(self, name, **values):
        """Write an event line with the time of its happening; the heap is taken after the clock was read."""
        values["event"] = name
        values["ms"] = time.ticks_diff(time.ticks_ms(), self.start)
        _write(values)
        self.sample()


def _identify(job):
    """What this board is."""
    from . import crypto

    return {
        "certlet": sys.modules["certlet"].__version__,
        "platform": sys.platform,
        "micropython": list(sys.implementation[1]),
        "backends": [list(row) for row in crypto.select(job.get("backends", ("soft",))).backends()],
        "heap_free": gc.mem_free(),
    }


def _cmp(job):
    """One CMP operation "op": settings under "config", credentials under "mac", "signer" or "identity", and

    ir, cr, kur: "new_key" (hex of a key reference), or "same_key" for kur; "old" (hex) for kur
    p10cr: "csr" (hex) with "new_key", else the board makes both
    rr: "issuer" and "serial", or "old" (hex), else the active identity; "reason"
    genm: "infos", pairs [dotted OID, hex or null]; "old_root" (hex) to check a root update, "update_root" to take it
    resume: go on with the pending transaction
    """
    from . import agent, clock, crypto
    from .cmp import msg
    from .store import Store

    settings = _settings(job)
    if job.get("export") and sys.platform not in ("linux", "darwin"):
        raise ConfigError(_FACTORY_EXPORT)
    backend = crypto.select(settings["backends"])
    store = Store(settings["folder"])
    meter = _Meter()
    identity = agent.load_identity(store) if job.get("identity") else None
    if job.get("identity") and identity is None:
        raise ConfigError(_FACTORY_NO_IDENTITY)
    protection = _protection(job, backend, settings, identity)
    anchors = None if settings["trusted"] else agent.pinned(store)
    run = _transaction(job, backend, settings, store, protection, identity, anchors, meter)
    transport = agent.transport(settings, _tls_client(settings, backend, store))

    def on_event(name, value, octets):
        if name == "saved":
            meter.event(name, record=value)
        elif name == "waiting":
            meter.event(name, seconds=value)
        elif name == "file":
            meter.event(name, number=value)
        else:
            meter.event(name, body=value, der=_hex(octets))

    def wait(seconds):
        if job.get("wait", True):
            time.sleep(seconds)
        return job.get("wait", True)

    try:
        drive = agent.ask if run.request.body in (msg.RR, msg.GENM) else agent.enrol
        done = drive(run, transport, store, clock.now, wait, on_event)
        if not done:
            raise TransportError(_FACTORY_WAITING)
    finally:
        figures = {"round_trips": transport.trips, "bytes_up": transport.sent, "bytes_down": transport.received}
        meter.event("end", heap_peak=meter.peak - meter.base, **figures)
        transport.close()
        protection.wipe()
    return _answer(job, run, backend, store, clock.now())


def _tls_client(settings, backend, store):
    """What an https server is shown, if that is wanted: certificate and key of the active identity."""
    from . import agent

    if not settings["tls_identity"]:
        return None
    identity = agent.load_identity(store)
    if identity is None:
        raise ConfigError(_FACTORY_NO_IDENTITY)
    return agent.tls_credentials(backend, identity)


def _settings(job):
    """The checked configuration of a job, as its "template" (hex of a certReqTemplate) wants it."""
    from . import config, profile

    settings = config.check(job["config"])
    if job.get("template"):
        from .cmp.general import Template

        settings = profile.with_template(settings, Template(unhexlify(job["template"])))
    return settings


def _transaction(job, backend, settings, store, protection, identity, anchors, meter):
    """The transaction that the job asks for."""
    from . import agent, clock

    def on_check(token):
        meter.event("check", what=token)

    if job["op"] == "resume":
        for record in ("pending", "asked"):
            run = agent.resume(settings, backend, protection, store, record, anchors, on_check)
            if run is not None:
                return run
        raise ConfigError(_FACTORY_NO_PENDING)
    request = _request(job, backend, settings, identity, meter)
    return agent.transaction(settings, backend, protection, request, anchors, on_check, clock.is_set())


def _request(job, backend, settings, identity, meter):
    """The operation of `cmp.request` that the job asks for."""
    from . import oid, profile
    from .cmp import request
    from .x509.certificate import Certificate

    op = job["op"]
    old = (job.get("old") and Certificate(unhexlify(job["old"]))) or (identity and Certificate(identity.certificate))
    if op == "genm":
        infos = [(oid.from_text(i), value and unhexlify(value)) for i, value in job["infos"]]
        return request.GeneralRequest(infos, settings["profile"])
    if op == "rr":
        issuer, serial = job.get("issuer"), job.get("serial")
        if issuer is None and old is None:
            raise ConfigError(_FACTORY_NO_IDENTITY)
        if issuer is None:
            return request.Revocation(old.issuer, old.serial, job.get("reason"))
        return request.Revocation(unhexlify(issuer), unhexlify(serial), job.get("reason"))
    key = _key(job, backend, settings, identity, meter)
    if op == "p10cr":
        return _pkcs10(job, backend, settings, key)
    for name, body in profile.OPERATIONS:
        if name == op:
            return profile.request(settings, body, key, old if op == "kur" else None, _secret_controls(job))
    raise ConfigError(_FACTORY_VERB)


def _key(job, backend, settings, identity, meter):
    """The key to be certified: given, the one before, made now, or None for the CA to make."""
    if job.get("new_key"):
        return backend.load(unhexlify(job["new_key"]))
    if job.get("same_key") and identity:
        return backend.load(identity.key_ref)
    kind = settings["key_type"]
    if kind[:2] == "ca":
        return None
    key = backend.generate(kind)
    meter.event("key", alg=key.alg, backend=dict(backend.backends())[key.alg])
    return key


def _pkcs10(job, backend, settings, key):
    from . import profile
    from .cmp.request import Pkcs10Request
    from .der import Writer
    from .x509.request import write_request

    csr = job.get("csr") and unhexlify(job["csr"])
    if not csr:
        w = Writer(512)
        write_request(w, backend, key, settings["subject"], settings["san"])
        csr = w.bytes()
    info = profile.general_info(settings)
    return Pkcs10Request(csr, key, settings["profile"], info, settings["implicit_confirm"])


def _secret_controls(job):
    """regToken and authenticator are secrets, so they come with the job and not from the configuration."""
    from . import oid
    from .cmp.request import text_control

    rows = (("reg_token", oid.REG_TOKEN), ("authenticator", oid.AUTHENTICATOR))
    return [text_control(identifier, job[name]) for name, identifier in rows if job.get(name)]


def _protection(job, backend, settings, identity):
    from . import profile
    from .cmp.protect import Signer

    if job.get("mac"):
        mac = job["mac"]
        return profile.mac(settings, backend, mac["reference"], unhexlify(mac["secret"]))
    if identity:
        return Signer(backend, backend.load(identity.key_ref), identity.certificate, identity.chain[:-1])
    signer = job["signer"]
    chain = [unhexlify(der) for der in signer["chain"]]
    return Signer(backend, backend.load(unhexlify(signer["key"])), unhexlify(signer["certificate"]), chain)


def _answer(job, run, backend, store, now):
    """What the operation brought, as JSON values."""
    from . import oid

    answer = {"pki_status": run.status, "status_string": run.text}
    if run.infos:
        answer["infos"] = [[oid.to_text(i), None if value is None else _hex(value)] for i, value in run.infos]
        _root_update(job, run, backend, store, now, answer)
    elif run.certificate:
        answer["certificate"] = _hex(run.certificate)
        answer["chain"] = [_hex(der) for der in run.chain]
        answer["implicit"] = run.implicit
        if job.get("export"):
            answer["key_alg"] = run.key.alg
            answer["key"] = _hex(_private_key(run.key))
    return answer


def _private_key(key):
    from .der import Writer
    from .x509.algorithm import write_private_key

    w = Writer(256)
    write_private_key(w, key)
    return w.bytes()


def _root_update(job, run, backend, store, now, answer):
    """A rootCaKeyUpdate in a genp is checked against the pinned root; taken over only when asked."""
    from . import agent
    from .cmp import general

    value = general.find(run.infos, general.ROOT_CA_KEY_UPDATE)
    if value is None or not job.get("old_root"):
        return
    update = general.RootUpdate(value)
    old = unhexlify(job["old_root"])
    update.check(backend, old, now)
    answer["root_update"] = True
    if job.get("update_root"):
        agent.update_root(store, backend, update, old, now)


def _status(job):
    """What the store holds: records, and the active identity without its key."""
    from . import agent
    from .store import Store

    store = Store(job["folder"])
    try:
        identity = agent.load_identity(store)
    except StoreError as e:
        return {"records": list(store.names()), "damaged": e.code}
    return {"records": list(store.names()), "certificate": identity and _hex(identity.certificate)}


def _tls(job):
    """Open mutual TLS with the active identity, send a line, answer with the line that comes back."""
    from . import agent, crypto
    from .store import Store
    from .transport.wire import Wire

    identity = agent.load_identity(Store(job["folder"]))
    if identity is None:
        raise ConfigError(_FACTORY_NO_IDENTITY)
    backend = crypto.select()
    anchors = [unhexlify(der) for der in job["trusted"]]
    wire = Wire(job["host"], job["port"], (anchors, agent.tls_credentials(backend, identity)))
    wire.start(job["timeout"] * 1000)
    try:
        wire.open()
        wire.write(job["line"].encode() + b"\n")
        wire.overhead = _LINE
        return {"line": wire.line().decode()}
    finally:
        wire.close()


_VERBS = (("identify", _identify), ("cmp", _cmp), ("status", _status), ("tls", _tls))
