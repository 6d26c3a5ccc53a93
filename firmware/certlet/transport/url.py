"""The URLs that transports take: scheme://host[:port][/path][?query] (RFC 3986), nothing more."""

from micropython import const

from ..errors import ConfigError

_URL_FORM = const(601)

_HOST = "abcdefghijklmnopqrstuvwxyz0123456789.-_"


def split(url, ports):
    """Return (scheme, host, port, authority, request target) of `url`; raise ConfigError URL_FORM.

    `ports` holds the default port of each scheme that will do. The host is a name, an IPv4 address or [IPv6 address],
    returned without brackets. User information and fragments are refused.
    """
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    authority, _, path = rest.partition("/")
    if "?" in authority:
        authority, _, path = rest.partition("?")
        path = "?" + path
    if authority.startswith("["):
        host, good, port = authority[1:].partition("]")
        allowed = "0123456789abcdef:."
    else:
        host = authority.partition(":")[0]
        good, port = True, authority[len(host) :]
        allowed = _HOST
    good = good and scheme in ports and host and all(c in allowed for c in host.lower())
    port = port or ":" + str(ports.get(scheme))
    good = good and port[0] == ":" and 2 <= len(port) <= 6 and all(c in "0123456789" for c in port[1:])
    if not (good and 0 < int(port[1:]) < 65536 and all("!" <= c <= "~" and c != "#" for c in path)):
        raise ConfigError(_URL_FORM)
    return scheme, host, int(port[1:]), authority, "/" + path
