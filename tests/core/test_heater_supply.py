"""What feeds the heater: the signs of a charger, trials that must show one, and packs that are empty (S3, S4)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from bmsd.core.soc import MAMS_PER_MAH, SocState
from bmsd.core.state import begin
from bmsd.core.types import Inhibit, InhibitCause, Request
from tests.core.test_chip_fets import FetPack
from tests.core.test_common_contactor import WIRED, Common
from tests.support.bench_inputs import PERIOD_MS, Pack, make_settings

COLD = [-80, -80]
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
PAYS_MS = 30_000
PACK_MV = 13_206


def on_charger(cells: int = 4, mv: int = 3330, charger_mv: int = 0, **more: Any) -> Pack:
    """Give a cold pack of any size whose heater hangs on the charger's side."""
    ohm = {3: 4800, 4: 6000, 8: 12_000}.get(cells, 24_000)
    made = make_settings(cells=cells, heater_mohm=ohm)
    pack = Pack(made, cells=[mv] * cells, battery=list(COLD), charger_mv=charger_mv, **more)
    pack.run(10_000)
    return pack


def heats(pack: Pack) -> bool:
    return pack.state.commands.heater


def why(pack: Pack) -> Inhibit:
    assert pack.out is not None
    assert not heats(pack)
    return pack.out.heater_inhibits[0]


# --- A heater on the charger's side -----------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [3, 4, 8, 15, 16])
@pytest.mark.parametrize("mv", [3000, 3330, 3400])
def test_a_charger_at_our_own_charge_voltage_is_seen_by_packs_of_every_size(cells, mv) -> None:
    """S3: 3.45 V a cell beside a pack that is nearly empty, half full, nearly full."""
    assert heats(on_charger(cells, mv, 3450 * cells))


@pytest.mark.parametrize("cells", [4, 16])
def test_a_charger_is_no_charger_a_millivolt_below_the_margin(cells) -> None:
    """S3: 25 mV a cell."""
    assert why(on_charger(cells, 3330, 3355 * cells - 1)).because is InhibitCause.NO_CHARGER
    assert heats(on_charger(cells, 3330, 3355 * cells))


def empty(**more: Any) -> Pack:
    """Give a pack below shutdown voltage, in the cold, beside a charger of 14.4 V."""
    return on_charger(4, 2550, 14_400, **more)


def test_a_cold_and_empty_pack_is_heated_by_its_charger() -> None:
    """S3: shutdown keeps what is left for the pack, and this heat costs it nothing."""
    pack = empty()
    assert heats(pack)
    assert {"cell_shutdown", "charge_utp"} <= pack.active()
    for _ in range(140):
        pack.cycle(after_ms=5000)
        assert heats(pack)
    assert "auto_shutdown" in pack.active()
    assert not pack.state.commands.charge
    pack.battery = [50, 60]
    pack.run(10_000)
    assert not heats(pack)
    assert pack.state.commands.charge


def test_without_a_charger_a_cold_and_empty_pack_is_not_heated() -> None:
    """S4: and it wakes for the charger that comes."""
    pack = on_charger(4, 2550, 0)
    pack.run(1200_000, 10_000)
    assert why(pack).because is InhibitCause.NO_CHARGER
    pack.charger_mv = 14_400
    pack.run(40_000)
    assert heats(pack)


def test_below_its_floor_nothing_heats_a_cell() -> None:
    """S1: a damaged cell is looked at by a person first."""
    assert why(on_charger(4, 1900, 14_400)).because is InhibitCause.ALARM


ALIVE_MS, TRIAL_MS = 30_000, 10_000


def below(charger_mv: int = PACK_MV - 50) -> Pack:
    """Give a pack whose charger's side lives, and does not stand above the pack."""
    return Pack(make_settings(), battery=list(COLD), charger_mv=charger_mv)


def test_a_side_that_lives_is_tried_when_what_it_kept_has_had_time_to_go() -> None:
    """S3: a charger whose voltage is below a full pack's feeds a heater all the same."""
    pack = below()
    pack.cycle()
    pack.run(ALIVE_MS - PERIOD_MS)
    assert why(pack) == Inhibit(InhibitCause.NO_CHARGER)
    pack.run(2 * PERIOD_MS)
    assert heats(pack)
    pack.run(HOUR_MS // 4, 5000)
    assert heats(pack)


@pytest.mark.parametrize(("charger_mv", "tried"), [(10_565, True), (10_564, False)])
def test_below_four_fifths_of_the_pack_nothing_is_tried(charger_mv, tried) -> None:
    pack = below(charger_mv)
    pack.run(ALIVE_MS + 1000)
    assert heats(pack) is tried


def test_a_trial_that_shows_nothing_ends_at_once_and_its_pauses_grow() -> None:
    """S12: what collapses under the heater and comes back without it is no charger."""
    pack, starts = below(), []
    was_on, end_ms = False, pack.now_ms + 6 * HOUR_MS
    while pack.now_ms < end_ms:
        pack.charger_mv = 0 if heats(pack) else PACK_MV - 50
        pack.cycle(after_ms=5000)
        if heats(pack) and not was_on:
            starts.append(pack.now_ms)
        was_on = heats(pack)
    pauses = [(b - a) / 1000 for a, b in pairwise(starts)]
    assert all(a <= b + 1 for a, b in pairwise(pauses)), pauses
    assert pauses[0] < 70
    assert 3600 <= pauses[-1] <= 3640
    pack.charger_mv = PACK_MV - 50
    pack.run(10_000)
    assert why(pack).until_ms is not None


def test_a_pause_holds_up_no_charger_that_stands_above_the_pack() -> None:
    """S3: one that came and went within seconds, again and again, is taken as soon as the heater has rested."""
    pack = Pack(make_settings(), battery=list(COLD), charger_mv=16_000)
    pack.run(10_000)
    for _ in range(5):
        pack.charger_mv = 0
        pack.run(1000)
        assert not heats(pack)
        pack.charger_mv = 16_000
        pack.run(30_000)
        assert heats(pack)


def test_a_charger_that_lasted_is_tried_again_without_a_pause() -> None:
    """S3: a generator that stops and starts again."""
    pack = Pack(make_settings(), battery=list(COLD), charger_mv=16_000)
    pack.run(10_000)
    for _ in range(6):
        pack.charger_mv = 16_000
        pack.run(31_000)
        assert heats(pack)
        pack.run(TRIAL_MS)
        pack.charger_mv = 0
        pack.run(2000)
        assert why(pack) == Inhibit(InhibitCause.NO_CHARGER)
        pack.run(30_000)


def charging(charger_mv: int) -> Pack:
    """Give a pack that is charged, with what its charger's side reads."""
    pack = Pack(make_settings(), charger_mv=charger_mv).started()
    pack.current_ma = 20_000
    pack.run(5000)
    return pack


def test_a_charger_that_charged_until_the_cut_needs_no_other_sign() -> None:
    """S3: its side lives, and stands where the pack stands."""
    pack = charging(PACK_MV)
    pack.battery = list(COLD)
    pack.until(lambda p: not p.state.commands.charge)
    pack.current_ma = 0
    pack.run(5000)
    assert heats(pack)


@pytest.mark.parametrize(("after_ms", "on"), [(590_000, True), (610_000, False)])
def test_where_its_side_cannot_be_read_it_counts_for_ten_minutes(after_ms, on) -> None:
    """S2: a side that never read alive says nothing; the current said it."""
    pack = charging(0)
    pack.battery = list(COLD)
    pack.until(lambda p: not p.state.commands.charge)
    pack.current_ma = 0
    pack.run(after_ms, 5000)
    assert heats(pack) is on


def test_a_side_that_was_read_alive_and_reads_dead_is_dead() -> None:
    """S3: the charger went with the cut."""
    pack = charging(PACK_MV)
    pack.battery = list(COLD)
    pack.until(lambda p: not p.state.commands.charge)
    pack.current_ma, pack.charger_mv = 0, 0
    pack.run(5000)
    assert why(pack).because is InhibitCause.NO_CHARGER


def test_a_measured_current_shows_that_a_trial_heats_nothing() -> None:
    """S4: the side stays alive, and the heater takes nothing from it."""
    pack = below()
    pack.heater_ma = 0
    pack.run(ALIVE_MS + 1000)
    assert heats(pack)
    pack.heater_ma = OWN_MA // 2 - 1
    pack.until(lambda p: not heats(p), TRIAL_MS + 1000)
    pack.heater_ma = 0
    pack.cycle()
    assert why(pack).until_ms is not None
    pack.until(heats, 2 * MINUTE_MS)
    pack.heater_ma = OWN_MA // 2
    pack.run(MINUTE_MS)
    assert heats(pack)


def test_beside_a_charger_a_heater_without_current_is_the_watchers_to_judge() -> None:
    """S4: a burnt heater must be found, and a trial that ends again and again would hide it."""
    pack = Pack(make_settings(), battery=list(COLD), charger_mv=16_000, heater_ma=0)
    pack.run(10_000)
    pack.run(46 * MINUTE_MS, 5000)
    assert "heater_no_warming" in pack.active()


def test_an_unknown_side_ends_heat_and_counts_against_nobody() -> None:
    """S2."""
    pack = below()
    pack.run(ALIVE_MS + 1000)
    pack.charger_mv = None
    pack.cycle(after_ms=1001)
    assert why(pack).because is InhibitCause.NO_SUPPLY
    pack.charger_mv = PACK_MV - 50
    pack.run(ALIVE_MS + 2000)
    assert heats(pack)
    assert pack.state.supply.failed == 0


# --- A heater on the pack ---------------------------------------------------------------------------------------


def counted(permille: int, capacity_mah: int = 100_000) -> SocState:
    return SocState(charge_mams=capacity_mah * MAMS_PER_MAH * permille // 1000, error_permille=10)


OWN_MA = PACK_MV * 1000 // 24_000


def on_pack(permille: int = 199, kind: type[Pack] = Pack, topology: str = "split", **more: Any) -> Any:
    """Give a cold pack whose own heater may take nothing from it."""
    fittings: dict[str, Any] = {"heater_from_pack": True, "topology": topology}
    if topology != "split":
        fittings["wired"] = WIRED if topology == "common" else frozenset({"precharge", "heater", "buzzer"})
    fittings |= more.pop("fittings", {})
    state = begin(0, soc_state=counted(permille))
    pack = kind(make_settings(**fittings), battery=list(COLD), state=state, **more)
    pack.run(PAYS_MS + 10_000)
    return pack


def common(permille: int = 199, **more: Any) -> Common:
    pack: Common = on_pack(permille, Common, "common", **more)
    assert pack.closed
    return pack


def test_a_low_pack_asks_for_the_heaters_current_and_for_no_charge() -> None:
    """S3: nothing for the cells; what the heater takes is asked for while it is on."""
    pack = common()
    assert heats(pack)
    assert pack.out is not None
    assert (pack.out.limits.charge_ma, pack.out.limits.heat_ma) == (0, OWN_MA)
    assert not pack.out.charge_allowed
    pack.battery = [100, 100]
    pack.cycle()
    assert not heats(pack)
    assert pack.out.limits.heat_ma == 0


def test_a_pack_with_enough_charge_asks_for_nothing() -> None:
    """S3: it heats itself."""
    pack = common(300)
    assert heats(pack)
    assert pack.out is not None
    assert pack.out.limits.heat_ma == 0
    pack.current_ma = -OWN_MA
    pack.run(HOUR_MS // 4, 5000)
    assert heats(pack)


@pytest.mark.parametrize(("load_ma", "paid"), [(0, True), (-OWN_MA // 2, True), (-OWN_MA // 2 - 1, False)])
def test_a_charger_pays_when_more_than_half_of_the_heat_comes_in(load_ma, paid) -> None:
    """S4: an inverter is given half a minute."""
    pack = common()
    pack.current_ma = load_ma
    pack.run(20_000)
    assert heats(pack)
    pack.run(40_000)
    assert heats(pack) is paid
    if not paid:
        assert why(pack).because is InhibitCause.NOT_PAID


def test_an_unknown_current_pays_nothing() -> None:
    """S2: it ends the heat with everything else."""
    pack = common()
    pack.current_ma = None
    pack.cycle(after_ms=1001)
    assert not heats(pack)


LOAD_MA = -6000


@pytest.mark.parametrize(("extra_ma", "paid"), [(0, True), (-OWN_MA, False)])
def test_beside_a_load_the_heater_is_paid_when_no_more_goes_out_than_without_it(extra_ma, paid) -> None:
    """S4: the house goes on, and the pack gives nothing for heat."""
    pack = Common(
        make_settings(heater_from_pack=True, topology="common", wired=WIRED),
        battery=[100, 100], current_ma=0, state=begin(0, soc_state=counted(190)),
    )  # fmt: skip
    pack.run(10_000)
    pack.current_ma = LOAD_MA
    pack.run(1300_000, 5000)
    pack.battery = list(COLD)
    pack.until(heats, 30_000)
    pack.current_ma = LOAD_MA + extra_ma
    pack.run(2 * MINUTE_MS)
    assert heats(pack) is paid


def test_a_load_that_comes_and_goes_is_no_sign_of_a_charger() -> None:
    """S4: the lightest load of the last ten minutes counts."""
    pack = Common(
        make_settings(heater_from_pack=True, topology="common", wired=WIRED),
        battery=[100, 100], current_ma=-2000, state=begin(0, soc_state=counted(190)),
    )  # fmt: skip
    pack.run(PAYS_MS + 10_000)
    pack.current_ma = LOAD_MA
    pack.run(300_000, 5000)
    pack.battery = list(COLD)
    pack.until(heats, 30_000)
    pack.current_ma = -2000 - OWN_MA
    pack.run(MINUTE_MS)
    assert why(pack).because is InhibitCause.NOT_PAID


@pytest.mark.parametrize("first_ma", [1500, -300])
def test_what_flows_while_an_inverter_takes_back_its_current_is_no_load(first_ma) -> None:
    """S4: beside 2 A of load, the moments after the contactor closed passed for hardly any, and no heat came."""
    pack = Common(
        make_settings(heater_from_pack=True, topology="common", wired=WIRED),
        battery=list(COLD), state=begin(0, soc_state=counted(190)),
    )  # fmt: skip
    pack.until(lambda p: p.state.commands.main)
    for current_ma in (first_ma, first_ma // 2, -10):
        pack.current_ma = current_ma
        pack.run(9000)
        assert not heats(pack)
    pack.current_ma = -2000
    pack.until(heats, PAYS_MS)
    pack.run(10 * MINUTE_MS, 5000)
    assert heats(pack)


@pytest.mark.parametrize("after_ms", [0, 100_000])
def test_a_trial_waits_until_the_load_is_known(after_ms) -> None:
    """S4: half a minute after the contactor closed, whatever was known before it opened."""
    pack = common()
    pack.battery = [100, 100]
    pack.run(20_000 + after_ms)
    pack.cells[1] = 3650
    pack.until(lambda p: not p.state.commands.main)
    pack.cells[1] = 3300
    pack.battery = list(COLD)
    pack.until(lambda p: p.state.commands.main)
    pack.run(PAYS_MS - 1000)
    assert why(pack).because is InhibitCause.LOAD_UNKNOWN
    pack.run(2000)
    assert heats(pack)


def test_a_trial_without_a_payer_is_repeated_with_growing_pauses() -> None:
    """S4, S12: a generator of 20 minutes is met; nobody for two hours is looked for once an hour."""
    pack, starts, heated_ms, was_on = common(), [], 0, True
    end_ms = pack.now_ms + 6 * HOUR_MS
    while pack.now_ms < end_ms:
        pack.current_ma = -OWN_MA if heats(pack) else 0
        pack.cycle(after_ms=10_000)
        heated_ms += 10_000 * heats(pack)
        if heats(pack) and not was_on:
            starts.append(pack.now_ms)
        was_on = heats(pack)
    pauses = [(b - a) / 1000 for a, b in pairwise(starts)]
    assert pauses == sorted(pauses)
    assert all(600 <= pause <= 640 for pause in pauses[:11]), pauses
    assert all(3600 <= pause <= 3640 for pause in pauses[11:]), pauses
    assert len(pauses) == 11 + 3
    assert heated_ms <= 40_000 * (len(starts) + 1)


def test_a_charge_current_forgets_the_trials_that_failed() -> None:
    """S3: a charger is there."""
    pack = common()
    for _ in range(360):
        pack.current_ma = -OWN_MA if heats(pack) else 0
        pack.cycle(after_ms=5000)
    assert why(pack).because is InhibitCause.NOT_PAID
    pack.current_ma, pack.battery = 600, [100, 100]
    pack.run(20_000)
    pack.battery, pack.current_ma = list(COLD), 0
    pack.run(5000)
    assert heats(pack)


@pytest.mark.parametrize(("current_ma", "on"), [(2000, True), (2001, False)])
def test_an_inverter_that_charges_when_it_is_asked_for_heat_is_not_asked_again_for_an_hour(
    current_ma, on
) -> None:
    """S3: one pulse into cold cells, and not one every half minute."""
    pack = common()
    pack.run(2000)
    assert heats(pack)
    pack.current_ma = current_ma
    pack.cycle()
    assert heats(pack) is on
    if not on:
        pack.current_ma = 0
        pack.run(HOUR_MS - 10_000, 5000)
        assert why(pack).because is InhibitCause.NOT_PAID
        pack.run(11_000)
        assert heats(pack)


def test_a_payer_who_goes_ends_the_heat_within_half_a_minute() -> None:
    """S4."""
    pack = common()
    pack.run(10 * MINUTE_MS, 5000)
    assert heats(pack)
    pack.current_ma = -OWN_MA
    pack.run(29_000)
    assert heats(pack)
    pack.run(2000)
    assert not heats(pack)


@pytest.mark.parametrize("fittings", [{"limits_told": False}])
def test_an_inverter_that_hears_nothing_is_asked_for_nothing(fittings) -> None:
    """S4: nobody would pay."""
    pack = common(fittings=fittings)
    assert why(pack) == Inhibit(InhibitCause.LOW_CHARGE, "soc_permille")
    assert pack.out is not None
    assert pack.out.limits.heat_ma == 0


READY_MS = 600_000


@pytest.mark.parametrize(("topology", "kind"), [("split", Pack), ("afe", FetPack)])
def test_for_a_charger_that_stands_ready_a_low_pack_spends_what_heat_takes(topology, kind) -> None:
    """S3: charge stays cut until it is warm, so nobody can pay at once; what is spent comes back."""
    pack = on_pack(199, kind, topology, fittings={"limits_told": False}, charger_mv=13_800)
    assert why(pack) == Inhibit(InhibitCause.LOW_CHARGE, "soc_permille")
    pack.run(READY_MS - PAYS_MS - 10_000, 1000)
    assert not heats(pack)
    pack.run(12_000)
    assert heats(pack)
    pack.current_ma = -OWN_MA
    pack.run(10 * MINUTE_MS, 5000)
    assert heats(pack)
    pack.charger_mv = PACK_MV
    pack.run(1000)
    assert not heats(pack)


def test_behind_the_chips_own_fets_a_charger_may_pay_beside_the_load() -> None:
    """S3, S4: no charge can pass the FET that is off; what the charger gives the load is saved."""
    pack = on_pack(199, FetPack, "afe")
    assert heats(pack)
    assert pack.out is not None
    assert pack.out.limits.heat_ma == OWN_MA
    pack.current_ma = -OWN_MA
    pack.run(MINUTE_MS)
    assert why(pack).because is InhibitCause.NOT_PAID


# --- An empty pack with its heater on itself --------------------------------------------------------------------


def empty_common(mv: int = 2550, charger_mv: int | None = 14_400, **more: Any) -> Common:
    """Give a pack in the cold that may neither be charged nor discharged, behind an open common contactor."""
    made = make_settings(heater_from_pack=True, topology="common", wired=WIRED, **more)
    return Common(made, cells=[mv] * 4, battery=list(COLD), charger_mv=charger_mv)


def warmed(mv: int = 2550) -> Common:
    """Give one that is heated by its charger."""
    pack = empty_common(mv)
    pack.until(heats)
    return pack


@pytest.mark.parametrize("mv", [2550, 2650])
def test_an_empty_pack_joins_a_charger_for_its_heater_alone(mv) -> None:
    """S3, S15: below under-voltage, and below shutdown voltage: told zero and zero, and the heater's current."""
    pack = warmed(mv)
    for _ in range(140):
        pack.cycle(after_ms=5000)
        assert (pack.closed, heats(pack), pack.told) == (True, True, (False, False))
        assert pack.out is not None
        assert pack.out.limits.heat_ma == mv * 4 * 1000 // 24_000
        assert not pack.out.charge_allowed
        assert not pack.out.discharge_allowed
    pack.battery = [60, 60]
    pack.run(15_000)
    assert (pack.closed, heats(pack), pack.told) == (True, False, (True, False))


@pytest.mark.parametrize(
    ("charger_mv", "closes"), [(None, False), (0, False), (10_299, False), (10_300, True)]
)
def test_without_a_charger_that_stands_above_it_an_empty_pack_closes_for_nobody(charger_mv, closes) -> None:
    """S2, S4: at the margin, one step below, no voltage and an unknown one."""
    pack = empty_common(charger_mv=charger_mv)
    pack.run(5 * MINUTE_MS, 2500)
    assert pack.closed is closes
    assert heats(pack) is closes


def test_an_empty_pack_joins_nobody_who_cannot_be_told() -> None:
    """S3: who hears no limits may charge cold cells."""
    pack = empty_common(limits_told=False)
    pack.run(5 * MINUTE_MS, 2500)
    assert not pack.closed


def test_a_charger_that_does_not_pay_is_left_within_a_minute_and_tried_again_after_a_quarter_of_an_hour() -> (
    None
):
    """S4, S12: what each trial takes is half a minute of heat."""
    pack, heated_ms, closings, was_closed = empty_common(), 0, 0, False
    for _ in range(3 * HOUR_MS // 2500):
        pack.current_ma = -425 if heats(pack) else 0
        pack.cycle(after_ms=2500)
        heated_ms += 2500 * heats(pack)
        closings += pack.closed and not was_closed
        was_closed = pack.closed
    assert 8 <= closings <= 12
    assert heated_ms <= 35_000 * closings


@pytest.mark.parametrize(("current_ma", "within_ms"), [(10_000, 500), (-10_000, 40_000)])
def test_an_inverter_that_does_more_than_it_is_told_is_left(current_ma, within_ms) -> None:
    """S1, S3: charge into cold cells ends at once; a load on an empty pack as soon as inverters can have obeyed."""
    pack = warmed()
    pack.current_ma = current_ma
    pack.run(within_ms)
    assert not pack.closed
    assert not heats(pack)


def test_an_unknown_current_ends_what_only_the_current_can_show() -> None:
    """S2."""
    pack = warmed()
    pack.current_ma = None
    pack.run(MINUTE_MS)
    assert not heats(pack)
    assert not pack.closed


@pytest.mark.parametrize(
    "change", [{"battery": [None, -80]}, {"battery": [-80, -480]}, {"switch": None}, {"cells": [1900] * 4}]
)
def test_what_forbids_heat_or_may_be_wrong_opens_it(change) -> None:
    """S2, S4: unknown, apart, too far down: another reason than cold and empty."""
    pack = warmed()
    for name, value in change.items():
        setattr(pack, name, value)
    pack.run(30_000)
    assert not heats(pack)
    assert not pack.closed


@pytest.mark.parametrize("name", ["charge", "discharge"])
def test_it_is_not_closed_for_heat_while_anything_else_is_against_a_direction(name) -> None:
    """S1: an operator who switched off charging or discharging opens it; cold and emptiness alone do not."""
    pack = warmed()
    pack.cycle(Request("switch", name, False, "uid 7"))
    pack.run(5000)
    assert not pack.closed
    assert not heats(pack)
    pack.cycle(Request("switch", name, True, "uid 7"))
    pack.until(heats, 1_200_000)


@pytest.mark.parametrize("mv", [2550, 2650])
def test_an_empty_pack_gives_nothing_for_heat_whoever_stands_ready(mv) -> None:
    """S4: below under-voltage, and below shutdown voltage."""
    pack = Pack(make_settings(heater_from_pack=True), cells=[mv] * 4, battery=list(COLD), charger_mv=14_400)
    pack.run(2 * READY_MS, 5000)
    assert why(pack) == Inhibit(InhibitCause.LOW_CHARGE, "cell_min")


def test_a_closed_contactor_makes_no_charger_of_a_pin_that_reads_high() -> None:
    """S3: joined, what the charger's side reads above the pack is an error of a pin."""
    pack = common(charger_mv=14_000)
    for _ in range(360):
        pack.current_ma = -OWN_MA if heats(pack) else 0
        pack.cycle(after_ms=5000)
    assert why(pack).because is InhibitCause.NOT_PAID


def test_the_heater_learns_nothing_where_none_is_fitted() -> None:
    pack = Pack(make_settings(heater_mohm=None), charger_mv=16_000, current_ma=5000)
    pack.run(10_000)
    assert pack.state.supply == begin(0).supply


def test_what_is_asked_for_heat_ends_with_the_voltage_that_it_is_reckoned_from() -> None:
    """S2: an unknown pack voltage."""
    pack = common()
    pack.cells = [3300, None, 3300, 3300]
    pack.cycle(after_ms=1001)
    assert pack.out is not None
    assert pack.out.limits.heat_ma == 0
    assert not heats(pack)
