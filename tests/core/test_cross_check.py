"""Current and voltages that cannot both be true: found after a stated number of jumps, never at rest."""

from __future__ import annotations

import pytest

from bmsd.core import cross_check
from bmsd.tables.alarms import BOTH, BY_NAME, EVERYTHING, Block, Release
from tests.support.bench_inputs import Pack, make_settings

FOUR_CYCLES_MS = 1000
"""As many readings as are averaged on either side of a jump."""
LOADED_MA = -50_000


def house(mv: int = 3300, **more: object) -> Pack:
    """Give a started pack of equal cells, 100 Ah, that has rested for some seconds."""
    pack = Pack(**more)  # type: ignore[arg-type]
    pack.cells = [mv] * 4
    pack.started()
    pack.run(5000)
    return pack


def turn(pack: Pack, mv: int | None, ma: int | None, for_ms: int = FOUR_CYCLES_MS) -> None:
    """Let all cells and the current read this for a while."""
    pack.cells = [mv] * 4
    pack.current_ma = ma
    pack.run(for_ms)


def swing(pack: Pack, times: int, mv: tuple[int, int], ma: tuple[int, int]) -> None:
    """Let a load come and go: each time is one jump, the first one down."""
    for n in range(times):
        turn(pack, mv[(n + 1) % 2], ma[(n + 1) % 2])


# --- A current reading that stands still ------------------------------------------------------------------------


def test_cells_that_jump_four_times_without_current_prove_it_lost() -> None:
    """S2, fault class 7: a shunt wire is off; found at the fourth jump of the cells and not at the third."""
    pack = house()
    swing(pack, 3, (3300, 3290), (0, 0))
    assert not pack.alarm("current_implausible").active
    assert pack.state.commands.discharge
    turn(pack, 3300, 0)
    assert pack.alarm("current_implausible").active
    assert pack.alarm("current_implausible").value == 0
    assert not pack.state.commands.charge
    assert not pack.state.commands.discharge


def test_a_current_frozen_at_a_value_is_found_as_one_frozen_at_zero() -> None:
    """S2, fault class 2: standing still is the fault, not the number."""
    pack = house()
    turn(pack, 3290, LOADED_MA)
    turn(pack, 3300, 20_000, 5000)
    swing(pack, 4, (3300, 3290), (20_000, 20_000))
    assert pack.alarm("current_implausible").active
    assert pack.alarm("current_implausible").value == 20_000


def test_jumps_of_a_millivolt_less_prove_nothing() -> None:
    pack = house()
    swing(pack, 100, (3300, 3291), (0, 0))
    assert not pack.active()


def test_a_current_that_stirs_by_more_than_noise_lives() -> None:
    """The reading may move by 1/200 of the capacity per hour and still stand; a milliampere more is life."""
    for stir_ma, found in ((500, True), (501, False)):
        pack = house()
        swing(pack, 12, (3300, 3290), (0, stir_ma))
        assert pack.alarm("current_implausible").active is found, stir_ma


def test_jumps_all_one_way_are_a_pack_that_empties() -> None:
    """A cell at its knee falls fast at a constant current; it does not rise again."""
    pack = house()
    for mv in range(3290, 2900, -10):
        turn(pack, mv, 0, 2000)
    assert not pack.alarm("current_implausible").active


def test_a_glitch_of_one_reading_is_no_jump() -> None:
    """Fault class 1: one scan disturbed on all cells, once a second for ten minutes."""
    pack = house()
    for n in range(600):
        turn(pack, 3300 + (100 if n % 2 else -100), 0, 250)
        turn(pack, 3300, 0, 750 + 250 * (n % 3))
    assert not pack.active()


@pytest.mark.slow
def test_four_jumps_further_apart_than_an_hour_prove_nothing() -> None:
    for pause_ms, found in ((800_000, True), (1_300_000, False)):
        pack = house()
        for n in range(4):
            turn(pack, 3290 if n % 2 == 0 else 3300, 0, pause_ms)
        assert pack.alarm("current_implausible").active is found, pause_ms


def test_one_jump_with_its_current_clears_the_suspicion() -> None:
    pack = house()
    swing(pack, 3, (3300, 3290), (0, 0))
    turn(pack, 3320, 50_000)
    turn(pack, 3300, 0, 5000)
    swing(pack, 3, (3300, 3290), (0, 0))
    assert not pack.active()


@pytest.mark.parametrize("lost", ["current", "cell", "poll"])
def test_an_unknown_value_neither_proves_nor_clears(lost) -> None:
    """S2: what is seen before and after still counts."""
    pack = house()
    swing(pack, 3, (3300, 3290), (0, 0))
    if lost == "current":
        pack.current_ma = None
    elif lost == "cell":
        pack.cells[0] = None
    pack.polled = lost != "poll"
    pack.run(1500)
    assert not pack.alarm("current_implausible").active
    pack.polled = True
    turn(pack, 3290, 0, 3000)
    turn(pack, 3300, 0)
    assert pack.alarm("current_implausible").active


def test_it_waits_for_its_operator_and_begins_anew() -> None:
    """S13: open contactors show nothing, so the alarm cannot end by itself, and survives a restart."""
    pack = house()
    swing(pack, 4, (3300, 3290), (0, 0))
    pack.run(3_600_000, 1000)
    assert pack.alarm("current_implausible").active
    assert pack.reset("current_implausible")
    swing(pack, 3, (3300, 3290), (0, 0))
    assert not pack.alarm("current_implausible").active


# --- A current with the wrong sign ------------------------------------------------------------------------------


def test_six_jumps_against_the_current_prove_the_sign_wrong() -> None:
    """S2, fault class 7: the sixth and not the fifth."""
    pack = house()
    swing(pack, 5, (3300, 3290), (0, 50_000))
    assert not pack.alarm("current_reversed").active
    turn(pack, 3300, 0)
    assert pack.alarm("current_reversed").active
    assert not pack.state.commands.charge
    assert not pack.state.commands.discharge
    pack.run(3_600_000, 1000)
    assert pack.reset("current_reversed")


def test_jumps_of_a_millivolt_less_say_nothing_of_the_sign() -> None:
    pack = house()
    swing(pack, 100, (3300, 3291), (0, 50_000))
    assert not pack.alarm("current_reversed").active


def test_a_small_change_of_current_has_no_sign() -> None:
    """A cell that recovers from a heavy load rises while a small one comes: 1/20 of the capacity and not more."""
    for change_ma, found in ((5000, False), (5001, True)):
        pack = house()
        swing(pack, 20, (3300, 3290), (0, change_ma))
        assert pack.alarm("current_reversed").active is found, change_ma


def test_one_jump_the_right_way_clears_five_wrong_ones() -> None:
    pack = house()
    for _ in range(10):
        swing(pack, 5, (3300, 3290), (0, 50_000))
        turn(pack, 3280, LOADED_MA)
    assert not pack.alarm("current_reversed").active


# --- All cells frozen -------------------------------------------------------------------------------------------


def test_current_that_swings_four_times_past_cells_that_do_not_move() -> None:
    """S2, fault class 2: the converter is stuck, though the chip answers and counts its scans."""
    pack = house()
    swing(pack, 3, (3300, 3300), (0, LOADED_MA))
    assert not pack.alarm("cells_frozen").active
    turn(pack, 3300, 0)
    assert pack.alarm("cells_frozen").active
    assert not pack.state.commands.charge
    assert not pack.state.commands.discharge


@pytest.mark.parametrize(("swing_ma", "found"), [(10_000, False), (10_001, True)])
def test_a_swing_counts_beyond_a_tenth_of_the_capacity(swing_ma, found) -> None:
    pack = house()
    swing(pack, 20, (3300, 3300), (0, -swing_ma))
    assert pack.alarm("cells_frozen").active is found


def test_one_millivolt_of_one_cell_or_of_the_stack_is_life() -> None:
    pack = house()
    for n in range(50):
        swing(pack, 2, (3300, 3300), (0, LOADED_MA))
        if n % 2:
            pack.cells[2] = 3301
        else:
            pack.stack = 13_201
        pack.cycle()
        pack.stack = "sum"
        assert not pack.active()


def test_a_tenth_of_the_capacity_cannot_pass_unseen() -> None:
    """A constant current through cells that stand still: 10 Ah of 100 Ah at 50 A take 720 s."""
    pack = house()
    turn(pack, 3300, 50_000, 720_000)
    assert not pack.alarm("cells_frozen").active
    pack.run(500)
    assert pack.alarm("cells_frozen").active


@pytest.mark.slow
def test_what_an_offset_pretends_to_carry_is_not_counted() -> None:
    """Fault class 1: a pack at rest for a week, with a shunt that reads 1/50 of the capacity."""
    pack = house()
    turn(pack, 3300, 2000, 1000)
    pack.run(7 * 86_400_000, 1000 * 60)
    assert not pack.active()


def test_frozen_cells_that_move_again_are_believed_after_the_recovery_time() -> None:
    pack = house()
    swing(pack, 4, (3300, 3300), (0, LOADED_MA))
    pack.cells = [3300, 3301, 3300, 3300]
    pack.cycle()
    pack.cycle(after_ms=9999)
    assert pack.alarm("cells_frozen").active
    pack.cycle(after_ms=1)
    assert not pack.alarm("cells_frozen").active


def test_unknown_cells_do_not_end_it() -> None:
    """S2: only another reading is life."""
    pack = house()
    swing(pack, 4, (3300, 3300), (0, LOADED_MA))
    pack.polled = False
    pack.run(60_000)
    assert pack.alarm("cells_frozen").active
    pack.polled = True
    pack.cells[1] = None
    pack.run(60_000)
    assert pack.alarm("cells_frozen").active


# --- Nothing of it at rest, and what the rows say ---------------------------------------------------------------


@pytest.mark.slow
def test_a_pack_at_rest_for_days_raises_nothing() -> None:
    """Fault class 1: every reading the same for three days, to the last bit."""
    pack = house()
    pack.run(3 * 86_400_000, 10_000)
    assert not pack.active()
    assert pack.state.cross_check.dead == pack.state.cross_check.wrong == pack.state.cross_check.swings == 0


@pytest.mark.parametrize(
    ("name", "blocks", "ends"),
    [
        ("current_implausible", BOTH | Block.HEATER, Release.OPERATOR),
        ("current_reversed", BOTH | Block.HEATER, Release.OPERATOR),
        ("cells_frozen", EVERYTHING, Release.ITSELF),
    ],
)
def test_the_rows_block_and_end_as_the_rules_say(name, blocks, ends) -> None:
    """S1: a pack that is measured wrongly is not used."""
    assert BY_NAME[name].blocks == blocks
    assert BY_NAME[name].ends is ends


@pytest.mark.parametrize(("chemistry", "base"), [("lifepo4", 3300), ("li-ion", 3700), ("lto", 2300)])
def test_the_jump_is_a_parameter(chemistry, base) -> None:
    pack = house(base, settings=make_settings(chemistry, chosen={"physics_step_mv": 5}))
    swing(pack, 4, (base, base - 4), (0, 0))
    assert not pack.active()
    pack.run(5000)
    swing(pack, 4, (base, base - 5), (0, 0))
    assert pack.alarm("current_implausible").active


def test_nothing_is_judged_on_a_short_memory() -> None:
    """After a start or a lost reading there must be a whole window before a jump is one."""
    pack = Pack()
    for n in range(2 * cross_check.WINDOW - 1):
        pack.cells = [3300 - 40 * (n % 2)] * 4
        pack.cycle()
    assert pack.state.cross_check.up is None
