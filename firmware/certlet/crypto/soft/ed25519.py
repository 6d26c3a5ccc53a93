"""Ed25519 (RFC 8032, 5.1) in plain integers; the signed text itself goes in, not its digest.

Points are in extended coordinates: (X, Y, Z, T), x = X / Z, y = Y / Z, x * y = T / Z. The formulas are complete: no
sum of points is special. On side channels the words of `curve` apply.
"""

from micropython import const

from ...errors import BadSignature, CryptoError
from .curve import invert, naf, recode
from .entropy import random
from .hashes import digest, wipe

_CRYPTO_REFERENCE = const(205)
_CRYPTO_SCALAR = const(206)
_CRYPTO_POINT = const(207)
_CRYPTO_WIPED = const(210)
_CRYPTO_SIGNATURE = const(211)
_CRYPTO_FAULT = const(212)

P = const(0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFED)
L = const(0x1000000000000000000000000000000014DEF9DEA2F79CD65812631A5CF5D3ED)  # the order of the base point
_D = const(0x52036CEE2B6FFE738CC740797779E89800700A4D4141D8AB75EB4DCA135978A3)
_ROOT = const(0x2B8324804FC1DF0B2B4D00993DFBD7A72F431806AD2FE478C4EE1B274A0EA0B0)  # of -1

_PREFIX = b"soft:ed25519:"
_COLUMNS = const(52)  # of the comb
_BITS = const(260)  # 5 teeth x 52


def _double(x, y, z):
    # dbl-2008-hwcd of the Explicit-Formulas Database for a = -1; T is left to `_sum`, which alone needs it.
    a = x * x % P
    b = y * y % P
    e = (x + y) * (x + y) - a - b
    g = b - a
    f = (g - 2 * z * z) % P
    return e % P, f, g, -a - b


def _close(e, f, g, h):
    # The four products that end each formula.
    return e * f % P, g * h % P, f * g % P, e * h % P


def _twice(x, y, z, times):
    # 2^times * (x, y, z) with T.
    for _ in range(times - 1):
        e, f, g, h = _double(x, y, z)
        x, y, z = e * f % P, g * h % P, f * g % P
    return _close(*_double(x, y, z))


def _sum(x, y, z, t, minus, plus, tt, zz):
    # Add a point given as (Y - X, Y + X, 2 d T, 2 Z): add-2008-hwcd-3.
    a = (y - x) * minus % P
    b = (y + x) * plus % P
    c = t * tt % P
    d = z * zz % P
    return _close(b - a, d - c, d + c, b + a)


def _ready(x, y, z, t):
    # A point as the second one of `_sum`.
    return y - x, y + x, 2 * t * _D % P, 2 * z


def _column(signs, at):
    # The comb's point for the signs of bits at + 52 tooth, ready for `_sum` with Z = 2; see `p256.base`.
    from .ed25519_table import COMB

    index = 0
    for tooth in range(4):
        index |= (signs[at >> 3] >> (at & 7) & 1) << tooth
        at += _COLUMNS
    top = signs[at >> 3] >> (at & 7) & 1
    at = (index ^ (15 * (1 - top))) << 6
    minus = int.from_bytes(COMB[at : at + 32], "big")
    plus = int.from_bytes(COMB[at + 32 : at + 64], "big")
    if not top:
        minus, plus = plus, minus
    return 2 * minus, 2 * plus, (plus - minus) * (plus + minus) % P * _D % P, 4


def _base(k, mask):
    # k * B for 0 <= k < L, from a start scaled by the random integer `mask`: 51 doublings, 52 additions.
    signs = recode(k, L, _BITS)
    z = mask % P or 1
    x, y, t = 0, z, 0
    for at in range(_COLUMNS - 1, -1, -1):
        if at < _COLUMNS - 1:
            x, y, z, t = _twice(x, y, z, 1)
        x, y, z, t = _sum(*((x, y, z, t) + _column(signs, at)))
    return x, y, z, t


def _encode(x, y, z):
    # 5.1.2; the point has to be on the curve, or CryptoError: see `curve`.
    w = invert(z % P, P)
    x = x * w % P
    y = y * w % P
    xx = x * x % P
    yy = y * y % P
    if (yy - xx - 1 - _D * xx * yy) % P:
        raise CryptoError(_CRYPTO_FAULT)
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(octets):
    # 5.1.3, the root by the power (p - 5) / 8; None for octets that are no point, or not the one way to write it.
    y = int.from_bytes(octets, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    if len(octets) != 32 or y >= P:
        return None
    u = y * y - 1
    v = _D * y * y + 1
    x = u * v * v * v % P * pow(u * pow(v, 7, P) % P, (1 << 252) - 3, P) % P
    if (v * x * x - u) % P:
        x = x * _ROOT % P
    if (v * x * x - u) % P or (sign and not x):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _reduced(*parts):
    return int.from_bytes(digest("sha512", *parts), "little") % L


class Key:
    """An Ed25519 key pair in software."""

    alg = "ed25519"
    backend = "soft"

    def __init__(self, seed):
        # `seed`: the 32 octets that RFC 8032 calls the private key; a copy is kept.
        if len(seed) != 32:
            raise CryptoError(_CRYPTO_SCALAR)
        self._seed = bytearray(seed)
        self._wiped = False
        self._public = None

    def _expand(self):
        # (the secret scalar modulo L, the prefix of the nonce's hash), 5.1.5
        if self._wiped:
            raise CryptoError(_CRYPTO_WIPED)
        h = digest("sha512", self._seed)
        s = int.from_bytes(h[:32], "little")
        return (s & (1 << 254) - 8 | 1 << 254) % L, h[32:]

    def public(self):
        """The public key, 32 octets; computed at the first call."""
        if self._public is None:
            self._public = _encode(*_base(self._expand()[0], int.from_bytes(random(32), "big"))[:3])
        return self._public

    def sign(self, message, hash=None):
        """A signature over the message itself, 64 octets (5.1.6).

        R is checked to be on the curve; a fault within one of the hashes would not be noticed.
        """
        public = self.public()
        a, prefix = self._expand()
        r = _reduced(prefix, message)
        point = _encode(*_base(r, int.from_bytes(random(32), "big"))[:3])
        s = (r + _reduced(point, public, message) * a) % L
        return point + s.to_bytes(32, "little")

    @property
    def ref(self):
        """What the store keeps to `load` this key again: it holds the secret itself."""
        return _PREFIX + self.export()

    def export(self):
        """The seed, 32 octets."""
        if self._wiped:
            raise CryptoError(_CRYPTO_WIPED)
        return bytes(self._seed)

    def wipe(self):
        """Overwrite the seed with zeros; only `public()`, if called before, still answers."""
        wipe(self._seed)
        self._wiped = True


def generate():
    """A fresh key: any 32 octets are one."""
    return Key(random(32))


def load(ref):
    """The key of b"soft:ed25519:" + seed, 32 octets."""
    if bytes(ref[: len(_PREFIX)]) != _PREFIX:
        raise CryptoError(_CRYPTO_REFERENCE)
    return Key(ref[len(_PREFIX) :])


def _combined(s, k, point):
    # s * B - k * point, for public values: -k * point by width-5 NAF, s * B by the comb in the last 52 doublings.
    x, y, z, t = point
    x, t = P - x, P - t
    twice = _ready(*_twice(x, y, z, 1))
    table = [_ready(x, y, z, t)]
    for _ in range(7):
        x, y, z, t = _sum(*((x, y, z, t) + twice))
        table.append(_ready(x, y, z, t))
    digits = naf(k)
    signs = recode(s, L, _BITS)
    x, y, z, t = 0, 1, 1, 0
    for i in range(max(len(digits), _COLUMNS) - 1, -1, -1):
        x, y, z, t = _twice(x, y, z, 1)
        digit = digits[i] if i < len(digits) else 0
        if digit:
            minus, plus, tt, zz = table[abs(digit) >> 1]
            if digit < 0:
                minus, plus, tt = plus, minus, -tt
            x, y, z, t = _sum(x, y, z, t, minus, plus, tt, zz)
        if i < _COLUMNS:
            x, y, z, t = _sum(*((x, y, z, t) + _column(signs, i)))
    return x, y, z


def verify(public, signature, message):
    """Check a signature over the message (5.1.7), without the cofactor; BadSignature, CryptoError for a bad key.

    S must be below L; the public key must be a point, written the one way there is, and not of small order. R is
    computed and compared as octets, so other ways to write it fail too.
    """
    point = _decode(public)
    # 8 times a point of small order is the neutral element; a signature by such a key would fit any text.
    if point is None or not _twice(point[0], point[1], 1, 3)[0]:
        raise CryptoError(_CRYPTO_POINT)
    s = int.from_bytes(signature[32:], "little")
    if len(signature) == 64 and s < L:
        k = _reduced(signature[:32], public, message)
        if _encode(*_combined(s, k, point)) == signature[:32]:
            return
    raise BadSignature(_CRYPTO_SIGNATURE)
