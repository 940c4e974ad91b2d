"""bmsctl why: rule, value, limit, since when, and what has to happen, for every reason the core can give."""

from __future__ import annotations

import json

import pytest

from bmsd.cli.why import THINGS, why_text
from bmsd.core.types import InhibitCause
from bmsd.tables.alarms import ALARMS, Block


def answer(runtime, what: str) -> str:
    code, out, err = runtime.run("why", what)
    assert (code, err) == (0, "")
    return " ".join(out.split())


def blocked_by(runtime, name: str, what: str = "charge", **more) -> None:
    reason = {"because": "alarm", "name": name, "until_ms": None}
    points = {f"{what}_allowed": False, f"{what}_commanded": False, f"{what}_actual": False}
    runtime.publish(alarms=[runtime.alarm(name, **more)], why={what: [reason]}, **points, cell_max_mv=3450)


def test_charge_blocked_by_a_high_cell(runtime) -> None:
    blocked_by(runtime, "cell_ovp", where=7, value=3712, limit=3600)
    assert answer(runtime, "charge") == (
        "Charging is not allowed. Cell over-voltage (cell_ovp), for 2 min 14 s: cell 7 at 3.712 V, above the limit"
        " of 3.600 V (cell_ovp_v); now the highest cell is at 3.450 V. It ends when the highest cell is below"
        " 3.400 V (cell_ovpr_v). Charging returns when every cell is below recovery. If it repeats, lower the"
        " charge voltage and let the balancer work."
    )


def test_the_same_for_a_program(runtime) -> None:
    blocked_by(runtime, "cell_ovp", where=7, value=3712, limit=3600)
    told = json.loads(runtime.run("why", "charge", "--json")[1])
    (reason,) = told["reasons"]
    assert (told["what"], told["allowed"], told["commanded"], told["actual"]) == (
        "charge",
        False,
        False,
        False,
    )
    assert (reason["because"], reason["name"], reason["cell"]) == ("alarm", "cell_ovp", 7)
    assert (reason["value"], reason["limit"], reason["unit"]) == (3.712, 3.6, "V")
    assert reason["since_s"] == pytest.approx(134, abs=1)
    assert reason["release"] == {
        "parameter": "cell_ovpr_v", "value": 3.4, "after_s": None, "operator": False,
        "text": "It ends when the highest cell is below 3.400 V (cell_ovpr_v).",
    }  # fmt: skip
    assert reason["text"] in told["text"]
    everything = json.loads(runtime.run("why", "--json")[1])
    assert list(everything) == list(THINGS)


def test_cold_tells_what_the_heater_does(runtime) -> None:
    blocked_by(runtime, "charge_utp", where=2, value=-80, limit=0)
    text = answer(runtime, "charge")
    assert "sensor 2 at -8.0 °C, below the limit of 0.0 °C (charge_utp_c)" in text
    assert "above 5.0 °C (charge_utpr_c)" in text
    assert "The heater is off: 'bmsctl why heater' tells the reason." in text


def test_a_release_time_and_an_operator_are_named(runtime) -> None:
    blocked_by(runtime, "charge_ocp", value=120_000, limit=100_000)
    assert "below 100.000 A (charge_ocp_a) for 60 s (charge_ocp_release_s)" in answer(runtime, "charge")
    blocked_by(runtime, "charge_contactor_welded", latched=True)
    text = answer(runtime, "charge")
    assert "It is latched: once the cause is gone, 'bmsctl reset charge_contactor_welded' ends it." in text


def test_several_reasons_are_counted(runtime) -> None:
    reasons = [{"because": "alarm", "name": "cell_lost"}, {"because": "unknown", "name": "cell_mv"},
               {"because": "operator", "name": "charge"}]  # fmt: skip
    runtime.publish(
        charge_allowed=False, alarms=[runtime.alarm("cell_lost", where=3)], why={"charge": reasons}
    )
    text = answer(runtime, "charge")
    assert "There are 2 reasons. (1) Cell voltage unknown (cell_lost), for 2 min 14 s: cell 3." in text
    assert "A cell voltage is unknown" not in text, "the alarm says it"
    assert "'bmsctl switch charge on' allows it again" in text


def test_all_good(runtime) -> None:
    runtime.publish(why={"heater": [{"because": "not needed", "name": "battery_min"}]})
    assert answer(runtime, "charge") == "Charging is allowed and the charge contactor is closed."
    assert answer(runtime, "discharge") == "Discharging is allowed and the discharge contactor is closed."
    assert "It is not needed: the coldest battery sensor is at 21.3 °C" in answer(runtime, "heater")
    assert "Balancing is on" not in answer(runtime, "balance")


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ({"charge_actual": False}, "told to close, but it still reads open"),
        ({"charge_commanded": False, "charge_actual": False}, "not closed yet"),
        ({"charge_allowed": False, "charge_commanded": False}, "told to open and still reads closed"),
        ({"charge_allowed": False}, "told zero; the contactor is still closed"),
    ],
)
def test_permission_and_contactor_may_differ(runtime, points, said) -> None:
    runtime.publish(**points)
    assert said in answer(runtime, "charge")


def test_waiting_says_how_long(runtime) -> None:
    snapshot = {"at_ms": 1000, "points": {"charge_allowed": True},
                "why": {"charge": [{"because": "minimum off time", "name": "", "until_ms": 4500}]}}  # fmt: skip
    text = why_text("charge", snapshot, {"contactor_min_off_ms": 5000})
    assert text.endswith("stays off for at least 5 s (contactor_min_off_s). 3 s are left.")


@pytest.mark.parametrize("because", list(InhibitCause), ids=lambda because: because.name)
@pytest.mark.parametrize("what", THINGS)
def test_every_reason_has_a_sentence(because, what) -> None:
    for values in ({}, {"start_good_cycles": 8, "heater_max_ma": 3000}):
        snapshot = {"at_ms": 1, "points": {}, "why": {what: [{"because": because.value, "name": "cell_mv"}]}}
        text = why_text(what, snapshot, values)
        if because is not InhibitCause.ALARM:
            assert "Reason:" not in text
        assert text.endswith(".")


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_every_alarm_can_be_explained(runtime, alarm) -> None:
    for what in alarm.blocks.names:
        blocked_by(runtime, alarm.name, what if what in {"charge", "discharge"} else "charge")
        reason = {"because": "alarm", "name": alarm.name}
        snapshot = {"at_ms": 9, "points": {}, "why": {what: [reason]}, "alarms": []}
        text = why_text(what, snapshot, {})
        assert alarm.title in text
        assert "It ends when" in text or f"'bmsctl reset {alarm.name}'" in text


def test_the_heater_names_the_alarm_that_blocks_it(runtime) -> None:
    alarms = [runtime.alarm("cell_ovp"), runtime.alarm("heater_no_warming", latched=True)]
    runtime.publish(alarms=alarms, why={"heater": [{"because": "alarm", "name": ""}]})
    text = answer(runtime, "heater")
    assert "Heater does not warm the pack (heater_no_warming)" in text
    assert "Cell over-voltage" not in text


def test_the_running_heater(runtime) -> None:
    runtime.publish(heater_commanded=True, heater_ma=2333, heater_mw=130_648, battery_decic=[-81, -75])
    assert answer(runtime, "heater") == (
        "The heater is on with 2.33 A, 131 W: the coldest battery sensor is at -8.1 °C. It goes off when that"
        " reaches 5.0 °C (charge_utpr_c); then charging returns."
    )


@pytest.mark.parametrize(
    ("points", "because", "name", "said"),
    [
        ({"cell_difference_mv": 5}, "not needed", "cell_spread", "5 V apart, balancing begins above 0.010 V"),
        (
            {"cell_difference_mv": 50},
            "not needed",
            "cell_max",
            "only cells above 3.400 V (balance_start_v) are balanced",
        ),
        ({}, "operator", "balance", "'bmsctl switch balance on'"),
        ({}, "unknown", "cell_mv", "A cell voltage is unknown"),
        ({}, "unknown", "current_ma", "The pack current is unknown"),
    ],
)
def test_balance(runtime, points, because, name, said) -> None:
    runtime.publish(**points, why={"balance": [{"because": because, "name": name}]})
    assert said in answer(runtime, "balance")


def test_balance_names_the_alarm_that_blocks_it(runtime) -> None:
    runtime.publish(
        alarms=[runtime.alarm("cell_frozen")], why={"balance": [{"because": "alarm", "name": ""}]}
    )
    assert "Cell voltage frozen" in answer(runtime, "balance")


def test_running_balance_names_its_cells(runtime) -> None:
    runtime.publish(balance_commanded=True, balancing=[True, False] * 8)
    assert "on for cells 1, 3, 5, 7, 9, 11, 13 and 15" in answer(runtime, "balance")


def test_blocks_and_things_are_the_same_names() -> None:
    assert {flag.name.lower() for flag in Block if flag.name} - {"none"} == set(THINGS)


def test_the_front_end_says_what_is_wrong() -> None:
    snapshot = {"at_ms": 1, "points": {}, "why": {"charge": [{"because": "alarm", "name": "afe_lost"}]},
                "afe": "no acknowledge at 0x08"}  # fmt: skip
    assert "The last that was seen of it: no acknowledge at 0x08." in why_text("charge", snapshot, {})


def test_a_lost_chip_is_told_as_the_cause_of_what_it_took_along(runtime) -> None:
    names = ["cell_lost", "current_lost", "afe_lost", "chip_charge_trip"]
    reasons = [{"because": "alarm", "name": name} for name in names]
    reasons += [
        {"because": "unknown", "name": name} for name in ("afe", "cell_mv", "current_ma", "switch_decic")
    ]
    runtime.publish(
        charge_allowed=False, alarms=[runtime.alarm(name) for name in names], why={"charge": reasons}
    )
    text = answer(runtime, "charge")
    assert "There are 3 reasons. (1) Front-end chip does not answer (afe_lost)" in text
    assert "(3) The temperature of the switch board is unknown" in text
    assert text.endswith("What follows from it and ends with it: cell_lost and current_lost.")
    told = json.loads(runtime.run("why", "charge", "--json")[1])
    assert len(told["reasons"]) == 8, "a program gets all of them"
    status = " ".join(runtime.run("status")[1].split())
    assert "charging no (cell_lost, current_lost, afe_lost, 1 more)" in status


def test_what_an_override_lifts_is_named_with_the_time_it_has_left(runtime) -> None:
    """S10: announced where someone asks why the pack may be discharged."""
    runtime.publish(
        alarms=[runtime.alarm("cell_uvp", lifted=["discharge"]), runtime.alarm("emergency_override")],
        emergency_active=True, emergency_remaining_ms=605_000,
    )  # fmt: skip
    assert answer(runtime, "discharge") == (
        "Discharging is allowed and the discharge contactor is closed."
        " An emergency override lifts cell_uvp, for another 10 min 5 s."
    )
    assert "override" not in answer(runtime, "charge")
