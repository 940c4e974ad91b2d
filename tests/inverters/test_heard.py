"""What inverters say: rows that read what they should, and recognising an inverter by it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmsd.errors import PeerError
from bmsd.inverters import heard
from bmsd.inverters.protocols import PROTOCOLS
from bmsd.inverters.recognise import Sample, recognise

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings" / "can"
GX = [(0x305, bytes(8)), (0x307, bytes.fromhex("1234567856494300"))]
SMA = [
    (0x305, bytes.fromhex("140285FFE600DE03")),
    (0x306, bytes.fromhex("64000A0100001702")),
    (0x307, bytes(8)),
]
GROWATT = [(0x301, bytes.fromhex("1122334455667788"))]
PLAIN = [(0x305, bytes(8))]
DEYE = [(0x305, bytes([10, 20, 12, 21, 11, 26, 0, 0]))]
LUX = [(0x305, bytes(8)), (0x300, bytes(8))]


def twice(frames, extended: bool = False) -> list[Sample]:
    return [Sample(number, extended, data) for number, data in frames] * 2


@pytest.mark.parametrize(
    ("frames", "protocol"),
    [(GX, "victron"), ([*GX, (0x306, bytes(8))], "victron"), (SMA, "sma"), (GROWATT, "growatt"), (DEYE, "deye"),
     (LUX, "luxpower"), (PLAIN, "pylontech"),
     # A newer GX puts measurements into 0x305.
     ([(0x305, bytes.fromhex("1402850000000000")), (0x306, bytes(8)), GX[1]], "victron")],
)  # fmt: skip
def test_each_kind_is_recognised_by_what_only_it_says(frames, protocol) -> None:
    verdict = recognise(twice(frames))
    assert verdict.protocol == protocol
    assert verdict.reason


@pytest.mark.parametrize(
    "frames",
    [[], GX + GROWATT, SMA + GROWATT, [*PLAIN, (0x306, bytes(8))], [(0x305, bytes(7))], [(0x301, bytes(8))],
     [(0x305, b"\xff" * 8)], [(0x605, bytes(8))], [*PLAIN, (0x605, bytes(8))], [(0x351, bytes(8))],
     [*PLAIN, (0x302, bytes(8))]],
)  # fmt: skip
def test_what_fits_none_or_two_is_no_answer(frames) -> None:
    assert recognise(twice(frames)).protocol is None


def test_one_frame_may_be_noise_and_two_are_not() -> None:
    once = [Sample(0x305, False, bytes(8))]
    assert recognise(once).protocol is None
    assert recognise(once * 2).protocol == "pylontech"


def test_a_29_bit_frame_is_not_the_11_bit_one() -> None:
    assert recognise(twice(PLAIN, extended=True)).protocol is None
    assert "high-voltage" in recognise(twice([(0x4200, bytes(8))], extended=True)).reason


def test_the_gx_in_the_captures_is_recognised() -> None:
    for name in ("byd-lvs-venus", "pytes-v5-readme"):
        frames = json.loads((RECORDINGS / f"{name}.json").read_text())["frames"]
        mine = [(int(f["id"], 16), bytes.fromhex(f["data"])) for f in frames if f["from"] == "inverter"]
        if any(number == 0x307 for number, _ in mine):
            assert recognise(twice(mine)).protocol == "victron", name


@given(st.lists(st.builds(Sample, st.integers(0, 0x7FF), st.booleans(), st.binary(max_size=8)), max_size=60))
def test_any_frames_give_a_known_protocol_or_none(samples) -> None:
    verdict = recognise(samples)
    assert verdict.protocol is None or verdict.protocol in PROTOCOLS


ROWS = {(name, row.frame.id): row for name, protocol in PROTOCOLS.items() for row in protocol.heard}


@pytest.mark.parametrize("key", ROWS)
@given(data=st.binary(max_size=64))
def test_any_content_is_read_or_refused_in_words(key, data) -> None:
    row = ROWS[key]
    try:
        values = heard.read(row, data)
    except PeerError as error:
        told = str(error)
    else:
        told = f"0x{row.frame.id:03X}"
        assert all(isinstance(value, int | bool | str | None) for value in values.values())
    assert f"0x{row.frame.id:03X}" in told


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_life_sign_has_its_row_and_no_row_is_a_frame_of_ours(name) -> None:
    protocol = PROTOCOLS[name]
    rows = {row.frame.id for row in protocol.heard}
    assert set(protocol.alive_ids) <= rows
    assert rows.isdisjoint(frame.id for frame in protocol.frames)
    assert all(row.title for row in protocol.heard)
    assert all(bool(row.asks) == bool(row.meaning) for row in protocol.heard)


@pytest.mark.parametrize(
    ("row", "data", "good"),
    [(heard.SMA[0], "E803000000000000", True), (heard.SMA[0], "E903000000000000", False),
     (heard.SMA[0], "0000000000 00E803", True), (heard.SMA[0], "000000000000E903", False),
     (heard.SMA[1], "0000000400000000", True), (heard.SMA[1], "0000000500000000", False),
     (heard.DEYE[0], "3B3B171F0C630000", True), (heard.DEYE[0], "3C3B171F0C630000", False),
     (heard.DEYE[0], "3B3B181F0C630000", False), (heard.DEYE[0], "3B3B171F0D630000", False),
     (heard.GROWATT[0], "1122334455667788", True), (heard.GROWATT[0], "1122334455667787", False),
     (heard.ALIVE, "0000000000000000", True), (heard.ALIVE, "00000000000000", False),
     (heard.ALIVE, "000000000000000000", False)],
)  # fmt: skip
def test_the_bounds_of_what_is_plausible(row, data, good) -> None:
    if good:
        heard.read(row, bytes.fromhex(data))
    else:
        with pytest.raises(PeerError):
            heard.read(row, bytes.fromhex(data))
