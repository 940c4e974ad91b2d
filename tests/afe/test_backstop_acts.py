"""S6: the chip, programmed from a pack's parameters, acts by itself behind each of the daemon's limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from bmsd.afe import session as sessions
from bmsd.afe.transfers import BusCounter, run
from bmsd.control.chip_protection import (
    CELL_MARGIN_MV,
    CURRENT_MARGIN_PERMILLE,
    HEAT_MARGIN_DECIK,
    afe_settings,
)
from bmsd.core.types import AfeState, ChipFault
from tests.support.configured import loaded, pack_text

CONFIG = pack_text("""
[outputs]
charge = 17
discharge = 27
""")
GOOD = {"cell_mv": 3300.0, "current_ma": 0.0, "battery": 250.0, "switch": 300.0, "internal": 300.0}
BOTH = (False, False)
CHARGE_ONLY, DISCHARGE_ONLY = (False, True), (True, False)
"""What is still permitted after a trip: (charge, discharge)."""


class Case(NamedTuple):
    """One protection: the daemon's own limit, which the chip must bear, and what makes the chip act."""

    name: str
    at_our_limit: Mapping[str, float]
    beyond: Mapping[str, float]
    within_ms: int
    left: tuple[bool, bool]
    fault: ChipFault


CASES = (
    Case("COV", {"cell_mv": 3600}, {"cell_mv": 3750}, 2300, CHARGE_ONLY, ChipFault.CELL_OVER_VOLTAGE),
    Case("CUV", {"cell_mv": 2600}, {"cell_mv": 2470}, 3300, DISCHARGE_ONLY, ChipFault.CELL_UNDER_VOLTAGE),
    Case("OCC", {"current_ma": 150_000}, {"current_ma": 200_000}, 700, CHARGE_ONLY, ChipFault.CHARGE_OVER_CURRENT),
    Case("OCD", {"current_ma": -225_000}, {"current_ma": -300_000}, 700, DISCHARGE_ONLY,
         ChipFault.DISCHARGE_OVER_CURRENT),
    Case("SCD", {"current_ma": -225_000}, {"current_ma": -500_000}, 1, BOTH, ChipFault.SHORT_CIRCUIT),
    Case("OTC", {"battery": 550}, {"battery": 601}, 2300, CHARGE_ONLY, ChipFault.CHARGE_TEMPERATURE),
    Case("UTC", {"battery": 0}, {"battery": -101}, 2300, CHARGE_ONLY, ChipFault.CHARGE_TEMPERATURE),
    Case("OTD", {"battery": 600}, {"battery": 651}, 2300, BOTH, ChipFault.DISCHARGE_TEMPERATURE),
    Case("UTD", {"battery": -200}, {"battery": -301}, 2300, BOTH, ChipFault.DISCHARGE_TEMPERATURE),
    Case("OTF", {"switch": 750}, {"switch": 801}, 2300, BOTH, ChipFault.BOARD_TEMPERATURE),
    Case("OTINT", {"internal": 840}, {"internal": 851}, 2300, BOTH, ChipFault.BOARD_TEMPERATURE),
    Case("UTINT", {"internal": -390}, {"internal": -401}, 2300, BOTH, ChipFault.BOARD_TEMPERATURE),
)  # fmt: skip
each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    config = loaded(tmp_path_factory.mktemp("pack"), CONFIG)
    return afe_settings(config, config.parameters)


@pytest.fixture
def permitted(make_bench, settings):
    """Give a chip that was programmed from the parameters, with both permits."""
    bench = make_bench(settings)
    bench.bring_up()
    pins(bench)
    bench.run(bench.driver.permit(True))
    bench.pass_ms(500)
    assert (bench.chip.chg_permit, bench.chip.dsg_permit) == (True, True)
    return bench


def pins(bench, **changed: float) -> None:
    now = {**GOOD, **changed}
    bench.chip.sense(
        [now["cell_mv"]] * 16, now["current_ma"], 52_800, 52_800,
        (now["battery"], now["battery"], now["switch"]), internal_decic=now["internal"],
    )  # fmt: skip


def live(bench, duration_ms: int) -> None:
    """Let the daemon poll, which feeds the watchdog, for some time."""
    end_ms = bench.now_ms + duration_ms
    while bench.now_ms < end_ms:
        bench.pass_ms(min(250, end_ms - bench.now_ms))
        if not (end_ms - bench.now_ms) % 250:
            bench.run(bench.driver.poll())


@each
def test_the_chip_bears_what_the_daemon_has_to_handle(permitted, case: Case) -> None:
    """S6: at the daemon's limit, for far longer than any of its delays, the chip stays quiet."""
    others = "OTD OTC" if case.name in {"OTD", "UTD"} else ""
    pins(permitted, **case.at_our_limit)
    live(permitted, 10_000)
    faults = permitted.poll().faults
    # At the discharge limits the charge limit inside them has long been passed: that one trips, not this one.
    allowed = ChipFault.CHARGE_TEMPERATURE if others else ChipFault.NONE
    assert faults & ~allowed == ChipFault.NONE
    assert permitted.chip.dsg_permit


@each
def test_beyond_the_margin_the_chip_acts_by_itself_and_says_so(permitted, case: Case) -> None:
    """S6: nobody tells it to; the permits that an interlock hangs on go low."""
    pins(permitted, **case.beyond)
    permitted.pass_ms(case.within_ms)
    chip = permitted.chip
    assert (chip.chg_permit, chip.dsg_permit) == case.left
    permitted.pass_ms(200)
    assert permitted.run(permitted.driver.poll()).faults & case.fault


def test_the_second_discharge_comparator_acts_when_the_first_does_not(permitted) -> None:
    """S6: OCD1 and OCD2 are programmed alike, two comparators for one limit."""
    memory = permitted.chip.memory
    assert memory.unsigned(0x9284) == memory.unsigned(0x9282)
    assert memory.unsigned(0x9285) == memory.unsigned(0x9283)
    memory.write(0x9282, b"\x64")
    permitted.chip.protection.load()
    pins(permitted, current_ma=-300_000)
    permitted.pass_ms(700)
    assert permitted.chip.protection.status & 0x60 == 0x40
    assert not permitted.chip.dsg_permit


def test_an_over_discharged_chip_still_permits_charging(permitted) -> None:
    """S6: a trip at the lower end must not lock the pack out."""
    pins(permitted, cell_mv=2000)
    permitted.pass_ms(10_000 // 4)
    live(permitted, 10_000)
    assert permitted.chip.chg_permit
    assert not permitted.chip.dsg_permit


def test_a_signature_is_looked_at_every_second(make_bench, settings) -> None:
    """S6: a setting that changed by itself ends the measurements within so many polls, and one in which it acts."""
    for before in range(sessions.SIGNATURE_EVERY):
        bench = make_bench(settings)
        bench.until_ready()
        for _ in range(before):
            assert bench.cycle(contactors_open=False).measurement is not None
        bench.chip.fault("config_flip", True)
        found = [bench.cycle(contactors_open=False).measurement for _ in range(sessions.SIGNATURE_EVERY + 1)]
        assert found[-1] is None


def test_the_checks_cost_less_than_an_eighth_of_what_is_read(make_bench, settings) -> None:
    """S6: the signature every third poll and a block of the settings every 21st."""
    bench, polled = make_bench(settings), BusCounter()
    bench.until_ready()
    for _ in range(160):
        bench.pass_ms(250)
        run(bench.driver.poll(), bench, 0x08, bench.pass_ms, counter=polled)
    before = bench.counter.wire_bytes
    for _ in range(160):
        assert bench.cycle(contactors_open=False).state is AfeState.READY
    assert 1.0 < (bench.counter.wire_bytes - before) / polled.wire_bytes < 1.125


def test_the_safety_document_shows_the_margins_in_force() -> None:
    """S6: the table people read is the one that is programmed."""
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "SAFETY.md").read_text()
    table = text[text.index("| Chip setting |") : text.index("### S7")]
    assert f"`cell_ovp_v` + {CELL_MARGIN_MV} mV" in table
    assert f"`cell_shutdown_v` - {CELL_MARGIN_MV} mV" in table
    assert f"{CURRENT_MARGIN_PERMILLE // 10} % of the second level" in table
    assert f"`switch_otp_c` + {HEAT_MARGIN_DECIK // 10} K" in table
