"""Keys and signatures in their DER dress: SubjectPublicKeyInfo, AlgorithmIdentifier, Ecdsa-Sig-Value.

The crypto backends know raw keys and raw r||s only; DER is made and read here, once.
"""

from micropython import const

from .. import oid
from ..der import Reader, Writer
from ..errors import BadSignature, ProtocolError, Unsupported

_X509_KEY = const(306)
_X509_SIGNATURE = const(307)

_SEQUENCE = const(0x30)
_OCTET_STRING = const(0x04)
_BIT_STRING = const(0x03)
_CONTEXT_0 = const(0xA0)
_CONTEXT_1 = const(0xA1)
_CONTEXT_2 = const(0xA2)
_BAD_ENCODING = const(1)
_NULL = b"\x05\x00"

# kind of key, family of its signatures, content of the AlgorithmIdentifier of the key and of the signatures that
# `sign` makes, and their digest: RFC 5480 2.1, RFC 8410 3, RFC 4055 1.2
_KEYS = (
    ("p256", "ecdsa", oid.EC_PUBLIC_KEY + oid.CURVE_P256, oid.ECDSA_SHA256, "sha256"),
    ("p384", "ecdsa", oid.EC_PUBLIC_KEY + oid.CURVE_P384, oid.ECDSA_SHA384, "sha384"),
    ("ed25519", "ed25519", oid.ED25519, oid.ED25519, None),
    ("rsa", "rsa", oid.RSA_ENCRYPTION + _NULL, oid.RSA_SHA256 + _NULL, "sha256"),
)

# (content of the AlgorithmIdentifier, digest, family): RFC 5758 3.2, RFC 4055 5, and RFC 8410 whose digest is the one
# for certHash only (RFC 9481 2.1); id-RSASSA-PSS has parameters to be read
_SIGNATURES = (
    (oid.ECDSA_SHA256, "sha256", "ecdsa"),
    (oid.ECDSA_SHA384, "sha384", "ecdsa"),
    (oid.ECDSA_SHA512, "sha512", "ecdsa"),
    (oid.RSA_SHA256, "sha256", "rsa"),
    (oid.RSA_SHA384, "sha384", "rsa"),
    (oid.RSA_SHA512, "sha512", "rsa"),
    (oid.ED25519, "sha512", "ed25519"),
)

# (digest, OID), RFC 5754 section 2 and RFC 3279
_DIGESTS = (
    ("sha256", oid.SHA256),
    ("sha1", oid.SHA1),
    ("sha384", oid.SHA384),
    ("sha512", oid.SHA512),
)


def read_algorithm(view):
    """Split an AlgorithmIdentifier: (whole OID, parameters as Reader at their start; `more()` is False when absent).

    AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }   RFC 5280 4.1.1.2
    """
    r = Reader(view)
    r.enter(_SEQUENCE)
    return r.oid(), r


def digest_of(identifier):
    """The digest named by a whole OID, or None."""
    for name, der in _DIGESTS:
        if identifier == der:
            return name
    return None


def digest_oid(name):
    """The whole OID of a digest's name."""
    for row in _DIGESTS:
        if row[0] == name:
            return row[1]
    raise Unsupported(_X509_SIGNATURE)


def read_digest(r):
    """Step over the AlgorithmIdentifier of a digest, its parameters NULL or absent (RFC 5754 2): its name or None."""
    end = r.enter(_SEQUENCE)
    name = digest_of(r.oid())
    if r.more():
        r.null()
    r.leave(end)
    return name


def _pss_digest(r):
    """The digest of RSASSA-PSS-params (RFC 4055 3.1), None unless all that we demand is spelt out.

    SEQUENCE { hashAlgorithm [0], maskGenAlgorithm [1], saltLength [2] INTEGER, trailerField [3] DEFAULT 1 }:
    SHA-2, MGF1 with the same, a salt as long as the digest. The defaults of the first three stand for SHA-1.
    """
    try:
        end = r.enter(_SEQUENCE)
        outer = r.enter(_CONTEXT_0)
        digest = read_digest(r)
        r.leave(outer)
        outer = r.enter(_CONTEXT_1)
        a = r.enter(_SEQUENCE)
        same = r.oid() == oid.MGF1 and read_digest(r) == digest
        r.leave(a)
        r.leave(outer)
        outer = r.enter(_CONTEXT_2)
        bits = 8 * r.integer()
        r.leave(outer)
        r.leave(end)
        r.finish()
    except ProtocolError:
        return None
    return digest if digest and same and bits == int(digest[3:]) else None


def signature_digest(view):
    """(digest, scheme) of a signature AlgorithmIdentifier, scheme "ecdsa", "rsa", "rsa-pss" or "ed25519".

    Unsupported X509_SIGNATURE for others. NULL parameters of RSA may be absent (RFC 4055 5).
    """
    content = Reader(view).tlv(_SEQUENCE)
    for identifier, digest, family in _SIGNATURES:
        if content == identifier or (family == "rsa" and content == identifier + _NULL):
            return digest, family
    identifier, r = read_algorithm(view)
    digest = _pss_digest(r) if identifier == oid.RSASSA_PSS else None
    if digest is None:
        raise Unsupported(_X509_SIGNATURE)
    return digest, "rsa-pss"


def certificate_digest(view):
    """The digest for the certHash of a certificate with this signatureAlgorithm: its own, for Ed25519 SHA-512.

    RFC 9810 5.3.18, RFC 9481 2.1.
    """
    return signature_digest(view)[0]


def _row(alg):
    for row in _KEYS:
        if row[0] == alg:
            return row
    raise Unsupported(_X509_KEY)


def write_signature_algorithm(w, key):
    """Append the AlgorithmIdentifier of the signatures that `sign` makes with this key."""
    w.tlv(_SEQUENCE, _row(key.alg)[3])


def _text(parts):
    # The octets that Ed25519 signs: all of them, not their digest.
    text = bytearray()
    for part in parts:
        text.extend(part)
    return bytes(text)


def sign(crypto, key, *parts):
    """Sign the concatenated `parts`, with the digest of the key's row; returns the signature as X.509 wants it.

    Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }   RFC 5480 app. A
    """
    _, family, _, _, digest = _row(key.alg)
    if digest is None:
        return key.sign(_text(parts))
    raw = key.sign(crypto.digest(digest, *parts), digest)
    if family == "rsa":
        return raw
    half = len(raw) // 2
    w = Writer(112)
    m = w.open(_SEQUENCE)
    w.unsigned(raw[:half])
    w.unsigned(raw[half:])
    w.close(m)
    return w.bytes()


def _raw_ecdsa(signature, size):
    # r | s of an Ecdsa-Sig-Value, `size` octets each
    try:
        r = Reader(signature)
        end = r.enter(_SEQUENCE)
        raw = bytes(r.unsigned(size)) + bytes(r.unsigned(size))
        r.leave(end)
        r.finish()
    except ProtocolError:
        raise BadSignature(_X509_SIGNATURE, _BAD_ENCODING)
    return raw


def verify(crypto, algorithm, spki, signature, *parts):
    """Check `signature` over the concatenated `parts`.

    `algorithm` is the AlgorithmIdentifier, `spki` the signer's SubjectPublicKeyInfo, both as DER. Raises
    BadSignature, Unsupported for algorithms and keys that are not known, or CryptoError for a key that is none.
    """
    digest, scheme = signature_digest(algorithm)
    alg, public = read_spki(spki)
    family = _row(alg)[1]
    if scheme.split("-")[0] != family:
        raise BadSignature(_X509_SIGNATURE)
    signature = _raw_ecdsa(signature, len(public) // 2) if family == "ecdsa" else bytes(signature)
    signed = _text(parts) if family == "ed25519" else crypto.digest(digest, *parts)
    crypto.verify(scheme if family == "rsa" else alg, bytes(public), signature, signed, digest)


def key_algorithm(alg):
    """The AlgorithmIdentifier (DER) in the SubjectPublicKeyInfo of this kind of key."""
    w = Writer(32)
    w.tlv(_SEQUENCE, _row(alg)[2])
    return w.bytes()


def write_spki(w, key, tag=_SEQUENCE):
    """Append the SubjectPublicKeyInfo of a key (RFC 5480 2, RFC 8410 4, RFC 3279 2.3.1); `tag` for CRMF's [6] IMPLICIT.

    RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }
    """
    public = key.public()
    m = w.open(tag)
    w.tlv(_SEQUENCE, _row(key.alg)[2])
    if key.alg == "rsa":
        a = w.open(_BIT_STRING)
        w.raw(b"\0")
        b = w.open(_SEQUENCE)
        w.unsigned(public[4:])
        w.unsigned(public[:4])
        w.close(b)
        w.close(a)
    else:
        w.bits(public)
    w.close(m)


def write_empty_spki(w, alg, tag=_SEQUENCE):
    """Append a SubjectPublicKeyInfo without key: the kind that a CA is to make, RFC 9810 app. C.4 and D.

    `alg` as `Crypto.generate` takes it: the size of an RSA key cannot be said here.
    """
    m = w.open(tag)
    w.tlv(_SEQUENCE, _row("rsa" if alg[:3] == "rsa" else alg)[2])
    w.bits(b"")
    w.close(m)


def _rsa_public(data):
    # The octets of the crypto layer, exponent in 4 octets | modulus, of an RSAPublicKey.
    r = Reader(data)
    end = r.enter(_SEQUENCE)
    n = bytes(r.unsigned(512)).lstrip(b"\0")
    e = bytes(r.unsigned(4))
    r.leave(end)
    r.finish()
    return e + n


def read_spki(view):
    """(kind of key, public key octets) of a SubjectPublicKeyInfo; Unsupported X509_KEY for others."""
    r = Reader(view)
    end = r.enter(_SEQUENCE)
    algorithm = r.tlv(_SEQUENCE)
    for row in _KEYS:
        if algorithm == row[2]:
            public = r.bits()
            r.leave(end)
            r.finish()
            return row[0], _rsa_public(public) if row[0] == "rsa" else public
    raise Unsupported(_X509_KEY)


def write_private_key(w, key):
    """Append a software key in the form that `ssl` loads: ECPrivateKey (RFC 5915 3), RSAPrivateKey (RFC 8017 A.1.2) or,
    for Ed25519, which MicroPython's `ssl` does not know, OneAsymmetricKey (RFC 8410 7).

    ECPrivateKey ::= SEQUENCE { version INTEGER 1, privateKey OCTET STRING, parameters [0], publicKey [1] }
    RSAPrivateKey ::= SEQUENCE { version INTEGER 0, n, e, d, p, q, d mod p-1, d mod q-1, 1/q mod p }
    OneAsymmetricKey ::= SEQUENCE { version INTEGER 0, AlgorithmIdentifier, privateKey OCTET STRING }
    """
    _, family, identifier, _, _ = _row(key.alg)
    m = w.open(_SEQUENCE)
    w.integer(1 if family == "ecdsa" else 0)
    if family == "rsa":
        for number in key.components():
            w.unsigned(number)
    elif family == "ed25519":
        w.tlv(_SEQUENCE, identifier)
        a = w.open(_OCTET_STRING)
        w.octets(key.export())
        w.close(a)
    else:
        w.octets(key.export())
        a = w.open(_CONTEXT_0)
        w.raw(identifier[len(oid.EC_PUBLIC_KEY) :])
        w.close(a)
        a = w.open(_CONTEXT_1)
        w.bits(key.public())
        w.close(a)
    w.close(m)
