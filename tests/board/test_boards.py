"""The folders of boards/: each is complete, and MicroPython's own reader of manifests takes it."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from certlet import config
from certlet_host.device import DeviceError
from certlet_host.image import packages, pico

BOARDS = Path(__file__).resolve().parents[2] / "boards"
NAMES = sorted(path.parent.name for path in BOARDS.glob("*/manifest.py"))
TREE = pico.FOLDER / "micropython"
PORTS = {"rp2", "esp32", "unix"}


@pytest.fixture(scope="module")
def reader():
    """MicroPython's module manifestfile."""
    path = TREE / "tools" / "manifestfile.py"
    if not path.exists():
        pytest.skip(f"{path.relative_to(pico.ROOT)} is absent: make firmware-pico")
    spec = importlib.util.spec_from_file_location("manifestfile", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(reader, manifest: str, library: Path, port: str, board: str) -> dict[str, str]:
    """Return file by name on the board. micropython-lib is not at hand: what is required of it is an empty package."""
    while True:
        variables = {"MPY_DIR": str(TREE), "MPY_LIB_DIR": str(library), "PORT_DIR": str(TREE / "ports" / port),
                     "BOARD_DIR": str(TREE / "ports" / port / "boards" / board)}  # fmt: skip
        found = reader.ManifestFile(reader.MODE_FREEZE, variables)
        try:
            found.execute(manifest)
        except reader.ManifestFileError as error:
            required = re.search(r"Package '([\w.-]+)' not found", str(error))
            if required is None:
                raise
            empty = library / "micropython" / required[1] / "manifest.py"
            empty.parent.mkdir(parents=True)
            empty.write_text("metadata(version='0')\n")
        else:
            return {file.target_path: file.full_path for file in found.files()}


@pytest.mark.parametrize("board", NAMES)
def test_manifest(reader, board, tmp_path):
    port = json.loads((BOARDS / board / "board.json").read_text())["port"]
    if port != "unix":
        assert (TREE / "ports" / port / "boards" / board).is_dir(), "MicroPython knows it by the same name"
    files = read(reader, str(BOARDS / board / "manifest.py"), tmp_path, port, board)
    assert [name for name in sorted(files) if name.startswith("certlet/")] == packages.modules()
    assert all(Path(path).is_file() for path in files.values())
    assert port == "unix" or "asyncio/core.py" in files, "what MicroPython freezes itself is still there"


@pytest.mark.parametrize("parts", [("scep", "cms"), ("cmp",), ("media", "keys")])
def test_a_manifest_can_leave_parts_out(reader, parts, tmp_path):
    manifest = f"include({str(pico.ROOT / 'manifest.py')!r}, {', '.join(f'{part}=False' for part in parts)})"
    files = read(reader, manifest, tmp_path, "rp2", "RPI_PICO")
    assert sorted(files) == packages.without(packages.modules(), parts)


def test_the_parts_of_the_build_here_need_no_library(reader, tmp_path):
    files = read(reader, f"include({str(BOARDS / 'RPI_PICO')!r}, lib=False)", tmp_path, "rp2", "RPI_PICO")
    assert {"_boot.py", "asyncio/core.py", "certlet/__init__.py"} <= set(files)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("board", NAMES)
def test_board_file_and_defaults(board):
    about = json.loads((BOARDS / board / "board.json").read_text())
    assert sorted(about) == ["arch", "features", "id", "mcu", "port", "product", "vendor"]
    assert about["id"] == board and about["port"] in PORTS and about["arch"] in packages.ARCHITECTURES
    defaults = json.loads((BOARDS / board / "certlet.json").read_text())
    assert not {"url", "subject"} & set(defaults), "those are told when a board is provisioned"
    config.check({**defaults, "url": "http://ca.example/cmp", "subject": [["CN", "x"]]})


def test_main(board):
    """What main.py says on a board without and with an identity, and without its configuration."""
    main = (BOARDS / "main.py").read_text()
    with pytest.raises(DeviceError, match="803"):
        board.exec(main)
    defaults = json.loads((BOARDS / "RPI_PICO" / "certlet.json").read_text())
    settings = {**defaults, "url": "http://ca.example/cmp", "subject": [["CN", "x"]]}
    board.put("certlet.json", json.dumps(settings).encode())
    assert board.exec(main) == "not enrolled\n"
    board.exec("s = store.Store('identity')\ns.save('active', agent.Identity(b'k', b'c', (b'a',)).to_bytes())")
    board.put("main.py", main.encode())
    board.reset()
    assert board.exec("print(identity.certificate, identity.chain)") == "b'c' (b'a',)\n"
