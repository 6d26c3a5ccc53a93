"""Holds the one list of error codes, in the docstring of firmware/certlet/errors.py, against its users.

Device modules declare a code that they raise as `_NAME = const(NNN)`; host_tools/certlet_host/codes.py says each in
words; docs/reference/errors.md is written from both by `make docs`.
"""

import ast
import re
import sys
from pathlib import Path

import pytest

from certlet_host.codes import CODES, explain

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "firmware" / "certlet"
PAGE = ROOT / "docs" / "reference" / "errors.md"

RANGES = (
    (101, 149, "DER and PEM"),
    (201, 249, "Cryptography"),
    (301, 349, "Certificates and chains"),
    (351, 399, "CMS"),
    (401, 449, "CMP"),
    (601, 699, "Transports"),
    (701, 749, "Storage"),
    (801, 849, "Configuration and clock"),
    (901, 949, "Factory verbs"),
)


def listed(source: str) -> list[tuple[int, str]]:
    """Return (number, name) of each line of the list in the docstring of `source`, in order."""
    rows = re.findall(r"^ {2}(\d+) +([A-Z][A-Z0-9_]+) +\S", ast.get_docstring(ast.parse(source), clean=False), re.M)
    return [(int(number), name) for number, name in rows]


def list_faults(rows: list[tuple[int, str]]) -> list[str]:
    """Return what is wrong within the list: a number or name that stands twice, or a number of no range."""
    numbers, names = zip(*rows, strict=True)
    return [
        *(f"{n} stands twice" for n in sorted({n for n in numbers if numbers.count(n) > 1})),
        *(f"{n} stands twice" for n in sorted({n for n in names if names.count(n) > 1})),
        *(f"{n} is in no range" for n in numbers if not any(low <= n <= high for low, high, _ in RANGES)),
    ]


def declared(tree: ast.AST) -> dict[str, int]:
    """Return the numbers that a module binds by `_NAME = const(NNN)`."""
    found = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign([ast.Name(name)], ast.Call(ast.Name("const"), [ast.Constant(number)])):
                found[name] = number
    return found


def classes(source: str) -> set[str]:
    """Return the names of the error classes."""
    return {node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}


def raised_codes(tree: ast.AST, errors: set[str]) -> list[ast.expr]:
    """Return the first argument, the code, of each error that a module makes."""
    return [
        node.args[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node.args and getattr(node.func, "id", None) in errors
    ]


def module_faults(source: str, codes: dict[str, int], errors: set[str]) -> list[str]:
    """Return what is wrong with the codes in the text of one device module; `codes` are the listed numbers by name."""
    tree = ast.parse(source)
    found = declared(tree)
    loads = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    faults = []
    for name, number in found.items():
        code = name.removeprefix("_")
        if code in codes and codes[code] != number:
            faults.append(f"{name} is {number} here and {codes[code]} in the list")
        if code in codes and name not in loads:
            faults.append(f"{name} is declared and never used")
    for code in raised_codes(tree, errors):
        if isinstance(code, ast.Constant):
            faults.append(f"line {code.lineno}: a code is raised as {code.value!r}, not by its name")
        if isinstance(code, ast.Name) and code.id in found and code.id.removeprefix("_") not in codes:
            faults.append(f"{code.id} is raised and not in the list")
    return faults


def errors_source() -> str:
    return (PACKAGE / "errors.py").read_text(encoding="utf-8")


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def page() -> str:
    """Return the text of docs/reference/errors.md."""
    rows = sorted(listed(errors_source()))
    lines = [
        "# Error codes",
        "",
        "A device reports a number; the host tools turn it into a sentence. This page lists all of them.",
        "It is written by `make docs`; the list itself is in `firmware/certlet/errors.py`.",
    ]
    for low, high, title in RANGES:
        inside = [(number, name) for number, name in rows if low <= number <= high]
        if inside:
            lines += ["", f"## {low}-{high}: {title}", ""]
            lines += ["| Code | Name | What happened; what was kept | What to do |", "| --- | --- | --- | --- |"]
        for number, name in inside:
            code = CODES[number]
            lines.append(f"| {number} | `{name}` | {cell(code.sentence)} | {cell(code.advice)} |")
    return "\n".join(lines) + "\n"


def test_list_is_consistent():
    assert not list_faults(listed(errors_source()))


def test_modules_and_list_agree():
    source = errors_source()
    codes, errors = {name: number for number, name in listed(source)}, classes(source)
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    faults = [
        f"{path.relative_to(ROOT)}: {fault}"
        for path, text in texts.items()
        for fault in module_faults(text, codes, errors)
    ]
    names = {name for text in texts.values() for name in declared(ast.parse(text))}
    faults += [f"{name} is listed and raised by no module" for name in codes if f"_{name}" not in names]
    assert not faults, "\n" + "\n".join(faults)


def test_host_says_each_code_in_words():
    assert {number: code.name for number, code in CODES.items()} == dict(listed(errors_source()))


@pytest.mark.parametrize("number", CODES)
def test_words_are_sentences(number):
    code = CODES[number]
    assert re.fullmatch(r"[A-Z][^\n]*; [^\n]*\.", code.sentence)
    assert re.fullmatch(r"[A-Z0-9][^\n]*\.", code.advice)
    assert explain(number) == f"{number} {code.name}: {code.sentence} {code.advice}"


def test_an_unknown_code_is_explained():
    assert explain(99999).startswith("99999: ")


def test_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs` and commit the page"


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("_A_B = const(101)\nraise Error(_A_B)", None),
        ("_A_B = const(101)\nfail(_A_B)", None),
        ("_A_B = const(102)\nraise Error(_A_B)", "is 102 here and 101 in the list"),
        ("_A_B = const(101)", "never used"),
        ("_C_D = const(103)\nraise Error(_C_D)", "not in the list"),
        ("raise Error(101)", "not by its name"),
        ("_SEQUENCE = const(0x30)\nf(_SEQUENCE)", None),
    ],
)
def test_module_rules(source, fault):
    found = module_faults(source, {"A_B": 101}, {"Error"})
    assert fault in "\n".join(found) if fault else not found


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([(101, "A"), (102, "B")], None),
        ([(101, "A"), (101, "B")], "101 stands twice"),
        ([(101, "A"), (102, "A")], "A stands twice"),
        ([(150, "A")], "150 is in no range"),
    ],
)
def test_list_rules(rows, fault):
    assert list_faults(rows) == ([fault] if fault else [])


def main(args: list[str]) -> int:
    if args != ["--write"]:
        print("usage: codes.py --write", file=sys.stderr)
        return 2
    missing = sorted({number for number, _ in listed(errors_source())} - set(CODES))
    if missing:
        print(f"host_tools/certlet_host/codes.py lacks {missing}; the page is unchanged; add them.", file=sys.stderr)
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
