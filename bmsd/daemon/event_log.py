"""The ring of recent events: numbered, with wall time for people, kept in the runtime directory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from bmsd.core.types import Event

KEPT = 256


class Ring:
    """The last events of this run of the daemon; `sequence` is the number of the newest."""

    def __init__(self) -> None:
        self.sequence = 0
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def add(self, events: Iterable[Event]) -> bool:
        """Keep events under new numbers; tell whether there were any."""
        before = self.sequence
        for event in events:
            self.sequence += 1
            self._events.append({"n": self.sequence, "time": time.time(), **asdict(event)})
        return self.sequence != before

    def body(self) -> dict[str, Any]:
        """Give the ring as the shared file carries it."""
        return {"events": list(self._events)}
