"""`python -m certlet_host.image pico | missing`: see the help of each."""

import argparse
import os
import sys
import time

from . import pico, sources


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m certlet_host.image", description="Build firmware images.")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("pico", help="an RPI_PICO image from Debian's source packages")
    build.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time (default: %(default)s)")
    build.add_argument("--mirror", help="URL of a Debian archive, instead of the one that apt uses here")
    build.add_argument("--always", action="store_true", help="build even if the image is current")
    commands.add_parser("missing", help="print the Debian packages that the build still needs here, one a line")
    options = parser.parse_args(arguments)
    try:
        if options.command == "missing":
            print("\n".join(pico.missing_packages()))
        else:
            _pico(options)
    except sources.ImageError as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0


def _pico(options: argparse.Namespace) -> None:
    started = time.monotonic()
    mirror = (lambda: options.mirror.rstrip("/")) if options.mirror else sources.mirror
    report = pico.build(options.jobs, lambda line: print(line, flush=True), mirror, options.always)
    flash, ram = report["flash"], report["ram"]
    print(f"{pico.IMAGE.relative_to(pico.ROOT)}  sha256 {report['sha256']}")
    print(
        f"flash {flash['image']} bytes, {flash['certlet']} of them certlet's .mpy; RAM {ram['static']} bytes taken, "
        f"{ram['heap']} of heap; {time.monotonic() - started:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
