"""Checks what device modules import and which Python they use: `pytest tests/layers.py`.

A module imports only modules of lower layers; modules of one package in TOGETHER may import each other. The rest is
what MicroPython lacks, or what costs flash or safety on a device.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).resolve().parent.parent / "firmware"

# The longest name that is the module or a package around it counts.
LAYERS = {
    "certlet": 11,
    "certlet.errors": 0,
    "certlet.oid": 1,
    "certlet.der": 1,
    "certlet.pem": 1,
    "certlet.transport": 1,
    "certlet.store": 1,
    "certlet.config": 1,
    "certlet.clock": 1,
    "certlet.crypto": 2,
    "certlet.x509": 3,
    "certlet.cms": 4,
    "certlet.cmp.status": 3,
    "certlet.cmp": 4,
    "certlet.cmp.request": 5,
    "certlet.cmp.response": 5,
    "certlet.cmp.general": 5,
    "certlet.cmp.protect": 5,
    "certlet.cmp.verify": 6,
    "certlet.cmp.keys": 6,
    "certlet.cmp.client": 7,
    "certlet.cmp.resume": 8,
    "certlet.scep": 5,
    "certlet.scep.client": 6,
    "certlet.update": 6,
    "certlet.profile": 8,
    "certlet.agent": 9,
    "certlet.factory": 10,
}
# Packages whose modules are one layer.
TOGETHER = ("certlet.transport", "certlet.crypto", "certlet.x509", "certlet.cms")
# Codecs and engines get time, randomness and bytes from their caller: tests can replay any moment.
PURE = ("certlet.der", "certlet.oid", "certlet.pem", "certlet.x509", "certlet.cms", "certlet.cmp", "certlet.scep")
IMPURE = {"time", "os", "socket", "machine", "random"}
APART = ("certlet.cmp", "certlet.scep")
# MicroPython's own modules that the device may use; anything else is third-party or absent on a board.
STANDARD = {
    "array", "asyncio", "binascii", "collections", "cryptolib", "deflate", "errno", "gc", "hashlib", "io", "json",
    "machine", "math", "micropython", "network", "os", "random", "re", "select", "socket", "ssl", "struct", "sys",
    "time", "tls", "uctypes",
}


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def layer(module: str) -> int | None:
    """Return the layer of a device module; None if the table has no place for it."""
    if module == "certlet":
        return LAYERS[module]
    name = max((n for n in LAYERS if n != "certlet" and within(module, n)), key=len, default=None)
    return None if name is None else LAYERS[name]


def import_fault(module: str, target: str) -> str | None:
    """Return why `module` must not import `target`, a module's full name; None if it may."""
    if not within(target, "certlet"):
        root = target.partition(".")[0]
        if root not in STANDARD:
            return f"imports {target}, which is not one of MicroPython's modules"
        if root in IMPURE and any(within(module, pure) for pure in PURE):
            return f"imports {root}; codecs and engines get it from their caller"
        return None
    if any(within(module, a) and within(target, b) for a in APART for b in APART if a != b):
        return f"imports {target}; CMP and SCEP never meet"
    if any(within(module, package) and within(target, package) for package in TOGETHER):
        return None
    if layer(module) is None or layer(target) is None:
        return f"imports {target}; one of the two has no layer in tests/layers.py"
    if layer(target) >= layer(module):
        return f"imports {target}, layer {layer(target)}, from layer {layer(module)}"
    return None


def imports(node: ast.AST, module: str, known: set[str]) -> list[str]:
    """Return the full names of the modules that an import statement loads."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        parts = module.split(".")
        parts = parts[: len(parts) - node.level + (module + ".__init__" in known)]
        base = ".".join([*parts, *filter(None, [base])])
    inner = [f"{base}.{alias.name}" for alias in node.names]
    found = [name for name in inner if name in known]
    return found if len(found) == len(inner) else [*found, base]


def annotated(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.returns is not None
    return isinstance(node, ast.AnnAssign) or (isinstance(node, ast.arg) and node.annotation is not None)


def called(node: ast.AST) -> str:
    """Return the name that a call calls, `.name` for a method."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return "." + node.func.attr
    return getattr(node.func, "id", "")


def star_display(node: ast.AST) -> bool:
    if isinstance(node, ast.Dict):
        return None in node.keys
    return (
        isinstance(node, ast.List | ast.Tuple | ast.Set)
        and isinstance(node.ctx, ast.Load)
        and any(isinstance(item, ast.Starred) for item in node.elts)
    )


# (what is wrong, does the node do it?)
LANGUAGE = (
    ("assert vanishes at -O3: raise an error", lambda n: isinstance(n, ast.Assert)),
    ("print() on a device that may have no console", lambda n: called(n) == "print"),
    ("type annotations have no use on the device", annotated),
    ("`raise .. from` is unknown to MicroPython", lambda n: isinstance(n, ast.Raise) and n.cause is not None),
    ("bare except hides a broken module", lambda n: isinstance(n, ast.ExceptHandler) and n.type is None),
    ("match is unknown to MicroPython", lambda n: isinstance(n, ast.Match)),
    ("positional-only parameters are unknown to MicroPython", lambda n: isinstance(n, ast.arguments) and n.posonlyargs),
    ("starred displays are unknown to MicroPython", star_display),
    ("int.bit_length is unknown to MicroPython", lambda n: called(n) == ".bit_length"),
    (
        "pow with a negative exponent and a modulus returns 0 on MicroPython",
        lambda n: called(n) == "pow" and len(n.args) == 3 and isinstance(n.args[1], ast.UnaryOp),
    ),
    ("two exception bases fail on MicroPython", lambda n: isinstance(n, ast.ClassDef) and len(n.bases) > 1),
)


def faults(source: str, module: str, known: set[str]) -> Iterator[str]:
    """Yield `line: fault` for everything in `source`, the text of `module`, that breaks a rule."""
    if layer(module) is None:
        yield f"1: {module} has no layer in tests/layers.py"
    for node in ast.walk(ast.parse(source)):
        for target in imports(node, module, known):
            fault = import_fault(module, target)
            if fault:
                yield f"{node.lineno}: {fault}"
        for fault, does in LANGUAGE:
            if does(node):
                yield f"{getattr(node, 'lineno', 1)}: {fault}"


def modules() -> dict[str, Path]:
    """Return the files of the package by full module name; a package also stands as `name.__init__`."""
    found = {}
    for path in sorted((FIRMWARE / "certlet").rglob("*.py")):
        name = ".".join(path.relative_to(FIRMWARE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def known_names() -> set[str]:
    found = modules()
    return set(LAYERS) | set(found) | {name + ".__init__" for name, path in found.items() if path.name == "__init__.py"}


def test_modules_keep_the_rules():
    known = known_names()
    wrong = [
        f"{path.relative_to(FIRMWARE.parent)}:{fault}"
        for name, path in modules().items()
        for fault in faults(path.read_text(encoding="utf-8"), name, known)
    ]
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("certlet.der", "from certlet.errors import ProtocolError", ""),
        ("certlet.x509.name", "from . import algorithm\nfrom certlet.x509 import request", ""),
        ("certlet.cmp.client", "from certlet.cmp import msg, status", ""),
        ("certlet.cmp.msg", "from certlet.cmp import client", "layer 7, from layer 4"),
        ("certlet.cmp.msg", "from .client import Transaction", "layer 7, from layer 4"),
        ("certlet.cmp.msg", "def f():\n    import certlet.cmp.client", "layer 7, from layer 4"),
        ("certlet.der", "import certlet.oid", "layer 1, from layer 1"),
        ("certlet.transport.http", "from certlet import store", "layer 1, from layer 1"),
        ("certlet.scep.msg", "import certlet.cmp.status", "never meet"),
        ("certlet.x509.chain", "import time", "from their caller"),
        ("certlet.cmp", "from os import urandom", "from their caller"),
        ("certlet.store", "import os", ""),
        ("certlet.store", "import requests", "not one of MicroPython's"),
        ("certlet.store", "import certlet_host", "not one of MicroPython's"),
        ("certlet.misc", "x = 1", "no layer"),
        ("certlet.der", "assert True", "assert"),
        ("certlet.der", "print(1)", "print"),
        ("certlet.der", "def f(a: int): pass", "annotations"),
        ("certlet.der", "def f() -> int: pass", "annotations"),
        ("certlet.der", "a: int = 1", "annotations"),
        ("certlet.der", "try:\n    f()\nexcept:\n    pass", "bare except"),
        ("certlet.der", "try:\n    f()\nexcept OSError as e:\n    raise ValueError from e", "raise .. from"),
        ("certlet.der", "a = [*b]", "starred"),
        ("certlet.der", "a = {**b}", "starred"),
        ("certlet.der", "a, *b = c", ""),
        ("certlet.der", "def f(a, /): pass", "positional-only"),
        ("certlet.der", "n.bit_length()", "bit_length"),
        ("certlet.der", "pow(3, -1, 7)", "negative exponent"),
        ("certlet.der", "class A(ValueError, OSError): pass", "two exception bases"),
    ],
)
def test_rules(module, source, expected):
    known = known_names() | {"certlet.cmp.msg", "certlet.cmp.status", "certlet.x509.algorithm", "certlet.x509.request"}
    found = "\n".join(faults(source, module, known))
    assert expected in found if expected else not found
