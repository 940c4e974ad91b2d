"""Start the test machine and be the world around it: the pack on the I2C bus, the master on the RS485 line.

The guest is Debian on a user-mode Linux kernel. What it and this process have in common is the directory `share`
(/share in the guest): the guest's test program asks by writing `share/ask/N.json` and finds the answer in
`share/answer/N.json`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import i2c_backend
from lines import Adapter, Cable, Door, Meter, mbpoll

from bmsd.config.load import load
from bmsd.errors import BmsdError
from bmsd.sim.bench import Bench
from bmsd.sim.plant import SWITCHES
from bmsd.sim.scenario import plant_settings

STEP_S = 0.01
NEVER_RAN = 125
TIMED_OUT = 124
OWN_FETS = ("charge", "discharge")


class Pack:
    """The simulated pack in real time: the chip on the bus, and contactors that follow the guest's lines."""

    def __init__(self, config: Path, lines_log: Path) -> None:
        self._lock = threading.Lock()
        self._log = lines_log
        self._read = 0
        self._stall_s = 0.0
        self._transfers = 0
        self._errors = 0
        self._fets = lines_log.parent / "fets"
        self._fets.mkdir()
        self._own_fets = False
        self._config = config
        self.build({})
        threading.Thread(target=self._live, daemon=True, name="pack").start()

    def build(self, request: dict[str, Any]) -> dict[str, Any]:
        """Build another pack for another configuration, or the first one again; bmsd is stopped for it."""
        config = self._config
        if "toml" in request:
            scenario = config.read_text().partition("[bench]")[1:]
            config = config.with_name("other.toml")
            config.write_text(request["toml"] + "".join(scenario))
        loaded = load(config)
        with self._lock:
            self._own_fets = loaded.fets is not None
            self.bench = Bench(loaded, plant_settings(loaded), now_ms=_now_ms())
        return {}

    def transfer(self, address: int, out: bytes, read: int) -> bytes:
        """Answer the bus."""
        stall_s, self._stall_s = self._stall_s, 0.0
        time.sleep(stall_s)
        with self._lock:
            self.bench.pause(_now_ms())
            self._transfers += 1
            try:
                bus = self.bench if self._own_fets else self.bench.chip
                return bus.transfer(address, out, read)
            except OSError:
                self._errors += 1
                raise

    def sim(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out a request of `bmsctl sim`."""
        with self._lock:
            return self.bench.request(request)

    def stall(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer the next transfer late."""
        self._stall_s = float(request["seconds"])
        return {}

    def truth(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Tell what is really so."""
        with self._lock:
            seen = self.bench.plant.sense()
            return {
                "cell_mv": [round(mv, 1) for mv in seen.cell_mv],
                "current_ma": round(seen.current_ma),
                "stack_mv": None if seen.stack_mv is None else round(seen.stack_mv),
                "permits": [self.bench.chip.chg_permit, self.bench.chip.dsg_permit],
                "transfers": self._transfers,
                "errors": self._errors,
            }

    def _live(self) -> None:
        while True:
            with self._lock:
                self._follow()
                self.bench.advance(_now_ms())
                self._show_fets()
            time.sleep(STEP_S)

    def _show_fets(self) -> None:
        """Show the guest's recorder the chip's own FETs, where they are the switches: a file for each that is on."""
        switches = self.bench.chip.switches
        for name, on in zip(OWN_FETS, (switches.chg, switches.dsg), strict=True):
            file = self._fets / name
            if self._own_fets and on:
                file.touch()
            else:
                file.unlink(missing_ok=True)

    def _follow(self) -> None:
        """Move the contactors as the guest's recorder saw its lines move."""
        try:
            with self._log.open() as log:
                log.seek(self._read)
                text = log.read()
        except FileNotFoundError:
            return
        whole = text[: text.rfind("\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            _, name, level = line.split()
            if name in SWITCHES and not (self._own_fets and name in OWN_FETS):
                self.bench.plant.command(name, level == "1")


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def answer_guest(share: Path, doors: dict[str, Door]) -> None:
    """Answer what the guest asks, for as long as this process lives."""
    for folder in ("ask", "answer"):
        shutil.rmtree(share / folder, ignore_errors=True)
        (share / folder).mkdir()

    def loop() -> None:
        while True:
            for path in sorted((share / "ask").glob("*.json")):
                request = json.loads(path.read_text())
                try:
                    answer = {"ok": True, **doors[request.pop("door")](request)}
                except (BmsdError, OSError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
                    answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
                path.unlink()
                draft = share / "answer" / f"{path.stem}.new"
                draft.write_text(json.dumps(answer))
                draft.rename(draft.with_suffix(".json"))
            time.sleep(STEP_S)

    threading.Thread(target=loop, daemon=True, name="answers").start()


def boot(kernel: Path, image: Path, share: Path, config: Path, disk: Path, timeout_s: float) -> int:
    """Run the machine once with share/run.sh; give the script's status, 124 for none in time, 125 for none."""
    out = share / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    work = Path(tempfile.mkdtemp(prefix="bmsd-vm-"))
    pack, cables, meter, adapter = Pack(config, out / "lines.log"), (Cable(), Cable()), Meter(), Adapter()
    i2c_backend.serve(work / "i2c.sock", pack)
    doors: dict[str, Door] = {
        "sim": pack.sim, "stall": pack.stall, "truth": pack.truth, "pack": pack.build, "adapter": adapter.door,
        "mbpoll": mbpoll([cable.ends[1] for cable in cables]),
    }  # fmt: skip
    serial = [*(cable.ends[0] for cable in cables), meter.end, adapter.end]
    answer_guest(share, doors)
    command = [
        str(kernel / "linux"), "mem=512M", f"uml_dir={work}/uml/", f"ubd0={disk},{image}/rootfs.ext4",
        "root=/dev/ubda", "rw", "con=null", "con0=null,fd:1", "ssl=null",
        *(f"ssl{n}=tty:{end}" for n, end in enumerate(serial)),
        f"virtio_uml.device={work}/i2c.sock:34", f"vm.share={share}", f"vm.modules={kernel}/modules",
        "systemd.show_status=0",
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "TMPDIR"}
    with (out / "console.log").open("wb") as console:
        machine = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=environment,
            start_new_session=True,
        )  # fmt: skip
        try:
            machine.wait(timeout_s)
        except subprocess.TimeoutExpired:
            print(f"machine: no end within {timeout_s:.0f} s", file=sys.stderr)
            return TIMED_OUT
        finally:
            try:
                os.killpg(machine.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            shutil.rmtree(work, ignore_errors=True)
    status = out / "status"
    if status.exists():
        return int(status.read_text())
    tail = (out / "console.log").read_text(errors="replace").splitlines()[-30:]
    print("\n".join(["machine: the script did not run; the console's end:", *tail]), file=sys.stderr)
    return NEVER_RAN
