"""The configuration: one JSON object, checked whole before anything of it is used. Secrets never stand in it.

  protocol          "cmp"
  url               where to enrol: http:// or https://, for the transport coap coap://; path included
  transport         "http"; "coap"; "serial": a host at the console posts for us; "file": messages are carried as files
  subject           list of [type, value], e.g. [["CN", "pump-7"]], first the outermost; empty: of the old certificate
  san               list of [kind, value]; kinds dns, ip, uri, email; ["dirname", subject];
                    ["hardware", dotted OID of the type, serial in hexadecimal] (RFC 4108 5)
  days              validity to ask for, 1 to 36500; null leaves it to the CA
  key_usage         list of names of RFC 5280 4.2.1.3, e.g. "digitalSignature"
  extended_key_usage  list of purposes, e.g. "clientAuth", or dotted OIDs
  policies          list of dotted OIDs of certificate policies
  extensions        more extensions: list of [dotted OID, critical, DER in hexadecimal]
  key_type          kind of key to make, "p256", "p384", "ed25519", "rsa2048", "rsa3072", "rsa4096"; "ca": the CA
                    makes it; "ca-p256" and so on: of that kind
  popo              proof of possession: "signature", "raVerified", "keyEncipherment", "keyAgreement"
  profile           name of a certificate profile at the CA
  controls          CRMF controls: list of [dotted OID, DER in hexadecimal] (RFC 4211 6)
  reg_info          CRMF regInfo: likewise (RFC 4211 7)
  general_info      generalInfo of the header: likewise, null for no value (RFC 9810 5.1.1)
  trusted           list of trust anchors, PEM certificates; none: a MAC vouches for the CA's own
  tls_trusted       list of trust anchors of an https server, PEM certificates
  tls_identity      show an https server the active identity's certificate
  recipient         name of the CA as in subject; null: unknown
  expect_sender     name that signed replies must come from, as in subject; null: any
  server_certificate  PEM of the only certificate that may sign replies; null: any that chains to an anchor
  ignore_key_usage  believe signers whose keyUsage lacks digitalSignature
  unprotected_errors  show what an unprotected refusal says; it is a refusal all the same
  implicit_confirm  ask the CA to do without certConf (RFC 9810 5.1.1.1)
  pbm_iterations    hash rounds of our password-based MAC, 100 to 10000 (RFC 9810 5.1.3.1)
  pbmac1            protect by PBMAC1 (RFC 9481 6.1) instead of PasswordBasedMac
  backends          names of crypto backends, first choice first
  timeout           seconds for one exchange with the server, 1 to 600
  total_timeout     seconds for a whole transaction, waiting included; null: no limit
  limit             octets of the longest reply, 1024 to 65536
  folder            where the store lives; never "certlet": a folder of that name hides the package
"""

import json

from micropython import const

from .errors import ConfigError

_CONFIG_VALUES = const(801)
_CONFIG_JSON = const(802)
_CONFIG_FILE = const(803)

# KeyUsage, RFC 5280 4.2.1.3, bit 0 first
KEY_USAGES = (
    "digitalSignature nonRepudiation keyEncipherment dataEncipherment keyAgreement keyCertSign cRLSign "
    "encipherOnly decipherOnly"
)

_MAX_FILE = const(32768)
_REQUIRED = ()  # no default: the key must be there


def check(values):
    """Return the configuration `values` (a dict) as a new dict, complete with defaults.

    Raises ConfigError CONFIG_VALUES; its detail names every key that is missing, unknown or has a bad value.
    """
    if not isinstance(values, dict):
        raise ConfigError(_CONFIG_JSON)
    known = [key for key, _, _ in _TABLE]
    faults = [str(key) for key in values if key not in known]
    checked = {}
    for key, default, good in _TABLE:
        if key in values or default is _REQUIRED:
            value = values.get(key)
            if not good(value):
                faults.append(key)
        else:
            value = list(default) if isinstance(default, list) else default
        checked[key] = value
    if faults:
        raise ConfigError(_CONFIG_VALUES, " ".join(sorted(faults)))
    return checked


def load(path):
    """Return the checked configuration in the file `path`; raise CONFIG_FILE, CONFIG_JSON, CONFIG_VALUES."""
    try:
        with open(path, "rb") as file:
            text = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise ConfigError(_CONFIG_FILE, error.errno)
    if len(text) > _MAX_FILE:
        raise ConfigError(_CONFIG_FILE)
    try:
        values = json.loads(text)
    except (ValueError, RuntimeError):  # RuntimeError: nested beyond the stack
        raise ConfigError(_CONFIG_JSON)
    return check(values)


def _text(low=1, high=255):
    return lambda value: isinstance(value, str) and low <= len(value) <= high


def _number(low, high):
    return lambda value: type(value) is int and low <= value <= high


def _list_of(good, low=0, high=16):
    return lambda value: isinstance(value, (list, tuple)) and low <= len(value) <= high and all(good(v) for v in value)


def _pair(first):
    text = _text()
    return lambda value: isinstance(value, (list, tuple)) and len(value) == 2 and first(value[0]) and text(value[1])


def _one_of(*words):
    return lambda value: isinstance(value, str) and value in words


def _flag(value):
    return value is True or value is False


def _url(value):
    return isinstance(value, str) and value.startswith(("http://", "https://", "coap://")) and len(value) <= 255


def _or_null(good):
    return lambda value: value is None or good(value)


def _dotted(value):
    return _text(3, 64)(value) and all(part.isdigit() for part in value.split("."))


def _hex(value):
    return isinstance(value, str) and len(value) <= 4096 and all(c in "0123456789abcdefABCDEF" for c in value)


def _is_row(value, length):
    return isinstance(value, (list, tuple)) and len(value) == length


def _general_name(value):
    if _is_row(value, 2) and value[0] == "dirname":
        return _name(value[1])
    if _is_row(value, 3):
        return value[0] == "hardware" and _dotted(value[1]) and _hex(value[2])
    return _pair(_one_of("dns", "ip", "uri", "email"))(value)


def _extension(value):
    return _is_row(value, 3) and _dotted(value[0]) and _flag(value[1]) and _hex(value[2])


def _oid_and_der(value):
    return _is_row(value, 2) and _dotted(value[0]) and _hex(value[1])


def _oid_and_maybe_der(value):
    return _is_row(value, 2) and _dotted(value[0]) and (value[1] is None or _hex(value[1]))


def _folder(value):
    return _text(1, 64)(value) and value.split("/")[-1] not in ("certlet", "")


def _certificate(value):
    return isinstance(value, str) and "-----BEGIN CERTIFICATE-----" in value and len(value) <= 8192


_name = _list_of(_pair(_text(1, 32)), 1)

_TABLE = (  # key, default, is the value good?
    ("protocol", "cmp", _one_of("cmp")),
    ("url", _REQUIRED, _url),
    ("transport", "http", _one_of("http", "coap", "serial", "file")),
    ("subject", [], _list_of(_pair(_text(1, 32)))),
    ("san", [], _list_of(_general_name)),
    ("days", None, _or_null(_number(1, 36500))),
    ("key_usage", [], _list_of(_one_of(*KEY_USAGES.split()))),
    ("extended_key_usage", [], _list_of(_text(1, 64))),
    ("policies", [], _list_of(_dotted)),
    ("extensions", [], _list_of(_extension)),
    ("key_type", "p256", _text(1, 16)),
    ("popo", "signature", _one_of("signature", "raVerified", "keyEncipherment", "keyAgreement")),
    ("profile", None, _or_null(_text())),
    ("controls", [], _list_of(_oid_and_der)),
    ("reg_info", [], _list_of(_oid_and_der)),
    ("general_info", [], _list_of(_oid_and_maybe_der)),
    ("trusted", [], _list_of(_certificate)),
    ("tls_trusted", [], _list_of(_certificate)),
    ("tls_identity", False, _flag),
    ("recipient", None, _or_null(_name)),
    ("expect_sender", None, _or_null(_name)),
    ("server_certificate", None, _or_null(_certificate)),
    ("ignore_key_usage", False, _flag),
    ("unprotected_errors", False, _flag),
    ("implicit_confirm", False, _flag),
    ("pbm_iterations", 1024, _number(100, 10000)),
    ("pbmac1", False, _flag),
    ("backends", ["soft"], _list_of(_text(1, 32), 1)),
    ("timeout", 15, _number(1, 600)),
    ("total_timeout", None, _or_null(_number(1, 31536000))),
    ("limit", 16384, _number(1024, 65536)),
    ("folder", "identity", _folder),
)
