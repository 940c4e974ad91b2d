"""What bmsd is measured against: dbus-serialbattery of Venus OS, its settings service, a message bus of their own.

All three are programs that are not ours, unchanged. Nothing of theirs leaves the machine: the bus is a socket in a
folder, and the driver's telemetry is off.

They are no package, so they are yours to put in place. BMSD_PEER names a folder with `driver`, a checkout of
mr-manuel/venus-os_dbus-serialbattery (measured: 358d3c7), `settings`, one of victronenergy/localsettings (v1.76), and
`libraries`, what they import (pyserial, requests, lxml, psutil). BMSD_PEER_PYTHON names a Python that loads the
machine's python3-dbus and python3-gi; `dbus-daemon` is the machine's own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.load import end

HOW = "BMSD_PEER=FOLDER BMSD_PEER_PYTHON=PROGRAM ./run bench, as tests/benchmarks/peer.py says"
SETTINGS = """\
[DEFAULT]
BMS_TYPE = Jkbms_pb
BATTERY_ADDRESSES = 0x{unit:02x}
POLL_INTERVAL = 1
TELEMETRY = False
"""
SERVICE = "com.victronenergy.battery.ttyUSB0__0x{unit:02x}"
MACHINE = "/usr/lib/python3/dist-packages"
"""Where the machine's own packages for the message bus are, also for a Python that is not the machine's."""
DRIVER = """
import runpy, sys, utils
for name in ("version", "image_type", "device_type"):
    setattr(utils, f"get_venus_os_{name}", lambda: "none")
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""
"""The driver, told what it else reads for its log in three files that only Venus OS has."""
READ = """
import dbus, json, sys
bus = dbus.SessionBus()
def value(path):
    return bus.get_object(sys.argv[1], path).GetValue(dbus_interface="com.victronenergy.BusItem")
print(json.dumps([round(float(value(f"/Voltages/Cell{number}")) * 1000) for number in range(1, 17)]))
"""
TOLERANCE_MV = 5
"""What noise may move a cell between two polls."""


class PeerError(Exception):
    """There is no peer to measure, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """Where the peer is."""

    folder: Path
    python: str


def installed() -> Installed:
    """Find what is in place; raise PeerError where something lacks."""
    folder, python = os.environ.get("BMSD_PEER", ""), os.environ.get("BMSD_PEER_PYTHON", "")
    if not folder or not python:
        raise PeerError(f"not installed; with it: {HOW}")
    parts = ("driver/dbus-serialbattery", "settings/localsettings.py", "libraries/serial")
    lacking = [part for part in parts if not (Path(folder) / part).exists()]
    if lacking:
        raise PeerError(f"BMSD_PEER has no {', '.join(lacking)}: {HOW}")
    return Installed(folder=Path(folder), python=python)


class Peer:
    """The three processes, reading the JK board on a line, with everything of theirs in one folder."""

    def __init__(self, found: Installed, folder: Path, line: str, unit: int) -> None:
        self._found, self._folder, self._line, self._unit = found, folder, line, unit
        self._log = folder / "said.log"
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{folder / 'driver'}:{found.folder / 'libraries'}:{MACHINE}",
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder / 'bus'}",
            "https_proxy": "http://127.0.0.1:9",
        }
        self.processes: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        """Start one after the other, as each needs the one before; raise PeerError in words."""
        python, folder, found = self._found.python, self._folder, self._found.folder
        bus, settings, driver = folder / "bus", folder / "settings", folder / "driver"
        self._start(
            "bus", "dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={bus}"
        )
        self._until(bus.exists, 5)
        settings.mkdir()
        self._start(
            "settings", python, "-u", str(found / "settings/localsettings.py"), "--path", str(settings)
        )
        self._until(lambda: b"claiming" in self._log.read_bytes(), 10)
        shutil.copytree(found / "driver/dbus-serialbattery", driver)
        (driver / "config.ini").write_text(SETTINGS.format(unit=self._unit))
        port = folder / "ttyUSB0"  # its name on the bus is made of this, and may not begin with a digit
        port.symlink_to(self._line)
        self._start("driver", python, "-c", DRIVER, str(driver / "dbus-serialbattery.py"), str(port))

    def _start(self, name: str, *command: str) -> None:
        with self._log.open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _until(self, check: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not check():
            ended = [name for name, one in self.processes.items() if one.poll() is not None]
            if ended or time.monotonic() > until:
                said = self._log.read_text(errors="replace").strip().splitlines()
                why = f"{', '.join(ended)} ended" if ended else f"nothing within {seconds:.0f} s"
                raise PeerError(f"the peer does not work, {why}: {' / '.join(said[-3:])}")
            time.sleep(0.1)

    def published(self) -> list[int]:
        """Ask over the bus for the cells' millivolts as the driver tells them; empty while it does not."""
        command = [self._found.python, "-c", READ, SERVICE.format(unit=self._unit)]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True)
        return list(json.loads(done.stdout)) if done.returncode == 0 else []

    def reads(self, cells: Callable[[], list[int]]) -> bool:
        """Tell whether what the driver publishes are these cells."""
        told, real = self.published(), cells()
        return bool(real) and len(told) == len(real) and all(
            abs(one - other) <= TOLERANCE_MV for one, other in zip(told, real, strict=True)
        )  # fmt: skip

    def settle(self, cells: Callable[[], list[int]], seconds: float) -> None:
        """Wait until the driver publishes these cells; raise PeerError when it does not."""
        self._until(lambda: self.reads(cells), seconds)

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self.processes.items()}


@contextmanager
def peer(found: Installed, folder: Path, line: str, unit: int) -> Iterator[Peer]:
    """Run the peer on a line meanwhile; raise PeerError when it does not start."""
    folder.mkdir()
    made = Peer(found, folder, line, unit)
    try:
        made.start()
        yield made
    finally:
        end(list(made.processes.values()))
