"""The simulated inverter: how it reads its limits, and how late it follows them."""

from __future__ import annotations

import math

import pytest

from bmsd.sim.inverter import UNLIMITED_A, SimInverter


def told(volts: float | None, amps: float | None, draw_a: float | None, **how: float) -> SimInverter:
    """Give an inverter that was told its limits for the first time, with 100 A of sun at 58 V."""
    made = SimInverter(58.0)
    made.charger_a, made.lag_s = 100.0, 0.0
    for name, value in how.items():
        setattr(made, name, value)
    made.limit_v, made.limit_charge_a, made.limit_discharge_a = volts, amps, draw_a
    made.advance(1.0)
    return made


def test_without_limits_it_takes_its_own_settings() -> None:
    assert told(None, None, None).effective() == (58.0, 100.0, UNLIMITED_A)
    assert told(55.0, None, None).effective() == (55.0, 100.0, UNLIMITED_A)


def test_without_lag_it_is_where_it_was_told_to_be() -> None:
    assert told(55.2, 33.3, 44.4).effective() == (55.2, 33.3, 44.4)
    assert told(60.0, 200.0, 44.4).effective() == (58.0, 100.0, 44.4)


def test_with_a_lag_it_comes_down_from_its_own_settings() -> None:
    share = math.exp(-0.1)
    volts, amps, _ = told(55.0, 50.0, 50.0, lag_s=10.0).effective()
    assert volts == pytest.approx(55.0 + 3.0 * share)
    assert amps == pytest.approx(50.0 + 50.0 * share)


@pytest.mark.parametrize(
    ("volts", "amps", "seen"),
    [
        (55.2, 44.9, (55.0, 40.0)),
        (55.0, 45.0, (55.0, 45.0)),
        (54.99, 4.9, (54.0, 0.0)),
        (54.9995, 5, (55.0, 5.0)),
    ],
)
def test_coarse_steps_are_rounded_down(volts, amps, seen) -> None:
    """A float a hair below a step is that step: the wire carries whole tenths."""
    assert told(volts, amps, amps, step_v=1.0, step_a=5.0).effective() == (*seen, seen[1])


def test_a_greedy_one_takes_more_current_and_no_more_voltage() -> None:
    assert told(55.0, 50.0, 20.0, over=0.1).effective() == pytest.approx((55.0, 55.0, 22.0))


def test_one_that_does_not_read_the_current_still_reads_the_voltage() -> None:
    assert told(55.0, 0.0, 20.0, ignores_current=True).effective() == (55.0, 100.0, 20.0)
    assert told(55.0, 0.0, 20.0, ignores_limits=True).effective() == (58.0, 100.0, UNLIMITED_A)
    assert told(55.0, 50.0, 20.0, runaway=True).effective() == (math.inf, 50.0, 20.0)


def test_it_is_present_with_a_current_and_a_voltage_to_charge_with() -> None:
    made = told(55.0, 50.0, 20.0)
    assert made.present
    made.charger_a = 0.0
    assert not made.present
