"""What all links share: stopping, waiting, telling how they are, and patience with what is gone.

A link is a process of its own. It reaches the core through the request socket only, and tells how it is in its
own file in the runtime directory: changes at once, the same again every two seconds.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bmsd.arguments import marked
from bmsd.hardware.service import Service
from bmsd.ipc.shared_files import Publisher, monotonic_ms
from bmsd.links.limit import HOUR_MS, Limit

if TYPE_CHECKING:
    from bmsd.config.load import Config

REPORT_MS = 2000
NOTICE, WARNING, ERROR = 5, 4, 3
MOST_LINES = 100
"""Lines of one link within an hour: a device, a master or a plug that comes and goes fills no journal."""


class Link:
    """One running link: its configuration, its state file, and its end."""

    def __init__(self, name: str, config: Config | None, runtime_dir: Path) -> None:
        self.name = name
        self._config = config
        self.runtime_dir = runtime_dir
        self.stopping = False
        self._publisher = Publisher(runtime_dir)
        self._service = Service()
        self._reported: tuple[str, str] | None = None
        self._figures: dict[str, Any] = {}
        self._next_report_ms = 0
        self._lines = Limit(MOST_LINES, HOUR_MS)
        self._left_out = 0
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    @property
    def config(self) -> Config:
        """Give the configuration; a link without a section of its own has none and asks for none."""
        assert self._config is not None
        return self._config

    def end_on_signals(self) -> None:
        """Let SIGTERM and SIGINT end the link in good order."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())

    def stop(self) -> None:
        """Ask the link to end; a wait ends at once."""
        self.stopping = True
        try:
            os.write(self._wake, b"x")
        except BlockingIOError:
            return  # it is awake already

    def wait(self, timeout_s: float, *descriptors: int) -> list[int]:
        """Wait for a time, the end of the link, or something to read; give where there is something."""
        readable, _, _ = select.select([self._woken, *descriptors], [], [], max(timeout_s, 0))
        return [descriptor for descriptor in readable if descriptor != self._woken]

    def report(self, state: str, detail: str = "", *, at_once: bool = False, **figures: Any) -> None:
        """Tell how the link is: a change at once, the same again after REPORT_MS. Figures are kept."""
        self._figures |= figures
        now_ms = monotonic_ms()
        if (state, detail) == self._reported and now_ms < self._next_report_ms and not at_once:
            return
        if self._reported is None:
            self._service.ready(detail)
        elif (state, detail) != self._reported:
            self._service.status(f"{state}: {detail}")
        self._service.alive()
        self._reported = (state, detail)
        self._next_report_ms = now_ms + REPORT_MS
        body = {"state": state, "detail": detail, **self._figures}
        self._publisher.publish(f"link-{self.name}.json", body, now_ms)

    def pause(self, duration_s: float, tell: Callable[[], None]) -> None:
        """Wait for a time or the end of the link, and go on telling how it is."""
        until_ms = monotonic_ms() + round(duration_s * 1000)
        while not self.stopping and (left_ms := until_ms - monotonic_ms()) > 0:
            tell()
            self.wait(min(left_ms, REPORT_MS) / 1000)

    @property
    def reported(self) -> tuple[str, str]:
        """Give state and detail as told last."""
        return self._reported or ("waiting", "")

    def say(self, priority: int, text: str) -> None:
        """Write one line to stderr, with the priority where systemd reads it; not too many in an hour."""
        if self._lines.full(now_ms := monotonic_ms()) and priority > ERROR:
            self._left_out += 1
            if self._left_out == 1:
                self._print(WARNING, f"{MOST_LINES} lines within an hour: further ones are left out")
            return
        if self._left_out and priority > ERROR:
            self._print(NOTICE, f"{self._left_out} lines were left out")
            self._left_out = 0
        self._lines.count(now_ms)
        self._print(priority, text)

    def _print(self, priority: int, text: str) -> None:
        print(marked(priority, f"bmsd-link {self.name}: {text}"), file=sys.stderr, flush=True)


@dataclass(slots=True)
class Backoff:
    """Patience: each failed attempt doubles the wait before the next, from 1 s to 30 s."""

    first_s: float = 1.0
    longest_s: float = 30.0
    _next_s: float = field(default=0.0, init=False)

    def failed(self) -> float:
        """Give the time to wait after a failure."""
        self._next_s = min(self._next_s * 2, self.longest_s) if self._next_s else self.first_s
        return self._next_s

    def worked(self) -> None:
        """Start from the shortest wait again."""
        self._next_s = 0.0


@dataclass(slots=True)
class Lost:
    """Says once that something is lost and once that it is back."""

    link: Link
    what: str
    lost: bool = False
    was_there: bool = False
    _returns: bool = field(default=False, init=False)
    """It was there before it was lost."""

    def since(self, reason: str, priority: int = WARNING) -> None:
        """Note that it is lost."""
        if not self.lost:
            self._returns = self.was_there
            self.link.say(priority, f"{self.what} {'lost' if self.was_there else 'not there'}: {reason}")
        self.lost = True

    def back(self) -> None:
        """Note that it is there."""
        if self.lost:
            self.link.say(NOTICE, f"{self.what} is {'back' if self._returns else 'there'}")
        self.lost, self.was_there = False, True
