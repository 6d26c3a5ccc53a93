"""The configuration: one bad value a row, and all faults at once."""

import json
import os
from binascii import hexlify

from certlet import clock, config
from certlet.errors import ConfigError
from support import raises

PEM = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"
LEAST = {"url": "http://ca.example/cmp"}
DEFAULTS = {
    "protocol": "cmp",
    "transport": "http",
    "subject": [],
    "san": [],
    "days": None,
    "key_usage": [],
    "extended_key_usage": [],
    "policies": [],
    "extensions": [],
    "key_type": "p256",
    "popo": "signature",
    "profile": None,
    "controls": [],
    "reg_info": [],
    "general_info": [],
    "trusted": [],
    "tls_trusted": [],
    "tls_identity": False,
    "recipient": None,
    "expect_sender": None,
    "server_certificate": None,
    "ignore_key_usage": False,
    "unprotected_errors": False,
    "implicit_confirm": False,
    "pbm_iterations": 1024,
    "pbmac1": False,
    "backends": ["soft"],
    "timeout": 15,
    "total_timeout": None,
    "limit": 16384,
    "folder": "identity",
}
GOOD = (
    ("url", "https://[::1]:8443/.well-known/cmp"),
    ("url", "coap://ca.example/.well-known/cmp"),
    ("transport", "coap"),
    ("transport", "serial"),
    ("transport", "file"),
    ("subject", [["CN", "x"], ["O", "y"]]),
    ("san", [["dns", "a.example"], ["ip", "192.0.2.1"], ["uri", "urn:x"], ["email", "a@b.example"]]),
    ("san", [["dirname", [["CN", "x"]]], ["hardware", "1.3.6.1.4.1.99999", "00ff"]]),
    ("subject", []),
    ("key_usage", ["digitalSignature", "decipherOnly"]),
    ("extended_key_usage", ["clientAuth", "1.2.3"]),
    ("policies", ["1.2.3.4"]),
    ("extensions", [["1.2.3", True, "0500"]]),
    ("key_type", "ca"),
    ("popo", "keyAgreement"),
    ("profile", "pumps"),
    ("controls", [["1.2.3", "0500"]]),
    ("reg_info", [["1.2.3", "0500"]]),
    ("general_info", [["1.2.3", None], ["1.2.4", "0500"]]),
    ("expect_sender", [["CN", "ca"]]),
    ("server_certificate", PEM),
    ("ignore_key_usage", True),
    ("unprotected_errors", True),
    ("pbmac1", True),
    ("total_timeout", 86400),
    ("days", 1),
    ("days", 36500),
    ("days", None),
    ("trusted", [PEM, PEM]),
    ("tls_trusted", [PEM]),
    ("recipient", [["CN", "ca"]]),
    ("implicit_confirm", True),
    ("pbm_iterations", 100),
    ("pbm_iterations", 10000),
    ("backends", ["atecc608", "soft"]),
    ("timeout", 600),
    ("limit", 65536),
    ("folder", "/flash/identity"),
)
BAD = (
    ("protocol", "est"),
    ("protocol", None),
    ("url", ""),
    ("url", "ftp://x"),
    ("url", "coaps://x"),
    ("transport", "udp"),
    ("transport", None),
    ("url", None),
    ("url", "http://" + "x" * 249),
    ("subject", None),
    ("subject", "CN=x"),
    ("san", [["dirname", []]]),
    ("san", [["hardware", "1.x", "00"]]),
    ("san", [["hardware", "1.2.3", "0g"]]),
    ("key_usage", ["signing"]),
    ("extended_key_usage", [""]),
    ("policies", ["1.2.x"]),
    ("extensions", [["1.2.3", 1, "0500"]]),
    ("extensions", [["1.2.3", True, "05 00"]]),
    ("key_type", ""),
    ("popo", "none"),
    ("profile", ""),
    ("controls", [["1.2.3", None]]),
    ("reg_info", [["1.2.3"]]),
    ("general_info", [["x", None]]),
    ("expect_sender", []),
    ("server_certificate", "AAEC"),
    ("ignore_key_usage", "no"),
    ("unprotected_errors", 1),
    ("pbmac1", None),
    ("tls_identity", "yes"),
    ("total_timeout", 0),
    ("subject", [["CN"]]),
    ("subject", [["CN", ""]]),
    ("subject", [["", "x"]]),
    ("subject", [["CN", 7]]),
    ("subject", [["CN", "x" * 256]]),
    ("subject", [["CN", "x"]] * 17),
    ("san", None),
    ("san", [["rid", "1.2"]]),
    ("san", [["dns"]]),
    ("days", 0),
    ("days", 36501),
    ("days", True),
    ("days", 1.5),
    ("days", "30"),
    ("trusted", PEM),
    ("trusted", ["AAEC"]),
    ("trusted", [PEM * 200]),
    ("tls_trusted", ["AAEC"]),
    ("recipient", []),
    ("recipient", [["CN"]]),
    ("implicit_confirm", 1),
    ("implicit_confirm", None),
    ("pbm_iterations", 99),
    ("pbm_iterations", 10001),
    ("backends", []),
    ("backends", [""]),
    ("backends", "soft"),
    ("timeout", 0),
    ("timeout", 601),
    ("timeout", True),
    ("limit", 1023),
    ("limit", 65537),
    ("folder", ""),
    ("folder", "certlet"),
    ("folder", "./certlet"),
    ("folder", "identity/"),
)


def _with(key, value):
    values = dict(LEAST)
    values[key] = value
    return values


def test_defaults():
    checked = config.check(LEAST)
    assert sorted(checked) == sorted(list(LEAST) + list(DEFAULTS))
    for source in (LEAST, DEFAULTS):
        for key in source:
            assert checked[key] == source[key], key
    checked["san"].append(["dns", "x"])
    assert config.check(LEAST)["san"] == []


def test_good():
    for key, value in GOOD:
        assert config.check(_with(key, value))[key] == value


def test_bad():
    for key, value in BAD:
        assert raises(ConfigError, 801, config.check, _with(key, value)).detail == key, value


def test_all_faults_at_once():
    assert raises(ConfigError, 801, config.check, {}).detail == "url"
    bad = {"url": "http://x", "secret": "hush", "days": -1, "Url": "http://x"}
    assert raises(ConfigError, 801, config.check, bad).detail == "Url days secret"
    for values in (None, [], "x", 7):
        raises(ConfigError, 802, config.check, values)


def test_load():
    path = (os.getenv("TMPDIR") or "/tmp") + "/certlet-" + hexlify(os.urandom(8)).decode() + ".json"
    assert raises(ConfigError, 803, config.load, path).detail == 2
    rows = (
        (json.dumps(LEAST), None),
        ("", 802),
        ("{", 802),
        ("[]", 802),
        ("{}", 801),
        (json.dumps(LEAST) + " " * 32768, 803),
    )
    try:
        for text, code in rows:
            with open(path, "w") as file:
                file.write(text)
            if code:
                raises(ConfigError, code, config.load, path)
            else:
                assert config.load(path) == config.check(LEAST)
    finally:
        os.remove(path)


class _Time:
    """A port's module `time` whose clock counts from `year`."""

    def __init__(self, year, seconds):
        self.year = year
        self.seconds = seconds

    def gmtime(self, seconds):
        return (self.year, 1, 1, 0, 0, 0, 5, 1)

    def time(self):
        return self.seconds


def test_clock():
    import time

    assert abs(clock.now() - time.time()) < 2
    assert isinstance(clock.now(), int)
    try:
        # 2026-01-01 on a port of either epoch
        for year, seconds in ((1970, 1767225600), (1970, 1767225600.9), (2000, 820540800)):
            clock.time = _Time(year, seconds)
            assert clock.now() == 1767225600
            assert clock.is_set()
        for year, seconds in ((1970, 1609459200), (2000, 662774400), (1970, 0), (2000, 0)):  # boards at power-on
            clock.time = _Time(year, seconds)
            assert not clock.is_set()
    finally:
        clock.time = time
