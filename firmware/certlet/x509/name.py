"""Distinguished names and GeneralNames, RFC 5280 sections 4.1.2.4, 4.2.1.6 and 7.1."""

from binascii import unhexlify

from micropython import const

from .. import oid
from ..der import Reader
from ..errors import ConfigError

_X509_NAME = const(305)

_SEQUENCE = const(0x30)
_SET = const(0x31)
_UTF8 = const(0x0C)
_PRINTABLE = const(0x13)
_TELETEX = const(0x14)
_IA5 = const(0x16)

# (name of the attribute, OID, string type), RFC 5280 app. A.1
_ATTRIBUTES = (
    ("CN", oid.AT_CN, _UTF8),
    ("serialNumber", oid.AT_SERIAL_NUMBER, _PRINTABLE),
    ("C", oid.AT_C, _PRINTABLE),
    ("L", oid.AT_L, _UTF8),
    ("ST", oid.AT_ST, _UTF8),
    ("O", oid.AT_O, _UTF8),
    ("OU", oid.AT_OU, _UTF8),
    ("DC", oid.AT_DC, _IA5),
    ("emailAddress", oid.AT_EMAIL, _IA5),
)

# (kind, context tag of GeneralName), RFC 5280 4.2.1.6
_GENERAL_NAMES = (("email", 0x81), ("dns", 0x82), ("uri", 0x86))
_IP_ADDRESS = const(0x87)
_DIRECTORY_NAME = const(0xA4)
_OTHER_NAME = const(0xA0)


def write_name(w, pairs):
    """Append a Name of (attribute, value) pairs, one attribute an RDN: (("O", "Example"), ("CN", "device 1")).

    ConfigError X509_NAME for an attribute that is not in the table, or an empty value.
    """
    m = w.open(_SEQUENCE)
    for attribute, value in pairs:
        _, identifier, tag = _row(_ATTRIBUTES, attribute, value)
        if not _fits(value, tag):
            raise ConfigError(_X509_NAME)
        a = w.open(_SET)
        b = w.open(_SEQUENCE)
        w.raw(identifier)
        w.utf8(value, tag)
        w.close(b)
        w.close(a)
    w.close(m)


def attribute_name(identifier):
    """The name of an attribute by its whole OID, None if `write_name` does not know it."""
    for name, known, _ in _ATTRIBUTES:
        if known == identifier:
            return name
    return None


def _fits(value, tag):
    """May `value` stand in a string of this type? X.680 41: PrintableString has few signs, IA5String is ASCII."""
    for c in value:
        if tag == _PRINTABLE and not (c.isalpha() or c.isdigit() or c in " '()+,-./:=?"):
            return False
        if tag != _UTF8 and ord(c) > 126:
            return False
    return True


def _row(table, name, value):
    """The row of a table that begins with `name`; ConfigError X509_NAME without one, or without a value to write."""
    for row in table:
        if row[0] == name and value:
            return row
    raise ConfigError(_X509_NAME)


def write_general_names(w, names):
    """Append GeneralNames; ConfigError X509_NAME for what cannot be written.

    (kind, value) with kinds dns, ip, uri, email; ("dirname", pairs of a name); ("hardware", dotted OID of the type,
    serial in hexadecimal) for the otherName hardwareModuleName, RFC 4108 section 5.
    """
    m = w.open(_SEQUENCE)
    for row in names:
        kind, value = row[0], row[1]
        if kind == "ip":
            w.tlv(_IP_ADDRESS, ip_octets(value))
        elif kind == "dirname":
            a = w.open(_DIRECTORY_NAME)
            write_name(w, value)
            w.close(a)
        elif kind == "hardware":
            _write_hardware_module_name(w, value, row[2])
        else:
            tag = _row(_GENERAL_NAMES, kind, value)[1]
            if not _fits(value, _IA5):
                raise ConfigError(_X509_NAME)
            w.utf8(value, tag)
    w.close(m)


def _write_hardware_module_name(w, hardware_type, serial):
    """HardwareModuleName ::= SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING } in otherName [0]"""
    try:
        hardware_type, serial = oid.from_text(hardware_type), unhexlify(serial)
    except ValueError:
        raise ConfigError(_X509_NAME)
    m = w.open(_OTHER_NAME)
    w.raw(oid.ON_HARDWARE_MODULE_NAME)
    a = w.open(0xA0)
    b = w.open(_SEQUENCE)
    w.raw(hardware_type)
    w.octets(serial)
    w.close(b)
    w.close(a)
    w.close(m)


def ip_octets(text):
    """The 4 or 16 octets of an IP address in text form; ConfigError X509_NAME if it is none."""
    try:
        out = _ipv6(text) if ":" in text else bytes([_number(part, 10, 256) for part in text.split(".")])
    except ValueError:
        out = b""
    if len(out) != (16 if ":" in text else 4):
        raise ConfigError(_X509_NAME)
    return out


def _number(text, base, limit):
    """A number below `limit` of digits only: int() would take signs, spaces and underlines."""
    for c in text:
        if c not in "0123456789abcdefABCDEF"[: 10 if base == 10 else 22]:
            raise ValueError
    number = int(text, base)
    if number >= limit or len(text) > 4:
        raise ValueError
    return number


def _ipv6(text):
    """RFC 4291 section 2.2, without the mixed form."""
    halves = text.split("::")
    if len(halves) > 2:
        raise ValueError
    groups = [[_number(g, 16, 65536) for g in half.split(":")] if half else [] for half in halves]
    zeros = 8 - len(groups[0]) - len(groups[-1]) if len(halves) == 2 else 0
    if len(halves) == 2 and zeros < 1:
        raise ValueError
    numbers = groups[0] + [0] * zeros + (groups[1] if len(halves) == 2 else [])
    return b"".join([n.to_bytes(2, "big") for n in numbers])


def same_name(a, b):
    """Do two Names (DER) mean the same, RFC 5280 7.1? Letter case, runs of spaces and string types do not count."""
    if a == b:
        return True
    a, b = Reader(a), Reader(b)
    for r in (a, b):
        r.enter(_SEQUENCE)
    while a.more() and b.more():
        if a.peek() != _SET or b.peek() != _SET or _rdn(a) != _rdn(b):
            return False
    return a.more() == b.more()


def _rdn(r):
    """The attributes of the next RelativeDistinguishedName as sorted (OID, comparable value) pairs."""
    end = r.enter(_SET)
    pairs = []
    while r.more():
        inner = r.enter(_SEQUENCE)
        identifier = bytes(r.oid())
        tag = r.peek()
        value = bytes(r.tlv(tag))
        if tag in (_UTF8, _PRINTABLE, _TELETEX, _IA5):
            tag = 0
            value = b" ".join(value.lower().split())
        pairs.append((identifier, tag, value))
        r.leave(inner)
    r.leave(end)
    pairs.sort()
    return pairs
