"""Keys that a user hands to a command reach the device as what they are, or are refused in one line."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from certlet.crypto import soft
from certlet.der import Writer
from certlet.x509.algorithm import write_spki
from certlet_host.credentials import InputError, key_reference, read_key

GOOD = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p256 of a small scalar": lambda: ec.derive_private_key(1, ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa3072, e = 3": lambda: rsa.generate_private_key(3, 3072),
}
BAD = {
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "ed448": ed448.Ed448PrivateKey.generate,
    "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
}


def write(path, key, encryption=None):
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()))
    return path


@pytest.mark.parametrize("kind", GOOD)
def test_the_device_loads_the_same_key(tmp_path, kind):
    key = read_key(write(tmp_path / "key.pem", GOOD[kind]()))
    writer = Writer()
    write_spki(writer, soft.load(key_reference(key)))
    assert writer.bytes() == key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("kind", BAD)
def test_other_keys_are_refused(tmp_path, kind):
    with pytest.raises(InputError, match="kind that boards do not use"):
        read_key(write(tmp_path / "key.pem", BAD[kind]()))


def test_files_that_are_no_keys_are_refused(tmp_path):
    path = tmp_path / "key.pem"
    with pytest.raises(InputError, match="cannot be read"):
        read_key(path)
    path.write_text("no key")
    with pytest.raises(InputError, match="no readable PEM key"):
        read_key(path)
    with pytest.raises(InputError, match="encrypted"):
        read_key(write(path, GOOD["p256"](), BestAvailableEncryption(b"x")))
