"""What a user hands to a command: secrets, keys, certificates and names, read from files and checked."""

import ipaddress
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

# the curves that the device knows, and the octets of a scalar
_CURVES = {"secp256r1": ("p256", 32), "secp384r1": ("p384", 48)}
_RSA_BITS = range(2048, 4097, 16)

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


class InputError(Exception):
    """A file or an option that the user gave is wrong; the message is one line and holds no secret."""


@dataclass(frozen=True)
class Secret:
    """A reference and the secret that it names; the secret never shows in a repr."""

    reference: str
    value: bytes = field(repr=False)

    def job(self) -> dict:
        return {"mac": {"reference": self.reference, "secret": self.value.hex()}}


@dataclass(frozen=True)
class Signature:
    """A certificate with its chain, DER, and the reference of its key; the key never shows in a repr."""

    certificate: bytes
    chain: tuple[bytes, ...]
    key_reference: bytes = field(repr=False)

    def job(self) -> dict:
        chain = [der.hex() for der in self.chain]
        return {"signer": {"certificate": self.certificate.hex(), "chain": chain, "key": self.key_reference.hex()}}


def read_file(path: Path, what: str) -> bytes:
    """Return the content of a file; InputError names `what` it should have been."""
    try:
        return path.read_bytes()
    except OSError as e:
        raise InputError(f"{what} {path} cannot be read: {e.strerror}") from None


def read_secret(reference: str, path: Path) -> Secret:
    """Read a shared secret from a file, `-` for standard input; one trailing line end is not part of it."""
    data = sys.stdin.buffer.read() if str(path) == "-" else read_file(path, "secret file")
    value = data.removesuffix(b"\n").removesuffix(b"\r")
    if not value:
        raise InputError(f"secret file {path} is empty")
    return Secret(reference, value)


def read_certificates(path: Path) -> list[x509.Certificate]:
    """Read one or more PEM certificates."""
    try:
        return x509.load_pem_x509_certificates(read_file(path, "certificate file"))
    except ValueError:
        raise InputError(f"{path} holds no readable PEM certificate") from None


def read_anchors(path: Path | None) -> list[str]:
    """Read trust anchors, one PEM text each; none without a path."""
    return [c.public_bytes(Encoding.PEM).decode() for c in read_certificates(path)] if path else []


def read_key(path: Path) -> PrivateKey:
    """Read an unencrypted key in PEM, of a kind that the device can use."""
    try:
        key = load_pem_private_key(read_file(path, "key file"), password=None)
    except TypeError:
        raise InputError(f"key file {path} is encrypted; a board needs it in the clear") from None
    except ValueError:
        raise InputError(f"{path} holds no readable PEM key") from None
    try:
        key_reference(key)
    except ValueError:
        raise InputError(
            f"key file {path} is of a kind that boards do not use: take P-256, P-384, Ed25519, RSA of 2048 to 4096 bits"
        ) from None
    return key


def key_reference(key: PrivateKey) -> bytes:
    """Return the reference by which the device's software backend loads the key; ValueError for a kind it has not."""
    match key:
        case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            kind, size = _CURVES[key.curve.name]
            secret = key.private_numbers().private_value.to_bytes(size, "big")
        case ed25519.Ed25519PrivateKey():
            kind, secret = "ed25519", key.private_bytes_raw()
        case rsa.RSAPrivateKey() if key.key_size in _RSA_BITS:
            known = key.private_numbers()
            sizes = (known.public_numbers.e, 4), (known.p, key.key_size // 16), (known.q, key.key_size // 16)
            try:
                kind, secret = "rsa", b"".join(number.to_bytes(size, "big") for number, size in sizes)
            except OverflowError:
                raise ValueError("an exponent beyond 32 bits, or primes of different lengths") from None
        case _:
            raise ValueError("unknown kind of key")
    return f"soft:{kind}:".encode() + secret


def read_signature(cert: Path, key: Path) -> Signature:
    """Read a certificate (its chain may follow in the same file) and its key."""
    certificates = read_certificates(cert)
    private = read_key(key)
    if certificates[0].public_key() != private.public_key():
        raise InputError(f"key {key} does not belong to the first certificate of {cert}")
    ders = [c.public_bytes(Encoding.DER) for c in certificates]
    return Signature(ders[0], tuple(ders[1:]), key_reference(private))


def parse_subject(text: str) -> list[list[str]]:
    """Turn `/O=Example/CN=device 1` into pairs; `\\/` is a slash inside a value, as for `openssl`."""
    if not text.startswith("/"):
        raise InputError(f"subject {text!r} does not start with '/': write it as /O=Example/CN=name")
    pairs = []
    for part in re.split(r"(?<!\\)/", text[1:]):
        attribute, equals, value = part.partition("=")
        if not (attribute and equals and value):
            raise InputError(f"subject part {part!r} is not ATTRIBUTE=value")
        pairs.append([attribute, value.replace("\\/", "/")])
    return pairs


def parse_san(text: str) -> list:
    """Turn one subjectAltName into a row of the device's configuration.

    `dns:`, `ip:`, `uri:`, `email:`, `dirname:/CN=x`, `hw:OID:HEX` (hardwareModuleName) or, without it, by its look.
    """
    kind, colon, value = text.partition(":")
    if kind == "dirname" and colon:
        return ["dirname", parse_subject(value)]
    if kind == "hw" and colon:
        return ["hardware", *_oid_and_hex(value)]
    if colon and kind.lower() in ("dns", "ip", "uri", "email"):
        return [kind.lower(), value]
    try:
        return ["ip", str(ipaddress.ip_address(text))]
    except ValueError:
        pass
    if "://" in text:
        return ["uri", text]
    return ["email" if "@" in text else "dns", text]


def _oid_and_hex(text: str) -> list:
    oid, _, value = text.partition(":")
    try:
        bytes.fromhex(value)
        x509.ObjectIdentifier(oid)
    except ValueError:
        raise InputError(f"{text!r} is not OID:HEX") from None
    return [oid, value]


def parse_value(text: str, empty: bool = False) -> list:
    """Turn `OID:HEX` into [OID, HEX]; where `empty` is allowed, `OID` alone has no value."""
    if empty and ":" not in text:
        return [_oid_and_hex(text + ":")[0], None]
    return _oid_and_hex(text)


def parse_extension(text: str) -> list:
    """Turn `OID:HEX` or `OID!:HEX` (critical) into [OID, critical, HEX]."""
    oid, value = _oid_and_hex(text.replace("!:", ":", 1))
    return [oid, "!:" in text, value]


def certificate_der(certificate: x509.Certificate) -> bytes:
    """The DER of a certificate."""
    return certificate.public_bytes(Encoding.DER)


def read_request(path: Path) -> bytes:
    """Read a PKCS #10 request in PEM; returns its DER."""
    try:
        return x509.load_pem_x509_csr(read_file(path, "request file")).public_bytes(Encoding.DER)
    except ValueError:
        raise InputError(f"{path} holds no readable PEM request") from None


def read_text_secret(path: Path) -> str:
    """Read a secret that goes into a UTF8String."""
    try:
        return read_secret("", path).value.decode()
    except UnicodeDecodeError:
        raise InputError(f"secret file {path} is not UTF-8") from None


# names of attributes as the device's configuration has them
_ATTRIBUTES = {
    "CN": NameOID.COMMON_NAME, "serialNumber": NameOID.SERIAL_NUMBER, "C": NameOID.COUNTRY_NAME,
    "L": NameOID.LOCALITY_NAME, "ST": NameOID.STATE_OR_PROVINCE_NAME, "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "DC": NameOID.DOMAIN_COMPONENT, "emailAddress": NameOID.EMAIL_ADDRESS,
}  # fmt: skip


def name_der(text: str) -> bytes:
    """Return the DER of a name written as /O=x/CN=y."""
    try:
        pairs = [x509.NameAttribute(_ATTRIBUTES[attribute], value) for attribute, value in parse_subject(text)]
    except KeyError as e:
        raise InputError(f"name {text!r} has the unknown attribute {e.args[0]}") from None
    except ValueError as e:
        raise InputError(f"name {text!r}: {e}") from None
    return x509.Name(pairs).public_bytes()


def serial_octets(text: str) -> bytes:
    """Return the content octets of the INTEGER written as HEX, with or without 0x."""
    try:
        number = int(text, 16)
    except ValueError:
        raise InputError(f"serial number {text!r} is not hexadecimal") from None
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def crl_status_list(certificate: Path) -> bytes:
    """The value of crlStatusList that asks for the CRL of the issuer of a certificate, RFC 9810 5.3.19.17.

    CRLStatus ::= SEQUENCE { source CHOICE { dpn [0], issuer [1] GeneralNames }, thisUpdate OPTIONAL }, tags explicit
    """
    issuer = read_certificates(certificate)[0].issuer.public_bytes()
    return _tlv(0x30, _tlv(0x30, _tlv(0xA1, _tlv(0x30, _tlv(0xA4, issuer)))))


def _tlv(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content
