"""An inverter that does not obey, a configuration that is wrong, an override that is asked for again and again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bmsd.core.alarms import is_active
from bmsd.daemon.main import checked_config
from bmsd.errors import ConfigError
from bmsd.sim.bench import Bench
from bmsd.sim.plant import Plant, PlantSettings
from bmsd.sim.runner import Virtual
from tests.fault_classes.fault_bench import A_CYCLE_MORE_S, LONGEST_WAIT_S, PERIOD_S, Pack, config_of
from tests.support.effort import slow_but

pytestmark = pytest.mark.timeout(400)  # of processor time there is little on a busy machine

SIDES = [("charge", {"charger_a": 60}), ("discharge", {"load_w": 3000})]
HALF_AN_HOUR_S = 1800


# 10  Inverter


def deaf(topology: str, **values: float) -> Pack:
    """Give a pack whose inverter takes 60 A or 3 kW and is allowed 20 A."""
    chosen = {"charge_max_ma": 20_000, "discharge_max_ma": 20_000}
    pack = Pack(topology, **chosen)
    pack.started()
    pack.fault("inverter_ignores_limits")
    pack.run(15)
    pack.set(**values)
    return pack


@pytest.mark.fault_class(10, "alone")
@pytest.mark.parametrize("topology", slow_but(["split"], ["split", "common"]))
@pytest.mark.parametrize(("name", "values"), SIDES)
def test_limits_that_are_ignored_are_told_and_then_enforced(topology, name, values) -> None:
    """S1: told after 20 s; charging ends after a minute, discharging after five; it is tried again, not hammered."""
    pack = deaf(topology, **values)
    p = pack.config.parameters
    begun_s = pack.now_s
    pack.trips(f"{name}_limit_ignored", 25)
    allowed_s = getattr(p, f"{name}_enforce_delay_ms") / 1000
    side = 0 if name == "charge" else 1
    pack.until(lambda: not pack.carries[side], allowed_s + 5)
    assert pack.now_s - begun_s <= allowed_s + 10
    assert pack.active[f"{name}_limit_enforced"] is None
    if topology == "common":
        return  # The contactor is tried for the other direction's sake: the test after this one.
    pack.stays(p.limit_enforce_release_ms / 1000 - 30, lambda: not pack.carries[side])


@pytest.mark.slow
@pytest.mark.fault_class(10, "alone")
def test_a_deaf_load_on_a_common_contactor_gets_a_cycle_of_each_try() -> None:
    """S1, S12: tried after five minutes, so that a charger finds a way in; opened in the cycle in which it draws."""
    pack = deaf("common", load_w=3000)
    p = pack.config.parameters
    pack.trips("discharge_not_stopped", 320)
    pack.stays(p.forbidden_flow_release_ms / 1000 - 30, lambda: not pack.carries[1])
    drawn_s, tries = 0.0, pack.moves("main")
    for _ in range(round(p.limit_enforce_release_ms / 1000 / PERIOD_S)):
        pack.cycle()
        drawn_s += PERIOD_S * (pack.amperes < -5)
    assert pack.moves("main") - tries == 1
    assert drawn_s <= A_CYCLE_MORE_S


@pytest.mark.fault_class(10, "alone")
def test_a_charger_that_passes_its_voltage_is_ended_by_the_cells() -> None:
    """S1: runs away past every voltage; the first cell that is too high ends it."""
    pack = Pack(plant={"initial_soc": 0.96}).started()
    pack.fault("charger_runaway")
    pack.fault("inverter_ignores_limits")
    pack.set(charger_a=85)
    while pack.contacts["charge"]:
        pack.run(1)
        assert pack.highest_v < 3.7, pack.active
    assert {"cell_ovp", "pack_ovp", "charge_limit_enforced"} & set(pack.active)


@pytest.mark.fault_class(10, "second")
@pytest.mark.parametrize("topology", ["split", "common"])
def test_a_deaf_inverter_is_cut_off_from_a_cell_that_is_too_high(topology) -> None:
    """S1: it would take a minute for its limit; a cell above over-voltage has one second and the contactor's wait."""
    pack = deaf(topology, charger_a=60)
    pack.run(5)
    pack.cell(7, offset_mv=330)
    open_s = 1.0 + LONGEST_WAIT_S + A_CYCLE_MORE_S
    # A common contactor first tells zero and watches what comes of it.
    within_s = open_s if topology == "split" else 1.0 + pack.config.parameters.forbidden_flow_ms / 1000 + 1.0
    pack.until(lambda: not pack.carries[0], within_s)
    pack.cell(7, offset_mv=0)
    pack.fault("inverter_ignores_limits", False)
    pack.until(lambda: "cell_ovp" not in pack.active, 30)


@pytest.mark.fault_class(10, "second")
def test_a_cold_pack_with_a_deaf_hybrid_inverter_is_not_charged() -> None:
    """S1, S3: one contactor for both ways; it opens after the delay of a forbidden current, and stays open."""
    pack = deaf("common", charger_a=60)
    pack.set(ambient_c=-5, pack_c=-3)
    p = pack.config.parameters
    within_s = (p.temperature_delay_ms + p.forbidden_flow_ms) / 1000 + 2
    pack.until(lambda: not pack.contacts["main"], within_s)
    pack.stays(p.forbidden_flow_release_ms / 1000 - 20, lambda: pack.amperes < 1)
    assert "charge_utp" in pack.active


# 17  Configuration

EXAMPLE = (Path(__file__).resolve().parents[2] / "etc" / "bmsd.toml").read_text(encoding="utf-8")
WRONG = {
    "limits crossed": ("charge_ocp_a = 100", "charge_ocp_a = 100\ncell_ovp_v = 3.3", "cell_ovp_v"),
    "a sign": ("charge_ocp_a = 100", "charge_ocp_a = -100", "charge_ocp_a"),
    "a unit": ("capacity_ah = 280", "capacity_ah = 280000", "capacity_ah"),
    "cell count": ("cells = 16", "cells = 17", "cells"),
    "chemistry": ('chemistry = "lifepo4"', 'chemistry = "lifepo"', "chemistry"),
    "shunt": ("shunt_mohm = 0.25", "shunt_mohm = -0.25", "shunt_mohm"),
    "an unknown key": ("cells = 16", "cells = 16\ncels = 16", "cels"),
    "a heater too strong": ("resistance_ohm = 24.0", "resistance_ohm = 5.0", "resistance_ohm"),
}


def refused(folder: Path, *names: str) -> str:
    """Change the example, and give what is said against it."""
    text = EXAMPLE
    for name in names:
        old, new, _ = WRONG[name]
        assert f"\n{old}" in text, f"the example has no line {old}"
        text = text.replace(f"\n{old}", f"\n{new}", 1)
    path = folder / "bmsd.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        checked_config(path)
    return "\n".join(error.value.problems)


@pytest.mark.fault_class(17, "alone")
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_configuration_is_refused_by_name(tmp_path, name) -> None:
    """S8: nothing is started."""
    assert WRONG[name][2] in refused(tmp_path, name)


@pytest.mark.fault_class(17, "alone")
def test_one_cell_too_few_in_the_configuration_closes_nothing(monkeypatch) -> None:
    """S2, S13: a pack of 16 configured as 15: the cells do not add up to the stack."""
    whole = Plant.sense
    monkeypatch.setattr(
        Plant, "sense", lambda plant: (seen := whole(plant))._replace(cell_mv=seen.cell_mv[:15])
    )
    config = replace(config_of("split"), cells=15)
    bench = Bench(config, PlantSettings(cells=16), happenings=())
    virtual = Virtual(config, bench)
    for cycle in range(240):
        virtual.cycle(cycle * 250)
        assert not bench.plant.circuit.charge.closed
        assert not bench.plant.circuit.discharge.closed
    assert is_active(virtual.control.state.alarms, "stack_mismatch")


@pytest.mark.fault_class(17, "second")
@pytest.mark.parametrize("first", WRONG)
def test_two_mistakes_are_told_together(tmp_path, first) -> None:
    """S8: mending one must not be how the other is found."""
    second = "a sign" if first != "a sign" else "chemistry"
    if first == "limits crossed":
        second = "a unit"
    told = refused(tmp_path, first, second)
    assert WRONG[first][2] in told
    assert WRONG[second][2] in told


# 19  Override


def empty() -> Pack:
    """Give an empty pack that feeds the house on somebody's word."""
    pack = Pack().started()
    pack.cell(5, offset_mv=-640)
    pack.set(load_w=500)
    pack.trips("cell_uvp", 6)
    pack.until(lambda: not pack.contacts["discharge"], 5)
    pack.override(who="anna")
    pack.until(lambda: pack.contacts["discharge"], 60)
    return pack.run(10)


def emergencies(pack: Pack) -> list[tuple[str, str, str]]:
    return [(e.kind, e.state, e.who) for e in pack.told if e.kind in ("emergency", "request")]


@pytest.mark.slow
@pytest.mark.fault_class(19, "alone")
def test_asking_again_and_again_makes_it_no_longer_and_is_told_with_who() -> None:
    """S10: half an hour from the first word, whoever repeats it; announced all the time; each word is an event."""
    pack = empty()
    begun_s = next(e.at_ms for e in pack.told if e.kind == "emergency") / 1000
    asked = 1
    while pack.now_s < begun_s + HALF_AN_HOUR_S - 61:
        pack.override(who=f"ben-{asked}")
        asked += 1
        pack.stays(60, lambda: "emergency_override" in pack.active)
    pack.until(lambda: not pack.contacts["discharge"], 120)
    ended_s = next(e.at_ms for e in pack.told if e.kind == "emergency" and e.state == "ended") / 1000
    assert ended_s == pytest.approx(begun_s + HALF_AN_HOUR_S, abs=0.5)
    words = emergencies(pack)
    assert next(word[2] for word in words if word[1] == "on") == "anna"
    assert {f"ben-{n}" for n in range(1, asked)} <= {who for _, _, who in words}
    pack.stays(60, lambda: not pack.contacts["discharge"] and "cell_uvp" in pack.active)


@pytest.mark.fault_class(19, "alone")
def test_a_restart_ends_it() -> None:
    """S10, S13: the alarm that it lifted is still there."""
    pack = empty()
    pack.restart()
    pack.stays(60, lambda: not pack.contacts["discharge"])
    assert "cell_uvp" in pack.active
    assert "emergency_override" not in pack.active


@pytest.mark.fault_class(19, "alone")
def test_it_lifts_no_more_current_than_a_fifth() -> None:
    """S10: what an empty pack is asked for is bounded."""
    pack = empty()
    assert pack.out.limits.discharge_ma == pack.config.parameters.discharge_max_ma // 5


BEYOND = {
    "short circuit": lambda pack: pack.fault("load_short"),
    "hot switches": lambda pack: (pack.set(ambient_c=60), pack.set(board_c=120)),
    "lost cell": lambda pack: pack.fault("cell_open_wire", True, 9),
    "a cell below its floor": lambda pack: pack.cell(5, offset_mv=-1500),
    "too warm": lambda pack: pack.set(pack_c=65),
}


@pytest.mark.fault_class(19, "second")
@pytest.mark.parametrize("name", BEYOND)
def test_beyond_its_last_limits_it_lifts_nothing(name) -> None:
    """S10: the override is in force and the pack feeds the house; then this; asking again changes nothing."""
    pack = empty()
    BEYOND[name](pack)
    pack.until(lambda: not pack.contacts["discharge"], 5)
    for _ in range(5):
        pack.override(who="ben")
        pack.stays(5, lambda: not pack.contacts["discharge"])
    assert not pack.out.discharge_allowed


@pytest.mark.fault_class(19, "second")
def test_it_charges_no_cold_pack() -> None:
    """S10, S3: for a cell that is too high it lifts charging; for the cold it does not."""
    pack = Pack(plant={"initial_soc": 0.6}).started()
    pack.set(charger_a=20)
    pack.cell(5, offset_mv=290)
    pack.trips("cell_ovp", 5)
    pack.override()
    pack.until(lambda: pack.contacts["charge"], 30)
    pack.set(ambient_c=-5, pack_c=-3)
    pack.until(lambda: not pack.contacts["charge"], 5)
    pack.stays(60, lambda: not pack.contacts["charge"])


@pytest.mark.fault_class(19, "second")
def test_it_charges_no_cell_beyond_its_margin() -> None:
    """S10: 50 mV above over-voltage ends it at once and for good, though the cell goes back."""
    pack = Pack(plant={"initial_soc": 0.6}).started()
    pack.cell(5, offset_mv=290)
    pack.trips("cell_ovp", 5)
    pack.override()
    pack.until(lambda: pack.contacts["charge"], 30)
    pack.cell(5, offset_mv=380)
    pack.until(lambda: not pack.contacts["charge"], A_CYCLE_MORE_S)
    pack.cell(5, offset_mv=290)
    pack.stays(60, lambda: not pack.contacts["charge"])
