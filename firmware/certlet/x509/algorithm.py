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
_BAD_ENCODING = const(1)

# (algorithm OID, digest, kind of key), RFC 5758 3.2: the parameters of ecdsa-with-SHA2 are absent
_SIGNATURES = (
    (oid.ECDSA_SHA256, "sha256", "p256"),
    (oid.ECDSA_SHA384, "sha384", "p256"),
    (oid.ECDSA_SHA512, "sha512", "p256"),
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


def signature_digest(view):
    """(digest, kind of key) of a signature AlgorithmIdentifier; Unsupported X509_SIGNATURE for others."""
    identifier, r = read_algorithm(view)
    for der, digest, kind in _SIGNATURES:
        if identifier == der:
            if r.more():
                break
            return digest, kind
    raise Unsupported(_X509_SIGNATURE)


def write_signature_algorithm(w, key):
    """Append the AlgorithmIdentifier of the signatures that `sign` makes with this key."""
    for der, _, kind in _SIGNATURES:
        if kind == key.alg:
            m = w.open(_SEQUENCE)
            w.raw(der)
            w.close(m)
            return
    raise Unsupported(_X509_KEY)


def sign(crypto, key, *parts):
    """Sign the concatenated `parts` with SHA-256; returns the signature as X.509 wants it.

    Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }   RFC 5480 app. A
    """
    raw = key.sign(crypto.digest("sha256", *parts))
    half = len(raw) // 2
    w = Writer(80)
    m = w.open(_SEQUENCE)
    w.unsigned(raw[:half])
    w.unsigned(raw[half:])
    w.close(m)
    return w.bytes()


def verify(crypto, algorithm, spki, signature, *parts):
    """Check `signature` over the concatenated `parts`.

    `algorithm` is the AlgorithmIdentifier, `spki` the signer's SubjectPublicKeyInfo, both as DER. Raises
    BadSignature, or Unsupported for algorithms and keys that are not known.
    """
    digest, kind = signature_digest(algorithm)
    alg, public = read_spki(spki)
    if alg != kind:
        raise BadSignature(_X509_SIGNATURE)
    try:
        r = Reader(signature)
        end = r.enter(_SEQUENCE)
        raw = bytes(r.unsigned(32)) + bytes(r.unsigned(32))
        r.leave(end)
        r.finish()
    except ProtocolError:
        raise BadSignature(_X509_SIGNATURE, _BAD_ENCODING)
    crypto.verify(alg, bytes(public), raw, crypto.digest(digest, *parts))


def write_spki(w, key, tag=_SEQUENCE):
    """Append the SubjectPublicKeyInfo of a key, RFC 5480 section 2; `tag` for CRMF's [6] IMPLICIT."""
    if key.alg != "p256":
        raise Unsupported(_X509_KEY)
    m = w.open(tag)
    a = w.open(_SEQUENCE)
    w.raw(oid.EC_PUBLIC_KEY)
    w.raw(oid.CURVE_P256)
    w.close(a)
    w.bits(key.public())
    w.close(m)


def read_spki(view):
    """(kind of key, public key octets) of a SubjectPublicKeyInfo; Unsupported X509_KEY for others."""
    r = Reader(view)
    end = r.enter(_SEQUENCE)
    a = r.enter(_SEQUENCE)
    known = r.oid() == oid.EC_PUBLIC_KEY and r.more() and r.element() == oid.CURVE_P256
    if not known:
        raise Unsupported(_X509_KEY)
    r.leave(a)
    public = r.bits()
    r.leave(end)
    r.finish()
    return "p256", public


def write_private_key(w, key):
    """Append a software key as ECPrivateKey, RFC 5915 section 3: the form that `ssl` loads.

    ECPrivateKey ::= SEQUENCE { version INTEGER 1, privateKey OCTET STRING, parameters [0], publicKey [1] }
    """
    if key.alg != "p256":
        raise Unsupported(_X509_KEY)
    m = w.open(_SEQUENCE)
    w.integer(1)
    w.octets(key.export())
    a = w.open(0xA0)
    w.raw(oid.CURVE_P256)
    w.close(a)
    a = w.open(0xA1)
    w.bits(key.public())
    w.close(a)
    w.close(m)
