"""Packs that are switched otherwise: one main contactor, or the front-end chip's own FETs."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cases_core import switch_keep
from cases_front_end import AGE_S
from hardware import MAIN, MAIN_CONTACT
from kit import (
    CONFIG,
    Case,
    all_off,
    ask,
    both_on,
    levels,
    never_on,
    now,
    off_after,
    pid,
    said,
    sh,
    show,
    sim,
    status,
    untouched,
    wait,
)

PERIOD_S = 5
AT_ONCE_S = 4.0
"""Before the chip would switch its own FETs off without anybody's help, 5 s after it was last spoken to."""
OWN = r"(?m)^(charge|discharge|charge_feedback|discharge_feedback) = .*\n"
LINES = {"common": f"main = {MAIN}\nmain_feedback = {MAIN_CONTACT}\n", "afe": ""}
HOT_C, WARM_C = 70.0, 20.0
CHARGER_A = 20.0


def main_on() -> bool:
    """Tell whether the main contactor is commanded closed and pre-charge is done."""
    return bool(levels()["main"] and not levels()["precharge"])


CLOSED: dict[str, Callable[[], bool]] = {"common": main_on, "afe": both_on}


def rewritten(text: str, topology: str) -> str:
    """Make the configuration of another topology of the installed one."""
    text = re.sub(OWN, "", text)
    for old, new in (
        ('topology = "split"', f'topology = "{topology}"'),
        ("[outputs]\n", f"[outputs]\n{LINES[topology]}"),
        ('supply = "charger"', 'supply = "pack"'),
    ):
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def built(topology: str) -> Iterator[None]:
    """Rebuild pack and configuration for a time, on a kernel that keeps a freed line's level, as a Raspberry Pi's."""
    before = CONFIG.read_text()
    text = rewritten(before, topology)
    sh("systemctl", "stop", "bmsd.service")
    switch_keep(True)
    try:
        CONFIG.write_text(text)
        sh("bmsd", "--check-config")
        ask("pack", toml=text)
        sim(set={"charger_a": 0})
        yield
    finally:
        sh("systemctl", "stop", "bmsd.service")
        wait(all_off, "all is off")
        switch_keep(False)
        CONFIG.write_text(before)
        ask("pack")


def start(topology: str) -> None:
    """Start the core and wait until the pack is connected."""
    sh("systemctl", "reset-failed", "bmsd.service", expect=None)
    sh("systemctl", "start", "bmsd.service")
    wait(CLOSED[topology], "the pack is connected after the start")


def start_and_stop(topology: str) -> str:
    """Start beside a charger that stands above the pack and hears of no charge voltage: `common` gives it time."""
    sim(set={"charger_a": CHARGER_A})
    moment = now()
    start(topology)
    closed = now() - moment
    time.sleep(PERIOD_S)
    assert not status()["alarms"], status()["alarms"]
    truth, seen = ask("truth"), status()
    assert abs(truth["current_ma"] / 1000 - seen["pack"]["current_a"]) < 1, (truth, seen["pack"])
    moment = now()
    sh("systemctl", "stop", "bmsd.service")
    off_ms = off_after(moment, AT_ONCE_S)
    assert show("Result") == "success", show("Result")
    never_on(moment)
    return f"connected {closed:.1f} s after the start, no alarm; off {off_ms:.0f} ms after the stop was asked for"


def told_off(moment: float) -> None:
    """Wait for safe-off's word: FETs are off before it has read them back."""
    units = ("-u", "bmsd.service", "-u", "bmsd-safe-off.service")
    wait(lambda: "all outputs are off" in said(moment, *units), "safe-off says that all is off", AT_ONCE_S)


def kill_core(topology: str) -> str:
    start(topology)
    moment, before = now(), pid()
    os.kill(before, signal.SIGKILL)
    off_ms = off_after(moment, AT_ONCE_S)
    wait(CLOSED[topology], "systemd starts the core again")
    assert pid() not in {0, before}
    told_off(moment)
    return f"off after {off_ms:.0f} ms; started again by systemd"


def kill_all(topology: str) -> str:
    start(topology)
    moment = now()
    sh("systemctl", "kill", "--kill-whom=all", "--signal=KILL", "bmsd.service")
    off_ms = off_after(moment, AT_ONCE_S)
    told_off(moment)
    wait(CLOSED[topology], "systemd starts the core again")
    return f"core and guard dead at once: off after {off_ms:.0f} ms by ExecStopPost"


def stop_signal(topology: str) -> str:
    start(topology)
    moment, before = now(), pid()
    os.kill(before, signal.SIGSTOP)
    off_ms = off_after(moment, 5 + AT_ONCE_S)
    wait(lambda: pid() not in {0, before}, "systemd starts the core again")
    wait(CLOSED[topology], "connected again")
    return f"off after {off_ms / 1000:.1f} s by guard, watchdog or chip; started again"


def trip(topology: str) -> str:
    start(topology)
    before, moment = pid(), now()
    sim(set={"pack_c": HOT_C, "ambient_c": HOT_C})
    try:
        off_ms = off_after(moment)
        names = wait(lambda: [alarm["name"] for alarm in status()["alarms"]], "an alarm is raised")
    finally:
        sim(set={"pack_c": WARM_C, "ambient_c": WARM_C})
    wait(CLOSED[topology], "connected again when it is cool")
    assert pid() == before
    return f"{HOT_C:.0f} °C: off after {off_ms / 1000:.1f} s, {', '.join(names)}; on again when cool"


def front_end_gone(topology: str) -> str:
    """Take the chip off the bus: a contactor's line goes off; the chip's own FETs can only be reached over the bus."""
    start(topology)
    moment = now()
    sim(fault="afe_nack", on=True)
    try:
        off_ms = off_after(moment, (0 if topology == "common" else 5) + AGE_S)
        time.sleep(1)
        untouched(now() - 0.5)
    finally:
        sim(fault="afe_nack", on=False)
    wait(CLOSED[topology], "connected again when it answers")
    return f"off after {off_ms / 1000:.1f} s; on again when it answers"


def with_topology(topology: str, name: str, rules: str, expected: str, run: Callable[[str], str]) -> Case:
    what = {"common": "main contactor", "afe": "the chip's own FETs"}[topology]

    def whole() -> str:
        with built(topology):
            return run(topology)

    return Case(whole, f"{what}: {name}", rules, expected)


CASES = tuple(
    with_topology(topology, name, rules, expected, run)
    for topology in ("common", "afe")
    for name, rules, expected, run in (
        ("start and stop", "S5 S13",
         "it closes after the start, its values are the pack's; off with the stop", start_and_stop),
        ("kill -9 of the core", "S5", "all off at once by the guard; started again", kill_core),
        ("kill -9 of core and guard", "S5", "all off by ExecStopPost; started again", kill_all),
        ("SIGSTOP of the core", "S5",
         "all off within the guard's 4 s or the watchdogs' 5 s; started again", stop_signal),
        ("over-temperature", "S1", "both directions end: all off; on again when it is over", trip),
        ("front end gone and back", "S1 S2", "all off within the age limit, the FETs within the chip's own 5 s;"
         " on again when it answers", front_end_gone),
    )
)  # fmt: skip
