"""Tests on the emulated Pico: `make test-board` builds what they need, without it they are skipped."""

import pytest

from certlet_host.emulator import EmulatorError, PicoEmulator, install
from certlet_host.image import pico


@pytest.fixture(scope="session")
def emulator():
    """What the tests run on; skips them, with the reason, where it is absent."""
    try:
        install.engine()
    except EmulatorError as error:
        pytest.skip(str(error))
    if pico.current() is None:
        pytest.skip(f"{pico.IMAGE.relative_to(pico.ROOT)} is absent: make firmware-pico")


@pytest.fixture
def board(emulator, tmp_path):
    """A board as it comes out of the box."""
    with PicoEmulator(tmp_path / "flash") as board:
        yield board


@pytest.fixture(scope="module")
def shared(emulator, tmp_path_factory):
    """One board for all tests of a module that leave it as it was."""
    with PicoEmulator(tmp_path_factory.mktemp("shared") / "flash") as board:
        yield board
