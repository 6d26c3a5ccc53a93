"""Certificate profiles: what a request may have, by name.

The name comes in certProfile of the header (RFC 9810, 5.1.1.4) or as LABEL of the path /.well-known/cmp/p/LABEL. The
file `profiles.json` in the state folder adds profiles or changes those built in, `default` included:

    {"gateway": {"usages": ["digital_signature", "key_agreement"], "days": 30, "reg_token": "..."}}
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import der
from .credential import KEY_USAGES
from .faults import StoreError
from .status import Refused

_ALG_ID, _RSA_KEY_LENGTH = "1.3.6.1.5.5.7.5.1.11", "1.3.6.1.5.5.7.5.1.12"
_EC = "1.2.840.10045.2.1"
KEY_ALGORITHMS = {
    "p256": der.algorithm(_EC, der.oid("1.2.840.10045.3.1.7")),
    "p384": der.algorithm(_EC, der.oid("1.3.132.0.34")),
    "ed25519": der.algorithm("1.3.101.112"),
}
KEYS = (*KEY_ALGORITHMS, "rsa2048", "rsa3072", "rsa4096")


@dataclass(frozen=True)
class Profile:
    """What certificates of a profile hold and what their requests must have.

    `permissive` honours keyUsage, extendedKeyUsage, certificatePolicies and any other extension asked for. `subject`
    (pairs of attribute and value, "" to be filled in) and `keys` are what certReqTemplate tells (RFC 9810, 5.3.19.16).
    """

    usages: tuple[str, ...] = ("digital_signature",)
    purposes: tuple[str, ...] = (ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string,)
    days: int = 0
    permissive: bool = False
    reg_token: str = field(default="", repr=False)
    authenticator: str = field(default="", repr=False)
    subject: tuple[tuple[str, str], ...] = ()
    keys: tuple[str, ...] = ()

    def template(self) -> bytes | None:
        """CertReqTemplateContent, None when the profile demands nothing."""
        if not self.subject and not self.keys:
            return None
        subject = der.explicit(5, _name(self.subject)) if self.subject else b""
        key_spec = der.sequence(*(_key_spec(key) for key in self.keys)) if self.keys else b""
        return der.sequence(der.sequence(subject), key_spec)


def _name(pairs: tuple[tuple[str, str], ...]) -> bytes:
    """By hand, because an empty value is no value that `cryptography` lets through."""
    return der.sequence(*(
        der.set_of(der.sequence(der.oid(getattr(NameOID, kind.upper()).dotted_string), der.utf8(value)))
        for kind, value in pairs
    ))


def _key_spec(key: str) -> bytes:
    if key.startswith("rsa"):
        return der.sequence(der.oid(_RSA_KEY_LENGTH), der.integer(int(key[3:])))
    return der.sequence(der.oid(_ALG_ID), KEY_ALGORITHMS[key])


BUILT_IN = {
    "default": Profile(),
    "open": Profile(permissive=True),
    "server": Profile(purposes=(ExtendedKeyUsageOID.SERVER_AUTH.dotted_string,)),
    "template": Profile(subject=(("common_name", ""), ("organization_name", "certlet lab")), keys=("p256", "rsa2048")),
}


class Profiles:
    """The profiles of a state folder, read when they are needed, so that a change takes effect at once."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "profiles.json"

    def all(self) -> dict[str, Profile]:
        """Every profile by name; StoreError when the file is wrong."""
        if not self._file.exists():
            return BUILT_IN
        try:
            given = json.loads(self._file.read_text())
            return {**BUILT_IN, **{name: _read(name, values) for name, values in given.items()}}
        except (ValueError, TypeError, AttributeError) as fault:
            raise StoreError(f"{self._file} is wrong: {fault}") from None

    def find(self, name: str, label: str) -> Profile:
        """The profile of a request: certProfile must be known; a label of the path that is not is no profile."""
        known = self.all()
        if name and name not in known:
            raise Refused("badRequest", "there is no such certProfile")
        return known[name or (label if label in known else "default")]


def _read(name: str, values: dict[str, Any]) -> Profile:
    names = {item.name for item in fields(Profile)}
    if unknown := set(values) - names:
        raise ValueError(f"{name} has unknown keys: {', '.join(sorted(unknown))}")
    plain = {key: _tuples(value) for key, value in values.items()}
    profile = replace(BUILT_IN.get(name, Profile()), **plain)
    for purpose in profile.purposes:
        x509.ObjectIdentifier(purpose)
    if not set(profile.usages) <= set(KEY_USAGES) or not set(profile.keys) <= set(KEYS):
        raise ValueError(f"{name} has an unknown keyUsage or key")
    _name(profile.subject)
    return profile


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
