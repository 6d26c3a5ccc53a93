"""From the checked configuration to what the CMP engine takes: requests, protection and trust."""

from binascii import hexlify, unhexlify

from micropython import const

from . import oid, pem
from .cmp import msg
from .cmp.protect import Mac
from .cmp.request import CertificateRequest
from .cmp.verify import Trust
from .config import KEY_USAGES, check
from .der import Writer
from .errors import ConfigError
from .x509.name import attribute_name, write_name

_PROFILE_VALUE = const(811)

_SEQUENCE = const(0x30)
_UTF8 = const(0x0C)
_PRINTABLE = const(0x13)
_IA5 = const(0x16)

# id-kp 1.3.6.1.5.5.7.3.x, RFC 5280 4.2.1.12, RFC 9810 app. F
_PURPOSES = (
    ("serverAuth", 1),
    ("clientAuth", 2),
    ("codeSigning", 3),
    ("emailProtection", 4),
    ("timeStamping", 8),
    ("cmcRA", 28),
)
_ID_KP = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03"
_CERTIFICATE_POLICIES = b"\x06\x03\x55\x1d\x20"


# extensions that have settings of their own
_SETTINGS = (
    (oid.CE_SAN, "san"),
    (oid.CE_KEY_USAGE, "key_usage"),
    (oid.CE_EKU, "extended_key_usage"),
    (_CERTIFICATE_POLICIES, "policies"),
)


def request(settings, body, key, old=None, controls=()):
    """The CertificateRequest for ir, cr or kur that `settings` describe; `key` None lets the CA make it.

    ConfigError PROFILE_VALUE for an OID, purpose or octets that cannot be read.
    """
    kind = settings["key_type"]
    try:
        extensions = [(oid.from_text(i), critical, unhexlify(der)) for i, critical, der in settings["extensions"]]
        if settings["policies"]:
            extensions.append((_CERTIFICATE_POLICIES, False, _policies(settings["policies"])))
        return CertificateRequest(
            body,
            key,
            settings["subject"],
            settings["san"],
            _key_usage(settings["key_usage"]),
            [_purpose(word) for word in settings["extended_key_usage"]],
            extensions,
            days=settings["days"],
            old=old,
            controls=tuple(controls) + _pairs(settings["controls"]),
            reg_info=_pairs(settings["reg_info"]),
            profile=settings["profile"],
            general_info=_pairs(settings["general_info"]),
            popo=settings["popo"],
            implicit_confirm=settings["implicit_confirm"],
            key_alg=kind[3:] if kind[:3] == "ca-" else None,
        )
    except ValueError:
        raise ConfigError(_PROFILE_VALUE)


def with_template(settings, template):
    """The settings as a `cmp.general.Template` of the CA wants them (RFC 9810 5.3.19.16).

    Its subject rules, with our values where it leaves them empty; its extensions come instead of ours of the same kind;
    a kind of key that it does not certify is replaced by the first that it does. ConfigError PROFILE_VALUE for an
    attribute that we cannot fill in or a key that we cannot make, CONFIG_VALUES for values out of bounds.
    """
    settings = dict(settings)
    if template.subject is not None:
        ours = dict([(attribute, value) for attribute, value in settings["subject"]])
        subject = []
        for identifier, tag, text in template.subject:
            attribute = attribute_name(identifier)
            value = _text(tag, text) or ours.get(attribute)
            if not attribute or not value:
                raise ConfigError(_PROFILE_VALUE, attribute)
            subject.append((attribute, value))
        settings["subject"] = subject
    for identifier, critical, der in template.extensions:
        dotted = oid.to_text(identifier)
        for known, setting in _SETTINGS:
            if known == identifier:
                settings[setting] = []
        ours = [row for row in settings["extensions"] if row[0] != dotted]
        settings["extensions"] = ours + [(dotted, critical, hexlify(der).decode())]
    if (template.algorithms or template.rsa_bits) and settings["key_type"][:2] != "ca":
        kinds = template.kinds()
        if not kinds:
            raise ConfigError(_PROFILE_VALUE, "key_type")
        if settings["key_type"] not in kinds:
            settings["key_type"] = kinds[0]
    return check(settings)


def _text(tag, octets):
    """The text of a string in a Name; ConfigError PROFILE_VALUE for types that we do not write."""
    try:
        if tag in (_UTF8, _PRINTABLE, _IA5):
            return octets.decode()
    except ValueError:
        pass
    raise ConfigError(_PROFILE_VALUE, tag)


def general_info(settings):
    """The pairs of the setting `general_info`, for requests that are not of `request`."""
    try:
        return _pairs(settings["general_info"])
    except ValueError:
        raise ConfigError(_PROFILE_VALUE)


def _pairs(rows):
    """(whole OID, DER or None) pairs of rows [dotted OID, hexadecimal DER or null]; ValueError."""
    return tuple([(oid.from_text(i), None if der is None else unhexlify(der)) for i, der in rows])


def _key_usage(words):
    names = KEY_USAGES.split()
    mask = 0
    for word in words:
        mask |= 1 << names.index(word)
    return mask


def _purpose(word):
    for name, number in _PURPOSES:
        if name == word:
            return _ID_KP + bytes([number])
    return oid.from_text(word)


def _policies(words):
    """certificatePolicies ::= SEQUENCE OF PolicyInformation, without qualifiers, RFC 5280 4.2.1.4"""
    w = Writer(64)
    m = w.open(_SEQUENCE)
    for word in words:
        a = w.open(_SEQUENCE)
        w.raw(oid.from_text(word))
        w.close(a)
    w.close(m)
    return w.bytes()


def name(pairs):
    """The Name (DER) of configured pairs, None for none."""
    if not pairs:
        return None
    w = Writer(64)
    write_name(w, pairs)
    return w.bytes()


def certificates(texts):
    """The DER of all certificates in a list of PEM texts; ProtocolError PEM_FORMAT."""
    found = []
    for text in texts:
        found += pem.decode_all(text, "CERTIFICATE")
    return found


def trust(settings, anchors=None):
    """Whom a CMP transaction believes; `anchors` (DER) instead of the configured ones."""
    server = settings["server_certificate"]
    return Trust(
        certificates(settings["trusted"]) if anchors is None else anchors,
        name(settings["expect_sender"]),
        pem.decode(server, "CERTIFICATE") if server else None,
        settings["ignore_key_usage"],
        settings["unprotected_errors"],
    )


def mac(settings, crypto, reference, secret):
    """Protection by a shared secret, as configured."""
    return Mac(crypto, reference, secret, settings["pbm_iterations"], settings["pbmac1"])


# name of an operation: number of its body
OPERATIONS = (
    ("ir", msg.IR),
    ("cr", msg.CR),
    ("p10cr", msg.P10CR),
    ("kur", msg.KUR),
    ("rr", msg.RR),
    ("genm", msg.GENM),
)
