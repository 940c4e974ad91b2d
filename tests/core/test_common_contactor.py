"""The common topology: one contactor for both directions, and an inverter that is told zero before it opens."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from bmsd.core.types import ChipFault, InhibitCause, Inputs, Levels, Measurement, Request
from tests.support.bench_inputs import PERIOD_MS, Pack, make_settings
from tests.support.changed import replace

OFF = {name: Request("switch", name, False, "uid 0") for name in ("charge", "discharge")}
FLOW_MS, RELEASE_MS = 5000, 300_000
CHARGE_LIMIT_MA, DISCHARGE_LIMIT_MA = 2000, 3000
"""2 % of 100 A and of 150 A."""
WIRED = frozenset({"main", "precharge", "heater", "buzzer"})


@dataclass
class Common(Pack):
    """A pack behind one contactor; lines and contacts follow unless a test sets them."""

    def measurement(self) -> Measurement:
        """Let the load side follow the main contactor."""
        seen = super().measurement()
        if self.load_mv == "follow" and self.state.commands.main:
            return replace(seen, load_mv=sum(mv or 0 for mv in self.cells))
        return seen

    def inputs(self, requests: tuple[Request, ...] = ()) -> Inputs:
        """Read back the lines of this topology."""
        commands = self.state.commands
        lines = Levels(
            charge=None,
            discharge=None,
            precharge=commands.precharge,
            heater=commands.heater,
            buzzer=commands.buzzer,
            main=commands.main,
        )
        feedback = Levels(main=commands.main)
        seen = super().inputs(requests)
        return replace(seen, lines=self.lines or lines, feedback=self.feedback or feedback)

    def started(self) -> Common:
        """Run until the contactor is closed and pre-charge is over."""
        self.run(10_000)
        assert self.closed
        assert not self.state.commands.precharge
        return self

    @property
    def closed(self) -> bool:
        """Tell whether the contactor is commanded closed."""
        return self.state.commands.main

    @property
    def told(self) -> tuple[bool, bool]:
        """Tell for which directions the inverter is told more than zero."""
        assert self.out is not None
        return self.out.limits.charge_ma > 0, self.out.limits.discharge_ma > 0


def make(chosen: dict[str, int] | None = None, **more: Any) -> Common:
    fittings: dict[str, Any] = {"topology": "common", "wired": WIRED, "heater_from_pack": True}
    return Common(make_settings(chosen=chosen, **fittings), **more)


def running(**more: Any) -> Common:
    return make(**more).started()


def with_high_cell(**more: Any) -> Common:
    """Give a pack that has just tripped on an over-voltage cell."""
    pack = running(**more)
    pack.cells[0] = 3650
    pack.until(lambda p: "cell_ovp" in p.active())
    return pack


def test_it_closes_behind_a_pre_charge_and_after_the_good_cycles() -> None:
    """S13: nothing else is commanded in this topology."""
    pack = make()
    for _ in range(7):
        pack.cycle()
        assert not pack.state.commands.precharge
    pack.cycle()
    assert pack.state.commands.precharge
    assert not pack.closed
    pack.cycle()
    assert pack.closed
    assert not pack.state.commands.charge
    assert not pack.state.commands.discharge
    assert pack.told == (True, True)


def test_a_full_cell_asks_for_zero_charge_and_keeps_the_house_supplied() -> None:
    """S1: no charge is allowed, and discharging goes on."""
    pack = with_high_cell()
    pack.run(60_000)
    assert pack.closed
    assert pack.told == (False, True)
    assert pack.out is not None
    assert not pack.out.charge_allowed
    assert [r.because for r in pack.out.charge_inhibits] == [InhibitCause.ALARM, InhibitCause.TOLD_ZERO]


def test_an_empty_cell_asks_for_zero_discharge_and_can_still_be_charged() -> None:
    """S1: the contactor stays closed for the charger."""
    pack = running()
    pack.cells[0] = 2650
    pack.run(60_000)
    assert pack.closed
    assert pack.told == (True, False)


def test_neither_direction_left_opens() -> None:
    """S1: then it is a switch without a use."""
    pack = with_high_cell()
    pack.cells[1] = 2650
    pack.run(3000)
    assert not pack.closed
    assert pack.told == (False, False)


@pytest.mark.parametrize(
    ("cell_mv", "sign", "limit_ma", "alarm"),
    [
        (3650, +1, CHARGE_LIMIT_MA, "charge_not_stopped"),
        (2650, -1, DISCHARGE_LIMIT_MA, "discharge_not_stopped"),
    ],
)
class TestForbiddenFlow:
    """S1: a current that goes on in the forbidden direction opens the contactor in its time."""

    def refused(self, cell_mv: int) -> Common:
        pack = running()
        pack.cells[0] = cell_mv
        pack.run(10_000)
        assert pack.closed
        return pack

    def test_at_the_limit_it_stays(self, cell_mv, sign, limit_ma, alarm) -> None:
        pack = self.refused(cell_mv)
        pack.current_ma = sign * limit_ma
        pack.run(60_000)
        assert pack.closed
        assert alarm not in pack.active()

    def test_one_step_beyond_opens_at_its_delay_and_not_before(self, cell_mv, sign, limit_ma, alarm) -> None:
        pack = self.refused(cell_mv)
        pack.current_ma = sign * (limit_ma + 1)
        pack.cycle()
        pack.cycle(after_ms=FLOW_MS - 1)
        assert pack.closed
        pack.cycle(after_ms=1)
        assert alarm in pack.active()
        assert not pack.closed
        assert pack.alarm(alarm).value is not None

    def test_the_other_way_is_what_it_is_closed_for(self, cell_mv, sign, limit_ma, alarm) -> None:
        pack = self.refused(cell_mv)
        pack.current_ma = -sign * 50_000
        pack.run(20_000)
        assert pack.closed

    def test_an_unknown_current_does_not_stop_the_delay(self, cell_mv, sign, limit_ma, alarm) -> None:
        """S2: and opens by itself, for nothing may be closed on an unknown current."""
        pack = self.refused(cell_mv)
        pack.current_ma = sign * 50_000
        pack.cycle()
        pack.current_ma = None
        pack.run(1500)
        assert not pack.closed

    @pytest.mark.slow
    def test_it_stays_open_for_its_release_time_and_closes_again(
        self, cell_mv, sign, limit_ma, alarm
    ) -> None:
        """S12: so that an inverter that never obeys does not wear the contactor."""
        pack = self.refused(cell_mv)
        pack.current_ma = sign * 50_000
        pack.until(lambda p: alarm in p.active())
        pack.current_ma = 0
        pack.cycle()
        pack.run(RELEASE_MS - PERIOD_MS)
        assert not pack.closed
        pack.run(15_000)
        assert pack.closed

    def test_a_trial_ends_at_once_and_the_next_pause_is_twice_as_long(
        self, cell_mv, sign, limit_ma, alarm
    ) -> None:
        """S12, S15: the other direction is tried for, and a deaf inverter gets a cycle of each trial."""
        pack = self.refused(cell_mv)
        opened_ms, carried = [], 0
        for n in range(4 * 3600 * 2):
            pack.current_ma = sign * 50_000 if pack.closed else 0
            pack.cells = [cell_mv + n % 2, *(3300 + (n + cell) % 2 for cell in range(3))]
            was = pack.closed
            pack.cycle(after_ms=PERIOD_MS if pack.closed or pack.state.commands.precharge else 1000)
            carried += pack.closed
            if was and not pack.closed:
                opened_ms.append(pack.now_ms)
            if len(opened_ms) == 5:
                break
        pauses_s = [(b - a) // 1000 for a, b in pairwise(opened_ms)]
        for pause_s, least_s in zip(pauses_s, (300, 600, 1200, 2400), strict=True):
            assert least_s <= pause_s <= least_s + 20
        assert carried <= 20 + 4 * 2

    def test_an_inverter_that_obeys_late_meets_no_contactor(self, cell_mv, sign, limit_ma, alarm) -> None:
        """S15: a Sunny Island keeps a new limit within 10 s."""
        pack = running()
        pack.settings = replace(pack.settings, obeys_ms=10_000)
        pack.current_ma = sign * 17_000
        pack.cells[0] = cell_mv
        pack.until(lambda p: p.told[0 if sign > 0 else 1] is False)
        pack.run(9_750)
        pack.current_ma = 0
        pack.run(60_000)
        assert pack.closed
        pack.current_ma = sign * 17_000
        pack.run(5_000)
        assert pack.closed
        pack.run(500)
        assert not pack.closed

    def test_a_permitted_direction_is_never_judged(self, cell_mv, sign, limit_ma, alarm) -> None:
        pack = running()
        pack.current_ma = sign * 90_000
        pack.run(20_000)
        assert pack.closed
        assert not pack.active()


@pytest.mark.parametrize(
    "values",
    [
        {"faults": ChipFault.CELL_OVER_VOLTAGE},
        {"faults": ChipFault.CELL_UNDER_VOLTAGE},
        {"current_ma": 151_000},
        {"current_ma": -226_000},
        {"faults": ChipFault.SHORT_CIRCUIT},
        {"cells": [None, 3300, 3300, 3300]},
        {"polled": False},
    ],
    ids=str,
)
def test_what_leaves_no_time_opens_at_once_though_it_forbids_one_direction(values) -> None:
    """S1: a trip of the chip, a fast over-current, lost data."""
    pack = running()
    for name, value in values.items():
        setattr(pack, name, value)
    pack.until(lambda p: not p.out.charge_allowed or not p.out.discharge_allowed, 5000)
    assert not pack.closed
    assert pack.told == (False, False)


def test_the_direction_that_is_allowed_says_why_the_contactor_is_open() -> None:
    pack = running()
    pack.faults = ChipFault.CELL_UNDER_VOLTAGE
    pack.cycle()
    assert pack.out is not None
    assert pack.out.charge_allowed
    assert [(r.because, r.name) for r in pack.out.charge_inhibits] == [
        (InhibitCause.OTHER_DIRECTION, "discharge")
    ]


def test_an_operator_forbids_one_direction_with_the_contactor_closed_and_both_open_it() -> None:
    """S14: and the flow is watched like any other."""
    pack = running()
    pack.cycle(OFF["charge"])
    pack.run(10_000)
    assert pack.closed
    assert pack.told == (False, True)
    pack.cycle(OFF["discharge"])
    assert not pack.closed


def test_the_opening_waits_for_little_current_where_both_sides_leave_time() -> None:
    """S12: here the operator's two requests."""
    pack = running()
    pack.current_ma = -60_000
    pack.cycle(OFF["charge"])
    pack.cycle(OFF["discharge"])
    assert pack.closed
    assert pack.told == (False, False)
    pack.cycle(after_ms=999)
    assert pack.closed
    pack.cycle(after_ms=1)
    assert not pack.closed


def shut_down(**more: Any) -> Common:
    """Give a pack below its shutdown voltage."""
    pack = running(**more)
    pack.cells[0] = 2550
    pack.until(lambda p: "cell_shutdown" in p.active())
    return pack


def test_shutdown_opens_so_that_an_idle_inverter_does_not_empty_the_pack() -> None:
    """S1: below shutdown voltage even a small current is too much."""
    pack = shut_down()
    assert not pack.closed
    pack.run(600_000, 1000)
    assert not pack.closed


def test_a_charger_closes_it_again_below_shutdown_and_it_stays_while_it_charges() -> None:
    """S1: a pack that is empty can be charged; only a charger closes the contactor."""
    pack = shut_down()
    pack.charger_mv = sum(mv or 0 for mv in pack.cells) + 99
    pack.run(30_000)
    assert not pack.closed
    pack.charger_mv += 1
    pack.run(10_000)
    assert pack.closed
    assert pack.told == (True, False)
    pack.charger_mv, pack.current_ma = sum(mv or 0 for mv in pack.cells), 10_000
    pack.run(300_000)
    assert pack.closed
    pack.current_ma = 0
    pack.run(59_750)
    assert pack.closed
    pack.run(500)
    assert not pack.closed


def test_a_pack_that_shut_itself_down_is_charged_again() -> None:
    """S1: charging ends that alarm, too."""
    pack = shut_down(chosen={"shutdown_after_ms": 60_000})
    pack.until(lambda p: "auto_shutdown" in p.active(), 7_200_000)
    assert not pack.closed
    pack.charger_mv = sum(mv or 0 for mv in pack.cells) + 2000
    pack.until(lambda p: p.closed, 60_000)
    pack.charger_mv, pack.current_ma = sum(mv or 0 for mv in pack.cells), 10_000
    pack.run(60_000)
    assert pack.closed
    assert pack.told == (True, False)


@pytest.mark.parametrize("charger_side", [True, False])
def test_a_pack_that_sleeps_opens_only_where_a_charger_would_be_seen(charger_side) -> None:
    """S1: else nothing could ever charge it; and nothing that sleeps is closed while the chip rests (S6)."""
    pack = make(chosen={"sleep_after_h": 1, "sleep_contactors": 1})
    pack.charger_mv = sum(mv or 0 for mv in pack.cells) if charger_side else 0
    pack.started()
    pack.run(3_700_000, 1000)
    assert pack.state.sleep.asleep
    assert pack.closed is not charger_side
    if charger_side:
        pack.charger_mv = sum(mv or 0 for mv in pack.cells) + 2000
        pack.run(30_000)
        assert not pack.state.sleep.asleep
        assert pack.closed


def test_a_charger_closes_nothing_against_any_other_alarm_without_time() -> None:
    """S1: charging ends a shutdown; it ends no failed pre-charge and no trip of the chip."""
    pack = shut_down()
    pack.charger_mv = 20_000
    pack.faults = ChipFault.CELL_UNDER_VOLTAGE
    pack.run(60_000)
    assert not pack.closed


def test_in_the_cold_heat_comes_when_nothing_charges_and_charge_when_the_heat_is_off() -> None:
    """S3: told zero and measured as nothing is cut; the limit stays zero until the heater reads off."""
    pack = running()
    pack.current_ma, pack.battery = 20_000, [-80, -80]
    pack.until(lambda p: "charge_utp" in p.active())
    for _ in range(8):
        assert pack.closed
        assert pack.told == (False, True)
        assert not pack.state.commands.heater
        pack.cycle()
    pack.current_ma = CHARGE_LIMIT_MA
    pack.run(1000)
    assert pack.state.commands.heater
    assert pack.closed
    pack.current_ma = CHARGE_LIMIT_MA + 1
    pack.cycle()
    assert not pack.state.commands.heater
    pack.current_ma, pack.battery = 0, [100, 100]
    lines = pack.inputs().lines
    pack.lines = replace(lines, heater=True, main=True)
    pack.cycle()
    assert not pack.told[0]


@pytest.mark.parametrize(
    ("level", "alarm"), [(True, "main_contactor_welded"), (False, "main_contactor_open")]
)
def test_a_contactor_that_does_not_follow_is_found_and_latched(level, alarm) -> None:
    """S13: as in the other topology."""
    pack = running()
    pack.feedback = Levels(main=level)
    if level:
        pack.cycle(OFF["charge"])
        pack.cycle(OFF["discharge"])
    pack.run(1000)
    assert alarm in pack.active()
    assert not pack.closed
    pack.feedback = None
    pack.run(1000)
    assert alarm in pack.active()
    assert pack.reset(alarm)


def test_a_line_that_reads_on_though_off_is_a_fault() -> None:
    """S13: the read-back of the main line counts as that of any other."""
    pack = make()
    pack.lines = Levels(charge=None, discharge=None, precharge=False, heater=False, buzzer=False, main=True)
    pack.run(5000)
    assert "output_fault" in pack.active()
    assert not pack.closed
