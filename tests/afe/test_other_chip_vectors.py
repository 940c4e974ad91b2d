"""Register and frame vectors of other hardware: BQ769x0 (V11 to V14) and the JK active balancer (V15)."""

import pytest

from bmsd.afe import bq769x0_conversions as bq
from bmsd.afe import jk_balancer
from bmsd.errors import PeerError

CHIP = bq.Trim(gain_uv=380, offset_mv=30)
STATUS = bytes.fromhex(
    "EB9001FF19F70CFC140013000100030000000B07D001140CFC0CFC0CFC0CFB0CFB0CFC0CFB0C"
    "FB0CFC0CFC0CFC0CFC0CFC0CFC0CFB0CFC0CFB0CFC0CFC0CF9000000000000000000A3EF"
)


@pytest.mark.parametrize(("counts", "uv"), [(0x1800, 2_364_720), (0x1F10, 3_051_760)])
def test_v11_cell_counts_become_microvolts(counts: int, uv: int) -> None:
    assert bq.cell_uv(counts, CHIP) == uv


@pytest.mark.parametrize(("gain1", "gain2", "uv"), [(0x04, 0xE0, 380), (0x0C, 0xE0, 396), (0, 0, 365)])
def test_v12_gain_is_spread_over_two_registers(gain1: int, gain2: int, uv: int) -> None:
    assert bq.trim(gain1, gain2, 0).gain_uv == uv


@pytest.mark.parametrize(("byte", "mv"), [(0x7F, 127), (0x80, -128), (0x81, -127), (0xFF, -1)])
def test_the_offset_is_signed(byte: int, mv: int) -> None:
    assert bq.trim(0, 0, byte).offset_mv == mv


def test_v13_default_trips_at_gain_380_and_offset_30() -> None:
    assert bq.over_trip_uv(0xAC, CHIP) == 4_191_760
    assert bq.under_trip_uv(0x97, CHIP) == 2_504_560


def test_v14_checksums_of_a_write_and_a_read_of_sys_ctrl2() -> None:
    assert bq.write_crc(0x08, 0x05, 0x40) == 0x24
    assert bq.read_crc(0x08, 0x40) == 0x85


@pytest.mark.parametrize(
    ("counter", "nv"),
    [(0x0001, 8440), (0x2710, 84_400_000), (0x8300, -270_080_000), (0xFFFF, -8440)],
)
def test_coulomb_counter_is_signed(counter: int, nv: int) -> None:
    assert bq.shunt_nv(counter) == nv


def test_v15_balancer_status_frame() -> None:
    seen = jk_balancer.decode(STATUS)
    assert (seen.total_mv, seen.average_mv, seen.cells) == (66_470, 3324, 20)
    assert seen.cell_mv[19] == 3321
    assert (seen.trigger_mv, seen.max_ma, seen.on, seen.alarms, seen.decic) == (11, 2000, True, 1, 163)


@pytest.mark.parametrize("place", range(74))
def test_v15_any_wrong_byte_is_refused(place: int) -> None:
    broken = bytearray(STATUS)
    broken[place] ^= 0x10
    with pytest.raises(PeerError):
        jk_balancer.decode(bytes(broken))


def test_v15_a_short_frame_is_refused() -> None:
    with pytest.raises(PeerError):
        jk_balancer.decode(STATUS[:-1])


def test_v15_request_for_1500_ma() -> None:
    assert jk_balancer.request(1, jk_balancer.SET_MAX_CURRENT, 1500) == bytes.fromhex("55AA01F405DCD5")
