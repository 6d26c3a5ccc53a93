"""`certlet cmp`: protocol operations of CMP, run by the device code on a board."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import rich_click as click
from rich.console import Console

from .. import codes, credentials, device, exits, operation, relay, results
from ..timeline import Timeline, printable

FILE = click.Path(dir_okay=False, path_type=Path)
# CRLReason, RFC 5280 5.3.1
REASONS = {
    "unspecified": 0, "keyCompromise": 1, "cACompromise": 2, "affiliationChanged": 3, "superseded": 4,
    "cessationOfOperation": 5, "certificateHold": 6, "removeFromCRL": 8, "privilegeWithdrawn": 9, "aACompromise": 10,
}  # fmt: skip
USAGES = (
    "digitalSignature nonRepudiation keyEncipherment dataEncipherment keyAgreement keyCertSign cRLSign "
    "encipherOnly decipherOnly"
).split()

_COMMON = (
    click.option("--board", "spec", default="sim", show_default=True, help="sim, sim:200k, pico-emu or port:DEVICE."),
    click.option("--server", required=True, metavar="URL", help="CA: http[s]://host[:port][/path], or coap://."),
    click.option("--via", type=click.Choice(["http", "serial", "coap", "file"]), default="http", show_default=True,
                 help="How messages get there; serial: this computer posts for the board, over its console."),
    click.option("--path", help="HTTP path, instead of the one in --server; without either /.well-known/cmp."),
    click.option("--ref", help="Reference that names the shared secret to the CA."),
    click.option("--secret-file", type=FILE, help="File with the shared secret, - for standard input."),
    click.option("--cert", type=FILE, help="PEM certificate (and chain) that protects the request."),
    click.option("--key", type=FILE, help="PEM key of --cert."),
    click.option("--trusted", type=FILE, help="PEM trust anchors; without them, under --ref, the CA may name its own."),
    click.option("--tls-trusted", type=FILE, help="PEM trust anchors of an https server; needed for https."),
    click.option("--tls-identity", is_flag=True, help="Show an https server the certificate of the board's identity."),
    click.option("--srvcert", type=FILE, help="PEM of the only certificate that may sign replies."),
    click.option("--expect-sender", metavar="/CN=x", help="Name that signed replies must come from."),
    click.option("--recipient", metavar="/CN=x", help="Name of the CA, for CAs that want to read it."),
    click.option("--profile", help="Name of a certificate profile at the CA."),
    click.option("--geninfo", multiple=True, metavar="OID[:HEX]", help="Item for generalInfo: OID, DER; repeatable."),
    click.option("--pbmac1", is_flag=True, help="Protect by PBMAC1 instead of PasswordBasedMac."),
    click.option("--iterations", type=click.IntRange(100, 10000), default=1024, show_default=True, help="Of the MAC."),
    click.option("--ignore-keyusage", is_flag=True, help="Believe signers without digitalSignature in keyUsage."),
    click.option("--unprotected-errors", is_flag=True, help="Show what an unprotected refusal says."),
    click.option("--timeout", type=click.IntRange(1, 600), default=15, show_default=True, help="Seconds per exchange."),
    click.option("--total-timeout", type=click.IntRange(1), default=90, show_default=True, help="Seconds in all."),
    click.option("--no-wait", is_flag=True, help="Stop when the CA is not ready; `resume` goes on."),
    click.option("--flash", type=click.Path(path_type=Path), help="Flash of a simulated board, OUT/flash by default."),
    click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for results."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the timeline."),
)  # fmt: skip

_CERTIFICATE = (
    click.option("--subject", metavar="/CN=x", help="Subject of the certificate."),
    click.option("--san", multiple=True, metavar="NAME", help="dns:, ip:, uri:, email:, dirname:/CN=x, hw:OID:HEX."),
    click.option("--days", type=click.IntRange(1, 36500), help="Validity to ask for."),
    click.option("--key-usage", multiple=True, type=click.Choice(USAGES), help="keyUsage to ask for; repeatable."),
    click.option("--eku", multiple=True, metavar="NAME|OID", help="extendedKeyUsage to ask for; repeatable."),
    click.option("--policy", multiple=True, metavar="OID", help="Certificate policy to ask for; repeatable."),
    click.option("--ext", multiple=True, metavar="OID[!]:HEX", help="More extensions, ! for critical; repeatable."),
    click.option("--regtoken-file", type=FILE, help="One-time token for the control regToken."),
    click.option("--authenticator-file", type=FILE, help="Secret for the control authenticator."),
    click.option("--control", multiple=True, metavar="OID:HEX", help="Another CRMF control; repeatable."),
    click.option("--reginfo", multiple=True, metavar="OID:HEX", help="CRMF regInfo; repeatable."),
    click.option("--popo", default="signature", show_default=True, help="Proof of possession of the key.",
                 type=click.Choice(["signature", "raVerified", "keyEncipherment", "keyAgreement"])),
    click.option("--newkey", type=FILE, help="PEM key to certify; without it the board makes one."),
    click.option("--newkeytype", help="Kind of key that the board (or CA) makes: p256, p384, ed25519, rsa2048..."),
    click.option("--template", type=FILE, help="DER of a certReqTemplate that `genm` brought: the CA's wishes rule."),
    click.option("--centralkeygen", is_flag=True, help="Let the CA make the key."),
    click.option("--implicit-confirm", is_flag=True, help="Ask to go without certConf."),
)  # fmt: skip


def _options(*groups: tuple) -> Callable:
    def decorate(command: Callable) -> Callable:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorate


@click.group()
def cmp() -> None:
    """CMP (RFC 9810, RFC 9483): one operation on one board."""


@cmp.command()
@_options(_COMMON, _CERTIFICATE)
def ir(**options: Any) -> None:
    """Enrol: the board makes a key and asks for its first certificate.

    OUT gets cert.pem, chain.pem, transcript/NN-{req,rsp}.der and, of a simulated board, key.pem.
    """
    _certificate("ir", options)


@cmp.command()
@_options(_COMMON, _CERTIFICATE)
def cr(**options: Any) -> None:
    """Ask for another certificate, as a known device."""
    _certificate("cr", options)


@cmp.command()
@_options(_COMMON, _CERTIFICATE)
@click.option("--oldcert", type=FILE, help="PEM certificate to be updated, instead of the protecting one.")
@click.option("--samekey", is_flag=True, help="Keep the key of the active identity.")
def kur(oldcert: Path | None, samekey: bool, **options: Any) -> None:
    """Renew: a new certificate for the board's identity, which stays in force until the new one is confirmed."""
    old = oldcert or options["cert"]
    extra = {"same_key": samekey, "old": _der(old) if old else None}
    _certificate("kur", options, extra)


@cmp.command()
@_options(_COMMON, _CERTIFICATE)
@click.option("--csr", type=FILE, help="PEM request of --newkey; without it the board makes key and request.")
def p10cr(csr: Path | None, **options: Any) -> None:
    """Enrol by a PKCS #10 request."""
    if csr and not options["newkey"]:
        raise click.UsageError("--csr needs --newkey: the board keeps the key of its certificate")
    _certificate("p10cr", options, {"csr": credentials.read_request(csr).hex() if csr else None})


@cmp.command()
@_options(_COMMON)
@click.option("--oldcert", type=FILE, help="PEM certificate to be revoked, instead of the board's own.")
@click.option("--issuer", metavar="/CN=x", help="Issuer of the certificate to be revoked.")
@click.option("--serial", metavar="HEX", help="Serial number of the certificate to be revoked.")
@click.option("--revreason", type=click.Choice(list(REASONS)), help="CRLReason.")
def rr(oldcert: Path | None, issuer: str | None, serial: str | None, revreason: str | None, **options: Any) -> None:
    """Revoke a certificate: the board's own, one in a file, or one by issuer and serial number."""
    if bool(issuer) != bool(serial):
        raise click.UsageError("--issuer and --serial belong together")
    request: dict = {"reason": REASONS.get(revreason or "")}
    if issuer and serial:
        request |= {"issuer": credentials.name_der(issuer).hex(), "serial": credentials.serial_octets(serial).hex()}
    elif oldcert or options["cert"]:
        request["old"] = _der(oldcert or options["cert"])
    _run("rr", options, {}, request)


@cmp.command()
@_options(_COMMON)
@click.option("--infotype", multiple=True, required=True, metavar="NAME|OID", help="What to ask for; repeatable: "
              + ", ".join(results.INFO_TYPES))
@click.option("--oldwithold", type=FILE, help="PEM of the pinned root: a root update is checked against it.")
@click.option("--crlcert", type=FILE, help="PEM certificate: crlStatusList asks for the CRL of its issuer.")
@click.option("--update-root", is_flag=True, help="Pin the new root on the board when it is vouched for.")
def genm(infotype: tuple, oldwithold: Path | None, update_root: bool, crlcert: Path | None, **options: Any) -> None:
    """Ask for CA certificates, root updates, request templates, CRLs.

    OUT gets infos/NN-NAME.der, and NAME.pem with the certificates or CRLs.
    """  # fmt: skip
    root = _der(oldwithold) if oldwithold else None
    if "crlStatusList" in infotype and not crlcert:
        raise click.UsageError("crlStatusList needs --crlcert, a certificate whose issuer's CRL is wanted")
    values = {"rootCaCert": root, "crlStatusList": credentials.crl_status_list(crlcert).hex() if crlcert else None}
    infos = [[results.info_oid(name), values.get(name)] for name in infotype]
    _run("genm", options, {}, {"infos": infos, "old_root": root, "update_root": update_root})


@cmp.command()
@_options(_COMMON, _CERTIFICATE)
def resume(**options: Any) -> None:
    """Go on with the transaction that waits on the board, with the options that it was started with."""
    _certificate("resume", options)


@cmp.command()
@click.argument("file", type=FILE)
@click.option("--server", required=True, metavar="URL", help="CA: http[s]://host[:port][/path].")
@click.option("--path", help="HTTP path, instead of the one in --server; without either /.well-known/cmp.")
@click.option("--tls-trusted", type=FILE, help="PEM trust anchors of an https server instead of the system's.")
@click.option("--timeout", type=click.IntRange(1, 600), default=60, show_default=True, help="Seconds.")
@click.option("--out", type=FILE, required=True, help="File for the reply.")
def post(file: Path, server: str, path: str | None, tls_trusted: Path | None, timeout: int, out: Path) -> None:
    """Post a request that a board left in FILE, and write the reply for it: no board is needed."""
    anchors = credentials.read_anchors(tls_trusted)
    try:
        size = relay.post_file(file, join_url(server, path), out, anchors=anchors, timeout=timeout)
    except relay.PostError as error:
        click.echo(f"certlet: {codes.explain(error.code)}" + f" Detail: {error.detail}." * bool(error.detail), err=True)
        raise SystemExit(exits.FAILED) from None
    click.echo(f"{size} bytes of reply in {out}; it is not checked here: the board does that")


def _certificate(op: str, options: dict, extra: dict | None = None) -> None:
    """Run an operation that brings a certificate: `options` become settings of the device and parts of its job."""
    take = options.pop
    newkey, subject = take("newkey"), take("subject")
    if not subject and op in ("ir", "cr", "p10cr"):
        raise click.UsageError("--subject is missing")
    central = take("centralkeygen")
    settings = {
        "subject": credentials.parse_subject(subject) if subject else [],
        "san": [credentials.parse_san(name) for name in take("san")],
        "days": take("days"),
        "key_usage": list(take("key_usage")),
        "extended_key_usage": list(take("eku")),
        "policies": list(take("policy")),
        "extensions": [credentials.parse_extension(text) for text in take("ext")],
        "controls": [credentials.parse_value(text) for text in take("control")],
        "reg_info": [credentials.parse_value(text) for text in take("reginfo")],
        "popo": take("popo"),
        "key_type": _key_type(central, take("newkeytype")),
        "implicit_confirm": take("implicit_confirm"),
    }
    request = dict(extra or {})
    template = take("template")
    if template:
        request["template"] = credentials.read_file(template, "template").hex()
    for name in ("regtoken", "authenticator"):
        file = take(name + "_file")
        if file:
            request["reg_token" if name == "regtoken" else name] = credentials.read_text_secret(file)
    if newkey:
        request["new_key"] = credentials.key_reference(credentials.read_key(newkey)).hex()
    _run(op, options, settings, request)


def _key_type(central: bool, kind: str | None) -> str:
    """The device's setting: a kind of key, or who makes it and of which kind."""
    if central:
        return f"ca-{kind}" if kind else "ca"
    return kind or "p256"


def _run(op: str, options: dict, settings: dict, request: dict) -> None:
    """Run the operation, show it, and end with its exit code."""
    take = options.pop
    out, as_json, spec = take("out"), take("json", None) or take("as_json"), take("spec")
    flash = take("flash") or out / "flash"
    name = credentials.parse_subject
    expect, recipient, srvcert = take("expect_sender"), take("recipient"), take("srvcert")
    total = take("total_timeout")
    task = operation.Operation(
        op,
        join_url(take("server"), take("path"), options["via"]),
        _credential(options),
        settings | {
            "trusted": credentials.read_anchors(take("trusted")),
            "tls_trusted": credentials.read_anchors(take("tls_trusted")),
            "tls_identity": take("tls_identity"),
            "server_certificate": credentials.read_anchors(srvcert)[0] if srvcert else None,
            "expect_sender": name(expect) if expect else None,
            "recipient": name(recipient) if recipient else None,
            "profile": take("profile"),
            "general_info": [credentials.parse_value(text, empty=True) for text in take("geninfo")],
            "pbmac1": take("pbmac1"),
            "pbm_iterations": take("iterations"),
            "ignore_key_usage": take("ignore_keyusage"),
            "unprotected_errors": take("unprotected_errors"),
            "timeout": take("timeout"),
            "transport": take("via"),
            "total_timeout": total,
        },
        request | {"wait": not take("no_wait")},
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, soft_wrap=True)
    timeline = Timeline(console)
    allowed = total + 2 * task.settings["timeout"] + 60
    try:
        with device.open_board(spec, folder=flash) as board:
            answer = operation.run_cmp(board, task, out, _nothing if as_json else timeline.event, allowed)
    except device.DeviceError as e:
        answer = operation.no_answer(e)
    report = operation.summary(op, answer)
    if as_json:
        click.echo(json.dumps(report))
    elif answer["ok"]:
        console.print(_conclusion(report, out))
    if not answer["ok"]:
        click.echo(f"certlet: {refusal(answer)}", err=True)
    raise SystemExit(exits.of_answer(answer))


# PKIStatus with a certificate that is worth a word, RFC 9810 5.2.3
_NOTES = {
    1: "the CA changed what was asked for",
    4: "the CA warns: a revocation is near",
    5: "the CA says: a certificate was revoked",
}


def _conclusion(report: dict, out: Path) -> str:
    what = f"certificate {report['serial']} until {report['not_after']}" if report["serial"] else f"{report['op']} done"
    trips = "1 round trip" if report["round_trips"] == 1 else f"{report['round_trips']} round trips"
    wire = f"{trips}, {report['bytes_up']} bytes up, {report['bytes_down']} bytes down"
    note = f"; {_NOTES[report['pki_status']]}" if report["pki_status"] in _NOTES else ""
    return f"{what}{note}; {wire}; files in {out}/"


def refusal(answer: dict) -> str:
    """Return one line that says why an operation failed: our sentence, then the CA's words."""
    if answer["code"] is None:
        return answer["detail"]
    line = codes.explain(answer["code"])
    if answer.get("detail") is not None:
        line += f" (detail: {printable(str(answer['detail']))})"
    if answer.get("fail_info") or answer.get("status_string"):
        words = f"{' '.join(answer['fail_info'])}: {printable(answer['status_string'])}"
        line += f" The CA said: {words.strip(': ')}"
    return line


def _nothing(event: dict) -> None:
    """The listener of a command that prints JSON."""


def _der(path: Path) -> str:
    return credentials.certificate_der(credentials.read_certificates(path)[0]).hex()


def _credential(options: dict) -> credentials.Secret | credentials.Signature | None:
    """What protects the request: a secret, a certificate, or (None) the identity that the board has."""
    take = options.pop
    ref, secret_file, cert, key = take("ref"), take("secret_file"), take("cert"), take("key")
    by_mac, by_signature = bool(ref or secret_file), bool(cert or key)
    if by_mac and by_signature:
        raise click.UsageError("give either --ref and --secret-file, or --cert and --key")
    if by_mac and not (ref and secret_file):
        raise click.UsageError("--ref and --secret-file belong together")
    if by_signature and not (cert and key):
        raise click.UsageError("--cert and --key belong together")
    if by_signature and not (options["trusted"] or options.get("srvcert")):
        raise click.UsageError("--cert needs --trusted: without an anchor no reply can be believed")
    if by_mac:
        return credentials.read_secret(ref, secret_file)
    return credentials.read_signature(cert, key) if by_signature else None


def join_url(server: str, path: str | None, via: str = "http") -> str:
    """Return the URL to post to; a server without path gets the well-known one of RFC 9811 3.4 and RFC 9482 2.2."""
    schemes = ("coap",) if via == "coap" else ("http", "https")
    try:
        parts = urlsplit(server if "://" in server else f"{schemes[0]}://{server}")
    except ValueError:
        raise click.UsageError(f"--server {server!r} is not a URL") from None
    if parts.scheme not in schemes or not parts.hostname:
        raise click.UsageError(f"--server {server!r} is not {schemes[0]}://host[:port][/path]")
    found = path or (parts.path if parts.path not in ("", "/") else "/.well-known/cmp")
    return urlunsplit((parts.scheme, parts.netloc, "/" + found.lstrip("/"), parts.query, ""))
