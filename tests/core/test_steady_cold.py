"""A pack that only its heater keeps warm: it must get back to charging, and the heater must not chatter."""

from __future__ import annotations

from bmsd.core.types import Levels
from tests.support.bench_inputs import cold


def test_a_pack_that_cools_whenever_the_heater_stops_still_gets_its_charge_back() -> None:
    """S3, S12: the heater is off at recovery (S4), so recovery itself must be warm enough to charge."""
    pack, starts, was_on, charged = cold(), 0, True, 0
    decic = -10
    for second in range(3600):
        decic += 1 if pack.state.commands.heater else -1 if second % 4 == 0 else 0
        pack.battery = [decic, decic]
        pack.cycle(after_ms=1000)
        starts += pack.state.commands.heater and not was_on
        was_on = pack.state.commands.heater
        charged += pack.state.commands.charge
    assert charged > 600
    assert starts <= pack.settings.parameters.contactor_operations_per_hour


def test_charge_comes_back_exactly_at_recovery_and_not_a_tenth_below() -> None:
    """S3: above the recovery limit the heater goes off, then charge returns; at it the heater is off already."""
    pack = cold()
    pack.battery = [49, 49]
    pack.run(60_000)
    assert pack.state.commands.heater
    assert not pack.state.commands.charge
    pack.battery = [50, 50]
    pack.cycle()
    assert not pack.state.commands.heater
    pack.run(2000)
    assert pack.state.commands.charge
    assert pack.feedback != Levels()
