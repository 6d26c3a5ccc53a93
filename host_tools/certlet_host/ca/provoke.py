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
    status: int | None = None
    certificate: bool = True
    ca_pubs: bool = True
    implicit_confirm: bool = True
    wrong_req_id: bool = False
    responses: int = 1
    popdecc: bool = False
    nested: bool = False
    wait: tuple[int, int] | None = None
    wait_as_error: bool = False
    check_after: int | None = None
    original_nonce: bool = False
    pvno: int = 0
    wrong_transaction_id: bool = False
    wrong_nonce: bool = False
    no_nonces: bool = False
    reflect_sender_kid: bool = False
    no_sender_kid: bool = False
    reversed_dn: bool = False
    unknown_info: bool = False
    message_time: str = "whole"
    padding: int = 0
    extra_certs: int = 0
    protection: str = ""
    unprotected_error: bool = False
    bad_protection: bool = False
    pbmac1: int = 0
    iterations: int = 0
    mac: str = ""
    signer: str = ""
    root_update: str = ""
    pwri_kek: bool = False
    bare_key: bool = False
    keygen: str = ""
    strict_sender: bool = False
    time_window: int = 0
    truncated: bool = False
    http_status: int = 200
    transport: str = ""
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


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        chosen = next((word for word in words if word.lower() == value.lower()), "")
        if not chosen:
            raise ValueError(f"{value!r} is not one of {', '.join(words)}")
        return chosen

    return parse


def _wait(value: str) -> tuple[int, int]:
    """N[:SECONDS]; "forever" is -1 polls."""
    count, _, seconds = value.partition(":")
    polls = -1 if count == "forever" else _number(1, 1_000_000)(count)
    return polls, _number(0, 1_000_000_000)(seconds or "1")


_MACS = ("sha1", "sha1-pkix", "sha256", "sha256-null", "sha384", "sha512")
_KINDS = ("ip", "cp", "kup", "rp", "genp", "pkiconf", "pollRep", "error")

# name: (field, fixed value, or a function of the text after "=", sentence for the help); a dict sets several fields
PROVOCATIONS: dict[str, tuple[str, Any, str]] = {
    "swapped-key": ("swapped_key", True, "certificate for another public key"),
    "expired-chain": ("issuer", "expired", "issuing CA certificate that has expired"),
    "other-ca": ("issuer", "unknown", "certificate from a CA the client does not know"),
    "reject": ("reject", _failure, "FAILINFO[:TEXT]: ip, cp, kup or rp with status rejection"),
    "error": ("error", _failure, "FAILINFO[:TEXT]: error message instead of any reply"),
    "old-pvno1-error": (
        "", {"error": ("unsupportedVersion", "CMPv1 only"), "pvno": 1, "protection": "none"},
        "unprotected error message with pvno 1, as from a CMPv1 server",
    ),
    "wrong-body": ("wrong_body", True, "cp for ir, ip for cr and kur"),
    "with-mods": ("mods", True, "status grantedWithMods"),
    "status": ("status", _number(0, 6), "N: this PKIStatus, with a certificate whatever it means"),
    "no-certificate": ("certificate", False, "ip, cp or kup without the certificate"),
    "no-ca-pubs": ("ca_pubs", False, "no root certificate in caPubs"),
    "no-implicit-confirm": ("implicit_confirm", False, "implicitConfirm is never granted"),
    "wrong-req-id": ("wrong_req_id", True, "another certReqId in ip, cp, kup or pollRep"),
    "two-responses": ("responses", 2, "the CertResponse twice"),
    "no-response": ("responses", 0, "ip, cp or kup without a CertResponse"),
    "popdecc": ("popdecc", True, "a challenge (popdecc) instead of ip, cp or kup"),
    "nested": ("nested", True, "the reply inside a nested message"),
    "wait": ("wait", _wait, "N[:SECONDS] or forever[:SECONDS]: so many polls before the answer, at any message"),
    "wait-as-error": ("wait_as_error", True, "an error message with status waiting instead of ip, cp or kup"),
    "check-after": ("check_after", _number(-1, 2**40), "SECONDS: checkAfter of pollRep"),
    "original-nonce": ("original_nonce", True, "after polling, recipNonce of the first request, not of the last poll"),
    "pvno": ("pvno", _number(0, 9), "N: this version number in the reply"),
    "wrong-transaction-id": ("wrong_transaction_id", True, "another transactionID"),
    "wrong-nonce": ("wrong_nonce", True, "another recipNonce"),
    "no-nonces": ("no_nonces", True, "neither transactionID nor nonces"),
    "reflect-sender-kid": ("reflect_sender_kid", True, "senderKID of the request, whatever protects the reply"),
    "no-sender-kid": ("no_sender_kid", True, "no senderKID"),
    "reversed-dn": (
        "", {"signer": "long_named_signer", "reversed_dn": True}, "sender of a signed reply in reversed order"
    ),
    "no-message-time": ("message_time", "", "no messageTime"),
    "fractional-time": ("message_time", "fraction", "messageTime with a fraction of a second"),
    "unknown-info": ("unknown_info", True, "an unknown InfoTypeAndValue in generalInfo, and in genp"),
    "oversized": ("padding", 70_000, "a correct reply of more than 64 KiB"),
    "long-reply": ("padding", 10_500, "a correct reply of about 11 KB"),
    "many-extra-certs": ("extra_certs", _number(1, 40), "N: so many unrelated certificates in extraCerts"),
    "unprotected": ("protection", "none", "reply without protection"),
    "unprotected-error": ("unprotected_error", True, "error messages without protection, other replies as ever"),
    "signed-reply": ("protection", "signature", "signed reply to a MAC-protected request"),
    "bad-protection": ("bad_protection", True, "one bit of the protection is wrong"),
    "reply-pbmac1": ("pbmac1", 32, "reply under PBMAC1 to a request under PasswordBasedMac"),
    "reply-pbmac1-key": ("pbmac1", _number(1, 64), "N: the same with a MAC key of N bytes"),
    "reply-pbm-iterations": ("iterations", _number(1, 2**40), "N: iterationCount of the reply (above 100,000 untrue)"),
    "reply-mac": (
        "mac", _one_of(*_MACS), f"{'|'.join(_MACS)}: MAC of the reply, in the OID of RFC 8018, of RFC 4210 (sha1-pkix) "
        "or with parameters NULL",
    ),
    "signer-without-digital-signature": ("signer", "mute_signer", "signer's keyUsage lacks digitalSignature"),
    "signed-by-root": ("signer", "root", "signed by the root's own key (an Ed25519 one: see --ca-key)"),
    "root-update": (
        "root_update", _one_of("bad-new", "bad-link", "other-key", "no-link"),
        "bad-new|bad-link|other-key|no-link: newWithNew or newWithOld by a stranger, newWithOld of another key, "
        "no newWithOld",
    ),
    "pwri-kek": ("pwri_kek", True, "key wrap of RFC 3211 for a generated key under a secret"),
    "bare-key": ("bare_key", True, "generated key without AsymmetricKeyPackage around it, as OpenSSL wants it"),
    "keygen": (
        "keygen", _one_of("other-key", "other-signer", "bad-signature"),
        "other-key|other-signer|bad-signature: generated key that is not the certificate's, or signed wrongly",
    ),
    "strict-sender": ("strict_sender", True, "refuse a MAC-protected request whose sender CN is not its senderKID"),
    "time-window": ("time_window", _number(1, 1_000_000_000), "SECONDS: demand a messageTime that is no further off"),
    "truncated": ("truncated", True, "the second half of the reply is missing"),
    "http-status": ("http_status", _number(200, 599), "N: the CMP reply comes with this HTTP status"),
    "chunked": ("transport", "chunked", "HTTP body in chunks"),
    "close": ("transport", "close", "HTTP connection closed after each reply"),
    "close-delimited": ("transport", "close-delimited", "HTTP body that ends with the connection"),
    "redirect": ("transport", "redirect", "HTTP 307 to another path"),
    "only": ("only", _one_of(*_KINDS), f"{'|'.join(_KINDS)}: provoke in this kind of reply only"),
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
            plain = setting(value) if callable(setting) else setting
            result = replace(result, **(plain if isinstance(plain, dict) else {field: plain}))
        except ValueError as fault:
            raise ValueError(f"{name}: {fault}") from None
    return result
