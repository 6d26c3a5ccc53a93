"""Opens what the lab CA encrypts: by `openssl cms`, and by hand where that cannot (AES key wrap under a password)."""

import hashlib
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from pyasn1.codec.der import decoder, encoder
from pyasn1.type import univ
from pyasn1_alt_modules import rfc5652, rfc8018


def plain(value):
    """The DER of a SEQUENCE without the tags that its place puts around it."""
    content = b"".join(encoder.encode(value[part]) for part in value if value[part].hasValue())
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def openssl(folder, words, data):
    if not shutil.which("openssl"):
        pytest.skip("no openssl in PATH")
    done = subprocess.run(["openssl", *words.split()], cwd=folder, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def content_info(oid, value):
    info = rfc5652.ContentInfo()
    info["contentType"] = oid
    info["content"] = value
    return encoder.encode(info)


def open_enveloped(folder, encrypted_key, key=None, certificate=None, password=None):
    """The content of EncryptedKey's EnvelopedData, by `openssl cms -decrypt`."""
    value = plain(encrypted_key["envelopedData"])
    words = "cms -decrypt -inform DER -binary"
    if password is not None:
        words += f" -pwri_password {password.decode()}"
    else:
        (folder / "k.pem").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ))
        words += " -inkey k.pem"
    if certificate is not None:
        (folder / "c.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        words += " -recip c.pem"
    return openssl(folder, words, content_info(rfc5652.id_envelopedData, value))


def open_under_secret(encrypted_key, secret):
    """The content of an EnvelopedData with one PWRI: PBKDF2 with HMAC-SHA256, AES key wrap."""
    value = encrypted_key["envelopedData"]
    info = value["recipientInfos"][0]["pwri"]
    derivation = decoder.decode(bytes(info["keyDerivationAlgorithm"]["parameters"]), asn1Spec=rfc8018.PBKDF2_params())[0]
    kek = hashlib.pbkdf2_hmac("sha256", secret, bytes(derivation["salt"]["specified"]),
                              int(derivation["iterationCount"]), int(derivation["keyLength"]))
    key = aes_key_unwrap(kek, bytes(info["encryptedKey"]))
    encrypted = value["encryptedContentInfo"]
    iv = decoder.decode(bytes(encrypted["contentEncryptionAlgorithm"]["parameters"]), asn1Spec=univ.OctetString())[0]
    decryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(iv))).decryptor()
    padded = decryptor.update(bytes(encrypted["encryptedContent"])) + decryptor.finalize()
    return padded[: -padded[-1]]


def verified_key(folder, signed, root):
    """The private key in a SignedData with a key package, whose signer `openssl cms -verify` chains to the root."""
    (folder / "root.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    value, rest = decoder.decode(signed, asn1Spec=rfc5652.SignedData())
    assert not rest
    words = "cms -verify -inform DER -binary -CAfile root.pem -purpose any"
    package = openssl(folder, words, content_info(rfc5652.id_signedData, encoder.encode(value)))
    keys, rest = decoder.decode(package)
    assert not rest and len(keys) == 1
    return serialization.load_der_private_key(encoder.encode(keys[0]), None)
