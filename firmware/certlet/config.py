"""The configuration: one JSON object, checked whole before anything of it is used. Secrets never stand in it.

  protocol          "cmp"
  url               where to enrol: http:// or https://, path included
  subject           list of [type, value], e.g. [["CN", "pump-7"]], first the outermost
  san               list of [kind, value]; kinds dns, ip, uri, email
  days              validity to ask for, 1 to 36500; null leaves it to the CA
  trusted           list of trust anchors, PEM certificates; none: a MAC vouches for the CA's own
  tls_trusted       list of trust anchors of an https server, PEM certificates
  recipient         name of the CA as in subject; null: unknown
  implicit_confirm  ask the CA to do without certConf (RFC 9810 5.1.1.1)
  pbm_iterations    hash rounds of our password-based MAC, 100 to 10000 (RFC 9810 5.1.3.1)
  backends          names of crypto backends, first choice first
  timeout           seconds for one exchange with the server, 1 to 600
  limit             octets of the longest reply, 1024 to 65536
  folder            where the store lives; never "certlet": a folder of that name hides the package
"""

import json

from micropython import const

from .errors import ConfigError

_CONFIG_VALUES = const(801)
_CONFIG_JSON = const(802)
_CONFIG_FILE = const(803)

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
    except ValueError:
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
    return isinstance(value, str) and value.startswith(("http://", "https://")) and len(value) <= 255


def _days(value):
    return value is None or _number(1, 36500)(value)


def _recipient(value):
    return value is None or _name(value)


def _folder(value):
    return _text(1, 64)(value) and value != "certlet"


def _certificate(value):
    return isinstance(value, str) and "-----BEGIN CERTIFICATE-----" in value and len(value) <= 8192


_name = _list_of(_pair(_text(1, 32)), 1)

_TABLE = (  # key, default, is the value good?
    ("protocol", "cmp", _one_of("cmp")),
    ("url", _REQUIRED, _url),
    ("subject", _REQUIRED, _name),
    ("san", [], _list_of(_pair(_one_of("dns", "ip", "uri", "email")))),
    ("days", None, _days),
    ("trusted", [], _list_of(_certificate)),
    ("tls_trusted", [], _list_of(_certificate)),
    ("recipient", None, _recipient),
    ("implicit_confirm", False, _flag),
    ("pbm_iterations", 1024, _number(100, 10000)),
    ("backends", ["soft"], _list_of(_text(1, 32), 1)),
    ("timeout", 15, _number(1, 600)),
    ("limit", 16384, _number(1024, 65536)),
    ("folder", "identity", _folder),
)
