"""CMS for the device tests: made by `openssl cms` where it can, put together here where it cannot or would not."""

import datetime
import json
import subprocess
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, keywrap, padding
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
YEAR = datetime.timedelta(days=365)
TEXT = b"what was enveloped or signed, in more than one block"
SECRET = b"a shared secret of the device"

HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
OIDS = {
    "data": "2a864886f70d010701", "signed": "2a864886f70d010702", "enveloped": "2a864886f70d010703",
    "key package": "60864801650201024e05", "content type": "2a864886f70d010903", "message digest": "2a864886f70d010904",
    "signing time": "2a864886f70d010905",
    "sha1": "2b0e03021a", "sha256": "608648016503040201", "sha384": "608648016503040202", "sha512": "608648016503040203",
    "aes128-cbc": "608648016503040102", "aes192-cbc": "608648016503040116", "aes256-cbc": "60864801650304012a",
    "aes128-wrap": "608648016503040105", "aes256-wrap": "60864801650304012d", "pwri-kek": "2a864886f70d0109100309",
    "pbkdf2": "2a864886f70d01050c", "hmac-sha1": "2a864886f70d0207", "hmac-sha256": "2a864886f70d0209",
    "hmac-sha224": "2a864886f70d0208", "hmac-sha512": "2a864886f70d020b", "scrypt": "2b06010401da47040b",
    "ecdh sha1": "2b81051086483f0002", "ecdh sha256": "2b8104010b01", "ecdh sha384": "2b8104010b02", "ecdh sha512": "2b8104010b03",
    "cofactor sha256": "2b8104010e01", "ec": "2a8648ce3d0201", "p256": "2a8648ce3d030107", "p384": "2b81040022", "p521": "2b81040023",
    "ed25519": "2b6570", "rsa": "2a864886f70d010101", "oaep": "2a864886f70d010107",
    "ecdsa sha256": "2a8648ce3d040302", "ecdsa sha384": "2a8648ce3d040303",
}  # fmt: skip
NULL = bytes.fromhex("0500")
SIZES = {"aes128": 16, "aes192": 24, "aes256": 32}


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    n = len(body)
    size = b"" if n < 128 else n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size) if size else n]) + size + body


def seq(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def oid(name: str) -> bytes:
    return tlv(6, bytes.fromhex(OIDS[name]))


def integer(n: int) -> bytes:
    return tlv(2, n.to_bytes(n.bit_length() // 8 + 1, "big", signed=True))


def octets(data: bytes) -> bytes:
    return tlv(4, data)


class Party:
    """A key pair, its certificate and the form in which the device loads the key."""

    def __init__(self, name: str, private, issuer: "Party | None" = None, *, usage=None, ca=False, ski=True) -> None:
        self.name, self.private = name, private
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(private.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(NOW - YEAR).not_valid_after(NOW + YEAR)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
        )  # fmt: skip
        if ski:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), False)
        if usage:
            flags = dict.fromkeys(
                ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                 "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False,
            )  # fmt: skip
            builder = builder.add_extension(x509.KeyUsage(**{**flags, **dict.fromkeys(usage, True)}), True)
        self.certificate = builder.sign(issuer.private if issuer else private, hashes.SHA256())
        self.der = self.certificate.public_bytes(Encoding.DER)

    @property
    def identifier(self) -> bytes:
        return seq(self.certificate.issuer.public_bytes(), integer(self.certificate.serial_number))

    @property
    def ski(self) -> bytes:
        return self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest

    @property
    def reference(self) -> bytes:
        return reference(self.private)

    def save(self, folder: Path) -> None:
        pem = self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{self.name}.key").write_bytes(pem)
        (folder / f"{self.name}.pem").write_bytes(self.certificate.public_bytes(Encoding.PEM))


def reference(private) -> bytes:
    numbers = private.private_numbers() if not isinstance(private, ed25519.Ed25519PrivateKey) else None
    if isinstance(private, rsa.RSAPrivateKey):
        half = private.key_size // 16
        return b"soft:rsa:" + (65537).to_bytes(4, "big") + numbers.p.to_bytes(half, "big") + numbers.q.to_bytes(half, "big")
    if numbers is None:
        return b"soft:ed25519:" + private.private_bytes_raw()
    size = private.key_size // 8
    return b"soft:p%d:" % private.key_size + numbers.private_value.to_bytes(size, "big")


class Bench:
    """The parties, a folder of their files, and `openssl` run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = Party("root", ec.generate_private_key(ec.SECP256R1()), ca=True, usage=("key_cert_sign", "crl_sign"))
        rsa_key = rsa.generate_private_key(65537, 2048)
        p256, p384 = (lambda: ec.generate_private_key(ec.SECP256R1())), ec.generate_private_key(ec.SECP384R1())
        rows = (
            ("rsa", rsa_key, ("digital_signature", "key_encipherment")),
            ("rsa-other", rsa.generate_private_key(65537, 2048), ("key_encipherment",)),
            ("p256", p256(), ("key_agreement",)),
            ("p256-other", p256(), ("key_agreement",)),
            ("p384", p384, ("key_agreement",)),
            ("ed25519", ed25519.Ed25519PrivateKey.generate(), ("digital_signature",)),
            ("signer", p256(), ("digital_signature",)),
            ("signer-other", p256(), ("digital_signature",)),
            ("enciphers-only", p256(), ("key_encipherment",)),
        )
        self.parties = {name: Party(name, key, self.root, usage=usage) for name, key, usage in rows}
        self.parties["root"] = self.root
        stranger = Party("root", p256(), ca=True)
        self.parties["stranger"] = Party("stranger", p256(), stranger, usage=("digital_signature",))
        for party in self.parties.values():
            party.save(folder)
        (folder / "text").write_bytes(TEXT)

    def cms(self, *arguments: str) -> bytes:
        command = ["openssl", "cms", "-binary", "-in", "text", "-outform", "DER", *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True).stdout

    def encrypt(self, *arguments: str) -> bytes:
        return self.cms("-encrypt", *arguments)

    def sign(self, *signers: str, options=()) -> bytes:
        named = [word for name in signers for word in ("-signer", f"{name}.pem", "-inkey", f"{name}.key")]
        return self.cms("-sign", "-nodetach", "-nosmimecap", *named, *options)


def content_of(info: bytes) -> bytes:
    """Return the content of a ContentInfo, DER as `openssl` writes it: what follows its OID, without the [0]."""

    def skip(at: int) -> tuple[int, int]:
        count = info[at + 1] & 0x7F if info[at + 1] & 0x80 else 0
        length = int.from_bytes(info[at + 2 : at + 2 + count], "big") if count else info[at + 1]
        return at + 2 + count, at + 2 + count + length

    start, _ = skip(0)
    _, start = skip(start)
    start, end = skip(start)
    return info[start:end]


# --- EnvelopedData put together here ---

KEY = bytes(range(32))
IV = bytes(range(100, 116))


def cbc(key: bytes, data: bytes, iv: bytes = IV) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def padded(data: bytes) -> bytes:
    padder = padding.PKCS7(128).padder()
    return padder.update(data) + padder.finalize()


def enveloped(*recipients: bytes, cipher="aes128-cbc", body=None, version=2, iv=IV, head=b"", tail=b"", tag=0x30) -> bytes:
    size = SIZES[cipher[:6]]
    body = cbc(KEY[:size], padded(TEXT)) if body is None else body
    encrypted = seq(oid("data"), seq(oid(cipher), octets(iv)), tlv(0x80, body))
    return tlv(tag, integer(version), head, tlv(0x31, *recipients), encrypted, tail)


def transport(party: Party, key=KEY[:16], *, version=0, rid=None, algorithm=None, data=None, tail=b"") -> bytes:
    if data is None:
        data = party.private.public_key().encrypt(key, rsa_padding.PKCS1v15())
    return seq(integer(version), rid or party.identifier, algorithm or seq(oid("rsa"), NULL), octets(data), tail)


def agreement(
    party: Party, key=KEY[:16], *, digest="sha256", wrap="aes128-wrap", wrap_parameters=b"", ukm=None, version=3,
    scheme=None, originator=None, parameters=None, rid=None, others=(), suffix=b"", swap=None, tails=(b"",) * 5,
) -> bytes:  # fmt: skip
    curve = party.private.curve
    ephemeral = ec.generate_private_key(curve)
    point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    size = SIZES[wrap[:6]]
    wrap_algorithm = seq(oid(wrap), wrap_parameters)
    u_info = tlv(0xA0, octets(ukm)) if ukm is not None else b""
    info = seq(wrap_algorithm, u_info, tlv(0xA2, octets((8 * size).to_bytes(4, "big"))))
    shared = ephemeral.exchange(ec.ECDH(), party.private.public_key())
    kek = X963KDF(algorithm=HASHES[digest], length=size, sharedinfo=info).derive(shared)
    if parameters is None:
        parameters = oid("p256" if curve.key_size == 256 else "p384")
    if originator is None:
        originator = tlv(0xA1, seq(oid("ec"), parameters), tlv(3, b"\0", swap or point), tails[0])
    keys = [seq(other.identifier, octets(bytes(24))) for other in others]
    keys.append(seq(rid or party.identifier, octets(keywrap.aes_key_wrap(kek, key) + suffix), tails[1]))
    return tlv(
        0xA1, integer(version), tlv(0xA0, originator, tails[2]), tlv(0xA1, octets(ukm)) if ukm is not None else b"",
        seq(oid(scheme or "ecdh " + digest), wrap_algorithm, tails[3]), seq(*keys), tails[4],
    )  # fmt: skip


def pwri_wrap(kek: bytes, key: bytes, check=None) -> bytes:
    """RFC 3211 2.3.1."""
    check = check or bytes([len(key), *(octet ^ 0xFF for octet in key[:3])])
    block = check + key
    block += b"\x55" * (-len(block) % 16)
    inner = cbc(kek, block)
    return cbc(kek, inner, inner[-16:])


def password(
    key=KEY[:16], *, secret=SECRET, prf="sha256", prf_element=None, iterations=1000, claimed=None, cipher="aes128-cbc",
    wrap=None, keylength=b"", salt=b"salt" * 4, salt_element=None, derivation=None, kdf="pbkdf2", encryption=None,
    version=0, data=None, check=None, tail=b"",
) -> bytes:  # fmt: skip
    size = SIZES[(wrap or cipher)[:6]]
    kek = PBKDF2HMAC(algorithm=HASHES[prf], length=size, salt=salt, iterations=iterations).derive(secret)
    if prf_element is None:
        prf_element = b"" if prf == "sha1" else seq(oid("hmac-" + prf), NULL)
    if derivation is None:
        parameters = (salt_element or octets(salt), integer(claimed or iterations), keylength, prf_element)
        derivation = tlv(0xA0, oid(kdf), seq(*parameters))
    if encryption is None:
        encryption = seq(oid(wrap)) if wrap else seq(oid("pwri-kek"), seq(oid(cipher), octets(IV)))
    if data is None:
        data = keywrap.aes_key_wrap(kek, key) if wrap else pwri_wrap(kek, key, check)
    return tlv(0xA3, integer(version), derivation, encryption, octets(data), tail)


def by_openssl(bench: Bench) -> list[dict]:
    """Rows of EnvelopedData: what `openssl cms` writes."""
    p256 = ("-recip", "p256.pem")
    rows = [
        ("key transport, AES-128", bench.encrypt("-aes-128-cbc", "rsa.pem"), "rsa", 0),
        ("key transport, AES-256, by key identifier", bench.encrypt("-aes-256-cbc", "-keyid", "rsa.pem"), "rsa", 0),
        ("key transport, ours is the last", bench.encrypt("-aes-128-cbc", "rsa-other.pem", "p256.pem", "rsa.pem"), "rsa", 0),
        ("key transport for others", bench.encrypt("-aes-128-cbc", "rsa-other.pem"), "rsa", 353),
        ("3DES", bench.encrypt("-des3", "rsa.pem"), "rsa", 354),
        ("AES-192", bench.encrypt("-aes-192-cbc", "rsa.pem"), "rsa", 354),
        ("OAEP", bench.encrypt("-aes-128-cbc", "-recip", "rsa.pem", "-keyopt", "rsa_padding_mode:oaep"), "rsa", 354),
        ("key agreement as openssl does it by default", bench.encrypt("-aes-128-cbc", "p256.pem"), "p256", 0),
        ("key agreement, by key identifier", bench.encrypt("-aes-256-cbc", "-keyid", "p256.pem"), "p256", 0),
        ("key agreement with SHA-256", bench.encrypt("-aes-128-cbc", *p256, "-keyopt", "ecdh_kdf_md:sha256"), "p256", 0),
        ("key agreement, AES-256 wrap",
         bench.encrypt("-aes-256-cbc", "-aes256-wrap", *p256, "-keyopt", "ecdh_kdf_md:sha256"), "p256", 0),
        ("key agreement with cofactor", bench.encrypt("-aes-128-cbc", *p256, "-keyopt", "ecdh_cofactor_mode:1"), "p256", 354),
        ("key agreement on P-384", bench.encrypt("-aes-128-cbc", "p384.pem"), "p384", 0),
        ("key agreement, two recipients", bench.encrypt("-aes-128-cbc", "p256-other.pem", "p256.pem"), "p256", 0),
        ("key agreement for others", bench.encrypt("-aes-128-cbc", "p256-other.pem"), "p256", 353),
        ("password", bench.encrypt("-aes-128-cbc", "-pwri_password", SECRET.decode()), "", 0),
        ("password, AES-256", bench.encrypt("-aes-256-cbc", "-pwri_password", SECRET.decode()), "", 0),
        ("password and certificate", bench.encrypt("-aes-128-cbc", "-pwri_password", SECRET.decode(), "rsa.pem"), "", 0),
        ("another password", bench.encrypt("-aes-128-cbc", "-pwri_password", "not the secret"), "", 356),
    ]  # fmt: skip
    return [row(title, content_of(info), key, code) for title, info, key, code in rows]


def row(title: str, der: bytes, key: str = "", code: int = 0, certificate: str | None = None, secret=None) -> dict:
    """One EnvelopedData: opened by `key` and its certificate (another one if given, none if ""), or by the secret."""
    return {
        "title": title,
        "der": der.hex(),
        "key": key,
        "certificate": key if certificate is None else certificate,
        "secret": "" if key else (secret or SECRET).hex(),
        "code": code,
    }


def transports(parties: dict[str, Party]) -> list[dict]:
    ours, other = parties["rsa"], parties["rsa-other"]
    unknown = tlv(0xA4, oid("data"), NULL)
    kek_recipient = tlv(0xA2, integer(4), seq(octets(b"id")), seq(oid("aes128-wrap")), octets(bytes(24)))
    named = seq(parties["p256"].certificate.issuer.public_bytes(), integer(ours.certificate.serial_number + 1))
    good = transport(ours)
    attributes = attribute("signing time", NULL)
    return [
        row("kinds that we do not know come first", enveloped(unknown, kek_recipient, good), "rsa"),
        row("rsaEncryption without NULL", enveloped(transport(ours, algorithm=seq(oid("rsa")))), "rsa"),
        row("no certificate yet: encrCert", enveloped(good), "rsa", certificate=""),
        row("no certificate yet and two recipients", enveloped(good, transport(other)), "rsa", 353, certificate=""),
        row("originatorInfo and unprotectedAttrs", enveloped(good, head=tlv(0xA0), tail=tlv(0xA1, attributes)), "rsa"),
        row("another key pair behind the identifier", enveloped(transport(other, rid=ours.identifier)), "rsa", 356),
        row("two for us: only the first counts", enveloped(transport(other, rid=ours.identifier), good), "rsa", 356),
        row("serial of another certificate", enveloped(transport(ours, rid=named)), "rsa", 353),
        row("key too short", enveloped(transport(ours, KEY[:15])), "rsa", 356),
        row("key too long", enveloped(transport(ours, KEY[:17])), "rsa", 356),
        row("key of AES-256 for AES-128", enveloped(transport(ours, KEY)), "rsa", 356),
        row("not a PKCS#1 padding", enveloped(transport(ours, data=bytes(255) + b"\x02")), "rsa", 356),
        row("encrypted key shorter than the modulus", enveloped(transport(ours, data=bytes(128))), "rsa", 356),
        row("encrypted key above the modulus", enveloped(transport(ours, data=b"\xff" * 256)), "rsa", 356),
        row("version 1", enveloped(transport(ours, version=1)), "rsa", 352),
        row("a P-256 key for a key transport", enveloped(transport(ours, rid=parties["p256"].identifier)), "p256", 353),
        row("OAEP", enveloped(transport(ours, algorithm=seq(oid("oaep"), seq()))), "rsa", 354),
        row("parameters other than NULL", enveloped(transport(ours, algorithm=seq(oid("rsa"), seq()))), "rsa", 104),
        row("something behind the encrypted key", enveloped(transport(ours, tail=NULL)), "rsa", 104),
        row("only a secret is at hand", enveloped(good), "", 353),
    ]  # fmt: skip


def contents(parties: dict[str, Party]) -> list[dict]:
    """What can be wrong with the encrypted content, behind a good recipient; and with the structure around it."""
    recipient = password()
    key = KEY[:16]
    text = padded(TEXT)
    rows = [
        ("one block of padding", {"body": cbc(key, b"\x10" * 16)}, 0),
        ("padding of 0", {"body": cbc(key, text[:-1] + b"\x00")}, 356),
        ("padding of 17", {"body": cbc(key, text[:-1] + b"\x11")}, 356),
        ("padding octets differ", {"body": cbc(key, text[:-16] + b"\x10" * 5 + b"\x11" + b"\x10" * 10)}, 356),
        ("first octet of the padding differs", {"body": cbc(key, text[:-16] + b"\x11" + b"\x10" * 15)}, 356),
        ("padding longer than the content", {"body": cbc(key, b"\x20" * 16)}, 356),
        ("no content at all", {"body": b""}, 355),
        ("content is no whole number of blocks", {"body": bytes(33)}, 355),
        ("IV of 8 octets", {"iv": bytes(8)}, 355),
        ("version 1", {"version": 1}, 352),
        ("version 5", {"version": 5}, 352),
        ("something behind the content", {"tail": NULL}, 104),
        ("another tag outside", {"tag": 0xA0}, 102),
    ]
    out = [row(title, enveloped(recipient, **changes), "", code) for title, changes, code in rows]
    out.append(row("no recipient", enveloped(), "", 353))
    out.append(row("eight recipients", enveloped(*[transport(parties["rsa"], data=b"")] * 7, recipient)))
    out.append(row("nine recipients", enveloped(*[transport(parties["rsa"], data=b"")] * 8, recipient), "", 357))
    out.append(row("33,000 octets", enveloped(recipient, body=bytes(33008)), "", 357))
    return out


def agreements(parties: dict[str, Party]) -> list[dict]:
    ours, other, p384 = parties["p256"], parties["p256-other"], parties["p384"]
    key_id = tlv(0xA0, octets(ours.ski))
    key_id_dated = tlv(0xA0, octets(ours.ski), tlv(0x18, b"20260101000000Z"))
    static = ours.identifier
    rows = [
        ("SHA-256", agreement(ours), 0),
        ("SHA-1", agreement(ours, digest="sha1"), 0),
        ("SHA-384", agreement(ours, digest="sha384"), 0),
        ("SHA-512", agreement(ours, digest="sha512"), 0),
        ("SHA-1 and AES-256 wrap: two rounds of the KDF", agreement(ours, digest="sha1", wrap="aes256-wrap"), 0),
        ("ukm", agreement(ours, ukm=b"user keying material"), 0),
        ("NULL behind the wrap's OID", agreement(ours, wrap_parameters=NULL), 0),
        ("originator key without parameters", agreement(ours, parameters=b""), 0),
        ("originator key with NULL", agreement(ours, parameters=NULL), 0),
        ("originator key with NULL and more", agreement(ours, parameters=NULL + NULL), 104),
        ("by key identifier", agreement(ours, rid=key_id), 0),
        ("by key identifier with a date", agreement(ours, rid=key_id_dated), 0),
        ("ours is the third key", agreement(ours, others=(other, p384)), 0),
        ("for another certificate", agreement(ours, rid=other.identifier), 353),
        ("another key behind the identifier", agreement(other, rid=ours.identifier), 356),
        ("check value of the wrap is wrong", agreement(ours, suffix=b"12345678"), 356),
        ("wrapped key of 24 octets for AES-128", agreement(ours, KEY[:24]), 356),
        ("static originator key", agreement(ours, originator=static), 354),
        ("originator key by identifier", agreement(ours, originator=tlv(0x80, b"id")), 354),
        ("originator key on P-384", agreement(ours, parameters=oid("p384")), 354),
        ("originator key on P-521", agreement(ours, parameters=oid("p521")), 354),
        ("originator key of kind RSA", agreement(ours, originator=tlv(0xA1, seq(oid("rsa"), NULL), tlv(3, b"\0"))), 354),
        ("point not on the curve", agreement(ours, swap=b"\x04" + b"\x01" * 64), 356),
        ("point compressed", agreement(ours, swap=b"\x02" + b"\x01" * 32), 356),
        ("point of no length", agreement(ours, swap=b"\0"), 356),
        ("scheme with cofactor", agreement(ours, scheme="cofactor sha256"), 354),
        ("wrap that is a cipher", agreement(ours, wrap="aes128-cbc"), 354),
        ("parameters behind the wrap's OID", agreement(ours, wrap_parameters=octets(IV)), 104),
        ("version 0", agreement(ours, version=0), 352),
    ]
    places = ("the point", "the wrapped key", "the originator", "the wrap", "the wrapped keys")
    for i, place in enumerate(places):
        tails = tuple(NULL if i == k else b"" for k in range(len(places)))
        rows.append((f"something behind {place}", agreement(ours, tails=tails), 104))
    out = [row("key agreement: " + title, enveloped(recipient), "p256", code) for title, recipient, code in rows]
    out.append(row("key agreement: no certificate yet", enveloped(agreement(ours)), "p256", certificate=""))
    out.append(row("key agreement: an RSA key", enveloped(agreement(ours, rid=parties["rsa"].identifier)), "rsa", 353))
    return out


def passwords() -> list[dict]:
    sha256 = seq(oid("hmac-sha256"), NULL)
    pbkdf2 = seq(octets(b"salt" * 4), integer(1000), sha256)
    cipher = seq(oid("aes128-cbc"), octets(IV))
    twisted = bytes([16, *(octet ^ 0xFE for octet in KEY[:3])])
    rows = [
        ("HMAC-SHA256", password(), 0),
        ("HMAC-SHA1 by default", password(prf="sha1"), 0),
        ("HMAC-SHA1 named", password(prf="sha1", prf_element=seq(oid("hmac-sha1"), NULL)), 0),
        ("prf without NULL", password(prf_element=seq(oid("hmac-sha256"))), 0),
        ("keyLength", password(keylength=integer(16)), 0),
        ("AES-256 outside, AES-128 inside", password(cipher="aes256-cbc"), 0),
        ("AES-128 key wrap", password(wrap="aes128-wrap"), 0),
        ("AES-256 key wrap, keyLength", password(wrap="aes256-wrap", keylength=integer(32)), 0),
        ("another secret", password(secret=b"another"), 356),
        ("another secret, AES key wrap", password(secret=b"another", wrap="aes128-wrap"), 356),
        ("empty secret", password(secret=b""), 356),
        ("iterations lowered on the way", password(iterations=2000, claimed=1999), 356),
        ("100 iterations", password(iterations=100), 0),
        ("99 iterations", password(iterations=99), 355),
        ("100,000 iterations", password(iterations=100000), 0),
        ("100,001 iterations", password(claimed=100001), 355),
        ("2,000,000,000 iterations", password(claimed=2000000000), 355),
        ("iterations of 9 octets", password(claimed=1 << 70), 106),
        ("0 iterations", password(derivation=tlv(0xA0, oid("pbkdf2"), seq(octets(b"salt"), integer(0)))), 355),
        ("negative iterations", password(derivation=tlv(0xA0, oid("pbkdf2"), seq(octets(b"salt"), integer(-5000)))), 355),
        ("salt of 64 octets", password(salt=bytes(64)), 0),
        ("salt of 65 octets", password(salt=bytes(65)), 355),
        ("salt from elsewhere", password(salt_element=seq(oid("data"))), 102),
        ("keyLength of another key", password(keylength=integer(32)), 355),
        ("HMAC-SHA512", password(prf="sha512"), 354),
        ("unknown prf", password(prf_element=seq(oid("hmac-sha224"), NULL)), 354),
        ("unknown derivation", password(kdf="scrypt"), 354),
        ("unknown wrap", password(encryption=seq(oid("rsa"), NULL)), 354),
        ("inner cipher AES-192", password(encryption=seq(oid("pwri-kek"), seq(oid("aes192-cbc"), octets(IV)))), 354),
        ("CVE-2026-42766: no keyDerivationAlgorithm", password(derivation=b""), 354),
        ("CVE-2026-42766: keyDerivationAlgorithm empty", password(derivation=tlv(0xA0)), 101),
        ("CVE-2026-42766: no PBKDF2 parameters", password(derivation=tlv(0xA0, oid("pbkdf2"))), 101),
        ("CVE-2026-42766: PBKDF2 parameters NULL", password(derivation=tlv(0xA0, oid("pbkdf2"), NULL)), 102),
        ("CVE-2026-42766: PBKDF2 parameters empty", password(derivation=tlv(0xA0, oid("pbkdf2"), seq())), 101),
        ("CVE-2026-42766: no inner cipher", password(encryption=seq(oid("pwri-kek"))), 101),
        ("CVE-2026-42766: inner cipher NULL", password(encryption=seq(oid("pwri-kek"), NULL)), 102),
        ("CVE-2026-42766: inner cipher without IV", password(encryption=seq(oid("pwri-kek"), seq(oid("aes128-cbc")))), 101),
        ("CVE-2026-42766: no keyEncryptionAlgorithm", password(encryption=b""), 102),
        ("wrapped key of one block", password(data=bytes(16)), 356),
        ("wrapped key of odd length", password(data=bytes(33)), 356),
        ("wrapped key of no length", password(data=b""), 356),
        ("wrapped key of 64 octets", password(data=bytes(64)), 356),
        ("wrapped key of 80 octets", password(data=bytes(80)), 355),
        ("key of 12 octets that fills its block", password(KEY[:12]), 356),
        ("parameters behind the key wrap", password(encryption=seq(oid("aes128-wrap"), octets(IV))), 104),
        ("parameters of the prf", password(prf_element=seq(oid("hmac-sha256"), octets(IV))), 104),
        ("check value wrong", password(check=twisted), 356),
        ("length octet wrong", password(check=bytes([15]) + bytes(o ^ 0xFF for o in KEY[:3])), 356),
        ("length octet beyond the end", password(check=bytes([200]) + bytes(o ^ 0xFF for o in KEY[:3])), 356),
        ("version 1", password(version=1), 352),
        ("something behind the prf", password(prf_element=sha256 + NULL), 104),
        ("something behind the PBKDF2 parameters", password(derivation=tlv(0xA0, oid("pbkdf2"), pbkdf2, NULL)), 104),
        ("something behind the encrypted key", password(tail=NULL), 104),
        ("something behind the inner cipher", password(encryption=seq(oid("pwri-kek"), cipher, NULL)), 104),
    ]
    out = [row("password: " + title, enveloped(recipient), "", code) for title, recipient, code in rows]
    both = enveloped(password(KEY, cipher="aes256-cbc"), cipher="aes256-cbc")
    out.append(row("password: AES-256 outside and inside", both))
    out.append(row("password: AES-256 key, AES-128 key wrap", enveloped(password(KEY, wrap="aes128-wrap"), cipher="aes256-cbc")))
    out.append(row("password: key of AES-256 for AES-128", enveloped(password(KEY)), "", 356))
    long = enveloped(password(KEY, wrap="aes128-wrap"), body=cbc(KEY, padded(TEXT)))
    out.append(row("password: key of AES-256 for AES-128, and used", long, "", 356))
    return out


# --- SignedData put together here ---


def attribute(name: str, *values: bytes) -> bytes:
    return seq(oid(name), tlv(0x31, *values))


def signer_info(
    signer: Party, *, content=TEXT, kind="data", digest="sha256", named=None, attributes=None, signed_as=None, key=None,
    sid=None, version=1, algorithm=None, algorithm_parameters=b"", digest_parameters=b"", tail=b"",
) -> bytes:  # fmt: skip
    """One SignerInfo; `attributes` are encoded ones, None for the usual two, () for none at all."""
    hasher = hashes.Hash(HASHES[digest])
    hasher.update(content)
    if attributes is None:
        attributes = (attribute("content type", oid(kind)), attribute("message digest", octets(hasher.finalize())))
    covered = tlv(0x31, *attributes) if attributes else content
    signature = (key or signer.private).sign(signed_as or covered, ec.ECDSA(HASHES[digest]))
    return seq(
        integer(version), sid or signer.identifier, seq(oid(named or digest), digest_parameters),
        tlv(0xA0, *attributes) if attributes else b"", seq(oid(algorithm or "ecdsa " + digest), algorithm_parameters), octets(signature), tail,
    )  # fmt: skip


def signed(*infos: bytes, certificates=(), content=TEXT, kind="data", version=1, crls=b"", element=None, tail=b"") -> bytes:
    if element is None:
        element = tlv(0xA0, octets(content))
    held = tlv(0xA0, *(party.der for party in certificates)) if certificates else b""
    return seq(integer(version), tlv(0x31, seq(oid("sha256"))), seq(oid(kind), element), held, crls, tlv(0x31, *infos), tail)


def digest_attribute(data: bytes) -> bytes:
    hasher = hashes.Hash(hashes.SHA256())
    hasher.update(data)
    return attribute("message digest", octets(hasher.finalize()))


def signed_rows(bench: Bench) -> list[dict]:
    p = bench.parties
    one, other = p["signer"], p["signer-other"]
    kind, digest = attribute("content type", oid("data")), digest_attribute(TEXT)
    time = attribute("signing time", tlv(0x17, b"261123120000Z"))
    attributes = tlv(0x31, kind, digest)
    plain = {"certificates": (one,)}
    pss = ("-keyopt", "rsa_padding_mode:pss")

    def openssl(*signers: str, options=()) -> bytes:
        return content_of(bench.sign(*signers, options=options))

    rows = [
        ("openssl", openssl("signer"), "signer", 0),
        ("openssl, by key identifier", openssl("signer", options=("-keyid",)), "signer", 0),
        ("openssl, without attributes", openssl("signer", options=("-noattr",)), "signer", 0),
        ("openssl, SHA-512", openssl("signer", options=("-md", "sha512")), "signer", 0),
        ("openssl, RSA", openssl("rsa", options=("-md", "sha256")), "rsa", 0),
        ("openssl, RSA, SHA-384, without attributes", openssl("rsa", options=("-noattr", "-md", "sha384")), "rsa", 0),
        ("openssl, RSA-PSS", openssl("rsa", options=("-md", "sha256", *pss, "-keyopt", "rsa_pss_saltlen:-1")), "rsa", 0),
        ("openssl, RSA-PSS with the longest salt", openssl("rsa", options=("-md", "sha256", *pss)), "", 307),
        ("openssl, RSA, SHA-1", openssl("rsa", options=("-md", "sha1")), "", 354),
        ("openssl, two signers", openssl("signer", "rsa"), "signer", 0),
        ("openssl, a stranger signed too", openssl("stranger", "signer"), "signer", 0),
        ("openssl, other certificates along", openssl("signer", options=("-certfile", "rsa.pem")), "signer", 0),
        ("openssl, certificate not sent", openssl("signer", options=("-nocerts",)), "", 359),
        ("openssl, a stranger", openssl("stranger"), "", 314),
        ("openssl, detached", content_of(bench.cms("-sign", "-signer", "signer.pem", "-inkey", "signer.key")), "", 358),
        ("signed by the anchor itself", openssl("root"), "", 363),
        ("signer must not sign", openssl("enciphers-only"), "", 363),
        ("plain", signed(signer_info(one), **plain), "signer", 0),
        ("further attributes", signed(signer_info(one, attributes=(kind, digest, time)), **plain), "signer", 0),
        ("SHA-384", signed(signer_info(one, digest="sha384"), **plain), "signer", 0),
        ("unsigned attributes", signed(signer_info(one, tail=tlv(0xA1, time)), **plain), "signer", 0),
        ("empty crls", signed(signer_info(one), crls=tlv(0xA1), **plain), "signer", 0),
        ("content differs", signed(signer_info(one), content=TEXT + b".", **plain), "", 361),
        ("content differs, no attributes", signed(signer_info(one, attributes=()), content=TEXT + b".", **plain), "", 362),
        ("signed by another key", signed(signer_info(one, key=other.private), **plain), "", 362),
        ("another signer is named", signed(signer_info(one, sid=other.identifier), certificates=(one, other)), "", 362),
        ("messageDigest of other content", signed(signer_info(one, attributes=(kind, digest_attribute(b"x"))), **plain), "", 361),
        ("messageDigest missing", signed(signer_info(one, attributes=(kind,)), **plain), "", 360),
        ("contentType missing", signed(signer_info(one, attributes=(digest,)), **plain), "", 360),
        ("messageDigest twice", signed(signer_info(one, attributes=(kind, digest, digest)), **plain), "", 360),
        ("messageDigest with two values",
         signed(signer_info(one, attributes=(kind, attribute("message digest", octets(bytes(32)), octets(bytes(32))))), **plain),
         "", 360),
        ("messageDigest with no value", signed(signer_info(one, attributes=(kind, attribute("message digest"))), **plain), "", 360),
        ("messageDigest is no OCTET STRING",
         signed(signer_info(one, attributes=(kind, attribute("message digest", NULL))), **plain), "", 102),
        ("contentType of other content",
         signed(signer_info(one, attributes=(attribute("content type", oid("signed")), digest)), **plain), "", 360),
        ("attributes exchanged for others that were signed",
         signed(signer_info(one, attributes=(kind, digest_attribute(b"x")), signed_as=attributes), content=b"x", **plain), "", 362),
        ("attributes empty", signed(signer_info(one, attributes=(b"",), signed_as=TEXT), **plain), "", 360),
        ("attributes signed under their tag on the wire",
         signed(signer_info(one, signed_as=tlv(0xA0, kind, digest)), **plain), "", 362),
        ("signed attributes passed off as content",
         signed(signer_info(one, content=attributes, attributes=()), content=attributes, **plain), "", 360),
        ("digest named differs from the signature's", signed(signer_info(one, named="sha384"), **plain), "", 361),
        ("digest differs, no attributes", signed(signer_info(one, named="sha384", attributes=()), **plain), "", 362),
        ("unknown digest", signed(signer_info(one, named="data"), **plain), "", 354),
        ("rsaEncryption with an EC key", signed(signer_info(one, algorithm="rsa"), **plain), "", 362),
        ("signer version 2", signed(signer_info(one, version=2), **plain), "", 352),
        ("version 2", signed(signer_info(one), version=2, **plain), "", 352),
        ("no signer", signed(**plain), "", 359),
        ("content missing", signed(signer_info(one), element=b"", **plain), "", 358),
        ("four signers, ten certificates", signed(*[signer_info(one)] * 4, certificates=(one,) * 10), "signer", 0),
        ("five signers", signed(*[signer_info(one)] * 5, **plain), "", 357),
        ("eleven certificates", signed(signer_info(one), certificates=(one,) * 11), "", 357),
        ("digest with NULL", signed(signer_info(one, digest_parameters=NULL), **plain), "signer", 0),
        ("digest with parameters", signed(signer_info(one, digest_parameters=octets(IV)), **plain), "", 104),
        ("rsaEncryption with parameters",
         signed(signer_info(one, algorithm="rsa", algorithm_parameters=octets(IV)), **plain), "", 104),
        ("no signerInfos", seq(*[integer(1), tlv(0x31), seq(oid("data"), tlv(0xA0, octets(TEXT)))]), "", 101),
        ("something behind the signature", signed(signer_info(one, tail=NULL), **plain), "", 104),
        ("something behind the signerInfos", signed(signer_info(one), tail=NULL, **plain), "", 104),
        ("something behind the content", signed(signer_info(one), element=tlv(0xA0, octets(TEXT), NULL), **plain), "", 104),
        ("something behind the content's element",
         signed(signer_info(one), element=tlv(0xA0, octets(TEXT)) + NULL, **plain), "", 104),
        ("something behind an attribute's values",
         signed(signer_info(one, attributes=(seq(kind[2:], NULL), digest)), **plain), "", 104),
        ("other type, no attributes",
         signed(signer_info(one, attributes=()), kind="key package", **plain), "", 351),
    ]  # fmt: skip
    return [{"title": title, "der": der.hex(), "signer": signer, "code": code} for title, der, signer, code in rows]


def packages(parties: dict[str, Party]) -> list[dict]:
    def pkcs8(key) -> bytes:
        return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def bare(key) -> bytes:
        return key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    p256, big = parties["p256"].private, parties["rsa"].private
    scalar = p256.private_numbers().private_value.to_bytes(32, "big")
    edwards = ed25519.Ed25519PrivateKey.generate()
    numbers = big.private_numbers()

    def ec_key(private, version=0, curve="p256", kind="ec", tail=b"") -> bytes:
        return seq(seq(integer(version), seq(oid(kind), oid(curve)), octets(private), tail))

    def seed_in(algorithm, private) -> bytes:
        return seq(seq(integer(0), seq(algorithm), octets(private)))

    def rsa_key(*, version=0, n=None, p=None, q=None, more=()) -> bytes:
        values = (version, n or numbers.public_numbers.n, 65537, numbers.d, p or numbers.p, q or numbers.q,
                  numbers.dmp1, numbers.dmq1, numbers.iqmp, *more)  # fmt: skip
        return seq(seq(integer(0), seq(oid("rsa"), NULL), octets(seq(*map(integer, values)))))

    short = seq(integer(1), octets(scalar))
    rows = [
        ("P-256", seq(pkcs8(p256)), "p256", reference(p256), 0),
        ("P-384", seq(pkcs8(parties["p384"].private)), "p384", reference(parties["p384"].private), 0),
        ("RSA", seq(pkcs8(big)), "rsa", reference(big), 0),
        ("Ed25519", seq(pkcs8(edwards)), "ed25519", reference(edwards), 0),
        ("P-256 without curve and public key inside", ec_key(short), "p256", reference(p256), 0),
        ("attributes and public key", ec_key(short, 1, tail=tlv(0xA0) + tlv(0x81, b"\0key")), "p256", reference(p256), 0),
        ("another curve inside", ec_key(seq(integer(1), octets(scalar), tlv(0xA0, oid("p384")))), "", b"", 364),
        ("scalar of 31 octets", ec_key(seq(integer(1), octets(scalar[1:]))), "", b"", 364),
        ("ECPrivateKey version 0", ec_key(seq(integer(0), octets(scalar))), "", b"", 364),
        ("version 2", ec_key(short, 2), "", b"", 364),
        ("P-521", ec_key(short, curve="p521"), "", b"", 354),
        ("unknown kind", ec_key(short, kind="data"), "", b"", 354),
        ("two keys", seq(pkcs8(p256), pkcs8(p256)), "", b"", 104),
        ("no key", seq(), "", b"", 101),
        ("no key but a NULL", seq(NULL), "", b"", 102),
        ("PKCS#8 without package", pkcs8(p256), "p256", reference(p256), 0),
        ("PKCS#8 without package, and more", pkcs8(p256) + NULL, "", b"", 104),
        ("OpenSSL 3.5: ECPrivateKey", bare(p256), "p256", reference(p256), 0),
        ("OpenSSL 3.5: ECPrivateKey on P-384", bare(parties["p384"].private), "p384", reference(parties["p384"].private), 0),
        ("OpenSSL 3.5: RSAPrivateKey", bare(big), "rsa", reference(big), 0),
        ("ECPrivateKey without curve", short, "", b"", 354),
        ("ECPrivateKey and more", bare(p256) + NULL, "", b"", 104),
        ("RSAPrivateKey and more", bare(big) + NULL, "", b"", 104),
        ("ECPrivateKey and more inside", seq(integer(1), octets(scalar), tlv(0xA0, oid("p256")), NULL), "", b"", 104),
        ("ECPrivateKey and more at its curve", seq(integer(1), octets(scalar), tlv(0xA0, oid("p256"), NULL)), "", b"", 104),
        ("RSAPrivateKey and more inside", rsa_key(more=(1,)), "", b"", 104),
        ("RSA with parameters", seq(seq(integer(0), seq(oid("rsa"), octets(IV)), octets(bare(big)))), "", b"", 104),
        ("Ed25519 with parameters", seed_in(oid("ed25519") + NULL, octets(bytes(32))), "", b"", 104),
        ("Ed25519, 31 octets", seed_in(oid("ed25519"), octets(bytes(31))), "", b"", 364),
        ("Ed25519 and more", seed_in(oid("ed25519"), octets(bytes(32)) + NULL), "", b"", 104),
        ("OneAsymmetricKey and more inside", seq(seq(integer(0), seq(oid("rsa"), NULL), octets(bare(big) + NULL))), "", b"", 104),
        ("RSA: n is not p * q", rsa_key(n=numbers.public_numbers.n + 2), "", b"", 364),
        ("RSA: n negative", rsa_key(n=-numbers.public_numbers.n), "", b"", 106),
        ("RSA: p of another length", rsa_key(p=numbers.p >> 8), "", b"", 364),
        ("RSA: version 1, more than two primes", rsa_key(version=1), "", b"", 364),
    ]
    return [
        {"title": title, "der": der.hex(), "kind": kind, "reference": ref.hex(), "code": code}
        for title, der, kind, ref, code in rows
    ]


def streamed(bench: Bench) -> dict[str, str]:
    """What `openssl cms -stream` writes: indefinite lengths, octet strings in pieces."""
    (bench.folder / "text").write_bytes(TEXT * 100)
    made = {
        "transport": bench.encrypt("-stream", "-aes-128-cbc", "rsa.pem"),
        "password": bench.encrypt("-stream", "-aes-128-cbc", "-pwri_password", SECRET.decode()),
        "signed": bench.sign("signer", options=("-stream",)),
    }
    return {name: der.hex() for name, der in made.items()}


def generate(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(Path(place))
        parties = bench.parties
        rows = by_openssl(bench) + transports(parties) + contents(parties) + agreements(parties) + passwords()
        made = {
            "now": int(NOW.timestamp()),
            "text": TEXT.hex(),
            "secret": SECRET.hex(),
            "certificates": {name: party.der.hex() for name, party in parties.items()},
            "keys": {name: party.reference.hex() for name, party in parties.items()},
            "open": rows,
            "signed": signed_rows(bench),
            "packages": packages(parties),
            "streamed": streamed(bench),
        }
    (folder / "cms.json").write_text(json.dumps(made))
