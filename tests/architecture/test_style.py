"""House style that a linter does not know: sizes, docstrings, nothing open, nothing local."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 400
MOST_FUNCTION_LINES = 60
DOCUMENTED = ("bmsd/tables/", "bmsd/core/", "bmsd/afe/", "bmsd/inverters/")
OPEN_ENDS = re.compile(r"\b(TODO|FIXME|XXX)\b")
# Put together from halves, so that this file does not hold what it looks for.
LOCAL = re.compile("|".join(re.escape(a + b) for a, b in (
    ("/wo", "rk/"), ("pypi.", "org"), ("python", "hosted.org"), ("pi", "wheels.org"),
    ("deb.debian", ".org"), ("proxy.golang", ".org"), ("crates", ".io"), ("npmjs", ".org"),
)))  # fmt: skip
FOLDERS = ("bmsd", "tests", "docs", "etc", "systemd", "debian", ".ci")
TEXTS = ("", ".cfg", ".csv", ".md", ".py", ".rules", ".service", ".toml", ".txt", ".yml")
MADE = {"__pycache__", ".coverage"}
"""What Python and its tools leave behind."""

PATH_TRICK = re.compile(r"^\s*sys\.path\b", re.MULTILINE)
OWN_PATH = {"tests/machine/run.py", "tests/system/test_serialbattery.py"}
"""One runs where nothing is installed, the other loads a program that is not ours."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def class_faults(texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Name classes of one name: two things that share a word are taken for each other."""
    places: dict[str, list[str]] = {}
    for path, text in texts:
        for node in ast.walk(ast.parse(text, path)):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(path)
    yield from (f"{name}: {', '.join(found)}" for name, found in places.items() if len(found) > 1)


def size_faults(path: str, text: str) -> Iterator[str]:
    count = len(text.splitlines())
    if count > MOST_LINES and not path.startswith("bmsd/tables/"):
        yield f"{path}: {count} lines; is it one thing?"
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, Function) and node.end_lineno:
            lines = node.end_lineno - node.lineno + 1
            if lines > MOST_FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines"


def docstring_faults(path: str, text: str) -> Iterator[str]:
    tree = ast.parse(text, path)
    if not ast.get_docstring(tree):
        yield f"{path}: no module docstring"
    if path.startswith(DOCUMENTED):
        for node in public(tree):
            if not ast.get_docstring(node):
                yield f"{path}:{node.lineno}: {node.name} has no docstring"


def public(owner: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    """Yield the public functions and classes of a module, and the methods of the latter."""
    for node in owner.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def text_faults(path: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if OPEN_ENDS.search(line) and path != "tests/architecture/test_style.py":
            yield f"{path}:{number}: an open end: finish it, or write an issue"
        if LOCAL.search(line):
            yield f"{path}:{number}: names a place outside the project: {line.strip()[:60]}"


def place_faults(path: str, text: str) -> Iterator[str]:
    """Find what lies at the root of the tests, and whoever looks for modules elsewhere."""
    inside = path.removeprefix("tests/")
    if path.startswith("tests/") and "/" not in inside and inside != "conftest.py":
        yield f"{path}: a test belongs into a folder, a helper into tests/support"
    if PATH_TRICK.search(text) and path not in OWN_PATH:
        yield f"{path}: changes where modules are looked for"


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text file of the project with its path."""
    inside = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*"))]
    for file in [*inside, *ROOT.iterdir()]:
        if file.is_file() and file.suffix in TEXTS and not MADE & {*file.parts}:
            yield file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")


def package() -> Iterator[tuple[str, str]]:
    for path, text in texts():
        if path.startswith("bmsd/") and path.endswith(".py"):
            yield path, text


def test_a_class_name_means_one_thing() -> None:
    found = list(class_faults(package()))
    assert not found, "\n".join(found)
    assert list(class_faults([("a.py", "class One: ..."), ("b.py", "class One: ...")])) == ["One: a.py, b.py"]


def test_files_and_functions_are_small() -> None:
    found = [fault for path, text in package() for fault in size_faults(path, text)]
    assert not found, "\n".join(found)


def test_modules_and_public_names_say_what_they_are() -> None:
    found = [fault for path, text in package() for fault in docstring_faults(path, text)]
    assert not found, "\n".join(found)


def test_nothing_is_left_open_and_nothing_is_local() -> None:
    found = [fault for path, text in texts() for fault in text_faults(path, text)]
    assert not found, "\n".join(found)


def test_tests_lie_in_folders_and_change_no_path() -> None:
    python = [(path, text) for path, text in texts() if path.endswith(".py")]
    found = [fault for path, text in python for fault in place_faults(path, text)]
    assert not found, "\n".join(found)


def test_the_walk_sees_the_project() -> None:
    names = {path for path, _ in texts()}
    assert {"run", "pyproject.toml", "bmsd/errors.py", "systemd/bmsd.service"} <= names


LONG_FUNCTION = '"""D."""\n\n\ndef f():\n' + "    a = 1\n" * MOST_FUNCTION_LINES
PLANTED = [
    (size_faults, "bmsd/a.py", '"""D."""\n' * (MOST_LINES + 1), "is it one thing"),
    (size_faults, "bmsd/tables/a.py", LONG_FUNCTION, "f has 61 lines"),
    (docstring_faults, "bmsd/a.py", "a = 1", "no module docstring"),
    (docstring_faults, "bmsd/core/a.py", '"""D."""\ndef f(): ...', "f has no docstring"),
    (docstring_faults, "bmsd/afe/a.py", '"""D."""\nclass C: ...', "C has no docstring"),
    (docstring_faults, "bmsd/afe/a.py", '"""D."""\nclass C:\n "D."\n def m(self): ...', "m has"),
    (text_faults, "bmsd/a.py", "# TO" + "DO later", "an open end"),
    (text_faults, "docs/a.md", "see /wo" + "rk/notes", "outside the project"),
    (place_faults, "tests/test_a.py", "", "belongs into a folder"),
    (place_faults, "tests/core/a.py", "import sys\nsys.path.insert(0, 'x')", "where modules are looked for"),
    (text_faults, "constraints.txt", "a @ https://files.python" + "hosted.org/a", "outside"),
]


@pytest.mark.parametrize(("check", "path", "text", "expected"), PLANTED)
def test_a_planted_fault_is_found(check, path, text, expected) -> None:
    assert any(expected in fault for fault in check(path, text))


def test_tables_may_be_long_and_private_names_silent() -> None:
    assert not list(size_faults("bmsd/tables/a.py", "a = 1\n" * (MOST_LINES + 1)))
    assert not list(docstring_faults("bmsd/core/a.py", '"""D."""\ndef _f(): ...'))
    assert not list(docstring_faults("bmsd/links/a.py", '"""D."""\ndef f(): ...'))
