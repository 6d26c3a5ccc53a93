"""Firmware images: MicroPython with certlet frozen in. `python -m certlet_host.image` is the command."""
