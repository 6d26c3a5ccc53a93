"""The constant tables of the device's crypto layer are what their script computes."""

import importlib.util
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"


def test_tables_are_up_to_date():
    spec = importlib.util.spec_from_file_location("crypto_tables", FIRMWARE / "tools" / "crypto_tables.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    made = tool.render()
    assert sorted(made) == sorted(path.name for path in tool.SOFT.glob("*_table.py"))
    for name, text in made.items():
        assert (tool.SOFT / name).read_text() == text, f"run firmware/tools/crypto_tables.py for {name}"
