"""A CAN interface in trouble: missing, down, at a wrong bit rate, with nobody who acknowledges, off the bus.

vcan has neither bit rate nor errors. For these there is `can2`: a real CAN device of the kernel's slcan driver, with a
controller at the other end of the serial line that the host plays.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cases_around import frames
from kit import (
    RUNTIME,
    ask,
    case,
    configured,
    do,
    doctor,
    link_state,
    now,
    said,
    sh,
    show,
    start,
    untouched,
    wait,
)

N_SLCAN, TIOCSETD = 17, 0x5423
INTERFACES = "/sys/class/net"
AT_500K = "S6"
"""How a controller on a serial line is told 500 kbit/s; S5 is 250 kbit/s."""


@case(
    "CAN interface missing at start",
    "S9",
    "the core starts and closes without it; the link says so, doctor too; made later, it is used by itself",
)
def missing() -> str:
    sh("systemctl", "stop", "bmsd.service")
    sh("ip", "link", "del", "can0")
    try:
        start()
        moment = now()
        wait(lambda: link_state("can")["state"] == "error", "the link says that there is no bus")
        told = link_state("can")["detail"]
        found = doctor()["can"]
        assert found["verdict"] == "bad", found
        assert "no interface can0" in found["finding"], found
    finally:
        sh("ip", "link", "add", "can0", "type", "vcan")
    made = now()
    try:
        # The link's own patience is up to 30 s, on a machine that other work may hold up.
        wait(lambda: frames(1.5), "frames on the new interface", 150)
    except AssertionError as error:
        asked = (("ip", "-details", "link", "show", "can0"), ("systemctl", "status", "bmsd-can@can0.service"))
        where = [sh(*words, expect=None) for words in asked]
        raise AssertionError(f"{error}; {link_state('can')}; {where}") from None
    seconds = now() - made
    untouched(moment)
    lost = said(moment - 60, "-u", "bmsd-link@can.service").count("lost")
    return (
        f"{told}; doctor: {found['finding']}; frames {seconds:.1f} s after it was made; {lost} lines of loss"
    )


@case(
    "CAN interface down, and what doctor says",
    "S9",
    "doctor finds it down; its command brings it up again; frames go on",
)
def down() -> str:
    start()
    moment = now()
    sh("ip", "link", "set", "can0", "down")
    wait(lambda: link_state("can")["state"] == "error", "the link says that there is no bus")
    found = doctor()["can"]
    assert found["verdict"] == "bad", found
    assert found["finding"] == "can0 is down", found
    done = do(found["step"])
    wait(lambda: frames(1.5), "frames again")
    assert doctor()["can"]["verdict"] == "good", doctor()["can"]
    untouched(moment)
    return f"{found['finding']}: {'; '.join(done)}; frames again"


@contextmanager
def controller() -> Iterator[str]:
    """Plug the CAN controller in, with a bus of bmsd on it."""
    ask("adapter", deaf=False)
    on_wire()
    before = set(os.listdir(INTERFACES))
    tty = os.open("/dev/ttyS3", os.O_RDWR | os.O_NOCTTY)
    try:
        fcntl.ioctl(tty, TIOCSETD, struct.pack("i", N_SLCAN))
        (name,) = wait(lambda: set(os.listdir(INTERFACES)) - before, "the driver makes an interface")
        sh("ip", "link", "set", name, "name", "can2")
        text = '[can]\nshare_percent = 60\n[can.grid]\nprotocol = "pylontech"\nchannel = "can2"\nshare_percent = 40\n'
        with configured(text):
            start()
            sh("systemctl", "add-wants", "bmsd.service", "bmsd-link@can@grid.service")
            sh("systemctl", "restart", "bmsd-can@can2.service")
            sh("systemctl", "start", "bmsd-link@can@grid.service")
            wait(lambda: link_state("can@grid")["state"] == "running", "the link of the second bus runs")
            yield "can2"
    finally:
        os.close(tty)


def on_wire() -> list[str]:
    """Give what the controller was told since the last time."""
    heard: list[str] = ask("adapter")["heard"]
    return heard


def sent(lines: list[str]) -> list[str]:
    """Pick the frames."""
    return [line for line in lines if line.startswith("t")]


@case(
    "bit rate of a CAN controller",
    "S9",
    "the one-shot unit sets it; another one is found by doctor, and mended by the command that it names",
)
def bit_rate() -> str:
    with controller() as name:
        lines: list[str] = []
        wait(lambda: lines.extend(on_wire()) or sent(lines), "frames at the controller")
        rates = [line for line in lines if line.startswith("S")]
        assert rates[-1:] == [AT_500K], lines[:20]
        good = doctor()["can_rate"]
        moment = now()
        sh("ip", "link", "set", name, "down")
        sh("ip", "link", "set", name, "up", "type", "can", "bitrate", "250000")
        found = doctor()["can_rate"]
        assert found["verdict"] == "bad", found
        assert "250000" in found["finding"], found
        on_wire()
        done = do(found["step"])
        wait(lambda: sent(on_wire()), "frames again")
        again = doctor()["can_rate"]
        assert again["verdict"] == good["verdict"] != "bad", (good, again)
        untouched(moment)
    return f"{AT_500K} at the controller; doctor: {found['finding']}; {'; '.join(done)}; then: {again['finding']}"


@case(
    "a CAN controller whose frames nobody acknowledges",
    "S7 S9",
    "the queue fills up: frames are dropped, counted and told; the other bus keeps its pace; what is sent afterwards"
    " is new",
)
def full_queue() -> str:
    with controller():
        on_wire()
        wait(lambda: sent(on_wire()), "frames at the controller")
        moment = now()
        ask("adapter", deaf=True)
        dropped = wait(lambda: figures()["frames_dropped"], "frames are dropped", 120)
        told = verdict()
        assert len(frames(3)) > 5, "the other bus lost its pace"
        ask("adapter", deaf=False)
        wait(lambda: sent(on_wire()), "frames again")
        wait(lambda: keeps_all(5), "nothing is dropped any more when the controller takes frames")
        untouched(moment)
    return f"{dropped} frames dropped at first; bmsctl can: {told!r}; none dropped any more when it takes them again"


@case(
    "a CAN controller off the bus",
    "S9",
    "the link tells it and doctor what to do; frames again after that; the other bus and the outputs notice nothing",
)
def bus_off() -> str:
    with controller() as name:
        on_wire()
        wait(lambda: sent(on_wire()), "frames at the controller")
        moment = now()
        ask("adapter", say="sb256000")
        wait(lambda: "BUS-OFF" in sh("ip", "-d", "link", "show", name), "the kernel has it off the bus")
        told = wait(lambda: [line for line in said(moment, "SYSLOG_IDENTIFIER=bmsd-link").splitlines()
                             if "off the bus" in line] or off_in_state(), "the link tells it")  # fmt: skip
        found = doctor()["can_rate"]
        assert found["verdict"] == "bad", found
        assert "off the bus" in found["finding"], found
        assert len(frames(3)) > 5, "the other bus lost its pace"
        done = do(found["step"])
        on_wire()
        wait(lambda: sent(on_wire()), "frames again")
        assert show("ActiveState", f"bmsd-can@{name}.service") == "active"
        untouched(moment)
    return f"link: {told[0]!r}; doctor: {found['finding']}; {'; '.join(done)}; frames again"


def off_in_state() -> list[str]:
    detail = link_state("can@grid")["detail"]
    return [detail] if "off the bus" in detail else []


def keeps_all(seconds: float) -> bool:
    """Tell whether no frame is dropped for so long."""
    before = figures()["frames_dropped"]
    time.sleep(seconds)
    return figures()["frames_dropped"] == before


def figures() -> dict[str, int]:
    """Give the counters of the second bus."""
    found: dict[str, int] = json.loads((RUNTIME / "link-can@grid.json").read_text())
    return found


def verdict() -> str:
    """Give the sentence on top of `bmsctl can`."""
    return sh("bmsctl", "can", "--once", "--bus", "grid").splitlines()[0]


CASES = (missing, down, bit_rate, full_queue, bus_off)
