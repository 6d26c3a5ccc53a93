"""Certificates and chains for the device tests, made by `cryptography`: names, dates and flaws as the rows below say."""

import datetime
import ipaddress
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
SIGN_CERTS = ("key_cert_sign", "crl_sign")


def usage(*names: str) -> x509.KeyUsage:
    flags = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
         "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    return x509.KeyUsage(**{**flags, **dict.fromkeys(names, True)})


KINDS = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
}


def pss(digest=None, mask=None, salt=padding.PSS.DIGEST_LENGTH):
    """PSS padding, with SHA-256 in all places unless another is named."""
    return padding.PSS(padding.MGF1(mask or digest or hashes.SHA256()), salt)


class Pki:
    """Issues certificates by name; every key is kept, so that a flaw is one changed argument."""

    def __init__(self) -> None:
        self.keys: dict[str, CertificateIssuerPrivateKeyTypes] = {}
        self.certificates: dict[str, x509.Certificate] = {}

    def key(self, name: str, kind: str = "p256") -> CertificateIssuerPrivateKeyTypes:
        if name not in self.keys:
            self.keys[name] = KINDS[kind]()
        return self.keys[name]

    def issue(
        self, name, issuer, *, subject=None, ca=None, path_len=None, key_usage=None, start=-1, end=365, extra=(),
        signing_key=None, digest=None, identifiers=True, issuer_name=None, kind="p256", pad=None,
    ):  # fmt: skip
        self.key(name, kind)
        subject_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject or name)])
        if issuer_name is None:
            issuer_name = self.certificates[issuer].subject if issuer in self.certificates else subject_name
        builder = (
            x509.CertificateBuilder().subject_name(subject_name).issuer_name(issuer_name)
            .public_key(self.key(name).public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(NOW + start * DAY).not_valid_after(NOW + end * DAY)
        )  # fmt: skip
        if ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(ca, path_len), critical=True)
        if key_usage:
            builder = builder.add_extension(usage(*key_usage), critical=True)
        if identifiers:
            issuer_key = self.key(issuer).public_key()
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key(name).public_key()), False)
            builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), False)
        for extension, critical in extra:
            builder = builder.add_extension(extension, critical)
        signer = self.key(signing_key or issuer)
        digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else digest or hashes.SHA256()
        certificate = builder.sign(signer, digest, rsa_padding=pad)
        self.certificates[name] = certificate
        return certificate


def unknown(critical: bool):
    return (x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00"), critical)


def chains() -> list[dict]:
    """Rows: what is special, the chain as pairs (name, arguments of `issue`), the code that is due (0: accepted)."""
    root = ("root", {"issuer": "root", "ca": True, "key_usage": SIGN_CERTS})
    middle = ("middle", {"issuer": "root", "ca": True, "path_len": 0, "key_usage": SIGN_CERTS})
    leaf = ("leaf", {"issuer": "middle", "key_usage": ("digital_signature",)})

    def but(row, **changes):
        return row[0], {**row[1], **changes}

    deep = [(f"ca{i}", {"issuer": f"ca{i - 1}" if i else "root", "ca": True}) for i in range(6)]
    rows = [
        ("root, intermediate, leaf", [root, middle, leaf], 0),
        ("leaf right below the root", [root, but(leaf, issuer="root")], 0),
        ("without key identifiers", [but(root, identifiers=False), but(middle, identifiers=False), but(leaf, identifiers=False)], 0),
        ("CA without keyUsage", [but(root, key_usage=None), but(middle, key_usage=None), leaf], 0),
        ("signed with SHA-384", [root, but(middle, digest=hashes.SHA384()), but(leaf, digest=hashes.SHA512())], 0),
        ("unknown extension, not critical", [root, middle, but(leaf, extra=[unknown(False)])], 0),
        ("validity beyond 2049", [but(root, end=365 * 40), but(middle, end=365 * 35), but(leaf, end=365 * 30)], 0),
        ("leaf expired", [root, middle, but(leaf, start=-10, end=-1)], 313),
        ("leaf not yet valid", [root, middle, but(leaf, start=1)], 312),
        ("intermediate expired", [root, but(middle, start=-10, end=-1), leaf], 313),
        ("intermediate not yet valid", [root, but(middle, start=1), leaf], 312),
        ("root expired", [but(root, start=-10, end=-1), middle, leaf], 313),
        ("intermediate is no CA", [root, but(middle, ca=False, path_len=None), leaf], 315),
        ("intermediate without basicConstraints", [root, but(middle, ca=None), leaf], 315),
        ("intermediate must not sign certificates", [root, but(middle, key_usage=("digital_signature",)), leaf], 317),
        ("root must not sign certificates", [but(root, key_usage=("crl_sign",)), middle, leaf], 317),
        ("root's path length exceeded", [but(root, path_len=0), but(middle, path_len=None), leaf], 316),
        ("intermediate's path length exceeded", [root, middle, ("low", {"issuer": "middle", "ca": True}), but(leaf, issuer="low")], 316),
        ("leaf signed by another key", [root, middle, but(leaf, signing_key="stranger")], 314),
        ("intermediate signed by another key", [root, but(middle, signing_key="stranger"), leaf], 314),
        ("unknown critical extension in the leaf", [root, middle, but(leaf, extra=[unknown(True)])], 318),
        ("unknown critical extension in a CA", [root, but(middle, extra=[unknown(True)]), leaf], 318),
        ("critical name constraints", [root, but(middle, extra=[(x509.NameConstraints([x509.DNSName("x")], None), True)]), leaf], 318),
        ("too many intermediates", [root, *deep, but(leaf, issuer="ca5")], 319),
        *other_keys(root, middle, leaf, but),
    ]  # fmt: skip
    out = []
    for title, members, code in rows:
        pki = Pki()
        if any(arguments.get("signing_key") == "root2" for _, arguments in members):
            pki.key("root2", "rsa2048")
        for name, arguments in members:
            pki.issue(name, **arguments)
        names = [name for name, _ in members]
        out.append(case(title, pki, names[-1], names[1:-1], names[:1], code))
    return out + special_chains()


def other_keys(root, middle, leaf, but) -> list[tuple]:
    """Rows as in `chains`, with other keys than P-256."""
    sha384, sha512 = hashes.SHA384(), hashes.SHA512()
    rsa_root, rsa_middle = but(root, kind="rsa2048"), but(middle, kind="rsa2048")
    return [
        ("RSA with SHA-256, SHA-384, SHA-512", [rsa_root, but(rsa_middle, digest=sha384), but(leaf, kind="rsa3072", digest=sha512)], 0),
        ("PSS with SHA-256 and SHA-512", [rsa_root, but(rsa_middle, pad=pss()), but(leaf, digest=sha512, pad=pss(sha512))], 0),
        ("P-384 above P-256", [but(root, kind="p384"), but(middle, kind="p384", digest=sha384), leaf], 0),
        ("P-256 above P-384", [root, but(middle, kind="p384"), but(leaf, kind="p384", digest=sha384)], 0),
        ("Ed25519", [but(root, kind="ed25519"), but(middle, kind="ed25519"), but(leaf, kind="ed25519")], 0),
        ("RSA, P-384, Ed25519", [rsa_root, but(middle, kind="p384"), but(leaf, kind="ed25519")], 0),
        ("Ed25519, RSA, P-256", [but(root, kind="ed25519"), rsa_middle, leaf], 0),
        ("PSS with a salt of 20 octets", [rsa_root, but(rsa_middle, pad=pss(salt=20)), leaf], 307),
        ("PSS with the longest salt", [rsa_root, but(rsa_middle, pad=pss(salt=222)), leaf], 307),
        ("PSS with two hashes", [rsa_root, but(rsa_middle, pad=pss(mask=sha512)), leaf], 307),
        ("RSA of 1024 bits", [but(root, kind="rsa1024"), middle, leaf], 213),
        ("RSA of 1024 bits in the middle", [root, but(middle, kind="rsa1024"), leaf], 213),
        ("a curve that is not known", [but(root, kind="p521"), middle, leaf], 306),
        ("RSA root, signed by another RSA key", [rsa_root, but(rsa_middle, signing_key="root2"), leaf], 314),
        ("RSA root, signed by an EC key", [rsa_root, but(middle, signing_key="stranger"), leaf], 314),
        ("Ed25519 root, signed by an EC key", [but(root, kind="ed25519"), but(middle, signing_key="stranger"), leaf], 314),
        ("EC root, signed by an RSA key", [root, but(middle, signing_key="root2"), leaf], 314),
        ("P-384 root, signed on P-256", [but(root, kind="p384"), but(middle, signing_key="stranger"), leaf], 314),
    ]  # fmt: skip


def special_chains() -> list[dict]:
    """What is not one straight line."""
    pki = Pki()
    pki.issue("root", "root", ca=True)
    pki.issue("middle", "root", ca=True)
    pki.issue("leaf", "middle")
    twin = Pki()
    twin.issue("root", "root", ca=True)
    rows = [
        case("intermediate not sent", pki, "leaf", [], ["root"], 311),
        case("no anchor at all", pki, "leaf", ["middle"], [], 311),
        case("root sent, not pinned", pki, "leaf", ["middle", "root"], [], 311),
        case("another root of the same name", pki, "leaf", ["middle"], [], 311),
        case("intermediate pinned as the anchor", pki, "leaf", [], ["middle"], 0),
        case("candidates in any order, with strangers", pki, "leaf", ["root", "leaf", "middle"], ["root"], 0),
    ]
    rows[3]["anchors"] = [der(twin.certificates["root"])]
    swapped = Pki()
    swapped.issue("root", "root", ca=True)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "  ROOT ", _type=x509.name._ASN1Type.PrintableString)])
    swapped.issue("leaf", "root", issuer_name=name)
    rows.append(case("issuer name in other letters and another string type", swapped, "leaf", [], ["root"], 0))
    loop = Pki()
    for member in ("a", "b"):
        loop.issue(member, member, ca=True)
    loop.issue("a", "b", ca=True)
    loop.issue("b", "a", ca=True)
    loop.issue("leaf", "a")
    rows.append(case("a loop of two CAs", loop, "leaf", ["a", "b"], [], 311))
    return rows


def case(title, pki, leaf, candidates, anchors, code) -> dict:
    get = pki.certificates
    return {
        "title": title,
        "leaf": der(get[leaf]),
        "candidates": [der(get[name]) for name in candidates],
        "anchors": [der(get[name]) for name in anchors],
        "code": code,
    }


def der(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.DER).hex()


def fields() -> dict:
    """One certificate with many extensions, and what a reader has to find in it."""
    pki = Pki()
    pki.issue("root", "root", ca=True)
    names = [x509.DNSName("a.example"), x509.IPAddress(ipaddress.ip_address("::1"))]
    extra = [
        (x509.SubjectAlternativeName(names), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), False),
    ]
    certificate = pki.issue("leaf", "root", ca=False, key_usage=("digital_signature", "key_agreement"), extra=extra)
    spki = certificate.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ski = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    aki = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    return {
        "der": der(certificate),
        "root": der(pki.certificates["root"]),
        "serial": f"{certificate.serial_number:040x}",
        "subject": certificate.subject.public_bytes().hex(),
        "issuer": certificate.issuer.public_bytes().hex(),
        "spki": spki.hex(),
        "not_before": int(certificate.not_valid_before_utc.timestamp()),
        "not_after": int(certificate.not_valid_after_utc.timestamp()),
        "ski": ski.hex(),
        "aki": aki.hex(),
    }


def keys() -> list[dict]:
    """A key of each kind: what the device stores of it, its SubjectPublicKeyInfo, the private key as `ssl` loads it."""
    encoding, plain = serialization.Encoding, serialization.NoEncryption()
    rows = []
    for kind in ("p256", "p384", "ed25519", "rsa2048", "rsa3072"):
        key = KINDS[kind]()
        form = serialization.PrivateFormat.TraditionalOpenSSL
        if kind == "ed25519":
            form = serialization.PrivateFormat.PKCS8
            secret = key.private_bytes_raw()
        elif kind.startswith("rsa"):
            known = key.private_numbers()
            size = key.key_size // 16
            secret = known.public_numbers.e.to_bytes(4) + known.p.to_bytes(size) + known.q.to_bytes(size)
        else:
            secret = key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8)
        spki = key.public_key().public_bytes(encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        private = key.private_bytes(encoding.DER, form, plain)
        alg = kind[:3] if kind.startswith("rsa") else kind
        rows.append({"alg": alg, "secret": secret.hex(), "spki": spki.hex(), "private": private.hex()})
    return rows


def moments() -> list[list]:
    """Pairs of GeneralizedTime text and seconds since 1970, around every corner of the calendar."""
    dates = [
        (1950, 1, 1), (1969, 12, 31), (1970, 1, 1), (1999, 12, 31), (2000, 2, 29), (2000, 3, 1), (2021, 1, 1), (2024, 2, 29),
        (2026, 11, 23), (2049, 12, 31), (2050, 1, 1), (2099, 2, 28), (2100, 3, 1), (2400, 2, 29), (9999, 12, 31),
    ]  # fmt: skip
    epoch = datetime.datetime(1970, 1, 1)
    times = [datetime.datetime(*date, 23, 59, 58) for date in dates]
    return [[f"{t:%Y%m%d%H%M%S}Z".rjust(15, "0"), int((t - epoch).total_seconds())] for t in times]


def generate(folder: Path) -> None:
    made = {"now": int(NOW.timestamp()), "chains": chains(), "fields": fields(), "keys": keys(), "moments": moments()}
    (folder / "x509.json").write_text(json.dumps(made))
