"""What a protocol on a serial line is given: frames that the silence ended, in time and counted."""

from __future__ import annotations

import pytest

from bmsd.links.listener import Listener

FRAME = b"<frame>"


class Station(Listener):
    """Knows one frame."""

    def take(self, now_us: int) -> bytes | None:
        return self._ended(now_us, lambda arrived: FRAME if arrived.endswith(FRAME) else None)


@pytest.mark.parametrize(("baudrate", "patience_us"), [(115_200, 20_000), (9600, 20_000), (1200, 2 * 32_084)])
def test_a_piece_that_is_too_old_belongs_to_no_frame(baudrate, patience_us) -> None:
    """A slow line is given longer: at 1200 baud the silence that ends a frame is 32 ms."""
    for pause_us, found in ((patience_us, FRAME), (patience_us + 1, None)):
        station = Station(baudrate, 512)
        station.feed(FRAME[:3], 0)
        station.feed(FRAME[3:], pause_us)
        assert station.take(pause_us + 100_000) == found
        assert station.garbage == (0 if found else 3)


def test_of_more_than_the_most_the_last_bytes_are_kept() -> None:
    station = Station(115_200, len(FRAME))
    station.feed(b"noise" + FRAME, 0)
    assert station.garbage == 5
    assert station.take(1750) == FRAME
    assert station.garbage == 5
