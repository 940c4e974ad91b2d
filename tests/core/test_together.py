"""Features that are each right and must be right together: override, common contactor, welds, obedience, sleep."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bmsd.core import contactor_life
from bmsd.core.state import Consent, begin
from bmsd.core.types import InhibitCause, Levels, Measurement, Request
from bmsd.tables.alarms import BOTH, Block
from tests.core.test_common_contactor import Common, make, running
from tests.support.bench_inputs import START_MS, Pack, make_settings

ON, OFF = Request("emergency", "override", True, "uid 7"), Request("emergency", "override", False, "uid 7")
NO = [Request("switch", name, False, "uid 0") for name in ("charge", "discharge")]
YES = [Request("switch", name, True, "uid 0") for name in ("charge", "discharge")]
SMALL = {"charge_ocp_ma": 10_000, "discharge_ocp_ma": 50_000}
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def blind(**more) -> Pack:
    """Give a pack without auxiliary contacts."""
    pack = Pack(make_settings(contacts=frozenset()), **more)
    pack.feedback = Levels()
    return pack


def wiggle(pack: Pack, seconds: int, cells: list[int]) -> None:
    """Let time pass with cells that show that they live."""
    for n in range(seconds):
        pack.cells = [mv + n % 2 for mv in cells]
        pack.run(1000)


# --- Welds that current speaks for ----------------------------------------------------------------------------


@pytest.mark.parametrize("current_ma", [-50_000, None])
def test_no_weld_is_reset_while_current_flows_or_is_unknown(current_ma) -> None:
    """S2, S13: also when a restart has forgotten since when it flows."""
    pack = blind(state=begin(START_MS, latched={"discharge_contactor_welded": (None, None)}))
    pack.current_ma = current_ma
    pack.run(3000)
    assert not pack.reset("discharge_contactor_welded")
    pack.current_ma = 0
    pack.run(10_000)
    assert pack.reset("discharge_contactor_welded")


def test_a_start_closes_nothing_onto_a_current_that_flows_already() -> None:
    """S13: the proof of a weld takes longer than the good cycles."""
    pack = blind(current_ma=-50_000)
    for _ in range(40):
        pack.cycle()
        assert not pack.state.commands.discharge
        assert not pack.state.commands.charge
    assert "discharge_contactor_welded" in pack.active()


def test_gaps_in_the_measurement_do_not_hide_a_weld() -> None:
    """S2: unknown does not begin the proof anew."""
    pack = blind().started()
    pack.cycle(*NO)
    for _ in range(3):
        pack.current_ma = -50_000
        pack.run(4000)
        pack.current_ma = None
        pack.run(1500)
    assert "discharge_contactor_welded" in pack.active()


def test_an_unknown_current_does_not_outvote_a_contact_that_reads_closed() -> None:
    """S2: bad before unknown."""
    pack = Pack().started()
    pack.cycle(*NO)
    pack.feedback, pack.current_ma = Levels(charge=True, discharge=False), None
    pack.run(2000)
    assert "charge_contactor_welded" in pack.active()


def test_a_heater_that_runs_hides_no_weld_of_the_common_contactor() -> None:
    pack = make(battery=[-80, -80])
    pack.settings = make_settings(
        topology="common", wired=pack.settings.wired, heater_from_pack=True, contacts=frozenset()
    )
    pack.feedback = Levels()
    pack.run(20_000)
    pack.cycle(*NO)
    pack.run(2000)
    assert pack.state.commands.heater
    pack.current_ma = -50_000
    pack.run(10_000)
    assert "main_contactor_welded" in pack.active()


# --- What holds itself ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("common", [False, True])
def test_what_hangs_on_the_pack_itself_keeps_nothing_open(common) -> None:
    """S12: a computer fed before the contactors, above the tolerance of a small pack."""
    pack = make(SMALL) if common else Pack(make_settings(chosen=SMALL))
    pack.current_ma = -800
    pack.started()
    pack.cycle(*NO)
    pack.run(400_000, 1000)
    assert not pack.state.commands.discharge
    pack.cycle(*YES)
    pack.run(60_000, 1000)
    assert (
        pack.state.commands.main if common else pack.state.commands.charge and pack.state.commands.discharge
    )


def test_an_empty_pack_with_a_standing_current_is_charged() -> None:
    pack = Pack(make_settings(chosen=SMALL), current_ma=-800).started()
    pack.cells = [2650, 3100, 3100, 3100]
    pack.run(60_000)
    pack.charger_mv = 20_000
    pack.run(HOUR_MS, 1000)
    assert pack.state.commands.charge


# --- Emergency override ---------------------------------------------------------------------------------------


def test_one_sample_beyond_a_last_limit_does_not_darken_a_house_behind_a_common_contactor() -> None:
    """S10: it opens at once; then the alarm decides as it would without the override."""
    pack = running()
    pack.cells = [3650, 3400, 3400, 3400]
    pack.run(20_000)
    pack.cycle(ON)
    pack.run(5000)
    pack.cells[0] = 3651
    pack.cycle()
    assert not pack.closed
    assert InhibitCause.LAST_LIMIT in [reason.because for reason in pack.out.charge_inhibits]
    pack.cells[0] = 3610
    pack.run(30_000)
    assert pack.closed
    assert not pack.out.charge_allowed
    assert InhibitCause.SPENT in [reason.because for reason in pack.out.charge_inhibits]
    assert pack.out.limits.discharge_ma > 0


def test_an_override_that_a_last_limit_ended_can_be_asked_for_anew() -> None:
    """S10: and is ended again while the limit is still passed; its thirty minutes stay."""
    pack = Pack().started()
    pack.cells[0] = 2650
    pack.run(20_000)
    pack.cycle(ON)
    began_ms = pack.now_ms
    pack.run(20_000)
    pack.cells[0] = 1999
    pack.cycle()
    pack.cycle(ON)
    assert not pack.state.commands.discharge
    pack.cells[0] = 2650
    pack.run(20_000)
    assert not pack.state.commands.discharge
    pack.cycle(ON)
    pack.run(20_000)
    assert pack.state.commands.discharge
    assert pack.state.override.began_ms == began_ms


def test_no_more_than_a_fifth_is_told_whatever_alarm_is_lifted() -> None:
    """S10: cold, too."""
    pack = Pack().started()
    pack.battery = [-250, -250]
    pack.run(20_000)
    assert pack.out.limits.discharge_ma == 0
    pack.cycle(ON)
    pack.run(20_000)
    assert pack.out.limits.discharge_ma == pack.settings.parameters.discharge_max_ma // 5


# --- The common contactor -------------------------------------------------------------------------------------


class Stubborn(Common):
    """An inverter that charges whenever it can."""

    def measurement(self) -> Measurement:
        flows = 95_000 if self.state.commands.main else 0
        return replace(super().measurement(), current_ma=flows)


@pytest.mark.slow
@pytest.mark.parametrize("cold", [False, True])
def test_an_inverter_that_charges_on_is_tried_again_ever_later_and_for_a_cycle_only(cold) -> None:
    """S1, S15: five seconds of it once, then a cycle after 5 and 10 minutes, not ten percent of the capacity."""
    pack = running()
    pack.__class__ = Stubborn
    cells, closings = [3400] * 4, pack.state.main.closings
    if cold:
        pack.battery = [-50, -50]
        pack.settings = replace(pack.settings, heater_mohm=None)
    else:
        cells[0] = 3650
    wiggle(pack, 1800, cells)
    assert not pack.closed
    assert pack.state.main.closings == closings + 2
    pack.battery, cells = [250, 250], [3350] * 4
    pack.settings = replace(pack.settings, heater_mohm=None)
    wiggle(pack, 400, cells)
    assert pack.closed


class Weak(Common):
    """A charger that is seen while the contactor is open, and gives less than the load takes."""

    weak_ma = 0

    def measurement(self) -> Measurement:
        on, pack_mv = self.state.commands.main, sum(mv or 0 for mv in self.cells)
        current_ma = self.weak_ma if on else 0
        return replace(
            super().measurement(), charger_mv=pack_mv if on else pack_mv + 3000, current_ma=current_ma
        )


@pytest.mark.slow
@pytest.mark.parametrize(("weak_ma", "tries"), [(-2500, 12), (400, 1), (1, 1)])
def test_a_charger_that_does_not_charge_is_tried_a_few_times_an_hour(weak_ma, tries) -> None:
    """S12: what the load takes meanwhile comes out of an empty pack; any charge at all keeps it closed."""
    pack = make()
    pack.started()
    pack.cells = [2550] * 4
    pack.until(lambda p: "cell_shutdown" in p.active())
    pack.__class__ = Weak
    pack.weak_ma = weak_ma
    closings = pack.state.main.closings
    pack.run(3 * HOUR_MS, 1000)
    assert pack.state.main.closings - closings <= tries
    assert pack.closed is (weak_ma > 0)


def test_one_direction_can_be_asked_for_alone_after_a_start() -> None:
    """S13: whoever forbade charging gets his house back without allowing it."""
    pack = make(state=begin(START_MS, consent=Consent(charge=False), asked_for=Block.NONE))
    pack.run(10_000)
    assert not pack.closed
    pack.cycle(YES[1])
    pack.run(30_000)
    assert pack.closed
    assert pack.out.limits.charge_ma == 0
    assert pack.out.limits.discharge_ma > 0


@pytest.mark.parametrize("common", [False, True])
def test_a_limit_that_is_enforced_asks_for_zero_first(common) -> None:
    """S12: a minute has passed already; contacts need not break the full current."""
    pack = running() if common else Pack().started()
    pack.cells = [3550, 3400, 3400, 3400]
    wiggle(pack, 30, pack.cells)
    pack.current_ma = 51_000
    cells = list(pack.cells)
    for _ in range(120):
        if "charge_limit_enforced" in pack.active():
            break
        wiggle(pack, 1, cells)
    assert "charge_limit_enforced" in pack.active()
    assert pack.out.limits.charge_ma == 0
    pack.current_ma = 0
    pack.run(5000)
    assert pack.closed if common else pack.state.commands.discharge


# --- Starts, reboots, sleep -----------------------------------------------------------------------------------


def test_a_machine_that_is_rebooted_every_night_is_never_dark_for_it() -> None:
    """S12: what closed long before a reboot does not count as now."""
    pack = Pack(make_settings(), now_ms=5000, state=begin(5000))
    pack.run(10_000)
    for _ in range(40):
        pack.now_ms += DAY_MS
        kept = contactor_life.worn(pack.state, pack.now_ms)
        pack = Pack(
            pack.settings,
            now_ms=5000,
            state=contactor_life.remembered(begin(5000), kept, 5000, same_boot=False),
        )
        pack.run(20_000)
        assert pack.state.commands.charge
    assert pack.state.charge.closings == 41


@pytest.mark.slow
def test_an_empty_pack_does_not_sleep_while_it_is_charged_a_little() -> None:
    """S12: sleep would take the charger away, and the charger would wake it again."""
    settings = make_settings(chosen={"sleep_contactors": 1})
    pack = Pack(settings).started()
    pack.charger_mv = sum(pack.cells)
    pack.run(1000)
    pack.cells, pack.charger_mv = [2550] * 4, 10_200
    pack.until(lambda p: "auto_shutdown" in p.active(), within_ms=HOUR_MS)
    pack.current_ma = 100
    pack.cycle(Request("wake", "pack", None, ""))
    pack.run(HOUR_MS, 1000)
    assert not pack.state.sleep.asleep
    pack.current_ma = 99
    pack.run(HOUR_MS, 1000)
    assert pack.state.sleep.asleep


def test_what_was_asked_for_is_what_a_start_is_given() -> None:
    assert begin(0).asked_for == BOTH
    assert begin(0, asked_for=Block.CHARGE).asked_for == Block.CHARGE
