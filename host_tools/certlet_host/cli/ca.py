"""`certlet ca`: run the lab CA, make devices' secrets, approve and list what is issued, make CRLs and a new root."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from rich.console import Console
from rich.table import Table

from certlet_host import exits
from certlet_host.ca.faults import StoreError
from certlet_host.ca.provoke import PROVOCATIONS, Provoke, parse

if TYPE_CHECKING:
    from certlet_host.ca.state import State

_MIN_SECRET, _MAX_SECRET = 16, 128


@click.group()
def ca() -> None:
    """A lab CA for boards on the bench: CMP over HTTP on 127.0.0.1. Not for production."""


def _open(folder: Path, **options: Any) -> State:
    """Imported late: the database takes longer to load than most commands take to run."""
    from certlet_host.ca.state import open_state

    return open_state(folder, **options)


def _one_line(verb: Callable[..., None]) -> Callable[..., None]:
    """An expected failure ends as one line on stderr and exit status 1."""

    @wraps(verb)
    def run(*args: Any, **options: Any) -> None:
        try:
            verb(*args, **options)
        except (StoreError, OSError) as fault:
            print(f"certlet ca: {fault}", file=sys.stderr)
            sys.exit(exits.FAILED)

    return run


_state = click.option(
    "--state", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path("certlet-ca"),
    show_default=True, envvar="CERTLET_CA_STATE", help="State folder; made on first use.",
)


def _provoke(_context: click.Context, _parameter: click.Parameter, words: tuple[str, ...]) -> Provoke:
    try:
        return parse(words)
    except ValueError as fault:
        raise click.BadParameter(str(fault)) from None


_PROVOKE_HELP = f"Misbehave, to test clients; may be repeated. NAME is one of {', '.join(PROVOCATIONS)}."


@ca.command()
@_state
@click.option("--port", type=click.IntRange(0, 65535), default=8829, show_default=True, help="0 takes a free port.")
@click.option("--coap-port", type=click.IntRange(0, 65535), help="Answer CoAP too, at this UDP port; 0: a free one.")
@click.option("--provoke", multiple=True, metavar="NAME[=VALUE]", callback=_provoke, help=_PROVOKE_HELP)
@click.option("--implicit-confirm/--no-implicit-confirm", default=True, help="Grant implicitConfirm when asked.")
@click.option("--send-root", is_flag=True, help="Put the root certificate into extraCerts of signed replies.")
@click.option("--confirm-seconds", type=click.IntRange(1, 86_400), default=600, show_default=True,
              help="Time the client has for certConf.")
@click.option("--days", type=click.IntRange(1, 1825), default=90, show_default=True, help="Validity by default.")
@click.option("--max-days", type=click.IntRange(1, 1825), default=365, show_default=True, help="Longest validity.")
@click.option("--ca-key", type=click.Choice(["p256", "p384", "rsa", "ed25519"]), default="p256", show_default=True,
              help="Kind of the CA's keys, when the state folder is made.")
@click.option("--signer", type=click.Choice(["p256", "p384", "rsa", "rsa-pss", "ed25519"]), default="p256",
              show_default=True, help="Kind of the key that signs CMP messages.")
@click.option("--manual", is_flag=True, help="Issue after `certlet ca approve` only; let clients poll until then.")
@click.option("--ready-file", type=click.Path(dir_okay=False, path_type=Path),
              help="Gets the URL when the CA is up; a second line is that of CoAP.")
@_one_line
def run(
    folder: Path, port: int, coap_port: int | None, provoke: Provoke, implicit_confirm: bool, send_root: bool,
    confirm_seconds: int, days: int, max_days: int, ca_key: str, signer: str, manual: bool, ready_file: Path | None,
) -> None:
    """Run the CA until it is interrupted."""
    from certlet_host.ca import http
    from certlet_host.ca.cmp_responder import Responder

    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("certlet.ca").setLevel(logging.INFO)
    state = _open(folder, default_days=days, max_days=max_days, ca_key=ca_key)
    responder = Responder(
        state, provoke=provoke, implicit_confirm=implicit_confirm, send_root=send_root,
        confirm_seconds=confirm_seconds, signer=signer, manual=manual,
    )
    listener = http.listen(port)
    url = f"http://{http.HOST}:{listener.getsockname()[1]}"
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        urls = [url]
        if coap_port is not None:
            from certlet_host.ca import coap

            urls.append(f"coap://{coap.HOST}:{stack.enter_context(coap.serve(responder.exchange, coap_port))}")

        def started() -> None:
            print(f"listening on {url} (paths /.well-known/cmp and /pkix/); root certificate {folder / 'root.pem'}")
            for more in urls[1:]:
                print(f"listening on {more} (path /.well-known/cmp)")
            sys.stdout.flush()
            if ready_file is not None:
                ready_file.write_text("".join(line + "\n" for line in urls))

        http.server(responder, started).run(sockets=[listener])
    state.store.close()


@ca.command()
@_state
@click.option("--ref", "reference", required=True, help="Reference of the device, sent as senderKID.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File for the new secret (mode 0600).")
@click.option("--from", "source", type=click.File("rb"), help="Read the secret from a file, - for standard input.")
@click.option("--reusable", is_flag=True, help="Let the secret enrol any number of keys; otherwise one key only.")
@click.option("--replace", is_flag=True, help="Overwrite the secret of a known reference.")
@_one_line
def secret(folder: Path, reference: str, out: Path | None, source: Any, reusable: bool, replace: bool) -> None:
    """Make a device's shared secret: 128 random bits into --out, or one of your own by --from."""
    if (out is None) == (source is None):
        raise click.UsageError("give either --out FILE or --from FILE")
    if not 1 <= len(reference.encode()) <= 64:
        raise click.UsageError("the reference must be 1 to 64 bytes long")
    from certlet_host.ca.store import new_secret

    value = new_secret() if source is None else _given_secret(source)
    state = _open(folder)
    if out is not None:
        # Before the database: a secret that nobody holds is worse than a file that serves nothing.
        _write_secret(out, value)
    try:
        state.store.add_secret(reference, value, reusable=reusable, replace=replace)
    except StoreError:
        if out is not None:
            out.unlink()
        raise
    finally:
        state.store.close()
    print(f"secret of reference {reference!r} kept" + (f" and written to {out}" if out else ""))


def _given_secret(source: Any) -> bytes:
    if source is sys.stdin.buffer and sys.stdin.isatty():
        value = click.prompt("Secret", hide_input=True, confirmation_prompt=True).encode()
    else:
        value = source.read(_MAX_SECRET + 3).rstrip(b"\r\n")
    if not _MIN_SECRET <= len(value) <= _MAX_SECRET:
        raise StoreError(f"the secret must be {_MIN_SECRET} to {_MAX_SECRET} bytes long; nothing was changed")
    return bytes(value)


def _write_secret(file: Path, value: bytes) -> None:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise StoreError(f"{file} exists already; nothing was changed") from None
    with os.fdopen(handle, "wb") as stream:
        stream.write(value + b"\n")


@ca.command()
@_state
@click.argument("pem", type=click.File("rb"))
@_one_line
def trust(folder: Path, pem: Any) -> None:
    """Let signers of requests chain to the certificates in a PEM file; a running CA takes them at once."""
    for subject in _open(folder).trust(pem.read(1 << 20)):
        print(f"trusted: {subject}")


def _open_existing(folder: Path) -> State:
    if not (folder / "ca.sqlite").exists():
        raise StoreError(f"{folder} is no state folder of a lab CA")
    return _open(folder)


@ca.command()
@_state
@click.argument("word", metavar="[REF|TRANSACTION]", required=False)
@_one_line
def approve(folder: Path, word: str | None) -> None:
    """Give delayed answers to the next poll: those of a reference, or one transaction; without either, list them."""
    state = _open_existing(folder)
    found = [] if word is None else state.store.approve(word)
    delayed = state.store.delayed() if word is None else []
    state.store.close()
    if word is not None and not found:
        raise StoreError(f"no answer for {word!r} is delayed; nothing was changed")
    for transaction, requester in delayed:
        print(f"{transaction} {requester}")
    for transaction in found:
        print(f"approved: {transaction}")


@ca.command("crl")
@_state
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File for the CRL, DER.")
@_one_line
def write_crl(folder: Path, out: Path) -> None:
    """Write the certificate revocation list of this moment."""
    state = _open_existing(folder)
    from cryptography.hazmat.primitives import serialization

    from certlet_host.ca import crl

    found = crl.make(state.authority, *state.store.revoked())
    state.store.close()
    out.write_bytes(found.public_bytes(serialization.Encoding.DER))
    print(f"{len(found)} revoked certificates in {out}, next update {found.next_update_utc:%Y-%m-%d}")


@ca.command()
@_state
@_one_line
def rollover(folder: Path) -> None:
    """Make a new root and certify the issuing CA under it; start a running CA anew afterwards."""
    state = _open_existing(folder)
    state.authority.roll_over()
    state.store.close()
    print(f"new root in {folder / 'root.pem'}; what links it to the old one: {folder}/root-*.pem")


@ca.command("list")
@_state
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@_one_line
def list_issued(folder: Path, as_json: bool) -> None:
    """List the certificates that were issued, with their status."""
    state = _open_existing(folder)
    rows = state.store.certificates()
    state.store.close()
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return
    table = Table("serial", "subject", "not after (UTC)", "requester", "status")
    for row in rows:
        end = datetime.fromtimestamp(row["not_after"], UTC).strftime("%Y-%m-%d %H:%M")
        status = f"{row['status']} ({row['reason']})" if row["reason"] else row["status"]
        table.add_row(row["serial"], row["subject"], end, row["requester"], status)
    Console().print(table)
