"""A bus that knows for how long the chip has heard nothing (S13).

A chip whose host is silent for too long takes its permits back by itself, and gives them again at the next word,
whatever that is. Then a contactor that is still commanded closes onto whatever its load side has become meanwhile. So
after such a silence nothing is said before everything is off.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from bmsd.afe.transfers import Port


class WatchedPort:
    """A port with one rule: after `longest_ms` without an answer, `first` comes before any other word."""

    def __init__(
        self, port: Port, clock_ms: Callable[[], int], longest_ms: int, first: Callable[[bool], bool]
    ) -> None:
        """Take what comes first: it is told whether the silence is a new one, and tells whether it was heard."""
        self._port = port
        self._clock_ms = clock_ms
        self._longest_ms = longest_ms
        self._first = first
        self._heard_ms: int | None = None
        self._acted_ms: int | None = None
        """The last answer before the silence that was acted upon."""
        self._tried = self._refused = False

    def begin_cycle(self) -> None:
        """Let the first word be tried again: a dead bus costs one try in each cycle."""
        self._tried = self._refused = False

    def look(self) -> None:
        """Switch everything off now when the silence was too long; raise OSError while the chip did not hear it."""
        if self._heard_ms is None or self._clock_ms() - self._heard_ms < self._longest_ms:
            return
        if not self._tried:
            self._tried = True  # what comes first passes here, too
            is_new, self._acted_ms = self._acted_ms != self._heard_ms, self._heard_ms
            self._refused = not self._first(is_new)
        if self._refused:
            raise OSError(errno.EREMOTEIO, "the first word after a silence was not heard")

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        """Carry out a transfer as the port does, after what has to come first."""
        began_ms = self._clock_ms()  # nobody knows when within the transfer the chip heard it
        if self._heard_ms is not None and began_ms - self._heard_ms >= self._longest_ms:
            self.look()
            began_ms = self._clock_ms()
        answer = self._port.transfer(address, out, read)
        self._heard_ms = began_ms
        return answer
