"""The ring of frames: every frame once and in order, losses counted, half-written records never taken."""

from __future__ import annotations

import os
import threading

import pytest

from bmsd.ipc import frame_ring
from bmsd.ipc.frame_ring import ERROR, EXTENDED, RECORDS, REMOTE, SIZE, Logged, RingReader, RingWriter


@pytest.fixture
def path(tmp_path):
    return tmp_path / "frames-can.ring"


def add(writer: RingWriter, count: int, first: int = 1) -> None:
    for number in range(first, first + count):
        writer.add(number * 1000, number % 0x800, number % 2 == 0, number.to_bytes(4, "little"))


def numbers(found: list[Logged]) -> list[int]:
    return [record.number for record in found]


def test_what_is_written_is_read_once_and_whole(path) -> None:
    writer, reader = RingWriter(path), RingReader(path)
    assert reader.take() == []
    writer.add(1_500_000, 0x351 | EXTENDED, True, b"\x01\x02")
    assert reader.take() == [Logged(1, 1_500_000, 0x351 | EXTENDED, True, b"\x01\x02")]
    assert reader.take() == []
    add(writer, 3)
    assert numbers(reader.take()) == [2, 3, 4]
    assert reader.lost == 0


def test_a_reader_that_comes_late_gets_what_is_kept(path) -> None:
    writer = RingWriter(path)
    add(writer, RECORDS + 100)
    reader = RingReader(path)
    assert numbers(reader.take()) == list(range(101, RECORDS + 101))
    assert reader.lost == 0, "what was before us is not lost"


@pytest.mark.parametrize("count", [RECORDS - 1, RECORDS, RECORDS + 1, RECORDS + 5, 3 * RECORDS + 7])
def test_what_was_overwritten_before_it_was_read_is_counted(path, count) -> None:
    writer, reader = RingWriter(path), RingReader(path)
    add(writer, 10)
    assert len(reader.take()) == 10
    add(writer, count)
    found = reader.take()
    assert reader.lost == max(count - RECORDS, 0)
    assert numbers(found) == list(range(11 + reader.lost, 11 + count))


def test_a_new_writer_is_followed_and_the_old_ones_last_frames_are_not_missed(path) -> None:
    reader, first = RingReader(path), RingWriter(path)
    add(first, 5)
    assert len(reader.take()) == 5
    add(first, 2)
    second = RingWriter(path)
    add(second, 3)
    assert numbers(reader.take()) == [6, 7, 1, 2, 3]
    assert reader.lost == 0


def test_a_half_written_record_is_waited_for(path) -> None:
    writer, reader = RingWriter(path), RingReader(path)
    add(writer, 4)
    with path.open("r+b") as file:
        file.seek(3 * SIZE + 20)
        kept = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([kept[0] ^ 1]))
        file.flush()
        assert numbers(reader.take()) == [1, 2]
        file.seek(3 * SIZE + 20)
        file.write(kept)
    assert numbers(reader.take()) == [3, 4]
    assert reader.lost == 0


def test_no_frame_is_lost_while_both_are_at_work(path) -> None:
    """Far more than 200 frames a second, with a reader that looks ten times a second at most."""
    writer, reader = RingWriter(path), RingReader(path)
    reader.take()
    thread = threading.Thread(target=add, args=(writer, 30_000))
    thread.start()
    found: list[Logged] = []
    while thread.is_alive():
        found += reader.take()
    thread.join()
    found += reader.take()
    assert numbers(found) == sorted(set(numbers(found)))
    assert len(found) + reader.lost == 30_000
    assert all(record.data == record.number.to_bytes(4, "little") for record in found)


def test_a_directory_that_is_gone_or_full_is_counted_and_not_raised(tmp_path, monkeypatch) -> None:
    """S9."""
    writer = RingWriter(tmp_path / "none" / "frames.ring")
    add(writer, 2)
    assert writer.failures == 1
    with pytest.raises(OSError, match="none"):
        RingReader(tmp_path / "none" / "frames.ring").take()
    writer = RingWriter(tmp_path / "frames.ring")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(frame_ring.os, "pwrite", full)
    add(writer, 2)
    assert writer.failures == 2


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (Logged(1, 1_436_509_052_249_713, 0x351, True, b"\x12\xab"), "(1436509052.249713) can0 351#12AB T"),
        (Logged(1, 1_000_001, 0x18E028F4 | EXTENDED, False, b""), "(1.000001) can0 18E028F4# R"),
        (Logged(1, 0, 0x4 | EXTENDED, False, b"\x01"), "(0.000000) can0 00000004#01 R"),
        (Logged(1, 0, 0x305 | REMOTE, False, b""), "(0.000000) can0 305#R R"),
        (Logged(1, 0, 0x80 | ERROR, False, bytes(8)), "(0.000000) can0 20000080#0000000000000000 R"),
    ],
)
def test_a_line_of_the_log_is_candumps(record, line) -> None:
    assert record.candump("can0") == line
