"""`python -m bmsd.demo`: start core and links on a simulated pack, play the main job, show it live, clean up.

On a terminal it is the live screen of `bmsctl watch`; otherwise one line a second and each event as it comes.
Exit codes: 0 good, 1 the core died or did not start, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from bmsd import __version__
from bmsd.cli import reading, views
from bmsd.cli.console import Console, cut
from bmsd.cli.watch import frame, live
from bmsd.demo.programs import DemoError, Programs
from bmsd.demo.story import STORIES, Teller
from bmsd.demo.wires import Wires
from bmsd.errors import StaleError
from bmsd.tables.registers import BLOCKS

PLAIN_SECONDS = 30
LIVE_PACE = 1.6
LIVE_REGISTER = 1 + next(block.start for block in BLOCKS if block.name == "live")
"""As mbpoll counts: from 1."""
FAILED, INTERRUPTED = 1, 130


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(
        prog="bmsd.demo", description="Run bmsd on a simulated pack and watch it work."
    )
    seconds = f"how long; default: until q or Ctrl-C on a terminal, {PLAIN_SECONDS} otherwise"
    made.add_argument("--seconds", type=float, metavar="N", help=seconds)
    made.add_argument("--plain", action="store_true", help="lines instead of the live screen")
    made.add_argument("--scenario", choices=STORIES, default="all", help="what happens; default %(default)s")
    made.add_argument("--version", action="version", version=f"bmsd.demo {__version__}")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and leave nothing behind."""
    options = parser().parse_args(arguments)
    console = Console()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        with tempfile.TemporaryDirectory(prefix="bmsd-demo-") as folder, Wires() as wires:
            programs = Programs(Path(folder), wires)
            try:
                _run(programs, options, console)
            finally:
                _say(console, programs.end())
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _say(console: Console, text: str) -> None:
    console.paragraph(text)
    console.stream.flush()


def _run(programs: Programs, options: argparse.Namespace, console: Console) -> None:
    _say(
        console,
        "Starting the core and its links on a simulated pack: 16 cells LiFePO4, 280 Ah, 24 ohm heater.",
    )
    programs.start()
    programs.wires.start()
    took_s = programs.wait_until_ready()
    hints = _hints(programs)
    _say(
        console,
        f"Ready after {took_s:.1f} s, in {programs.runtime_dir}. To look and ask from another terminal:",
    )
    for hint in hints:
        console.say(f"  {hint}")
    console.stream.flush()
    is_live = console.is_terminal and not options.plain
    seconds = PLAIN_SECONDS if options.seconds is None and not is_live else options.seconds
    began = time.monotonic()
    teller = Teller(programs.runtime_dir, STORIES[options.scenario], LIVE_PACE if is_live else 1.0)
    if is_live:
        _show_live(programs, teller, console, began, seconds, hints[0])
    else:
        _show_lines(programs, teller, console, began, seconds)
    programs.check()


def _hints(programs: Programs) -> list[str]:
    """Write the commands for another terminal as they can be copied."""
    beside = Path(sys.executable).with_name("bmsctl")
    near = os.path.relpath(beside) if len(os.path.relpath(beside)) < len(str(beside)) else str(beside)
    bmsctl = shlex.quote(near) if beside.exists() else f"{shlex.quote(sys.executable)} -m bmsd.cli.main"
    return [
        f"{bmsctl} --runtime-dir {programs.runtime_dir} why",
        f"mbpoll -m rtu -b 115200 -P none -a 1 -t 3 -r {LIVE_REGISTER} -c 10 {programs.wires.master.name}",
    ]


def _show_live(
    programs: Programs, teller: Teller, console: Console, began: float, seconds: float | None, hint: str
) -> None:
    def draw() -> list[str]:
        elapsed_s = time.monotonic() - began
        teller.tell(elapsed_s)
        said = console.encodable(
            f"> {teller.said or 'The start: nothing closes before 8 good measurements.'}"
        )
        notes = [console.paint(cut(said, console.width), "bold"), f"q ends. Elsewhere: {hint}"]
        return frame(programs.runtime_dir, console, notes)

    def over() -> bool:
        programs.check()
        return seconds is not None and time.monotonic() - began >= seconds

    live(draw, console, over)


def _show_lines(programs: Programs, teller: Teller, console: Console, began: float, seconds: float) -> None:
    news = reading.NewEvents(programs.runtime_dir)
    next_line_s = 0.0
    while (elapsed_s := time.monotonic() - began) < seconds:
        programs.check()
        if said := teller.tell(elapsed_s):
            _say(console, f"> {said}")
        for event in news.take():
            _say(console, f"      {views.event_line(event)[len('2026-01-01 ') :]}")
        if elapsed_s >= next_line_s:
            next_line_s += 1.0
            _say(console, _status_line(programs, elapsed_s))
        time.sleep(0.1)


def _status_line(programs: Programs, elapsed_s: float) -> str:
    try:
        document = reading.now(programs.runtime_dir).document
    except StaleError as error:
        return f"{elapsed_s:4.0f} s  {error}"
    switches = document["switches"]
    on = [name for name in ("charge", "discharge", "heater", "balance") if switches[name]["commanded"]]
    pack, coldest = document["pack"], document["temperatures"]["battery_c"][:1]
    return (
        f"{elapsed_s:4.0f} s  {document['state']:<11} {views.number(pack['voltage_v'], 2, 'V')}"
        f" {views.number(pack['current_a'], 1, 'A', signed=True):>8} {views.several(coldest, 1, '°C'):>8}"
        f"  {_can_text(programs.wires)}  ON {', '.join(on) or 'nothing'}"
    )


def _can_text(wires: Wires) -> str:
    return f"CAN {wires.frames}"


if __name__ == "__main__":
    sys.exit(main())
