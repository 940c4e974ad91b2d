"""What `ip -json -details link` tells of a CAN interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def bitrate_of(data: Mapping[str, Any]) -> int | None:
    """Find the bit rate among a link's data; that of a driver with a list of them stands elsewhere."""
    found = data.get("bittiming", {}).get("bitrate") or data.get("bittiming_bitrate")
    return int(found) if found else None
