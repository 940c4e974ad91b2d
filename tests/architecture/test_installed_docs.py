"""The documents as the package installs them: every link leads to something that is there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("link_docs", ROOT / "debian" / "link_docs.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def installed(folder: Path) -> None:
    """Lay the documents out as debhelper does, from the same lists."""
    for pattern in (ROOT / "debian" / "bmsd.docs").read_text(encoding="utf-8").split():
        for path in ROOT.glob(pattern):
            put(folder / path.name, path)
    for line in (ROOT / "debian" / "bmsd.install").read_text(encoding="utf-8").splitlines():
        pattern, _, place = line.partition(" ")
        if place.startswith("usr/share/doc/bmsd/"):
            for path in ROOT.glob(pattern):
                put(folder / place.removeprefix("usr/share/doc/bmsd/") / path.name, path)
    for name in (ROOT / "debian" / "bmsd.examples").read_text(encoding="utf-8").split():
        put(folder / "examples" / Path(name).name, ROOT / name)


def put(target: Path, source: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())


def dead(folder: Path) -> list[str]:
    """List the links of all pages that lead nowhere."""
    found = []
    for page in folder.rglob("*.md"):
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            path = target.partition("#")[0]
            if path and not re.match(r"[a-z]+:", target) and not (page.parent / path).exists():
                found.append(f"{page.relative_to(folder)}: {target}")
    return found


def test_no_link_of_the_installed_documents_is_dead(tmp_path) -> None:
    installed(tmp_path)
    assert len(dead(tmp_path)) > 100, "sources and tests are not in the package"
    tool().main(tmp_path)
    assert dead(tmp_path) == []
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "](installation.md)" in readme, "what is there stays a link"
    assert "](docs/" not in readme
    assert (tmp_path / "SAFETY.md").read_text(encoding="utf-8").count("](generated/tests.md#") >= 15


@pytest.mark.parametrize(
    ("page", "text", "becomes"),
    [
        ("README.md", "see [a](docs/a.md#x)", "see [a](a.md#x)"),
        ("a.md", "[`b`](../bmsd/b.py), [up](../README.md)", "`b`, [up](README.md)"),
        ("a.md", "![p](images/p.png) ![q](images/q.png)", "![p](images/p.png) "),
        ("a.md", "[toml](../etc/bmsd.toml)", "[toml](examples/bmsd.toml)"),
        ("generated/c.md", "[a](../a.md), [t](../../tests/t.py)", "[a](../a.md), t"),
        ("a.md", "[here](#x), [out](https://example.org/)", "[here](#x), [out](https://example.org/)"),
    ],
)
def test_a_link_leads_to_what_the_package_has_or_becomes_its_text(page, text, becomes) -> None:
    there = {"README.md", "a.md", "generated/c.md", "images/p.png", "examples/bmsd.toml"}
    assert tool().linked(text, page, there) == becomes


def test_the_package_is_built_with_it() -> None:
    rules = (ROOT / "debian" / "rules").read_text(encoding="utf-8")
    assert "dh_compress -X.md -X.dbc" in rules, "a link to a file that is packed away is dead"
    assert "python3 debian/link_docs.py debian/bmsd/usr/share/doc/bmsd" in rules


def test_the_safety_page_is_short_enough_to_be_read() -> None:
    """Lists of tests are for who checks, and stand on a page of their own."""
    text = (ROOT / "docs" / "SAFETY.md").read_text(encoding="utf-8")
    assert text.count("](../tests/") <= 2, "one of them explains how the tests are tested"
    assert max(map(len, text.splitlines())) < 400
