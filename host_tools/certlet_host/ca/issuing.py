"""What a certificate holds: the wish of the device, by its profile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from .authority import Authority
from .credential import BACKDATE, Credential, Extensions, certify, end_extensions
from .profiles import Profile
from .request import Wanted
from .status import Refused

_OURS = {ExtensionOID.SUBJECT_KEY_IDENTIFIER, ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.BASIC_CONSTRAINTS}

_OFFICES = {f"1.3.6.1.5.5.7.3.{number}" for number in (27, 28, 32)}  # cmcCA, cmcRA, cmKGA


@dataclass(frozen=True)
class Issued:
    """A certificate and what differs from the wish: an empty text when nothing does."""

    certificate: x509.Certificate
    modifications: str = ""


def issue(authority: Authority, wanted: Wanted, issuer: Credential, profile: Profile) -> Issued:
    """Issues by the profile; Refused(badCertTemplate) when the wish cannot be met at all."""
    start, end, clipped = _validity(authority, wanted, issuer, profile)
    extensions, ignored = _extensions(wanted, profile)
    try:
        certificate = certify(
            wanted.subject, wanted.public_key, issuer.certificate.subject, issuer.key, extensions, start=start, end=end
        )
    except (ValueError, TypeError):
        raise Refused("badCertTemplate", "no certificate can be made of this subject and these extensions") from None
    return Issued(certificate, "; ".join(text for text in (clipped, ignored) if text))


def _validity(
    authority: Authority, wanted: Wanted, issuer: Credential, profile: Profile
) -> tuple[datetime, datetime, str]:
    """The wish, cut to the maximum and the issuer's validity; notBefore lies back for boards with slow clocks."""
    now = datetime.now(UTC)
    start = now - BACKDATE
    if wanted.not_before is not None and (wanted.not_before > now or profile.permissive):
        start = wanted.not_before
    end = wanted.not_after or max(start, now - BACKDATE) + BACKDATE + timedelta(
        days=profile.days or authority.default_days
    )
    latest = now + timedelta(days=authority.max_days, minutes=5)
    if issuer is authority.issuing:
        latest = min(latest, issuer.certificate.not_valid_after_utc)
    if end <= now or end <= start or start > latest:
        raise Refused("badCertTemplate", "the validity asked for is empty or in the past")
    return start, min(end, latest), "the validity was shortened" if end > latest else ""


def _is_office(value: x509.ExtensionType) -> bool:
    """Makes a CA or an authority of CMP out of a device; such certificates come from profiles of the operator only."""
    if isinstance(value, x509.ExtendedKeyUsage):
        return any(purpose.dotted_string in _OFFICES for purpose in value)
    if isinstance(value, x509.KeyUsage):
        return value.key_cert_sign or value.crl_sign
    return value.oid in _OURS


def _extensions(wanted: Wanted, profile: Profile) -> tuple[Extensions, str]:
    """Those of the profile and the names asked for; a permissive profile takes what is asked instead of its own."""
    purposes = (x509.ObjectIdentifier(purpose) for purpose in profile.purposes)
    chosen = {value.oid: (value, critical) for value, critical in end_extensions(*purposes, usages=profile.usages)}
    nameless, ignored = not list(wanted.subject), []
    for extension in wanted.extensions:
        oid, value = extension.oid, extension.value
        if oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME:
            chosen[oid] = (value, nameless or (profile.permissive and extension.critical))
        elif profile.permissive and not _is_office(value):
            chosen[oid] = (value, extension.critical)
        elif oid not in chosen or chosen[oid][0] != value:
            ignored.append(oid.dotted_string)
    if nameless and ExtensionOID.SUBJECT_ALTERNATIVE_NAME not in chosen:
        raise Refused("badCertTemplate", "both the subject and the subjectAltName are empty")
    return list(chosen.values()), f"extensions not honoured: {', '.join(ignored)}" if ignored else ""
