"""What any front-end chip does by itself and on command: every row of CHIPS, as in `test_every_chip.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import pytest

from bmsd.afe.chips import CHIPS, Chip, Maturity
from bmsd.afe.transfers import Procedure
from bmsd.control.controller import BALANCE_REFRESH_MS
from bmsd.core.types import AfeSettings, AfeState, ChipFault
from bmsd.errors import VerifyError
from bmsd.sim.chips.kinds import KINDS
from tests.afe.chip_bench import BOTH, ENDS, HALF, OFF, PERIOD_MS, WHOLE, ChipBench, ids, straight, unanswered

MARGIN_MS = 3000
"""What a chip's own steps may add to a delay."""


@pytest.fixture(params=ENDS, ids=ids)
def permitted(request) -> ChipBench:
    """Give a chip that is configured, measures, and lets both contactors close."""
    bench = ChipBench(*request.param)
    bench.until_measured()
    bench.permit()
    return bench


@pytest.fixture(params=ENDS, ids=ids)
def switching(request) -> ChipBench:
    """Give one whose own FETs are the switches of the pack."""
    bench = ChipBench(*request.param, topology="afe")
    bench.until_measured()
    return bench


class Trip(NamedTuple):
    """One protection of the chip: what is told, what it may bring with it, and what it has to forbid."""

    name: str
    pins: Callable[[ChipBench, AfeSettings, int], dict[str, Any]]
    """What is on the pins, just inside the limit for -1 and well beyond it for +1."""
    told: ChipFault
    forbids: tuple[bool, bool]
    with_it: ChipFault = ChipFault.NONE


def _highest(bench: ChipBench, settings: AfeSettings, side: int) -> dict[str, Any]:
    return {"cell_mv": bench.with_cell(bench.cells - 1, settings.cell_over_mv + (120 if side > 0 else -40))}


def _lowest(bench: ChipBench, settings: AfeSettings, side: int) -> dict[str, Any]:
    return {"cell_mv": bench.with_cell(0, settings.cell_under_mv - (120 if side > 0 else -40))}


def _current(field: str, sign: int) -> Callable[[ChipBench, AfeSettings, int], dict[str, Any]]:
    def pins(_: ChipBench, settings: AfeSettings, side: int) -> dict[str, Any]:
        limit_ma = getattr(settings, field)
        return {"current_ma": sign * limit_ma * (15 if side > 0 else 9) / 10}

    return pins


def _battery(field: str, sign: int, sensor: int) -> Callable[[ChipBench, AfeSettings, int], dict[str, Any]]:
    def pins(bench: ChipBench, settings: AfeSettings, side: int) -> dict[str, Any]:
        decic = getattr(settings, field) + sign * (30 if side > 0 else -15)
        sensors = list(bench.pins.battery_decic)
        sensors[min(sensor, settings.thermistors - 1)] = decic
        return {"battery_decic": tuple(sensors)}

    return pins


def _switch(_: ChipBench, settings: AfeSettings, side: int) -> dict[str, Any]:
    return {"switch_decic": settings.switch_over_decic + (30 if side > 0 else -15)}


CHARGE, DISCHARGE = (True, False), (False, True)
TRIPS = (
    Trip("over-voltage", _highest, ChipFault.CELL_OVER_VOLTAGE, CHARGE),
    Trip("under-voltage", _lowest, ChipFault.CELL_UNDER_VOLTAGE, DISCHARGE),
    Trip("charge current", _current("charge_over_ma", 1), ChipFault.CHARGE_OVER_CURRENT, CHARGE),
    Trip("discharge current", _current("discharge_over_ma", -1), ChipFault.DISCHARGE_OVER_CURRENT, DISCHARGE),
    Trip("short circuit", _current("short_circuit_ma", -1), ChipFault.SHORT_CIRCUIT, DISCHARGE,
         ChipFault.DISCHARGE_OVER_CURRENT),
    Trip("too hot to charge", _battery("charge_over_decic", 1, 0), ChipFault.CHARGE_TEMPERATURE, CHARGE),
    Trip("too cold to charge", _battery("charge_under_decic", -1, 1), ChipFault.CHARGE_TEMPERATURE, CHARGE),
    Trip("too hot to discharge", _battery("discharge_over_decic", 1, 1), ChipFault.DISCHARGE_TEMPERATURE, DISCHARGE,
         ChipFault.CHARGE_TEMPERATURE),
    Trip("too cold to discharge", _battery("discharge_under_decic", -1, 0), ChipFault.DISCHARGE_TEMPERATURE,
         DISCHARGE, ChipFault.CHARGE_TEMPERATURE),
    Trip("hot switches", _switch, ChipFault.BOARD_TEMPERATURE, BOTH),
)  # fmt: skip
each_trip = pytest.mark.parametrize("trip", TRIPS, ids=lambda trip: trip.name)


def longest_ms(settings: AfeSettings) -> int:
    return max(settings.cell_over_delay_ms, settings.cell_under_delay_ms) + MARGIN_MS


@each_trip
def test_inside_its_limits_it_leaves_everything_to_the_daemon(permitted, trip: Trip) -> None:
    """S6: the daemon acts first, and the chip stays quiet for longer than any of its delays."""
    permitted.sense(**trip.pins(permitted, permitted.settings, -1))
    for _ in range(longest_ms(permitted.settings) // PERIOD_MS):
        faults = permitted.cycle().measurement.faults
        assert faults & ~trip.with_it is ChipFault.NONE


@each_trip
def test_beyond_a_limit_it_forbids_by_itself_and_tells_which_it_was(permitted, trip: Trip) -> None:
    """S6: nobody tells it to."""
    permitted.sense(**trip.pins(permitted, permitted.settings, 1))
    permitted.pass_ms(1)  # a short circuit is not waited for
    for _ in range(longest_ms(permitted.settings) // PERIOD_MS):
        faults = permitted.cycle().measurement.faults
        if faults & trip.told:
            break
    assert faults & trip.told
    assert faults & ~trip.with_it & ~trip.told is ChipFault.NONE
    for is_on, is_forbidden in zip(permitted.permits, trip.forbids, strict=True):
        assert not (is_on and is_forbidden)


@pytest.mark.parametrize("trip", TRIPS[:2], ids=lambda trip: trip.name)
def test_every_cell_is_watched(permitted, trip: Trip) -> None:
    """S6: one cell beyond its limit is enough, whichever it is."""
    told = permitted.settings
    beyond_mv = (
        told.cell_over_mv + 120 if trip.told is ChipFault.CELL_OVER_VOLTAGE else told.cell_under_mv - 120
    )
    plain = permitted.pins.cell_mv
    for number in range(permitted.cells):
        permitted.sense(cell_mv=permitted.with_cell(number, beyond_mv))
        faults = [permitted.cycle().measurement.faults for _ in range(longest_ms(told) // PERIOD_MS)]
        assert faults[-1] is trip.told
        permitted.sense(cell_mv=plain)
        faults = [permitted.cycle().measurement.faults for _ in range(2 * longest_ms(told) // PERIOD_MS)]
        assert faults[-1] is ChipFault.NONE, "it gets well by itself (S15)"


def test_nothing_is_permitted_before_it_is_said_and_nothing_after_it_is_taken_back(permitted) -> None:
    """S5: off follows at once."""
    assert permitted.run(permitted.session.permit(False))
    assert permitted.permits == OFF
    for _ in range(8):
        permitted.cycle()
    assert permitted.permits == OFF
    permitted.permit()


def test_a_chip_that_hears_nothing_takes_its_permits_back(permitted) -> None:
    """S5: the daemon is gone; one that lives keeps them."""
    watchdog_ms = 1000 * permitted.settings.host_watchdog_s
    for _ in range(2 * watchdog_ms // PERIOD_MS):
        permitted.cycle()
        assert permitted.permits == BOTH
    for _ in range((watchdog_ms + 1000) // PERIOD_MS):
        permitted.pass_ms(PERIOD_MS)
    assert permitted.permits == OFF


def test_its_own_fets_follow_within_the_time_that_the_core_gives_them(switching) -> None:
    """S5: each by itself, off at once, and what they read is told with the next poll."""
    wait_ms = switching.row.facts.fet_follows_ms
    told = OFF
    for wanted in (BOTH, (True, False), BOTH, (False, True), (True, False), OFF, (False, True), BOTH, OFF):
        read = switching.run(switching.session.fets(*wanted))
        for is_on, was, now, says in zip(switching.fets, told, wanted, read, strict=True):
            assert not (is_on and not now), "off at once"
            assert is_on == says
            assert is_on or not (was and now), "the other one is left alone"
        for _ in range(wait_ms // PERIOD_MS):
            measured = switching.cycle().measurement
        assert (measured.charge_fet, measured.discharge_fet) == switching.fets == wanted
        told = wanted


def test_nothing_is_on_that_was_not_commanded(switching) -> None:
    """S5, S6: not after it was configured, nor after a reset."""
    for _ in range(8):
        switching.cycle()
    assert switching.fets == OFF
    assert switching.run(switching.session.fets(True, True)) is not None
    switching.chip.fault("reset", True)
    switching.until_measured()
    for _ in range(8):
        switching.cycle()
    assert switching.fets == OFF


def test_fets_that_are_deaf_are_told_as_they_are(switching) -> None:
    """S2: what was commanded is not what is."""
    switching.run(switching.session.fets(True, True))
    for _ in range(4):
        switching.cycle()
    switching.chip.fault("fets_deaf", True)
    assert switching.run(switching.session.fets(False, False)) == BOTH
    measured = switching.cycle().measurement
    assert (measured.charge_fet, measured.discharge_fet) == BOTH


def test_where_contactors_switch_its_fets_are_told_as_nothing(permitted) -> None:
    measured = permitted.cycle().measurement
    assert (measured.charge_fet, measured.discharge_fet) == (None, None)


@pytest.mark.parametrize("case", [(name, crc) for name in WHOLE for crc in {False, CHIPS[name].crc}], ids=ids)
def test_its_fets_go_off_knowing_nothing_of_it(case) -> None:
    """S5: whoever left it how."""
    name, crc = case
    for configured in (False, True):
        bench = ChipBench(name, CHIPS[name].max_cells, topology="afe", crc=crc)
        if configured:
            bench.until_measured()
        bench.chip.leave_on(True, True)
        assert bench.fets == BOTH
        assert bench.run(bench.row.fets_off()) == OFF
        assert bench.fets == OFF


def test_it_balances_the_cells_that_it_is_told_and_no_others(permitted) -> None:
    session = permitted.session
    masks = [1 << n for n in range(permitted.cells)]
    masks += [sum(masks[0::2]), sum(masks[1::2]), masks[0] | masks[-1]]
    for mask in masks:
        assert permitted.run(session.balance(mask))
        cells = tuple(n + 1 for n in range(permitted.cells) if mask >> n & 1)
        assert permitted.chip.balanced_cells == cells
        assert permitted.differences(permitted.cycle().measurement) == []
    assert permitted.run(session.balance(0))
    assert permitted.chip.balanced_cells == ()


def test_it_balances_no_cell_that_is_not_there(permitted) -> None:
    for mask in (1 << permitted.cells, -1):
        with pytest.raises(ValueError, match="mask"):
            permitted.run(permitted.session.balance(mask))
    assert permitted.chip.balanced_cells == ()


def test_it_balances_for_as_long_as_it_is_told_and_ends_by_itself(permitted) -> None:
    """S5: who is gone, or does not say it again, empties no cell."""
    for cycle in range(30_000 // PERIOD_MS):
        if cycle % (BALANCE_REFRESH_MS // PERIOD_MS) == 0:
            assert permitted.run(permitted.session.balance(1))
        permitted.cycle()
        assert permitted.chip.balanced_cells == (1,)
    for is_heard in (True, False):
        assert permitted.run(permitted.session.balance(1))
        for _ in range(60_000 // PERIOD_MS):
            if is_heard:
                permitted.cycle()
            else:
                permitted.pass_ms(PERIOD_MS)
        assert permitted.chip.balanced_cells == ()


def test_at_rest_it_is_not_lost_and_awake_it_measures_in_every_period(permitted) -> None:
    """S7: it may measure slowly then, but not for longer than its facts say."""
    permitted.sense(current_ma=0)
    assert permitted.run(permitted.session.permit(False))
    assert permitted.run(permitted.session.rest(True))
    measured_ms = permitted.now_ms
    for _ in range(30_000 // PERIOD_MS):
        report = permitted.cycle(contactors_open=True)
        assert report.state is AfeState.READY
        if report.measurement is not None:
            measured_ms = permitted.now_ms
        assert permitted.now_ms - measured_ms <= permitted.row.facts.resting_stale_ms
    assert permitted.run(permitted.session.rest(False))
    permitted.until_measured()
    for _ in range(30_000 // PERIOD_MS):
        assert permitted.differences(permitted.cycle().measurement) == []


class OnlyMeasures:
    """A driver that cannot configure its chip."""

    def __init__(self, settings: AfeSettings, whole: Chip) -> None:
        self._driver = whole.driver(settings)

    def __getattr__(self, name: str) -> Any:
        """Measure as the whole driver does."""
        return getattr(self._driver, name)

    def configure(self) -> Procedure[None]:
        """Refuse."""
        raise VerifyError("this driver only measures")
        yield


@pytest.mark.parametrize("name", [*HALF, "planted"])
def test_a_row_that_only_measures_does_that_and_is_never_configured(name, monkeypatch) -> None:
    """S2, S6: what it tells is right or unknown; it is never ready, so nothing closes."""
    whole = CHIPS[WHOLE[0]]
    planted = replace(whole, driver=partial(OnlyMeasures, whole=whole), maturity=Maturity.MEASURES)
    monkeypatch.setitem(CHIPS, "planted", planted)
    monkeypatch.setitem(KINDS, "planted", KINDS[WHOLE[0]])
    for cells in (CHIPS[name].min_cells, CHIPS[name].max_cells):
        bench = ChipBench(name, cells)
        for _ in range(20):
            report = bench.cycle(contactors_open=True)
            assert report.measurement is None
            assert not bench.run(bench.session.permit(True))
        assert report.state is AfeState.REFUSED
        assert report.detail
        for _ in range(20_000 // PERIOD_MS):
            report = bench.cycle(contactors_open=False)
            assert report.state is not AfeState.READY
        assert report.state is AfeState.WATCHING
        _holds_what_it_tells(bench)
        assert bench.permits == OFF


def _holds_what_it_tells(bench: ChipBench) -> None:
    """Read cells that move, then lose the bus, then find it again."""
    for wire in (straight, unanswered, straight):
        bench.wire = wire
        for _ in range(3):
            bench.drift()
            measured = bench.cycle().measurement
            assert (measured is None) == (wire is unanswered)
            if measured is not None:
                assert None not in measured.cell_mv
                assert [text for text in bench.differences(measured) if "None" not in text] == []
