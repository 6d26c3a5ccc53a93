"""Tests named in documents: which names there are, so that a page or table that names one stays true.

    file::test_function               a test in a Python file
    file::test_function[row]          a row of the table that it goes through: a string in that file
    file.csv::description             a row of a table in tests/interop
    tests/vectors/gen/cmp.py::title   a case that tests/device/test_cmp.py replays
"""

import ast
import csv
import functools
import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GENERATED = "tests/vectors/gen/cmp.py"


def missing(names: list[str]) -> list[str]:
    """Return those of `names` that name no test."""
    return [name for name in names if not exists(name)]


def exists(name: str) -> bool:
    """Tell whether `name` names a test, as the docstring of this module says."""
    file, _, rest = name.partition("::")
    path = ROOT / file
    if not (rest and file.startswith("tests/") and path.is_file()):
        return False
    if path.suffix == ".csv":
        return rest in descriptions(path)
    if file == GENERATED:
        return rest in titles()
    function, _, row = rest.partition("[")
    functions, strings = contents(path)
    return function in functions and (not row or row.removesuffix("]") in strings)


@functools.cache
def descriptions(path: Path) -> set[str]:
    """Return the descriptions of a table."""
    with path.open(newline="") as file:
        return {row["description"] for row in csv.DictReader(file)}


@functools.cache
def contents(path: Path) -> tuple[set[str], set[str]]:
    """Return the names of the test functions of a file, and its strings."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    functions = {n.name for n in nodes if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")}
    return functions, {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


@functools.cache
def titles() -> set[str]:
    """Return the titles of the recorded transactions."""
    spec = importlib.util.spec_from_file_location("cmp_cases", ROOT / GENERATED)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {row[0] for row in (*module.ROWS, *module.KEYS, *module.matrix())}
