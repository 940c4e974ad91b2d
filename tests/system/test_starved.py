"""A core that gets nothing more from its machine: no descriptors, no disk, no snapshot to keep, no time (S9)."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.support.patience import Lateness, allowed

pytestmark = [pytest.mark.system, pytest.mark.deadline, pytest.mark.timeout(300)]

STALE = 69
NO_MOUNT = 77
READ_ONLY = """
import ctypes, sys
from bmsd.daemon.main import main

NEW_MOUNTS, READ_ONLY, REMOUNT, BIND, ALL, PRIVATE = 0x20000, 1, 32, 4096, 16384, 1 << 18
state = sys.argv[sys.argv.index("--state-dir") + 1].encode()
libc = ctypes.CDLL(None)
if (
    libc.unshare(NEW_MOUNTS)
    or libc.mount(b"none", b"/", None, ALL | PRIVATE, None)
    or libc.mount(state, state, None, BIND, None)
    or libc.mount(b"none", state, None, REMOUNT | BIND | READ_ONLY, None)
):
    sys.exit(77)
sys.exit(main())
"""
"""A core that sees its state directory read-only, and nobody else does: root is not bound by modes."""


def starve(pid: int, most: int | None) -> None:
    """Leave a process no new descriptor, or give them back."""
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard if most is None else most, hard))


@contextlib.contextmanager
def held_open(core) -> socket.socket:
    """Hold a connection that the core accepted while it still could; nothing is said on it yet."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(allowed(30))
        connection.connect(str(core.runtime / "bmsd.sock"))
        core.cycles(3)
        yield connection


def say(connection: socket.socket, **request: object) -> dict:
    connection.sendall(json.dumps(request).encode() + b"\n")
    return json.loads(connection.recv(65536))


def raised_at(core, name: str) -> int | None:
    """Give the time an alarm was raised by the core's clock, as its own ring tells it afterwards."""
    ring = json.loads((core.runtime / "events.json").read_text())["events"]
    found = [event["at_ms"] for event in ring if event["name"] == name and event["state"] == "raised"]
    return found[-1] if found else None


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


@pytest.mark.fault_class(15, "second")
def test_a_core_without_a_descriptor_still_protects(core, tools) -> None:
    """S9, S1: no event, no state, no client; a cell goes too high meanwhile, is cut and shown; then all is back."""
    core.start()
    stale = core.points()["sequence"]
    with held_open(core) as connection:
        starve(core.pid, 3)
        try:
            begun, late = monotonic_ms(), Lateness(core.pid)
            told = say(connection, do="sim", cell=5, values={"offset_mv": 400})
            assert told["ok"], told
            tools.eventually(lambda: not core.points()["charge_actual"])
            with socket.socket(socket.AF_UNIX) as unheard:
                unheard.connect(str(core.runtime / "bmsd.sock"))
                time.sleep(1)
            assert core.process.poll() is None
            ended, late_s = monotonic_ms(), late.seconds
        finally:
            starve(core.pid, None)
    tools.eventually(lambda: core.points()["sequence"] > stale + 5)
    at_ms = tools.eventually(lambda: raised_at(core, "cell_ovp"))
    assert begun <= at_ms <= ended, "it was seen only when descriptors were back"
    points = core.points()
    assert not points["charge_actual"]
    due = (ended - begun - 1000 * late_s) / 100
    assert points["sequence"] >= stale + due // 2, "cycles were not done"
    core.ask(do="sim", cell=5, values={"offset_mv": 0})
    tools.eventually(core.is_well)
    assert "Traceback" not in core.stderr()


@pytest.mark.fault_class(15, "second")
def test_a_core_without_a_descriptor_that_is_killed_is_switched_off(core, tools) -> None:
    """S5: the guard has its own."""
    core.start()
    starve(core.pid, 3)
    core.kill(signal.SIGKILL)
    tools.eventually(core.is_off)


def read_only_program(folder) -> tuple[str, ...]:
    """Give the way to start a core on a read-only state directory, or skip in words."""
    if os.geteuid() != 0:
        return ("-m", "bmsd.daemon.main")
    probe = subprocess.run(
        [sys.executable, "-c", READ_ONLY, "--check-config", "--config", "none", "--state-dir", str(folder)],
        capture_output=True,
    )
    if probe.returncode == NO_MOUNT:
        pytest.skip("this root may not mount, and modes do not bind it")
    return ("-c", READ_ONLY)


@pytest.mark.fault_class(15, "second")
def test_a_read_only_state_directory_stops_nothing_and_is_told(core, tools) -> None:
    """S9, S5: switches, protects, says that it can keep nothing, and ends with all off, also by kill -9."""
    core.state.mkdir()
    core.program = read_only_program(core.state)
    core.state.chmod(0o555)
    try:
        core.start()
        tools.eventually(lambda: ("state file", "lost") in core.events("daemon"))
        core.ask(do="set", values={"cell_ovp_mv": 3555})
        core.ask(do="sim", cell=5, values={"offset_mv": 330})
        tools.eventually(lambda: "cell_ovp" in core.alarms() and not core.points()["charge_actual"])
        assert core.points()["disk_bytes"] == 0
        assert list(core.state.iterdir()) == []
        core.kill(signal.SIGKILL)
        tools.eventually(core.is_off)
    finally:
        core.state.chmod(0o755)
    assert "would not survive a power cut" in core.stderr()


def test_a_snapshot_that_is_renamed_or_removed_is_there_again_with_the_next_cycle(shared, tools) -> None:
    """S9, S7: fifty times; no cycle is lost for it, and no reader takes the old one for the new."""
    tools.eventually(shared.is_well)
    snapshot, aside = shared.runtime / "snapshot", shared.runtime / "aside"
    for turn in range(50):
        before = shared.points()["sequence"]
        try:
            snapshot.rename(aside) if turn % 2 else snapshot.unlink()
        except FileNotFoundError:
            continue
        tools.eventually(lambda was=before: shared.points()["sequence"] > was)
    aside.unlink(missing_ok=True)
    assert shared.is_well()


def test_a_snapshot_that_is_gone_with_its_core_is_told_as_stale(core, tools) -> None:
    """S7: by bmsctl, whether the file is old, renamed or put back."""
    core.start()
    core.kill(signal.SIGKILL)
    snapshot, aside = core.runtime / "snapshot", core.runtime / "aside"
    tools.eventually(lambda: core.ctl("status").returncode == STALE)
    snapshot.rename(aside)
    gone = core.ctl("status")
    assert gone.returncode == STALE
    assert "does not exist" in gone.stderr
    aside.rename(snapshot)
    assert core.ctl("status").returncode == STALE


@pytest.mark.fault_class(15, "second")
def test_a_core_that_was_stopped_goes_on_and_tells_the_cycles_it_missed(core, tools) -> None:
    """S9, S11: its guard is stopped too; a cell that went too high meanwhile is cut after the continue."""
    core.start()
    os.kill(core.guard, signal.SIGSTOP)
    overruns = core.points()["cycle_overruns"]
    with held_open(core) as connection:
        os.kill(core.pid, signal.SIGSTOP)
        time.sleep(1)
        connection.sendall(b'{"do": "sim", "cell": 5, "values": {"offset_mv": 400}}\n')
        os.kill(core.pid, signal.SIGCONT)
        tools.eventually(lambda: "cell_ovp" in core.alarms())
    os.kill(core.guard, signal.SIGCONT)
    tools.eventually(lambda: not core.points()["charge_actual"])
    assert core.points()["cycle_overruns"] > overruns
    assert core.process.poll() is None
