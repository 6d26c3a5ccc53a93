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

# title, what is provoked at the CA, options of the client, code that is due (0: a certificate), messages sent
ROWS = [
    ("MAC", "", "", 0, 2),
    ("MAC, the CA's root by caPubs", "", "unpinned", 0, 2),
    ("MAC, implicitConfirm", "", "implicit", 0, 1),
    ("MAC, implicitConfirm asked and not granted", "no-implicit-confirm", "implicit", 0, 2),
    ("MAC, signed replies", "signed-reply", "", 0, 2),
    ("MAC, granted with modifications", "with-mods", "", 0, 2),
    ("MAC, pvno 3 in the reply", "pvno=3", "", 0, 2),
    ("signature", "", "sign", 0, 2),
    ("signature, implicitConfirm", "", "sign implicit", 0, 1),
    ("MAC, wrong secret", "", "wrong-secret", 416, 1),
    ("MAC, wrong secret, nothing pinned", "", "wrong-secret unpinned", 406, 1),
    ("MAC, unprotected reply", "unprotected", "", 405, 1),
    ("MAC, unprotected pkiConf", "unprotected only=pkiconf", "", 405, 2),
    ("MAC, one bit of the MAC wrong", "bad-protection", "", 407, 1),
    ("MAC, one bit of the MAC of pkiConf wrong", "bad-protection only=pkiconf", "", 407, 2),
    ("MAC, signed reply, nothing pinned", "signed-reply", "unpinned", 406, 1),
    ("MAC, signed reply of a stranger", "signed-reply", "pin-other", 311, 1),
    ("MAC, another transactionID", "wrong-transaction-id", "", 403, 1),
    ("MAC, another transactionID in pkiConf", "wrong-transaction-id only=pkiconf", "", 403, 2),
    ("MAC, another recipNonce", "wrong-nonce", "", 404, 1),
    ("MAC, another recipNonce in pkiConf", "wrong-nonce only=pkiconf", "", 404, 2),
    ("MAC, cp for ir", "wrong-body only=ip", "", 402, 1),
    ("MAC, pvno 1", "pvno=1", "", 401, 1),
    ("MAC, rejected", "reject=badCertTemplate:no such subject", "", 415, 1),
    ("MAC, error message", "error=systemUnavail:closed for lunch", "", 416, 1),
    ("MAC, error message for certConf", "error=badRequest only=pkiconf", "", 416, 2),
    ("MAC, certificate for another key", "swapped-key", "", 414, 2),
    ("MAC, certificate for another key, implicitConfirm", "swapped-key", "implicit", 414, 2),
    ("MAC, expired issuing CA", "expired-chain", "", 313, 2),
    ("MAC, certificate of an unknown CA", "other-ca", "", 311, 2),
    ("MAC, no caPubs and nothing pinned", "no-ca-pubs", "unpinned", 311, 2),
    ("MAC, another root pinned", "", "pin-other", 311, 2),
    ("MAC, second half missing", "truncated", "", 101, 1),
    ("signature, unprotected reply", "unprotected", "sign", 405, 1),
    ("signature, one bit of the signature wrong", "bad-protection", "sign", 408, 1),
    ("signature, another root pinned", "", "sign pin-other", 311, 1),
    ("signature, another transactionID", "wrong-transaction-id", "sign", 403, 1),
    ("signature, another recipNonce", "wrong-nonce", "sign", 404, 1),
    ("signature, rejected", "reject=notAuthorized:not you", "sign", 415, 1),
    ("signature, error message", "error=systemFailure", "sign", 416, 1),
    ("signature, certificate for another key", "swapped-key", "sign", 414, 2),
    ("signature, certificate of an unknown CA", "other-ca", "sign", 311, 2),
    ("signature, second half missing", "truncated", "sign", 101, 1),
]


class Lab:
    """Two lab CAs, the second a stranger, and a certificate of the first to sign requests with."""

    def __init__(self, folder: Path):
        import replay
        from certlet import crypto

        self.replay = replay
        self.state = open_state(folder / "ca")
        self.state.store.add_secret("dev1", SECRET, reusable=True)
        self.roots = {"": root(self.state), "pin-other": root(open_state(folder / "other"))}
        self.key = crypto.select().generate("p256")
        self.signer = crypto.select().generate("p256")
        # the CA counts whole seconds; what it issues from now on is valid at this moment
        self.now = int(time.time())
        first = {**self.case("first", ""), "key": self.signer.ref.hex()}
        self.certificate = self.play(first, "")[0].certificate

    def case(self, title: str, options: str) -> dict:
        words = options.split()
        pins = [] if "unpinned" in words else [self.roots["pin-other" if "pin-other" in words else ""].hex()]
        case = {
            "title": title,
            "now": self.now,
            "key": self.key.ref.hex(),
            "implicit": "implicit" in words,
            "anchors": pins,
            "secret": ("wrong" if "wrong-secret" in words else SECRET.decode()),
        }
        if "sign" in words:
            case["signer"] = {"key": self.signer.ref.hex(), "certificate": self.certificate.hex()}
        return case

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
    """Split before `only=`: the text of a rejection may have spaces of its own."""
    head, found, tail = provoked.partition(" only=")
    return [head] * bool(head) + ["only=" + tail] * bool(found)


def root(state: State) -> bytes:
    return state.authority.root.certificate.public_bytes(Encoding.DER)


def generate(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        lab = Lab(Path(temporary))
        cases = []
        for title, provoked, options, code, sent in ROWS:
            case = lab.case(title, options)
            _, requests, replies = lab.play(case, provoked)
            case["requests"] = [r.hex() for r in requests]
            case["replies"] = [r.hex() for r in replies]
            cases.append({**case, "code": code, "sent": sent})
        lab.state.store.close()
    (folder / "cmp.json").write_text(json.dumps(cases))
