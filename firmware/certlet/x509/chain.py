"""From a certificate to a pinned trust anchor, RFC 5280 section 6.1.

Checked for every certificate: signature, validity, critical extensions. For every
issuer: basicConstraints, pathLenConstraint, keyCertSign. Name constraints and
policies are not processed: where they are critical the chain is refused.
"""

from micropython import const

from ..errors import BadSignature, CryptoError, ProtocolError, Untrusted
from . import algorithm
from .certificate import Certificate
from .name import same_name

_CHAIN_NO_ANCHOR = const(311)
_CHAIN_NOT_YET_VALID = const(312)
_CHAIN_EXPIRED = const(313)
_CHAIN_SIGNATURE = const(314)
_CHAIN_NOT_A_CA = const(315)
_CHAIN_PATH_LENGTH = const(316)
_CHAIN_KEY_USAGE = const(317)
_CHAIN_CRITICAL = const(318)
_CHAIN_TOO_LONG = const(319)

_KEY_CERT_SIGN = const(32)
_MAX_CERTIFICATES = const(6)  # of a chain, leaf and anchor included
_MAX_VERIFIES = const(12)  # signature checks for one message: what a peer may cost us


class Budget:
    """How many signature checks are left for what one message made us do."""

    def __init__(self):
        self.left = _MAX_VERIFIES

    def spend(self):
        """Count one check; Untrusted CHAIN_TOO_LONG when none is left."""
        if self.left == 0:
            raise Untrusted(_CHAIN_TOO_LONG)
        self.left -= 1


def check_validity(certificate, now):
    """Untrusted CHAIN_NOT_YET_VALID or CHAIN_EXPIRED when `now` (seconds since 1970) is outside."""
    if now < certificate.not_before:
        raise Untrusted(_CHAIN_NOT_YET_VALID)
    if now > certificate.not_after:
        raise Untrusted(_CHAIN_EXPIRED)


def check_chain(crypto, leaf, candidates, anchors, now, budget=None):
    """The chain from `leaf` to one of `anchors`, as a list of Certificates that begins with the leaf.

    `candidates` are certificates that a peer sent: hints, believed only when they chain to an anchor.
    `now` in seconds since 1970; `budget` bounds the work, one of its own without. Raises Untrusted (what failed last
    on the way up, CHAIN_NO_ANCHOR when no issuer was found at all), Unsupported, or CryptoError for an issuer whose
    public key is none.
    """
    _check_certificate(leaf, now)
    search = _Search(crypto, candidates, anchors, now, budget or Budget())
    path = search.climb([leaf])
    if path:
        return path
    raise search.failure


class _Search:
    """A depth-first search upwards, bounded in depth and in signature checks."""

    def __init__(self, crypto, candidates, anchors, now, budget):
        self.crypto = crypto
        self.candidates = candidates
        self.anchors = anchors
        self.now = now
        self.budget = budget
        self.failure = Untrusted(_CHAIN_NO_ANCHOR)

    def climb(self, path):
        """Extend `path` to an anchor; None when there is no way, and then `failure` tells why."""
        if len(path) > _MAX_CERTIFICATES:
            self.failure = Untrusted(_CHAIN_TOO_LONG)
            return None
        certificate = path[-1]
        for anchor in self.anchors:
            if anchor.der == certificate.der:
                return path
        for pool, trusted in ((self.anchors, True), (self.candidates, False)):
            for issuer in pool:
                if not self.issued(issuer, certificate) or _contains(path, issuer):
                    continue
                try:
                    self.check_issuer(issuer, path)
                except (Untrusted, CryptoError, ProtocolError) as e:
                    self.failure = e
                    continue
                found = path + [issuer]
                if not trusted:
                    found = self.climb(found)
                if found:
                    return found
        return None

    def issued(self, issuer, certificate):
        """By its name and key identifiers, could `issuer` have issued `certificate`?"""
        if not same_name(issuer.subject, certificate.issuer):
            return False
        return certificate.aki is None or issuer.ski is None or certificate.aki == issuer.ski

    def check_issuer(self, issuer, path):
        """May `issuer` stand above `path`, and did it sign its last certificate? Cheap checks first."""
        _check_certificate(issuer, self.now)
        if not issuer.is_ca:
            raise Untrusted(_CHAIN_NOT_A_CA)
        if issuer.key_usage is not None and not issuer.key_usage & _KEY_CERT_SIGN:
            raise Untrusted(_CHAIN_KEY_USAGE)
        below = 0  # intermediate CA certificates that are not self-issued, RFC 5280 4.2.1.9
        for c in path[1:]:
            below += not same_name(c.subject, c.issuer)
        if below > issuer.path_len:
            raise Untrusted(_CHAIN_PATH_LENGTH)
        self.budget.spend()
        c = path[-1]
        try:
            algorithm.verify(self.crypto, c.signature_algorithm, issuer.spki, c.signature, c.tbs)
        except BadSignature:
            raise Untrusted(_CHAIN_SIGNATURE)


def _check_certificate(certificate, now):
    check_validity(certificate, now)
    if certificate.unknown_critical:
        raise Untrusted(_CHAIN_CRITICAL)


def _contains(path, certificate):
    for c in path:
        if c.der == certificate.der:
            return True
    return False


def read_certificates(ders, limit):
    """Certificates of DER octets; those that cannot be read are left out, as hints may be. At most `limit`."""
    out = []
    for der in ders[:limit]:
        try:
            out.append(Certificate(der))
        except ProtocolError:
            continue
    return out
