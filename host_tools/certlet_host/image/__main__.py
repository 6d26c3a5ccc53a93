"""`python -m certlet_host.image`: images and packages for boards; the targets of the Makefile call it."""

import argparse
import os
import sys
import time
from pathlib import Path

from .. import __version__
from . import packages, pico, ports, sources


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.do(options)
    except sources.ImageError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m certlet_host.image", description="Build what boards run.")
    commands = parser.add_subparsers(required=True)

    def command(name: str, do, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(do=do)
        return added

    def jobs(added: argparse.ArgumentParser) -> None:
        added.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time (%(default)s)")

    build = command("pico", _pico, "Build an RPI_PICO image from Debian's source packages.")
    jobs(build)
    build.add_argument("--mirror", help="URL of a Debian archive, instead of the one that apt uses here")
    build.add_argument("--always", action="store_true", help="build even if the image is current")
    command("missing", _missing, "Print the Debian packages that `pico` still needs here, one a line.")
    board = command("board", _board, "Build an image by a checkout of MicroPython.")
    board.add_argument("board", metavar="BOARD", help=" ".join(ports.names()))
    board.add_argument("--micropython", type=Path, required=True, metavar="FOLDER", help="the checkout")
    board.add_argument("--dry-run", action="store_true", help="print the commands, run nothing")
    jobs(board)
    command("packages", _packages, "Write the package files for mip into firmware/.")
    command("mpy", _mpy, "Compile the firmware into build/mpy/ARCH, package files beside it.")
    return parser


def _say(line: str) -> None:
    print(line, flush=True)


def _pico(options: argparse.Namespace) -> None:
    started = time.monotonic()
    mirror = (lambda: options.mirror.rstrip("/")) if options.mirror else sources.mirror
    report = pico.build(options.jobs, _say, mirror, options.always)
    flash, ram = report["flash"], report["ram"]
    print(f"{pico.IMAGE.relative_to(pico.ROOT)}  sha256 {report['sha256']}")
    print(
        f"flash {flash['image']} bytes, {flash['certlet']} of them certlet's .mpy; RAM {ram['static']} bytes taken, "
        f"{ram['heap']} of heap; {time.monotonic() - started:.0f} s"
    )


def _missing(_: argparse.Namespace) -> None:
    for package in pico.missing_packages():
        print(package)


def _board(options: argparse.Namespace) -> None:
    image = ports.build(options.board, options.micropython, options.jobs, _say, options.dry_run)
    if not options.dry_run:
        print(image)


def _packages(_: argparse.Namespace) -> None:
    packages.write_packages(packages.FIRMWARE, packages.modules(), __version__)


def _mpy(_: argparse.Namespace) -> None:
    for arch, total in packages.write_mpy(__version__).items():
        print(f"{total:7}  {(packages.MPY / arch).relative_to(packages.ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
