"""From the checked configuration to what the CMP engine takes: requests, protection and trust."""

from binascii import hexlify, unhexlify

from micropython import const

from . import oid, pem
from .cmp import msg
from .cmp.protect import Mac
from .cmp.request import CertificateRequest
from .cmp.verify import Trust
from .config import KEY_USAGES
from .der import Writer
from .errors import ConfigError
from .x509.name import attribute_name, write_name

_PROFILE_VALUE = const(811)

_SEQUENCE = const(0x30)

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


def request(settings, body, key, old=None, controls=()):
    """The CertificateRequest for ir, cr or kur that `settings` describe; `key` None lets the CA make it.

    ConfigError PROFILE_VALUE for an OID, purpose or octets that cannot be read.
    """
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
        )
    except ValueError:
        raise ConfigError(_PROFILE_VALUE)


def with_template(settings, template):
    """The settings as a `cmp.general.Template` of the CA wants them (RFC 9810 5.3.19.16).

    Its subject rules, with our values where it leaves them empty; its extensions are added; a kind of key that it does
    not certify is replaced by one that it does. ConfigError PROFILE_VALUE for an attribute that we cannot fill in.
    """
    settings = dict(settings)
    if template.subject is not None:
        ours = dict([(attribute, value) for attribute, value in settings["subject"]])
        subject = []
        for identifier, _, text in template.subject:
            attribute = attribute_name(identifier)
            value = text.decode() or ours.get(attribute)
            if not attribute or not value:
                raise ConfigError(_PROFILE_VALUE, attribute)
            subject.append((attribute, value))
        settings["subject"] = subject
    extra = [(oid.to_text(i), critical, hexlify(der)) for i, critical, der in template.extensions]
    settings["extensions"] = list(settings["extensions"]) + extra
    if settings["key_type"] != "ca" and not template.allows_p256() and template.rsa_bits:
        settings["key_type"] = "rsa%d" % template.rsa_bits[0]
    return settings


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
