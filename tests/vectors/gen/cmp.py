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
    ("PBMAC1, wrong secret", "", "pbmac1 wrong-secret", 430, 1),
    ("signature", "", "sign", 0, 2),
    ("signature, implicitConfirm", "", "sign implicit", 0, 1),
    ("signature, sender's name reversed", "reversed-dn", "sign", 409, 1),
    ("signature, no senderKID", "no-sender-kid", "sign", 0, 2),
    ("signature, 8 unrelated extraCerts", "many-extra-certs=8", "sign", 0, 2),
    ("signature, signer without digitalSignature", "signer-without-digital-signature", "sign", 411, 1),
    ("signature, signer without digitalSignature, allowed", "signer-without-digital-signature", "sign lax", 0, 2),
    ("signature, signed by the root", "signed-by-root", "sign lax", 0, 2),
    ("MAC, wrong secret", "", "wrong-secret", 430, 1),
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
    ("MAC, waiting by an error message", "wait=1:1;wait-as-error;only=ip", "", 0, 4),
    ("MAC, unknown item in generalInfo", "unknown-info", "", 0, 2),
]

# the same for what rests on kinds of keys: of the CA (ca-), of its signer (signer-), of the device: to be certified (key-), to sign with (by-)
KEYS = [
    ("MAC, RSA CA", "", "ca-rsa", 0, 2),
    ("MAC, P-384 CA", "", "ca-p384", 0, 2),
    ("MAC, Ed25519 CA", "", "ca-ed25519", 0, 2),
    ("signature, RSA CA", "", "sign ca-rsa signer-rsa", 0, 2),
    ("signature, P-384 CA", "", "sign ca-p384 signer-p384", 0, 2),
    ("signature, Ed25519 CA", "", "sign ca-ed25519 signer-ed25519", 0, 2),
    ("signature, reply signed by RSA-PSS", "", "sign signer-rsa-pss", 0, 2),
    ("signature, reply signed by Ed25519", "", "sign signer-ed25519", 0, 2),
    ("signature, Ed25519 root signs replies and has no digitalSignature", "signed-by-root", "sign ca-ed25519", 411, 1),
    ("signature, Ed25519 root signs replies, allowed", "signed-by-root", "sign ca-ed25519 lax", 0, 2),
    ("MAC, RSA key", "", "key-rsa", 0, 2),
    ("MAC, P-384 key", "", "key-p384", 0, 2),
    ("MAC, Ed25519 key", "", "key-ed25519", 0, 2),
    ("p10cr, RSA key", "", "p10cr key-rsa", 0, 2),
    ("MAC, raVerified by a device", "", "popo-raVerified", 415, 1),
    ("MAC, encrypted certificate for an EC key", "", "popo-keyAgreement", 0, 2),
    ("MAC, encrypted certificate for an RSA key", "", "popo-keyEncipherment key-rsa", 0, 2),
    ("signature, encrypted certificate for an EC key", "", "sign popo-keyAgreement", 0, 2),
    ("MAC, the CA makes the key", "", "central", 0, 2),
    ("MAC, the CA makes the key, wrapped as of RFC 3211", "pwri-kek", "central", 0, 2),
    ("signature, the CA makes the key", "", "sign central", 0, 2),
    ("MAC, the CA makes a key and certifies another", "keygen=other-key", "central", 414, 2),
    ("MAC, the CA's key is signed by no key authority", "keygen=other-signer", "central", 428, 2),
    ("MAC, the CA's key is signed wrongly", "keygen=bad-signature", "central", 362, 2),
    ("signature, the CA's key is signed wrongly", "keygen=bad-signature", "sign central", 362, 2),
    ("signature by an RSA key", "", "sign by-rsa", 0, 2),
    ("signature by a P-384 key", "", "sign by-p384", 0, 2),
    ("signature by an Ed25519 key", "", "sign by-ed25519", 0, 2),
    ("signature by an RSA key, the CA makes the key", "", "sign by-rsa central", 0, 2),
    ("signature by an RSA key, kur", "", "sign by-rsa kur key-rsa", 0, 2),
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
        self.folder = folder
        self.states = {"p256": self.state}
        self.keys = {"rsa": crypto.select().generate("rsa2048")}
        for kind in ("p384", "ed25519"):
            self.keys[kind] = crypto.select().generate(kind)
        self.key = crypto.select().generate("p256")
        self.signer = crypto.select().generate("p256")
        # the CA counts whole seconds; what it issues from now on is valid at this moment
        self.now = int(time.time())
        first = {**self.case("first", ""), "key": self.signer.ref.hex()}
        self.certificate = self.play(first, "")[0].certificate

    def case(self, title: str, options: str) -> dict:
        words = options.split()
        state = self.of_kind(word(words, "ca-", "p256"))
        op = next((word for word in words if word in OPERATIONS), "ir")
        pins = [root(state).hex()]
        if "unpinned" in words or "pin-other" in words:
            pins = [self.roots["pin-other"].hex()] * ("pin-other" in words)
        case = {
            "title": title,
            "now": self.now,
            "key": None if "central" in words else self.keys.get(word(words, "key-", ""), self.key).ref.hex(),
            "popo": word(words, "popo-", "signature"),
            "state": word(words, "ca-", "p256"),
            "signer_kind": word(words, "signer-", "p256"),
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
        signer = self.keys.get(word(words, "by-", ""), self.signer)
        fresh = op == "rr" or ("sign" in words and (state is not self.state or signer is not self.signer))
        certificate = self.disposable(options) if fresh else getattr(self, "certificate", b"")
        if op in ("kur", "rr"):
            case["old"] = certificate.hex()
        if "sign" in words:
            case["signer"] = {"key": signer.ref.hex(), "certificate": certificate.hex()}
        return case

    def of_kind(self, kind: str) -> State:
        """The state of a lab CA with keys of this kind, which knows the same secret."""
        if kind not in self.states:
            self.states[kind] = open_state(self.folder / kind, ca_key=kind)
            self.states[kind].store.add_secret("dev1", SECRET, reusable=True)
        return self.states[kind]

    def disposable(self, options: str) -> bytes:
        """A certificate of the signing key that no other case uses, of the CA of the options."""
        self.count += 1
        words = options.split()
        kind = " ".join(w for w in words if w.startswith("ca-"))
        key = self.keys.get(word(words, "by-", ""), self.signer)
        case = {**self.case(f"disposable {self.count}", kind), "key": key.ref.hex()}
        return self.play(case, "")[0].certificate

    def play(self, case: dict, provoked: str) -> tuple:
        """Run the device's engine against the lab CA; returns (transaction, requests, replies)."""
        state = self.of_kind(case["state"])
        responder = Responder(state, provoke=parse(split(provoked)), signer=case["signer_kind"])
        requests, replies = [], []

        def exchange(request):
            requests.append(bytes(request))
            replies.append(responder.exchange(bytes(request))[1])
            return replies[-1]

        transaction, _ = self.replay.run(case, exchange)
        return transaction, requests, replies


def word(words: list[str], prefix: str, default: str) -> str:
    """What follows `prefix` in the first word that begins with it."""
    return next((word.removeprefix(prefix) for word in words if word.startswith(prefix)), default)


def split(provoked: str) -> list[str]:
    """The provocations of a row."""
    return provoked.split(";") if provoked else []


def root(state: State) -> bytes:
    return state.authority.root.certificate.public_bytes(Encoding.DER)


def generate(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        lab = Lab(Path(temporary))
        cases = []
        for title, provoked, options, code, sent in [*ROWS, *KEYS, *matrix()]:
            case = lab.case(title, options)
            _, requests, replies = lab.play(case, provoked)
            case["requests"] = [r.hex() for r in requests]
            case["replies"] = [r.hex() for r in replies]
            cases.append({**case, "code": code, "sent": sent})
        for state in lab.states.values():
            state.store.close()
    (folder / "cmp.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
