"""Who may import what, and who may switch an output: the shape of the package, enforced.

The tables below are the rules; the checks read source text and never import it. A planted bad
source for each rule proves that the check can fail.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Container, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A module may import from itself and from the rows above its own, not from its neighbours in a row.
LAYERS = (
    ("", "errors", "arguments"),  # "" is bmsd/__init__.py
    ("tables",),
    ("core",),
    ("afe", "inverters"),
    ("hardware", "ipc"),
    ("control",),
    ("config",),
    ("shutdown",),
    ("daemon", "links", "cli", "sim", "docgen", "demo"),
)
# Neighbours that may be imported all the same, each with its reason.
NEIGHBOURS = {
    ("daemon", "sim"): "--simulate puts the bench in place of chip and lines",
    ("demo", "cli"): "the demo shows what bmsctl watch shows",
    ("cli", "links"): "bmsctl modbus test listens with the link's own codec, while no link does",
    ("docgen", "links"): "the register and journal documents derive from the links' maps",
    ("docgen", "cli"): "the command reference derives from the parsers",
    ("docgen", "sim"): "the command reference derives from the parsers",
    ("docgen", "daemon"): "the manual page derives from its parser",
}
# The decision and everything under it: values in, values out.
PURE = ("tables", "core", "afe", "inverters")
IMPURE_MODULES = (
    "asyncio", "concurrent", "ctypes", "datetime", "fcntl", "io", "logging", "multiprocessing",
    "os", "pathlib", "random", "secrets", "select", "selectors", "shutil", "signal", "socket",
    "subprocess", "sys", "tempfile", "threading", "time", "zoneinfo",
)  # fmt: skip
IMPURE_CALLS = ("open", "print", "input", "exec", "eval", "__import__")
# Each outside library has one place; whatever is not listed has none.
OWNERS = {
    "smbus2": ("bmsd/hardware/i2c.py",),
    "gpiozero": ("bmsd/hardware/outputs*.py",),
    "gpiod": ("bmsd/hardware/outputs*.py",),
    "sdnotify": ("bmsd/hardware/service.py",),
    "can": ("bmsd/links/*",),
    "serial": ("bmsd/links/*",),
    "pymodbus": ("bmsd/links/*",),
    "systemd": ("bmsd/links/*",),
    "matplotlib": ("bmsd/sim/*",),
}
# The single writer of contactors and heater, the step after its end, and the bench's stand-in.
DRIVERS = ("bmsd/hardware/outputs*.py", "bmsd/shutdown/safe_off.py", "bmsd/sim/bench.py")
GETTERS = ("getattr", "attrgetter", "methodcaller")
NOT_IN_THE_CORE_PROCESS = ("can", "pymodbus", "serial", "systemd", "matplotlib", "bmsd.links")
# Megabytes in processes that live for months, for what they never do there.
LARGE = ("ssl", "_ssl", "_hashlib", "bz2", "lzma", "difflib", "uuid")
NOT_IN_A_LINK = {
    "can": ("can", "logging", "pymodbus", "serial", "systemd", "bmsd.tables.devices"),
    "modbus": ("can", "pymodbus", "systemd", "hashlib", "shutil", "bmsd.tables.devices"),
    "meter": ("can", "systemd", "hashlib", "shutil"),
    "journal": ("can", "pymodbus", "serial", "hashlib", "shutil", "bmsd.config", "bmsd.afe", "bmsd.core"),
}


def part_of(module: str) -> str:
    """Name the part of bmsd a module belongs to: `bmsd.core.step` is in `core`."""
    return [*module.split("."), ""][1]


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def is_one_of(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def imported(path: str, tree: ast.AST) -> Iterator[str]:
    """Yield every module named by an import, in functions too, with relative ones made absolute."""
    package = path.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            # `from bmsd import errors` names a module, `from bmsd import __version__` does not.
            parts = [name.name for name in node.names if source == "bmsd" and is_part(name.name)]
            yield from (f"bmsd.{part}" for part in parts)
            if len(parts) < len(node.names):
                yield source
        elif isinstance(node, ast.Call) and called(node) == "import_module":
            yield from map(str, texts(node))


def is_part(name: str) -> bool:
    return any(name in row for row in LAYERS)


def called(node: ast.Call) -> str:
    """Name the last word of what is called: `open` for `open()`, `send` for `a.b.send()`."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def row_of(part: str) -> int:
    return next(index for index, row in enumerate(LAYERS) if part in row)


def layer_faults(path: str, tree: ast.AST) -> Iterator[str]:
    mine = part_of(module_of(path))
    if not is_part(mine):
        yield f"{path}: `{mine}` has no place in LAYERS"
        return
    for module in imported(path, tree):
        other = part_of(module)
        if module.split(".")[0] != "bmsd" or other == mine:
            continue
        if not is_part(other):
            yield f"{path}: imports {module}, which has no place in LAYERS"
        elif row_of(other) >= row_of(mine) > 0 and (mine, other) not in NEIGHBOURS:
            yield f"{path}: {mine} may not import {module}"
        elif row_of(mine) == 0:
            yield f"{path}: {mine or 'bmsd'} stands under everything and imports {module}"


def purity_faults(path: str, tree: ast.AST) -> Iterator[str]:
    if part_of(module_of(path)) not in PURE:
        return
    for module in imported(path, tree):
        top = module.split(".")[0]
        if top != "bmsd" and (top in IMPURE_MODULES or top not in sys.stdlib_module_names):
            yield f"{path}: imports {module}; time, I/O and libraries are not for {PURE}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name in IMPURE_CALLS:
                yield f"{path}:{node.lineno}: calls {name}() in a pure package"


def owner_faults(path: str, tree: ast.AST) -> Iterator[str]:
    for module in imported(path, tree):
        top = module.split(".")[0]
        if top == "bmsd" or top in sys.stdlib_module_names:
            continue
        if not is_one_of(path, OWNERS.get(top, ())):
            yield f"{path}: imports {module}; only {OWNERS.get(top, 'nobody')} may"


def writer_faults(path: str, tree: ast.AST) -> Iterator[str]:
    """Find uses of the lines' `drive(name, on)`: called, handed on uncalled, or got by its name.

    Calls with another number of arguments are something else of that name.
    """
    if is_one_of(path, DRIVERS):
        return
    harmless = set()
    for node in ast.walk(tree):  # breadth first: a call is seen before what it calls
        if isinstance(node, ast.Call) and called(node) == "drive" and not could_be_two(node):
            harmless.add(node.func)
        by_name = isinstance(node, ast.Attribute) and node.attr == "drive" and node not in harmless
        by_text = isinstance(node, ast.Call) and called(node) in GETTERS and "drive" in texts(node)
        if by_name or by_text:
            yield f"{path}:{node.lineno}: uses drive(); only {DRIVERS} may"


def could_be_two(call: ast.Call) -> bool:
    """Tell whether a call may have two arguments; a star may hold any number."""
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    return starred or any(k.arg is None for k in call.keywords) or arguments(call) == 2


def arguments(call: ast.Call) -> int:
    return len(call.args) + len(call.keywords)


def texts(call: ast.Call) -> list[object]:
    return [argument.value for argument in call.args if isinstance(argument, ast.Constant)]


CHECKS = (layer_faults, purity_faults, owner_faults, writer_faults)


def faults(path: str, text: str) -> list[str]:
    tree = ast.parse(text, path)
    return [fault for check in CHECKS for fault in check(path, tree)]


def sources() -> list[Path]:
    return sorted((ROOT / "bmsd").rglob("*.py"))


def test_the_package_keeps_its_shape() -> None:
    found = []
    for source in sources():
        found += faults(source.relative_to(ROOT).as_posix(), source.read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


def test_the_walk_sees_the_package() -> None:
    names = {source.relative_to(ROOT).as_posix() for source in sources()}
    assert {"bmsd/errors.py", "bmsd/core/types.py", "bmsd/tables/rows.py"} <= names


def circles(imports: dict[str, set[str]]) -> list[str]:
    """Name the modules that import each other in a circle: those left when what imports nothing more is taken away."""
    left = {name: {*others} & {*imports} - {name} for name, others in imports.items()}
    while ends := [name for name, others in left.items() if not others & {*left}]:
        for name in ends:
            del left[name]
    return sorted(left)


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Also not for the type checker alone: what two of them share is a third one."""
    trees = {
        module_of(source.relative_to(ROOT).as_posix()): ast.parse(source.read_text(encoding="utf-8"))
        for source in sources()
    }
    found = {name: {*imported_modules(tree, trees)} for name, tree in trees.items()}
    assert not circles(found)


def imported_modules(tree: ast.AST, known: Container[str]) -> Iterator[str]:
    """Yield each module of the package that is imported, by its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield full if full in known else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == ["a", "b", "c"]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": {"outside"}}) == []


PLANTED = [
    ("bmsd/core/bad.py", "from bmsd.hardware import i2c", "core may not import bmsd.hardware"),
    ("bmsd/core/bad.py", "def f():\n    import bmsd.daemon", "core may not import bmsd.daemon"),
    ("bmsd/core/bad.py", "from ..afe import transfers", "core may not import bmsd.afe"),
    ("bmsd/tables/bad.py", "from bmsd import core", "tables may not import bmsd.core"),
    ("bmsd/afe/bad.py", "from bmsd.inverters import frames", "afe may not import bmsd.inverters"),
    ("bmsd/links/bad.py", "import bmsd.daemon", "links may not import bmsd.daemon"),
    ("bmsd/errors.py", "import bmsd.tables.rows", "stands under everything"),
    ("bmsd/extra/bad.py", "", "`extra` has no place"),
    ("bmsd/links/bad.py", "import bmsd.extra", "which has no place"),
    ("bmsd/core/bad.py", "import time", "imports time"),
    ("bmsd/core/bad.py", "from os import path", "imports os"),
    ("bmsd/afe/bad.py", "def f():\n    from threading import Lock", "imports threading"),
    ("bmsd/afe/bad.py", "from importlib import import_module\nimport_module('random')", "random"),
    ("bmsd/tables/bad.py", "import numpy", "imports numpy"),
    ("bmsd/core/bad.py", "print('now')", "calls print()"),
    ("bmsd/daemon/main.py", "import smbus2", "imports smbus2"),
    ("bmsd/hardware/i2c.py", "import gpiozero", "imports gpiozero"),
    ("bmsd/hardware/outputs.py", "from sdnotify import SystemdNotifier", "imports sdnotify"),
    ("bmsd/cli/bad.py", "import systemd.journal", "imports systemd.journal"),
    ("bmsd/daemon/main.py", "def f():\n    from can import Bus", "imports can"),
    ("bmsd/links/bad.py", "import requests", "only nobody may"),
    ("bmsd/daemon/main.py", "lines.drive('charge', True)", "uses drive()"),
    ("bmsd/cli/bad.py", "close = self.lines.drive", "uses drive()"),
    ("bmsd/core/bad.py", "def f(lines): lines.drive(name='heater', on=True)", "uses drive()"),
    ("bmsd/daemon/main.py", "lines.drive(*command)", "uses drive()"),
    ("bmsd/links/bad.py", "getattr(lines, 'drive')('heater', True)", "uses drive()"),
]


@pytest.mark.parametrize(("path", "text", "expected"), PLANTED)
def test_a_planted_fault_is_found(path: str, text: str, expected: str) -> None:
    assert any(expected in fault for fault in faults(path, text))


GOOD = [
    ("bmsd/core/good.py", "import math\nfrom bmsd.tables import rows\nfrom bmsd import errors"),
    ("bmsd/core/good.py", "from . import types\nfrom .soc import Soc"),
    ("bmsd/hardware/i2c.py", "import smbus2, time\nfrom bmsd.afe.transfers import Read"),
    ("bmsd/hardware/outputs_gpiod.py", "import gpiod\nself.lines.drive('charge', False)"),
    ("bmsd/daemon/main.py", "from bmsd import __version__\ndef f():\n    from bmsd.sim import bench"),
    ("bmsd/core/good.py", "from bmsd.core import contactors\ncontactors.drive(1, 2, 3, 4)"),
    ("bmsd/sim/good.py", "self.contactor.drive()"),
    ("bmsd/links/can.py", "import can\nfrom bmsd import ipc, config"),
]


@pytest.mark.parametrize(("path", "text"), GOOD)
def test_what_is_allowed_passes(path: str, text: str) -> None:
    assert faults(path, text) == []


def loaded_by(program: str) -> set[str]:
    """Run a program in a process of its own; give the modules it has then."""
    words = [sys.executable, "-c", f"{program}; import sys; print(*sys.modules)"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_core_process_loads_no_link_library_and_nothing_large() -> None:
    loaded = loaded_by("import bmsd.daemon.main as core; core._parser()")
    assert not loaded & {*NOT_IN_THE_CORE_PROCESS, *LARGE, "hashlib", "shutil", "bmsd.tables.devices"}


@pytest.mark.parametrize("name", NOT_IN_A_LINK)
def test_a_link_loads_nothing_large_that_it_does_not_use(name: str) -> None:
    program = f"from bmsd.links import runner; runner._parser(); import bmsd.links.{name}"
    loaded = loaded_by(program if name == "journal" else f"import bmsd.config.load; {program}")
    assert not loaded & {*LARGE, *NOT_IN_A_LINK[name]}


LIBRARY = "from bmsd.links import library; library.python_can()"


def test_pythons_can_library_is_imported_without_what_is_large_and_not_used() -> None:
    loaded = loaded_by(LIBRARY)
    assert "can" in loaded
    assert not loaded & {*LARGE, "wrapt", "_asyncio"}


def test_what_the_library_was_imported_without_is_there_later() -> None:
    """An interface of python-can that somebody adds may need it."""
    assert {"ssl", "_ssl", "bz2"} <= loaded_by(f"{LIBRARY}; import ssl, bz2; ssl.OP_ALL")


def test_a_library_that_needs_what_is_left_out_gets_it() -> None:
    program = LIBRARY.replace("; ", "; library._UNUSED = ('sqlite3', 'ssl'); ")
    assert {"sqlite3", "can"} <= loaded_by(program)
