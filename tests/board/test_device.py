"""A sample of the device tests on the emulated Pico, unchanged: the third runtime, with 32-bit words and 240 kB."""

from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
DEVICE = TESTS / "device"
VECTORS = TESTS.parent / "build" / "vectors"

# file of tests/device, its tests (none: all), vectors that they read
SAMPLE = (
    ("test_der.py", "", ""),
    ("test_pem.py", "", ""),
    ("test_crypto_hashes.py", "test_hmac", "crypto_hmac"),
    ("test_crypto_p256.py", "test_bad_points test_bad_references test_wiped_keys_do_nothing", ""),
)


def put(board, name: str, file: Path) -> None:
    """Write a host's file to the board, its folders made on the way."""
    folders = name.split("/")[:-1]
    for i in range(len(folders)):
        board.exec(f"import os\ntry: os.mkdir({'/'.join(folders[: i + 1])!r})\nexcept OSError: pass")
    board.put(name, file.read_bytes())


@pytest.fixture(scope="module")
def harness(shared):
    put(shared, "tests/device/support.py", DEVICE / "support.py")
    put(shared, "tests/device/run.py", DEVICE / "run.py")
    shared.exec("import sys\nsys.path.insert(0, 'tests/device')")
    return shared


@pytest.mark.parametrize(("file", "tests", "vectors"), SAMPLE, ids=[row[0] for row in SAMPLE])
def test_device_tests(harness, file, tests, vectors):
    put(harness, f"tests/device/{file}", DEVICE / file)
    for name in vectors.split():
        kept = TESTS / "vectors" / f"{name}.json"
        put(harness, f"tests/vectors/{name}.json", kept if kept.exists() else VECTORS / f"{name}.json")
    output = harness.exec(f"import run\nrun.main('tests/device/{file}', {tests.split()!r})", timeout=110)
    outcomes = [line.split()[1:3] for line in output.splitlines() if line.startswith("@@") and "start" not in line]
    expected = tests.split() or [
        line[4 : line.index("(")] for line in (DEVICE / file).read_text().splitlines() if line.startswith("def test_")
    ]
    assert [name for _, name in outcomes] == expected
    assert {outcome for outcome, _ in outcomes} <= {"ok", "skip"}, output
    harness.exec(f"import gc\nsys.modules.pop({file[:-3]!r}, None)\ngc.collect()")
