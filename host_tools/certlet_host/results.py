"""Writes what an operation brought: certificates, keys, CRLs, each file whole or not at all."""

import errno
import os
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from pyasn1.codec.der import decoder
from pyasn1.error import PyAsn1Error
from pyasn1.type import univ

# id-it, RFC 9810 app. F
_ID_IT = "1.3.6.1.5.5.7.4."
INFO_TYPES = {
    "signKeyPairTypes": 2,
    "encKeyPairTypes": 3,
    "preferredSymmAlg": 4,
    "caKeyUpdateInfo": 5,
    "currentCRL": 6,
    "unsupportedOIDs": 7,
    "caCerts": 17,
    "rootCaKeyUpdate": 18,
    "certReqTemplate": 19,
    "rootCaCert": 20,
    "crlStatusList": 22,
    "crls": 23,
}


def info_oid(name: str) -> str:
    """Return the dotted OID of an infoType: one of INFO_TYPES or dotted already."""
    return f"{_ID_IT}{INFO_TYPES[name]}" if name in INFO_TYPES else name


def info_name(oid: str) -> str:
    """Return the name of an infoType, or the OID if it has none here."""
    names = {f"{_ID_IT}{number}": name for name, number in INFO_TYPES.items()}
    return names.get(oid, oid)


def write(out: Path, answer: dict) -> None:
    """Write cert.pem, chain.pem, key.pem (0600, of a simulated board), and the items of a genp."""
    if answer.get("certificate"):
        write_identity(out, answer)
    for number, (oid, value) in enumerate(answer.get("infos", [])):
        if value is not None:
            _write_info(out, number, info_name(oid), bytes.fromhex(value))


def write_identity(out: Path, answer: dict) -> None:
    """Key, chain and certificate of one identity."""
    pem = [x509.load_der_x509_certificate(bytes.fromhex(h)) for h in (answer["certificate"], *answer["chain"])]
    texts = [certificate.public_bytes(Encoding.PEM) for certificate in pem]
    files = [("chain.pem", b"".join(texts[1:]), 0o644), ("cert.pem", texts[0], 0o644)]
    if "key" in answer:
        key = load_der_private_key(bytes.fromhex(answer.pop("key")), None)
        files.insert(0, ("key.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600))
    write_together(out, files)


def _write_info(out: Path, number: int, name: str, value: bytes) -> None:
    """infos/NN-NAME.der as it came; certificates and CRLs in it as NAME.pem and crlNN.pem beside it."""
    folder = out / "infos"
    folder.mkdir(exist_ok=True)
    write_whole(folder / f"{number:02}-{name}.der", value)
    try:
        parts = _parts(name, value)
    except (PyAsn1Error, ValueError):
        return  # the DER is there for whoever can read it
    if parts:
        write_whole(out / f"{name}.pem", b"".join(parts))


def _parts(name: str, value: bytes) -> list[bytes]:
    """The certificates or CRLs in the value of an item, as PEM."""
    if name in ("caCerts", "rootCaKeyUpdate"):
        return [_certificate(der) for der in _elements(value)]
    if name == "crls":
        return [_crl(der) for der in _elements(value)]
    return [_crl(value)] if name == "currentCRL" else []


def _elements(value: bytes) -> list[bytes]:
    """The elements of a SEQUENCE byte for byte, without the explicit tags around some of them."""
    sequence, rest = decoder.decode(value, asn1Spec=univ.SequenceOf(componentType=univ.Any()))
    if rest:
        raise ValueError("octets after the value")
    return [_untagged(bytes(element)) for element in sequence]


def _untagged(der: bytes) -> bytes:
    """The element inside an explicit context tag; any other element as it is."""
    if der[0] & 0xE0 != 0xA0:
        return der
    return der[2 + (der[1] & 0x7F if der[1] & 0x80 else 0) :]


def _certificate(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def _crl(der: bytes) -> bytes:
    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file by way of a temporary one beside it."""
    write_together(path.parent, [(path.name, data, mode)])


def write_together(folder: Path, files: list[tuple[str, bytes, int]]) -> None:
    """Write files that belong together: all are on the disk before the first takes its name; OSError: none did."""
    for name, _, _ in files:
        if (folder / name).is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder; nothing was written", str(folder / name))
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as staging:
        for name, data, mode in files:
            handle = os.open(Path(staging) / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
        for name, _, _ in files:
            os.replace(Path(staging) / name, folder / name)
