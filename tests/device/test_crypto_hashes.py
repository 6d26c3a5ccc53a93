"""Digests, HMAC, PBKDF2, AES-CBC and the AES key wrap of the software backend against published vectors."""

from certlet.crypto import soft
from certlet.errors import CryptoError, Unsupported
from support import raises, vectors


def _check_digests(alg):
    rows = vectors("crypto_" + alg)
    assert len(rows) > 70
    for message, expected in rows:
        message = bytes.fromhex(message)
        assert soft.digest(alg, message).hex() == expected, (alg, len(message))


def test_sha1():
    _check_digests("sha1")


def test_sha256():
    _check_digests("sha256")


def test_sha384():
    _check_digests("sha384")


def test_sha512():
    _check_digests("sha512")


def test_parts_are_concatenated():
    message = bytes(range(256)) * 2
    for alg in ("sha1", "sha256", "sha384", "sha512"):
        whole = soft.digest(alg, message)
        for cut in (0, 1, 63, 64, 111, 112, 127, 128, 129, 300, 512):
            view = memoryview(message)
            assert soft.digest(alg, view[:cut], b"", bytearray(view[cut:])) == whole, (alg, cut)


def test_hmac():
    rows = vectors("crypto_hmac")
    assert len(rows) == 25
    for alg, key, message, expected in rows:
        message = bytes.fromhex(message)
        assert soft.hmac(alg, bytes.fromhex(key), message[:5], message[5:]).hex() == expected, (alg, key)


def test_hmac_key_of_one_block_is_not_hashed():
    for alg, block in (("sha256", 64), ("sha512", 128)):
        assert soft.hmac(alg, b"k" * block, b"x") != soft.hmac(alg, soft.digest(alg, b"k" * block), b"x")
        assert soft.hmac(alg, b"k" * (block + 1), b"x") == soft.hmac(alg, soft.digest(alg, b"k" * (block + 1)), b"x")


def test_repeat_digest():
    for alg in ("sha1", "sha256", "sha512"):
        one = soft.digest(alg, b"secret", b"salt")
        assert soft.repeat_digest(alg, b"secretsalt", 1) == one
        assert soft.repeat_digest(alg, b"secretsalt", 3) == soft.digest(alg, soft.digest(alg, one))


def test_pbkdf2_sha1():
    for password, salt, iterations, length, key in vectors("crypto_pbkdf2_sha1"):
        made = soft.pbkdf2("sha1", bytes.fromhex(password), bytes.fromhex(salt), iterations, length)
        assert made.hex() == key, iterations


def test_pbkdf2_sha256():
    for password, salt, iterations, length, key in vectors("pbkdf2_sha256"):
        made = soft.pbkdf2("sha256", bytes.fromhex(password), bytes.fromhex(salt), iterations, length)
        assert made.hex() == key, iterations


def test_pbkdf2_sha512_is_its_definition():
    u1 = soft.hmac("sha512", b"password", b"salt\x00\x00\x00\x01")
    u2 = soft.hmac("sha512", b"password", u1)
    expected = bytes([a ^ b for a, b in zip(u1, u2)])
    assert soft.pbkdf2("sha512", b"password", b"salt", 2, 40) == expected[:40]


def _check_aes(name, count):
    rows = vectors(name)
    assert len(rows) == count
    for key, iv, plain, cipher, direction in rows:
        key, iv, plain, cipher = [bytes.fromhex(text) for text in (key, iv, plain, cipher)]
        if direction == "encrypt":
            assert soft.aes_cbc(key, iv, plain, True) == cipher, key.hex()
        else:
            assert soft.aes_cbc(key, iv, cipher, False) == plain, key.hex()


def test_aes128_cbc():
    _check_aes("crypto_aes128", 588)


def test_aes256_cbc():
    _check_aes("crypto_aes256", 830)


def test_key_wrap():
    rows = vectors("crypto_keywrap")
    assert len(rows) > 60 and len([row for row in rows if row[1] is None]) > 10
    for kek, plain, cipher in rows:
        kek, cipher = bytes.fromhex(kek), bytes.fromhex(cipher)
        if plain is None:
            raises(CryptoError, 214, soft.aes_unwrap, kek, cipher)
        else:
            assert soft.aes_unwrap(kek, memoryview(cipher)).hex() == plain
            assert soft.aes_wrap(kek, memoryview(bytes.fromhex(plain))) == cipher


# what is refused: class, code, function, arguments
_REFUSED = (
    (CryptoError, 208, soft.aes_cbc, (bytes(24), bytes(16), bytes(16), True)),
    (CryptoError, 208, soft.aes_cbc, (bytes(15), bytes(16), bytes(16), True)),
    (CryptoError, 208, soft.aes_cbc, (b"", bytes(16), bytes(16), True)),
    (CryptoError, 208, soft.aes_cbc, (bytes(16), bytes(15), bytes(16), True)),
    (CryptoError, 208, soft.aes_cbc, (bytes(16), bytes(17), bytes(16), False)),
    (CryptoError, 208, soft.aes_cbc, (bytes(16), bytes(16), bytes(15), True)),
    (CryptoError, 208, soft.aes_cbc, (bytes(16), bytes(16), bytes(17), False)),
    (CryptoError, 208, soft.aes_wrap, (bytes(24), bytes(16))),
    (CryptoError, 208, soft.aes_wrap, (bytes(16), bytes(8))),
    (CryptoError, 208, soft.aes_wrap, (bytes(16), bytes(17))),
    (CryptoError, 208, soft.aes_wrap, (bytes(16), b"")),
    (CryptoError, 208, soft.aes_unwrap, (b"", bytes(24))),
    (CryptoError, 208, soft.aes_unwrap, (bytes(16), bytes(16))),
    (CryptoError, 208, soft.aes_unwrap, (bytes(16), bytes(25))),
    (CryptoError, 208, soft.aes_unwrap, (bytes(16), b"")),
    (CryptoError, 214, soft.aes_unwrap, (bytes(16), bytes(24))),
    (CryptoError, 208, soft.repeat_digest, ("sha256", b"x", 0)),
    (CryptoError, 208, soft.pbkdf2, ("sha256", b"x", b"salt", 0, 32)),
    (CryptoError, 208, soft.pbkdf2, ("sha256", b"x", b"salt", 1, 0)),
    (Unsupported, 204, soft.digest, ("md5", b"x")),
    (Unsupported, 204, soft.digest, ("sha224", b"x")),
    (Unsupported, 204, soft.hmac, ("md5", b"k", b"x")),
    (Unsupported, 204, soft.repeat_digest, ("SHA256", b"x", 1)),
    (Unsupported, 204, soft.pbkdf2, ("", b"x", b"salt", 1, 32)),
)


def test_refused():
    for error, code, function, arguments in _REFUSED:
        raises(error, code, function, *arguments)
