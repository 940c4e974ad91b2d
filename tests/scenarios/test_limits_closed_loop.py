"""The limits with inverters that follow each in its own way: no swinging, no trip, and the charge is completed."""

from __future__ import annotations

import pytest

from bmsd.core import limits
from tests.scenarios.limits_day import IMAGES, INVERTERS, PACKS, PAGE, Seen, live, turns
from tests.support.effort import slow_but

OBEDIENT = [name for name, kind in INVERTERS.items() if kind.obedient]
MOST_TURNS = 4
"""Per hour; a loop that swings with a lag of 10 to 30 s turns a hundred times."""
QUICK = ["fast", "slow", "very-slow"]


def charge(inverter: str, pack: str, hours: float = 1.2, soc_percent: float = 88, **more: float) -> Seen:
    """Let the last part of a charge happen, with 90 A of sun and no load."""
    return live(
        inverter,
        pack,
        days_events=False,
        soc_percent=soc_percent,
        duration_s=hours * 3600,
        charger_a=90,
        load_w=0,
        **more,
    )


def highest(seen: Seen) -> int:
    return max(mv for mv in seen.rows["cell_max_mv"] if mv is not None)


def check(seen: Seen, most_mv: int) -> None:
    """See that it was quiet, safe and complete."""
    assert not seen.raised
    assert highest(seen) <= most_mv
    assert seen.turns_per_hour <= MOST_TURNS
    assert seen.full_at_h is not None
    assert seen.rows["charge_phase"][-1] == "rest"


@pytest.mark.parametrize(
    ("inverter", "pack"),
    slow_but([("fast", "healthy"), ("slow", "runaway")], [(one, pack) for one in QUICK for pack in PACKS]),
)
def test_an_obedient_inverter_completes_the_charge_without_a_trip(inverter, pack) -> None:
    """S1, fault class 10: with a cell far ahead, too; no alarm at all, so the contactor never opened."""
    check(charge(inverter, pack), {"fast": 3460, "slow": 3500, "very-slow": 3530}[inverter])


@pytest.mark.slow
@pytest.mark.parametrize("pack", PACKS)
def test_an_inverter_of_coarse_steps_completes_the_charge(pack) -> None:
    """It gives its whole current and none in turn, so that the current alone never looks like the end of a charge."""
    check(charge("coarse", pack), 3470)


@pytest.mark.slow
@pytest.mark.parametrize("error_v", [-0.3, 0.4])
def test_an_inverter_that_measures_wrong_does_not_carry_a_cell_into_over_voltage(error_v) -> None:
    """The charge voltage alone does not end a charge where it is exceeded: the current has to, before the contactor."""
    seen = charge("fast", "runaway", inverter_error_v=error_v)
    assert not seen.raised
    assert highest(seen) <= 3590
    assert seen.full_at_h is not None
    assert seen.rows["charge_phase"][-1] == "rest"


@pytest.mark.parametrize("inverter", slow_but(["deaf"], ["greedy", "deaf"]))
def test_an_inverter_that_takes_more_current_is_still_held_by_the_voltage(inverter) -> None:
    """Fault class 10: it may be warned about, but the cell that is ahead stays below over-voltage."""
    seen = charge(inverter, "runaway")
    assert not {name for _, name in seen.raised} - {"charge_limit_ignored", "charge_limit_enforced"}
    assert highest(seen) <= 3500
    assert seen.full_at_h is not None


@pytest.mark.slow
def test_without_the_lowering_of_the_charge_voltage_the_cell_would_reach_over_voltage(monkeypatch) -> None:
    """The test above can fail: with the charge voltage of the pack as a whole alone the deaf inverter trips it."""
    monkeypatch.setattr(limits, "_charge_mv", lambda _settings, _values, target_mv: target_mv)
    assert "cell_ovp" in {name for _, name in charge("deaf", "runaway").raised}


def test_the_measure_of_swinging_measures() -> None:
    assert turns([55.0, 54.9, 55.0, 54.9], 0.2) == 0
    assert turns([55.0, 54.7, 55.0, 54.7], 0.2) == 2
    assert turns([54.0, 54.3, 54.2, 54.5, 54.2, 54.6], 0.2) == 2
    assert turns([55.0, 54.9, 54.8, 54.7, 54.6], 0.2) == 0
    assert turns([], 0.2) == 0


def test_every_inverter_has_its_picture_and_its_lines_on_the_page() -> None:
    text = PAGE.read_text()
    for name, kind in INVERTERS.items():
        picture = IMAGES / f"limits-{name}.png"
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < 120_000
        assert f"images/{picture.name}" in text
        assert text.count(f"| {kind.title} |") == len(PACKS)
    assert "`cell_ovp`" not in text
