"""How we protect PKIMessages: by a shared secret or by signature, RFC 9810 section 5.1.3.

The octets that count are those of SEQUENCE { header, body }. `Mac` also checks the
MACs that come back, since both sides hold the secret.
"""

from micropython import const

from .. import oid
from ..der import Writer
from ..errors import Untrusted
from ..x509 import algorithm
from ..x509.certificate import Certificate
from ..x509.name import write_name

_CMP_MAC = const(407)
_CMP_MAC_PARAMETER = const(410)

_SEQUENCE = const(0x30)
_OCTET_STRING = const(0x04)
_INTEGER = const(0x02)
_SALT = const(16)
_MIN_ITERATIONS = const(100)  # RFC 9810 5.1.3.1
_MAX_ITERATIONS = const(10000)  # what an unauthenticated peer may make a board compute: 1.7 s on an RP2040
_MAX_WORK = const(20000)  # digests that PBKDF2 may take: two an iteration and block of the key
_MAX_SLOW = const(200)  # of SHA-384 and SHA-512, which no port has in C: some 500 times slower
_MIN_KEY = const(20)  # octets that PBKDF2 must derive: a short key makes the MAC guessable, RFC 9579 section 6
_MAX_KEY = const(64)
_KEY = const(32)

# digest of the HMAC by its OID; HMAC-SHA1 goes by two, RFC 9810 and RFC 8018 name one each
_MACS = (
    (oid.HMAC_SHA256, "sha256"),
    (oid.HMAC_SHA1_IPSEC, "sha1"),
    (oid.HMAC_SHA1, "sha1"),
    (oid.HMAC_SHA384, "sha384"),
    (oid.HMAC_SHA512, "sha512"),
)


class Mac:
    """Protection by a shared secret; what we send has SHA-256 and HMAC-SHA256 (RFC 9045).

    PasswordBasedMac (RFC 9810 5.1.3.1), or PBMAC1 over PBKDF2 (RFC 8018, RFC 9481 6.1) if asked for.
    """

    extra_certs = ()

    def __init__(self, crypto, reference, secret, iterations=1024, pbmac1=False):
        """`reference` (str) names the secret to the CA; `secret` (bytes) is kept until `wipe`."""
        self.crypto = crypto
        self.secret = bytearray(secret)
        self.sender_kid = reference.encode()
        w = Writer(64)
        write_name(w, (("CN", reference),))
        self.sender = w.bytes()
        self.iterations = iterations
        self.pbmac1 = pbmac1
        self.salt = crypto.random(_SALT)
        self._cached = None

    def write_algorithm(self, w):
        """Append the AlgorithmIdentifier with our parameters."""
        m = w.open(_SEQUENCE)
        if self.pbmac1:
            w.raw(oid.PBMAC1)
            self._write_pbmac1(w)
        else:
            w.raw(oid.PASSWORD_BASED_MAC)
            self._write_pbm(w)
        w.close(m)

    def _write_pbm(self, w):
        """PBMParameter ::= SEQUENCE { salt OCTET STRING, owf, iterationCount INTEGER, mac }"""
        m = w.open(_SEQUENCE)
        w.octets(self.salt)
        _write_identifier(w, oid.SHA256)
        w.integer(self.iterations)
        _write_identifier(w, oid.HMAC_SHA256)
        w.close(m)

    def _write_pbmac1(self, w):
        """PBMAC1-params ::= SEQUENCE { keyDerivationFunc, messageAuthScheme }; keyLength is stated, RFC 9579."""
        m = w.open(_SEQUENCE)
        kdf = w.open(_SEQUENCE)
        w.raw(oid.PBKDF2)
        a = w.open(_SEQUENCE)
        w.octets(self.salt)
        w.integer(self.iterations)
        w.integer(_KEY)
        _write_identifier(w, oid.HMAC_SHA256)
        w.close(a)
        w.close(kdf)
        _write_identifier(w, oid.HMAC_SHA256)
        w.close(m)

    def protect(self, *parts):
        """The MAC over the concatenated parts."""
        length = _KEY if self.pbmac1 else 0
        return self._mac(("sha256", self.iterations, self.salt, length), "sha256", parts)

    def _mac(self, derivation, mac, parts):
        """HMAC under the key of `derivation`: (digest, iterations, salt, key length, 0 for PasswordBasedMac).

        PasswordBasedMac: the digest applied `iterations` times to secret || salt. The last key is kept, for salts
        repeat within a transaction.
        """
        if self._cached is None or self._cached[0] != derivation:
            digest, iterations, salt, length = derivation
            if length:
                key = self.crypto.pbkdf2(digest, bytes(self.secret), salt, iterations, length)
            else:
                key = self.crypto.repeat_digest(digest, bytes(self.secret) + salt, iterations)
            self._cached = (derivation, key)
        return self.crypto.hmac(mac, self._cached[1], *parts)

    def verify(self, message):
        """Check the MAC of a received message; Untrusted CMP_MAC, CMP_MAC_PARAMETER for parameters out of bounds."""
        identifier, r = algorithm.read_algorithm(message.protection_alg)
        end = r.enter(_SEQUENCE)
        if identifier == oid.PASSWORD_BASED_MAC:
            derivation = self._read_pbm(r)
        else:
            derivation = self._read_pbmac1(r)
        mac = _hmac_digest(r)
        r.leave(end)
        digest, iterations, _, length = derivation
        most = _MAX_ITERATIONS if digest in ("sha1", "sha256") else _MAX_SLOW
        if digest is None or mac is None or not _MIN_ITERATIONS <= iterations <= most:
            raise Untrusted(_CMP_MAC_PARAMETER, iterations)
        if length and not _cheap(digest, iterations, length):
            raise Untrusted(_CMP_MAC_PARAMETER, length)
        if not self.crypto.equal(self._mac(derivation, mac, message.protected), message.protection):
            raise Untrusted(_CMP_MAC)

    def _read_pbm(self, r):
        """The derivation of PBMParameter, up to its mac."""
        salt = bytes(r.octets())
        owf = algorithm.digest_of(algorithm.read_algorithm(r.element(_SEQUENCE))[0])
        return owf, r.integer(), salt, 0

    def _read_pbmac1(self, r):
        """The derivation of PBMAC1-params, up to its messageAuthScheme.

        PBKDF2-params ::= SEQUENCE { salt CHOICE { specified OCTET STRING, ... }, iterationCount INTEGER,
        keyLength INTEGER OPTIONAL, prf DEFAULT hmacWithSHA1 }   RFC 8018 app. A.2
        """
        kdf = r.enter(_SEQUENCE)
        if r.oid() != oid.PBKDF2:
            raise Untrusted(_CMP_MAC_PARAMETER)
        end = r.enter(_SEQUENCE)
        if r.peek() != _OCTET_STRING:
            raise Untrusted(_CMP_MAC_PARAMETER)
        salt = bytes(r.octets())
        iterations = r.integer()
        length = r.integer() if r.peek() == _INTEGER else _KEY
        prf = _hmac_digest(r) if r.more() else "sha1"
        r.leave(end)
        r.leave(kdf)
        return prf, iterations, salt, length or 1  # 0 would stand for PasswordBasedMac; 1 is refused as too short

    def wipe(self):
        """Forget the secret."""
        for i in range(len(self.secret)):
            self.secret[i] = 0
        self._cached = None


def _cheap(digest, iterations, length):
    """Is a PBKDF2 key long enough, and the work for it bounded? By digests that ports have in C only."""
    blocks = (length + 19) // 20 if digest == "sha1" else (length + 31) // 32
    known = digest in ("sha1", "sha256") and _MIN_KEY <= length <= _MAX_KEY
    return known and 2 * blocks * iterations <= _MAX_WORK


def _write_identifier(w, identifier):
    m = w.open(_SEQUENCE)
    w.raw(identifier)
    w.close(m)


def _hmac_digest(r):
    """The digest of the HMAC AlgorithmIdentifier that comes next, None if unknown; parameters absent or NULL."""
    identifier, _ = algorithm.read_algorithm(r.element(_SEQUENCE))
    for known, name in _MACS:
        if identifier == known:
            return name
    return None


class Signer:
    """Protection by signature with the key of a certificate, RFC 9810 5.1.3.3."""

    def __init__(self, crypto, key, certificate, chain=()):
        """`key` as of the crypto backend, `certificate` and the CA certificates of `chain` as DER.

        The certificate goes first in extraCerts, then the chain. Leave the root out of `chain` unless the CA needs it.
        """
        self.crypto = crypto
        self.key = key
        self.certificate = Certificate(certificate)
        self.sender = self.certificate.subject
        self.sender_kid = self.certificate.ski
        self.extra_certs = (certificate,) + tuple(chain)

    def write_algorithm(self, w):
        """Append the AlgorithmIdentifier of the signature."""
        algorithm.write_signature_algorithm(w, self.key)

    def protect(self, *parts):
        """The signature over the concatenated parts."""
        return algorithm.sign(self.crypto, self.key, *parts)

    def wipe(self):
        """Nothing to forget: the key belongs to the caller."""
