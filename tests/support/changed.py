"""Give a record with other values in some of its fields, whether it is a frozen dataclass or a named tuple."""

from __future__ import annotations

import dataclasses
from typing import Any


def replace(record: Any, /, **changes: Any) -> Any:
    """Make the changed record; the one given stays as it is."""
    if isinstance(record, tuple):
        return record._replace(**changes)
    return dataclasses.replace(record, **changes)
