"""Three thousand random files: whatever is accepted is held to statements that share no code with the checks.

The statements are typed out from the rules, the data sheets and the description of the header. The everyday
run draws a fifth of the files; `./run test --all` draws them all.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bmsd.config.load import Config
from bmsd.daemon.main import checked_config
from bmsd.errors import ConfigError
from tests.support.configured import GOOD, loaded
from tests.support.dangerous_files import drawn
from tests.support.effort import examples

FILES = 3000
OVER_MV = {"lifepo4": (3650, 3800), "li-ion": (4200, 4350), "lto": (2800, 2900)}
FLOOR_MV = {"lifepo4": (2000, 1500), "li-ion": (2500, 2000), "lto": (1500, 1000)}
LONGEST_S = {
    "cell_ovp_delay_ms": 10, "cell_uvp_delay_ms": 10, "charge_ocp_delay_ms": 120, "charge_ocp2_delay_ms": 10,
    "temperature_delay_ms": 60, "forbidden_flow_ms": 30, "forbidden_flow_release_ms": 3600, "value_max_age_ms": 5,
    "unknown_grace_ms": 30, "period_ms": 1, "sleep_period_ms": 1, "heater_max_run_ms": 43_200,
    "heater_watch_ms": 14_400, "precharge_timeout_ms": 30, "opening_wait_ms": 5,
    "limit_enforce_release_ms": 3600, "contactor_min_off_ms": 600, "recovery_ms": 600,
}  # fmt: skip
UART = {"/dev/ttyAMA0", "/dev/serial0", "/dev/ttyS0"}
SWITCHES = {"charge", "discharge", "main", "precharge", "heater", "buzzer", "heartbeat", "led"}


def wrong(config: Config, file: dict[str, Any]) -> list[str]:
    """List what an accepted configuration must not be."""
    found: list[str] = []

    def must(good: bool, text: str) -> None:
        if not good:
            found.append(text)

    _voltages(config, file, must)
    _temperatures(config, file, must)
    _currents(config, must)
    _heater(config, must)
    _lines(config, file, must)
    for name, most_s in LONGEST_S.items():
        must(0 <= getattr(config.parameters, name) <= most_s * 1000, f"{name} is not bounded")
    return found


def _voltages(config: Config, file: dict[str, Any], must: Any) -> None:
    p, cells, known = config.parameters, config.cells, file["pack"].get("i_know", [])
    ladder = [
        p.cell_floor_mv,
        p.cell_shutdown_mv,
        p.cell_uvp_mv,
        p.cell_uvpr_mv,
        p.cell_ovpr_mv,
        p.cell_ovp_mv,
    ]
    must(
        all(low < high for low, high in pairwise(ladder)),
        f"cells out of order: {ladder}",
    )
    usual, last = OVER_MV[config.chemistry]
    must(p.cell_ovp_mv <= (last if "cell_ovp_v" in known else usual), "a cell may be over-charged")
    must(p.pack_ovp_mv <= cells * (last if "pack_ovp_v" in known else usual), "the pack may be over-charged")
    lowest, deepest = FLOOR_MV[config.chemistry]
    must(p.cell_floor_mv >= (deepest if "cell_floor_v" in known else lowest), "a cell may be drained")
    must(p.pack_uvp_mv < p.pack_uvpr_mv < p.pack_ovpr_mv < p.pack_ovp_mv, "pack out of order")
    must(p.cell_uvpr_mv < p.cell_charge_mv < p.cell_ovp_mv, "the charge voltage is no way out of empty")
    must(p.pack_uvpr_mv < cells * p.cell_charge_mv < p.pack_ovp_mv, "nor that of the pack")
    must(p.cell_uvp_mv < p.cell_discharge_mv < p.cell_ovpr_mv, "the lowest voltage is no way out of full")
    must(cells * p.cell_discharge_mv < p.pack_ovpr_mv, "nor that of the pack, downwards")
    must(p.balance_start_mv >= p.cell_uvpr_mv, "empty cells are balanced")


def _temperatures(config: Config, file: dict[str, Any], must: Any) -> None:
    p, known = config.parameters, file["pack"].get("i_know", [])
    coldest = {"lifepo4": 0, "li-ion": 0, "lto": -300}[config.chemistry]
    if config.chemistry == "li-ion" and config.preset == "jk-compatible":
        coldest = -200
    if "charge_utp_c" in known:
        coldest = min(coldest, -200)
    must(p.charge_utp_decic >= coldest, "frozen cells may be charged")
    must(p.charge_otp_decic <= (700 if "charge_otp_c" in known else 650), "hot cells may be charged")
    must(p.discharge_otp_decic <= 750, "hot cells may be discharged")
    for low, back, hot_back, hot in (
        (p.charge_utp_decic, p.charge_utpr_decic, p.charge_otpr_decic, p.charge_otp_decic),
        (p.discharge_utp_decic, p.discharge_utpr_decic, p.discharge_otpr_decic, p.discharge_otp_decic),
    ):
        must(low < back < hot_back < hot, f"temperatures out of order: {low} {back} {hot_back} {hot}")
    must(p.discharge_utpr_decic <= p.charge_utpr_decic, "heat ends before the house is served again")
    must(p.switch_otpr_decic < p.switch_otp_decic <= 1000, "the switch out of order")


def _currents(config: Config, must: Any) -> None:
    p = config.parameters
    twentieth_ma = max(config.capacity_mah // 20, 20)
    must(
        p.forbidden_charge_ma <= min(max(p.charge_ocp_ma // 20, 20), twentieth_ma),
        "much may flow into a full pack",
    )
    must(
        p.forbidden_discharge_ma <= min(max(p.discharge_ocp_ma // 20, 20), twentieth_ma),
        "much may flow out of an empty",
    )
    must(p.limit_tolerance_ma <= max(p.charge_ocp_ma * 15 // 100, 50), "much may pass an open contactor")
    must(p.weld_current_ma <= max(p.discharge_ocp_ma // 10, 2000), "a weld is not seen")
    must(0 < p.charge_max_ma <= p.charge_ocp_ma <= p.charge_ocp2_ma <= 3 * p.charge_ocp_ma, "charge currents")
    must(
        0 < p.discharge_max_ma <= p.discharge_ocp_ma <= p.discharge_ocp2_ma <= 3 * p.discharge_ocp_ma,
        "discharge currents",
    )
    must(p.discharge_ocp2_ma <= p.short_circuit_ma <= 10 * p.discharge_ocp_ma, "short circuit")


def _heater(config: Config, must: Any) -> None:
    if config.heater_mohm is None:
        must("heater" not in config.outputs.lines, "a heater line without a heater")
        return
    volts, ohm = config.cells * config.parameters.cell_ovp_mv / 1000, config.heater_mohm / 1000
    must(volts / ohm <= 3.0005, f"heater current {volts / ohm:.3f} A")
    must(
        volts * volts / ohm <= (100.05 if config.cells <= 8 else 200.05),
        f"heater power {volts * volts / ohm:.1f} W",
    )
    must("heater" in config.outputs.lines, "a heater without a line")
    must(
        config.topology == "split" or config.heater_from_pack,
        "a heater on a charger's side that is the load's",
    )


def _lines(config: Config, file: dict[str, Any], must: Any) -> None:
    outputs = config.outputs.keys
    known = file["outputs"].get("i_know", [])
    must(len(set(outputs.values())) == len(outputs), "a line is used twice")
    wanted = {"split": {"charge", "discharge"}, "common": {"main"}, "afe": set()}[config.topology]
    must({"charge", "discharge", "main"} & set(outputs) == wanted, "contactors of another topology")
    must(
        not (config.outputs.active_low and config.outputs.backend == "gpiozero"),
        "outputs are pulsed at a start",
    )
    port, channel = file.get("modbus", {}).get("port"), file.get("can", {}).get("channel", "")
    bus = {0: {0, 1}, 1: {2, 3}}.get(file["afe"].get("bus", 1), set())
    for key, line in outputs.items():
        must(line not in bus, f"{key} is on the I2C bus")
        must(port not in UART or line not in {14, 15}, f"{key} is on the UART")
        if key in known:
            continue
        must(line > 8 or key not in SWITCHES or config.outputs.active_low, f"{key} is on at power-up")
        must(not channel.startswith("can") or line not in {8, 9, 10, 11, 25}, f"{key} is on a CAN board")
        must(port != "/dev/ttySC0" or line not in {18, 19, 20, 21, 24}, f"{key} is on an RS485 board")


def looked_at(path: Path, number: int) -> tuple[str, list[str]]:
    """Write a file and let the daemon check it; give what became of it, and what is wrong with that."""
    file = drawn(number)
    path.write_text(file.text, encoding="utf-8")
    try:
        config = checked_config(path)
    except ConfigError as refused:
        texts = refused.problems
        bad = [
            f"a refusal that does not say where: {text}" for text in texts if not text.startswith(str(path))
        ]
        return "refused", bad if texts else ["refused without a reason"]
    return "accepted", wrong(config, tomllib.loads(file.text))


def test_whatever_is_accepted_is_safe_and_has_a_way_back(tmp_path) -> None:
    """S1, S3, S4, S5, S8: and a refusal says where and why, whatever stands in the file."""
    path, counts, faults = tmp_path / "bmsd.toml", Counter[str](), []
    count = examples(FILES)
    for number in range(count):
        word, bad = looked_at(path, number)
        counts[word] += 1
        faults += [f"file {number} is {word}: {text}" for text in bad]
    assert not faults, "\n".join(faults[:20])
    # A generator that only makes bad files, or only good ones, would show nothing.
    assert counts["accepted"] >= count // 6, counts
    assert counts["refused"] >= count // 6, counts


PLANTED = (
    ("cell_ovp_mv", 3651, "over-charged"), ("charge_utp_decic", -1, "frozen"), ("charge_max_ma", 0, "currents"),
    ("forbidden_charge_ma", 5001, "full pack"), ("cell_uvpr_mv", 3450, "no way out of empty"),
    ("value_max_age_ms", 5001, "not bounded"), ("discharge_utpr_decic", 51, "heat ends"),
    ("weld_current_ma", 15_001, "weld"), ("pack_ovp_mv", 55_200, "of the pack"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "value", "words"), PLANTED, ids=[row[0] for row in PLANTED])
def test_the_statements_can_fail(tmp_path, name, value, words) -> None:
    config = loaded(tmp_path, GOOD)
    assert wrong(config, tomllib.loads(GOOD)) == []
    planted = replace(config, parameters=replace(config.parameters, **{name: value}))
    assert any(words in text for text in wrong(planted, tomllib.loads(GOOD)))


@pytest.mark.parametrize(
    ("key", "line", "words"),
    [("charge", 2, "I2C"), ("heater", 25, "CAN"), ("buzzer", 14, "UART"), ("led", 5, "power-up")],
)
def test_the_statements_about_lines_can_fail(tmp_path, key, line, words) -> None:
    config = loaded(tmp_path, GOOD)
    lines = {**config.outputs.lines, key: line}
    planted = replace(config, outputs=replace(config.outputs, lines=lines))
    assert any(words in text for text in wrong(planted, tomllib.loads(GOOD)))


def test_a_heater_that_is_too_strong_is_seen_by_the_statements(tmp_path) -> None:
    config = replace(loaded(tmp_path, GOOD), heater_mohm=19_000)
    assert any("heater current" in text for text in wrong(config, tomllib.loads(GOOD)))
