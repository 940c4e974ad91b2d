"""Ways the core lives and dies: each ends with every output line off, whatever the kernel does with a freed line."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from kit import (
    KEEP,
    Case,
    all_off,
    ask,
    beats,
    both_on,
    case,
    changes,
    journal,
    levels,
    never_on,
    now,
    off_after,
    pid,
    said,
    sh,
    show,
    sim,
    start,
    status,
    untouched,
    wait,
)

AT_ONCE_S = 6.0
"""What a busy emulated machine may take for what it does at once; a real one takes a tenth."""


@case(
    "boot to READY",
    "S13",
    "the core starts by itself; nothing is on before READY; then both contactors close",
    vital=True,
    smoke=True,
)
def boot() -> str:
    wait(both_on, "both contactors close after boot")
    ready = int(show("ActiveEnterTimestampMonotonic")) / 1e6
    launched = int(show("ExecMainStartTimestampMonotonic")) / 1e6
    first = min(at for at, _, level in changes() if level)
    closed = max(at for at, name, level in changes() if level and name in {"charge", "discharge"})
    assert first > ready, f"a line went high {ready - first:.3f} s before READY"
    return (
        f"exec to READY {ready - launched:.2f} s, kernel start to READY {ready:.1f} s,"
        f" first line high {first - ready:.2f} s after READY, both closed {closed - ready:.2f} s after it"
    )


@case(
    "healthy running",
    "S7",
    "values agree with the pack's truth over a real I2C bus with checksums, without an error",
)
def healthy() -> str:
    begun = now()
    time.sleep(10)
    untouched(begun)
    truth, seen = ask("truth"), status()
    worst = max(
        abs(mv - 1000 * v) for mv, v in zip(truth["cell_mv"], seen["cells"]["voltage_v"], strict=True)
    )
    assert worst <= 3, f"a cell is {worst:.1f} mV off: {truth['cell_mv']}, {seen['cells']['voltage_v']}"
    assert abs(truth["current_ma"] / 1000 - seen["pack"]["current_a"]) < 1, (truth, seen["pack"])
    assert seen["cycle"]["bus_errors"] == truth["errors"] == 0, (seen["cycle"], truth["errors"])
    assert not seen["alarms"], seen["alarms"]
    beat = beats(begun)
    assert beat >= 20, f"{beat} heartbeats in 10 s"
    cycle = seen["cycle"]
    return (
        f"largest difference {worst:.1f} mV; {truth['transfers']} transfers without error; {beat} heartbeats in 10 s;"
        f" {cycle['overruns']} overruns in {seen['sequence']} cycles"
    )


def stopping(moment: float) -> float:
    """Give the time at which systemd began to stop the core, without its own way to there."""
    text = "Stopping bmsd.service"
    entry = next(e for e in journal("UNIT=bmsd.service", since=moment) if text in str(e["MESSAGE"]))
    return int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6


@case("systemctl stop", "S5", "all lines off; core and links end; nothing is left running", smoke=True)
def stop() -> str:
    moment = now()
    sh("systemctl", "stop", "bmsd.service")
    off_ms = off_after(moment) - (stopping(moment) - moment) * 1000
    states = {unit: show("ActiveState", unit) for unit in ("bmsd", "bmsd-link@can", "bmsd-link@modbus")}
    assert set(states.values()) == {"inactive"}, states
    assert show("Result") == "success", show("Result")
    left = sh("pgrep", "-a", "-u", "bmsd", expect=None)
    assert not left, left
    return f"off {off_ms:.0f} ms after systemd began to stop it; units inactive; no process left"


@case("systemctl restart", "S5 S13", "all lines off, then on again after the good cycles of a start")
def restart() -> str:
    start()
    moment, before = now(), pid()
    sh("systemctl", "restart", "bmsd.service")
    off = [at for at, name, level in changes(moment) if name == "charge" and not level]
    assert off, "the charge line never went off"
    assert pid() != before
    wait(both_on, "both contactors close again")
    on = max(at for at, name, level in changes(moment) if name in {"charge", "discharge"} and level)
    off_ms = (off[0] - stopping(moment)) * 1000
    return f"off {off_ms:.0f} ms after systemd began to stop it; both on again after {on - moment:.1f} s"


def kill_core(keep: bool) -> str:
    before = pid()
    moment = now()
    os.kill(before, signal.SIGKILL)
    off_ms = off_after(moment, AT_ONCE_S)
    wait(both_on, "systemd starts the core again and both contactors close")
    assert pid() not in {0, before}
    text = said(moment, "-u", "bmsd.service")
    assert "all outputs are off" in text, text
    return f"off after {off_ms:.0f} ms; started again by systemd; " + (
        "by safe-off" if keep else "by kernel and safe-off"
    )


def kill_all(_keep: bool) -> str:
    moment = now()
    sh("systemctl", "kill", "--kill-whom=all", "--signal=KILL", "bmsd.service")
    off_ms = off_after(moment, AT_ONCE_S)
    # Where levels fall with their process, lines are off before safe-off has had its turn.
    wait(both_on, "both contactors close again")
    text = said(moment, "-u", "bmsd.service", "-u", "bmsd-safe-off.service")
    assert "all outputs are off" in text, text
    return f"core and guard dead at once: off after {off_ms:.0f} ms by ExecStopPost"


def stop_signal(_keep: bool) -> str:
    before = pid()
    beat = beats(now() - 2)
    moment = now()
    os.kill(before, signal.SIGSTOP)
    time.sleep(2.5)
    late = beats(moment + 1)  # a second for a recorder that a busy machine held up
    assert beat > 2, beat
    assert late == 0, f"{late} heartbeats from a stopped core"
    off_ms = off_after(moment, 5 + AT_ONCE_S)
    wait(lambda: pid() not in {0, before}, "systemd starts the core again")
    wait(both_on, "both contactors close again")
    return (
        f"heartbeat line still at once; off after {off_ms / 1000:.1f} s by guard or watchdog; started again"
    )


def with_levels(keep: bool, name: str, expected: str, run: Callable[[bool], str], smoke: bool) -> Case:
    """Make a case for one of the two ways a kernel treats a freed line."""
    kind = "levels stay, as on a Raspberry Pi" if keep else "levels fall, strict_gpiod"

    def whole() -> str:
        switch_keep(keep)
        start()
        try:
            return run(keep)
        finally:
            switch_keep(False)

    return Case(whole, f"{name} ({kind})", "S5", expected, smoke=smoke)


def switch_keep(keep: bool) -> None:
    """Choose how the kernel treats lines whose process is gone; the core is stopped for it."""
    if keep == KEEP.read_text().startswith("Y"):
        return
    sh("systemctl", "stop", "bmsd.service")
    wait(all_off, "all lines are off")
    KEEP.write_text("Y" if keep else "N")


@case(
    "SIGTERM while heating",
    "S3 S4 S5",
    "a cold pack: charge off, heater on; on stop the heater goes off with the rest",
)
def heater() -> str:
    start()
    sim(set={"pack_c": -5.0, "ambient_c": -5.0})
    wait(lambda: levels()["heater"] and not levels()["charge"], "the heater goes on and charge off")
    moment = now()
    sh("systemctl", "stop", "bmsd.service")
    off_ms = off_after(moment)
    sim(set={"pack_c": 20.0, "ambient_c": 20.0})
    return f"heater on at -5 °C with charge off; all off {off_ms:.0f} ms after the stop"


@case(
    "a core that keeps failing",
    "S5",
    "after 60 starts in an hour the unit gives up, failed, with all lines off",
)
def start_limit() -> str:
    sh("systemctl", "stop", "bmsd.service")
    sh("systemctl", "reset-failed", "bmsd.service", expect=None)
    folder = "/run/systemd/system/bmsd.service.d"
    sh("install", "-d", folder)
    with open(f"{folder}/limit.conf", "w") as file:
        file.write(
            "[Unit]\nStartLimitBurst=3\n[Service]\nRestartSec=100ms\nEnvironment=PYTHONHOME=/nonexistent\n"
        )
    sh("systemctl", "daemon-reload")
    moment = now()
    try:
        sh("systemctl", "start", "bmsd.service", expect=None)
        wait(
            lambda: show("Result") == "start-limit-hit" or "too quickly" in said(moment, "-u", "bmsd"),
            "the limit is hit",
        )
        wait(lambda: show("ActiveState") == "failed", "the unit has failed")
        time.sleep(2)
        assert show("ActiveState") == "failed"
        never_on(moment)
        restarts = show("NRestarts")
    finally:
        sh("rm", "-r", folder)
        sh("systemctl", "daemon-reload")
    start()
    return f"limit set to 3 here: failed after {restarts} restarts, all lines off; reset-failed and start bring it back"


CASES = (
    boot,
    healthy,
    stop,
    restart,
    *(
        with_levels(keep, name, expected, run, smoke)
        for keep in (False, True)
        for name, expected, run, smoke in (
            ("kill -9 of the core", "all lines off at once by the guard; started again", kill_core, True),
            ("kill -9 of core and guard", "all lines off by ExecStopPost; started again", kill_all, True),
            (
                "SIGSTOP of the core",
                "heartbeat stops at once; all lines off within the guard's 4 s or the watchdog's 5 s",
                stop_signal,
                False,
            ),
        )
    ),
    heater,
    start_limit,
)
