"""One line per alarm and per event, in words, whatever the daemon knows that this program does not."""

from __future__ import annotations

import pytest

from bmsd.ipc.sentences import alarm_text, duration_text, event_text, listed
from bmsd.tables.alarms import ALARMS


def event(kind: str, name: str, state: str, **more) -> dict:
    return {
        "kind": kind,
        "name": name,
        "state": state,
        "where": None,
        "value": None,
        "limit": None,
        "who": "",
        **more,
    }


@pytest.mark.parametrize(
    ("happened", "text"),
    [
        (event("alarm", "cell_ovp", "raised", where=7, value=3612, limit=3600),
         "Cell over-voltage: cell 7 at 3.612 V, limit 3.600 V; charging blocked"),
        (event("alarm", "cell_ovp", "cleared", where=7, value=3390, limit=3400),
         "Cell over-voltage cleared: the highest cell, now cell 7, at 3.390 V, recovery 3.400 V"),
        (event("alarm", "charge_utp", "raised", where=2, value=-31, limit=0),
         "Too cold to charge: sensor 2 at -3.1 °C, limit 0.0 °C; charging blocked"),
        (event("alarm", "charge_ocp", "raised", value=120_500, limit=100_000),
         "Charge over-current: at 120.500 A, limit 100.000 A; charging blocked"),
        (event("alarm", "cell_spread", "raised", where=7, value=412, limit=300),
         "Cells far apart: 0.412 V apart, cell 7 the highest, limit 0.300 V"),
        (event("alarm", "cell_lost", "raised", where=3),
         "Cell voltage unknown: cell 3; charging, discharging, heating and balancing blocked"),
        (event("alarm", "cell_lost", "cleared"), "Cell voltage unknown cleared"),
        (event("alarm", "afe_lost", "raised"),
         "Front-end chip does not answer; charging, discharging, heating and balancing blocked"),
        (event("switch", "charge", "off"), "Charge contactor opened"),
        (event("switch", "discharge", "on"), "Discharge contactor closed"),
        (event("switch", "heater", "on"), "Heater on"),
        (event("soc", "full", "anchored", value=1000, limit=973),
         "State of charge set to 100.0 %: the cells say full (counted: 97.3 %)"),
        (event("soc", "empty", "anchored", value=0), "State of charge set to 0.0 %: the cells say empty"),
        (event("request", "force charge", "on", who="uid 0"), "root asked the charger to charge by force"),
        (event("request", "full charge", "off", who="uid 0"), "root asks for no full charge any more"),
        (
            event("request", "full charge", "ended"),
            "The full charge that was asked for has ended: the pack is full, or 24 hours are over",
        ),
        (event("request", "full charge", "deferred", who="it"), "it asked for deferred full charge"),
        (event("request", "charge", "off", who="uid 0"), "root asked to switch charge off"),
        (event("request", "cell_floor", "reset", who="uid 3999999999"), "uid 3999999999 asked for reset cell_floor"),
        (event("parameter", "cell_ovp_mv", "set", value=3550, limit=3600, who="uid 0"),
         "Parameter cell_ovp_v changed from 3.600 V to 3.550 V by root"),
        (event("parameter", "heater_rest_ms", "set", value=60_000), "Parameter heater_rest_s changed to 60 s"),
        (event("daemon", "bmsd", "started"), "bmsd started"),
        (event("daemon", "bmsd", "stopping"), "bmsd is stopping, all outputs go off"),
        (event("state", "pack", "started"),
         "Start complete: enough good measurements in a row, contactors may close"),
    ],
)  # fmt: skip
def test_event_text(happened, text) -> None:
    assert event_text(happened) == text


@pytest.mark.parametrize(
    "happened",
    [
        event("alarm", "newer_alarm", "raised", value=5),
        event("switch", "fan", "on"),
        event("parameter", "newer_ms", "set", value=5),
        event("weather", "rain", "began"),
        event("state", "pack", "asleep"),
        event("daemon", "bmsd", "reloaded"),
        event("soc", "full", "anchored"),
    ],
)
def test_what_is_not_known_is_still_told(happened) -> None:
    text = event_text(happened)
    assert happened["name"] in text
    assert happened["state"] in text


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_every_alarm_has_a_line(alarm) -> None:
    entry = {"name": alarm.name, "where": 1, "value": 5, "limit": 4}
    assert alarm_text(entry).startswith(alarm.title)
    assert "\n" not in alarm_text(entry)
    assert alarm_text({"name": alarm.name}).startswith(alarm.title)


@pytest.mark.parametrize(
    ("ms", "text"),
    [(-5, "0 s"), (999, "0 s"), (59_999, "59 s"), (134_000, "2 min 14 s"), (11_100_000, "3 h 5 min"),
     (180_000_000, "2 d 2 h")],
)  # fmt: skip
def test_duration_text(ms, text) -> None:
    assert duration_text(ms) == text


def test_listed() -> None:
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
