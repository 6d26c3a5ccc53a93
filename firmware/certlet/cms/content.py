"""What the types of CMS share: ContentInfo, identifiers of certificates, AlgorithmIdentifiers (RFC 5652)."""

from micropython import const

from ..der import Reader
from ..errors import ProtocolError, Unsupported
from ..x509.name import same_name
from . import oids

_CMS_TYPE = const(351)
_CMS_VERSION = const(352)
_CMS_ALGORITHM = const(354)
_CMS_PARAMETER = const(355)
_CMS_LIMIT = const(357)

_SEQUENCE = const(0x30)
_NULL = const(0x05)
_CONTENT = const(0xA0)
_KEY_IDENTIFIER = const(0x80)

_MAX_SIZE = const(32768)  # octets of a structure; twice as many are in memory while one is opened
_BLOCK = const(16)

# (name, octets of its key, OID), RFC 3565
CBC = (("aes128-cbc", 16, oids.AES128_CBC), ("aes256-cbc", 32, oids.AES256_CBC))
WRAPS = (("aes128-wrap", 16, oids.AES128_WRAP), ("aes256-wrap", 32, oids.AES256_WRAP))


def enter(view, tag):
    """(a Reader inside the element `tag` that is all of `view`, what `leave` takes); CMS_LIMIT if it is too long."""
    if len(view) > _MAX_SIZE:
        raise ProtocolError(_CMS_LIMIT, len(view))
    r = Reader(view)
    return r, r.enter(tag)


def read_content_info(view, expected):
    """The content of a ContentInfo as a whole element; ProtocolError CMS_TYPE unless its type is the OID `expected`.

    ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT ANY }   RFC 5652 section 3
    """
    r, end = enter(view, _SEQUENCE)
    if r.oid() != expected:
        raise ProtocolError(_CMS_TYPE)
    outer = r.enter(_CONTENT)
    content = r.element(_SEQUENCE)
    r.leave(outer)
    r.leave(end)
    r.finish()
    return content


def read_version(r, *known):
    """Step over a CMSVersion; ProtocolError CMS_VERSION unless it is one of `known`."""
    version = r.integer()
    if version not in known:
        raise ProtocolError(_CMS_VERSION, version)


def read_identifier(r):
    """Who is meant by a SignerIdentifier or RecipientIdentifier: (issuer, serial, None) or (None, None, key id).

    CHOICE { issuerAndSerialNumber SEQUENCE { issuer, serialNumber }, subjectKeyIdentifier [0] }   RFC 5652 5.3, 6.2.1
    """
    if r.peek() == _KEY_IDENTIFIER:
        return None, None, r.tlv(_KEY_IDENTIFIER)
    end = r.enter(_SEQUENCE)
    issuer = r.element(_SEQUENCE)
    serial = r.integer_octets()
    r.leave(end)
    return issuer, serial, None


def identifies(identifier, certificate):
    """Does what `read_identifier` gave mean this Certificate?"""
    issuer, serial, key_identifier = identifier
    if issuer is None:
        return certificate.ski == key_identifier
    return certificate.serial == serial and same_name(certificate.issuer, issuer)


def write_identifier(w, certificate):
    """Append the IssuerAndSerialNumber of a Certificate, octet by octet as it stands there."""
    m = w.open(_SEQUENCE)
    w.raw(certificate.issuer)
    w.tlv(0x02, certificate.serial)
    w.close(m)


def write_algorithm(w, identifier, *parameters):
    """Append an AlgorithmIdentifier; each of `parameters` is DER."""
    m = w.open(_SEQUENCE)
    w.raw(identifier)
    for der in parameters:
        w.raw(der)
    w.close(m)


def null_or_absent(r):
    """Step over the parameters of an algorithm that has none; ProtocolError for others than NULL."""
    if r.peek() == _NULL:
        r.null()
    r.finish()


def lookup(table, identifier):
    """The row of CBC or WRAPS with this OID; Unsupported CMS_ALGORITHM without one."""
    for row in table:
        if identifier == row[2]:
            return row
    raise Unsupported(_CMS_ALGORITHM)


def read_cbc(view):
    """(octets of the key, IV) of an AlgorithmIdentifier of AES-CBC, RFC 3565 4.1; Unsupported for other ciphers."""
    r = Reader(view)
    r.enter(_SEQUENCE)
    _, size, _ = lookup(CBC, r.oid())
    iv = r.octets()
    r.finish()
    if len(iv) != _BLOCK:
        raise ProtocolError(_CMS_PARAMETER, len(iv))
    return size, iv


def write_cbc(w, identifier, iv):
    """Append the AlgorithmIdentifier of AES-CBC with its IV."""
    m = w.open(_SEQUENCE)
    w.raw(identifier)
    w.octets(iv)
    w.close(m)
