"""A CMP client for tests of the lab CA: every field of a request can be wrong on purpose.

It encodes and decodes with the complete schema of RFC 9480, not with the codec of the CA.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from pyasn1.codec.der import decoder, encoder
from pyasn1.type import univ, useful
from pyasn1_alt_modules import rfc4211, rfc5280, rfc6402, rfc9480

SHA1, SHA256, SHA384, SHA512 = (
    "1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2", "2.16.840.1.101.3.4.2.3",
)
HMAC_SHA1_CMP, HMAC_SHA1, HMAC_SHA256, HMAC_SHA512 = (
    "1.3.6.1.5.5.8.1.2", "1.2.840.113549.2.7", "1.2.840.113549.2.9", "1.2.840.113549.2.11",
)
HASH = {SHA1: "sha1", SHA256: "sha256", SHA384: "sha384", SHA512: "sha512", HMAC_SHA1_CMP: "sha1", HMAC_SHA1: "sha1",
        HMAC_SHA256: "sha256", HMAC_SHA512: "sha512", "1.2.840.113549.2.5": "md5", "1.2.840.113549.2.6": "md5"}
PBM = "1.2.840.113533.7.66.13"
NULL = b"\x05\x00"


def p256():
    return ec.generate_private_key(ec.SECP256R1())


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)] if text else []).public_bytes()


def sign(key, data):
    """(OID, parameters, signature) for any supported kind of key."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "1.3.101.112", None, key.sign(data)
    if isinstance(key, rsa.RSAPrivateKey):
        return "1.2.840.113549.1.1.11", NULL, key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if key.curve.key_size == 384:
        return "1.2.840.10045.4.3.3", None, key.sign(data, ec.ECDSA(hashes.SHA384()))
    return "1.2.840.10045.4.3.2", None, key.sign(data, ec.ECDSA(hashes.SHA256()))


def algorithm(value, oid, parameters=None):
    value["algorithm"] = oid
    if parameters is not None:
        value["parameters"] = parameters


def set_name(value, der):
    """Not for an empty name in an OPTIONAL field: the DER encoder of pyasn1 leaves it out."""
    value["rdnSequence"] = decoder.decode(der, asn1Spec=rfc5280.Name())[0]["rdnSequence"]


@dataclass
class Ask:
    """One enrolment: what is asked for, how it is protected, and what is wrong with it."""

    kind: str = "ir"
    key: object = field(default_factory=p256)
    subject: str | None = "dev1"
    public_key: bool = True
    sans: tuple = ()
    not_after: str | None = None
    popo: str = "signature"
    popo_key: object = None
    req_id: int = 0
    requests: int = 1
    # protection
    reference: bytes | None = b"dev1"
    secret: bytes = b""
    salt: bytes = b"0123456789abcdef"
    owf: str = SHA256
    mac: str = HMAC_SHA256
    parameters: bytes | None = None
    iterations: int = 500
    signer: object = None
    certs: tuple = ()
    sender: str | None = None
    protect: bool = True
    flip: bool = False
    # header
    pvno: int = 2
    transaction_id: bytes | None = field(default_factory=lambda: os.urandom(16))
    sender_nonce: bytes | None = field(default_factory=lambda: os.urandom(16))
    recip_nonce: bytes | None = None
    implicit: bool = False

    def cert_request(self):
        """CertReqMessages with the template and its proof of possession."""
        request = rfc4211.CertRequest()
        request["certReqId"] = self.req_id
        template = request["certTemplate"]
        if self.not_after:
            template["validity"]["notAfter"]["generalTime"] = self.not_after
        if self.subject is not None:
            set_name(template["subject"], name(self.subject))
        if self.public_key:
            info = decoder.decode(spki(self.key), asn1Spec=rfc5280.SubjectPublicKeyInfo())[0]
            for part in ("algorithm", "subjectPublicKey"):
                template["publicKey"][part] = info[part]
        if self.sans:
            extension = template["extensions"][0]
            extension["extnID"] = "2.5.29.17"
            extension["extnValue"] = x509.SubjectAlternativeName(self.sans).public_bytes()
        messages = rfc9480.CertReqMessages()
        for number in range(self.requests):
            messages[number]["certReq"] = request
            self.prove(messages[number]["popo"], encoder.encode(request))
        return messages

    def prove(self, popo, data):
        if self.popo == "raVerified":
            popo["raVerified"] = ""
        elif self.popo == "keyEncipherment":
            popo["keyEncipherment"]["subsequentMessage"] = 0
        elif self.popo == "signature":
            oid, parameters, signature = sign(self.popo_key or self.key, data)
            algorithm(popo["signature"]["algorithmIdentifier"], oid, parameters)
            popo["signature"]["signature"] = univ.BitString.fromOctetString(signature)

    def pkcs10(self):
        subject = x509.Name.from_rfc4514_string(f"CN={self.subject}") if self.subject else x509.Name([])
        builder = x509.CertificateSigningRequestBuilder(subject)
        if self.sans:
            builder = builder.add_extension(x509.SubjectAlternativeName(self.sans), False)
        der = bytearray(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
        if self.popo_key:
            der[-1] ^= 1
        return decoder.decode(bytes(der), asn1Spec=rfc6402.CertificationRequest())[0]

    def message(self, content=None):
        """The DER of the PKIMessage; `content` is the body when it is not the certificate request."""
        value = rfc9480.PKIMessage()
        if content is None:
            content = self.pkcs10() if self.kind == "p10cr" else self.cert_request()
        self.header(value["header"])
        fill(value["body"], self.kind, content)
        if self.protect:
            part = rfc9480.ProtectedPart()
            part["header"], part["body"] = value["header"], value["body"]
            protection = bytearray(self.protection(encoder.encode(part)))
            protection[0] ^= self.flip
            bits = univ.BitString.fromOctetString(bytes(protection))
            value["protection"] = value["protection"].clone(tuple(bits))
        for number, certificate in enumerate(self.certs):
            der = certificate.public_bytes(serialization.Encoding.DER)
            inner = decoder.decode(der, asn1Spec=rfc5280.Certificate())[0]
            value["extraCerts"][number] = inner
        return encoder.encode(value)

    def header(self, header):
        header["pvno"] = self.pvno
        sender = name(self.sender or "") if not self.signer else self.certs[0].subject.public_bytes()
        if self.sender is not None:
            sender = name(self.sender)
        set_name(header["sender"]["directoryName"], sender)
        set_name(header["recipient"]["directoryName"], name("CA"))
        header["messageTime"] = header["messageTime"].clone(useful.GeneralizedTime("20200101000000Z"))
        if self.protect:
            oid, parameters = sign(self.signer, b"")[:2] if self.signer else (PBM, self.pbm())
            algorithm(header["protectionAlg"], oid, parameters)
        octets = {"senderKID": self.reference, "transactionID": self.transaction_id, "senderNonce": self.sender_nonce,
                  "recipNonce": self.recip_nonce}
        for key, value in octets.items():
            if value is not None:
                header[key] = value
        if self.implicit:
            header["generalInfo"][0]["infoType"] = rfc9480.id_it_implicitConfirm
            header["generalInfo"][0]["infoValue"] = NULL

    def pbm(self):
        value = rfc4211.PBMParameter()
        value["salt"] = self.salt
        algorithm(value["owf"], self.owf, self.parameters)
        value["iterationCount"] = self.iterations
        algorithm(value["mac"], self.mac, self.parameters)
        return encoder.encode(value)

    def protection(self, data):
        if self.signer:
            return sign(self.signer, data)[2]
        return pbm_mac(self.secret, self.salt, HASH[self.owf], self.iterations, HASH[self.mac], data)

    def confirm(self, reply, *, accept=True, cert_hash=None, req_id=None, hash_alg=None, empty=False, **changes):
        """The certConf that answers this reply, with anything changed that `changes` names."""
        content = rfc9480.CertConfirmContent()
        if not empty:
            content[0]["certHash"] = cert_hash or hashlib.sha256(reply.der).digest()
            content[0]["certReqId"] = self.expected_id if req_id is None else req_id
            content[0]["statusInfo"]["status"] = 0 if accept else 2
            if hash_alg:
                algorithm(content[0]["hashAlg"], hash_alg)
        fields = {**self.__dict__, "kind": "certConf", "sender_nonce": os.urandom(16), "recip_nonce": reply.nonce}
        return Ask(**{**fields, **changes}).message(content)

    @property
    def expected_id(self):
        return -1 if self.kind == "p10cr" else self.req_id


def fill(body, kind, content):
    """Puts the content into the alternative of PKIBody; its EXPLICIT tag forbids plain assignment."""
    if isinstance(content, univ.SequenceOf):
        for number in range(len(content)):
            body[kind][number] = content[number]
        if not len(content):
            body[kind] = body[kind].clone().clear()
    else:
        for part in content:
            if content[part].hasValue():
                body[kind][part] = content[part]


def pbm_mac(secret, salt, owf, iterations, mac, data):
    key = secret + salt
    for _ in range(min(iterations, 200_000)):  # more only has to be claimed
        key = hashlib.new(owf, key).digest()
    return hmac.digest(key, data, mac)


class Answer:
    """A reply, decoded with the complete schema."""

    def __init__(self, der):
        self.message, rest = decoder.decode(der, asn1Spec=rfc9480.PKIMessage())
        assert not rest
        self.header = self.message["header"]
        self.kind = self.message["body"].getName()
        self.body = self.message["body"][self.kind]
        self.nonce = bytes(self.header["senderNonce"])
        used = self.header["protectionAlg"]
        self.protection_oid = str(used["algorithm"]) if used.hasValue() else ""
        extra = self.message["extraCerts"]
        self.extra_certs = [certificate(item) for item in extra] if extra.hasValue() else []

    @property
    def status_info(self):
        return self.body["pKIStatusInfo"] if self.kind == "error" else self.body["response"][0]["status"]

    @property
    def outcome(self):
        """pkiconf, a status number with the body's name, or the failInfo."""
        if self.kind == "pkiconf":
            return "pkiconf"
        info = self.status_info
        if not info["failInfo"].hasValue():
            return f"{self.kind} {int(info['status'])}"
        bits = [i for i, bit in enumerate(info["failInfo"]) if bit]
        assert int(info["status"]) == 2
        assert len(bits) == 1
        assert str(info["statusString"][0])
        return f"{self.kind} {FAILURES[bits[0]]}"

    @property
    def implicit(self):
        info = self.header["generalInfo"]
        return info.hasValue() and any(item["infoType"] == rfc9480.id_it_implicitConfirm for item in info)

    @property
    def certificate(self):
        return certificate(self.body["response"][0]["certifiedKeyPair"]["certOrEncCert"]["certificate"])

    @property
    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def ca_pubs(self):
        return [certificate(item) for item in self.body["caPubs"]] if self.body["caPubs"].hasValue() else []

    def protected_part(self):
        part = rfc9480.ProtectedPart()
        part["header"], part["body"] = self.message["header"], self.message["body"]
        return encoder.encode(part)

    def is_maced(self, secret):
        if self.protection_oid != PBM:
            return False
        value = decoder.decode(bytes(self.header["protectionAlg"]["parameters"]), asn1Spec=rfc4211.PBMParameter())[0]
        mac = pbm_mac(secret, bytes(value["salt"]), HASH[str(value["owf"]["algorithm"])], int(value["iterationCount"]),
                      HASH[str(value["mac"]["algorithm"])], self.protected_part())
        return mac == self.message["protection"].asOctets()

    def is_signed(self):
        """By the first of the extraCerts, with ECDSA."""
        key, signature = self.extra_certs[0].public_key(), self.message["protection"].asOctets()
        try:
            key.verify(signature, self.protected_part(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return self.protection_oid == "1.2.840.10045.4.3.2"


FAILURES = (
    "badAlg badMessageCheck badRequest badTime badCertId badDataFormat wrongAuthority incorrectData missingTimeStamp "
    "badPOP certRevoked certConfirmed wrongIntegrity badRecipientNonce timeNotAvailable unacceptedPolicy "
    "unacceptedExtension addInfoNotAvailable badSenderNonce badCertTemplate signerNotTrusted transactionIdInUse "
    "unsupportedVersion notAuthorized systemUnavail systemFailure duplicateCertReq"
).split()


def certificate(value):
    plain = rfc5280.Certificate()  # without the tag that CertOrEncCert puts around it
    for part in value:
        plain[part] = value[part]
    return x509.load_der_x509_certificate(encoder.encode(plain))
