"""Cryptography by backends: plain modules with the same few functions, chosen by name at boot.

A backend is the module `certlet.crypto.<name>` with NAME (its own name), CAPS (the capabilities it declares),
`self_test()` and the functions of those capabilities, as in `soft`:

  random                       random(n)
  sha1 sha256 sha384 sha512    digest, repeat_digest, hmac and pbkdf2 with that hash
  aes_cbc                      aes_cbc(key, iv, data, encrypt)
  p256                         generate(alg), load(ref)
  p256_verify                  verify(alg, public, signature, digest, hash)
and, where it has them,
  aes_wrap                     aes_wrap(kek, data), aes_unwrap(kek, data)
  p384 ed25519 rsa             generate(alg, progress), load(ref); for rsa search(alg, state)
  p384_verify ed25519_verify   verify
  rsa_verify                   verify, encrypt(alg, public, data)

Octet strings go in and out. A public key is the uncompressed point, of Ed25519 the 32 octets of RFC 8032, of RSA the
exponent in 4 octets and the modulus. A signature is r | s, of Ed25519 and RSA what their RFCs call so.
A key is an object of its backend with `alg`, `backend`, `ref`, `public()`, `sign(digest, hash)`, `wipe()`, on a curve
`ecdh(public)`, of RSA `decrypt(data, length)` and, in software only, `export()`.
"""

from micropython import const

from ..errors import ConfigError, Error, Unsupported

_CRYPTO_BACKEND = const(201)
_CRYPTO_SELF_TEST = const(202)
_CRYPTO_CAPABILITY = const(203)
_CRYPTO_ALGORITHM = const(204)

_REQUIRED = ("random", "sha1", "sha256", "sha384", "sha512", "aes_cbc", "p256", "p256_verify")
_OPTIONAL = ("aes_wrap", "p384", "p384_verify", "ed25519", "ed25519_verify", "rsa", "rsa_verify")


def equal(a, b):
    """Compare two octet strings in a time that does not tell where they differ; the lengths are no secret."""
    if len(a) != len(b):
        return False
    difference = 0
    for x, y in zip(a, b):
        difference |= x ^ y
    return difference == 0


def _backend(name):
    # A name comes from the configuration: no path of it leads out of this package.
    module = None
    if name and not name.strip("abcdefghijklmnopqrstuvwxyz0123456789_"):
        try:
            module = __import__("certlet.crypto." + name, None, None, ("NAME",))
        except ImportError:
            pass
    if getattr(module, "NAME", None) != name:
        raise ConfigError(_CRYPTO_BACKEND, name)
    return module


def _tested(name):
    module = _backend(name)
    try:
        module.self_test()
    except (Error, OSError):
        raise ConfigError(_CRYPTO_SELF_TEST, name)
    return module


def select(names=("soft",)):
    """The Crypto of these backends: each capability comes from the first that declares it.

    An unknown name, a backend that fails its self-test and a required capability that none declares are ConfigErrors;
    an optional one that none declares is Unsupported when it is used.
    """
    backends = [_tested(name) for name in names]
    table = {}
    for capability in _REQUIRED + _OPTIONAL:
        for backend in backends:
            if capability in backend.CAPS:
                table[capability] = backend
                break
        else:
            if capability in _REQUIRED:
                raise ConfigError(_CRYPTO_CAPABILITY, capability)
    return Crypto(backends, table)


class Crypto:
    """The operations, each passed to the backend that `select` found for it."""

    def __init__(self, backends, table):
        self._loaded = {backend.NAME: backend for backend in backends}
        self._table = table

    def _find(self, capability):
        if capability not in self._table:
            raise Unsupported(_CRYPTO_ALGORITHM, capability)
        return self._table[capability]

    def backends(self):
        """Who does what: a tuple of (capability, backend name)."""
        table = self._table
        return tuple([(name, table[name].NAME) for name in _REQUIRED + _OPTIONAL if name in table])

    def random(self, n):
        """`n` random octets; CryptoError when the source is stuck."""
        return self._find("random").random(n)

    def digest(self, alg, *parts):
        """The hash of part | part | ...; alg "sha1", "sha256", "sha384" or "sha512", else Unsupported."""
        return self._find(alg).digest(alg, *parts)

    def repeat_digest(self, alg, data, count):
        """The hash applied `count` times in all, count >= 1 (RFC 4210, 5.1.3.1)."""
        return self._find(alg).repeat_digest(alg, data, count)

    def hmac(self, alg, key, *parts):
        """HMAC (RFC 2104) of part | part | ..."""
        return self._find(alg).hmac(alg, key, *parts)

    def pbkdf2(self, alg, password, salt, iterations, length):
        """PBKDF2 with HMAC (RFC 8018, 5.2): `length` octets."""
        return self._find(alg).pbkdf2(alg, password, salt, iterations, length)

    def aes_cbc(self, key, iv, data, encrypt):
        """AES-CBC of whole blocks without padding; a key of 16 or 32 octets, else CryptoError."""
        return self._find("aes_cbc").aes_cbc(key, iv, data, encrypt)

    def aes_wrap(self, kek, data):
        """AES key wrap (RFC 3394) of 16 or more octets, a multiple of 8."""
        return self._find("aes_wrap").aes_wrap(kek, data)

    def aes_unwrap(self, kek, data):
        """What `aes_wrap` wrapped; CryptoError when the check value is wrong."""
        return self._find("aes_wrap").aes_unwrap(kek, data)

    def generate(self, alg, progress=None):
        """A new key; alg "p256", "p384", "ed25519", "rsa2048", "rsa3072" or "rsa4096", else Unsupported.

        RSA keys take long: `progress(done)` is called after each step of the search.
        """
        if alg[:3] == "rsa":
            return self._find("rsa").generate(alg, progress)
        return self._find(alg).generate(alg)

    def search(self, alg, state=b""):
        """The search for an RSA key, to be gone through step by step: `step()` returns it when found, else None.

        `state()` is what a later search goes on from, a secret.
        """
        return self._find("rsa").search(alg, state)

    def load(self, ref):
        """The key of a `ref`; the name before its first colon is the backend that made it."""
        name = bytes(ref).split(b":", 1)[0]
        for backend in self._loaded:
            if backend.encode() == name:
                return self._loaded[backend].load(ref)
        raise ConfigError(_CRYPTO_BACKEND)

    def verify(self, alg, public, signature, digest, hash=None):
        """Return if the signature over the digest is good, else BadSignature; CryptoError for a bad public key.

        alg "p256", "p384", "ed25519" (whose `digest` is the whole message), "rsa" (PKCS#1 v1.5) or "rsa-pss" (with the
        same hash in MGF1, and a salt as long as the digest); `hash` names the digest's hash where its length does not.
        """
        self._find(alg.split("-")[0] + "_verify").verify(alg, public, signature, digest, hash)

    def encrypt(self, alg, public, data):
        """`data` for the holder of a key; alg "rsa" (PKCS#1 v1.5)."""
        return self._find(alg + "_verify").encrypt(alg, public, data)

    def ecdh(self, key, public):
        """The shared secret of a key and a public point: the x-coordinate."""
        return key.ecdh(public)

    def equal(self, a, b):
        """See `equal`."""
        return equal(a, b)
