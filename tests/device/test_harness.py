"""The harness itself: what device tests may rely on, on either runtime."""

from certlet.errors import Error, ProtocolError
from support import Skip, raises, skip


def _fail(code):
    raise ProtocolError(code)


def test_raises_returns_the_error():
    assert raises(ProtocolError, 102, _fail, 102).code == 102
    assert raises(Error, None, _fail, 103).code == 103


def test_raises_fails_on_another_code_or_silence():
    raises(AssertionError, None, raises, ProtocolError, 101, _fail, 102)
    raises(AssertionError, None, raises, ProtocolError, 101, len, b"")


def test_another_class_passes_through():
    try:
        raises(ValueError, None, _fail, 102)
    except ProtocolError:
        return
    raise AssertionError("ProtocolError was swallowed")


def test_skip_ends_the_test():
    try:
        skip("reason")
    except Skip as error:
        assert str(error) == "reason"
        return
    raise AssertionError("went on")


def test_aes():
    import cryptolib

    # SP 800-38A F.2.1 (CBC-AES128), first two blocks in two calls: the state chains.
    key, iv = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), bytes(range(16))
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
    cipher = bytes.fromhex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2")
    aes = cryptolib.aes(key, 2, iv)
    assert aes.encrypt(plain[:16]) + aes.encrypt(memoryview(plain)[16:]) == cipher
    out = bytearray(cipher)
    assert cryptolib.aes(key, 2, iv).decrypt(out, out) is out and out == plain
    for args in ((key[:15], 2, iv), (key, 3), (key, 2), (key, 2, iv[:15])):
        raises(ValueError, None, cryptolib.aes, *args)
    raises(ValueError, None, cryptolib.aes(key, 1).encrypt, plain[:15])
    raises(ValueError, None, aes.decrypt, plain)
