"""Reads and verifies SignedData (RFC 5652 section 5): the content, who signed it, the certificates that came along."""

from micropython import const

from .. import oid
from ..der import Reader
from ..errors import BadSignature, CryptoError, ProtocolError, Unsupported, Untrusted
from ..x509 import algorithm
from ..x509.chain import Budget, check_chain, read_certificates
from . import content, oids

_CMS_TYPE = const(351)
_CMS_ALGORITHM = const(354)
_CMS_LIMIT = const(357)
_CMS_CONTENT = const(358)
_CMS_SIGNER = const(359)
_CMS_ATTRIBUTE = const(360)
_CMS_DIGEST = const(361)
_CMS_SIGNATURE = const(362)
_CMS_SIGNER_USAGE = const(363)

_SEQUENCE = const(0x30)
_SET = const(0x31)
_CONTENT = const(0xA0)
_CERTIFICATES = const(0xA0)
_CRLS = const(0xA1)
_SIGNED_ATTRIBUTES = const(0xA0)
_UNSIGNED_ATTRIBUTES = const(0xA1)

_MAX_CERTIFICATES = const(10)
_MAX_SIGNERS = const(4)
_MAX_VERIFIES = const(4)  # signatures of SignerInfos: chains have a bound of their own
_DIGITAL_SIGNATURE = const(1)


def _elements(r, tag, limit):
    """The elements of a SET OF with this tag, empty if it is absent; ProtocolError CMS_LIMIT beyond `limit`."""
    if r.peek() != tag:
        return ()
    end = r.enter(tag)
    out = []
    while r.more():
        out.append(r.element())
        if len(out) > limit:
            raise ProtocolError(_CMS_LIMIT, len(out))
    r.leave(end)
    return out


class SignedData:
    """`SignedData(view)`, nothing verified yet; ProtocolError when it is not well-formed.

    content_type: whole OID; content: memoryview of the octets, None when absent
    certificates, crls: lists of whole elements as they came; signers: list of SignerInfo, empty for certificates alone

    SignedData ::= SEQUENCE { version, digestAlgorithms SET OF, encapContentInfo, certificates [0] OPTIONAL,
                              crls [1] OPTIONAL, signerInfos SET OF }   RFC 5652 5.1
    """

    def __init__(self, view, tag=_SEQUENCE):
        r, end = content.enter(view, tag)
        content.read_version(r, 1, 3, 4, 5)
        r.element(_SET)  # digestAlgorithms: for readers in one pass, each SignerInfo names its own
        outer = r.enter(_SEQUENCE)
        self.content_type = r.oid()
        self.content = None
        if r.peek() == _CONTENT:
            inner = r.enter(_CONTENT)
            self.content = r.octets()
            r.leave(inner)
        r.leave(outer)
        self.certificates = _elements(r, _CERTIFICATES, _MAX_CERTIFICATES)
        self.crls = _elements(r, _CRLS, _MAX_CERTIFICATES)
        if r.peek() != _SET:
            r.tlv(_SET)  # says what is missing
        self.signers = [SignerInfo(view) for view in _elements(r, _SET, _MAX_SIGNERS)]
        r.leave(end)
        r.finish()


class SignerInfo:
    """One signer of a SignedData; `identifier` as `content.identifies` takes it.

    SignerInfo ::= SEQUENCE { version, sid, digestAlgorithm, signedAttrs [0] OPTIONAL, signatureAlgorithm,
                              signature OCTET STRING, unsignedAttrs [1] OPTIONAL }   RFC 5652 5.3
    """

    def __init__(self, view):
        r = Reader(view)
        end = r.enter(_SEQUENCE)
        content.read_version(r, 1, 3)
        self.identifier = content.read_identifier(r)
        self.digest_algorithm = r.element(_SEQUENCE)
        self.signed = r.element(_SIGNED_ATTRIBUTES) if r.peek() == _SIGNED_ATTRIBUTES else None
        self.signature_algorithm = r.element(_SEQUENCE)
        self.signature = r.octets()
        if r.peek() == _UNSIGNED_ATTRIBUTES:
            r.element()
        r.leave(end)
        r.finish()
        self.attributes = _read_attributes(self.signed)

    def attribute(self, identifier):
        """The one value of a signed attribute as a whole element, None when absent.

        ProtocolError CMS_ATTRIBUTE when the attribute stands twice, or has not one value.
        """
        found = [values for known, values in self.attributes if known == identifier]
        if not found:
            return None
        r = Reader(found[0])
        value = r.element() if r.more() else None
        if len(found) > 1 or value is None or r.more():
            raise ProtocolError(_CMS_ATTRIBUTE)
        return value

    def verify(self, crypto, signed, certificate, sha1=False):
        """Check this signer's digest and signature over `signed`, a SignedData, with the key of a Certificate.

        Nothing is said of whether that certificate is trusted. SHA-1 is accepted with RSA only, and if `sha1` is True
        only: for old peers. Untrusted CMS_DIGEST or CMS_SIGNATURE, ProtocolError CMS_ATTRIBUTE, Unsupported.
        """
        digest = _read_digest(self.digest_algorithm)
        if digest == "sha1" and not sha1:
            raise Unsupported(_CMS_ALGORITHM)
        data = b"" if signed.content is None else signed.content
        if self.signed is None:
            # Octets that are attributes by their form may have been signed as such: RFC 5652 5.4 gives no other sign.
            if signed.content_type != oids.DATA or bytes(data[:1]) == b"\x31":
                raise ProtocolError(_CMS_ATTRIBUTE)
            covered = (data,)
        else:
            self._check_attributes(crypto, signed.content_type, digest, data)
            covered = (b"\x31", self.signed[1:])  # signed as SET OF, RFC 5652 5.4
        try:
            self._verify_signature(crypto, digest, certificate.spki, covered)
        except BadSignature:
            raise Untrusted(_CMS_SIGNATURE)

    def _check_attributes(self, crypto, content_type, digest, data):
        """contentType and messageDigest, RFC 5652 5.6, 11.1 and 11.2."""
        kind = self.attribute(oids.CONTENT_TYPE)
        stated = self.attribute(oids.MESSAGE_DIGEST)
        if kind is None or stated is None or kind != content_type:
            raise ProtocolError(_CMS_ATTRIBUTE)
        if Reader(stated).octets() != crypto.digest(digest, data):
            raise Untrusted(_CMS_DIGEST)

    def _verify_signature(self, crypto, digest, spki, covered):
        """The algorithm of the signature has to use the signer's digest (RFC 8933 3), or names none: rsaEncryption."""
        identifier, r = algorithm.read_algorithm(self.signature_algorithm)
        if identifier == oid.RSA_ENCRYPTION:
            content.null_or_absent(r)
            kind, public = algorithm.read_spki(spki)
            if kind != "rsa":
                raise BadSignature(_CMS_SIGNATURE)
            crypto.verify(kind, bytes(public), bytes(self.signature), crypto.digest(digest, *covered), digest)
        else:
            if algorithm.signature_digest(self.signature_algorithm)[0] != digest:
                raise BadSignature(_CMS_SIGNATURE)
            algorithm.verify(crypto, self.signature_algorithm, spki, self.signature, *covered)


def _read_attributes(view):
    """Pairs (OID, octets of the values) of SignedAttributes: SET OF SEQUENCE { attrType, attrValues SET OF }."""
    if view is None:
        return ()
    r = Reader(view)
    end = r.enter(_SIGNED_ATTRIBUTES)
    out = []
    while r.more():
        outer = r.enter(_SEQUENCE)
        out.append((r.oid(), r.tlv(_SET)))
        r.leave(outer)
    r.leave(end)
    return out


def _read_digest(view):
    identifier, r = algorithm.read_algorithm(view)
    digest = algorithm.digest_of(identifier)
    if digest is None:
        raise Unsupported(_CMS_ALGORITHM)
    content.null_or_absent(r)
    return digest


def verify_signed(
    crypto, view, anchors, now, candidates=(), expected_type=oids.DATA, tag=_SEQUENCE, check_usage=True
):
    """Verify SignedData: (content as bytes, Certificate of the signer), when one signer is valid.

    `view` is the SignedData itself, its tag replaced by `tag`. The signer's certificate comes from the SignedData, from
    `candidates` or from `anchors` (all Certificates). It must chain to an anchor at `now` (seconds since 1970) and,
    unless `check_usage` is False, be one that may sign. Its extended key usage is for the caller to check.
    `expected_type` is the OID of the content's type, or a tuple of them.
    ProtocolError for what is malformed, Untrusted for what does not verify, Unsupported, CryptoError for a key that is
    none: of several signers the last one's failure.
    """
    signed = SignedData(view, tag)
    if signed.content_type not in (expected_type if type(expected_type) is tuple else (expected_type,)):
        raise ProtocolError(_CMS_TYPE)
    if signed.content is None:
        raise ProtocolError(_CMS_CONTENT)
    pool = read_certificates(signed.certificates, _MAX_CERTIFICATES) + list(candidates)
    failure = Untrusted(_CMS_SIGNER)
    tries = 0
    budget = Budget()
    for info in signed.signers:
        for certificate in pool + list(anchors):
            if tries == _MAX_VERIFIES or not content.identifies(info.identifier, certificate):
                continue
            tries += 1
            try:
                info.verify(crypto, signed, certificate)
                _check_signer(crypto, certificate, pool, anchors, now, check_usage, budget)
                return bytes(signed.content), certificate
            except (Untrusted, CryptoError, ProtocolError) as e:
                failure = e
    raise failure


def _check_signer(crypto, certificate, pool, anchors, now, check_usage, budget):
    usage = certificate.key_usage
    if check_usage and usage is not None and not usage & _DIGITAL_SIGNATURE:
        raise Untrusted(_CMS_SIGNER_USAGE)
    check_chain(crypto, certificate, pool, anchors, now, budget)
