"""Recipients with a key pair: RSA key transport and ECDH key agreement (RFC 5652 6.2.1 and 6.2.2, RFC 5753)."""

from micropython import const

from .. import oid
from ..der import Reader, Writer
from ..errors import Unsupported
from ..x509.algorithm import read_algorithm
from . import content, oids

_CMS_ALGORITHM = const(354)

_SEQUENCE = const(0x30)
_KEY_AGREEMENT = const(0xA1)
_ORIGINATOR = const(0xA0)
_ORIGINATOR_KEY = const(0xA1)
_UKM = const(0xA1)
_RECIPIENT_KEY_ID = const(0xA0)
_ENTITY_U_INFO = const(0xA0)
_SUPP_PUB_INFO = const(0xA2)
_NULL = const(0x05)

# (OID, digest of the X9.63 KDF), RFC 5753 7.1.4: single-pass ephemeral-static ECDH
_SCHEMES = (
    (oids.ECDH_SHA256_KDF, "sha256"),
    (oids.ECDH_SHA1_KDF, "sha1"),
    (oids.ECDH_SHA384_KDF, "sha384"),
    (oids.ECDH_SHA512_KDF, "sha512"),
)

# (kind of key, its curve)
_CURVES = (("p256", oid.CURVE_P256), ("p384", oid.CURVE_P384))


def transported(view, key, certificate):
    """A recipient for `content_key` from a KeyTransRecipientInfo; None if it is not for this key.

    KeyTransRecipientInfo ::= SEQUENCE { version, rid, keyEncryptionAlgorithm, encryptedKey OCTET STRING }
    """
    r = Reader(view)
    end = r.enter(_SEQUENCE)
    content.read_version(r, 0, 2)
    identifier = content.read_identifier(r)
    algorithm = r.element(_SEQUENCE)
    data = r.octets()
    r.leave(end)
    r.finish()
    if key.alg != "rsa" or (certificate is not None and not content.identifies(identifier, certificate)):
        return None
    identifier, r = read_algorithm(algorithm)
    if identifier != oid.RSA_ENCRYPTION:
        raise Unsupported(_CMS_ALGORITHM)
    content.null_or_absent(r)
    return _Transported(key, data)


class _Transported:
    def __init__(self, key, data):
        self.key = key
        self.data = data

    def content_key(self, _, size):
        """The content-encryption key; with a wrong padding one that nobody knows (implicit rejection)."""
        return self.key.decrypt(self.data, size)


def agreed(view, key, certificate):
    """A recipient for `content_key` from a KeyAgreeRecipientInfo; None if no key in it is for this one.

    KeyAgreeRecipientInfo ::= [1] SEQUENCE { version, originator [0] EXPLICIT, ukm [1] EXPLICIT OPTIONAL,
                                             keyEncryptionAlgorithm, recipientEncryptedKeys SEQUENCE OF }
    """
    r = Reader(view)
    end = r.enter(_KEY_AGREEMENT)
    content.read_version(r, 3)
    outer = r.enter(_ORIGINATOR)
    originator = r.element()
    r.leave(outer)
    ukm = None
    if r.peek() == _UKM:
        outer = r.enter(_UKM)
        ukm = r.octets()
        r.leave(outer)
    algorithm = r.element(_SEQUENCE)
    data = _own_key(r, certificate)
    r.leave(end)
    r.finish()
    if data is None or key.alg not in [row[0] for row in _CURVES]:
        return None
    return _Agreed(key, _public(originator, key.alg), ukm, algorithm, data)


def _own_key(r, certificate):
    """The encrypted key for this certificate, for any without one; None if there is none.

    RecipientEncryptedKey ::= SEQUENCE { rid, encryptedKey OCTET STRING }
    rid ::= CHOICE { issuerAndSerialNumber, rKeyId [0] SEQUENCE { subjectKeyIdentifier OCTET STRING, ... } }
    """
    end = r.enter(_SEQUENCE)
    found = None
    while r.more():
        outer = r.enter(_SEQUENCE)
        if r.peek() == _RECIPIENT_KEY_ID:
            inner = r.enter(_RECIPIENT_KEY_ID)
            identifier = None, None, r.octets()
            r.skip_rest()
            r.leave(inner)
        else:
            identifier = content.read_identifier(r)
        data = r.octets()
        r.leave(outer)
        if found is None and (certificate is None or content.identifies(identifier, certificate)):
            found = data
    r.leave(end)
    return found


def _public(originator, kind):
    """The ephemeral public key; Unsupported for a static one or another curve.

    OriginatorPublicKey ::= [1] SEQUENCE { algorithm, publicKey BIT STRING }; parameters absent, NULL or the curve
    (RFC 5753 3.1.1)
    """
    if originator[0] != _ORIGINATOR_KEY:
        raise Unsupported(_CMS_ALGORITHM)
    r = Reader(originator)
    end = r.enter(_ORIGINATOR_KEY)
    identifier, parameters = read_algorithm(r.element(_SEQUENCE))
    public = r.bits()
    r.leave(end)
    r.finish()
    if identifier == oid.EC_PUBLIC_KEY:
        if parameters.peek() in (-1, _NULL):
            content.null_or_absent(parameters)
            return public
        curve = parameters.element()
        for row in _CURVES:
            if row[0] == kind and curve == row[1]:
                return public
    raise Unsupported(_CMS_ALGORITHM)


class _Agreed:
    def __init__(self, key, public, ukm, algorithm, data):
        self.key = key
        self.public = public
        self.ukm = ukm
        self.data = data
        identifier, r = read_algorithm(algorithm)
        for known, digest in _SCHEMES:
            if identifier == known:
                break
        else:
            raise Unsupported(_CMS_ALGORITHM)
        self.digest = digest
        self.wrap = r.element(_SEQUENCE)
        r.finish()
        identifier, r = read_algorithm(self.wrap)
        self.size = content.lookup(content.WRAPS, identifier)[1]
        content.null_or_absent(r)

    def content_key(self, crypto, _):
        """The content-encryption key, unwrapped by what ECDH and the X9.63 KDF give."""
        shared = crypto.ecdh(self.key, bytes(self.public))
        return crypto.aes_unwrap(x963(crypto, self.digest, shared, self.shared_info(), self.size), self.data)

    def shared_info(self):
        """ECC-CMS-SharedInfo ::= SEQUENCE { keyInfo, entityUInfo [0] EXPLICIT OCTET STRING OPTIONAL,
        suppPubInfo [2] EXPLICIT OCTET STRING }   RFC 5753 7.2; keyInfo with the parameters that the sender wrote
        """
        w = Writer(64)
        m = w.open(_SEQUENCE)
        w.raw(self.wrap)
        if self.ukm is not None:
            a = w.open(_ENTITY_U_INFO)
            w.octets(self.ukm)
            w.close(a)
        a = w.open(_SUPP_PUB_INFO)
        w.octets((8 * self.size).to_bytes(4, "big"))
        w.close(a)
        w.close(m)
        return w.view()


def x963(crypto, digest, shared, info, size):
    """The KDF of SEC 1, 3.6.1 (ANSI X9.63): `size` octets of H(shared | 1 | info) | H(shared | 2 | info) | ..."""
    out = b""
    counter = 0
    while len(out) < size:
        counter += 1
        out += crypto.digest(digest, shared, counter.to_bytes(4, "big"), info)
    return out[:size]
