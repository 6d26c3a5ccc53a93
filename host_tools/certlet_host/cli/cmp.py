"""`certlet cmp`: protocol operations of CMP, run by the device code on a board."""

import json
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import rich_click as click
from rich.console import Console

from .. import codes, credentials, device, exits, operation
from ..timeline import Timeline, printable

FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def cmp() -> None:
    """CMP (RFC 9810, RFC 9483): one operation on one board."""


@cmp.command()
@click.option("--board", "spec", default="sim", show_default=True, help="Board to use: sim, a simulated one.")
@click.option("--server", required=True, metavar="URL", help="CA: http[s]://host[:port][/path].")
@click.option("--path", help="HTTP path at the CA, instead of the one in --server; without either /.well-known/cmp.")
@click.option("--ref", help="Reference that names the shared secret to the CA.")
@click.option("--secret-file", type=FILE, help="File with the shared secret, - for standard input.")
@click.option("--cert", type=FILE, help="PEM certificate (and chain) that protects the request.")
@click.option("--key", type=FILE, help="PEM key of --cert.")
@click.option("--subject", required=True, metavar="/CN=x", help="Subject of the certificate.")
@click.option("--recipient", metavar="/CN=x", help="Name of the CA, for CAs that want to read it.")
@click.option("--san", multiple=True, metavar="NAME", help="subjectAltName: dns:, ip:, uri: or email:NAME; repeatable.")
@click.option("--days", type=click.IntRange(1, 36500), help="Validity to ask for.")
@click.option("--trusted", type=FILE, help="PEM trust anchors. With --ref the CA may name its own instead.")
@click.option("--tls-trusted", type=FILE, help="PEM trust anchors of an https server; needed for https.")
@click.option("--newkey", type=FILE, help="PEM key to certify; without it the board makes one.")
@click.option("--implicit-confirm", is_flag=True, help="Ask to go without certConf.")
@click.option("--iterations", type=click.IntRange(100, 10000), default=1024, show_default=True, help="Of the PBM.")
@click.option("--timeout", type=click.IntRange(1, 3600), default=15, show_default=True, help="Seconds per exchange.")
@click.option("--flash", type=click.Path(path_type=Path), help="Flash of a simulated board, OUT/flash by default.")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for the results.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the timeline.")
def ir(spec: str, out: Path, flash: Path | None, as_json: bool, **options) -> None:
    """Enrol: the board makes a key and asks for its first certificate.

    OUT gets cert.pem, chain.pem, transcript/NN-{req,rsp}.der and, of a simulated board, key.pem.
    """
    enrolment = _enrolment(**options)
    out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, soft_wrap=True)
    timeline = Timeline(console)
    with device.open_board(spec, folder=flash or out / "flash") as board:
        answer = operation.cmp_ir(board, enrolment, out, _nothing if as_json else timeline.event)
    report = operation.summary("ir", answer)
    if as_json:
        click.echo(json.dumps(report))
    elif answer["ok"]:
        wire = f"{report['round_trips']} round trips, {report['bytes_up']} bytes up, {report['bytes_down']} bytes down"
        console.print(f"certificate {report['serial']} until {report['not_after']}; {wire}; files in {out}/")
    if not answer["ok"]:
        click.echo(f"certlet: {refusal(answer)}", err=True)
    raise SystemExit(exits.of_answer(answer))


def refusal(answer: dict) -> str:
    """Return one line that says why an operation failed: our sentence, then the CA's words."""
    line = codes.explain(answer["code"])
    if answer.get("fail_info") or answer.get("status_string"):
        words = f"{' '.join(answer['fail_info'])}: {printable(answer['status_string'])}"
        line += f" The CA said: {words.strip(': ')}"
    return line


def _nothing(event: dict) -> None:
    """The listener of a command that prints JSON."""


def _enrolment(
    server, path, ref, secret_file, cert, key, subject, recipient, san, newkey, **rest
) -> operation.Enrolment:  # fmt: skip
    """Check the options together; the files are read here, once."""
    by_mac, by_signature = bool(ref or secret_file), bool(cert or key)
    if by_mac == by_signature:
        raise click.UsageError("give either --ref and --secret-file, or --cert and --key")
    if by_mac and not (ref and secret_file):
        raise click.UsageError("--ref and --secret-file belong together")
    if by_signature and not (cert and key):
        raise click.UsageError("--cert and --key belong together")
    if by_signature and not rest["trusted"]:
        raise click.UsageError("--cert needs --trusted: without an anchor no reply can be believed")
    return operation.Enrolment(
        url=join_url(server, path),
        credential=credentials.read_secret(ref, secret_file) if ref else credentials.read_signature(cert, key),
        subject=credentials.parse_subject(subject),
        san=[credentials.parse_san(name) for name in san],
        recipient=credentials.parse_subject(recipient) if recipient else None,
        trusted=credentials.read_anchors(rest.pop("trusted")),
        tls_trusted=credentials.read_anchors(rest.pop("tls_trusted")),
        new_key=credentials.key_reference(credentials.read_key(newkey)) if newkey else None,
        **rest,
    )


def join_url(server: str, path: str | None) -> str:
    """Return the URL to post to; a server without path gets the well-known one of RFC 9811 3.4."""
    parts = urlsplit(server if "://" in server else "http://" + server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.UsageError(f"--server {server!r} is not http[s]://host[:port][/path]")
    found = path or (parts.path if parts.path not in ("", "/") else "/.well-known/cmp")
    return urlunsplit((parts.scheme, parts.netloc, "/" + found.lstrip("/"), parts.query, ""))
