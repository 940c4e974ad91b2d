"""Results that hang on nothing but files: worked out once, kept while all of these files are the same.

All workers of a run share them, and the next run finds them. A result that was not worked out is never there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PLACE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bmsd-tests"


def kept(name: str, files: Iterable[Path], make: Callable[[], Any]) -> Any:
    """Give the JSON value that `make` gives for these files; others of the same name are dropped."""
    path = PLACE / f"{name}-{fingerprint(files)}.json"
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            text = json.dumps(make())
            for old in PLACE.glob(f"{name}-????????????????.json"):
                old.unlink()
            draft = path.with_suffix(".new")
            draft.write_text(text, encoding="utf-8")
            draft.replace(path)
        return json.loads(path.read_text(encoding="utf-8"))


def fingerprint(files: Iterable[Path]) -> str:
    """Give a word that differs when a file, its place in the project or Python differs."""
    seen = hashlib.sha256(sys.version.encode())
    for file in sorted(set(files)):
        content = file.read_bytes()
        name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file.name
        seen.update(f"\n{name} {len(content)}\n".encode())
        seen.update(content)
    return seen.hexdigest()[:16]


def source(*folders: str) -> list[Path]:
    """List every file of some folders of the project that a run may read; this file is one of them."""
    found = (file for folder in folders for file in (ROOT / folder).rglob("*") if file.is_file())
    return [Path(__file__), *(file for file in found if "__pycache__" not in file.parts)]
