"""bmsctl why names what holds a current down, with its value and the parameters it goes by."""

from __future__ import annotations

import pytest

from bmsd.cli.why import why_text
from bmsd.core import derating
from bmsd.tables import parameters
from bmsd.tables.registers import NUMBERS, PHASES, REASONS

VALUES = {
    name: value
    for name, value in parameters.defaults(
        "lifepo4", "default", 16, {"charge_ocp_ma": 100_000, "discharge_ocp_ma": 150_000}
    ).items()
    if value is not None
}
POINTS = {
    "charge_allowed": True, "charge_commanded": True, "charge_actual": True, "charge_limit_ma": 45_000,
    "discharge_allowed": True, "discharge_commanded": True, "discharge_actual": True, "discharge_limit_ma": 67_500,
    "cell_max_mv": 3525, "max_cell": 7, "cell_min_mv": 2800, "min_cell": 3, "battery_decic": [45, 52],
    "soc_permille": 960, "pack_mv": 45_100,
}  # fmt: skip
REASON_NAMES = sorted(set(REASONS) - {derating.NOTHING, derating.UNKNOWN})


def text(what: str, **points) -> str:
    return why_text(what, {"points": {**POINTS, **points}, "at_ms": 0}, VALUES)


def test_the_highest_cell() -> None:
    assert text("charge", charge_limit_reason="cell", charge_phase="bulk") == (
        "Charging is allowed and the charge contactor is closed. The inverter is told 45 A of 90 A"
        " (charge_max_a): the highest cell, 7, is at 3.525 V, and"
        " the current falls to zero over 0.150 V (charge_taper_v) below 3.600 V"
        " (cell_ovp_v)."
    )


@pytest.mark.parametrize(
    ("what", "reason", "words"),
    [
        ("discharge", "cell", ["67.5 A of 135 A (discharge_max_a)", "the lowest cell, 3, is at 2.800 V",
                               "0.200 V (discharge_taper_v) above 2.700 V (cell_uvp_v)"]),
        ("charge", "cold", ["the coldest battery sensor is at 4.5 °C", "10.0 K (charge_cold_taper_k) above 0.0 °C"]),
        ("discharge", "cold", ["4.5 °C", "20.0 K (discharge_cold_taper_k) above -20.0 °C (discharge_utp_c)"]),
        ("charge", "hot", ["the warmest battery sensor is at 5.2 °C", "10.0 K (charge_hot_taper_k) below 55.0 °C"]),
        ("discharge", "hot", ["10.0 K (discharge_hot_taper_k) below 60.0 °C (discharge_otp_c)"]),
        ("charge", "state of charge", ["at 96.0 %", "(charge_soc_taper_percent) below 100 %"]),
        ("discharge", "state of charge", ["(discharge_soc_taper_percent) above 0 %"]),
        ("charge", "resting", ["rests, which leaves 5.0 % (rest_percent)"]),
        ("charge", "recovering", ["for 30 s (limit_hold_s)", "rises by 10.0 % (limit_rise_percent) of the largest"]),
        ("discharge", "recovering", ["rises by 10.0 % (limit_rise_percent) of the largest a second, slower where"]),
        ("discharge", "pack", ["the pack is at 45.100 V", "before 44.800 V (pack_uvp_v)"]),
        ("discharge", "reserve", ["nearly empty and asks for charge", "40.000 W (inverter_idle_w) for 12 h (reserve_h)",
                                  "returns when 15.0 % (force_charge_least_percent) have arrived"]),
        ("discharge", "override", ["an emergency override"]),
        ("discharge", "forbidden", ["a contactor is on its way"]),
    ],
)  # fmt: skip
def test_every_other_cause(what, reason, words) -> None:
    found = text(what, **{f"{what}_limit_reason": reason})
    assert all(word in found for word in words), found


@pytest.mark.parametrize("reason", ["", None, "unknown"])
def test_where_nothing_holds_it_down_nothing_is_said(reason) -> None:
    assert (
        text("charge", charge_limit_reason=reason)
        == "Charging is allowed and the charge contactor is closed."
    )


def test_a_current_that_is_not_allowed_has_other_reasons() -> None:
    assert "of 90" not in text("charge", charge_limit_reason="cell", charge_allowed=False)


@pytest.mark.parametrize(
    ("phase", "told"), [("bulk", False), ("absorption", False), ("float", True), ("rest", True)]
)
def test_a_charge_that_is_over_says_when_a_new_one_begins(phase, told) -> None:
    found = text("charge", charge_phase=phase)
    assert ("a new one begins below 95.0 % (recharge_percent)" in found) is told
    assert "new one" not in text("discharge", charge_phase=phase)


def test_every_reason_and_phase_has_a_number_and_a_sentence() -> None:
    assert all(text("charge", charge_limit_reason=name).count("told") for name in REASON_NAMES)
    words = {value for name, value in vars(derating).items() if name.isupper() and isinstance(value, str)}
    assert words == set(REASONS)
    assert set(PHASES) == {"bulk", "absorption", "float", "rest"}
    assert len(set(PHASES.values())) == len(PHASES)
    assert len(set(REASONS.values())) == len(REASONS)
    assert set(NUMBERS) == {"state", "charge_phase", "charge_limit_reason", "discharge_limit_reason"}
