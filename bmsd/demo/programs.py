"""The demo's programs: the core and its links, as an installation would run them, and a good end for all."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from bmsd.demo.wires import Wires
from bmsd.errors import BmsdError, StaleError
from bmsd.ipc.snapshot import fresh_snapshot

START_S = 15.0
END_S = 8.0
_PR_SET_PDEATHSIG = 1
_CONFIG = """\
# Made by the demo for the simulated bench.
[pack]
chemistry = "lifepo4"
cells = 16
capacity_ah = 280

[afe]
chip = "bq76952"
shunt_mohm = 0.25

[outputs]
charge = 17
discharge = 27
precharge = 22
heater = 23
buzzer = 24
heartbeat = 25

[heater]
resistance_ohm = 24.0
supply = "charger"

[can]
protocol = "pylontech"
interface = "slcan"
channel = "{can}"
bitrate = 500000
sleep_after_open = 0.1

[modbus]
port = "{modbus}"
baudrate = 115200
unit = 1

[parameters]
charge_ocp_a = 100
discharge_ocp_a = 150
"""


class DemoError(BmsdError):
    """The demo cannot go on."""


def _end_with_parent() -> None:
    """Let the kernel end a program whose demo was killed; runs in the child before the program."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(slots=True)
class Programs:
    """The running programs, the core first; each writes into a log of its own."""

    folder: Path
    wires: Wires
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def runtime_dir(self) -> Path:
        """Name the directory that bmsctl needs."""
        return self.folder

    @property
    def config(self) -> Path:
        """Name the configuration file."""
        return self.folder / "bmsd.toml"

    def start(self) -> None:
        """Write the configuration and start everything."""
        self.config.write_text(_CONFIG.format(can=self.wires.can.name, modbus=self.wires.modbus.name))
        core = ["bmsd.daemon.main", "--state-dir", str(self.folder / "state"), "--simulate"]
        self._start("core", core)
        for name in ("can", "modbus", "journal"):
            self._start(name, ["bmsd.links.runner", name])

    def _start(self, name: str, words: list[str]) -> None:
        where = ["--config", str(self.config), "--runtime-dir", str(self.runtime_dir)]
        with self._log(name).open("wb") as log:
            # A session of its own: Ctrl-C reaches the demo alone, and it ends the others in order.
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *words, *where],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - the wires' thread starts later
            )

    def wait_until_ready(self) -> float:
        """Wait for the first snapshot; give how long it took."""
        began = time.monotonic()
        while time.monotonic() - began < START_S:
            self.check()
            try:
                fresh_snapshot(self.runtime_dir)
            except StaleError as error:
                problem = str(error)
                time.sleep(0.05)
            else:
                return time.monotonic() - began
        raise DemoError(f"the core gave no snapshot within {START_S:.0f} s: {problem}\n{self.said('core')}")

    def check(self) -> None:
        """Raise DemoError when the core is gone."""
        code = self._running["core"].poll()
        if code is not None:
            raise DemoError(f"the core ended by itself with exit code {code}\n{self.said('core')}")

    def said(self, name: str) -> str:
        """Give the last lines a program wrote."""
        lines = self._log(name).read_text(errors="replace").splitlines()[-12:]
        return "\n".join(f"  {name}: {line}" for line in lines)

    def end(self) -> str:
        """End the links, then the core, then make sure that every output is off; say what was done."""
        for name in reversed(self._running):
            self._end(self._running[name])
        self._running.clear()
        command = [sys.executable, "-m", "bmsd.shutdown.safe_off", "--runtime-dir", str(self.runtime_dir)]
        done = subprocess.run(
            [*command, "--config", str(self.config)], capture_output=True, text=True, timeout=END_S
        )
        if done.returncode:
            raise DemoError(f"safe-off failed: {done.stderr.strip()}")
        return done.stderr.strip()

    def _end(self, program: subprocess.Popen[bytes]) -> None:
        if program.poll() is None:
            program.terminate()
        try:
            program.wait(END_S)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"
