"""What goes over the bus, for people: the last frame of each identifier, and all frames in a ring.

`bmsctl can` reads both files. Nothing here decides anything.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmsd.ipc.frame_ring import ERROR, EXTENDED, REMOTE, RingWriter, now_us
from bmsd.ipc.shared_files import Publisher
from bmsd.links.link import REPORT_MS
from bmsd.links.socketcan import CanMessage

MOST_IDS = 64
"""Identifiers kept for each direction; a flood of others is only counted."""
_PLAUSIBLE_S = 60.0
"""A driver's time stamp further off than this counts from something else than our clock."""
_CLASSIC = 8


@dataclass(slots=True)
class _LastFrame:
    """The last frame of one identifier."""

    data: bytes
    at_ms: int
    remote: bool = False
    count: int = 1
    period_ms: float | None = None

    def again(self, data: bytes, at_ms: int, remote: bool) -> None:
        """Note the next one; the period is smoothed over some."""
        passed = at_ms - self.at_ms
        self.period_ms = passed if self.period_ms is None else self.period_ms + (passed - self.period_ms) / 4
        self.data, self.at_ms, self.remote = data, at_ms, remote
        self.count += 1


class Traffic:
    """The frames of one bus."""

    def __init__(self, runtime_dir: Path, name: str) -> None:
        self._name = f"frames-{name}.json"
        self._publisher = Publisher(runtime_dir)
        self._ring = RingWriter(runtime_dir / f"frames-{name}.ring")
        self._last: dict[tuple[bool, int], _LastFrame] = {}
        self._others = 0
        self._next_ms = 0

    def note(self, message: CanMessage, now_ms: int, *, sent: bool) -> None:
        """Keep one frame that was sent or heard."""
        number = message.arbitration_id | EXTENDED * bool(message.is_extended_id)
        data = bytes(message.data or b"")
        if not message.is_error_frame:
            self._remember((sent, number), data, now_ms, bool(message.is_remote_frame))
        flags = REMOTE * bool(message.is_remote_frame) | ERROR * bool(message.is_error_frame)
        # A longer one (CAN FD) is none of an inverter's, and has no room in a record.
        if len(data) <= _CLASSIC:
            self._ring.add(_stamp_us(message, sent), number | flags, sent, data)

    def _remember(self, key: tuple[bool, int], data: bytes, now_ms: int, remote: bool) -> None:
        last = self._last.get(key)
        if last:
            last.again(data, now_ms, remote)
        elif sum(sent == key[0] for sent, _ in self._last) < MOST_IDS:
            self._last[key] = _LastFrame(data, now_ms, remote)
        else:
            self._others += 1

    def forget_sent(self) -> None:
        """Keep what was heard alone: from now on another set of frames is sent."""
        self._last = {key: last for key, last in self._last.items() if not key[0]}

    def publish(self, now_ms: int, **more: Any) -> None:
        """Write the last frames for `bmsctl can`, as often as the link reports."""
        if now_ms < self._next_ms:
            return
        self._next_ms = now_ms + REPORT_MS
        frames = [
            {
                "sent": sent, "id": number & ~EXTENDED, "extended": bool(number & EXTENDED), "remote": last.remote,
                "data": last.data.hex(), "at_ms": last.at_ms, "count": last.count,
                "period_ms": None if last.period_ms is None else round(last.period_ms),
            }
            for (sent, number), last in self._last.items()
        ]  # fmt: skip
        self._publisher.publish(self._name, {**more, "frames": frames, "others": self._others}, now_ms)


def _stamp_us(message: CanMessage, sent: bool) -> int:
    """Give the wall-clock time of a frame: the driver's for a heard one, if it counts as we do."""
    told = message.timestamp
    if sent or not abs(told - time.time()) < _PLAUSIBLE_S:
        return now_us()
    return round(told * 1_000_000)
