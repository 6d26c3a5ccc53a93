"""Recipients with a password or shared secret, both ways (RFC 5652 6.2.4): PBKDF2, then RFC 3211's or AES key wrap.

OpenSSL and RFC 3211 wrap by id-alg-PWRI-KEK; CMP wants the plain AES key wrap (RFC 9481 4.3 and 4.4).
"""

from micropython import const

from .. import oid
from ..der import Reader
from ..errors import CryptoError, ProtocolError, Unsupported
from ..x509.algorithm import read_algorithm
from . import content, oids

_CMS_ALGORITHM = const(354)
_CMS_PARAMETER = const(355)
_CMS_DECRYPT = const(356)

_SEQUENCE = const(0x30)
_PASSWORD = const(0xA3)
_KEY_DERIVATION = const(0xA0)
_INTEGER = const(0x02)
_BLOCK = const(16)
_SALT = const(16)
_MIN_ITERATIONS = const(100)  # as for PBM, RFC 9810 5.1.3.1: they protect what the sender has sent already
_MAX_ITERATIONS = const(100000)  # about a minute on an RP2040; the message around it was authenticated before
_MAX_SALT = const(64)
_MAX_WRAPPED = const(64)  # octets: a key of 32 takes 48 by RFC 3211, 40 by RFC 3394

# (OID, digest), RFC 8018 app. B.1.2; SHA-512, which no port has in C, would take minutes
_PRFS = (
    (oid.HMAC_SHA256, "sha256"),
    (oid.HMAC_SHA1, "sha1"),
)


class PasswordRecipient:
    """A PasswordRecipientInfo, read whole; `content_key` derives and unwraps.

    PasswordRecipientInfo ::= [3] SEQUENCE { version 0, keyDerivationAlgorithm [0] OPTIONAL, keyEncryptionAlgorithm,
                                             encryptedKey OCTET STRING }
    """

    def __init__(self, view, secret):
        self.secret = secret
        r = Reader(view)
        end = r.enter(_PASSWORD)
        content.read_version(r, 0)
        if r.peek() != _KEY_DERIVATION:  # the key is to come from elsewhere, RFC 5652 6.2.4: we have no such place
            raise Unsupported(_CMS_ALGORITHM)
        keylength = self._read_derivation(Reader(r.tlv(_KEY_DERIVATION)))
        self._read_wrap(*read_algorithm(r.element(_SEQUENCE)))
        self.data = r.octets()
        r.leave(end)
        r.finish()
        if keylength not in (None, self.size):
            raise ProtocolError(_CMS_PARAMETER, keylength)
        if len(self.data) > _MAX_WRAPPED:
            raise ProtocolError(_CMS_PARAMETER, len(self.data))

    def _read_derivation(self, r):
        """PBKDF2-params ::= SEQUENCE { salt, iterationCount, keyLength OPTIONAL, prf DEFAULT hmacWithSHA1 }"""
        if r.oid() != oid.PBKDF2:
            raise Unsupported(_CMS_ALGORITHM)
        end = r.enter(_SEQUENCE)
        self.salt = r.octets()
        self.iterations = r.integer()
        keylength = r.integer() if r.peek() == _INTEGER else None
        self.prf = _read_prf(r.element(_SEQUENCE)) if r.more() else "sha1"
        r.leave(end)
        r.finish()
        if not _MIN_ITERATIONS <= self.iterations <= _MAX_ITERATIONS or len(self.salt) > _MAX_SALT:
            raise ProtocolError(_CMS_PARAMETER, self.iterations)
        return keylength

    def _read_wrap(self, identifier, r):
        """How the key is wrapped, and with how long a key: id-alg-PWRI-KEK with a cipher, or an AES wrap."""
        if identifier == oids.PWRI_KEK:
            self.size, self.iv = content.read_cbc(r.element(_SEQUENCE))
            r.finish()
        else:
            self.size = content.lookup(content.WRAPS, identifier)[1]
            self.iv = None
            content.null_or_absent(r)

    def content_key(self, crypto, size):
        """The content-encryption key of `size` octets; CryptoError when the check value differs."""
        kek = crypto.pbkdf2(self.prf, bytes(self.secret), bytes(self.salt), self.iterations, self.size)
        if self.iv is None:
            return crypto.aes_unwrap(kek, self.data)
        return unwrap(crypto, kek, self.iv, self.data, size)


def _read_prf(view):
    identifier, r = read_algorithm(view)
    for known, digest in _PRFS:
        if identifier == known:
            content.null_or_absent(r)
            return digest
    raise Unsupported(_CMS_ALGORITHM)


def unwrap(crypto, kek, iv, data, size):
    """The key of `size` octets that RFC 3211 2.3 wrapped; CryptoError CMS_DECRYPT if it is none.

    The outer of two CBC layers began with the last block of the inner one, which its own last block gives away.
    """
    if len(data) < 2 * _BLOCK or len(data) % _BLOCK:
        raise CryptoError(_CMS_DECRYPT)
    last = len(data) - _BLOCK
    inner_end = crypto.aes_cbc(kek, data[last - _BLOCK : last], data[last:], False)
    inner = crypto.aes_cbc(kek, inner_end, data[:last], False) + inner_end
    plain = crypto.aes_cbc(kek, iv, inner, False)
    bad = plain[0] ^ size
    for i in range(1, 4):
        bad |= plain[i] ^ plain[i + 3] ^ 0xFF
    if bad or 4 + size > len(plain):
        raise CryptoError(_CMS_DECRYPT)
    return plain[4 : 4 + size]


def wrap(crypto, kek, iv, key):
    """Wrap a key by RFC 3211 2.3: length, the first three octets inverted, the key, padding; through CBC twice."""
    head = bytes([len(key), key[0] ^ 0xFF, key[1] ^ 0xFF, key[2] ^ 0xFF])
    inner = crypto.aes_cbc(kek, iv, head + key + crypto.random(-(len(key) + 4) % _BLOCK), True)
    return crypto.aes_cbc(kek, inner[-_BLOCK:], inner, True)


def write_password_recipient(w, crypto, password, key, cipher, iterations):
    """Append a PasswordRecipientInfo for the content-encryption key `key`: PBKDF2 with HMAC-SHA256, id-alg-PWRI-KEK."""
    salt = crypto.random(_SALT)
    iv = crypto.random(_BLOCK)
    _, size, identifier = cipher
    kek = crypto.pbkdf2("sha256", password, salt, iterations, size)
    m = w.open(_PASSWORD)
    w.integer(0)
    a = w.open(_KEY_DERIVATION)
    w.raw(oid.PBKDF2)
    b = w.open(_SEQUENCE)
    w.octets(salt)
    w.integer(iterations)
    content.write_algorithm(w, oid.HMAC_SHA256, b"\x05\x00")
    w.close(b)
    w.close(a)
    a = w.open(_SEQUENCE)
    w.raw(oids.PWRI_KEK)
    content.write_cbc(w, identifier, iv)
    w.close(a)
    w.octets(wrap(crypto, kek, iv, key))
    w.close(m)
