"""Root updates for the device tests: what the lab CA tells after a rollover, whole and forged (RFC 9810 4.4.2, 5.3.19.15)."""

import json
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from certlet_host.ca import der
from certlet_host.ca.state import open_state


def generate(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        found = []
        for name in ("ours", "other"):
            state = open_state(Path(temporary) / name)
            state.authority.roll_over()
            update = state.authority.update
            parts = (update.old, state.authority.root.certificate, update.new_with_old, update.old_with_new)
            found.append([part.public_bytes(Encoding.DER) for part in parts])
            state.store.close()
    (old, new, link, back), (stranger, strange_new, strange_link, strange_back) = found
    # what it is; newWithNew, newWithOld, oldWithNew; is the new root vouched for by the old one?
    rows = [
        ("all three", new, link, back, True),
        ("no oldWithNew", new, link, None, True),
        ("no newWithOld", new, None, back, False),
        ("newWithNew alone", new, None, None, False),
        ("one bit of newWithNew wrong", flipped(new), link, back, False),
        ("one bit of newWithOld wrong", new, flipped(link), back, False),
        ("one bit of oldWithNew wrong", new, link, flipped(back), False),
        ("newWithNew of another CA", strange_new, link, back, False),
        ("newWithOld of another CA", new, strange_link, back, False),
        ("oldWithNew of another CA", new, link, strange_back, False),
        ("all three of another CA", strange_new, strange_link, strange_back, False),
        ("newWithOld holds the old key", new, old, back, False),
        ("newWithNew in the place of newWithOld", new, new, back, False),
        ("oldWithNew holds the new key", new, link, new, False),
    ]
    cases = [
        {"title": title, "value": value(*certificates).hex(), "good": good} for title, *certificates, good in rows
    ]
    data = {"old": old.hex(), "stranger": stranger.hex(), "new": new.hex(), "now": int(time.time()), "cases": cases}
    (folder / "root_update.json").write_text(json.dumps(data))


def value(new: bytes, link: bytes | None, back: bytes | None) -> bytes:
    """The RootCaKeyUpdateContent."""
    tagged = [der.explicit(i, part) for i, part in enumerate((link, back)) if part]
    return der.sequence(new, *tagged)


def flipped(certificate: bytes) -> bytes:
    """The certificate with one bit of its signature wrong."""
    return certificate[:-1] + bytes([certificate[-1] ^ 1])
