"""The lower end: the warning, the request for charge, the shutdown; charging is never forbidden by them."""

from __future__ import annotations

import pytest

from bmsd.core import low_battery, report
from bmsd.core.alarms import ALL_QUIET
from bmsd.core.state import begin
from bmsd.core.types import Request
from bmsd.tables.alarms import BY_NAME, Block
from tests.support.bench_inputs import Pack, make_settings

UVP, MARGIN, UVPR = 2700, 100, 3000
DELAY_MS, SHUTDOWN_MS, RECOVERY_MS = 2000, 600_000, 10_000


def cells(lowest: int | None) -> list[int | None]:
    return [3300, lowest, 3302, 3303]


def low(lowest: int) -> Pack:
    """Give a started pack whose lowest cell has just gone there."""
    pack = Pack().started()
    pack.cells = cells(lowest)
    pack.cycle()
    return pack


def test_nothing_of_it_ever_forbids_charging() -> None:
    """S1: an empty pack must stay chargeable."""
    for name in ("cell_low", "cell_uvp", "pack_uvp", "cell_shutdown", "auto_shutdown"):
        assert not BY_NAME[name].blocks & Block.CHARGE, name


def test_the_warning_comes_below_its_limit_after_its_delay() -> None:
    pack = low(UVP + MARGIN - 1)
    pack.cycle(after_ms=DELAY_MS - 1)
    assert not pack.alarm("cell_low").active
    pack.cycle(after_ms=1)
    warned = pack.alarm("cell_low")
    assert (warned.active, warned.value, warned.where) == (True, UVP + MARGIN - 1, 2)


def test_at_its_limit_it_does_not_come() -> None:
    pack = low(UVP + MARGIN)
    pack.cycle(after_ms=DELAY_MS)
    assert not pack.alarm("cell_low").active


def test_it_ends_at_recovery_and_not_below() -> None:
    pack = low(UVP + MARGIN - 1)
    pack.run(DELAY_MS)
    pack.cells = cells(UVPR - 1)
    pack.run(60_000)
    assert pack.alarm("cell_low").active
    pack.cells = cells(UVPR)
    pack.cycle()
    assert not pack.alarm("cell_low").active


def test_a_margin_beyond_recovery_ends_there() -> None:
    """A limit above recovery would warn for ever."""
    pack = Pack(make_settings(chosen={"cell_low_margin_mv": 500})).started()
    pack.cells = cells(UVPR)
    pack.run(60_000)
    assert not pack.alarm("cell_low").active


def test_an_unknown_cell_neither_begins_nor_ends_the_warning() -> None:
    """S2."""
    pack = Pack().started()
    pack.cells = cells(None)
    pack.run(10_000)
    assert not pack.alarm("cell_low").active
    pack.cells = cells(UVP + MARGIN - 1)
    pack.run(10_000)
    assert pack.alarm("cell_low").active
    pack.cells = cells(None)
    pack.run(60_000)
    assert pack.alarm("cell_low").active


def test_a_pack_left_at_shutdown_voltage_shuts_itself_down_at_its_time() -> None:
    pack = Pack().started()
    pack.cells = [2550] * 4
    pack.until(lambda p: p.alarm("cell_shutdown").active)
    pack.cycle()
    pack.cycle(after_ms=SHUTDOWN_MS - 1)
    assert not pack.alarm("auto_shutdown").active
    pack.cycle(after_ms=1)
    assert pack.alarm("auto_shutdown").active
    assert pack.state.commands.charge, "charging stays possible"
    assert not pack.state.commands.discharge


@pytest.mark.parametrize(("current_ma", "shuts_down"), [(501, False), (500, True), (-200, True)])
def test_charge_that_arrives_stops_it(current_ma, shuts_down) -> None:
    pack = Pack().started()
    pack.cells, pack.current_ma = [2550] * 4, current_ma
    pack.run(SHUTDOWN_MS + 10_000, 1000)
    assert pack.alarm("auto_shutdown").active is shuts_down


def test_an_unknown_current_neither_begins_nor_ends_it() -> None:
    """S2."""
    pack = Pack().started()
    pack.cells, pack.current_ma = [2550] * 4, None
    pack.run(SHUTDOWN_MS + 10_000, 1000)
    assert not pack.alarm("auto_shutdown").active
    pack.current_ma = 0
    pack.run(SHUTDOWN_MS + 10_000, 1000)
    assert pack.alarm("auto_shutdown").active
    pack.current_ma = None
    pack.run(60_000, 1000)
    assert pack.alarm("auto_shutdown").active


def test_it_ends_by_charge_and_discharge_returns_at_recovery() -> None:
    pack = Pack().started()
    pack.cells = [2550] * 4
    pack.until(lambda p: p.alarm("auto_shutdown").active, 700_000)
    pack.current_ma = 20_000
    pack.run(RECOVERY_MS + 500)
    assert not pack.alarm("auto_shutdown").active
    assert not pack.state.commands.discharge
    pack.cells = [3010] * 4
    pack.until(lambda p: p.state.commands.discharge, 60_000)


def asks(before: bool, permille: int | None, **chosen: int) -> bool:
    return low_battery.force_charge(make_settings(chosen=chosen).parameters, before, ALL_QUIET, permille)


def test_charge_is_asked_for_below_one_share_and_until_another() -> None:
    assert asks(False, 49)
    assert not asks(False, 50)
    assert asks(True, 99)
    assert not asks(True, 100)


def test_an_unknown_share_changes_nothing() -> None:
    """S2."""
    assert asks(True, None)
    assert not asks(False, None)


def test_zero_leaves_it_to_the_cells() -> None:
    assert not asks(False, 0, force_charge_permille=0)


def test_a_low_cell_asks_for_charge_whatever_the_count_says_and_the_inverter_is_told_the_rest() -> None:
    pack = low(2650)
    pack.until(lambda p: p.state.force_charge and not p.state.commands.discharge)
    assert pack.out.limits.discharge_ma == 0
    assert pack.out.limits.charge_ma > 0
    assert pack.out.charge_allowed


def test_under_voltage_at_the_start_leaves_charging_possible() -> None:
    """S1, S13: after a restart in the dark the charge contactor closes, the other stays open."""
    pack = Pack(cells=[2550] * 4)
    pack.run(20_000)
    assert pack.state.commands.charge
    assert not pack.state.commands.discharge
    assert pack.state.force_charge


def test_below_the_floor_nothing_flows_until_somebody_looked() -> None:
    """S1: a cell below its floor may be damaged; this is the one end charging does not get past by itself."""
    pack = Pack(cells=[1990] * 4)
    pack.run(20_000)
    assert not pack.state.commands.charge
    pack.cells = [2700] * 4
    pack.run(5000)
    assert not pack.state.commands.charge
    assert pack.reset("cell_floor")
    pack.until(lambda p: p.state.commands.charge, 30_000)


def test_a_request_to_wake_changes_no_consent() -> None:
    """S14."""
    pack = Pack().started()
    before = pack.state.consent
    pack.cycle(Request("wake", "pack", None, "uid 0"))
    assert pack.state.consent == before


def test_a_restart_does_not_forget_that_the_pack_was_empty() -> None:
    """S12, S13: a pack that rests between its limits gives nothing after a restart, and takes charge."""
    pack = low(2650)
    pack.until(lambda p: p.alarm("cell_uvp").active)
    pack.cells = cells(2900)
    kept = report.latched(pack.state)
    assert "cell_uvp" in kept
    again = Pack(cells=cells(2900), state=begin(pack.now_ms, latched=kept), now_ms=pack.now_ms)
    again.run(60_000)
    assert again.state.commands.charge
    assert not again.state.commands.discharge
    again.cells = cells(3010)
    again.until(lambda p: p.state.commands.discharge, 30_000)
    assert "cell_uvp" not in report.latched(again.state)
