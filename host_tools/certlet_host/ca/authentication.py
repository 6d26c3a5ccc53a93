"""Who sent a message? Its protection is checked before anything else is believed (RFC 9810, 5.1.3)."""

from __future__ import annotations

import os

from cryptography import x509

from . import chain, mac
from .cmp_codec import Message, general_name
from .cmp_reply import Peer
from .names import common_name_of, same_name
from .signatures import signature_is_valid
from .state import State
from .status import Refused
from .tables import find_certificate, serial_text

_MAX_CERTIFICATES = 10
_CMC_RA = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.28")
# A certificate that is revoked may still be the subject of a second rr and of the polls for it.
_OF_REVOKED = ("rr", "pollReq")


class Authenticator:
    """Checks the protection of requests against the secrets and anchors of a lab CA."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._decoy = os.urandom(16)

    def authenticate(self, received: Message, *, strict_sender: bool = False) -> Peer:
        """The sender; Refused when the protection is missing or does not hold."""
        if received.algorithm is None or received.protection is None:
            raise Refused("badMessageCheck", "the message is not protected")
        if len(received.extra_certs) > _MAX_CERTIFICATES:
            raise Refused("badRequest", f"more than {_MAX_CERTIFICATES} extraCerts")
        if mac.is_mac(received.algorithm):
            return self._by_mac(received, strict_sender)
        return self._by_signature(received)

    def _by_mac(self, received: Message, strict_sender: bool) -> Peer:
        if not received.sender_kid:
            raise Refused("badMessageCheck", "the senderKID does not hold the reference")
        parameters = mac.parse(received.algorithm)
        reference = received.sender_kid.decode("utf-8", "replace")
        secret = self._state.store.secret(reference)
        # An unknown reference costs as much time as a wrong secret and gets the same answer.
        protector = mac.MacProtector(parameters, secret if secret is not None else self._decoy)
        valid = protector.check(received.protected_part, received.protection)
        if not valid or secret is None:
            raise Refused("badMessageCheck", "the MAC does not verify under the secret of this reference")
        if strict_sender and common_name_of(received.sender) != reference:
            raise Refused("badRequest", "the CN of the sender is not the senderKID")
        return Peer(f"reference {reference}", reference, protector, owner=f"reference {reference}")

    def _by_signature(self, received: Message) -> Peer:
        certificates = chain.load(received.extra_certs)
        if not certificates:
            raise Refused("signerNotTrusted", "the extraCerts do not begin with the signer's certificate")
        signer = certificates[0]
        try:
            key = signer.public_key()
        except ValueError:
            raise Refused("signerNotTrusted", "the key of the signer's certificate cannot be read") from None
        own = self._state.authority.issuing_certificates()
        chain.require_trusted(signer, [*certificates[1:], *own], self._state.anchors())
        if not signature_is_valid(key, received.algorithm, received.protection, received.protected_part):
            raise Refused("badMessageCheck", "the signature does not verify with the first of the extraCerts")
        if not chain.may_sign(signer):
            raise Refused("signerNotTrusted", "the signer's keyUsage lacks digitalSignature")
        if not same_name(received.sender, general_name(signer.subject.public_bytes())):
            raise Refused("badMessageCheck", "the sender is not the subject of the signer's certificate")
        return self._signer(received, signer)

    def _signer(self, received: Message, signer: x509.Certificate) -> Peer:
        name = f"certificate {serial_text(signer.serial_number)}"
        with self._state.store.session() as session:
            row = find_certificate(session, signer)
            status, owner, serial = (row.status, row.owner, row.serial) if row else (None, name, None)
        if status not in (None, "confirmed", "superseded") and not (
            status == "revoked" and received.kind in _OF_REVOKED
        ):
            raise Refused("certRevoked", f"the signer's certificate is {status}")
        return Peer(name, certificate=signer, ours=serial, owner=owner, is_ra=_is_ra(signer))


def _is_ra(certificate: x509.Certificate) -> bool:
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return _CMC_RA in purposes
