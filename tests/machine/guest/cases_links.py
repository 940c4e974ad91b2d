"""Further buses and lines, each with a link of its own that an operator starts as the documents say."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from cases_around import frames
from kit import (
    ask,
    case,
    configured,
    do,
    doctor,
    link_state,
    now,
    pid,
    said,
    sh,
    show,
    start,
    status,
    untouched,
    wait,
)

TWO_BUSES = """
[can]
share_percent = 60
[can.grid]
protocol = "sma"
channel = "can1"
share_percent = 40
"""
GRID, GARAGE, LAN, METER = (
    f"bmsd-link@{name}.service" for name in ("can@grid", "modbus@garage", "modbus@lan", "meter")
)
FIRST_ONLY, SECOND_ONLY = "35C", "35A"
"""A frame that only Pylontech has, and one that only SMA has."""


def kinds(heard: list[str]) -> set[str]:
    return {frame.split("#")[0] for frame in heard}


def charge_limit_a(heard: list[str]) -> float:
    """Read the charge current limit; both protocols have it at the same place."""
    data = bytes.fromhex(next(frame for frame in heard if frame.startswith("351#")).split("#")[1])
    return int.from_bytes(data[2:4], "little", signed=True) / 10


@contextmanager
def second_bus() -> Iterator[str]:
    """Have an interface that was there before its section, which nobody brings up until doctor is asked."""
    sh("ip", "link", "add", "can1", "type", "vcan")
    try:
        wait(
            lambda: show("ActiveState", "bmsd-can@can1.service") == "active", "udev starts the one-shot unit"
        )
        with configured(TWO_BUSES):
            start()
            found = doctor()["can"]
            assert (found["verdict"], found["finding"]) == ("bad", "can1 is down"), found
            (done,) = do(found["step"])
            wait(lambda: "UP" in sh("ip", "link", "show", "can1"), "can1 is up")
            yield done
    finally:
        sh("ip", "link", "del", "can1")
        # Its unit ends with it, a moment later: until then the next interface of that name finds an active one.
        wait(
            lambda: show("ActiveState", "bmsd-can@can1.service") == "inactive",
            "the one-shot unit ends with its interface",
        )


def enable(check: str, section: str, unit: str) -> None:
    """Do what doctor says about a link that nobody starts; demand that it is what the documents say."""
    found = doctor()[check]
    assert found["verdict"] == "bad", found
    assert f"[{section}] is configured, and nothing starts {unit}" in found["finding"], found
    assert do(found["step"]) == [
        f"systemctl add-wants bmsd.service {unit}",
        f"systemctl start {unit}",
    ], found
    wait(lambda: show("ActiveState", unit) == "active", f"{unit} is active")


def hear_both(when: str) -> tuple[list[str], list[str]]:
    """Demand that each bus carries its own protocol and nothing of the other one's."""
    with ThreadPoolExecutor() as listeners:
        one, two = wait(
            lambda: (
                (heard := [*listeners.map(frames, (2.5, 2.5), ("can0", "can1"))]) and all(heard) and heard
            ),
            f"frames on both buses {when}",
        )
    assert FIRST_ONLY in kinds(one), (when, kinds(one))
    assert SECOND_ONLY not in kinds(one), (when, kinds(one))
    assert SECOND_ONLY in kinds(two), (when, kinds(two))
    assert FIRST_ONLY not in kinds(two), (when, kinds(two))
    return one, two


@case(
    "a second CAN bus",
    "S7 S9",
    "doctor finds that nobody starts [can.grid]; done as it says, each bus carries its protocol and its share",
)
def second_can() -> str:
    with second_bus() as brought_up:
        assert not frames(2, channel="can1"), "somebody speaks on can1"
        enable("links_start", "can.grid", GRID)
        assert doctor()["links_start"]["verdict"] == "good", doctor()["links_start"]
        one, two = hear_both("at first")
        whole = wait(lambda: status()["limits"]["charge_current_a"], "charging is allowed")
        shares = charge_limit_a(one) / whole, charge_limit_a(two) / whole
        assert abs(shares[0] - 0.6) < 0.05, (shares, whole)
        assert abs(shares[1] - 0.4) < 0.05, (shares, whole)
        assert link_state("can@grid")["state"] == "running", link_state("can@grid")
    spoken = [" ".join(sorted(kinds(heard))) for heard in (one, two)]
    return (
        f"{brought_up}, add-wants and start as doctor says; can0 {spoken[0]}, can1 {spoken[1]};"
        f" of {whole} A told {shares[0]:.0%} and {shares[1]:.0%}"
    )


@case(
    "one CAN bus of two stops",
    "S7 S9",
    "stopped or killed, it leaves the other one alone and no output moves; bmsd's restart brings both back",
)
def one_of_two() -> str:
    with second_bus():
        sh("systemctl", "add-wants", "bmsd.service", GRID)
        sh("systemctl", "start", GRID)
        hear_both("at first")
        moment, first = now(), pid("bmsd-link@can.service")
        sh("systemctl", "stop", GRID)
        assert frames(3), "can0 is silent after can1's link was stopped"
        assert not frames(2, channel="can1"), "can1 goes on after its link was stopped"
        sh("systemctl", "start", GRID)
        sh("systemctl", "kill", "--signal=KILL", GRID)
        hear_both("after kill -9 of the second link")
        sh("systemctl", "stop", "bmsd-link@can.service")
        assert frames(3, channel="can1"), "can1 is silent after can0's link was stopped"
        sh("systemctl", "start", "bmsd-link@can.service")
        untouched(moment)
        sh("systemctl", "restart", "bmsd.service")
        hear_both("after the restart of bmsd")
        assert pid("bmsd-link@can.service") not in {0, first}
        sh("systemctl", "stop", "bmsd.service")
        assert show("ActiveState", GRID) == "inactive", show("ActiveState", GRID)
        start()
        hear_both("after stop and start of bmsd")
    return "the other one went on each time; both back after restart, and after stop and start"


@case(
    "a further Modbus line",
    "S7 S9",
    "[modbus.garage] started as docs/modbus.md says: both lines answer, each goes on without the other",
)
def further_line() -> str:
    with configured('[modbus.garage]\nport = "/dev/ttyS1"\nbaudrate = 9600\nunit = 7\n'):
        start()
        enable("links_start", "modbus.garage", GARAGE)
        moment = now()
        cells = read_cells(0, 1), wait(lambda: read_cells(1, 7), "the second line answers")
        assert not read_cells(1, 1), "the second line answers for the first one's unit"
        sh("systemctl", "stop", "bmsd-link@modbus.service")
        assert read_cells(1, 7), "the second line is silent without the first"
        assert not read_cells(0, 1), "the first line answers without its link"
        sh("systemctl", "start", "bmsd-link@modbus.service")
        sh("systemctl", "stop", GARAGE)
        wait(lambda: read_cells(0, 1), "the first line answers without the second")
        untouched(moment)
        sh("systemctl", "restart", "bmsd.service")
        wait(lambda: read_cells(0, 1) and read_cells(1, 7), "both answer after the restart of bmsd")
    apart = max(abs(one - two) for one, two in zip(*cells, strict=True))
    return f"16 cells over each, {apart} mV apart; both back after restart"


def read_cells(line: int, unit: int) -> list[int]:
    """Let the master read the cells; none when nobody answers."""
    found = ask("mbpoll", line=line, words=["-a", str(unit), "-t", "4", "-0", "-r", "180", "-c", "16"])
    return [int(value) for value in found["values"]]


@case(
    "Modbus TCP in its sandbox",
    "S9",
    "without the drop-in the link says what is wrong and doctor what to write; with it a client on this machine reads,"
    " one from elsewhere does not",
)
def modbus_tcp() -> str:
    drop_in = Path(f"/etc/systemd/system/{LAN}.d/override.conf")
    sh("ip", "addr", "add", "192.0.2.1/32", "dev", "lo")
    try:
        with configured('[modbus.lan]\ntcp = "0.0.0.0:1502"\n'):
            start()
            enable("links_start", "modbus.lan", LAN)
            wait(lambda: link_state("modbus@lan")["state"] == "error", "the link says that it has no network")
            told = link_state("modbus@lan")["detail"]
            found = doctor()["network"]
            assert found["verdict"] == "bad", found
            assert "RestrictAddressFamilies=AF_INET AF_INET6" in found["step"], found
            drop_in.parent.mkdir()
            drop_in.write_text(
                "[Service]\nRestrictAddressFamilies=AF_INET AF_INET6\nIPAddressAllow=localhost\n"
            )
            sh("systemctl", "daemon-reload")
            moment = now()
            sh("systemctl", "restart", LAN)
            cells = wait(lambda: read_tcp("127.0.0.1"), "a client on this machine reads")
            assert all(3000 < mv < 3600 for mv in cells), cells
            assert not read_tcp("192.0.2.1"), "a client that is not localhost is answered"
            found = doctor()["network"]
            assert found["verdict"] == "good", found
            untouched(moment)
    finally:
        drop_in.unlink(missing_ok=True)
        sh("systemctl", "daemon-reload")
        sh("ip", "addr", "del", "192.0.2.1/32", "dev", "lo")
    return f"without: {told!r}; with it {len(cells)} cells read on localhost, nothing from 192.0.2.1"


def read_tcp(host: str) -> list[int]:
    """Read the cells as any Modbus TCP client; none when nobody answers."""
    request = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 180, 16)
    try:
        with socket.create_connection((host, 1502), 3, (host, 0)) as peer:
            peer.settimeout(5)
            peer.sendall(request)
            answer = b""
            while len(answer) < 9 + 32:
                more = peer.recv(256)
                if not more:
                    return []
                answer += more
    except OSError:
        return []
    return list(struct.unpack(">16H", answer[9:41]))


@case(
    "an energy meter",
    "S7 S9",
    "[meter] started as docs/modbus.md says reads a meter on its line; stopped, its values become unknown",
)
def meter() -> str:
    text = '[meter]\nport = "/dev/ttyS2"\nbaudrate = 9600\ndevices = { 1 = "sdm120", 2 = "sdm120" }\nperiod_s = 2\n'
    with configured(text):
        start()
        enable("links_start", "meter", METER)
        assert doctor()["meter_library"]["verdict"] == "good", doctor()["meter_library"]
        moment = now()
        values = wait(measured, "the meter is read")
        assert (values["voltage_v"], values["power_w"], values["frequency_hz"]) == (231.5, -1234.5, 49.75), (
            values
        )
        detail = link_state("meter")["detail"]
        assert "1 of 2 answer" in detail, detail
        sh("systemctl", "kill", "--signal=KILL", METER)
        wait(lambda: pid(METER) and measured(), "read again after kill -9")
        sh("systemctl", "stop", METER)
        wait(lambda: not measured(), "nothing old is told as new")
        untouched(moment)
        sh("systemctl", "restart", "bmsd.service")
        wait(measured, "read again after the restart of bmsd")
        time.sleep(1)
        assert "Traceback" not in said(moment, "-u", METER)
    told = f"{values['voltage_v']} V, {values['power_w']} W as the meter has it"
    return f"{told}; {detail}; back after kill -9 and restart"


def measured() -> dict[str, float]:
    """Give what `bmsctl devices` knows of the meter's values; nothing where it knows nothing."""
    units = json.loads(sh("bmsctl", "devices", "--json")).get("meter") or {}
    values = {name: one["value"] for name, one in (units.get("1") or {}).get("values", {}).items()}
    return values if values.get("voltage_v") is not None else {}


CASES = (second_can, one_of_two, further_line, modbus_tcp, meter)
