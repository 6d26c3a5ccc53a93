"""RSA of the software backend: published vectors, forgeries that must fail, keys made here."""

from certlet.crypto import soft
from certlet.crypto.soft import powmod, rsa, rsa_generate, rsa_key
from certlet.errors import BadSignature, CryptoError, Unsupported
from support import raises, vectors

_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")  # DigestInfo before the digest, RFC 8017 9.2
_made = []


def _key():
    # One generated key serves all tests of this file.
    if not _made:
        _made.append(soft.generate("rsa2048"))
    return _made[0]


def _known(kind):
    v = vectors("crypto_rsa_private")[kind]
    return soft.load(b"soft:rsa:" + bytes.fromhex(v["secret"])), v


def _judge(alg, rows):
    seen = {"P": 0, "F": 0, "K": 0}
    for hash, public, digest, signature, result in rows:
        arguments = (alg, bytes.fromhex(public), bytes.fromhex(signature), bytes.fromhex(digest), hash)
        seen[result] += 1
        if result == "P":
            soft.verify(*arguments)
        elif result == "K":
            raises(CryptoError, 213, soft.verify, *arguments)
        else:
            raises(BadSignature, 211, soft.verify, *arguments)
    return seen


def test_pkcs1_verification():
    seen = _judge("rsa", vectors("crypto_rsa_verify"))
    assert seen["P"] > 40 and seen["F"] > 100 and seen["K"]


def test_pss_verification():
    seen = _judge("rsa-pss", vectors("crypto_rsa_pss"))
    assert seen["P"] == 15 and seen["F"] > 60


def test_signatures_made_elsewhere():
    rows = vectors("crypto_rsa_made")
    assert len(rows) == 24 and [len(row[2]) for row in rows[::6]] == [520, 522, 524, 776]
    for scheme, hash, public, digest, signature in rows:
        public, digest, signature = [bytes.fromhex(text) for text in (public, digest, signature)]
        soft.verify(scheme, public, signature, digest, hash)
        soft.verify(scheme, public, memoryview(signature), memoryview(digest))
        other = "rsa" if scheme == "rsa-pss" else "rsa-pss"
        raises(BadSignature, 211, soft.verify, other, public, signature, digest, hash)
        changed = bytearray(signature)
        changed[len(changed) // 2] ^= 16
        raises(BadSignature, 211, soft.verify, scheme, public, bytes(changed), digest, hash)
        raises(BadSignature, 211, soft.verify, scheme, public, signature, bytes(len(digest)), hash)


def test_pkcs1_signatures():
    key, v = _known("sign")
    assert key.public().hex() == v["public"]
    for message, signature in v["rows"]:
        assert key.sign(soft.digest("sha1", bytes.fromhex(message))).hex() == signature


def test_decryption():
    key, v = _known("decrypt")
    for message, cipher in v["rows"]:
        assert key.decrypt(bytes.fromhex(cipher), len(message) // 2).hex() == message


def _forged(e, encoded, size):
    # The smallest s whose e-th power is at least `encoded`: its top octets are those, the rest is as it comes.
    low, high = 0, 1 << 8 * size // e + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**e < encoded else (low, middle)
    return high.to_bytes(size, "big")


def test_a_forgery_with_garbage_behind_the_digest():
    """Bleichenbacher's of 2006: with e = 3 anybody can take the cube root of a message whose end does not matter."""
    public = bytes.fromhex([row for row in vectors("crypto_rsa_made") if len(row[2]) == 520][0][2])
    assert public[:4] == b"\0\0\0\3"
    digest = soft.digest("sha256", b"forged")
    head = b"\x00\x01" + b"\xff" * 8 + b"\x00" + _SHA256 + digest
    signature = _forged(3, int.from_bytes(head + bytes(256 - len(head)), "big"), 256)
    assert pow(int.from_bytes(signature, "big"), 3).to_bytes(256, "big")[: len(head)] == head
    raises(BadSignature, 211, soft.verify, "rsa", public, signature, digest)


def _encodings(digest):
    # What a lenient parser would let pass, 256 octets each.
    def padded(info, kind=b"\x01", fill=b"\xff", end=b"\x00"):
        return b"\x00" + kind + fill * (254 - len(info) - len(end)) + end + info

    info = _SHA256 + digest
    no_null = bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + digest
    long_length = bytes.fromhex("308131300d060960864801650304020105000420") + digest
    return (
        ("good", padded(info)),
        ("parameters absent", padded(no_null)),
        ("length in long form", padded(long_length)),
        ("NULL with content", padded(bytes.fromhex("3033300f0609608648016503040201050278780420") + digest)),
        ("octets behind the digest", padded(info + b"\0\0\0\0")),
        ("eight octets of padding, garbage at the end", b"\0\1" + b"\xff" * 8 + b"\0" + info + bytes(256 - 11 - len(info))),
        ("block type 0", padded(info, b"\x00", b"\x00", b"")),
        ("block type 2", padded(info, b"\x02")),
        ("padding of other octets", padded(info, fill=b"\xfe")),
        ("no zero before the digest", padded(info, end=b"")),
        ("the digest alone", padded(digest)),
        ("another hash's identifier", padded(bytes.fromhex("3031300d060960864801650304020205000420") + digest)),
        ("no padding at all", bytes(256 - len(info)) + info),
    )


def test_paddings():
    key = _key()
    digest = soft.digest("sha256", b"x")
    for why, encoded in _encodings(digest):
        assert len(encoded) == 256, why
        signature = key.apply(int.from_bytes(encoded, "big")).to_bytes(256, "big")
        if why == "good":
            assert signature == key.sign(digest) == key.sign(digest, "sha256")
            soft.verify("rsa", key.public(), signature, digest)
        else:
            assert raises(BadSignature, 211, soft.verify, "rsa", key.public(), signature, digest), why


def test_pss_paddings():
    from certlet.crypto.soft import pss

    key = _key()
    digest = soft.digest("sha256", b"x")
    good = pss.encode(digest, "sha256", 2047, b"s" * 32)
    rows = [
        ("good", good),
        ("trailer", good[:255] + b"\xcc"),
        ("top bit", bytes([good[0] | 0x80]) + good[1:]),
        ("salt of 20 octets", pss.encode(digest, "sha256", 2047, b"s" * 20)),
        ("salt of 33 octets", pss.encode(digest, "sha256", 2047, b"s" * 33)),
        ("no salt", pss.encode(digest, "sha256", 2047, b"")),
        ("another digest", pss.encode(bytes(32), "sha256", 2047, b"s" * 32)),
        ("padding not zero", bytes([good[0] ^ 1]) + good[1:]),
        ("one bit of the hash", good[:230] + bytes([good[230] ^ 1]) + good[231:]),
        ("zeros", bytes(256)),
    ]
    n = int.from_bytes(key.public()[4:], "big")
    for why, encoded in rows:
        m = int.from_bytes(encoded, "big")
        if m < n:
            signature = key.apply(m).to_bytes(256, "big")
            arguments = ("rsa-pss", key.public(), signature, digest)
            if why == "good":
                soft.verify(*arguments)
            else:
                assert raises(BadSignature, 211, soft.verify, *arguments), why
    one = key.sign(digest, pss=True)
    two = key.sign(digest, "sha256", True)
    assert one != two
    soft.verify("rsa-pss", key.public(), one, digest)
    soft.verify("rsa-pss", key.public(), two, digest, "sha256")


def test_signatures_out_of_range():
    key = _key()
    digest = soft.digest("sha256", b"x")
    good = key.sign(digest)
    n = int.from_bytes(key.public()[4:], "big")
    s = int.from_bytes(good, "big")
    rows = [b"", b"\0", good[:255], good + b"\0", b"\0" + good, bytes(256), n.to_bytes(256, "big"), b"\xff" * 256]
    if s + n < 1 << 2048:
        rows.append((s + n).to_bytes(256, "big"))
    rows += [(s + n).to_bytes(257, "big"), (n - s).to_bytes(256, "big"), (1).to_bytes(256, "big"), (n - 1).to_bytes(256, "big")]
    for signature in rows:
        for scheme in ("rsa", "rsa-pss"):
            raises(BadSignature, 211, soft.verify, scheme, key.public(), signature, digest)


def test_public_keys_that_are_refused():
    key = _key()
    digest = soft.digest("sha256", b"x")
    signature = key.sign(digest)
    n = key.public()[4:]
    e = b"\0\1\0\1"
    rows = (
        ("nothing", b""),
        ("no modulus", e),
        ("1024 bits", e + n[:127] + b"\1"),
        ("2047 bits", e + b"\x7f" + n[1:]),
        ("2047 bits in 257 octets", e + b"\0\x7f" + n[1:]),
        ("led by a zero", e + b"\0" + n),
        ("4104 bits", e + n + n + b"\1"),
        ("even modulus", e + n[:255] + bytes([n[255] & 0xFE])),
        ("e = 0", bytes(4) + n),
        ("e = 1", b"\0\0\0\1" + n),
        ("e = 2", b"\0\0\0\2" + n),
        ("e = 65536", b"\0\1\0\0" + n),
    )
    for why, public in rows:
        assert raises(CryptoError, 213, soft.verify, "rsa", public, signature, digest), why
        assert raises(CryptoError, 213, soft.encrypt, "rsa", public, b"x"), why
    raises(BadSignature, 211, soft.verify, "rsa", b"\0\0\0\3" + n, signature, digest)


def test_hashes():
    key = _key()
    for hash in ("sha1", "sha256", "sha384", "sha512"):
        digest = soft.digest(hash, b"x")
        signature = key.sign(digest, hash)
        soft.verify("rsa", key.public(), signature, digest)
        soft.verify("rsa", key.public(), signature, digest, hash)
    raises(CryptoError, 208, key.sign, bytes(31))
    raises(CryptoError, 208, key.sign, bytes(32), "sha384")
    raises(CryptoError, 208, soft.verify, "rsa", key.public(), bytes(256), bytes(28))
    raises(Unsupported, 204, key.sign, bytes(16), "md5")
    raises(Unsupported, 204, soft.verify, "rsa-oaep", key.public(), bytes(256), bytes(32))


def test_encryption():
    key = _key()
    for length in (1, 16, 32, 245):
        data = bytes(range(length))
        one = soft.encrypt("rsa", key.public(), data)
        assert len(one) == 256 and one != soft.encrypt("rsa", key.public(), data)
        assert key.decrypt(one, length) == data
    raises(CryptoError, 208, soft.encrypt, "rsa", key.public(), bytes(246))


def test_bad_padding_decrypts_to_something_that_tells_nothing():
    key = _key()
    n = int.from_bytes(key.public()[4:], "big")

    def encrypted(encoded):
        return pow(int.from_bytes(encoded, "big"), 65537, n).to_bytes(256, "big")

    secret = b"sixteen octets.."
    good = b"\0\2" + b"\x55" * 237 + b"\0" + secret
    assert key.decrypt(encrypted(good), 16) == secret
    rows = (
        ("first octet", b"\1" + good[1:]),
        ("type 1", b"\0\1" + good[2:]),
        ("type 0", b"\0\0" + good[2:]),
        ("no zero before the text", good[:239] + b"\1" + good[240:]),
        ("zero too early", good[:50] + b"\0" + good[51:]),
        ("zero right at the start", good[:2] + b"\0" + good[3:]),
        ("text one shorter", good[:240] + b"\0" + good[241:]),
        ("no padding", bytes(240) + secret),
    )
    seen = [secret]
    for why, encoded in rows:
        cipher = encrypted(encoded)
        got = key.decrypt(cipher, 16)
        assert len(got) == 16 and got not in seen, why
        assert key.decrypt(cipher, 16) == got, "the same every time"
        assert soft.load(key.ref).decrypt(cipher, 16) == got, "and after a restart"
        seen.append(got)
    for length in (15, 17, 200):
        assert key.decrypt(encrypted(good), length)[:15] not in good
    for data, length in ((b"", 16), (bytes(255), 16), (bytes(257), 16), (n.to_bytes(256, "big"), 16), (bytes(256), 0), (bytes(256), 246)):
        raises(CryptoError, 208, key.decrypt, data, length)


def test_references_and_components():
    key = _key()
    assert key.alg == "rsa" and key.backend == "soft"
    assert len(key.ref) == 9 + 260 and key.ref == b"soft:rsa:" + key.export()
    again = soft.load(memoryview(key.ref))
    assert again.public() == key.public()
    n, e, d, p, q, dp, dq, inverse = [int.from_bytes(octets, "big") for octets in key.components()]
    assert p * q == n and e == 65537 and pow(pow(3, e, n), d, n) == 3
    assert dp == d % (p - 1) and dq == d % (q - 1) and inverse * q % p == 1
    assert p >> 1022 == q >> 1022 == 3


def _divisor(number):
    # An odd divisor: of p - 1, no exponent can have it. None if all are large.
    for e in range(3, 1 << 16, 2):
        if number % e == 0:
            return e.to_bytes(4, "big")
    return None


def test_bad_references():
    secret = _key().export()
    e, p, q = secret[:4], secret[4:132], secret[132:]
    rows = [
        b"",
        secret[:-1],
        secret[:-2],
        secret + bytes(256),
        secret + bytes(258),
        e + p + p,
        e + bytes(128) + q,
        e + p + bytes(128),
        e + bytes([p[0] & 0x7F]) + p[1:] + bytes([q[0] & 0x7F]) + q[1:],
        e + p[:127] + bytes([p[127] & 0xFE]) + q,
        bytes(4) + p + q,
        b"\0\0\0\2" + p + q,
    ]
    divisor = _divisor(int.from_bytes(p, "big") - 1)
    if divisor:
        rows.append(divisor + p + q)
    for wrong in rows:
        assert raises(CryptoError, 206, soft.load, b"soft:rsa:" + wrong), wrong[:8]
    raises(CryptoError, 205, soft.load, b"soft:rs:" + secret)


def test_wiped_keys_do_nothing():
    key = soft.load(_key().ref)
    public = key.public()
    key.wipe()
    assert key._secret[4:] == bytes(256) and key.public() == public
    for function, args in ((key.sign, (bytes(32),)), (key.decrypt, (bytes(256), 16)), (key.export, ()), (key.components, ())):
        raises(CryptoError, 210, function, *args)
    raises(CryptoError, 210, lambda: key.ref)


def test_faults_are_not_released():
    """One bit of one half is turned over: the sum would betray a prime (Boneh, DeMillo, Lipton)."""
    key = soft.load(_key().ref)
    real = rsa_key.powmod
    for at in (2, 3):
        calls = []

        def faulty(base, exponent, modulus, calls=calls, at=at):
            calls.append(1)
            result = real(base, exponent, modulus)
            return result ^ 1 if modulus >> 1024 == 0 and len(calls) % 4 == at else result

        rsa_key.powmod = faulty
        try:
            raises(CryptoError, 212, soft.load(key.ref).sign, bytes(32))
            raises(CryptoError, 212, soft.load(key.ref).decrypt, b"\1" * 256, 16)
        finally:
            rsa_key.powmod = real
    assert key.sign(bytes(32)) == _key().sign(bytes(32))


def test_blinding_varies_and_does_not_show():
    key = soft.load(_key().ref)
    seen = []
    real = rsa_key.powmod

    def watched(base, exponent, modulus):
        if modulus >> 1024 == 0:
            seen.append((base, exponent))
        return real(base, exponent, modulus)

    rsa_key.powmod = watched
    try:
        signatures = [key.sign(bytes(32)) for _ in range(3)]
    finally:
        rsa_key.powmod = real
    assert signatures[0] == signatures[1] == signatures[2]
    assert len(seen) == 6
    for i in range(6):
        for j in range(i):
            assert seen[i][0] != seen[j][0] and seen[i][1] != seen[j][1]


def test_powers():
    m = (1 << 521) - 1
    for base, exponent, modulus in ((0, 5, 7), (3, 0, 7), (2, 1 << 200, m), (m - 1, (1 << 300) + 1, m), (12345, m - 2, m), (5, 0xFFFFFFFF, m)):
        assert powmod.powmod(base, exponent, modulus) == pow(base, exponent, modulus)
    for exponent in (1, 15, 16, 1 << 100, m - 1, m // 2):
        assert powmod.power_of_two(exponent, m) == pow(2, exponent, m)


def test_small_primes_of_the_sieve():
    primes = list(rsa_generate._odd_primes())
    assert len(primes) == 6541 and primes[:5] == [3, 5, 7, 11, 13] and primes[-1] == 65521
    for p in primes[::97]:
        assert all([p % d for d in range(3, 256, 2) if d * d <= p]), p
    for start in (1, 3, 0x10001, (1 << 200) + 7):
        for p in (3, 5, 7, 251, 65521, 65537):
            i = rsa_generate._first(start, p)
            assert 0 <= i < p and (start + 2 * i) % p == 0


def test_primality():
    primes = (65537, (1 << 89) - 1, (1 << 127) - 1, (1 << 521) - 1)
    # strong pseudoprimes to base 2, Carmichael numbers, squares, products
    composites = (2047, 3277, 4033, 3215031751, 561, 41041, 65537 * 65537, ((1 << 89) - 1) * ((1 << 127) - 1))
    for n in primes:
        for base in (2, 3, 12345):
            assert rsa_generate._strong(n, base), n
    for n in composites:
        assert not all([rsa_generate._strong(n, base) for base in (2, 3, 5, 7, 11)]), n
    assert rsa_generate._strong(2047, 2)


def test_a_search_goes_on_after_a_restart():
    """The state after each of some steps leads another search to the same candidate."""
    search = soft.search("rsa2048")
    assert search.step() is None
    for _ in range(4):
        assert search.step() is None
        state = search.state()
        assert len(state) == 258
        other = soft.search("rsa2048", state)
        assert other.state() == state
        if state[130:] != bytes(128):
            other.step()
            assert other.state() == state, "the sieve finds the candidate prime to all small ones again"
    raises(CryptoError, 205, soft.search, "rsa2048", state[1:])
    raises(CryptoError, 205, soft.search, "rsa3072", state)
    raises(Unsupported, 204, soft.search, "rsa1024")


def test_a_search_ends_with_the_prime_that_it_had():
    """p is at hand, and q is where the search begins: it takes the sieve, and a test for each base."""
    key = _key()
    secret = key.export()
    p, q = secret[4:132], secret[132:]
    search = soft.search("rsa2048", bytes(2) + p + q)
    steps = 0
    found = None
    while found is None:
        found = search.step()
        steps += 1
    assert steps == 1 + 1 + 5
    assert found.export() == secret
    assert search.state() == bytes(258), "nothing of the key is left behind"


def test_primes_that_are_too_close_are_not_used():
    p = _key().export()[4:132]
    search = soft.search("rsa2048", bytes(2) + p + p)
    for _ in range(7):
        assert search.step() is None
    assert search.state() == bytes(2) + p + bytes(128), "p stays, q is looked for elsewhere"


def test_progress_is_told():
    done = []
    original = rsa_generate.Search

    class Short:
        def __init__(self, alg):
            self.left = 3

        def step(self):
            self.left -= 1
            return None if self.left else "key"

    rsa_generate.Search = Short
    try:
        assert soft.generate("rsa2048", done.append) == "key"
    finally:
        rsa_generate.Search = original
    assert done == [1, 2]


def test_sizes_of_keys():
    for alg, size in (("rsa2048", 128), ("rsa3072", 192), ("rsa4096", 256)):
        search = soft.search(alg)
        search.step()
        state = search.state()
        assert len(state) == 2 + 2 * size and state[2 + size] >= 0xC0 and state[-1] & 1
    assert rsa.decode(_key().public())[2] == 256
