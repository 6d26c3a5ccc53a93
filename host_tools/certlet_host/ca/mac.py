"""Message protection under a shared secret: PasswordBasedMac (RFC 9810, 5.1.3.1) and PBMAC1 (RFC 8018, 7.1)."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pyasn1_alt_modules import rfc4211

from . import der
from .cmp_codec import Algorithm, decode
from .cmp_schema import PBKDF2, PBMAC1
from .status import Refused

ID_PBM = "1.2.840.113533.7.66.13"
ID_PBMAC1 = "1.2.840.113549.1.5.14"
_ID_PBKDF2 = "1.2.840.113549.1.5.12"
MIN_ITERATIONS, MAX_ITERATIONS = 100, 100_000
MIN_SALT, MAX_SALT = 8, 128
MIN_KEY, MAX_KEY = 16, 64  # of PBMAC1, in bytes: a short key makes the MAC guessable (CVE-2026-34181)

# One-way functions and MACs by OID. HMAC-SHA1 has two: that of RFC 4210 and that of PKCS #5.
OWFS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
MACS = {
    "1.3.6.1.5.5.8.1.2": "sha1",
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
}
# What replies can be made to use, whatever the request does.
_CHOICES = {
    "sha1": Algorithm("1.2.840.113549.2.7"),
    "sha1-pkix": Algorithm("1.3.6.1.5.5.8.1.2"),
    "sha256": Algorithm("1.2.840.113549.2.9"),
    "sha256-null": Algorithm("1.2.840.113549.2.9", der.NULL),
    "sha384": Algorithm("1.2.840.113549.2.10"),
    "sha512": Algorithm("1.2.840.113549.2.11"),
}
_HMAC_SHA1 = Algorithm("1.2.840.113549.2.7", der.NULL)
_HMAC_SHA256 = Algorithm("1.2.840.113549.2.9", der.NULL)


def _require_bounds(iterations: int, salt: bytes) -> None:
    """Refused(badAlg) before any hashing."""
    if not MIN_ITERATIONS <= iterations <= MAX_ITERATIONS:
        raise Refused("badAlg", f"the iterationCount is outside {MIN_ITERATIONS}..{MAX_ITERATIONS}")
    if not MIN_SALT <= len(salt) <= MAX_SALT:
        raise Refused("badAlg", f"the salt is not {MIN_SALT}..{MAX_SALT} bytes")


@dataclass(frozen=True)
class Pbm:
    """PBMParameter, with its bounds already checked."""

    salt: bytes
    owf: Algorithm
    iterations: int
    mac: Algorithm

    @classmethod
    def parse(cls, algorithm: Algorithm) -> Pbm:
        """Reads the parameters; Refused(badAlg) when they are out of bounds."""
        value = decode(algorithm.parameters or b"", rfc4211.PBMParameter())
        iterations = int(value["iterationCount"])
        pbm = cls(bytes(value["salt"]), Algorithm.of(value["owf"]), iterations, Algorithm.of(value["mac"]))
        _require_bounds(iterations, pbm.salt)
        if pbm.owf.oid not in OWFS or pbm.mac.oid not in MACS or not (pbm.owf.plain and pbm.mac.plain):
            raise Refused("badAlg", "the one-way function or the MAC of PasswordBasedMac is not supported")
        return pbm

    def algorithm(self) -> Algorithm:
        """The protectionAlg with these parameters."""
        iterations = der.integer(self.iterations)
        return Algorithm(ID_PBM, der.sequence(der.octets(self.salt), self.owf.der, iterations, self.mac.der))

    def key(self, secret: bytes) -> bytes:
        """The MAC key: the one-way function applied iterationCount times to secret || salt."""
        owf = getattr(hashlib, OWFS[self.owf.oid])
        key: bytes = secret + self.salt
        for _ in range(min(self.iterations, MAX_ITERATIONS)):  # a provoked count need only be claimed
            key = owf(key).digest()
        return key


@dataclass(frozen=True)
class Pbmac1:
    """PBMAC1-params with PBKDF2, with their bounds already checked."""

    salt: bytes
    iterations: int
    length: int
    prf: Algorithm
    mac: Algorithm

    @classmethod
    def parse(cls, algorithm: Algorithm) -> Pbmac1:
        """Reads the parameters; Refused(badAlg) when they are out of bounds."""
        value = decode(algorithm.parameters or b"", PBMAC1)
        derivation = Algorithm.of(value["keyDerivationFunc"])
        if derivation.oid != _ID_PBKDF2:
            raise Refused("badAlg", "the key derivation of PBMAC1 is not PBKDF2")
        inner: Any = decode(derivation.parameters or b"", PBKDF2)
        prf = Algorithm.of(inner["prf"]) if inner["prf"].hasValue() else _HMAC_SHA1
        mac = Algorithm.of(value["messageAuthScheme"])
        if prf.oid not in MACS or mac.oid not in MACS or not (prf.plain and mac.plain):
            raise Refused("badAlg", "the pseudo-random function or the MAC of PBMAC1 is not supported")
        size = hashlib.new(MACS[mac.oid]).digest_size
        length = int(inner["keyLength"]) if inner["keyLength"].hasValue() else size
        if not MIN_KEY <= length <= MAX_KEY:
            raise Refused("badAlg", f"the keyLength of PBMAC1 is outside {MIN_KEY}..{MAX_KEY}")
        found = cls(bytes(inner["salt"]), int(inner["iterationCount"]), length, prf, mac)
        _require_bounds(found.iterations, found.salt)
        return found

    def algorithm(self) -> Algorithm:
        """The protectionAlg with these parameters."""
        numbers = der.integer(self.iterations) + der.integer(self.length)
        derivation = der.algorithm(_ID_PBKDF2, der.sequence(der.octets(self.salt), numbers, self.prf.der))
        return Algorithm(ID_PBMAC1, der.sequence(derivation, self.mac.der))

    def key(self, secret: bytes) -> bytes:
        """The MAC key by PBKDF2."""
        iterations = min(self.iterations, MAX_ITERATIONS)
        return hashlib.pbkdf2_hmac(MACS[self.prf.oid], secret, self.salt, iterations, self.length)


_PARSERS: dict[str, Callable[[Algorithm], Pbm | Pbmac1]] = {ID_PBM: Pbm.parse, ID_PBMAC1: Pbmac1.parse}


def is_mac(algorithm: Algorithm) -> bool:
    """True for the two kinds of protection under a shared secret."""
    return algorithm.oid in _PARSERS


def parse(algorithm: Algorithm) -> Pbm | Pbmac1:
    """The parameters of either kind; Refused(badAlg) when they are out of bounds."""
    return _PARSERS[algorithm.oid](algorithm)


@dataclass
class MacProtector:
    """Makes and checks MACs under one shared secret. Deriving the key is the slow part; it is done once, here."""

    parameters: Pbm | Pbmac1
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        self._key = self.parameters.key(self.secret)

    def renewed(
        self, *, pbmac1: bool = False, iterations: int = 0, length: int = 32, mac: str = ""
    ) -> MacProtector:
        """The same algorithms under a new salt, for the reply; with others where asked for."""
        parameters: Pbm | Pbmac1 = self.parameters
        if pbmac1 and isinstance(parameters, Pbm):
            parameters = Pbmac1(b"", parameters.iterations, length, _HMAC_SHA256, _HMAC_SHA256)
        if mac:
            parameters = replace(parameters, mac=_CHOICES[mac])
        parameters = replace(parameters, salt=os.urandom(16), iterations=iterations or parameters.iterations)
        return MacProtector(parameters, self.secret)

    def algorithm(self) -> Algorithm:
        return self.parameters.algorithm()

    def protect(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, MACS[self.parameters.mac.oid])

    def check(self, data: bytes, protection: bytes) -> bool:
        return hmac.compare_digest(self.protect(data), protection)
