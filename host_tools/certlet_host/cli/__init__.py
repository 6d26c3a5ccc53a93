"""The command `certlet`: one group, a module for each of its branches."""

import sys

import rich_click as click

from .. import __version__, device, exits
from ..credentials import InputError
from .ca import ca
from .cmp import cmp


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="certlet")
def certlet() -> None:
    """Certificate enrolment for microcontrollers: boards, a lab CA, and one operation at a time."""


certlet.add_command(ca)
certlet.add_command(cmp)


def main() -> None:
    """Run the command; what can be expected to go wrong ends in one line and an exit code of `exits`."""
    try:
        certlet()
    except InputError as e:
        _end(e, exits.USAGE)
    except device.NoDevice as e:
        _end(e, exits.NO_DEVICE)
    except device.DeviceError as e:
        _end(e, exits.NO_DEVICE)
    except OSError as e:
        _end(f"{e.filename or 'system'}: {e.strerror or e}", exits.FAILED)

def _end(message: object, code: int) -> None:
    print(f"certlet: {message}", file=sys.stderr)
    raise SystemExit(code)
