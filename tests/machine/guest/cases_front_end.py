"""Trouble on the I2C bus and with the front-end chip: what is not known opens contactors, what hangs is cut off."""

from __future__ import annotations

from kit import ask, beats, both_on, case, now, off_after, pid, sim, start, status, wait

AGE_S = 5.0
"""A value is believed for 1 s; the rest is for a busy emulated machine."""


@case(
    "front end gone and back",
    "S1 S2 S7",
    "all off within the age limit; limits zero; on again when it answers",
    smoke=True,
)
def afe_gone() -> str:
    start()
    moment = now()
    sim(fault="afe_nack", on=True)
    off_ms = off_after(moment, AGE_S)
    wait(lambda: status()["alarms"], "an alarm is raised")
    seen = status()
    assert seen["limits"]["charge_current_a"] == seen["limits"]["discharge_current_a"] == 0, seen["limits"]
    names = [alarm["name"] for alarm in seen["alarms"]]
    back = now()
    sim(fault="afe_nack", on=False)
    wait(both_on, "both contactors close again")
    return (
        f"off after {off_ms:.0f} ms; limits 0 A; alarms {', '.join(names)};"
        f" on again {now() - back:.1f} s after its return"
    )


@case("wrong checksums", "S2", "values with a wrong checksum are not believed: all off, on again afterwards")
def afe_crc() -> str:
    start()
    moment = now()
    sim(fault="afe_crc", on=True)
    off_ms = off_after(moment, AGE_S)
    errors = status()["cycle"]["bus_errors"]
    sim(fault="afe_crc", on=False)
    wait(both_on, "both contactors close again")
    return f"off after {off_ms:.0f} ms with {errors} errors counted; on again"


@case(
    "a transfer stalls for 3 s",
    "S5 S7 S9",
    "the cycle is late and counted; the core goes on; nothing restarts",
)
def afe_stall() -> str:
    start()
    before, late = pid(), status()["cycle"]["overruns"]
    ask("stall", seconds=3.0)
    stale = wait(status_trouble, "the status is called old meanwhile")
    wait(lambda: not status_trouble(), "the status is fresh again")
    overruns = status()["cycle"]["overruns"]
    assert overruns > late, f"{overruns} overruns, as before"
    assert pid() == before, "the core was restarted"
    wait(both_on, "both contactors are closed")
    return f"meanwhile {stale!r}; overruns {late} to {overruns}; the same process"


def status_trouble() -> str:
    """Give what bmsctl says when there is no fresh status; nothing when there is one."""
    try:
        status()
    except AssertionError as error:
        return str(error).splitlines()[-1]
    return ""


@case(
    "a transfer hangs in the kernel for 20 s",
    "S5 S6",
    "no process can be ended in that: the heartbeat stops at once, the chip takes its permits back, lines go off"
    " as soon as the kernel lets go",
)
def afe_stuck() -> str:
    start()
    moment, before = now(), pid()
    ask("stall", seconds=20.0)
    stalled = now()  # a busy machine may take its time to answer; the chip does not stall before
    wait(lambda: not any(ask("truth")["permits"]), "the chip forbids charge and discharge")
    forbidden = now() - moment
    late = beats(stalled + 0.5)
    assert late == 0, f"{late} heartbeats from a core that hangs"
    off_ms = off_after(moment)
    wait(lambda: pid() not in {0, before}, "a new core runs")
    wait(both_on, "both contactors close again")
    assert all(ask("truth")["permits"])
    return f"heartbeat still at once; permits gone after {forbidden:.1f} s; lines off after {off_ms / 1000:.1f} s"


CASES = (afe_gone, afe_crc, afe_stall, afe_stuck)
