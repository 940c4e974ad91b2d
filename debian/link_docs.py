"""Make the links of the installed documents lead somewhere: to what the package holds, or else nowhere at all.

The documents are written for the repository. Here the README lies beside the others, and neither sources nor tests
are there: a link to one of them becomes its text. `python3 debian/link_docs.py usr/share/doc/bmsd`.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_ELSEWHERE = re.compile(r"[a-z]+:|#")
_MOVED = (("etc/bmsd.toml", "examples/bmsd.toml"), ("docs/", ""))
"""Where things of the repository lie in the package, by how their path from its root begins."""


def linked(text: str, page: str, there: set[str]) -> str:
    """Give a page with its links as the package has them; `page` and `there` are paths in the package."""

    def link(found: re.Match[str]) -> str:
        mark, words, target = found.groups()
        if _ELSEWHERE.match(target):
            return found[0]
        path, _, anchor = target.partition("#")
        place = _place(path, page, there)
        if place is None:
            return "" if mark else words
        way = os.path.relpath(place, os.path.dirname(page) or ".")
        return f"{mark}[{words}]({way}{'#' if anchor else ''}{anchor})"

    return _LINK.sub(link, text)


def _place(path: str, page: str, there: set[str]) -> str | None:
    """Find what a link means: the page stood at the root of the repository or below docs/."""
    before = page if page in {"README.md", "CHANGELOG.md"} else f"docs/{page}"
    wanted = os.path.normpath(os.path.join(os.path.dirname(before), path))
    for begins, instead in _MOVED:
        if wanted.startswith(begins):
            wanted = instead + wanted.removeprefix(begins)
            break
    return wanted if wanted in there else None


def main(folder: Path) -> None:
    """Rewrite every page below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    there = {path.relative_to(folder).as_posix() for path in files}
    for path in files:
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            path.write_text(linked(text, path.relative_to(folder).as_posix(), there), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
