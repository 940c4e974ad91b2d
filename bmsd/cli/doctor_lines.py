"""What the links hear on their serial lines, as they tell it themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bmsd.cli import reading
from bmsd.cli.doctor_machine import CheckResult, bad
from bmsd.cli.doctor_pins import Case
from bmsd.ipc.shared_files import boot_id

FEW_BYTES = 16
"""A glitch or two when a master is plugged in are no line that speaks."""


def misheard(case: Case, section: str) -> CheckResult | None:
    """Find a line of [modbus] that brings bytes and no good frame: to its master that looks like silence."""
    link = section.replace(".", "@", 1)
    told: Mapping[str, Any] = reading.optional(case.directory / f"link-{link}.json") or {}
    if told.get("boot") != boot_id():
        return None
    frames = int(told.get("requests", 0)) + int(told.get("foreign_frames", 0))
    garbage = int(told.get("garbage_bytes", 0))
    if frames or garbage < FEW_BYTES:
        return None
    return bad(
        f"bytes are heard but no good frame on {told.get('detail', section)} ({garbage} bytes)",
        f"Baud rate, parity or the two wires are not the master's: sudo systemctl stop bmsd-link@{link}, then"
        f" 'bmsctl modbus test --link {link}' finds what fits, and start it again.",
    )
