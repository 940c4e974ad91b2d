"""Lock files: numbers and names that masters and journals in the field know, and that never move."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def assert_frozen(rows: Iterable[list[Any]], lock: Path) -> None:
    """Fail when a locked row is gone, changed or moved, or when a new one is not locked yet."""
    rows, locked = list(rows), json.loads(lock.read_text(encoding="utf-8"))
    assert [row for row in rows if row in locked] == locked
    lines = ",\n".join(json.dumps(row) for row in rows if row not in locked)
    assert not lines, (
        f"new ones are frozen too: add these lines, as they stand, in order, to {lock}:\n{lines}"
    )
