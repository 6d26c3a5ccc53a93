"""What comes encrypted: certificates as proof of possession, and keys that the CA made (RFC 9810 5.2.8.3, 5.3.4)."""

from micropython import const

from .. import oid
from ..errors import ProtocolError, Untrusted
from .protect import Mac

_CMP_ENCRYPTED = const(419)
_CMP_CENTRAL_KEY = const(428)

_ENCRYPTED_KEY = const(0xA0)  # the tag of envelopedData in EncryptedKey


def open_encrypted(t, reply, now):
    """The certificate (DER) of a CertResponse of Transaction `t`; a key that comes along becomes `t.key`.

    Raises ProtocolError CMP_ENCRYPTED for what was not asked for, Untrusted CMP_CENTRAL_KEY for a key from another
    authority, and the errors of `cms`.
    """
    certificate = reply.certificate
    if reply.encrypted is not None:
        certificate = _open_certificate(t, reply)
    if reply.private_key is not None:
        _open_key(t, reply, now)
    return certificate


def _open_certificate(t, reply):
    """encryptedCert is for the key to be certified: that we can read it is the proof, RFC 9810 5.2.8.3.2."""
    from ..cms.envelope import open_enveloped

    if t.key is None:
        raise ProtocolError(_CMP_ENCRYPTED)
    _, certificate = open_enveloped(t.crypto, reply.encrypted, t.key, tag=_ENCRYPTED_KEY)
    t.on_check("encrCert")
    return certificate


def _open_key(t, reply, now):
    """privateKey is for whoever protects our request: EnvelopedData around SignedData around AsymmetricKeyPackage.

    OpenSSL 3.5 gives both contents the type id-data.
    """
    from ..cms import oids
    from ..cms.envelope import open_enveloped
    from ..cms.keypackage import read_key_package
    from ..cms.signed import verify_signed

    if t.request.key is not None:
        raise ProtocolError(_CMP_ENCRYPTED)
    us = t.protection
    if isinstance(us, Mac):
        kind, data = open_enveloped(t.crypto, reply.private_key, secret=bytes(us.secret), tag=_ENCRYPTED_KEY)
    else:
        kind, data = open_enveloped(t.crypto, reply.private_key, us.key, None, us.certificate, _ENCRYPTED_KEY)
    if kind not in (oids.SIGNED_DATA, oids.DATA):
        raise ProtocolError(_CMP_ENCRYPTED)
    hints, anchors = t.believed(reply)
    package, signer = verify_signed(t.crypto, data, anchors, now, hints, (oids.KEY_PACKAGE, oids.DATA))
    _check_authority(signer)
    t.on_check("keyAuthority")
    t.key = t.crypto.load(read_key_package(package)[1])


def _check_authority(signer):
    """A key generation authority has the purpose cmKGA, or is a CA itself, RFC 9810 4.5."""
    for purpose in signer.extended or ():
        if purpose == oid.KP_CM_KGA:
            return
    if not signer.is_ca:
        raise Untrusted(_CMP_CENTRAL_KEY)
