"""Whole CMP transactions for the device tests: the device's engine against the lab CA, which misbehaves as a row says.

The engine's randomness is scripted, so a recorded reply fits when the same request is made again on another runtime.
What is due at the end stands in the rows, not in the recording.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS.parent / "firmware"), str(TESTS / "device" / "shims"), str(TESTS / "device")]

from cryptography.hazmat.primitives.serialization import Encoding

from certlet_host.ca.cmp_responder import Responder
from certlet_host.ca.provoke import parse
from certlet_host.ca.state import State, open_state

SECRET = b"correct horse battery staple"

# title, what is provoked at the CA, options of the client, code that is due (0: done), messages sent
ROWS = [
    ("MAC", "", "", 0, 2),
    ("MAC, the CA's root by caPubs", "", "unpinned", 0, 2),
    ("MAC, implicitConfirm", "", "implicit", 0, 1),
    ("MAC, implicitConfirm asked and not granted", "no-implicit-confirm", "implicit", 0, 2),
    ("MAC, signed replies", "signed-reply", "", 0, 2),
    ("MAC, granted with modifications", "with-mods", "", 0, 2),
    ("MAC, pvno 3 in the reply", "pvno=3", "", 0, 2),
    ("MAC, reply of 11 KB", "long-reply", "", 0, 2),
    ("MAC, senderKID reflected", "reflect-sender-kid", "", 0, 2),
    ("MAC, no senderKID", "no-sender-kid", "", 0, 2),
    ("MAC, 10 unrelated extraCerts", "many-extra-certs=9", "", 0, 2),
    ("MAC, 30 unrelated extraCerts", "many-extra-certs=30", "", 421, 1),
    ("MAC, PBMAC1 in the reply", "reply-pbmac1", "", 0, 2),
    ("MAC, PBMAC1 with a short key", "reply-pbmac1-key=16", "", 410, 1),
    ("MAC, too many iterations", "reply-pbm-iterations=10001", "", 410, 1),
    ("MAC, far too many iterations", "reply-pbm-iterations=2000000000", "", 410, 1),
    ("MAC, too few iterations", "reply-pbm-iterations=1", "", 410, 1),
    ("PBMAC1", "", "pbmac1", 0, 2),
    ("PBMAC1, wrong secret", "", "pbmac1 wrong-secret", 416, 1),
    ("signature", "", "sign", 0, 2),
    ("signature, implicitConfirm", "", "sign implicit", 0, 1),
    ("signature, sender's name reversed", "reversed-dn", "sign", 409, 1),
    ("signature, no senderKID", "no-sender-kid", "sign", 0, 2),
    ("signature, 8 unrelated extraCerts", "many-extra-certs=8", "sign", 0, 2),
    ("signature, signer without digitalSignature", "signer-without-digital-signature", "sign", 411, 1),
    ("signature, signer without digitalSignature, allowed", "signer-without-digital-signature", "sign lax", 0, 2),
    ("signature, signed by the root", "signed-by-root", "sign lax", 0, 2),
    ("MAC, wrong secret", "", "wrong-secret", 416, 1),
    ("MAC, wrong secret, nothing pinned", "", "wrong-secret unpinned", 406, 1),
    ("MAC, unprotected error", "unprotected-error;error=badRequest", "", 405, 1),
    ("MAC, unprotected error, to be read", "unprotected-error;error=badRequest", "read", 424, 1),
    ("MAC, unprotected ip, errors to be read", "unprotected", "read", 405, 1),
    ("MAC, unprotected pkiConf", "unprotected;only=pkiconf", "", 405, 2),
    ("MAC, one bit of the MAC of pkiConf wrong", "bad-protection;only=pkiconf", "", 407, 2),
    ("MAC, signed reply, nothing pinned", "signed-reply", "unpinned", 406, 1),
    ("MAC, signed reply of a stranger", "signed-reply", "pin-other", 311, 1),
    ("MAC, another transactionID in pkiConf", "wrong-transaction-id;only=pkiconf", "", 403, 2),
    ("MAC, another recipNonce in pkiConf", "wrong-nonce;only=pkiconf", "", 404, 2),
    ("MAC, neither transactionID nor nonces", "no-nonces", "", 403, 1),
    ("MAC, error message of a CMPv1 server", "old-pvno1-error;error=badRequest", "", 401, 1),
    ("MAC, error message for certConf", "error=badRequest;only=pkiconf", "", 416, 2),
    ("MAC, certificate for another key, implicitConfirm", "swapped-key", "implicit", 414, 2),
    ("MAC, expired issuing CA", "expired-chain", "", 313, 2),
    ("MAC, certificate of an unknown CA", "other-ca", "", 311, 2),
    ("MAC, no caPubs and nothing pinned", "no-ca-pubs", "unpinned", 311, 2),
    ("MAC, another root pinned", "", "pin-other", 311, 2),
    ("MAC, rejected with a text", "reject=badCertTemplate:no such subject", "", 415, 1),
    ("MAC, error message with a text", "error=systemUnavail:closed for lunch", "", 416, 1),
    ("signature, another root pinned", "", "sign pin-other", 311, 1),
    ("signature, certificate of an unknown CA", "other-ca", "sign", 311, 2),
    ("MAC, status accepted by number", "status=0", "", 0, 2),
    ("MAC, status revocationWarning", "status=4", "", 0, 2),
    ("MAC, status revocationNotification", "status=5", "", 0, 2),
    ("MAC, status keyUpdateWarning", "status=6", "", 415, 1),
    ("MAC, status rejection with a certificate", "status=2", "", 415, 1),
    ("MAC, waiting for ever", "wait=forever:1", "timeout", 417, 12),
    ("MAC, polled, final answer to the first request", "wait=2:1;original-nonce", "", 0, 8),
    ("MAC, polled at certConf", "wait=2:1;only=pkiconf", "", 0, 5),
    ("signature, polled at certConf", "wait=2:1;only=pkiconf", "sign", 0, 5),
    ("MAC, polled at certConf, reset between all messages", "wait=2:1;only=pkiconf", "reset", 0, 5),
    ("MAC, checkAfter of a year", "wait=1:1;check-after=31536000", "", 0, 6),
]

OPERATIONS = ("ir", "cr", "kur", "p10cr", "rr", "genm")
BY_SIGNATURE = {407: 408}
WITH_CERTIFICATE = ("ir", "cr", "kur", "p10cr")
# why, what is provoked, code that is due, messages sent, operations it can happen to
MATRIX = [
    ("all well", "", 0, None, OPERATIONS),
    ("unprotected", "unprotected", 405, 1, OPERATIONS),
    ("one bit of the protection wrong", "bad-protection", 407, 1, OPERATIONS),
    ("another transactionID", "wrong-transaction-id", 403, 1, OPERATIONS),
    ("another recipNonce", "wrong-nonce", 404, 1, OPERATIONS),
    ("pvno 1", "pvno=1", 401, 1, OPERATIONS),
    ("second half missing", "truncated", 101, 1, OPERATIONS),
    ("error message", "error=systemFailure", 416, 1, OPERATIONS),
    ("rejected", "reject=notAuthorized:not you", 415, 1, ("ir", "cr", "kur", "p10cr", "rr")),
    ("body of another operation", "wrong-body", 402, 1, ("ir", "cr", "kur")),
    ("nested", "nested", 402, 1, OPERATIONS),
    ("challenge instead of an answer", "popdecc", 402, 1, ("ir", "cr", "kur")),
    ("another certReqId", "wrong-req-id", 413, 1, WITH_CERTIFICATE),
    ("two responses", "two-responses", 413, 1, WITH_CERTIFICATE),
    ("no response", "no-response", 413, 1, WITH_CERTIFICATE),
    ("no certificate", "no-certificate", 413, None, WITH_CERTIFICATE),
    ("certificate for another key", "swapped-key", 414, 2, WITH_CERTIFICATE),
    ("polled twice", "wait=2:1", 0, None, OPERATIONS),
    ("polled twice, reset between all messages", "wait=2:1", 0, None, OPERATIONS),
]


def matrix():
    """Every fault of MATRIX at every operation, under a MAC and under a signature."""
    for why, provoked, code, sent, operations in MATRIX:
        for op in operations:
            for kind, option, codes in (("MAC", "", {}), ("signature", "sign", BY_SIGNATURE)):
                base = 2 if op in WITH_CERTIFICATE else 1
                count = sent or base * (4 if "polled" in why else 1)
                options = f"{option} {op} {'reset' if 'reset' in why else ''}"
                yield f"{kind}, {op}: {why}", provoked, options, codes.get(code, code), count


class Lab:
    """Two lab CAs, the second a stranger, and a certificate of the first to sign requests with."""

    def __init__(self, folder: Path):
        import replay
        from certlet import crypto

        self.replay = replay
        self.state = open_state(folder / "ca")
        self.state.store.add_secret("dev1", SECRET, reusable=True)
        self.roots = {"": root(self.state), "pin-other": root(open_state(folder / "other"))}
        self.count = 0
        self.key = crypto.select().generate("p256")
        self.signer = crypto.select().generate("p256")
        # the CA counts whole seconds; what it issues from now on is valid at this moment
        self.now = int(time.time())
        first = {**self.case("first", ""), "key": self.signer.ref.hex()}
        self.certificate = self.play(first, "")[0].certificate

    def case(self, title: str, options: str) -> dict:
        words = options.split()
        op = next((word for word in words if word in OPERATIONS), "ir")
        pins = [] if "unpinned" in words else [self.roots["pin-other" if "pin-other" in words else ""].hex()]
        case = {
            "title": title,
            "now": self.now,
            "key": self.key.ref.hex(),
            "op": op,
            "implicit": "implicit" in words,
            "pbmac1": "pbmac1" in words,
            "lax": "lax" in words,
            "read": "read" in words,
            "reset": "reset" in words,
            "timeout": 10 if "timeout" in words else None,
            "anchors": pins,
            "secret": ("wrong" if "wrong-secret" in words else SECRET.decode()),
        }
        certificate = self.disposable() if op == "rr" else getattr(self, "certificate", b"")
        if op in ("kur", "rr"):
            case["old"] = certificate.hex()
        if "sign" in words:
            case["signer"] = {"key": self.signer.ref.hex(), "certificate": certificate.hex()}
        return case

    def disposable(self) -> bytes:
        """A certificate to be revoked; it belongs to the reference dev1."""
        self.count += 1
        case = {**self.case(f"disposable {self.count}", ""), "key": self.signer.ref.hex()}
        return self.play(case, "")[0].certificate

    def play(self, case: dict, provoked: str) -> tuple:
        """Run the device's engine against the lab CA; returns (transaction, requests, replies)."""
        responder = Responder(self.state, provoke=parse(split(provoked)))
        requests, replies = [], []

        def exchange(request):
            requests.append(bytes(request))
            replies.append(responder.exchange(bytes(request))[1])
            return replies[-1]

        transaction, _ = self.replay.run(case, exchange)
        return transaction, requests, replies


def split(provoked: str) -> list[str]:
    """The provocations of a row."""
    return provoked.split(";") if provoked else []


def root(state: State) -> bytes:
    return state.authority.root.certificate.public_bytes(Encoding.DER)


def generate(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        lab = Lab(Path(temporary))
        cases = []
        for title, provoked, options, code, sent in [*ROWS, *matrix()]:
            case = lab.case(title, options)
            _, requests, replies = lab.play(case, provoked)
            case["requests"] = [r.hex() for r in requests]
            case["replies"] = [r.hex() for r in replies]
            cases.append({**case, "code": code, "sent": sent})
        lab.state.store.close()
    (folder / "cmp.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
