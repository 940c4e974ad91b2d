"""Random lives on the bench: some every day, more with `--all`, thousands with `./run campaign`."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from bmsd.tables.alarms import BY_NAME, Release
from bmsd.tables.chemistries import CHEMISTRIES
from tests.campaign import lives
from tests.campaign.lives import FAULTS, OF_A_CELL, Break, draw
from tests.campaign.oracle import Oracle
from tests.campaign.outcome import EXPLAINED, Outcome
from tests.campaign.player import Player
from tests.campaign.run import figures
from tests.support.effort import slow_but

EVERYDAY = (2, 3)
FOUND = (36, 432, 472, 609, 709, 1023, 1392)
"""Lives that once did not come back: cells that grew warm under a heater, a chip whose trip a heater held, a charge
voltage that a wrong reading had lowered, and cells at rest that passed for frozen when a wire broke; a chip that
tripped or reset between two polls, and a heater that took twice its current, both told as a broken contactor."""
CALM = replace(
    draw(2),
    chemistry="lifepo4",
    topology="split",
    supply="charger",
    contacts=True,
    breaks=(),
    start_c=20.0,
    soc=0.5,
)


@pytest.mark.parametrize("number", slow_but(EVERYDAY, (*range(1, 13), *FOUND)))
def test_a_random_life_breaks_no_rule_and_comes_back(number) -> None:
    """S1, S3, S4, S12, S15: judged in the plant's truth, whatever breaks."""
    outcome = Player(draw(number)).live()
    assert not outcome.is_bad, outcome.told


def test_a_number_is_always_the_same_life() -> None:
    assert draw(29) == draw(29)
    assert draw(29) != draw(30)


@pytest.mark.parametrize("period_ms", [250, 1000])
def test_what_a_life_changes_is_changed_when_it_says(period_ms: int) -> None:
    """And not at the cycle before: an armature that was moving then is where it went."""
    player = Player(replace(CALM, period_ms=period_ms))
    for at_s, at_ms in ((3.0, 3000), (3.3, 3300), (3.301, 3301)):
        player._run_until(at_s)
        assert player.bench.plant.time_ms == at_ms


def test_every_fault_pack_and_inverter_is_drawn() -> None:
    drawn = [draw(number) for number in range(1, 2001)]
    assert {one.name for life in drawn for one in life.breaks} == set(FAULTS)
    for kind, wanted in (("topology", lives.TOPOLOGIES), ("cells", lives.CELLS), ("chemistry", CHEMISTRIES),
                         ("inverter", lives.INVERTERS), ("supply", ("charger", "pack"))):  # fmt: skip
        assert {getattr(life, kind) for life in drawn} == set(wanted)
    assert set(FAULTS) >= OF_A_CELL


def test_every_explained_latch_is_one_and_its_faults_exist() -> None:
    for name, faults in EXPLAINED.items():
        assert BY_NAME[name].ends is Release.OPERATOR
        assert faults <= set(FAULTS)


class TruthBehind:
    """A plant as a test wants it to be."""

    def __init__(self, **more) -> None:
        self.cells = SimpleNamespace(
            volts=more.get("volts", [3.3] * 4),
            kind=SimpleNamespace(plates=True),
            pack_v=13.2,
            source=lambda: (13.2, 0.003),
        )
        self.heat = SimpleNamespace(pack_c=more.get("pack_c", 20.0))
        self.current_a = more.get("current_a", 0.0)
        heater = SimpleNamespace(closed=more.get("heats", False))
        self.circuit = SimpleNamespace(charger_joined=True, load_joined=True, heater=heater, inrush_a=3000.0)
        self.circuit.hard_closings = more.get("hard", 0)


@pytest.mark.parametrize(
    ("rule", "truth"),
    [
        ("over-charge", {"volts": [3.3, 3.3, 3.3, 3.75], "current_a": 20.0}),
        ("over-discharge", {"volts": [3.3, 3.3, 1.8, 3.3], "current_a": -20.0}),
        ("charge in the cold", {"pack_c": -8.0, "current_a": 20.0}),
        ("charge in the heat", {"pack_c": 60.0, "current_a": 20.0}),
        ("heat into a warm pack", {"pack_c": 25.0, "heats": True}),
        ("heat beside a charge", {"pack_c": -8.0, "heats": True, "current_a": 20.0}),
        ("inrush", {"hard": 1}),
    ],
)
def test_the_oracle_objects(rule, truth) -> None:
    """An oracle that never objects proves nothing."""
    oracle = Oracle(CALM, Player(CALM).config.parameters, TruthBehind(**truth))
    for now_ms in range(0, 61_000, 500):
        oracle.look(now_ms, None)
    assert any(one.startswith(rule) for one in oracle.broken)
    calm = Oracle(CALM, Player(CALM).config.parameters, TruthBehind())
    for now_ms in range(0, 61_000, 500):
        calm.look(now_ms, None)
    assert calm.broken == []


def test_a_pack_that_is_kept_open_is_not_back(monkeypatch) -> None:
    """What keeps it open is told; a contactor that nobody mends is no health."""
    monkeypatch.setattr(lives, "BROKEN_S", 60)
    broken = (Break(name="charge_stuck_open", at_s=1.0, lasts_s=3.0, cell=1),)
    player = Player(replace(CALM, breaks=broken, weather=()))
    player._heal = lambda: None  # type: ignore[method-assign]
    player._break = lambda one, _on: player.bench.fault(one.name, True)  # type: ignore[method-assign]
    outcome = player.live()
    assert outcome.back_s is None
    assert outcome.is_latched
    assert not Outcome(1, "", latched=("cell_floor",)).is_latched


def test_the_figures_count_each_kind_once() -> None:
    outcomes = [
        Outcome(1, "one", back_s=60.0),
        Outcome(2, "two", broken=["inrush"]),
        Outcome(3, "three", back_s=30.0),
    ]
    text = figures(outcomes, 1)
    assert "| all | 3 | 1 | 2 | 1.0 min | 0 | 0 | 1 |" in text
    for kind in ("topology", "chemistry"):
        rows = [line.split("|")[2] for line in text.splitlines() if line.startswith(f"| {kind} ")]
        assert sum(map(int, rows)) == 3
