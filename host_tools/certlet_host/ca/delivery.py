"""How a certificate comes to its owner: plainly, encrypted as the proof of possession, or with a generated key."""

from __future__ import annotations

from cryptography import x509

from . import cms
from .authority import Authority
from .cmp_bodies import certified_key_pair
from .cmp_reply import Call
from .credential import to_der
from .request import Wanted
from .signatures import KEY_KINDS, PrivateKey
from .status import Refused

_V3 = 3


def key_pair(authority: Authority, certificate: x509.Certificate, wanted: Wanted, call: Call) -> tuple[bytes, int]:
    """CertifiedKeyPair, and the pvno that it needs at least (0: any)."""
    plain = to_der(certificate)
    if wanted.generated is not None:
        package = _package(authority, wanted.generated, call)
        return certified_key_pair(plain, private_key=package), _V3
    if not wanted.encrypted:
        return certified_key_pair(plain), 0
    if call.original.pvno < _V3:
        return certified_key_pair(cms.encrypted_value(plain, wanted.public_key), encrypted=True), 0
    recipient = cms.to_public_key(wanted.public_key)
    return certified_key_pair(cms.enveloped_data(plain, cms.ID_DATA, recipient), encrypted=True), _V3


def _package(authority: Authority, key: PrivateKey, call: Call) -> bytes:
    """The generated key, signed by the key generation authority and encrypted for the device (RFC 9810, 5.3.4)."""
    provoke, peer = call.provoke, call.peer
    if provoke.keygen == "other-key":
        key = KEY_KINDS["p256"]()
    signer = authority.signer if provoke.keygen == "other-signer" else authority.generator
    package = cms.key_package(key, bare=provoke.bare_key)
    signed = cms.signed_data(package, signer, (authority.issuing.certificate,))
    if provoke.keygen == "bad-signature":
        signed = signed[:-1] + bytes((signed[-1] ^ 1,))
    if peer.mac is not None:
        # As many iterations as the device itself chose for its MAC, so as many as it can bear.
        recipient = cms.to_secret(peer.mac.secret, peer.mac.parameters.iterations, pwri_kek=provoke.pwri_kek)
    elif peer.certificate is not None:
        recipient = cms.to_certificate(peer.certificate)
    else:
        raise Refused("notAuthorized", "a key is generated for known devices only")
    return cms.enveloped_data(signed, cms.ID_SIGNED_DATA, recipient)
