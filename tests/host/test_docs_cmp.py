"""docs/reference/cmp.md: every yes of certlet names a test, every named test exists, and the commands are those there are."""

import re
from pathlib import Path

import pytest

import named
from certlet_host.cli.cmp import cmp

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cmp.md"
HEAD = ["feature", "certlet", "OpenSSL", "gencmpclient", "BouncyCastle", "embeddedCMP", "tests"]


def rows():
    """(heading of the table, cells) of each line of a table of the page."""
    head = None
    for line in PAGE.read_text().splitlines():
        if not line.startswith("|"):
            head = None
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if head is None:
            head = cells
        elif set(line) != set("|-"):
            yield head, cells


FEATURES = [cells for head, cells in rows() if head == HEAD]


@pytest.mark.parametrize("cells", FEATURES, ids=[cells[0] for cells in FEATURES])
def test_feature(cells):
    assert len(cells) == len(HEAD) and all(cells[:-1])
    names = re.findall(r"`(tests/[^`]+)`", cells[-1])
    assert not named.missing(names)
    assert cells[1].startswith(("yes", "no"))
    assert bool(names) == cells[1].startswith("yes")


def test_there_are_features():
    assert len(FEATURES) > 50


def test_commands_and_options():
    """The commands are those of `certlet cmp --help`; the options that the page names exist."""
    page = PAGE.read_text()
    commands = [cells[0] for head, cells in rows() if head[0] == "command"]
    assert sorted(re.findall(r"\w+", " ".join(commands).replace("certlet cmp", ""))) == sorted(cmp.commands)
    options = {option for command in cmp.commands.values() for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"`(--[a-z-]+)", page)) <= options
