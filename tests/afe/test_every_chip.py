"""What any front-end chip must show: every row of CHIPS, on its simulated chip, through the daemon's own calls.

A new row is tested as it stands; nothing here names a chip. What it does by itself or on command is in
`test_every_chip_acts.py`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import fields, replace

import pytest

from bmsd.afe.chips import CHIPS
from bmsd.afe.session import SHUT_OUT_MS
from bmsd.control.chip_protection import MADE_FROM, afe_settings
from bmsd.core.types import AfeSettings, AfeState, ChipFault
from bmsd.daemon.loop import FIRST_CYCLES
from bmsd.errors import UnfitError
from bmsd.sim.bench import OPEN_DECIC, SHORTED_DECIC
from bmsd.sim.chips.kinds import KINDS
from bmsd.sim.faults import CHIP_FAULTS
from bmsd.tables.parameters import BY_NAME
from tests.afe.chip_bench import (
    ENDS,
    OFF,
    ON_ANY_WIRE,
    PERIOD_MS,
    WHOLE,
    WITH_CHECKSUMS,
    ChipBench,
    ids,
    straight,
    swallowing,
)

NOT_SIMULATED: dict[str, str] = {}
"""Rows that nothing here can try, each with its reason."""
each_chip = pytest.mark.parametrize("name", WHOLE)


@pytest.fixture(params=ENDS, ids=ids)
def bench(request) -> ChipBench:
    """Give a chip as after power-up, with the fewest and with the most cells of its row."""
    return ChipBench(*request.param)


@pytest.fixture
def ready(bench) -> ChipBench:
    """Give one that is configured and measures, with closed contactors from now on."""
    bench.until_measured()
    return bench


def unaccounted(rows: Iterable[str], simulated: Container[str], excused: Mapping[str, str]) -> list[str]:
    return [name for name in rows if name not in simulated and len(excused.get(name, "")) < 20]


def test_every_row_is_simulated_or_says_why_not() -> None:
    assert not unaccounted(CHIPS, KINDS, NOT_SIMULATED)
    assert not NOT_SIMULATED.keys() & KINDS.keys()
    assert NOT_SIMULATED.keys() | KINDS.keys() == CHIPS.keys()


def test_a_row_that_is_neither_is_found() -> None:
    assert unaccounted(["a", "b", "c"], {"a"}, {"b": "no data sheet says what it does", "c": ""}) == ["c"]


def test_the_simulated_chip_has_every_fault_of_the_bench(bench) -> None:
    for fault, _ in CHIP_FAULTS.values():
        bench.chip.fault(fault, True)
        bench.chip.fault(fault, False)
    with pytest.raises(ValueError, match="no such thing"):
        bench.chip.fault("no such thing", True)


def test_it_is_found_then_configured_and_then_measures(bench) -> None:
    """S6."""
    assert bench.session.state is AfeState.ABSENT
    found = bench.cycle(contactors_open=True)
    assert (found.state, found.measurement) == (AfeState.CONFIGURING, None)
    assert found.detail
    assert bench.cycle(contactors_open=True).state is AfeState.READY
    assert bench.cycle(contactors_open=True).measurement is not None
    assert bench.counter.errors == 0


def test_before_it_is_configured_nothing_counts(bench) -> None:
    """S6: not while a contactor may be closed, and not when it is only found."""
    for is_open in (False, False, True, False, False):
        report = bench.cycle(contactors_open=is_open)
        assert report.state in {AfeState.ABSENT, AfeState.CONFIGURING}
        assert report.measurement is None
        assert not bench.run(bench.session.permit(True))
        assert not bench.run(bench.session.balance(1))
        assert bench.run(bench.session.fets(True, True)) is None
        assert (bench.permits, bench.fets, bench.chip.balanced_cells) == (OFF, OFF, ())


def test_a_fresh_chip_that_may_not_be_set_up_is_seen_and_never_ready(bench) -> None:
    """S6, S15: beside a welded contactor; what it tells is right or unknown (S2)."""
    reports = bench.cycles(2 * SHUT_OUT_MS // PERIOD_MS)
    assert all(report.state is not AfeState.READY for report in reports)
    last = reports[-1]
    assert last.state is AfeState.WATCHING
    assert last.measurement.faults is ChipFault.NONE
    assert [text for text in bench.differences(last.measurement) if "None" not in text] == []
    assert bench.permits == OFF


def test_a_chip_that_holds_its_settings_is_ready_for_the_next_daemon(ready) -> None:
    """S6, S15: without a moment in which its protection is off."""
    ready.permit()
    ready.session = ready.new_session()
    ready.until_measured(contactors_open=False, within=2 * SHUT_OUT_MS // PERIOD_MS)
    assert ready.session.state is AfeState.READY
    assert ready.permits == OFF, "the first word forbids"


def test_the_first_values_come_as_soon_as_the_daemon_looks_for_them(bench) -> None:
    for _ in range(2):
        bench.cycle(contactors_open=True)
    first_scan_ms = bench.row.facts.first_scan_ms
    reports = [bench.cycle(after_ms=first_scan_ms) for _ in range(FIRST_CYCLES - 2)]
    assert reports[-1].measurement is not None


@pytest.mark.parametrize("crc", [True, False])
def test_it_tells_what_is_on_its_pins(bench, crc) -> None:
    """S2: each value in its place and with its sign."""
    bench.settings = replace(bench.settings, crc=crc and bench.row.crc)
    bench.session = bench.new_session()
    bench.until_measured()
    for changed in (
        {},
        {"current_ma": -45_600, "load_mv": 52_000, "charger_mv": 0},
        {"battery_decic": (-50, 331), "switch_decic": -120, "current_ma": 0},
        {"battery_decic": (450, 20), "load_mv": 0, "charger_mv": 40_000, "switch_decic": 650},
    ):
        bench.sense(**changed)
        told = bench.cycle().measurement
        assert bench.differences(told) == []
        assert told.faults is ChipFault.NONE


def test_each_cell_is_told_in_its_place(ready) -> None:
    """S2: the inputs that are left over on the board count for no cell."""
    plain = ready.pins.cell_mv
    for number in range(ready.cells):
        ready.sense(cell_mv=plain)
        ready.sense(cell_mv=ready.with_cell(number, 3050.0))
        assert ready.differences(ready.cycle().measurement) == []


@pytest.mark.parametrize("decic", [OPEN_DECIC, SHORTED_DECIC])
def test_a_broken_thermistor_is_unknown_and_no_other(ready, decic) -> None:
    """S2."""
    places = [f"battery {n}" for n in range(1, ready.settings.thermistors + 1)]
    good = ready.pins
    for number, place in enumerate([*places, "switch"]):
        battery = tuple(decic if number == n else good.battery_decic[n] for n in range(2))
        ready.sense(battery_decic=battery, switch_decic=decic if place == "switch" else good.switch_decic)
        told = ready.cycle().measurement
        assert [text.partition(" for")[0] for text in ready.differences(told)] == [f"{place}: None"]


ON_A_WIRE = [
    *((name, False, trouble) for name in WHOLE for trouble in ON_ANY_WIRE),
    *(
        (name, True, trouble)
        for name in WHOLE
        if CHIPS[name].crc
        for trouble in [*ON_ANY_WIRE, *WITH_CHECKSUMS]
    ),
]


@pytest.mark.parametrize("case", ON_A_WIRE, ids=ids)
def test_trouble_on_the_bus_is_unknown_and_never_an_old_value(case) -> None:
    """S2, S7: at once, for as long as it lasts, and what comes after it is new."""
    name, crc, trouble = case
    bench = ChipBench(name, CHIPS[name].max_cells, crc=crc)
    bench.until_measured()
    for count in (1, 3, 40):
        bench.wire = {**ON_ANY_WIRE, **WITH_CHECKSUMS}[trouble]
        reports = bench.cycles(count)
        assert all(report.measurement is None and report.detail for report in reports)
        assert reports[-1].errors > 0
        bench.wire = straight
        assert bench.differences(bench.until_measured(contactors_open=count > 3)) == []
    assert reports[-1].state is AfeState.ABSENT, "given up"


def test_a_frozen_chip_is_unknown_and_then_lost(ready) -> None:
    """S7: it answers, and what it answers is old."""
    ready.chip.fault("frozen", True)
    reports = ready.cycles(40)
    assert all(report.measurement is None and report.detail for report in reports)
    assert any(report.state is AfeState.ABSENT for report in reports)
    ready.chip.fault("frozen", False)
    assert ready.differences(ready.until_measured()) == []


def test_no_value_is_put_together_from_two_scans(ready) -> None:
    """S2: half of an old one and half of a new one is none that ever was."""
    ready.chip.fault("torn", True)
    for cell_mv in (3327.0, 3329.0, 3071.0, 3073.0):
        ready.sense(cell_mv=(cell_mv,) * ready.cells, current_ma=cell_mv * 10)
        assert ready.differences(ready.cycle().measurement) == []


def test_polls_between_two_scans_are_no_trouble(ready) -> None:
    """S7: a fast loop asks more often than the chip measures, and is told that there is nothing new."""
    for _ in range(60):
        report = ready.cycle(after_ms=5)
        assert report.state is AfeState.READY
        assert report.measurement is not None or report.detail


@pytest.mark.parametrize("since", ["the start", "it was found"])
@pytest.mark.parametrize("how", ["it forgets", "nothing arrives"])
def test_settings_that_it_does_not_keep_are_refused(bench, how, since) -> None:
    """S6: written, read back, compared."""
    if since == "it was found":
        assert bench.cycle(contactors_open=True).state is AfeState.CONFIGURING
    if how == "it forgets":
        bench.chip.fault("no_writes", True)
    else:
        bench.wire = swallowing
    reports = bench.cycles(60, contactors_open=True)
    assert all(report.state is not AfeState.READY and report.measurement is None for report in reports)
    assert reports[-1].detail
    assert bench.permits == OFF
    bench.chip.fault("no_writes", False)
    bench.wire = straight
    assert bench.differences(bench.until_measured(within=60)) == []


@pytest.mark.parametrize("fault", ["reset", "config_flip"])
def test_settings_that_are_lost_in_service_end_the_measurements(ready, fault) -> None:
    """S6: a reset at once, a setting that changed by itself within two seconds, until it is configured again."""
    ready.permit()
    ready.chip.fault(fault, True)
    reports = ready.cycles(8 if fault == "config_flip" else 1)
    assert (reports[-1].state, reports[-1].measurement) == (AfeState.CONFIGURING, None)
    assert reports[-1].resets == 1
    assert reports[-1].detail
    assert all(report.measurement is None for report in ready.cycles(8)), "contactors are still closed"
    assert ready.differences(ready.until_measured()) == []
    assert ready.session.state is AfeState.READY
    assert ready.permits == OFF, "nothing comes on by itself"
    ready.permit()


@pytest.mark.parametrize("crc", [True, False])
def test_a_reset_is_noticed_with_and_without_checksums(bench, crc) -> None:
    """S6."""
    bench.settings = replace(bench.settings, crc=crc and bench.row.crc)
    bench.session = bench.new_session()
    bench.until_measured()
    bench.chip.fault("reset", True)
    (report,) = bench.cycles(1)
    assert (report.state, report.measurement, report.resets) == (AfeState.CONFIGURING, None, 1)


@pytest.mark.parametrize("pair", [(one, other) for one in WHOLE for other in KINDS if one != other], ids=ids)
def test_another_chip_is_never_taken_for_it(pair) -> None:
    """S6: what fits one member of a family may be nonsense in the next."""
    name, other = pair
    cells = max(CHIPS[name].min_cells, CHIPS[other].min_cells)
    bench = ChipBench(name, cells, chip=other)
    for report in bench.cycles(60, contactors_open=True):
        assert report.state in {AfeState.REFUSED, AfeState.ABSENT}
        assert report.measurement is None
        assert report.detail
    assert bench.permits == OFF


NUMBERS = [field.name for field in fields(AfeSettings) if field.name not in {"cells", "crc", "own_fets"}]


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("value", [-(10**9), 10**9])
def test_what_the_chip_cannot_hold_is_refused_with_the_value_and_what_it_can(bench, field, value) -> None:
    """S6."""
    with pytest.raises(ValueError, match=str(value)) as refused:
        bench.row.driver(replace(bench.settings, **{field: value}))
    others = [word for word in str(refused.value).replace(str(value), "").split() if word.isdigit()]
    assert others, "the limit"
    if isinstance(refused.value, UnfitError):
        assert any(one.field == field and not one.low <= value <= one.high for one in refused.value.unfit)


@pytest.mark.parametrize("name", sorted({name for names in MADE_FROM.values() for name in names}))
def test_whatever_a_parameter_says_it_is_taken_or_refused_with_ends_that_are_taken(bench, name) -> None:
    """S6: the configuration's advice is made from them."""
    given = bench.parameters
    for value in BY_NAME[name].bounds(bench.cells):
        settings = afe_settings(bench.wiring, replace(given, **{name: value}))
        try:
            bench.row.driver(settings)
        except UnfitError as refused:
            for one in refused.unfit:
                assert one.field in MADE_FROM
                assert str(one.value) in one.text
                assert not one.low <= one.value <= one.high
                for end in (one.low, one.high):
                    bench.row.driver(replace(bench.settings, **{one.field: end}))


@each_chip
def test_more_and_fewer_cells_and_sensors_than_it_has_inputs_are_refused(name) -> None:
    row = CHIPS[name]
    settings = ChipBench(name, row.max_cells).settings
    for field, ends in (("cells", (row.min_cells, row.max_cells)), ("thermistors", (1, row.max_thermistors))):
        for good, bad in ((ends[0], ends[0] - 1), (ends[1], ends[1] + 1)):
            row.driver(replace(settings, **{field: good}))
            with pytest.raises(ValueError, match=rf"{bad}\b.*\b{ends[1]}"):
                row.driver(replace(settings, **{field: bad}))


@each_chip
def test_it_can_do_what_its_facts_say(name) -> None:
    facts, settings = CHIPS[name].facts, ChipBench(name, CHIPS[name].max_cells).settings
    CHIPS[name].driver(
        replace(
            settings,
            cell_over_delay_ms=facts.longest_cell_delay_ms,
            cell_under_delay_ms=facts.longest_cell_delay_ms,
            cell_under_mv=facts.lowest_cell_mv,
        )
    )
    assert 0 < facts.first_scan_ms <= facts.stale_ms <= facts.resting_stale_ms
