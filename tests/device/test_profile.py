"""From configuration to request: a CA's template rules where it says something, and nothing gets past the bounds."""

from binascii import unhexlify

from certlet import config, oid, profile
from certlet.cmp import msg
from certlet.cmp.general import Template
from certlet.der import Writer
from certlet.errors import ConfigError
from certlet.x509.algorithm import key_algorithm
from support import raises

PROFILE_VALUE, CONFIG_VALUES = 811, 801
UTF8, BMP = 0x0C, 0x1E
SAN = oid.CE_SAN


def settings(**changes):
    values = {"url": "http://ca.example/", "subject": [["CN", "pump-7"]], "san": [["dns", "pump-7.example"]]}
    values.update(changes)
    return config.check(values)


def template(subject=(), extensions=(), algorithms=(), rsa=()):
    """A CertReqTemplateContent: subject as (OID, tag, octets), extensions as (OID, DER)."""
    w = Writer()
    m = w.open(0x30)
    t = w.open(0x30)
    a = w.open(0xA5)
    b = w.open(0x30)
    for identifier, tag, text in subject:
        rdn = w.open(0x31)
        pair = w.open(0x30)
        w.raw(identifier)
        w.tlv(tag, text)
        w.close(pair)
        w.close(rdn)
    w.close(b)
    w.close(a)
    if extensions:
        a = w.open(0xA9)
        for identifier, value in extensions:
            e = w.open(0x30)
            w.raw(identifier)
            w.octets(value)
            w.close(e)
        w.close(a)
    w.close(t)
    if algorithms or rsa:
        controls = w.open(0x30)
        for kind in algorithms:
            pair = w.open(0x30)
            w.raw(oid.ALG_ID)
            w.raw(key_algorithm(kind))
            w.close(pair)
        for bits in rsa:
            pair = w.open(0x30)
            w.raw(oid.RSA_KEY_LEN)
            w.integer(bits)
            w.close(pair)
        w.close(controls)
    w.close(m)
    return Template(w.bytes())


# kind of key configured, what the template certifies, what is made; None: refused
KINDS = (
    ("p256", (), (), "p256"),
    ("p256", ("p384", "p256"), (), "p256"),
    ("p384", ("p256",), (), "p256"),
    ("p256", ("p384",), (), "p384"),
    ("p256", (), (4096, 2048), "rsa4096"),
    ("rsa2048", (), (4096, 2048), "rsa2048"),
    ("p256", (), (16384,), None),
    ("p256", (), (-1,), None),
    ("ca", (), (16384,), "ca"),
)


def test_kinds_of_key():
    for ours, algorithms, rsa, made in KINDS:
        wanted = template(((oid.AT_CN, UTF8, b""),), (), algorithms, rsa)
        if made is None:
            raises(ConfigError, PROFILE_VALUE, profile.with_template, settings(key_type=ours), wanted)
        else:
            assert profile.with_template(settings(key_type=ours), wanted)["key_type"] == made, (ours, algorithms, rsa)


# subject of the template, what comes of it or the code
SUBJECTS = (
    (((oid.AT_CN, UTF8, b""),), [("CN", "pump-7")]),
    (((oid.AT_O, UTF8, b"lab"), (oid.AT_CN, UTF8, b"")), [("O", "lab"), ("CN", "pump-7")]),
    (((oid.AT_O, UTF8, b""),), PROFILE_VALUE),
    (((oid.SHA256, UTF8, b"x"),), PROFILE_VALUE),
    (((oid.AT_CN, UTF8, b"\xff"),), PROFILE_VALUE),
    (((oid.AT_CN, BMP, b"\0p"),), PROFILE_VALUE),
    (((oid.AT_CN, UTF8, b"x" * 300),), CONFIG_VALUES),
)


def test_subjects():
    for subject, due in SUBJECTS:
        if isinstance(due, int):
            raises(ConfigError, due, profile.with_template, settings(), template(subject))
        else:
            assert [tuple(pair) for pair in profile.with_template(settings(), template(subject))["subject"]] == due


def test_extensions_stand_once():
    """The template's subjectAltName comes instead of ours; our settings are not changed."""
    ours = settings(extensions=[["1.2.3", False, "0500"]])
    wanted = template(((oid.AT_CN, UTF8, b""),), ((SAN, unhexlify("3003820178")), (oid.from_text("1.2.3"), b"\x05\0")))
    merged = profile.with_template(ours, wanted)
    assert merged["san"] == [] and ours["san"]
    assert [row[0] for row in merged["extensions"]] == ["2.5.29.17", "1.2.3"]
    w = Writer()
    profile.request(merged, msg.IR, None).write(w, None, None)
    assert w.bytes().count(SAN) == 1


def test_what_cannot_be_read_is_a_config_error():
    for key, value in (
        ("extended_key_usage", ["no.oid"]),
        ("policies", ["9.9.9"]),
        ("extensions", [["1.2.3", True, "050"]]),
        ("controls", [["3.1", "0500"]]),
    ):
        raises(ConfigError, PROFILE_VALUE, profile.request, settings(**{key: value}), msg.IR, None)
