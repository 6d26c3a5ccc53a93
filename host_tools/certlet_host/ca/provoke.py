"""Faults on demand, so that a client can be tested against a CA that misbehaves.

Each row of PROVOCATIONS turns `NAME` or `NAME=VALUE` into fields of Provoke; the responder reads each field in one
place. Without provocation every field has the value of a correct CA.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from .status import FAILURES


@dataclass(frozen=True)
class Provoke:
    """What the CA does wrong. `only` limits it to one kind of reply body, `times` to the first replies of that kind."""

    swapped_key: bool = False
    issuer: str = "issuing"
    reject: tuple[str, str] | None = None
    error: tuple[str, str] | None = None
    wrong_body: bool = False
    mods: bool = False
    ca_pubs: bool = True
    implicit_confirm: bool = True
    pvno: int = 0
    wrong_transaction_id: bool = False
    wrong_nonce: bool = False
    padding: int = 0
    protection: str = ""
    bad_protection: bool = False
    truncated: bool = False
    http_status: int = 200
    only: str = ""
    times: int = 0


NOTHING = Provoke()


def _failure(value: str) -> tuple[str, str]:
    name, _, text = value.partition(":")
    if name not in FAILURES:
        raise ValueError(f"{name!r} is no PKIFailureInfo name")
    return name, text or "refused on demand"


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError(f"{number} is outside {low}..{high}")
        return number

    return parse


def _body(value: str) -> str:
    if value not in ("ip", "cp", "pkiconf"):
        raise ValueError(f"{value!r} is not one of ip, cp, pkiconf")
    return value


# name: (field, fixed value, or a function of the text after "=", sentence for the help)
PROVOCATIONS: dict[str, tuple[str, Any, str]] = {
    "swapped-key": ("swapped_key", True, "certificate for another public key"),
    "expired-chain": ("issuer", "expired", "issuing CA certificate that has expired"),
    "other-ca": ("issuer", "unknown", "certificate from a CA the client does not know"),
    "reject": ("reject", _failure, "FAILINFO[:TEXT]: ip or cp with status rejection"),
    "error": ("error", _failure, "FAILINFO[:TEXT]: error message instead of any reply"),
    "wrong-body": ("wrong_body", True, "cp for ir and ip for cr"),
    "with-mods": ("mods", True, "status grantedWithMods"),
    "no-ca-pubs": ("ca_pubs", False, "no root certificate in caPubs"),
    "no-implicit-confirm": ("implicit_confirm", False, "implicitConfirm is never granted"),
    "pvno": ("pvno", _number(1, 9), "N: this version number in the reply"),
    "wrong-transaction-id": ("wrong_transaction_id", True, "another transactionID"),
    "wrong-nonce": ("wrong_nonce", True, "another recipNonce"),
    "oversized": ("padding", 70_000, "a correct reply of more than 64 KiB"),
    "unprotected": ("protection", "none", "reply without protection"),
    "signed-reply": ("protection", "signature", "signed reply to a MAC-protected request"),
    "bad-protection": ("bad_protection", True, "one bit of the protection is wrong"),
    "truncated": ("truncated", True, "the second half of the reply is missing"),
    "http-status": ("http_status", _number(200, 599), "N: the CMP reply comes with this HTTP status"),
    "only": ("only", _body, "ip|cp|pkiconf: provoke in this kind of reply only"),
    "times": ("times", _number(1, 1_000_000), "N: provoke in the first N replies only"),
}


def parse(words: Iterable[str]) -> Provoke:
    """The Provoke for a list of `NAME` and `NAME=VALUE`; ValueError with one sentence for a wrong one."""
    result = NOTHING
    for word in words:
        name, equals, value = word.partition("=")
        if name not in PROVOCATIONS:
            raise ValueError(f"unknown provocation {name!r}; known: {', '.join(PROVOCATIONS)}")
        field, setting, _ = PROVOCATIONS[name]
        if callable(setting) != bool(equals):
            raise ValueError(f"{name} needs a value" if callable(setting) else f"{name} takes no value")
        try:
            result = replace(result, **{field: setting(value) if callable(setting) else setting})
        except ValueError as fault:
            raise ValueError(f"{name}: {fault}") from None
    return result
