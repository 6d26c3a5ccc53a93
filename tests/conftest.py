"""Runs every device test twice: in this process on CPython, and on the MicroPython unix port.

A file `tests/device/test_*.py` is plain Python without pytest. Each `def test_x` becomes two items, `test_x[cpython]`
and `test_x[unix]`. The unix items of a file share one interpreter, fed by `tests/device/run.py`; when a test crashes or
hangs it, that test fails and the next one gets a fresh interpreter.
"""

import ast
import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from certlet_host import micropython

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
DEVICE = TESTS / "device"
VECTORS = ROOT / "build" / "vectors"
GENERATORS = TESTS / "vectors" / "gen"

pytest.register_assert_rewrite("support")


def pytest_addoption(parser):
    parser.addini("device_timeout", "Seconds that one test may take on the unix port.", default="100")


def pytest_collect_file(file_path, parent):
    if file_path.parent.name == "device" and file_path.match("test_*.py"):
        return DeviceFile.from_parent(parent, path=file_path)
    return None


def pytest_pycollect_makemodule(module_path, parent):
    """Keep pytest's own Python collector away from device tests (it would show each of them a third time)."""
    return Nothing.from_parent(parent, path=module_path) if module_path.parent.name == "device" else None


class Nothing(pytest.File):
    def collect(self):
        return []


class DeviceFile(pytest.File):
    """One file of device tests; `ast` finds the tests, so that a file which fails to import still fails by name."""

    def collect(self):
        tree = ast.parse(self.path.read_text(encoding="utf-8"), str(self.path))
        tests = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
        for kind in (CPythonItem, UnixItem):
            for node in tests:
                yield kind.from_parent(self, name=f"{node.name}[{kind.runtime}]", test=node.name, line=node.lineno)


class DeviceItem(pytest.Item):
    runtime = ""

    def __init__(self, *, test, line, **kwargs):
        super().__init__(**kwargs)
        self.test = test
        self.line = line

    def reportinfo(self):
        return self.path, self.line - 1, self.name


class CPythonItem(DeviceItem):
    runtime = "cpython"

    def runtest(self):
        folder = str(self.path.parent)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        module = importlib.import_module(self.path.stem)
        skip = importlib.import_module("support").Skip
        try:
            getattr(module, self.test)()
        except skip as reason:
            pytest.skip(str(reason))

    def repr_failure(self, excinfo):
        cut = excinfo.traceback.cut(path=self.path)
        if cut and cut[0].path == self.path:
            excinfo.traceback = cut
        return super().repr_failure(excinfo, style="long")


class DeviceFailure(Exception):
    """A test that failed on the unix port; its text is what the interpreter printed."""


class UnixItem(DeviceItem):
    runtime = "unix"

    def runtest(self):
        outcome, text = runner(self).outcome_of(self.test)
        if outcome == "skip":
            pytest.skip(text)
        if outcome != "ok":
            raise DeviceFailure(text)
        if text:
            self.add_report_section("call", "stdout", text)

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, DeviceFailure):
            return str(excinfo.value)
        if isinstance(excinfo.value, micropython.NotFoundError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


class Runner:
    """The unix interpreter of one file. Outcomes are read as they come, so each item is timed and limited by itself."""

    def __init__(self, path, names, limit):
        self.path = path
        self.names = names  # those not yet started, in file order
        self.limit = limit
        self.outcomes = {}
        self.process = None
        self.lines = queue.SimpleQueue()

    def start(self):
        path = os.pathsep.join((str(ROOT / "firmware"), str(self.path.parent), str(DEVICE), ".frozen"))
        self.lines = queue.SimpleQueue()
        self.process = subprocess.Popen(
            [micropython.find(), DEVICE / "run.py", self.path, *self.names],
            env={**os.environ, "MICROPYPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        threading.Thread(target=self._read, args=(self.process.stdout, self.lines), daemon=True).start()

    @staticmethod
    def _read(stream, lines):
        with stream:
            for line in stream:
                lines.put(line.decode("utf-8", "replace"))
        lines.put(None)

    def stop(self):
        """End the interpreter and return its exit status."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.kill()
        return process.wait()

    def outcome_of(self, name):
        """Return (outcome, text) of the test `name`, running every test before it too."""
        while name not in self.outcomes:
            if self.process is None:
                self.start()
            self._next()
        return self.outcomes[name]

    def _next(self):
        """Wait for one more outcome, or for the end of the interpreter, which is the outcome of the running test."""
        running, text, end = None, [], time.monotonic() + self.limit
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                self.stop()
                return self._ended(running, text, f"no result within {self.limit:g} s: the interpreter was ended")
            if line is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(5)
                return self._ended(running, text, f"the interpreter ended with status {self.stop()}")
            word, _, rest = line.partition(" ")
            if word != "@@":
                text.append(line)
                continue
            word, name, *_ = rest.split()
            if word == "start":
                running = name
                continue
            self.names.remove(name)
            self.outcomes[name] = word, "".join(text).rstrip()
            return None

    def _ended(self, running, text, why):
        """Blame the running test; if none was, the file itself does not load and all its tests fail alike."""
        blamed = [running] if running else list(self.names)
        for name in blamed:
            self.names.remove(name)
            self.outcomes[name] = "fail", "".join([*text, why])


RUNNERS: dict[Path, Runner] = {}


def runner(item):
    """Return the runner of the item's file, made for the items of this session that are its."""
    if item.path not in RUNNERS:
        names = [i.test for i in item.session.items if isinstance(i, UnixItem) and i.path == item.path]
        RUNNERS[item.path] = Runner(item.path, names, float(item.config.getini("device_timeout")))
    return RUNNERS[item.path]


def digest(path):
    """Return the SHA-256 of a file in hexadecimal digits, "" if it is gone."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def is_current(stamp):
    """Tell whether the files of a generator are all there and what they were made from is unchanged."""
    try:
        made = json.loads(stamp.read_text())
        return all((VECTORS / name).exists() for name in made["files"]) and all(
            digest(ROOT / name) == known for name, known in made["sources"].items()
        )
    except (OSError, ValueError, KeyError):
        return False


def own_modules():
    """Return the files of this checkout that are imported by now; libraries in .venv are not its own."""
    files = [Path(module.__file__) for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
    return [path for path in files if path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / ".venv")]


def generate_vectors():
    """Run each `tests/vectors/gen/NAME.py` whose files in build/vectors are missing or older than what made them.

    Its function `generate(folder)` writes JSON files; they appear under their names whole or not at all. The modules of
    this checkout that it imports count as its source.
    """
    VECTORS.mkdir(parents=True, exist_ok=True)
    for source in sorted(GENERATORS.glob("[!_]*.py")):
        stamp = VECTORS / f".{source.stem}.stamp"
        if is_current(stamp):
            continue
        spec = importlib.util.spec_from_file_location(f"generator_{source.stem}", source)
        module = importlib.util.module_from_spec(spec)
        if str(GENERATORS) not in sys.path:
            sys.path.append(str(GENERATORS))
        spec.loader.exec_module(module)
        with tempfile.TemporaryDirectory(dir=VECTORS) as folder:
            module.generate(Path(folder))
            files = sorted(path.name for path in Path(folder).iterdir())
            for name in files:
                shutil.move(Path(folder, name), VECTORS / name)
        sources = {str(path.relative_to(ROOT)): digest(path) for path in (source, *own_modules())}
        stamp.write_text(json.dumps({"sources": sources, "files": files}))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session):
    if not hasattr(session.config, "workerinput"):  # under xdist the controller comes first and does it once
        generate_vectors()


def pytest_sessionfinish():
    for started in RUNNERS.values():
        started.stop()
