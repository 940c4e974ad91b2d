"""What an alarm is about, in plain words: for the message catalog and the manual page."""

from __future__ import annotations

from bmsd.ipc.sentences import CALLED, DOING, listed
from bmsd.tables import parameters
from bmsd.tables.alarms import Alarm, Release, Sense


def when(alarm: Alarm) -> str:
    """Say when it is raised."""
    hold = _hold(alarm.delay)
    if not alarm.value:
        return f"one of bmsd's checks found it{hold or ', and it is told at once'}"
    return f"{CALLED[alarm.value]} was {alarm.sense.value} {_name(alarm.trip)}{hold}"


def blocks(alarm: Alarm) -> str:
    """Say what it does not allow while it is active."""
    words = [DOING[name] for name in alarm.blocks.names]
    if not words:
        return "Nothing is blocked"
    text = f"{listed(words).capitalize()} {'is' if len(words) == 1 else 'are'} not allowed while it is active"
    lifted = [DOING[name] for name in alarm.overridable.names]
    return f"{text}; an emergency override allows {listed(lifted)}" if lifted else text


def ends(alarm: Alarm) -> str:
    """Say what ends it."""
    gone = f"{_back(alarm)}{_hold(alarm.release_delay)}"
    if alarm.ends is Release.ITSELF:
        return f"By itself, when {gone}"
    return f"'bmsctl reset {alarm.name}' ends it, once {gone}; it survives restarts and power cuts"


def _back(alarm: Alarm) -> str:
    if not alarm.value:
        return "the check no longer finds it"
    if alarm.inclusive:
        side = "not above" if alarm.sense is Sense.ABOVE else "not below"
    else:
        side = "below" if alarm.sense is Sense.ABOVE else "above"
    return f"{CALLED[alarm.value]} is {side} {_name(alarm.release)}"


def _hold(name: str) -> str:
    return f" for {_name(name)}" if name else ""


def _name(name: str) -> str:
    return parameters.BY_NAME[name].public_name
