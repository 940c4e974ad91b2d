"""What AfeSettings become in the chip: values by address, rounding, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmsd.afe import bq769x2_registers as reg
from bmsd.afe.bq769x2 import BQ76942, BQ76952, BQ769142, Bq769x2
from bmsd.afe.bq769x2_fixed import FIXED
from bmsd.afe.bq769x2_settings import blocks, data_memory, programmed
from bmsd.tables.parameters import BY_NAME

SIXTEEN = tuple(range(16))


def by_address(settings, inputs=SIXTEEN) -> dict[int, float]:
    return {setting.row.address: setting.value for setting in data_memory(settings, inputs)}


def real(settings, inputs=SIXTEEN) -> dict[str, int]:
    return programmed(data_memory(settings, inputs))


# Field, address, then (wanted, raw, real) for the lowest, a middle and the highest value.
GOOD = [
    ("cell_over_mv", 0x9278, [(1012, 20, 1012), (3700, 74, 3744), (5566, 110, 5566)]),
    ("cell_under_mv", 0x9275, [(1012, 20, 1012), (2500, 49, 2479), (4600, 90, 4554)]),
    ("cell_over_delay_ms", 0x9279, [(0, 1, 9), (1000, 302, 1003), (6761, 2047, 6761)]),
    ("cell_under_delay_ms", 0x9276, [(10, 2, 13), (1000, 302, 1003), (6761, 2047, 6761)]),
    ("charge_over_ma", 0x9280, [(16_000, 2, 16_000), (101_000, 13, 104_000), (496_000, 62, 496_000)]),
    ("discharge_over_ma", 0x9282, [(16_000, 2, 16_000), (101_000, 13, 104_000), (800_000, 100, 800_000)]),
    ("charge_over_delay_ms", 0x9281, [(0, 1, 9), (100, 29, 102), (425, 127, 425)]),
    ("discharge_over_delay_ms", 0x9283, [(0, 1, 9), (100, 29, 102), (425, 127, 425)]),
    ("short_circuit_ma", 0x9286, [(40_000, 0, 40_000), (450_000, 6, 500_000), (2_000_000, 15, 2_000_000)]),
    ("short_circuit_delay_us", 0x9287, [(0, 1, 0), (200, 15, 210), (450, 31, 450)]),
    ("charge_over_decic", 0x929A, [(-400, -40, -400), (551, 56, 560), (1200, 120, 1200)]),
    ("charge_under_decic", 0x92A6, [(-400, -40, -400), (-1, -1, -10), (1200, 120, 1200)]),
    ("discharge_over_decic", 0x929D, [(-400, -40, -400), (600, 60, 600), (1200, 120, 1200)]),
    ("discharge_under_decic", 0x92A9, [(-400, -40, -400), (-195, -20, -200), (1200, 120, 1200)]),
    ("switch_over_decic", 0x92A0, [(100, 10, 100), (801, 81, 810), (1500, 150, 1500)]),
    ("host_watchdog_s", 0x92B2, [(1, 1, 1), (5, 5, 5), (65535, 65535, 65535)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "address", "wanted", "raw", "value"),
    [(field, address, *case) for field, address, cases in GOOD for case in cases],
)
def test_a_setting_is_rounded_away_from_the_daemons_limit(
    settings, field, address, wanted, raw, value
) -> None:
    """S6: what the chip holds comes from our parameters, and what it really does can be shown."""
    changed = replace(settings, **{field: wanted})
    assert by_address(changed)[address] == raw
    assert real(changed)[field] == value


BAD = [
    ("cell_over_mv", [961, 0, -100, 5567]),
    ("cell_under_mv", [1011, 0, -100, 4605]),
    ("cell_over_delay_ms", [-1, 6762, 60_000]),
    ("cell_under_delay_ms", [-1, 6762]),
    ("charge_over_ma", [0, -1, 8000, 496_001]),
    ("discharge_over_ma", [0, -1, 8000, 800_001]),
    ("charge_over_delay_ms", [-1, 426, 5000]),
    ("discharge_over_delay_ms", [-1, 426]),
    ("short_circuit_ma", [0, -1, 39_999, 2_000_001]),
    ("short_circuit_delay_us", [-1, 451]),
    ("charge_over_decic", [-410, 1201]),
    ("switch_over_decic", [90, 1501]),
    ("charge_under_decic", [-401, 1210]),
    ("discharge_over_decic", [-410, 1201]),
    ("discharge_under_decic", [-401, 1210]),
    ("host_watchdog_s", [0, -1, 65536]),
    ("thermistors", [0, 3]),
    ("shunt_uohm", [0, -250, 9, 100_001]),
]


@pytest.mark.parametrize(("field", "value"), [(name, value) for name, bad in BAD for value in bad])
def test_what_the_chip_cannot_do_is_refused_with_the_value(settings, field, value) -> None:
    with pytest.raises(ValueError, match=str(value)) as caught:
        data_memory(replace(settings, **{field: value}), SIXTEEN)
    assert ";" in str(caught.value) or ":" in str(caught.value), "says what would do"


def test_a_refusal_names_value_limit_and_remedy(settings) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        data_memory(replace(settings, cell_over_mv=6000), SIXTEEN)
    assert str(caught.value) == (
        "cell over-voltage 6000 mV: the chip can do 1012 to 5566 mV; set at most 5566 mV"
    )


def test_every_protection_is_on_and_the_watchdog_too(settings) -> None:
    """S6: the chip's own protection is not left at its default, which is almost nothing."""
    memory = by_address(settings)
    assert (memory[0x9261], memory[0x9262], memory[0x9263]) == (0xFC, 0xF7, 0x02)
    assert memory[0x9267] & 0x02
    assert memory[0x926B] & 0x02


def test_the_interlock_pins_and_a_chip_that_starts_with_nothing_on(settings) -> None:
    memory = by_address(settings)
    assert (memory[0x9301], memory[0x9302]) == (0xAA, 0xAA)
    assert memory[0x9308] & 0x20, "FET_INIT_OFF"
    assert memory[0x9236] & 1, "REG1 feeds the pins"
    assert memory[0x9237] & 1


def test_sleep_is_off(settings) -> None:
    """S7: a sleeping chip shows values of 5 s ago as if they were new."""
    assert by_address(settings)[0x9234] == 0x2882


@pytest.mark.parametrize(
    ("charge_ma", "discharge_ma", "bits"),
    [(150_000, 250_000, 0x06), (300_000, 300_000, 0x06), (300_000, 300_001, 0x07)],
)
def test_the_current_unit_follows_the_limits(settings, charge_ma, discharge_ma, bits) -> None:
    changed = replace(settings, charge_over_ma=charge_ma, discharge_over_ma=discharge_ma)
    assert by_address(changed)[0x9303] == bits


def test_thermistor_pins(settings) -> None:
    two, one = by_address(settings), by_address(replace(settings, thermistors=1))
    assert (two[0x92FD], two[0x92FE], two[0x92FF]) == (0x07, 0x07, 0x0F)
    assert (one[0x92FD], one[0x92FE], one[0x92FF]) == (0x07, 0x00, 0x0F)


@pytest.mark.parametrize(
    ("variant", "cells", "mode"),
    [
        (BQ76952, 16, 0xFFFF),
        (BQ76952, 13, 0x8FFF),
        (BQ76952, 3, 0x8003),
        (BQ76942, 10, 0x03FF),
        (BQ76942, 8, 0x027F),
        (BQ769142, 14, 0xAFFF),
        (BQ769142, 12, 0x87FF),
    ],
)
def test_vcell_mode_names_the_inputs_in_use(settings, variant, cells, mode) -> None:
    assert by_address(settings, variant.used_inputs(cells))[0x9304] == mode


def test_blocks_are_contiguous_bounded_and_complete(settings) -> None:
    memory = data_memory(settings, SIXTEEN)
    found = blocks(memory)
    flat = {block.address + offset: value for block in found for offset, value in enumerate(block.data)}
    for setting in memory:
        for offset, value in enumerate(setting.row.pack(setting.value)):
            assert flat.pop(setting.row.address + offset) == value
    assert not flat, "no byte is written that no row sets"
    assert all(len(block.data) <= 32 for block in found)


def test_no_row_is_set_twice_or_overlaps(settings) -> None:
    memory = data_memory(settings, SIXTEEN)
    end = 0
    for setting in memory:
        assert setting.row.address >= end, setting.row.name
        end = setting.row.address + len(setting.row.pack(setting.value))


def test_the_driver_shows_what_it_programmed(settings) -> None:
    shown = Bq769x2(settings).programmed
    assert shown["cell_over_mv"] == 3795
    assert shown["short_circuit_ma"] == 600_000


OVER = {
    "cell_over_mv": (1012, 5566, 51),
    "cell_over_delay_ms": (10, 6761, 4),
    "cell_under_delay_ms": (10, 6761, 4),
    "charge_over_ma": (16_000, 300_000, 8000),
    "discharge_over_ma": (16_000, 300_000, 8000),
    "charge_over_delay_ms": (10, 425, 4),
    "discharge_over_delay_ms": (10, 425, 4),
    "short_circuit_delay_us": (0, 450, 15),
    "charge_over_decic": (-400, 1200, 10),
    "discharge_over_decic": (-400, 1200, 10),
    "switch_over_decic": (100, 1500, 10),
}
UNDER = {
    "cell_under_mv": (1063, 4554, 51),
    "charge_under_decic": (-400, 1200, 10),
    "discharge_under_decic": (-400, 1200, 10),
}


@given(data=st.data())
def test_rounding_keeps_the_margin_and_is_less_than_one_step(settings, data) -> None:
    """S6: the chip trips behind the daemon, never before, and never further off than one step."""
    wanted = {
        name: data.draw(st.integers(low, high), name) for name, (low, high, _) in {**OVER, **UNDER}.items()
    }
    shown = real(replace(settings, **wanted))
    for name, (_, _, step) in OVER.items():
        assert 0 <= shown[name] - wanted[name] <= step, name
    for name, (_, _, step) in UNDER.items():
        assert 0 <= wanted[name] - shown[name] <= step, name


def test_a_trip_of_the_chip_for_discharging_ends_beside_a_heater_on_the_pack() -> None:
    """S15: it recovers by the current; at -0.5 A it stood for as long as the heater ran."""
    assert dict(FIXED)[reg.OCD_RECOVERY] < -BY_NAME["heater_max_ma"].high
