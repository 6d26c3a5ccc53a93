"""Writes CMS as strict DER, each as a whole ContentInfo: SignedData, certificates alone, EnvelopedData (RFC 5652)."""

from micropython import const

from .. import oid
from ..der import Writer
from ..errors import ConfigError, Unsupported
from ..x509 import algorithm
from . import content, oids

_CMS_ALGORITHM = const(354)
_CMS_RECIPIENT = const(353)

_SEQUENCE = const(0x30)
_SET = const(0x31)
_CONTENT = const(0xA0)
_CERTIFICATES = const(0xA0)
_ENCRYPTED_CONTENT = const(0x80)

_NULL = b"\x05\x00"
_BLOCK = const(16)
_ITERATIONS = const(10000)


def _open(w, content_type):
    """Begin a ContentInfo and its content; a list for `_close`."""
    marks = [w.open(_SEQUENCE)]
    w.raw(content_type)
    marks.append(w.open(_CONTENT))
    marks.append(w.open(_SEQUENCE))
    return marks


def _close(w, marks):
    while marks:
        w.close(marks.pop())


def write_signed(w, crypto, key, certificate, data, content_type=oids.DATA, attributes=(), certificates=()):
    """Append SignedData over the octets `data`, signed by `key`, whose Certificate goes along.

    `attributes` are pairs (whole OID, value as DER), signed beside contentType and messageDigest; `certificates` are
    more of them as DER. Unsupported for a kind of key that does not sign.
    """
    signature_algorithm = Writer(32)
    algorithm.write_signature_algorithm(signature_algorithm, key)
    digest = algorithm.signature_digest(signature_algorithm.view())[0]  # one for all, RFC 8933 3
    digest_algorithm = algorithm.digest_oid(digest)
    signed = _signed_attributes(crypto, digest, data, content_type, attributes)
    marks = _open(w, oids.SIGNED_DATA)
    w.integer(1 if content_type == oids.DATA else 3)  # RFC 5652 5.1
    m = w.open(_SET)
    content.write_algorithm(w, digest_algorithm, _NULL)
    w.close(m)
    m = w.open(_SEQUENCE)
    w.raw(content_type)
    a = w.open(_CONTENT)
    w.octets(data)
    w.close(a)
    w.close(m)
    _write_certificates(w, [certificate.der] + list(certificates))
    m = w.open(_SET)
    a = w.open(_SEQUENCE)
    w.integer(1)
    content.write_identifier(w, certificate)
    content.write_algorithm(w, digest_algorithm, _NULL)
    w.raw(b"\xa0")  # [0] IMPLICIT in place of the tag that was signed, RFC 5652 5.4
    w.raw(memoryview(signed)[1:])
    if key.alg == "rsa":
        content.write_algorithm(w, oid.RSA_ENCRYPTION, _NULL)  # what all peers take, RFC 3370 3.2
    else:
        w.raw(signature_algorithm.view())
    w.octets(algorithm.sign(crypto, key, signed))
    w.close(a)
    w.close(m)
    _close(w, marks)


def _signed_attributes(crypto, digest, data, content_type, attributes):
    """SignedAttributes as they are signed, with the tag of a SET OF (RFC 5652 5.4)."""
    w = Writer(128)
    w.octets(crypto.digest(digest, data))
    rows = [(oids.CONTENT_TYPE, content_type), (oids.MESSAGE_DIGEST, w.bytes())]
    encoded = []
    for identifier, value in rows + list(attributes):
        w = Writer(128)
        m = w.open(_SEQUENCE)
        w.raw(identifier)
        a = w.open(_SET)
        w.raw(value)
        w.close(a)
        w.close(m)
        encoded.append(w.bytes())
    w = Writer(512)
    _write_set(w, _SET, encoded)
    return w.bytes()


def _write_certificates(w, certificates):
    _write_set(w, _CERTIFICATES, [bytes(der) for der in certificates])


def _write_set(w, tag, elements):
    """Append a SET OF in the order of DER (X.690 11.6)."""
    elements.sort()
    m = w.open(tag)
    for der in elements:
        w.raw(der)
    w.close(m)


def write_certificates(w, certificates):
    """Append SignedData that only carries certificates (DER), with no content and no signer."""
    marks = _open(w, oids.SIGNED_DATA)
    w.integer(1)
    w.raw(b"\x31\x00")
    m = w.open(_SEQUENCE)
    w.raw(oids.DATA)
    w.close(m)
    _write_certificates(w, certificates)
    w.raw(b"\x31\x00")
    _close(w, marks)


def write_enveloped(
    w, crypto, data, recipient=None, password=None, cipher="aes128-cbc", content_type=oids.DATA, iterations=_ITERATIONS
):
    """Append EnvelopedData of the octets `data` under a new key, for one recipient.

    `recipient` is a Certificate with an RSA key, `password` (bytes) a secret that the peer shares; one of them must be
    given, else ConfigError CMS_RECIPIENT. `cipher` "aes128-cbc" or "aes256-cbc". `iterations` are those of PBKDF2.
    Unsupported CMS_ALGORITHM for another cipher, or a recipient whose key cannot encrypt.
    """
    if (recipient is None) == (password is None):
        raise ConfigError(_CMS_RECIPIENT)
    row = _cipher(cipher)
    key = crypto.random(row[1])
    iv = crypto.random(_BLOCK)
    marks = _open(w, oids.ENVELOPED_DATA)
    w.integer(3 if recipient is None else 0)  # RFC 5652 6.1
    m = w.open(_SET)
    if recipient is None:
        from .password import write_password_recipient

        write_password_recipient(w, crypto, password, key, row, iterations)
    else:
        _write_key_transport(w, crypto, recipient, key)
    w.close(m)
    m = w.open(_SEQUENCE)
    w.raw(content_type)
    content.write_cbc(w, row[2], iv)
    count = _BLOCK - len(data) % _BLOCK
    padded = bytes(data) + bytes([count]) * count
    w.tlv(_ENCRYPTED_CONTENT, crypto.aes_cbc(key, iv, padded, True))
    w.close(m)
    _close(w, marks)


def _cipher(name):
    for row in content.CBC:
        if row[0] == name:
            return row
    raise Unsupported(_CMS_ALGORITHM)


def _write_key_transport(w, crypto, certificate, key):
    """Append a KeyTransRecipientInfo by PKCS#1 v1.5, RFC 3370 4.2.1."""
    kind, public = algorithm.read_spki(certificate.spki)
    if kind != "rsa":
        raise Unsupported(_CMS_ALGORITHM)
    m = w.open(_SEQUENCE)
    w.integer(0)
    content.write_identifier(w, certificate)
    content.write_algorithm(w, oid.RSA_ENCRYPTION, _NULL)
    w.octets(crypto.encrypt(kind, bytes(public), key))
    w.close(m)
