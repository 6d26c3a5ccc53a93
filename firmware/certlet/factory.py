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

from .errors import ConfigError, Error, Rejected, StoreError

_FACTORY_VERB = const(901)
_FACTORY_EXPORT = const(902)
_FACTORY_NO_IDENTITY = const(903)

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
    """One CMP `ir`: settings under "config", credentials under "mac" or "signer", optional "new_key", "export"."""
    from . import agent, clock, config, crypto
    from .store import Store

    settings = config.check(job["config"])
    if job.get("export") and sys.platform not in ("linux", "darwin"):
        raise ConfigError(_FACTORY_EXPORT)
    backend = crypto.select(settings["backends"])
    meter = _Meter()
    if job.get("new_key"):
        key = backend.load(unhexlify(job["new_key"]))
    else:
        key = backend.generate("p256")
        meter.event("key", alg=key.alg, backend=dict(backend.backends())[key.alg])
    protection = _protection(job, backend, settings)
    run = agent.transaction(settings, backend, protection, key, lambda token: meter.event("check", what=token))
    http = agent.http(settings)

    def on_event(name, value, octets):
        if octets is None:
            meter.event(name, record=value)
        else:
            meter.event(name, body=value, der=_hex(octets))

    try:
        identity = agent.enrol(run, http, Store(settings["folder"]), clock.now, on_event)
    finally:
        figures = {"round_trips": http.trips, "bytes_up": http.sent, "bytes_down": http.received}
        meter.event("end", heap_peak=meter.peak - meter.base, **figures)
        http.close()
        protection.wipe()
    answer = {
        "pki_status": run.status,
        "status_string": run.text,
        "certificate": _hex(identity.certificate),
        "chain": [_hex(der) for der in identity.chain],
        "implicit": run.implicit,
    }
    if job.get("export"):
        answer["key"] = _hex(key.export())
    return answer


def _protection(job, backend, settings):
    from .cmp.protect import Mac, Signer

    if job.get("mac"):
        mac = job["mac"]
        return Mac(backend, mac["reference"], unhexlify(mac["secret"]), settings["pbm_iterations"])
    signer = job["signer"]
    chain = [unhexlify(der) for der in signer["chain"]]
    return Signer(backend, backend.load(unhexlify(signer["key"])), unhexlify(signer["certificate"]), chain)


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
