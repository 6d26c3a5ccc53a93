"""URLs: what the HTTP client makes of one, and what it refuses; the rest of it is in tests/host/test_http.py."""

from certlet.errors import ConfigError
from certlet.transport.http import Http
from certlet.transport.url import split
from support import raises

GOOD = (  # URL; TLS, host, port, Host field, request target
    ("http://a", (False, "a", 80, "a", "/")),
    ("https://a", (True, "a", 443, "a", "/")),
    ("HTTPS://A.b-c_d/", (True, "A.b-c_d", 443, "A.b-c_d", "/")),
    ("http://192.0.2.1:8080/x/y?z=%20", (False, "192.0.2.1", 8080, "192.0.2.1:8080", "/x/y?z=%20")),
    ("http://[2001:DB8::1]", (False, "2001:DB8::1", 80, "[2001:DB8::1]", "/")),
    ("https://[::1]:65535/p", (True, "::1", 65535, "[::1]:65535", "/p")),
    ("http://h?x=/y", (False, "h", 80, "h", "/?x=/y")),
    ("http://h/a@b:c", (False, "h", 80, "h", "/a@b:c")),
)
BAD = (
    "",
    "h/",
    "//h/",
    "ftp://h/",
    "http:/h",
    "http://",
    "http:///x",
    "http://?x",
    "http://:80/",
    "http://user@h/",
    "http://user:secret@h/",
    "http://h:/",
    "http://h:0/",
    "http://h:65536/",
    "http://h:080800/",
    "http://h:8x/",
    "http://h:-1/",
    "http://h:80:80/",
    "http://::1/",
    "http://[]/",
    "http://[::1",
    "http://[::1]x/",
    "http://[::1]:/",
    "http://[::1%25eth0]/",
    "http://[h]/",
    "http://a b/",
    "http://h\\x/",
    "http://h\xe4/",
    "http://h/a b",
    "http://h/\xe4",
    "http://h/#f",
    "http://h/\r\nX: 1",
    "http://h\r\nX: 1",
)


def test_url():
    for url, expected in GOOD:
        scheme, host, port, authority, target = split(url, {"http": 80, "https": 443})
        assert (scheme == "https", host, port, authority, target) == expected, url


def test_bad_url():
    for url in BAD:
        assert raises(ConfigError, 601, Http, url, "x").detail is None, url


def test_https_needs_anchors():
    raises(ConfigError, 602, Http, "https://h/", "x")
    raises(ConfigError, 602, Http, "https://h/", "x", anchors=[])
    Http("https://h/", "x", anchors=[b"DER"])
