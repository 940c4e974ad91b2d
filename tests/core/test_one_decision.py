"""One decision from a state of choice: what starts, what moves, what is remembered, and what is told (S1, S3, S13)."""

from __future__ import annotations

from typing import Any

import pytest

from bmsd.core.alarms import AlarmState
from bmsd.core.charging import Charging, Phase
from bmsd.core.diode import Diode, Diodes
from bmsd.core.emergency import Override
from bmsd.core.limit_compliance import HighestLimits, SentLimits
from bmsd.core.ordered import Ordered
from bmsd.core.plausible import HeldReadings, validate
from bmsd.core.settings import Settings
from bmsd.core.sleep import SleepState
from bmsd.core.soc import MAMS_PER_MAH, SocState
from bmsd.core.state import CommonState, Consent, Outputs, State, begin
from bmsd.core.step import step
from bmsd.core.switching import SwitchState
from bmsd.core.types import AfeState, Commands, Inhibit, InhibitCause, Levels, Request
from bmsd.tables.alarms import ALARMS, Block
from tests.support.bench_inputs import START_MS, Pack, make_settings
from tests.support.changed import replace

T = START_MS
OFF, ON = SwitchState(False, T - 60_000), SwitchState(True, T - 60_000)
SETTINGS = make_settings(wired=frozenset(), contacts=frozenset())
"""Nothing is read back, so that a test may let any line and contact read anything."""
WANTED = SETTINGS.parameters.start_good_cycles
CLOSED = {"charge": ON, "discharge": ON, "commands": Commands(charge=True, discharge=True)}
COLD: dict[str, Any] = {"battery": [-80, -75], "charger_mv": 16_000}


def active(*names: str) -> tuple[AlarmState, ...]:
    """Give the alarms of a state in which these are active since a while."""
    return tuple(AlarmState(True, T - 5000) if row.name in names else AlarmState() for row in ALARMS)


def decide(
    state: dict[str, Any] | None = None,
    *requests: Request,
    settings: Settings = SETTINGS,
    levels: Levels | None = None,
    contacts: Levels | None = None,
    **readings: Any,
) -> tuple[State, Outputs]:
    """Decide once, with all that is wired reading as commanded."""
    before = replace(begin(T), **{"started": True, **(state or {})})
    c = before.commands
    lines = levels or Levels(
        charge=c.charge,
        discharge=c.discharge,
        precharge=c.precharge,
        heater=c.heater,
        buzzer=c.buzzer,
        main=c.main,
    )
    feedback = contacts or Levels(charge=c.charge, discharge=c.discharge, main=c.main)
    pack = Pack(settings, now_ms=T, state=before, lines=lines, feedback=feedback, **readings)
    inputs = pack.inputs(requests)
    if settings.own_fets and inputs.afe.measurement is not None:
        on = before.charge.on or before.diodes.charge.spared, before.discharge.on
        seen = replace(inputs.afe.measurement, charge_fet=on[0], discharge_fet=on[1])
        inputs = replace(inputs, afe=replace(inputs.afe, measurement=seen))
    return step(settings, before, inputs)


# --- The start --------------------------------------------------------------------------------------------------


def starting(good_cycles: int = WANTED - 1, **more: Any) -> State:
    state = more.pop("state", {})
    return decide({"started": False, "good_cycles": good_cycles, **state}, **more)[0]


def test_a_start_ends_with_the_last_good_cycle() -> None:
    """S13."""
    assert (starting(WANTED - 2).good_cycles, starting(WANTED - 2).started) == (WANTED - 1, False)
    assert (starting().good_cycles, starting().started) == (WANTED, True)
    assert starting(WANTED).good_cycles == WANTED


@pytest.mark.parametrize(
    "spoilt",
    [{"polled": False}, {"afe": AfeState.CONFIGURING}, {"current_ma": 50_000}, {"stack": None},
     {"levels": Levels(True), "settings": make_settings()}],
    ids=("no poll", "no front end", "a current", "no stack", "a line"),
)  # fmt: skip
def test_a_cycle_with_anything_wrong_begins_it_anew(spoilt) -> None:
    """S13: also with a current through contactors that are open."""
    assert (starting(**spoilt).good_cycles, starting(**spoilt).started) == (0, False)


def test_a_cycle_on_values_of_the_one_before_is_no_good_one() -> None:
    """S13: complete is measured now, and not only believed still."""
    pack = Pack(SETTINGS)
    _, held = validate(HeldReadings(), pack.measurement(), T - 250, SETTINGS.parameters)
    found, out = decide({"started": False, "good_cycles": WANTED - 1, "held": held}, polled=False)
    assert out.values.cell_max.complete
    assert (found.good_cycles, found.started) == (0, False)


def test_a_pack_that_started_stays_so_after_a_bad_cycle() -> None:
    """S13: what is lost later has its own alarms."""
    assert decide({"good_cycles": WANTED}, polled=False)[0].started


@pytest.mark.parametrize(
    ("asked_for", "waiting"),
    [(Block.NONE, {"charge", "discharge"}), (Block.CHARGE, {"discharge"}), (Block.DISCHARGE, {"charge"})],
)
def test_a_direction_that_nobody_asked_for_waits_for_a_word(asked_for, waiting) -> None:
    """S13."""
    out = decide({"asked_for": asked_for})[1]
    for name, against in (("charge", out.charge_inhibits), ("discharge", out.discharge_inhibits)):
        assert (Inhibit(InhibitCause.NOT_ASKED, name) in against) is (name in waiting)


def test_an_override_that_begins_lets_a_contactor_close_that_used_up_its_hour() -> None:
    """S10, S12."""
    many = SwitchState(False, T - 60_000, (T - 60_000,) * SETTINGS.parameters.contactor_operations_per_hour)
    assert not decide({"charge": many})[1].commands.charge
    assert decide({"charge": many}, Request("emergency", "override", True))[1].commands.charge
    assert not decide({"charge": many, "override": Override(T - 1)})[1].commands.charge


def test_under_an_override_an_open_discharge_contactor_is_asked_for_nothing() -> None:
    """S7, S10: whatever else is closed."""
    only_charge = {"charge": ON, "commands": Commands(True), "consent": Consent(discharge=False)}
    out = decide({**only_charge, "override": Override(T - 1)})[1]
    assert out.commands.charge
    assert out.limits.discharge_ma == 0
    assert decide({**CLOSED, "override": Override(T - 1)})[1].limits.discharge_ma > 0


def test_a_start_waits_for_a_trip_that_is_coming_and_for_none_of_what_is_blocked_anyway() -> None:
    """S13: what would open again at once does not close."""
    high = [3300, 3650, 3300, 3300]
    assert (starting(cells=high).good_cycles, starting(cells=high).started) == (WANTED, False)
    assert starting(cells=high, state={"alarms": active("charge_limit_enforced")}).started
    assert not starting(cells=high, state={"alarms": active("discharge_limit_enforced")}).started


def test_an_empty_pack_starts_though_a_shutdown_is_coming() -> None:
    """Discharging is blocked already and only charging brings it back; that heat will be blocked does not matter."""
    assert starting(cells=[2550] * 4, state={"alarms": active("cell_uvp", "pack_uvp")}).started
    assert not starting(cells=[2550] * 4).started


def test_a_start_waits_for_no_alarm_that_blocks_neither_direction() -> None:
    spread = [3250, 3250, 3250, 3250 + SETTINGS.parameters.cell_spread_mv + 1]
    assert starting(cells=spread).started


# --- Sleep ------------------------------------------------------------------------------------------------------


def idle(state: dict[str, Any] | None = None, *requests: Request, **more: Any) -> bool:
    """Tell whether the pack counts as idle in this cycle."""
    before = {**CLOSED, "sleep": SleepState(T - 1000), **(state or {})}
    return decide(before, *requests, **more)[0].sleep.idle_since_ms == T - 1000


def test_a_pack_that_does_nothing_is_idle() -> None:
    assert idle()
    assert idle({"alarms": active("cell_spread")}), "a warning that ends is nothing"


@pytest.mark.parametrize(
    ("what", "more"),
    [("heat", {"commands": Commands(charge=True, discharge=True, heater=True)}),
     ("pre-charge", {"commands": Commands(charge=True, discharge=True, precharge=True)}),
     ("balancing", {"commands": Commands(charge=True, discharge=True, balance_mask=2)}),
     ("an override", {"override": Override(T - 1), "alarms": active("emergency_override")}),
     ("a fault", {"alarms": active("output_fault")})],
)  # fmt: skip
def test_what_is_running_keeps_it_awake(what, more) -> None:
    assert not idle(more), what


@pytest.mark.parametrize(
    "more", [{"pressed": True}, {"stack": None}, {"current_ma": 5000}, {"charger_mv": 20_000}], ids=str
)
def test_what_is_seen_keeps_it_awake(more) -> None:
    assert not idle(**more)


def test_a_request_and_a_new_alarm_keep_it_awake() -> None:
    assert not idle(None, Request("wake", "pack"))
    spread = SETTINGS.parameters.cell_spread_mv + 3301
    long_ago = tuple(
        AlarmState(bad_since_ms=T - 3_600_000) if row.name == "cell_spread" else AlarmState()
        for row in ALARMS
    )
    assert not idle({"alarms": long_ago}, cells=[3300, 3300, 3300, spread])


def test_what_sleep_holds_open_says_so() -> None:
    opens = replace(SETTINGS, parameters=replace(SETTINGS.parameters, sleep_contactors=1))
    asleep = {"sleep": SleepState(T - 1000, True, "idle", T, charger_side_seen=True)}
    out = decide(asleep, settings=opens)[1]
    assert out.charge_inhibits == out.discharge_inhibits == (Inhibit(InhibitCause.ASLEEP, "sleep"),)
    unseen = {"sleep": SleepState(T - 1000, True, "idle", T)}
    out = decide({**CLOSED, **unseen}, settings=opens)[1]
    assert (out.charge_inhibits, out.discharge_inhibits) == ((), (Inhibit(InhibitCause.ASLEEP, "sleep"),))


def test_an_empty_pack_sleeps_sooner() -> None:
    sleeps = {
        "sleep": SleepState(T - 300_000),
        "alarms": active("auto_shutdown", "cell_shutdown", "cell_uvp"),
    }
    assert decide(sleeps, cells=[2550] * 4)[0].sleep.why == "empty"
    assert decide({"sleep": SleepState(T - 300_000)})[0].sleep.why == ""


@pytest.mark.parametrize(
    ("name", "contact", "seen"), [("charge", True, True), ("charge", False, False), ("charge", None, True),
                                  ("main", True, True), ("main", False, False), ("main", None, True)],
)  # fmt: skip
def test_the_far_side_is_learnt_through_a_contactor_that_is_closed_as_read(name, contact, seen) -> None:
    """One without a contact is taken as commanded."""
    settings = make_settings(topology="common" if name == "main" else "split")
    before = {name: ON, "commands": Commands(**{name: True})}
    found = decide(before, settings=settings, contacts=Levels(**{name: contact}), charger_mv=13_206)[0]
    assert found.sleep.charger_side_seen is seen
    assert not decide(settings=settings, charger_mv=13_206)[0].sleep.charger_side_seen


# --- Heat and charge --------------------------------------------------------------------------------------------

TOO_COLD = {"alarms": active("charge_utp")}


def heats(state: dict[str, Any] | None = None, **more: Any) -> bool:
    """Tell whether the heater of a pack too cold to charge goes on."""
    return decide({**TOO_COLD, **(state or {})}, **{**COLD, **more})[0].heater.on


def test_a_pack_too_cold_to_charge_is_heated() -> None:
    """S3: by the alarm, not by the temperature alone."""
    out = decide(TOO_COLD, **COLD)[1]
    assert out.heater_demanded
    assert out.commands.heater
    assert out.heater_inhibits == ()
    assert not decide(**COLD)[1].heater_demanded
    assert not decide(TOO_COLD, settings=replace(SETTINGS, heater_mohm=None), **COLD)[1].heater_demanded
    assert not heats({"started": False})
    assert not heats({"alarms": active("charge_utp", "heater_no_warming")})
    assert not heats(stack=None)


@pytest.mark.parametrize(
    ("state", "levels", "contacts"),
    [({"charge": ON}, Levels(False), Levels(False)), ({}, Levels(True), Levels(False)),
     ({}, Levels(False), Levels(True))],
)  # fmt: skip
def test_heat_waits_until_charge_is_cut_as_commanded_and_as_read(state, levels, contacts) -> None:
    """S3: one of the three is enough to wait for."""
    assert not heats(state, levels=levels, contacts=contacts)
    assert heats(levels=Levels(False), contacts=Levels(False))
    assert heats(levels=Levels(), contacts=Levels()), "what nothing reads back counts as commanded"


COMMON = make_settings(topology="common", wired=frozenset(), contacts=frozenset())
LIMIT_MA = COMMON.parameters.forbidden_charge_ma


@pytest.mark.parametrize(
    ("state", "levels", "contacts"),
    [
        ({"main": ON}, Levels(), Levels()),
        ({}, Levels(main=True), Levels()),
        ({}, Levels(), Levels(main=True)),
    ],
)
def test_through_a_closed_common_contactor_heat_waits_for_a_current_that_obeys(
    state, levels, contacts
) -> None:
    """S3: told zero, and measured as nothing; an unknown current is no zero (S2)."""

    def heats_at(current_ma: int | None, refused: Block = Block.CHARGE) -> bool:
        before = {**state, "common": CommonState(refused)}
        return heats(before, settings=COMMON, levels=levels, contacts=contacts, current_ma=current_ma)

    assert heats_at(LIMIT_MA)
    assert heats_at(-20_000)
    assert not heats_at(LIMIT_MA + 1)
    assert not heats_at(None)
    assert not heats_at(0, Block.NONE)
    assert not heats_at(0, Block.DISCHARGE)


def test_through_an_open_common_contactor_nothing_charges() -> None:
    open_ = {"main": OFF, "common": CommonState(Block.NONE)}
    assert heats(open_, settings=COMMON, levels=Levels(main=False), contacts=Levels(main=False))


FETS = make_settings(topology="afe", wired=frozenset(), heater_from_pack=True)
SPARED = {
    "diodes": Diodes(charge=Diode(True, T - 60_000)),
    "soc": SocState(charge_mams=10**15, error_permille=0),
}


@pytest.mark.parametrize(("current_ma", "warm"), [(-1, True), (0, False), (1, False), (None, False)])
def test_a_charge_fet_that_is_on_for_its_diode_is_cut_while_current_flows_out(current_ma, warm) -> None:
    """S3, S2."""
    fets = {"levels": Levels(heater=False), "contacts": Levels(), "current_ma": current_ma}
    assert heats(SPARED, settings=FETS, **fets) is warm
    assert not heats({**SPARED, "charge": ON}, settings=FETS, **fets)


def test_heat_waits_for_charging_to_be_asked_for() -> None:
    """S13: after a start that waits for a word."""
    after, out = decide({**TOO_COLD, "asked_for": Block.DISCHARGE}, **COLD)
    assert not after.heater.on
    assert out.heater_inhibits == (Inhibit(InhibitCause.NOT_ASKED, "charge"),)
    assert heats({"asked_for": Block.CHARGE})


def test_a_pack_of_unknown_charge_counts_as_empty_for_its_heater() -> None:
    """S2: a heater on the pack takes nothing that may not be there."""
    from_pack = replace(SETTINGS, heater_from_pack=True)
    least = from_pack.parameters.heater_min_soc_permille * 100_000 * 3_600_000 // 1000
    assert heats({"soc": SocState(charge_mams=least, error_permille=0)}, settings=from_pack)
    assert not heats({"soc": SocState(charge_mams=least - 1, error_permille=0)}, settings=from_pack)
    assert not heats(settings=from_pack, cells=[3300, None, 3300, 3300])


@pytest.mark.parametrize(
    ("state", "levels", "waits"),
    [({}, Levels(), False), ({"heater": ON}, Levels(), True), ({}, Levels(heater=True), True),
     ({}, Levels(heater=False), False)],
)  # fmt: skip
def test_charge_waits_until_the_heater_is_off_as_commanded_and_as_read(state, levels, waits) -> None:
    """S3."""
    after, out = decide(state, levels=levels)
    assert after.charge.on is not waits
    assert (Inhibit(InhibitCause.HEATER_FIRST, "heater") in out.charge_inhibits) is waits


def test_what_the_heater_takes_flows_beside_the_diodes() -> None:
    """13.2 V over 24 ohm are 550 mA; a current that is not of this cycle spares none."""
    before = {"charge": OFF, "discharge": ON, "consent": Consent(charge=False), "heater": ON}

    def spares(current_ma: int | None, state: dict[str, Any] = before, **more: Any) -> bool:
        given = {"cells": [3300] * 4, "contacts": Levels(), "levels": Levels(heater=True), **more}
        return decide(state, settings=FETS, current_ma=current_ma, **given)[1].commands.charge_diode

    assert spares(-2550)
    assert not spares(-2549)
    assert spares(-2000, {**before, "heater": OFF})
    assert not spares(None)
    assert not spares(-2550, polled=False)
    kept = {"diodes": Diodes(charge=Diode(True, T - 9))}
    assert decide(kept)[0].diodes == kept["diodes"], "contactors have none, and change none"


# --- What is told and remembered ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("obeys_ms", "react_ms"), [(0, 10_000), (9000, 10_000), (10_000, 10_000), (30_000, 30_000)]
)
def test_an_inverter_has_the_longer_of_the_time_to_react_and_the_time_it_obeys_within(
    obeys_ms, react_ms
) -> None:
    """S7: so long each stretch lasts that it is held to."""
    made = make_settings(obeys_ms=obeys_ms, wired=frozenset(), contacts=frozenset())
    last = HighestLimits(13_800, 90_000, 135_000)

    def told(since_ms: int) -> SentLimits:
        return decide({"sent_limits": SentLimits(T - since_ms, last)}, settings=made)[0].sent_limits

    assert (told(react_ms - 1).since_ms, told(react_ms - 1).before) == (T - react_ms + 1, None)
    assert (told(react_ms).since_ms, told(react_ms).before) == (T, last)


ASKS = {
    "nobody": {},
    "the pack, to be charged": {"force_charge": True},
    "the pack, to be full": {"full_charge": True},
    "an operator, to charge": {"ordered": Ordered(force=T + 1000)},
    "an operator, to fill": {"ordered": Ordered(full=T + 1000)},
}


@pytest.mark.parametrize("who", ASKS)
def test_a_pack_at_rest_is_charged_again_when_somebody_asks(who) -> None:
    limiting = decide()[0].limiting
    assert limiting is not None
    rests = replace(limiting, charging=Charging(phase=Phase.REST, since_ms=T - 60_000, from_mv=13_800))
    counter = SocState(charge_mams=99_000 * MAMS_PER_MAH, error_permille=5, full=True, full_charges=1)
    after = decide({"limiting": rests, "soc": counter, **ASKS[who]})[0].limiting
    assert after is not None
    assert after.charging.phase is (Phase.REST if who == "nobody" else Phase.BULK)


@pytest.mark.parametrize(
    ("load_mv", "main", "told_mv"), [(13_206, OFF, 13_800), (17_000, OFF, 13_206), (17_000, ON, 13_800)]
)
def test_while_a_source_holds_the_bus_above_the_pack_its_voltage_is_told_to_come_down(
    load_mv, main, told_mv
) -> None:
    """S15: to that of the pack, so that the contactor can close; through a closed one there is nothing to wait for."""
    out = decide({"main": main}, settings=COMMON, load_mv=load_mv)[1]
    assert out.limits.charge_mv == told_mv


HOUR_MS = 3_600_000


@pytest.mark.parametrize(("unfilled_ms", "is_long"), [(24 * HOUR_MS - 1, False), (24 * HOUR_MS, True)])
def test_a_full_charge_is_asked_for_after_its_time_in_service(unfilled_ms, is_long) -> None:
    daily = make_settings(wired=frozenset(), contacts=frozenset(), chosen={"full_charge_after_h": 24})
    counter = SocState(charge_mams=50_000 * MAMS_PER_MAH, error_permille=5, unfilled_ms=unfilled_ms)
    assert decide({"soc": counter}, settings=daily)[0].full_charge is is_long
    assert not decide({"soc": counter})[0].full_charge, "here it is a month"
    assert not decide(settings=daily, cells=[3300, None, 3300, 3300])[0].full_charge, (
        "nothing was counted yet"
    )


@pytest.mark.parametrize(
    ("alarms", "main", "above_ms"),
    [
        (("cell_ovp",), ON, T),
        (("cell_ovp", "cell_uvp"), ON, T),
        (("cell_ovp",), OFF, None),
        (("cell_uvp",), ON, None),
        ((), ON, None),
    ],
)
def test_cells_are_watched_for_charge_that_no_reading_shows_while_it_is_refused(
    alarms, main, above_ms
) -> None:
    """S2: through a closed common contactor; a cell above over-voltage is where it begins."""
    before = {"alarms": active(*alarms), "main": main, "commands": Commands(main=main.on)}
    assert (
        decide(before, settings=COMMON, cells=[3700] * 4, current_ma=-20_000)[0].undetected_charge.above_ms
        == above_ms
    )
