#!/usr/bin/env python3
"""How much of the machine test a run owes: one release complete always, the other one complete or its smoke cases.

    tests/machine/extent.py          says `complete` or `smoke`, and on stderr why
    tests/machine/extent.py --seen   keeps in mind that both were complete and good for what is committed here

Debian's two releases differ in Python, systemd and libraries, so what can go wrong on one of them alone goes wrong in
what DECIDES names. Both are complete when any of that differs from what both were complete for. That is kept by a
hash: in docs/machine.md, which a run of both writes, and in the cache beside kernel and images.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPORT = "docs/machine.md"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bmsd-vm"
SEEN = re.compile(r"<!-- Both releases complete for ([0-9a-f]{12})\. -->")

DECIDES = {
    "the package": ("debian", "systemd"),
    "the hardware": ("bmsd/hardware",),
    "the daemon": ("bmsd/daemon", "bmsd/control"),
    "the shutdown": ("bmsd/shutdown",),
    "the machine test": ("tests/machine", "tests/package"),
}
"""What makes both releases complete."""


def inputs(root: Path) -> str:
    """Give the hash of what decides, as it is committed."""
    names = [name for group in DECIDES.values() for name in group]
    tree = subprocess.run(
        ["git", "-C", str(root), "ls-tree", "HEAD", "--", *names], check=True, stdout=subprocess.PIPE
    )
    return hashlib.sha256(tree.stdout).hexdigest()[:12]


def committed(root: Path) -> str:
    """Give the same hash; nothing when files of it are not as they are committed."""
    names = [name for group in DECIDES.values() for name in group]
    changed = subprocess.run(
        ["git", "-C", str(root), "status", "--porcelain", "--", *names], check=True, stdout=subprocess.PIPE
    )
    return "" if changed.stdout else inputs(root)


def marker(cache: Path, key: str) -> Path:
    return cache / f"complete-{key}"


def known(root: Path, cache: Path) -> str:
    """Say where both releases were seen complete for what is committed; nothing when they were not."""
    key = inputs(root)
    if marker(cache, key).exists():
        return f"an earlier run here had both complete for {key}"
    if key in SEEN.findall((root / REPORT).read_text(encoding="utf-8")):
        return f"{REPORT} has both complete for {key}"
    return ""


def main(words: list[str]) -> int:
    cache = Path(os.environ.get("BMSD_VM_CACHE") or CACHE)
    if words == ["--seen"]:
        cache.mkdir(parents=True, exist_ok=True)
        marker(cache, inputs(ROOT)).touch()
        return 0
    where = known(ROOT, cache)
    print(where or f"nothing has both complete for {inputs(ROOT)}", file=sys.stderr)
    print("smoke" if where else "complete")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
