"""The documents say what is so: generated ones are current, links lead somewhere, commands can be typed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from bmsd.cli import main as bmsctl
from bmsd.config.load import load
from bmsd.daemon import main
from bmsd.docgen import documents, evidence
from bmsd.ipc.status import public
from bmsd.links import runner
from bmsd.sim import main as bmsim
from bmsd.tables import configuration, parameters

ROOT = Path(__file__).resolve().parents[2]
BY_HAND = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
ALL = (*BY_HAND, *sorted((ROOT / "docs" / "generated").glob("*.md")))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PARSERS = {
    "bmsd": main._parser,
    "bmsd-link": runner._parser,
    "bmsctl": bmsctl.parser,
    "bmsim": bmsim.build_parser,
}
SHELL = (".", "cd", "export")
"""Words that are not ours and that every shell knows."""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Yield the blocks of one language in documents written by hand."""
    for path in BY_HAND:
        for name, text in BLOCK.findall(path.read_text(encoding="utf-8")):
            if name == language:
                yield relative(path), text


def anchors(path: Path) -> set[str]:
    """Give the anchors of a document's headings, as they are made of the text."""
    heads = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def link_faults(path: Path, text: str) -> Iterator[str]:
    for target in LINK.findall(text):
        file, _, anchor = target.partition("#")
        if "://" in target:
            continue
        found = (path.parent / file).resolve() if file else path
        if not found.exists():
            yield f"{relative(path)}: {target} leads nowhere"
        elif anchor and anchor not in anchors(found):
            yield f"{relative(path)}: {target} has no such heading"


def commands() -> list[tuple[str, str]]:
    """List every line of a shell block, without comments."""
    found = []
    for where, text in blocks("sh"):
        for line in text.splitlines():
            if words := shlex.split(line, comments=True):
                found.append((where, shlex.join(words)))
    return found


def run_script() -> object:
    """Load the set-up script; its name has no ending."""
    loader = SourceFileLoader("run_script", str(ROOT / "run"))
    spec = spec_from_loader("run_script", loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_generated_documents_are_current() -> None:
    assert not documents.stale(), "run './run docs' and commit what it writes"


@pytest.mark.slow
def test_the_check_names_what_is_not_current(tmp_path) -> None:
    for name in ("docs", "tests", "bmsd"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "docs").unlink()
    (tmp_path / "docs" / "generated").mkdir(parents=True)
    (tmp_path / documents.SAFETY).write_text("<!-- hazards -->\n\nof yesteryear\n\n<!-- end -->\n")
    assert len(documents.write(tmp_path)) == len(documents.documents(tmp_path))
    assert "of yesteryear" not in (tmp_path / documents.SAFETY).read_text()
    assert documents.stale(tmp_path) == []
    (tmp_path / "docs/generated/alarms.md").write_text("changed by hand")
    (tmp_path / "docs/generated/forgotten.md").write_text("of a page that is gone")
    assert documents.stale(tmp_path) == ["docs/generated/alarms.md", "docs/generated/forgotten.md"]


@pytest.mark.parametrize(
    ("listed", "true"),
    [
        ("[architecture/test_a.py](x), [architecture/test_b.py](x)", True),
        ("[architecture/test_a.py](x)", True),
        ("none yet", False),
        ("[architecture/test_a.py](x), [architecture/test_c.py](x)", False),
    ],
)
def test_a_list_of_tests_may_lag_but_not_lie(tmp_path, listed, true) -> None:
    (tmp_path / "tests/architecture").mkdir(parents=True)
    for name, rule in (("a", "S1"), ("b", "S1"), ("c", "S2")):
        (tmp_path / f"tests/architecture/test_{name}.py").write_text(f'"""Protects {rule}."""')
    page = evidence.tests_page(tmp_path)
    now = "[architecture/test_a.py](../../tests/architecture/test_a.py), "
    now += "[architecture/test_b.py](../../tests/architecture/test_b.py)."
    assert page.count(now) == 1
    wanted = re.sub(r"\]\(x\)", "](../../tests/architecture/test_?.py)", listed)
    for name in "abc":
        wanted = wanted.replace(
            f"test_{name}.py](../../tests/architecture/test_?",
            f"test_{name}.py](../../tests/architecture/test_{name}",
        )
    assert evidence.is_true(tmp_path, page.replace(now, f"{wanted}.")) is true
    assert not evidence.is_true(tmp_path, page.replace("## Rules", "## Roles")), "all else is held current"


def test_the_program_checks() -> None:
    command = [sys.executable, "-m", "bmsd.docgen", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", ALL, ids=relative)
def test_links_lead_somewhere(path) -> None:
    assert not list(link_faults(path, path.read_text(encoding="utf-8")))


def test_a_dead_link_is_found() -> None:
    text = "[a](docs/nothing.md) [b](#not-there) [c](run) [d](docs/SAFETY.md#hazards)"
    assert len(list(link_faults(ROOT / "README.md", text))) == 2


@pytest.mark.parametrize(("where", "command"), commands())
def test_a_command_can_be_typed(where, command) -> None:
    """Programs, subcommands and options exist, and files that are named are there."""
    program, *words = shlex.split(command)
    if program == "./run":
        assert words[0] in (*run_script().COMMANDS, "clean")
    elif program in PARSERS:
        PARSERS[program]().parse_args(words)
    else:
        assert program in SHELL, f"{where}: what is {program}?"
    for word in words:
        assert not word.startswith(("etc/", "tests/")) or (ROOT / word).exists(), f"{where}: no {word}"


def test_the_readme_has_its_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"./run demo", "./run test"} <= {command for _, command in commands()}
    assert len(text.splitlines()) <= 125, "it is to fit on two screens"


def options(name: str) -> Iterator[str]:
    for action in PARSERS[name]()._actions:
        yield from (word for word in action.option_strings if word.startswith("--"))


@pytest.mark.parametrize("name", PARSERS)
def test_the_contract_names_every_option_of_a_program(name) -> None:
    text = (ROOT / "docs" / "CONTRACT.md").read_text(encoding="utf-8")
    missing = [word for word in options(name) if word not in text]
    assert not missing


def test_the_contract_names_every_command_of_bmsctl() -> None:
    text = (ROOT / "docs" / "CONTRACT.md").read_text(encoding="utf-8")
    missing = [row.name for row in bmsctl.COMMANDS if f"`{row.name}" not in text]
    for rows in (bmsctl.PARAMS, bmsctl.SIM, bmsctl.MODBUS):
        missing += [] if "|".join(row.name for row in rows) in text else [row.name for row in rows]
    assert not missing


def keys(document: object, path: str = "") -> set[str]:
    """Give the keys of a document joined with dots, those of lists by their first entry."""
    if isinstance(document, list):
        return keys(document[0], path) if document else {path}
    if isinstance(document, dict) and document:
        return {found for name, inner in document.items() for found in keys(inner, f"{path}.{name}")}
    return {path}


def test_the_status_example_has_the_keys_of_the_table() -> None:
    examples = [json.loads(text) for where, text in blocks("json") if where == "docs/CONTRACT.md"]
    alarm = {"name": "cell_ovp", "since_ms": 0, "where": 7, "value": 3700, "limit": 3600, "latched": False}
    snapshot = {"at_ms": 0, "time": 0.0, "boot": "b", "cells": 16, "points": {}, "alarms": [alarm]}
    assert keys(examples[0]) == keys(public(snapshot, {}, 0))


def test_the_example_configuration_is_good_and_agrees_with_its_document() -> None:
    path = ROOT / "etc" / "bmsd.toml"
    assert load(path).cells == 16
    text = (ROOT / "docs/generated/configuration.md").read_text(encoding="utf-8")
    for key in configuration.KEYS:
        assert f"| `{key.name}` |" in text


def test_names_of_parameters_in_documents_exist() -> None:
    """A word in code marks that looks like a parameter is one."""
    endings = "|".join(sorted({row.public_name.rpartition("_")[2] for row in parameters.ROWS}))
    looks = re.compile(rf"`((?:cell|pack|charge|discharge|heater|contactor|switch|soc)_\w+_(?:{endings}))`")
    text = "\n".join(path.read_text(encoding="utf-8") for path in BY_HAND)
    known = {*parameters.BY_PUBLIC_NAME, *parameters.BY_NAME}
    assert not {name for name in looks.findall(text) if name not in known}
