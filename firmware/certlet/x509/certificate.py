"""A view of a certificate: slices of its DER, nothing copied (RFC 5280 section 4.1)."""

from micropython import const

from .. import oid
from ..der import Reader
from ..errors import ProtocolError
from .validity import read_time

_X509_VERSION = const(302)
_X509_EXTENSION = const(303)
_X509_ALGORITHM = const(304)

_SEQUENCE = const(0x30)
_INTEGER = const(0x02)
_VERSION_TAG = const(0xA0)
_ISSUER_UNIQUE_ID = const(0x81)
_SUBJECT_UNIQUE_ID = const(0x82)
_EXTENSIONS_TAG = const(0xA3)
_KEY_IDENTIFIER = const(0x80)
_BOOLEAN = const(0x01)
_OID = const(0x06)

NO_LIMIT = const(255)  # pathLenConstraint absent


class Certificate:
    """`Certificate(der)`; ProtocolError when it is not well-formed. Slices are memoryviews of `der`.

    tbs, signature_algorithm, signature: as signed
    serial (content octets), issuer, subject, spki: whole DER elements but for the serial
    not_before, not_after: seconds since 1970
    is_ca, path_len: basicConstraints; path_len is NO_LIMIT when absent
    key_usage: bit mask of RFC 5280 4.2.1.3, None when the extension is absent
    extended: tuple of EKU OIDs, None when absent
    ski, aki: key identifiers or None
    unknown_critical: a critical extension is there that this module does not know
    """

    def __init__(self, der):
        self.der = memoryview(der)
        r = Reader(der)
        end = r.enter(_SEQUENCE)
        self.tbs = r.element(_SEQUENCE)
        self.signature_algorithm = r.element(_SEQUENCE)
        self.signature = r.bits()
        r.leave(end)
        r.finish()
        self.is_ca = False
        self.path_len = NO_LIMIT
        self.key_usage = self.extended = self.ski = self.aki = None
        self.unknown_critical = False
        self._read_tbs(Reader(self.tbs))

    def _read_tbs(self, r):
        end = r.enter(_SEQUENCE)
        version = 0
        if r.peek() == _VERSION_TAG:
            outer = r.enter(_VERSION_TAG)
            version = r.integer()
            r.leave(outer)
            if version not in (1, 2):
                raise ProtocolError(_X509_VERSION, version)
        self.serial = r.integer_octets()
        if r.element(_SEQUENCE) != self.signature_algorithm:
            raise ProtocolError(_X509_ALGORITHM)
        self.issuer = r.element(_SEQUENCE)
        outer = r.enter(_SEQUENCE)
        self.not_before = read_time(r)
        self.not_after = read_time(r)
        r.leave(outer)
        self.subject = r.element(_SEQUENCE)
        self.spki = r.element(_SEQUENCE)
        for tag in (_ISSUER_UNIQUE_ID, _SUBJECT_UNIQUE_ID):
            if r.peek() == tag:
                r.element()
        if r.more():
            if version != 2:
                raise ProtocolError(_X509_VERSION, version)
            outer = r.enter(_EXTENSIONS_TAG)
            self._read_extensions(r)
            r.leave(outer)
        r.leave(end)
        r.finish()

    def _read_extensions(self, r):
        """Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }"""
        end = r.enter(_SEQUENCE)
        seen = []
        while r.more():
            outer = r.enter(_SEQUENCE)
            identifier = bytes(r.oid())
            if identifier in seen:
                raise ProtocolError(_X509_EXTENSION)
            seen.append(identifier)
            critical = r.boolean() if r.peek() == _BOOLEAN else False
            value = r.octets()
            r.leave(outer)
            for known, read in _EXTENSIONS:
                if identifier == known:
                    if read:
                        inner = Reader(value)
                        read(self, inner)
                        inner.finish()
                    break
            else:
                self.unknown_critical = self.unknown_critical or critical
        r.leave(end)

    def _read_basic_constraints(self, r):
        """BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL }"""
        end = r.enter(_SEQUENCE)
        if r.peek() == _BOOLEAN:
            self.is_ca = r.boolean()
        if r.peek() == _INTEGER:
            self.path_len = r.integer()
            if self.path_len < 0 or not self.is_ca:
                raise ProtocolError(_X509_EXTENSION)
        r.leave(end)

    def _read_key_usage(self, r):
        self.key_usage = r.named_bits()

    def _read_extended(self, r):
        end = r.enter(_SEQUENCE)
        out = []
        while r.more():
            out.append(r.oid())
        r.leave(end)
        self.extended = tuple(out)

    def _read_ski(self, r):
        self.ski = r.octets()

    def _read_aki(self, r):
        """AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier [0], authorityCertIssuer [1], serial [2] }"""
        end = r.enter(_SEQUENCE)
        if r.peek() == _KEY_IDENTIFIER:
            self.aki = r.tlv(_KEY_IDENTIFIER)
        r.skip_rest()
        r.leave(end)

    def same_key(self, spki):
        """Does the certificate hold the public key of this SubjectPublicKeyInfo (DER)?"""
        return self.spki == spki


# (OID, how to read it): None for what is understood by others, such as the TLS stack
_EXTENSIONS = (
    (oid.CE_BASIC_CONSTRAINTS, Certificate._read_basic_constraints),
    (oid.CE_KEY_USAGE, Certificate._read_key_usage),
    (oid.CE_EKU, Certificate._read_extended),
    (oid.CE_SKI, Certificate._read_ski),
    (oid.CE_AKI, Certificate._read_aki),
    (oid.CE_SAN, None),
)
