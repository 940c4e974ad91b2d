"""An inverter that does not keep its limits, and current past an open contactor: at the limit, one step beyond."""

from __future__ import annotations

import pytest

from bmsd.core.charging import Charging, Phase
from bmsd.core.soc import MAMS_PER_MAH, SocState
from bmsd.core.types import Request
from bmsd.tables.alarms import BOTH, BY_NAME, Block, Release
from tests.support.bench_inputs import Pack, make_settings
from tests.support.changed import replace

CCL_MA, DCL_MA, CVL_MV = 90_000, 135_000, 13_800
TOLERANCE_MA, TOLERANCE_MV = 5000, 120
"""5 % of 100 A, and 30 mV for each of four cells."""
REACT_MS, WARN_MS, CHARGE_MS, DISCHARGE_MS = 10_000, 20_000, 60_000, 300_000
RECOVERY_MS, STAYS_OPEN_MS = 10_000, 600_000
STAGES = [
    ("charge_limit_ignored", WARN_MS),
    ("voltage_limit_ignored", WARN_MS),
    ("discharge_limit_ignored", WARN_MS),
    ("charge_limit_enforced", CHARGE_MS),
    ("discharge_limit_enforced", DISCHARGE_MS),
]


def told(**fittings: object) -> Pack:
    """Give a started pack whose limits have been in force for long; over-current is out of the way."""
    chosen = {"charge_ocp_delay_ms": 120_000, "discharge_ocp_delay_ms": 120_000, "discharge_ocp_ma": 300_000}
    chosen["opening_wait_ms"] = 0
    pack = Pack(make_settings(chosen={**chosen, "discharge_max_ma": DCL_MA}, **fittings))
    pack.started()
    pack.run(2 * REACT_MS)
    assert pack.out is not None
    assert (pack.out.limits.charge_ma, pack.out.limits.discharge_ma) == (CCL_MA, DCL_MA)
    assert pack.out.limits.charge_mv == CVL_MV
    return pack


def exceed(pack: Pack, name: str, by: int) -> None:
    """Take this much more than what is told and tolerated."""
    if name.startswith("voltage"):
        mv = CVL_MV + TOLERANCE_MV + by
        pack.cells = [mv // 4, mv // 4, mv // 4, mv - 3 * (mv // 4)]
        pack.current_ma = TOLERANCE_MA + 1
    elif name.startswith("charge"):
        pack.current_ma = CCL_MA + TOLERANCE_MA + by
    else:
        pack.current_ma = -(DCL_MA + TOLERANCE_MA + by)


def past(pack: Pack, name: str, delay_ms: int, by: int = 1) -> Pack:
    """Exceed the limit for just its delay."""
    exceed(pack, name, by)
    pack.cycle()
    pack.cycle(after_ms=delay_ms)
    return pack


def carry_on(pack: Pack, for_ms: int) -> None:
    """Let time pass with cells that show that they live."""
    for _ in range(for_ms // 1000):
        pack.cells[0] = 3301 if pack.cells[0] == 3300 else 3300
        pack.run(1000)


each = pytest.mark.parametrize(("name", "delay_ms"), STAGES)
flows = pytest.mark.parametrize(
    ("name", "delay_ms"), [stage for stage in STAGES if "voltage" not in stage[0]]
)


@flows
def test_at_the_limit_and_its_tolerance_an_inverter_obeys(name, delay_ms) -> None:
    pack = told()
    exceed(pack, name, 0)
    carry_on(pack, delay_ms + 30_000)
    assert not pack.active()


@each
def test_one_step_beyond_is_told_at_its_delay_and_not_a_millisecond_before(name, delay_ms) -> None:
    """S1, fault class 10: a limit that is ignored is not a limit."""
    pack = told()
    exceed(pack, name, 1)
    pack.cycle()
    pack.cells = [mv + 1 for mv in pack.cells]
    pack.cycle(after_ms=delay_ms - 1)
    assert not pack.alarm(name).active
    pack.cycle(after_ms=1)
    assert pack.alarm(name).active


def test_at_the_voltage_and_its_tolerance_an_inverter_obeys() -> None:
    pack = told(cells=4)
    pack.cells = [(CVL_MV + TOLERANCE_MV) // 4] * 4
    # What is told falls with cells that stand above their charge voltage; the stretch before still counts.
    pack.current_ma = TOLERANCE_MA + 1
    state = pack.state.sent_limits
    for _ in range(200):
        pack.state = replace(pack.state, sent_limits=state)
        pack.cycle()
    assert not pack.active()


def test_a_full_pack_that_rests_above_its_charge_voltage_disobeys_nothing() -> None:
    """A charge voltage that was lowered takes no charge out of the pack: only who still charges ignores it."""
    pack = told()
    exceed(pack, "voltage_limit_ignored", 100)
    pack.current_ma = TOLERANCE_MA
    pack.run(600_000)
    assert not pack.active()


@pytest.mark.parametrize(("by", "obeys"), [(0, True), (1, False)])
def test_at_rest_an_inverter_is_held_to_what_the_pack_bears(by, obeys) -> None:
    """It asks for less then, which is a wish: one that goes by the voltage alone is not cut off for it."""
    pack = told()
    counter = SocState(
        charge_mams=pack.settings.capacity_mah * MAMS_PER_MAH,
        error_permille=5,
        full=True,
        last_ms=pack.now_ms,
    )
    limiting = replace(
        pack.state.limiting, charging=Charging(phase=Phase.REST, since_ms=pack.now_ms, from_mv=CVL_MV)
    )
    pack.state = replace(pack.state, soc=counter, limiting=limiting)
    pack.cycle()
    carry_on(pack, 2 * REACT_MS)
    assert pack.out.limits.charge_ma == 5 * CCL_MA // 100
    exceed(pack, "charge_limit_ignored", by)
    carry_on(pack, CHARGE_MS + 30_000)
    assert pack.state.limiting.charging.phase is Phase.REST
    assert (pack.active() == set()) is obeys
    assert pack.state.commands.charge is obeys


def test_first_a_warning_then_the_contactor_of_that_direction_alone() -> None:
    """Fault class 10: the house keeps its light while only the charger disobeys, and the other way round."""
    for name, warning in (("charge", "charge_limit_ignored"), ("discharge", "discharge_limit_ignored")):
        pack = told()
        exceed(pack, f"{name}_limit_ignored", 1)
        pack.until(lambda p, wanted=warning: p.alarm(wanted).active)
        assert pack.state.commands.charge
        assert pack.state.commands.discharge
        while not pack.alarm(f"{name}_limit_enforced").active:
            carry_on(pack, 1000)
        assert not getattr(pack.state.commands, name)
        assert getattr(pack.state.commands, "charge" if name == "discharge" else "discharge")


@flows
def test_it_ends_after_its_time_and_begins_anew(name, delay_ms) -> None:
    pack = past(told(), name, delay_ms)
    pack.current_ma = 0
    pack.cycle()
    release_ms = STAYS_OPEN_MS if name.endswith("enforced") else RECOVERY_MS
    pack.cycle(after_ms=release_ms - 1)
    assert pack.alarm(name).active
    pack.cycle(after_ms=1)
    assert not pack.alarm(name).active


@flows
def test_unknown_current_is_no_obedience(name, delay_ms) -> None:
    """S2: it stops no running delay, starts none, and releases nothing."""
    pack = told()
    exceed(pack, name, 1)
    pack.cycle()
    pack.current_ma = None
    pack.cycle(after_ms=delay_ms - 1)
    assert not pack.alarm(name).active
    pack.cycle(after_ms=1)
    assert pack.alarm(name).active
    pack.run(STAYS_OPEN_MS + 60_000, 1000)
    assert pack.alarm(name).active


@each
def test_unknown_values_alone_prove_no_disobedience(name, delay_ms) -> None:
    pack = told()
    pack.current_ma = None
    pack.run(delay_ms + 60_000, 1000)
    assert not pack.alarm(name).active


def test_an_unknown_pack_voltage_does_not_end_the_warning() -> None:
    """S2: as long as it charges beyond the tolerance, only a voltage can say that it obeys."""
    pack = past(told(), "voltage_limit_ignored", WARN_MS)
    pack.cells[1] = None
    pack.run(60_000)
    assert pack.alarm("voltage_limit_ignored").active


def test_a_new_limit_is_held_against_nobody_before_he_could_react() -> None:
    """Charging is forbidden: the old limit counts for the time an inverter is given, at most for twice that."""
    pack = told()
    # Another check would find what flows past the open contactor sooner.
    pack.settings = make_settings(chosen={"weld_current_ma": 50_000, "opening_wait_ms": 0})
    pack.current_ma = 50_000
    pack.run(1000)
    pack.cycle(Request("switch", "charge", on=False))
    assert pack.out is not None
    assert pack.out.limits.charge_ma == 0
    told_ms = pack.now_ms
    pack.until(lambda p: p.alarm("charge_limit_ignored").active)
    assert REACT_MS <= pack.now_ms - told_ms - WARN_MS <= 2 * REACT_MS + 250


def test_nothing_is_held_against_an_inverter_before_a_limit_was_in_force() -> None:
    pack = Pack(make_settings(chosen={"limit_react_ms": 120_000}))
    pack.current_ma = 99_000
    pack.run(119_000)
    assert not pack.alarm("charge_limit_ignored").active


def test_without_an_inverter_bus_nobody_was_told() -> None:
    """A pack without [can] tells its limits to no one, so no one ignores them."""
    pack = told(limits_told=False)
    exceed(pack, "charge_limit_ignored", 3000)
    pack.run(110_000)
    assert not pack.active()


def test_the_pack_s_own_heater_is_not_held_against_the_inverter() -> None:
    for from_pack, found in ((True, False), (False, True)):
        pack = told(heater_from_pack=from_pack)
        exceed(pack, "discharge_limit_ignored", 3000)
        pack.run(30_000)
        assert pack.alarm("discharge_limit_ignored").active is found


# --- Past an open contactor -------------------------------------------------------------------------------------

SIGN = {"charge": 1, "discharge": -1}
both_ways = pytest.mark.parametrize("name", ["charge", "discharge"])


def opened(name: str) -> Pack:
    """Give a pack of which one contactor is open by an operator's wish."""
    pack = told(limits_told=False)
    pack.cycle(Request("switch", name, on=False))
    pack.run(1000)
    return pack


@both_ways
def test_current_past_an_open_contactor_opens_the_other_one_too(name) -> None:
    """S1: a charger on the load side, or a weld: the other way is the one that current takes."""
    pack = opened(name)
    other = "discharge" if name == "charge" else "charge"
    pack.current_ma = SIGN[name] * (TOLERANCE_MA + 1)
    pack.cycle()
    pack.cycle(after_ms=WARN_MS - 1)
    assert not pack.active()
    assert getattr(pack.state.commands, other)
    pack.cycle(after_ms=1)
    assert pack.active() == {f"{name}_past_contactor"}
    assert pack.alarm(f"{name}_past_contactor").value == TOLERANCE_MA + 1
    assert not getattr(pack.state.commands, other)
    pack.current_ma = 0
    pack.cycle()
    pack.cycle(after_ms=STAYS_OPEN_MS - 1)
    assert pack.active()
    pack.cycle(after_ms=1)
    assert not pack.active()


@both_ways
def test_the_tolerance_itself_and_the_other_direction_are_no_fault(name) -> None:
    pack = opened(name)
    pack.current_ma = SIGN[name] * TOLERANCE_MA
    pack.run(100_000)
    pack.current_ma = -SIGN[name] * 60_000
    pack.run(100_000)
    assert not pack.active()


@both_ways
def test_an_unknown_current_does_not_end_it(name) -> None:
    """S2."""
    pack = opened(name)
    pack.current_ma = SIGN[name] * 50_000
    pack.run(WARN_MS + 1000)
    assert pack.alarm(f"{name}_past_contactor").active
    pack.current_ma = None
    pack.run(60_000)
    assert pack.alarm(f"{name}_past_contactor").active


def test_a_contactor_that_has_just_opened_may_still_break_its_arc() -> None:
    pack = told(limits_told=False)
    pack.current_ma = 50_000
    pack.cycle(Request("switch", "charge", on=False))
    pack.cycle(after_ms=499)
    pack.cycle(after_ms=1)
    pack.cycle(after_ms=WARN_MS - 1)
    assert not pack.alarm("charge_past_contactor").active
    pack.cycle(after_ms=1)
    assert pack.alarm("charge_past_contactor").active


def test_a_heater_fed_by_the_pack_flows_past_the_discharge_contactor() -> None:
    pack = Pack(make_settings(heater_from_pack=True, limits_told=False)).started()
    pack.cycle(Request("switch", "discharge", on=False))
    pack.current_ma = -(TOLERANCE_MA + 3000)
    pack.run(60_000)
    assert not pack.active()
    pack.current_ma = -(TOLERANCE_MA + 3001)
    pack.run(60_000)
    assert "discharge_past_contactor" in pack.active()


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("charge_limit_ignored", Block.NONE),
        ("discharge_limit_ignored", Block.NONE),
        ("voltage_limit_ignored", Block.NONE),
        ("charge_limit_enforced", Block.CHARGE),
        ("discharge_limit_enforced", Block.DISCHARGE),
        ("charge_past_contactor", BOTH),
        ("discharge_past_contactor", BOTH),
    ],
)
def test_the_rows_block_as_the_rules_say_and_end_by_themselves(name, blocks) -> None:
    assert BY_NAME[name].blocks == blocks
    assert BY_NAME[name].ends is Release.ITSELF


# --- Limits that move -------------------------------------------------------------------------------------------


def follow(late_ms: int, cell_from: int = 3440, cell_to: int = 3595) -> Pack:
    """Let the highest cell climb for two minutes, and the charger take what it was told some time ago."""
    pack = told()
    heard = [CCL_MA] * (late_ms // 250 + 1)
    for step in range(480):
        pack.cells = [3300, 3301, 3302, cell_from + (cell_to - cell_from) * step // 480]
        pack.current_ma = heard[-1 - late_ms // 250]
        heard.append(pack.cycle().limits.charge_ma)
    assert heard[-1] < CCL_MA // 10
    return pack


def test_a_limit_that_falls_accuses_nobody_who_follows_in_his_time() -> None:
    """Fault class 10: every fall is told in its cycle, and each is given its time."""
    assert not follow(REACT_MS).found()
    assert not follow(0).found()


def test_a_limit_that_falls_and_falls_finds_who_does_not_follow() -> None:
    pack = told()
    pack.current_ma = CCL_MA
    for step in range(480):
        pack.cells = [3300, 3301, 3302, 3440 + 155 * step // 480]
        pack.cycle()
    assert "charge_limit_ignored" in pack.active()


def test_a_limit_that_rises_slowly_is_the_one_an_inverter_is_held_to() -> None:
    """What counts is what is told, with its hold, not what the cells would bear already."""
    pack = told()
    pack.cells = [3300, 3301, 3302, 3558]
    pack.current_ma = 10_000
    low_ma = pack.cycle().limits.charge_ma
    assert low_ma == CCL_MA * 169 // 1000
    pack.cells = [3300, 3301, 3302, 3400]
    pack.run(29_000)
    assert pack.out is not None
    assert pack.out.limits.charge_ma == low_ma
    assert pack.out.limits.charge_reason == "recovering"
    told_before = pack.state.sent_limits
    assert told_before.now is not None
    assert told_before.now.charge_ma == low_ma
