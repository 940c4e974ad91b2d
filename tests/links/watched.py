"""A link on a clock of its own: its waits take no time and are written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmsd.config.load import load
from bmsd.links import link as links
from bmsd.links.link import Link

EXAMPLE = Path(__file__).resolve().parents[2] / "etc" / "bmsd.toml"


class Watched(Link):
    """A link that notes what it tells and when; it is told to end after some waits."""

    def __init__(self, runtime_dir: Path, monkeypatch: pytest.MonkeyPatch, ends_after: int) -> None:
        super().__init__("modbus", load(EXAMPLE), runtime_dir)
        self.now_s, self._left = 0.0, ends_after
        self.reports: list[tuple[str, str]] = []
        self.told_s: list[float] = []
        monkeypatch.setattr(links, "monotonic_ms", lambda: round(self.now_s * 1000))

    def wait(self, timeout_s: float, *descriptors: int) -> list[int]:
        """Let time pass."""
        self.now_s += timeout_s
        self._left -= 1
        self.stopping = self._left <= 0
        return []

    def report(self, state: str, detail: str = "", *, at_once: bool = False, **figures: object) -> None:
        """Note what is told."""
        self.reports.append((state, detail))
        self.told_s.append(self.now_s)
