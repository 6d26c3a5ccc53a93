"""`python -m certlet_host` is the command `certlet`."""

from .cli import main

main()
