"""Heat and charge in turn where nothing can be read back: then what was commanded a cycle ago decides (S3)."""

from __future__ import annotations

from bmsd.core.types import Levels
from tests.support.bench_inputs import Pack, make_settings


def blind(battery: list[int | None]) -> Pack:
    """Give a running pack whose charge and heater outputs have no line and no contact to read."""
    settings = make_settings(wired=frozenset({"discharge", "precharge"}))
    pack = Pack(settings, battery=battery, charger_mv=16_000)
    pack.run(10_000)
    pack.feedback = Levels()
    return pack


def cycle(pack: Pack) -> None:
    commands = pack.state.commands
    pack.lines = Levels(
        charge=None, discharge=commands.discharge, precharge=commands.precharge, heater=None, buzzer=None
    )
    pack.cycle()


def test_charge_waits_a_cycle_for_a_heater_that_cannot_be_read() -> None:
    """S3: the heater goes off, then charge returns."""
    pack = blind([-80, -80])
    assert pack.state.commands.heater
    pack.battery = [100, 100]
    cycle(pack)
    assert not pack.state.commands.heater
    assert not pack.state.commands.charge
    cycle(pack)
    assert pack.state.commands.charge


def test_the_heater_waits_a_cycle_for_a_charge_contactor_that_cannot_be_read() -> None:
    """S3: charge is cut, then the heater goes on."""
    pack = blind([250, 250])
    assert pack.state.commands.charge
    pack.battery = [-80, -80]
    for _ in range(50):
        charged = pack.state.commands.charge
        cycle(pack)
        assert not (charged and pack.state.commands.heater)
    assert pack.state.commands.heater
