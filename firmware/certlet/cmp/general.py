"""Items of a genp that the device itself acts on: root updates and request templates (RFC 9810 section 5.3.19)."""

from micropython import const

from .. import oid
from ..der import Reader
from ..errors import Error, ProtocolError, Untrusted
from ..x509 import algorithm
from ..x509.certificate import Certificate
from ..x509.chain import check_validity
from ..x509.name import same_name

_CMP_ROOT_UPDATE = const(426)
_CMP_INFO = const(427)

# id-it, RFC 9810 app. F
CA_CERTS = const(17)
ROOT_CA_KEY_UPDATE = const(18)

_SEQUENCE = const(0x30)
_SET = const(0x31)
_CONTEXT = const(0xA0)
_SUBJECT = const(0xA5)
_EXTENSIONS = const(0xA9)
_BOOLEAN = const(0x01)
_KEY_CERT_SIGN = const(32)


def find(infos, number):
    """The DER of the value of the first item id-it `number` in a list of pairs, or None."""
    identifier = oid.info_type(number)
    for found, value in infos:
        if found == identifier:
            return value
    return None


def _checked(read, *arguments):
    """What `read` returns; ProtocolError CMP_INFO for whatever it cannot read."""
    try:
        return read(*arguments)
    except ProtocolError as e:
        raise ProtocolError(_CMP_INFO, e.code)


class RootUpdate:
    """RootCaKeyUpdateContent: new_with_new, new_with_old, old_with_new as DER, the last two may be None.

    RootCaKeyUpdateContent ::= SEQUENCE { newWithNew, newWithOld [0] OPTIONAL, oldWithNew [1] OPTIONAL }
    """

    def __init__(self, value):
        """ProtocolError CMP_INFO unless `value` is well-formed."""
        _checked(self._read, Reader(value))

    def _read(self, r):
        end = r.enter(_SEQUENCE)
        self.new_with_new = bytes(r.element(_SEQUENCE))
        links = []
        for i in (0, 1):
            link = None
            if r.peek() == _CONTEXT | i:
                outer = r.enter(_CONTEXT | i)
                link = bytes(r.element(_SEQUENCE))
                r.leave(outer)
            links.append(link)
        self.new_with_old, self.old_with_new = links
        r.leave(end)
        r.finish()

    def check(self, crypto, old, now):
        """Is the new root vouched for by the pinned root `old` (DER)? Untrusted CMP_ROOT_UPDATE if not.

        newWithOld must be signed by the OLD pinned key and hold the same name and key as newWithNew, which must be
        self-signed; both must be CA certificates of the old root's name, the link with no more limits than the new
        root, or anything that the old root ever certified could become a root. Without newWithOld there is no proof
        (RFC 9810 4.4.2.2). oldWithNew, if there, must be signed by the new key and hold the old one.
        """
        try:
            self._check(crypto, Certificate(old), now)
        except Error as e:
            raise Untrusted(_CMP_ROOT_UPDATE, e.code)

    def _check(self, crypto, old, now):
        if self.new_with_old is None:
            raise Untrusted(_CMP_ROOT_UPDATE)
        new = Certificate(self.new_with_new)
        link = Certificate(self.new_with_old)
        _signed(crypto, new, new, new, now)
        _signed(crypto, link, old, new, now)
        for certificate in (new, link):
            usage = certificate.key_usage
            if not certificate.is_ca or certificate.unknown_critical or not (usage is None or usage & _KEY_CERT_SIGN):
                raise Untrusted(_CMP_ROOT_UPDATE)
            if not same_name(certificate.subject, old.subject):
                raise Untrusted(_CMP_ROOT_UPDATE)
        if link.path_len < new.path_len or not same_name(link.issuer, old.subject):
            raise Untrusted(_CMP_ROOT_UPDATE)
        if self.old_with_new is not None:
            back = Certificate(self.old_with_new)
            if not back.same_key(old.spki):
                raise Untrusted(_CMP_ROOT_UPDATE)
            algorithm.verify(crypto, back.signature_algorithm, new.spki, back.signature, back.tbs)


def _signed(crypto, certificate, issuer, subject, now):
    """`certificate` is valid now, signed by `issuer`, and holds name and key of `subject`."""
    check_validity(certificate, now)
    algorithm.verify(crypto, certificate.signature_algorithm, issuer.spki, certificate.signature, certificate.tbs)
    if not certificate.same_key(subject.spki) or not same_name(certificate.subject, subject.subject):
        raise Untrusted(_CMP_ROOT_UPDATE)


class Template:
    """CertReqTemplateContent: what the CA wants to be asked for.

    subject: list of (whole OID, string tag, text octets), empty text where the device fills in its own; None if absent
    extensions: list of (whole OID, critical, DER of the value)
    algorithms: list of DER AlgorithmIdentifiers that the CA certifies; rsa_bits: list of modulus lengths
    """

    def __init__(self, value):
        """ProtocolError CMP_INFO unless `value` is well-formed.

        CertReqTemplateContent ::= SEQUENCE { certTemplate CertTemplate, keySpec Controls OPTIONAL }
        """
        self.subject = None
        self.extensions = []
        self.algorithms = []
        self.rsa_bits = []
        _checked(self._read, Reader(value))

    def _read(self, r):
        end = r.enter(_SEQUENCE)
        template = r.enter(_SEQUENCE)
        while r.more():
            if r.peek() == _SUBJECT:
                outer = r.enter(_SUBJECT)
                self._read_subject(r)
                r.leave(outer)
            elif r.peek() == _EXTENSIONS:
                outer = r.enter(_EXTENSIONS)
                self._read_extensions(r)
                r.leave(outer)
            else:
                r.element()
        r.leave(template)
        if r.more():
            self._read_key_spec(r)
        r.leave(end)
        r.finish()

    def _read_subject(self, r):
        self.subject = []
        end = r.enter(_SEQUENCE)
        while r.more():
            rdn = r.enter(_SET)
            while r.more():
                pair = r.enter(_SEQUENCE)
                identifier = bytes(r.oid())
                tag = r.peek()
                self.subject.append((identifier, tag, bytes(r.tlv(tag))))
                r.leave(pair)
            r.leave(rdn)
        r.leave(end)

    def _read_extensions(self, r):
        while r.more():
            end = r.enter(_SEQUENCE)
            identifier = bytes(r.oid())
            critical = r.boolean() if r.peek() == _BOOLEAN else False
            self.extensions.append((identifier, critical, bytes(r.octets())))
            r.leave(end)

    def _read_key_spec(self, r):
        end = r.enter(_SEQUENCE)
        while r.more():
            pair = r.enter(_SEQUENCE)
            identifier = r.oid()
            if identifier == oid.ALG_ID:
                self.algorithms.append(bytes(r.element(_SEQUENCE)))
            elif identifier == oid.RSA_KEY_LEN:
                self.rsa_bits.append(r.integer())
            else:
                r.skip_rest()
            r.leave(pair)
        r.leave(end)

    def kinds(self):
        """The kinds of key that the CA certifies and we can make, as `Crypto.generate` names them."""
        out = [kind for kind in ("p256", "p384", "ed25519") if algorithm.key_algorithm(kind) in self.algorithms]
        return out + ["rsa%d" % bits for bits in self.rsa_bits if bits in (2048, 3072, 4096)]
