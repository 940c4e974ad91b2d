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


def test_a_reader_that_is_late_parts_no_frame() -> None:
    """What arrived while nobody looked may have come at once; only a look that saw nothing tells of a silence."""
    for quiet_us, found in ((0, FRAME), (20_000, FRAME), (20_001, None)):
        station = Station(115_200, 512)
        station.feed(FRAME[:3], 0)
        station.feed(FRAME[3:], 500_000, quiet_us)
        assert station.take(600_000) == found


def test_what_stays_a_piece_is_given_up_when_its_time_is_over() -> None:
    station = Station(115_200, 512)
    station.feed(FRAME[:3], 0)
    assert station.due_us() == 1750
    assert station.take(1750) is None
    assert station.due_us() == 20_001
    assert station.take(20_000) is None
    assert station.garbage == 0
    assert station.take(20_001) is None
    assert (station.garbage, station.due_us()) == (3, None)
