"""What arrives on a serial line, kept until the silence that ends a frame: bytes and times in, frames out.

What a frame looks like is the protocol's; `modbus_rtu` and `jk_4e57` listen this way.
"""

from __future__ import annotations

from collections.abc import Callable

_FAST_BAUD, _FAST_SILENCE_US = 19_200, 1750
PATIENCE_US = 20_000
"""A frame may arrive in pieces (USB adapters deliver in batches of up to 16 ms); older pieces are dropped."""
_MOST_STARTS = 32
"""Places after a silence that are kept; each may have to be looked at, and a line of single bytes has many."""


def silence_us(baudrate: int) -> int:
    """Give the silence that ends a frame: 3.5 characters of 11 bits, fixed on fast lines."""
    return _FAST_SILENCE_US if baudrate > _FAST_BAUD else -(-3_500_000 * 11 // baudrate)


class Listener:
    """Gathers the bytes of one line, so many of the last ones at the most."""

    def __init__(self, baudrate: int, most: int) -> None:
        self.foreign = 0
        """Whole frames that were for others."""
        self.garbage = 0
        """Bytes that belonged to no frame."""
        self._most = most
        self._silence_us = silence_us(baudrate)
        self._patience_us = max(PATIENCE_US, 2 * self._silence_us)
        self._buffer = bytearray()
        self._starts: list[int] = []
        """Where in the buffer the line had been silent before: a frame may begin there."""
        self._last_us = self._begun_us = 0
        self._judged = True

    def feed(
        self, data: bytes, now_us: int, quiet_us: int | None = None, begun_us: int | None = None
    ) -> None:
        """Take bytes that were read at a time.

        For a reader that may be late, with everything: `quiet_us` is when nothing had arrived yet, `begun_us` when the
        reading began. Only pieces that were certainly far apart belong to no common frame; a frame may begin wherever
        the line may have been silent before.
        """
        apart_us = (now_us if quiet_us is None else quiet_us) - self._last_us
        if self._buffer and apart_us > self._patience_us:
            self._drop(len(self._buffer))
        if not self._buffer or now_us - self._begun_us >= self._silence_us:
            self._starts.append(len(self._buffer))
            del self._starts[1:-_MOST_STARTS]
        self._begun_us = now_us if begun_us is None else begun_us
        self._buffer += data
        if len(self._buffer) > self._most:
            self._drop(len(self._buffer) - self._most)
        self._last_us, self._judged = now_us, False

    def due_us(self) -> int | None:
        """Tell when `take` is worth calling: after the silence, and when the rest of a frame is given up."""
        if self._judged:
            return self._last_us + self._patience_us + 1 if self._buffer else None
        return self._last_us + self._silence_us

    def _is_over(self, now_us: int) -> bool:
        """Tell, once, that the silence after the last byte is over."""
        due_us = self.due_us()
        if due_us is None or now_us < due_us:
            return False
        if self._judged:
            self._drop(len(self._buffer))
            return False
        self._judged = True
        return True

    def _ended(self, now_us: int, find: Callable[[bytes], bytes | None]) -> bytes | None:
        """Give the frame that ended before this silence: what `find` sees in all that arrived."""
        frame = find(bytes(self._buffer)) if self._is_over(now_us) else None
        if frame is None:
            return None  # perhaps the rest is still to come
        self.garbage += len(self._buffer) - len(frame)
        self._forget(len(self._buffer))
        return frame

    def _drop(self, count: int) -> None:
        """Forget so many of the oldest bytes, which belong to no frame."""
        self.garbage += count
        self._forget(count)

    def _forget(self, count: int) -> None:
        """Forget so many of the oldest bytes."""
        del self._buffer[:count]
        self._starts = [start - count for start in self._starts if start >= count and self._buffer]
