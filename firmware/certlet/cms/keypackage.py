"""Reads the private key that a key generation authority made: AsymmetricKeyPackage, RFC 5958."""

from micropython import const

from .. import oid
from ..der import Reader
from ..errors import ProtocolError, Unsupported
from ..x509.algorithm import read_algorithm
from .content import null_or_absent

_CMS_ALGORITHM = const(354)
_CMS_KEY = const(364)

_SEQUENCE = const(0x30)
_INTEGER = const(0x02)
_OCTET_STRING = const(0x04)
_ATTRIBUTES = const(0xA0)
_PUBLIC_KEY = const(0x81)
_PARAMETERS = const(0xA0)
_EC_PUBLIC_KEY = const(0xA1)

# (kind of key, its curve, octets of the scalar)
_CURVES = (("p256", oid.CURVE_P256, 32), ("p384", oid.CURVE_P384, 48))
_MAX_MODULUS = const(512)
_SEED = const(32)


def read_key_package(data):
    """(kind of key, reference for `crypto.load`) from an AsymmetricKeyPackage that holds one key.

    The bare key, as OpenSSL 3.5 sends it, is taken as well: OneAsymmetricKey, ECPrivateKey or RSAPrivateKey. The
    reference is a secret. ProtocolError for what is malformed, CMS_KEY for parts that do not fit together;
    Unsupported CMS_ALGORITHM for other kinds. Whether it is the key of a certificate is for the caller to check.

    AsymmetricKeyPackage ::= SEQUENCE SIZE (1..MAX) OF OneAsymmetricKey
    """
    r = Reader(data)
    end = r.enter(_SEQUENCE)
    if r.peek() == _SEQUENCE:
        data = r.element(_SEQUENCE)
        r.leave(end)
        r.finish()
        r = Reader(data)
        end = r.enter(_SEQUENCE)
    version = r.integer()
    if r.peek() == _INTEGER:
        return _rsa(Reader(data))
    if r.peek() == _OCTET_STRING:
        return _ec(Reader(data), None)
    return _read_key(r, end, version)


def _read_key(r, end, version):
    """OneAsymmetricKey ::= SEQUENCE { version (0, 1), privateKeyAlgorithm, privateKey OCTET STRING,
    attributes [0] OPTIONAL, publicKey [1] OPTIONAL }; `r` stands behind the version
    """
    identifier, parameters = read_algorithm(r.element(_SEQUENCE))
    private = Reader(r.octets())
    for tag in (_ATTRIBUTES, _PUBLIC_KEY):
        if r.peek() == tag:
            r.element()
    r.leave(end)
    r.finish()
    if version not in (0, 1):
        raise ProtocolError(_CMS_KEY, version)
    if identifier == oid.RSA_ENCRYPTION:
        null_or_absent(parameters)
        return _rsa(private)
    if identifier == oid.ED25519:
        parameters.finish()
        return _ed25519(private)
    if identifier == oid.EC_PUBLIC_KEY:
        return _ec(private, parameters.element())
    raise Unsupported(_CMS_ALGORITHM)


def _ec(r, curve):
    """ECPrivateKey ::= SEQUENCE { version 1, privateKey OCTET STRING, parameters [0] OPTIONAL, publicKey [1] OPTIONAL }

    RFC 5915 section 3: the scalar has the length of the curve's order. `curve` is the OID from without, None if it has
    to be within.
    """
    end = r.enter(_SEQUENCE)
    version = r.integer()
    scalar = r.octets()
    if r.peek() == _PARAMETERS:
        outer = r.enter(_PARAMETERS)
        inner = r.oid()
        r.leave(outer)
        if curve is not None and inner != curve:
            raise ProtocolError(_CMS_KEY)
        curve = inner
    if r.peek() == _EC_PUBLIC_KEY:
        r.element()
    r.leave(end)
    r.finish()
    for kind, known, size in _CURVES:
        if curve == known:
            if version != 1 or len(scalar) != size:
                raise ProtocolError(_CMS_KEY, len(scalar))
            return kind, b"soft:" + kind.encode() + b":" + bytes(scalar)
    raise Unsupported(_CMS_ALGORITHM)


def _ed25519(r):
    """CurvePrivateKey ::= OCTET STRING, RFC 8410 section 7"""
    seed = r.octets()
    r.finish()
    if len(seed) != _SEED:
        raise ProtocolError(_CMS_KEY, len(seed))
    return "ed25519", b"soft:ed25519:" + bytes(seed)


def _rsa(r):
    """RSAPrivateKey, RFC 8017 A.1.2; the backend takes p and q of one length only.

    SEQUENCE { version 0, n, e, d, p, q, d mod p-1, d mod q-1, 1/q mod p }; the last four are not used.
    """
    end = r.enter(_SEQUENCE)
    version = r.integer()
    n = _number(r, _MAX_MODULUS)
    e = r.unsigned(4)
    r.integer_octets()
    p = _number(r, _MAX_MODULUS // 2)
    q = _number(r, _MAX_MODULUS // 2)
    for _ in range(3):
        r.integer_octets()
    r.leave(end)
    r.finish()
    number = int.from_bytes
    if version or len(p) != len(q) or number(p, "big") * number(q, "big") != number(n, "big"):
        raise ProtocolError(_CMS_KEY, len(p))
    return "rsa", b"soft:rsa:" + bytes(e) + p + q


def _number(r, limit):
    """A positive INTEGER of at most `limit` octets, as its octets without leading zero."""
    data = bytes(r.unsigned(limit))
    i = 0
    while i < limit - 1 and not data[i]:
        i += 1
    return data[i:]
