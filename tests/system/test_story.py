"""The main job on a real core: a cold morning and a cell too high, as an operator sees them with bmsctl."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.system

CHARGE_OFF, CHARGE_ON = ("charge", "off"), ("charge", "on")
HEATER_ON, HEATER_OFF = ("heater", "on"), ("heater", "off")


def switched(core, since: int) -> list[tuple[str, str]]:
    """Give how charge and heater moved since an event number."""
    moved = json.loads(core.ctl("events", "--json", "-n", "256").stdout)
    events = moved["events"] if isinstance(moved, dict) else moved
    return [
        (event["name"], event["state"])
        for event in events
        if event["n"] > since and event["kind"] == "switch" and event["name"] in ("charge", "heater")
    ]


def test_cold_cuts_charge_then_heats_and_warmth_ends_heat_then_charges(shared, tools) -> None:
    """S3: charge off before heater on; heater off before charge on."""
    shared.sim(charger_a=40)
    begun = shared.document()["event_sequence"]
    assert shared.ctl("sim", "set", "ambient_c=-12", "pack_c=-8").returncode == 0
    tools.eventually(lambda: shared.points()["heater_actual"])
    points = shared.points()
    assert points["charge_actual"] is False
    assert points["charge_limit_ma"] == 0
    assert 0 < points["heater_ma"] <= 3000
    assert "charge_utp" in shared.alarms()
    assert switched(shared, begun) == [CHARGE_OFF, HEATER_ON]
    why = shared.ctl("why", "charge")
    assert why.returncode == 0
    assert "charge_utp" in why.stdout or "cold" in why.stdout
    shared.ctl("sim", "set", "ambient_c=20", "pack_c=10")
    tools.eventually(lambda: shared.points()["charge_actual"])
    assert switched(shared, begun) == [CHARGE_OFF, HEATER_ON, HEATER_OFF, CHARGE_ON]
    assert not shared.alarms()
    shared.sim(charger_a=0)


def test_a_cell_too_high_opens_charge_and_why_explains_it(shared, tools) -> None:
    """S1: charging ends with an alarm that names the cell; discharging goes on."""
    assert shared.ctl("sim", "cell", "7", "offset_mv=400").returncode == 0
    tools.eventually(lambda: shared.points()["charge_actual"] is False)
    alarm = next(a for a in shared.document()["alarms"] if a["name"] == "cell_ovp")
    assert alarm["where"] == 7
    assert alarm["value"] > alarm["limit"] == 3600
    assert shared.points()["discharge_actual"] is True
    told = " ".join(shared.ctl("why", "charge").stdout.split())
    assert "ell 7" in told
    assert "3.6" in told
    public = json.loads(shared.ctl("status", "--json").stdout)
    assert public["permissions"]["charge"] is False
    assert {"name": "cell_ovp", "cell": 7, "limit": 3.6, "unit": "V"}.items() <= next(
        a for a in public["alarms"] if a["name"] == "cell_ovp"
    ).items()
    assert shared.ctl("sim", "cell", "7", "offset_mv=0").returncode == 0
    tools.eventually(shared.is_well)


def test_an_operator_narrows_and_gives_back(shared, tools) -> None:
    """S14: switched off by request, recorded with who, and on again only within the rules."""
    assert shared.ctl("switch", "charge", "off").returncode == 0
    tools.eventually(lambda: shared.points()["charge_actual"] is False)
    assert ("charge", "off") in shared.events("request")
    shared.fault("ntc1_open", True)
    tools.eventually(lambda: "temperature_lost" in shared.alarms())
    assert shared.ctl("switch", "charge", "on").returncode == 0
    shared.cycles(3)
    assert shared.points()["charge_actual"] is False
    shared.fault("ntc1_open", False)
    tools.eventually(shared.is_well)


def test_what_cannot_be_is_refused_with_a_reason(shared) -> None:
    """S8: a wrong parameter set changes nothing."""
    before = shared.ctl("params", "get", "cell_ovp_v").stdout
    refused = shared.ctl("params", "set", "cell_ovp_v=2.0")
    assert refused.returncode == 1
    assert "cell_ovp_v" in refused.stderr
    assert shared.ctl("params", "get", "cell_ovp_v").stdout == before
    assert shared.ctl("sim", "fault", "gremlins", "on").returncode == 1


def test_the_override_is_announced_and_ends_when_asked(shared, tools) -> None:
    """S10: the way of an operator, from the request socket to every program that tells."""
    refused = shared.ctl("factory-reset", "--yes")
    assert refused.returncode == 1
    assert "a contactor is closed" in refused.stderr
    assert shared.ctl("emergency", "on", "--yes").returncode == 0
    tools.eventually(lambda: "emergency_override" in shared.alarms())
    assert 1_790_000 < shared.points()["emergency_remaining_ms"] <= 1_800_000
    assert "EMERGENCY OVERRIDE ON" in shared.ctl("status").stdout
    assert ("override", "on") in shared.events("emergency")
    assert shared.ctl("emergency", "off").returncode == 0
    tools.eventually(lambda: shared.points()["emergency_active"] is False)
    tools.eventually(shared.is_well)
