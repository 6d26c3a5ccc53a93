"""Shows what happens on a board as lines that a person can follow."""

from rich.console import Console
from rich.text import Text

# PKIBody by its number, RFC 9810 section 5.1.2
BODIES = {
    0: ("ir", "initialization request: public key, subject, proof of possession"),
    1: ("ip", "initialization response: the certificate"),
    2: ("cr", "certification request"),
    3: ("cp", "certification response"),
    4: ("p10cr", "certification request as PKCS #10"),
    7: ("kur", "key update request"),
    8: ("kup", "key update response"),
    11: ("rr", "revocation request"),
    12: ("rp", "revocation response"),
    19: ("pkiConf", "the CA took note"),
    21: ("genm", "general message: a question"),
    22: ("genp", "general response"),
    23: ("error", "error message"),
    24: ("certConf", "confirmation: hash of the certificate, accepted or refused"),
    25: ("pollReq", "is the answer ready?"),
    26: ("pollRep", "not yet"),
}

CHECKS = {
    "mac": "protection: MAC under the shared secret",
    "signature": "protection: signature, signer's certificate chains to a pinned anchor",
    "transactionID": "transactionID: ours",
    "recipNonce": "recipNonce: the nonce that we just sent",
    "status": "PKIStatus: with a certificate, or done",
    "waiting": "PKIStatus: waiting",
    "encrCert": "encrypted certificate: opened with the key that it is for",
    "keyAuthority": "key made by the CA: signed by a key generation authority",
    "publicKey": "public key in the certificate: ours",
    "chain": "chain: signatures, validity, basicConstraints, keyUsage up to the anchor",
}

RECORDS = {
    "pending": "transaction saved as 'pending', so that a power cut loses nothing",
    "active": "identity is now 'active': key, certificate, chain in one record",
}


def printable(text: str) -> str:
    """Return a peer's text without control characters, for a terminal or a log."""
    return "".join(c if c.isprintable() else "?" for c in text)


class Timeline:
    """A console that prints events of the device verb `cmp` as they come."""

    def __init__(self, console: Console):
        self.console = console

    def line(self, ms: int | None, mark: str, text: str, style: str = "") -> None:
        """Print one line: time on the board, who or what, sentence."""
        moment = "" if ms is None else f"{ms} ms"
        line = Text.assemble((f"{moment:>8}  ", "dim"), (f"{mark:<8}", style or "bold"), text)
        self.console.print(line, soft_wrap=True)

    def event(self, event: dict) -> None:
        """Print an event of the board; one of an unknown name is left out."""
        show = getattr(self, "_" + event["event"], None)
        if show:
            show(event)

    def _key(self, event: dict) -> None:
        self.line(event["ms"], "key", f"{event['alg']} key made on the board, backend {event['backend']}")

    def _message(self, event: dict, mark: str, style: str) -> None:
        name, meaning = BODIES.get(event["body"], ("unknown", f"body {event['body']}"))
        self.line(event["ms"], mark, f"{name}, {len(event['der']) // 2} bytes: {meaning}", style)

    def _sent(self, event: dict) -> None:
        self._message(event, "  ->", "cyan")

    def _received(self, event: dict) -> None:
        self._message(event, "  <-", "magenta")

    def _check(self, event: dict) -> None:
        self.line(event["ms"], "  ok", CHECKS.get(event["what"], event["what"]), "green")

    def _waiting(self, event: dict) -> None:
        self.line(event["ms"], "waiting", f"the CA asks for {event['seconds']} s")

    def _file(self, event: dict) -> None:
        self.line(event["ms"], "waiting", f"for the reply to {event['number']:02}-req.der, as a file beside it")

    def _saved(self, event: dict) -> None:
        self.line(event["ms"], "saved", RECORDS.get(event["record"], event["record"]))
