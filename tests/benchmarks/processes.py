"""Figures of the real processes: starting, memory, processor time, and the answer to a Modbus master."""

from __future__ import annotations

import os
import re
import select
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bmsd.errors import StaleError
from bmsd.ipc.snapshot import fresh_snapshot
from bmsd.links.modbus_rtu import with_crc
from tests.benchmarks.load import Pty, end, program, sections, start, start_link
from tests.benchmarks.rig import Figure, folder_in_memory, median, percentile, write_config

LINKS = ("can", "modbus", "journal")
CORE = program("bmsd.daemon.main")
CPU_S = 20
AS_ON_HARDWARE = """
import gpiod, smbus2, sdnotify, sys
from types import SimpleNamespace
from bmsd.hardware import i2c, outputs_gpiod
levels = {}
i2c.I2cPort.claim = lambda _: None
outputs_gpiod.find_chip = lambda *_: "/dev/null"
gpiod.request_lines = lambda *a, **k: SimpleNamespace(
    set_value=levels.__setitem__, get_value=lambda n: levels.get(n, gpiod.line.Value.INACTIVE), release=list)
from bmsd.daemon.main import main
sys.exit(main())
"""
"""The core without --simulate: real libraries, lines in memory, and an I2C bus that is not there."""


class System:
    """A core with its guard and links, as systemd would start them."""

    def __init__(
        self,
        folder: Path,
        links: tuple[str, ...] = LINKS,
        parameters: str = "",
        core: tuple[str, ...] = CORE,
    ) -> None:
        self.folder, self.run = folder, folder / "run"
        self.can, self.modbus = Pty(), Pty()
        self.config = write_config(folder, sections(self.can, self.modbus), parameters)
        self.begun = time.monotonic()
        self.core = start(*core, *self._core_words("--simulate"))
        self.run.mkdir(exist_ok=True)
        quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        self.links = {name: start_link(name, self.config, self.run, **quiet) for name in links}

    def _core_words(self, *more: str) -> list[str]:
        words = ["--config", str(self.config), "--runtime-dir", str(self.run)]
        return [*words, "--state-dir", str(self.folder / "state"), *more]

    def points(self) -> dict:
        try:
            return dict(fresh_snapshot(self.run).points)
        except StaleError:
            return {}

    def is_whole(self) -> bool:
        """Tell whether a decision was made on a complete measurement."""
        return self.points().get("pack_mv") is not None

    def wait(self, check, seconds: float = 30) -> float:
        """Wait until something is so; give how long after the start that was."""
        while not check():
            if time.monotonic() - self.begun > seconds:
                raise TimeoutError("the system did not start")
            time.sleep(0.002)
        return time.monotonic() - self.begun

    def settle(self) -> System:
        self.wait(lambda: self.points().get("discharge_actual"))
        time.sleep(2)
        return self

    def pids(self) -> dict[str, int]:
        """Name every process with its number."""
        found = {"core": self.core.pid, "guard": child_of(self.core.pid)}
        return found | {name: link.pid for name, link in self.links.items()}

    def close(self) -> None:
        self.core.terminate()
        self.core.wait()
        end(list(self.links.values()))
        self.can.close()
        self.modbus.close()


@contextmanager
def system(links: tuple[str, ...] = LINKS) -> Iterator[System]:
    with folder_in_memory() as folder:
        made = System(folder, links)
        try:
            yield made
        finally:
            made.close()


def child_of(pid: int) -> int:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                return int(path.parent.name)
        except OSError:
            continue
    raise ProcessLookupError(f"process {pid} has no child")


def start_up() -> list[Figure]:
    """Measure from exec to the first snapshot, to the first complete decision, and to the first CAN frame."""
    first, whole, frame = [], [], []
    for _ in range(5):
        with system(("can",)) as running:
            seen: list[float] = []
            listener = threading.Thread(target=_first_frame, args=(running, seen))
            listener.start()
            first.append(running.wait(running.points))
            whole.append(running.wait(running.is_whole))
            listener.join()
            frame += seen
    return [
        Figure("exec to first decision published", "", f"{median(first):.2f} s"),
        Figure("exec to first complete decision", "<= 0.5 s", f"{median(whole):.2f} s", "",
               median(whole) / 0.5, "every value measured by a configured and verified chip"),
        Figure("exec to first valid CAN frame", "<= 3 s", f"{median(frame):.2f} s", "", median(frame) / 3,
               "the first one with measured values"),
    ]  # fmt: skip


def _first_frame(running: System, seen: list[float]) -> None:
    text = b""
    while time.monotonic() - running.begun < 20:
        if select.select([running.can.far], [], [], 0.1)[0]:
            text += os.read(running.can.far, 4096)
            if re.search(rb"t356[0-9A-F]+\r", text):
                seen.append(time.monotonic() - running.begun)
                return


def memory() -> list[Figure]:
    """Measure resident and proportional memory once everything runs."""
    with system() as running:
        running.settle()
        kib = {name: resident(pid) for name, pid in running.pids().items()}
    bare = _bare_core()
    bench = kib["core"]
    kib["core"] = bare  # the simulated pack is no part of what is installed
    everything = sum(rss for rss, _ in kib.values()) / 1024
    shared = sum(pss for _, pss in kib.values()) / 1024
    each = ", ".join(f"{name} {rss / 1024:.1f}" for name, (rss, _) in kib.items())
    return [
        Figure("memory of the core, as on hardware", "<= 25 MiB", _mib(bare), "", bare[0] / 1024 / 25,
               "resident, shared pages counted in full; without the bench, without the guard"),
        Figure("memory of the core on the bench", "", _mib(bench), "", None,
               f"with its guard {(bench[0] + kib['guard'][0]) / 1024:.1f} MiB resident"),
        Figure("memory of everything", "<= 90 MiB", f"{everything:.1f} MiB, {shared:.1f} MiB proportional", "",
               everything / 90, f"MiB resident, the core as on hardware: {each}"),
    ]  # fmt: skip


def _bare_core() -> tuple[int, int]:
    """Measure a core that runs as on hardware, as far as a machine without hardware allows."""
    with folder_in_memory() as folder:
        config = write_config(folder)
        words = ["--config", str(config), "--runtime-dir", str(folder / "run")]
        core = start("-c", AS_ON_HARDWARE, *words, "--state-dir", str(folder / "state"))
        try:
            time.sleep(6)
            return resident(core.pid)
        finally:
            core.terminate()
            core.wait()


def _mib(kib: tuple[int, int]) -> str:
    return f"{kib[0] / 1024:.1f} MiB, {kib[1] / 1024:.1f} MiB proportional"


def resident(pid: int) -> tuple[int, int]:
    """Give resident and proportional memory in KiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (re.search(rf"^{key}:\s+(\d+)", text, re.MULTILINE) for key in ("Rss", "Pss"))
    assert rss
    assert pss
    return int(rss[1]), int(pss[1])


def cpu() -> list[Figure]:
    """Measure the processor time of all processes with CAN at 1 s and Modbus polled at 1 s."""
    with system() as running:
        running.settle()
        stop = threading.Event()
        poller = threading.Thread(target=_poll, args=(running, stop))
        poller.start()
        pids = running.pids()
        before, begun = {name: used_s(pid) for name, pid in pids.items()}, time.monotonic()
        time.sleep(CPU_S)
        spent = {name: used_s(pid) - before[name] for name, pid in pids.items()}
        elapsed = time.monotonic() - begun
        stop.set()
        poller.join()
    percent = {name: 100 * s / elapsed for name, s in spent.items()}
    each = ", ".join(f"{name} {value:.2f} %" for name, value in percent.items())
    total = sum(percent.values())
    return [Figure("processor time of all processes", "<= 5 % of one", f"{total:.1f} %", "", total / 5,
                   f"over {CPU_S} s; {each}; the core's share includes the bench")]  # fmt: skip


def _poll(running: System, stop: threading.Event) -> None:
    while not stop.wait(1):
        ask(running.modbus.far)
        while select.select([running.can.far], [], [], 0)[0]:
            os.read(running.can.far, 4096)


def used_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


OWN, SUNSPEC = bytes((1, 3, 0, 100, 0, 100)), bytes((1, 3, 0x9C, 0x46, 0, 125))
JK_READ, JK_FRAME = bytes.fromhex("020312000040"), bytes.fromhex("021016200001020000")
ASKED = {"own, 100 registers": OWN, "SunSpec, 125": SUNSPEC, "JK, 64": JK_READ, "JK frame": JK_FRAME}


def ask(far: int, request: bytes = OWN) -> float:
    """Poll registers as a master does; give the milliseconds to the start of the reply."""
    while select.select([far], [], [], 0)[0]:
        os.read(far, 4096)
    os.write(far, with_crc(request))
    asked = time.monotonic()
    if not select.select([far], [], [], 2)[0]:
        raise TimeoutError("no answer to a Modbus request")
    answered = time.monotonic()
    time.sleep(0.02)
    assert len(os.read(far, 4096)) > 100, "refused"
    return (answered - asked) * 1000


def modbus() -> list[Figure]:
    """Measure the Modbus answer: from the end of a request to the start of its reply, on a pty."""
    figures = []
    with system(("modbus",)) as running:
        running.settle()
        for what, request in ASKED.items():
            took = [ask(running.modbus.far, request) for _ in range(1000)]
            late = percentile(took, 990)
            figures.append(
                Figure(f"Modbus answer, p99; {what}", "<= 5 ms", f"{late:.1f} ms (median {median(took):.1f})", "",
                       late / 5, "1000 requests; the silence of 1.75 ms that ends a frame included")
            )  # fmt: skip
    return [*figures, *polled()]


PER_SECOND, POLLED_S = 50, 20


def polled() -> list[Figure]:
    """Ask fifty times a second beside a core, each map in turn; count answers, and the core's late cycles."""
    requests = list(ASKED.values())
    with system() as running:
        running.settle()
        before = running.points()
        begun, answered = time.monotonic(), 0
        for turn in range(PER_SECOND * POLLED_S):
            time.sleep(max(begun + turn / PER_SECOND - time.monotonic(), 0))
            answered += answers(running.modbus.far, requests[turn % len(requests)])
        elapsed, after = time.monotonic() - begun, running.points()
    late = after["cycle_overruns"] - before["cycle_overruns"]
    return [
        Figure("Modbus, 50 requests a second", "all answered", f"{answered} of {PER_SECOND * POLLED_S}", "",
               PER_SECOND * POLLED_S / answered,
               f"over {elapsed:.1f} s, all maps in turn; the core began {late} of"
               f" {after['sequence'] - before['sequence']} cycles late, longest work since its start"
               f" {after['cycle_worst_us'] / 1000:.1f} ms")
    ]  # fmt: skip


def answers(far: int, request: bytes) -> bool:
    """Tell whether a request is answered before the next one is due."""
    while select.select([far], [], [], 0)[0]:
        os.read(far, 4096)
    os.write(far, with_crc(request))
    reply = b""
    until = time.monotonic() + 0.9 / PER_SECOND
    while len(reply) < 100 and select.select([far], [], [], max(until - time.monotonic(), 0))[0]:
        reply += os.read(far, 4096)
    return len(reply) >= 100
