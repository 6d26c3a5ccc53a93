"""Choosing backends, passing on to them, comparing, and the health of the random source."""

import sys

from certlet import crypto
from certlet.crypto.soft import entropy
from certlet.errors import ConfigError, CryptoError, Unsupported
from support import raises

_REQUIRED = ("random", "sha1", "sha256", "sha384", "sha512", "aes_cbc", "p256", "p256_verify")
_OPTIONAL = ("aes_wrap", "p384", "p384_verify", "ed25519", "ed25519_verify", "rsa", "rsa_verify")
_ALL = _REQUIRED + _OPTIONAL


class _Backend:
    """A backend module that only notes how it is called."""

    def __init__(self, name, caps, error=None):
        self.NAME = name
        self.CAPS = caps
        self.error = error

    def self_test(self):
        if self.error:
            raise self.error

    def digest(self, alg, *parts):
        return self.NAME, alg, parts

    def load(self, ref):
        return self.NAME, ref

    def generate(self, alg):
        return self.NAME, alg


def _selected(names, *backends):
    # `select` with these stand-ins in the place of modules.
    for backend in backends:
        sys.modules["certlet.crypto." + backend.NAME] = backend
    try:
        return crypto.select(names)
    finally:
        for backend in backends:
            del sys.modules["certlet.crypto." + backend.NAME]


def test_soft_does_everything():
    c = crypto.select()
    assert c.backends() == tuple([(capability, "soft") for capability in _ALL])
    key = c.generate("p256")
    digest = c.digest("sha256", b"a", b"b")
    assert digest == c.digest("sha256", b"ab") == c.repeat_digest("sha256", b"ab", 1)
    c.verify("p256", key.public(), key.sign(digest), digest)
    assert c.load(key.ref).public() == key.public()
    assert c.ecdh(key, key.public()) == key.ecdh(key.public())
    assert c.hmac("sha1", b"k", b"a", b"b") == c.hmac("sha1", b"k", b"ab")
    assert len(c.pbkdf2("sha256", b"p", b"s", 2, 33)) == 33
    assert c.aes_cbc(bytes(16), bytes(16), c.aes_cbc(bytes(16), bytes(16), bytes(32), True), False) == bytes(32)
    assert len(c.random(21)) == 21
    assert c.equal(b"ab", b"ab") and not c.equal(b"ab", b"ac")


def test_the_first_that_declares_it_does_it():
    chip = _Backend("chip", ("sha256", "p256"))
    c = _selected(("chip", "soft"), chip)
    expected = {"sha256": "chip", "p256": "chip"}
    assert c.backends() == tuple([(capability, expected.get(capability, "soft")) for capability in _ALL])
    assert c.digest("sha256", b"x") == ("chip", "sha256", (b"x",))
    assert len(c.digest("sha1", b"x")) == 20
    assert c.generate("p256") == ("chip", "p256")
    c = _selected(("soft", "chip"), chip)
    assert c.backends() == tuple([(capability, "soft") for capability in _ALL])


def test_a_key_stays_with_its_backend():
    c = _selected(("soft", "chip"), _Backend("chip", ("p256",)))
    assert c.load(b"chip:slot:3") == ("chip", b"chip:slot:3")
    key = c.load(memoryview(b"soft:p256:" + bytes(31) + b"\x07"))
    assert key.backend == "soft"
    for ref in (b"", b":", b"chi:slot:3", b"Soft:p256:" + b"\x01" * 32, b"\xff\xfe:p256", b"atecc608:p256:3"):
        raises(ConfigError, 201, c.load, ref)
    raises(CryptoError, 205, c.load, b"soft")
    raises(CryptoError, 206, c.load, b"soft:p256:" + bytes(32))


def test_unknown_backends():
    for name in ("", "none", "soft.p256", "soft/../soft", "..soft", "Soft", "__init__", "soft ", "../store"):
        assert raises(ConfigError, 201, crypto.select, (name,)).detail == name
        raises(ConfigError, 201, crypto.select, ("soft", name))


def test_missing_capabilities():
    assert raises(ConfigError, 203, crypto.select, ()).detail == "random"
    for i in range(len(_REQUIRED)):
        chip = _Backend("chip", _REQUIRED[:i] + _REQUIRED[i + 1 :] + _OPTIONAL)
        assert raises(ConfigError, 203, _selected, ("chip",), chip).detail == _REQUIRED[i]


def test_optional_capabilities_are_missed_at_use():
    c = _selected(("chip",), _Backend("chip", _REQUIRED))
    assert c.backends() == tuple([(capability, "chip") for capability in _REQUIRED])
    for capability, function, args in (
        ("aes_wrap", c.aes_wrap, (bytes(16), bytes(16))),
        ("aes_wrap", c.aes_unwrap, (bytes(16), bytes(24))),
        ("p384", c.generate, ("p384",)),
        ("ed25519", c.generate, ("ed25519",)),
        ("rsa", c.generate, ("rsa2048",)),
        ("rsa", c.search, ("rsa2048",)),
        ("p384_verify", c.verify, ("p384", b"", b"", b"")),
        ("ed25519_verify", c.verify, ("ed25519", b"", b"", b"")),
        ("rsa_verify", c.verify, ("rsa", b"", b"", b"")),
        ("rsa_verify", c.verify, ("rsa-pss", b"", b"", b"")),
        ("rsa_verify", c.encrypt, ("rsa", b"", b"")),
    ):
        assert raises(Unsupported, 204, function, *args).detail == capability


def test_failed_self_tests():
    for error in (CryptoError(212), OSError(5)):
        chip = _Backend("chip", _ALL, error)
        assert raises(ConfigError, 202, _selected, ("soft", "chip"), chip).detail == "chip"


def test_unknown_algorithms():
    c = crypto.select()
    raises(Unsupported, 204, c.digest, "md5", b"")
    raises(Unsupported, 204, c.digest, "p256", b"")
    raises(Unsupported, 204, c.hmac, "sha224", b"", b"")
    raises(Unsupported, 204, c.generate, "rsa1024")
    raises(Unsupported, 204, c.generate, "rsa")
    raises(Unsupported, 204, c.search, "rsa1024")
    raises(Unsupported, 204, c.generate, "p521")
    raises(Unsupported, 204, c.generate, "sha256")
    raises(Unsupported, 204, c.verify, "p521", b"", b"", b"")
    raises(Unsupported, 204, c.verify, "rsa-oaep", b"", b"", b"")
    raises(Unsupported, 204, c.encrypt, "p256", b"", b"")


def test_equal():
    for a, b, same in (
        (b"", b"", True),
        (b"a", b"", False),
        (b"abc", b"abc", True),
        (b"abc", b"abx", False),
        (b"abc", b"xbc", False),
        (b"abc", b"abcd", False),
        (bytes(32), bytes(31) + b"\x80", False),
        (memoryview(b"abc"), bytearray(b"abc"), True),
    ):
        assert crypto.equal(a, b) is same, (a, b)


class _Os:
    """Stands in for the module os: each call of urandom takes the next stream."""

    def __init__(self, *streams):
        self.streams = list(streams)

    def urandom(self, n):
        stream = self.streams.pop(0) if len(self.streams) > 1 else self.streams[0]
        return (stream * (n // len(stream) + 1))[:n]


def _with_os(module, function, *args):
    import os

    entropy._last = None
    sys.modules["os"] = module
    try:
        return function(*args)
    finally:
        sys.modules["os"] = os
        entropy._last = None


def test_a_stuck_source_is_refused():
    for source in (
        _Os(b"*"),
        _Os(b"\x00"),
        _Os(b"\xff"),
        _Os(b"abcdefgh"),
        _Os(b"abcdefgh", b"\x00"),
    ):
        raises(CryptoError, 209, _with_os, source, entropy.random, 32)
    raises(ConfigError, 202, _with_os, _Os(b"*"), crypto.select)


def test_a_source_that_gets_stuck_is_refused():
    def draw():
        assert entropy.random(8) == b"ijklmnop"
        raises(CryptoError, 209, entropy.random, 8)

    _with_os(_Os(b"abcdefgh", b"ijklmnopqrstuvwx", b"ABCDEFGHqrstuvwx"), draw)


def test_a_source_that_answers_short_is_refused():
    class Short:
        def urandom(self, n):
            return bytes(range(n - 1))

    raises(CryptoError, 209, _with_os, Short(), entropy.random, 32)


def test_the_source_varies():
    seen = [entropy.random(16) for _ in range(20)]
    for i in range(20):
        assert len(seen[i]) == 16 and seen[i] not in seen[:i]
    assert entropy.random(0) == b""


def test_a_candidate_out_of_range_is_drawn_again():
    from certlet.crypto.soft import ecdsa, p256

    candidates = [bytes(32), p256.N.to_bytes(32, "big"), b"\xff" * 32, (p256.N - 1).to_bytes(32, "big"), b"\x01" * 32]
    saved = ecdsa.random
    ecdsa.random = lambda n: candidates.pop(0)
    try:
        assert ecdsa.generate("p256").export() == (p256.N - 1).to_bytes(32, "big")
    finally:
        ecdsa.random = saved
