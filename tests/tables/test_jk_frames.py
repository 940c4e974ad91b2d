"""Frames of JK boards: one that is whole, and everything that is not."""

from __future__ import annotations

import pytest

from bmsd.tables.jk import FRAME_BYTES, FRAME_HEAD, is_frame

BODY = (FRAME_HEAD + b"\x02\x00").ljust(FRAME_BYTES - 1, b"\x07")
GOOD = BODY + bytes((sum(BODY) & 0xFF,))


def test_a_whole_frame_is_one() -> None:
    assert is_frame(GOOD)


@pytest.mark.parametrize(
    "data",
    [b"", GOOD[:-1], GOOD + b"\0", b"\0" + GOOD[:-1], GOOD[:-1] + bytes((GOOD[-1] ^ 1,)), GOOD[1:] + b"\0"],
)
def test_what_is_cut_shifted_or_disturbed_is_none(data) -> None:
    assert not is_frame(data)
