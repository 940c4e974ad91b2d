"""What arrives on a serial line, kept until the silence that ends a frame: bytes and times in, frames out.

What a frame looks like is the protocol's; `modbus_rtu` and `jk_4e57` listen this way.
"""

from __future__ import annotations

from collections.abc import Callable

_FAST_BAUD, _FAST_SILENCE_US = 19_200, 1750
PATIENCE_US = 20_000
"""A frame may arrive in pieces (USB adapters deliver in batches of up to 16 ms); older pieces are dropped."""


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
        self._last_us = 0
        self._judged = True

    def feed(self, data: bytes, now_us: int) -> None:
        """Take bytes that arrived at a time."""
        if self._buffer and now_us - self._last_us > self._patience_us:
            self._drop(len(self._buffer))
        self._buffer += data
        self._drop(max(len(self._buffer) - self._most, 0))
        self._last_us, self._judged = now_us, False

    def due_us(self) -> int | None:
        """Tell when `take` is worth calling; None while nothing new has arrived."""
        return None if self._judged else self._last_us + self._silence_us

    def _ended(self, now_us: int, find: Callable[[bytes], bytes | None]) -> bytes | None:
        """Give the frame that ended before this silence: what `find` sees at the end of all that arrived."""
        due_us = self.due_us()
        if due_us is None or now_us < due_us:
            return None
        self._judged = True
        frame = find(bytes(self._buffer))
        if frame is None:
            return None  # perhaps the rest is still to come
        self._drop(len(self._buffer) - len(frame))
        self._buffer.clear()
        return frame

    def _drop(self, count: int) -> None:
        """Forget so many of the oldest bytes."""
        self.garbage += count
        del self._buffer[:count]
