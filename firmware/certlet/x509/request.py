"""What a device asks for: extensions, and PKCS#10 certification requests (RFC 2986, RFC 2985)."""

from micropython import const

from .. import oid
from ..der import Writer
from . import algorithm
from .name import write_general_names, write_name

_SEQUENCE = const(0x30)
_SET = const(0x31)
_CONTEXT_0 = const(0xA0)

# bits of KeyUsage, RFC 5280 4.2.1.3
DIGITAL_SIGNATURE = const(1)
KEY_ENCIPHERMENT = const(4)
KEY_AGREEMENT = const(16)
KEY_CERT_SIGN = const(32)


def _extension(w, identifier, critical, content):
    """Append one Extension; `content` is the DER that goes into its OCTET STRING."""
    m = w.open(_SEQUENCE)
    w.raw(identifier)
    if critical:
        w.boolean(True)
    w.octets(content)
    w.close(m)


def write_extensions(w, san=(), key_usage=0, extended=(), basic=False, custom=(), tag=_SEQUENCE):
    """Append Extensions: subjectAltName, keyUsage (bit mask), extendedKeyUsage (OIDs), basicConstraints CA:FALSE,
    and `custom` ones as (whole OID, critical, DER of the value).

    Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension   RFC 5280 4.1: writes nothing when nothing is asked for.
    Returns whether anything was written. ConfigError X509_NAME for a bad `san`.
    """
    if not (san or key_usage or extended or basic or custom):
        return False
    m = w.open(tag)
    if san:
        v = Writer(64)
        write_general_names(v, san)
        _extension(w, oid.CE_SAN, False, v.view())
    if basic:
        _extension(w, oid.CE_BASIC_CONSTRAINTS, True, b"\x30\x00")
    if key_usage:
        v = Writer(8)
        v.named_bits(key_usage)
        _extension(w, oid.CE_KEY_USAGE, True, v.view())
    if extended:
        v = Writer(32)
        a = v.open(_SEQUENCE)
        for identifier in extended:
            v.raw(identifier)
        v.close(a)
        _extension(w, oid.CE_EKU, False, v.view())
    for extension in custom:
        _extension(w, *extension)
    w.close(m)
    return True


def write_request(w, crypto, key, subject, san=(), key_usage=0, extended=(), challenge=None):
    """Append a CertificationRequest signed by `key`, RFC 2986 section 4.

    `subject` as in `write_name`, extensions as in `write_extensions`, `challenge` a challengePassword (str).
    """
    m = w.open(_SEQUENCE)
    start = w.n
    info = w.open(_SEQUENCE)
    w.integer(0)
    write_name(w, subject)
    algorithm.write_spki(w, key)
    attributes = w.open(_CONTEXT_0)
    if challenge:
        a = w.open(_SEQUENCE)
        w.raw(oid.CHALLENGE_PASSWORD)
        b = w.open(_SET)
        w.utf8(challenge)
        w.close(b)
        w.close(a)
    if san or key_usage or extended:
        a = w.open(_SEQUENCE)
        w.raw(oid.EXTENSION_REQUEST)
        b = w.open(_SET)
        write_extensions(w, san, key_usage, extended)
        w.close(b)
        w.close(a)
    w.close(attributes)
    w.close(info)
    signature = algorithm.sign(crypto, key, w.view(start))
    algorithm.write_signature_algorithm(w, key)
    w.bits(signature)
    w.close(m)
