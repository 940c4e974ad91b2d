"""See whether what is committed may be tagged as a version: `./run release`. Says all that is missing, at once.

With nothing missing it prints the notes of the release and the commands that make the tag; it makes none itself.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bmsd import __version__
from bmsd.docgen import documents

ROOT = Path(__file__).resolve().parents[2]
SECTION = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<day>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)
DEBIAN = re.compile(r"^bmsd \((?P<version>[^)]+)\)")
RESERVED = re.compile(r"(^|[@.])(example(\.(com|net|org))?|invalid|test|localhost)$")
"""Names that nobody can own (RFC 2606): no mail reaches them."""


def sections(changelog: str) -> dict[str, tuple[str, str]]:
    """Give day and text of each version of the changelog; Unreleased has no day."""
    found = list(SECTION.finditer(changelog))
    ends = [one.start() for one in found[1:]] + [len(changelog)]
    return {
        one["name"]: (one["day"] or "", changelog[one.end() : end].strip())
        for one, end in zip(found, ends, strict=True)
    }


def of_changelog(changelog: str, version: str) -> list[str]:
    """Say what of the changelog does not fit a release of this version."""
    told = sections(changelog)
    day, text = told.get(version, ("", ""))
    problems = []
    if not day:
        problems.append(f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD': rename Unreleased")
    elif not text:
        problems.append(f"CHANGELOG.md says nothing under {version}")
    if told.get("Unreleased", ("", ""))[1] and day:
        problems.append(
            "CHANGELOG.md has changes under Unreleased: they belong to the version, or to a later commit"
        )
    return problems


def of_address(project: dict[str, Any]) -> list[str]:
    """Say what of the project's addresses is a placeholder still."""
    mails = [who["email"] for who in project["maintainers"]]
    problems = [
        f"{mail} in pyproject.toml receives no mail: choose one, also in debian/ and docs/SECURITY.md"
        for mail in mails
        if RESERVED.search(mail)
    ]
    urls = project.get("urls", {})
    if not urls:
        problems.append("pyproject.toml has no [project.urls]: say where bmsd is published")
    problems += [
        f"{name} in pyproject.toml is {url}, which nobody can own: say where bmsd is published"
        for name, url in urls.items()
        if RESERVED.search(urlsplit(url).hostname or "")
    ]
    return problems


def of_versions(version: str, debian_changelog: str, packages: list[str]) -> list[str]:
    """Say where another version stands than in the code."""
    problems = []
    first = DEBIAN.match(debian_changelog)
    debian = first["version"] if first else "nothing"
    if debian != version:
        problems.append(
            f"debian/changelog begins with {debian}, bmsd/__init__.py says {version}: add an entry"
        )
    wanted = f"bmsd_{version}_all.deb"
    if wanted not in packages:
        problems.append(f"there is no dist/{wanted}: ./run deb")
    return problems


def of_tree(status: str, tags: list[str], version: str, stale: list[str]) -> list[str]:
    """Say what of the working copy is not as it would be released."""
    problems = [f"not committed: {line[3:]}" for line in status.splitlines()]
    if f"v{version}" in tags:
        problems.append(f"the tag v{version} exists: raise the version in bmsd/__init__.py")
    return problems + [f"not current: {name}: ./run docs" for name in stale]


def _git(*words: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Tell what is missing, or how to go on; 1 when something is missing."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    debian = (ROOT / "debian" / "changelog").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    problems = [
        *of_address(project),
        *of_versions(__version__, debian, [path.name for path in (ROOT / "dist").glob("*.deb")]),
        *of_changelog(changelog, __version__),
        *of_tree(_git("status", "--porcelain"), _git("tag").split(), __version__, documents.stale()),
    ]
    for problem in problems:
        print(f"release: {problem}", file=sys.stderr)
    if problems:
        return 1
    print(sections(changelog)[__version__][1])
    print(
        f"\nrelease: nothing is missing. Next: .ci/run, then\n  git tag -a v{__version__} -m 'bmsd {__version__}'"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
