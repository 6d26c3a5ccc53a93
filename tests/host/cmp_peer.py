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
from pyasn1_alt_modules import rfc4211, rfc5280, rfc6402, rfc8018, rfc9480

SHA1, SHA256, SHA384, SHA512 = (
    "1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2", "2.16.840.1.101.3.4.2.3",
)
HMAC_SHA1_CMP, HMAC_SHA1, HMAC_SHA256, HMAC_SHA512 = (
    "1.3.6.1.5.5.8.1.2", "1.2.840.113549.2.7", "1.2.840.113549.2.9", "1.2.840.113549.2.11",
)
HASH = {SHA1: "sha1", SHA256: "sha256", SHA384: "sha384", SHA512: "sha512", HMAC_SHA1_CMP: "sha1", HMAC_SHA1: "sha1",
        HMAC_SHA256: "sha256", HMAC_SHA512: "sha512", "1.2.840.113549.2.5": "md5", "1.2.840.113549.2.6": "md5"}
PBM = "1.2.840.113533.7.66.13"
PBMAC1, PBKDF2 = "1.2.840.113549.1.5.14", "1.2.840.113549.1.5.12"
RSA_PSS = "1.2.840.113549.1.1.10"
# SHA-256, MGF1 with SHA-256, 32 bytes of salt
PSS_PARAMETERS = bytes.fromhex(
    "3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
)
ID_IT = "1.3.6.1.5.5.7.4."
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


def sign_pss(key, data):
    return RSA_PSS, PSS_PARAMETERS, key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


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
    not_before: str | None = None
    extensions: tuple = ()
    controls: tuple = ()
    reg_info: tuple = ()
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
    pbmac1: int = 0
    key_length: bool = True
    pss: bool = False
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
    time: str | None = "20200101000000Z"
    profile: str = ""

    def cert_request(self):
        """CertReqMessages with the template and its proof of possession."""
        request = rfc4211.CertRequest()
        request["certReqId"] = self.req_id
        template = request["certTemplate"]
        for part, moment in (("notBefore", self.not_before), ("notAfter", self.not_after)):
            if moment:
                template["validity"][part]["generalTime"] = moment
        if self.subject is not None:
            set_name(template["subject"], name(self.subject))
        if self.public_key:
            info = decoder.decode(spki(self.key), asn1Spec=rfc5280.SubjectPublicKeyInfo())[0]
            for part in ("algorithm", "subjectPublicKey"):
                template["publicKey"][part] = info[part]
        names = [(x509.SubjectAlternativeName(self.sans), False)] if self.sans else []
        for number, (wanted, critical) in enumerate([*names, *self.extensions]):
            extension = template["extensions"][number]
            extension["extnID"] = wanted.oid.dotted_string
            extension["critical"] = critical
            extension["extnValue"] = wanted.public_bytes()
        attributes(request["controls"], self.controls)
        messages = rfc9480.CertReqMessages()
        for number in range(self.requests):
            messages[number]["certReq"] = request
            self.prove(messages[number]["popo"], encoder.encode(request))
            attributes(messages[number]["regInfo"], self.reg_info)
        return messages

    def prove(self, popo, data):
        if self.popo == "raVerified":
            popo["raVerified"] = ""
        elif self.popo in ("keyEncipherment", "keyAgreement"):
            popo[self.popo]["subsequentMessage"] = 0
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
        if self.time:
            header["messageTime"] = header["messageTime"].clone(useful.GeneralizedTime(self.time))
        if self.protect:
            oid, parameters = self.signed(b"")[:2] if self.signer else self.mac_algorithm()
            algorithm(header["protectionAlg"], oid, parameters)
        octets = {"senderKID": self.reference, "transactionID": self.transaction_id, "senderNonce": self.sender_nonce,
                  "recipNonce": self.recip_nonce}
        for key, value in octets.items():
            if value is not None:
                header[key] = value
        infos = [(rfc9480.id_it_implicitConfirm, NULL)] if self.implicit else []
        if self.profile:
            names = rfc9480.CertProfileValue()
            names[0] = self.profile
            infos.append((rfc9480.id_it_certProfile, encoder.encode(names)))
        for number, (oid, value) in enumerate(infos):
            header["generalInfo"][number]["infoType"] = oid
            header["generalInfo"][number]["infoValue"] = value

    def signed(self, data):
        return sign_pss(self.signer, data) if self.pss else sign(self.signer, data)

    def mac_algorithm(self):
        if not self.pbmac1:
            return PBM, self.pbm()
        inner = rfc8018.PBKDF2_params()
        inner["salt"]["specified"] = self.salt
        inner["iterationCount"] = self.iterations
        if self.key_length:
            inner["keyLength"] = self.pbmac1
        algorithm(inner["prf"], HMAC_SHA256, NULL)
        value = rfc8018.PBMAC1_params()
        algorithm(value["keyDerivationFunc"], PBKDF2, encoder.encode(inner))
        algorithm(value["messageAuthScheme"], self.mac, NULL)
        return PBMAC1, encoder.encode(value)

    def pbm(self):
        value = rfc4211.PBMParameter()
        value["salt"] = self.salt
        algorithm(value["owf"], self.owf, self.parameters)
        value["iterationCount"] = self.iterations
        algorithm(value["mac"], self.mac, self.parameters)
        return encoder.encode(value)

    def protection(self, data):
        if self.signer:
            return self.signed(data)[2]
        if self.pbmac1:
            return pbmac1(self.secret, self.salt, self.iterations, self.pbmac1, HASH[self.mac], data)
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
        return self.follow(reply, "certConf", content, **changes)

    def poll(self, reply, req_id=None, **changes):
        """The pollReq that answers this reply."""
        content = rfc9480.PollReqContent()
        content[0]["certReqId"] = self.expected_id if req_id is None else req_id
        return self.follow(reply, "pollReq", content, **changes)

    def follow(self, reply, kind, content, **changes):
        """A later message of the transaction."""
        fields = {**self.__dict__, "kind": kind, "sender_nonce": os.urandom(16), "recip_nonce": reply.nonce}
        return Ask(**{**fields, **changes}).message(content)

    def revoke(self, certificate, reason=None, serial=None, issuer=None):
        """An rr for this certificate."""
        content = rfc9480.RevReqContent()
        template = content[0]["certDetails"]
        template["serialNumber"] = certificate.serial_number if serial is None else serial
        set_name(template["issuer"], (issuer or certificate.issuer).public_bytes())
        if reason is not None:
            entry = content[0]["crlEntryDetails"][0]
            entry["extnID"] = "2.5.29.21"
            entry["extnValue"] = encoder.encode(univ.Enumerated(reason))
        return Ask(**{**self.__dict__, "kind": "rr"}).message(content)

    def inquire(self, *infos):
        """A genm with these (id-it number or OID, value)."""
        content = rfc9480.GenMsgContent()
        for number, (oid, value) in enumerate(infos):
            content[number]["infoType"] = oid if isinstance(oid, str) else f"{ID_IT}{oid}"
            if value:
                content[number]["infoValue"] = value
        return Ask(**{**self.__dict__, "kind": "genm"}).message(content)

    @property
    def expected_id(self):
        return -1 if self.kind == "p10cr" else self.req_id


def old_cert_id(certificate):
    """The control oldCertID."""
    value = rfc4211.CertId()
    set_name(value["issuer"]["directoryName"], certificate.issuer.public_bytes())
    value["serialNumber"] = certificate.serial_number
    return "1.3.6.1.5.5.7.5.1.5", encoder.encode(value)


def utf8(text):
    return b"\x0c" + bytes((len(text),)) + text.encode()


def attributes(value, pairs):
    for number, (oid, der) in enumerate(pairs):
        value[number]["type"] = oid
        value[number]["value"] = der


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


def pbmac1(secret, salt, iterations, length, mac, data):
    key = hashlib.pbkdf2_hmac("sha256", secret, salt, iterations, length)
    return hmac.digest(key, data, mac)


class Answer:
    """A reply, decoded with the complete schema."""

    def __init__(self, der):
        self.message, rest = decoder.decode(der, asn1Spec=rfc9480.PKIMessage())
        assert not rest
        self.header = self.message["header"]
        self.kind = self.message["body"].getName()
        self.body = self.message["body"][self.kind]
        self.nonce = bytes(self.header["senderNonce"]) if self.header["senderNonce"].hasValue() else b""
        used = self.header["protectionAlg"]
        self.protection_oid = str(used["algorithm"]) if used.hasValue() else ""
        extra = self.message["extraCerts"]
        self.extra_certs = [certificate(item) for item in extra] if extra.hasValue() else []

    @property
    def status_info(self):
        if self.kind == "rp":
            return self.body["status"][0]
        return self.body["pKIStatusInfo"] if self.kind == "error" else self.body["response"][0]["status"]

    @property
    def outcome(self):
        """The body's name, with the status number, the failInfo or checkAfter where there is one."""
        if self.kind == "pollRep":
            return f"pollRep {int(self.body[0]['checkAfter'])}"
        if self.kind not in ("ip", "cp", "kup", "rp", "error"):
            return self.kind
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
    def encrypted_certificate(self):
        """EncryptedKey."""
        return self.body["response"][0]["certifiedKeyPair"]["certOrEncCert"]["encryptedCert"]

    @property
    def private_key(self):
        """EncryptedKey."""
        return self.body["response"][0]["certifiedKeyPair"]["privateKey"]

    @property
    def infos(self):
        """What a genp tells: value by id-it number."""
        return {int(item["infoType"][-1]): bytes(item["infoValue"]) if item["infoValue"].hasValue() else None
                for item in self.body}  # fmt: skip

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
        if self.protection_oid == PBMAC1:
            return self.is_pbmac1(secret)
        if self.protection_oid != PBM:
            return False
        value = decoder.decode(bytes(self.header["protectionAlg"]["parameters"]), asn1Spec=rfc4211.PBMParameter())[0]
        mac = pbm_mac(secret, bytes(value["salt"]), HASH[str(value["owf"]["algorithm"])], int(value["iterationCount"]),
                      HASH[str(value["mac"]["algorithm"])], self.protected_part())
        return mac == self.message["protection"].asOctets()

    def is_pbmac1(self, secret):
        parameters = bytes(self.header["protectionAlg"]["parameters"])
        value = decoder.decode(parameters, asn1Spec=rfc8018.PBMAC1_params())[0]
        inner = bytes(value["keyDerivationFunc"]["parameters"])
        inner = decoder.decode(inner, asn1Spec=rfc8018.PBKDF2_params())[0]
        mac = pbmac1(secret, bytes(inner["salt"]["specified"]), int(inner["iterationCount"]), int(inner["keyLength"]),
                     HASH[str(value["messageAuthScheme"]["algorithm"])], self.protected_part())
        return mac == self.message["protection"].asOctets()

    def is_signed(self):
        """By the first of the extraCerts, with what its key and the protectionAlg ask for."""
        key, signature = self.extra_certs[0].public_key(), self.message["protection"].asOctets()
        try:
            key.verify(signature, self.protected_part(), *SCHEMES[self.protection_oid])
        except (InvalidSignature, KeyError):
            return False
        return True


SCHEMES = {
    "1.2.840.10045.4.3.2": (ec.ECDSA(hashes.SHA256()),),
    "1.2.840.10045.4.3.3": (ec.ECDSA(hashes.SHA384()),),
    "1.2.840.113549.1.1.11": (padding.PKCS1v15(), hashes.SHA256()),
    RSA_PSS: (padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
    "1.3.101.112": (),
}


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
