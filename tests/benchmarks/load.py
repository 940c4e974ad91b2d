"""The worst neighbours a core may have: a flooded CAN and Modbus link, a stalled journal, a hog on each processor.

Everything here is a process of its own, started and ended by this one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.benchmarks.rig import write_config

ROOT = Path(__file__).resolve().parents[2]
HOG = "while True: sum(range(100_000))"
FLOOD = """
import os, sys
ends = {int(end): bytes.fromhex(data) for end, _, data in (word.partition(":") for word in sys.argv[1:])}
for end in ends:
    os.set_blocking(end, False)
while True:
    for end, data in ends.items():
        for act in (lambda: os.write(end, data), lambda: os.read(end, 65536)):
            try:
                act()
            except OSError:
                pass
"""
CAN_FRAMES = b"t35580102030405060708\rt30580000000000000000\r" * 20
MODBUS_REQUEST = bytes.fromhex("0103 0064 007D C434".replace(" ", "")) * 3 + b"\xff\x00noise"


class Pty:
    """One raw pseudo terminal: the far end to read and write, and the path a link opens."""

    def __init__(self) -> None:
        self.far, self._near = os.openpty()
        tty.setraw(self.far)
        tty.setraw(self._near)
        self.path = os.ttyname(self._near)

    def close(self) -> None:
        for descriptor in (self.far, self._near):
            with suppress(OSError):
                os.close(descriptor)


def sections(can: Pty, modbus: Pty) -> str:
    """Give the configuration sections of both links."""
    return f"""
[can]
interface = "slcan"
channel = "{can.path}"
sleep_after_open = 0
[modbus]
port = "{modbus.path}"
baudrate = 115200
maps = ["sunspec", "bmsd"]
more_units = {{ 2 = ["jk"] }}
"""


def start(*command: str, **options) -> subprocess.Popen:
    """Start one Python process of this environment."""
    return subprocess.Popen([sys.executable, *command], cwd=ROOT, **options)


def program(module: str) -> tuple[str, str]:
    """Give the words that run a program as its installed script does."""
    return "-c", f"import sys; from {module} import main; sys.exit(main())"


def start_link(name: str, config: Path, folder: Path, **options) -> subprocess.Popen:
    words = (name, "--config", str(config), "--runtime-dir", str(folder))
    return start(*program("bmsd.links.runner"), *words, **options)


def end(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()


@contextmanager
def loaded_machine(folder: Path) -> Iterator[None]:
    """Load the machine; `folder` is the runtime directory the links read."""
    can, modbus = Pty(), Pty()
    running: list[subprocess.Popen] = []
    stalled_read, stalled_write = os.pipe()
    try:
        own = folder / "links"
        own.mkdir(exist_ok=True)
        config = write_config(own, sections(can, modbus))
        for name in ("can", "modbus"):
            running.append(start_link(name, config, folder, stderr=subprocess.DEVNULL))
        os.set_blocking(stalled_write, False)
        with suppress(BlockingIOError):
            while True:
                os.write(stalled_write, b"x" * 4096)
        os.set_blocking(stalled_write, True)
        # A full pipe that nobody reads is a stalled journal to whoever writes lines to it.
        running.append(start_link("journal", config, folder, stderr=stalled_write))
        floods = [(can.far, CAN_FRAMES), (modbus.far, MODBUS_REQUEST)]
        words = [f"{far}:{data.hex()}" for far, data in floods]
        running.append(start("-c", FLOOD, *words, pass_fds=[far for far, _ in floods]))
        running += [start("-c", HOG) for _ in range(os.cpu_count() or 1)]
        time.sleep(2)
        yield
        assert all(process.poll() is None for process in running), "a part of the load has ended"
    finally:
        end(running)
        for pty in (can, modbus):
            pty.close()
        os.close(stalled_read)
        os.close(stalled_write)
