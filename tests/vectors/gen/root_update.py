"""Root updates for the device tests: what the lab CA tells after a rollover, whole and forged (RFC 9810 4.4.2, 5.3.19.15)."""

import datetime
import json
import tempfile
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from certlet_host.ca import der
from certlet_host.ca.state import open_state


def generate(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        found = []
        for name in ("ours", "other"):
            state = open_state(Path(temporary) / name)
            old_key = load_pem_private_key((state.folder / "root.key").read_bytes(), None)
            state.authority.roll_over()
            update = state.authority.update
            parts = (update.old, state.authority.root.certificate, update.new_with_old, update.old_with_new)
            found.append([part.public_bytes(Encoding.DER) for part in parts])
            state.store.close()
            if name == "ours":
                usurpers = [usurped(old_key, update.old, *flaw) for flaw in FLAWS]
    (old, new, link, back), (stranger, strange_new, strange_link, strange_back) = found
    # what it is; newWithNew, newWithOld, oldWithNew; is the new root vouched for by the old one?
    rows = [
        ("all three", new, link, back, True),
        ("no oldWithNew", new, link, None, True),
        ("no newWithOld", new, None, back, False),
        ("newWithNew alone", new, None, None, False),
        ("one bit of newWithNew wrong", flipped(new), link, back, False),
        ("one bit of newWithOld wrong", new, flipped(link), back, False),
        ("one bit of oldWithNew wrong", new, link, flipped(back), False),
        ("newWithNew of another CA", strange_new, link, back, False),
        ("newWithOld of another CA", new, strange_link, back, False),
        ("oldWithNew of another CA", new, link, strange_back, False),
        ("all three of another CA", strange_new, strange_link, strange_back, False),
        ("newWithOld holds the old key", new, old, back, False),
        ("newWithNew in the place of newWithOld", new, new, back, False),
        ("oldWithNew holds the new key", new, link, new, False),
        *((title, usurper, certified, None, False) for title, usurper, certified in usurpers),
    ]
    cases = [
        {"title": title, "value": value(*certificates).hex(), "good": good} for title, *certificates, good in rows
    ]
    data = {"old": old.hex(), "stranger": stranger.hex(), "new": new.hex(), "now": int(time.time()), "cases": cases}
    (folder / "root_update.json").write_text(json.dumps(data))


# whom the old root certified for another purpose: title, subject, is it a CA, its pathLen, its keyUsage
FLAWS = (
    ("newWithOld is of an end entity", None, False, None, "digital_signature"),
    ("newWithOld is of a CA that must not sign certificates", None, True, None, "digital_signature"),
    ("newWithOld is of a CA below which no other may be", None, True, 0, "key_cert_sign"),
    ("newWithOld is of a sub-CA", "a sub-CA", True, None, "key_cert_sign"),
)


def usurped(old_key, old, title, subject, is_ca, path_length, usage) -> tuple[str, bytes, bytes]:
    """A self-signed "root" over a key that the old root really certified, and that certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]) if subject else old.subject
    now = datetime.datetime.now(datetime.UTC)

    def certificate(signer, issuer, ca, length, flag):
        usages = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False,
        )  # fmt: skip
        builder = (
            x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca, length), critical=True)
            .add_extension(x509.KeyUsage(**{**usages, flag: True}), critical=True)
        )  # fmt: skip
        return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)

    own = certificate(key, name, True, None, "key_cert_sign")
    return title, own, certificate(old_key, old.subject, is_ca, path_length, usage)


def value(new: bytes, link: bytes | None, back: bytes | None) -> bytes:
    """The RootCaKeyUpdateContent."""
    tagged = [der.explicit(i, part) for i, part in enumerate((link, back)) if part]
    return der.sequence(new, *tagged)


def flipped(certificate: bytes) -> bytes:
    """The certificate with one bit of its signature wrong."""
    return certificate[:-1] + bytes([certificate[-1] ^ 1])
