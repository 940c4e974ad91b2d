"""Fault classes that are about processes and wires: CAN, Modbus, hangs and kills, power cuts and clocks."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bmsd.ipc.shared_files import write_file
from tests.support.effort import slow_but
from tests.support.patience import Lateness, allowed

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
LINKS = """
[can]
interface = "slcan"
channel = "{can}"
sleep_after_open = 0
[modbus]
port = "{modbus}"
baudrate = 115200
unit = 1
"""
WRITE = bytes.fromhex("010600640001")
"""Write register 100 of unit 1, without its checksum."""
JUMPS = """
import sys, time
from pathlib import Path
from bmsd.daemon import main as daemon

true, file = time.time, Path(sys.argv[sys.argv.index("--state-dir") + 1], "years")


def wrong():
    return true() + float(file.read_text()) * 31_557_600


time.time = wrong
sys.exit(daemon.main())
"""
"""A core whose wall clock is off by as many years as a file says."""


def checksum(frame: bytes) -> bytes:
    """Give a Modbus frame its checksum."""
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return frame + crc.to_bytes(2, "little")


class Flood:
    """Writes nonsense and orders to a line for as long as it lasts, and never reads an answer."""

    def __init__(self, descriptor: int) -> None:
        self.sent = 0
        self._descriptor = descriptor
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        os.set_blocking(descriptor, False)
        self._thread.start()

    def _run(self) -> None:
        chunk = checksum(WRITE) + bytes(range(256)) + checksum(bytes.fromhex("010300640002"))
        while not self._end.is_set():
            try:
                self.sent += os.write(self._descriptor, chunk)
            except BlockingIOError:
                self._end.wait(0.002)

    def stop(self) -> None:
        self._end.set()
        self._thread.join()


@pytest.fixture
def lines() -> Iterator[dict[str, tuple[int, str]]]:
    """Open two raw ptys: the far end's descriptor and the path of ours, for CAN and for Modbus."""
    ends = {name: os.openpty() for name in ("can", "modbus")}
    for pair in ends.values():
        for descriptor in pair:
            tty.setraw(descriptor)
    yield {name: (master, os.ttyname(slave)) for name, (master, slave) in ends.items()}
    for pair in ends.values():
        for descriptor in pair:
            os.close(descriptor)


@contextmanager
def linked(core, *names: str) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Run links on the directories of a core."""
    command = [sys.executable, "-m", "bmsd.links.runner"]
    where = ["--config", str(core.config), "--runtime-dir", str(core.runtime)]
    made = {
        name: subprocess.Popen([*command, name, *where], stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
        for name in names
    }
    try:
        yield made
    finally:
        for process in made.values():
            process.kill()
            process.wait()


def state_of(core, name: str) -> dict:
    found: dict = json.loads((core.runtime / f"link-{name}.json").read_text())
    return found


def with_links(core, lines) -> None:
    core.section = LINKS.format(can=lines["can"][1], modbus=lines["modbus"][1])
    core.start()


def cut_in_time(core, tools) -> None:
    """See that a cell that is too high is cut, and that no cycle was skipped without being told.

    Cycles that the core could not begin, because others had the processor, are not its own to answer for.
    """
    before, late = core.points(), Lateness(core.pid)
    core.ask(do="sim", cell=5, values={"offset_mv": 330})
    tools.eventually(lambda: "cell_ovp" in core.alarms() and not core.points()["charge_actual"])
    after = core.points()
    due = (after["uptime_ms"] - before["uptime_ms"] - round(1000 * late.seconds)) // after["period_ms"]
    done = after["sequence"] - before["sequence"]
    assert done + after["cycle_overruns"] - before["cycle_overruns"] >= due - 2


@pytest.mark.deadline
@pytest.mark.fault_class(12, "alone")
def test_a_flooded_modbus_line_changes_nothing_and_costs_no_cycle(core, tools, lines) -> None:
    """S9, S14: nonsense, orders and polls without a pause; the link lives and answers when it is over."""
    with_links(core, lines)
    with linked(core, "modbus") as links:
        tools.eventually(lambda: state_of(core, "modbus")["state"] == "running")
        before = json.loads((core.runtime / "parameters.json").read_text())["values"]
        flood = Flood(lines["modbus"][0])
        try:
            core.cycles(30)
            assert flood.sent > 1000
            cut_in_time(core, tools)
        finally:
            flood.stop()
        assert json.loads((core.runtime / "parameters.json").read_text())["values"] == before
        assert links["modbus"].poll() is None
    assert core.points()["charge_allowed"] is False


@pytest.mark.deadline
@pytest.mark.fault_class(12, "alone")
def test_a_modbus_port_that_goes_and_comes_costs_no_cycle(core, tools, lines, tmp_path) -> None:
    """S9: unplugged, gone for some cycles, back under the same name; protection acts in between."""
    port = tmp_path / "port"
    first, second = os.openpty()
    port.symlink_to(os.ttyname(second))
    core.section = LINKS.format(can=lines["can"][1], modbus=port)
    core.start()
    with linked(core, "modbus") as links:
        tools.eventually(lambda: state_of(core, "modbus")["state"] == "running")
        os.close(first)
        os.close(second)
        tools.eventually(lambda: state_of(core, "modbus")["state"] == "error")
        cut_in_time(core, tools)
        port.unlink()
        port.symlink_to(lines["modbus"][1])
        tools.eventually(lambda: state_of(core, "modbus")["state"] == "running")
        os.write(lines["modbus"][0], checksum(bytes.fromhex("010300000001")))
        assert select.select([lines["modbus"][0]], [], [], allowed(5))[0]
        assert links["modbus"].poll() is None


@pytest.mark.deadline
@pytest.mark.fault_class(11, "alone")
def test_a_can_line_that_takes_nothing_is_told_and_costs_no_cycle(core, tools, lines) -> None:
    """S9: nobody takes a frame: the queue fills; the core goes on, and the adapter that comes back is used."""
    with_links(core, lines)
    with linked(core, "can") as links:
        tools.eventually(lambda: state_of(core, "can")["state"] == "running")
        core.cycles(30)
        cut_in_time(core, tools)
        assert links["can"].poll() is None


@pytest.mark.deadline
@pytest.mark.fault_class(11, "second")
@pytest.mark.fault_class(12, "second")
def test_every_link_in_trouble_at_once_leaves_protection_alone(core, tools, lines) -> None:
    """S9, S1: CAN takes nothing, Modbus is flooded, the journal's link is stopped; then a sensor and a cell go."""
    with_links(core, lines)
    with linked(core, "can", "modbus", "journal") as links:
        for name in links:
            tools.eventually(lambda name=name: state_of(core, name)["state"] == "running")
        os.kill(links["journal"].pid, signal.SIGSTOP)
        flood = Flood(lines["modbus"][0])
        try:
            cut_in_time(core, tools)
            core.fault("ntc1_open", True)
            tools.eventually(lambda: "temperature_lost" in core.alarms() and core.is_open())
            core.ask(do="sim", cell=5, values={"offset_mv": 0})
            tools.eventually(lambda: "cell_ovp" not in core.alarms())
            core.cycles(20)
            assert core.is_open(), "only one of the two is gone"
        finally:
            flood.stop()
            os.kill(links["journal"].pid, signal.SIGCONT)
        core.fault("ntc1_open", False)
        tools.eventually(core.is_well)


@pytest.mark.fault_class(11, "second")
@pytest.mark.fault_class(15, "alone")
def test_links_that_are_killed_or_stopped_are_missed_by_nobody(core, tools, lines) -> None:
    """S9, S7: kill -9 and SIGSTOP of each link beside a latched fault; a new one takes over."""
    with_links(core, lines)
    core.fault("charge_stuck_open", True)
    tools.eventually(lambda: "charge_contactor_open" in core.alarms())
    with linked(core, "can", "modbus") as links:
        for name in links:
            tools.eventually(lambda name=name: state_of(core, name)["state"] == "running")
        os.kill(links["can"].pid, signal.SIGSTOP)
        os.kill(links["modbus"].pid, signal.SIGKILL)
        core.cycles(20)
        os.kill(links["can"].pid, signal.SIGCONT)
        before = state_of(core, "can")["at_ms"]
        tools.eventually(lambda: state_of(core, "can")["at_ms"] > before)
    with linked(core, "modbus"):
        before = state_of(core, "modbus")["at_ms"]
        tools.eventually(lambda: state_of(core, "modbus")["at_ms"] > before)
    assert "charge_contactor_open" in core.alarms()
    assert core.points()["discharge_actual"]


@pytest.mark.fault_class(15, "second")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_an_end_beside_a_latched_fault_ends_off_and_forgets_nothing(core, tools, number) -> None:
    """S5, S13: the weld first, then kill -9 or a hang; all lines off, and the next start knows the weld."""
    core.start()
    core.fault("charge_weld", True)
    core.ask(do="switch", name="charge", on=False)
    tools.eventually(lambda: "charge_contactor_welded" in (core.state / "state.json").read_text())
    os.kill(core.pid, number)
    tools.eventually(core.is_off)
    assert core.ended() == -signal.SIGKILL
    core.start(cautious=True)
    core.cycles(5)
    assert "charge_contactor_welded" in core.alarms()
    assert {name for name, on in core.lines().items() if on} <= {"buzzer"}


@pytest.mark.fault_class(16, "alone")
def test_a_wall_clock_that_jumps_by_years_changes_nothing(tmp_path, tools) -> None:
    """S11: ten years on, thirty back, while it runs and between two starts."""
    (tmp_path / "state").mkdir()
    years = tmp_path / "state" / "years"
    years.write_text("0")
    with tools.running(tmp_path, program=("-c", JUMPS)) as core:
        core.start()
        for jump in ("10", "-30", "0"):
            write_file(years, jump)  # never half written: the core reads it at any time
            core.cycles(10)
            assert core.is_well()
        write_file(years, "-30")
        core.kill(signal.SIGTERM)
        core.start()
        tools.eventually(core.is_well)
        assert core.points()["runtime_ms"] < 600_000
        assert core.points()["discharge_closings"] == 2
        core.fault("ntc1_open", True)
        tools.eventually(lambda: "temperature_lost" in core.alarms() and core.is_open())


@pytest.mark.fault_class(16, "second")
@pytest.mark.parametrize("kept", slow_but([0.5], [0.0, 0.5, 0.9]))
def test_a_file_cut_short_beside_a_lost_sensor_blocks_until_both_are_mended(core, tools, kept) -> None:
    """S13, S2: the power went while the state was written, and a sensor went with it."""
    core.start()
    core.kill(signal.SIGTERM)
    whole = (core.state / "state.json").read_bytes()
    (core.state / "state.json").write_bytes(whole[: int(len(whole) * kept)])
    (core.state / "state.json.new").write_bytes(whole[:10])
    core.start(closes=False)
    core.fault("ntc1_open", True)
    tools.eventually(lambda: {"configuration_fault", "temperature_lost"} <= core.alarms())
    core.fault("ntc1_open", False)
    tools.eventually(lambda: "temperature_lost" not in core.alarms())
    core.cycles(30)
    assert core.is_open(), "it closes after eight when nothing is against it"
    assert core.ctl("reset", "configuration_fault").returncode == 0
    tools.eventually(core.is_closed)
