"""`python -m certlet_host.emulator install | serve`: see the help of each."""

import argparse
import sys
from pathlib import Path

from ..image import pico
from . import install
from .machine import EmulatorError, Machine


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m certlet_host.emulator", description="An emulated Pico.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="get the emulator into build/emulator")
    serve = commands.add_parser("serve", help="run a Pico until Ctrl-C, its console on a port of 127.0.0.1")
    serve.add_argument("--image", type=Path, default=pico.IMAGE, help="UF2 file (default: that of make firmware-pico)")
    serve.add_argument("--flash", type=Path, required=True, metavar="FILE", help="keeps the board's file system")
    serve.add_argument("--port", type=int, default=0, help="0, the default: any free one")
    options = parser.parse_args(arguments)
    try:
        if options.command == "install":
            print(install.install())
        else:
            _serve(options)
    except EmulatorError as error:
        print(f"emulator: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"emulator: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _serve(options: argparse.Namespace) -> None:
    if not options.image.is_file():
        raise EmulatorError(f"{options.image} is absent; nothing was started; build it by make firmware-pico")
    with Machine(options.image, options.flash, options.port) as machine:
        print(f"mpremote connect socket://127.0.0.1:{machine.port} repl", flush=True)
        machine.wait()


if __name__ == "__main__":
    sys.exit(main())
